package store

import (
	"encoding/binary"

	"github.com/streampulse/pulse/store/arena"
)

// A block is one key in memory: header, deadline if there is one, key, value. It holds no pointers; a value that is
// not a string is the number of an object in the keyspace's slab.
//
//	small  flags u8 | klen u8 | vlen u16 | slack u7 mark u1 | access u24 |              [deadline i64] key value slack
//	large  flags u8 | 0       | 0        | 0     mark u1 | access u24 | klen u32 | vlen u32 | units u32 | 0  [deadline] key value slack
//
// slack and units count units of 8 bytes: slack what lies unused behind the value, units the whole block. Slack is what
// lets a value be overwritten in place by a shorter or, later, a longer one. The mark tells whether the key is still to be
// saved by a snapshot (snapshot.go).
const (
	kindMask  = 0x07
	fPacked   = 0x08 // the value is the bytes of one that is not a string (packed.go)
	fDeadline = 0x10
	fLarge    = 0x20
	fRaw      = 0x40 // a string changed in place: its encoding is "raw" whatever its length; of packed values, the form
	// 0x80 belongs to the arena

	valueMask = kindMask | fPacked | fRaw // what a value takes along

	maxSlack = 0x7f // of a small block, in units

	smallHeader = 8
	largeHeader = 24
)

// Kind is the type of a value.
type Kind uint8

const (
	None Kind = iota // no such key
	String
	Integer // a string held as an int64; TYPE says "string"
	List
	Set
	ZSet
	Hash
	Stream
)

var kindNames = [...]string{"none", "string", "string", "list", "set", "zset", "hash", "stream"}

// String returns the name TYPE prints.
func (k Kind) String() string { return kindNames[k] }

func (k Kind) isString() bool { return k == String || k == Integer }

// layout is where things are in a block.
type layout struct {
	flags byte
	key   int // offset of the key
	val   int // offset of the value
	vlen  int
	size  int // of the whole block
}

func (l *layout) kind() Kind { return Kind(l.flags & kindMask) }

// packed reports whether the value is the bytes of one that is not a string; form is which of two forms they have.
func (l *layout) packed() bool { return l.flags&fPacked != 0 }

func (l *layout) form() byte { return l.flags & fRaw / fRaw }

// hasObject reports whether the value is the number of an object.
func (l *layout) hasObject() bool { return l.flags&fPacked == 0 && !l.kind().isString() }

func layoutOf(b []byte) (l layout) {
	_ = b[7]
	l.flags = b[0]
	var klen int
	if l.flags&fLarge == 0 {
		klen = int(b[1])
		l.vlen = int(binary.LittleEndian.Uint16(b[2:]))
		l.key = smallHeader
		l.size = int(b[4]&^fMark) << 3
	} else {
		klen = int(binary.LittleEndian.Uint32(b[8:]))
		l.vlen = int(binary.LittleEndian.Uint32(b[12:]))
		l.size = int(binary.LittleEndian.Uint32(b[16:])) << 3
		l.key = largeHeader
	}
	if l.flags&fDeadline != 0 {
		l.key += 8
	}
	l.val = l.key + klen
	if l.flags&fLarge == 0 {
		l.size += arena.Size(l.val + l.vlen)
	}
	return l
}

func keyOf(b []byte) []byte {
	l := layoutOf(b)
	return b[l.key:l.val:l.val]
}

func deadlineOf(b []byte) int64 {
	if b[0]&fDeadline == 0 {
		return noDeadline
	}
	if b[0]&fLarge == 0 {
		return int64(binary.LittleEndian.Uint64(b[smallHeader:]))
	}
	return int64(binary.LittleEndian.Uint64(b[largeHeader:]))
}

func setDeadlineOf(b []byte, at int64) {
	o := smallHeader
	if b[0]&fLarge != 0 {
		o = largeHeader
	}
	binary.LittleEndian.PutUint64(b[o:], uint64(at))
}

// shape is what a block is to hold; blockSize and writeBlock give it form.
type shape struct {
	flags    byte
	mark     byte // fMark or 0, as the keyspace has it
	key      []byte
	vlen     int
	deadline int64 // noDeadline for none
}

// isLarge reports whether the shape in a block of size bytes (0: as small as possible) needs the large header.
func (s *shape) isLarge(size int) bool {
	return len(s.key) > 255 || s.vlen > 65535 || size-s.need(false) > maxSlack<<3
}

func (s *shape) need(large bool) int {
	n := smallHeader
	if large {
		n = largeHeader
	}
	if s.deadline != noDeadline {
		n += 8
	}
	return arena.Size(n + len(s.key) + s.vlen)
}

// writeBlock writes header, deadline and key into the block b of size bytes, which must be enough, and returns the
// space of the value, whose bytes are as they were.
func (s *shape) writeBlock(b []byte, size int, access uint32) []byte {
	f := s.flags
	o := smallHeader
	large := s.isLarge(size)
	if large {
		f |= fLarge
		o = largeHeader
		b[1], b[2], b[3], b[4] = 0, 0, 0, s.mark
		binary.LittleEndian.PutUint32(b[8:], uint32(len(s.key)))
		binary.LittleEndian.PutUint32(b[12:], uint32(s.vlen))
		binary.LittleEndian.PutUint32(b[16:], uint32(size>>3))
		binary.LittleEndian.PutUint32(b[20:], 0)
	} else {
		b[1] = byte(len(s.key))
		binary.LittleEndian.PutUint16(b[2:], uint16(s.vlen))
		b[4] = byte((size-s.need(false))>>3) | s.mark
	}
	setAccess(b, access)
	if s.deadline != noDeadline {
		f |= fDeadline
		binary.LittleEndian.PutUint64(b[o:], uint64(s.deadline))
		o += 8
	}
	b[0] = f
	copy(b[o:], s.key)
	o += len(s.key)
	return b[o : o+s.vlen : o+s.vlen]
}
