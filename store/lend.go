package store

import (
	"github.com/streampulse/pulse/store/arena"
	"github.com/streampulse/pulse/store/hash"
)

// Large strings need not be copied to be sent: whoever has found one under the lock of its shard borrows its bytes and reads
// them after Unlock (docs/design/0011). A string that is borrowed is not written in place: the next change gives it a new
// block, so that readers see what was there when they borrowed it. Nothing is freed by hand, so a key that goes leaves its bytes to those
// who read them; until they are done these count as used beside the keys.

// LendMin is the length in bytes from which on the bytes of a string are lent. Below, copying is cheaper than what follows
// from not doing it.
const LendMin = 64 << 10

// lendShare keeps the price of writing to what is lent in proportion: a change copies the whole string, so at least
// this part of it must have been borrowed for it.
const lendShare = 4

// Loan is the right to read bytes of a value for as long as it takes. Its Return is called once, by anybody.
type Loan = arena.Loan

// Lend returns the loan of part, which is a part of what Text has returned for key in this Tx; nil if it must be copied.
func (tx *Tx) Lend(key, part []byte) *Loan {
	if len(part) < LendMin {
		return nil
	}
	e := tx.find(key)
	if e.b == nil || e.kind() != String || len(part) < e.vlen/lendShare {
		return nil
	}
	return e.ks.blocks.Lend(e.ref, &tx.s.memory.other)
}

// LendField returns the value of field of v, the hash at key in this Tx, with its loan; a nil loan says that it must be copied.
func (tx *Tx) LendField(key []byte, v *hash.Hash, field []byte) ([]byte, *Loan) {
	b, l := v.Lend(field, &tx.s.memory.other)
	if l != nil {
		e := tx.find(key)
		e.ks.objects.lent = true
	}
	return b, l
}

// lent reports whether somebody may be reading the value of e, so that it must not be written in place.
func (e *entry) lent() bool { return e.size >= arena.Dedicated && e.ks.blocks.Lent(e.ref) }

// abandon tells those who have borrowed something that it is theirs from now on: the keyspace is being dropped.
func (ks *keyspace) abandon() {
	ks.blocks.Abandon()
	if !ks.objects.lent {
		return
	}
	for _, p := range ks.objects.pages {
		for i := range p {
			abandon(p[i].Object)
		}
	}
}

// abandon is what an object is told that is being dropped.
func abandon(o Object) {
	if v, ok := o.(*hash.Hash); ok {
		v.Abandon()
	}
}
