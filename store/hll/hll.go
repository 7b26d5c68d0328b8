// Package hll estimates how many different elements were added to a string: HyperLogLog over the bytes that Redis keeps.
//
// # Contract
//
// Everything here is a function of the bytes of the value, which is an ordinary string and may come from anybody: every
// access is checked, and what contradicts itself is ErrCorrupt. Equal additions in equal order give the bytes that
// redis-server gives. Functions that only read may share a value; the others need it alone. Nothing is kept.
//
// # The value
//
//	"HYLL" | encoding, 1 byte | 3 unused | estimate, 8 bytes little-endian | registers
//
// The top bit of the estimate says that it is out of date. There are 16384 registers of 6 bits; register i holds the
// longest run, plus one, of low zeros among the hashes of the elements that fall to it.
//
//	dense   (dense.go)   register i at bit 6*i of 12288 bytes, counted from the low bit of the first
//	sparse  (sparse.go)  runs of equal registers, one or two bytes each; becomes dense when it grows too long
//
// estimate.go makes the number of a histogram of registers.
package hll

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// ErrCorrupt is returned for a value whose header is right and whose registers are not.
var ErrCorrupt = errors.New("INVALIDOBJ Corrupted HLL object detected")

const (
	indexBits = 14
	registers = 1 << indexBits
	hashBits  = 64 - indexBits // of a hash, left for the run of zeros
	regBits   = 6
	regMax    = 1<<regBits - 1

	headerSize = 16
	// DenseSize is the length in bytes of every dense value.
	DenseSize = headerSize + registers*regBits/8
	// MaxSparse is more bytes than any sparse value has that is not corrupt.
	MaxSparse = headerSize + 2*registers

	encodingAt = 4
	cardAt     = 8

	dense  = 0
	sparse = 1

	stale = 1 << 63 // in the estimate
)

const magic = "HYLL"

// Valid reports whether b has the header, and if it is dense the length, of a value of this package.
func Valid(b []byte) bool {
	if len(b) < headerSize || string(b[:len(magic)]) != magic {
		return false
	}
	return b[encodingAt] == sparse || b[encodingAt] == dense && len(b) == DenseSize
}

// IsDense reports whether b, which is Valid, is dense.
func IsDense(b []byte) bool { return b[encodingAt] == dense }

// AppendNew appends an empty value to dst.
func AppendNew(dst []byte) []byte {
	dst = append(dst, magic...)
	dst = append(dst, sparse, 0, 0, 0)
	dst = append(dst, make([]byte, headerSize-cardAt)...)
	return appendZeros(dst, registers)
}

// Cached returns the estimate that the value carries; ok is false if it is out of date.
func Cached(b []byte) (n uint64, ok bool) {
	n = binary.LittleEndian.Uint64(b[cardAt:])
	return n, n&stale == 0
}

// SetCached writes the estimate into the value.
func SetCached(b []byte, n uint64) { binary.LittleEndian.PutUint64(b[cardAt:], n) }

// Invalidate marks the estimate as out of date.
func Invalidate(b []byte) { b[headerSize-1] |= stale >> 56 }

// Add adds elem to a value, which is Valid, in place if there is room in it. maxSparse is the length in bytes up to
// which the value may stay sparse. raised tells that a register changed; the estimate is not touched. After an error b
// is of no use any more.
func Add(b, elem []byte, maxSparse int) (out []byte, raised bool, err error) {
	i, run := place(elem)
	if IsDense(b) {
		return b, raise(b, i, run), nil
	}
	return set(b, i, run, maxSparse, nil)
}

// Raises reports whether adding elem would change a register of a dense value.
func Raises(b, elem []byte) bool {
	i, run := place(elem)
	return denseAt(b, i) < run
}

// place returns the register of an element and what it raises the register to.
func place(elem []byte) (index int, run uint8) {
	h := murmur64(elem, hashSeed)
	// The bit above the run stops it when all bits of it are zero.
	return int(h & (registers - 1)), uint8(bits.TrailingZeros64(h>>indexBits|1<<hashBits)) + 1
}

const hashSeed = 0xadc83b19

// murmur64 is MurmurHash64A.
func murmur64(b []byte, seed uint64) uint64 {
	const (
		m = 0xc6a4a7935bd1e995
		r = 47
	)
	h := seed ^ uint64(len(b))*m
	for ; len(b) >= 8; b = b[8:] {
		k := binary.LittleEndian.Uint64(b) * m
		k ^= k >> r
		h = (h ^ k*m) * m
	}
	if len(b) > 0 {
		var tail uint64
		for i, c := range b {
			tail |= uint64(c) << (8 * i)
		}
		h = (h ^ tail) * m
	}
	h ^= h >> r
	h *= m
	return h ^ h>>r
}
