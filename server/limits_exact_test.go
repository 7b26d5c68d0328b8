package server

import (
	"fmt"
	"strings"
	"testing"
)

// TestHardOutputLimit: what passes a hard limit at one go is not sent, not even in part, whatever the socket would take. The sizes
// are what Redis 7.4 does with them.
func TestHardOutputLimit(t *testing.T) {
	for _, where := range []string{"loop", "stream"} {
		t.Run(where, func(t *testing.T) {
			srv := openServer(t, "client-output-buffer-limit", "normal 1mb 0 0", "unixsocket", t.TempDir()+"/s")
			conn := func() *client {
				if where == "stream" {
					return dialAddr(t, "unix", srv.cfg.String("unixsocket").Load())
				}
				return dial(t, srv)
			}
			w := dial(t, srv)
			for _, row := range []struct {
				size, times int
				served      bool
			}{
				{1064576, 1, true}, {1064960, 1, false}, {1100000, 1, false}, {5 << 20, 1, false},
				{100000, 10, true}, {100000, 40, false}, {16, 1000, true},
			} {
				w.want(fmt.Sprint("SETRANGE k", row.size, " ", row.size-1, " x"), fmt.Sprintf(":%d\r\n", row.size))
				c := conn()
				c.send(strings.Repeat(requests(fmt.Sprint("GET k", row.size)), row.times) + requests("QUIT"))
				got, want := len(c.readAll()), 0
				if row.served {
					want = row.times*(row.size+len(fmt.Sprint(row.size))+5) + len("+OK\r\n")
				}
				if got != want {
					t.Errorf("%d GETs of %d bytes: %d bytes came, want %d", row.times, row.size, got, want)
				}
			}
			if info := w.do("INFO stats"); !strings.Contains(info, "client_output_buffer_limit_disconnections:4\r\n") {
				t.Error(info)
			}
			alive(t, w)
		})
	}
}

// TestQueryLimitOfWholeRequests: a request that is too large is not served because its end came in time.
func TestQueryLimitOfWholeRequests(t *testing.T) {
	srv := openServer(t, "client-query-buffer-limit", "1mb")
	set := func(n int) string { return encode("SET", "k", strings.Repeat("x", n)) }
	for _, row := range []struct {
		name   string
		size   int
		before string
		reply  string
	}{
		{"below", 1048500, "", "+OK\r\n"},
		{"beyond", 1048576, "", ""},
		{"far beyond", 1048576 + 10000, "", ""},
		{"queued", 548000, requests("MULTI") + set(500000), "+OK\r\n+QUEUED\r\n+QUEUED\r\n"},
		{"queued beyond", 549000, requests("MULTI") + set(500000), "+OK\r\n+QUEUED\r\n"},
	} {
		c := dial(t, srv)
		c.send(row.before)
		// What is refused may be reset while it is on its way.
		_, _ = c.Write([]byte(set(row.size) + requests("QUIT")))
		want := row.reply
		if strings.HasSuffix(want, "+OK\r\n") || strings.HasSuffix(want, "+QUEUED\r\n+QUEUED\r\n") {
			want += "+OK\r\n"
		}
		got := ""
		for len(got) < len(want) {
			b, err := readRaw(c.r, nil)
			if got += string(b); err != nil {
				break
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", row.name, got, want)
		}
		c.Close()
	}
	alive(t, dial(t, srv))
}
