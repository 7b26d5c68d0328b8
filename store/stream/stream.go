// Package stream is the value of a stream key: entries in order of their ids, and groups of consumers that read them.
//
// # Contract
//
//	Stream -- nodes    row: id of the first entry -> listpack of up to stream-node-max-entries entries
//	       -- groups   by name: Group -- pending    row: id -> time, count, number of the consumer
//	                                  -- consumers  by name: Consumer -- row of its pending ids
//
// A node is, to the byte, what Redis keeps under that id in its radix tree and writes to RDB files:
//
//	master:  live | deleted | n | field 1 ... field n | 0
//	entry:   flags | ms - ms of the node | seq - seq of the node | [n | field 1 |] value 1 ... | elements before this
//
// An entry whose fields are those of the master has only values. A deleted entry stays, with a flag; its node goes when
// none in it is live. (Trimming by id may leave a node without live entries, as it does in Redis: at the front.)
//
// The last node, and only that, has room to grow. When it is full its bytes are copied to memory of their size and the
// next node takes over the room: so a node costs one allocation, and adding an entry none.
//
// Methods that change a stream, its groups or its consumers may be called by one goroutine at a time, with nobody
// reading. Reading methods may share it; those of a nil stream find it empty. Bytes handed in are copied; bytes handed
// out live until the stream is changed.
package stream

import (
	"math"
	"unsafe"

	"github.com/streampulse/pulse/store/listpack"
)

// MaxEntry is the most bytes the fields and values of an entry may have together; callers see to it.
const MaxEntry = listpack.MaxBytes

// Limits are the parameters stream-node-max-bytes and stream-node-max-entries; 0 stands for no limit.
type Limits struct{ NodeBytes, NodeEntries int }

// Stream is a stream with its groups. The zero value is empty.
type Stream struct {
	nodes   row[listpack.Listpack]
	groups  names[Group]
	length  int
	added   uint64
	last    ID // generated last
	first   ID // of the first live entry
	deleted ID // the greatest that Delete removed
	mem     int
	piece   []byte // what nodes are cut out of; what is used belongs to them
}

// New returns an empty stream.
func New() *Stream { return &Stream{} }

// Len returns the number of entries.
func (s *Stream) Len() int {
	if s == nil {
		return 0
	}
	return s.length
}

// Encoding returns the name OBJECT ENCODING prints.
func (s *Stream) Encoding() string { return "stream" }

// Bytes estimates the memory held, in bytes, groups and pending entries included.
func (s *Stream) Bytes() int {
	if s == nil {
		return 0
	}
	return int(unsafe.Sizeof(*s)) + s.nodes.mem + s.mem
}

// First returns the id of the first entry, zero if there is none.
func (s *Stream) First() ID {
	if s == nil {
		return ID{}
	}
	return s.first
}

// LastEntry returns the id of the last entry, zero if there is none.
func (s *Stream) LastEntry() ID {
	if it := s.Range(MinID, MaxID, true); it.Next() {
		return it.ID()
	}
	return ID{}
}

// Last returns the id that was generated last.
func (s *Stream) Last() ID {
	if s == nil {
		return ID{}
	}
	return s.last
}

// MaxDeleted returns the greatest id that was deleted, zero if none was. Trimming does not count.
func (s *Stream) MaxDeleted() ID {
	if s == nil {
		return ID{}
	}
	return s.deleted
}

// SetMaxDeleted sets what [Stream.MaxDeleted] returns.
func (s *Stream) SetMaxDeleted(id ID) { s.deleted = id }

// Added returns how many entries there have been.
func (s *Stream) Added() uint64 {
	if s == nil {
		return 0
	}
	return s.added
}

// SetAdded sets what [Stream.Added] returns.
func (s *Stream) SetAdded(n uint64) { s.added = n }

// NextID returns the id that "*" stands for at nowMs, in Unix milliseconds; false if ids are exhausted.
func (s *Stream) NextID(nowMs int64) (ID, bool) {
	last := s.Last()
	if nowMs > 0 && uint64(nowMs) > last.Ms {
		return ID{Ms: uint64(nowMs)}, true
	}
	return last.Next()
}

// NextInMs returns the id that "ms-*" stands for; false if there is none above [Stream.Last].
func (s *Stream) NextInMs(ms uint64) (ID, bool) {
	switch last := s.Last(); {
	case ms > last.Ms:
		return ID{Ms: ms}, true
	case ms == last.Ms && last.Seq < math.MaxUint64:
		return ID{ms, last.Seq + 1}, true
	}
	return ID{}, false
}

// Nodes returns the number of nodes.
func (s *Stream) Nodes() int {
	if s == nil {
		return 0
	}
	return s.nodes.n
}

// Clone returns an independent copy.
func (s *Stream) Clone() *Stream {
	c := *s
	c.nodes = s.nodes.clone()
	c.groups = names[Group]{}
	c.mem, c.piece = 0, nil
	for i := range c.nodes.blocks {
		for j, lp := range c.nodes.blocks[i].vals {
			lp = lp.Clone()
			c.nodes.blocks[i].vals[j] = lp
			c.mem += cap(lp)
		}
	}
	for g := range s.Groups() {
		g.cloneTo(&c)
	}
	return &c
}

// EstimateRead returns how many entries there have been up to id, as far as that can be known, else [Unknown].
func (s *Stream) EstimateRead(id ID) int64 {
	switch {
	case s.Added() == 0:
		return 0
	case s.length == 0 && !s.last.Less(id):
		return int64(s.added)
	case !id.Zero() && id.Less(s.deleted):
		return Unknown
	case id == s.last:
		return int64(s.added)
	case s.last.Less(id):
		return Unknown
	case s.deleted.Zero() || s.deleted.Less(s.first):
		if id.Less(s.first) {
			return int64(s.added) - int64(s.length)
		}
		if id == s.first {
			return int64(s.added) - int64(s.length) + 1
		}
	}
	return Unknown
}

// Lag returns how many entries are yet to be delivered to g; false if that is not known.
func (s *Stream) Lag(g *Group) (lag int64, ok bool) {
	switch {
	case s.added == 0 || s.length == 0:
		return 0, true
	case g.Last.Less(s.first) && s.deleted.Less(s.first):
		return int64(s.length), true
	}
	read := g.Read
	if read == Unknown || s.RangeHasTombstones(g.Last, MaxID) {
		if read = s.EstimateRead(g.Last); read == Unknown {
			return 0, false
		}
	}
	return int64(s.added) - read, true
}

// RangeHasTombstones reports whether the last entry that was deleted is between two ids, both included. What is deleted
// of an empty stream does not count.
func (s *Stream) RangeHasTombstones(from, to ID) bool {
	if s.Len() == 0 || s.deleted.Zero() {
		return false
	}
	return !s.deleted.Less(from) && !to.Less(s.deleted)
}
