package script

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/streampulse/pulse/internal/resp"
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

// maxDepth is how deep replies may nest in a transcript; it is above what resp.Decode lets through.
const maxDepth = 160

// errProtocol is a reply that the decoder takes and that no server may send, so that a transcript has no notation for it.
var errProtocol = errors.New("no such value in RESP")

// readReply decodes one reply. Pushes are replies like any other.
func readReply(r *bufio.Reader) (Reply, error) {
	v, err := resp.Decode(r)
	if err != nil {
		return Reply{}, err
	}
	return fromValue(v)
}

// fromValue takes over a decoded reply. Nesting is bounded by the decoder.
func fromValue(v resp.Value) (r Reply, err error) {
	r = Reply{Kind: Kind(v.Type), Null: v.Null && v.Type != byte(Null), Text: string(v.Str)}
	switch r.Kind {
	case Integer:
		r.Text = strconv.FormatInt(v.Int, 10)
	case Boolean:
		r.Text = "f"
		if v.Int == 1 {
			r.Text = "t"
		}
	case BigNumber, Double:
		if !validLine(r.Kind, r.Text) {
			return r, fmt.Errorf("%w: %c%s", errProtocol, r.Kind, r.Text)
		}
	case Verbatim:
		if len(r.Text) < 4 || r.Text[3] != ':' || strings.ContainsAny(r.Text[:3], ":\"\r\n ") {
			return r, fmt.Errorf("%w: verbatim string %q names no format", errProtocol, r.Text)
		}
	}
	if r.Elems, err = fromValues(v.Elems); err == nil {
		r.Attr, err = fromValues(v.Attrs)
	}
	return r, err
}

func fromValues(values []resp.Value) ([]Reply, error) {
	if len(values) == 0 {
		return nil, nil
	}
	replies := make([]Reply, len(values))
	for i, v := range values {
		var err error
		if replies[i], err = fromValue(v); err != nil {
			return nil, err
		}
	}
	return replies, nil
}

// validLine reports whether s is a value of a type that is a single line of a fixed grammar.
func validLine(kind Kind, s string) bool {
	switch kind {
	case Integer:
		_, err := strconv.ParseInt(s, 10, 64)
		return err == nil
	case Double:
		f, err := strconv.ParseFloat(s, 64)
		return err == nil || math.IsInf(f, 0) || s == "-nan"
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
