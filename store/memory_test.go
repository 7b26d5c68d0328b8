package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/store/hash"
)

// recount adds up what all keyspaces hold.
func recount(s *Store) (n int64) {
	for i := range s.shards {
		for d := range s.shards[i].dbs {
			if ks := s.shards[i].dbs[d].keys; ks != nil {
				n += ks.bytes()
			}
		}
	}
	return n
}

// weighAll adds up the objects of all keyspaces anew.
func weighAll(s *Store) (counted, real int) {
	for i := range s.shards {
		for d := range s.shards[i].dbs {
			ks := s.shards[i].dbs[d].keys
			if ks == nil {
				continue
			}
			counted += ks.objects.bytes
			for _, p := range ks.objects.pages {
				for _, c := range p {
					if c.Object != nil {
						real += c.Bytes() + objectBytes
					}
				}
			}
		}
	}
	return counted, real
}

// TestMemoryAccounting runs random commands and compares the running sum with one made from scratch.
func TestMemoryAccounting(t *testing.T) {
	clk := clock.NewFake(time.UnixMilli(1_700_000_000_000))
	s := New(Options{Clock: clk, Shards: 4, Databases: 3, Seed: 1})
	defer s.Close()
	s.memory.grain.Store(0)
	tx := s.NewTx()
	rnd := rand.New(rand.NewPCG(1, 2))
	lim := hash.Limits{Entries: 16, Value: 64}
	peak := int64(0)
	for i := range 30_000 {
		key := fmt.Appendf(nil, "key:%d", rnd.IntN(300))
		other := fmt.Appendf(nil, "key:%d", rnd.IntN(300))
		tx.Begin(rnd.IntN(3))
		tx.LockAll()
		switch op := rnd.IntN(20); op {
		case 0, 1, 2:
			tx.SetText(key, make([]byte, rnd.IntN(200)), Forever)
		case 3:
			tx.SetText(key, make([]byte, rnd.IntN(40_000)), tx.Now()+1+int64(rnd.IntN(1000)))
		case 4, 5, 6, 7:
			if h, err := tx.Hash(key, Create); err == nil {
				h.Set(lim, fmt.Appendf(nil, "%d", rnd.IntN(100)), make([]byte, rnd.IntN(100)))
				tx.Settle(key, h, 1)
			}
		case 8:
			tx.Delete(key)
		case 9:
			if tx.Has(key) && string(key) != string(other) {
				tx.Rename(key, other)
			}
		case 10:
			if tx.Has(key) && string(key) != string(other) {
				tx.Copy(key, other, rnd.IntN(3))
			}
		case 11:
			tx.SetDeadline(key, tx.Now()+int64(rnd.IntN(1000)))
		case 12:
			tx.Persist(key)
		case 13:
			if _, _, err := tx.Text(key); err == nil {
				tx.Resize(key, rnd.IntN(5000))
			}
		case 14:
			if rnd.IntN(300) == 0 {
				tx.Flush(tx.DB())
			}
		case 15:
			if rnd.IntN(100) == 0 {
				tx.SwapDB(0, 1)
			}
		case 16:
			if h, err := tx.Hash(key, Write); err == nil && h != nil {
				n := 0
				for range 5 {
					if h.Delete(fmt.Appendf(nil, "%d", rnd.IntN(100))) {
						n++
					}
				}
				tx.Settle(key, h, n)
			}
		case 17:
			tx.Unlock()
			clk.Advance(3e6)
			tx.Begin(0)
			tx.LockAll()
		}
		if got, want := s.memory.used.Load(), recount(s); got != want {
			t.Fatalf("step %d: counted %d bytes, there are %d", i, got, want)
		}
		if got, want := weighAll(s); got != want {
			t.Fatalf("step %d: objects weigh %d, counted %d", i, want, got)
		}
		peak = max(peak, s.memory.used.Load())
		tx.Unlock()
	}
	tx.Begin(0)
	tx.LockAll()
	for db := range 3 {
		tx.Flush(db)
	}
	tx.Unlock()
	if got := s.UsedMemory(); got != 0 || peak < 100_000 {
		t.Errorf("%d bytes after everything is gone, peak %d", got, peak)
	}
}

// TestExpiryTidies lets every second key expire at once: without any write the logs shrink to what lives on.
func TestExpiryTidies(t *testing.T) {
	clk := clock.NewFake(time.UnixMilli(1_700_000_000_000))
	s := New(Options{Clock: clk, Shards: 2, Seed: 1})
	defer s.Close()
	tx := s.NewTx()
	value := func(i int) []byte { return fmt.Appendf(make([]byte, 100), "%d", i) }
	const keys = 20_000
	for i := range keys {
		tx.Begin(0)
		tx.LockKey([]byte(name(i)))
		at := int64(Forever)
		if i%2 == 0 {
			at = tx.Now() + 1000 + int64(i%7)
		}
		tx.SetText([]byte(name(i)), value(i), at)
		tx.Unlock()
	}
	use := func() MemoryUse {
		tx.Begin(0)
		tx.LockAll()
		defer tx.Unlock()
		return tx.MemoryUse(0)
	}
	before := use()
	clk.Advance(1010 * time.Millisecond)
	after := use()
	if after.Keys != keys/2 || after.Deadlines != 0 || s.ExpiredActively() != keys/2 {
		t.Fatalf("%d keys are left, %d expired", after.Keys, s.ExpiredActively())
	}
	if after.Blocks > before.Blocks*6/10 || after.Space > after.Blocks*5/4+2*4*64<<10 {
		t.Errorf("%d bytes live in %d, before %d in %d", after.Blocks, after.Space, before.Blocks, before.Space)
	}
	for i := range keys {
		tx.Begin(0)
		tx.LockKey([]byte(name(i)))
		got, ok, _ := tx.Text([]byte(name(i)))
		if ok != (i%2 == 1) || ok && string(got) != string(value(i)) {
			t.Fatalf("key %d: %q, %v", i, got, ok)
		}
		tx.Unlock()
	}
}
