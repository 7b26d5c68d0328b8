package script

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// File is a parsed transcript.
type File struct {
	// Name is how messages call the file; Parse leaves it empty.
	Name string
	// Protocols are the RESP versions that the file runs in, ascending.
	Protocols []int
	// Defaults says that replies depend on parameters having their default values.
	Defaults bool

	items []item
}

// item is either a line that is kept as it is or a step.
type item struct {
	text string // comment, directive or blank line; unused when step is set
	step *step
}

type action int

const (
	send    action = iota // a command
	sendRaw               // bytes
	receive               // nothing is sent
	hangUp                // (close)
	sleep                 // (sleep d)
	reset                 // #: reset
)

// step is one thing that the runner does.
type step struct {
	line   int    // in the file, from 1
	source string // the line as it stands in the file
	action action
	client int           // from 1
	args   []string      // of send; a single one for sendRaw
	pause  time.Duration // of sleep
	rules  rules

	// both holds the expected replies where they do not depend on the protocol; byProto where they do.
	both    []Reply
	byProto map[int][]Reply
}

// expected are the replies expected in a protocol; nil where the transcript has none yet.
func (s *step) expected(proto int) []Reply {
	if s.byProto != nil {
		return s.byProto[proto]
	}
	return s.both
}

// replies reports whether the step is followed by replies.
func (s *step) replies() bool { return s.action == send || s.action == sendRaw || s.action == receive }

// rules are what the directives above a request say.
type rules struct {
	unordered   string // "", "elements", "pairs" or "deep"
	any         bool
	errorPrefix bool
	regex       *regexp.Regexp
	near        float64
	let         string
	letPath     []int
	handwritten bool
	noMulti     bool
}

// maxLine is the longest line of a transcript in bytes.
const maxLine = 64 << 20

var (
	requestLine = regexp.MustCompile(`^([0-9]{0,4})(raw)?> (.*)$`)
	receiveLine = regexp.MustCompile(`^([0-9]{0,4})<$`)
	variable    = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)
)

// ParseFile parses the transcript at path.
func ParseFile(path string) (*File, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := Parse(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%s:%w", filepath.ToSlash(path), err)
	}
	f.Name = filepath.ToSlash(path)
	return f, nil
}

// Parse reads a transcript. Errors begin with the number of the line.
func Parse(r io.Reader) (*File, error) {
	p := parser{file: &File{Protocols: []int{2}}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		p.lines = append(p.lines, strings.TrimRight(lines.Text(), " \t\r"))
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%d: %w", len(p.lines)+1, err)
	}
	for p.next < len(p.lines) {
		first := p.next
		if err := p.item(); err != nil {
			return nil, fmt.Errorf("%d: %w", max(p.next, first+1), err)
		}
	}
	if p.dangling != "" {
		return nil, fmt.Errorf("%d: no request follows the directive %q", len(p.lines), p.dangling)
	}
	return p.file, nil
}

type parser struct {
	reader
	file     *File
	all      rules  // of every step from here on
	rules    rules  // of the next step
	dangling string // a directive that waits for its step
	section  int    // protocol of the replies being read; 0 for both
	open     *step  // the step whose replies are being read; nil after a blank line or comment
}

// item reads a line and, of a reply, all its lines.
func (p *parser) item() error {
	line := p.lines[p.next]
	switch {
	case line == "" || line == "#" || strings.HasPrefix(line, "# "):
		p.keep(line)
		return nil
	case strings.HasPrefix(line, "#:"):
		return p.directive(line)
	case line == "[2]" || line == "[3]":
		return p.mark(int(line[1] - '0'))
	}
	if m := requestLine.FindStringSubmatch(line); m != nil {
		p.next++
		return p.request(line, m[1], m[2] != "", m[3])
	}
	if m := receiveLine.FindStringSubmatch(line); m != nil {
		p.next++
		return p.add(&step{source: line, action: receive}, m[1])
	}
	if p.open == nil || !p.open.replies() {
		p.next++
		return fmt.Errorf("neither a request nor a comment, and no request to be the reply of: %q", line)
	}
	r, err := p.reply(0)
	if err != nil {
		return err
	}
	if p.section == 0 {
		p.open.both = append(p.open.both, r)
	} else {
		p.open.byProto[p.section] = append(p.open.byProto[p.section], r)
	}
	return nil
}

func (p *parser) keep(line string) {
	p.next++
	p.open = nil
	p.file.items = append(p.file.items, item{text: line})
}

// mark starts the replies of one protocol.
func (p *parser) mark(proto int) error {
	p.next++
	if p.open == nil || !p.open.replies() {
		return errors.New("a protocol's replies without a request")
	}
	if len(p.open.both) > 0 {
		return errors.New("replies for both protocols and for one")
	}
	if !slices.Contains(p.file.Protocols, proto) {
		return fmt.Errorf("the file does not declare protocol %d", proto)
	}
	if p.open.byProto == nil {
		p.open.byProto = map[int][]Reply{}
	}
	if _, ok := p.open.byProto[proto]; ok {
		return errors.New("a second block for the same protocol")
	}
	p.open.byProto[proto] = []Reply{}
	p.section = proto
	return nil
}

// request adds the step that a line with ">" describes.
func (p *parser) request(line, client string, raw bool, text string) error {
	s := &step{source: line}
	word := strings.TrimSpace(text)
	switch {
	case raw:
		parts, err := SplitArgs(text)
		if err != nil {
			return err
		}
		s.action, s.args = sendRaw, []string{strings.Join(parts, "")}
		if s.args[0] == "" {
			return errors.New("no bytes to send")
		}
	case word == "(close)":
		s.action = hangUp
	case strings.HasPrefix(word, "(sleep ") && strings.HasSuffix(word, ")"):
		d, err := time.ParseDuration(strings.TrimSpace(word[len("(sleep ") : len(word)-1]))
		if err != nil || d < 0 || d > time.Minute {
			return fmt.Errorf("%q: want a duration up to a minute, as in (sleep 20ms)", word)
		}
		s.action, s.pause = sleep, d
	default:
		args, err := SplitArgs(text)
		if err != nil {
			return err
		}
		if len(args) == 0 {
			return errors.New("empty request")
		}
		s.args = args
	}
	return p.add(s, client)
}

// add appends a step that the line before p.next describes.
func (p *parser) add(s *step, client string) error {
	s.line, s.client = p.next, 1
	if client != "" {
		n, err := strconv.Atoi(client)
		if err != nil || n < 1 {
			return errors.New("clients are numbered from 1")
		}
		s.client = n
	}
	s.rules = p.rules
	p.rules, p.dangling, p.section = p.all, "", 0
	p.open = s
	p.file.items = append(p.file.items, item{step: s})
	return nil
}

// directive handles a line that starts with "#:".
func (p *parser) directive(line string) error {
	words := strings.Fields(line[2:])
	if len(words) == 0 {
		return errors.New("empty directive")
	}
	switch words[0] {
	case "protocol":
		p.keep(line)
		return p.protocol(words[1:])
	case "defaults":
		p.keep(line)
		p.file.Defaults = true
		return nil
	case "reset":
		if len(words) > 1 || p.dangling != "" {
			return errors.New("reset stands by itself, without arguments and without other directives above it")
		}
		p.next++
		return p.add(&step{source: line, action: reset}, "")
	case "all":
		p.keep(line)
		rest := strings.TrimSpace(strings.TrimSpace(line[2:])[len("all"):])
		if err := p.all.set(rest); err != nil {
			return err
		}
		return p.rules.set(rest)
	}
	p.keep(line)
	p.dangling = line
	return p.rules.set(strings.TrimSpace(line[2:]))
}

func (p *parser) protocol(versions []string) error {
	for _, it := range p.file.items {
		if it.step != nil {
			return errors.New("the protocol is declared before the first request")
		}
	}
	p.file.Protocols = nil
	for _, v := range versions {
		if v != "2" && v != "3" {
			return fmt.Errorf("protocol %q: want 2 or 3", v)
		}
		p.file.Protocols = append(p.file.Protocols, int(v[0]-'0'))
	}
	slices.Sort(p.file.Protocols)
	p.file.Protocols = slices.Compact(p.file.Protocols)
	if len(p.file.Protocols) == 0 {
		return errors.New("protocol: want 2, 3 or both")
	}
	return nil
}

// set applies a directive to the rules.
func (r *rules) set(text string) (err error) {
	name, arg, _ := strings.Cut(text, " ")
	arg = strings.TrimSpace(arg)
	bare := true // takes no argument
	switch name {
	case "unordered":
		bare = false
		switch arg {
		case "":
			r.unordered = "elements"
		case "pairs", "deep":
			r.unordered = arg
		default:
			return fmt.Errorf("unordered %q: want pairs, deep or nothing", arg)
		}
	case "any":
		r.any = true
	case "error-prefix":
		r.errorPrefix = true
	case "regex":
		bare = false
		if arg == "" {
			return errors.New("regex: want an expression")
		}
		if r.regex, err = regexp.Compile(arg); err != nil {
			return err
		}
	case "near":
		bare = false
		if r.near, err = strconv.ParseFloat(arg, 64); err != nil || !(r.near > 0) {
			return fmt.Errorf("near %q: want a number above zero", arg)
		}
	case "let":
		bare = false
		words := strings.Fields(arg)
		if len(words) == 0 || !variable.MatchString("${"+words[0]+"}") {
			return fmt.Errorf("let %q: want a name and perhaps a path of indexes", arg)
		}
		r.let, r.letPath = words[0], nil
		for _, w := range words[1:] {
			i, err := strconv.ParseUint(w, 10, 16)
			if err != nil {
				return fmt.Errorf("let: index %q", w)
			}
			r.letPath = append(r.letPath, int(i))
		}
	case "handwritten":
		bare = false
		if arg == "" {
			return errors.New("handwritten: want the reason")
		}
		r.handwritten = true
	case "no":
		bare = false
		if arg != "multi" {
			return fmt.Errorf("no %q: want no multi", arg)
		}
		r.noMulti = true
	default:
		return fmt.Errorf("unknown directive %q (a comment has a space after its #)", name)
	}
	if bare && arg != "" {
		return fmt.Errorf("%s takes no argument", name)
	}
	return nil
}

// Write puts the transcript down in its canonical form: comments, blank lines and requests as they were, replies in the
// notation of Reply.String, and once instead of twice where both protocols agree.
func (f *File) Write(w io.Writer) error {
	out := bufio.NewWriter(w)
	for _, it := range f.items {
		if it.step == nil {
			fmt.Fprintln(out, it.text)
			continue
		}
		fmt.Fprintln(out, it.step.source)
		if it.step.byProto == nil {
			writeReplies(out, it.step.both)
			continue
		}
		for _, proto := range f.Protocols {
			if replies, ok := it.step.byProto[proto]; ok {
				fmt.Fprintf(out, "[%d]\n", proto)
				writeReplies(out, replies)
			}
		}
	}
	return out.Flush()
}

func writeReplies(w io.Writer, replies []Reply) {
	for _, r := range replies {
		fmt.Fprintln(w, r)
	}
}
