// Package resp is the Redis protocol on bytes: requests in (Reader), replies out (Writer), and the client's view of
// replies (Decode).
//
// It knows no socket and no command. A Reader and a Writer belong to one connection each and are not safe for concurrent
// use; SplitArgs and Decode are pure and may be called from anywhere.
//
// Reader invariants:
//   - a prefix that was parsed is never parsed again, however the bytes are cut up on the way, and the cut makes no
//     difference to the result;
//   - nothing is allocated by an announced count or length: memory follows the bytes that have arrived;
//   - every number is canonical and every CRLF is checked, so that no two parsers on a path can disagree on where
//     a request ends. Redis skips the two bytes after a bulk unseen; Pulse answers "invalid CRLF in request". A NUL in
//     an inline request or a header is a byte like others, where Redis waits for bytes that never help.
//
// redcon's ReadNextCommand was tried as the parser and rejected: it panics on a negative bulk length, takes "$05", starts
// over when a command is incomplete, and reads a leading '$' as another protocol. Its Append functions are not used for
// replies either: Writer's own headers measured faster, since most lengths are a digit or two.
package resp

import (
	"bytes"
	"math"

	"github.com/streampulse/pulse/internal/num"
)

// ProtocolError is a violation of the protocol by the client. Its text follows "-ERR Protocol error: " on the wire; the
// connection is to be closed after it was sent, and the Reader is of no use any more.
type ProtocolError string

func (e ProtocolError) Error() string { return string(e) }

// The protocol errors with a fixed text. One more is built on the spot: "expected '$', got 'x'".
const (
	ErrMultibulkLength = ProtocolError("invalid multibulk length")
	ErrBulkLength      = ProtocolError("invalid bulk length")
	ErrInlineTooBig    = ProtocolError("too big inline request")
	ErrMultibulkTooBig = ProtocolError("too big mbulk count string")
	ErrBulkTooBig      = ProtocolError("too big bulk count string")
	ErrUnbalanced      = ProtocolError("unbalanced quotes in request")
	ErrUnauthMultibulk = ProtocolError("unauthenticated multibulk length")
	ErrUnauthBulk      = ProtocolError("unauthenticated bulk length")
	ErrCRLF            = ProtocolError("invalid CRLF in request")
)

const (
	// DefaultMaxBulk is the default of proto-max-bulk-len, in bytes.
	DefaultMaxBulk = 512 << 20

	maxLine       = 64 << 10 // bytes before the end of a header or an inline request
	unauthArgs    = 10       // arguments of a request before authentication
	unauthBulk    = 16 << 10 // bytes of an argument before authentication
	keepArgs      = 1024     // argument slots a Reader keeps from one command to the next
	maxFastDigits = 10       // digits of a header that the inner loop reads itself: no overflow, and more than is usual
)

// Limits are the bounds that a connection's state puts on its requests. They may differ from call to call.
type Limits struct {
	MaxBulk       int64 // longest argument in bytes (proto-max-bulk-len); 0 means DefaultMaxBulk
	Authenticated bool  // false restricts requests to 10 arguments of 16 KiB
}

// span is an argument as a range of the buffer, which survives that the buffer moves.
type span struct{ start, end int }

// Reader parses requests incrementally out of a buffer that its caller owns. The zero value is ready.
type Reader struct {
	args  [][]byte // what Next returned last
	spans []span   // arguments of the command under way that are whole

	// The command under way. All offsets count from the start of the buffer, that is of the command.
	left  int // arguments not whole yet; 0 between commands
	pos   int // first byte that is not parsed; while a bulk is pending, its first byte
	seen  int // no end of line lies in buf[pos:seen]; of no meaning when seen < pos
	need  int // bytes the buffer must hold for the pending bulk to be whole; 0 when no bulk is pending
	given int // len(buf) of the last call
}

// Needed returns how many bytes the pending argument still lacks after the last call of Next, its CRLF included; 0 when
// that is unknown.
func (r *Reader) Needed() int {
	return max(0, r.need-r.given)
}

// Idle tells whether no command is under way, as far as the Reader has seen.
func (r *Reader) Idle() bool {
	return r.left == 0 && r.seen == 0
}

// Reset forgets the command under way and lets go of every buffer.
func (r *Reader) Reset() {
	*r = Reader{}
}

// Next parses one request at the start of buf, which holds all input that was not consumed yet.
//
// A whole request gives its arguments and n, the bytes it took. The arguments are slices of buf (quoted inline arguments
// excepted) and their header array belongs to the Reader: both are valid until the next call or until buf changes. No
// arguments and n > 0 is input without a request, to be skipped. n == 0 without error means that the request is
// incomplete: call again with the same bytes and more; the buffer may have moved meanwhile.
//
// The error, if any, is a ProtocolError.
func (r *Reader) Next(buf []byte, lim *Limits) (args [][]byte, n int, err error) {
	r.given = len(buf)
	if len(buf) < r.need || len(buf) == 0 {
		return nil, 0, nil
	}
	if r.left == 0 {
		if buf[0] != '*' {
			return r.inline(buf)
		}
		var count int64
		var next int
		if len(buf) >= 4 && buf[1]-'0' <= 9 && buf[2] == '\r' && buf[3] == '\n' {
			count, next = int64(buf[1]-'0'), 4 // nearly every command
		} else if count, next, err = r.header(buf, 0, ErrMultibulkLength, ErrMultibulkTooBig); next == 0 || err != nil {
			return nil, 0, err
		}
		switch {
		case count > math.MaxInt32:
			return nil, 0, ErrMultibulkLength
		case count > unauthArgs && !lim.Authenticated:
			return nil, 0, ErrUnauthMultibulk
		case count <= 0:
			r.seen = 0
			return nil, next, nil
		}
		r.left, r.pos = int(count), next
		r.spans = r.spans[:0]
	}
	if err := r.bulks(buf, lim); err != nil || r.left > 0 {
		return nil, 0, err
	}
	n, r.pos, r.seen = r.pos, 0, 0
	if cap(r.args) < len(r.spans) || cap(r.args) > keepArgs {
		r.args = make([][]byte, 0, max(len(r.spans), 8))
	}
	args = r.args[:len(r.spans)]
	for i, s := range r.spans {
		args[i] = buf[s.start:s.end:s.end]
	}
	r.args = args
	if cap(r.spans) > keepArgs {
		r.spans = nil
	}
	return args, n, nil
}

// bulks parses arguments from r.pos on until the command is whole or the buffer ends. Its state is in r at return.
func (r *Reader) bulks(buf []byte, lim *Limits) error {
	pos, left, need := r.pos, r.left, r.need
	small := int64(unauthBulk) // lengths that need no further look
	if lim.MaxBulk > 0 && lim.MaxBulk < small {
		small = lim.MaxBulk
	}
	for left > 0 {
		if need == 0 {
			if pos >= len(buf) {
				break
			}
			size, next := int64(0), 0
			// The usual header, inline: a dollar, a few canonical digits, CRLF. All else goes the long way.
			if b := buf[pos:]; b[0] == '$' {
				i := 1
				for i < len(b) && i <= maxFastDigits {
					d := b[i] - '0'
					if d > 9 {
						break
					}
					size = size*10 + int64(d)
					i++
				}
				if i > 1 && i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n' && (b[1] != '0' || i == 2) {
					next = pos + i + 2
				}
			}
			if next == 0 {
				var err error
				size, next, err = r.header(buf, pos, ErrBulkLength, ErrBulkTooBig)
				if err != nil {
					return err
				}
				if next == 0 {
					break
				}
			}
			if size > small || size < 0 {
				if err := lim.checkBulk(size); err != nil {
					return err
				}
			}
			pos = next
			need = pos + int(size) + 2
		}
		if len(buf) < need {
			break
		}
		end := need - 2
		if buf[end] != '\r' || buf[end+1] != '\n' {
			return ErrCRLF
		}
		r.spans = append(r.spans, span{pos, end})
		pos, need = need, 0
		left--
	}
	r.pos, r.left, r.need = pos, left, need
	return nil
}

// checkBulk judges an announced argument length in bytes.
func (l *Limits) checkBulk(size int64) error {
	limit := l.MaxBulk
	if limit <= 0 {
		limit = DefaultMaxBulk
	}
	// A quarter of the address space leaves room for offsets to be added without a check.
	if size < 0 || size > limit || size > math.MaxInt/4 {
		return ErrBulkLength
	}
	if size > unauthBulk && !l.Authenticated {
		return ErrUnauthBulk
	}
	return nil
}

// header reads the line at pos: a mark ('*', or '$' if a bulk is expected) and a number. next is the offset after its CRLF,
// or 0 when the line is not whole. It remembers in r.seen how far it has looked for the end.
func (r *Reader) header(buf []byte, pos int, invalid, tooBig ProtocolError) (v int64, next int, err error) {
	end := lineEnd(buf, pos, max(pos, r.seen), '\r')
	switch {
	case end < 0:
		return 0, 0, tooBig
	case end+1 >= len(buf): // the CR or the LF is yet to come
		r.seen, r.pos = end, pos
		return 0, 0, nil
	}
	r.seen = 0
	if invalid == ErrBulkLength && buf[pos] != '$' {
		return 0, 0, expectedDollar(buf[pos])
	}
	if buf[end+1] != '\n' {
		return 0, 0, ErrCRLF
	}
	v, ok := num.ParseInt(buf[pos+1 : end])
	if !ok {
		return 0, 0, invalid
	}
	return v, end + 2, nil
}

// lineEnd finds the first mark in buf[from:], for a line that starts at pos: its offset, len(buf) when there is
// none yet, or -1 when the line is too long. The answer does not depend on how much follows the line.
func lineEnd(buf []byte, pos, from int, mark byte) int {
	limit := min(len(buf), pos+maxLine+1)
	if from < limit {
		if i := bytes.IndexByte(buf[from:limit], mark); i >= 0 {
			return from + i
		}
	}
	if limit < len(buf) || limit == pos+maxLine+1 {
		return -1
	}
	return len(buf)
}

// expectedDollar is the error for an argument that starts with another byte than a dollar. Control bytes would tear the
// reply line and show as a space.
func expectedDollar(got byte) error {
	if got < ' ' || got == 0x7f {
		got = ' '
	}
	return ProtocolError("expected '$', got '" + string([]byte{got}) + "'")
}

// inline parses a request that is a line of words.
func (r *Reader) inline(buf []byte) ([][]byte, int, error) {
	end := lineEnd(buf, 0, r.seen, '\n')
	switch {
	case end < 0:
		return nil, 0, ErrInlineTooBig
	case end == len(buf):
		r.seen = end
		return nil, 0, nil
	}
	r.seen = 0
	line := buf[:end]
	if end > 0 && line[end-1] == '\r' {
		line = line[:end-1]
	}
	if cap(r.args) > keepArgs {
		r.args = nil
	}
	args, ok := splitArgs(r.args[:0], line)
	if !ok {
		return nil, 0, ErrUnbalanced
	}
	r.args = args
	return args, end + 1, nil
}
