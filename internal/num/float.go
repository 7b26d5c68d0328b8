package num

import (
	"math"
	"strconv"
	"unsafe"
)

// literal is the outline of a floating point text in strtod's grammar.
type literal struct {
	neg     bool
	inf     bool // "inf" or "infinity"; the fields below are then unset
	hex     bool // digits are hexadecimal and the exponent is a power of two
	point   bool // the digits contain a point
	hasExp  bool
	nonzero bool // some digit of the mantissa is not zero
	from    int  // b[from:to] holds the digits and the point, without sign, prefix and exponent
	to      int
	frac    int // number of digits after the point
	exp     int // the written exponent, saturated at +-maxExp
}

// maxExp saturates written exponents. It is far beyond every exponent that a text of a sensible length can bring
// back into range, and small enough that sums of it and a length do not overflow.
const maxExp = 1 << 28

// scan reads the whole of b as one literal. It refuses the empty text, spaces, every NaN, and texts of which
// strtod would leave a rest unread.
func scan(b []byte) (l literal, ok bool) {
	i := 0
	if i < len(b) && (b[i] == '-' || b[i] == '+') {
		l.neg = b[i] == '-'
		i++
	}
	rest := b[i:]
	if equalFold(rest, "inf") || equalFold(rest, "infinity") {
		l.inf = true
		return l, true
	}
	if len(rest) > 2 && rest[0] == '0' && rest[1]|0x20 == 'x' {
		l.hex = true
		i += 2
	}
	l.from = i
	digits := 0
	for ; i < len(b); i++ {
		c := b[i]
		if c == '.' && !l.point {
			l.point = true
			continue
		}
		if !(c-'0' <= 9 || l.hex && (c|0x20)-'a' <= 5) {
			break
		}
		digits++
		l.nonzero = l.nonzero || c != '0'
		if l.point {
			l.frac++
		}
	}
	l.to = i
	if digits == 0 {
		return l, false
	}
	if i == len(b) {
		return l, true
	}
	mark := byte('e')
	if l.hex {
		mark = 'p'
	}
	if b[i]|0x20 != mark {
		return l, false
	}
	l.hasExp = true
	i++
	negExp := false
	if i < len(b) && (b[i] == '-' || b[i] == '+') {
		negExp = b[i] == '-'
		i++
	}
	if i == len(b) {
		return l, false
	}
	for ; i < len(b); i++ {
		d := b[i] - '0'
		if d > 9 {
			return l, false
		}
		l.exp = min(l.exp*10+int(d), maxExp)
	}
	if negExp {
		l.exp = -l.exp
	}
	return l, true
}

// equalFold compares b with the lower-case word w, ignoring the case of ASCII letters in b.
func equalFold(b []byte, w string) bool {
	if len(b) != len(w) {
		return false
	}
	for i := range b {
		if b[i]|0x20 != w[i] {
			return false
		}
	}
	return true
}

// ParseFloat reads a double as Redis reads scores, coordinates and timeouts: decimal or hexadecimal with an optional
// exponent, or an infinity in any case. The whole text must be used. NaN is refused, and so are finite texts whose
// value overflows to infinity or, being no zero, underflows to zero.
func ParseFloat(b []byte) (float64, bool) {
	if f, ok := parseShort(b); ok {
		return f, true
	}
	l, ok := scan(b)
	if !ok {
		return 0, false
	}
	if l.inf {
		if l.neg {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	}
	s := unsafe.String(&b[0], len(b))
	if l.hex && !l.hasExp {
		s += "p0" // strconv insists on the exponent that C leaves optional
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f == 0 && l.nonzero {
		return 0, false
	}
	return f, true
}

// pow10 are the powers of ten that doubles hold exactly and that parseShort can need.
var pow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// parseShort reads up to 15 plain digits with an optional point and minus sign. Mantissa and power of ten are exact
// doubles then, so their quotient is correctly rounded. False means "use the long way", not "refused".
func parseShort(b []byte) (float64, bool) {
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 16 {
		return 0, false
	}
	var m uint64
	digits, frac, point := 0, 0, false
	for _, c := range b {
		if c == '.' && !point {
			point = true
			continue
		}
		d := uint64(c) - '0'
		if d > 9 {
			return 0, false
		}
		m = m*10 + d
		digits++
		if point {
			frac++
		}
	}
	if digits == 0 || digits > 15 {
		return 0, false
	}
	f := float64(m)
	if frac > 0 {
		f /= pow10[frac]
	}
	if neg {
		f = -f // of a zero too: "-0" is negative zero
	}
	return f, true
}

// Bounds of the plain notation of AppendFloat, facts of the printer that Redis uses since 7.2.
const (
	maxPlainZeros    = 7 // zeros that may follow the digits of an integer
	maxPlainFraction = 6 // decimals that are always written out
	maxPlainExponent = 3 // beyond that many decimals, the decimal exponent that still is written out
)

// AppendFloat appends the text that Redis 7.4 gives a double in replies and stored strings: "inf", "-inf", "nan",
// integral values up to 2^62 in full, and for the rest the shortest digits that read back as the same double, without
// exponent where the point is near. (Redis' printer misses the shortest digits for about one double in a thousand;
// that is not imitated.)
func AppendFloat(b []byte, f float64) []byte {
	switch {
	case f != f:
		return append(b, "nan"...)
	case f > math.MaxFloat64:
		return append(b, "inf"...)
	case f < -math.MaxFloat64:
		return append(b, "-inf"...)
	case f == 0:
		if math.Signbit(f) {
			return append(b, '-', '0')
		}
		return append(b, '0')
	case f >= -1<<62 && f <= 1<<62 && f == float64(int64(f)):
		return strconv.AppendInt(b, int64(f), 10)
	}
	if f < 0 {
		b = append(b, '-')
		f = -f
	}
	var scratch [32]byte
	text := strconv.AppendFloat(scratch[:0], f, 'e', -1, 64) // d.ddde[+-]xx
	end := len(text) - 1
	for text[end] != 'e' {
		end--
	}
	exp := 0
	for _, c := range text[end+2:] {
		exp = exp*10 + int(c-'0')
	}
	if text[end+1] == '-' {
		exp = -exp
	}
	digits := text[:1]
	if end > 2 {
		copy(text[1:], text[2:end]) // close the gap of the point
		digits = text[:end-1]
	}
	return appendDigits(b, digits, exp)
}

// appendDigits appends 0.d1d2d3... * 10^(exp+1).
func appendDigits(b, digits []byte, exp int) []byte {
	n := len(digits)
	scale := exp - (n - 1) // power of ten of the last digit
	switch {
	case scale >= 0 && scale <= maxPlainZeros:
		b = append(b, digits...)
		for ; scale > 0; scale-- {
			b = append(b, '0')
		}
		return b
	case scale < 0 && (scale >= -maxPlainFraction || exp >= -maxPlainExponent && exp <= maxPlainExponent):
		if exp >= 0 {
			b = append(b, digits[:exp+1]...)
			b = append(b, '.')
			return append(b, digits[exp+1:]...)
		}
		b = append(b, '0', '.')
		for ; exp < -1; exp++ {
			b = append(b, '0')
		}
		return append(b, digits...)
	}
	b = append(b, digits[0])
	if n > 1 {
		b = append(b, '.')
		b = append(b, digits[1:]...)
	}
	if exp < 0 {
		b = append(b, 'e', '-')
		exp = -exp
	} else {
		b = append(b, 'e', '+')
	}
	return strconv.AppendInt(b, int64(exp), 10)
}
