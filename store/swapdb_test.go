package store

import (
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/clock"
)

// Who watches a name is told of SWAPDB if a key has that name before or after it. One that is due already is none, unless it was
// there when it began to be watched.
func TestSwapDBTouchesWatchers(t *testing.T) {
	for _, row := range []struct {
		name         string
		there, comes int64 // how long the key lives that is there, and the one that comes; 0: there is none
		want         bool
	}{
		{"no keys", 0, 0, false},
		{"comes", 0, 1000, true},
		{"goes", 1000, 0, true},
		{"is replaced", 1000, 1000, true},
		{"what comes is due", 0, 5, false},
		{"what is replaced is due, and was not", 50, 0, true},
		{"both were due", 5, 5, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			clk := clock.NewFake(time.UnixMilli(1_000_000))
			s := New(Options{Clock: clk, Shards: 4, Databases: 2})
			defer s.Close()
			s.SetActiveExpire(false)
			key := []byte("key")
			tx := s.NewTx()
			for db, life := range []int64{row.there, row.comes} {
				if life > 0 {
					tx.Begin(db)
					tx.LockKey(key)
					tx.SetText(key, []byte("v"), clk.NowMs()+life)
					tx.Unlock()
				}
			}
			clk.Advance(10 * time.Millisecond)
			var w Watch
			tx.Begin(0)
			tx.LockKey(key)
			tx.WatchKey(key, &w)
			tx.Unlock()
			clk.Advance(90 * time.Millisecond)
			tx.Begin(0)
			tx.LockAll()
			tx.SwapDB(0, 1)
			tx.Unlock()
			tx.Begin(0)
			tx.LockKey(key)
			if got := tx.Unwatch(&w); got != row.want {
				t.Errorf("touched %v, want %v", got, row.want)
			}
			tx.Unlock()
		})
	}
}
