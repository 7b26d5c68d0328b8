package listpack

import (
	"encoding/binary"

	"github.com/streampulse/pulse/internal/num"
)

// Who adds many entries at once writes them as bytes: l.Open, then Put and
// PutInt, then Seal. The header is written once, and memory is the caller's.

// Open returns l without its end, for entries to be added. If it has capacity
// for them and the end mark they are in l's memory.
func (l Listpack) Open() []byte { return l[:len(l)-1] }

// Seal makes a listpack of the bytes that [Listpack.Open] gave and n entries
// behind them.
func Seal(b []byte, n int) Listpack {
	l := Listpack(append(b, endMark))
	if uint64(len(l)) > maxTotal {
		panic(ErrTooLarge)
	}
	binary.LittleEndian.PutUint32(l, uint32(len(l)))
	l.addCount(n)
	return l
}

// Put adds the entry of elem to b.
func Put(b, elem []byte) []byte {
	n := len(elem)
	if n > 0 && n <= num.MaxIntLen && (elem[0] == '-' || elem[0]-'0' <= 9) {
		if v, ok := num.ParseInt(elem); ok {
			return PutInt(b, v)
		}
	}
	if n < 1<<6 {
		b = append(b, str6|byte(n))
		b = append(b, elem...)
		return append(b, byte(n+1))
	}
	e := encodeString(elem)
	return e.appendTo(b)
}

// PutInt adds the entry of v to b.
func PutInt(b []byte, v int64) []byte {
	if uint64(v) < str6 {
		return append(b, byte(v), 1)
	}
	e := encodeInt(v)
	return e.appendTo(b)
}

func (e *encoded) appendTo(b []byte) []byte {
	b = append(b, e.head[:e.nhead]...)
	b = append(b, e.str...)
	var back [5]byte
	return append(b, back[:putBack(back[:], e.nhead+len(e.str))]...)
}

// Skip returns the position n entries after p, which must be there or be the
// end. The end is not None: see [Listpack.Next].
func (l Listpack) Skip(p, n int) int {
	for range n {
		if s := spans[l[p]]; s != 0 {
			p += int(s)
		} else {
			p += l.span(p)
		}
	}
	return p
}
