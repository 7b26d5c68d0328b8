package store

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/store/list"
	"github.com/streampulse/pulse/store/zset"
)

// held is what a model knows of a key.
type held struct {
	kind  Kind
	pairs map[string]string // fields, members with their scores, members
	elems []string          // of a list
	at    int64
}

// TestValuesAgainstModel changes small, middling and large values of all types, moves them about and compares them with a
// model after each step: nothing must tell whether a value lives in a block or in the slab.
func TestValuesAgainstModel(t *testing.T) {
	fake := clock.NewFake(time.UnixMilli(1_700_000_000_000))
	s := New(Options{Shards: 2, Clock: fake, Seed: 1})
	defer s.Close()
	r := rand.New(rand.NewPCG(3, 4))
	model := map[string]*held{}
	tx := s.NewTx()
	packed, objects := 0, 0
	for i := range 40_000 {
		name := fmt.Sprint("key:", r.IntN(60))
		key := []byte(name)
		now := fake.NowMs()
		for k, m := range model {
			if m.at <= now {
				delete(model, k)
			}
		}
		tx.Begin(0)
		tx.LockAll()
		switch op := r.IntN(20); {
		case op == 0:
			if got, want := tx.Delete(key), model[name] != nil; got != want {
				t.Fatalf("step %d: Delete(%s) = %v", i, name, got)
			}
			delete(model, name)
		case op == 1 && model[name] != nil:
			to := fmt.Sprint("key:", r.IntN(60))
			if to == name {
				break
			}
			m := model[name]
			if r.IntN(2) == 0 {
				tx.Rename(key, []byte(to))
				delete(model, name)
			} else {
				tx.Copy(key, []byte(to), 0)
				m = &held{m.kind, maps.Clone(m.pairs), slices.Clone(m.elems), m.at}
			}
			model[to] = m
		case op == 2 && model[name] != nil:
			at := int64(Forever)
			if r.IntN(2) == 0 {
				at = now + 1 + r.Int64N(500)
			}
			tx.SetDeadline(key, at)
			model[name].at = at
		case op == 3:
			tx.SetText(key, []byte("text"), Forever)
			model[name] = &held{kind: String, at: Forever}
		default:
			m := model[name]
			if m == nil {
				kinds := []Kind{Hash, List, Set, ZSet}
				m = &held{kind: kinds[r.IntN(len(kinds))], pairs: map[string]string{}, at: Forever}
			}
			change(t, tx, r, key, m)
			if len(m.pairs)+len(m.elems) > 0 || m.kind == String {
				model[name] = m
			} else {
				delete(model, name)
			}
		}
		tx.BeginCommand()
		compare(t, tx, i, key, model[name])
		if e := tx.find(key); e.b != nil && e.packed() {
			packed++
		} else if e.b != nil && e.hasObject() {
			objects++
		}
		tx.Unlock()
		if r.IntN(50) == 0 {
			fake.Advance(time.Duration(r.IntN(50)) * time.Millisecond)
		}
	}
	tx.Begin(0)
	tx.LockAll()
	for name, m := range model {
		if m.at > fake.NowMs() {
			compare(t, tx, -1, []byte(name), m)
		}
	}
	tx.Unlock()
	if packed < 1000 || objects < 1000 {
		t.Errorf("%d looks at packed values and %d at objects: the test missed what it is for", packed, objects)
	}
}

// word returns an element: few different ones, integers among them, now and then a long one.
func word(r *rand.Rand) []byte {
	switch r.IntN(10) {
	case 0:
		return slices.Repeat([]byte{'a' + byte(r.IntN(3))}, r.IntN(200))
	case 1, 2, 3, 4:
		return strconv.AppendInt(nil, int64(r.IntN(100)), 10)
	}
	return fmt.Appendf(nil, "word-%d", r.IntN(60))
}

func change(t *testing.T, tx *Tx, r *rand.Rand, key []byte, m *held) {
	n := 1 + r.IntN(4)
	switch lim := tx.Limits(); m.kind {
	case Hash:
		v, _ := tx.Hash(key, Create)
		for range n {
			f, val := word(r), word(r)
			if r.IntN(3) == 0 {
				v.Delete(f)
				delete(m.pairs, string(f))
				continue
			}
			v.Set(lim.Hash(), f, val)
			m.pairs[string(f)] = string(val)
		}
		tx.Settle(key, v, n)
	case Set:
		v, _ := tx.Set(key, Create)
		for range n {
			f := word(r)
			if r.IntN(3) == 0 {
				v.Remove(f)
				delete(m.pairs, string(f))
				continue
			}
			v.Add(lim.Set(), f)
			m.pairs[string(f)] = ""
		}
		tx.Settle(key, v, n)
	case ZSet:
		v, _ := tx.ZSet(key, Create)
		for range n {
			f, score := word(r), float64(r.IntN(50))
			if r.IntN(3) == 0 {
				v.Remove(f)
				delete(m.pairs, string(f))
				continue
			}
			v.Add(f, score, 0, zset.Limits{Entries: lim.ZSetMaxListpackEntries, Value: lim.ZSetMaxListpackValue})
			m.pairs[string(f)] = fmt.Sprint(score)
		}
		tx.Settle(key, v, n)
	case List:
		v, _ := tx.List(key, Create)
		if again, _ := tx.List(key, Create); again != v {
			t.Fatal("one command got two copies of one list")
		}
		for range n {
			e, limit := word(r), list.Limit(lim.ListMaxListpackSize)
			switch r.IntN(5) {
			case 0:
				v.PushOne(e, true, limit)
				m.elems = slices.Insert(m.elems, 0, string(e))
			case 1, 2:
				v.PushOne(e, false, limit)
				m.elems = append(m.elems, string(e))
			default:
				front := r.IntN(2) == 0
				v.Drop(2, front, limit)
				k := min(2, len(m.elems))
				if front {
					m.elems = m.elems[k:]
				} else {
					m.elems = m.elems[:len(m.elems)-k]
				}
			}
		}
		tx.Settle(key, v, n)
	}
}

func compare(t *testing.T, tx *Tx, step int, key []byte, m *held) {
	t.Helper()
	if m == nil {
		if k := tx.Kind(key); k != None {
			t.Fatalf("step %d: %s is a %v, want none", step, key, k)
		}
		return
	}
	if got, want := tx.Kind(key), m.kind; got != want {
		t.Fatalf("step %d: %s is a %v, want %v", step, key, got, want)
	}
	if at, _ := tx.Deadline(key); at != m.at {
		t.Fatalf("step %d: %s has deadline %d, want %d", step, key, at, m.at)
	}
	pairs, elems, err := map[string]string{}, []string(nil), error(nil)
	switch m.kind {
	case Hash:
		v, _ := tx.Hash(key, Read)
		v.Each(func(f, val []byte) bool { pairs[string(f)] = string(val); return true })
		err = v.Check()
	case Set:
		v, _ := tx.Set(key, Read)
		v.Each(func(f []byte) bool { pairs[string(f)] = ""; return true })
		err = v.Check()
	case ZSet:
		v, _ := tx.ZSet(key, Read)
		v.Each(0, math.MaxInt, false, func(f []byte, score float64) bool {
			pairs[string(f)] = fmt.Sprint(score)
			return true
		})
		err = v.Check()
	case List:
		v, _ := tx.List(key, Read)
		for it, n := v.End(true), v.Len(); n > 0; n-- {
			elems = append(elems, string(it.Text(nil)))
			it.Next()
		}
		err = v.Check()
	default:
		return
	}
	if err != nil {
		t.Fatalf("step %d: %s: %v", step, key, err)
	}
	if !maps.Equal(pairs, m.pairs) || !slices.Equal(elems, m.elems) {
		t.Fatalf("step %d: %s holds\n%v %q, want\n%v %q", step, key, pairs, elems, m.pairs, m.elems)
	}
	if f, _ := tx.Facts(key); f.Len != len(m.pairs)+len(m.elems) {
		t.Fatalf("step %d: %s has length %d, want %d", step, key, f.Len, len(m.pairs)+len(m.elems))
	}
}

// TestPackedWritesAllocateNothing: a value that lives in a block is changed in memory that is there.
func TestPackedWritesAllocateNothing(t *testing.T) {
	s := New(Options{Shards: 1})
	defer s.Close()
	tx := s.NewTx()
	key, field := []byte("h"), []byte("field")
	values := [][]byte{[]byte("a"), []byte("a longer value"), []byte("12345")}
	set := func(i int) {
		tx.Begin(0)
		tx.LockKey(key)
		v, _ := tx.Hash(key, Create)
		v.Set(tx.Limits().Hash(), field, values[i%len(values)])
		tx.Settle(key, v, 1)
		tx.Unlock()
	}
	for i := range 100 {
		set(i)
	}
	i := 0
	if n := testing.AllocsPerRun(1000, func() { set(i); i++ }); n > 0 {
		t.Errorf("%v allocations for setting a field", n)
	}
}
