package server

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// database is a naive model of what the concurrent clients below work on; "" is a key that is missing.
type database struct {
	a, b string
	n    int
	q    string // elements, each followed by a comma
}

// step is what the database answers to a request, and what becomes of it. Requests in a transaction are separated by ';'.
func (d database) step(line string) (reply string, next database) {
	if body, ok := strings.CutPrefix(line, "MULTI;"); ok {
		cmds := strings.Split(body, ";")
		reply = fmt.Sprintf("*%d\r\n", len(cmds))
		for _, cmd := range cmds {
			var r string
			r, d = d.step(cmd)
			reply += r
		}
		return reply, d
	}
	args := strings.Fields(line)
	switch args[0] {
	case "GET":
		return orNull(*d.text(args[1])), d
	case "SET":
		*d.text(args[1]) = args[2]
		return "+OK\r\n", d
	case "GETSET":
		was := *d.text(args[1])
		*d.text(args[1]) = args[2]
		return orNull(was), d
	case "DEL":
		was := *d.text(args[1])
		*d.text(args[1]) = ""
		return fmt.Sprintf(":%d\r\n", min(1, len(was))), d
	case "INCR":
		d.n++
		return fmt.Sprintf(":%d\r\n", d.n), d
	case "MSET":
		d.a, d.b = args[2], args[4]
		return "+OK\r\n", d
	case "MGET":
		return "*2\r\n" + orNull(d.a) + orNull(d.b), d
	case "RPUSH":
		d.q += args[2] + ","
		return fmt.Sprintf(":%d\r\n", strings.Count(d.q, ",")), d
	case "LPOP", "BLPOP":
		first, rest, ok := strings.Cut(d.q, ",")
		d.q = rest
		switch {
		case args[0] == "LPOP":
			return orNull(first), d
		case !ok:
			return "*-1\r\n", d
		}
		return "*2\r\n" + bulk("q") + bulk(first), d
	}
	panic(line)
}

func (d *database) text(key string) *string {
	if key == "a" {
		return &d.a
	}
	return &d.b
}

func orNull(s string) string {
	if s == "" {
		return "$-1\r\n"
	}
	return bulk(s)
}

var modelSeed = maphash.MakeSeed()

var databaseModel = porcupine.Model{
	Init: func() any { return database{} },
	Hash: func(state any) uint64 {
		d := state.(database)
		return maphash.Comparable(modelSeed, d)
	},
	Step: func(state, input, output any) (bool, any) {
		reply, next := state.(database).step(input.(string))
		return reply == output.(string), next
	},
}

func TestModelOfLinearizability(t *testing.T) {
	ops := func(second string) []porcupine.Operation {
		return []porcupine.Operation{
			{ClientId: 0, Input: "SET a 1", Call: 0, Output: "+OK\r\n", Return: 1},
			{ClientId: 1, Input: "GET a", Call: 2, Output: second, Return: 3},
		}
	}
	if !porcupine.CheckOperations(databaseModel, ops(bulk("1"))) || porcupine.CheckOperations(databaseModel, ops("$-1\r\n")) {
		t.Error("the model does not tell right from wrong")
	}
}

// TestLinearizability has several clients work on the same keys and looks for an order of their requests that explains
// all replies.
func TestLinearizability(t *testing.T) {
	workloads := []struct {
		name string
		next func(rnd *rand.Rand, unique string) string
	}{
		{"registers", func(rnd *rand.Rand, v string) string {
			switch k := string("ab"[rnd.IntN(2)]); rnd.IntN(6) {
			case 0, 1:
				return "GET " + k
			case 2, 3:
				return "SET " + k + " " + v
			case 4:
				return "GETSET " + k + " " + v
			default:
				return "DEL " + k
			}
		}},
		{"several keys", func(rnd *rand.Rand, v string) string {
			switch rnd.IntN(5) {
			case 0:
				return "MSET a " + v + " b " + v
			case 1:
				return "MGET a b"
			case 2:
				return "INCR n"
			case 3:
				return "MULTI;INCR n;GETSET a " + v + ";GET b"
			default:
				return "MULTI;SET b " + v + ";GET a;INCR n"
			}
		}},
		{"queue", func(rnd *rand.Rand, v string) string {
			switch rnd.IntN(7) {
			case 0, 1, 2:
				return "RPUSH q " + v
			case 3:
				return "LPOP q"
			case 4:
				return "MULTI;RPUSH q " + v + "a;RPUSH q " + v + "b"
			default:
				return "BLPOP q 0.003"
			}
		}},
	}
	for _, procs := range []int{2, 8} {
		t.Run(fmt.Sprintf("GOMAXPROCS %d", procs), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			srv := openServer(t, "io-threads", "4")
			for i, w := range workloads {
				t.Run(w.name, func(t *testing.T) {
					for round := range 15 {
						history := runHistory(t, srv, uint64(100*i+round), w.next)
						if got := porcupine.CheckOperationsTimeout(databaseModel, history, 4*patience); got != porcupine.Ok {
							for _, op := range history {
								t.Logf("%d: %d-%d %s = %q", op.ClientId, op.Call, op.Return, op.Input, op.Output)
							}
							t.Fatalf("round %d: %s", round, got)
						}
					}
				})
			}
		})
	}
}

// runHistory lets clients send requests at the same time and returns what they have seen.
func runHistory(t *testing.T, srv *Server, seed uint64, next func(*rand.Rand, string) string) []porcupine.Operation {
	t.Helper()
	const clients, each = 5, 15
	dial(t, srv).want("FLUSHALL", "+OK\r\n")
	conns := make([]*client, clients)
	for i := range conns {
		conns[i] = dial(t, srv)
		conns[i].want("PING", pong)
		defer conns[i].Close()
	}
	begin := time.Now()
	histories := make([][]porcupine.Operation, clients)
	var wg sync.WaitGroup
	for i, c := range conns {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(i)))
			for j := range each {
				line := next(rnd, fmt.Sprintf("%d.%d", i, j))
				op := porcupine.Operation{ClientId: i, Input: line, Call: int64(time.Since(begin))}
				op.Output = c.transact(line)
				op.Return = int64(time.Since(begin))
				histories[i] = append(histories[i], op)
			}
		})
	}
	wg.Wait()
	var all []porcupine.Operation
	for _, h := range histories {
		all = append(all, h...)
	}
	return all
}

// transact runs a request as database.step understands it.
func (c *client) transact(line string) string {
	body, ok := strings.CutPrefix(line, "MULTI;")
	if !ok {
		return c.do(line)
	}
	cmds := strings.Split(body, ";")
	c.send(requests("MULTI") + requests(cmds...) + requests("EXEC"))
	for range len(cmds) + 1 {
		c.read()
	}
	return c.read()
}
