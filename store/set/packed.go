package set

import (
	"github.com/streampulse/pulse/store/intset"
	"github.com/streampulse/pulse/store/listpack"
)

// The forms of Packed.
const (
	packedList = 0
	packedInts = 1
)

// Packed returns the bytes of a set that is not a table, and which of two forms they have; they are the set's own. ok
// is false for a table.
func (v *Set) Packed() (form byte, b []byte, ok bool) {
	switch v.form {
	case ints:
		return packedInts, v.packed, true
	case pack:
		return packedList, v.packed, true
	}
	return 0, nil, false
}

// Unpack makes v the set that Packed described. The set keeps b and its capacity; an empty b makes an empty set which
// will use that capacity first. A set that is only read does not write to b.
func (v *Set) Unpack(form byte, b []byte) {
	*v = Set{packed: b}
	switch {
	case len(b) == 0:
	case form == packedInts:
		v.form = ints
	default:
		v.form = pack
	}
}

// Compact gives back memory a small set does not use.
func (v *Set) Compact() {
	switch v.form {
	case ints:
		v.packed = intset.Intset(v.packed).Clone()
	case pack:
		v.packed = listpack.Listpack(v.packed).Clone()
	}
}
