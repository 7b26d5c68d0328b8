// Package bits treats byte strings as arrays of bits: it counts, finds, reads, writes and combines them.
//
// # Contract
//
// Bit 0 is the highest bit of byte 0, bit 8 the highest of byte 1, as in the bitmaps of Redis. Positions count bits and
// are not negative. The functions keep nothing and write only into the slice they are told to; any number of goroutines
// may call them on memory that nobody writes.
//
//	byte   0         1
//	bit    01234567  89...
//
// Loops work on words of 64 bits, read through encoding/binary, which compiles to plain loads at any alignment.
package bits

import (
	"encoding/binary"
	"math/bits"
)

// Count returns the number of bits set in b.
func Count(b []byte) int64 {
	var n, m int
	for len(b) >= 32 {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(b)) + bits.OnesCount64(binary.LittleEndian.Uint64(b[8:]))
		m += bits.OnesCount64(binary.LittleEndian.Uint64(b[16:])) + bits.OnesCount64(binary.LittleEndian.Uint64(b[24:]))
		b = b[32:]
	}
	for len(b) >= 8 {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(b))
		b = b[8:]
	}
	for _, x := range b {
		n += bits.OnesCount8(x)
	}
	return int64(n + m)
}

// CountIn returns the number of bits set in b among the positions from..to, both included; to lies within b.
func CountIn(b []byte, from, to int64) int64 {
	if from > to {
		return 0
	}
	i, last := from>>3, to>>3
	n := Count(b[i : last+1])
	n -= int64(bits.OnesCount8(b[i] &^ headMask(from)))
	return n - int64(bits.OnesCount8(b[last]&^tailMask(to)))
}

// headMask has the bits of a byte from position p on, tailMask those up to position p.
func headMask(p int64) byte { return 0xff >> (p & 7) }
func tailMask(p int64) byte { return 0xff << (7 - p&7) }

// Find returns the position of the first bit of b that is set, or clear if set is false, among from..to, both included,
// or -1; to lies within b.
func Find(b []byte, set bool, from, to int64) int64 {
	if from > to {
		return -1
	}
	var flip byte
	if !set {
		flip = 0xff
	}
	i, last := from>>3, to>>3
	x := (b[i] ^ flip) & headMask(from)
	if i == last {
		x &= tailMask(to)
	}
	if x != 0 {
		return i<<3 + int64(bits.LeadingZeros8(x))
	}
	if i == last {
		return -1
	}
	if p := findAny(b[i+1:last], set); p >= 0 {
		return (i+1)<<3 + p
	}
	if x = (b[last] ^ flip) & tailMask(to); x != 0 {
		return last<<3 + int64(bits.LeadingZeros8(x))
	}
	return -1
}

// findAny is Find in all of b.
func findAny(b []byte, set bool) int64 {
	rest := b
	var flip uint64
	if set {
		for len(rest) >= 32 && binary.LittleEndian.Uint64(rest)|binary.LittleEndian.Uint64(rest[8:])|
			binary.LittleEndian.Uint64(rest[16:])|binary.LittleEndian.Uint64(rest[24:]) == 0 {
			rest = rest[32:]
		}
	} else {
		flip = ^uint64(0)
		for len(rest) >= 32 && binary.LittleEndian.Uint64(rest)&binary.LittleEndian.Uint64(rest[8:])&
			binary.LittleEndian.Uint64(rest[16:])&binary.LittleEndian.Uint64(rest[24:]) == flip {
			rest = rest[32:]
		}
	}
	for len(rest) >= 8 {
		if w := binary.BigEndian.Uint64(rest) ^ flip; w != 0 {
			return int64(len(b)-len(rest))<<3 + int64(bits.LeadingZeros64(w))
		}
		rest = rest[8:]
	}
	for i, x := range rest {
		if x ^= byte(flip); x != 0 {
			return int64(len(b)-len(rest)+i)<<3 + int64(bits.LeadingZeros8(x))
		}
	}
	return -1
}

// Get returns bit p of b, 0 beyond its end.
func Get(b []byte, p int64) int {
	if p>>3 >= int64(len(b)) {
		return 0
	}
	return int(b[p>>3]>>(7-p&7)) & 1
}

// Put makes bit p of b, which lies within b, on or off.
func Put(b []byte, p int64, on bool) {
	mask := byte(0x80) >> (p & 7)
	if on {
		b[p>>3] |= mask
	} else {
		b[p>>3] &^= mask
	}
}
