package set

import (
	"math/rand/v2"
	"strconv"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store/dict"
	"github.com/streampulse/pulse/store/intset"
	"github.com/streampulse/pulse/store/listpack"
)

// Each calls f for every member until f returns false.
func (v *Set) Each(f func(member []byte) bool) {
	if v == nil {
		return
	}
	var text [num.MaxIntLen]byte
	switch v.form {
	case ints:
		s := v.intset()
		for i := range s.Len() {
			if !f(strconv.AppendInt(text[:0], s.At(i), 10)) {
				return
			}
		}
	case pack:
		l := v.listpack()
		for p := l.First(); p != listpack.None; p = l.Next(p) {
			if !f(l.Text(p, text[:])) {
				return
			}
		}
	case table:
		v.table.Each(func(member, _ []byte) bool { return f(member) })
	}
}

// at calls f for the member of a small form that has the given index.
func (v *Set) at(index int, f func(member []byte) bool) bool {
	var text [num.MaxIntLen]byte
	if v.form == ints {
		return f(strconv.AppendInt(text[:0], v.intset().At(index), 10))
	}
	l := v.listpack()
	return f(l.Text(l.At(index), text[:]))
}

// Draw calls f for n members, each chosen among all, until f returns false: the same one may come again. v must not be
// empty.
func (v *Set) Draw(r *rand.Rand, n int, f func(member []byte) bool) {
	if v.form == table {
		for range n {
			if member, _ := v.table.Random(r); !f(member) {
				return
			}
		}
		return
	}
	if v.form == ints || n == 1 {
		for m := v.Len(); n > 0; n-- {
			if !v.at(r.IntN(m), f) {
				return
			}
		}
		return
	}
	// Walking a listpack for each of many draws would be slow: it is walked once, for an index.
	l := v.listpack()
	at := make([]int, 0, l.Len())
	for p := l.First(); p != listpack.None; p = l.Next(p) {
		at = append(at, p)
	}
	var text [num.MaxIntLen]byte
	for range n {
		if !f(l.Text(at[r.IntN(len(at))], text[:])) {
			return
		}
	}
}

// Sample calls f for n different members, all of them if there are not as many; every choice is equally likely.
func (v *Set) Sample(r *rand.Rand, n int, f func(member []byte)) {
	if v != nil && v.form == table {
		v.table.Sample(r, n, func(member, _ []byte) { f(member) })
		return
	}
	v.sift(r, n, f, nil)
}

// sift walks all members and calls taken for n of them, chosen at random, and kept, unless it is nil, for the others.
func (v *Set) sift(r *rand.Rand, n int, taken, kept func(member []byte)) {
	left := v.Len()
	v.Each(func(member []byte) bool {
		if r.IntN(left) < n {
			n--
			taken(member)
		} else if kept != nil {
			kept(member)
		}
		left--
		return n > 0 || kept != nil
	})
}

// Pop removes n members, chosen at random, and calls f for each. n must be from 1 to Len.
func (v *Set) Pop(r *rand.Rand, n int, f func(member []byte)) {
	switch {
	case n == v.Len():
		v.Each(func(member []byte) bool { f(member); return true })
		*v = Set{}
	case v.form == table:
		v.popTable(r, n, f)
	case n == 1:
		i := r.IntN(v.Len())
		v.at(i, func(member []byte) bool { f(member); return true })
		if v.form == ints {
			v.packed = v.intset().RemoveAt(i)
		} else {
			v.packed = v.listpack().DeleteRange(i, 1)
		}
	case v.form == ints:
		rest := intset.New(v.Len() - n)
		v.sift(r, n, f, func(member []byte) {
			i, _ := num.ParseInt(member)
			rest, _ = rest.Add(i)
		})
		v.packed = rest
	default:
		rest := listpack.New(newPack)
		v.sift(r, n, f, func(member []byte) { rest = rest.Append(member) })
		v.packed = rest
	}
}

// popTable takes members out one by one, or, if few are to stay, makes a new table of those.
func (v *Set) popTable(r *rand.Rand, n int, f func(member []byte)) {
	if v.Len()-n < n/4 {
		rest := new(dict.Dict)
		v.sift(r, n, f, func(member []byte) { rest.Add(member) })
		v.table = rest
		return
	}
	for range n {
		member, _ := v.table.Random(r)
		f(member)
		v.table.Delete(member)
	}
}

// Scan calls f for about count members beginning at cursor (0: the start) and returns the cursor to go on from, 0 at
// the end; of the small forms it reports all at once. Members that are there from the first call to the last are
// reported at least once.
func (v *Set) Scan(cursor uint64, count int, f func(member []byte)) (next uint64) {
	if v != nil && v.form == table {
		return v.table.Scan(cursor, count, func(member, _ []byte) { f(member) })
	}
	v.Each(func(member []byte) bool {
		f(member)
		return true
	})
	return 0
}
