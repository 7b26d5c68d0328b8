package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/clock"
)

// TestAgainstMap runs random operations on a small store and on a map, and compares them throughout.
func TestAgainstMap(t *testing.T) {
	for _, shards := range []int{1, 16} {
		t.Run(fmt.Sprint("shards=", shards), func(t *testing.T) {
			fake := clock.NewFake(time.UnixMilli(1_700_000_000_000))
			s := New(Options{Shards: shards, Clock: fake, Seed: 1})
			defer s.Close()
			r := rand.New(rand.NewPCG(1, 2))
			type val struct {
				text string
				at   int64
			}
			model := map[string]val{}
			tx := s.NewTx()
			for i := range 60_000 {
				key := fmt.Appendf(nil, "key:%d", r.IntN(3000))
				now := fake.NowMs()
				if v, ok := model[string(key)]; ok && v.at <= now {
					delete(model, string(key))
				}
				m, ok := model[string(key)]
				tx.Begin(0)
				tx.LockKey(key)
				switch r.IntN(8) {
				case 0, 1, 2:
					v := make([]byte, r.IntN(40))
					if r.IntN(50) == 0 {
						v = make([]byte, r.IntN(100_000))
					}
					for i := range v {
						v[i] = byte(r.Uint32())
					}
					at := int64(Forever)
					if r.IntN(3) == 0 {
						at = now + r.Int64N(2000) + 1
					}
					tx.SetText(key, v, at)
					model[string(key)] = val{string(v), at}
				case 3:
					if got := tx.Delete(key); got != ok {
						t.Fatalf("step %d: Delete = %v, want %v", i, got, ok)
					}
					delete(model, string(key))
				case 4:
					at := now + r.Int64N(3000) - 500
					if got := tx.SetDeadline(key, at); got != ok {
						t.Fatalf("step %d: SetDeadline = %v, want %v", i, got, ok)
					}
					if ok && at <= now {
						delete(model, string(key))
					} else if ok {
						model[string(key)] = val{m.text, at}
					}
				case 5:
					n := r.IntN(300)
					v := tx.Resize(key, n)
					want := make([]byte, n)
					copy(want, m.text)
					if string(v) != string(want) {
						t.Fatalf("step %d: Resize(%d) = %q, want %q", i, n, v, want)
					}
					at := int64(Forever)
					if ok {
						at = m.at
					}
					model[string(key)] = val{string(want), at}
				case 6:
					tx.Unlock()
					fake.Advance(time.Duration(r.IntN(20)) * time.Millisecond)
					continue
				default:
					v, found, err := tx.Text(key)
					if err != nil || found != ok || string(v) != m.text {
						t.Fatalf("step %d: Text = %q %v %v, want %q %v", i, v, found, err, m.text, ok)
					}
				}
				tx.Unlock()
			}
			for k, v := range model {
				if v.at <= fake.NowMs() {
					delete(model, k)
				}
			}
			tx.Begin(0)
			tx.LockAll()
			defer tx.Unlock()
			if got := tx.Size(0).Keys; got != len(model) {
				t.Errorf("%d keys, want %d", got, len(model))
			}
			seen := map[string]int{}
			for cur, first := uint64(0), true; first || cur != 0; first = false {
				cur = tx.Scan(cur, 10, func(key []byte, _ Kind) { seen[string(key)]++ })
			}
			for k := range model {
				if seen[k] != 1 {
					t.Errorf("SCAN saw %q %d times", k, seen[k])
				}
			}
			if len(seen) != len(model) {
				t.Errorf("SCAN saw %d keys, want %d", len(seen), len(model))
			}
			if k := tx.RandomKey(); model[string(k)] == (val{}) {
				t.Errorf("RandomKey = %q, not a key", k)
			}
		})
	}
}

// TestOverwriteStaysSmall checks that values of changing length do not leave the arena full of holes.
func TestOverwriteStaysSmall(t *testing.T) {
	s := New(Options{Shards: 1, Seed: 1})
	defer s.Close()
	tx := s.NewTx()
	r := rand.New(rand.NewPCG(3, 4))
	const n = 20_000
	for i := range 5 * n {
		key := fmt.Appendf(nil, "key:%012d", i)
		if i >= n {
			key = fmt.Appendf(nil, "key:%012d", r.IntN(n))
		}
		tx.Begin(0)
		tx.LockKey(key)
		tx.SetText(key, make([]byte, 20+r.IntN(40)), Forever)
		tx.Unlock()
	}
	ks := s.shards[0].dbs[0].keys
	if sp, live := ks.blocks.Space(), ks.blocks.Live(); float64(sp) > 1.35*float64(live) {
		t.Errorf("the arena holds %d bytes for %d live ones", sp, live)
	}
}

func BenchmarkSetGet(b *testing.B) {
	s := New(Options{Seed: 1})
	defer s.Close()
	tx := s.NewTx()
	const n = 1 << 20
	keys := make([][]byte, n)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key:%012d", i)
	}
	val := make([]byte, 32)
	r := rand.New(rand.NewPCG(3, 4))
	b.Run("set", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			k := keys[r.IntN(n)]
			tx.Begin(0)
			tx.LockKey(k)
			tx.SetText(k, val, Forever)
			tx.Unlock()
		}
	})
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			k := keys[r.IntN(n)]
			tx.Begin(0)
			tx.LockKey(k)
			if _, _, err := tx.Text(k); err != nil {
				b.Fatal(err)
			}
			tx.Unlock()
		}
	})
}
