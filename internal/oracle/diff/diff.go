// Package diff sends the same request to two servers and compares what they answer, byte for byte.
//
// Contract: a Pair owns no connection, it only uses the two that it is given; it belongs to one goroutine. After an error
// the connections are out of step and the Pair is of no more use. Replies are compared as raw bytes, after the
// Normalizers have taken out what may differ: addresses, ids, the order of sets.
package diff

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/streampulse/pulse/internal/resp"
)

// DefaultTimeout is how long a Pair waits for a reply unless told otherwise.
const DefaultTimeout = 5 * time.Second

// Pair is two servers that are asked the same.
type Pair struct {
	A, B net.Conn
	// Timeout is how long one reply may take; 0 means DefaultTimeout.
	Timeout time.Duration

	a, b side
}

// side is the reading end of a connection, with the bytes that were read since the last reply.
type side struct {
	conn net.Conn
	in   *bufio.Reader
	raw  bytes.Buffer // its tail may be the beginning of the next reply, which waits in the buffer of in
}

// Read feeds the decoder and keeps a copy.
func (s *side) Read(p []byte) (int, error) {
	n, err := s.conn.Read(p)
	s.raw.Write(p[:n])
	return n, err
}

// reply reads one whole reply and returns its bytes.
func (s *side) reply() ([]byte, error) {
	if _, err := resp.Decode(s.in); err != nil {
		return nil, err
	}
	used := s.raw.Len() - s.in.Buffered()
	return bytes.Clone(s.raw.Next(used)), nil
}

// Do sends the request to both servers and returns the bytes of one whole reply of each. A push counts as a reply. The
// error names the server that failed.
func (p *Pair) Do(args [][]byte) (a, b []byte, err error) {
	return p.Raw(Encode(args))
}

// Raw is Do for bytes that are sent as they are; they should hold one request.
func (p *Pair) Raw(request []byte) (a, b []byte, err error) {
	if p.a.in == nil {
		p.a.conn, p.b.conn = p.A, p.B
		p.a.in, p.b.in = bufio.NewReader(&p.a), bufio.NewReader(&p.b)
	}
	timeout := p.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	// Both are asked before either is listened to, so that their clocks are as close as can be.
	deadline := time.Now().Add(timeout)
	for i, conn := range []net.Conn{p.A, p.B} {
		conn.SetDeadline(deadline)
		if _, err := conn.Write(request); err != nil {
			return nil, nil, fmt.Errorf("diff: server %c: %w", 'A'+i, err)
		}
	}
	if a, err = p.a.reply(); err != nil {
		return nil, nil, fmt.Errorf("diff: server A: %w", noEOF(err))
	}
	if b, err = p.b.reply(); err != nil {
		return a, nil, fmt.Errorf("diff: server B: %w", noEOF(err))
	}
	return a, b, nil
}

// noEOF: where a reply is due the end of the connection is never orderly.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Encode writes a request as an array of bulk strings.
func Encode(args [][]byte) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		b = fmt.Appendf(b, "$%d\r\n", len(a))
		b = append(append(b, a...), '\r', '\n')
	}
	return b
}

// Normalizer maps a reply to what counts of it. It gets one whole reply and returns one, which may be its argument.
type Normalizer func(reply []byte) []byte

// Same reports whether two replies are equal after all normalizers, which are applied in their order.
func Same(a, b []byte, normalizers ...Normalizer) bool {
	for _, n := range normalizers {
		a, b = n(a), n(b)
	}
	return bytes.Equal(a, b)
}

// Unordered puts the elements of an array or a set in a canonical order, taken in groups: 1 for members, 2 for the pairs of
// a flat list. The pairs of a map are always taken together. Other replies stay as they are.
func Unordered(group int) Normalizer {
	return func(reply []byte) []byte {
		header, elems, ok := split(reply)
		if !ok {
			return reply
		}
		width := group
		if reply[0] == '%' {
			width = 2
		}
		if width < 1 || len(elems)%width != 0 {
			return reply
		}
		groups := make([][]byte, 0, len(elems)/width)
		for g := range slices.Chunk(elems, width) {
			groups = append(groups, bytes.Join(g, nil))
		}
		slices.SortFunc(groups, bytes.Compare)
		return append(bytes.Clone(header), bytes.Join(groups, nil)...)
	}
}

// ErrorCode keeps only the first word of an error. Other replies stay as they are.
func ErrorCode(reply []byte) []byte {
	if len(reply) == 0 || reply[0] != '-' {
		return reply
	}
	if i := bytes.IndexByte(reply, ' '); i >= 0 {
		return append(bytes.Clone(reply[:i]), '\r', '\n')
	}
	return reply
}

// Near reports whether both replies are integers that differ by at most the tolerance. It has to see both at once and is no
// Normalizer for that reason.
func Near(a, b []byte, tolerance int64) bool {
	x, okA := integer(a)
	y, okB := integer(b)
	if !okA || !okB {
		return false
	}
	if x < y {
		x, y = y, x
	}
	// As unsigned numbers the difference cannot overflow.
	return uint64(x)-uint64(y) <= uint64(max(tolerance, 0))
}

func integer(reply []byte) (int64, bool) {
	if len(reply) < 4 || reply[0] != ':' {
		return 0, false
	}
	n, err := strconv.ParseInt(string(reply[1:len(reply)-2]), 10, 64)
	return n, err == nil
}

// split cuts an aggregate into its header line and the bytes of each element.
func split(reply []byte) (header []byte, elems [][]byte, ok bool) {
	if len(reply) == 0 || bytes.IndexByte([]byte("*~%>"), reply[0]) < 0 {
		return nil, nil, false
	}
	end := bytes.IndexByte(reply, '\n') + 1
	in := bytes.NewReader(reply[end:])
	r := bufio.NewReader(in)
	for from := end; from < len(reply); {
		if _, err := resp.Decode(r); err != nil {
			return nil, nil, false
		}
		to := len(reply) - in.Len() - r.Buffered()
		elems = append(elems, reply[from:to])
		from = to
	}
	return reply[:end], elems, true
}
