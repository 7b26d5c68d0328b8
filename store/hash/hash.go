// Package hash is the value of a hash key: fields, each with a value.
//
// A Hash begins as a listpack of pairs, in the order in which the fields came, and becomes a table (package dict) when
// it outgrows the Limits; there is no way back. A field may have a deadline (times.go). A Hash knows no clock: fields
// whose time has come are there until Expire takes them away.
//
// # Contract
//
//   - Nothing but OBJECT ENCODING and the order of Each tells which of the two a Hash is.
//   - Read methods of a nil Hash behave as those of an empty one.
//   - A Hash is not safe for concurrent use. Readers may share it; a writer needs it alone.
//   - Slices that methods return or hand to callbacks must not be written to. Those returned are valid until the next
//     change of the Hash; integers are written over the scratch the caller lends (num.MaxIntLen bytes spare an
//     allocation). Those handed to callbacks are valid during the call.
//   - Callbacks must not change the Hash.
package hash

import (
	"fmt"
	"unsafe"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store/dict"
	"github.com/streampulse/pulse/store/listpack"
)

// Limits are what a listpack may hold.
type Limits struct {
	Entries int // fields
	Value   int // bytes of a field or a value
}

// Hash is a hash. It is a table if table is not nil, else a listpack; a nil pack is an empty one.
type Hash struct {
	pack  listpack.Listpack
	table *dict.Dict
	times *times // nil until a field has a deadline
}

// newPack is the room of a fresh listpack in bytes: two or three short fields.
const newPack = 64

// New returns an empty hash.
func New() *Hash { return &Hash{} }

// FromListpack returns a hash of the pairs in l, which the hash keeps. l has been found valid, of even length and
// without equal fields.
func FromListpack(lim Limits, l listpack.Listpack) *Hash {
	v := &Hash{pack: l}
	if l.Pairs() > lim.Entries || v.longest() > lim.Value {
		v.spread()
	}
	return v
}

// Listpack returns the pairs as a listpack, which the caller must not change; ok is false if v is a table. Deadlines are
// not in it.
func (v *Hash) Listpack() (l listpack.Listpack, ok bool) {
	if v == nil || v.table == nil && v.pack == nil {
		return listpack.New(0), true
	}
	return v.pack, v.table == nil
}

func (v *Hash) packed() bool { return v == nil || v.table == nil }

// none reports whether v is a listpack without fields.
func (v *Hash) none() bool { return v == nil || v.table == nil && v.pack == nil }

// Len returns the number of fields.
func (v *Hash) Len() int {
	switch {
	case v.none():
		return 0
	case v.table != nil:
		return v.table.Len()
	}
	return v.pack.Pairs()
}

// Encoding returns the name OBJECT ENCODING prints.
func (v *Hash) Encoding() string {
	switch {
	case !v.packed():
		return "hashtable"
	case v.Volatile():
		return "listpackex"
	}
	return "listpack"
}

// Bytes estimates the memory held, in bytes.
func (v *Hash) Bytes() int {
	switch {
	case v == nil:
		return 0
	case v.table != nil:
		return int(unsafe.Sizeof(*v)+unsafe.Sizeof(*v.table)) + v.table.Bytes() + v.times.bytes()
	}
	return int(unsafe.Sizeof(*v)) + cap(v.pack) + v.times.bytes()
}

// Clone returns an independent copy, deadlines included, which is listed nowhere.
func (v *Hash) Clone() *Hash {
	c := New()
	switch {
	case v.none():
	case v.table != nil:
		c.table = v.table.Clone()
	default:
		c.pack = v.pack.Clone()
		c.times = v.times.clone()
	}
	return c
}

// Get returns the value of field, and false if there is no such field.
func (v *Hash) Get(field, scratch []byte) (value []byte, ok bool) {
	if v.none() {
		return nil, false
	}
	if v.table != nil {
		return v.table.Get(field)
	}
	_, p := v.pack.FindPair(field)
	if p == listpack.None {
		return nil, false
	}
	return v.pack.Text(p, scratch), true
}

// Has reports whether there is such a field.
func (v *Hash) Has(field []byte) bool {
	if v.none() {
		return false
	}
	if v.table != nil {
		return v.table.Has(field)
	}
	p, _ := v.pack.FindPair(field)
	return p != listpack.None
}

// ValueLen returns the length of the value of field in bytes, 0 if there is no such field.
func (v *Hash) ValueLen(field []byte) int {
	if v.none() {
		return 0
	}
	if v.table != nil {
		value, _ := v.table.Get(field)
		return len(value)
	}
	_, p := v.pack.FindPair(field)
	if p == listpack.None {
		return 0
	}
	return v.pack.TextLen(p)
}

// Expect tells that about n fields are about to be set: a hash that would outgrow its listpack becomes a table at once.
func (v *Hash) Expect(lim Limits, n int) {
	if n > lim.Entries {
		v.spread()
	}
}

// Set makes value the value of field, without a deadline, and reports whether the field is new. Neither may point into v.
func (v *Hash) Set(lim Limits, field, value []byte) (added bool) {
	return v.put(lim, field, value, Forever)
}

// put is Set with a deadline, Forever for none or keep for the one that the field has.
func (v *Hash) put(lim Limits, field, value []byte, at int64) (added bool) {
	if v.table == nil {
		if v.pack == nil {
			v.pack = listpack.New(newPack)
		}
		const overhead = 32 // of two entries in a listpack, at most
		if len(field) > lim.Value || len(value) > lim.Value || !v.pack.Fits(len(field)+len(value)+overhead) {
			v.spread()
		}
	}
	if v.table != nil {
		if at == keep {
			return v.table.Update(field, value)
		}
		return v.table.SetAt(field, value, at)
	}
	if p, q := v.pack.FindPair(field); p != listpack.None {
		if at != keep {
			v.stamp(p, at)
		}
		v.pack = v.pack.Replace(q, value)
	} else {
		v.pack = v.pack.AppendPair(field, value)
		v.stampNew(at)
		added = true
	}
	if v.pack.Pairs() > lim.Entries {
		v.spread()
	}
	return added
}

// spread makes v a table.
func (v *Hash) spread() {
	if v.table != nil {
		return
	}
	t := new(dict.Dict)
	v.EachAt(func(field, value []byte, at int64) bool {
		t.SetAt(field, value, at)
		return true
	})
	v.pack, v.table = nil, t
	v.times.forgetAll()
}

// Delete removes field and reports whether there was such a field.
func (v *Hash) Delete(field []byte) bool {
	if v.none() {
		return false
	}
	if v.table != nil {
		return v.table.Delete(field)
	}
	p, _ := v.pack.FindPair(field)
	if p == listpack.None {
		return false
	}
	v.unstamp(p)
	v.pack, _ = v.pack.DeletePair(p)
	return true
}

// Check verifies what must always hold; for tests.
func (v *Hash) Check() error {
	if v.none() {
		return nil
	}
	if v.table != nil {
		if v.pack != nil || v.times.any() {
			return fmt.Errorf("hash: both a listpack and a table")
		}
		return v.table.Check()
	}
	if err := v.checkTimes(); err != nil {
		return err
	}
	if err := listpack.Valid(v.pack); err != nil {
		return err
	}
	if v.pack.Len()%2 != 0 {
		return fmt.Errorf("hash: %d entries are no pairs", v.pack.Len())
	}
	for p := v.pack.First(); p != listpack.None; p = v.pack.Next(v.pack.Next(p)) {
		var scratch [num.MaxIntLen]byte
		if q, _ := v.pack.FindPair(v.pack.Text(p, scratch[:])); q != p {
			return fmt.Errorf("hash: two fields are equal")
		}
	}
	return nil
}
