package server

import (
	"sync"
	"sync/atomic"
	"testing"
)

// TestLanes has many more users than lanes: each lane has one at a time, and everybody's turn comes.
func TestLanes(t *testing.T) {
	srv := openLocal(t)
	ls := &srv.lanes
	const users, turns = 40, 400
	var inUse sync.Map
	var most atomic.Int32
	var now atomic.Int32
	var wg sync.WaitGroup
	for range users {
		wg.Go(func() {
			var l *lane
			for range turns {
				l = ls.get(l)
				if _, taken := inUse.LoadOrStore(l, true); taken {
					t.Error("a lane has two users")
				}
				most.Store(max(most.Load(), now.Add(1)))
				now.Add(-1)
				inUse.Delete(l)
				ls.put(l)
			}
		})
	}
	wg.Wait()
	if n := len(*ls.all.Load()); n > ls.max || int(most.Load()) > ls.max {
		t.Errorf("%d lanes, %d at once, at most %d", n, most.Load(), ls.max)
	}
	if a, s := ls.asleep.Load(), ls.starving.Load(); a != 0 || s != 0 || len(ls.wake) != 0 || len(ls.given) != 0 {
		t.Errorf("%d asleep, %d starving, %d woken, %d given", a, s, len(ls.wake), len(ls.given))
	}
	for _, l := range *ls.all.Load() {
		if l.taken.Load() {
			t.Error("a lane is taken")
		}
	}
}
