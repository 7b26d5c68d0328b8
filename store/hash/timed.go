package hash

import "github.com/streampulse/pulse/store/listpack"

// FromTimed is FromListpack with the deadlines of the fields, one for each pair in their order, Forever for none. The hash
// keeps both.
func FromTimed(lim Limits, l listpack.Listpack, at []int64) *Hash {
	t := &times{at: at, earliest: Forever, listed: Forever}
	for _, d := range at {
		if d != Forever {
			t.n++
			t.earliest = min(t.earliest, d)
		}
	}
	if t.n == 0 {
		return FromListpack(lim, l)
	}
	v := &Hash{pack: l, times: t}
	if l.Pairs() > lim.Entries || v.longest() > lim.Value {
		v.spread()
	}
	return v
}

// longest returns the length of the longest field or value of a listpack, in bytes.
func (v *Hash) longest() (n int) {
	for p := v.pack.First(); p != listpack.None; p = v.pack.Next(p) {
		n = max(n, v.pack.TextLen(p))
	}
	return n
}
