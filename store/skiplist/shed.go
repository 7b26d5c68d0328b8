package skiplist

// shed is the state of giving memory back. All elements move into new blocks, in the order of the list, and the blocks
// that were free when it began go back to the arena, which drops a chunk when its last block has gone.
type shed struct {
	on    bool
	next  Ref   // the next element to move
	stale []Ref // the free lists of that time
}

// wasteful reports whether most of the memory is unused, and enough of it to be worth an effort.
func (l *List) wasteful() bool {
	unused := l.idle + l.blocks.Space() - l.blocks.Live()
	return unused > 256<<10 && unused > l.blocks.Space()/4*3
}

// drains is how many stale blocks go back for each element that may move.
const drains = 4

// Shed gives memory back if much is unused: call it after a change. It moves at most about n elements, telling where
// each has gone, and takes time in proportion.
func (l *List) Shed(n int, moved func(from, to Ref)) {
	s := &l.shed
	if !s.on {
		if !l.wasteful() {
			return
		}
		*s = shed{true, l.First(), l.free}
		l.free = nil
	}
	for i := n * drains; i > 0 && len(s.stale) > 0; i-- {
		u := len(s.stale) - 1
		r := s.stale[u]
		if r == None { // nothing more of this size
			s.stale = s.stale[:u]
			continue
		}
		s.stale[u] = l.node(r).back
		l.idle -= u << 3
		l.blocks.Free(r, u<<3)
	}
	if s.next != None {
		l.move(n, moved)
	} else if len(s.stale) == 0 {
		*s = shed{}
	}
}

// move moves up to n elements from shed.next on.
func (l *List) move(n int, moved func(from, to Ref)) {
	var p path
	x := l.node(l.shed.next)
	l.descend(&p, x.score, x.member())
	for r := l.shed.next; r != None && n > 0; n-- {
		x := l.node(r)
		next := x.link(0).next
		if size := x.size(); size < ownChunk { // larger ones have a chunk each
			to, b := l.blocks.Alloc(size)
			copy(b, l.blocks.Bytes(r)[:size])
			x = l.node(to)
			for i := range x.height() {
				p.link[i].next = to
			}
			if next != None {
				l.node(next).back = to
			} else {
				l.tail = to
			}
			l.blocks.Free(r, size)
			moved(r, to)
		}
		for i := range x.height() {
			p.link[i] = x.link(i)
		}
		r = next
		l.shed.next = next
	}
}
