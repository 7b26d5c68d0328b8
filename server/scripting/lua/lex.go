package lua

import (
	"fmt"
	"strconv"
	"strings"
)

type token uint8

const (
	tEOF token = iota
	tAnd
	tBreak
	tDo
	tElse
	tElseif
	tEnd
	tFalse
	tFor
	tFunction
	tIf
	tIn
	tLocal
	tNil
	tNot
	tOr
	tRepeat
	tReturn
	tThen
	tTrue
	tUntil
	tWhile
	tConcat
	tDots
	tEq
	tGe
	tLe
	tNe
	tNumber
	tName
	tString
	tChar // any other single byte, in lexer.ch
)

var tokenNames = [...]string{"<eof>", "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in", "local", "nil",
	"not", "or", "repeat", "return", "then", "true", "until", "while", "..", "...", "==", ">=", "<=", "~=", "<number>", "<name>", "<string>"}

var keywords = func() map[string]token {
	m := make(map[string]token)
	for t := tAnd; t <= tWhile; t++ {
		m[tokenNames[t]] = t
	}
	return m
}()

// tok is one token: kind, text, number and line.
type tok struct {
	kind token
	ch   byte
	line int
	s    string
	num  float64
	from int // where its text begins in the source
}

type lexer struct {
	src   string
	pos   int
	line  int
	chunk string
	cur   tok
	ahead tok
	has   bool
	last  int // line of the token before the current one
}

// SyntaxError is an error of compilation; its text is the message with chunk and line.
type SyntaxError struct{ Message string }

func (e *SyntaxError) Error() string { return e.Message }

// fail reports an error near a text; without one if near is empty.
func (l *lexer) fail(msg, near string) {
	msg = chunkID(l.chunk) + ":" + strconv.Itoa(l.line) + ": " + msg
	if near != "" {
		msg += " near '" + near + "'"
	}
	panic(&SyntaxError{msg})
}

// failCur reports an error at the current token.
func (l *lexer) failCur(msg string) { l.fail(msg, l.text(l.cur)) }

func (l *lexer) text(t tok) string {
	switch t.kind {
	case tName, tString, tNumber:
		text := l.src[t.from:l.tokenEnd(t)]
		if i := strings.IndexByte(text, 0); i >= 0 {
			text = text[:i]
		}
		return text
	case tChar:
		switch {
		case t.ch == 0: // Lua takes it for no token
			return ""
		case t.ch < 32 || t.ch == 127:
			return fmt.Sprintf("char(%d)", t.ch)
		}
		return string([]byte{t.ch})
	}
	return tokenNames[t.kind]
}

func (l *lexer) tokenEnd(t tok) int {
	if l.has && l.cur.from == t.from {
		// A token was read ahead: read this one again to find its end.
		again := lexer{src: l.src, pos: t.from, line: t.line, chunk: l.chunk}
		again.scan()
		return again.pos
	}
	return l.pos
}

func (l *lexer) next() {
	l.last = l.cur.line
	if l.has {
		l.cur, l.has = l.ahead, false
		l.line = l.cur.line
		return
	}
	l.cur = l.scan()
}

func (l *lexer) peek() token {
	if !l.has {
		line := l.line
		l.ahead, l.has = l.scan(), true
		l.ahead.line = l.line
		l.line = line
	}
	return l.ahead.kind
}

func (l *lexer) at(i int) byte {
	if i < len(l.src) {
		return l.src[i]
	}
	return 0
}

// newline skips a line's end, two different characters being one.
func (l *lexer) newline() {
	c := l.src[l.pos]
	l.pos++
	if n := l.at(l.pos); l.pos < len(l.src) && (n == '\n' || n == '\r') && n != c {
		l.pos++
	}
	l.line++
}

func (l *lexer) scan() tok {
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		start := l.pos
		one := func(k token, n int) tok {
			l.pos += n
			return tok{kind: k, line: l.line, from: start}
		}
		switch c {
		case '\n', '\r':
			l.newline()
			continue
		case '-':
			if l.at(l.pos+1) != '-' {
				break
			}
			l.pos += 2
			if l.at(l.pos) == '[' {
				if level := l.longLevel(); level >= 0 {
					l.longString(level, true)
					continue
				}
			}
			for l.pos < len(l.src) && l.src[l.pos] != '\n' && l.src[l.pos] != '\r' {
				l.pos++
			}
			continue
		case '[':
			level := l.longLevel()
			if level >= 0 {
				s := l.longString(level, false)
				return tok{kind: tString, line: l.line, s: s, from: start}
			}
			if level == -2 {
				l.fail("invalid long string delimiter", l.src[start:l.pos])
			}
		case '=':
			if l.at(l.pos+1) == '=' {
				return one(tEq, 2)
			}
		case '<':
			if l.at(l.pos+1) == '=' {
				return one(tLe, 2)
			}
		case '>':
			if l.at(l.pos+1) == '=' {
				return one(tGe, 2)
			}
		case '~':
			if l.at(l.pos+1) == '=' {
				return one(tNe, 2)
			}
		case '"', '\'':
			s := l.shortString(c)
			return tok{kind: tString, line: l.line, s: s, from: start}
		case '.':
			if l.at(l.pos+1) == '.' {
				if l.at(l.pos+2) == '.' {
					return one(tDots, 3)
				}
				return one(tConcat, 2)
			}
			if isDigit(l.at(l.pos + 1)) {
				return l.number()
			}
		default:
			if isSpace(c) {
				l.pos++
				continue
			}
			if isDigit(c) {
				return l.number()
			}
			if isAlpha(c) || c == '_' {
				for l.pos < len(l.src) && (isAlpha(l.src[l.pos]) || isDigit(l.src[l.pos]) || l.src[l.pos] == '_') {
					l.pos++
				}
				word := l.src[start:l.pos]
				if k, ok := keywords[word]; ok {
					return tok{kind: k, line: l.line, from: start}
				}
				return tok{kind: tName, line: l.line, s: word, from: start}
			}
		}
		l.pos++
		return tok{kind: tChar, ch: c, line: l.line, from: start}
	}
	return tok{kind: tEOF, line: l.line, from: len(l.src)}
}

func (l *lexer) number() tok {
	start := l.pos
	for isDigit(l.at(l.pos)) || l.at(l.pos) == '.' {
		l.pos++
	}
	if c := l.at(l.pos); c == 'e' || c == 'E' {
		l.pos++
		if c := l.at(l.pos); c == '+' || c == '-' {
			l.pos++
		}
	}
	for c := l.at(l.pos); isAlpha(c) || isDigit(c) || c == '_'; c = l.at(l.pos) {
		l.pos++
	}
	text := l.src[start:l.pos]
	f, ok := ParseNumber(text)
	if !ok {
		l.fail("malformed number", text)
	}
	return tok{kind: tNumber, line: l.line, num: f, from: start}
}

// longLevel looks at a '[': the level of the long bracket that opens there, -1 for none, -2 for a broken one.
func (l *lexer) longLevel() int {
	i := l.pos + 1
	for l.at(i) == '=' {
		i++
	}
	if l.at(i) == '[' {
		return i - l.pos - 1
	}
	if i == l.pos+1 {
		return -1
	}
	return -2
}

func (l *lexer) longString(level int, comment bool) string {
	l.pos += level + 2
	if c := l.at(l.pos); l.pos < len(l.src) && (c == '\n' || c == '\r') {
		l.newline()
	}
	var b strings.Builder
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; c {
		case ']':
			i := l.pos + 1
			for l.at(i) == '=' {
				i++
			}
			if i-l.pos-1 == level && l.at(i) == ']' {
				l.pos = i + 1
				return b.String()
			}
			b.WriteString(l.src[l.pos:i])
			l.pos = i
		case '[':
			if level == 0 && !comment && l.at(l.pos+1) == '[' {
				l.fail("nesting of [[...]] is deprecated", "[")
			}
			b.WriteByte(c)
			l.pos++
		case '\n', '\r':
			l.newline()
			b.WriteByte('\n')
		default:
			b.WriteByte(c)
			l.pos++
		}
	}
	if comment {
		l.fail("unfinished long comment", "<eof>")
	}
	l.fail("unfinished long string", "<eof>")
	return ""
}

func (l *lexer) shortString(quote byte) string {
	start := l.pos
	l.pos++
	var b []byte
	for {
		if l.pos >= len(l.src) {
			l.fail("unfinished string", "<eof>")
		}
		c := l.src[l.pos]
		switch c {
		case quote:
			l.pos++
			return string(b)
		case '\n', '\r':
			l.fail("unfinished string", l.src[start:l.pos])
		case '\\':
			slash := l.pos
			l.pos++
			if l.pos >= len(l.src) {
				continue
			}
			c = l.src[l.pos]
			switch c {
			case 'a':
				c = '\a'
			case 'b':
				c = '\b'
			case 'f':
				c = '\f'
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			case 'v':
				c = '\v'
			case '\n', '\r':
				l.newline()
				b = append(b, '\n')
				continue
			default:
				if !isDigit(c) {
					break
				}
				v := 0
				for i := 0; i < 3 && isDigit(l.at(l.pos)); i++ {
					v = v*10 + int(l.src[l.pos]-'0')
					l.pos++
				}
				if v > 255 {
					l.fail("escape sequence too large", l.src[start:slash])
				}
				b = append(b, byte(v))
				continue
			}
		}
		b = append(b, c)
		l.pos++
	}
}

// chunkID is how a chunk is named in messages: by its name after '@' or '=', otherwise by the beginning of its text.
func chunkID(name string) string {
	const room = 80
	if name == "" {
		return `[string ""]`
	}
	switch name[0] {
	case '=':
		return name[1:min(len(name), room)]
	case '@':
		name = name[1:]
		if limit := room - len(" '...' ") - 1; len(name) > limit {
			return "..." + name[len(name)-limit:]
		}
		return name
	}
	line := name
	if i := strings.IndexAny(line, "\n\r"); i >= 0 {
		line = line[:i]
	}
	if i := strings.IndexByte(line, 0); i >= 0 {
		line = line[:i]
	}
	limit := room - len(` [string "..."] `) - 1
	cut := len(line) != len(name)
	if len(line) > limit {
		line, cut = line[:limit], true
	}
	if cut {
		return `[string "` + line + `..."]`
	}
	return `[string "` + line + `"]`
}
