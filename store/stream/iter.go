package stream

import (
	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store/listpack"
)

// Iter walks entries:
//
//	for it := s.Range(from, to, false); it.Next(); {
//		for range it.NumFields() {
//			field, value := it.Field()
//		}
//	}
//
// It is valid until the stream changes.
type Iter struct {
	s        *Stream
	from, to ID
	reverse  bool
	at       place // of the node
	lp       listpack.Listpack
	base     ID
	m        master
	p        int // of the entry read last; None at the node's end in reverse
	e        entry
	left     int // pairs of the entry not yet handed out; forward: -1 if no entry is read
	field    int // position of the next field
	value    int // position of the next value
	texts    [2][num.MaxIntLen]byte
}

// Range returns the entries from one id to another, both included, in reverse order if reverse is true.
func (s *Stream) Range(from, to ID, reverse bool) Iter {
	it := Iter{from: from, to: to, reverse: reverse}
	if s.Nodes() == 0 || to.Less(from) {
		return it
	}
	edge := from
	if reverse {
		edge = to
	}
	at, ok := s.nodeOf(edge)
	if !ok {
		if reverse {
			return it
		}
		at = s.nodes.start()
	}
	it.s = s
	it.enter(at)
	return it
}

// enter goes to the node at p.
func (it *Iter) enter(at place) {
	nodes := &it.s.nodes
	it.at, it.lp, it.base = at, *nodes.val(at), nodes.key(at)
	it.m = readMaster(it.lp)
	it.p = listpack.None
	it.left = -1
}

// step goes to the next entry of the node, deleted or not; false if there is none.
func (it *Iter) step() bool {
	switch {
	case it.reverse:
		it.p = before(it.lp, it.p)
	case it.left < 0:
		it.p = it.m.entries(it.lp)
	default:
		n := it.left
		if it.e.flags&flagSameFields == 0 {
			n *= 2
		}
		it.p = it.lp.Next(it.lp.Skip(it.value, n))
	}
	if it.p == listpack.None {
		return false
	}
	it.e = readEntry(it.lp, it.p, it.base, &it.m)
	it.left, it.value, it.field = it.e.n, it.e.fields, it.m.fields
	return true
}

// Next goes to the next entry and reports whether there is one.
func (it *Iter) Next() bool {
	for it.s != nil {
		if !it.step() {
			if !it.turn() {
				break
			}
			continue
		}
		switch id := it.e.id; {
		case id.Less(it.from):
			if it.reverse {
				it.s = nil
				return false
			}
			continue
		case it.to.Less(id):
			if !it.reverse {
				it.s = nil
				return false
			}
			continue
		case it.e.flags&flagDeleted != 0:
			continue
		}
		return true
	}
	return false
}

// turn goes to the next node; false if there is none, which ends it.
func (it *Iter) turn() bool {
	nodes := &it.s.nodes
	at, ok := it.at, true
	if it.reverse {
		at, ok = nodes.prev(at)
	} else {
		at = nodes.next(at)
		ok = at != nodes.end()
	}
	if !ok {
		it.s = nil
		return false
	}
	it.enter(at)
	return true
}

// ID returns the id of the present entry.
func (it *Iter) ID() ID { return it.e.id }

// NumFields returns the number of pairs of the present entry.
func (it *Iter) NumFields() int { return it.e.n }

// Field returns the next pair of the present entry, which must have one more. Both live until the next call.
func (it *Iter) Field() (field, value []byte) {
	it.left--
	if it.e.flags&flagSameFields != 0 {
		field = it.lp.Text(it.field, it.texts[0][:])
		it.field = it.lp.Next(it.field)
	} else {
		field = it.lp.Text(it.value, it.texts[0][:])
		it.value = it.lp.Next(it.value)
	}
	value = it.lp.Text(it.value, it.texts[1][:])
	it.value = it.lp.Next(it.value)
	return field, value
}
