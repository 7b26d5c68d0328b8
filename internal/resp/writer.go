package resp

import (
	"slices"
	"strconv"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/internal/pieces"
)

// Writer builds replies in a byte slice, in RESP2 or RESP3. The zero value writes RESP2 into a buffer of its own.
//
// A method writes one reply, or with Array and its kin the header of one: as many replies as announced must follow. Nothing
// allocates but the growth of the buffer.
type Writer struct {
	buf   []byte
	refs  *Refs // nil: everything is copied into buf
	resp3 bool
}

// Proto returns the protocol version, 2 or 3.
func (w *Writer) Proto() int {
	if w.resp3 {
		return 3
	}
	return 2
}

// SetProto chooses the protocol version for what follows: 3, or else 2.
func (w *Writer) SetProto(version int) { w.resp3 = version == 3 }

// Bytes returns what was written since Reset, but for what Refs has. It is valid until the next write.
func (w *Writer) Bytes() []byte { return w.buf }

// Len is the number of bytes written since Reset, as Bytes has them.
func (w *Writer) Len() int { return len(w.buf) }

// Reset makes buf, from its length on, the place to write to; the Writer owns it from now on. The version stays.
func (w *Writer) Reset(buf []byte) { w.buf, w.refs = buf, nil }

// Truncate takes back what was written after the first n bytes.
func (w *Writer) Truncate(n int) {
	w.buf = w.buf[:n]
	if w.refs != nil {
		w.refs.cut(n)
	}
}

// Grow makes room for n more bytes. n must not come from outside.
func (w *Writer) Grow(n int) { w.buf = slices.Grow(w.buf, n) }

// Raw appends bytes that already are protocol.
func (w *Writer) Raw(b []byte) { w.buf = pieces.Append(w.buf, b) }

// appendHeader appends a mark, a number and CRLF.
func appendHeader(b []byte, mark byte, n int64) []byte {
	if uint64(n) < 10 {
		return append(b, mark, '0'+byte(n), '\r', '\n')
	}
	if uint64(n) < 100 {
		return append(b, mark, '0'+byte(n/10), '0'+byte(n%10), '\r', '\n')
	}
	b = strconv.AppendInt(append(b, mark), n, 10)
	return append(b, '\r', '\n')
}

// Int writes an integer.
func (w *Writer) Int(n int64) { w.buf = appendHeader(w.buf, ':', n) }

// bulkFrame is more than what stands around the bytes of a bulk string.
const bulkFrame = 32

// Bulk writes a string of any bytes.
func (w *Writer) Bulk(b []byte) {
	if n := len(b) + bulkFrame; n > cap(w.buf)-len(w.buf) {
		w.buf = pieces.Grow(w.buf, n) // now, so that nothing below moves much
	}
	buf := appendHeader(w.buf, '$', int64(len(b)))
	buf = pieces.Append(buf, b)
	w.buf = append(buf, '\r', '\n')
}

// BulkString writes a string of any bytes.
func (w *Writer) BulkString(s string) {
	buf := appendHeader(w.buf, '$', int64(len(s)))
	buf = append(buf, s...)
	w.buf = append(buf, '\r', '\n')
}

// BulkInt writes the text of an integer as a bulk string.
func (w *Writer) BulkInt(n int64) {
	var scratch [num.MaxIntLen]byte
	w.Bulk(strconv.AppendInt(scratch[:0], n, 10))
}

// BulkDouble writes the text of a double as a bulk string.
func (w *Writer) BulkDouble(f float64) {
	var scratch [32]byte
	w.Bulk(num.AppendFloat(scratch[:0], f))
}

// Simple writes a status. CR and LF in it become spaces.
func (w *Writer) Simple(s string) { w.line('+', s) }

// OK writes the status OK.
func (w *Writer) OK() { w.buf = append(w.buf, "+OK\r\n"...) }

// Error writes an error from its full text, code first: "ERR syntax error". CR and LF in it become spaces.
func (w *Writer) Error(s string) { w.line('-', s) }

// line writes s as a line of its own, which no byte of s can end early.
func (w *Writer) line(mark byte, s string) {
	w.buf = append(w.buf, mark)
	start := len(w.buf)
	w.buf = append(w.buf, s...)
	for i, c := range w.buf[start:] {
		if c == '\r' || c == '\n' {
			w.buf[start+i] = ' '
		}
	}
	w.buf = append(w.buf, '\r', '\n')
}

// Null writes the absence of a value: a null bulk string in RESP2.
func (w *Writer) Null() {
	if w.resp3 {
		w.buf = append(w.buf, "_\r\n"...)
		return
	}
	w.buf = append(w.buf, "$-1\r\n"...)
}

// NullArray writes the absence of an array.
func (w *Writer) NullArray() {
	if w.resp3 {
		w.buf = append(w.buf, "_\r\n"...)
		return
	}
	w.buf = append(w.buf, "*-1\r\n"...)
}

// Bool writes a truth value: the integer 1 or 0 in RESP2.
func (w *Writer) Bool(v bool) {
	mark, yes, no := byte(':'), byte('1'), byte('0')
	if w.resp3 {
		mark, yes, no = '#', 't', 'f'
	}
	if !v {
		yes = no
	}
	w.buf = append(w.buf, mark, yes, '\r', '\n')
}

// Double writes a floating point number: a bulk string in RESP2.
func (w *Writer) Double(f float64) {
	if !w.resp3 {
		w.BulkDouble(f)
		return
	}
	w.buf = append(num.AppendFloat(append(w.buf, ','), f), '\r', '\n')
}

// DoubleText writes a floating point number whose text is given, for numbers with a notation of their own.
func (w *Writer) DoubleText(text []byte) {
	if !w.resp3 {
		w.Bulk(text)
		return
	}
	w.buf = append(append(append(w.buf, ','), text...), '\r', '\n')
}

// BigNumber writes the decimal text of an integer of any size: a bulk string in RESP2.
func (w *Writer) BigNumber(s string) {
	if !w.resp3 {
		w.BulkString(s)
		return
	}
	w.line('(', s)
}

// Verbatim writes a text with its format, three bytes such as "txt" or "mkd": a bulk string without format in RESP2.
func (w *Writer) Verbatim(format, text string) {
	if !w.resp3 {
		w.BulkString(text)
		return
	}
	if len(format) != 3 {
		format = "txt"
	}
	buf := appendHeader(w.buf, '=', int64(len(text))+4)
	buf = append(buf, format...)
	buf = append(buf, ':')
	buf = append(buf, text...)
	w.buf = append(buf, '\r', '\n')
}

// Array writes the header of n replies.
func (w *Writer) Array(n int) { w.buf = appendHeader(w.buf, '*', int64(n)) }

// Map writes the header of n pairs of replies: an array of 2n in RESP2.
func (w *Writer) Map(n int) {
	mark, n64 := w.mapHeader(n)
	w.buf = appendHeader(w.buf, mark, n64)
}

func (w *Writer) mapHeader(n int) (byte, int64) {
	if w.resp3 {
		return '%', int64(n)
	}
	return '*', 2 * int64(n)
}

// Set writes the header of a set of n replies: an array in RESP2.
func (w *Writer) Set(n int) { w.buf = appendHeader(w.buf, w.only3('~'), int64(n)) }

// Push writes the header of an out-of-band message of n replies: an array in RESP2.
func (w *Writer) Push(n int) { w.buf = appendHeader(w.buf, w.only3('>'), int64(n)) }

// only3 is mark in RESP3 and the mark of an array in RESP2.
func (w *Writer) only3(mark byte) byte {
	if w.resp3 {
		return mark
	}
	return '*'
}

// Attribute writes the header of n pairs of replies that describe the reply after them. RESP2 has no such thing: it
// then writes nothing and returns false, and the caller leaves the pairs out.
func (w *Writer) Attribute(n int) bool {
	if w.resp3 {
		w.buf = appendHeader(w.buf, '|', int64(n))
	}
	return w.resp3
}

// Mark is the place of a header that is written after its elements.
type Mark int

// Defer marks the place of a header whose count is not known yet. The elements follow, then EndArray, EndMap or EndSet.
// Deferred headers nest: the inner one ends first. Ending moves all bytes after the mark, once.
func (w *Writer) Defer() Mark { return Mark(len(w.buf)) }

// EndArray inserts at m the header of an array of n elements.
func (w *Writer) EndArray(m Mark, n int) { w.insert(m, '*', int64(n)) }

// EndMap inserts at m the header of a map of n pairs.
func (w *Writer) EndMap(m Mark, n int) {
	mark, n64 := w.mapHeader(n)
	w.insert(m, mark, n64)
}

// EndSet inserts at m the header of a set of n elements.
func (w *Writer) EndSet(m Mark, n int) { w.insert(m, w.only3('~'), int64(n)) }

func (w *Writer) insert(m Mark, mark byte, n int64) {
	var scratch [num.MaxIntLen + 3]byte
	was := len(w.buf)
	w.buf = slices.Insert(w.buf, int(m), appendHeader(scratch[:0], mark, n)...)
	if w.refs != nil {
		w.refs.shift(int(m), len(w.buf)-was)
	}
}
