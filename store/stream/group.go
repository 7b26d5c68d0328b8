package stream

import (
	"iter"
	"unsafe"
)

// Unknown is the number of entries read where it is not known.
const Unknown = -1

// Never is the time of a consumer that was never active.
const Never = -1

// Group is a consumer group. A pending entry is a record without pointers in the row of the group, which knows its
// consumer by a number, and an id in the row of the consumer: who walks those of a consumer looks the records up.
type Group struct {
	Last ID    // the last id delivered
	Read int64 // the entries read up to Last, or Unknown

	s         *Stream
	name      []byte
	pending   row[record]
	consumers names[Consumer]
	numbered  []*Consumer // by number; nil where the number is free
	free      []uint32    // numbers that are free
}

// record is what is known of a pending entry.
type record struct {
	delivered int64
	count     uint64
	consumer  uint32
}

// Consumer is a consumer of a group.
type Consumer struct {
	Seen   int64 // Unix milliseconds
	Active int64 // Unix milliseconds, or Never

	g      *Group
	name   []byte
	number uint32
	ids    row[struct{}]
}

// Pending is an entry that was delivered and not acknowledged.
type Pending struct {
	ID        ID
	Delivered int64 // Unix milliseconds
	Count     uint64
	Consumer  *Consumer
}

// What the parts of a group are counted with, beside their rows and names: a tree of names has about that much for each.
const (
	nameBytes     = 48
	groupBytes    = int(unsafe.Sizeof(Group{})) + nameBytes
	consumerBytes = int(unsafe.Sizeof(Consumer{})) + nameBytes + 8
)

// Group returns the group of that name, or nil.
func (s *Stream) Group(name []byte) *Group {
	if s == nil {
		return nil
	}
	return s.groups.get(name)
}

// NumGroups returns the number of groups.
func (s *Stream) NumGroups() int {
	if s == nil {
		return 0
	}
	return s.groups.len()
}

// Groups returns the groups in byte order of their names. None may be created or destroyed meanwhile.
func (s *Stream) Groups() iter.Seq[*Group] {
	return func(yield func(*Group) bool) {
		if s != nil {
			s.groups.each(yield)
		}
	}
}

// CreateGroup adds a group that has read up to last, read entries if that is not Unknown. If there is one of that name
// it is returned as it is, with false.
func (s *Stream) CreateGroup(name []byte, last ID, read int64) (*Group, bool) {
	if g := s.groups.get(name); g != nil {
		return g, false
	}
	g := &Group{Last: last, Read: read, s: s, name: append(make([]byte, 0, len(name)), name...)}
	s.groups.put(g.name, g)
	s.mem += groupBytes + cap(g.name)
	return g, true
}

// DestroyGroup removes a group with all it has and reports whether there was one.
func (s *Stream) DestroyGroup(name []byte) bool {
	g := s.Group(name)
	if g == nil {
		return false
	}
	s.groups.delete(g.name)
	s.mem -= g.bytes()
	g.s = nil
	return true
}

// bytes is what the group adds to the memory of its stream.
func (g *Group) bytes() int {
	n := groupBytes + cap(g.name) + g.pending.mem + 4*cap(g.free)
	for _, c := range g.numbered {
		if c != nil {
			n += c.bytes()
		}
	}
	return n
}

func (c *Consumer) bytes() int { return consumerBytes + cap(c.name) + c.ids.mem }

// cloneTo adds a copy of g to s.
func (g *Group) cloneTo(s *Stream) {
	c, _ := s.CreateGroup(g.name, g.Last, g.Read)
	c.pending = g.pending.clone()
	c.numbered = make([]*Consumer, len(g.numbered))
	c.free = append([]uint32(nil), g.free...)
	s.mem += c.pending.mem + 4*cap(c.free)
	for _, old := range g.numbered {
		if old == nil {
			continue
		}
		n := *old
		n.g, n.name, n.ids = c, append([]byte(nil), old.name...), old.ids.clone()
		c.numbered[n.number] = &n
		c.consumers.put(n.name, &n)
		s.mem += n.bytes()
	}
}

// Name returns the group's name, which must not be changed.
func (g *Group) Name() []byte { return g.name }

// NumPending returns the number of pending entries.
func (g *Group) NumPending() int { return g.pending.n }

// NumConsumers returns the number of consumers.
func (g *Group) NumConsumers() int { return g.consumers.len() }

// Consumers returns the consumers in byte order of their names. None may be created or deleted meanwhile.
func (g *Group) Consumers() iter.Seq[*Consumer] { return g.consumers.each }

// Consumer returns the consumer of that name, or nil.
func (g *Group) Consumer(name []byte) *Consumer { return g.consumers.get(name) }

// CreateConsumer adds a consumer that is seen at nowMs, in Unix milliseconds, and was never active. If there is one of
// that name it is returned as it is, with false.
func (g *Group) CreateConsumer(name []byte, nowMs int64) (*Consumer, bool) {
	if c := g.consumers.get(name); c != nil {
		return c, false
	}
	c := &Consumer{Seen: nowMs, Active: Never, g: g, name: append(make([]byte, 0, len(name)), name...)}
	if n := len(g.free); n > 0 {
		c.number, g.free = g.free[n-1], g.free[:n-1]
		g.numbered[c.number] = c
	} else {
		c.number = uint32(len(g.numbered))
		g.numbered = append(g.numbered, c)
	}
	g.consumers.put(c.name, c)
	g.s.mem += c.bytes()
	return c, true
}

// DeleteConsumer removes a consumer and its pending entries, whose number is returned; false if there is none.
func (g *Group) DeleteConsumer(name []byte) (pending int, ok bool) {
	c := g.consumers.get(name)
	if c == nil {
		return 0, false
	}
	pending = c.ids.n
	before := g.pending.mem + 4*cap(g.free)
	for p, n := c.ids.start(), pending; n > 0; n-- {
		g.pending.delete(c.ids.key(p))
		p = c.ids.next(p)
	}
	g.consumers.delete(c.name)
	g.numbered[c.number] = nil
	g.free = append(g.free, c.number)
	if g.consumers.len() == 0 {
		g.numbered, g.free = nil, nil
	}
	g.s.mem += g.pending.mem + 4*cap(g.free) - before - c.bytes()
	c.g = nil
	return pending, true
}

// Name returns the consumer's name, which must not be changed.
func (c *Consumer) Name() []byte { return c.name }

// NumPending returns the number of entries pending for the consumer.
func (c *Consumer) NumPending() int { return c.ids.n }

// PendingEnds returns the first and the last of the ids that are pending, zeros if none is.
func (g *Group) PendingEnds() (first, last ID) {
	if p, ok := g.pending.last(); ok {
		first, last = g.pending.key(g.pending.start()), g.pending.key(p)
	}
	return first, last
}

// Pending returns the pending entry of that id.
func (g *Group) Pending(id ID) (Pending, bool) {
	p, ok := g.pending.seek(id)
	if !ok {
		return Pending{}, false
	}
	return g.at(p), true
}

func (g *Group) at(p place) Pending {
	r := g.pending.val(p)
	return Pending{g.pending.key(p), r.delivered, r.count, g.numbered[r.consumer]}
}

// Assign makes the entry of that id pending for c, whoever had it. deliveredMs is in Unix milliseconds.
func (g *Group) Assign(id ID, c *Consumer, deliveredMs int64, count uint64) {
	mine, all := c.ids.mem, g.pending.mem
	r := record{deliveredMs, count, c.number}
	switch old := g.pending.get(id); {
	case old == nil:
		g.pending.insert(id, r)
		c.ids.insert(id, struct{}{})
	case old.consumer == c.number:
		*old = r
	default:
		g.numbered[old.consumer].forget(id)
		*old = r
		c.ids.insert(id, struct{}{})
	}
	g.s.mem += c.ids.mem - mine + g.pending.mem - all
}

// forget takes id, which the consumer has, from its row.
func (c *Consumer) forget(id ID) {
	before := c.ids.mem
	c.ids.delete(id)
	c.g.s.mem += c.ids.mem - before
}

// Ack removes the pending entry of that id and reports whether there was one.
func (g *Group) Ack(id ID) bool {
	p, ok := g.pending.seek(id)
	if !ok {
		return false
	}
	g.numbered[g.pending.val(p).consumer].forget(id)
	before := g.pending.mem
	g.pending.remove(p)
	g.s.mem += g.pending.mem - before
	return true
}

// Referenced reports whether id is pending in any group.
func (s *Stream) Referenced(id ID) bool {
	if s == nil {
		return false
	}
	found := false
	s.groups.each(func(g *Group) bool {
		found = g.pending.has(id)
		return !found
	})
	return found
}

// Unreference removes id from the pending entries of every group and returns how many had it.
func (s *Stream) Unreference(id ID) int {
	n := 0
	s.groups.each(func(g *Group) bool {
		if g.Ack(id) {
			n++
		}
		return true
	})
	return n
}

// Acked reports whether every group has passed id and none has it pending.
func (s *Stream) Acked(id ID) bool {
	if s == nil {
		return true
	}
	acked := true
	s.groups.each(func(g *Group) bool {
		acked = !g.Last.Less(id) && !g.pending.has(id)
		return acked
	})
	return acked
}

// PendingIter walks pending entries in order of their ids:
//
//	for it := g.PendingRange(from, to); it.Next(); {
//		p := it.At()
//	}
//
// Anything may become pending, be moved or be acknowledged meanwhile; the walk goes on after the id that it was at.
type PendingIter struct {
	g      *Group
	c      *Consumer // nil: those of the group
	to     ID
	from   ID // the least id that may come next
	end    bool
	known  bool // what follows holds
	ver    uint32
	place  place
	record Pending
}

// PendingRange returns the pending entries from one id to another, both included.
func (g *Group) PendingRange(from, to ID) PendingIter { return PendingIter{g: g, from: from, to: to} }

// PendingRange returns the pending entries of the consumer from one id to another, both included.
func (c *Consumer) PendingRange(from, to ID) PendingIter {
	return PendingIter{g: c.g, c: c, from: from, to: to}
}

// Next goes to the next entry and reports whether there is one.
func (it *PendingIter) Next() bool {
	if it.end {
		return false
	}
	var id ID
	var ok bool
	if it.c == nil {
		id, ok = advance(it, &it.g.pending)
	} else {
		id, ok = advance(it, &it.c.ids)
	}
	if !ok {
		it.end, it.record = true, Pending{}
		return false
	}
	if it.c == nil {
		it.record = it.g.at(it.place)
	} else {
		it.record, _ = it.g.Pending(id)
	}
	it.from, ok = id.Next()
	it.end = !ok
	return true
}

// advance moves the place of it on in r.
func advance[V any](it *PendingIter, r *row[V]) (ID, bool) {
	if it.known && it.ver == r.ver {
		it.place = r.next(it.place)
	} else {
		it.place, _ = r.seek(it.from)
		it.known, it.ver = true, r.ver
	}
	if it.place == r.end() {
		return ID{}, false
	}
	id := r.key(it.place)
	return id, !it.to.Less(id)
}

// At returns the present entry, as it was when Next came to it.
func (it *PendingIter) At() Pending { return it.record }
