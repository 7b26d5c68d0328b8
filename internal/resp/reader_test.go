package resp

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand"
	"strconv"
	"strings"
	"testing"
)

const ping = "*1\r\n$4\r\nPING\r\n"

// readerCases are inputs with the requests in them, one a line, and the error that follows. The errors are those of a
// real server unless a case says otherwise.
var readerCases = []struct {
	name, in, want string
	err            error
	unauth         bool
}{
	{name: "ping", in: ping, want: "[PING]"},
	{name: "pipeline", in: ping + "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" + ping, want: "[PING][GET k][PING]"},
	{name: "any bytes", in: "*2\r\n$4\r\n\r\n*1\r\n$0\r\n\r\n", want: "[\r\n*1 ]"},
	{name: "two-digit count", in: "*12\r\n" + strings.Repeat("$1\r\na\r\n", 12), want: "[a a a a a a a a a a a a]"},
	{name: "nothing to do", in: "*0\r\n*-1\r\n*-10\r\n*-9223372036854775808\r\n\r\n\n   \r\n" + ping, want: "[PING]"},

	{name: "count over int", in: "*2147483648\r\n", err: ErrMultibulkLength},
	{name: "count of 20 digits", in: "*11111111111111111111\r\n", err: ErrMultibulkLength},
	{name: "huge negative count", in: "*-99999999999999999999\r\n", err: ErrMultibulkLength},
	{name: "count with plus", in: "*+1\r\n", err: ErrMultibulkLength},
	{name: "count with zero", in: "*01\r\n", err: ErrMultibulkLength},
	{name: "no count", in: "*\r\n", err: ErrMultibulkLength},
	{name: "count with space", in: "* 1\r\n", err: ErrMultibulkLength},
	{name: "count with bare LF", in: "*1\n$4\nPING\r\n", err: ErrMultibulkLength},
	{name: "huge count, nothing comes", in: "*2147483647\r\n"},

	{name: "bulk -10", in: "*1\r\n$-10\r\n", err: ErrBulkLength},
	{name: "bulk -1", in: "*1\r\n$-1\r\n", err: ErrBulkLength},
	{name: "bulk -0", in: "*1\r\n$-0\r\n", err: ErrBulkLength},
	{name: "bulk over 512 MB", in: "*1\r\n$536870913\r\n", err: ErrBulkLength},
	{name: "bulk of 512 MB, nothing comes", in: "*1\r\n$536870912\r\n"},
	{name: "bulk 2 GB", in: "*1\r\n$2000000000\r\n", err: ErrBulkLength},
	{name: "bulk over int64", in: "*1\r\n$99999999999999999999\r\n", err: ErrBulkLength},
	{name: "bulk letters", in: "*1\r\n$blabla\r\n", err: ErrBulkLength},
	{name: "bulk plus", in: "*1\r\n$+5\r\n", err: ErrBulkLength},
	{name: "bulk space", in: "*1\r\n$ 5\r\n", err: ErrBulkLength},
	{name: "bulk zero first", in: "*1\r\n$05\r\n", err: ErrBulkLength},
	{name: "bulk two zeros", in: "*1\r\n$00\r\n", err: ErrBulkLength},
	{name: "bulk no digits", in: "*1\r\n$\r\n", err: ErrBulkLength},
	{name: "bulk letters after", in: "*1\r\n$5a\r\n", err: ErrBulkLength},
	{name: "first bulk is taken, the next is bad", in: ping + "*2\r\n$1\r\na\r\n$x\r\n", want: "[PING]", err: ErrBulkLength},

	{name: "no dollar", in: "*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n", err: ProtocolError("expected '$', got 'f'")},
	{name: "array for bulk", in: "*2\r\n*1\r\n", err: ProtocolError("expected '$', got '*'")},
	{name: "CR for dollar", in: "*1\r\n\r\n", err: ProtocolError("expected '$', got ' '")},
	{name: "LF for dollar", in: "*1\r\n\nabc\r\n", err: ProtocolError("expected '$', got ' '")},
	{name: "NUL for dollar", in: "*1\r\n\x00abc\r\n", err: ProtocolError("expected '$', got ' '")}, // Redis waits on
	{name: "quote for dollar", in: "*1\r\n'abc\r\n", err: ProtocolError("expected '$', got '''")},
	{name: "high byte for dollar", in: "*1\r\n\xffabc\r\n", err: ProtocolError("expected '$', got '\xff'")},

	{name: "endless inline", in: strings.Repeat("A", 70000), err: ErrInlineTooBig},
	{name: "endless NUL inline", in: "\x00" + strings.Repeat("A", 70000), err: ErrInlineTooBig},
	{name: "endless count", in: "*" + strings.Repeat("1", 70000), err: ErrMultibulkTooBig},
	{name: "endless count of NUL", in: "*\x00" + strings.Repeat("A", 70000), err: ErrMultibulkTooBig},
	{name: "endless bulk length", in: "*1\r\n$" + strings.Repeat("1", 70000), err: ErrBulkTooBig},
	{name: "endless bulk length of NUL", in: "*1\r\n$\x00" + strings.Repeat("A", 70000), err: ErrBulkTooBig},
	{name: "endless no dollar", in: "*1\r\n" + strings.Repeat("A", 70000), err: ErrBulkTooBig},
	{name: "longest inline", in: strings.Repeat(" ", 65531) + "PING\r\n", want: "[PING]"},
	{name: "longest inline plus one", in: strings.Repeat(" ", 65533) + "PING\n", err: ErrInlineTooBig},
	{name: "long count in its limit", in: "*" + strings.Repeat("1", 65535) + "\r\n", err: ErrMultibulkLength},

	{name: "inline", in: "PING\r\nSET a  b\n\t GET\ta \r\n", want: "[PING][SET a b][GET a]"},
	{name: "inline CR only inside", in: "PING\rx\nA\r\r\n", want: "[PING x][A]"},
	{name: "inline quotes", in: "ECHO \"a\\x41\\n\\q\" 'b\\'\\n' \"\" a\"b c\"\r\n", want: "[ECHO aA\nq b'\\n  ab c]"},
	{name: "inline then array", in: "PING\r\n" + ping, want: "[PING][PING]"},
	{name: "array then inline", in: ping + "*0\r\n0\n" + ping + "0\n", want: "[PING][0][PING][0]"},
	{name: "inline unbalanced", in: "set \"\"\"k\"\"\" v\r\n", err: ErrUnbalanced},
	{name: "inline open double", in: "ECHO \"a\r\n", err: ErrUnbalanced},
	{name: "inline open single", in: "ECHO 'a\r\n", err: ErrUnbalanced},
	{name: "inline bulk", in: "$4\r\nPING\r\n", want: "[$4][PING]"},

	// Stricter than Redis, which skips two bytes unseen.
	{name: "no CRLF after bulk", in: "*1\r\n$4\r\nPINGxx" + ping, err: ErrCRLF},
	{name: "CR after bulk", in: "*1\r\n$1\r\n1\r\xf4", err: ErrCRLF},
	{name: "LF after bulk", in: "*1\r\n$1\r\n1x\n", err: ErrCRLF},
	{name: "no LF after count", in: "*1\rX$4\r\nPING\r\n", err: ErrCRLF},
	{name: "no LF after bulk length", in: "*1\r\n$4\rXPING\r\n", err: ErrCRLF},

	{name: "unauthenticated 10 arguments", in: "*10\r\n" + strings.Repeat("$1\r\na\r\n", 10), want: "[a a a a a a a a a a]", unauth: true},
	{name: "unauthenticated 11 arguments", in: "*11\r\n", err: ErrUnauthMultibulk, unauth: true},
	{name: "unauthenticated count over int", in: "*2147483648\r\n", err: ErrMultibulkLength, unauth: true},
	{name: "unauthenticated 16384 bytes", in: "*1\r\n$16384\r\n", unauth: true},
	{name: "unauthenticated 16385 bytes", in: "*1\r\n$16385\r\n", err: ErrUnauthBulk, unauth: true},
	{name: "unauthenticated over 512 MB", in: "*1\r\n$600000000\r\n", err: ErrBulkLength, unauth: true},
	{name: "unauthenticated inline", in: "PING 1 2 3 4 5 6 7 8 9 1 2 3\r\n", want: "[PING 1 2 3 4 5 6 7 8 9 1 2 3]", unauth: true},
}

// feed gives in to a Reader in the pieces that cut chooses (a function of what is left), each time in a buffer at a
// new place, and returns the requests in the notation of readerCases.
func feed(in []byte, lim *Limits, cut func(left int) int) (string, error) {
	var r Reader
	var out strings.Builder
	var buf []byte
	for {
		args, n, err := r.Next(buf, lim)
		switch {
		case err != nil:
			return out.String(), err
		case n > 0:
			if len(args) > 0 {
				fmt.Fprintf(&out, "[%s]", bytes.Join(args, []byte(" ")))
			}
			buf = buf[n:]
		case len(in) == 0:
			return out.String(), nil
		default:
			k := min(cut(len(in)), len(in))
			moved := make([]byte, 0, len(buf)+k)
			moved = append(append(moved, buf...), in[:k]...)
			for i := range buf {
				buf[i] = 0xAA // a slice kept from the old buffer would show
			}
			buf, in = moved, append([]byte(nil), in[k:]...)
		}
	}
}

func TestReader(t *testing.T) {
	for _, c := range readerCases {
		lim := &Limits{Authenticated: !c.unauth}
		all := func(left int) int { return left }
		got, err := feed([]byte(c.in), lim, all)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %q, %v; want %q, %v", c.name, got, err, c.want, c.err)
		}
		if len(c.in) > 1000 {
			thousands := func(int) int { return 1000 }
			if again, err2 := feed([]byte(c.in), lim, thousands); again != got || err2 != err {
				t.Errorf("%s by thousands: %q, %v; at once %q, %v", c.name, again, err2, got, err)
			}
			continue
		}
		if again, err2 := feed([]byte(c.in), lim, func(int) int { return 1 }); again != got || err2 != err {
			t.Errorf("%s byte by byte: %q, %v; at once %q, %v", c.name, again, err2, got, err)
		}
		for split := 1; split < len(c.in); split++ {
			first := true
			again, err2 := feed([]byte(c.in), lim, func(left int) int {
				if first {
					first = false
					return split
				}
				return left
			})
			if again != got || err2 != err {
				t.Errorf("%s split at %d: %q, %v; at once %q, %v", c.name, split, again, err2, got, err)
			}
		}
	}
}

func TestReaderManyArguments(t *testing.T) {
	const n = 5000
	in := []byte("*" + strconv.Itoa(n) + "\r\n" + strings.Repeat("$3\r\nabc\r\n", n) + ping)
	rnd := rand.New(rand.NewSource(1))
	got, err := feed(in, &Limits{Authenticated: true}, func(int) int { return 1 + rnd.Intn(4000) })
	if want := "[" + strings.TrimSuffix(strings.Repeat("abc ", n), " ") + "][PING]"; got != want || err != nil {
		t.Fatalf("%d bytes, %v; want %d bytes", len(got), err, len(want))
	}
}

// TestReaderNeeded checks the hint, and that a pending bulk is not looked at again.
func TestReaderNeeded(t *testing.T) {
	var r Reader
	lim := &Limits{Authenticated: true}
	buf := []byte("*2\r\n$1\r\nk\r\n$1000\r\nabc")
	for _, step := range []struct{ size, needed int }{{4, 0}, {8, 3}, {9, 2}, {11, 0}, {18, 1002}, {21, 999}, {21, 999}} {
		if args, n, err := r.Next(buf[:step.size], lim); args != nil || n != 0 || err != nil {
			t.Fatalf("at %d bytes: %q, %d, %v", step.size, args, n, err)
		}
		if got := r.Needed(); got != step.needed {
			t.Fatalf("at %d bytes: Needed is %d, want %d", step.size, got, step.needed)
		}
	}
	if r.Idle() {
		t.Fatal("idle in the middle of a command")
	}
	// While the bulk is pending the head of the buffer is not read: even a ruined one does no harm.
	whole := append(bytes.Repeat([]byte{0xAA}, 21), bytes.Repeat([]byte{'z'}, 997)...)
	whole = append(whole, "\r\n"...)
	args, n, err := r.Next(whole, lim)
	if err != nil || n != len(whole) || len(args) != 2 || len(args[1]) != 1000 {
		t.Fatalf("%d arguments, %d of %d bytes, %v", len(args), n, len(whole), err)
	}
	if !r.Idle() || r.Needed() != 0 {
		t.Fatal("not idle after a command")
	}
}

func TestReaderMaxBulk(t *testing.T) {
	for _, c := range []struct {
		max, size int64
		ok        bool
	}{{10, 10, true}, {10, 11, false}, {20000, 20000, true}, {20000, 20001, false}, {math.MaxInt64, 1 << 40, true}, {math.MaxInt64, math.MaxInt64, false}} {
		var r Reader
		_, _, err := r.Next(fmt.Appendf(nil, "*1\r\n$%d\r\n", c.size), &Limits{MaxBulk: c.max, Authenticated: true})
		if (err == nil) != c.ok {
			t.Errorf("limit %d, length %d: %v", c.max, c.size, err)
		}
	}
}

func TestReaderAllocates(t *testing.T) {
	var r Reader
	lim := &Limits{Authenticated: true}
	for _, in := range []string{setCommand, "SET key value\r\n"} {
		buf := []byte(in)
		r.Next(buf, lim)
		if n := testing.AllocsPerRun(100, func() { r.Next(buf, lim) }); n != 0 {
			t.Errorf("%q: %v allocations", in, n)
		}
	}
	// Announced sizes cost nothing.
	for _, in := range []string{"*2147483647\r\n", "*1\r\n$536870912\r\n"} {
		buf := []byte(in)
		if n := testing.AllocsPerRun(100, func() { r.Reset(); r.Next(buf, lim) }); n != 0 {
			t.Errorf("%q: %v allocations", in, n)
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, c := range readerCases {
		if len(c.in) < 1000 {
			f.Add([]byte(c.in), uint64(len(c.in)), c.unauth)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, seed uint64, unauth bool) {
		lim := &Limits{Authenticated: !unauth, MaxBulk: 1 << 20}
		want, wantErr := feed(in, lim, func(left int) int { return left })
		rnd := rand.New(rand.NewSource(int64(seed)))
		got, err := feed(in, lim, func(int) int { return 1 + rnd.Intn(9) })
		if got != want || err != wantErr {
			t.Fatalf("in pieces %q, %v; at once %q, %v", got, err, want, wantErr)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\r\n\x00") {
			t.Fatalf("error %q would tear its line", err)
		}
	})
}

const setCommand = "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000012345\r\n$32\r\n01234567890123456789012345678901\r\n"

func BenchmarkReader(b *testing.B) {
	for _, c := range []struct{ name, in string }{
		{"set", setCommand},
		{"get", "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000012345\r\n"},
		{"ping", ping},
		{"inline", "SET key value\r\n"},
		{"pipeline16", strings.Repeat(setCommand, 16)},
	} {
		b.Run(c.name, func(b *testing.B) {
			var r Reader
			lim := &Limits{Authenticated: true}
			buf := []byte(c.in)
			b.ReportAllocs()
			for b.Loop() {
				for rest := buf; len(rest) > 0; {
					_, n, err := r.Next(rest, lim)
					if n == 0 || err != nil {
						b.Fatal(n, err)
					}
					rest = rest[n:]
				}
			}
		})
	}
}
