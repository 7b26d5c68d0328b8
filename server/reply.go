package server

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unsafe"

	"github.com/streampulse/pulse/internal/num"
)

// Kind is the type of a Reply. The kinds are those of RESP3.
type Kind uint8

// The kinds of replies. The zero Reply is a null.
const (
	KindNull      Kind = iota // no value: a key that does not exist, a wait that was in vain
	KindStatus                // a word such as OK
	KindString                // a string of any bytes
	KindVerbatim              // a text for people, such as that of INFO
	KindInt                   // a 64-bit integer
	KindFloat                 // a double
	KindBool                  // true or false
	KindBigNumber             // an integer of any size
	KindError                 // an error within an array, such as the reply of EXEC
	KindArray
	KindSet  // an array whose order means nothing
	KindMap  // keys and values
	KindPush // a message out of turn
)

var kindNames = [...]string{"null", "status", "string", "verbatim", "int", "float", "bool", "bignumber", "error", "array", "set", "map", "push"}

// String is the name of the kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// Error is an error reply: the whole text, which begins with a code.
type Error string

// Error is the text, with its code.
func (e Error) Error() string { return string(e) }

// Code is the first word of the text, such as ERR, WRONGTYPE or NOSCRIPT.
func (e Error) Code() string {
	code, _, _ := strings.Cut(string(e), " ")
	return code
}

// Reply is what a command has answered. It is a value: it may be copied and kept, and is safe for concurrent use. The strings of
// one array, set or map share memory; strings.Clone a small one to be kept for long of a large reply.
//
// Accessors that convert return an error if the reply cannot be read that way; all others return the zero value.
type Reply struct {
	kind Kind
	text string
	num  int64 // of an integer or a boolean; the bits of a double
	more *aggregate
}

// aggregate is what few replies have.
type aggregate struct {
	elems []Reply // of a map: keys and values in turn
	attrs []Reply // likewise
}

// Kind is the type of the reply.
func (r Reply) Kind() Kind { return r.kind }

// IsNull reports whether there is no value.
func (r Reply) IsNull() bool { return r.kind == KindNull }

// Err is the error that the reply is, of type Error; nil if it is none. Do returns it already; elements of arrays keep theirs.
func (r Reply) Err() error {
	if r.kind == KindError {
		return Error(r.text)
	}
	return nil
}

// Text is the reply as a string: that of a status, string, text, big number or error, the decimal digits of a number, true or
// false. It is "" for a null and for what has elements.
func (r Reply) Text() string {
	switch r.kind {
	case KindInt:
		return strconv.FormatInt(r.num, 10)
	case KindFloat:
		var scratch [32]byte
		return string(num.AppendFloat(scratch[:0], math.Float64frombits(uint64(r.num))))
	case KindBool:
		return strconv.FormatBool(r.num != 0)
	}
	return r.text
}

// Bytes is Text in memory of its own; nil for a null and for what has elements.
func (r Reply) Bytes() []byte {
	if r.kind == KindNull || r.more != nil && r.more.elems != nil {
		return nil
	}
	return []byte(r.Text())
}

// String shows the reply to people: Text, "(nil)" for a null, elements in brackets. Use Text for the value itself.
func (r Reply) String() string {
	var b strings.Builder
	r.show(&b)
	return b.String()
}

func (r Reply) show(b *strings.Builder) {
	open, closing := byte('['), byte(']')
	switch r.kind {
	case KindNull:
		b.WriteString("(nil)")
		return
	case KindMap:
		open, closing = '{', '}'
	case KindArray, KindSet, KindPush:
	default:
		b.WriteString(r.Text())
		return
	}
	b.WriteByte(open)
	for i, e := range r.Array() {
		switch {
		case i == 0:
		case r.kind == KindMap && i%2 == 1:
			b.WriteByte(':')
		default:
			b.WriteByte(' ')
		}
		e.show(b)
	}
	b.WriteByte(closing)
}

// ErrNil is returned by conversions of a null.
var ErrNil = errors.New("server: the reply is null")

func (r Reply) not(what string) error {
	switch r.kind {
	case KindNull:
		return ErrNil
	case KindError:
		return Error(r.text)
	}
	return fmt.Errorf("server: a reply of kind %v is no %s", r.kind, what)
}

// Int is the reply as an integer: an integer, a boolean (1 or 0), or a string of decimal digits.
func (r Reply) Int() (int64, error) {
	switch r.kind {
	case KindInt, KindBool:
		return r.num, nil
	case KindString, KindStatus, KindBigNumber:
		if n, err := strconv.ParseInt(r.text, 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, r.not("integer")
}

// Float is the reply as a double: a double, an integer, or a string that is the text of a number.
func (r Reply) Float() (float64, error) {
	switch r.kind {
	case KindFloat:
		return math.Float64frombits(uint64(r.num)), nil
	case KindInt:
		return float64(r.num), nil
	case KindString, KindStatus, KindBigNumber:
		if f, err := strconv.ParseFloat(r.text, 64); err == nil {
			return f, nil
		}
	}
	return 0, r.not("number")
}

// Bool is the reply as a truth value: a boolean, an integer (whether it is not 0), or the status OK.
func (r Reply) Bool() (bool, error) {
	switch {
	case r.kind == KindBool, r.kind == KindInt:
		return r.num != 0, nil
	case r.kind == KindStatus && r.text == "OK":
		return true, nil
	}
	return false, r.not("boolean")
}

// Array is the elements of an array, set or push, and the keys and values in turn of a map; nil for everything else. It must not be
// changed.
func (r Reply) Array() []Reply {
	if r.more == nil {
		return nil
	}
	return r.more.elems
}

// Strings is Text of each element of Array.
func (r Reply) Strings() []string {
	elems := r.Array()
	if elems == nil {
		return nil
	}
	list := make([]string, len(elems))
	for i, e := range elems {
		list[i] = e.Text()
	}
	return list
}

// Map is the values of a map by Text of their keys. An array of an even number of elements is taken for keys and values in turn. It is nil
// for everything else.
func (r Reply) Map() map[string]Reply { return pairs(r.Array()) }

// Attributes is what stood before the reply to describe it, nil if nothing did.
func (r Reply) Attributes() map[string]Reply {
	if r.more == nil {
		return nil
	}
	return pairs(r.more.attrs)
}

func pairs(list []Reply) map[string]Reply {
	if list == nil || len(list)%2 != 0 {
		return nil
	}
	m := make(map[string]Reply, len(list)/2)
	for i := 0; i < len(list); i += 2 {
		m[list[i].Text()] = list[i+1]
	}
	return m
}

// statusOK is the reply that is made most often.
var statusOK = Reply{kind: KindStatus, text: "OK"}

// maxReplyDepth bounds how deep replies nest. Scripts, whose replies nest deepest, make fewer levels.
const maxReplyDepth = 1000

var errReply = errors.New("server: malformed reply")

// decodeReply takes the first reply from b, which the server has written, and returns the rest. The Reply has memory of its own: of a
// scalar its text, of an aggregate one string for all texts in it. With own that is b itself, which nobody else has.
func decodeReply(b []byte, own bool) (Reply, []byte, error) {
	if len(b) == 0 {
		return Reply{}, nil, errReply
	}
	switch b[0] {
	case '+':
		if bytes.HasPrefix(b, []byte("+OK\r\n")) {
			return statusOK, b[5:], nil
		}
	case '_':
		if len(b) >= 3 {
			return Reply{}, b[3:], nil
		}
	case ':':
		if n, at := header(b); at > 0 {
			return Reply{kind: KindInt, num: n}, b[at:], nil
		}
	case '$':
		// A scalar: only its own bytes are copied.
		n, at := header(b)
		if n == -1 && at > 0 {
			return Reply{}, b[at:], nil
		}
		if end := int64(at) + n; !own && n >= 0 && end+2 <= int64(len(b)) {
			return Reply{kind: KindString, text: string(b[at:end])}, b[end+2:], nil
		}
	}
	n := replySize(b)
	if n < 0 {
		return Reply{}, nil, errReply
	}
	var d replyDecoder
	if own {
		d.rest = unsafe.String(&b[0], n)
	} else {
		d.rest = string(b[:n])
	}
	r := d.next(0)
	if d.failed || d.rest != "" {
		return Reply{}, nil, errReply
	}
	return r, b[n:], nil
}

// header reads the number behind the first byte of b, and returns where its line ends; at is 0 if there is none.
func header[T []byte | string](b T) (n int64, at int) {
	i, negative := 1, false
	if i < len(b) && b[i] == '-' {
		i, negative = i+1, true
	}
	first := i
	for ; i < len(b) && b[i]-'0' <= 9 && i < first+18; i++ {
		n = n*10 + int64(b[i]-'0')
	}
	if i == first || i+2 > len(b) || b[i] != '\r' {
		return -2, 0
	}
	if negative {
		n = -n
	}
	return n, i + 2
}

// replySize is how many bytes the first reply of b takes, attributes included; -1 if it is not whole.
func replySize(b []byte) int {
	at := 0
	for left := 1; left > 0; left-- {
		if at >= len(b) {
			return -1
		}
		rest := b[at:]
		switch rest[0] {
		case '$', '!', '=', '*', '~', '>', '%', '|':
			n, line := header(rest)
			if line == 0 {
				return -1
			}
			at += line
			switch {
			case n < 0:
			case rest[0] == '$' || rest[0] == '!' || rest[0] == '=':
				if n > int64(len(b)-at-2) {
					return -1
				}
				at += int(n) + 2
			case n > int64(len(b)):
				return -1
			case rest[0] == '%':
				left += 2 * int(n)
			case rest[0] == '|':
				left += 2*int(n) + 1
			default:
				left += int(n)
			}
		default:
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				return -1
			}
			at += end + 1
		}
	}
	return at
}

// replyDecoder turns one whole reply into a Reply.
type replyDecoder struct {
	rest   string
	failed bool
}

func (d *replyDecoder) fail() Reply {
	d.failed, d.rest = true, ""
	return Reply{}
}

// next decodes the reply that rest begins with.
func (d *replyDecoder) next(depth int) Reply {
	if len(d.rest) < 3 || depth > maxReplyDepth {
		return d.fail()
	}
	mark := d.rest[0]
	switch mark {
	case '$', '!', '=', '*', '~', '>', '%', '|', ':':
		n, at := header(d.rest)
		if mark == ':' {
			return d.integer()
		}
		if at == 0 {
			return d.fail()
		}
		d.rest = d.rest[at:]
		if n < 0 {
			return Reply{}
		}
		if n > int64(len(d.rest)) {
			return d.fail() // each element takes three bytes at least
		}
		return d.sized(mark, int(n), depth)
	}
	line, rest, ok := strings.Cut(d.rest[1:], "\r\n")
	if !ok {
		return d.fail()
	}
	d.rest = rest
	switch mark {
	case '+':
		return Reply{kind: KindStatus, text: line}
	case '-':
		return Reply{kind: KindError, text: line}
	case '(':
		return Reply{kind: KindBigNumber, text: line}
	case '#':
		r := Reply{kind: KindBool}
		if line == "t" {
			r.num = 1
		}
		return r
	case ',':
		if line == "-nan" {
			line = "nan"
		}
		f, err := strconv.ParseFloat(line, 64)
		if err != nil {
			return d.fail()
		}
		return Reply{kind: KindFloat, num: int64(math.Float64bits(f))}
	case '_':
		return Reply{}
	}
	return d.fail()
}

func (d *replyDecoder) integer() Reply {
	line, rest, _ := strings.Cut(d.rest[1:], "\r\n")
	n, err := strconv.ParseInt(line, 10, 64)
	if err != nil {
		return d.fail()
	}
	d.rest = rest
	return Reply{kind: KindInt, num: n}
}

// sized decodes what stands behind a header with a length of 0 or more.
func (d *replyDecoder) sized(mark byte, n, depth int) Reply {
	switch mark {
	case '$', '!', '=':
		if n > len(d.rest)-2 {
			return d.fail()
		}
		text := d.rest[:n]
		d.rest = d.rest[n+2:]
		switch {
		case mark == '!':
			return Reply{kind: KindError, text: text}
		case mark == '$':
			return Reply{kind: KindString, text: text}
		case len(text) < 4:
			return d.fail()
		}
		return Reply{kind: KindVerbatim, text: text[4:]}
	}
	if mark == '%' || mark == '|' {
		n *= 2
	}
	if n > len(d.rest)/3 {
		return d.fail()
	}
	elems := make([]Reply, n)
	for i := range elems {
		if elems[i] = d.next(depth + 1); d.failed {
			return Reply{}
		}
	}
	r := Reply{more: &aggregate{elems: elems}}
	switch mark {
	case '*':
		r.kind = KindArray
	case '~':
		r.kind = KindSet
	case '>':
		r.kind = KindPush
	case '%':
		r.kind = KindMap
	default:
		about := d.next(depth + 1)
		if about.more == nil {
			about.more = &aggregate{}
		}
		about.more.attrs = elems
		return about
	}
	return r
}
