package resp

import (
	"bufio"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/oracle"
)

// TestOracleReader holds the errors of readerCases against a real server, where that answers like Pulse.
func TestOracleReader(t *testing.T) {
	server := oracle.Start(t)
	for _, c := range readerCases {
		if c.err == ErrCRLF || c.unauth || c.name == "NUL for dollar" || c.name == "longest inline plus one" || strings.Contains(c.name, "nothing comes") {
			continue
		}
		conn, err := server.Dial()
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(time.Minute))
		// A real server reads an error before the end of input; a PING after good input marks its end.
		in := c.in
		if c.err == nil {
			in += "*2\r\n$4\r\nECHO\r\n$3\r\nend\r\n"
		}
		go io.WriteString(conn, in)
		r := bufio.NewReader(conn)
		requests := strings.Count(c.want, "[")
		for replies := 0; ; replies++ {
			v, err := Decode(r)
			if err != nil {
				t.Errorf("%s: the server ended with %v, want error %v", c.name, err, c.err)
				break
			}
			if text, ok := strings.CutPrefix(string(v.Str), "ERR Protocol error: "); ok {
				if c.err == nil || text != c.err.Error() || replies != requests {
					t.Errorf("%s: after %d replies the server says %q; want %v after %d", c.name, replies, text, c.err, requests)
				}
				break
			}
			if string(v.Str) == "end" {
				if c.err != nil || replies != requests {
					t.Errorf("%s: the server gave %d replies, want %d and then %v", c.name, replies, requests, c.err)
				}
				break
			}
		}
		conn.Close()
	}
}
