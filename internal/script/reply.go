package script

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Kind is the type byte of a reply on the wire, or one of the outcomes below, which are no bytes at all.
type Kind byte

// The types of RESP2 and RESP3.
const (
	Simple    Kind = '+'
	Error     Kind = '-'
	BlobError Kind = '!'
	Integer   Kind = ':'
	Bulk      Kind = '$'
	Array     Kind = '*'
	Map       Kind = '%'
	Set       Kind = '~'
	Push      Kind = '>'
	Double    Kind = ','
	Boolean   Kind = '#'
	BigNumber Kind = '('
	Verbatim  Kind = '='
	Null      Kind = '_'
	Attribute Kind = '|'
)

// What can happen instead of a reply.
const (
	Blocked Kind = 'B' // none yet, the server holds the client
	Closed  Kind = 'C' // the server closed the connection
	None    Kind = 'N' // none is due
	AnyKind Kind = '?' // in expectations only: whatever comes
)

// Reply is one reply, or in a transcript the expectation of one.
type Reply struct {
	Kind Kind
	// Null marks the null bulk string and the null array of RESP2.
	Null bool
	// Wild marks an expectation of the type alone.
	Wild bool
	// Text is the value of a scalar; of a Verbatim it includes the format ("txt:...").
	Text string
	// Elems are the elements of an aggregate; a Map has its keys at even and its values at odd places.
	Elems []Reply
	// Attr holds the pairs of the attribute that came before the reply.
	Attr []Reply
}

// aggregate reports whether replies of the kind have elements.
func (k Kind) aggregate() bool {
	return k == Array || k == Map || k == Set || k == Push
}

// outcome reports whether the kind says what happened instead of a reply.
func (k Kind) outcome() bool { return k == Blocked || k == Closed || k == None }

// The limits are far above what servers send and keep a broken one from eating the test's memory.
const (
	maxDepth = 64
	maxBulk  = 512 << 20
	maxElems = 64 << 20
)

var errProtocol = errors.New("not RESP")

// readReply decodes one reply. Pushes are replies like any other. Errors are io errors or wrap errProtocol.
func readReply(r *bufio.Reader) (Reply, error) { return readNested(r, 0) }

func readNested(r *bufio.Reader, depth int) (Reply, error) {
	if depth > maxDepth {
		return Reply{}, fmt.Errorf("%w: more than %d levels", errProtocol, maxDepth)
	}
	line, err := readLine(r)
	if err != nil {
		return Reply{}, err
	}
	if line == "" {
		return Reply{}, fmt.Errorf("%w: empty line", errProtocol)
	}
	kind, rest := Kind(line[0]), line[1:]
	switch kind {
	case Simple, Error:
		return Reply{Kind: kind, Text: rest}, nil
	case Integer, Double, BigNumber, Boolean, Null:
		if !validLine(kind, rest) {
			return Reply{}, fmt.Errorf("%w: %q", errProtocol, line)
		}
		return Reply{Kind: kind, Text: rest}, nil
	case Bulk, BlobError, Verbatim:
		return readBulk(r, kind, rest)
	case Array, Map, Set, Push:
		return readAggregate(r, kind, rest, depth)
	case Attribute:
		attr, err := readAggregate(r, Map, rest, depth)
		if err != nil {
			return Reply{}, err
		}
		reply, err := readNested(r, depth+1)
		reply.Attr = append(attr.Elems, reply.Attr...)
		return reply, err
	}
	return Reply{}, fmt.Errorf("%w: type %q", errProtocol, line)
}

// readLine reads up to CRLF, which it cuts off.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		if err == io.EOF && line != "" {
			err = io.ErrUnexpectedEOF
		}
		return "", err
	}
	body, ok := strings.CutSuffix(line, "\r\n")
	if !ok {
		return "", fmt.Errorf("%w: line %q does not end in CRLF", errProtocol, line)
	}
	return body, nil
}

func readBulk(r *bufio.Reader, kind Kind, header string) (Reply, error) {
	if kind == Bulk && header == "-1" {
		return Reply{Kind: kind, Null: true}, nil
	}
	n, err := parseLength(header, maxBulk)
	if err != nil {
		return Reply{}, err
	}
	// The builder grows with what arrives, not with what the header claims.
	var b strings.Builder
	if _, err := io.CopyN(&b, r, n); err != nil {
		return Reply{}, noEOF(err)
	}
	end, err := readLine(r)
	if err != nil {
		return Reply{}, noEOF(err)
	}
	if end != "" {
		return Reply{}, fmt.Errorf("%w: %d bytes announced and more sent: %q", errProtocol, n, end)
	}
	text := b.String()
	if kind == Verbatim && (len(text) < 4 || text[3] != ':' || strings.ContainsAny(text[:3], ":\"\r\n ")) {
		return Reply{}, fmt.Errorf("%w: verbatim string %q names no format", errProtocol, text)
	}
	return Reply{Kind: kind, Text: text}, nil
}

// validLine reports whether s is a value of a type that is a single line of a fixed grammar.
func validLine(kind Kind, s string) bool {
	switch kind {
	case Integer:
		_, err := strconv.ParseInt(s, 10, 64)
		return err == nil
	case Double:
		f, err := strconv.ParseFloat(s, 64)
		return err == nil || math.IsInf(f, 0)
	case BigNumber:
		digits := strings.TrimPrefix(s, "-")
		return digits != "" && strings.Trim(digits, "0123456789") == ""
	case Boolean:
		return s == "t" || s == "f"
	case Null:
		return s == ""
	}
	return false
}

func readAggregate(r *bufio.Reader, kind Kind, header string, depth int) (Reply, error) {
	if kind == Array && header == "-1" {
		return Reply{Kind: kind, Null: true}, nil
	}
	n, err := parseLength(header, maxElems)
	if err != nil {
		return Reply{}, err
	}
	if kind == Map {
		n *= 2
	}
	reply := Reply{Kind: kind}
	for range n {
		elem, err := readNested(r, depth+1)
		if err != nil {
			return Reply{}, noEOF(err)
		}
		reply.Elems = append(reply.Elems, elem)
	}
	return reply, nil
}

func parseLength(s string, limit int64) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || int64(n) > limit {
		return 0, fmt.Errorf("%w: length %q", errProtocol, s)
	}
	return int64(n), nil
}

// noEOF marks the end of the stream inside a reply as unexpected.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// normal gives nulls the one shape that transcripts use: null bulk and null array as they are in RESP2, Null in RESP3.
// What does not belong in the protocol stays as it is, so that it shows.
func normal(r Reply, proto int) Reply {
	if proto == 3 && r.Kind == Null {
		r = Reply{Kind: Bulk, Null: true, Attr: r.Attr}
	} else if proto == 3 && r.Null {
		r = Reply{Kind: AnyKind, Text: string(r.Kind) + "-1", Attr: r.Attr}
	}
	for i, e := range r.Elems {
		r.Elems[i] = normal(e, proto)
	}
	for i, e := range r.Attr {
		r.Attr[i] = normal(e, proto)
	}
	return r
}
