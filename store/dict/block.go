package dict

import (
	"encoding/binary"

	"github.com/streampulse/pulse/store/arena"
)

// A block is one key with its value. slack and units count units of 8 bytes: slack what lies unused behind the value,
// units the whole block.
//
//	small  flags+slack u8 | klen u8 | vlen u16 |                                   key value slack
//	large  flags       u8 | 0       | 0        | klen u32 | vlen u32 | units u32 | key value slack
const (
	slackMask = 0x1f
	fLarge    = 0x40
	// 0x80 belongs to the arena

	smallHeader = 4
	largeHeader = 16
)

// layout is where things are in a block.
type layout struct {
	key  int // offset of the key
	val  int // offset of the value
	end  int // offset of what follows the value
	size int // of the whole block
}

func layoutOf(b []byte) (l layout) {
	if b[0]&fLarge == 0 {
		l.key = smallHeader
		l.val = l.key + int(b[1])
		l.end = l.val + int(binary.LittleEndian.Uint16(b[2:]))
		l.size = arena.Size(l.end) + int(b[0]&slackMask)<<3
		return
	}
	l.key = largeHeader
	l.val = l.key + int(binary.LittleEndian.Uint32(b[4:]))
	l.end = l.val + int(binary.LittleEndian.Uint32(b[8:]))
	l.size = int(binary.LittleEndian.Uint32(b[12:])) << 3
	return
}

func (l *layout) value(b []byte) []byte { return b[l.val:l.end:l.end] }

// fits reports whether a value of n bytes can take the place of the present one without wasting much.
func (l *layout) fits(n int) bool {
	waste := l.size - arena.Size(l.val+n)
	if waste < 0 || waste > max(16, l.size/4) {
		return false
	}
	return l.key == largeHeader || n <= 0xffff && waste>>3 <= slackMask
}

// overwrite puts val, which fits, in the place of the value.
func (l *layout) overwrite(b, val []byte) {
	copy(b[l.val:], val)
	if l.key == largeHeader {
		binary.LittleEndian.PutUint32(b[8:], uint32(len(val)))
		return
	}
	b[0] = byte((l.size - arena.Size(l.val+len(val))) >> 3)
	binary.LittleEndian.PutUint16(b[2:], uint16(len(val)))
}

func isLarge(klen, vlen int) bool { return klen > 0xff || vlen > 0xffff }

// need returns the size of a block without slack.
func need(klen, vlen int) int {
	if isLarge(klen, vlen) {
		return arena.Size(largeHeader + klen + vlen)
	}
	return arena.Size(smallHeader + klen + vlen)
}

// write fills a block of the size need tells.
func write(b, key, val []byte) {
	o := smallHeader
	if isLarge(len(key), len(val)) {
		o = largeHeader
		b[0], b[1], b[2], b[3] = fLarge, 0, 0, 0
		binary.LittleEndian.PutUint32(b[4:], uint32(len(key)))
		binary.LittleEndian.PutUint32(b[8:], uint32(len(val)))
		binary.LittleEndian.PutUint32(b[12:], uint32(need(len(key), len(val))>>3))
	} else {
		b[0], b[1] = 0, byte(len(key))
		binary.LittleEndian.PutUint16(b[2:], uint16(len(val)))
	}
	o += copy(b[o:], key)
	copy(b[o:], val)
}
