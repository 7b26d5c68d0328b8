package commands

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func (h *harness) Attention() (bool, time.Duration) { return false, math.MaxInt64 }
func (h *harness) AddMonitor(*Conn)                 {}
func (h *harness) RemoveMonitor(*Conn)              {}
func (h *harness) Monitor(*Conn, []byte)            {}
func (h *harness) Sensitive(parameter []byte) bool  { return string(parameter) == "requirepass" }
func (h *harness) AddSlow(*SlowEntry)               {}
func (h *harness) Slow(int) []*SlowEntry            { return nil }
func (h *harness) SlowLen() int                     { return 0 }
func (h *harness) ResetSlow()                       {}

func TestWhatIsShownOfARequest(t *testing.T) {
	h := newHarness(t)
	for _, c := range []struct{ request, want string }{
		{"GET k", "GET k"},
		{"AUTH p", "AUTH (redacted)"},
		{"AUTH u p", "AUTH (redacted) (redacted)"},
		{"HELLO", "HELLO"},
		{"HELLO 3 AUTH u p SETNAME n", "HELLO 3 AUTH (redacted) (redacted) SETNAME n"},
		{"HELLO 3 SETNAME n auth u p", "HELLO 3 SETNAME n auth (redacted) (redacted)"},
		{"HELLO 3 AUTH u", "HELLO 3 AUTH u"},
		{"CONFIG SET maxmemory 1 requirepass p", "CONFIG SET maxmemory 1 requirepass (redacted)"},
		{"CONFIG SET requirepass", "CONFIG SET requirepass"},
		{"MIGRATE h 1 k 0 9 COPY AUTH KEYS AUTH2 u p KEYS AUTH x", "MIGRATE h 1 k 0 9 COPY AUTH (redacted) AUTH2 (redacted) (redacted) KEYS AUTH x"},
		{"ACL SETUSER u >p", "ACL SETUSER (redacted) (redacted)"},
	} {
		args := bytes.Fields([]byte(c.request))
		s := h.table.Lookup(args[0])
		if s.sub.n > 0 {
			s = s.sub.find(args[1])
		}
		if got := string(bytes.Join(redacted(h, s, args), []byte(" "))); got != c.want {
			t.Errorf("%s is shown as %s", c.request, got)
		}
		if string(bytes.Join(args, []byte(" "))) != c.request {
			t.Errorf("%s was changed to %q", c.request, args)
		}
	}
}

func TestAppendQuoted(t *testing.T) {
	for in, want := range map[string]string{
		"": `""`, "a b": `"a b"`, "\"\\": `"\"\\"`, "\n\r\t\a\b\x00\x1b~\x7f\xff": `"\n\r\t\a\b\x00\x1b~\x7f\xff"`,
	} {
		if got := string(appendQuoted(nil, []byte(in))); got != want {
			t.Errorf("%q is quoted as %s, want %s", in, got, want)
		}
	}
}

func TestSlowArguments(t *testing.T) {
	list := func(n, size int) [][]byte {
		args := make([][]byte, n)
		for i := range args {
			args[i] = bytes.Repeat([]byte("x"), size)
		}
		return args
	}
	for _, c := range []struct {
		n, size int
		kept    int
		last    string
	}{
		{1, 0, 1, ""}, {1, 128, 1, strings.Repeat("x", 128)}, {1, 129, 1, strings.Repeat("x", 128) + "... (1 more bytes)"},
		{32, 1, 32, "x"}, {33, 1, 32, "... (2 more arguments)"}, {1000, 1, 32, "... (969 more arguments)"},
	} {
		args := list(c.n, c.size)
		got := slowArguments(args)
		if len(got) != c.kept || string(got[len(got)-1]) != c.last {
			t.Errorf("of %d arguments of %d bytes are kept %d, the last %q", c.n, c.size, len(got), got[len(got)-1])
		}
		if c.size > 0 {
			args[0][0] = 'y'
			if got[0][0] == 'y' {
				t.Error(fmt.Sprint("the bytes are not copied of ", c))
			}
		}
	}
}
