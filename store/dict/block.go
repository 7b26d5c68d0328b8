package dict

import (
	"encoding/binary"

	"github.com/streampulse/pulse/store/arena"
)

// A block is one key with its value, and its deadline if it has one. slack and units count units of 8 bytes: slack what
// lies unused behind the value, units the whole block.
//
//	small  flags+slack u8 | klen u8 | vlen u16 |                                   [deadline i64] key value slack
//	large  flags       u8 | 0       | 0        | klen u32 | vlen u32 | units u32 | [deadline i64] key value slack
const (
	slackMask = 0x1f
	fDeadline = 0x20
	fLarge    = 0x40
	// 0x80 belongs to the arena

	smallHeader = 4
	largeHeader = 16
)

// room is the bytes a deadline takes in a block with the given flags: 0 or 8.
func room(flags byte) int { return int(flags&fDeadline) >> 2 }

// layout is where things are in a block.
type layout struct {
	flags byte
	key   int // offset of the key
	val   int // offset of the value
	end   int // offset of what follows the value
	size  int // of the whole block
}

func layoutOf(b []byte) (l layout) {
	l.flags = b[0]
	if l.flags&fLarge == 0 {
		l.key = smallHeader + room(l.flags)
		l.val = l.key + int(b[1])
		l.end = l.val + int(binary.LittleEndian.Uint16(b[2:]))
		l.size = arena.Size(l.end) + int(l.flags&slackMask)<<3
		return
	}
	l.key = largeHeader + room(l.flags)
	l.val = l.key + int(binary.LittleEndian.Uint32(b[4:]))
	l.end = l.val + int(binary.LittleEndian.Uint32(b[8:]))
	l.size = int(binary.LittleEndian.Uint32(b[12:])) << 3
	return
}

func (l *layout) value(b []byte) []byte { return b[l.val:l.end:l.end] }

// deadline returns the deadline of the block b, Forever if it has none.
func (l *layout) deadline(b []byte) int64 {
	if l.flags&fDeadline == 0 {
		return Forever
	}
	return int64(binary.LittleEndian.Uint64(b[l.key-8:]))
}

// setDeadline changes the deadline of the block b, which has one.
func (l *layout) setDeadline(b []byte, at int64) {
	binary.LittleEndian.PutUint64(b[l.key-8:], uint64(at))
}

// fits reports whether a value of n bytes can take the place of the present one without wasting much.
func (l *layout) fits(n int) bool {
	waste := l.size - arena.Size(l.val+n)
	if waste < 0 || waste > max(16, l.size/4) {
		return false
	}
	return l.flags&fLarge != 0 || n <= 0xffff && waste>>3 <= slackMask
}

// overwrite puts val, which fits, in the place of the value.
func (l *layout) overwrite(b, val []byte) {
	copy(b[l.val:], val)
	if l.flags&fLarge != 0 {
		binary.LittleEndian.PutUint32(b[8:], uint32(len(val)))
		return
	}
	b[0] = l.flags&fDeadline | byte((l.size-arena.Size(l.val+len(val)))>>3)
	binary.LittleEndian.PutUint16(b[2:], uint16(len(val)))
}

func isLarge(klen, vlen int) bool { return klen > 0xff || vlen > 0xffff }

// need returns the size of a block without slack.
func need(klen, vlen int, at int64) int {
	n := klen + vlen + smallHeader
	if isLarge(klen, vlen) {
		n += largeHeader - smallHeader
	}
	if at != Forever {
		n += 8
	}
	return arena.Size(n)
}

// write fills a block of the size need tells.
func write(b, key, val []byte, at int64) {
	var f byte
	if at != Forever {
		f = fDeadline
	}
	o := smallHeader
	if isLarge(len(key), len(val)) {
		o = largeHeader
		b[0], b[1], b[2], b[3] = f|fLarge, 0, 0, 0
		binary.LittleEndian.PutUint32(b[4:], uint32(len(key)))
		binary.LittleEndian.PutUint32(b[8:], uint32(len(val)))
		binary.LittleEndian.PutUint32(b[12:], uint32(need(len(key), len(val), at)>>3))
	} else {
		b[0], b[1] = f, byte(len(key))
		binary.LittleEndian.PutUint16(b[2:], uint16(len(val)))
	}
	if at != Forever {
		binary.LittleEndian.PutUint64(b[o:], uint64(at))
		o += 8
	}
	o += copy(b[o:], key)
	copy(b[o:], val)
}
