package listpack

import "encoding/binary"

// A listpack may lie in a larger buffer with room at both ends: buf[lo:] is
// the listpack, buf[:lo] and buf[len(buf):cap(buf)] are free. Its ends then
// grow and shrink without moving what is between them, because the header is
// small enough to be written anew wherever the first entry begins.

// Entry is an element in the form it will have in a listpack. It holds on to
// the element's bytes.
type Entry struct{ e encoded }

// NewEntry prepares elem.
func NewEntry(elem []byte) Entry { return Entry{encode(elem)} }

// Size returns the bytes the entry takes.
func (e *Entry) Size() int { return e.e.span() }

// PutFront adds e before the first entry of the listpack buf[lo:] and returns
// where the listpack begins now; lo must be at least e.Size().
func PutFront(buf []byte, lo int, e *Entry) int {
	total, count := len(buf)-lo, Listpack(buf[lo:]).headerCount()
	n := e.e.span()
	lo -= n
	e.e.put(buf[lo+headerSize:])
	setHeader(buf[lo:], total+n, count)
	if count != countUnknown {
		Listpack(buf[lo:]).setHeaderCount(count + 1)
	}
	return lo
}

// PutBack adds e after the last entry of the listpack buf[lo:] and returns the
// longer buf, which must have capacity for e.Size() bytes more.
func PutBack(buf []byte, lo int, e *Entry) []byte {
	end := len(buf) - 1
	n := e.e.span()
	buf = buf[:len(buf)+n]
	e.e.put(buf[end:])
	buf[end+n] = endMark
	l := Listpack(buf[lo:])
	binary.LittleEndian.PutUint32(l, uint32(len(l)))
	l.addCount(1)
	return buf
}

// CutFront removes the first n entries of the listpack buf[lo:], which has as
// many, and returns where the listpack begins now. What the removed entries
// held is partly overwritten.
func CutFront(buf []byte, lo, n int) int {
	l := Listpack(buf[lo:])
	count, p := l.headerCount(), headerSize
	for range n {
		p += l.span(p)
	}
	lo += p - headerSize
	l = Listpack(buf[lo:])
	setHeader(l, len(l), count)
	l.dropCount(n)
	return lo
}

// CutBack removes the last n entries of the listpack buf[lo:], which has as
// many, and returns the shorter buf.
func CutBack(buf []byte, lo, n int) []byte {
	l := Listpack(buf[lo:])
	p := len(l) - 1
	for range n {
		k := l.back(p)
		p -= k + backSize(k)
	}
	l = l[:p+1]
	l[p] = endMark
	binary.LittleEndian.PutUint32(l, uint32(len(l)))
	l.dropCount(n)
	return buf[:lo+len(l)]
}

func setHeader(b []byte, total, count int) {
	binary.LittleEndian.PutUint32(b, uint32(total))
	binary.LittleEndian.PutUint16(b[4:], uint16(count))
}
