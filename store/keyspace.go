package store

import (
	"math"
	"sync/atomic"
	"unsafe"

	"github.com/google/btree"

	"github.com/streampulse/pulse/internal/pieces"
	"github.com/streampulse/pulse/store/arena"
	"github.com/streampulse/pulse/store/table"
)

// noDeadline is the deadline of a key that lives for ever.
const noDeadline = math.MaxInt64

// keyspace is one database within one shard: an index over an arena of blocks, a slab of objects for the values that
// are not strings, and the deadlines in order. It is guarded by its shard's lock.
type keyspace struct {
	s       *Store
	shard   *shard
	idx     table.Index
	blocks  arena.Arena
	objects slab
	// deadlines holds one item for each key that has a deadline; nil until there is one. Items name a key by its
	// hash, not by its block, so that blocks may move.
	deadlines *btree.BTreeG[deadline]
	fields    *fieldOrder   // hashes with deadlines of fields; nil until there is one
	sum       float64       // of all deadlines, for their average
	charged   int64         // bytes that the store counts, see account
	count     *atomic.Int64 // of keys, for those without the lock
	lap       deadline      // where drawVolatile goes on
	mark      byte          // of blocks that no snapshot has to save
	keep      *keeper       // nil unless a snapshot is under way
}

type deadline struct {
	at   int64 // Unix milliseconds
	hash uint64
}

func (d deadline) less(e deadline) bool {
	if d.at != e.at {
		return d.at < e.at
	}
	return d.hash < e.hash
}

func (s *Store) newKeyspace(i int) *keyspace { return &keyspace{s: s, shard: &s.shards[i]} }

// HashOf implements table.Hasher: the bits that chose the shard are shifted out.
func (ks *keyspace) HashOf(ref uint32) uint64 {
	return ks.s.hash(keyOf(ks.blocks.Bytes(arena.Ref(ref)))) << ks.s.bits
}

// BlockSize implements arena.Owner.
func (ks *keyspace) BlockSize(b []byte) int {
	l := layoutOf(b)
	return l.size
}

// BlockMoved implements arena.Owner.
func (ks *keyspace) BlockMoved(from, to arena.Ref, b []byte) {
	c := ks.idx.Seek(ks.s.hash(keyOf(b)) << ks.s.bits)
	for {
		ref, ok := c.Next()
		if !ok {
			panic("store: a moved block is not in the index")
		}
		if ref == uint32(from) {
			c.Replace(uint32(to))
			return
		}
	}
}

// entry is a key as find saw it. It is valid until the keyspace changes.
type entry struct {
	ks  *keyspace
	cur table.Cursor
	h   uint64 // full hash
	ref arena.Ref
	b   []byte // the block; nil if there is no such key
	layout
}

func (e *entry) value() []byte { return e.b[e.val : e.val+e.vlen : e.val+e.vlen] }

func (ks *keyspace) find(h uint64, key []byte) (e entry) {
	e.ks, e.h = ks, h
	e.cur = ks.idx.Seek(h << ks.s.bits)
	for {
		ref, ok := e.cur.Next()
		if !ok {
			return
		}
		b := ks.blocks.Bytes(arena.Ref(ref))
		l := layoutOf(b)
		if string(b[l.key:l.val]) == string(key) {
			e.ref, e.b, e.layout = arena.Ref(ref), b, l
			return
		}
	}
}

// evacuationBudget is how many bytes of live blocks one change may move, at most, while the arena is wasteful: a small
// multiple of what it wasted, so that cleaning keeps up.
const evacuationBudget = 1024

// tidy ends every change of the keyspace.
func (ks *keyspace) tidy() {
	if ks.blocks.Wasteful() {
		ks.blocks.Compact(ks, evacuationBudget)
	}
	ks.account()
}

// put makes the key of e hold shape, in its present block if that fits well, and returns the space of the value,
// whose bytes are undefined.
func (ks *keyspace) put(e *entry, sh *shape, access uint32) []byte {
	ks.moveDeadline(e, sh.deadline)
	if e.b != nil {
		ks.preserve(e)
		if need := sh.need(sh.isLarge(e.size)); need <= e.size && e.size-need <= max(16, e.size/4) && !e.lent() {
			sh.mark = ks.mark
			v := sh.writeBlock(e.b, e.size, access)
			e.layout = layoutOf(e.b)
			return v
		}
	}
	return ks.place(e, sh, sh.need(sh.isLarge(0)), access)
}

// place gives the key of e a new block of size bytes and frees its present one.
func (ks *keyspace) place(e *entry, sh *shape, size int, access uint32) []byte {
	if e.b != nil {
		ks.preserve(e)
	}
	ref, b := ks.blocks.Alloc(size)
	sh.mark = ks.mark
	v := sh.writeBlock(b, arena.Size(size), access)
	if e.b != nil {
		e.cur.Replace(uint32(ref))
		ks.blocks.Free(e.ref, e.size)
	} else {
		ks.idx.Insert(e.h<<ks.s.bits, uint32(ref), ks)
	}
	e.ref, e.b = ref, b
	e.layout = layoutOf(b)
	return v
}

// resize makes the string of e n bytes long, or makes an empty one first; bytes up to the shorter length stay. When it
// must move it takes room bytes more than it needs.
func (ks *keyspace) resize(e *entry, key, old []byte, n, room int, access uint32) []byte {
	sh := shape{flags: byte(String) | fRaw, key: key, vlen: n, deadline: e.deadline()}
	if e.b != nil && e.kind() == String {
		ks.preserve(e)
		sh.mark = ks.mark
		large := sh.isLarge(e.size)
		if large == (e.flags&fLarge != 0) && sh.need(large) <= e.size && !e.lent() {
			v := sh.writeBlock(e.b, e.size, access)
			e.layout = layoutOf(e.b)
			return v
		}
	}
	v := ks.place(e, &sh, sh.need(true)+room, access)
	pieces.Copy(v, old)
	return v
}

// deadline returns the deadline of the key, noDeadline also if there is no such key.
func (e *entry) deadline() int64 {
	if e.b == nil {
		return noDeadline
	}
	return deadlineOf(e.b)
}

// remove deletes the key of e, but not its object and its deadline.
func (ks *keyspace) remove(e *entry) {
	ks.preserve(e)
	ks.idx.Delete(&e.cur)
	ks.blocks.Free(e.ref, e.size)
	e.b = nil
}

// objectNumber is the number in the value of a block that is not a string.
func objectNumber(v []byte) uint32 { return *(*uint32)(unsafe.Pointer(unsafe.SliceData(v))) }

func putObjectNumber(v []byte, n uint32) { *(*uint32)(unsafe.Pointer(unsafe.SliceData(v))) = n }

// Object is a value that is not a string: what the packages list, set, zset, hash and stream export.
type Object interface {
	// Len returns the number of elements; a value without elements is deleted with its key.
	Len() int
	// Encoding returns the name OBJECT ENCODING prints.
	Encoding() string
	// Bytes estimates the memory held, in bytes, in constant time.
	Bytes() int
}

// slab numbers objects. Pages keep growth free of copies.
type slab struct {
	pages [][]cell
	free  []uint32
	bytes int  // of all objects, as weighed last
	lent  bool // a part of an object was lent once
}

// cell is an object with what it weighed last, in bytes.
type cell struct {
	Object
	bytes int
}

const slabPage = 256

func (s *slab) add(o Object) uint32 {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		s.pages[i/slabPage][i%slabPage].Object = o
		s.weigh(i)
		return i
	}
	if n := len(s.pages); n == 0 || len(s.pages[n-1]) == slabPage {
		s.pages = append(s.pages, nil)
	}
	p := &s.pages[len(s.pages)-1]
	*p = append(*p, cell{Object: o})
	i := uint32((len(s.pages)-1)*slabPage + len(*p) - 1)
	s.weigh(i)
	return i
}

func (s *slab) get(i uint32) Object { return s.pages[i/slabPage][i%slabPage].Object }

// weigh brings the count of bytes up to date after object i has changed.
func (s *slab) weigh(i uint32) {
	c := &s.pages[i/slabPage][i%slabPage]
	n := c.Bytes() + objectBytes
	s.bytes += n - c.bytes
	c.bytes = n
}

func (s *slab) drop(i uint32) {
	c := &s.pages[i/slabPage][i%slabPage]
	s.bytes -= c.bytes
	*c = cell{}
	s.free = append(s.free, i)
}
