package resp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/streampulse/pulse/internal/num"
)

// Value is a decoded reply. Type is the first byte it had on the wire and decides which fields are set.
type Value struct {
	Type  byte
	Str   []byte  // '+' '-' '$' '!' '(' '=' (with its "txt:") and the text of ','
	Int   int64   // ':' and '#', where true is 1
	Float float64 // ','
	Elems []Value // '*' '~' '>', and '%' with keys and values in turn
	Attrs []Value // keys and values, in turn, of the attribute that stood before the reply
	Null  bool    // '_', and '$' or '*' of length -1
}

const (
	maxDepth     = 128       // nested replies
	maxReplyLine = 1 << 20   // bytes of a reply without length
	bulkChunk    = 64 << 10  // bytes of a bulk that are trusted to come without having come
	maxReplyBulk = 1<<32 - 1 // longest bulk in bytes
)

// ErrReplyDepth is a reply that nests deeper than 128 levels.
var ErrReplyDepth = errors.New("resp: reply nests too deeply")

// Decode reads one reply, of RESP2 or RESP3, as a client does. It is for tests and tools: it allocates what it returns,
// though never more than a small multiple of what has arrived. io.EOF means that there was no further reply;
// io.ErrUnexpectedEOF that it broke off.
func Decode(r *bufio.Reader) (Value, error) {
	if _, err := r.Peek(1); err != nil {
		return Value{}, err
	}
	v, err := decode(r, 0)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return v, err
}

func decode(r *bufio.Reader, depth int) (v Value, err error) {
	if depth > maxDepth {
		return v, ErrReplyDepth
	}
	line, err := replyLine(r)
	if err != nil {
		return v, err
	}
	if len(line) == 0 {
		return v, errors.New("resp: empty line for a reply")
	}
	v.Type, line = line[0], line[1:]
	switch v.Type {
	case '+', '-', '(':
		v.Str = line
		return v, nil
	case '_':
		v.Null = true
		return v, nil
	case '#':
		if len(line) != 1 || line[0] != 't' && line[0] != 'f' {
			return v, fmt.Errorf("resp: bad boolean %q", line)
		}
		if line[0] == 't' {
			v.Int = 1
		}
		return v, nil
	case ',':
		v.Str = line
		var ok bool
		if v.Float, ok = num.ParseFloat(line); !ok {
			if s := string(line); s != "nan" && s != "-nan" {
				return v, fmt.Errorf("resp: bad double %q", line)
			}
			v.Float = math.NaN()
		}
		return v, nil
	}
	n, ok := num.ParseInt(line)
	if !ok {
		return v, fmt.Errorf("resp: bad number %q after %q", line, v.Type)
	}
	switch v.Type {
	case ':':
		v.Int = n
		return v, nil
	case '$', '*':
		if n == -1 {
			v.Null = true
			return v, nil
		}
	}
	if n < 0 || n > maxReplyBulk {
		return v, fmt.Errorf("resp: bad length %d after %q", n, v.Type)
	}
	switch v.Type {
	case '$', '!', '=':
		v.Str, err = replyBulk(r, n)
		return v, err
	case '*', '~', '>':
		v.Elems, err = replyElems(r, n, depth)
		return v, err
	case '%':
		v.Elems, err = replyElems(r, 2*n, depth)
		return v, err
	case '|':
		attrs, err := replyElems(r, 2*n, depth)
		if err != nil {
			return v, err
		}
		// A chain of attributes is as deep as it is long.
		v, err = decode(r, depth+1)
		v.Attrs = append(attrs, v.Attrs...)
		return v, err
	}
	return v, fmt.Errorf("resp: unknown reply type %q", v.Type)
}

// replyLine reads up to CRLF and returns a copy of what stands before it.
func replyLine(r *bufio.Reader) ([]byte, error) {
	line := []byte{}
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxReplyLine {
			return nil, errors.New("resp: reply line too long")
		}
		if err == nil {
			break
		}
		if err != bufio.ErrBufferFull {
			return nil, err
		}
	}
	line, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok || bytes.IndexByte(line, '\r') >= 0 {
		return nil, fmt.Errorf("resp: reply line %.64q does not end in CRLF alone", line)
	}
	return line, nil
}

// replyBulk reads n bytes and CRLF.
func replyBulk(r *bufio.Reader, n int64) ([]byte, error) {
	b := []byte{}
	for n += 2; n > 0; {
		from, more := len(b), int(min(n, bulkChunk))
		b = append(b, make([]byte, more)...)
		if _, err := io.ReadFull(r, b[from:]); err != nil {
			return nil, err
		}
		n -= int64(more)
	}
	b, ok := bytes.CutSuffix(b, []byte("\r\n"))
	if !ok {
		return nil, errors.New("resp: no CRLF after a bulk")
	}
	return b, nil
}

// replyElems reads n replies.
func replyElems(r *bufio.Reader, n int64, depth int) ([]Value, error) {
	elems := []Value{}
	for range n {
		v, err := decode(r, depth+1)
		if err != nil {
			return nil, err
		}
		elems = append(elems, v)
	}
	return elems, nil
}
