package script

import (
	"bufio"
	"errors"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestExampleIsCanonical(t *testing.T) {
	b, err := os.ReadFile("testdata/example.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got := written(t, parse(t, string(b))); got != string(b) {
		t.Errorf("parsing and writing changed the file:\n%s", got)
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ text, err string }{
		{"+OK\n", "1: neither a request"},
		{"> PING\n\n+PONG\n", "3: neither a request"},
		{"> PING\n#comment\n", "2: "},
		{"#x\n", "1: neither"},
		{"> \n", "1: "},
		{"> GET \"a\n", "1: unbalanced quotes"},
		{"> GET \"a\"b\n", "1: closing quote"},
		{"0> PING\n", "1: clients are numbered from 1"},
		{"> PING\n*2\n  :1\n", "early"},
		{"> PING\n*1\n :1\n", "indented by 1, want 2"},
		{"> PING\n*1\n    :1\n", "indented by 4, want 2"},
		{"> PING\n*1\n  :1\n  :2\n", "indented by 2, want 0"},
		{"> PING\n*x\n", "2: not a reply"},
		{"> PING\n*-2\n", "2: not a reply"},
		{"> PING\n:1x\n", "2: not a reply"},
		{"> PING\n,x\n", "2: not a reply"},
		{"> PING\n\"a\" b\n", "2: \" b\" after the reply"},
		{"> PING\n%1\n  :1 :2\n", "3: "},
		{"> PING\n%1\n  :1\n", "early"},
		{"> PING\n(something)\n", "2: not a reply"},
		{"#: protocol 4\n", "1: protocol"},
		{"#: protocol\n", "1: protocol"},
		{"> PING\n#: protocol 3\n", "2: the protocol is declared before"},
		{"> PING\n[3]\n:1\n", "2: the file does not declare"},
		{"#: protocol 2 3\n> PING\n:1\n[3]\n:1\n", "4: replies for both"},
		{"#: protocol 2 3\n> PING\n[3]\n:1\n[3]\n:1\n", "5: a second block"},
		{"[2]\n", "1: a protocol's replies"},
		{"#: nonsense\n> PING\n", "1: unknown directive"},
		{"#: any x\n> PING\n", "1: any takes no argument"},
		{"#: unordered x\n> PING\n", "1: unordered"},
		{"#: regex (\n> PING\n", "1: error parsing regexp"},
		{"#: regex\n> PING\n", "1: regex"},
		{"#: near -1\n> PING\n", "1: near"},
		{"#: near\n> PING\n", "1: near"},
		{"#: let 1a\n> PING\n", "1: let"},
		{"#: let a x\n> PING\n", "1: let"},
		{"#: handwritten\n> PING\n", "1: handwritten"},
		{"#: no\n> PING\n", "1: no"},
		{"#:\n", "1: empty directive"},
		{"#: any\n", "1: no request follows"},
		{"#: any\n#: reset\n", "2: reset stands by itself"},
		{"> (sleep x)\n", "1: "},
		{"> (sleep 2h)\n", "1: "},
		{"> (close)\n+OK\n", "2: neither a request"},
		{"raw> \"\"\n", "1: no bytes"},
		{"> PING\n" + strings.Repeat("*1\n", 1), "early"},
	}
	for _, tt := range tests {
		_, err := Parse(strings.NewReader(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q: error %v, want %q", tt.text, err, tt.err)
		}
	}
}

func TestDirectivesReachTheirRequests(t *testing.T) {
	f := parse(t, "#: any\n#: near 3\n> A\n> B\n#: all no multi\n#: all handwritten because\n#: unordered pairs\n> C\n> D\n")
	var got []rules
	for _, it := range f.items {
		if it.step != nil {
			got = append(got, it.step.rules)
		}
	}
	want := []rules{
		{any: true, near: 3},
		{},
		{noMulti: true, handwritten: true, unordered: "pairs"},
		{noMulti: true, handwritten: true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestSplitArgs(t *testing.T) {
	tests := []struct {
		line string
		want []string
	}{
		{``, nil},
		{"  a \t b ", []string{"a", "b"}},
		{`a "" ''`, []string{"a", "", ""}},
		{`"a b" 'c "d'`, []string{"a b", `c "d`}},
		{`"\x00\xfF\n\r\t\a\b\\\"\q"`, []string{"\x00\xff\n\r\t\a\b\\\"q"}},
		{`"\x0"`, []string{"x0"}},
		{`'it\'s' '\n'`, []string{"it's", `\n`}},
		{`pre"fix ed"`, []string{"prefix ed"}},
		{`ünï → x`, []string{"ünï", "→", "x"}},
	}
	for _, tt := range tests {
		got, err := SplitArgs(tt.line)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, %v, want %q", tt.line, got, err, tt.want)
		}
	}
	for _, line := range []string{`"`, `'`, `"a`, `"a"b`, `'a'b`, `"a\`, `"a\"`, `a"b`} {
		if got, err := SplitArgs(line); err == nil {
			t.Errorf("%s: accepted as %q", line, got)
		}
	}
}

func TestNotation(t *testing.T) {
	tests := []struct{ wire, want string }{
		{"+OK\r\n", "+OK"},
		{"+ spaced\r\n", `+" spaced"`},
		{"+\r\n", `+""`},
		{"+?\r\n", `+"?"`},
		{"-ERR a => b\r\n", `-"ERR a => b"`},
		{"+\"x\r\n", `+"\"x"`},
		{"$0\r\n\r\n", `""`},
		{"$4\r\n\r\n\x00\xff\r\n", `"\r\n\x00\xff"`},
		{"$-1\r\n", "(nil)"},
		{"*-1\r\n", "(nil array)"},
		{"_\r\n", "_"},
		{":-5\r\n", ":-5"},
		{",inf\r\n", ",inf"},
		{"#f\r\n", "#f"},
		{"(-123456789012345678901\r\n", "(-123456789012345678901"},
		{"!5\r\nERR x\r\n", "!ERR x"},
		{"=9\r\ntxt:a\nb\"c\r\n", `=txt:"a\nb\"c"`},
		{"*0\r\n", "*0"},
		{"~2\r\n:1\r\n*1\r\n+x\r\n", "~2\n  :1\n  *1\n    +x"},
		{">1\r\n$1\r\na\r\n", ">1\n  \"a\""},
		{"%2\r\n$1\r\na\r\n*1\r\n:1\r\n+b\r\n%0\r\n", "%2\n  \"a\" => *1\n    :1\n  +b => %0"},
		{"%1\r\n*1\r\n:1\r\n:2\r\n", "%1\n  *1\n    :1\n  => :2"},
		{"|1\r\n+ttl\r\n:5\r\n*1\r\n:1\r\n", "|1\n  +ttl => :5\n*1\n  :1"},
	}
	for _, tt := range tests {
		r, err := readReply(bufio.NewReader(strings.NewReader(tt.wire)))
		if err != nil {
			t.Errorf("%q: %v", tt.wire, err)
			continue
		}
		if got := r.String(); got != tt.want {
			t.Errorf("%q: got\n%s\nwant\n%s", tt.wire, got, tt.want)
		}
		checkReadsBack(t, r)
	}
}

func checkReadsBack(t *testing.T, r Reply) {
	t.Helper()
	p := reader{lines: strings.Split(r.String(), "\n")}
	got, err := p.reply(0)
	if err != nil || p.next != len(p.lines) || !reflect.DeepEqual(got, r) {
		t.Errorf("reads back as %#v (%v), was %#v; notation:\n%s", got, err, r, r)
	}
}

func TestRepliesWithoutNotation(t *testing.T) {
	for _, wire := range []string{"(1x\r\n", "=2\r\nab\r\n", "=5\r\n\"tx:a\r\n", "*1\r\n(\r\n", "|1\r\n+a\r\n(x\r\n:1\r\n"} {
		if r, err := readReply(bufio.NewReader(strings.NewReader(wire))); !errors.Is(err, errProtocol) {
			t.Errorf("%q: %v, %v", wire, r, err)
		}
	}
}

// randomReply builds replies of all shapes.
func randomReply(rnd *rand.Rand, depth int) Reply {
	texts := []string{"", "a", " a", "a => b", "=>", "\"", "\\x00", "\x00\xff\r\n", "ünï", "?", "ERR x", "a ", "(nil)", "\u2028", "\t"}
	text := texts[rnd.IntN(len(texts))]
	kinds := "+-!:$,#(=_"
	if depth < 4 {
		kinds += "*%~>*%~>"
	}
	r := Reply{Kind: Kind(kinds[rnd.IntN(len(kinds))])}
	switch r.Kind {
	case Simple, Error, BlobError:
		r.Text = text
	case Bulk:
		if r.Null = rnd.IntN(5) == 0; !r.Null {
			r.Text = text
		}
	case Verbatim:
		r.Text = "txt:" + text
	case Integer, BigNumber:
		r.Text = []string{"0", "-1", "77"}[rnd.IntN(3)]
	case Double:
		r.Text = []string{"0.5", "-inf", "nan", "1e300"}[rnd.IntN(4)]
	case Boolean:
		r.Text = []string{"t", "f"}[rnd.IntN(2)]
	case Array, Set, Push, Map:
		if r.Kind == Array && rnd.IntN(5) == 0 {
			r.Null = true
			break
		}
		n := rnd.IntN(4)
		if r.Kind == Map {
			n *= 2
		}
		for range n {
			r.Elems = append(r.Elems, randomReply(rnd, depth+1))
		}
	}
	if rnd.IntN(12) == 0 {
		r.Attr = []Reply{randomReply(rnd, depth+2), randomReply(rnd, depth+2)}
	}
	if rnd.IntN(12) == 0 && r.Attr == nil {
		r = Reply{Kind: r.Kind, Wild: true}
	}
	return r
}

func TestNotationReadsBack(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		checkReadsBack(t, randomReply(rnd, 0))
		if t.Failed() {
			return
		}
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		directive, want, got string
		ok                   bool
	}{
		{"", ":1", ":1", true},
		{"", ":1", "\"1\"", false},
		{"", "?", "*0", true},
		{"", "?", "(closed)", false},
		{"", ":?", ":7", true},
		{"", ":?", "+7", false},
		{"", "$?", "(nil)", false},
		{"", "*2\n  :?\n  +a", "*2\n  :9\n  +a", true},
		{"", "*2\n  :?\n  +a", "*2\n  :9\n  +b", false},
		{"", "*?", "*2\n  :9\n  +b", true},
		{"", "(blocked)", "(nil)", false},
		{"", "%1\n  :1 => :2", "%1\n  :1 => :3", false},
		{"unordered", "*2\n  :1\n  :2", "*2\n  :2\n  :1", true},
		{"unordered", "*2\n  :1\n  :1", "*2\n  :2\n  :1", false},
		{"", "*2\n  :1\n  :2", "*2\n  :2\n  :1", false},
		{"unordered", "%2\n  :1 => :2\n  :3 => :4", "%2\n  :3 => :4\n  :1 => :2", true},
		{"unordered", "%2\n  :1 => :2\n  :3 => :4", "%2\n  :3 => :2\n  :1 => :4", false},
		{"unordered", "*1\n  *2\n    :1\n    :2", "*1\n  *2\n    :2\n    :1", false},
		{"unordered deep", "*1\n  *2\n    :1\n    :2", "*1\n  *2\n    :2\n    :1", true},
		{"unordered pairs", "*4\n  :1\n  :2\n  :3\n  :4", "*4\n  :3\n  :4\n  :1\n  :2", true},
		{"unordered pairs", "*4\n  :1\n  :2\n  :3\n  :4", "*4\n  :4\n  :3\n  :1\n  :2", false},
		{"any", ":1", ":2", true},
		{"any", ":1", "+2", false},
		{"any", "\"x\"", "(nil)", false},
		{"error-prefix", "-ERR a", "-ERR b", true},
		{"error-prefix", "-ERR a", "-WRONGTYPE b", false},
		{"error-prefix", "-ERR a", "+ERR b", false},
		{"regex ^[0-9]+$", "\"1\"", "\"234\"", true},
		{"regex ^[0-9]+$", "\"1\"", "\"x\"", false},
		{"regex ^[0-9]+$", "\"1\"", ":1", false},
		{"near 2", ":10", ":12", true},
		{"near 2", ":10", ":13", false},
		{"near 0.01", "\"1.5\"", "\"1.505\"", true},
		{"near 2", "*1\n  ,1.5", "*1\n  ,1.6", true},
	}
	for _, tt := range tests {
		var r rules
		if tt.directive != "" {
			if err := r.set(tt.directive); err != nil {
				t.Fatal(err)
			}
		}
		if ok := r.matches([]Reply{mustReply(t, tt.want)}, []Reply{mustReply(t, tt.got)}); ok != tt.ok {
			t.Errorf("%s: want\n%s\ngot\n%s\nmatch: %v", tt.directive, tt.want, tt.got, ok)
		}
	}
}

func mustReply(t *testing.T, text string) Reply {
	t.Helper()
	p := reader{lines: strings.Split(text, "\n")}
	r, err := p.reply(0)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return r
}
