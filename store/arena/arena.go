// Package arena hands out pointer-free blocks named by 32-bit references.
//
// An Arena is a log: blocks are appended to the newest chunk and never reused in place by another block. A chunk
// whose blocks are mostly dead is evacuated (its live blocks are appended again, their owner is told where they went)
// and dropped. The garbage collector sees a few 64 KiB objects without pointers, whatever the number of blocks.
//
//	chunk 0        chunk 1        chunk 2 (dedicated)   chunk 3 (head)
//	|AAAA|xx|BBB|  |xxxx|CC|xx|   |DDDDDDDDDDDDDDDD|    |EEE|F|....
//
// Memory of a dropped or evacuated chunk is left to the collector and never written again, so a slice got from Bytes
// stays readable, with the bytes it had, even after the block moved or died; only its owner's own in-place writes
// change it. This is what lets readers hold slices without copying for as long as they hold their lock, and those of large
// blocks for longer (loan.go).
//
// Bit 7 of the first byte of every block belongs to the arena (set: dead). An Arena is not safe for concurrent use.
//
// The rejected road was size-class free lists: they reuse memory sooner, but values that change length leave
// holes of the old length behind for ever, while a log with evacuation is bounded by its dead share.
package arena

import (
	"unsafe"

	"github.com/streampulse/pulse/internal/prefetch"
)

// Ref names a block; None names no block. References count units of 8 bytes, so one arena spans 32 GiB.
type Ref uint32

// None is the reference that names nothing.
const None Ref = 0

const (
	unitShift  = 3
	chunkShift = 16
	chunkSize  = 1 << chunkShift // bytes
	offBits    = chunkShift - unitShift
	offMask    = 1<<offBits - 1
	maxChunks  = 1 << (32 - offBits)
	firstSize  = 512       // bytes of the first chunk of a new arena; it doubles by copying up to chunkSize
	dedicated  = 8 << 10   // blocks of this size and more get a chunk of their own
	deadBit    = byte(128) // in the first byte of a block
)

// MaxBlock is the largest block in bytes: what a string of 512 MiB with its key needs, and room.
const MaxBlock = 1<<31 - 1

// Owner tells an Arena what it needs to know to move blocks.
type Owner interface {
	// BlockSize returns the allocated size in bytes of the block that starts at b[0].
	BlockSize(b []byte) int
	// BlockMoved is called after the block at from was copied to to; b is the new copy.
	BlockMoved(from, to Ref, b []byte)
}

type chunk struct {
	b    []byte // len is the space, in bytes
	used int    // bytes handed out so far
	live int    // bytes of live blocks
	loan *Loan  // nil unless a dedicated block was lent (loan.go)
}

// Arena is a log of blocks. The zero value is empty and ready.
type Arena struct {
	chunks []chunk
	free   []uint32 // indexes of dropped chunks
	head   int      // index of the chunk that takes small blocks; valid when len(chunks) > 0
	space  int      // bytes of all chunks
	live   int      // bytes of all live blocks
	lent   int      // chunks with a loan
	victim int      // index of the chunk under evacuation, -1 for none, valid when evac
	pos    int      // next byte to look at in the victim
	evac   bool
	view   *view // of chunks, for Warm
}

// view is what Warm sees of the chunks. It is replaced, never changed, except for the chunks themselves.
type view struct{ chunks []chunk }

// Warm prefetches the first bytes of block r. Unlike all other methods it may be called by anybody at any time: r and
// what it is looked up in may be out of date, and the worst that comes of it is a useless prefetch.
func (a *Arena) Warm(r Ref) {
	v, i := a.view, int(r>>offBits)
	if v == nil || i >= len(v.chunks) {
		return
	}
	p := uintptr(unsafe.Pointer(unsafe.SliceData(v.chunks[i].b))) + uintptr(r&offMask)<<unitShift
	prefetch.Lines(p, p+63)
}

// IsZero reports whether new blocks of n bytes hold zeros: they are memory of their own, which the system may not even
// have provided yet.
func IsZero(n int) bool { return roundUp(n) >= dedicated }

func roundUp(n int) int { return (n + 7) &^ 7 }

// Size returns the bytes a block of n bytes occupies.
func Size(n int) int { return roundUp(n) }

// Alloc returns a new block of Size(n) bytes; its content is undefined, but see IsZero. n must be in 1..MaxBlock.
func (a *Arena) Alloc(n int) (Ref, []byte) {
	n = roundUp(n)
	a.live += n
	if len(a.chunks) == 0 {
		// Offset 0 of chunk 0 would be None: the first unit is never handed out.
		size := firstSize
		if n < dedicated {
			size = max(size, n+8)
		}
		a.head = a.newChunk(size)
		a.chunks[a.head].used = 8
	}
	if n >= dedicated {
		i := a.newChunk(n)
		c := &a.chunks[i]
		c.used, c.live = n, n
		return Ref(i) << offBits, c.b
	}
	c := &a.chunks[a.head]
	if c.used+n > len(c.b) {
		if a.head == 0 && len(c.b) < chunkSize {
			a.growFirst(c.used + n)
		} else {
			a.head = a.newChunk(chunkSize)
		}
		c = &a.chunks[a.head]
	}
	off := c.used
	c.used += n
	c.live += n
	return Ref(a.head)<<offBits | Ref(off>>unitShift), c.b[off:]
}

// growFirst doubles chunk 0 by copying, which keeps small arenas small; references are offsets, so they stay.
func (a *Arena) growFirst(need int) {
	c := &a.chunks[0]
	size := len(c.b)
	for size < need {
		size *= 2
	}
	size = min(size, chunkSize)
	if size < need {
		a.head = a.newChunk(chunkSize)
		return
	}
	b := make([]byte, size)
	copy(b, c.b[:c.used])
	a.space += size - len(c.b)
	c.b = b
}

func (a *Arena) newChunk(size int) int {
	a.space += size
	if n := len(a.free); n > 0 {
		i := int(a.free[n-1])
		a.free = a.free[:n-1]
		a.chunks[i] = chunk{b: make([]byte, size)}
		return i
	}
	if len(a.chunks) == maxChunks {
		panic("arena: no references are left")
	}
	a.chunks = append(a.chunks, chunk{b: make([]byte, size)})
	a.view = &view{a.chunks}
	return len(a.chunks) - 1
}

// Bytes returns the memory from the start of block r to the end of its chunk.
func (a *Arena) Bytes(r Ref) []byte {
	return a.chunks[r>>offBits].b[int(r&offMask)<<unitShift:]
}

// Free marks the block r of n bytes (as asked from Alloc) dead.
func (a *Arena) Free(r Ref, n int) {
	n = roundUp(n)
	i := int(r >> offBits)
	c := &a.chunks[i]
	c.live -= n
	a.live -= n
	if c.live == 0 && i != a.head && !(a.evac && i == a.victim) {
		a.drop(i)
		return
	}
	c.b[int(r&offMask)<<unitShift] |= deadBit
}

func (a *Arena) drop(i int) {
	a.space -= len(a.chunks[i].b)
	if l := a.chunks[i].loan; l != nil {
		l.abandon()
		a.lent--
	}
	a.chunks[i] = chunk{}
	// Chunk 0 keeps its index for ever: its first unit stands for None.
	if i != 0 {
		a.free = append(a.free, uint32(i))
	}
}

// Space returns the bytes held by the arena, Live those of its live blocks.
func (a *Arena) Space() int { return a.space }

// Live returns the bytes of all live blocks.
func (a *Arena) Live() int { return a.live }

// Wasteful reports whether Compact is worth calling: a fifth of a large arena, or half of a small one and more than a
// chunk, is not live. The free space of the head counts as such.
func (a *Arena) Wasteful() bool {
	dead := a.space - a.live
	return a.evac || dead > 3*chunkSize && dead > a.space/5 || dead > chunkSize && dead > a.space/2
}

// Compact evacuates at most about budget bytes of live blocks from the chunk with the fewest of them. It is cheap to
// call when there is nothing to do, and reports false then.
func (a *Arena) Compact(o Owner, budget int) (did bool) {
	for budget > 0 {
		if !a.evac && !a.pickVictim() {
			break
		}
		budget -= a.evacuate(o, budget)
		did = true
	}
	return did
}

func (a *Arena) pickVictim() bool {
	if !a.Wasteful() {
		return false
	}
	best, bestLive := -1, chunkSize*9/10
	for i := range a.chunks {
		c := &a.chunks[i]
		if i == a.head || len(c.b) != chunkSize || c.used == 0 {
			continue
		}
		if c.live < bestLive {
			best, bestLive = i, c.live
		}
	}
	if best < 0 {
		return false
	}
	a.victim, a.pos, a.evac = best, 0, true
	if best == 0 {
		a.pos = 8
	}
	return true
}

func (a *Arena) evacuate(o Owner, budget int) (work int) {
	v := a.victim
	for work < budget {
		c := &a.chunks[v]
		if a.pos >= c.used || c.live == 0 {
			a.live -= c.live
			a.drop(v)
			a.evac = false
			return work + 64
		}
		b := c.b[a.pos:]
		size := roundUp(o.BlockSize(b))
		from := Ref(v)<<offBits | Ref(a.pos>>unitShift)
		a.pos += size
		work += 16
		if b[0]&deadBit != 0 {
			continue
		}
		to, nb := a.Alloc(size)
		copy(nb[:size], b[:size])
		c = &a.chunks[v] // Alloc may have moved the slice
		c.live -= size
		a.live -= size
		o.BlockMoved(from, to, nb)
		work += size
	}
	return work
}

// Walk calls f for every live block until f returns false. f must not change the arena.
func (a *Arena) Walk(o Owner, f func(r Ref, b []byte) bool) {
	for i := range a.chunks {
		c := &a.chunks[i]
		pos := 0
		if i == 0 {
			pos = 8
		}
		if a.evac && i == a.victim {
			pos = a.pos
		}
		for pos < c.used {
			b := c.b[pos:]
			if b[0]&deadBit == 0 && !f(Ref(i)<<offBits|Ref(pos>>unitShift), b) {
				return
			}
			pos += roundUp(o.BlockSize(b))
		}
	}
}
