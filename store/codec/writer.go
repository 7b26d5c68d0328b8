package codec

import (
	"encoding/binary"
	"io"
	"math"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store/codec/crc64"
	"github.com/streampulse/pulse/store/codec/lzf"
)

// Writer writes the parts that RDB consists of. After an error of its sink it drops what it is given; look at Err or
// Flush when all is written.
type Writer struct {
	// Compress compresses strings of more than a few bytes, as rdbcompression says.
	Compress bool
	// Version is the newest version of RDB that the reader understands; 0 stands for that of Redis 7.0. A value that
	// cannot be written in it is written in the version that can: ask VersionOf.
	Version int

	buf    []byte
	sink   io.Writer // nil: everything stays in buf
	err    error
	sum    uint64
	packer *lzf.Encoder
	packed []byte
}

// NewWriter returns a Writer to sink, or, if it is nil, to a buffer (Bytes).
func NewWriter(sink io.Writer) *Writer { return &Writer{sink: sink} }

// Bytes returns what is in the buffer: all, if there is no sink. It is valid until the next call.
func (w *Writer) Bytes() []byte { return w.buf }

// Err returns the first error of the sink.
func (w *Writer) Err() error { return w.err }

// Flush gives the sink all that it has not been given yet and returns the first error.
func (w *Writer) Flush() error {
	if w.sink != nil {
		w.push(w.buf)
		w.buf = w.buf[:0]
	}
	return w.err
}

// Sum returns the checksum of all that was given to the sink; Flush first.
func (w *Writer) Sum() uint64 { return w.sum }

func (w *Writer) push(b []byte) {
	if w.err != nil || len(b) == 0 {
		return
	}
	w.sum = crc64.Update(w.sum, b)
	_, w.err = w.sink.Write(b)
}

// flushAt is how many bytes a Writer collects for its sink.
const flushAt = 64 << 10

func (w *Writer) full() {
	if w.sink != nil && len(w.buf) >= flushAt {
		w.Flush()
	}
}

// Byte writes a byte.
func (w *Writer) Byte(b byte) {
	w.buf = append(w.buf, b)
	w.full()
}

// Raw writes b as it is.
func (w *Writer) Raw(b []byte) {
	if w.sink != nil && len(b) >= flushAt {
		w.Flush()
		w.push(b)
		return
	}
	w.buf = append(w.buf, b...)
	w.full()
}

// Uint64 writes eight bytes, the lowest first.
func (w *Writer) Uint64(n uint64) { w.buf = binary.LittleEndian.AppendUint64(w.buf, n) }

// Length writes a length.
func (w *Writer) Length(n uint64) {
	switch {
	case n < 1<<6:
		w.buf = append(w.buf, byte(n))
	case n < 1<<14:
		w.buf = append(w.buf, byte(n>>8)|0x40, byte(n))
	case n <= math.MaxUint32:
		w.buf = binary.BigEndian.AppendUint32(append(w.buf, 0x80), uint32(n))
	default:
		w.buf = binary.BigEndian.AppendUint64(append(w.buf, 0x81), n)
	}
}

const (
	// maxIntText is the length of the longest integer that a string is written as.
	maxIntText = len("-2147483648")
	// minCompress is the length from which on it is worth to try compression, minGain how many bytes it must save.
	minCompress = 21
	minGain     = 4
)

// Text writes a string: as an integer if its text is one of 32 bits, compressed if that is wanted and saves space.
func (w *Writer) Text(b []byte) {
	if len(b) <= maxIntText {
		if n, ok := num.ParseInt(b); ok && w.int(n) {
			return
		}
	}
	if w.Compress && len(b) >= minCompress && w.compressed(b) {
		return
	}
	w.Length(uint64(len(b)))
	w.Raw(b)
}

func (w *Writer) int(n int64) bool {
	switch {
	case n == int64(int8(n)):
		w.buf = append(w.buf, 0xc0|stringInt8, byte(n))
	case n == int64(int16(n)):
		w.buf = binary.LittleEndian.AppendUint16(append(w.buf, 0xc0|stringInt16), uint16(n))
	case n == int64(int32(n)):
		w.buf = binary.LittleEndian.AppendUint32(append(w.buf, 0xc0|stringInt32), uint32(n))
	default:
		return false
	}
	w.full()
	return true
}

func (w *Writer) compressed(b []byte) bool {
	if w.packer == nil {
		w.packer = new(lzf.Encoder)
	}
	out, ok := w.packer.Compress(w.packed[:0], b, len(b)-minGain)
	if cap(out) <= 16*flushAt {
		w.packed = out
	}
	if !ok {
		return false
	}
	w.buf = append(w.buf, 0xc0|stringLZF)
	w.Length(uint64(len(out)))
	w.Length(uint64(len(b)))
	w.Raw(out)
	return true
}
