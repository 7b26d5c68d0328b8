package listpack

import (
	"encoding/binary"
	"math"

	"github.com/streampulse/pulse/internal/num"
)

// First bytes of an entry. Lower bits not named here carry data.
//
//	0vvvvvvv                     integer 0..127
//	10llllll                     string up to 63 bytes
//	110vvvvv vvvvvvvv            signed 13-bit integer
//	1110llll llllllll            string up to 4095 bytes
//	11110000 + uint32 LE         string
//	11110001 + 2 bytes LE        signed 16-bit integer
//	11110010 + 3 bytes LE        signed 24-bit integer
//	11110011 + 4 bytes LE        signed 32-bit integer
//	11110100 + 8 bytes LE        signed 64-bit integer
const (
	str6   = 0x80
	int13  = 0xC0
	str12  = 0xE0
	str32  = 0xF0
	int16b = 0xF1
	int24b = 0xF2
	int32b = 0xF3
	int64b = 0xF4
)

// encoded is one entry ready to be written: the head (encoding byte, length
// or integer) and the string that follows it, if any.
type encoded struct {
	head  [9]byte
	nhead int
	str   []byte
}

func encode(elem []byte) encoded {
	if v, ok := num.ParseInt(elem); ok {
		return encodeInt(v)
	}
	return encodeString(elem)
}

func encodeString(elem []byte) encoded {
	e := encoded{str: elem}
	switch n := len(elem); {
	case n < 1<<6:
		e.head[0], e.nhead = str6|byte(n), 1
	case n < 1<<12:
		e.head[0], e.head[1], e.nhead = str12|byte(n>>8), byte(n), 2
	default:
		if uint64(n) > maxTotal {
			panic(ErrTooLarge)
		}
		e.head[0], e.nhead = str32, 5
		binary.LittleEndian.PutUint32(e.head[1:], uint32(n))
	}
	return e
}

func encodeInt(v int64) (e encoded) {
	switch {
	case v >= 0 && v < 1<<7:
		e.head[0], e.nhead = byte(v), 1
	case v >= -1<<12 && v < 1<<12:
		u := uint16(v) & (1<<13 - 1)
		e.head[0], e.head[1], e.nhead = int13|byte(u>>8), byte(u), 2
	case v >= math.MinInt16 && v <= math.MaxInt16:
		e.head[0], e.nhead = int16b, 3
		binary.LittleEndian.PutUint16(e.head[1:], uint16(v))
	case v >= -1<<23 && v < 1<<23:
		e.head[0], e.nhead = int24b, 4
		e.head[1], e.head[2], e.head[3] = byte(v), byte(v>>8), byte(v>>16)
	case v >= math.MinInt32 && v <= math.MaxInt32:
		e.head[0], e.nhead = int32b, 5
		binary.LittleEndian.PutUint32(e.head[1:], uint32(v))
	default:
		e.head[0], e.nhead = int64b, 9
		binary.LittleEndian.PutUint64(e.head[1:], uint64(v))
	}
	return e
}

// span is the size of the whole entry, back length included.
func (e *encoded) span() int {
	n := e.nhead + len(e.str)
	return n + backSize(n)
}

// put writes the entry at the start of b and returns its span.
func (e *encoded) put(b []byte) int {
	n := copy(b, e.head[:e.nhead])
	n += copy(b[n:], e.str)
	return n + putBack(b[n:], n)
}

// body returns the size of encoding and data of the entry at p.
func (l Listpack) body(p int) int {
	switch b := l[p]; {
	case b < str6:
		return 1
	case b < int13:
		return 1 + int(b&0x3F)
	case b < str12:
		return 2
	case b < str32:
		return 2 + int(b&0x0F)<<8 + int(l[p+1])
	case b == str32:
		return 5 + int(binary.LittleEndian.Uint32(l[p+1:]))
	case b == int16b:
		return 3
	case b == int24b:
		return 4
	case b == int32b:
		return 5
	default:
		return 9
	}
}

// span returns the size of the whole entry at p, back length included.
func (l Listpack) span(p int) int {
	if n := spans[l[p]]; n != 0 {
		return int(n)
	}
	n := l.body(p)
	return n + backSize(n)
}

// spans has the span of an entry by its first byte, or 0 where that byte does
// not tell all. Walking is most of what a listpack does: one load is a third
// faster than the comparisons.
var spans = func() (t [256]uint8) {
	for b := range str12 {
		n := Listpack{byte(b)}.body(0)
		t[b] = uint8(n + backSize(n))
	}
	t[int16b], t[int24b], t[int32b], t[int64b] = 4, 5, 6, 10
	return t
}()

// backSize returns the bytes the back length of a body of n bytes takes.
// The borders 16383, 2097151 and 268435455 take the longer form although the
// shorter one could hold them: Redis does so, and walks forward by this rule.
func backSize(n int) int {
	switch {
	case n <= 127:
		return 1
	case n < 1<<14-1:
		return 2
	case n < 1<<21-1:
		return 3
	case n < 1<<28-1:
		return 4
	default:
		return 5
	}
}

// putBack writes the back length n: groups of 7 bits, most significant first,
// with the top bit set on all but the first, so that it is read from its end.
func putBack(b []byte, n int) int {
	size := backSize(n)
	for i := size - 1; i > 0; i-- {
		b[i] = byte(n&0x7F) | 0x80
		n >>= 7
	}
	b[0] = byte(n)
	return size
}

// back reads the back length that ends just before p.
func (l Listpack) back(p int) int {
	n, shift := 0, 0
	for i := p - 1; ; i-- {
		n |= int(l[i]&0x7F) << shift
		if l[i] < 0x80 {
			return n
		}
		shift += 7
		if shift > 28 {
			panic("listpack: broken back length")
		}
	}
}
