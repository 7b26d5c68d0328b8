package fuzz

import (
	"fmt"
	"strings"
)

// node is a part of a command's grammar.
type node struct {
	kind nodeKind
	text string // of a token, or the name of a value
	subs []node // of the others
}

type nodeKind uint8

const (
	tokenNode  nodeKind = iota
	valueNode           // an argument with a name
	seqNode             // subs one after the other
	oneOfNode           // one of subs
	optNode             // subs[0] or nothing
	manyNode            // subs[0] any number of times
	repeatNode          // subs[0] at least once
)

// maxNesting bounds brackets within brackets.
const maxNesting = 10

// parseSyntax parses the notation of commands.Spec.Syntax into a grammar. It is looser than what COMMAND DOCS needs: any
// request that it allows is worth sending.
func parseSyntax(text string) (node, error) {
	for _, mark := range []string{"[", "]", "<", ">", "|", "..."} {
		text = strings.ReplaceAll(text, mark, " "+mark+" ")
	}
	p := &parser{words: strings.Fields(text)}
	n, err := p.sequence(0)
	if err == nil && len(p.words) > 0 {
		err = fmt.Errorf("fuzz: stray %q in a syntax", p.words[0])
	}
	return n, err
}

type parser struct{ words []string }

func (p *parser) peek() string {
	if len(p.words) == 0 {
		return ""
	}
	return p.words[0]
}

func (p *parser) take() string {
	w := p.peek()
	p.words = p.words[min(1, len(p.words)):]
	return w
}

// sequence parses up to a closing bracket; within brackets a bar ends it too.
func (p *parser) sequence(depth int) (node, error) {
	seq := node{kind: seqNode}
	if depth > maxNesting {
		return seq, fmt.Errorf("fuzz: a syntax nests too deeply")
	}
	for len(p.words) > 0 {
		switch w := p.peek(); w {
		case "]", ">":
			return seq, nil
		case "|":
			if depth > 0 {
				return seq, nil
			}
			p.take()
			next, err := p.item(depth)
			if err != nil {
				return seq, err
			}
			last := len(seq.subs) - 1
			if last < 0 {
				return seq, fmt.Errorf("fuzz: a bar at the start of a syntax")
			}
			if seq.subs[last].kind != oneOfNode {
				seq.subs[last] = node{kind: oneOfNode, subs: []node{seq.subs[last]}}
			}
			seq.subs[last].subs = append(seq.subs[last].subs, next)
		case "...":
			p.take()
			last := len(seq.subs) - 1
			if last < 0 {
				return seq, fmt.Errorf("fuzz: nothing to repeat in a syntax")
			}
			seq.subs[last] = node{kind: repeatNode, subs: []node{seq.subs[last]}}
		default:
			n, err := p.item(depth)
			if err != nil {
				return seq, err
			}
			seq.subs = append(seq.subs, n)
		}
	}
	if depth > 0 {
		return seq, fmt.Errorf("fuzz: a bracket is not closed in a syntax")
	}
	return seq, nil
}

func (p *parser) item(depth int) (node, error) {
	switch w := p.take(); {
	case w == "<":
		return p.group(">", depth)
	case w == "[":
		n, err := p.group("]", depth)
		if err != nil {
			return n, err
		}
		// [x y ...] repeats all that stands between the brackets.
		if seq := n; seq.kind == seqNode {
			if last := len(seq.subs) - 1; seq.subs[last].kind == repeatNode {
				seq.subs[last] = seq.subs[last].subs[0]
				return node{kind: manyNode, subs: []node{seq}}, nil
			}
		}
		return node{kind: optNode, subs: []node{n}}, nil
	case w == "", strings.ContainsAny(w, "]>|") || w == "...":
		return node{}, fmt.Errorf("fuzz: %q where a word should be in a syntax", w)
	case w == strings.ToUpper(w):
		return node{kind: tokenNode, text: w}, nil
	default:
		return node{kind: valueNode, text: w}, nil
	}
}

// group parses alternatives up to the closing bracket.
func (p *parser) group(closing string, depth int) (node, error) {
	var alts []node
	for {
		seq, err := p.sequence(depth + 1)
		if err != nil {
			return seq, err
		}
		if len(seq.subs) == 0 {
			return seq, fmt.Errorf("fuzz: an empty alternative in a syntax")
		}
		alts = append(alts, seq)
		w := p.take()
		if w == closing {
			break
		}
		if w != "|" {
			return seq, fmt.Errorf("fuzz: %q where %q should be in a syntax", w, closing)
		}
	}
	if len(alts) == 1 {
		return alts[0], nil
	}
	return node{kind: oneOfNode, subs: shareToken(alts)}, nil
}

// shareToken reads [AGGREGATE SUM | MIN | MAX] as it is meant: the first token stands before each alternative.
func shareToken(alts []node) []node {
	first := alts[0].subs
	if len(first) != 2 || first[0].kind != tokenNode || first[1].kind != tokenNode {
		return alts
	}
	for _, a := range alts[1:] {
		if len(a.subs) != 1 || a.subs[0].kind != tokenNode {
			return alts
		}
	}
	for i := range alts[1:] {
		alts[i+1].subs = []node{first[0], alts[i+1].subs[0]}
	}
	return alts
}

// prune drops the optional parts and alternatives that contain a token which the oracle does not know. ok is false if
// nothing is left of n.
func prune(n node, known func(token string) bool) (out node, ok bool) {
	if n.kind == tokenNode {
		return n, known(n.text)
	}
	out = node{kind: n.kind, text: n.text}
	for _, s := range n.subs {
		s, ok := prune(s, known)
		switch {
		case ok:
			out.subs = append(out.subs, s)
		case n.kind == seqNode:
			return node{}, false
		}
	}
	// An optional part that is gone leaves an empty sequence behind.
	if len(out.subs) == 0 && len(n.subs) > 0 {
		return node{kind: seqNode}, n.kind == optNode || n.kind == manyNode
	}
	return out, true
}
