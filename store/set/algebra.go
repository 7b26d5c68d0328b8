package set

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store/intset"
	"github.com/streampulse/pulse/store/listpack"
)

// The functions here put sets (nil for the empty set) together. Those that take a slice may reorder it.

func bySize(a, b *Set) int { return cmp.Compare(a.Len(), b.Len()) }

// Inter calls f for the members that all sets have until f returns false: in the order of the smallest set, each of
// whose members is looked up in the others, smallest first.
func Inter(sets []*Set, f func(member []byte) bool) {
	slices.SortStableFunc(sets, bySize)
	first, others := sets[0], sets[1:]
	if first.Len() == 0 {
		return
	}
	if first.form != ints {
		first.Each(func(member []byte) bool {
			for _, o := range others {
				if o != first && !o.Has(member) {
					return true
				}
			}
			return f(member)
		})
		return
	}
	// Integers are looked up as such; their text is made once.
	s := first.intset()
	var buf [num.MaxIntLen]byte
next:
	for i := range s.Len() {
		n := s.At(i)
		text := strconv.AppendInt(buf[:0], n, 10)
		for _, o := range others {
			if o != first && !o.hasInt(n, text) {
				continue next
			}
		}
		if !f(text) {
			return
		}
	}
}

// InterStore returns the intersection as a new set.
func InterStore(lim Limits, sets []*Set) *Set {
	slices.SortStableFunc(sets, bySize)
	v := New()
	if sets[0].Len() == 0 {
		return v
	}
	if sets[0].form == ints {
		v.form, v.packed = ints, intset.New(4)
	} else {
		v.form, v.packed = pack, listpack.New(newPack)
	}
	Inter(sets, func(member []byte) bool {
		v.Add(lim, member)
		return true
	})
	v.gather(lim)
	return v
}

// probed is the number of sets up to which Union looks a member up in the sets before rather than remember all members.
const probed = 4

// Union calls f for the members that any of the sets has, each once.
func Union(lim Limits, sets []*Set, f func(member []byte) bool) {
	small := true
	for _, s := range sets {
		small = small && (s.Len() == 0 || s.form == ints)
	}
	if small || len(sets) > probed {
		UnionStore(lim, sets).Each(f)
		return
	}
	for i, s := range sets {
		more := true
		s.Each(func(member []byte) bool {
			for _, before := range sets[:i] {
				if before.Has(member) {
					return true
				}
			}
			more = f(member)
			return more
		})
		if !more {
			return
		}
	}
}

// UnionStore returns the union as a new set.
func UnionStore(lim Limits, sets []*Set) *Set {
	v := empty()
	for _, s := range sets {
		s.Each(func(member []byte) bool {
			v.Add(lim, member)
			return true
		})
	}
	return v
}

// empty returns the set that unions and differences start from.
func empty() *Set { return &Set{form: ints, packed: intset.New(4)} }

// Diff calls f for the members of the first set that no other has until f returns false.
func Diff(lim Limits, sets []*Set, f func(member []byte) bool) {
	if probeToSubtract(sets) {
		subtract(sets, f)
		return
	}
	removeAll(lim, sets).Each(f)
}

// DiffStore returns the difference as a new set.
func DiffStore(lim Limits, sets []*Set) *Set {
	if !probeToSubtract(sets) {
		return removeAll(lim, sets)
	}
	v := empty()
	subtract(sets, func(member []byte) bool {
		v.Add(lim, member)
		return true
	})
	return v
}

// probeToSubtract chooses between the two ways to subtract: to look up each member of the first set in the others, or
// to remove each member of the others from a copy of the first. The work of the former counts half, because a member
// that is found ends its search.
func probeToSubtract(sets []*Set) bool {
	probe, remove := 0, 0
	for _, s := range sets {
		if s.Len() > 0 {
			probe += sets[0].Len()
			remove += s.Len()
		}
	}
	return probe/2 <= remove
}

func subtract(sets []*Set, f func(member []byte) bool) {
	first, others := sets[0], sets[1:]
	if slices.Contains(others, first) {
		return
	}
	// What is in any set is found soonest in the large ones.
	slices.SortStableFunc(others, func(a, b *Set) int { return bySize(b, a) })
	first.Each(func(member []byte) bool {
		for _, o := range others {
			if o.Has(member) {
				return true
			}
		}
		return f(member)
	})
}

func removeAll(lim Limits, sets []*Set) *Set {
	v := UnionStore(lim, sets[:1])
	for _, s := range sets[1:] {
		s.Each(func(member []byte) bool {
			v.Remove(member)
			return v.Len() > 0
		})
	}
	return v
}
