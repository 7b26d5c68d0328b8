package fuzz

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/streampulse/pulse/internal/resp"
)

// Raw sends random bytes, most of them close to requests, each time on new connections that are closed for writing
// afterwards, and compares all that comes back. Options.Requests counts connections.
func Raw(o Options) (Report, error) {
	if o.MaxFindings == 0 {
		o.MaxFindings = 10
	}
	rep := Report{Known: map[string]int{}}
	seen := map[string]bool{}
	for rep.Requests < o.Requests && len(rep.Findings) < o.MaxFindings {
		s := source{Rand: rand.New(rand.NewPCG(o.Seed, uint64(rep.Requests)))}
		rep.Requests++
		input := s.rawInput()
		p, err := rawPair(o, input)
		if err != nil {
			return rep, err
		}
		if bytes.Equal(p.oracle, p.ours) {
			if bytes.Contains(p.oracle, []byte("-ERR")) {
				rep.Errors++
			}
			continue
		}
		input, p = shrinkRaw(o, input, p)
		if reason := knownRaw(input, p); reason != "" {
			rep.Known[reason]++
			continue
		}
		sign := fmt.Sprintf("%.30q %.30q", p.oracle, p.ours)
		if seen[sign] {
			continue
		}
		seen[sign] = true
		f := Finding{Epoch: rep.Requests - 1, Requests: []string{fmt.Sprintf("raw> %q", input)}, Oracle: excerpt(p.oracle), Ours: excerpt(p.ours)}
		rep.Findings = append(rep.Findings, f)
		if o.Log != nil {
			o.Log("%s", f)
		}
	}
	return rep, nil
}

// rawInput is a pipeline with a fault in it, perhaps.
func (s source) rawInput() []byte {
	var b []byte
	for range 1 + s.IntN(4) {
		switch s.IntN(6) {
		case 0, 1:
			b = append(b, pick(s, []string{
				"PING", "ping ", "  PING  ", "SET k \"a b\"", "SET k 'a\\'b'", "ECHO \"\\x41\\n\\q\"", "ECHO \"a", "ECHO 'a", "ECHO \"a\"b",
				"ECHO a\"b\"", "", " ", "\x00", "GET\x00k", "ECHO \\x41", "ECHO \"\\xZZ\"", "POST x", "host: y", "ECHO '\\n'", "\tPING\t", "ECHO \v",
				"NOSUCH a b c", "ECHO", "*", "$", "ECHO \"\"", "ECHO ''", strings.Repeat("x ", 70),
			})...)
			b = append(b, pick(s, []string{"\r\n", "\n", "\r\n", "\r\n", "\n\r", "\r\r\n", ""})...)
		case 2:
			b = append(b, pick(s, []string{
				"*0\r\n", "*-1\r\n", "*-10\r\n", "*1048577\r\n", "*2147483648\r\n", "*1\r\n$-1\r\n", "*1\r\n$536870913\r\n", "*1\r\n:1\r\n",
				"*a\r\n", "*1\r\n$a\r\n", "*\r\n", "*1\r\n$\r\n", "*01\r\n$4\r\nPING\r\n", "*1\r\n$04\r\nPING\r\n", "*1\n$4\nPING\n", "* 1\r\n",
				"*1\r\n$4\r\nPINGxx", "*1\r\n$0\r\n\r\n", "*1 \r\n", "*+1\r\n$4\r\nPING\r\n", "*1\r\n\r\n", "$4\r\nPING\r\n", "*1\r\n*1\r\n",
			})...)
		default:
			b = resp.AppendRequest(b, pick(s, [][]string{
				{"PING"}, {"ECHO", s.member()}, {"SET", "k", s.member()}, {"GET", "k"}, {"NOSUCH", s.member()}, {"INCR", "n"}, {s.member(), s.member()},
				{"MULTI"}, {"EXEC"}, {"QUIT"}, {"RPUSH", "l", s.member()}, {"LRANGE", "l", "0", "-1"}, {"DEL", "l", "k", "n"},
			})...)
		}
	}
	if s.oneIn(2) && len(b) > 0 {
		for range 1 + s.IntN(3) {
			i := s.IntN(len(b))
			switch s.IntN(4) {
			case 0:
				b[i] = byte(s.Uint32())
			case 1:
				b = slices.Delete(b, i, i+1)
			case 2:
				b = slices.Insert(b, i, pick(s, []byte("0123456789*$-:\r\n \x00\"'")))
			case 3:
				b = b[:i]
			}
			if len(b) == 0 {
				break
			}
		}
	}
	return b
}

func rawPair(o Options, input []byte) (p pair, err error) {
	for i, dial := range []func() (net.Conn, error){o.Oracle, o.Ours} {
		c, err := dial()
		if err != nil {
			return p, err
		}
		out, err := exchangeRaw(c, input)
		if err != nil {
			out = fmt.Appendf(out, "(%v)", err)
		}
		if i == 0 {
			p.oracle = out
		} else {
			p.ours = out
		}
	}
	return p, nil
}

// exchangeRaw returns all that the server sends until it closes the connection.
func exchangeRaw(c net.Conn, input []byte) ([]byte, error) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(replyTimeout))
	if _, err := c.Write(append([]byte("FLUSHALL\r\n"), input...)); err != nil {
		return nil, err
	}
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		if err := half.CloseWrite(); err != nil {
			return nil, nil // it has closed the connection already: that may be before or after its last words
		}
	}
	out, err := io.ReadAll(c)
	if err != nil && strings.Contains(err.Error(), "reset by peer") {
		err = nil // input was left unread
	}
	return out, err
}

// shrinkRaw leaves out bytes as long as the servers disagree.
func shrinkRaw(o Options, input []byte, p pair) ([]byte, pair) {
	for size := len(input) / 2; size > 0; size /= 2 {
		for from := 0; from+size <= len(input); {
			less := slices.Delete(slices.Clone(input), from, from+size)
			if q, err := rawPair(o, less); err == nil && !bytes.Equal(q.oracle, q.ours) {
				input, p = less, q
			} else {
				from += size
			}
		}
	}
	return input, p
}
