package num

import (
	"math/big"
	"strconv"
)

// FloatStatus is the outcome of arithmetic on number texts.
type FloatStatus uint8

const (
	// FloatOK means that the result is valid.
	FloatOK FloatStatus = iota
	// FloatBadFirst means that the first text is no number.
	FloatBadFirst
	// FloatBadSecond means that the first text is a number and the second is none.
	FloatBadSecond
	// FloatNotFinite means that both are numbers and the result is an infinity or not a number.
	FloatNotFinite
)

// The arithmetic of INCRBYFLOAT is that of the x87 80-bit format: 64 bits of mantissa, rounded to nearest even.
// Its exponent range is checked by hand. Its subnormals are not modelled: results have 17 decimals, so nothing
// that small can be seen.
const (
	longPrec    = 64
	longMaxExp  = 16384  // a magnitude is below 2^16384
	longMinExp  = -16445 // exponent, as MantExp counts, of a magnitude that rounds to zero: at most 2^-16446
	longMaxText = 5*1024 - 1
	longDecMax  = 4934 // a magnitude of 10^4934 overflows whatever its digits are
	longDecMin  = -4960
)

// IsFloatText tells whether b is a number for AddFloatText, and whether that number is finite.
func IsFloatText(b []byte) (ok, finite bool) {
	if _, _, ok := scanFixed(b); ok {
		return true, true
	}
	var f big.Float
	ok = parseLong(&f, b)
	return ok, ok && !f.IsInf()
}

// AddFloatText returns the text of a+b as INCRBYFLOAT and HINCRBYFLOAT store and reply it. See AppendFloatSum.
func AddFloatText(a, b []byte) ([]byte, FloatStatus) {
	return AppendFloatSum(nil, a, b)
}

// AppendFloatSum appends the text of a+b to dst: both are read as 80-bit long doubles (texts as for ParseFloat, at
// most 5119 bytes), added in that precision, and printed with 17 decimals less trailing zeros. When the status
// is not FloatOK, dst is returned as it was.
func AppendFloatSum(dst, a, b []byte) ([]byte, FloatStatus) {
	if dst, ok := appendFixedSum(dst, a, b); ok {
		return dst, FloatOK
	}
	var x, y big.Float
	if !parseLong(&x, a) {
		return dst, FloatBadFirst
	}
	if !parseLong(&y, b) {
		return dst, FloatBadSecond
	}
	if x.IsInf() || y.IsInf() {
		return dst, FloatNotFinite
	}
	x.Add(&x, &y)
	if x.MantExp(nil) > longMaxExp {
		return dst, FloatNotFinite
	}
	start := len(dst)
	dst = x.Append(dst, 'f', 17)
	return trimDecimals(dst, start), FloatOK
}

// trimDecimals removes trailing zeros and a trailing point from the number b[start:], which contains a point. What
// remains of a negative number that rounds to zero is "0".
func trimDecimals(b []byte, start int) []byte {
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	if b[len(b)-1] == '.' {
		b = b[:len(b)-1]
	}
	if len(b) == start+2 && b[start] == '-' && b[start+1] == '0' {
		b = append(b[:start], '0')
	}
	return b
}

// fixedOne is the scale of the fast path: values are int64 counts of 10^-17.
const fixedOne = 1e17

// fixedMax is where |a|+|b| must stay below on the fast path, in counts of 10^-17. Each of three roundings (of a, of b,
// of their sum) errs by at most half a unit in the last place: 2^-59 from 32 up to 64, 2^-60 below 32. At most one of
// a and b is 32 or more, so all together err by at most 2.5 * 2^-59 = 4.34e-18, which is less than half of 10^-17. The long
// double sum printed with 17 decimals therefore shows the exact decimal sum, which has at most 17 decimals.
const fixedMax = 64 * fixedOne

// appendFixedSum adds two integers, or two small decimals, exactly. False means "use the long way".
func appendFixedSum(dst, a, b []byte) ([]byte, bool) {
	if x, ok := ParseInt(a); ok {
		if y, ok := ParseInt(b); ok {
			// Every int64, and so the sum, is exact in 64 bits of mantissa.
			if s, ok := AddInt(x, y); ok {
				return strconv.AppendInt(dst, s, 10), true
			}
			return dst, false
		}
	}
	x, xneg, ok := scanFixed(a)
	if !ok {
		return dst, false
	}
	y, yneg, ok := scanFixed(b)
	if !ok || x+y >= fixedMax {
		return dst, false
	}
	s := int64(x)
	if xneg {
		s = -s
	}
	if yneg {
		s -= int64(y)
	} else {
		s += int64(y)
	}
	if s == 0 {
		return append(dst, '0'), true
	}
	if s < 0 {
		dst = append(dst, '-')
		s = -s
	}
	start := len(dst)
	dst = strconv.AppendInt(dst, s/fixedOne, 10)
	dst = append(dst, '.')
	frac := s % fixedOne
	for unit := int64(fixedOne / 10); unit > 0; unit /= 10 {
		dst = append(dst, '0'+byte(frac/unit))
		frac %= unit
	}
	return trimDecimals(dst, start), true
}

// scanFixed reads a decimal of magnitude below 64 with at most 17 decimals and no exponent as a count of 10^-17.
func scanFixed(b []byte) (v uint64, neg, ok bool) {
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		neg = b[0] == '-'
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 20 {
		return 0, false, false
	}
	digits, frac, point := 0, 0, false
	for _, c := range b {
		if c == '.' && !point {
			point = true
			continue
		}
		d := uint64(c) - '0'
		if d > 9 || v > fixedMax/10 {
			return 0, false, false
		}
		v = v*10 + d
		digits++
		if point {
			frac++
		}
	}
	if digits == 0 || frac > 17 {
		return 0, false, false
	}
	for ; frac < 17; frac++ {
		if v > fixedMax/10 {
			return 0, false, false
		}
		v *= 10
	}
	return v, neg, v < fixedMax
}

// parseLong reads b as an 80-bit long double into z, correctly rounded. It refuses what ParseFloat refuses, by the
// range of the wider format.
//
// big.Float's own Parse is not used: it keeps a fixed number of guard bits through powers of five, which is not
// enough to round every text correctly.
func parseLong(z *big.Float, b []byte) bool {
	if len(b) > longMaxText {
		return false
	}
	l, ok := scan(b)
	if !ok {
		return false
	}
	z.SetPrec(longPrec)
	if l.inf {
		z.SetInf(l.neg)
		return true
	}
	if !l.nonzero {
		z.SetInt64(0)
		if l.neg {
			z.Neg(z)
		}
		return true
	}
	var m big.Int
	digits := mantissa(&m, b[l.from:l.to], l)
	if l.hex {
		z.SetInt(&m)
		z.SetMantExp(z, l.exp-4*l.frac)
	} else if !scaleDecimal(z, &m, digits, l.exp-l.frac) {
		return false
	}
	if e := z.MantExp(nil); e > longMaxExp || e <= longMinExp {
		return false
	}
	if l.neg {
		z.Neg(z)
	}
	return true
}

// mantissa sets m to the digits of text, read without their point, and returns how many there are after the zeros
// that lead.
func mantissa(m *big.Int, text []byte, l literal) int {
	base := 10
	if l.hex {
		base = 16
	}
	digits := make([]byte, 0, 64)
	for _, c := range text {
		if c != '.' && (len(digits) > 0 || c != '0') {
			digits = append(digits, c)
		}
	}
	if v, ok := ParseUint(digits); ok && !l.hex {
		m.SetUint64(v)
	} else {
		m.SetString(string(digits), base)
	}
	return len(digits)
}

// scaleDecimal sets z to m * 10^exp rounded once. It is false when the value is out of range by its size alone, which
// also bounds the power of ten that is computed.
func scaleDecimal(z *big.Float, m *big.Int, digits, exp int) bool {
	if size := digits + exp; size > longDecMax || size < longDecMin {
		return false
	}
	var ten big.Int
	if e := max(exp, -exp); e < MaxIntLen {
		power := uint64(1)
		for ; e > 0; e-- {
			power *= 10
		}
		ten.SetUint64(power)
	} else {
		ten.Exp(big.NewInt(10), big.NewInt(int64(e)), nil)
	}
	if exp >= 0 {
		z.SetInt(m.Mul(m, &ten))
		return true
	}
	var num, den big.Float
	z.Quo(num.SetInt(m), den.SetInt(&ten))
	return true
}
