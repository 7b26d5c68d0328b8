package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestResizeInWastefulArena writes into what Resize returns while the arena is being compacted all the time: nothing
// written may get lost in a block that has moved.
func TestResizeInWastefulArena(t *testing.T) {
	s := New(Options{Shards: 1, Seed: 1})
	defer s.Close()
	tx := s.NewTx()
	r := rand.New(rand.NewPCG(1, 2))
	const n = 3000
	model := make([]string, n)
	for i := range 40_000 {
		k := i % n
		if i >= n {
			k = r.IntN(n)
		}
		key := fmt.Appendf(nil, "key:%d", k)
		tx.Begin(0)
		tx.LockKey(key)
		switch r.IntN(4) {
		case 0:
			v := fmt.Sprint("v", i, string(make([]byte, r.IntN(300))))
			tx.SetText(key, []byte(v), Forever)
			model[k] = v
		case 1:
			// An overwrite of the whole in place, without a new block.
			v := tx.Resize(key, len(model[k]))
			for j := range v {
				v[j] = byte(i + j)
			}
			model[k] = string(v)
		case 2:
			tail := fmt.Sprint("+", i)
			v := tx.Resize(key, len(model[k])+len(tail))
			copy(v[len(model[k]):], tail)
			model[k] += tail
		default:
			if v, _, _ := tx.Text(key); string(v) != model[k] {
				t.Fatalf("step %d: %q, want %q", i, v, model[k])
			}
		}
		tx.Unlock()
	}
	tx.Begin(0)
	tx.LockAll()
	defer tx.Unlock()
	for k, want := range model {
		if v, _, _ := tx.Text(fmt.Appendf(nil, "key:%d", k)); string(v) != want {
			t.Fatalf("%q, want %q", v, want)
		}
	}
}

func TestTextAsIs(t *testing.T) {
	s := New(Options{Seed: 1})
	defer s.Close()
	tx := s.NewTx()
	key := []byte("k")
	tx.Begin(0)
	tx.LockKey(key)
	defer tx.Unlock()
	for _, tc := range []struct {
		set  func(key, val []byte, at int64)
		text string
		enc  string
	}{
		{tx.SetText, "12", "int"}, {tx.SetTextAsIs, "12", "embstr"}, {tx.SetText, "012", "embstr"}, {tx.SetTextAsIs, "x", "embstr"},
	} {
		tc.set(key, []byte(tc.text), Forever)
		f, _ := tx.Facts(key)
		if v, _, _ := tx.Text(key); string(v) != tc.text || f.Encoding != tc.enc {
			t.Errorf("%q is held as %q, %s; want %s", tc.text, v, f.Encoding, tc.enc)
		}
	}
	tx.SetTextAsIs(key, []byte("41"), Forever)
	if n, ok, fits, err := tx.Add(key, 1); n != 42 || !ok || !fits || err != nil {
		t.Errorf("Add = %d %v %v %v", n, ok, fits, err)
	}
}
