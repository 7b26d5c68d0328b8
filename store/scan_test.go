package store

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// TestScanWhileOthersWrite walks while others add and delete keys in numbers that split and merge the index: keys that
// are there throughout are seen, exactly once.
func TestScanWhileOthersWrite(t *testing.T) {
	for _, shards := range []int{1, 16} {
		t.Run(fmt.Sprint("shards=", shards), func(t *testing.T) {
			s := New(Options{Shards: shards, Seed: 1})
			defer s.Close()
			tx := s.NewTx()
			const stay = 2000
			set := func(tx *Tx, key []byte) {
				tx.Begin(0)
				tx.LockKey(key)
				tx.SetText(key, key, Forever)
				tx.Unlock()
			}
			for i := range stay {
				set(tx, fmt.Appendf(nil, "stay:%d", i))
			}
			var stop atomic.Bool
			var wg sync.WaitGroup
			for w := range 2 {
				wg.Go(func() {
					tx := s.NewTx()
					r := rand.New(rand.NewPCG(uint64(w), 2))
					for i := 0; !stop.Load(); i++ {
						key := fmt.Appendf(nil, "other:%d:%d", w, r.IntN(8000))
						if i/20_000%2 == 0 {
							set(tx, key)
							continue
						}
						tx.Begin(0)
						tx.LockKey(key)
						tx.Delete(key)
						tx.Unlock()
					}
				})
			}
			for range 5 {
				seen := map[string]int{}
				for cur, first := uint64(0), true; first || cur != 0; first = false {
					tx.Begin(0)
					tx.LockAll()
					cur = tx.Scan(cur, 50, func(key []byte, _ Kind) {
						if string(key[:5]) == "stay:" {
							seen[string(key)]++
						}
					})
					tx.Unlock()
				}
				for i := range stay {
					if n := seen[fmt.Sprintf("stay:%d", i)]; n != 1 {
						t.Errorf("stay:%d was seen %d times", i, n)
					}
				}
			}
			stop.Store(true)
			wg.Wait()
		})
	}
}
