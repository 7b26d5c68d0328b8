// Package skiplist is an ordered list of scored members that knows the rank of each.
//
// # Contract
//
// A List orders elements by score, then by the bytes of the member, ascending. It keeps what it is given: that no member
// appears twice and no score is NaN is the caller's duty, who usually has an index from member to Ref beside it. A Ref
// names an element from its Insert to its removal, or until Shed says that it moved; a changed score does not change it. Slices got from Member are valid
// until that element is removed. A List is not safe for concurrent use.
//
// # Layout
//
// A node is one block of a pointer-free arena, so the collector sees a few large objects whatever the number of
// elements. Links are 32-bit references; the span of a link is how many elements it leads forward, and where it leads
// to the end, how many elements there are behind.
//
//	0   u32  bits 0-5 height, bits 8-31 length of the member (all ones: the length is a u64 before the member)
//	4   u32  the element before, None at the first
//	8   f64  score
//	16  height times { u32 next, u32 span }
//	..  member
//
// The block of a removed element goes to a free list of its exact size and serves the next of that size. Rejected: the
// arena's own evacuation, since each move costs a search to mend up to height links, for churn that nearly always asks
// for the sizes it has just given back. When a list has shrunk to a quarter, Shed moves what is left into new memory, a
// few elements with each change, so that no single change of a large list takes long.
//
// Source of the structure: Pugh, "A skip list cookbook" (1990), with p = 1/4.
package skiplist

import (
	"bytes"
	"math/bits"
	"unsafe"

	"github.com/streampulse/pulse/store/arena"
)

// Ref names an element; None names none.
type Ref = arena.Ref

// None is the Ref of no element.
const None = arena.None

// MaxHeight is the height of the tallest node.
const MaxHeight = 32

type node struct {
	meta  uint32
	back  Ref
	score float64
	// links and member follow
}

type link struct {
	next Ref
	span uint32
}

const (
	nodeSize   = 16
	linkSize   = 8
	heightMask = 1<<6 - 1
	lenShift   = 8
	lenInside  = 1<<24 - 1

	// ownChunk is the size from which the arena gives a block memory of its own, to be handed back at once.
	ownChunk = 8 << 10
)

// List is the list. Use New.
type List struct {
	blocks arena.Arena
	head   struct {
		node
		links [MaxHeight]link
	}
	tail   Ref
	height int // of the tallest node, at least 1
	n      int
	free   []Ref // by size in units of 8 bytes, the first free block
	idle   int   // bytes of free blocks
	seed   uint64
	shed   shed
}

// New returns an empty list. seed decides the heights of its nodes: draw it where members come from outside.
func New(seed uint64) *List { return &List{height: 1, seed: seed} }

// Len returns the number of elements.
func (l *List) Len() int { return l.n }

// Bytes returns the memory held, in bytes.
func (l *List) Bytes() int { return int(unsafe.Sizeof(*l)) + l.blocks.Space() + 4*cap(l.free) }

func (l *List) top() *node { return (*node)(unsafe.Pointer(&l.head)) }

func (l *List) node(r Ref) *node {
	return (*node)(unsafe.Pointer(unsafe.SliceData(l.blocks.Bytes(r))))
}

func (x *node) link(i int) *link { return (*link)(unsafe.Add(unsafe.Pointer(x), nodeSize+linkSize*i)) }

func (x *node) height() int { return int(x.meta & heightMask) }

func (x *node) member() []byte {
	n := int(x.meta >> lenShift)
	if n == 0 {
		// What lies behind the links may be behind the chunk.
		return unsafe.Slice((*byte)(unsafe.Pointer(x)), 0)
	}
	p := unsafe.Add(unsafe.Pointer(x), nodeSize+linkSize*x.height())
	if n == lenInside {
		n = int(*(*uint64)(p))
		p = unsafe.Add(p, 8)
	}
	return unsafe.Slice((*byte)(p), n)
}

func (x *node) size() int {
	n := int(x.meta >> lenShift)
	if n == lenInside {
		n = len(x.member()) + 8
	}
	return arena.Size(nodeSize + linkSize*x.height() + n)
}

// before reports whether x comes before the given place.
func (x *node) before(score float64, member []byte) bool {
	return x.score < score || x.score == score && bytes.Compare(x.member(), member) < 0
}

// Score returns the score of r.
func (l *List) Score(r Ref) float64 { return l.node(r).score }

// Member returns the member of r.
func (l *List) Member(r Ref) []byte {
	m := l.node(r).member()
	return m[:len(m):len(m)]
}

// Next returns the element after r, or None.
func (l *List) Next(r Ref) Ref { return l.node(r).link(0).next }

// Prev returns the element before r, or None.
func (l *List) Prev(r Ref) Ref { return l.node(r).back }

// First returns the first element, or None.
func (l *List) First() Ref { return l.head.links[0].next }

// draw returns the height of a new node.
func (l *List) draw() int {
	l.seed += 0x9e3779b97f4a7c15 // splitmix64
	z := l.seed
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return min(1+bits.TrailingZeros64(z)/2, MaxHeight)
}

// alloc makes a node that is not linked yet.
func (l *List) alloc(height int, score float64, member []byte) (Ref, *node) {
	size := nodeSize + linkSize*height + len(member)
	outside := len(member) >= lenInside
	if outside {
		size += 8
	}
	size = arena.Size(size)
	var r Ref
	if u := size >> 3; u < len(l.free) && l.free[u] != None {
		r = l.free[u]
		l.free[u] = l.node(r).back
		l.idle -= size
	} else {
		r, _ = l.blocks.Alloc(size)
	}
	x := l.node(r)
	x.meta = uint32(height) | uint32(min(len(member), lenInside))<<lenShift
	x.score = score
	if outside {
		*(*uint64)(unsafe.Pointer(x.link(height))) = uint64(len(member))
	}
	copy(x.member(), member)
	return r, x
}

// release takes back the block of a node that is not linked any more.
func (l *List) release(r Ref, x *node) {
	size := x.size()
	if size >= ownChunk || l.shed.on {
		l.blocks.Free(r, size)
		return
	}
	u := size >> 3
	for u >= len(l.free) {
		l.free = append(l.free, None)
	}
	x.back = l.free[u]
	l.free[u] = r
	l.idle += size
}

// path is where a search went down: at each height the last link before the place, and the rank of its node counted
// from 1, 0 being the top.
type path struct {
	link [MaxHeight]*link
	rank [MaxHeight]uint32
	prev Ref // the element before the place
}

// descend finds the place of (score, member).
func (l *List) descend(p *path, score float64, member []byte) {
	x, r, rank := l.top(), None, uint32(0)
	stop := None // known not to come before the place
	for i := l.height - 1; i >= 0; i-- {
		k := x.link(i)
		for k.next != stop {
			y := l.node(k.next)
			if !y.before(score, member) {
				stop = k.next
				break
			}
			rank += k.span
			x, r = y, k.next
			k = x.link(i)
		}
		p.link[i], p.rank[i] = k, rank
	}
	p.prev = r
}

// splice links x, whose place is p.
func (l *List) splice(p *path, r Ref, x *node) {
	h := x.height()
	for ; l.height < h; l.height++ {
		k := &l.head.links[l.height]
		*k = link{None, uint32(l.n)}
		p.link[l.height], p.rank[l.height] = k, 0
	}
	at := p.rank[0]
	for i := range h {
		k := p.link[i]
		d := at - p.rank[i]
		*x.link(i) = link{k.next, k.span - d}
		*k = link{r, d + 1}
	}
	for i := h; i < l.height; i++ {
		p.link[i].span++
	}
	x.back = p.prev
	if next := x.link(0).next; next != None {
		l.node(next).back = r
	} else {
		l.tail = r
	}
	l.n++
}

// unlink takes out x, the element right behind p, which stays the place where it was.
func (l *List) unlink(p *path, r Ref, x *node) {
	h := x.height()
	if r == l.shed.next {
		l.shed.next = x.link(0).next
	}
	for i := range l.height {
		k := p.link[i]
		if i < h {
			y := x.link(i)
			*k = link{y.next, k.span + y.span - 1}
		} else {
			k.span--
		}
	}
	if next := x.link(0).next; next != None {
		l.node(next).back = x.back
	} else {
		l.tail = x.back
	}
	for l.height > 1 && l.head.links[l.height-1].next == None {
		l.height--
	}
	l.n--
}

// Insert adds an element and returns its Ref. member is copied.
func (l *List) Insert(score float64, member []byte) Ref {
	r, x := l.alloc(l.draw(), score, member) // first: it may move the memory that a path points to
	var p path
	l.descend(&p, score, member)
	l.splice(&p, r, x)
	return r
}

// Delete removes r.
func (l *List) Delete(r Ref) {
	x := l.node(r)
	var p path
	l.descend(&p, x.score, x.member())
	l.unlink(&p, r, x)
	l.release(r, x)
}

// SetScore changes the score of r. While the order stays as it is that costs no search.
func (l *List) SetScore(r Ref, score float64) {
	x := l.node(r)
	m := x.member()
	next := x.link(0).next
	if (x.back == None || l.node(x.back).before(score, m)) && (next == None || !l.node(next).before(score, m)) {
		x.score = score
		return
	}
	var p path
	l.descend(&p, x.score, m)
	l.unlink(&p, r, x)
	x.score = score
	l.descend(&p, score, m)
	l.splice(&p, r, x)
}

// DeleteRange removes n elements from the one of rank start (0 is the first) on; there must be as many. f is called for
// each before it goes.
func (l *List) DeleteRange(start, n int, f func(r Ref)) {
	var p path
	x, at, left := l.top(), None, uint32(start)
	for i := l.height - 1; i >= 0; i-- {
		for x.link(i).next != None && x.link(i).span <= left {
			left -= x.link(i).span
			at = x.link(i).next
			x = l.node(at)
		}
		p.link[i] = x.link(i)
	}
	p.prev = at
	for ; n > 0; n-- {
		r := p.link[0].next
		x := l.node(r)
		f(r)
		l.unlink(&p, r, x)
		l.release(r, x)
	}
}
