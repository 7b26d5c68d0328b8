package commands

import (
	"fmt"
	"slices"
	"testing"
)

func TestSetReplies(t *testing.T) {
	eachForm(t, func(t *testing.T, h *harness) {
		for _, proto := range []int{2, 3} {
			c := h.conn(proto)
			h.do(c, "FLUSHALL")
			set, null := "*", "$-1\r\n"
			if proto == 3 {
				set, null = "~", "_\r\n"
			}
			for _, step := range []struct{ do, want string }{
				{"SADD s 7 7", ":1\r\n"},
				{"SADD s 7", ":0\r\n"},
				{"SMEMBERS s", set + "1\r\n$1\r\n7\r\n"},
				{"SMISMEMBER s 7 07", "*2\r\n:1\r\n:0\r\n"},
				{"SRANDMEMBER s", "$1\r\n7\r\n"},
				{"SRANDMEMBER s 5", "*1\r\n$1\r\n7\r\n"},
				{"SRANDMEMBER s -2", "*2\r\n$1\r\n7\r\n$1\r\n7\r\n"},
				{"SRANDMEMBER s -999999999", "-ERR value is out of range\r\n"},
				{"SADD t 7 x", ":2\r\n"},
				{"SINTER s t", set + "1\r\n$1\r\n7\r\n"},
				{"SUNION s s", set + "1\r\n$1\r\n7\r\n"},
				{"SDIFF t s", set + "1\r\n$1\r\nx\r\n"},
				{"SDIFF s t", set + "0\r\n"},
				{"SINTERCARD 2 s t", ":1\r\n"},
				{"SINTERCARD 2 s", "-ERR Number of keys can't be greater than number of args\r\n"},
				{"SINTERCARD 2147483648 s", "-ERR Number of keys can't be greater than number of args\r\n"},
				{"SMOVE t s x", ":1\r\n"},
				{"SMOVE s t 7", ":1\r\n"},
				{"SPOP s 0", set + "0\r\n"},
				{"SPOP s 9", set + "1\r\n$1\r\nx\r\n"},
				{"SPOP s", null},
				{"SPOP t", "$1\r\n7\r\n"},
				{"EXISTS s t", ":0\r\n"},
				{"SSCAN t 0", "*2\r\n$1\r\n0\r\n*0\r\n"},
			} {
				if got := h.do(c, step.do); got != step.want {
					t.Errorf("RESP%d: %s = %q, want %q", proto, step.do, got, step.want)
				}
			}
		}
	})
}

func TestSetLarge(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	const n = 3000
	for i := range n {
		h.do(c, fmt.Sprintf("SADD s m%d", i))
	}
	for _, options := range []string{"", "COUNT 1", "COUNT 333", "MATCH m*"} {
		if got := walk(t, h, c, "SSCAN s", options); len(got) != n {
			t.Fatalf("SSCAN %s finds %d", options, len(got))
		}
	}
	for _, count := range []string{"3", "100", "2999", "4000"} {
		got := bulks(h.do(c, "SRANDMEMBER s "+count))
		slices.Sort(got)
		if len(slices.Compact(got)) != len(got) || len(got) == 0 {
			t.Errorf("SRANDMEMBER %s repeats a member", count)
		}
	}
	var popped []string
	for _, count := range []string{"", "1", "500", "2400", "90", "1000"} {
		popped = append(popped, bulks(h.do(c, "SPOP s "+count))...)
		want := fmt.Sprintf(":%d\r\n", n-len(popped))
		if got := h.do(c, "SCARD s"); got != want {
			t.Errorf("after SPOP %s: %q members, want %q", count, got, want)
		}
	}
	slices.Sort(popped)
	if got := len(slices.Compact(popped)); got != n {
		t.Errorf("%d members were popped, want %d", got, n)
	}
	if got := h.do(c, "EXISTS s"); got != ":0\r\n" {
		t.Errorf("an empty set is left: %q", got)
	}
}

// TestSetStoreCountsAndReplaces: a destination is replaced whatever it was, and only a change counts as one.
func TestSetStoreCountsAndReplaces(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	h.do(c, "SADD a 1 2 3")
	for _, step := range []struct {
		do, want string
		changes  int64
	}{
		{"SINTERSTORE d a nokey", ":0\r\n", 0},
		{"SINTERSTORE d a", ":3\r\n", 1},
		{"SDIFFSTORE d a a", ":0\r\n", 1},
		{"SET d text PX 1000", "+OK\r\n", 1},
		{"SUNIONSTORE d a", ":3\r\n", 1},
		{"SADD d 1", ":0\r\n", 0},
		{"SADD d 1 9 8", ":2\r\n", 2},
		{"SREM d x", ":0\r\n", 0},
		{"SPOP d 2", "", 2},
		{"SMOVE a d nomember", ":0\r\n", 0},
	} {
		before := h.store.Dirty()
		got := h.do(c, step.do)
		if step.want != "" && got != step.want {
			t.Errorf("%s = %q, want %q", step.do, got, step.want)
		}
		if n := h.store.Dirty() - before; n != step.changes {
			t.Errorf("%s counts as %d changes, want %d", step.do, n, step.changes)
		}
	}
}

func TestSetNoAllocation(t *testing.T) {
	eachForm(t, func(t *testing.T, h *harness) {
		c := h.conn(2)
		h.do(c, "SADD s a b 100")
		h.do(c, "SADD i 1 2 3")
		for _, line := range []string{
			"SADD s a", "SADD i 2", "SISMEMBER s a", "SISMEMBER i 2", "SMISMEMBER s a x", "SCARD s", "SREM s none",
		} {
			steady(t, h, c, line)
		}
	})
}
