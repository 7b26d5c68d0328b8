package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestWatchers compares random additions and removals with a set.
func TestWatchers(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var l watchers
	all, in := make([]Watch, 4), map[*Watch]bool{}
	for range 2000 {
		w := &all[rng.IntN(len(all))]
		if l.has(w) != in[w] {
			t.Fatalf("has says %v", l.has(w))
		}
		if in[w] {
			delete(in, w)
			if some := l.remove(w); some != (len(in) > 0) {
				t.Fatalf("remove says %v with %d left", some, len(in))
			}
			continue
		}
		in[w] = true
		l.add(w)
		if n := 1 + len(l.more); n != len(in) {
			t.Fatalf("%d watchers, want %d", n, len(in))
		}
	}
}

// TestInterestsKept: the memory of a few names is kept when nobody is interested any more, that of many is not; and nobody is told
// for those who have left.
func TestInterestsKept(t *testing.T) {
	for _, names := range []int{1, fewNames, fewNames + 1, 1000} {
		s := New(Options{Shards: 1})
		tx := s.NewTx()
		tx.BeginAt(0, 1)
		tx.LockAll()
		var a, b Watch
		for i := range names {
			tx.WatchKey(fmt.Append(nil, i), &a)
			tx.WatchKey(fmt.Append(nil, i), &b)
		}
		tx.Modified([]byte("0"), 1)
		if !tx.Unwatch(&a) || !b.Dirty() {
			t.Errorf("%d names: a change went unnoticed", names)
		}
		db := &s.shards[0].dbs[0]
		if !db.some() || tx.Watched() != names {
			t.Errorf("%d names are watched, want %d", tx.Watched(), names)
		}
		tx.Unwatch(&b)
		if kept := db.clients != nil; db.some() || kept != (names <= fewNames) {
			t.Errorf("%d names: kept %v, some %v", names, kept, db.some())
		}
		tx.Modified([]byte("0"), 1)
		if a.Dirty() || b.Dirty() || len(tx.Ready()) != 0 {
			t.Errorf("%d names: told though gone", names)
		}
		tx.Unlock()
		s.Close()
	}
}
