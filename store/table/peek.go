package table

import (
	"math/bits"
	"unsafe"

	"github.com/streampulse/pulse/internal/prefetch"
)

// view is what Warm and Peek see of an index. It is replaced, never changed, except for the entries of dir, each of
// which is a word: so they may be read while the owner changes the index. What is read may be out of date.
type view struct {
	dir   []*segment
	depth uint8
}

// Warm prefetches what a Seek for h will read first. Anybody may call it at any time.
func (x *Index) Warm(h uint64) {
	if s := x.peek(h); s != nil {
		w := h >> 24 & (words - 1)
		prefetch.Lines(uintptr(unsafe.Pointer(&s.fp)), uintptr(unsafe.Pointer(&s.ref[w*8])))
	}
}

// Peek guesses the reference that a Seek for h will find, 0 if it has none to offer. Anybody may call it at any time;
// the guess is good for prefetching only.
func (x *Index) Peek(h uint64) uint32 {
	s := x.peek(h)
	if s == nil {
		return 0
	}
	w := h >> 24 & (words - 1)
	v := s.fp[w] ^ fingerprint(h)*lo
	m := (v - lo) &^ v & hi
	if m == 0 {
		return 0
	}
	return s.ref[w*8|uint64(bits.TrailingZeros64(m)>>3)]
}

func (x *Index) peek(h uint64) *segment {
	v := x.view
	if v == nil {
		return nil
	}
	return v.dir[int(h>>1>>(63-v.depth))]
}
