package script

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// String is the reply in the notation of transcripts, without a line end.
func (r Reply) String() string {
	var b strings.Builder
	r.write(&b, 0)
	return strings.TrimSuffix(b.String(), "\n")
}

// arrow stands between the key and the value of a map.
const arrow = " => "

// write puts down the reply, its first line where the builder stands and all others indented by more than depth.
func (r Reply) write(b *strings.Builder, depth int) {
	if r.Attr != nil {
		fmt.Fprintf(b, "|%d\n", len(r.Attr)/2)
		writePairs(b, r.Attr, depth+1)
		indent(b, depth)
	}
	if !r.Kind.aggregate() || r.Null || r.Wild {
		b.WriteString(r.scalar())
		b.WriteByte('\n')
		return
	}
	n := len(r.Elems)
	if r.Kind == Map {
		n /= 2
	}
	fmt.Fprintf(b, "%c%d\n", r.Kind, n)
	if r.Kind == Map {
		writePairs(b, r.Elems, depth+1)
		return
	}
	for _, e := range r.Elems {
		indent(b, depth+1)
		e.write(b, depth+1)
	}
}

func writePairs(b *strings.Builder, pairs []Reply, depth int) {
	for i := 0; i+1 < len(pairs); i += 2 {
		key, value := pairs[i], pairs[i+1]
		indent(b, depth)
		if key.Attr == nil && (!key.Kind.aggregate() || key.Null || key.Wild) {
			b.WriteString(key.scalar() + arrow)
		} else {
			// A key with elements of its own takes its lines first; the arrow then opens a line by itself.
			key.write(b, depth)
			indent(b, depth)
			b.WriteString(strings.TrimLeft(arrow, " "))
		}
		value.write(b, depth)
	}
}

func indent(b *strings.Builder, depth int) {
	for range depth {
		b.WriteString("  ")
	}
}

// scalar is the notation of a reply that takes a single line.
func (r Reply) scalar() string {
	switch {
	case r.Wild && r.Kind == AnyKind:
		return "?"
	case r.Wild:
		return string(r.Kind) + "?"
	case r.Null && r.Kind == Bulk:
		return "(nil)"
	case r.Null && r.Kind == Array:
		return "(nil array)"
	}
	switch r.Kind {
	case Bulk:
		return quote(r.Text)
	case Simple, Error, BlobError:
		if plain(r.Text) {
			return string(r.Kind) + r.Text
		}
		return string(r.Kind) + quote(r.Text)
	case Verbatim:
		format, text, _ := strings.Cut(r.Text, ":")
		return "=" + format + ":" + quote(text)
	case Null:
		return "_"
	case Blocked:
		return "(blocked)"
	case Closed:
		return "(closed)"
	case None:
		return "(none)"
	case AnyKind:
		return r.Text
	}
	return string(r.Kind) + r.Text
}

// plain reports whether a text may stand without quotes and still be read back as the same.
func plain(s string) bool {
	if s == "" || s == "?" || s != strings.TrimSpace(s) || s[0] == '"' || strings.Contains(s+" ", arrow) || !utf8.ValidString(s) {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// reader takes replies from consecutive lines of a transcript.
type reader struct {
	lines []string
	next  int // index in lines of the line to read
}

var errNoReply = errors.New("not a reply")

// reply reads the reply whose first line starts at the given depth.
func (p *reader) reply(depth int) (Reply, error) {
	text, err := p.line(depth)
	if err != nil {
		return Reply{}, err
	}
	r, rest, err := p.value(text, depth, false)
	if err == nil && rest != "" {
		err = fmt.Errorf("%q after the reply", rest)
	}
	return r, err
}

// line takes the next line, which must be indented to the depth exactly.
func (p *reader) line(depth int) (string, error) {
	if p.next >= len(p.lines) {
		return "", errors.New("reply ends early: elements are missing")
	}
	line := p.lines[p.next]
	text := strings.TrimLeft(line, " ")
	if text == "" {
		return "", errors.New("reply ends early: elements are missing")
	}
	if len(line)-len(text) != 2*depth {
		return "", fmt.Errorf("indented by %d, want %d", len(line)-len(text), 2*depth)
	}
	p.next++
	return text, nil
}

// value reads the reply that starts with text, taking further lines for its elements. As the key of a map it ends at an
// arrow; what follows is returned.
func (p *reader) value(text string, depth int, key bool) (r Reply, rest string, err error) {
	if depth > maxDepth {
		return Reply{}, "", fmt.Errorf("more than %d levels", maxDepth)
	}
	var attr []Reply
	if text[0] == byte(Attribute) {
		if attr, err = p.elems(Map, text[1:], depth); err != nil {
			return Reply{}, "", err
		}
		if text, err = p.line(depth); err != nil {
			return Reply{}, "", err
		}
	}
	if kind := Kind(text[0]); kind.aggregate() && len(text) > 1 && '0' <= text[1] && text[1] <= '9' {
		elems, err := p.elems(kind, text[1:], depth)
		return Reply{Kind: kind, Elems: elems, Attr: attr}, "", err
	}
	r, rest, err = parseScalar(text, key)
	r.Attr = attr
	return r, rest, err
}

// elems reads the elements of an aggregate that announces count of them.
func (p *reader) elems(kind Kind, count string, depth int) ([]Reply, error) {
	n, err := strconv.ParseUint(count, 10, 31)
	if err != nil {
		return nil, fmt.Errorf("%w: %q is no number of elements", errNoReply, count)
	}
	elems := []Reply{}
	for range n {
		text, err := p.line(depth + 1)
		if err != nil {
			return nil, err
		}
		r, rest, err := p.value(text, depth+1, kind == Map)
		if err != nil {
			return nil, err
		}
		elems = append(elems, r)
		if kind != Map {
			if rest != "" {
				return nil, fmt.Errorf("%q after the reply", rest)
			}
			continue
		}
		if rest == "" {
			if rest, err = p.line(depth + 1); err != nil {
				return nil, err
			}
			rest = " " + rest
		}
		text, ok := strings.CutPrefix(rest, arrow)
		if !ok || text == "" {
			return nil, errors.New(`a pair of a map is written "key" => "value"`)
		}
		if r, rest, err = p.value(text, depth+1, false); err != nil {
			return nil, err
		}
		if rest != "" {
			return nil, fmt.Errorf("%q after the reply", rest)
		}
		elems = append(elems, r)
	}
	if len(elems) == 0 {
		return nil, nil
	}
	return elems, nil
}

// words are the replies in round brackets.
var words = map[string]Reply{
	"(nil)":       {Kind: Bulk, Null: true},
	"(nil array)": {Kind: Array, Null: true},
	"(blocked)":   {Kind: Blocked},
	"(closed)":    {Kind: Closed},
	"(none)":      {Kind: None},
}

// parseScalar reads a reply of a single line. As the key of a map it ends at an arrow.
func parseScalar(text string, key bool) (r Reply, rest string, err error) {
	if text[0] == '"' {
		s, rest, err := unquote(text)
		return Reply{Kind: Bulk, Text: s}, rest, err
	}
	kind := Kind(text[0])
	if (kind == Simple || kind == Error || kind == BlobError) && strings.HasPrefix(text[1:], `"`) {
		s, rest, err := unquote(text[1:])
		return Reply{Kind: kind, Text: s}, rest, err
	}
	if format, quoted, ok := strings.Cut(text, ":"); ok && kind == Verbatim && strings.HasPrefix(quoted, `"`) {
		s, rest, err := unquote(quoted)
		return Reply{Kind: kind, Text: format[1:] + ":" + s}, rest, err
	}
	if key {
		if i := strings.Index(text, arrow); i >= 0 {
			text, rest = text[:i], text[i:]
		}
	}
	r, err = parseWord(text)
	return r, rest, err
}

// parseWord reads a scalar without quotes, which fills the text.
func parseWord(text string) (Reply, error) {
	if r, ok := words[text]; ok {
		return r, nil
	}
	if text == "?" {
		return Reply{Kind: AnyKind, Wild: true}, nil
	}
	kind, body := Kind(text[0]), text[1:]
	if body == "?" && strings.IndexByte("+-!:$*%~>,#(=_", text[0]) >= 0 {
		return Reply{Kind: kind, Wild: true}, nil
	}
	switch kind {
	case Simple, Error, BlobError:
		if plain(body) {
			return Reply{Kind: kind, Text: body}, nil
		}
	case Bulk, Array:
		if body == "-1" {
			return Reply{Kind: AnyKind, Text: text}, nil
		}
	default:
		if validLine(kind, body) {
			return Reply{Kind: kind, Text: body}, nil
		}
	}
	return Reply{}, fmt.Errorf("%w: %q", errNoReply, text)
}
