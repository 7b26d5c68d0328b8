package fuzz

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestStreamArguments: requests that read streams name as many ids as keys, mostly, and trimming has its options in order.
func TestStreamArguments(t *testing.T) {
	s := source{Rand: rand.New(rand.NewPCG(1, 2)), ids: &idClock{}}
	balanced, total := 0, 0
	for range 500 {
		args := streamArguments(s, "XREAD", []string{"XREAD", "COUNT", "1", "STREAMS", "a", "b", "c", "0"})
		if n := len(args) - streamsOf(args) - 1; n%2 == 0 {
			balanced++
		}
		total++
	}
	if balanced < total*9/10 {
		t.Errorf("%d of %d requests are balanced", balanced, total)
	}
	for _, tc := range []struct{ args, want string }{
		{"XADD k 1-1 f v", "2"}, {"XADD k NOMKSTREAM 1-1 f v", "3"}, {"XADD k MAXLEN 5 1-1 f v", "4"},
		{"XADD k nomkstream minid ~ 5 LIMIT 3 1-1 f v", "8"}, {"XADD k MAXLEN", "3"},
	} {
		if got := string(rune('0' + idOfXadd(strings.Fields(tc.args)))); got != tc.want {
			t.Errorf("%s: the id is argument %s; want %s", tc.args, got, tc.want)
		}
	}
}

// TestIDClock: ids for new entries go up.
func TestIDClock(t *testing.T) {
	s := source{Rand: rand.New(rand.NewPCG(1, 2))}
	c := &idClock{}
	for range 200 {
		ms, seq := c.ms, c.seq
		if c.next(s); c.ms < ms || c.ms == ms && c.seq <= seq {
			t.Fatalf("%d-%d comes after %d-%d", c.ms, c.seq, ms, seq)
		}
	}
	if len(c.issued) != maxIssued {
		t.Errorf("%d ids are kept", len(c.issued))
	}
}

// TestInfoLevels: what is left out of XINFO's replies, and no more, may differ.
func TestInfoLevels(t *testing.T) {
	group := func(consumers, pending, lag string) string {
		return "*1\r\n*8\r\n$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:" + consumers + "\r\n$7\r\npending\r\n:" + pending + "\r\n$3\r\nlag\r\n" + lag + "\r\n"
	}
	consumer := func(name, pending, idle string) string {
		return "*6\r\n$4\r\nname\r\n$1\r\n" + name + "\r\n$7\r\npending\r\n:" + pending + "\r\n$4\r\nidle\r\n:" + idle + "\r\n"
	}
	newer := "*8\r\n$4\r\nname\r\n$1\r\na\r\n$7\r\npending\r\n:1\r\n$4\r\nidle\r\n:7\r\n$8\r\ninactive\r\n:7\r\n"
	for _, tc := range []struct {
		a, b  string
		level infoLevel
		want  bool
	}{
		{group("1", "2", ":3"), group("1", "2", ":3"), infoAll, true},
		{group("1", "2", ":3"), group("2", "2", ":3"), infoAll, false},
		{group("1", "2", ":3"), group("2", "2", ":3"), infoWithout, true},
		{group("1", "2", ":3"), group("1", "2", "$-1"), infoWithout, false},
		{group("1", "2", ":3"), group("1", "2", "$-1"), infoLagless, true},
		{group("1", "2", ":3"), group("2", "2", "$-1"), infoNeither, true},
		{group("1", "2", ":3"), group("1", "1", ":3"), infoNeither, false},
		{"*1\r\n" + consumer("a", "1", "5"), "*1\r\n" + newer, infoAll, true},
		{"*0\r\n", "*1\r\n" + consumer("a", "0", "5"), infoAll, false},
		{"*0\r\n", "*1\r\n" + consumer("a", "0", "5"), infoWithout, true},
		{"*0\r\n", "*1\r\n" + consumer("a", "1", "5"), infoWithout, false},
	} {
		if got := info(decode([]byte(tc.a)), tc.level) == info(decode([]byte(tc.b)), tc.level); got != tc.want {
			t.Errorf("level %d: %q and %q: %v", tc.level, tc.a, tc.b, got)
		}
	}
	pending := func(idle, count string) string {
		return "*1\r\n*4\r\n$3\r\n1-1\r\n$1\r\nc\r\n:" + idle + "\r\n:" + count + "\r\n"
	}
	if a, b := decode([]byte(pending("5", "1"))), decode([]byte(pending("900", "1"))); !sameIdle(a, b) {
		t.Error("idle times differ a little, and it is told")
	}
	if a, b := decode([]byte(pending("5", "1"))), decode([]byte(pending("5", "2"))); sameIdle(a, b) {
		t.Error("counts differ, and it is not told")
	}
}
