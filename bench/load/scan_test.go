package load

import (
	"strings"
	"testing"
)

func TestScannerCounts(t *testing.T) {
	for _, c := range []struct {
		in                    string
		replies, nulls, error int64
	}{
		{"+OK\r\n", 1, 0, 0},
		{":1\r\n:-2\r\n", 2, 0, 0},
		{"$5\r\nhello\r\n$0\r\n\r\n$-1\r\n", 3, 1, 0},
		{"$9\r\n\r\n+x\r\n$1\r\r\n", 1, 0, 0},
		{"*0\r\n*-1\r\n*2\r\n$1\r\na\r\n:1\r\n", 3, 1, 0},
		{"*2\r\n*2\r\n+a\r\n*1\r\n$-1\r\n*0\r\n+next\r\n", 2, 1, 0},
		{"%1\r\n+k\r\n*1\r\n,1.5\r\n_\r\n#t\r\n(123\r\n~1\r\n:1\r\n=7\r\ntxt:abc\r\n", 6, 1, 0},
		{"-ERR bad\r\n*1\r\n-WRONGTYPE x\r\n!3\r\nERR\r\n", 3, 0, 3},
		{"*1\r\n*1\r\n*1\r\n", 0, 0, 0},
	} {
		for step := 1; step <= len(c.in); step++ {
			var s Scanner
			var replies int64
			for rest := c.in; rest != ""; {
				n := min(step, len(rest))
				k, err := s.Count([]byte(rest[:n]))
				if err != nil {
					t.Fatalf("%q: %v", c.in, err)
				}
				replies += int64(k)
				rest = rest[n:]
			}
			if replies != c.replies || s.Nulls != c.nulls || s.Errors != c.error {
				t.Errorf("%q in steps of %d: %d replies, %d nulls, %d errors", c.in, step, replies, s.Nulls, s.Errors)
			}
		}
	}
}

func TestScannerKeepsTheFirstError(t *testing.T) {
	var s Scanner
	if _, err := s.Count([]byte("-ERR one\r\n-ERR two\r\n")); err != nil || s.FirstErr != "ERR one" || s.Errors != 2 {
		t.Errorf("%q, %d, %v", s.FirstErr, s.Errors, err)
	}
}

func TestScannerRefuses(t *testing.T) {
	for _, in := range []string{"HTTP/1.1\r\n", "$x\r\n", "$\r\n", "$-2\r\n", "*99999999999999\r\n", "$9999999999\r\n", "*1-\r\n"} {
		var s Scanner
		if _, err := s.Count([]byte(in)); err == nil {
			t.Errorf("%q passed", in)
		}
	}
}

// However the stream is cut, the count is the same and nothing panics.
func FuzzScanner(f *testing.F) {
	f.Add([]byte("*2\r\n$3\r\nabc\r\n:5\r\n-ERR x\r\n"), uint8(3))
	f.Add([]byte("%1\r\n+k\r\n_\r\n$-1\r\n"), uint8(1))
	f.Add([]byte(strings.Repeat("*1\r\n", 50)+"+x\r\n"), uint8(7))
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		var whole, cut Scanner
		n, err := whole.Count(in)
		k := 0
		var cutErr error
		for rest := in; len(rest) > 0 && cutErr == nil; {
			m := min(int(step)+1, len(rest))
			var d int
			d, cutErr = cut.Count(rest[:m])
			k += d
			rest = rest[m:]
		}
		if n != k || (err == nil) != (cutErr == nil) || whole.Nulls != cut.Nulls || whole.Errors != cut.Errors {
			t.Errorf("whole: %d, %v; cut: %d, %v", n, err, k, cutErr)
		}
	})
}
