package zset

import (
	"strconv"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store/listpack"
	"github.com/streampulse/pulse/store/skiplist"
)

// Span is a range of scores: the first belongs to it, the second does not.
type Span = [2]float64

// maxSpans is the number of ranges that EachScore looks up together.
const maxSpans = 16

// EachScore calls f for the members with scores in spans, of one after the other and upwards in each, until f returns
// false. member is valid until f returns. f must not change the set.
func (z *ZSet) EachScore(spans []Span, f func(member []byte, score float64) bool) {
	if z == nil {
		return
	}
	for len(spans) > 0 {
		n := min(len(spans), maxSpans)
		more := true
		if z.large != nil {
			more = z.large.eachScore(spans[:n], f)
		} else {
			for i := 0; i < n && more; i++ {
				more = packEachScore(z.pack, spans[i], f)
			}
		}
		if !more {
			return
		}
		spans = spans[n:]
	}
}

// eachScore is EachScore for at most maxSpans; it returns what f did last.
func (g *large) eachScore(spans []Span, f func([]byte, float64) bool) bool {
	// The starts are looked up in ascending order, whatever the order of the spans.
	var order [maxSpans]uint8
	var from [maxSpans]float64
	var found, starts [maxSpans]skiplist.Ref
	n := len(spans)
	for i := range n {
		j := i
		for ; j > 0 && from[j-1] > spans[i][0]; j-- {
			from[j], order[j] = from[j-1], order[j-1]
		}
		from[j], order[j] = spans[i][0], uint8(i)
	}
	g.list.FromScores(from[:n], found[:n])
	for j, r := range found[:n] {
		starts[order[j]] = r
	}
	for i := range n {
		if !g.eachFrom(starts[i], spans[i][1], f) {
			return false
		}
	}
	return true
}

// alone is after how many members it is worth to look at many at once.
const alone = 48

// eachFrom calls f for r and those behind it with scores below max. It returns what f did last.
func (g *large) eachFrom(r skiplist.Ref, max float64, f func([]byte, float64) bool) bool {
	l := g.list
	for range alone {
		if r == skiplist.None {
			return true
		}
		m, s, next := l.Element(r)
		if !(s < max) {
			return true
		}
		if !f(m, s) {
			return false
		}
		r = next
	}
	var room [2 * skiplist.Ahead]skiplist.Ref
	for r != skiplist.None {
		var many []skiplist.Ref
		many, r = l.NextMany(r, room[:0])
		for _, e := range many {
			m, s, _ := l.Element(e)
			if !(s < max) {
				return true
			}
			if !f(m, s) {
				return false
			}
		}
	}
	return true
}

func packEachScore(l listpack.Listpack, span Span, f func([]byte, float64) bool) bool {
	var scratch []byte // made for the first integer: most members are none
	for p := l.First(); p != listpack.None; {
		vp := l.Next(p)
		s := packScore(l, vp)
		if !(s < span[1]) {
			break
		}
		if s >= span[0] {
			m, i, isInt := l.Get(p)
			if isInt {
				if scratch == nil {
					scratch = make([]byte, 0, num.MaxIntLen)
				}
				m = strconv.AppendInt(scratch, i, 10)
			}
			if !f(m, s) {
				return false
			}
		}
		p = l.Next(vp)
	}
	return true
}
