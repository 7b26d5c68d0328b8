package commands

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"github.com/streampulse/pulse/internal/oracle"
	"github.com/streampulse/pulse/internal/oracle/diff"
	"github.com/streampulse/pulse/internal/resp"
)

// zserve answers requests on a connection with the dispatcher, until it is closed.
func zserve(h *harness, c *Conn, conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		v, err := resp.Decode(in)
		if err != nil {
			return
		}
		args := make([][]byte, len(v.Elems))
		for i := range v.Elems {
			args[i] = v.Elems[i].Str
		}
		if _, err := conn.Write([]byte(h.run(c, args))); err != nil {
			return
		}
	}
}

// zgrammar makes requests, most of which mean something. Ranges of members are asked of the key l only, whose scores are
// equal: of others the reference does not say what they are.
type zgrammar struct{ *rand.Rand }

func (g zgrammar) pick(s ...string) string { return s[g.IntN(len(s))] }

func (g zgrammar) key() string {
	return g.pick("a", "b", "c", "a", "b", "c", "l", "set", "text", "none")
}

// changed is a key whose scores may change.
func (g zgrammar) changed() string {
	return g.pick("a", "b", "c", "a", "b", "c", "set", "text", "none2")
}

func (g zgrammar) member() string { return fmt.Sprintf(g.pick("m%d", "%d", "-%d"), g.IntN(12)) }

func (g zgrammar) score() string {
	return g.pick("0", "1", "2", "2", "-3", "1.5", "0.25", "100", "inf", "-inf", "0x10", "x", "3")
}

func (g zgrammar) bound() string {
	return g.pick("", "(") + g.pick("0", "1", "2", "-3", "50", "inf", "-inf", "+inf", "1.5", "x", "")
}

func (g zgrammar) lex() string {
	return g.pick("-", "+", "[", "(", "[m3", "(m3", "[m11", "(0", "[5", "x")
}

func (g zgrammar) rank() string { return g.pick("0", "1", "2", "-1", "-2", "-100", "100", "5", "x") }

func (g zgrammar) maybe(s string) string { return g.pick("", "", " "+s) }

func (g zgrammar) limit() string {
	return g.maybe("LIMIT " + g.pick("0", "1", "3", "-1") + " " + g.pick("-1", "0", "2", "10"))
}

func (g zgrammar) pairs() string {
	var b strings.Builder
	for range 1 + g.IntN(4) {
		fmt.Fprintf(&b, " %s %s", g.score(), g.member())
	}
	return b.String()
}

func (g zgrammar) sources(scored bool) string {
	n := 1 + g.IntN(3)
	var b strings.Builder
	fmt.Fprint(&b, max(0, n+g.IntN(20)/19), " ")
	for range n {
		b.WriteString(g.pick("a", "b", "c", "l", "set", "none", "a", "b", "c", "l", "set", g.key()) + " ")
	}
	if scored && g.IntN(2) == 0 {
		b.WriteString("WEIGHTS")
		for range n {
			b.WriteString(g.pick(" 1", " 2", " -1", " 0.5", " 0", " inf"))
		}
	}
	if scored {
		b.WriteString(g.maybe("AGGREGATE " + g.pick("SUM", "MIN", "MAX", "MUL")))
	}
	return b.String()
}

func (g zgrammar) request() string {
	switch k := g.key(); g.IntN(37) {
	case 0, 1, 2, 3, 4:
		return "ZADD " + g.changed() + g.maybe(g.pick("NX", "XX", "XX")) + g.maybe(g.pick("GT", "LT")) + g.maybe("CH") + g.pairs()
	case 5:
		return "ZADD " + g.changed() + " INCR" + g.maybe(g.pick("NX", "XX", "GT", "LT")) + " " + g.score() + " " + g.member()
	case 6, 7:
		return "ZADD l 0 " + g.member() + " 0 " + g.member() + " 0 " + g.member()
	case 8:
		return "ZINCRBY " + g.pick("a", "b", "c", "text") + " " + g.score() + " " + g.member()
	case 9:
		return "ZREM " + k + " " + g.member() + " " + g.member()
	case 10:
		return g.pick("ZSCORE ", "ZMSCORE ", "ZRANK ", "ZREVRANK ") + k + " " + g.member()
	case 11:
		return "ZMSCORE " + k + " " + g.member() + " " + g.member()
	case 12:
		return "ZCOUNT " + k + " " + g.bound() + "\"\" " + g.bound() + "\"\""
	case 13:
		return g.pick("ZLEXCOUNT", "ZREMRANGEBYLEX", "ZRANGEBYLEX", "ZREVRANGEBYLEX") + " l " + g.lex() + " " + g.lex()
	case 14:
		return g.pick("ZRANGEBYLEX", "ZREVRANGEBYLEX") + " l " + g.lex() + " " + g.lex() + g.limit()
	case 15:
		return "ZRANGE l " + g.lex() + " " + g.lex() + " BYLEX" + g.maybe("REV") + g.limit() + g.maybe("WITHSCORES")
	case 16, 17:
		return g.pick("ZRANGE ", "ZREVRANGE ") + k + " " + g.rank() + " " + g.rank() + g.maybe("WITHSCORES")
	case 18:
		return "ZRANGE " + k + " " + g.rank() + " " + g.rank() + g.maybe("REV") + g.limit() + g.maybe("WITHSCORES")
	case 19, 20:
		return "ZRANGE " + k + " " + g.bound() + "\"\" " + g.bound() + "\"\" BYSCORE" + g.maybe("REV") + g.limit() + g.maybe("WITHSCORES") + g.maybe("BYLEX")
	case 21, 22:
		return g.pick("ZRANGEBYSCORE ", "ZREVRANGEBYSCORE ") + k + " " + g.bound() + "\"\" " + g.bound() + "\"\"" + g.maybe("WITHSCORES") + g.limit()
	case 23:
		return "ZRANGESTORE c " + k + " " + g.rank() + " " + g.rank() + g.maybe("REV") + g.maybe("WITHSCORES")
	case 24:
		return "ZRANGESTORE c " + k + " " + g.bound() + "\"\" " + g.bound() + "\"\" BYSCORE" + g.maybe("REV") + g.limit()
	case 25:
		return "ZREMRANGEBYSCORE " + k + " " + g.bound() + "\"\" " + g.bound() + "\"\""
	case 26:
		return "ZREMRANGEBYRANK " + k + " " + g.rank() + " " + g.rank()
	case 27:
		return g.pick("ZPOPMIN ", "ZPOPMAX ") + k + g.maybe(g.pick("0", "1", "2", "-1", "x"))
	case 28:
		return g.pick("ZMPOP ", "BZMPOP 0.001 ") + g.pick("1 a", "2 none b", "2 a", "0 a", "1 text", "1 none") + " " + g.pick("MIN", "MAX", "MID") + g.maybe("COUNT "+g.pick("1", "3", "0"))
	case 29:
		return g.pick("BZPOPMIN ", "BZPOPMAX ") + g.pick("a b", "text a", "b c a") + " " + g.pick("0.001", "0.001", "-1", "x")
	case 30:
		return g.pick("ZUNION ", "ZINTER ") + g.sources(true) + g.maybe("WITHSCORES")
	case 31:
		return g.pick("ZUNIONSTORE ", "ZINTERSTORE ") + g.pick("c ", "b ", "c ") + g.sources(true)
	case 32:
		return "ZDIFF " + g.sources(false) + g.maybe("WITHSCORES")
	case 33:
		return "ZDIFFSTORE c " + g.sources(false)
	case 34:
		return "ZINTERCARD " + g.sources(false) + g.maybe("LIMIT "+g.pick("0", "1", "3", "-1", "x"))
	default:
		return g.pick("ZCARD ", "EXISTS ", "TYPE ") + k
	case 35:
		return "OBJECT ENCODING " + g.pick("a", "b", "c", "l")
	}
}

// The same random requests to a real server and to the dispatcher: every reply must be the same to the byte. What may
// wait is asked inside MULTI, where it does not.
func TestZSetLikeTheOracle(t *testing.T) {
	server := oracle.Start(t)
	for _, limit := range []int{128, 5, 0} {
		for _, proto := range []int{2, 3} {
			t.Run(fmt.Sprintf("listpack %d RESP%d", limit, proto), func(t *testing.T) {
				real, err := server.Dial()
				if err != nil {
					t.Fatal(err)
				}
				defer real.Close()
				near, far := net.Pipe()
				defer near.Close()
				h := newHarness(t)
				l := *h.store.Limits()
				l.ZSetMaxListpackEntries = limit
				h.store.SetLimits(l)
				go zserve(h, h.conn(proto), far)
				zcompare(t, &diff.Pair{A: real, B: near}, uint64(limit*10+proto), limit, proto)
			})
		}
	}
}

func zcompare(t *testing.T, p *diff.Pair, seed uint64, limit, proto int) {
	only := func(line string) {
		if _, err := p.A.Write(diff.Encode(zwords(t, line))); err != nil {
			t.Fatal(err)
		}
		if _, err := resp.Decode(bufio.NewReader(p.A)); err != nil {
			t.Fatal(err)
		}
	}
	only("FLUSHALL")
	only(fmt.Sprintf("CONFIG SET zset-max-listpack-entries %d", limit))
	if proto == 3 {
		only("HELLO 3")
	}
	do := func(line string) (a, b []byte) {
		a, b, err := p.Do(zwords(t, line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return a, b
	}
	do("SADD set m1 m2 m3 5")
	do("SET text x")
	g := zgrammar{rand.New(rand.NewPCG(seed, 1))}
	differences := 0
	for range 2500 {
		line := g.request()
		blocking := strings.HasPrefix(line, "B")
		if blocking {
			do("MULTI")
		}
		a, b := do(line)
		if blocking {
			a, b = do("EXEC")
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s\n server: %q\n   here: %q", line, a, b)
			if differences++; differences == 10 {
				t.FailNow()
			}
		}
	}
}
