package geo

import (
	"math"
	"math/bits"
	"strconv"
)

// AppendDistance appends a length with four decimals.
func AppendDistance(dst []byte, d float64) []byte {
	n := int64(math.RoundToEven(d * 10000))
	if n < 0 {
		dst = append(dst, '-')
		n = -n
	}
	dst = strconv.AppendUint(dst, uint64(n)/10000, 10)
	frac := 10000 + uint64(n)%10000
	start := len(dst)
	dst = strconv.AppendUint(dst, frac, 10) // its leading 1 is where the point goes
	dst[start] = '.'
	return dst
}

// AppendCoordinate appends a coordinate with up to 17 decimals, without zeros at the end.
func AppendCoordinate(dst []byte, deg float64) []byte {
	const decimals = 17
	if deg == 0 {
		return append(dst, '0')
	}
	start := len(dst)
	if deg < 0 {
		dst = append(dst, '-')
	}
	first := len(dst)
	// |deg| is m/2^shift.
	b := math.Float64bits(deg)
	m, shift := b&(1<<52-1)|1<<52, 1075-int(b>>52&0x7ff)
	if shift < 44 || shift > 115 { // 256 and more; so little that 128 bits are none too many, or nothing
		dst = strconv.AppendFloat(dst[:start], deg, 'f', decimals, 64)
	} else {
		// The whole part and then the decimals, from m * 10^17 / 2^shift rounded to even.
		hi, lo := bits.Mul64(m, 1e17)
		q, rest, half := hi, uint64(0), uint64(0)
		if shift >= 64 {
			s := uint(shift - 64)
			q, rest = hi>>s, hi&(1<<s-1)
			// What is cut off is rest, then lo.
			if s == 0 {
				half = lo >> 63
				rest = lo << 1
			} else {
				half = rest >> (s - 1)
				rest = rest&(1<<(s-1)-1) | lo
			}
			if half == 1 && (rest != 0 || q&1 == 1) {
				q++
			}
			dst = appendScaled(dst, 0, q, decimals)
		} else {
			s := uint(shift)
			qHi, qLo := hi>>s, hi<<(64-s)|lo>>s
			half, rest = lo>>(s-1)&1, lo&(1<<(s-1)-1)
			if half == 1 && (rest != 0 || qLo&1 == 1) {
				var carry uint64
				qLo, carry = bits.Add64(qLo, 1, 0)
				qHi += carry
			}
			dst = appendScaled(dst, qHi, qLo, decimals)
		}
	}
	end := len(dst)
	for dst[end-1] == '0' {
		end--
	}
	if dst[end-1] == '.' {
		end--
	}
	dst = dst[:end]
	if len(dst) == first+1 && dst[first] == '0' && first > start {
		dst = append(dst[:start], '0')
	}
	return dst
}

// appendScaled appends the number hi*2^64+lo, which is below 1000 * 10^17, divided by 10^17.
func appendScaled(dst []byte, hi, lo uint64, decimals int) []byte {
	whole, frac := bits.Div64(hi, lo, 1e17)
	dst = strconv.AppendUint(dst, whole, 10)
	dst = append(dst, '.')
	at := len(dst)
	for range decimals {
		dst = append(dst, '0')
	}
	for i := at + decimals - 1; frac > 0; i-- {
		dst[i] = '0' + byte(frac%10)
		frac /= 10
	}
	return dst
}
