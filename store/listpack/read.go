package listpack

import (
	"encoding/binary"
	"math/bits"
	"strconv"

	"github.com/streampulse/pulse/internal/num"
)

// First returns the position of the first entry, or None.
func (l Listpack) First() int { return l.check(headerSize) }

// Last returns the position of the last entry, or None.
func (l Listpack) Last() int { return l.Prev(len(l) - 1) }

// Next returns the position after p, or None.
func (l Listpack) Next(p int) int { return l.check(p + l.span(p)) }

// Prev returns the position before p, or None.
func (l Listpack) Prev(p int) int {
	if p <= headerSize {
		return None
	}
	n := l.back(p)
	return p - n - backSize(n)
}

// check turns the end mark into None.
func (l Listpack) check(p int) int {
	if l[p] == endMark {
		return None
	}
	return p
}

// At returns the position of the entry with the given index, or None if there
// is none. Negative indexes count from the end: -1 is the last. The walk
// starts at the nearer end.
func (l Listpack) At(index int) int {
	fromEnd := index < 0
	if n := l.headerCount(); n != countUnknown {
		if fromEnd {
			index += n
		}
		if index < 0 || index >= n {
			return None
		}
		if fromEnd = index >= n/2; fromEnd {
			index -= n
		}
	}
	if !fromEnd {
		p := l.First()
		for ; index > 0 && p != None; index-- {
			p = l.Next(p)
		}
		return p
	}
	p := l.Last()
	for ; index < -1 && p != None; index++ {
		p = l.Prev(p)
	}
	return p
}

// Get returns the entry at p: a string as a slice into l that lives until the
// next edit, or an integer.
func (l Listpack) Get(p int) (str []byte, i int64, isInt bool) {
	switch b := l[p]; {
	case b < str6:
		return nil, int64(b), true
	case b < int13:
		n := 1 + int(b&0x3F)
		return l[p+1 : p+n : p+n], 0, false
	case b < str12:
		u := uint16(b&0x1F)<<8 | uint16(l[p+1])
		return nil, int64(int16(u<<3) >> 3), true
	case b < str32:
		n := 2 + int(b&0x0F)<<8 + int(l[p+1])
		return l[p+2 : p+n : p+n], 0, false
	case b == str32:
		n := 5 + int(binary.LittleEndian.Uint32(l[p+1:]))
		return l[p+5 : p+n : p+n], 0, false
	case b == int16b:
		return nil, int64(int16(binary.LittleEndian.Uint16(l[p+1:]))), true
	case b == int24b:
		u := uint32(l[p+1]) | uint32(l[p+2])<<8 | uint32(l[p+3])<<16
		return nil, int64(int32(u<<8) >> 8), true
	case b == int32b:
		return nil, int64(int32(binary.LittleEndian.Uint32(l[p+1:]))), true
	default:
		return nil, int64(binary.LittleEndian.Uint64(l[p+1:])), true
	}
}

// Int returns the entry at p as an integer. Strings whose text is an integer
// (older files may hold such) count as well.
func (l Listpack) Int(p int) (int64, bool) {
	str, i, isInt := l.Get(p)
	if isInt {
		return i, true
	}
	return num.ParseInt(str)
}

// AppendValue appends the text of the entry at p to dst.
func (l Listpack) AppendValue(dst []byte, p int) []byte {
	str, i, isInt := l.Get(p)
	if isInt {
		return strconv.AppendInt(dst, i, 10)
	}
	return append(dst, str...)
}

// Text returns the text of the entry at p: strings as a slice into l, integers
// written over scratch, which wants a capacity of
// num.MaxIntLen.
func (l Listpack) Text(p int, scratch []byte) []byte {
	str, i, isInt := l.Get(p)
	if isInt {
		return strconv.AppendInt(scratch[:0], i, 10)
	}
	return str
}

// TextLen returns the length of the entry's text in bytes without making it.
func (l Listpack) TextLen(p int) int {
	str, i, isInt := l.Get(p)
	if !isInt {
		return len(str)
	}
	u, n := uint64(i), 0
	if i < 0 {
		u, n = -u, 1
	}
	return n + decimalDigits(u)
}

// decimalDigits counts the decimal digits of u: the bit length gives the
// answer or one less (1233/4096 is just above log10(2)).
func decimalDigits(u uint64) int {
	n := bits.Len64(u|1) * 1233 >> 12
	if u|1 >= pow10[n] {
		n++
	}
	return max(n, 1)
}

var pow10 = func() (t [20]uint64) {
	t[0] = 1
	for i := 1; i < len(t); i++ {
		t[i] = t[i-1] * 10
	}
	return t
}()

// Equal reports whether the text of the entry at p is elem.
func (l Listpack) Equal(p int, elem []byte) bool {
	str, i, isInt := l.Get(p)
	if !isInt {
		return string(str) == string(elem)
	}
	v, ok := num.ParseInt(elem)
	return ok && v == i
}

// Find returns the position of the first entry from position from on whose
// text is elem, or None. Between two comparisons it passes over skip entries:
// 0 looks at all, 1 looks at the fields of field/value pairs only. A from of
// None finds nothing.
func (l Listpack) Find(from int, elem []byte, skip int) int {
	if from == None {
		return None
	}
	want, wantInt := num.ParseInt(elem)
	for p := from; ; {
		switch b := l[p]; {
		case b < str6:
			if wantInt && want == int64(b) {
				return p
			}
			p += 2
		case b < int13: // the commonest: compared here, span known
			n := int(b & 0x3F)
			if n == len(elem) && string(l[p+1:p+1+n]) == string(elem) {
				return p
			}
			p += n + 2
		case b == endMark:
			return None
		default:
			str, i, isInt := l.Get(p)
			if isInt {
				if wantInt && want == i {
					return p
				}
			} else if string(str) == string(elem) {
				return p
			}
			p += l.span(p)
		}
		for i := 0; i < skip; i++ {
			if l[p] == endMark {
				return None
			}
			p += l.span(p)
		}
	}
}
