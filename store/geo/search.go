package geo

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"unsafe"
)

// Point is a member found by a search. Its place is the Position of its score.
type Point struct {
	Score float64
	Dist  float64 // from the centre of the shape, if the search wanted it
	end   int     // of the name, in Found.text, where the point before left off
}

// Found collects the results of a search, which may be many: it holds no pointers to single ones, and is good for further
// searches after Reset.
type Found struct {
	points []Point
	text   []byte
	order  []place // after Sort, of the points

	// Of the search that runs; visit is kept, so that no search allocates.
	shape  prepared
	wanted bool
	limit  int
	ranges [9][2]float64
	visit  func(member []byte, score float64) bool
}

// place is a point to sort.
type place struct {
	dist  float64
	index int
}

// Source is a sorted set.
type Source interface {
	// EachScore calls f for the members with scores in ranges, whose first number belongs to them and whose second does
	// not: of one range after the other, and upwards in each, until f returns false. member is valid until f returns.
	EachScore(ranges [][2]float64, f func(member []byte, score float64) bool)
}

// keep bounds the memory in bytes that an idle Found holds on to, of each kind.
const keep = 1 << 20

// Reset forgets all results.
func (r *Found) Reset() {
	r.points, r.text, r.order = reuse(r.points), reuse(r.text), reuse(r.order)
}

func reuse[T any](v []T) []T {
	var one T
	if cap(v)*int(unsafe.Sizeof(one)) > keep {
		return nil
	}
	return v[:0]
}

// Len returns the number of points.
func (r *Found) Len() int { return len(r.points) }

// At returns point i, in the order of the search or, after Sort, of the distances, and its member. Both are valid until
// Reset.
func (r *Found) At(i int) (p *Point, member []byte) {
	if len(r.order) > 0 {
		i = r.order[i].index
	}
	start := 0
	if i > 0 {
		start = r.points[i-1].end
	}
	p = &r.points[i]
	return p, r.text[start:p.end]
}

// Search adds the members of src in the shape, in the order of the cells searched and of the scores in each; at most
// limit of them if it is not 0. Distances are computed if they are wanted.
func (r *Found) Search(src Source, s *Shape, wanted bool, limit int) {
	cells, n := s.cover()
	r.shape, r.wanted, r.limit = s.prepare(), wanted, limit
	if r.limit <= 0 {
		r.limit = math.MaxInt
	}
	if r.visit == nil {
		r.visit = r.take
	}
	for i := range n {
		from, to := cells[i].scores()
		r.ranges[i] = [2]float64{from, to}
	}
	src.EachScore(r.ranges[:n], r.visit)
}

// take adds a member that is in the shape, and reports whether there is room for more.
func (r *Found) take(member []byte, score float64) bool {
	lon, lat := Position(score)
	if dist, in := r.shape.test(lon, lat, r.wanted); in {
		r.text = append(r.text, member...)
		r.points = append(r.points, Point{score, dist, len(r.text)})
	}
	return len(r.points) < r.limit
}

// Sort puts the points in the order of their distances, which the search must have been asked for; the farthest come
// first if so asked. Only the first n are certain to be in their places. If all are, points equally far stay in the order
// of the search.
func (r *Found) Sort(n int, farthestFirst bool) {
	sign := 1.0
	if farthestFirst {
		sign = -1
	}
	for i := range r.points {
		r.order = append(r.order, place{sign * r.points[i].Dist, i})
	}
	if n < len(r.order) {
		sortFirst(r.order, n, 4*bits.Len(uint(len(r.order))))
		return
	}
	slices.SortFunc(r.order, func(p, q place) int {
		return cmp.Or(p.compare(q), p.index-q.index)
	})
}

func (p place) compare(q place) int {
	switch {
	case p.dist < q.dist:
		return -1
	case p.dist > q.dist:
		return 1
	}
	return 0
}

// sortFirst sorts v so far that its first n elements are those of the sorted whole. Where elements are equal their
// order shows how it was done, and Redis's shows in replies with COUNT, so the steps are the same: quicksort after
// Bentley and McIlroy, "Engineering a sort function" (1993), which leaves alone the parts that hold none of the first
// n. An input made to defeat it would need more than the given rounds and is sorted otherwise.
func sortFirst(v []place, n, rounds int) {
	for ; len(v) >= 7; rounds-- {
		if rounds <= 0 {
			slices.SortFunc(v, place.compare)
			return
		}
		lower, upper := split(v)
		middle := len(v) - len(upper)
		if n <= middle {
			v = lower
			continue
		}
		sortFirst(lower, len(lower), rounds-1)
		v = upper
		n -= middle
	}
	for i := 1; i < len(v); i++ {
		for j := i; j > 0 && v[j-1].compare(v[j]) > 0; j-- {
			v[j-1], v[j] = v[j], v[j-1]
		}
	}
}

// split moves what comes before a median to the left and what comes after to the right, and returns both sides.
func split(v []place) (lower, upper []place) {
	n := len(v)
	median := func(i, j, k int) int {
		if v[i].compare(v[j]) < 0 {
			switch {
			case v[j].compare(v[k]) < 0:
				return j
			case v[i].compare(v[k]) < 0:
				return k
			}
			return i
		}
		switch {
		case v[j].compare(v[k]) > 0:
			return j
		case v[i].compare(v[k]) < 0:
			return i
		}
		return k
	}
	m := n / 2
	if n > 7 {
		l, r := 0, n-1
		if n > 40 {
			d := n / 8
			l, m, r = median(l, l+d, l+2*d), median(m-d, m, m+d), median(r-2*d, r-d, r)
		}
		m = median(l, m, r)
	}
	v[0], v[m] = v[m], v[0]
	// Equal elements gather at both ends: v[:a] and v[d+1:]. v[a:b] comes before the median, v[c+1:d+1] after it.
	a, b, c, d := 1, 1, n-1, n-1
	for {
		for ; b <= c; b++ {
			x := v[b].compare(v[0])
			if x > 0 {
				break
			}
			if x == 0 {
				v[a], v[b] = v[b], v[a]
				a++
			}
		}
		for ; b <= c; c-- {
			x := v[c].compare(v[0])
			if x < 0 {
				break
			}
			if x == 0 {
				v[c], v[d] = v[d], v[c]
				d--
			}
		}
		if b > c {
			break
		}
		v[b], v[c] = v[c], v[b]
		b++
		c--
	}
	swapRuns(v, 0, b, min(a, b-a))
	swapRuns(v, b, n, min(d-c, n-1-d))
	return v[:b-a], v[n-(d-c):]
}

// swapRuns exchanges the n elements from i on with the n elements up to end.
func swapRuns(v []place, i, end, n int) {
	for j := end - n; n > 0; n-- {
		v[i], v[j] = v[j], v[i]
		i++
		j++
	}
}
