package diff

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/oracle"
)

// connected returns the two ends of a connection that buffers, as those to servers do.
func connected(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if near, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// answering returns a connection whose other end answers request i with replies[i], in pieces, and then closes.
func answering(t *testing.T, replies ...string) net.Conn {
	t.Helper()
	near, far := connected(t)
	go func() {
		defer far.Close()
		in := bufio.NewReader(far)
		for _, reply := range replies {
			if line, err := in.ReadString('\n'); err != nil || line != "*1\r\n" {
				return
			}
			in.ReadString('\n')
			in.ReadString('\n')
			for len(reply) > 0 {
				n := min(3, len(reply))
				if _, err := io.WriteString(far, reply[:n]); err != nil {
					return
				}
				reply = reply[n:]
			}
		}
	}()
	return near
}

func TestDo(t *testing.T) {
	p := Pair{
		A: answering(t, "+OK\r\n", "*2\r\n$1\r\na\r\n:1\r\n>1\r\n:2\r\n", ":3\r\n"),
		B: answering(t, "+KO\r\n", "$2\r\n\r\n\r\n:9\r\n", ":4\r\n"),
	}
	want := [][2]string{
		{"+OK\r\n", "+KO\r\n"},
		{"*2\r\n$1\r\na\r\n:1\r\n", "$2\r\n\r\n\r\n"},
		{">1\r\n:2\r\n", ":9\r\n"}, // what was sent beyond the reply is the next one
	}
	for _, w := range want {
		a, b, err := p.Do([][]byte{[]byte("PING")})
		if err != nil || string(a) != w[0] || string(b) != w[1] {
			t.Fatalf("%q, %q, %v, want %q", a, b, err, w)
		}
	}
}

func TestDoErrors(t *testing.T) {
	p := Pair{A: answering(t, "+OK\r\n"), B: answering(t, "$5\r\nab")}
	_, _, err := p.Do([][]byte{[]byte("PING")})
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "server B") {
		t.Errorf("broken reply: %v", err)
	}
	silent, other := net.Pipe()
	defer silent.Close()
	go io.Copy(io.Discard, other)
	p = Pair{A: silent, B: answering(t, "+OK\r\n"), Timeout: 20 * time.Millisecond}
	_, _, err = p.Do([][]byte{[]byte("PING")})
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() || !strings.Contains(err.Error(), "server A") {
		t.Errorf("silence: %v", err)
	}
}

func TestSame(t *testing.T) {
	tests := []struct {
		name, a, b string
		by         []Normalizer
		same       bool
	}{
		{"equal", ":1\r\n", ":1\r\n", nil, true},
		{"different", ":1\r\n", ":2\r\n", nil, false},
		{"in order", "*2\r\n:1\r\n:2\r\n", "*2\r\n:2\r\n:1\r\n", nil, false},
		{"unordered", "*2\r\n:1\r\n*1\r\n+x\r\n", "*2\r\n*1\r\n+x\r\n:1\r\n", []Normalizer{Unordered(1)}, true},
		{"unordered, other members", "*2\r\n:1\r\n:2\r\n", "*2\r\n:1\r\n:1\r\n", []Normalizer{Unordered(1)}, false},
		{"unordered, other type", "*2\r\n:1\r\n:2\r\n", "~2\r\n:2\r\n:1\r\n", []Normalizer{Unordered(1)}, false},
		{"pairs", "*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n", "*4\r\n:3\r\n:4\r\n:1\r\n:2\r\n", []Normalizer{Unordered(2)}, true},
		{"pairs torn apart", "*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n", "*4\r\n:3\r\n:2\r\n:1\r\n:4\r\n", []Normalizer{Unordered(2)}, false},
		{"map", "%2\r\n:1\r\n:2\r\n:3\r\n:4\r\n", "%2\r\n:3\r\n:4\r\n:1\r\n:2\r\n", []Normalizer{Unordered(1)}, true},
		{"null array", "*-1\r\n", "*-1\r\n", []Normalizer{Unordered(1)}, true},
		{"not an aggregate", "$4\r\n*1\r\n\r\n", "$4\r\n*1\r\n\r\n", []Normalizer{Unordered(1)}, true},
		{"error code", "-ERR a\r\n", "-ERR b\r\n", []Normalizer{ErrorCode}, true},
		{"error codes", "-ERR a\r\n", "-OOM b\r\n", []Normalizer{ErrorCode}, false},
		{"no error", "+ERR a\r\n", "+ERR b\r\n", []Normalizer{ErrorCode}, false},
	}
	for _, tt := range tests {
		a, b := []byte(tt.a), []byte(tt.b)
		if same := Same(a, b, tt.by...); same != tt.same {
			t.Errorf("%s: %v", tt.name, same)
		}
		if string(a) != tt.a || string(b) != tt.b {
			t.Errorf("%s: the replies were changed", tt.name)
		}
	}
}

func TestNear(t *testing.T) {
	tests := []struct {
		a, b      string
		tolerance int64
		near      bool
	}{
		{":10\r\n", ":12\r\n", 2, true},
		{":12\r\n", ":10\r\n", 2, true},
		{":10\r\n", ":13\r\n", 2, false},
		{":-9223372036854775808\r\n", ":9223372036854775807\r\n", 5, false},
		{":1\r\n", "+1\r\n", 5, false},
		{":\r\n", ":\r\n", 5, false},
	}
	for _, tt := range tests {
		if near := Near([]byte(tt.a), []byte(tt.b), tt.tolerance); near != tt.near {
			t.Errorf("%q, %q, %d: %v", tt.a, tt.b, tt.tolerance, near)
		}
	}
}

func TestTwoOracles(t *testing.T) {
	p := Pair{}
	for _, conn := range []*net.Conn{&p.A, &p.B} {
		c, err := oracle.Start(t).Dial()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		*conn = c
	}
	big := bytes.Repeat([]byte("x"), 100_000)
	for _, args := range [][][]byte{
		{[]byte("SET"), []byte("k"), big},
		{[]byte("GET"), []byte("k")},
		{[]byte("MGET"), []byte("k"), []byte("none")},
		{[]byte("NOSUCH")},
	} {
		a, b, err := p.Do(args)
		if err != nil || !Same(a, b) || len(a) == 0 {
			t.Errorf("%.20q: %.40q, %.40q, %v", args, a, b, err)
		}
	}
}
