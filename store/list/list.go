// Package list is the value of a list key.
//
// # Contract
//
// A List is a row of elements. While it is small it is one listpack, and OBJECT ENCODING says so; beyond the limit it
// is a quicklist: a row of listpacks, the nodes, each of at most the limit, except that a huge element has a node of its
// own. No node is empty.
//
//	List -- one node                                            encoding "listpack"
//	List -- quick -- [ room | node node node ... node | room ]  encoding "quicklist"
//
//	node    [ room | listpack | room ]                          both ends grow without moving the middle
//
// The nodes stand in one array rather than in a chain: finding an index is a sum over neighbours in memory, and the ends
// of the array have room as those of a node have.
//
// Methods that change a list take the limit in force; they may be called by one goroutine at a time, with nobody
// reading. Reading methods may share a list, and take a nil list for an empty one. Elements handed in must not point
// into the list; elements handed out live until the list is changed.
package list

import (
	"unsafe"

	"github.com/streampulse/pulse/store/listpack"
)

// MaxElement is the most bytes an element may have; callers see to it.
const MaxElement = listpack.MaxBytes - 64

// List is a list. The zero value is empty.
type List struct {
	one [1]node // all of the list while q is nil
	q   *quick
}

// New returns an empty list.
func New() *List { return &List{} }

// Limit is the parameter list-max-listpack-size: the number of elements of a node if positive, else -1 to -5 for 4, 8,
// 16, 32 and 64 KiB.
type Limit int

// safeBytes bounds a node whose elements are counted.
const safeBytes = 8192

// bytes is the size no node of several elements passes, and a single element up to.
func (f Limit) bytes() int {
	if f >= 0 {
		return safeBytes
	}
	return 4096 << min(-int64(f)-1, 4)
}

// exceeds reports whether a node may not have that size and number of elements.
func (f Limit) exceeds(size, n int) bool {
	return size > f.bytes() || f >= 0 && n > max(int(f), 1)
}

// large reports whether an element of n bytes needs a node of its own.
func (f Limit) large(n int) bool { return n > f.bytes() }

// allows reports whether an element of n bytes may join nd. The overhead of an entry is estimated as Redis does.
func (f Limit) allows(nd *node, n int) bool {
	return !f.exceeds(nd.size()+n+8, int(nd.n)+1)
}

// nodes returns the nodes in order; of a list that is one listpack, that one, even if it is empty.
func (l *List) nodes() []node {
	if l.q == nil {
		return l.one[:]
	}
	return l.q.all[l.q.first:]
}

// Len returns the number of elements.
func (l *List) Len() int {
	switch {
	case l == nil:
		return 0
	case l.q == nil:
		return int(l.one[0].n)
	}
	return l.q.n
}

// Encoding returns the name OBJECT ENCODING prints.
func (l *List) Encoding() string {
	if l == nil || l.q == nil {
		return "listpack"
	}
	return "quicklist"
}

// Bytes estimates the memory held, in bytes.
func (l *List) Bytes() int {
	switch {
	case l == nil:
		return 0
	case l.q == nil:
		return int(unsafe.Sizeof(*l)) + cap(l.one[0].buf)
	}
	return int(unsafe.Sizeof(*l)+unsafe.Sizeof(*l.q)) + cap(l.q.all)*int(unsafe.Sizeof(node{})) + l.q.mem + cap(l.q.spare)
}

// Clone returns an independent copy.
func (l *List) Clone() *List {
	c := &List{}
	if l.q == nil {
		c.one[0] = l.one[0].clone()
		return c
	}
	c.q = &quick{n: l.q.n, all: make([]node, 0, len(l.nodes()))}
	for _, nd := range l.nodes() {
		nd = nd.clone()
		c.q.mem += cap(nd.buf)
		c.q.all = append(c.q.all, nd)
	}
	return c
}

// Push adds elements one after the other at the front, or at the back.
func (l *List) Push(elems [][]byte, front bool, limit Limit) {
	add := 0
	for _, e := range elems {
		add += len(e)
	}
	l.expect(add, len(elems), limit)
	for _, e := range elems {
		l.push(e, front, limit)
	}
}

// PushOne adds one element at the front, or at the back.
func (l *List) PushOne(elem []byte, front bool, limit Limit) {
	l.expect(len(elem), 1, limit)
	l.push(elem, front, limit)
}

func (l *List) push(elem []byte, front bool, limit Limit) {
	e := listpack.NewEntry(elem)
	nodes := l.nodes()
	at := 0
	if !front {
		at = len(nodes) - 1
	}
	if l.q == nil || len(nodes) > 0 && !limit.large(len(elem)) && limit.allows(&nodes[at], len(elem)) {
		l.put(&nodes[at], &e, front, limit)
		return
	}
	if !front {
		at++
	}
	l.addNode(at, &e, front, limit)
}

// Drop removes n elements, all if there are fewer, from the front or from the back.
func (l *List) Drop(n int, front bool, limit Limit) {
	for n > 0 {
		nodes := l.nodes()
		if len(nodes) == 0 {
			return
		}
		at := 0
		if !front {
			at = len(nodes) - 1
		}
		nd := &nodes[at]
		if int(nd.n) > n {
			l.cut(nd, n, front)
			break
		}
		n -= int(nd.n)
		if l.q == nil {
			l.one[0] = node{}
			return
		}
		l.q.drop(at, limit)
	}
	l.shrink(limit)
}

// Rotate moves an element from one end to the other, or, for the same end, leaves the list as it is.
func (l *List) Rotate(fromFront, toFront bool, limit Limit) {
	if fromFront == toFront || l.Len() == 0 {
		return
	}
	var scratch [128]byte
	it := l.End(fromFront)
	elem := it.lp.AppendValue(scratch[:0], it.p)
	l.PushOne(elem, toFront, limit)
	l.Drop(1, fromFront, limit)
}

// expect turns a listpack that is to take add bytes in n elements into a quicklist if that is too much for it.
func (l *List) expect(add, n int, limit Limit) {
	if l.q == nil && limit.exceeds(l.one[0].size()+add, int(l.one[0].n)+n) {
		l.quicken()
	}
}

// quicken makes the list a quicklist.
func (l *List) quicken() {
	nd := l.one[0]
	l.q = &quick{}
	l.one[0] = node{}
	if nd.n > 0 {
		l.q.insert(0, nd)
		l.q.n = int(nd.n)
	}
}

// minShrink is the capacity in bytes up to which memory that became free is kept.
const minShrink = 2048

// shrink makes a quicklist a listpack again when it is down to half the limit: not sooner, or a list around the limit
// would change with each command. A listpack gives memory back that it does not use.
func (l *List) shrink(limit Limit) { l.shrinkTo(limit, 2) }

func (l *List) shrinkTo(limit Limit, part int) {
	if l.q != nil {
		nodes := l.nodes()
		if len(nodes) != 1 {
			return
		}
		nd := nodes[0]
		if limit < 0 && nd.size() > limit.bytes()/part || nd.size() > limit.bytes() ||
			limit >= 0 && int(nd.n) > max(int(limit), 1)/part {
			return
		}
		l.one[0], l.q = nd, nil
	}
	if nd := &l.one[0]; cap(nd.buf) > minShrink && nd.size() < cap(nd.buf)/4 {
		l.regrow(nd, 2*nd.size(), nd.size()/2)
	}
}
