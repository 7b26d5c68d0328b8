package codec

import (
	"encoding/binary"
	"io"

	"github.com/streampulse/pulse/store/codec/crc64"
)

// opFunction precedes the code of a library of functions, in the payload of FUNCTION DUMP and in RDB files.
const opFunction = 245

// AppendFunctions appends the payload of FUNCTION DUMP: the codes of all libraries, then version and checksum as
// behind a value.
func AppendFunctions(dst []byte, codes [][]byte, compress bool) []byte {
	w := writers.Get().(*Writer)
	start := len(dst)
	w.buf, w.Compress, w.Version = dst, compress, Version70
	for _, code := range codes {
		w.Byte(opFunction)
		w.Text(code)
	}
	dst, w.buf = w.buf, nil
	dst = binary.LittleEndian.AppendUint16(dst, uint16(w.Version))
	writers.Put(w)
	return binary.LittleEndian.AppendUint64(dst, crc64.Update(0, dst[start:]))
}

// Functions reads what AppendFunctions writes. The error is ErrPayload if its end does not fit.
func Functions(payload []byte) (codes [][]byte, err error) {
	n := len(payload) - footSize
	if n < 0 || !sealFits(payload) {
		return nil, ErrPayload
	}
	var r Reader
	r.Reset(payload[:n])
	for r.Rest() > 0 {
		if r.Byte() != opFunction {
			return nil, Corrupt("not a library of functions")
		}
		code := r.Text()
		if err := r.Err(); err == io.ErrUnexpectedEOF {
			return nil, Corrupt("the payload ends within a library")
		} else if err != nil {
			return nil, err
		}
		codes = append(codes, append([]byte(nil), code...))
	}
	return codes, nil
}
