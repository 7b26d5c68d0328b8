package stream

import (
	"github.com/streampulse/pulse/store/listpack"
)

// Trim says which entries at the front of a stream are to go.
type Trim struct {
	ByID   bool
	MaxLen uint64 // unless ByID: as many stay
	MinID  ID     // if ByID: those below go
	Approx bool   // only nodes that can go as a whole go
	Limit  uint64 // no more entries go, where whole nodes go; 0: no limit

	// Visit, if not nil, is asked about each entry that would go, in order; what it returns false for stays, and others
	// go in its place if MaxLen says so. It may change groups, and nothing else of the stream.
	Visit func(id ID) bool
}

// Trim removes entries at the front, and returns how many: exactly those that Redis removes, node for node.
func (s *Stream) Trim(t Trim) (removed int) {
	for at := s.nodes.start(); at != s.nodes.end(); {
		if !t.ByID && uint64(s.length) <= t.MaxLen {
			break
		}
		lp, base := *s.nodes.val(at), s.nodes.key(at)
		m := readMaster(lp)
		if t.Limit > 0 && uint64(removed)+uint64(m.live) > t.Limit {
			break
		}
		var whole bool
		if t.ByID {
			whole = lastOf(lp, base, &m).Less(t.MinID)
		} else {
			whole = uint64(s.length-m.live) >= t.MaxLen
		}
		switch {
		case whole && t.Visit == nil:
			s.length -= m.live
			removed += m.live
			at = s.dropNode(at)
			continue
		case !whole && t.Approx:
		default:
			gone, kept := s.trimNode(at, lp, base, &m, &t, whole)
			removed += gone
			if whole && kept == 0 {
				at = s.dropNode(at)
				continue
			}
			if whole || t.Visit != nil && !t.ByID {
				at = s.nodes.next(at)
				continue
			}
		}
		break
	}
	if removed > 0 {
		s.findFirst()
	}
	return removed
}

// trimNode marks entries of the node at p deleted, up to where t says, and returns how many, and how many are left.
func (s *Stream) trimNode(at place, lp listpack.Listpack, base ID, m *master, t *Trim, whole bool) (gone, left int) {
	old := lp
	for p := m.entries(lp); p != listpack.None; {
		e := readEntry(lp, p, base, m)
		if t.ByID && !e.id.Less(t.MinID) || !t.ByID && uint64(s.length) <= t.MaxLen {
			break
		}
		p = e.next(lp)
		if e.flags&flagDeleted != 0 || t.Visit != nil && !t.Visit(e.id) {
			continue
		}
		lp = setInt(lp, e.at, e.flags|flagDeleted)
		gone++
		s.length--
	}
	s.setNode(at, old, lp, m.live-gone, m.deleted+gone)
	return gone, m.live - gone
}

// lastOf returns the id of the last entry of a node, deleted or not.
func lastOf(lp listpack.Listpack, base ID, m *master) ID {
	e := readEntry(lp, before(lp, listpack.None), base, m)
	return e.id
}
