package list

import (
	"unsafe"

	"github.com/streampulse/pulse/store/listpack"
)

// node is a listpack with room before and behind it. A node without a buffer stands for an empty listpack.
type node struct {
	buf []byte // buf[lo:] is the listpack, the rest of its capacity is room
	lo  uint32
	n   uint32 // elements
}

const emptySize = 7 // of a listpack

var emptyPack = listpack.New(0)

func (nd *node) lp() listpack.Listpack {
	if nd.buf == nil {
		return emptyPack
	}
	return listpack.Listpack(nd.buf[nd.lo:])
}

// size is that of the listpack in bytes.
func (nd *node) size() int {
	if nd.buf == nil {
		return emptySize
	}
	return len(nd.buf) - int(nd.lo)
}

func (nd *node) clone() node {
	if nd.buf == nil {
		return node{}
	}
	return node{buf: nd.lp().Clone(), n: nd.n}
}

// setBuf gives nd another buffer.
func (l *List) setBuf(nd *node, buf []byte, lo int) {
	if l.q != nil {
		l.q.mem += cap(buf) - cap(nd.buf)
	}
	nd.buf, nd.lo = buf, uint32(lo)
}

// adopt notes that nd's listpack has become lp, of n elements.
func (l *List) adopt(nd *node, lp listpack.Listpack, n int) {
	if unsafe.SliceData(lp) == &nd.buf[nd.lo] {
		nd.buf = nd.buf[:int(nd.lo)+len(lp)]
	} else {
		l.setBuf(nd, lp, 0)
	}
	l.count(nd, n-int(nd.n))
}

// count notes that nd has d elements more.
func (l *List) count(nd *node, d int) {
	nd.n = uint32(int(nd.n) + d)
	if l.q != nil {
		l.q.n += d
	}
}

// put adds an entry at an end of nd.
func (l *List) put(nd *node, e *listpack.Entry, front bool, limit Limit) {
	size := e.Size()
	if front {
		if int(nd.lo) < size {
			l.makeRoom(nd, size, front, limit)
		}
		nd.lo = uint32(listpack.PutFront(nd.buf, int(nd.lo), e))
	} else {
		if cap(nd.buf)-len(nd.buf) < size {
			l.makeRoom(nd, size, front, limit)
		}
		nd.buf = listpack.PutBack(nd.buf, int(nd.lo), e)
	}
	l.count(nd, 1)
}

// cut removes n elements, fewer than nd has, at an end of nd.
func (l *List) cut(nd *node, n int, front bool) {
	if front {
		nd.lo = uint32(listpack.CutFront(nd.buf, int(nd.lo), n))
	} else {
		nd.buf = listpack.CutBack(nd.buf, int(nd.lo), n)
	}
	l.count(nd, -n)
}

// makeRoom makes room for size bytes at an end of nd. If much of the buffer is free the listpack moves to its middle,
// which serves queues that take at one end what they give at the other; else the buffer grows, at the end in use.
func (l *List) makeRoom(nd *node, size int, front bool, limit Limit) {
	have := nd.size()
	need := have + size
	grown := need + need/2
	if m := limit.bytes(); need <= m {
		grown = min(grown, m)
	}
	if c := cap(nd.buf); c >= grown || c >= need && c-have >= c/4 {
		free := c - have
		at := min(free/2, free-size)
		if front {
			at = max(free/2, size)
		}
		full := nd.buf[:c]
		copy(full[at:], nd.lp())
		nd.buf, nd.lo = full[:at+have], uint32(at)
		return
	}
	if front {
		l.regrow(nd, grown, -1)
	} else {
		l.regrow(nd, grown, 0)
	}
}

// regrow moves nd's listpack to offset at (-1: to the end) of a new buffer of size bytes, or as many as the allocator
// hands out for that.
func (l *List) regrow(nd *node, size, at int) {
	lp := nd.lp()
	buf := append([]byte(nil), make([]byte, size)...)
	buf = buf[:cap(buf)]
	if at < 0 {
		at = len(buf) - len(lp)
	}
	copy(buf[at:], lp)
	l.setBuf(nd, buf[:at+len(lp)], at)
}

// quick is what a quicklist has more than a listpack.
type quick struct {
	all   []node // the nodes are all[first:]
	first int
	n     int    // elements
	mem   int    // capacity of all buffers of nodes, in bytes
	spare []byte // the buffer of the last node that went empty, for the next new one
}

// addNode makes a node at position at that holds e.
func (l *List) addNode(at int, e *listpack.Entry, front bool, limit Limit) {
	q := l.q
	var nd node
	need := emptySize + e.Size()
	buf := q.spare
	switch {
	case cap(buf) >= need:
		q.spare = nil
	case need > limit.bytes()/2:
		buf = make([]byte, need)
	case len(l.nodes()) > 1:
		buf = make([]byte, limit.bytes())
	default:
		// The second node starts small, or lists just over the limit would cost twice as much.
		buf = make([]byte, max(need, limit.bytes()/4))
	}
	buf = buf[:cap(buf)]
	if front {
		nd.lo = uint32(len(buf) - emptySize)
		nd.buf = buf
	} else {
		nd.buf = buf[:emptySize]
	}
	copy(nd.buf[nd.lo:], emptyPack)
	q.insert(at, nd)
	l.put(&l.nodes()[at], e, front, limit)
}

// insert adds nd at position i; its elements are counted by the caller.
func (q *quick) insert(i int, nd node) {
	q.mem += cap(nd.buf)
	n := len(q.all) - q.first
	if i <= n/2 && n > 0 {
		if q.first == 0 {
			q.roomInFront(n)
		}
		q.first--
		copy(q.all[q.first:], q.all[q.first+1:q.first+1+i])
		q.all[q.first+i] = nd
		return
	}
	if len(q.all) == cap(q.all) && q.first > n {
		copy(q.all, q.all[q.first:])
		clear(q.all[n:])
		q.all, q.first = q.all[:n], 0
	}
	q.all = append(q.all, nd)
	copy(q.all[q.first+i+1:], q.all[q.first+i:])
	q.all[q.first+i] = nd
}

// roomInFront moves the n nodes, which begin at the very front, away from it.
func (q *quick) roomInFront(n int) {
	if free := cap(q.all) - n; free > n {
		q.first = free / 2
		q.all = q.all[:q.first+n]
		copy(q.all[q.first:], q.all[:n])
		clear(q.all[:q.first])
		return
	}
	q.first = n/2 + 2
	all := make([]node, q.first+n)
	copy(all[q.first:], q.all)
	q.all = all
}

// take removes node i without touching the number of elements.
func (q *quick) take(i int) (nd node) {
	i += q.first
	nd = q.all[i]
	q.mem -= cap(nd.buf)
	switch last := len(q.all) - 1; {
	case i == q.first:
		q.all[i] = node{}
		q.first++
	default:
		copy(q.all[i:], q.all[i+1:])
		q.all[last] = node{}
		q.all = q.all[:last]
	}
	if q.first == len(q.all) {
		q.all, q.first = q.all[:0], 0
	}
	return nd
}

// drop removes node i and its elements.
func (q *quick) drop(i int, limit Limit) {
	nd := q.take(i)
	q.n -= int(nd.n)
	if c := cap(nd.buf); c <= limit.bytes() && c > cap(q.spare) {
		q.spare = nd.buf
	}
}
