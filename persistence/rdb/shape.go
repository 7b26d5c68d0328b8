package rdb

import (
	"encoding/binary"
	"math"

	"github.com/streampulse/pulse/store/codec"
)

// A shape says what a value, or what follows an opcode, consists of: enough to find its end without building anything.
//
//	s      a string             l      a length
//	1 4 8  that many bytes      x      16 bytes
//	f      a score as a text    (...)  a length, then the content as often as that says
//
// Strings that are packed encodings are looked into by the codec.
var shapes = [256]string{
	typeString: "s",
	1:          "(s)",   // list
	2:          "(s)",   // set
	3:          "(sf)",  // sorted set
	4:          "(ss)",  // hash
	5:          "(s8)",  // sorted set, scores as doubles
	9:          "s",     // zipmap
	10:         "s",     // ziplist: list
	11:         "s",     // intset
	12:         "s",     // ziplist: sorted set
	13:         "s",     // ziplist: hash
	14:         "(s)",   // ziplists: list
	15:         stream1, // entries, length, last id, groups
	16:         "s",     // listpack: hash
	17:         "s",     // listpack: sorted set
	18:         "(ls)",  // nodes: list
	19:         stream2, // also first id, greatest deleted id, entries added; of a group, entries read
	20:         "s",     // listpack: set
	21:         stream3, // also when a consumer was active
	22:         "(lss)", // hash with deadlines, before the release of Redis 7.4
	23:         "s",
	24:         "8(lss)",
	25:         "8s",

	typeModule:  "l",
	typeModule2: "l",

	opSlotInfo:    "lll",
	opFunction:    "s",
	opFunctionOld: endless,
	opModuleAux:   "l",
	opIdle:        "l",
	opFreq:        "1",
	opAux:         "ss",
	opResize:      "ll",
	opDeadlineMs:  "8",
	opDeadline:    "4",
	opSelect:      "l",
	opEnd:         endless,
}

// Groups of a stream: name, id, entries that are pending (id, time, count), consumers (name, times, ids of the entries).
const (
	stream1 = "(ss)lll(sll(x8l)(s8(x)))"
	stream2 = "(ss)llllllll(slll(x8l)(s8(x)))"
	stream3 = "(ss)llllllll(slll(x8l)(s88(x)))"
)

// endless is the shape of what consists of nothing, because the empty text stands for codes that are not known.
const endless = "."

// isType reports whether an opcode is the type of a value, which a key and the value follow.
func isType(op byte) bool { return op < opSlotInfo }

const maxDepth = 3 // of loops in a shape

// scanner walks over a shape in bytes of which more may have to come: it goes on where it stopped.
type scanner struct {
	shape string
	pc    int
	depth int
	loops [maxDepth]struct {
		start int
		left  uint64
	}
}

func (m *scanner) reset(shape string) { m.shape, m.pc, m.depth = shape, 0, 0 }

// scan walks from b[p] and returns how far it came. It is through if size is 0; otherwise b must have at least size bytes
// before it can go on, which is a claim of the file.
func (m *scanner) scan(b []byte, p int) (at, size int, err error) {
	for m.pc < len(m.shape) {
		next := p
		switch m.shape[m.pc] {
		case 's':
			next, err = endOfString(b, p)
		case 'l':
			_, next, err = lengthAt(b, p)
		case '1':
			next = p + 1
		case '4':
			next = p + 4
		case '8':
			next = p + 8
		case 'x':
			next = p + 16
		case 'f':
			if next = p + 1; next <= len(b) && b[p] < 253 {
				next += int(b[p])
			}
		case '(':
			var n uint64
			n, next, err = lengthAt(b, p)
			if err != nil || next > len(b) {
				break
			}
			if n == 0 {
				m.leave()
				break
			}
			l := &m.loops[m.depth]
			l.start, l.left = m.pc, n
			m.depth++
		case ')':
			l := &m.loops[m.depth-1]
			if l.left--; l.left > 0 {
				m.pc = l.start
			} else {
				m.depth--
			}
		}
		switch {
		case err != nil:
			return p, 0, err
		case next > len(b):
			return p, next, nil
		}
		p = next
		m.pc++
	}
	return p, 0, nil
}

// leave goes to the end of the loop that m stands before.
func (m *scanner) leave() {
	for open := 0; ; m.pc++ {
		switch m.shape[m.pc] {
		case '(':
			open++
		case ')':
			if open--; open == 0 {
				return
			}
		}
	}
}

// lengthAt reads a length at b[p]. If next is beyond the end of b, as many bytes are needed at least, and n is nothing.
func lengthAt(b []byte, p int) (n uint64, next int, err error) {
	if p >= len(b) {
		return 0, p + 1, nil
	}
	c := b[p]
	switch c >> 6 {
	case 0:
		return uint64(c), p + 1, nil
	case 1:
		if next = p + 2; next <= len(b) {
			n = uint64(c&0x3f)<<8 | uint64(b[p+1])
		}
		return n, next, nil
	}
	switch c {
	case 0x80:
		if next = p + 5; next <= len(b) {
			n = uint64(binary.BigEndian.Uint32(b[p+1:]))
		}
		return n, next, nil
	case 0x81:
		if next = p + 9; next <= len(b) {
			n = binary.BigEndian.Uint64(b[p+1:])
		}
		return n, next, nil
	}
	return 0, p, codec.Corrupt("a length of no known form")
}

// endOfString returns where the string at b[p] ends, or, beyond the end of b, how many bytes are needed at least.
func endOfString(b []byte, p int) (next int, err error) {
	if p >= len(b) {
		return p + 1, nil
	}
	if c := b[p]; c>>6 == 3 {
		switch c & 0x3f {
		case 0:
			return p + 2, nil
		case 1:
			return p + 3, nil
		case 2:
			return p + 5, nil
		case 3:
		default:
			return p, codec.Corrupt("a string of no known encoding")
		}
		// Compressed: its length, the length of the whole, the bytes.
		n, next, err := lengthAt(b, p+1)
		if err != nil || next > len(b) {
			return next, err
		}
		if _, next, err = lengthAt(b, next); err != nil || next > len(b) {
			return next, err
		}
		return behind(next, n), nil
	}
	n, next, err := lengthAt(b, p)
	if err != nil || next > len(b) {
		return next, err
	}
	return behind(next, n), nil
}

// behind adds a length from outside to a position.
func behind(p int, n uint64) int {
	if n > uint64(math.MaxInt-p) {
		return math.MaxInt
	}
	return p + int(n)
}
