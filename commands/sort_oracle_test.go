package commands

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/oracle"
	"github.com/streampulse/pulse/internal/resp"
)

// pair runs the same commands here and on a real redis-server.
type pair struct {
	t  *testing.T
	h  *harness
	c  *Conn
	nc net.Conn
	r  *bufio.Reader
}

// newPair skips the test if there is no redis-server.
func newPair(t *testing.T) *pair {
	t.Helper()
	if _, err := oracle.Path(); err != nil {
		t.Skip(err)
	}
	nc, err := oracle.Start(t).Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(30 * time.Second))
	h := newHarness(t)
	return &pair{t: t, h: h, c: h.conn(2), nc: nc, r: bufio.NewReader(nc)}
}

// there runs a command on the real server only.
func (p *pair) there(args ...string) resp.Value {
	p.t.Helper()
	var req bytes.Buffer
	fmt.Fprintf(&req, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&req, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := p.nc.Write(req.Bytes()); err != nil {
		p.t.Fatal(err)
	}
	v, err := resp.Decode(p.r)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

// both runs a command here and there; the replies must be equal.
func (p *pair) both(args ...string) {
	p.t.Helper()
	want := p.there(args...)
	b := make([][]byte, len(args))
	for i, a := range args {
		b[i] = []byte(a)
	}
	got, err := resp.Decode(bufio.NewReader(strings.NewReader(p.h.run(p.c, b))))
	if err != nil {
		p.t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		p.t.Fatalf("%.100q = %.200q, of Redis %.200q", args, fmt.Sprint(got), fmt.Sprint(want))
	}
}

// TestSortAgreesWithRedis runs random SORTs over patterns that lead somewhere.
func TestSortAgreesWithRedis(t *testing.T) {
	p := newPair(t)
	rng := rand.New(rand.NewPCG(9, 9))
	elem := func() string {
		if rng.IntN(40) == 0 {
			return "x"
		}
		return strconv.Itoa(rng.IntN(30))
	}
	pick := func(words ...string) string { return words[rng.IntN(len(words))] }
	for range 60 {
		p.both("FLUSHALL")
		for range rng.IntN(20) {
			e := elem()
			// No set is in the order of a table here: both servers order integers alike.
			p.both("SADD", "s", strconv.Itoa(rng.IntN(30)))
			p.both("RPUSH", "l", e)
			p.both("ZADD", "z", strconv.Itoa(rng.IntN(5)), e)
			p.both("SET", "w_"+elem(), pick("1", "2", "3.5", "1e3", " 4", "-7", "12", "a"+elem()))
			p.both("HSET", "h_"+elem()+"_t", "f", elem(), "g", pick("b", "B", "ab", ""))
		}
		for range 10 {
			cmd := pick("SORT", "SORT", "SORT_RO")
			args := []string{cmd, pick("l", "s", "z", "l", "nokey")}
			alphaBy := false
			for range rng.IntN(5) {
				switch rng.IntN(7) {
				case 0:
					by := pick("w_*", "h_*_t->f", "h_*_t->g", "nosort", "w_*", "*", "#", "w_*->f")
					alphaBy = alphaBy || by != "nosort"
					args = append(args, "BY", by)
				case 1:
					args = append(args, "LIMIT", strconv.Itoa(rng.IntN(8)-1), strconv.Itoa(rng.IntN(8)-1))
				case 2:
					args = append(args, "GET", pick("#", "w_*", "h_*_t->f", "h_*_t->g", "h_*_t->", "w_*->x", "nothing"))
				case 3:
					args = append(args, pick("ASC", "DESC"))
				case 4:
					args = append(args, "ALPHA")
				case 5:
					if cmd == "SORT" {
						args = append(args, "STORE", pick("d", "l", "w_1"))
					}
				case 6:
					if rng.IntN(10) == 0 {
						args = append(args, pick("LIMIT", "BY", "x", "STORE", "GET"))
					}
				}
			}
			line := strings.Join(args, " ")
			if alphaBy && strings.Contains(line, "ALPHA") && (strings.Contains(line, "LIMIT") || args[1] == "z") {
				continue // elements that sort alike are in no defined order there
			}
			p.both(args...)
			for _, key := range []string{"d", "l"} {
				p.both("TYPE", key)
				if typ := p.there("TYPE", key); string(typ.Str) == "list" {
					p.both("LRANGE", key, "0", "-1")
				}
			}
		}
	}
}
