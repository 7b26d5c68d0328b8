package codec

import (
	"encoding/binary"
	"math"

	"github.com/streampulse/pulse/store/listpack"
	"github.com/streampulse/pulse/store/stream"
)

const (
	errStreamBase    = Corrupt("a node of a stream whose id is not one")
	errStreamLength  = Corrupt("a stream that counts its entries wrong")
	errStreamIDs     = Corrupt("a stream whose first or last id does not fit its entries")
	errStreamAdded   = Corrupt("a stream to which fewer entries were added than it has")
	errGroupTwice    = Corrupt("a group that comes twice")
	errGroupRead     = Corrupt("a group that has read a number of entries that cannot be")
	errConsumerTwice = Corrupt("a consumer that comes twice")
	errConsumerTime  = Corrupt("a consumer that was seen before time began")
	errPendingTime   = Corrupt("a pending entry that was delivered before time began")
	errPendingTwice  = Corrupt("a pending entry that comes twice")
	errPendingOwner  = Corrupt("a pending entry of a consumer that is not pending, or another's")
)

// The fewest bytes that the parts of a stream take.
const (
	minNode     = 1 + idSize + 1 // two strings
	minGroup    = 1 + 2 + 1 + 1  // name, last id, numbers of pending entries and of consumers
	minPending  = idSize + 8 + 1
	minConsumer = 1 + 8 + 1
)

// many reads a number of things that take at least size bytes each, a claim as that of Count: but there may be none.
func (r *Reader) many(size int) uint64 {
	n := r.Length()
	if r.src == nil && n > uint64(r.Rest()/size) {
		r.Fail(Corrupt("more elements than bytes"))
		return 0
	}
	return n
}

// id reads an id that is written as two lengths.
func (r *Reader) id() stream.ID {
	ms := r.Length()
	return stream.ID{Ms: ms, Seq: r.Length()}
}

func (r *Reader) rawID() stream.ID { return idOf(r.Take(idSize)) }

// idOf returns the id of idSize bytes; other numbers of bytes make none.
func idOf(b []byte) stream.ID {
	if len(b) != idSize {
		return stream.ID{}
	}
	return stream.ID{Ms: binary.BigEndian.Uint64(b), Seq: binary.BigEndian.Uint64(b[8:])}
}

// stream reads a stream. The first of its types knows no more than the last id beside the entries, the second knows of
// entries that are gone and how many each group has read, the third when consumers got something last.
//
// What is stored twice must agree. There are streams of real servers that look wrong, and pass: a largest deleted
// id above the last one, and deleted entries above it, where XSETID has put it back; groups that have read more than was added, for the same reason; a
// node in which all entries are deleted, which XTRIM can leave behind. A stream without entries may have any first id: Redis
// invents one when it reads the first type.
func (r *Reader) stream(t Type) *stream.Stream {
	s := stream.New()
	for n := r.many(minNode); n > 0; n-- {
		base := r.text(0)
		if r.err == nil && len(base) != idSize {
			r.Fail(errStreamBase)
		}
		id := idOf(base)
		node := listpack.Listpack(r.Blob())
		if r.err != nil {
			return nil
		}
		if err := s.AppendNode(id, node); err != nil {
			r.Fail(err)
			return nil
		}
	}
	length := r.Length()
	last := r.id()
	first, deleted, added := s.First(), stream.ID{}, length
	if t != typeStream {
		first, deleted, added = r.id(), r.id(), r.Length()
	}
	switch {
	case r.err != nil:
	case length != uint64(s.Len()):
		r.Fail(errStreamLength)
	case length > 0 && first != s.First() || last.Less(s.LastEntry()):
		r.Fail(errStreamIDs)
	case added < length || added > math.MaxInt64:
		r.Fail(errStreamAdded)
	}
	if r.err != nil {
		return nil
	}
	s.SetLast(last)
	s.SetMaxDeleted(deleted)
	s.SetAdded(added)
	for n := r.many(minGroup); n > 0; n-- {
		if r.group(s, t); r.err != nil {
			return nil
		}
	}
	r.Fail(s.Finish(length, last)) // no pending entry is without a consumer
	return s
}

func (r *Reader) group(s *stream.Stream, t Type) {
	name := r.text(0)
	if r.err != nil {
		return
	}
	g, added := s.CreateGroup(name, stream.ID{}, stream.Unknown)
	if !added {
		r.Fail(errGroupTwice)
		return
	}
	g.Last = r.id()
	if g.Read = s.EstimateRead(g.Last); t != typeStream {
		if g.Read = int64(r.Length()); g.Read < 0 && g.Read != stream.Unknown {
			r.Fail(errGroupRead)
		}
	}
	for n := r.many(minPending); n > 0; n-- {
		id, delivered, count := r.rawID(), int64(r.Uint64()), r.Length()
		switch {
		case r.err != nil:
			return
		case delivered < 0:
			r.Fail(errPendingTime)
			return
		case !g.AddPending(id, delivered, count):
			r.Fail(errPendingTwice)
			return
		}
	}
	for n := r.many(minConsumer); n > 0; n-- {
		if r.consumer(g, t); r.err != nil {
			return
		}
	}
}

// consumer reads a consumer and gives it those of the pending entries that are its own.
func (r *Reader) consumer(g *stream.Group, t Type) {
	name := r.text(0)
	if r.err != nil {
		return
	}
	c, added := g.CreateConsumer(name, 0)
	c.Seen = int64(r.Uint64())
	c.Active = c.Seen
	if t == typeStream3 {
		c.Active = int64(r.Uint64())
	}
	switch {
	case !added:
		r.Fail(errConsumerTwice)
	case c.Seen < 0 || c.Active < stream.Never:
		r.Fail(errConsumerTime)
	}
	for n := r.many(idSize); n > 0; n-- {
		id := r.rawID()
		if r.err == nil && !c.Take(id) {
			r.Fail(errPendingOwner)
		}
		if r.err != nil {
			return
		}
	}
}
