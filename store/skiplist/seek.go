package skiplist

import "bytes"

// Rank returns the number of elements before r.
func (l *List) Rank(r Ref) int {
	e := l.node(r)
	return l.rankOf(e.score, e.member())
}

func (l *List) rankOf(score float64, member []byte) int {
	x, rank, stop := l.top(), uint32(0), None
	for i := l.height - 1; i >= 0; i-- {
		for k := x.link(i); k.next != stop; k = x.link(i) {
			y := l.node(k.next)
			if !y.before(score, member) {
				stop = k.next
				break
			}
			rank += k.span
			x = y
		}
	}
	return int(rank)
}

// At returns the element with rank elements before it, or None if there are fewer.
func (l *List) At(rank int) Ref {
	if rank < 0 || rank >= l.n {
		return None
	}
	x, r, left := l.top(), None, uint32(rank)+1
	for i := l.height - 1; left > 0; i-- {
		for k := x.link(i); k.next != None && k.span <= left; k = x.link(i) {
			left -= k.span
			r = k.next
			x = l.node(r)
		}
	}
	return r
}

// RankOfScore returns the number of elements whose score is below s, or not above it.
func (l *List) RankOfScore(s float64, orEqual bool) int {
	x, rank, stop := l.top(), uint32(0), None
	for i := l.height - 1; i >= 0; i-- {
		for k := x.link(i); k.next != stop; k = x.link(i) {
			y := l.node(k.next)
			if !(y.score < s || orEqual && y.score == s) {
				stop = k.next
				break
			}
			rank += k.span
			x = y
		}
	}
	return int(rank)
}

// RankOfMember returns the number of elements whose member is below m, or not above it. It means something only where
// all scores are equal.
func (l *List) RankOfMember(m []byte, orEqual bool) int {
	x, rank, stop := l.top(), uint32(0), None
	for i := l.height - 1; i >= 0; i-- {
		for k := x.link(i); k.next != stop; k = x.link(i) {
			y := l.node(k.next)
			if c := bytes.Compare(y.member(), m); !(c < 0 || orEqual && c == 0) {
				stop = k.next
				break
			}
			rank += k.span
			x = y
		}
	}
	return int(rank)
}

// Appender fills a list in ascending order at a constant cost per element. The list must not be changed otherwise
// meanwhile.
type Appender struct {
	l    *List
	last [MaxHeight]Ref    // the last node of that height or more, None for the top
	rank [MaxHeight]uint32 // its rank counted from 1
}

// Appender returns an appender to l, which must be empty.
func (l *List) Appender() *Appender { return &Appender{l: l} }

// Append adds an element, which must come after all others.
func (a *Appender) Append(score float64, member []byte) Ref {
	l := a.l
	r, x := l.alloc(l.draw(), score, member)
	var p path
	p.prev = l.tail
	for i := range l.height {
		y := l.top()
		if a.last[i] != None {
			y = l.node(a.last[i])
		}
		p.link[i], p.rank[i] = y.link(i), a.rank[i]
	}
	l.splice(&p, r, x)
	for i := range x.height() {
		a.last[i], a.rank[i] = r, uint32(l.n)
	}
	return r
}

// Clone returns a copy without free blocks. f is called for each copied element, in order.
func (l *List) Clone(f func(copied Ref, member []byte)) *List {
	c := New(l.seed)
	a := c.Appender()
	for r := l.First(); r != None; r = l.Next(r) {
		x := l.node(r)
		m := x.member()
		f(a.Append(x.score, m), m)
	}
	return c
}

// FromScore returns the first element whose score is at least s, or None.
func (l *List) FromScore(s float64) Ref {
	x, stop := l.top(), None
	for i := l.height - 1; i >= 0; i-- {
		for k := x.link(i); k.next != stop; k = x.link(i) {
			y := l.node(k.next)
			if !(y.score < s) {
				stop = k.next
				break
			}
			x = y
		}
	}
	return x.link(0).next
}

// FromScores is FromScore for several scores, which must ascend: each search goes on where the one before ended, so that
// neighbours cost little.
func (l *List) FromScores(scores []float64, refs []Ref) {
	var path [MaxHeight]*node // per height the last node before the place
	top := l.height - 1
	for i := range l.height {
		path[i] = l.top()
	}
	for j, s := range scores {
		i := 0
		if j == 0 {
			i = top
		}
		for i < top {
			if next := path[i].link(i).next; next == None || !(l.node(next).score < s) {
				break
			}
			i++
		}
		x, stop := path[i], None
		for ; i >= 0; i-- {
			for k := x.link(i); k.next != stop; k = x.link(i) {
				y := l.node(k.next)
				if !(y.score < s) {
					stop = k.next
					break
				}
				x = y
			}
			path[i] = x
		}
		refs[j] = x.link(0).next
	}
}

// Element returns all there is to an element, and the one after it: one look at the node instead of three.
func (l *List) Element(r Ref) (member []byte, score float64, next Ref) {
	x := l.node(r)
	m := x.member()
	return m[:len(m):len(m)], x.score, x.link(0).next
}

// Ahead is how many elements NextMany can return, about.
const Ahead = lanes * laneLen

// lanes and laneLen: a lane leads from one node of height 3 to the next, 16 elements on average.
const (
	lanes     = 6
	laneLevel = 2
	laneLen   = 16
)

// NextMany appends to buf the elements from r on, r itself included, and returns the one after them, None at the end.
// The nodes of a long list are all over the memory, and each names the next: one after the other they cost a cache miss
// each. So a walk goes along links that skip, and then down several lanes at once, whose misses overlap.
func (l *List) NextMany(r Ref, buf []Ref) (out []Ref, next Ref) {
	var heads [lanes + 1]Ref
	n := 0
	for x := r; ; n++ {
		heads[n] = x
		if x == None || n == lanes {
			break
		}
		y := l.node(x)
		if y.height() <= laneLevel { // only at the very start of a walk
			heads[1], n = y.link(0).next, 1
			break
		}
		x = y.link(laneLevel).next
	}
	if n == 1 {
		for x := r; x != heads[1]; x = l.node(x).link(0).next {
			buf = append(buf, x)
		}
		return buf, heads[1]
	}
	var lane [lanes][4 * laneLen]Ref
	var lens [lanes]int
	at := heads
	for busy := true; busy; {
		busy = false
		for i := range n {
			if at[i] != heads[i+1] && lens[i] < len(lane[i]) {
				lane[i][lens[i]] = at[i]
				lens[i]++
				at[i] = l.node(at[i]).link(0).next
				busy = true
			}
		}
	}
	for i := range n {
		buf = append(buf, lane[i][:lens[i]]...)
		for x := at[i]; x != heads[i+1]; x = l.node(x).link(0).next { // a lane of unusual length
			buf = append(buf, x)
		}
	}
	return buf, heads[n]
}
