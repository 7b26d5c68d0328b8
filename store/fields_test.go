package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/store/arena"
	"github.com/streampulse/pulse/store/hash"
)

// checkFields verifies that the hashes with deadlines of fields, and no others, are in the order, where they belong.
func checkFields(t *testing.T, s *Store) {
	t.Helper()
	for i := range s.shards {
		sh := &s.shards[i]
		for n := range sh.dbs {
			ks := sh.dbs[n].keys
			if ks == nil {
				continue
			}
			found, first := 0, int64(noDeadline)
			ks.idx.All(func(ref uint32) bool {
				b := ks.blocks.Bytes(arena.Ref(ref))
				e := entry{b: b, layout: layoutOf(b)}
				if e.kind() != Hash || !e.hasObject() {
					return true
				}
				v := ks.objects.get(objectNumber(e.value())).(*hash.Hash)
				if err := v.Check(); err != nil {
					t.Fatal(err)
				}
				at := v.NextDeadline()
				if v.Listed() != at {
					t.Fatalf("%q is listed at %d, its first field goes at %d", keyOf(e.b), v.Listed(), at)
				}
				if at == noDeadline {
					return true
				}
				found++
				first = min(first, at)
				if ks.fields == nil || !ks.fields.tree.Has(deadline{at, s.hash(keyOf(e.b))}) {
					t.Fatalf("%q is not in the order", keyOf(e.b))
				}
				return true
			})
			if found != ks.listed() || found > 0 && ks.fields.next != first {
				t.Fatalf("%d hashes have deadlines of fields, %d are in the order, the first at %d", found, ks.listed(), first)
			}
			if sh.nextField.Load() > first {
				t.Fatalf("the shard looks after fields at %d, the first goes at %d", sh.nextField.Load(), first)
			}
		}
	}
}

// fieldModel is what the test below believes: deadlines of fields by database, key and field; keys with deadlines of
// their own are left to other tests.
type fieldModel [2]map[string]map[string]int64

func (m *fieldModel) expire(now int64) (n int64) {
	for _, db := range m {
		for key, h := range db {
			for f, at := range h {
				if at <= now {
					delete(h, f)
					n++
				}
			}
			if len(h) == 0 {
				delete(db, key)
			}
		}
	}
	return n
}

// TestFieldsFollowTheirKeys does to keys whatever can be done to them, with the expirer on and off, and compares what
// fields are there with a model.
func TestFieldsFollowTheirKeys(t *testing.T) {
	for _, active := range []bool{true, false} {
		t.Run(fmt.Sprint("active=", active), func(t *testing.T) {
			clk := clock.NewFake(time.UnixMilli(1_700_000_000_000))
			s := New(Options{Clock: clk, Shards: 4, Databases: 2, Seed: 1})
			defer s.Close()
			s.SetActiveExpire(active)
			tx, r := s.NewTx(), rand.New(rand.NewPCG(5, 6))
			m := fieldModel{{}, {}}
			gone := int64(0)
			for step := range 20_000 {
				key, other := fmt.Append(nil, "key:", r.IntN(20)), fmt.Append(nil, "key:", r.IntN(20))
				field := fmt.Append(nil, "f", r.IntN(30))
				lim := hash.Limits{Entries: 4 + 60*r.IntN(2), Value: 64}
				db := r.IntN(2)
				now := clk.NowMs()
				h := m[db][string(key)]
				tx.Begin(db)
				tx.LockAll()
				switch op := r.IntN(20); {
				case op < 6:
					at := int64(Forever)
					if r.IntN(4) > 0 {
						at = now + 1 + r.Int64N(300)
					}
					v, _ := tx.Hash(key, Create)
					if v.Len() != len(h) {
						t.Fatalf("step %d: %s has %d fields, want %d", step, key, v.Len(), len(h))
					}
					v.SetAt(lim, field, []byte("value"), at)
					tx.Settle(key, v, 1)
					if h == nil {
						h = map[string]int64{}
						m[db][string(key)] = h
					}
					h[string(field)] = at
				case op < 9:
					v, _ := tx.Hash(key, Write)
					if v.Delete(field) {
						tx.Settle(key, v, 1)
					}
					if delete(h, string(field)); len(h) == 0 {
						delete(m[db], string(key))
					}
				case op < 10:
					v, _ := tx.Hash(key, Write)
					if v.SetDeadline(field, Forever) {
						tx.Settle(key, v, 1)
						h[string(field)] = Forever
					}
				case op < 11:
					tx.Delete(key)
					delete(m[db], string(key))
				case op < 12:
					tx.SetText(key, []byte("text"), Forever)
					tx.Delete(key)
					delete(m[db], string(key))
				case op < 13 && h != nil && string(key) != string(other):
					tx.Rename(key, other)
					m[db][string(other)] = h
					delete(m[db], string(key))
				case op < 15 && h != nil && string(key) != string(other):
					tx.Copy(key, other, 1-db)
					c := map[string]int64{}
					for f, at := range h {
						c[f] = at
					}
					m[1-db][string(other)] = c
				case op < 16 && h != nil && m[1-db][string(key)] == nil:
					tx.Move(key, 1-db)
					m[1-db][string(key)] = h
					delete(m[db], string(key))
				case op == 16 && r.IntN(20) == 0:
					tx.SwapDB(0, 1)
					m[0], m[1] = m[1], m[0]
				case op == 17 && r.IntN(100) == 0:
					tx.Flush(db)
					m[db] = map[string]map[string]int64{}
				default:
					v, _ := tx.Hash(key, Read)
					n := 0
					v.EachAt(func(f, _ []byte, at int64) bool {
						if h[string(f)] != at {
							t.Fatalf("step %d: %s.%s goes at %d, want %d", step, key, f, at, h[string(f)])
						}
						n++
						return true
					})
					if n != len(h) || tx.Has(key) != (n > 0) {
						t.Fatalf("step %d: %s has %d fields, want %d", step, key, n, len(h))
					}
				}
				if step%50 == 0 {
					checkFields(t, s)
					if counted, real := weighAll(s); counted != real {
						t.Fatalf("step %d: objects of %d bytes are counted as %d", step, real, counted)
					}
				}
				tx.Unlock()
				if r.IntN(5) == 0 {
					clk.Advance(time.Duration(r.IntN(20)) * time.Millisecond)
					if n := m.expire(clk.NowMs()); active {
						if gone += n; s.ExpiredFields() != gone {
							t.Fatalf("step %d: %d fields have gone, want %d", step, s.ExpiredFields(), gone)
						}
					}
				}
			}
			if active && gone < 1000 {
				t.Errorf("only %d fields expired", gone)
			}
		})
	}
}

// TestFieldsGoInSlices: many fields that are due together are no reason to keep a shard locked for long.
func TestFieldsGoInSlices(t *testing.T) {
	clk := clock.NewFake(time.UnixMilli(1_700_000_000_000))
	s := New(Options{Clock: clk, Shards: 1, Databases: 1, Seed: 1})
	defer s.Close()
	s.SetActiveExpire(false)
	tx, lim := s.NewTx(), hash.Limits{Entries: 128, Value: 64}
	const n, hashes = 100_000, 20
	for i := range hashes {
		key := fmt.Append(nil, "key:", i)
		tx.Begin(0)
		tx.LockKey(key)
		v, _ := tx.Hash(key, Create)
		v.Set(lim, []byte("stays"), nil)
		for j := range n / hashes {
			v.SetAt(lim, fmt.Append(nil, j), nil, clk.NowMs()+1+int64(j%1000))
		}
		tx.Settle(key, v, 1)
		tx.Unlock()
	}
	tx.Begin(0)
	tx.LockAll()
	if z := tx.Size(0); z.Keys != hashes || z.Fields != hashes {
		t.Errorf("%+v", z)
	}
	tx.Unlock()
	clk.Advance(time.Second)
	for {
		before := s.ExpiredFields()
		s.expirer.sweepShard(0)
		went := s.ExpiredFields() - before
		if went > slice {
			t.Fatalf("%d fields went under one lock", went)
		}
		if went == 0 {
			break
		}
	}
	if s.ExpiredFields() != n {
		t.Errorf("%d fields went, want %d", s.ExpiredFields(), n)
	}
	tx.Begin(0)
	tx.LockAll()
	defer tx.Unlock()
	checkFields(t, s)
	if z := tx.Size(0); z.Keys != hashes || z.Fields != 0 {
		t.Errorf("%+v", z)
	}
}

func BenchmarkExpireFields(b *testing.B) {
	clk := clock.NewFake(time.UnixMilli(1_700_000_000_000))
	s := New(Options{Clock: clk, Shards: 1, Databases: 1, Seed: 1})
	defer s.Close()
	s.SetActiveExpire(false)
	tx, lim := s.NewTx(), hash.Limits{Entries: 128, Value: 64}
	key := []byte("key")
	tx.Begin(0)
	tx.LockKey(key)
	v, _ := tx.Hash(key, Create)
	v.Set(lim, []byte("stays"), nil)
	for i := range b.N {
		v.SetAt(lim, fmt.Append(nil, i), []byte("value"), clk.NowMs()+1+int64(i%1000))
	}
	tx.Settle(key, v, 1)
	tx.Unlock()
	clk.Advance(time.Second)
	b.ResetTimer()
	for s.ExpiredFields() < int64(b.N) {
		s.expirer.sweepShard(0)
	}
}
