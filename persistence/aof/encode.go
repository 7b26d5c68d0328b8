package aof

import (
	"encoding/binary"
	"hash/crc32"
	"strconv"

	"github.com/streampulse/pulse/store"
)

// AppendCommand appends a command as it stands in a log, outside of frames.
func AppendCommand(dst []byte, args ...[]byte) []byte {
	dst = appendHeader(dst, '*', len(args))
	for _, a := range args {
		dst = appendBulk(dst, a)
	}
	return dst
}

func appendBulk(dst, b []byte) []byte {
	return append(append(appendHeader(dst, '$', len(b)), b...), '\r', '\n')
}

func appendHeader(dst []byte, kind byte, n int) []byte {
	dst = append(dst, kind)
	dst = strconv.AppendInt(dst, int64(n), 10)
	return append(dst, '\r', '\n')
}

var (
	wordDel  = []byte("DEL")
	wordHDel = []byte("HDEL")

	multi = AppendCommand(nil, []byte("MULTI"))
	exec  = AppendCommand(nil, []byte("EXEC"))
)

// EncodeCommand implements store.Feed.
func (l *Log) EncodeCommand(dst []byte, args [][]byte) []byte { return AppendCommand(dst, args...) }

// EncodeDeletion implements store.Feed.
func (l *Log) EncodeDeletion(dst, key []byte) []byte { return AppendCommand(dst, wordDel, key) }

// EncodeFieldDeletions implements store.Feed.
func (l *Log) EncodeFieldDeletions(dst, key []byte, fields [][]byte) []byte {
	dst = appendBulk(appendBulk(appendHeader(dst, '*', 2+len(fields)), wordHDel), key)
	for _, f := range fields {
		dst = appendBulk(dst, f)
	}
	return dst
}

// appendUnit appends a unit, with a SELECT where the database changes and between MULTI and EXEC if it has several
// steps; it returns the database that is selected then.
func appendUnit(dst []byte, u *store.Unit, db int) ([]byte, int) {
	whole := len(u.Steps) > 1 && !u.Loose
	if whole {
		dst = append(dst, multi...)
	}
	at := 0
	for _, s := range u.Steps {
		if s.DB != db {
			db = s.DB
			var text [20]byte
			dst = appendBulk(append(dst, "*2\r\n$6\r\nSELECT\r\n"...), strconv.AppendInt(text[:0], int64(db), 10))
		}
		dst = append(dst, u.Bytes[at:s.End]...)
		at = s.End
	}
	if whole {
		dst = append(dst, exec...)
	}
	return dst, db
}

// A frame is what was given to the system at once: a header, which is a line that Redis passes over because it begins
// with #, and whole units.
//
//	#PULSE <length> <checksum> <durable> <checksum of the line to here>\r\n
//
// in hexadecimal digits, 8, 8, 12 and 8 of them. The checksums are CRC-32C, that of the line with the place where it
// stands. durable is how much of the file was known to be on the disk when the frame was written. So a frame is complete
// and undamaged or it is not; what is damaged before a place that a later frame calls durable was not left so by a
// crash; and commands outside of frames come from another server. A frame of no length says what is durable and nothing
// else.
const (
	headerStart = "#PULSE " // 7 bytes
	headerLen   = 7 + 8 + 1 + 8 + 1 + 12 + 1 + 8 + 2
)

// maxFrame is how many bytes a frame holds at most. A variable for tests.
var maxFrame int64 = 1<<32 - 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is what the first line of a frame says.
type header struct {
	length  int64 // of what follows, in bytes
	sum     uint32
	durable int64 // bytes of the file
}

// put writes the header over the first headerLen bytes of b, for a frame that begins at the given offset of its file.
func (h *header) put(b []byte, offset int64) {
	out := append(b[:0], headerStart...)
	out = append(appendHex(out, uint64(h.length), 8), ' ')
	out = append(appendHex(out, uint64(h.sum), 8), ' ')
	out = append(appendHex(out, uint64(h.durable), 12), ' ')
	out = appendHex(out, uint64(lineSum(out, offset)), 8)
	_ = append(out, '\r', '\n')
}

func lineSum(line []byte, offset int64) uint32 {
	var place [8]byte
	binary.LittleEndian.PutUint64(place[:], uint64(offset))
	return crc32.Update(crc32.Checksum(place[:], castagnoli), castagnoli, line)
}

func appendHex(dst []byte, v uint64, digits int) []byte {
	for i := digits - 1; i >= 0; i-- {
		dst = append(dst, "0123456789abcdef"[v>>(4*i)&15])
	}
	return dst
}

// parseHeader reads the header that b begins with, at the given offset of its file; ok is false if that is none, or
// one that is damaged, or was written for another place.
func parseHeader(b []byte, offset int64) (h header, ok bool) {
	h, sum, ok := parseFields(b)
	return h, ok && sum == lineSum(b[:headerLen-8-2], offset)
}

// parseFields reads what looks like a header; sum is its last field.
func parseFields(b []byte) (h header, sum uint32, ok bool) {
	if len(b) < headerLen || string(b[:len(headerStart)]) != headerStart || string(b[headerLen-2:headerLen]) != "\r\n" {
		return h, 0, false
	}
	at := len(headerStart)
	number := func(digits int) uint64 {
		v, err := strconv.ParseUint(string(b[at:at+digits]), 16, 64)
		ok = ok && err == nil
		at += digits + 1
		return v
	}
	ok = true
	h.length, h.sum, h.durable = int64(number(8)), uint32(number(8)), int64(number(12))
	sum = uint32(number(8))
	return h, sum, ok
}
