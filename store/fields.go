package store

import (
	"bytes"

	"github.com/google/btree"

	"github.com/streampulse/pulse/store/hash"
)

// Fields of hashes have deadlines of their own. A hash keeps those of its fields in order (package hash); a keyspace keeps
// its hashes in the order of their earliest ones, beside the order of the keys' own deadlines. So what is due is found
// without a search: the expirer takes fields in bounded slices, and whoever looks at a key first (Tx.find) loses the
// fields whose time has come, and the hash with its last field. Nobody ever sees a field that is due.

// fieldOrder holds one item for each hash that has deadlines of fields, at the earliest of them. Such a hash is an
// object, never packed; the item it has is noted in the object (hash.Listed), which is therefore put in and taken out where
// objects enter and leave a keyspace: putNumber, store and dropObject.
type fieldOrder struct {
	tree *btree.BTreeG[deadline]
	next int64 // the earliest item; every look at a key compares it with the time
}

// enlist brings the place of the object o of the key with hash h up to date. It is called after each of its
// changes, and before it is weighed: the note in the object takes memory.
func (ks *keyspace) enlist(h uint64, o Object) {
	if v, ok := o.(*hash.Hash); ok {
		ks.list(h, v, v.NextDeadline())
	}
}

// delist is called before the object o of the key with hash h leaves.
func (ks *keyspace) delist(h uint64, o Object) {
	if v, ok := o.(*hash.Hash); ok {
		ks.list(h, v, noDeadline)
	}
}

// list makes at the place of v, the hash of the key with hash h.
func (ks *keyspace) list(h uint64, v *hash.Hash, at int64) {
	old := v.Listed()
	if old == at {
		return
	}
	v.SetListed(at)
	f := ks.fields
	if f == nil {
		f = &fieldOrder{tree: btree.NewG(32, deadline.less), next: noDeadline}
		ks.fields = f
	}
	if at != noDeadline {
		f.tree.ReplaceOrInsert(deadline{at, h})
		f.next = min(f.next, at)
		if at < ks.shard.nextField.Load() {
			ks.shard.nextField.Store(at)
			ks.s.expirer.wake(at)
		}
	}
	if old != noDeadline {
		f.remove(deadline{old, h})
	}
}

func (f *fieldOrder) remove(d deadline) {
	f.tree.Delete(d)
	if d.at > f.next {
		return
	}
	f.next = noDeadline
	if first, ok := f.tree.Min(); ok {
		f.next = first.at
	}
}

// listed returns how many hashes have deadlines of fields.
func (ks *keyspace) listed() int {
	if ks == nil || ks.fields == nil {
		return 0
	}
	return ks.fields.tree.Len()
}

// fieldsDue reports whether the time of any field has come.
func (ks *keyspace) fieldsDue(now int64) bool { return ks.fields != nil && ks.fields.next <= now }

// earliestField returns the earliest deadline of a field in the shard, which is locked.
func (sh *shard) earliestField() int64 {
	next := int64(noDeadline)
	for n := range sh.dbs {
		if ks := sh.dbs[n].keys; ks.listed() > 0 {
			next = min(next, ks.fields.next)
		}
	}
	return next
}

// expireFields deletes the fields of e whose time has come, at most about limit of them (see hash.Expire), and the key with
// its last field; e is any key that is there. It returns how many went.
func (tx *Tx) expireFields(db *database, e *entry, limit int) (n int) {
	if e.kind() != Hash || !e.hasObject() {
		return 0
	}
	v := e.ks.objects.get(objectNumber(e.value())).(*hash.Hash)
	if v.NextDeadline() > tx.now {
		return 0
	}
	e.ks.preserve(e)
	var due [][]byte
	if tx.feed != nil {
		v.EachDue(tx.now, limit, func(field []byte) { due = append(due, bytes.Clone(field)) })
	}
	if n = v.Expire(tx.now, limit); n == 0 {
		return 0
	}
	tx.s.expiredFields.Add(int64(n))
	key := string(keyOf(e.b))
	tx.Tell(OnHash, "hexpired", keyOf(e.b))
	if v.Len() == 0 {
		tx.Tell(OnGeneric, "del", keyOf(e.b))
		tx.feedDeletion(keyOf(e.b))
		tx.drop(e)
	} else {
		tx.feedFieldDeletions(keyOf(e.b), due)
		e.ks.enlist(e.h, v)
		e.ks.objects.weigh(objectNumber(e.value()))
		e.ks.account()
	}
	tx.notify(db, key)
	if t := tx.s.tracker.Load(); t != nil {
		t.Changed([]byte(key), 0)
	}
	return n
}

// sweepFields deletes about slice due fields of one database of a shard that is locked.
func (tx *Tx) sweepFields(db *database) {
	ks := db.keys
	for left := slice; left > 0 && ks.fieldsDue(tx.now); {
		d, _ := ks.fields.tree.Min()
		n := 0
		if e := ks.named(d.hash); e.b != nil {
			n = tx.expireFields(db, &e, left)
		}
		if n == 0 {
			ks.fields.remove(d) // as when two keys share a hash
		}
		left -= max(n, 1)
	}
}

// ExpiredFields returns how many fields of hashes were deleted because their time had come.
func (s *Store) ExpiredFields() int64 { return s.expiredFields.Load() }
