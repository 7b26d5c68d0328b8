package num

import (
	"math"
	"math/big"
	"math/rand"
	"strconv"
	"strings"
	"testing"
)

func TestParseInt(t *testing.T) {
	good := map[string]int64{
		"0": 0, "1": 1, "-1": -1, "10": 10, "9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64,
		"1000000000000000000": 1e18, "-7": -7,
	}
	for text, want := range good {
		if got, ok := ParseInt([]byte(text)); !ok || got != want {
			t.Errorf("ParseInt(%q) = %d, %v; want %d", text, got, ok, want)
		}
		if back := strconv.FormatInt(want, 10); back != text {
			t.Errorf("%q is not canonical", text)
		}
	}
	for _, text := range []string{
		"", "-", "+1", "01", "00", "-0", "-01", " 1", "1 ", "1.0", "1e3", "0x1", "1_0", "a", "9223372036854775808",
		"-9223372036854775809", "18446744073709551616", "99999999999999999999", "-99999999999999999999", "1\x00",
		"10000000000000000000000", "--1", "/", ":", "-/",
	} {
		if got, ok := ParseInt([]byte(text)); ok {
			t.Errorf("ParseInt(%q) = %d, want refusal", text, got)
		}
	}
}

func TestParseUint(t *testing.T) {
	for _, v := range []uint64{0, 9, 10, math.MaxInt64, math.MaxInt64 + 1, 9999999999999999999, 1e19, math.MaxUint64} {
		text := strconv.FormatUint(v, 10)
		if got, ok := ParseUint([]byte(text)); !ok || got != v {
			t.Errorf("ParseUint(%q) = %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "-1", "+1", "01", "18446744073709551616", "18446744073709551620", "99999999999999999999"} {
		if got, ok := ParseUint([]byte(text)); ok {
			t.Errorf("ParseUint(%q) = %d, want refusal", text, got)
		}
	}
}

func TestCheckedArithmetic(t *testing.T) {
	edges := []int64{0, 1, -1, 2, -2, 3, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1, 1 << 31, -1 << 31, 1 << 32, 3037000500}
	for _, a := range edges {
		for _, b := range edges {
			x, y := big.NewInt(a), big.NewInt(b)
			sum, prod := new(big.Int).Add(x, y), new(big.Int).Mul(x, y)
			if got, ok := AddInt(a, b); ok != sum.IsInt64() || ok && got != sum.Int64() {
				t.Errorf("AddInt(%d, %d) = %d, %v; want %v", a, b, got, ok, sum)
			}
			if got, ok := MulInt(a, b); ok != prod.IsInt64() || ok && got != prod.Int64() {
				t.Errorf("MulInt(%d, %d) = %d, %v; want %v", a, b, got, ok, prod)
			}
		}
	}
}

func TestParseFloat(t *testing.T) {
	good := map[string]float64{
		"0": 0, "1": 1, "-1": -1, "+1": 1, "1.5": 1.5, ".5": 0.5, "5.": 5, "007": 7, "1e3": 1000, "1E+3": 1000, "1e-3": 0.001,
		"0x1p3": 8, "0X1P3": 8, "0x10": 16, "0x1.8": 1.5, "-0x.8p1": -1, "inf": math.Inf(1), "-INF": math.Inf(-1),
		"+Infinity": math.Inf(1), "0e99999999999": 0, "0.1": 0.1, "123456789012345": 123456789012345, "1234567890123456789": 1234567890123456789,
		"4.9e-324": 5e-324, "1.7976931348623157e308": math.MaxFloat64, "0x0p-99999": 0, "12345.678901234": 12345.678901234,
		"0.000000000000001": 1e-15,
	}
	for text, want := range good {
		if got, ok := ParseFloat([]byte(text)); !ok || got != want {
			t.Errorf("ParseFloat(%q) = %v, %v; want %v", text, got, ok, want)
		}
	}
	if f, ok := ParseFloat([]byte("-0")); !ok || !math.Signbit(f) || f != 0 {
		t.Errorf("ParseFloat(-0) = %v, %v", f, ok)
	}
	for _, text := range badFloats {
		if got, ok := ParseFloat([]byte(text)); ok {
			t.Errorf("ParseFloat(%q) = %v, want refusal", text, got)
		}
	}
	for _, text := range []string{"1e400", "-1e400", "1e-400", "0x1p5000", "0x1p-5000", "1e99999999999999999999", "2e-324"} {
		if got, ok := ParseFloat([]byte(text)); ok {
			t.Errorf("ParseFloat(%q) = %v, want refusal", text, got)
		}
	}
}

var badFloats = []string{
	"", " ", " 1", "1 ", "1_000", "0x1_0p1", "nan", "-nan", "nan(1)", "NaN", "infin", "infinit", "infinityx", "+", "-", ".", "-.", "e5", "1e", "1e+",
	"1e1.5", "0x", "0xp1", "0x.p1", "0x1p", "1p3", "1.2.3", "--1", "+-1", "1f", "0b1", "0o7", "abc", "1\x00", "\x00", "1,5", "\t1", "1\n",
}

func TestParseFloatAgainstStrconv(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	for range 20000 {
		f := randomFloat(rnd)
		for _, format := range []byte("efgx") {
			text := strconv.AppendFloat(nil, f, format, -1, 64)
			got, ok := ParseFloat(text)
			if !ok || math.Float64bits(got) != math.Float64bits(f) {
				t.Fatalf("ParseFloat(%q) = %v, %v; want %v", text, got, ok, f)
			}
		}
	}
}

// randomFloat mixes doubles of any bits with the small decimals and integers that applications store.
func randomFloat(rnd *rand.Rand) float64 {
	switch rnd.Intn(4) {
	case 0:
		return float64(rnd.Int63n(1e12)-5e11) / 100
	case 1:
		return float64(rnd.Int63())
	case 2:
		return rnd.NormFloat64() * math.Pow(10, float64(rnd.Intn(40)-20))
	}
	for {
		if f := math.Float64frombits(rnd.Uint64()); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
	}
}

func TestAppendFloat(t *testing.T) {
	for _, c := range []struct {
		f    float64
		want string
	}{
		{0, "0"}, {math.Copysign(0, -1), "-0"}, {math.Inf(1), "inf"}, {math.Inf(-1), "-inf"}, {math.NaN(), "nan"},
		{1, "1"}, {-17, "-17"}, {3.5, "3.5"}, {0.1, "0.1"}, {-0.25, "-0.25"}, {0.30000000000000004, "0.30000000000000004"},
		{1e15, "1000000000000000"}, {1e17, "100000000000000000"}, {1 << 62, "4611686018427387904"},
		{1e19, "1e+19"}, {1.2345678901234567e19, "12345678901234567000"}, {5e18, "5e+18"}, {1e21, "1e+21"}, {1e300, "1e+300"},
		{-1.5e300, "-1.5e+300"}, {1e-5, "0.00001"}, {1e-6, "0.000001"}, {1e-7, "1e-7"}, {1.5e-7, "1.5e-7"}, {1.5e-5, "0.000015"},
		{1.25e-5, "1.25e-5"}, {0.001234567890123, "0.001234567890123"}, {0.000123456, "1.23456e-4"}, {0.0001234, "1.234e-4"},
		{1234.5678, "1234.5678"}, {1234.567890123, "1234.567890123"}, {12345.67890123, "1.234567890123e+4"},
		{123456.789012, "123456.789012"}, {5e-324, "5e-324"}, {math.MaxFloat64, "1.7976931348623157e+308"},
		{13.361389338970184, "13.361389338970184"}, {1.5e10, "15000000000"},
	} {
		if got := string(AppendFloat([]byte("x"), c.f)); got != "x"+c.want {
			t.Errorf("AppendFloat(%g) = %q, want %q", c.f, got[1:], c.want)
		}
	}
}

func TestAppendFloatRoundTrip(t *testing.T) {
	rnd := rand.New(rand.NewSource(2))
	for range 50000 {
		f := randomFloat(rnd)
		text := AppendFloat(nil, f)
		if got, ok := ParseFloat(text); !ok || math.Float64bits(got) != math.Float64bits(f) {
			t.Fatalf("%v became %q, which reads back as %v, %v", f, text, got, ok)
		}
	}
}

func TestAddFloatText(t *testing.T) {
	for _, c := range []struct {
		a, b, want string
		status     FloatStatus
	}{
		{"1", "2", "3", FloatOK},
		{"10.5", "0.1", "10.6", FloatOK},
		{"5.0e3", "2.0e2", "5200", FloatOK},
		{"3", "-3.0", "0", FloatOK},
		{"-0", "-0", "0", FloatOK},
		{"0", "-1e-30", "0", FloatOK},
		{"0", "3.5", "3.5", FloatOK},
		{"1", "0x1p-1", "1.5", FloatOK},
		{"9223372036854775807", "1", "9223372036854775808", FloatOK},
		{"0.00000000000000001", "0", "0.00000000000000001", FloatOK},
		{"x", "y", "", FloatBadFirst},
		{"x", "1", "", FloatBadFirst},
		{"1", " 1", "", FloatBadSecond},
		{"", "1", "", FloatBadFirst},
		{"1", "nan", "", FloatBadSecond},
		{"inf", "1", "", FloatNotFinite},
		{"inf", "-inf", "", FloatNotFinite},
		{"1e4932", "1e4932", "", FloatNotFinite},
		{"1", "1e4933", "", FloatBadSecond},
		{"1", "1e-5000", "", FloatBadSecond},
		{"1", "1e-999999999999", "", FloatBadSecond},
		{"1", "1e999999999999", "", FloatBadSecond},
		{"1", "0e999999999999", "1", FloatOK},
		{"1", "1e-4940", "1", FloatOK},
		{"1", strings.Repeat("0", 6000), "", FloatBadSecond},
	} {
		got, status := AppendFloatSum([]byte("x"), []byte(c.a), []byte(c.b))
		if status != c.status || string(got) != "x"+c.want {
			t.Errorf("AddFloatText(%q, %q) = %q, %d; want %q, %d", c.a, c.b, got[1:], status, c.want, c.status)
		}
	}
	for _, bad := range badFloats {
		if ok, _ := IsFloatText([]byte(bad)); ok {
			t.Errorf("IsFloatText(%q), want refusal", bad)
		}
	}
	if ok, finite := IsFloatText([]byte("-inf")); !ok || finite {
		t.Errorf("IsFloatText(-inf) = %v, %v", ok, finite)
	}
	if ok, finite := IsFloatText([]byte("1e4000")); !ok || !finite {
		t.Errorf("IsFloatText(1e4000) = %v, %v", ok, finite)
	}
}

// TestFixedSumMatchesLong shows that the fast path gives the bytes of the long way wherever it answers.
func TestFixedSumMatchesLong(t *testing.T) {
	rnd := rand.New(rand.NewSource(3))
	taken := 0
	for range 30000 {
		a, b := randomDecimal(rnd), randomDecimal(rnd)
		fast, ok := appendFixedSum(nil, a, b)
		if !ok {
			continue
		}
		taken++
		var x, y big.Float
		if !parseLong(&x, a) || !parseLong(&y, b) {
			t.Fatalf("%q + %q: refused by the long way", a, b)
		}
		x.Add(&x, &y)
		if want := trimDecimals(x.Append(nil, 'f', 17), 0); string(fast) != string(want) {
			t.Fatalf("%q + %q = %q on the fast path, %q on the long way", a, b, fast, want)
		}
	}
	if taken < 5000 {
		t.Fatalf("the fast path answered only %d of 30000", taken)
	}
}

// randomDecimal makes the text of a number around the borders of the fast path.
func randomDecimal(rnd *rand.Rand) []byte {
	var b []byte
	if rnd.Intn(3) == 0 {
		b = append(b, '-')
	}
	b = strconv.AppendInt(b, rnd.Int63n([]int64{1, 10, 70, 1000, 1 << 62}[rnd.Intn(5)]), 10)
	if n := rnd.Intn(19); n > 0 {
		b = append(b, '.')
		for range n {
			b = append(b, '0'+byte(rnd.Intn(10)))
		}
	}
	return b
}

func BenchmarkParseInt(b *testing.B) {
	text := []byte("1234567890")
	for b.Loop() {
		ParseInt(text)
	}
}

func BenchmarkParseFloat(b *testing.B) {
	for _, text := range []string{"12345.678", "0.30000000000000004"} {
		b.Run(text, func(b *testing.B) {
			in := []byte(text)
			b.ReportAllocs()
			for b.Loop() {
				ParseFloat(in)
			}
		})
	}
}

func BenchmarkAppendFloat(b *testing.B) {
	var buf [32]byte
	b.ReportAllocs()
	for b.Loop() {
		AppendFloat(buf[:0], 0.30000000000000004)
	}
}

func BenchmarkAppendFloatSum(b *testing.B) {
	for _, c := range [][2]string{{"10.5", "0.1"}, {"12345.67", "0.01"}} {
		b.Run(c[0], func(b *testing.B) {
			x, y := []byte(c[0]), []byte(c[1])
			var buf [64]byte
			b.ReportAllocs()
			for b.Loop() {
				AppendFloatSum(buf[:0], x, y)
			}
		})
	}
}

func FuzzFloatText(f *testing.F) {
	for _, s := range append(badFloats, "1", "-1.5e10", "0x1.8p3", "inf", "1e400", "0.1", "123456789.125") {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, ok := ParseFloat(b)
		if !ok {
			return
		}
		if back, ok := ParseFloat(AppendFloat(nil, v)); !ok || math.Float64bits(back) != math.Float64bits(v) {
			t.Fatalf("%q: %v reads back as %v, %v", b, v, back, ok)
		}
		if ok, _ := IsFloatText(b); !ok && len(b) <= longMaxText {
			t.Fatalf("%q: a double and no long double", b)
		}
		if i, ok := ParseInt(b); ok && float64(i) != v {
			t.Fatalf("%q: %d as an integer, %v as a double", b, i, v)
		}
	})
}
