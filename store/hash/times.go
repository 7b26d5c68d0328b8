package hash

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/streampulse/pulse/store/dict"
	"github.com/streampulse/pulse/store/listpack"
)

// Forever is the deadline of a field that has none. Deadlines are Unix milliseconds, though this package only compares
// them.
const Forever = dict.Forever

// keep stands for the deadline that a field has.
const keep = math.MinInt64

// times is what a hash knows about time. A table keeps the deadlines of its fields itself; those of a listpack stand
// beside it, so that the pairs remain what they are without deadlines and need not be moved when a deadline changes.
type times struct {
	// at has one deadline for each pair of the listpack, in the order of the pairs; nil if no field has one.
	at       []int64
	n        int   // those that are not Forever
	earliest int64 // of at, if n > 0
	listed   int64 // see Listed
}

func (t *times) any() bool { return t != nil && t.n > 0 }

func (t *times) bytes() int {
	if t == nil {
		return 0
	}
	return int(unsafe.Sizeof(*t)) + 8*cap(t.at)
}

func (t *times) clone() *times {
	if !t.any() {
		return nil
	}
	return &times{at: slices.Clone(t.at), n: t.n, earliest: t.earliest, listed: Forever}
}

func (t *times) forgetAll() {
	if t != nil {
		t.at, t.n = nil, 0
	}
}

// grow adds a pair without a deadline; a quarter of slack is less than append would take.
func (t *times) grow() {
	if n := len(t.at); n == cap(t.at) {
		t.at = append(make([]int64, 0, n+n/4+2), t.at...)
	}
	t.at = append(t.at, Forever)
}

// set makes at the deadline of pair i.
func (t *times) set(i int, at int64) {
	old := t.at[i]
	if old == at {
		return
	}
	t.at[i] = at
	switch {
	case old == Forever:
		t.n++
	case at == Forever:
		t.n--
	}
	switch {
	case t.n == 0:
		t.at = nil
	case t.n == 1 && old == Forever, at < t.earliest:
		t.earliest = at
	case old == t.earliest:
		t.earliest = slices.Min(t.at)
	}
}

// index returns which pair of the listpack has its field at p.
func (v *Hash) index(p int) (i int) {
	for q := v.pack.First(); q != p; q = v.pack.Next(v.pack.Next(q)) {
		i++
	}
	return i
}

// start makes room for the deadlines of all pairs, none of which has one yet.
func (v *Hash) start() {
	if v.times == nil {
		v.times = &times{listed: Forever}
	}
	v.times.at = slices.Repeat([]int64{Forever}, v.pack.Pairs())
}

// stamp makes at the deadline of the pair whose field is at p.
func (v *Hash) stamp(p int, at int64) {
	if !v.times.any() {
		if at == Forever {
			return
		}
		v.start()
	}
	v.times.set(v.index(p), at)
}

// stampNew is stamp for the last pair, which was just appended and has no deadline to keep.
func (v *Hash) stampNew(at int64) {
	if at == keep {
		at = Forever
	}
	switch {
	case v.times.any():
		v.times.grow()
	case at == Forever:
		return
	default:
		v.start()
	}
	v.times.set(len(v.times.at)-1, at)
}

// unstamp forgets the pair whose field is at p, which is about to be deleted.
func (v *Hash) unstamp(p int) {
	t := v.times
	if !t.any() {
		return
	}
	i := v.index(p)
	if t.set(i, Forever); t.any() {
		t.at = slices.Delete(t.at, i, i+1)
	}
}

// SetAt is Set with a deadline, Forever for none.
func (v *Hash) SetAt(lim Limits, field, value []byte, at int64) (added bool) {
	return v.put(lim, field, value, at)
}

// Update is Set, but the field keeps its deadline.
func (v *Hash) Update(lim Limits, field, value []byte) (added bool) {
	return v.put(lim, field, value, keep)
}

// Deadline returns the deadline of field, Forever if it has none; ok is false if there is no such field.
func (v *Hash) Deadline(field []byte) (at int64, ok bool) {
	if v.none() {
		return Forever, false
	}
	if v.table != nil {
		return v.table.Deadline(field)
	}
	p, _ := v.pack.FindPair(field)
	if p == listpack.None || !v.times.any() {
		return Forever, p != listpack.None
	}
	return v.times.at[v.index(p)], true
}

// SetDeadline makes at the deadline of field, Forever for none, and reports whether there is such a field.
func (v *Hash) SetDeadline(field []byte, at int64) bool {
	if v.none() {
		return false
	}
	if v.table != nil {
		return v.table.SetDeadline(field, at)
	}
	p, _ := v.pack.FindPair(field)
	if p == listpack.None {
		return false
	}
	v.stamp(p, at)
	return true
}

// Timed returns the number of fields that have a deadline.
func (v *Hash) Timed() int {
	switch {
	case v == nil:
		return 0
	case v.table != nil:
		return v.table.Timed()
	case v.times.any():
		return v.times.n
	}
	return 0
}

// Volatile reports whether a field has a deadline.
func (v *Hash) Volatile() bool { return v.Timed() > 0 }

// NextDeadline returns the earliest deadline of a field, Forever if there is none, in constant time or nearly.
func (v *Hash) NextDeadline() int64 {
	switch {
	case v == nil:
		return Forever
	case v.table != nil:
		return v.table.Earliest()
	case v.times.any():
		return v.times.earliest
	}
	return Forever
}

// Expire removes fields whose deadlines are at most now, and returns how many. From a table it takes no more than limit of
// them, the earliest, unless it can take all fields there are at once; from a listpack, which is written anew, whatever
// is due.
func (v *Hash) Expire(now int64, limit int) int {
	if v.NextDeadline() > now {
		return 0
	}
	if v.table == nil {
		return v.expirePack(now)
	}
	if v.table.Latest() <= now {
		n := v.table.Len()
		v.table = nil
		return n
	}
	return v.table.Expire(now, limit)
}

// EachDue calls f for the fields that Expire with the same arguments would remove, unless that would be all there are.
func (v *Hash) EachDue(now int64, limit int, f func(field []byte)) {
	switch {
	case v.NextDeadline() > now:
	case v.table == nil:
		v.EachAt(func(field, _ []byte, at int64) bool {
			if at <= now {
				f(field)
			}
			return true
		})
	case v.table.Latest() > now:
		v.table.EachDue(now, limit, f)
	}
}

func (v *Hash) expirePack(now int64) (n int) {
	old := v.times.at
	var (
		kept = listpack.New(len(v.pack))
		at   []int64
		left = 0
		next = int64(Forever)
		t    texts
	)
	for p, i := v.pack.First(), 0; p != listpack.None; i++ {
		field, value, q := v.pair(p, &t)
		if p = q; old[i] <= now {
			n++
			continue
		}
		kept = kept.AppendPair(field, value)
		at = append(at, old[i])
		next = min(next, old[i])
		if old[i] != Forever {
			left++
		}
	}
	v.pack = kept.Shrink()
	v.times.at, v.times.n, v.times.earliest = at, left, next
	if left == 0 {
		v.times.at = nil
	}
	return n
}

// EachAt is Each with the deadline of every field, Forever for none.
func (v *Hash) EachAt(f func(field, value []byte, at int64) bool) {
	if v != nil && v.table != nil {
		v.table.EachAt(f)
		return
	}
	i := 0
	v.Each(func(field, value []byte) bool {
		at := int64(Forever)
		if v.times.any() {
			at = v.times.at[i]
		}
		i++
		return f(field, value, at)
	})
}

// Listed returns the deadline by which whoever keeps many hashes in the order of their NextDeadlines has v in it, Forever
// if it is not there. Nobody else has a use for it.
func (v *Hash) Listed() int64 {
	if v.times == nil {
		return Forever
	}
	return v.times.listed
}

// SetListed makes at what Listed returns.
func (v *Hash) SetListed(at int64) {
	if v.times == nil {
		if at == Forever {
			return
		}
		v.times = new(times)
	}
	v.times.listed = at
}

func (v *Hash) checkTimes() error {
	t := v.times
	if !t.any() {
		if t != nil && t.at != nil {
			return fmt.Errorf("hash: deadlines are kept that are none")
		}
		return nil
	}
	n := 0
	for _, at := range t.at {
		if at != Forever {
			n++
		}
	}
	if len(t.at) != v.pack.Pairs() || n != t.n || slices.Min(t.at) != t.earliest {
		return fmt.Errorf("hash: %d fields have %d deadlines, %d real (counted as %d), the earliest %d (thought to be %d)",
			v.pack.Pairs(), len(t.at), n, t.n, slices.Min(t.at), t.earliest)
	}
	return nil
}
