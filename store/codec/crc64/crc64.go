// Package crc64 is the checksum of DUMP payloads and RDB files: CRC-64 with the polynomial of Jones, bits reflected, no
// initial value and none added at the end, so that the checksum of nothing is 0 and of a whole is that of its parts in a
// row.
//
// The functions are pure and may be called concurrently.
package crc64

import "encoding/binary"

// poly is the polynomial ad93d23594c935a9 with its bits in reverse.
const poly = 0x95ac9329ac4bc9b5

// tables[k][b] is what the byte b does to the checksum k bytes later. hash/crc64 cannot serve: it inverts the value
// before and after, and for a polynomial it does not know it takes one byte at a time or makes its tables at each call.
var tables = func() (t [8][256]uint64) {
	for i := range t[0] {
		c := uint64(i)
		for range 8 {
			c = c>>1 ^ poly&-(c&1)
		}
		t[0][i] = c
	}
	for i := range t[0] {
		for k := 1; k < 8; k++ {
			c := t[k-1][i]
			t[k][i] = t[0][byte(c)] ^ c>>8
		}
	}
	return t
}()

// Update returns the checksum of what has the checksum crc followed by b.
func Update(crc uint64, b []byte) uint64 {
	t := &tables
	for ; len(b) >= 8; b = b[8:] {
		crc ^= binary.LittleEndian.Uint64(b)
		crc = t[7][byte(crc)] ^ t[6][byte(crc>>8)] ^ t[5][byte(crc>>16)] ^ t[4][byte(crc>>24)] ^
			t[3][byte(crc>>32)] ^ t[2][byte(crc>>40)] ^ t[1][byte(crc>>48)] ^ t[0][byte(crc>>56)]
	}
	for _, c := range b {
		crc = t[0][byte(crc)^c] ^ crc>>8
	}
	return crc
}
