package commands

import (
	"fmt"
	"slices"
	"strings"
)

// The notation of Spec.Syntax, from which the argument tree of COMMAND DOCS follows:
//
//	key            a value; the type is guessed from the name (argTypes)
//	NX             a token
//	COUNT count    a token with what belongs to it: all that follows up to an optional part
//	[x]  <x>       optional; a group
//	a | b          one of: between brackets whole sequences, elsewhere the two neighbours
//	x [x ...]      x once or more; x may be a sequence, with its token repeated or not
//	x ...          x once or more; [x ...] any number of times

// argument is a node of the tree.
type argument struct {
	name, kind                        string // kind as in COMMAND DOCS: "string", "oneof", ...
	token                             string
	optional, multiple, multipleToken bool
	args                              []argument
}

// argTypes are the types of values that are not strings, by name.
var argTypes = map[string]string{
	"key": "key", "key1": "key", "key2": "key", "newkey": "key", "source": "key", "destination": "key", "destkey": "key", "sourcekey": "key",
	"pattern": "pattern",
	"seconds": "integer", "milliseconds": "integer", "count": "integer", "index": "integer", "offset": "integer",
	"decrement": "integer", "ms": "integer", "entries-read": "integer", "entries-added": "integer", "numids": "integer", "numkeys": "integer", "numfields": "integer", "rank": "integer", "num-matches": "integer",
	"len": "integer", "limit": "integer", "client-id": "integer", "protover": "integer", "version": "integer",
	"index1": "integer", "index2": "integer", "destination-db": "integer", "db": "integer", "maxage": "integer", "cursor": "integer",
	"score": "double", "longitude": "double", "latitude": "double", "radius": "double", "width": "double", "height": "double", "weight": "double",
	"unix-time-seconds": "unix-time", "unix-time-milliseconds": "unix-time",
}

// parseSyntax parses the notation.
func parseSyntax(text string) ([]argument, error) {
	p := syntaxParser{}
	for _, mark := range []string{"[", "]", "<", ">", "|", "..."} {
		text = strings.ReplaceAll(text, mark, " "+mark+" ")
	}
	p.words = strings.Fields(text)
	seq, err := p.sequence(0)
	if err == nil && p.next < len(p.words) {
		err = fmt.Errorf("stray %q", p.words[p.next])
	}
	return bindTokens(seq), err
}

// maxSyntaxDepth bounds the nesting of brackets.
const maxSyntaxDepth = 10

type syntaxParser struct {
	words []string
	next  int
}

func (p *syntaxParser) peek() string {
	if p.next < len(p.words) {
		return p.words[p.next]
	}
	return ""
}

// sequence parses up to a closing bracket, or within brackets up to a bar.
func (p *syntaxParser) sequence(depth int) (seq []argument, err error) {
	if depth > maxSyntaxDepth {
		return nil, fmt.Errorf("brackets nest too deeply")
	}
	for p.next < len(p.words) {
		switch w := p.peek(); w {
		case "]", ">":
			return seq, nil
		case "|":
			if depth > 0 {
				return seq, nil
			}
			p.next++
			if len(seq) == 0 || p.next == len(p.words) {
				return nil, fmt.Errorf("a bar without neighbours")
			}
			item, err := p.item(depth)
			if err != nil {
				return nil, err
			}
			seq[len(seq)-1] = oneOf(seq[len(seq)-1], item)
		case "...":
			p.next++
			if len(seq) == 0 {
				return nil, fmt.Errorf("nothing to repeat")
			}
			seq[len(seq)-1].multiple = true
		case "[":
			if seq, err = p.optional(seq, depth); err != nil {
				return nil, err
			}
		default:
			item, err := p.item(depth)
			if err != nil {
				return nil, err
			}
			seq = append(seq, item)
		}
	}
	if depth > 0 {
		return nil, fmt.Errorf("a bracket is not closed")
	}
	return seq, nil
}

// item parses a word or a group.
func (p *syntaxParser) item(depth int) (argument, error) {
	w := p.peek()
	p.next++
	switch w {
	case "<":
		a, _, err := p.group(">", depth)
		return a, err
	case "[", "]", ">", "|", "...":
		return argument{}, fmt.Errorf("%q where a word should be", w)
	}
	if w == strings.ToUpper(w) {
		return argument{name: strings.ToLower(w), kind: "pure-token", token: w}, nil
	}
	kind := argTypes[w]
	if kind == "" {
		kind = "string"
	}
	return argument{name: w, kind: kind}, nil
}

// group parses alternatives up to the closing bracket. raw is the one alternative if there is just one.
func (p *syntaxParser) group(closing string, depth int) (a argument, raw []argument, err error) {
	var alts []argument
	for {
		seq, err := p.sequence(depth + 1)
		if err != nil {
			return a, nil, err
		}
		if len(seq) == 0 {
			return a, nil, fmt.Errorf("an empty alternative")
		}
		raw = seq
		alts = append(alts, block(seq))
		w := p.peek()
		p.next++
		if w == closing {
			break
		}
		if w != "|" {
			return a, nil, fmt.Errorf("%q where %q should be", w, closing)
		}
	}
	if len(alts) == 1 {
		return alts[0], raw, nil
	}
	return oneOf(alts...), nil, nil
}

// optional parses a part in brackets behind seq. If it repeats the end of seq, that end becomes multiple.
func (p *syntaxParser) optional(seq []argument, depth int) ([]argument, error) {
	p.next++
	a, raw, err := p.group("]", depth)
	if err != nil {
		return nil, err
	}
	if n := len(raw); n > 0 && raw[n-1].multiple && n <= len(seq) {
		tail := seq[len(seq)-n:]
		again := slices.Clone(raw)
		again[n-1].multiple = false
		if slices.EqualFunc(tail, again, equalArguments) {
			once := block(tail)
			once.multiple = true
			once.multipleToken = n > 1 && tail[0].kind == "pure-token"
			return append(seq[:len(seq)-n:len(seq)-n], once), nil
		}
	}
	a.optional = true
	return append(seq, a), nil
}

func equalArguments(a, b argument) bool {
	return a.name == b.name && a.kind == b.kind && a.token == b.token && a.optional == b.optional &&
		a.multiple == b.multiple && slices.EqualFunc(a.args, b.args, equalArguments)
}

// oneOf makes alternatives of its arguments; alternatives in front are joined.
func oneOf(alts ...argument) argument {
	if first := alts[0]; first.kind == "oneof" && first.token == "" && !first.optional {
		alts = append(slices.Clone(first.args), alts[1:]...)
	}
	return argument{name: joinNames(alts), kind: "oneof", args: alts}
}

// block makes one argument of a sequence.
func block(seq []argument) argument {
	if seq = bindTokens(seq); len(seq) == 1 {
		return seq[0]
	}
	return argument{name: joinNames(seq), kind: "block", args: slices.Clone(seq)}
}

// bindTokens joins each token with the arguments that belong to it.
func bindTokens(seq []argument) []argument {
	var out []argument
	for i := 0; i < len(seq); {
		a := seq[i]
		i++
		from := i
		if a.kind == "pure-token" && !a.optional && !a.multiple {
			for i < len(seq) && !seq[i].optional && seq[i].kind != "pure-token" {
				i++
			}
		}
		switch args := seq[from:i]; {
		case len(args) == 1 && args[0].token == "":
			token := a.token
			a = args[0]
			a.token = token
		case len(args) > 0:
			a = argument{name: joinNames(args), kind: "block", token: a.token, args: slices.Clone(args)}
		}
		out = append(out, a)
	}
	return out
}

func joinNames(args []argument) string {
	names := make([]string, len(args))
	for i, a := range args {
		names[i] = a.name
	}
	return strings.Join(names, "_")
}
