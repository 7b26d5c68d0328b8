package stream

import (
	"math"

	"github.com/streampulse/pulse/store/listpack"
)

// Flags of an entry.
const (
	flagDeleted    = 1
	flagSameFields = 2
)

const (
	// inlineRoom is the capacity in bytes up to which the room of a node that is full goes on to the next.
	inlineRoom = 16 << 10

	// growStep is how far a node grows at most in one step, until it is larger than eight of them.
	growStep = 1024
)

// master is what stands at the start of a node.
type master struct {
	live, deleted int
	n             int // fields
	fields        int // position of the first field, or of the 0 after none
}

// readMaster reads the start of a node.
func readMaster(lp listpack.Listpack) (m master) {
	p := lp.First()
	m.live, p = readInt(lp, p)
	m.deleted, p = readInt(lp, p)
	m.n, m.fields = readInt(lp, p)
	return m
}

// entries returns the position of the node's first entry.
func (m *master) entries(lp listpack.Listpack) int {
	return lp.Next(lp.Skip(m.fields, m.n))
}

// readInt returns the integer at p and the position after it, which must not be the end.
func readInt(lp listpack.Listpack, p int) (v, next int) {
	if b := lp[p]; b < 1<<7 { // itself: most are
		return int(b), p + 2
	}
	return readLong(lp, p)
}

// setInt puts v in the place of the integer at p.
func setInt(lp listpack.Listpack, p, v int) listpack.Listpack {
	if v < 1<<7 && lp[p] < 1<<7 {
		lp[p] = byte(v)
		return lp
	}
	return lp.ReplaceInt(p, int64(v))
}

func readLong(lp listpack.Listpack, p int) (v, next int) {
	_, i, _ := lp.Get(p)
	return int(i), lp.Next(p)
}

// entry is an entry of a node.
type entry struct {
	at     int // position of the flags
	flags  int
	id     ID
	n      int // pairs
	fields int // position of the first field, if they are not those of the master, else of the first value
}

// readEntry reads the entry at p of the node with that id.
func readEntry(lp listpack.Listpack, p int, base ID, m *master) entry {
	e := entry{at: p, n: m.n}
	var ms, seq int
	e.flags, p = readInt(lp, p)
	ms, p = readInt(lp, p)
	seq, p = readInt(lp, p)
	e.id = ID{base.Ms + uint64(ms), base.Seq + uint64(seq)}
	if e.flags&flagSameFields == 0 {
		e.n, p = readInt(lp, p)
	}
	e.fields = p
	return e
}

// next returns the position of the entry after e, or listpack.None.
func (e *entry) next(lp listpack.Listpack) int {
	n := e.n
	if e.flags&flagSameFields == 0 {
		n *= 2
	}
	return lp.Next(lp.Skip(e.fields, n))
}

// before returns the position of the entry that ends before position p, which may be that of no entry for the end;
// None if the master ends there.
func before(lp listpack.Listpack, p int) int {
	if p == listpack.None {
		p = lp.Last()
	} else {
		p = lp.Prev(p)
	}
	n, _ := readInt(lp, p)
	if n == 0 {
		return listpack.None
	}
	for range n {
		p = lp.Prev(p)
	}
	return p
}

// maxSize bounds the bytes that an element of n bytes takes in a listpack.
func maxSize(n int) int {
	switch {
	case n < 1<<6:
		return n + 2
	case n < 1<<12:
		return n + 4
	}
	return n + 10
}

// maxInts bounds the bytes that the integers of a new entry and its master take.
const maxInts = 8 * 10

// Append adds an entry; fields and values alternate in pairs. id must be above [Stream.Last], which it becomes; Append
// panics if it is not.
func (s *Stream) Append(id ID, pairs [][]byte, l Limits) {
	if !s.last.Less(id) {
		panic("stream: an id that is not above the last")
	}
	total, size := 0, maxInts
	for _, b := range pairs {
		total += len(b)
		size += maxSize(len(b))
	}
	n := len(pairs) / 2
	at, ok := s.nodes.last()
	var lp listpack.Listpack
	var base ID
	var m master
	if ok {
		lp, base = *s.nodes.val(at), s.nodes.key(at)
		m = readMaster(lp)
		ok = l.allow(lp, &m, total)
	}
	flags, elems := 0, n+4
	var b []byte
	if ok {
		s.mem -= cap(lp)
		if m.sameFields(lp, pairs) {
			flags = flagSameFields
		}
		lp = grow(lp, size)
		lp = setInt(lp, lp.First(), m.live+1)
		b = lp.Open()
	} else {
		flags, base = flagSameFields, id
		for i := 0; i < len(pairs); i += 2 {
			size += maxSize(len(pairs[i]))
		}
		b = grow(s.handOver(at, lp), size).Open()
		b = listpack.PutInt(b, 1)
		b = listpack.PutInt(b, 0)
		b = listpack.PutInt(b, int64(n))
		for i := 0; i < len(pairs); i += 2 {
			b = listpack.Put(b, pairs[i])
		}
		b = listpack.PutInt(b, 0)
		elems += n + 4
		s.nodes.insert(id, nil)
		at, _ = s.nodes.last()
	}
	count := n + 3
	b = listpack.PutInt(b, int64(flags))
	b = listpack.PutInt(b, int64(id.Ms-base.Ms))
	b = listpack.PutInt(b, int64(id.Seq-base.Seq))
	if flags&flagSameFields == 0 {
		b = listpack.PutInt(b, int64(n))
		for _, elem := range pairs {
			b = listpack.Put(b, elem)
		}
		count += n + 1
		elems += n + 1
	} else {
		for i := 1; i < len(pairs); i += 2 {
			b = listpack.Put(b, pairs[i])
		}
	}
	b = listpack.PutInt(b, int64(count))
	lp = listpack.Seal(b, elems)
	*s.nodes.val(at) = lp
	s.mem += cap(lp)
	s.added++
	s.last = id
	if s.length++; s.length == 1 {
		s.first = id
	}
}

// allow reports whether an entry with that many bytes may join the node. As in Redis deleted entries count, and what
// the listpack needs beside the bytes does not.
func (l Limits) allow(lp listpack.Listpack, m *master, total int) bool {
	most := l.NodeBytes
	if most <= 0 || most > listpack.MaxBytes {
		most = listpack.MaxBytes
	}
	if total >= most-len(lp) {
		return false
	}
	return l.NodeEntries <= 0 || m.live+m.deleted < l.NodeEntries
}

// sameFields reports whether the fields of pairs are those of the master.
func (m *master) sameFields(lp listpack.Listpack, pairs [][]byte) bool {
	if m.n != len(pairs)/2 {
		return false
	}
	p := m.fields
	for i := 0; i < len(pairs); i += 2 {
		if !lp.Equal(p, pairs[i]) {
			return false
		}
		p = lp.Next(p)
	}
	return true
}

// grow gives lp room for n more bytes. Small nodes grow in steps, since many streams have no more than one of them.
func grow(lp listpack.Listpack, n int) listpack.Listpack {
	need := len(lp) + n
	if need <= cap(lp) {
		return lp
	}
	room := need + max(min(need, growStep), need/8)
	if len(lp) == 0 {
		return listpack.In(append(listpack.Listpack(nil), make([]byte, need)...))
	}
	return append(append(listpack.Listpack(nil), make([]byte, room)...)[:0], lp...)
}

// handOver cuts the node lp at p, which is full, to its size, and returns the room it had, empty, for the next one. A
// nil lp has none.
func (s *Stream) handOver(p place, lp listpack.Listpack) listpack.Listpack {
	if lp == nil {
		return nil
	}
	s.mem -= cap(lp)
	if cap(lp) > inlineRoom {
		lp = lp.Shrink()
		*s.nodes.val(p) = lp
		s.mem += cap(lp)
		return nil
	}
	cut := s.cut(lp)
	*s.nodes.val(p) = cut
	s.mem += cap(cut)
	return listpack.In(lp)
}

// Of a long stream, nodes that are full are cut out of larger pieces of memory: the allocator spends 2 % on what it knows of
// each node, and rounds sizes up. A piece lives as long as any node in it, which does no harm where entries go
// in the order in which they came.
const pieceSize = 256 << 10

// longNodes is how many nodes make a stream long. A variable for tests.
var longNodes = 512

// cut returns a copy of lp without slack.
func (s *Stream) cut(lp listpack.Listpack) listpack.Listpack {
	n := len(lp)
	if s.nodes.n < longNodes || n > pieceSize/32 {
		return lp.Clone()
	}
	if cap(s.piece)-len(s.piece) < n {
		s.piece = make([]byte, 0, pieceSize)
	}
	at := len(s.piece)
	s.piece = append(s.piece, lp...)
	return listpack.Listpack(s.piece[at : at+n : at+n])
}

// nodeOf returns the place of the node that id belongs to; false if all nodes begin after it.
func (s *Stream) nodeOf(id ID) (place, bool) {
	p, ok := s.nodes.seek(id)
	if ok {
		return p, true
	}
	return s.nodes.prev(p)
}

// find returns the node and the live entry of that id.
func (s *Stream) find(id ID) (at place, m master, e entry, ok bool) {
	if s == nil || id.Less(s.first) || s.last.Less(id) {
		return at, m, e, false
	}
	if at, ok = s.nodeOf(id); !ok {
		return at, m, e, false
	}
	lp, base := *s.nodes.val(at), s.nodes.key(at)
	m = readMaster(lp)
	for p := m.entries(lp); p != listpack.None; p = e.next(lp) {
		e = readEntry(lp, p, base, &m)
		if !e.id.Less(id) {
			return at, m, e, e.id == id && e.flags&flagDeleted == 0
		}
	}
	return at, m, e, false
}

// Has reports whether there is an entry of that id.
func (s *Stream) Has(id ID) bool {
	_, _, _, ok := s.find(id)
	return ok
}

// Delete removes the entry of that id and reports whether there was one. [Stream.MaxDeleted] follows.
func (s *Stream) Delete(id ID) bool {
	at, m, e, ok := s.find(id)
	if !ok {
		return false
	}
	lp, first := *s.nodes.val(at), s.first
	if m.live == 1 {
		s.dropNode(at)
	} else {
		// The entry after the first is looked for here, not from the start over what is deleted.
		for next := e; first == id; {
			next = readEntry(lp, next.next(lp), s.nodes.key(at), &m)
			if next.flags&flagDeleted == 0 {
				first = next.id
			}
		}
		s.setNode(at, lp, setInt(lp, e.at, e.flags|flagDeleted), m.live-1, m.deleted+1)
	}
	s.length--
	if s.deleted.Less(id) {
		s.deleted = id
	}
	if s.first = first; first == id {
		s.findFirst()
	}
	return true
}

// setNode makes lp the node at p, which was old, with those counts.
func (s *Stream) setNode(p place, old, lp listpack.Listpack, live, deleted int) {
	s.mem -= cap(old)
	lp = setInt(lp, lp.First(), live)
	lp = setInt(lp, lp.Next(lp.First()), deleted)
	if last, _ := s.nodes.last(); cap(lp) != cap(old) && p != last {
		lp = lp.Shrink()
	}
	s.mem += cap(lp)
	*s.nodes.val(p) = lp
}

// dropNode removes the node at p, whose entries are no longer counted or will not be, and returns the place after it.
func (s *Stream) dropNode(p place) place {
	s.mem -= cap(*s.nodes.val(p))
	return s.nodes.remove(p)
}

// findFirst finds the first live entry anew.
func (s *Stream) findFirst() {
	s.first = ID{}
	if it := s.Range(MinID, MaxID, false); s.length > 0 && it.Next() {
		s.first = it.ID()
	}
}

// radixSample is the number of nodes up to which RadixNodes counts exactly.
const radixSample = 4096

// RadixNodes returns about how many nodes a radix tree of the nodes' ids would have: exactly, if there are few.
func (s *Stream) RadixNodes() int {
	if s.Nodes() == 0 {
		return 1
	}
	const idLen = 16
	// open has the depths at which the path of the present id branches off.
	var open []int
	count := 0
	closeTo := func(depth, end int) {
		// What ends at depth end hangs on the branch at depth or on the next open one above.
		for {
			parent := -1
			if len(open) > 0 {
				parent = open[len(open)-1]
			}
			if parent < depth {
				parent = depth
				if depth >= 0 {
					open = append(open, depth)
				}
			}
			count++ // the leaf or branch at end
			if end > parent+1 {
				count++ // the letters between
			}
			if parent == depth {
				return
			}
			end = parent
			open = open[:len(open)-1]
		}
	}
	p := s.nodes.start()
	n := min(s.nodes.n, radixSample)
	prev := s.nodes.key(p)
	for range n - 1 {
		p = s.nodes.next(p)
		key := s.nodes.key(p)
		closeTo(commonBytes(prev, key), idLen)
		prev = key
	}
	closeTo(-1, idLen)
	if s.nodes.n > n {
		return int(math.Round(float64(count) * float64(s.nodes.n) / float64(n)))
	}
	return count
}
