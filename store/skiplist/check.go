package skiplist

import "fmt"

// Check verifies every invariant of the list and returns what is broken first. It costs time linear in the list.
func (l *List) Check() error {
	// One walk at height 0 knows where each higher link must lead.
	type from struct {
		x    *node
		rank int
	}
	var last [MaxHeight]from
	for i := range last {
		last[i].x = l.top()
	}
	n, prev, tallest := 0, None, 1
	for r := l.First(); r != None; r = l.Next(r) {
		x := l.node(r)
		n++
		h := x.height()
		if h < 1 || h > MaxHeight {
			return fmt.Errorf("skiplist: element %d has height %d", n, h)
		}
		tallest = max(tallest, h)
		if x.back != prev {
			return fmt.Errorf("skiplist: element %d leads back to %d, want %d", n, x.back, prev)
		}
		if prev != None && !l.node(prev).before(x.score, x.member()) {
			return fmt.Errorf("skiplist: element %d is out of order", n)
		}
		for i := range h {
			k := last[i].x.link(i)
			if k.next != r || int(k.span) != n-last[i].rank {
				return fmt.Errorf("skiplist: the link at height %d to element %d is broken", i, n)
			}
			last[i] = from{x, n}
		}
		prev = r
	}
	if n != l.n || l.tail != prev || l.height != tallest {
		return fmt.Errorf("skiplist: %d elements, end %d, height %d; noted are %d, %d, %d", n, prev, tallest, l.n, l.tail, l.height)
	}
	for i := range l.height {
		k := last[i].x.link(i)
		if k.next != None || int(k.span) != n-last[i].rank {
			return fmt.Errorf("skiplist: the last link at height %d is broken", i)
		}
	}
	return nil
}
