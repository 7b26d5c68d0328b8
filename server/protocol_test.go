package server

import (
	"strings"
	"testing"
)

// exchange is bytes sent on a connection of its own and all that comes back until the server, or else the client after
// its PING was answered, closes it.
type exchange struct {
	name   string
	send   string
	want   string // what is answered; "(closed)" at the end if the server hangs up
	differ string // why Redis answers otherwise; such a row is not tried on it
}

const pong = "+PONG\r\n"

func runExchanges(t *testing.T, s settings, rows []exchange) {
	eachTarget(t, s, func(t *testing.T, to target) {
		other := to.dial(t)
		for _, row := range rows {
			if to.oracle && row.differ != "" {
				continue
			}
			t.Run(row.name, func(t *testing.T) {
				c := to.dial(t)
				c.send(row.send)
				if want, closes := strings.CutSuffix(row.want, "(closed)"); closes {
					if got := c.readAll(); got != want {
						t.Errorf("%.60q\n got %.400q\nwant %.400q", row.send, got, want)
					}
				} else {
					c.send("*2\r\n$4\r\nPING\r\n$3\r\nend\r\n")
					want += "$3\r\nend\r\n"
					var got strings.Builder
					for !strings.HasSuffix(got.String(), "$3\r\nend\r\n") && !strings.HasSuffix(got.String(), "(closed)") {
						got.WriteString(c.read())
					}
					if got.String() != want {
						t.Errorf("%.60q\n got %.400q\nwant %.400q", row.send, got.String(), want)
					}
				}
				c.Close()
				alive(t, other)
			})
		}
	})
}

func protocolError(text string) string { return "-ERR Protocol error: " + text + "\r\n(closed)" }

func TestProtocolErrors(t *testing.T) {
	long := strings.Repeat("A", 64<<10+1)
	digits := strings.Repeat("1", 64<<10+1)
	runExchanges(t, nil, []exchange{
		{name: "multibulk too long", send: "*3000000000\r\n", want: protocolError("invalid multibulk length")},
		{name: "multibulk of 20 digits", send: "*12345678901234567890\r\n", want: protocolError("invalid multibulk length")},
		{name: "multibulk not a number", send: "*abc\r\n", want: protocolError("invalid multibulk length")},
		{name: "negative multibulk", send: "*-10\r\nPING\r\n", want: pong},
		{name: "empty multibulk", send: "*0\r\n*0\r\n", want: ""},
		{name: "empty lines", send: "\r\n\r\n\n", want: ""},
		{name: "nothing after an empty request", send: "*0\r\n*1\r\n$4\r\nPING\r\n", want: pong},
		{name: "a huge count alone allocates nothing", send: "*1048576\r\n$1\r\nA\r\n$x\r\n", want: protocolError("invalid bulk length")},
		{name: "negative bulk", send: "*2\r\n$3\r\nGET\r\n$-10\r\n", want: protocolError("invalid bulk length")},
		{name: "bulk too long", send: "*2\r\n$3\r\nGET\r\n$2000000000\r\n", want: protocolError("invalid bulk length")},
		{name: "bulk not a number", send: "*2\r\n$3\r\nGET\r\n$blabla\r\n", want: protocolError("invalid bulk length")},
		{name: "bulk with a sign", send: "*2\r\n$3\r\nGET\r\n$+5\r\nhello\r\n", want: protocolError("invalid bulk length")},
		{name: "bulk with a space", send: "*2\r\n$3\r\nGET\r\n$ 5\r\nhello\r\n", want: protocolError("invalid bulk length")},
		{name: "bulk with a zero", send: "*2\r\n$3\r\nGET\r\n$05\r\nhello\r\n", want: protocolError("invalid bulk length")},
		{name: "no dollar", send: "*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n", want: protocolError("expected '$', got 'f'")},
		{name: "no dollar but a control byte", send: "*3\r\n$3\r\nSET\r\n$1\r\nx\r\n\x01ooz\r\n", want: protocolError("expected '$', got ' '"),
			differ: "Redis sends the byte as it is"},
		{name: "endless inline", send: long, want: protocolError("too big inline request")},
		{name: "endless count", send: "*" + digits, want: protocolError("too big mbulk count string")},
		{name: "endless length", send: "*1\r\n$" + digits, want: protocolError("too big bulk count string")},
		{name: "endless NUL inline", send: "\x00" + long, want: protocolError("too big inline request")},
		{name: "endless NUL count", send: "*\x00" + long, want: protocolError("too big mbulk count string")},
		{name: "endless NUL length", send: "*1\r\n$\x00" + long, want: protocolError("too big bulk count string")},
		{name: "quotes", send: "set \"\"\"k\"\"\" v\r\n", want: protocolError("unbalanced quotes in request")},
		{name: "odd quotes", send: "set k \"v\r\n", want: protocolError("unbalanced quotes in request")},
		{name: "odd single quotes", send: "set k 'v\r\n", want: protocolError("unbalanced quotes in request")},
		{name: "bad hex is text", send: "echo \"\\xZZ\"\r\n", want: "$3\r\nxZZ\r\n"},
		{name: "hex", send: "echo \"\\x41\\n\"\r\n", want: "$2\r\nA\n\r\n"},
		{name: "bulk without CRLF", send: "*2\r\n$4\r\nECHO\r\n$1\r\n1\r\xf4", want: protocolError("invalid CRLF in request"),
			differ: "Redis skips two bytes unseen"},
		{name: "bulk longer than announced", send: "*2\r\n$4\r\nECHO\r\n$1\r\n123\r\n", want: protocolError("invalid CRLF in request"),
			differ: "Redis skips two bytes unseen"},
		{name: "bare LF", send: "*1\n$4\r\nPING\r\n", want: protocolError("invalid multibulk length")},
		{name: "HTTP POST", send: "POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET a b\r\n", want: "(closed)"},
		{name: "post in lower case", send: "post x\r\n", want: "(closed)"},
		{name: "Host header", send: "hOsT: x\r\n", want: "(closed)"},
		{name: "Host as a bulk", send: "*1\r\n$5\r\nHost:\r\n", want: "(closed)"},
		{name: "GET of HTTP", send: "GET / HTTP/1.1\r\n", want: "-ERR wrong number of arguments for 'get' command\r\n"},
		{name: "replies before the error", send: "PING\r\nPING\r\n*x\r\nPING\r\n", want: pong + pong + protocolError("invalid multibulk length")},
		{name: "PNG", send: "\x89PNG\r\n\x1a\n", want: "-ERR unknown command '\x89PNG', with args beginning with: \r\n-ERR unknown command '\x1a', with args beginning with: \r\n"},
	})
}
