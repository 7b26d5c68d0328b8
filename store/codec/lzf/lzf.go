// Package lzf compresses strings in the format of LZF, which DUMP payloads and RDB files use for strings of more than a
// few bytes.
//
// A compressed string is a row of runs:
//
//	000nnnnn                      n+1 bytes that follow as they are
//	nnnooooo oooooooo             n+2 bytes (n from 1 to 6) copied from o+1 bytes back
//	111ooooo nnnnnnnn oooooooo    n+9 bytes copied from o+1 bytes back
//
// A copy may run into the bytes it writes. The length of the whole is not in the format; whoever stores a compressed
// string stores it beside.
//
// # Contract
//
// Decompress and Size are pure and may be called concurrently; they never read outside of what they are given, and
// never allocate more than Size found. An Encoder serves one goroutine at a time.
package lzf

import (
	"encoding/binary"
	"errors"
)

// ErrCorrupt says that bytes are no compressed string, or not one of the length that was claimed.
var ErrCorrupt = errors.New("lzf: corrupt")

const (
	maxLiteral  = 32
	maxDistance = 1 << 13
	maxMatch    = 7 + 255 + 2
	minMatch    = 3 // a copy of two bytes saves nothing
	tableBits   = 14
)

// Size returns the length of what src expands to, after having checked every run; so a claim about the length can be
// judged before a byte is allocated.
func Size(src []byte) (int, error) {
	n := 0
	for i := 0; i < len(src); {
		c := int(src[i])
		i++
		if c < maxLiteral {
			if c+1 > len(src)-i {
				return 0, ErrCorrupt
			}
			i += c + 1
			n += c + 1
			continue
		}
		length := c >> 5
		if length == 7 {
			if i >= len(src) {
				return 0, ErrCorrupt
			}
			length += int(src[i])
			i++
		}
		if i >= len(src) || (c&0x1f)<<8|int(src[i]) >= n {
			return 0, ErrCorrupt
		}
		i++
		n += length + 2
	}
	return n, nil
}

// Decompress appends to dst what src expands to, which must be size bytes.
func Decompress(dst, src []byte, size int) ([]byte, error) {
	if n, err := Size(src); err != nil || n != size {
		return dst, ErrCorrupt
	}
	start := len(dst)
	if cap(dst)-start < size {
		dst = append(make([]byte, 0, start+size), dst...)
	}
	out := dst[start : start+size]
	at := 0
	for i := 0; i < len(src); {
		c := int(src[i])
		i++
		if c < maxLiteral {
			at += copy(out[at:], src[i:i+c+1])
			i += c + 1
			continue
		}
		length := c>>5 + 2
		if length == 9 {
			length += int(src[i])
			i++
		}
		from := at - ((c&0x1f)<<8 | int(src[i])) - 1
		i++
		// Where the copy runs into itself what is there doubles with each step.
		for end := at + length; at < end; {
			at += copy(out[at:end], out[from:at])
		}
	}
	return dst[:start+size], nil
}

// Encoder compresses. The zero value is ready; it keeps a table of 64 KiB.
type Encoder struct {
	// table has, for a hash of three bytes, where they were seen last, as base plus their offset. What is below base
	// is of earlier strings, which spares clearing the table for each.
	table [1 << tableBits]uint32
	base  uint32
}

func hash3(b []byte) uint32 {
	v := uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
	return v * 0x9E3779B1 >> (32 - tableBits)
}

// Compress appends src, compressed to at most max bytes, to dst; ok is false, and dst as it was, if that cannot be done.
// src has less than 2 GiB.
func (e *Encoder) Compress(dst, src []byte, max int) (out []byte, ok bool) {
	if e.base == 0 || uint64(e.base)+uint64(len(src)) > 1<<32-1 {
		clear(e.table[:])
		e.base = 1
	}
	base := e.base
	e.base += uint32(len(src))
	start, lit := len(dst), 0
	out = dst
	for i := 0; i+minMatch < len(src); {
		h := hash3(src[i:])
		seen := e.table[h]
		e.table[h] = base + uint32(i)
		ref := int(seen) - int(base)
		if ref < 0 || i-ref > maxDistance || src[ref] != src[i] || src[ref+1] != src[i+1] || src[ref+2] != src[i+2] {
			// The longer nothing repeats, the larger the steps: what cannot be compressed costs little.
			i += 1 + (i-lit)>>7
			if i-lit > max {
				return dst, false
			}
			continue
		}
		n := matchLen(src, ref, i)
		if out = literals(out, src[lit:i]); len(out)-start+3 > max {
			return dst, false
		}
		out = appendCopy(out, i-ref-1, n)
		for k := i + 1; k < i+n && k+minMatch <= len(src); k += 1 + n>>4 {
			e.table[hash3(src[k:])] = base + uint32(k)
		}
		i += n
		lit = i
	}
	if rest := len(src) - lit; len(out)-start+rest > max {
		return dst, false
	}
	if out = literals(out, src[lit:]); len(out)-start > max {
		return dst, false
	}
	return out, true
}

// matchLen returns how many bytes from i on repeat those from ref on; three are known to.
func matchLen(src []byte, ref, i int) int {
	n, most := minMatch, min(len(src)-i, maxMatch)
	for n+8 <= most && binary.LittleEndian.Uint64(src[ref+n:]) == binary.LittleEndian.Uint64(src[i+n:]) {
		n += 8
	}
	for n < most && src[ref+n] == src[i+n] {
		n++
	}
	return n
}

func literals(out, b []byte) []byte {
	for len(b) > 0 {
		n := min(len(b), maxLiteral)
		out = append(out, byte(n-1))
		out = append(out, b[:n]...)
		b = b[n:]
	}
	return out
}

// appendCopy appends a copy of n bytes from distance+1 bytes back.
func appendCopy(out []byte, distance, n int) []byte {
	n -= 2
	if n < 7 {
		return append(out, byte(n<<5|distance>>8), byte(distance))
	}
	return append(out, byte(7<<5|distance>>8), byte(n-7), byte(distance))
}
