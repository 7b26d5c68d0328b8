// Package set is the value of a set key: members without order, each once.
//
// A Set is an intset while all its members are integers and few, a listpack while they are few and short, and a table
// (package dict) otherwise. It moves along that order only, as Redis 7.4 does.
//
// # Contract
//
//   - Nothing but OBJECT ENCODING and the order of Each tells what a Set is. An intset is in ascending order, a
//     listpack in the order in which the members came.
//   - Read methods of a nil Set behave as those of an empty one.
//   - A Set is not safe for concurrent use. Readers may share it; a writer needs it alone.
//   - Slices handed to callbacks must not be written to and are valid during the call.
//   - Callbacks must not change the Set.
package set

import (
	"fmt"
	"strconv"
	"unsafe"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store/dict"
	"github.com/streampulse/pulse/store/intset"
	"github.com/streampulse/pulse/store/listpack"
)

// Limits are what the small forms may hold.
type Limits struct {
	Ints    int // members of an intset
	Entries int // members of a listpack
	Value   int // bytes of a member of a listpack
}

// maxInts bounds an intset whatever the limits say: its bytes are moved at each change.
const maxInts = 1 << 30

func (lim *Limits) ints() int { return min(lim.Ints, maxInts) }

type form uint8

const (
	undecided form = iota // empty: the first member decides
	ints
	pack
	table
)

// Set is a set.
type Set struct {
	form   form
	packed []byte // an intset or a listpack
	table  *dict.Dict
}

// New returns an empty set whose form the first member decides.
func New() *Set { return &Set{} }

// FromIntset returns a set of the members of s, which the set keeps. s has been found valid.
func FromIntset(lim Limits, s intset.Intset) *Set {
	v := &Set{form: ints, packed: s}
	if s.Len() > lim.ints() {
		v.spread()
	}
	return v
}

// FromListpack returns a set of the entries of l, which the set keeps. l has been found valid and without equal
// entries.
func FromListpack(lim Limits, l listpack.Listpack) *Set {
	v := &Set{form: pack, packed: l}
	longest := 0
	for p := l.First(); p != listpack.None; p = l.Next(p) {
		longest = max(longest, l.TextLen(p))
	}
	if l.Len() > lim.Entries || longest > lim.Value {
		v.spread()
	}
	return v
}

func (v *Set) intset() intset.Intset       { return intset.Intset(v.packed) }
func (v *Set) listpack() listpack.Listpack { return listpack.Listpack(v.packed) }

// Intset returns the members as an intset, which the caller must not change; ok is false if v is none.
func (v *Set) Intset() (s intset.Intset, ok bool) {
	if v == nil || v.form != ints {
		return nil, false
	}
	return v.intset(), true
}

// Listpack returns the members as a listpack, which the caller must not change; ok is false if v is none.
func (v *Set) Listpack() (l listpack.Listpack, ok bool) {
	if v == nil || v.form != pack {
		return nil, false
	}
	return v.listpack(), true
}

// Len returns the number of members.
func (v *Set) Len() int {
	if v == nil {
		return 0
	}
	switch v.form {
	case ints:
		return v.intset().Len()
	case pack:
		return v.listpack().Len()
	case table:
		return v.table.Len()
	}
	return 0
}

// Encoding returns the name OBJECT ENCODING prints.
func (v *Set) Encoding() string {
	if v != nil {
		switch v.form {
		case ints:
			return "intset"
		case table:
			return "hashtable"
		}
	}
	return "listpack"
}

// Bytes estimates the memory held, in bytes.
func (v *Set) Bytes() int {
	if v == nil {
		return 0
	}
	n := int(unsafe.Sizeof(*v)) + cap(v.packed)
	if v.form == table {
		n += int(unsafe.Sizeof(*v.table)) + v.table.Bytes()
	}
	return n
}

// Clone returns an independent copy.
func (v *Set) Clone() *Set {
	if v == nil {
		return New()
	}
	c := &Set{form: v.form}
	switch v.form {
	case ints:
		c.packed = v.intset().Clone()
	case pack:
		c.packed = v.listpack().Clone()
	case table:
		c.table = v.table.Clone()
	}
	return c
}

// Has reports whether member is one.
func (v *Set) Has(member []byte) bool {
	if v == nil {
		return false
	}
	switch v.form {
	case ints:
		n, ok := num.ParseInt(member)
		return ok && v.intset().Contains(n)
	case pack:
		l := v.listpack()
		return l.Find(l.First(), member, 0) != listpack.None
	case table:
		return v.table.Has(member)
	}
	return false
}

// hasInt is Has for the integer n, whose text is given as well.
func (v *Set) hasInt(n int64, text []byte) bool {
	if v.form == ints {
		return v.intset().Contains(n)
	}
	return v.Has(text)
}

// Expect tells that about n members are about to be added, the first of which is given: it decides the form of an
// empty set, and a small set that would outgrow its form becomes a table at once.
func (v *Set) Expect(lim Limits, first []byte, n int) {
	switch v.form {
	case undecided:
		if _, isInt := num.ParseInt(first); isInt && n <= lim.ints() {
			v.form, v.packed = ints, intset.In(v.packed)
		} else if n <= lim.Entries {
			v.form, v.packed = pack, listpack.In(v.packed)
		} else {
			v.spread()
		}
	case ints:
		if n > lim.ints() {
			v.spread()
		}
	case pack:
		if n > lim.Entries {
			v.spread()
		}
	}
}

const (
	// newPack is the room of a fresh listpack in bytes: two or three short members.
	newPack = 48
	// entryOverhead is what an entry of a listpack takes beside its text, at most, in bytes.
	entryOverhead = 16
)

// Add adds member and reports whether it is new. It may not point into v.
func (v *Set) Add(lim Limits, member []byte) (added bool) {
	switch v.form {
	case undecided:
		v.Expect(lim, member, 1)
		return v.Add(lim, member)
	case ints:
		n, isInt := num.ParseInt(member)
		if !isInt {
			v.admitText(lim, len(member))
			return v.insert(lim, member)
		}
		v.packed, added = v.intset().Add(n)
		if added && v.intset().Len() > lim.ints() {
			v.spread()
		}
		return added
	case pack:
		if l := v.listpack(); l.Find(l.First(), member, 0) != listpack.None {
			return false
		}
		return v.insert(lim, member)
	}
	return v.table.Add(member)
}

// insert adds member, which is not in v, to a listpack or a table.
func (v *Set) insert(lim Limits, member []byte) bool {
	if v.form == pack {
		l := v.listpack()
		if l.Len() < lim.Entries && len(member) <= lim.Value && l.Fits(len(member)+entryOverhead) {
			v.packed = l.Append(member)
			return true
		}
		v.spread()
	}
	return v.table.Add(member)
}

// admitText makes an intset a form that can take a text of n bytes: a listpack if all fits there.
func (v *Set) admitText(lim Limits, n int) {
	s := v.intset()
	longest := 0
	if lo, ok := s.Min(); ok {
		hi, _ := s.Max()
		longest = max(textLen(lo), textLen(hi))
	}
	if s.Len() >= lim.Entries || n > lim.Value || longest > lim.Value {
		v.spread()
		return
	}
	l := listpack.New(newPack)
	for m := range s.All() {
		l = l.AppendInt(m)
	}
	v.form, v.packed = pack, l
}

func textLen(n int64) int {
	var scratch [num.MaxIntLen]byte
	return len(strconv.AppendInt(scratch[:0], n, 10))
}

// spread makes v a table.
func (v *Set) spread() {
	if v.form == table {
		return
	}
	t := new(dict.Dict)
	v.Each(func(member []byte) bool {
		t.Add(member)
		return true
	})
	v.form, v.packed, v.table = table, nil, t
}

// gather makes v an intset if all its members are integers and not too many.
func (v *Set) gather(lim Limits) {
	if v.form == ints || v.Len() > lim.ints() {
		return
	}
	s, all := intset.New(4), true
	v.Each(func(member []byte) bool {
		n, isInt := num.ParseInt(member)
		if all = isInt; all {
			s, _ = s.Add(n)
		}
		return all
	})
	if all {
		v.form, v.packed, v.table = ints, s, nil
	}
}

// Remove removes member and reports whether it was one.
func (v *Set) Remove(member []byte) (removed bool) {
	if v == nil {
		return false
	}
	switch v.form {
	case ints:
		if n, isInt := num.ParseInt(member); isInt {
			v.packed, removed = v.intset().Remove(n)
		}
	case pack:
		l := v.listpack()
		p := l.Find(l.First(), member, 0)
		if removed = p != listpack.None; removed {
			v.packed, _ = l.Delete(p)
		}
	case table:
		removed = v.table.Delete(member)
	}
	return removed
}

// Check verifies what must always hold; for tests.
func (v *Set) Check() error {
	if v == nil {
		return nil
	}
	switch v.form {
	case ints:
		return intset.Valid(v.packed)
	case pack:
		l := v.listpack()
		if err := listpack.Valid(l); err != nil {
			return err
		}
		for p := l.First(); p != listpack.None; p = l.Next(p) {
			var scratch [num.MaxIntLen]byte
			if l.Find(l.First(), l.Text(p, scratch[:]), 0) != p {
				return fmt.Errorf("set: two members are equal")
			}
		}
	case table:
		if v.packed != nil {
			return fmt.Errorf("set: both small and a table")
		}
		return v.table.Check()
	}
	return nil
}
