package commands

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/store"
)

// eachForm runs f with limits under which small values are listpacks, and with such that everything is a table.
func eachForm(t *testing.T, f func(t *testing.T, h *harness)) {
	for _, small := range []bool{true, false} {
		t.Run(fmt.Sprint("small=", small), func(t *testing.T) {
			h := newHarness(t)
			if !small {
				h.store.SetLimits(store.Limits{})
			}
			f(t, h)
		})
	}
}

func TestHashReplies(t *testing.T) {
	eachForm(t, func(t *testing.T, h *harness) {
		for _, proto := range []int{2, 3} {
			c := h.conn(proto)
			h.do(c, "FLUSHALL")
			nested := "*2\r\n$1\r\nf\r\n$2\r\n10\r\n"
			all := "*2\r\n$1\r\nf\r\n$2\r\n10\r\n"
			null := "$-1\r\n"
			if proto == 3 {
				nested, null = "*1\r\n"+nested, "_\r\n"
				all = "%1\r\n$1\r\nf\r\n$2\r\n10\r\n"
			}
			for _, step := range []struct{ do, want string }{
				{"HSET h f 1 f 2", ":1\r\n"},
				{"HSET h f", "-ERR wrong number of arguments for 'hset' command\r\n"},
				{"HMSET h f 3", "+OK\r\n"},
				{"HSETNX h f 4", ":0\r\n"},
				{"HINCRBY h f 7", ":10\r\n"},
				{"HINCRBY h f 9223372036854775807", "-ERR increment or decrement would overflow\r\n"},
				{"HGET h f", "$2\r\n10\r\n"},
				{"HGET h g", null},
				{"HMGET h g f", "*2\r\n" + null + "$2\r\n10\r\n"},
				{"HGETALL h", all},
				{"HRANDFIELD h 1 WITHVALUES", nested},
				{"HRANDFIELD h -1 WITHVALUES", nested},
				{"HRANDFIELD nokey", null},
				{"HRANDFIELD h -999999999", "-ERR value is out of range\r\n"},
				{"HSCAN h 0 NOVALUES", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nf\r\n"},
				{"HSCAN h 0 MATCH g*", "*2\r\n$1\r\n0\r\n*0\r\n"},
				{"HINCRBYFLOAT h f 0.5", "$4\r\n10.5\r\n"},
				{"HINCRBY h f 1", "-ERR hash value is not an integer\r\n"},
				{"HDEL h f g", ":1\r\n"},
				{"EXISTS h", ":0\r\n"},
			} {
				if got := h.do(c, step.do); got != step.want {
					t.Errorf("RESP%d: %s = %q, want %q", proto, step.do, got, step.want)
				}
			}
		}
	})
}

// bulks returns the bulk strings of a reply.
func bulks(reply string) (out []string) {
	lines := strings.Split(reply, "\r\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "$") {
			out = append(out, lines[i+1])
		}
	}
	return out
}

// walk follows the cursor of a command whose name and key are given and returns all elements.
func walk(t *testing.T, h *harness, c *Conn, command, options string) (all []string) {
	t.Helper()
	for cursor := "0"; ; {
		b := bulks(h.do(c, command+" "+cursor+" "+options))
		if len(b) == 0 {
			t.Fatalf("%s %s: no cursor", command, cursor)
		}
		all = append(all, b[1:]...)
		if cursor = b[0]; cursor == "0" {
			return all
		}
	}
}

func TestHashLarge(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	const n = 2000
	args := [][]byte{[]byte("HSET"), []byte("h")}
	for i := range n {
		args = append(args, fmt.Append(nil, "f", i), fmt.Append(nil, i))
	}
	if got := h.run(c, args); got != ":2000\r\n" {
		t.Fatal(got)
	}
	for _, options := range []string{"", "COUNT 1", "COUNT 333", "COUNT 9223372036854775807"} {
		got := walk(t, h, c, "HSCAN h", options)
		if len(got) != 2*n {
			t.Fatalf("HSCAN %s finds %d", options, len(got))
		}
		for i := 0; i < len(got); i += 2 {
			if got[i] != "f"+got[i+1] {
				t.Fatalf("HSCAN: %s has %s", got[i], got[i+1])
			}
		}
	}
	if got := walk(t, h, c, "HSCAN h", "MATCH f1?? NOVALUES"); len(got) != 100 {
		t.Errorf("MATCH finds %d", len(got))
	}
	for _, count := range []string{"5", "40", "1999", "5000"} {
		got := bulks(h.do(c, "HRANDFIELD h "+count))
		slices.Sort(got)
		if len(slices.Compact(got)) != len(got) || len(got) == 0 {
			t.Errorf("HRANDFIELD %s repeats a field", count)
		}
	}
	if got := bulks(h.do(c, "HRANDFIELD h -5000")); len(got) != 5000 {
		t.Errorf("HRANDFIELD -5000 has %d fields", len(got))
	}
	if got := len(bulks(h.do(c, "HGETALL h"))) + len(bulks(h.do(c, "HKEYS h"))) + len(bulks(h.do(c, "HVALS h"))); got != 4*n {
		t.Errorf("HGETALL, HKEYS and HVALS return %d strings", got)
	}
}

// TestDrawStopsAtTheLimit: a short request may not ask for a reply without bounds.
func TestDrawStopsAtTheLimit(t *testing.T) {
	defer func(n int) { maxDrawReply = n }(maxDrawReply)
	maxDrawReply = 1 << 20
	eachForm(t, func(t *testing.T, h *harness) {
		c := h.conn(2)
		long := bytes.Repeat([]byte{'x'}, 64<<10)
		h.run(c, [][]byte{[]byte("SADD"), []byte("s"), long})
		h.run(c, [][]byte{[]byte("HSET"), []byte("h"), []byte("f"), long})
		for _, do := range []string{"SRANDMEMBER s -1000", "SRANDMEMBER s -1000000", "HRANDFIELD h -1000 WITHVALUES", "HRANDFIELD h -1000000"} {
			if got := h.do(c, do); got != "-ERR value is out of range\r\n" {
				t.Errorf("%s = %.100q", do, got)
			}
		}
		if got := len(bulks(h.do(c, "SRANDMEMBER s -10"))); got != 10 {
			t.Errorf("SRANDMEMBER s -10 has %d members", got)
		}
	})
}

// steady fails unless the request can be repeated without allocating.
func steady(t *testing.T, h *harness, c *Conn, line string) {
	t.Helper()
	args, err := resp.SplitArgs([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	h.gate.Enter()
	defer h.gate.Leave()
	c.BeginBatch()
	if n := testing.AllocsPerRun(50, func() {
		c.Out.Reset(c.Out.Bytes()[:0])
		h.table.Do(c, args)
	}); n != 0 {
		t.Errorf("%s: %v allocations", line, n)
	}
}

func TestHashNoAllocation(t *testing.T) {
	eachForm(t, func(t *testing.T, h *harness) {
		c := h.conn(2)
		h.do(c, "HSET h f value n 100 x 1.5")
		for _, line := range []string{
			"HSET h f other", "HGET h f", "HGET h n", "HGET h none", "HMGET h f n", "HINCRBY h n 1", "HINCRBYFLOAT h x 1",
			"HEXISTS h f", "HLEN h", "HSTRLEN h n", "HSETNX h f v", "HDEL h none",
		} {
			steady(t, h, c, line)
		}
	})
}
