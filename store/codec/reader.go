package codec

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"strconv"

	"github.com/streampulse/pulse/store/codec/crc64"
	"github.com/streampulse/pulse/store/codec/lzf"
)

// readAhead is how many bytes a Reader asks its source for at a time. What it allocates for a long string grows from
// there with what has come.
const readAhead = 64 << 10

// Reader reads the parts that RDB consists of. After an error all its methods return zero values; look at Err when
// something is complete.
type Reader struct {
	buf []byte
	pos int // buf[pos:] is not read yet
	src io.Reader
	err error
	sum uint64

	// texts are what was last expanded, written out as text, or copied from a source: two, because fields and values
	// are read before either is used.
	texts [2][]byte
}

// NewReader returns a Reader of src. It reads ahead.
func NewReader(src io.Reader) *Reader { return &Reader{src: src} }

// Reset makes r a Reader of b, which must not be changed before its next Reset.
func (r *Reader) Reset(b []byte) {
	r.buf, r.pos, r.src, r.err, r.sum = b, 0, nil, nil, 0
}

// Err returns the first error.
func (r *Reader) Err() error { return r.err }

// Sum returns the checksum of all that was read, for a Reader of a source.
func (r *Reader) Sum() uint64 { return r.sum }

// Fail latches err, unless there was an error before.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// Rest returns how many bytes are known to be left: all of a slice, what was read ahead of a source.
func (r *Reader) Rest() int { return len(r.buf) - r.pos }

// fill makes sure that n bytes can be taken.
func (r *Reader) fill(n int) bool {
	switch {
	case r.err != nil:
		return false
	case r.Rest() >= n:
		return true
	case r.src == nil:
		r.Fail(io.ErrUnexpectedEOF)
		return false
	}
	r.buf = r.buf[:copy(r.buf, r.buf[r.pos:])]
	r.pos = 0
	for idle := 0; len(r.buf) < n; {
		if len(r.buf) == cap(r.buf) {
			r.buf = slices.Grow(r.buf, max(readAhead, len(r.buf)))
		}
		m, err := r.src.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+m]
		if idle++; m > 0 {
			idle = 0
		}
		switch {
		case len(r.buf) >= n:
		case err == io.EOF:
			err = io.ErrUnexpectedEOF
			fallthrough
		case err != nil:
			r.Fail(err)
			return false
		case idle == 100:
			r.Fail(io.ErrNoProgress)
			return false
		}
	}
	return true
}

// Take returns the next n bytes, valid until the next call of a method; nil after an error.
func (r *Reader) Take(n int) []byte {
	if n < 0 || !r.fill(n) {
		r.Fail(io.ErrUnexpectedEOF)
		return nil
	}
	b := r.buf[r.pos : r.pos+n : r.pos+n]
	r.pos += n
	if r.src != nil {
		r.sum = crc64.Update(r.sum, b)
	}
	return b
}

// extend appends the next n bytes to dst, which grows with what has come.
func (r *Reader) extend(dst []byte, n int) []byte {
	if r.src == nil && !r.fill(n) {
		return nil
	}
	for n > 0 {
		part := n
		if r.src != nil {
			part = min(n, max(readAhead, r.Rest()))
		}
		b := r.Take(part)
		if b == nil {
			return nil
		}
		dst = append(dst, b...)
		n -= part
	}
	return dst
}

// Byte reads a byte.
func (r *Reader) Byte() byte {
	if b := r.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// Uint64 reads eight bytes, the lowest first: a time in milliseconds, or the bits of a double.
func (r *Reader) Uint64() uint64 {
	if b := r.Take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Length reads a length; one that stands for the encoding of a string is an error.
func (r *Reader) Length() uint64 {
	n, special := r.length()
	if special {
		r.Fail(Corrupt("the encoding of a string where a length should be"))
		return 0
	}
	return n
}

func (r *Reader) length() (n uint64, special bool) {
	switch c := r.Byte(); c >> 6 {
	case 0:
		return uint64(c), false
	case 1:
		return uint64(c&0x3f)<<8 | uint64(r.Byte()), false
	case 3:
		return uint64(c & 0x3f), true
	default:
		switch c {
		case 0x80:
			if b := r.Take(4); b != nil {
				return uint64(binary.BigEndian.Uint32(b)), false
			}
		case 0x81:
			if b := r.Take(8); b != nil {
				return binary.BigEndian.Uint64(b), false
			}
		default:
			r.Fail(Corrupt("a length of no known form"))
		}
	}
	return 0, false
}

// Count reads the number of elements of a collection, of which each takes at least a byte. It is a claim still: only
// good to end a loop that looks at Err, too.
func (r *Reader) Count() uint64 {
	n := r.Length()
	switch {
	case r.err != nil:
		return 0
	case n == 0:
		r.Fail(ErrEmpty)
	case r.src == nil && n > uint64(r.Rest()):
		r.Fail(Corrupt("more elements than bytes"))
		return 0
	}
	return n
}

// Text reads a string, which is valid until the next call of a method.
func (r *Reader) Text() []byte { return r.text(0) }

// text reads a string and returns it where it is, or in the given one of r.texts: the latter is valid until that is
// used again.
func (r *Reader) text(slot int) []byte {
	n, special := r.length()
	if r.err != nil {
		return nil
	}
	dst := r.texts[slot][:0]
	switch {
	case special:
		dst = r.special(dst, n)
	case n > maxString:
		r.Fail(Corrupt("a string that is too long"))
		return nil
	case r.src == nil:
		return r.Take(int(n))
	default:
		dst = r.extend(dst, int(n))
	}
	r.texts[slot] = dst
	return dst
}

// Blob reads a string, which is the caller's.
func (r *Reader) Blob() []byte {
	n, special := r.length()
	switch {
	case r.err != nil:
		return nil
	case special:
		return r.special(nil, n)
	case n > maxString:
		r.Fail(Corrupt("a string that is too long"))
		return nil
	case r.src == nil:
		return bytes.Clone(r.Take(int(n)))
	}
	return r.extend(nil, int(n))
}

// special appends a string of the given encoding to dst.
func (r *Reader) special(dst []byte, encoding uint64) []byte {
	switch encoding {
	case stringInt8:
		return strconv.AppendInt(dst, int64(int8(r.Byte())), 10)
	case stringInt16:
		if b := r.Take(2); b != nil {
			return strconv.AppendInt(dst, int64(int16(binary.LittleEndian.Uint16(b))), 10)
		}
	case stringInt32:
		if b := r.Take(4); b != nil {
			return strconv.AppendInt(dst, int64(int32(binary.LittleEndian.Uint32(b))), 10)
		}
	case stringLZF:
		packed, size := r.Length(), r.Length()
		if r.err == nil && (packed > maxString || size > maxString) {
			r.Fail(Corrupt("a string that is too long"))
		}
		src := r.Take(int(packed))
		if r.err != nil {
			return dst
		}
		out, err := lzf.Decompress(dst, src, int(size))
		if err != nil {
			r.Fail(err)
		}
		return out
	default:
		r.Fail(Corrupt("a string of no known encoding"))
	}
	return dst
}

// tidy gives back what a long string has left behind.
func (r *Reader) tidy() {
	for i := range r.texts {
		if cap(r.texts[i]) > 16*readAhead {
			r.texts[i] = nil
		}
	}
	if r.src != nil && cap(r.buf) > 16*readAhead && r.Rest() <= readAhead {
		r.buf, r.pos = bytes.Clone(r.buf[r.pos:]), 0
	}
}
