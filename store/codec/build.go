package codec

import (
	"hash/maphash"
	"slices"
	"strconv"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store/hash"
	"github.com/streampulse/pulse/store/intset"
	"github.com/streampulse/pulse/store/listpack"
	"github.com/streampulse/pulse/store/set"
)

// Building a value element by element with its own methods would search a listpack for each: with limits as large as
// some users set them, the time would be quadratic in the size of the input. The builders search at the end, once.

var seed = maphash.MakeSeed()

// searched is the number of rows up to which a listpack is searched for each of them.
const searched = 24

// distinct reports whether the first entries of all rows of step entries of l differ.
func distinct(l listpack.Listpack, step int) bool {
	var seen map[uint64]struct{}
	if n := l.Len() / step; n > searched {
		seen = make(map[uint64]struct{}, n)
	}
	var scratch [num.MaxIntLen]byte
	for p := l.First(); p != listpack.None; {
		text := l.Text(p, scratch[:])
		look := true
		if seen != nil {
			h := maphash.Bytes(seed, text)
			_, look = seen[h]
			seen[h] = struct{}{}
		}
		if look && l.Find(l.First(), text, step-1) != p {
			return false
		}
		for i := 0; i < step && p != listpack.None; i++ {
			p = l.Next(p)
		}
	}
	return true
}

// perEntry is what an entry of a listpack takes beside its text, at most, in bytes.
const perEntry = 16

// hashBuilder makes a hash of pairs.
type hashBuilder struct {
	lim      hash.Limits
	hopeless bool // there will be too many for a listpack
	pack     listpack.Listpack
	n        int
	at       []int64    // deadlines of the pairs of pack, nil while none has one
	table    *hash.Hash // once the listpack is outgrown
}

// add adds a pair without a deadline.
func (b *hashBuilder) add(field, value []byte) error { return b.addAt(field, value, hash.Forever) }

// addAt adds a pair; that a field comes twice may only be found at the end.
func (b *hashBuilder) addAt(field, value []byte, at int64) error {
	if b.table == nil && !b.hopeless {
		if b.pack == nil {
			b.pack = listpack.New(64)
		}
		if b.n < b.lim.Entries && len(field) <= b.lim.Value && len(value) <= b.lim.Value &&
			b.pack.Fits(len(field)+len(value)+2*perEntry) {
			b.pack = b.pack.AppendPair(field, value)
			if b.at == nil && at != hash.Forever {
				b.at = slices.Repeat([]int64{hash.Forever}, b.n)
			}
			if b.n++; b.at != nil {
				b.at = append(b.at, at)
			}
			return nil
		}
	}
	if b.table == nil {
		if err := b.spread(); err != nil {
			return err
		}
	}
	if !b.table.SetAt(b.lim, field, value, at) {
		return errTwice
	}
	return nil
}

func (b *hashBuilder) spread() error {
	b.table = hash.New()
	b.table.Expect(hash.Limits{}, 1) // beyond these limits it is a table
	if b.pack == nil {
		return nil
	}
	var field, value [num.MaxIntLen]byte
	for p, i := b.pack.First(), 0; p != listpack.None; i++ {
		q := b.pack.Next(p)
		at := int64(hash.Forever)
		if b.at != nil {
			at = b.at[i]
		}
		if !b.table.SetAt(b.lim, b.pack.Text(p, field[:]), b.pack.Text(q, value[:]), at) {
			return errTwice
		}
		p = b.pack.Next(q)
	}
	b.pack, b.at = nil, nil
	return nil
}

func (b *hashBuilder) finish() (*hash.Hash, error) {
	switch {
	case b.table != nil:
		return b.table, nil
	case b.pack == nil || b.n == 0:
		return nil, ErrEmpty
	case !distinct(b.pack, 2):
		return nil, errTwice
	}
	return hash.FromTimed(b.lim, b.pack.Shrink(), b.at), nil
}

// setBuilder makes a set of members.
type setBuilder struct {
	lim      set.Limits
	hopeless bool // there will be too many for a listpack or an intset
	ints     intset.Intset
	pack     listpack.Listpack
	n        int      // members of pack
	table    *set.Set // once both are outgrown
}

// add adds a member and reports false if it came before, which may not be found before the end.
func (b *setBuilder) add(member []byte) bool {
	switch {
	case b.table != nil:
		return b.table.Add(b.lim, member)
	case b.hopeless:
		return b.spread() && b.table.Add(b.lim, member)
	case b.pack == nil:
		if n, isInt := num.ParseInt(member); isInt && (b.ints.Bytes() == 0 || b.ints.Len() < b.lim.Ints) && b.lim.Ints > 0 {
			if b.ints == nil {
				b.ints = intset.New(4)
			}
			var added bool
			b.ints, added = b.ints.Add(n)
			return added
		}
		b.pack = listpack.New(64)
		if b.ints != nil {
			if b.ints.Len() >= b.lim.Entries {
				return b.spread() && b.table.Add(b.lim, member)
			}
			for n := range b.ints.All() {
				b.pack = b.pack.AppendInt(n)
				b.n++
			}
			b.ints = nil
		}
	}
	if b.n < b.lim.Entries && len(member) <= b.lim.Value && b.pack.Fits(len(member)+perEntry) {
		b.pack = b.pack.Append(member)
		b.n++
		return true
	}
	return b.spread() && b.table.Add(b.lim, member)
}

// spread moves what is there to a table and reports false if a member comes twice.
func (b *setBuilder) spread() bool {
	b.table = set.New()
	b.table.Expect(set.Limits{}, nil, 1) // beyond these limits it is a table
	if b.ints != nil {
		var scratch [num.MaxIntLen]byte
		for n := range b.ints.All() {
			b.table.Add(b.lim, strconv.AppendInt(scratch[:0], n, 10))
		}
		b.ints = nil
		return true
	}
	if b.pack != nil {
		var scratch [num.MaxIntLen]byte
		for p := b.pack.First(); p != listpack.None; p = b.pack.Next(p) {
			if !b.table.Add(b.lim, b.pack.Text(p, scratch[:])) {
				return false
			}
		}
		b.pack = nil
	}
	return true
}

func (b *setBuilder) finish() (*set.Set, error) {
	switch {
	case b.table != nil:
		return b.table, nil
	case b.ints != nil:
		return set.FromIntset(b.lim, b.ints), nil
	case b.n == 0:
		return nil, ErrEmpty
	case !distinct(b.pack, 1):
		return nil, errTwice
	}
	return set.FromListpack(b.lim, b.pack.Shrink()), nil
}
