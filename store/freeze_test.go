package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/store/hash"
)

// TestFreeze: while a store is frozen nothing goes by itself, and reads do not see what is due; afterwards it goes at once.
func TestFreeze(t *testing.T) {
	clk := clock.NewFake(time.UnixMilli(1_700_000_000_000))
	s := New(Options{Clock: clk, Seed: 1, Shards: 4})
	defer s.Close()
	tx := s.NewTx()
	in := func(key string, f func(key []byte)) {
		tx.Begin(0)
		tx.LockKey([]byte(key))
		f([]byte(key))
		tx.Unlock()
	}
	now := clk.NowMs()
	for i := range 10 {
		in(fmt.Sprint("k", i), func(key []byte) { tx.SetText(key, []byte("x"), now+10) })
	}
	for _, fields := range []int{2, 400} { // one due, all others not; a listpack and a table
		in(fmt.Sprint("h", fields), func(key []byte) {
			h, err := tx.Hash(key, Create)
			if err != nil {
				t.Fatal(err)
			}
			for i := range fields {
				h.Set(hash.Limits{Entries: 100, Value: 64}, fmt.Appendf(nil, "f%d", i), []byte("v"))
			}
			h.SetDeadline([]byte("f0"), now+10)
			tx.Settle(key, h, 1)
		})
	}
	s.Freeze(now + 1000)
	clk.Advance(100 * time.Millisecond)
	if n := s.Keys(0); n != 12 {
		t.Fatalf("%d keys are left", n)
	}
	in("k1", func(key []byte) {
		tx.ReadsOnly = true
		if tx.Exists(key) {
			t.Error("a key is seen that is due")
		}
		if _, ok, _ := tx.Text(key); ok {
			t.Error("a key is read that is due")
		}
	})
	for _, fields := range []int{2, 400} {
		in(fmt.Sprint("h", fields), func(key []byte) {
			tx.ReadsOnly = true
			h, err := tx.Hash(key, Read)
			if err != nil || h == nil || h.Len() != fields-1 {
				t.Fatalf("%v, %v", h, err)
			}
			h.EachAt(func(f, _ []byte, _ int64) bool {
				if string(f) == "f0" {
					t.Error("a field is seen that is due")
				}
				return true
			})
		})
	}
	if n := s.Keys(0); n != 12 {
		t.Fatalf("%d keys are left after the reads", n)
	}
	checkFields(t, s)
	if got := s.ExpiredActively() + tx.Expired + s.ExpiredFields(); got != 0 {
		t.Errorf("%d expired", got)
	}
	// Who writes all the same finds nothing, and leaves one key of the name.
	in("k1", func(key []byte) { tx.SetText(key, []byte("y"), Forever) })
	if n := s.Keys(0); n != 12 {
		t.Fatalf("%d keys are left after the write", n)
	}
	s.Freeze(0)
	clk.Advance(time.Millisecond)
	if n := s.Keys(0); n != 3 {
		t.Errorf("%d keys are left", n)
	}
	if n := s.ExpiredFields(); n != 2 {
		t.Errorf("%d fields went", n)
	}
	// A freeze ends by itself, too.
	in("k1", func(key []byte) { tx.SetText(key, []byte("y"), clk.NowMs()+10) })
	s.Freeze(clk.NowMs() + 50)
	clk.Advance(40 * time.Millisecond)
	if n := s.Keys(0); n != 3 {
		t.Errorf("%d keys are left in the freeze", n)
	}
	clk.Advance(20 * time.Millisecond)
	if n := s.Keys(0); n != 2 {
		t.Errorf("%d keys are left after the freeze", n)
	}
}
