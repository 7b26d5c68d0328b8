package store

import (
	"bytes"

	"github.com/streampulse/pulse/store/hash"
	"github.com/streampulse/pulse/store/list"
	"github.com/streampulse/pulse/store/set"
	"github.com/streampulse/pulse/store/zset"
)

// A small value is bytes in the block of its key (fPacked): no object, no pointer, nothing for the collector, and the
// key and all its value are neighbours in memory. A command gets such a value as a copy: for reading one that looks
// at the bytes in the block, for writing one with bytes of its own, which Settle puts into a block. A value whose bytes
// outgrow packedMax, or which takes a form that has no bytes, becomes an object in the slab, and comes back
// when it is down to half of that.
//
//	hash, list, sorted set   a listpack
//	set                      a listpack, or with fRaw an intset

// packedMax is the size in bytes up to which a value lives in its key's block. Each change copies it twice, so it stays
// well under what a command costs anyway.
const packedMax = 1024

// packable is a value that may be bytes.
type packable[V any] interface {
	*V
	Object
	// Packed returns the value's bytes and which of two forms they have; ok is false if it has none.
	Packed() (form byte, b []byte, ok bool)
	// Unpack makes the value that of the bytes; an empty b makes an empty value that uses b's capacity first.
	Unpack(form byte, b []byte)
	// Compact gives back memory a small value does not use.
	Compact()
}

// copies are the copies of one type that the present command has in hand.
type copies[V any, P packable[V]] struct {
	all []*copied[V]
	n   int // in use
}

type copied[V any] struct {
	v    *V
	room []byte // lent to v; nil for one that reads
	db   int
	key  []byte // of one that writes, as long as it stands for that key
}

// copyRoom is the room of a copy that writes, in bytes: what outgrows it will not live in a block anyway.
const copyRoom = 2 * packedMax

// keepCopies is how many copies a Tx keeps for its next command.
const keepCopies = 64

func (cs *copies[V, P]) reset() {
	if len(cs.all) > keepCopies {
		clear(cs.all[keepCopies:])
		cs.all = cs.all[:keepCopies]
	}
	for _, c := range cs.all[:min(cs.n, len(cs.all))] {
		c.key = nil
	}
	cs.n = 0
}

func (cs *copies[V, P]) take() *copied[V] {
	if cs.n == len(cs.all) {
		cs.all = append(cs.all, &copied[V]{v: new(V)})
	}
	cs.n++
	return cs.all[cs.n-1]
}

// find returns the copy with which the command changes key, nil if there is none.
func (cs *copies[V, P]) find(db int, key []byte) P {
	for _, c := range cs.all[:cs.n] {
		if c.key != nil && c.db == db && bytes.Equal(c.key, key) {
			return c.v
		}
	}
	return nil
}

func (cs *copies[V, P]) forget(db int, key []byte) {
	for _, c := range cs.all[:cs.n] {
		if c.key != nil && c.db == db && bytes.Equal(c.key, key) {
			c.key = nil
		}
	}
}

// read returns a copy that looks at b.
func (cs *copies[V, P]) read(form byte, b []byte) P {
	p := P(cs.take().v)
	p.Unpack(form, b[:len(b):len(b)])
	return p
}

// write returns a copy of b with room to grow; an empty b makes an empty value.
func (cs *copies[V, P]) write(db int, key []byte, form byte, b []byte) P {
	c := cs.take()
	c.db, c.key = db, key
	if cap(c.room) < copyRoom {
		c.room = make([]byte, copyRoom)
	}
	p := P(c.v)
	p.Unpack(form, append(c.room[:0], b...))
	return p
}

// keep makes the copy p a value that lives on by itself.
func (cs *copies[V, P]) keep(p P) P {
	for _, c := range cs.all[:cs.n] {
		if c.v == p {
			*c = copied[V]{v: new(V)}
			p.Compact()
			break
		}
	}
	return p
}

// BeginCommand ends the use of values by the command before: what it got is not valid any more.
func (tx *Tx) BeginCommand() {
	tx.hashes.reset()
	tx.lists.reset()
	tx.sets.reset()
	tx.zsets.reset()
	tx.ReadsOnly = false
	if tx.veil != nil {
		tx.veil = nil
	}
	tx.beginEvents()
}

// forget takes key out of the copies, because it holds another value from now on.
func (tx *Tx) forget(kind Kind, key []byte) {
	switch kind {
	case Hash:
		tx.hashes.forget(tx.db, key)
	case List:
		tx.lists.forget(tx.db, key)
	case Set:
		tx.sets.forget(tx.db, key)
	case ZSet:
		tx.zsets.forget(tx.db, key)
	}
}

// view returns the object of e or a copy that reads.
func (tx *Tx) view(e *entry) Object {
	if !e.packed() {
		return tx.objectOf(e)
	}
	switch e.kind() {
	case Hash:
		return tx.hashes.read(e.form(), e.value())
	case List:
		return tx.lists.read(e.form(), e.value())
	case Set:
		return tx.sets.read(e.form(), e.value())
	case ZSet:
		return tx.zsets.read(e.form(), e.value())
	}
	panic("store: a packed value of no known type")
}

// object is the one way to a value that is not a string.
func object[V any, P packable[V]](tx *Tx, key []byte, kind Kind, m Mode, cs *copies[V, P]) (none P, err error) {
	var e entry
	if m == Read {
		e = tx.peek(key)
	} else {
		e = tx.find(key)
	}
	switch {
	case e.b == nil && m != Create:
		return none, nil
	case e.b != nil && e.kind() != kind:
		return none, ErrWrongType
	}
	if e.b != nil {
		if m != Read {
			tx.touch(&e)
		}
		if !e.packed() {
			if m != Read {
				e.ks.preserve(&e) // it is changed in place
			}
			return tx.objectOf(&e).(P), nil
		}
	}
	if cs.n > 0 {
		if p := cs.find(tx.db, key); p != nil {
			return p, nil
		}
	}
	switch {
	case e.b == nil:
		return cs.write(tx.db, key, 0, nil), nil
	case m == Read:
		return cs.read(e.form(), e.value()), nil
	}
	return cs.write(tx.db, key, e.form(), e.value()), nil
}

// bytesOf returns the bytes of o if it is small enough to live in a block, at most limit.
func bytesOf(o Object, limit int) (form byte, b []byte, ok bool) {
	p, packs := o.(interface {
		Packed() (form byte, b []byte, ok bool)
	})
	if !packs {
		return 0, nil, false
	}
	form, b, ok = p.Packed()
	return form, b, ok && len(b) <= limit
}

// keepObject makes o, which may be a copy, a value that lives on by itself.
func (tx *Tx) keepObject(o Object) Object {
	switch v := o.(type) {
	case *hash.Hash:
		return tx.hashes.keep(v)
	case *list.List:
		return tx.lists.keep(v)
	case *set.Set:
		return tx.sets.keep(v)
	case *zset.ZSet:
		return tx.zsets.keep(v)
	}
	return o
}

// Settle tells that n changes were made to the value o of key, which Write or Create returned: they take effect now. A
// value without elements is deleted with its key, unless it is a stream. Whoever watches the key or waits for it learns of it.
func (tx *Tx) Settle(key []byte, o Object, n int) {
	e := tx.find(key)
	switch {
	case o.Len() > 0 || lasts(o):
		tx.store(&e, key, o)
	case e.b != nil:
		tx.drop(&e)
	}
	tx.Modified(key, n)
}

// Amend is Settle for n changes that nobody who watches the key or waits for it looks for: to what a stream's groups know.
// The key must exist; it stays even if o has no elements.
func (tx *Tx) Amend(key []byte, o Object, n int) {
	e := tx.find(key)
	tx.store(&e, key, o)
	tx.changes += n
}

// store makes the key of e hold what o is now; e holds an earlier state of o, or is no key yet.
func (tx *Tx) store(e *entry, key []byte, o Object) {
	tx.tellNew(e, key)
	kind := kindOf(o)
	if e.b != nil && !e.packed() {
		form, b, ok := bytesOf(o, packedMax/2)
		if ok {
			e.ks.dropObject(e)
			tx.putPacked(e, key, kind, form, b, e.deadline())
			return
		}
		e.ks.enlist(e.h, o)
		e.ks.objects.weigh(objectNumber(e.value()))
		e.ks.account()
		return
	}
	at := e.deadline()
	if form, b, ok := bytesOf(o, packedMax); ok {
		tx.putPacked(e, key, kind, form, b, at)
		return
	}
	tx.putNumber(e, key, kind, tx.keepObject(o), at)
}

// putPacked makes the key of e, which has no object, hold the bytes b.
func (tx *Tx) putPacked(e *entry, key []byte, kind Kind, form byte, b []byte, at int64) {
	ks := tx.space(e)
	sh := shape{flags: byte(kind) | fPacked, key: key, vlen: len(b), deadline: at}
	if form != 0 {
		sh.flags |= fRaw
	}
	if e.b != nil && e.packed() && sh.need(sh.isLarge(e.size)) > e.size {
		// It was seen to grow, so it is given room to grow further.
		ks.moveDeadline(e, at)
		copy(ks.place(e, &sh, sh.need(sh.isLarge(0))+min(max(len(b)/8, 8), 128), tx.kept(e)), b)
	} else {
		copy(ks.put(e, &sh, tx.kept(e)), b)
	}
	ks.tidy()
}

// putNumber makes the key of e, which has no object, hold o by its number in the slab.
func (tx *Tx) putNumber(e *entry, key []byte, kind Kind, o Object, at int64) {
	ks := tx.space(e)
	sh := shape{flags: byte(kind), key: key, vlen: 4, deadline: at}
	ks.enlist(e.h, o)
	putObjectNumber(ks.put(e, &sh, tx.kept(e)), ks.objects.add(o))
	ks.tidy()
}

// SetObject makes key hold o, of the given kind, without a deadline, whatever it held. A nil or empty o deletes key.
// It does not call Modified.
func (tx *Tx) SetObject(key []byte, kind Kind, o Object) {
	e := tx.find(key)
	had := e.b != nil
	if had {
		tx.drop(&e)
		e = entry{h: e.h, ks: e.ks}
	}
	if o == nil || o.Len() == 0 && !lasts(o) {
		return
	}
	if !had {
		tx.tellNew(&e, key)
	}
	if form, b, ok := bytesOf(o, packedMax); ok {
		tx.putPacked(&e, key, kind, form, b, noDeadline)
		return
	}
	tx.putNumber(&e, key, kind, tx.keepObject(o), noDeadline)
}
