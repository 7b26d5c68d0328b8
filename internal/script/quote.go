package script

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// quote writes s between double quotes: printable UTF-8 as it is, the rest escaped as redis-cli's command line takes it.
func quote(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('"')
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteByte(s[0])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case (r == utf8.RuneError && size == 1) || !unicode.IsPrint(r):
			for i := range size {
				b.WriteString(`\x`)
				b.WriteByte(hexDigits[s[i]>>4])
				b.WriteByte(hexDigits[s[i]&15])
			}
		default:
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	b.WriteByte('"')
	return b.String()
}

const hexDigits = "0123456789abcdef"

var (
	errQuoteOpen  = errors.New("unbalanced quotes")
	errQuoteAfter = errors.New("closing quote must be followed by a space or nothing")
)

// unquote reads the quoted string that s starts with, in double or single quotes, and returns what follows it.
func unquote(s string) (text, rest string, err error) {
	if s == "" || (s[0] != '"' && s[0] != '\'') {
		return "", s, errors.New("no quoted string")
	}
	mark := s[0]
	var b strings.Builder
	for i := 1; i < len(s); {
		c := s[i]
		switch {
		case c == mark:
			return b.String(), s[i+1:], nil
		case mark == '\'' && strings.HasPrefix(s[i:], `\'`):
			b.WriteByte('\'')
			i += 2
		case mark == '"' && c == '\\' && i+1 < len(s):
			size := unescape(&b, s[i:])
			i += size
		default:
			b.WriteByte(c)
			i++
		}
	}
	return "", s, errQuoteOpen
}

// unescape decodes the escape that s starts with, which has at least two bytes, and returns its size.
func unescape(b *strings.Builder, s string) int {
	if s[1] == 'x' && len(s) >= 4 {
		if v, err := strconv.ParseUint(s[2:4], 16, 8); err == nil {
			b.WriteByte(byte(v))
			return 4
		}
	}
	switch s[1] {
	case 'n':
		b.WriteByte('\n')
	case 'r':
		b.WriteByte('\r')
	case 't':
		b.WriteByte('\t')
	case 'b':
		b.WriteByte('\b')
	case 'a':
		b.WriteByte('\a')
	default:
		b.WriteByte(s[1])
	}
	return 2
}

const blanks = " \t\n\v\f\r\x00"

// SplitArgs splits a command line as redis-cli does: at blanks, with "..." (which knows \n \r \t \b \a \xHH) and '...'
// (which knows \') holding blanks together. A quote may open in the middle of a word, but must close at its end.
func SplitArgs(line string) ([]string, error) {
	var args []string
	for {
		line = strings.TrimLeft(line, blanks)
		if line == "" {
			return args, nil
		}
		var word strings.Builder
		for line != "" && !strings.ContainsRune(blanks, rune(line[0])) {
			if line[0] != '"' && line[0] != '\'' {
				word.WriteByte(line[0])
				line = line[1:]
				continue
			}
			text, rest, err := unquote(line)
			if err != nil {
				return nil, err
			}
			if rest != "" && !strings.ContainsRune(blanks, rune(rest[0])) {
				return nil, errQuoteAfter
			}
			word.WriteString(text)
			line = rest
		}
		args = append(args, word.String())
	}
}
