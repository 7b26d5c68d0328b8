package stream

import (
	"errors"
	"math/bits"

	"github.com/streampulse/pulse/store/listpack"
)

// ErrCorrupt is what is said of bytes from outside that are no part of a stream.
var ErrCorrupt = errors.New("stream: corrupt")

// EachNode calls yield with the id and the bytes of each node, in order, until it returns false.
func (s *Stream) EachNode(yield func(base ID, lp listpack.Listpack) bool) {
	if s.Nodes() == 0 {
		return
	}
	for at := s.nodes.start(); at != s.nodes.end(); at = s.nodes.next(at) {
		if !yield(s.nodes.key(at), *s.nodes.val(at)) {
			return
		}
	}
}

// AppendNode adds a node with that id after all others. Its bytes are from outside: the error is ErrCorrupt if they are
// no node, or the ids are not all above those before. The stream keeps lp. Afterwards [Stream.Last] is not below any id
// of it; what else is known of the stream is to be set, then [Stream.Finish] be called.
func (s *Stream) AppendNode(base ID, lp listpack.Listpack) error {
	if listpack.Valid(lp) != nil {
		return ErrCorrupt
	}
	first, last, m, ok := validNode(base, lp)
	if !ok || base.Zero() || s.nodes.n > 0 && !s.last.Less(base) {
		return ErrCorrupt
	}
	if cap(lp)-len(lp) > len(lp)/8 { // what the allocator rounds up to is less
		lp = lp.Shrink()
	}
	s.nodes.insert(base, lp)
	s.mem += cap(lp)
	if s.length == 0 {
		s.first = first
	}
	s.length += m.live
	if s.last.Less(last) {
		s.last = last
	}
	return nil
}

// Finish ends the reading of a stream from outside: length and last are what it says of itself. The error is ErrCorrupt
// if that is not so, or if a pending entry has no consumer.
func (s *Stream) Finish(length uint64, last ID) error {
	if uint64(s.length) != length || last.Less(s.last) {
		return ErrCorrupt
	}
	s.last = last
	ok := true
	s.groups.each(func(g *Group) bool {
		n := 0
		for c := range g.Consumers() {
			n += c.ids.n
		}
		ok = n == g.pending.n
		return ok
	})
	if !ok {
		return ErrCorrupt
	}
	return nil
}

// validNode checks a listpack that is valid as such. First is the id of the first live entry, if there is one, last the
// id of the last entry, deleted or not.
func validNode(base ID, lp listpack.Listpack) (first, last ID, m master, ok bool) {
	r := reader{lp, lp.First()}
	bad := func() (ID, ID, master, bool) { return ID{}, ID{}, master{}, false }
	// Each entry is of at least four elements, each of which takes at least two bytes; so no count is larger than that.
	most := int64(len(lp))
	live, ok1 := r.int(most)
	deleted, ok2 := r.int(most)
	n, ok3 := r.int(most)
	if !ok1 || !ok2 || !ok3 {
		return bad()
	}
	m = master{live: int(live), deleted: int(deleted), n: int(n), fields: r.p}
	if !r.skip(n) {
		return bad()
	}
	if zero, ok := r.int(0); !ok || zero != 0 {
		return bad()
	}
	if live+deleted == 0 {
		return bad()
	}
	for i := range live + deleted {
		// Flags are changed in place, so they must be the one byte that they always are.
		narrow := r.p != listpack.None && lp[r.p] <= flagDeleted|flagSameFields
		flags, ok1 := r.int(flagDeleted | flagSameFields)
		ms, ok2 := r.number()
		seq, ok3 := r.number()
		if !narrow || !ok1 || !ok2 || !ok3 {
			return bad()
		}
		id := ID{base.Ms + uint64(ms), base.Seq + uint64(seq)}
		if id.Less(base) || i > 0 && !last.Less(id) {
			return bad()
		}
		count, pairs := n+3, n
		if flags&flagSameFields == 0 {
			own, ok := r.int(most)
			if !ok {
				return bad()
			}
			count, pairs = 2*own+4, 2*own
		}
		if !r.skip(pairs) {
			return bad()
		}
		if c, ok := r.int(2*most + 4); !ok || c != count {
			return bad()
		}
		if flags&flagDeleted != 0 {
			deleted--
		} else if live--; live == int64(m.live)-1 {
			first = id
		}
		last = id
	}
	if r.p != listpack.None || live != 0 || deleted != 0 {
		return bad()
	}
	return first, last, m, true
}

// reader reads elements of a listpack that may end anywhere.
type reader struct {
	lp listpack.Listpack
	p  int
}

// number reads an integer.
func (r *reader) number() (int64, bool) {
	if r.p == listpack.None {
		return 0, false
	}
	_, i, ok := r.lp.Get(r.p)
	r.p = r.lp.Next(r.p)
	return i, ok
}

// int reads an integer from 0 to most.
func (r *reader) int(most int64) (int64, bool) {
	i, ok := r.number()
	return i, ok && i >= 0 && i <= most
}

// skip passes over n elements.
func (r *reader) skip(n int64) bool {
	for ; n > 0 && r.p != listpack.None; n-- {
		r.p = r.lp.Next(r.p)
	}
	return n == 0
}

// nobody is the number of the consumer that a pending entry does not have yet.
const nobody = ^uint32(0)

// AddPending makes id pending for a consumer that is not known yet, as RDB files have it: [Consumer.Take] says later
// whose it is, and [Stream.Finish] that no one's is left. False if id is pending already.
func (g *Group) AddPending(id ID, deliveredMs int64, count uint64) bool {
	if g.pending.has(id) {
		return false
	}
	before := g.pending.mem
	g.pending.insert(id, record{deliveredMs, count, nobody})
	g.s.mem += g.pending.mem - before
	return true
}

// Take makes the pending entry of that id, which nobody has, that of c; false if there is none.
func (c *Consumer) Take(id ID) bool {
	r := c.g.pending.get(id)
	if r == nil || r.consumer != nobody {
		return false
	}
	r.consumer = c.number
	before := c.ids.mem
	c.ids.insert(id, struct{}{})
	c.g.s.mem += c.ids.mem - before
	return true
}

// commonBytes returns how many bytes a and b have in common at the start, high bytes first.
func commonBytes(a, b ID) int {
	if a.Ms != b.Ms {
		return bits.LeadingZeros64(a.Ms^b.Ms) / 8
	}
	return 8 + bits.LeadingZeros64(a.Seq^b.Seq)/8
}
