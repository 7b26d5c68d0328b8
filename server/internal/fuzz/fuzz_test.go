package fuzz

import (
	"bufio"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/store"
)

func knowsAll(string) func(string) bool { return func(string) bool { return true } }

func testGenerator(t *testing.T) *generator {
	g, err := newGenerator(commands.New(store.New(store.Options{})), nil, knowsAll)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestGrammars draws from every row of the table and looks for each row that it is reached.
func TestGrammars(t *testing.T) {
	g := testGenerator(t)
	used := map[string]int{}
	for epoch := range uint64(150) {
		g.seed(7, epoch)
		for range 100 {
			for _, u := range g.next() {
				for _, q := range u {
					if q.spec != nil {
						used[q.spec.FullName()]++
					}
					if isExcluded(q.args) && q.role != wakeRole {
						t.Fatalf("%q must not be sent", q.args)
					}
				}
			}
		}
	}
	for _, gr := range g.grammars {
		if used[gr.spec.FullName()] == 0 {
			t.Errorf("%s was never drawn", gr.spec.FullName())
		}
	}
}

// TestRepeatable: a seed and an epoch determine the requests.
func TestRepeatable(t *testing.T) {
	g := testGenerator(t)
	draw := func() (out []string) {
		g.seed(1, 2)
		for range 200 {
			for _, u := range g.next() {
				for _, q := range u {
					out = append(out, notation(q.args))
				}
			}
		}
		return out
	}
	if !slices.Equal(draw(), draw()) {
		t.Error("the same seed gives other requests")
	}
}

func TestSyntax(t *testing.T) {
	// Each grammar with words that it must and words that it must not be able to make.
	for _, tc := range []struct{ syntax, can, cannot string }{
		{"key", "key", "key key"},
		{"key [NX | XX]", "key XX", "key NX XX"},
		{"key LEFT | RIGHT", "key RIGHT", "key LEFT RIGHT"},
		{"key [key ...]", "key key key", ""},
		{"key [field value ...]", "key field value field value", "key field"},
		{"[AGGREGATE SUM | MIN]", "AGGREGATE MIN", "MIN"},
		{"<A b | C>", "A b", "A C"},
		{"key ...", "key key", ""},
	} {
		n, err := parseSyntax(tc.syntax)
		if err != nil {
			t.Errorf("%q: %v", tc.syntax, err)
			continue
		}
		made := map[string]bool{}
		rng := rand.New(rand.NewPCG(1, 1))
		for range 2000 {
			made[strings.Join(words(rng, n, nil), " ")] = true
		}
		if !made[tc.can] || made[tc.cannot] && tc.cannot != "" {
			t.Errorf("%q: makes %v", tc.syntax, made)
		}
	}
	for _, bad := range []string{"[", "]", "a ]", "[]", "| a", "...", "<a", "[a | ]", strings.Repeat("[", 100)} {
		if _, err := parseSyntax(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// words makes a sequence of the names in a grammar.
func words(rng *rand.Rand, n node, out []string) []string {
	times := 1
	switch n.kind {
	case tokenNode, valueNode:
		return append(out, n.text)
	case oneOfNode:
		return words(rng, n.subs[rng.IntN(len(n.subs))], out)
	case optNode:
		times = rng.IntN(2)
	case manyNode:
		times = rng.IntN(3)
	case repeatNode:
		times = 1 + rng.IntN(2)
	}
	for range times {
		for _, s := range n.subs {
			out = words(rng, s, out)
		}
	}
	return out
}

func TestCompare(t *testing.T) {
	for _, tc := range []struct {
		rule         rule
		oracle, ours string
		want         bool
	}{
		{ruleExact, "+OK\r\n", "+OK\r\n", true},
		{ruleExact, "$1\r\na\r\n", "$1\r\nb\r\n", false},
		{ruleExact, "$-1\r\n", "*-1\r\n", false},
		{ruleExact, "-ERR a\r\n", "-ERR b\r\n", false},
		{ruleUnordered, "*2\r\n:1\r\n:2\r\n", "*2\r\n:2\r\n:1\r\n", true},
		{ruleUnordered, "*2\r\n:1\r\n:2\r\n", "*2\r\n:2\r\n:2\r\n", false},
		{ruleUnordered, "*2\r\n:1\r\n:2\r\n", "~2\r\n:2\r\n:1\r\n", false},
		{rulePairs, "*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n", "*4\r\n:3\r\n:4\r\n:1\r\n:2\r\n", true},
		{rulePairs, "*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n", "*4\r\n:1\r\n:4\r\n:3\r\n:2\r\n", false},
		{rulePairs, "%2\r\n:1\r\n:2\r\n:3\r\n:4\r\n", "%2\r\n:3\r\n:4\r\n:1\r\n:2\r\n", true},
		{ruleFloats, "$19\r\n0.10000000000000001\r\n", "$3\r\n0.1\r\n", true},
		{ruleFloats, "$3\r\n0.1\r\n", "$3\r\n0.2\r\n", false},
		{ruleMillis, ":5000\r\n", ":6500\r\n", true},
		{ruleMillis, ":5000\r\n", ":9500\r\n", false},
		{ruleMillis, ":-1\r\n", ":-2\r\n", false},
		{ruleType, "$1\r\na\r\n", "$1\r\nb\r\n", true},
		{ruleType, "$1\r\na\r\n", "$-1\r\n", false},
		{ruleDrawn, "*2\r\n:1\r\n:2\r\n", "*1\r\n:1\r\n", false},
		{ruleCount, "*2\r\n:1\r\n:2\r\n", "*2\r\n:3\r\n:4\r\n", true},
		{ruleCount, "*2\r\n:1\r\n:2\r\n", "*1\r\n:1\r\n", false},
	} {
		q := request{args: []string{"X", "k"}, rule: tc.rule}
		if got := compare(&q, pair{[]byte(tc.oracle), []byte(tc.ours)}, pair{}); got != tc.want {
			t.Errorf("rule %d: %q and %q: %v", tc.rule, tc.oracle, tc.ours, got)
		}
	}
	// What was popped and what is left must be the same together.
	before := pair{[]byte("$1\r\na\r\n"), []byte("$1\r\nb\r\n")}
	q := request{args: []string{"SMEMBERS", "k"}, rule: ruleRest}
	if !compare(&q, pair{[]byte("*1\r\n$1\r\nb\r\n"), []byte("*1\r\n$1\r\na\r\n")}, before) {
		t.Error("popped members and the rest are the same, but it says no")
	}
	if compare(&q, pair{[]byte("*1\r\n$1\r\nb\r\n"), []byte("*1\r\n$1\r\nb\r\n")}, before) {
		t.Error("a member was lost and another one doubled, but it says yes")
	}
}

func TestReadReply(t *testing.T) {
	for _, reply := range []string{
		"+OK\r\n", "$-1\r\n", "*-1\r\n", "$3\r\na\r\n\r\n", "*2\r\n*1\r\n:1\r\n$0\r\n\r\n", "%1\r\n+a\r\n~1\r\n#t\r\n", "|1\r\n+a\r\n:1\r\n:2\r\n", "_\r\n",
		"-ERR " + strings.Repeat("x", 9000) + "\r\n", "*0\r\n",
	} {
		in := bufio.NewReader(strings.NewReader(reply + "+NEXT\r\n"))
		got, err := readReply(in, nil)
		if err != nil || string(got) != reply {
			t.Errorf("read %q, %v; want %q", got, err, reply)
		}
	}
}

// TestFinds plays the oracle and a server with a fault in it, and expects the fault to be found and cut down to what matters.
func TestFinds(t *testing.T) {
	good, bad := fakeServer(t, false), fakeServer(t, true)
	rep, err := Raw(Options{Oracle: good, Ours: bad, Seed: 1, Requests: 3000, MaxFindings: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Findings) != 1 || len(rep.Findings[0].Requests[0]) > 20 {
		t.Errorf("findings %v; want one that is short", rep.Findings)
	}
}

// fakeServer answers +OK to everything, but a faulty one answers otherwise if it is sent a dollar behind an asterisk.
func fakeServer(t *testing.T, faulty bool) func() (net.Conn, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 1<<16)
			n := 0
			for {
				m, err := c.Read(b[n:])
				if n += m; err != nil {
					break
				}
			}
			in := string(b[:n])
			if _, after, ok := strings.Cut(in, "*"); faulty && ok && strings.Contains(after, "$") {
				in = "fault"
			}
			c.Write([]byte("+" + in[:min(n, 5)] + "\r\n"))
			c.Close()
		}
	}()
	return func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) }
}
