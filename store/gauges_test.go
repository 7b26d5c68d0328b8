package store

import (
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/clock"
)

// TestGauges counts names that are watched and awaited, in several shards and databases.
func TestGauges(t *testing.T) {
	clk := clock.NewFake(time.UnixMilli(1e12))
	s := New(Options{Clock: clk, Shards: 4})
	defer s.Close()
	tx := s.NewTx()
	var w1, w2 Watch
	a, b := &Waiter{Owner: "a"}, &Waiter{Owner: "b"}
	for db := range 2 {
		tx.Begin(db)
		tx.LockAll()
		for _, k := range []string{"x", "y", "z"} {
			tx.WatchKey([]byte(k), &w1)
		}
		tx.WatchKey([]byte("z"), &w2)
		tx.Enqueue([]byte("x"), a)
		tx.Enqueue([]byte("x"), b)
		tx.Enqueue([]byte("y"), a)
		tx.Unlock()
	}
	check := func(watched, all, some int) {
		t.Helper()
		tx.Begin(0)
		tx.LockAll()
		defer tx.Unlock()
		gotAll, gotSome := tx.Awaited(func(w *Waiter) bool { return w.Owner == "b" })
		if got := tx.Watched(); got != watched || gotAll != all || gotSome != some {
			t.Errorf("%d watched, %d awaited, %d by b; want %d, %d, %d", got, gotAll, gotSome, watched, all, some)
		}
	}
	check(6, 4, 2)
	tx.Begin(0)
	tx.LockAll()
	tx.Dequeue(b)
	tx.Unwatch(&w2)
	tx.Unlock()
	check(6, 4, 0)
	tx.Begin(0)
	tx.LockAll()
	tx.Dequeue(a)
	tx.Unwatch(&w1)
	tx.Unlock()
	check(0, 0, 0)
}
