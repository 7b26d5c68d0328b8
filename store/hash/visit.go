package hash

import (
	"math/rand/v2"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store/listpack"
)

// texts is room for the texts of a pair of integers.
type texts struct{ field, value [num.MaxIntLen]byte }

// pair returns field and value of the pair whose field is at p, and the position of the next pair's field.
func (v *Hash) pair(p int, t *texts) (field, value []byte, next int) {
	q := v.pack.Next(p)
	return v.pack.Text(p, t.field[:]), v.pack.Text(q, t.value[:]), v.pack.Next(q)
}

// Each calls f for every field until f returns false: in the order in which they came while v is a listpack, in no
// order to rely on after that.
func (v *Hash) Each(f func(field, value []byte) bool) {
	if v.none() {
		return
	}
	if v.table != nil {
		v.table.Each(f)
		return
	}
	var t texts
	for p := v.pack.First(); p != listpack.None; {
		field, value, next := v.pair(p, &t)
		if !f(field, value) {
			return
		}
		p = next
	}
}

// Draw calls f for n fields, each chosen among all: the same one may come again. v must not be empty.
func (v *Hash) Draw(r *rand.Rand, n int, f func(field, value []byte) bool) {
	if v.table != nil {
		for range n {
			if !f(v.table.Random(r)) {
				return
			}
		}
		return
	}
	// Walking a listpack for each of many draws would be slow: it is walked once, for an index.
	var t texts
	if n == 1 {
		p, _ := v.pack.PairAt(r.IntN(v.pack.Pairs()))
		field, value, _ := v.pair(p, &t)
		f(field, value)
		return
	}
	at := make([]int, 0, v.pack.Pairs())
	for p := v.pack.First(); p != listpack.None; p = v.pack.Next(v.pack.Next(p)) {
		at = append(at, p)
	}
	for range n {
		field, value, _ := v.pair(at[r.IntN(len(at))], &t)
		if !f(field, value) {
			return
		}
	}
}

// Sample calls f for n different fields, all of them if there are not as many; every choice is equally likely.
func (v *Hash) Sample(r *rand.Rand, n int, f func(field, value []byte)) {
	if v.none() {
		return
	}
	if v.table != nil {
		v.table.Sample(r, n, f)
		return
	}
	var t texts
	left := v.pack.Pairs()
	for p := v.pack.First(); p != listpack.None && n > 0; left-- {
		field, value, next := v.pair(p, &t)
		if r.IntN(left) < n {
			f(field, value)
			n--
		}
		p = next
	}
}

// Scan calls f for about count fields beginning at cursor (0: the start) and returns the cursor to go on from, 0 at the
// end; of a listpack it reports all at once. Fields that are there from the first call to the last are reported at
// least once.
func (v *Hash) Scan(cursor uint64, count int, f func(field, value []byte)) (next uint64) {
	if v != nil && v.table != nil {
		return v.table.Scan(cursor, count, f)
	}
	v.Each(func(field, value []byte) bool {
		f(field, value)
		return true
	})
	return 0
}
