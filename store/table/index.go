// Package table is an extendible hash index from 64-bit hashes to 32-bit references.
//
// The top bits of a hash choose an entry of the directory, the entry names a segment of 64 slots, a slot holds a
// one-byte fingerprint and a reference. The fingerprints of a segment fill one cache line and are compared eight at a
// time. A full segment splits alone, by the next bit of the hash: there is no rehash of the whole and no pause.
//
//	directory (depth 2)      segment
//	00 ──┐                   fp  [8]uint64   64 fingerprints, 0 = empty slot
//	01 ──┴─> A (depth 1)     ref [64]uint32  what the owner put there
//	10 ────> B (depth 2)     n, depth
//	11 ────> C (depth 2)
//
// Segments cover disjoint ranges of the hash in ascending order, so a position in hash order is a scan cursor that
// survives every split and merge. The index stores no keys: the owner compares what a reference names, and hashes it
// again when a segment splits. An Index is not safe for concurrent use.
//
// Source of the structure: Fagin, Nievergelt, Pippenger, Strong, "Extendible hashing", ACM TODS 4 (1979); fingerprints
// as in Google's SwissTable.
package table

import (
	"math/bits"
	"math/rand/v2"
	"slices"
)

// Hasher gives the hash of what a reference names; the same value it was inserted with.
type Hasher interface {
	HashOf(ref uint32) uint64
}

const (
	slots    = 64
	words    = slots / 8
	lo       = 0x0101010101010101
	hi       = 0x8080808080808080
	maxDepth = 40 // 65 equal prefixes of this length need a broken hash
)

type segment struct {
	fp    [words]uint64
	ref   [slots]uint32
	n     uint8 // used slots
	depth uint8 // bits of the hash shared by all its entries
}

// Index is the table. The zero value is empty and ready.
type Index struct {
	dir   []*segment // 1<<depth entries; nil until the first insert
	depth uint8
	n     int
	segs  int
	view  *view // of dir and depth, for peek.go
}

// Len returns the number of references in the index.
func (x *Index) Len() int { return x.n }

// Bytes returns the memory held by the index, in bytes.
func (x *Index) Bytes() int { return len(x.dir)*8 + x.segs*352 }

func fingerprint(h uint64) uint64 {
	f := h >> 16 & 0xff
	if f == 0 {
		f = 1
	}
	return f
}

func (x *Index) slotOf(h uint64) int { return int(h >> 1 >> (63 - x.depth)) }

// Cursor walks the slots whose fingerprint matches a hash.
type Cursor struct {
	seg  *segment
	pat  uint64
	mask uint64 // candidate slots left in the present word
	h    uint64
	word uint8 // index of the word under mask
	left uint8 // words not looked at yet
	slot uint8 // slot returned last
}

// Seek begins a search for h.
func (x *Index) Seek(h uint64) (c Cursor) {
	if x.dir == nil {
		return
	}
	c.h = h
	c.seg = x.dir[x.slotOf(h)]
	c.pat = fingerprint(h) * lo
	c.word = uint8(h>>24) & (words - 1)
	c.left = words - 1
	v := c.seg.fp[c.word] ^ c.pat
	c.mask = (v - lo) &^ v & hi
	return
}

// Next returns the next reference whose fingerprint matches, if there is one. The caller compares the key.
func (c *Cursor) Next() (ref uint32, ok bool) {
	for {
		for c.mask != 0 {
			i := uint8(bits.TrailingZeros64(c.mask) >> 3)
			c.mask &= c.mask - 1
			// The word trick may mark a byte above a true match: check it.
			if uint8(c.seg.fp[c.word&(words-1)]>>(i*8)) == uint8(c.pat) {
				c.slot = c.word<<3 | i
				return c.seg.ref[c.slot&(slots-1)], true
			}
		}
		if c.left == 0 {
			return 0, false
		}
		c.left--
		c.word = (c.word + 1) & (words - 1)
		v := c.seg.fp[c.word] ^ c.pat
		c.mask = (v - lo) &^ v & hi
	}
}

// Replace makes the slot that Next returned last refer to ref.
func (c *Cursor) Replace(ref uint32) { c.seg.ref[c.slot] = ref }

// Delete empties the slot that Next returned last. The cursor is used up.
func (x *Index) Delete(c *Cursor) {
	s := c.seg
	s.fp[c.slot>>3] &^= 0xff << (c.slot & 7 * 8)
	s.ref[c.slot] = 0
	s.n--
	x.n--
	if s.n < slots/8 && s.depth > 0 {
		x.merge(s, c.h)
	}
}

// put stores ref in the first empty slot at or after the home word of h. The segment must have room.
func (s *segment) put(h uint64, ref uint32) {
	w := uint8(h>>24) & (words - 1)
	for {
		v := s.fp[w]
		if m := (v - lo) &^ v & hi; m != 0 {
			i := uint8(bits.TrailingZeros64(m) >> 3)
			s.fp[w] = v | fingerprint(h)<<(i*8)
			s.ref[w<<3|i] = ref
			s.n++
			return
		}
		w = (w + 1) & (words - 1)
	}
}

// Insert adds ref under h. It does not look whether an equal key is there already.
func (x *Index) Insert(h uint64, ref uint32, o Hasher) {
	if x.dir == nil {
		x.dir = []*segment{{}}
		x.segs = 1
		x.view = &view{x.dir, 0}
	}
	s := x.dir[x.slotOf(h)]
	for s.n == slots {
		x.split(s, h, o)
		s = x.dir[x.slotOf(h)]
	}
	s.put(h, ref)
	x.n++
}

// reserved is how many references there are to a segment, at most, when Reserve has been told how many come: few
// segments become full then.
const reserved = 48

// Reserve lays out an empty index for n references; it does nothing if it is not empty.
func (x *Index) Reserve(n int) {
	if x.dir != nil {
		return
	}
	for n>>x.depth > reserved && x.depth < maxDepth/2 {
		x.depth++
	}
	x.dir = make([]*segment, 1<<x.depth)
	for i := range x.dir {
		x.dir[i] = &segment{depth: x.depth}
	}
	x.segs = len(x.dir)
	x.view = &view{x.dir, x.depth}
}

// split divides the full segment s, which is the one of h, in two.
func (x *Index) split(s *segment, h uint64, o Hasher) {
	if s.depth == maxDepth {
		panic("table: 65 hashes share their first 40 bits")
	}
	if s.depth == x.depth {
		dir := make([]*segment, 2*len(x.dir))
		for i, t := range x.dir {
			dir[2*i], dir[2*i+1] = t, t
		}
		x.dir = dir
		x.depth++
		x.view = &view{x.dir, x.depth}
	}
	// Hash all entries first: the loads are independent, so their cache misses overlap.
	var hs [slots]uint64
	for i := range hs {
		hs[i] = o.HashOf(s.ref[i])
	}
	old := *s
	d := s.depth + 1
	*s = segment{depth: d}
	t := &segment{depth: d}
	for i, hh := range hs {
		if hh<<(d-1)>>63 == 0 {
			s.put(hh, old.ref[i])
		} else {
			t.put(hh, old.ref[i])
		}
	}
	// The entries of s are the run of the directory with its old prefix: its upper half is t's now.
	run := 1 << (x.depth - old.depth)
	first := x.slotOf(h) &^ (run - 1)
	for i := first + run/2; i < first+run; i++ {
		x.dir[i] = t
	}
	x.segs++
}

// merge joins s, the segment of h, with its buddy when both together leave half of a segment free.
func (x *Index) merge(s *segment, h uint64) {
	run := 1 << (x.depth - s.depth)
	first := x.slotOf(h) &^ (run - 1)
	b := x.dir[first^run]
	if b.depth != s.depth || b.n+s.n > slots/2 {
		return
	}
	for i := range s.ref {
		f := s.fp[i>>3] >> (i & 7 * 8) & 0xff
		if f == 0 {
			continue
		}
		b.put(f<<16|uint64(i>>3)<<24, s.ref[i])
	}
	b.depth--
	for i := range run {
		x.dir[first+i] = b
	}
	x.segs--
}

// Random returns a reference chosen uniformly, except in a nearly empty index, where runs of empty slots skew it.
// The index must not be empty.
func (x *Index) Random(r *rand.Rand) uint32 {
	for range 64 {
		d := r.IntN(len(x.dir))
		s := x.dir[d]
		// A segment that several directory entries name is accepted through the first of them only.
		if d&(1<<(x.depth-s.depth)-1) != 0 {
			continue
		}
		if i := r.IntN(slots); s.used(i) {
			return s.ref[i]
		}
	}
	d := r.IntN(len(x.dir))
	for {
		s := x.dir[d]
		if s.n > 0 {
			k := r.IntN(int(s.n))
			for i := range slots {
				if s.used(i) {
					if k == 0 {
						return s.ref[i]
					}
					k--
				}
			}
		}
		if d++; d == len(x.dir) {
			d = 0
		}
	}
}

func (s *segment) used(i int) bool { return s.fp[i>>3]>>(i&7*8)&0xff != 0 }

// All calls f for every reference, in no useful order, until f returns false. f must not change the index.
func (x *Index) All(f func(ref uint32) bool) {
	for d := 0; d < len(x.dir); {
		s := x.dir[d]
		for i := range slots {
			if s.used(i) && !f(s.ref[i]) {
				return
			}
		}
		d += 1 << (x.depth - s.depth)
	}
}

// Entry is a reference with its hash.
type Entry struct {
	Hash uint64
	Ref  uint32
}

// From appends to dst the entries of the one segment that covers position pos whose hash is >= pos, in hash order,
// and returns the position after that segment; last tells that there is none. Every entry that stays in the index
// during a walk from 0 through the returned positions is seen, whatever is inserted or deleted in between.
func (x *Index) From(pos uint64, o Hasher, dst []Entry) (out []Entry, next uint64, last bool) {
	if x.dir == nil {
		return dst, 0, true
	}
	s := x.dir[x.slotOf(pos)]
	base := len(dst)
	for i := range slots {
		if !s.used(i) {
			continue
		}
		if h := o.HashOf(s.ref[i]); h >= pos {
			dst = append(dst, Entry{h, s.ref[i]})
		}
	}
	slices.SortFunc(dst[base:], func(a, b Entry) int {
		if a.Hash < b.Hash {
			return -1
		}
		if a.Hash > b.Hash {
			return 1
		}
		return 0
	})
	if s.depth == 0 {
		return dst, 0, true
	}
	next = (pos>>(64-s.depth) + 1) << (64 - s.depth)
	return dst, next, next == 0
}
