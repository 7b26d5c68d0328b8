package commands

import (
	"bytes"

	"github.com/streampulse/pulse/internal/num"
)

// Args is a cursor over arguments that latches its first error: parse everything, then look at Err once.
type Args struct {
	v   [][]byte
	i   int
	err error
}

// From returns a cursor over the arguments from position i on (0 is the command's name).
func (c *Call) From(i int) Args { return Args{v: c.Args, i: i} }

// More reports whether there are arguments left and no error yet.
func (a *Args) More() bool { return a.err == nil && a.i < len(a.v) }

// Left returns the number of arguments left.
func (a *Args) Left() int { return len(a.v) - a.i }

// Pos returns the position of the next argument.
func (a *Args) Pos() int { return a.i }

// Err returns the first error.
func (a *Args) Err() error { return a.err }

// Fail latches err.
func (a *Args) Fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

// Peek returns the next argument without taking it, nil at the end.
func (a *Args) Peek() []byte {
	if a.i >= len(a.v) {
		return nil
	}
	return a.v[a.i]
}

// Next takes the next argument; at the end it latches a syntax error and returns nil.
func (a *Args) Next() []byte {
	if a.err != nil || a.i >= len(a.v) {
		a.Fail(ErrSyntax)
		return nil
	}
	a.i++
	return a.v[a.i-1]
}

// Rest takes all arguments left.
func (a *Args) Rest() [][]byte {
	r := a.v[a.i:]
	a.i = len(a.v)
	return r
}

// Is takes the next argument if it is the given word, in any case of letters. word is upper case.
func (a *Args) Is(word string) bool {
	if a.err == nil && a.i < len(a.v) && is(a.v[a.i], word) {
		a.i++
		return true
	}
	return false
}

// IsWith is Is, for a word that must be followed by at least n more arguments; otherwise it takes nothing.
func (a *Args) IsWith(word string, n int) bool {
	return a.Left() > n && a.Is(word)
}

// Int takes the next argument as a signed 64-bit integer.
func (a *Args) Int() int64 { return a.IntErr(ErrNotInteger) }

// IntErr is Int with another error for what is no integer.
func (a *Args) IntErr(err error) int64 {
	b := a.Next()
	if a.err != nil {
		return 0
	}
	n, ok := num.ParseInt(b)
	if !ok {
		a.Fail(err)
	}
	return n
}

// Float takes the next argument as a double; NaN is refused.
func (a *Args) Float() float64 { return a.FloatErr(ErrNotFloat) }

// FloatErr is Float with another error for what is no number.
func (a *Args) FloatErr(err error) float64 {
	b := a.Next()
	if a.err != nil {
		return 0
	}
	f, ok := num.ParseFloat(b)
	if !ok {
		a.Fail(err)
	}
	return f
}

// is reports whether b is word, which is upper case, in any case of letters.
func is(b []byte, word string) bool {
	return len(b) == len(word) && bytes.EqualFold(b, []byte(word))
}
