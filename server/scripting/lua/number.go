package lua

import (
	"math"
	"strconv"
	"strings"
)

// AppendG writes a number as C's "%.<prec>g" does, for prec of 1 to 17.
func AppendG(dst []byte, f float64, prec int) []byte { return appendG(dst, f, prec) }

var pow10 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

func appendG(dst []byte, f float64, prec int) []byte {
	if prec < 1 {
		prec = 1
	}
	if i := int64(f); float64(i) == f && (i != 0 || !math.Signbit(f)) {
		if limit := pow10[min(prec, 15)]; f < limit && f > -limit {
			return strconv.AppendInt(dst, i, 10)
		}
	}
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return appendSpecial(dst, f)
	}
	return strconv.AppendFloat(dst, f, 'g', prec, 64)
}

func appendSpecial(dst []byte, f float64) []byte {
	if math.Signbit(f) {
		dst = append(dst, '-')
	}
	if math.IsNaN(f) {
		return append(dst, "nan"...)
	}
	return append(dst, "inf"...)
}

// FormatNumber is the text of a number as tostring gives it.
func FormatNumber(f float64) string {
	var b [40]byte
	return string(appendG(b[:0], f, 14))
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isAlpha(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isXDigit(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// ParseNumber reads a whole string as the language converts strings to numbers: as C's strtod, spaces around allowed,
// "inf", "nan" and hexadecimal included; nothing else.
func ParseNumber(s string) (float64, bool) {
	for len(s) > 0 && isSpace(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	if len(s) == 0 {
		return 0, false
	}
	// Most numbers are short integers.
	if len(s) <= 15 {
		n, ok := int64(0), true
		for i := 0; i < len(s); i++ {
			if !isDigit(s[i]) {
				ok = false
				break
			}
			n = n*10 + int64(s[i]-'0')
		}
		if ok {
			return float64(n), true
		}
	}
	body, neg := s, false
	if body[0] == '-' || body[0] == '+' {
		neg = body[0] == '-'
		body = body[1:]
	}
	if len(body) > 1 && body[0] == '0' && (body[1] == 'x' || body[1] == 'X') {
		return parseHex(body[2:], neg)
	}
	switch strings.ToLower(body) {
	case "inf", "infinity":
		if neg {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	case "nan":
		return math.Copysign(math.NaN(), map[bool]float64{true: -1, false: 1}[neg]), true
	}
	digits, dot, exp := 0, false, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case isDigit(c):
			digits++
		case c == '.' && !dot && !exp:
			dot = true
		case (c == 'e' || c == 'E') && !exp && digits > 0:
			exp = true
			digits = 0
			if i+1 < len(body) && (body[i+1] == '-' || body[i+1] == '+') {
				i++
			}
		default:
			return 0, false
		}
	}
	if digits == 0 {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) && f != 0 {
		return 0, false
	}
	return f, true
}

func parseHex(body string, neg bool) (float64, bool) {
	mant, digits, shift, dot := 0.0, 0, 0, false
	i := 0
	for ; i < len(body); i++ {
		c := body[i]
		if c == '.' && !dot {
			dot = true
			continue
		}
		if !isXDigit(c) {
			break
		}
		mant = mant*16 + float64(hexValue(c))
		digits++
		if dot {
			shift -= 4
		}
	}
	if digits == 0 {
		return 0, false
	}
	if i < len(body) {
		if body[i] != 'p' && body[i] != 'P' {
			return 0, false
		}
		e, err := strconv.Atoi(body[i+1:])
		if err != nil || strings.ContainsRune(body[i+1:], '_') {
			return 0, false
		}
		shift += max(min(e, 1<<20), -1<<20)
	}
	if shift != 0 {
		mant = math.Ldexp(mant, shift)
	}
	if neg {
		mant = -mant
	}
	return mant, true
}

func hexValue(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case c >= 'a':
		return int(c-'a') + 10
	}
	return int(c-'A') + 10
}

// toNumber converts as arithmetic does.
func toNumber(v Value) (float64, bool) {
	if v.isNum() {
		return v.num(), true
	}
	if v.isStr() {
		return ParseNumber(v.str())
	}
	return 0, false
}

// ToInt converts a number to an integer as a C cast on x86-64 does: towards zero, and the least integer for what does not fit.
func ToInt(f float64) int64 {
	if f >= -9223372036854775808.0 && f < 9223372036854775808.0 {
		return int64(f)
	}
	return math.MinInt64
}
