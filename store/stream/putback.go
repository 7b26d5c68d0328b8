package stream

import "github.com/streampulse/pulse/store/listpack"

// SetLast sets the id that was generated last, which must not be below that of an entry. Deleted entries above it are
// taken out of their nodes: ids that come next could not be in order with them.
func (s *Stream) SetLast(id ID) {
	if id.Less(s.last) {
		s.forgetAbove(id)
	}
	s.last = id
}

// forgetAbove removes all trace of entries above id, which are deleted.
func (s *Stream) forgetAbove(id ID) {
	for {
		at, ok := s.nodes.last()
		if !ok {
			return
		}
		lp, base := *s.nodes.val(at), s.nodes.key(at)
		m := readMaster(lp)
		cut, above := listpack.None, 0
		for p := m.entries(lp); p != listpack.None; {
			e := readEntry(lp, p, base, &m)
			if id.Less(e.id) {
				if above++; above == 1 {
					cut = p
				}
			}
			p = e.next(lp)
		}
		switch {
		case above == 0:
			return
		case above < m.live+m.deleted:
			rest, _ := lp.DeleteFrom(cut, len(lp))
			s.setNode(at, lp, rest, m.live, m.deleted-above)
			return
		}
		s.dropNode(at)
	}
}
