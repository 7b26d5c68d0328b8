package commands

import (
	"testing"
)

// onlyPing is somebody who may PING.
type onlyPing struct{ Rights }

func (onlyPing) Check(s *Spec, _ [][]byte, _ []KeyPos) (Refusal, int) {
	if s.full == "ping" {
		return NotRefused, 0
	}
	return RefusedCommand, 0
}

// TestRightsCostNothing checks that asking for rights does not allocate, and that a deleted user has none.
func TestRightsCostNothing(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	a := NewAccount("u")
	ping := [][]byte{[]byte("PING")}
	allocations := func() float64 {
		h.gate.Enter()
		defer h.gate.Leave()
		return testing.AllocsPerRun(100, func() {
			c.Out.Reset(c.Out.Bytes()[:0])
			h.table.Do(c, ping)
		})
	}
	without := allocations()
	for _, free := range []bool{true, false} {
		a.Set(onlyPing{}, free)
		c.As(a)
		if n := allocations(); n > without {
			t.Errorf("%v allocations instead of %v; may do everything: %v", n, without, free)
		}
	}
	a.Delete()
	if why, _ := c.may(h.table.Lookup([]byte("PING")), ping); why != RefusedCommand {
		t.Error("a deleted user may PING")
	}
}

// BenchmarkRights compares the server itself with a user who may do everything and one who may not.
func BenchmarkRights(b *testing.B) {
	for _, name := range []string{"nobody", "free", "checked"} {
		b.Run(name, func(b *testing.B) {
			h := newHarness(b)
			c := h.conn(2)
			if name != "nobody" {
				a := NewAccount("u")
				a.Set(onlyPing{}, name == "free")
				c.As(a)
			}
			ping := [][]byte{[]byte("PING")}
			h.gate.Enter()
			defer h.gate.Leave()
			for b.Loop() {
				c.Out.Reset(c.Out.Bytes()[:0])
				h.table.Do(c, ping)
			}
		})
	}
}
