package codec

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"github.com/streampulse/pulse/store/codec/crc64"
)

// The payload of DUMP is a type, a value, the version of RDB in two bytes, and the checksum of all that in eight; both
// with the lowest byte first.
const (
	footVersion = 2
	footSum     = 8
	footSize    = footVersion + footSum
)

// ErrPayload says that a payload is from a newer version, or has been damaged.
var ErrPayload = errors.New("codec: the payload has a wrong version or checksum")

// writers are kept for their tables and buffers.
var writers = sync.Pool{New: func() any { return new(Writer) }}

// AppendDump appends the payload of v to dst, in the oldest version of RDB that can say it, so that old servers
// understand as much as they can.
func AppendDump(dst []byte, v Value, compress bool) []byte {
	w := writers.Get().(*Writer)
	start := len(dst)
	w.buf, w.Compress, w.Version = dst, compress, VersionOf(v)
	w.Byte(byte(w.Type(v)))
	w.Value(v)
	dst, w.buf = w.buf, nil
	dst = binary.LittleEndian.AppendUint16(dst, uint16(w.Version))
	writers.Put(w)
	return binary.LittleEndian.AppendUint64(dst, crc64.Update(0, dst[start:]))
}

// sealFits reports whether version and checksum at the end of a payload, which is long enough to have them, fit.
func sealFits(payload []byte) bool {
	n := len(payload) - footSize
	version, sum := payload[n:n+footVersion], payload[n+footVersion:]
	return binary.LittleEndian.Uint16(version) <= MaxVersion && binary.LittleEndian.Uint64(sum) == crc64.Update(0, payload[:n+footVersion])
}

// Restore reads a payload. The error is ErrPayload if its end does not fit, and another if the value in it is not one.
func Restore(payload []byte, lim *Limits) (Value, error) {
	n := len(payload) - footSize
	if n < 1 || !sealFits(payload) {
		return Value{}, ErrPayload
	}
	var r Reader
	r.Reset(payload[1:n])
	v, err := r.Value(Type(payload[0]), lim)
	switch {
	case err == io.ErrUnexpectedEOF:
		return Value{}, Corrupt("the payload ends within the value")
	case err != nil:
		return Value{}, err
	case r.Rest() > 0:
		return Value{}, Corrupt("bytes behind the value")
	}
	return v, nil
}
