// Package glob matches Redis's glob patterns, byte by byte:
//
//   - any run of bytes, the empty one too
//     ?       any one byte
//     [ab]    one of the bytes; [a-z] is a range, either way round; [^a] negates
//     \x      the byte x itself
//
// The corners are Redis's: a class that the pattern does not close ends with
// the pattern, a lone trailing backslash is a backslash, an escaped byte in a
// class keeps its case even when case is ignored, and an empty subject matches
// the empty pattern only, so that not even * does.
//
// Matching takes at most len(pattern)*len(subject) steps, keeps two positions
// instead of recursing, and allocates nothing. Redis gives up after 1000 nested
// stars; here such a pattern is matched as it reads. All functions are pure.
package glob

import (
	"bytes"
	"unsafe"
)

// MatchString is [Match] for strings.
func MatchString(pattern, s string, nocase bool) bool {
	return Match(
		unsafe.Slice(unsafe.StringData(pattern), len(pattern)),
		unsafe.Slice(unsafe.StringData(s), len(s)), nocase)
}

// Match reports whether the pattern matches all of s. With nocase the ASCII
// letters match either case.
func Match(pattern, s []byte, nocase bool) bool {
	if len(s) == 0 {
		return len(pattern) == 0
	}
	// Every token but the star takes exactly one byte, so after a failure only
	// the last star need be widened: what earlier stars took stays good.
	p, i := 0, 0
	star, retry := -1, 0 // pattern after the last star; subject where it resumes
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			for p < len(pattern) && pattern[p] == '*' {
				p++
			}
			if p == len(pattern) {
				return true
			}
			if n, last := tokens(pattern[p:]); last {
				// No star follows: the rest can only fit the end of s.
				if n > len(s)-i {
					return false
				}
				i, star = len(s)-n, -1
				continue
			}
			star, retry = p, i
		}
		if p < len(pattern) {
			if next, ok := token(pattern, p, s[i], nocase); ok {
				p = next
				i++
				continue
			}
		}
		if star < 0 {
			return false
		}
		retry++
		if c := pattern[star]; !nocase && c != '?' && c != '[' && c != '\\' {
			j := bytes.IndexByte(s[retry:], c)
			if j < 0 {
				return false
			}
			retry += j
		}
		p, i = star, retry
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// tokens counts the one-byte tokens of the pattern up to its first star, and
// reports whether there is no star.
func tokens(pattern []byte) (n int, last bool) {
	for p := 0; p < len(pattern); n++ {
		if pattern[p] == '*' {
			return n, false
		}
		p, _ = token(pattern, p, 0, false)
	}
	return n, true
}

// token matches c against the token at p, which is not a star, and returns
// where the next token begins.
func token(pattern []byte, p int, c byte, nocase bool) (next int, ok bool) {
	switch b := pattern[p]; {
	case b == '?':
		return p + 1, true
	case b == '[':
		return class(pattern, p+1, c, nocase)
	case b == '\\' && p+1 < len(pattern):
		p++
	}
	return p + 1, equal(pattern[p], c, nocase)
}

// class matches c against the class whose bracket is just before p, and
// returns where the pattern goes on after it.
func class(pattern []byte, p int, c byte, nocase bool) (next int, ok bool) {
	not := p < len(pattern) && pattern[p] == '^'
	if not {
		p++
	}
	for p < len(pattern) && pattern[p] != ']' {
		switch {
		case pattern[p] == '\\' && p+1 < len(pattern):
			p++
			ok = ok || pattern[p] == c
		case p+2 < len(pattern) && pattern[p+1] == '-':
			ok = ok || between(pattern[p], pattern[p+2], c, nocase)
			p += 2
		default:
			ok = ok || equal(pattern[p], c, nocase)
		}
		p++
	}
	if p < len(pattern) {
		p++ // the closing bracket
	}
	return p, ok != not
}

// between orders the ends before it folds their case, as Redis does: [Z-a]
// ignoring case is z..a, which holds nothing.
func between(from, to, c byte, nocase bool) bool {
	if from > to {
		from, to = to, from
	}
	if nocase {
		from, to, c = lower(from), lower(to), lower(c)
	}
	return from <= c && c <= to
}

func equal(a, b byte, nocase bool) bool {
	return a == b || nocase && lower(a) == lower(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// IsLiteral reports whether the pattern has no special byte, so that, unless
// case is ignored, it matches exactly the subject equal to it.
func IsLiteral(pattern []byte) bool {
	return len(LiteralPrefix(pattern)) == len(pattern)
}

// LiteralPrefix returns the bytes before the first special one, a slice of the
// pattern: whatever the pattern matches begins with them, unless case is
// ignored.
func LiteralPrefix(pattern []byte) []byte {
	for i, c := range pattern {
		switch c {
		case '*', '?', '[', '\\':
			return pattern[:i:i]
		}
	}
	return pattern
}
