package store

import (
	"math"

	"github.com/streampulse/pulse/store/hash"
)

// A store may be frozen for a while: then nothing goes by itself, neither at its deadline nor because memory is short, so that
// the data is what it was, on the disk and for whoever follows the feed. Reads see what is due as gone all the same.
//
// What is due is hidden in Tx.find, from a Tx that ReadsOnly: such a Tx must change nothing, for it would put a second key of the
// name beside the first. A Tx that writes while the store is frozen, which only a transaction does that has frozen it itself,
// deletes what it finds due, as ever.

// Freeze keeps keys, and fields of hashes, from going by themselves until the given time in Unix milliseconds; 0 ends that. It is
// called while nobody is inside of a command.
func (s *Store) Freeze(until int64) {
	if s.frozen.Swap(until) == until || until != 0 {
		return
	}
	s.thaw()
}

// Frozen reports whether nothing may go by itself now.
func (s *Store) Frozen() bool {
	until := s.frozen.Load()
	return until != 0 && s.clk.NowMs() < until
}

// thaw has done what should have been done meanwhile.
func (s *Store) thaw() {
	s.expirer.wake(s.clk.NowMs())
	if s.Crowded() && s.evictor.opts.Load().Policy != NoEviction {
		s.evictor.start()
	}
}

// hides reports whether the Tx does not see what is due, and leaves it.
func (tx *Tx) hides() bool { return tx.ReadsOnly && tx.now < tx.s.frozen.Load() }

// veil is what a Tx that hides what is due has in place of the hash of a key, until its next command.
type veil struct {
	ks   *keyspace
	h    uint64
	hash *hash.Hash
}

// conceal makes the fields of e whose time has come invisible to those who look at the value of e next. It reports false if no
// field is left.
func (tx *Tx) conceal(e *entry) bool {
	if e.kind() != Hash || !e.hasObject() {
		return true
	}
	v := e.ks.objects.get(objectNumber(e.value())).(*hash.Hash)
	if v.NextDeadline() > tx.now {
		return true
	}
	c := v.Clone()
	c.Expire(tx.now, math.MaxInt)
	tx.veil = &veil{e.ks, e.h, c}
	return c.Len() > 0
}

// objectOf returns the object of e, which has one.
func (tx *Tx) objectOf(e *entry) Object {
	if v := tx.veil; v != nil && v.ks == e.ks && v.h == e.h && e.kind() == Hash {
		return v.hash
	}
	return e.ks.objects.get(objectNumber(e.value()))
}
