// Package listpack reads and edits Redis's listpack: a list of strings and
// integers packed into one run of bytes, the small form of hashes, sets,
// sorted sets and stream blocks, and the node of a list.
//
//	+-------------+-----------+---------+-----+---------+------+
//	| total bytes | entries   | entry 0 | ... | entry n | 0xFF |
//	| uint32 LE   | uint16 LE |         |     |         |      |
//	+-------------+-----------+---------+-----+---------+------+
//	                          |
//	                          +-> encoding | data | length of both, readable backwards
//
// The bytes are the format of DUMP and of RDB files: a Listpack is written to
// them verbatim, and bytes from them are a Listpack once [Valid] accepted them.
//
// Contract:
//
//   - len(l) always equals the total in the header; cap(l) is what it costs.
//   - A position is the byte offset of an entry. [None] says "no entry". A
//     position dies with the next edit unless the editing method says otherwise.
//   - An element whose text is a canonical decimal int64 is kept as an integer
//     of the narrowest width; its text comes back unchanged.
//   - Editing methods change l in place where it has room, and return the
//     listpack to keep; the receiver must not be used afterwards. An element
//     handed to them must not point into l.
//   - Reading methods do not allocate and do not write. Readers may share a
//     listpack; an editor needs it alone.
//   - On bytes that [Valid] did not accept, methods may panic with an index
//     out of range; they never touch memory outside the slice.
package listpack

import (
	"encoding/binary"
	"errors"
)

// Listpack is the packed bytes. The zero value is not a listpack: use [New].
type Listpack []byte

// None is the position of no entry.
const None = 0

// MaxBytes is the size beyond which a listpack must not grow (1 GiB), well
// under what the 32-bit total could say. Callers ask [Listpack.Fits] first.
const MaxBytes = 1 << 30

// ErrTooLarge says that a listpack would pass its size limit. Growth past
// what the header can express panics with it.
var ErrTooLarge = errors.New("listpack: too large")

const (
	headerSize = 6
	endMark    = 0xFF
	emptySize  = headerSize + 1

	// countUnknown in the header means: count them. Redis writes it from
	// 65535 entries on.
	countUnknown = 1<<16 - 1

	maxTotal = 1<<32 - 1
)

// New returns an empty listpack with room for capacity bytes in all. The
// capacity is the caller's own estimate, never a number from outside.
func New(capacity int) Listpack {
	l := make(Listpack, emptySize, max(capacity, emptySize))
	binary.LittleEndian.PutUint32(l, emptySize)
	l[headerSize] = endMark
	return l
}

// In is New in the memory of room, which the listpack keeps, if that is enough for an empty one.
func In(room []byte) Listpack {
	if cap(room) < emptySize {
		return New(0)
	}
	l := Listpack(room[:emptySize])
	binary.LittleEndian.PutUint32(l, emptySize)
	l.setHeaderCount(0)
	l[headerSize] = endMark
	return l
}

// Bytes returns the size of the packed form in bytes.
func (l Listpack) Bytes() int { return len(l) }

// Len returns the number of entries. Above 65534 entries the header does not
// know and they are counted one by one.
func (l Listpack) Len() int {
	if n := l.headerCount(); n != countUnknown {
		return n
	}
	return l.count(len(l))
}

// Empty reports whether there is no entry, without counting.
func (l Listpack) Empty() bool { return l[headerSize] == endMark }

// Fits reports whether l may grow by add bytes, which is at least the text
// length plus 10 for each element to add.
func (l Listpack) Fits(add int) bool {
	return len(l) <= MaxBytes && add >= 0 && add <= MaxBytes-len(l)
}

// Clone returns a copy without slack.
func (l Listpack) Clone() Listpack {
	return append(Listpack(nil), l...)
}

// Shrink returns l without the slack that growth left behind, copying only if
// the allocator would give a smaller block.
func (l Listpack) Shrink() Listpack {
	if cap(l)-len(l) < 8 {
		return l
	}
	if c := l.Clone(); cap(c) < cap(l) {
		return c
	}
	return l
}

func (l Listpack) headerCount() int {
	return int(binary.LittleEndian.Uint16(l[4:]))
}

func (l Listpack) setHeaderCount(n int) {
	binary.LittleEndian.PutUint16(l[4:], uint16(min(n, countUnknown)))
}

// addCount notes n more entries in the header.
func (l Listpack) addCount(n int) {
	if c := l.headerCount(); c != countUnknown {
		l.setHeaderCount(c + n)
	}
}

// dropCount notes n fewer entries. A header that had stopped counting starts
// again as soon as it can, at a bounded cost.
func (l Listpack) dropCount(n int) {
	c := l.headerCount()
	if c == countUnknown {
		l.setHeaderCount(l.count(countUnknown))
		return
	}
	l.setHeaderCount(c - n)
}

// count walks the entries and returns their number, but at most limit.
func (l Listpack) count(limit int) int {
	n := 0
	for p := headerSize; l[p] != endMark && n < limit; p += l.span(p) {
		n++
	}
	return n
}

// minShrink is the capacity in bytes up to which memory that became free is kept.
const minShrink = 2048

// room makes the bytes at pos, oldSize of them, newSize long and moves what
// follows. The new bytes hold anything; the entry count is the caller's task.
func (l Listpack) room(pos, oldSize, newSize int) Listpack {
	need := len(l) - oldSize + newSize
	if uint64(need) > maxTotal {
		panic(ErrTooLarge)
	}
	tail := l[pos+oldSize:]
	var n Listpack
	switch {
	case need > cap(l):
		n = alloc(need)
	case cap(l) > minShrink && need < cap(l)/2 && newSize < oldSize:
		n = alloc(need)
	}
	if n != nil {
		copy(n, l[:pos])
		copy(n[pos+newSize:], tail)
	} else {
		n = l[:need]
		copy(n[pos+newSize:], tail)
	}
	binary.LittleEndian.PutUint32(n, uint32(need))
	return n
}

// alloc returns n bytes with an eighth of slack, rounded up to what the
// allocator hands out anyway: pushing is amortised and the waste stays small.
func alloc(n int) Listpack {
	return append(Listpack(nil), make([]byte, n+n/8)...)[:n]
}
