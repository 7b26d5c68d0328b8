package commands

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/streampulse/pulse/store"
)

// check runs the steps, a request and its reply by turns, on one connection.
func (h *harness) check(c *Conn, steps ...string) {
	h.t.Helper()
	for i := 0; i < len(steps); i += 2 {
		if got := h.do(c, steps[i]); got != steps[i+1] {
			h.t.Errorf("%s = %q, want %q", steps[i], got, steps[i+1])
		}
	}
}

// TestHotPathsDoNotAllocate measures whole requests, from prepared arguments to the reply.
func TestHotPathsDoNotAllocate(t *testing.T) {
	for _, tc := range []struct{ prepare, run string }{
		{"SET key 1234567890abcdefghij", "GET key"},
		{"SET key 1234567", "GET key"},
		{"SET key 1234567890abcdefghij", "SET key abcdefghij1234567890"},
		{"SET key 1234567890abcdefghij", "SET key abcdefghij1234567890 EX 100 XX"},
		{"SET key 1234567890abcdefghij", "SET key abcdefghij1234567890 GET KEEPTTL"},
		{"SET key 1", "INCR key"},
		{"SET key 1", "INCRBY key 100"},
		{"SET key value EX 10", "EXPIRE key 20"},
		{"SET key value EX 10", "TTL key"},
		{"MSET a 1 b 2 c 3", "MGET a b c nokey"},
		{"MSET a 1 b 2 c 3", "MSET a x1 b x2 c x3"},
		{"SET key value", "EXISTS key nokey"},
		{"SET key value", "GETRANGE key 1 2"},
		{"SET key value", "SETRANGE key 1 xy"},
		{"SET key value", "DEL nokey"},
	} {
		t.Run(tc.run, func(t *testing.T) {
			h := newHarness(t)
			c := h.conn(2)
			h.do(c, tc.prepare)
			var args [][]byte
			for _, w := range strings.Fields(tc.run) {
				args = append(args, []byte(w))
			}
			n := testing.AllocsPerRun(200, func() {
				c.Out.Reset(c.Out.Bytes()[:0])
				h.gate.Enter()
				h.table.Do(c, args)
				h.gate.Leave()
			})
			if b := c.Out.Bytes(); n != 0 || b[0] == '-' {
				t.Errorf("%v allocations, reply %q", n, b)
			}
		})
	}
}

func TestMSetOverManyShards(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	set, get := "MSET", "MGET"
	want := "*300\r\n"
	for i := range 300 {
		set += fmt.Sprintf(" key:%d v%d", i, i)
		get += fmt.Sprintf(" key:%d", i)
		want += fmt.Sprintf("$%d\r\nv%d\r\n", len(fmt.Sprint(i))+1, i)
	}
	h.check(c, set, "+OK\r\n", get, want)
	h.check(c, strings.Replace(set, "MSET", "MSETNX", 1), ":0\r\n", "DBSIZE", ":300\r\n")
}

// TestStringLimits asks for strings and numbers beyond all bounds.
func TestStringLimits(t *testing.T) {
	const tooLong = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"
	h := newHarness(t)
	c := h.conn(2)
	h.check(c,
		"SET k v", "+OK\r\n",
		"SETRANGE k 536870908 world", tooLong,
		"SETRANGE nokey 536870908 world", tooLong,
		"SETRANGE k 9223372036854775807 x", tooLong,
		"SETRANGE k 9223372036854775808 x", "-ERR value is not an integer or out of range\r\n",
		"SETRANGE k -9223372036854775808 x", "-ERR offset is out of range\r\n",
		"GETRANGE k -9223372036854775808 9223372036854775807", "$1\r\nv\r\n",
		"EXISTS nokey", ":0\r\n",
		"SET n 9223372036854775807", "+OK\r\n",
		"INCR n", "-ERR increment or decrement would overflow\r\n",
		"DECRBY n -9223372036854775808", "-ERR decrement would overflow\r\n",
		"INCRBYFLOAT n inf", "-ERR increment would produce NaN or Infinity\r\n",
		"INCRBYFLOAT n nan", "-ERR value is not a valid float\r\n",
		"GET n", "$19\r\n9223372036854775807\r\n",
	)
	c.Env = shortStrings{h}
	h.check(c,
		"SET k 12345", "+OK\r\n",
		"APPEND k 67890", ":10\r\n",
		"APPEND k 1", tooLong,
		"SETRANGE k 9 x", ":10\r\n",
		"SETRANGE k 10 x", tooLong,
		"SETRANGE k 11 \"\"", ":10\r\n",
		"GET k", "$10\r\n123456789x\r\n",
	)
}

// shortStrings is a process whose proto-max-bulk-len is 10.
type shortStrings struct{ *harness }

func (shortStrings) MaxBulk() int64 { return 10 }

func TestLCSMemory(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	big := bytes.Repeat([]byte("ab"), 8<<10)
	h.run(c, [][]byte{[]byte("SET"), []byte("a"), big})
	h.run(c, [][]byte{[]byte("SET"), []byte("b"), big})
	h.check(c, "LCS a b LEN", "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len\r\n",
		"LCS a nokey LEN", ":0\r\n")
}

// lcsNaive is the definition of LCS: of the longest common subsequences, the one that is found by walking back from the
// ends and giving up a byte of x only where that is better than giving up one of y.
func lcsNaive(x, y string) string {
	l := make([][]int, len(x)+1)
	for i := range l {
		l[i] = make([]int, len(y)+1)
		for j := range l[i] {
			switch {
			case i == 0 || j == 0:
			case x[i-1] == y[j-1]:
				l[i][j] = l[i-1][j-1] + 1
			default:
				l[i][j] = max(l[i-1][j], l[i][j-1])
			}
		}
	}
	out := ""
	for i, j := len(x), len(y); i > 0 && j > 0; {
		switch {
		case x[i-1] == y[j-1]:
			i, j = i-1, j-1
			out = x[i:i+1] + out
		case l[i-1][j] > l[i][j-1]:
			i--
		default:
			j--
		}
	}
	return out
}

func TestLCSAgainstDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		x, y := randomText(r), randomText(r)
		want := lcsNaive(x, y)
		if got := string(lcsText([]byte(x), []byte(y))); got != want {
			t.Fatalf("LCS of %q and %q is %q, want %q", x, y, got, want)
		}
		if n := lcsLen([]byte(x), []byte(y), nil); n != len(want) {
			t.Fatalf("length of LCS of %q and %q is %d, want %d", x, y, n, len(want))
		}
	}
}

func randomText(r *rand.Rand) string {
	b := make([]byte, r.IntN(20))
	for i := range b {
		b[i] = 'a' + byte(r.IntN(3))
	}
	return string(b)
}

// TestTextRange compares with the definition: the bytes whose position, counted from either end, lies in the range.
func TestTextRange(t *testing.T) {
	v := []byte("0123456789")
	for from := int64(-13); from < 13; from++ {
		for to := int64(-13); to < 13; to++ {
			lo, hi := from, to
			if lo < 0 {
				lo += 10
			}
			if hi < 0 {
				hi = max(hi+10, 0)
			}
			if from < 0 && to < 0 && from > to {
				hi = -1
			}
			want := ""
			for i, b := range v {
				if int64(i) >= lo && int64(i) <= hi {
					want += string(b)
				}
			}
			if got := string(textRange(v, from, to)); got != want {
				t.Fatalf("range %d..%d = %q, want %q", from, to, got, want)
			}
		}
	}
}

// TestAppendIsAmortized grows a string byte by byte; with a copy for each it would take minutes.
func TestAppendIsAmortized(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	args := [][]byte{[]byte("APPEND"), []byte("k"), []byte("0123456789abcdef")}
	for range 1 << 16 {
		h.run(c, args)
	}
	h.check(c, "STRLEN k", ":1048576\r\n")
	h.tx.Begin(0)
	h.tx.LockAll()
	defer h.tx.Unlock()
	if v, _, _ := h.tx.Text([]byte("k")); !bytes.Equal(v, bytes.Repeat(args[2], 1<<16)) {
		t.Error("the string is not what was appended")
	}
	if f, _ := h.tx.Facts([]byte("k")); f.Bytes > 3<<20 || f.Kind != store.String {
		t.Errorf("%d bytes held for 1 MiB", f.Bytes)
	}
}
