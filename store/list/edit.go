package list

import "github.com/streampulse/pulse/store/listpack"

// Insert adds elem before, or behind, the first element that equals pivot; it reports false if there is none.
func (l *List) Insert(pivot, elem []byte, before bool, limit Limit) bool {
	l.expect(len(elem), 1, limit)
	for i := range l.nodes() {
		lp := l.nodes()[i].lp()
		p := lp.Find(lp.First(), pivot, 0)
		if p == listpack.None {
			continue
		}
		if !before {
			if p = lp.Next(p); p == listpack.None {
				p = len(lp) - 1
			}
		}
		l.insert(i, p, elem, limit)
		return true
	}
	return false
}

// insert adds elem before position p, which may be the end, of node i.
func (l *List) insert(i, p int, elem []byte, limit Limit) {
	nodes := l.nodes()
	nd := &nodes[i]
	lp := nd.lp()
	large := l.q != nil && limit.large(len(elem))
	e := listpack.NewEntry(elem)
	front, back := p == lp.First(), p == len(lp)-1
	if l.q == nil || !large && limit.allows(nd, len(elem)) {
		if front || back {
			l.put(nd, &e, front, limit)
			return
		}
		l.adopt(nd, lp.InsertBefore(p, elem), int(nd.n)+1)
		return
	}
	switch {
	case front && i > 0 && !large && limit.allows(&nodes[i-1], len(elem)):
		l.put(&nodes[i-1], &e, false, limit)
		return
	case back && i+1 < len(nodes) && !large && limit.allows(&nodes[i+1], len(elem)):
		l.put(&nodes[i+1], &e, true, limit)
		return
	case front:
		l.addNode(i, &e, false, limit)
		return
	case back:
		l.addNode(i+1, &e, true, limit)
		return
	}
	l.split(i, p)
	nodes = l.nodes()
	tail := i + 1
	switch {
	case !large && limit.allows(&nodes[i], len(elem)):
		l.put(&nodes[i], &e, false, limit)
	case !large && limit.allows(&nodes[tail], len(elem)):
		l.put(&nodes[tail], &e, true, limit)
	default:
		l.addNode(tail, &e, false, limit)
		tail++
	}
	l.merge(tail, limit)
	if i > 0 {
		l.merge(i-1, limit)
	}
}

// split makes two nodes of node i, the second beginning with the element at p, which is not the first.
func (l *List) split(i, p int) {
	nd := &l.nodes()[i]
	n := int(nd.n)
	head, tail := nd.lp().Split(p)
	moved := tail.Len()
	l.adopt(nd, head, n-moved)
	l.q.insert(i+1, node{buf: tail, n: uint32(moved)})
	l.q.n += moved
}

// merge makes one node of nodes i and i+1 if they are there and the limit allows.
func (l *List) merge(i int, limit Limit) {
	nodes := l.nodes()
	if i+1 >= len(nodes) {
		return
	}
	a, b := &nodes[i], &nodes[i+1]
	if limit.exceeds(a.size()+b.size()-emptySize, int(a.n)+int(b.n)) {
		return
	}
	lp, err := listpack.Merge(a.lp(), b.lp())
	if err != nil {
		return
	}
	l.adopt(a, lp, int(a.n)+int(b.n))
	l.q.n -= int(l.q.take(i + 1).n)
}

// Set puts elem in the place of the element with the given index; it reports false if there is none.
func (l *List) Set(index int, elem []byte, limit Limit) bool {
	i, p := l.locate(index)
	if p == listpack.None {
		return false
	}
	l.expect(len(elem), 1, limit)
	nd := &l.nodes()[i]
	size := nd.size() + len(elem) - nd.lp().TextLen(p) + 8
	switch {
	case l.q == nil || !limit.large(len(elem)) && !limit.exceeds(size, int(nd.n)):
		l.adopt(nd, nd.lp().Replace(p, elem), int(nd.n))
	case nd.n == 1:
		e := listpack.NewEntry(elem)
		l.q.drop(i, limit)
		l.addNode(i, &e, false, limit)
	default:
		p, _ = l.remove(i, p)
		if p == listpack.None {
			p = l.nodes()[i].size() - 1
		}
		l.insert(i, p, elem, limit)
	}
	l.shrink(limit)
	return true
}

// remove takes the element at p out of node i, which has others, and returns the positions of its neighbours.
func (l *List) remove(i, p int) (next, prev int) {
	nd := &l.nodes()[i]
	lp := nd.lp()
	prev = lp.Prev(p)
	lp, next = lp.Delete(p)
	l.adopt(nd, lp, int(nd.n)-1)
	return next, prev
}

// Remove takes out the first count elements that equal elem, the last -count if count is negative, all if it is zero,
// and returns how many these were.
func (l *List) Remove(elem []byte, count int, limit Limit) (removed int) {
	v := NewNeedle(elem)
	most := l.Len()
	back := count < 0
	switch {
	case back && -count > 0:
		most = min(most, -count)
	case count > 0:
		most = min(most, count)
	}
	i, step := 0, 1
	if back {
		i, step = len(l.nodes())-1, -1
	}
	for i >= 0 && i < len(l.nodes()) && removed < most {
		n := l.removeIn(i, &v, back, most-removed)
		removed += n
		if l.nodes()[i].n > 0 || l.q == nil {
			i += step
			continue
		}
		l.q.drop(i, limit)
		if back {
			i--
		}
	}
	if removed > 0 {
		l.shrink(limit)
	}
	return removed
}

// removeIn is Remove within node i, which may be left empty.
func (l *List) removeIn(i int, v *Needle, back bool, most int) (removed int) {
	nd := &l.nodes()[i]
	p := nd.lp().First()
	if back {
		p = nd.lp().Last()
	}
	for p != listpack.None && removed < most {
		lp := nd.lp()
		if v.at(lp, p) {
			next, prev := l.remove(i, p)
			removed++
			p = next
			if back {
				p = prev
			}
			continue
		}
		if back {
			p = lp.Prev(p)
		} else {
			p = lp.Next(p)
		}
	}
	return removed
}

// Trim keeps the elements with indexes from start to stop, both in range and not negative.
func (l *List) Trim(start, stop int, limit Limit) {
	l.Drop(l.Len()-1-stop, false, limit)
	l.Drop(start, true, limit)
}
