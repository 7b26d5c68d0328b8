// Package intset reads and edits Redis's intset: a set of integers as one
// sorted array, the small form of sets whose members are all integers.
//
//	+---------------+-----------+----------+-----+----------+
//	| width 2, 4, 8 | count     | smallest | ... | largest  |
//	| uint32 LE     | uint32 LE | width bytes LE each       |
//	+---------------+-----------+---------------------------+
//
// The bytes are the format of DUMP and of RDB files: an Intset is written to
// them verbatim, and bytes from them are an Intset once [Valid] accepted them.
//
// Contract:
//
//   - Members are strictly ascending, and len(s) is always 8 + count*width.
//   - One width serves all members. It grows with the first member that needs
//     more and never shrinks again, as in Redis.
//   - Editing methods change s in place where it has room, and return the set
//     to keep; the receiver must not be used afterwards.
//   - Reading methods do not allocate and do not write. Readers may share a
//     set; an editor needs it alone.
//   - On bytes that [Valid] did not accept, methods may panic with an index
//     out of range; they never touch memory outside the slice.
package intset

import (
	"encoding/binary"
	"errors"
	"iter"
	"math"
)

// Intset is the packed bytes. The zero value is not a set: use [New].
type Intset []byte

// ErrCorrupt is what [Valid] says of bytes that are no intset.
var ErrCorrupt = errors.New("intset: corrupt")

const headerSize = 8

// New returns an empty set with room for capacity members of two bytes. The
// capacity is the caller's own estimate, never a number from outside.
func New(capacity int) Intset {
	s := make(Intset, headerSize, headerSize+2*capacity)
	s.setHeader(2, 0)
	return s
}

// In is New in the memory of room, which the set keeps, if that is enough for an empty one.
func In(room []byte) Intset {
	if cap(room) < headerSize {
		return New(4)
	}
	s := Intset(room[:headerSize])
	s.setHeader(2, 0)
	return s
}

// Bytes returns the size of the packed form in bytes.
func (s Intset) Bytes() int { return len(s) }

// Len returns the number of members.
func (s Intset) Len() int { return int(binary.LittleEndian.Uint32(s[4:])) }

// At returns the member with the given index, 0 being the smallest. The index
// must be below Len. A random member is At of a random index.
func (s Intset) At(index int) int64 { return s.get(s.width(), index) }

// Min returns the smallest member, and false if there is none.
func (s Intset) Min() (int64, bool) {
	if s.Len() == 0 {
		return 0, false
	}
	return s.At(0), true
}

// Max returns the largest member, and false if there is none.
func (s Intset) Max() (int64, bool) {
	n := s.Len()
	if n == 0 {
		return 0, false
	}
	return s.At(n - 1), true
}

// All yields the members in ascending order. The set must not be edited
// meanwhile.
func (s Intset) All() iter.Seq[int64] {
	return func(yield func(int64) bool) {
		w := s.width()
		for i := range s.Len() {
			if !yield(s.get(w, i)) {
				return
			}
		}
	}
}

// Contains reports whether v is a member.
func (s Intset) Contains(v int64) bool {
	_, found := s.Search(v)
	return found
}

// Search returns the index of v, or of the first member above it (Len if
// there is none), and whether v is a member.
func (s Intset) Search(v int64) (index int, found bool) {
	w, n := s.width(), s.Len()
	if widthOf(v) > w {
		if v < 0 {
			return 0, false
		}
		return n, false
	}
	lo, hi := 0, n
	if n > 0 && v > s.get(w, n-1) { // ascending numbers are the usual way to fill a set
		return n, false
	}
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if s.get(w, mid) < v {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < n && s.get(w, lo) == v
}

// Add makes v a member and reports whether it was none before.
func (s Intset) Add(v int64) (Intset, bool) {
	i, found := s.Search(v)
	if found {
		return s, false
	}
	w, n := s.width(), s.Len()
	if wide := widthOf(v); wide > w {
		return s.widen(wide, v), true
	}
	if uint64(n) >= math.MaxUint32 {
		panic("intset: count overflow")
	}
	at := headerSize + i*w
	t := s
	if need := len(s) + w; need > cap(s) {
		t = alloc(need)
		copy(t, s[:at])
	} else {
		t = s[:need]
	}
	copy(t[at+w:], s[at:])
	t.put(w, i, v)
	t.setHeader(w, n+1)
	return t, true
}

// widen rewrites all members in the width of v, which is beyond all of them
// and so goes to one end.
func (s Intset) widen(width int, v int64) Intset {
	old, n := s.width(), s.Len()
	first := 0
	if v < 0 {
		first = 1
	}
	need := headerSize + (n+1)*width
	t := s
	if need > cap(s) {
		t = alloc(need)
	}
	t = t[:need]
	// From the last to the first: in place, a wider member never covers one that is still to be read.
	for i := n - 1; i >= 0; i-- {
		t.put(width, i+first, s.get(old, i))
	}
	t.put(width, n*(1-first), v)
	t.setHeader(width, n+1)
	return t
}

// Remove makes v no member and reports whether it was one.
func (s Intset) Remove(v int64) (Intset, bool) {
	i, found := s.Search(v)
	if !found {
		return s, false
	}
	return s.RemoveAt(i), true
}

// RemoveAt removes the member with the given index, which must be below Len.
func (s Intset) RemoveAt(index int) Intset {
	w, n := s.width(), s.Len()
	at := headerSize + index*w
	t := s[:len(s)-w]
	if cap(s) > minShrink && len(t) < cap(s)/2 {
		t = alloc(len(t))
		copy(t, s[:at])
	}
	copy(t[at:], s[at+w:])
	t.setHeader(w, n-1)
	return t
}

// Clone returns a copy without slack.
func (s Intset) Clone() Intset { return append(Intset(nil), s...) }

// Valid checks all of b as bytes from outside. When it returns nil, b may be
// used as an Intset and no method panics on it.
func Valid(b []byte) error {
	if len(b) < headerSize {
		return ErrCorrupt
	}
	s := Intset(b)
	w := s.width()
	if w != 2 && w != 4 && w != 8 {
		return ErrCorrupt
	}
	n := uint64(binary.LittleEndian.Uint32(b[4:]))
	if uint64(len(b)-headerSize) != n*uint64(w) {
		return ErrCorrupt
	}
	for i := 1; i < s.Len(); i++ {
		if s.get(w, i-1) >= s.get(w, i) {
			return ErrCorrupt
		}
	}
	return nil
}

// widthOf returns the bytes that v needs.
func widthOf(v int64) int {
	switch {
	case v >= math.MinInt16 && v <= math.MaxInt16:
		return 2
	case v >= math.MinInt32 && v <= math.MaxInt32:
		return 4
	default:
		return 8
	}
}

func (s Intset) width() int {
	return int(binary.LittleEndian.Uint32(s))
}

func (s Intset) setHeader(width, n int) {
	binary.LittleEndian.PutUint32(s, uint32(width))
	binary.LittleEndian.PutUint32(s[4:], uint32(n))
}

func (s Intset) get(width, i int) int64 {
	b := s[headerSize+i*width:]
	switch width {
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(b)))
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(b)))
	default:
		return int64(binary.LittleEndian.Uint64(b))
	}
}

func (s Intset) put(width, i int, v int64) {
	b := s[headerSize+i*width:]
	switch width {
	case 2:
		binary.LittleEndian.PutUint16(b, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(b, uint32(v))
	default:
		binary.LittleEndian.PutUint64(b, uint64(v))
	}
}

// minShrink is the capacity in bytes up to which memory that became free is kept.
const minShrink = 2048

// alloc returns n bytes with an eighth of slack, rounded up to what the
// allocator hands out anyway: adding is amortised and the waste stays small.
func alloc(n int) Intset {
	return append(Intset(nil), make([]byte, n+n/8)...)[:n]
}
