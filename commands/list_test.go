package commands

import (
	"fmt"
	"strings"
	"testing"

	"github.com/streampulse/pulse/store"
)

type exchange struct{ do, want string }

// converse runs exchanges on one connection.
func converse(t *testing.T, h *harness, c *Conn, steps []exchange) {
	t.Helper()
	for _, s := range steps {
		if got := h.do(c, s.do); got != s.want {
			t.Errorf("%s = %q, want %q", s.do, got, s.want)
		}
	}
}

func TestListCommands(t *testing.T) {
	const wrongType = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
	const syntax = "-ERR syntax error\r\n"
	const notInt = "-ERR value is not an integer or out of range\r\n"
	h := newHarness(t)
	converse(t, h, h.conn(2), []exchange{
		{"LPUSHX l a", ":0\r\n"},
		{"RPUSH l a b c", ":3\r\n"},
		{"LPUSH l 2 1", ":5\r\n"},
		{"LRANGE l 0 -1", "*5\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"},
		{"LRANGE l -2 -9223372036854775808", "*0\r\n"},
		{"LRANGE l 9223372036854775807 9223372036854775807", "*0\r\n"},
		{"LRANGE l -9223372036854775808 0", "*1\r\n$1\r\n1\r\n"},
		{"LINDEX l -1", "$1\r\nc\r\n"},
		{"LINDEX l 9223372036854775807", "$-1\r\n"},
		{"LINDEX l -9223372036854775808", "$-1\r\n"},
		{"LINDEX l 9223372036854775808", notInt},
		{"LSET l -9223372036854775808 x", "-ERR index out of range\r\n"},
		{"LSET l 5 x", "-ERR index out of range\r\n"},
		{"LSET nokey 0 x", "-ERR no such key\r\n"},
		{"LINSERT l beside a x", syntax},
		{"LINSERT l before nothere x", ":-1\r\n"},
		{"LINSERT nokey before a x", ":0\r\n"},
		{"LREM l -9223372036854775808 nothere", ":0\r\n"},
		{"LPOS l a RANK -9223372036854775808", "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n"},
		{"LPOS l a RANK", syntax},
		{"LPOS l a RANK 9223372036854775807", "$-1\r\n"},
		{"LPOS l c COUNT 9223372036854775807 MAXLEN 9223372036854775807 RANK -1", "*1\r\n:4\r\n"},
		{"LPOP l 0", "*0\r\n"},
		{"LPOP l 9223372036854775807", "*5\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"},
		{"LPOP l", "$-1\r\n"},
		{"LPOP l 1", "*-1\r\n"},
		{"LMPOP 9223372036854775807 l LEFT", syntax},
		{"LMPOP 2 l LEFT", syntax},
		{"LMPOP 1 l LEFT COUNT 1 COUNT 1", syntax},
		{"LMPOP -1 l LEFT", "-ERR numkeys should be greater than 0\r\n"},
		{"LMPOP 2 k l LEFT COUNT 9223372036854775807", "*-1\r\n"},
		{"BLPOP l -1", "-ERR timeout is negative\r\n"},
		{"BLPOP l nan", "-ERR timeout is not a float or out of range\r\n"},
		{"BLPOP l 1e20", "-ERR timeout is out of range\r\n"},
		{"BLPOP l inf", "-ERR timeout is out of range\r\n"},
		{"BLMPOP -1 1 l BESIDE", syntax},
		{"BLMPOP -1 1 l LEFT", "-ERR timeout is negative\r\n"},
		{"BLMOVE a b LEFT BESIDE -1", syntax},
		{"SET s x", "+OK\r\n"},
		{"LPUSH s a", wrongType},
		{"RPUSH l a", ":1\r\n"},
		{"LMOVE l s LEFT LEFT", wrongType},
		{"LMOVE nokey s LEFT LEFT", "$-1\r\n"},
		{"BLPOP s l 0", wrongType},
		{"BLPOP l s 0", "*2\r\n$1\r\nl\r\n$1\r\na\r\n"},
		{"DEL s", ":1\r\n"},
		{"RPUSH l 1 2 3", ":3\r\n"},
		{"LMOVE l l LEFT RIGHT", "$1\r\n1\r\n"},
		{"LMOVE l l LEFT LEFT", "$1\r\n2\r\n"},
		{"RPOPLPUSH l m", "$1\r\n1\r\n"},
		{"LRANGE l 0 -1", "*2\r\n$1\r\n2\r\n$1\r\n3\r\n"},
		{"LTRIM l 5 9", "+OK\r\n"},
		{"DEL l", ":0\r\n"},
	})
}

// TestListLimitChanges lets the limit change under lists that exist.
func TestListLimitChanges(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	limits := store.DefaultLimits()
	encoding := func() string {
		h.tx.Begin(0)
		h.tx.LockKey([]byte("l"))
		defer h.tx.Unlock()
		f, _ := h.tx.Facts([]byte("l"))
		return f.Encoding
	}
	for i, s := range []struct {
		limit    int
		do, want string
	}{
		{3, "RPUSH l 1 2 3", "listpack"},
		{3, "RPUSH l 4", "quicklist"},
		{128, "LPUSH l 0", "quicklist"},
		{128, "LPOP l 3", "quicklist"},
		{1, "LPUSH l 9", "quicklist"},
		{1, "LSET l 0 8", "quicklist"},
		{-1, "LREM l 0 8", "quicklist"},
		{-1, "LTRIM l 0 0", "listpack"},
		{-1, "LINSERT l BEFORE 3 " + strings.Repeat("x", 3000), "listpack"},
		{-1, "LINSERT l BEFORE 3 " + strings.Repeat("x", 3000), "quicklist"},
		{-1, "LTRIM l 0 0", "quicklist"}, // more than half the limit
		{-1, "LSET l 0 small", "listpack"},
	} {
		limits.ListMaxListpackSize = s.limit
		h.store.SetLimits(limits)
		h.do(c, s.do)
		if got := encoding(); got != s.want {
			t.Errorf("step %d: after %.20s with limit %d: %s, want %s", i, s.do, s.limit, got, s.want)
		}
	}
}

// TestPushPopAllocateNothing is the promise the hot path makes.
func TestPushPopAllocateNothing(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	words := func(s string) (args [][]byte) {
		for _, w := range strings.Fields(s) {
			args = append(args, []byte(w))
		}
		return args
	}
	h.do(c, "RPUSH l some elements to begin with")
	h.do(c, "RPUSH m more")
	for _, pair := range [][2]string{{"LPUSH l element", "LPOP l"}, {"LPUSH l element", "RPOP l"}, {"LMOVE l m LEFT RIGHT", "LMOVE m l LEFT RIGHT"}} {
		a, b := words(pair[0]), words(pair[1])
		run := func() {
			h.run(c, a)
			h.run(c, b)
		}
		for range 100 {
			run()
		}
		// The harness makes a string of each reply.
		if got := testing.AllocsPerRun(500, run); got > 2 {
			t.Errorf("%s and %s: %v allocations", pair[0], pair[1], got-2)
		}
	}
}

func BenchmarkListCommands(b *testing.B) {
	for _, pair := range [][2]string{{"LPUSH", "LPOP"}, {"LPUSH", "RPOP"}} {
		b.Run(fmt.Sprint(pair[0], pair[1]), func(b *testing.B) {
			h := newHarness(b)
			c := h.conn(2)
			push := [][]byte{[]byte(pair[0]), []byte("l"), []byte("xxx")}
			pop := [][]byte{[]byte(pair[1]), []byte("l")}
			h.run(c, [][]byte{[]byte("RPUSH"), []byte("l"), []byte("x")})
			h.gate.Enter()
			defer h.gate.Leave()
			b.ReportAllocs()
			for i := range b.N {
				c.Out.Reset(c.Out.Bytes()[:0])
				h.table.Do(c, push)
				if i > 1000 {
					h.table.Do(c, pop)
				}
			}
		})
	}
}
