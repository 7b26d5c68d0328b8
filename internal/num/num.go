// Package num reads and writes numbers in the texts of the Redis protocol.
//
// It owns one question: which bytes are a number, and which bytes a number becomes. Integers have a single
// canonical text (no plus sign, no leading zero, no "-0"), so an integer that parses prints back as the same
// bytes; the store relies on that to keep integers in binary. Floating point input is what C's strtod takes in
// the C locale; floating point output is the text of Redis 7.4.
//
// Everything here is a pure function on bytes without state: any goroutine may call anything at any time, and
// no argument is kept. Nothing allocates on common input, except for results that are new slices.
package num

import "math/bits"

// MaxIntLen is the length of the longest text of an int64 or uint64, in bytes.
const MaxIntLen = 20

// ParseInt reads the canonical decimal text of an int64. It refuses what ParseInt of a friendlier library would
// take: a plus sign, leading zeros, "-0", spaces, and anything out of range.
func ParseInt(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > MaxIntLen {
		return 0, false
	}
	if b[0] != '-' {
		v, ok := ParseUint(b)
		return int64(v), ok && v <= 1<<63-1
	}
	b = b[1:]
	if len(b) == 0 || b[0] == '0' {
		return 0, false
	}
	v, ok := ParseUint(b)
	return -int64(v), ok && v <= 1<<63
}

// ParseUint reads the canonical decimal text of a uint64, under the rules of ParseInt and without a sign.
func ParseUint(b []byte) (uint64, bool) {
	if len(b) == 0 || len(b) > MaxIntLen {
		return 0, false
	}
	v := uint64(b[0]) - '0'
	if v > 9 || v == 0 && len(b) > 1 {
		return 0, false
	}
	head := b[1:]
	if len(b) == MaxIntLen {
		head = b[1 : MaxIntLen-1]
	}
	for _, c := range head {
		d := uint64(c) - '0'
		if d > 9 {
			return 0, false
		}
		v = v*10 + d
	}
	if len(b) < MaxIntLen {
		return v, true
	}
	// Only the twentieth digit can overflow.
	d := uint64(b[MaxIntLen-1]) - '0'
	hi, lo := bits.Mul64(v, 10)
	sum, carry := bits.Add64(lo, d, 0)
	return sum, d <= 9 && hi+carry == 0
}

// AddInt returns a+b, and false when the sum is no int64.
func AddInt(a, b int64) (int64, bool) {
	s := a + b
	return s, (s > a) == (b > 0)
}

// MulInt returns a*b, and false when the product is no int64.
func MulInt(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	// The unsigned product counts 2^64 too much in the high word for each negative factor.
	if a < 0 {
		hi -= uint64(b)
	}
	if b < 0 {
		hi -= uint64(a)
	}
	p := int64(lo)
	return p, int64(hi) == p>>63
}
