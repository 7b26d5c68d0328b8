package codec

import (
	"encoding/binary"
	"strconv"

	"github.com/streampulse/pulse/internal/num"
)

// A ziplist is what came before the listpack: up to Redis 6.2 the small form of hashes and sorted sets, and the node of a
// list. It is only read.
//
//	total bytes u32 | offset of the last entry u32 | entries u16 | entry ... entry | FF     numbers: lowest byte first
//
//	entry   size of the entry before | encoding | data
//	size    one byte, or FE and four bytes, which may say as little as one could
//
//	00nnnnnn                           string of n bytes
//	01nnnnnn nnnnnnnn                  string, length with the highest byte first
//	10000000 + 4 bytes                 string, likewise
//	C0, D0, E0, F0, FE + 2, 4, 8, 3, 1 bytes    signed integer
//	F1 to FD                           integer from 0 to 12
const (
	ziplistHead    = 10
	ziplistEnd     = 0xff
	ziplistUnknown = 1<<16 - 1 // entries are not counted
)

var errZiplist = Corrupt("a ziplist that contradicts itself")

// eachOfZiplist calls f for every entry of b, which comes from outside, until f returns an error. f may have been called
// for some entries before b is found to be wrong. An entry is valid during the call.
func eachOfZiplist(b []byte, f func(entry []byte) error) error {
	if len(b) <= ziplistHead || uint64(binary.LittleEndian.Uint32(b)) != uint64(len(b)) || b[len(b)-1] != ziplistEnd {
		return errZiplist
	}
	tail, count := uint64(binary.LittleEndian.Uint32(b[4:])), int(binary.LittleEndian.Uint16(b[8:]))
	end := len(b) - 1
	var scratch [num.MaxIntLen]byte
	n, before, last := 0, 0, ziplistHead
	for p := ziplistHead; p < end; n++ {
		e := b[p:end]
		head := 1
		size := int(e[0])
		switch {
		case e[0] == ziplistEnd:
			return errZiplist
		case e[0] == 0xfe:
			if len(e) < 5 {
				return errZiplist
			}
			head, size = 5, int(binary.LittleEndian.Uint32(e[1:]))
		}
		entry, span, ok := ziplistEntry(e[head:], scratch[:0])
		if size != before || !ok {
			return errZiplist
		}
		if err := f(entry); err != nil {
			return err
		}
		last, before = p, head+span
		p += before
	}
	if uint64(last) != tail || count != ziplistUnknown && count != n {
		return errZiplist
	}
	return nil
}

// ziplistEntry returns the text of the entry whose encoding is at the start of b, integers in scratch, and the bytes of
// encoding and data.
func ziplistEntry(b, scratch []byte) (text []byte, span int, ok bool) {
	if len(b) == 0 {
		return nil, 0, false
	}
	if b[0] < 0xc0 {
		head, n := 1, uint64(b[0]&0x3f)
		switch {
		case b[0] == 0x80:
			if head = 5; len(b) >= head {
				n = uint64(binary.BigEndian.Uint32(b[1:]))
			}
		case b[0] > 0x80:
			return nil, 0, false
		case b[0] >= 0x40:
			if head = 2; len(b) >= head {
				n = n<<8 | uint64(b[1])
			}
		}
		if len(b) < head || n > uint64(len(b)-head) {
			return nil, 0, false
		}
		return b[head : head+int(n)], head + int(n), true
	}
	if b[0] >= 0xf1 && b[0] <= 0xfd {
		return strconv.AppendInt(scratch, int64(b[0]-0xf1), 10), 1, true
	}
	width, known := ziplistWidth[b[0]]
	if !known || len(b) <= width {
		return nil, 0, false
	}
	var wide [8]byte
	copy(wide[8-width:], b[1:1+width])
	n := int64(binary.LittleEndian.Uint64(wide[:])) >> (64 - 8*width)
	return strconv.AppendInt(scratch, n, 10), 1 + width, true
}

// ziplistWidth has the bytes of an integer by its encoding.
var ziplistWidth = map[byte]int{0xc0: 2, 0xd0: 4, 0xe0: 8, 0xf0: 3, 0xfe: 1}

// eachPairOfZiplist is eachOfZiplist for pairs.
func eachPairOfZiplist(b []byte, f func(field, value []byte) error) error {
	var field []byte
	var integers [num.MaxIntLen]byte
	second := false
	err := eachOfZiplist(b, func(entry []byte) error {
		if second = !second; second {
			// A short one may be an integer, whose text is overwritten by the next.
			if field = entry; len(entry) <= len(integers) {
				field = append(integers[:0], entry...)
			}
			return nil
		}
		return f(field, entry)
	})
	if err == nil && second {
		return errPairs
	}
	return err
}
