package commands

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/streampulse/pulse/internal/oracle"
	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/store"
)

// hsGrammar makes requests for hashes and sets, most of which mean something.
type hsGrammar struct{ *rand.Rand }

func (g hsGrammar) pick(s ...string) string { return s[g.IntN(len(s))] }

func (g hsGrammar) hash() string { return g.pick("h1", "h2", "h3", "h1", "h2", "s1", "text", "none") }

func (g hsGrammar) set() string {
	return g.pick("s1", "s2", "s3", "s4", "s1", "s2", "s3", "h1", "text", "none")
}

// source is a set that exists or not: no wrong type, of which there would be too many in a list.
func (g hsGrammar) source() string { return g.pick("s1", "s2", "s3", "s4", "none") }

func (g hsGrammar) field() string { return fmt.Sprintf(g.pick("f%d", "%d", "-%d", "0%d"), g.IntN(8)) }

func (g hsGrammar) value() string {
	return g.pick("1", "-5", "2.5", "abc", "9223372036854775807", "-9223372036854775808", "1e3", "inf", "nan", "0", "007", `""`, strings.Repeat("x", 80))
}

func (g hsGrammar) list(f func() string, most int) string {
	var b strings.Builder
	for range 1 + g.IntN(most) {
		b.WriteString(" " + f())
	}
	return b.String()
}

// next returns a request, and of its reply how many elements belong together where their order is free, 0 where it is
// not.
func (g hsGrammar) next() (request string, unordered int) {
	pair := func() string { return g.field() + " " + g.value() }
	switch g.IntN(26) {
	case 0, 1:
		return g.pick("HSET ", "HMSET ", "HSET ") + g.hash() + g.list(pair, 4), 0
	case 2:
		return "HSETNX " + g.hash() + " " + pair(), 0
	case 3:
		return g.pick("HGET ", "HEXISTS ", "HSTRLEN ", "HDEL ") + g.hash() + " " + g.field(), 0
	case 4:
		return g.pick("HMGET ", "HDEL ") + g.hash() + g.list(g.field, 3), 0
	case 5:
		return "HGETALL " + g.hash(), 2
	case 6:
		return g.pick("HKEYS ", "HVALS ", "SMEMBERS ") + g.pick(g.hash(), g.set()), 1
	case 7:
		return g.pick("HLEN ", "SCARD ", "TYPE ", "EXISTS ") + g.pick(g.hash(), g.set()), 0
	case 8, 9:
		return g.pick("HINCRBY ", "HINCRBYFLOAT ") + g.hash() + " " + pair(), 0
	case 10:
		return "HRANDFIELD " + g.hash() + " " + g.pick("100", "0", "x"), 1
	case 11, 12, 13:
		return "SADD " + g.set() + g.list(g.field, 5), 0
	case 14:
		return g.pick("SREM ", "SMISMEMBER ") + g.set() + g.list(g.field, 3), 0
	case 15:
		return "SISMEMBER " + g.set() + " " + g.field(), 0
	case 16, 17:
		return "SMOVE " + g.set() + " " + g.set() + " " + g.field(), 0
	case 18:
		return g.pick("SPOP ", "SRANDMEMBER ") + g.set() + " " + g.pick("100", "0", "x"), 1
	case 19, 20:
		return g.pick("SINTER", "SUNION", "SDIFF") + g.list(g.source, 4), 1
	case 21, 22:
		return g.pick("SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE") + g.pick(" s3", " s4", " s4") + g.list(g.source, 4), 0
	case 23:
		return g.pick("SINTER", "SUNION", "SDIFF") + g.list(g.set, 3), 1
	case 24:
		n := 1 + g.IntN(3)
		var keys strings.Builder
		for range n {
			keys.WriteString(" " + g.source())
		}
		return fmt.Sprint("SINTERCARD ", max(0, n+g.IntN(8)/7), keys.String()), 0
	}
	return g.pick("OBJECT ENCODING h1", "OBJECT ENCODING h2", "SET text x"), 0
}

// TestHashAndSetLikeTheOracle sends the same random requests to a real server and to the dispatcher.
func TestHashAndSetLikeTheOracle(t *testing.T) {
	server := oracle.Start(t)
	for _, limit := range []int{128, 4, 0} {
		for _, proto := range []int{2, 3} {
			t.Run(fmt.Sprintf("limit %d RESP%d", limit, proto), func(t *testing.T) {
				real, err := server.Dial()
				if err != nil {
					t.Fatal(err)
				}
				defer real.Close()
				in := bufio.NewReader(real)
				ask := func(line string) resp.Value {
					args, err := resp.SplitArgs([]byte(line))
					if err != nil {
						t.Fatal(err)
					}
					request := fmt.Appendf(nil, "*%d\r\n", len(args))
					for _, a := range args {
						request = fmt.Appendf(request, "$%d\r\n%s\r\n", len(a), a)
					}
					real.Write(request)
					v, err := resp.Decode(in)
					if err != nil {
						t.Fatal(err)
					}
					return v
				}
				ask("FLUSHALL")
				ask(fmt.Sprint("CONFIG SET hash-max-listpack-entries ", limit, " set-max-intset-entries ", limit))
				if proto == 3 {
					ask("HELLO 3")
				}
				h := newHarness(t)
				l := store.DefaultLimits()
				l.HashMaxListpackEntries, l.SetMaxIntsetEntries, l.SetMaxListpackEntries = limit, limit, limit
				h.store.SetLimits(l)
				c := h.conn(proto)
				g := hsGrammar{rand.New(rand.NewPCG(uint64(limit), uint64(proto)))}
				for i := range 2000 {
					request, unordered := g.next()
					want := ask(request)
					reply := h.do(c, request)
					got, err := resp.Decode(bufio.NewReader(strings.NewReader(reply)))
					if err != nil {
						t.Fatalf("%s: %q: %v", request, reply, err)
					}
					if a, b := settled(want, unordered), settled(got, unordered); a != b {
						t.Fatalf("request %d: %s\nwant %s\ngot  %s", i, request, a, b)
					}
				}
			})
		}
	}
}

// settled is the text of a reply, with groups of so many elements in a fixed order.
func settled(v resp.Value, group int) string {
	if group == 0 || len(v.Elems) == 0 {
		return fmt.Sprintf("%+v", v)
	}
	var parts [][]byte
	for e := range slices.Chunk(v.Elems, group) {
		parts = append(parts, fmt.Appendf(nil, "%+v", e))
	}
	slices.SortFunc(parts, bytes.Compare)
	v.Elems = nil
	return fmt.Sprintf("%+v%s", v, parts)
}
