package lua

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unsafe"
)

// OpenString adds the string library and makes it the index of all strings.
func (s *State) OpenString() {
	lib := s.NewTable(0, 16)
	s.SetFuncs(lib, map[string]GoFunc{
		"byte": strByte, "char": strChar, "dump": strDump, "find": strFind, "format": strFormat, "gfind": strGMatch,
		"gmatch": strGMatch, "gsub": strGSub, "len": strLength, "lower": strLower, "match": strMatch, "rep": strRep,
		"reverse": strReverse, "sub": strSub, "upper": strUpper,
	})
	meta := s.NewTable(0, 1)
	meta.SetStr("__index", Tab(lib))
	s.strMeta = meta
	s.globals.SetStr("string", Tab(lib))
}

// own makes a string value of bytes that nobody else holds.
func (t *Thread) own(b []byte) Value {
	if len(b) == 0 {
		return Str("")
	}
	return Str(unsafe.String(&b[0], len(b)))
}

// room charges for a string that is about to be made.
func (t *Thread) room(n int) {
	if n > maxString {
		panic(t.st.newError("not enough memory"))
	}
	t.st.charge(n + valueBytes)
	t.st.Work(n >> 6)
}

func position(i, n int) int {
	if i < 0 {
		i += n + 1
	}
	return max(i, 0)
}

func strByte(t *Thread) int {
	s := t.CheckString(1)
	i := position(t.OptInt(2, 1), len(s))
	j := position(t.OptInt(3, i), len(s))
	i, j = max(i, 1), min(j, len(s))
	if i > j {
		return 0
	}
	n := j - i + 1
	if t.NArgs()+n > maxGoStack {
		t.Errorf("stack overflow (string slice too long)")
	}
	for ; i <= j; i++ {
		t.Push(Int(int(s[i-1])))
	}
	return n
}

func strChar(t *Thread) int {
	n := t.NArgs()
	b := make([]byte, n)
	for i := range b {
		c := t.CheckInt(i + 1)
		if c < 0 || c > 255 {
			t.ArgError(i+1, "invalid value")
		}
		b[i] = byte(c)
	}
	t.room(n)
	return t.Return(t.own(b))
}

func strDump(t *Thread) int {
	t.CheckFunction(1)
	t.Errorf("unable to dump given function")
	return 0
}

func strLength(t *Thread) int { return t.Return(Int(len(t.CheckString(1)))) }

func (t *Thread) mapBytes(f func(dst []byte, src string)) int {
	s := t.CheckString(1)
	t.room(len(s))
	b := make([]byte, len(s))
	f(b, s)
	return t.Return(t.own(b))
}

func strLower(t *Thread) int {
	return t.mapBytes(func(dst []byte, src string) {
		for i := range dst {
			c := src[i]
			if c >= 'A' && c <= 'Z' {
				c |= 0x20
			}
			dst[i] = c
		}
	})
}

func strUpper(t *Thread) int {
	return t.mapBytes(func(dst []byte, src string) {
		for i := range dst {
			c := src[i]
			if c >= 'a' && c <= 'z' {
				c &^= 0x20
			}
			dst[i] = c
		}
	})
}

func strReverse(t *Thread) int {
	return t.mapBytes(func(dst []byte, src string) {
		for i := range dst {
			dst[i] = src[len(src)-1-i]
		}
	})
}

func strRep(t *Thread) int {
	s := t.CheckString(1)
	n := t.CheckInt(2)
	if n <= 0 || s == "" {
		return t.Return(Str(""))
	}
	if n > maxString/len(s) {
		panic(t.st.newError("not enough memory"))
	}
	size := n * len(s)
	t.room(size)
	b := make([]byte, size)
	done := copy(b, s)
	for done < size {
		// Double up to a piece that is copied in well under a millisecond.
		done += copy(b[done:], b[:min(done, 1<<20/len(s)*len(s)+len(s))])
		t.st.Work(1)
	}
	return t.Return(t.own(b))
}

func strSub(t *Thread) int {
	v := t.Arg(1)
	s := t.CheckString(1)
	i := position(t.CheckInt(2), len(s))
	j := position(t.OptInt(3, -1), len(s))
	i, j = max(i, 1), min(j, len(s))
	if i > j {
		return t.Return(Str(""))
	}
	if i == 1 && j == len(s) && v.isStr() {
		return t.Return(v)
	}
	// A copy, so that a small piece does not hold a large string.
	t.room(j - i + 1)
	return t.Return(Str(strings.Clone(s[i-1 : j])))
}

func hasSpecials(p string) bool { return strings.ContainsAny(p, "^$*+?.([%-") }

func strFind(t *Thread) int { return t.find(true) }

func strMatch(t *Thread) int { return t.find(false) }

func (t *Thread) find(find bool) int {
	s, p := t.CheckString(1), t.CheckString(2)
	init := t.OptInt(3, 1)
	if init < 0 {
		init = max(init+len(s)+1, 1)
	}
	init = max(init-1, 0)
	init = min(init, len(s))
	if find && (t.Arg(4).Truthy() || !hasSpecials(p)) {
		t.st.Work((len(s) - init) >> 6)
		i := strings.Index(s[init:], p)
		if i < 0 {
			return t.Return(Value{})
		}
		t.Push(Int(init + i + 1))
		t.Push(Int(init + i + len(p)))
		return 2
	}
	m := t.newMatcher(s, p)
	defer m.release()
	anchor := p != "" && p[0] == '^'
	start := 0
	if anchor {
		start = 1
	}
	for at := init; at <= len(s); at++ {
		m.level = 0
		if e := m.match(at, start); e >= 0 {
			if find {
				t.Push(Int(at + 1))
				t.Push(Int(e))
				return 2 + m.pushCaptures(at, e, false)
			}
			return m.pushCaptures(at, e, true)
		}
		if anchor {
			break
		}
	}
	return t.Return(Value{})
}

func strGMatch(t *Thread) int {
	s, p := t.CheckString(1), t.CheckString(2)
	at := 0
	// The strings are held by the iterator: as upvalues, so that they are measured.
	f := t.st.NewGo("gmatch", nil)
	t.st.charge(functionBytes + 2*upvalueBytes)
	for i := 1; i <= 2; i++ {
		u := &upvalue{v: t.Arg(i)}
		u.p = &u.v
		f.up = append(f.up, u)
	}
	f.gofn = func(t *Thread) int {
		m := &matcher{t: t, src: s, pat: p}
		for ; at <= len(s); at++ {
			m.level = 0
			if e := m.match(at, 0); e >= 0 {
				from := at
				at = e
				if e == from {
					at++
				}
				return m.pushCaptures(from, e, true)
			}
		}
		return 0
	}
	return t.Return(Fn(f))
}

func strGSub(t *Thread) int {
	s, p := t.CheckString(1), t.CheckString(2)
	repl := t.Arg(3)
	switch repl.Kind() {
	case Number, String, TableKind, FunctionKind:
	default:
		t.ArgError(3, "string/function/table expected")
	}
	limit := t.OptInt(4, len(s)+1)
	anchor := p != "" && p[0] == '^'
	start := 0
	if anchor {
		start = 1
	}
	m := t.newMatcher(s, p)
	defer m.release()
	var out []byte
	meter := t.st.Meter()
	at, n := 0, 0
	for n < limit {
		m.level = 0
		e := m.match(at, start)
		if e >= 0 {
			n++
			out = m.replace(out, &meter, repl, at, e)
		}
		if e >= 0 && e > at {
			at = e
		} else if at < len(s) {
			out = append(out, s[at])
			at++
		} else {
			break
		}
		meter.Need(len(out))
		if anchor {
			break
		}
	}
	if n == 0 && t.Arg(1).isStr() {
		t.Push(t.Arg(1))
	} else {
		if at < len(s) {
			out = append(out, s[at:]...)
		}
		t.room(len(out))
		t.Push(t.own(out))
	}
	t.Push(Int(n))
	return 2
}

// replace appends what a match from s to e becomes.
func (m *matcher) replace(out []byte, meter *Meter, repl Value, s, e int) []byte {
	t := m.t
	var v Value
	switch {
	case repl.isTable():
		v = t.index(repl, m.capture(0, s, e))
	case repl.isFn():
		t.Push(repl)
		n := m.pushCaptures(s, e, true)
		t.Call(n, 1)
		t.top--
		v = t.stack[t.top]
	default:
		text := t.st.plainText(repl)
		for i := 0; i < len(text); i++ {
			if text[i] != '%' {
				out = append(out, text[i])
				continue
			}
			i++
			switch {
			case i >= len(text):
				out = append(out, 0) // C's string ends with a zero byte
			case !isDigit(text[i]):
				out = append(out, text[i])
			case text[i] == '0':
				meter.Need(len(out) + e - s)
				t.st.Work((e - s) >> 6)
				out = append(out, m.src[s:e]...)
			default:
				c := t.st.plainText(m.capture(int(text[i]-'1'), s, e))
				meter.Need(len(out) + len(c))
				out = append(out, c...)
			}
		}
		return out
	}
	switch {
	case v.falsy():
		return append(out, m.src[s:e]...)
	case !textual(v):
		t.Errorf("invalid replacement value (a %s)", v.Kind())
	}
	text := t.st.plainText(v)
	meter.Need(len(out) + len(text))
	return append(out, text...)
}

func strFormat(t *Thread) int {
	f := t.CheckString(1)
	var out []byte
	meter := t.st.Meter()
	arg := 1
	for i := 0; i < len(f); i++ {
		c := f[i]
		if c != '%' {
			out = append(out, c)
			continue
		}
		i++
		if i < len(f) && f[i] == '%' {
			out = append(out, '%')
			continue
		}
		if arg++; arg > t.NArgs() {
			t.ArgError(arg, "no value")
		}
		spec, next := t.readSpec(f, i)
		i = next
		if v := t.Arg(arg); v.isStr() {
			meter.Need(len(out) + v.strLen())
			t.st.Work(v.strLen() >> 6)
		}
		out = t.formatOne(out, spec, arg)
	}
	t.room(len(out))
	return t.Return(t.own(out))
}

// formatSpec is one conversion of a format.
type formatSpec struct {
	flags      string
	width      int
	prec       int // -1 for none
	conversion byte
}

func (t *Thread) readSpec(f string, i int) (s formatSpec, at int) {
	start := i
	for i < len(f) && strings.IndexByte("-+ #0", f[i]) >= 0 {
		i++
	}
	if i-start > 5 {
		t.Errorf("invalid format (repeated flags)")
	}
	s.flags = f[start:i]
	number := func() int {
		n := 0
		for d := 0; d < 2 && i < len(f) && isDigit(f[i]); d++ {
			n = n*10 + int(f[i]-'0')
			i++
		}
		return n
	}
	s.width, s.prec = number(), -1
	if i < len(f) && f[i] == '.' {
		i++
		s.prec = number()
	}
	if i < len(f) && isDigit(f[i]) {
		t.Errorf("invalid format (width or precision too long)")
	}
	if i < len(f) {
		s.conversion = f[i]
	}
	return s, i
}

func (s formatSpec) has(flag byte) bool { return strings.IndexByte(s.flags, flag) >= 0 }

// pad appends text in the width of the conversion.
func (s formatSpec) pad(out []byte, text string) []byte {
	fill := s.width - len(text)
	if fill > 0 && !s.has('-') {
		out = append(out, bytes.Repeat([]byte{' '}, fill)...)
	}
	out = append(out, text...)
	if fill > 0 && s.has('-') {
		out = append(out, bytes.Repeat([]byte{' '}, fill)...)
	}
	return out
}

// format is the specification for Go's fmt.
func (s formatSpec) format(drop string, verb byte, prec int) string {
	b := []byte{'%'}
	for i := 0; i < len(s.flags); i++ {
		if strings.IndexByte(drop, s.flags[i]) < 0 {
			b = append(b, s.flags[i])
		}
	}
	if s.width > 0 {
		b = strconv.AppendInt(b, int64(s.width), 10)
	}
	if prec >= 0 {
		b = append(b, '.')
		b = strconv.AppendInt(b, int64(prec), 10)
	}
	return string(append(b, verb))
}

func (t *Thread) formatOne(out []byte, s formatSpec, arg int) []byte {
	switch s.conversion {
	case 'c':
		// C's string ends at a zero byte.
		text, _, _ := strings.Cut(string(s.pad(nil, string([]byte{byte(t.CheckInt(arg))}))), "\x00")
		return append(out, text...)
	case 'd', 'i':
		return fmt.Appendf(out, s.format("#", 'd', s.prec), ToInt(t.CheckNumber(arg)))
	case 'u', 'o', 'x', 'X':
		f := t.CheckNumber(arg)
		n := uint64(ToInt(f))
		if f >= 1<<63 && f < 1<<64 {
			n = uint64(f)
		}
		verb, drop := s.conversion, "+ "
		if verb == 'u' {
			verb, drop = 'd', "+ #"
		}
		if n == 0 {
			drop += "#"
		}
		return fmt.Appendf(out, s.format(drop, verb, s.prec), n)
	case 'e', 'E', 'f', 'g', 'G':
		f := t.CheckNumber(arg)
		if math.IsInf(f, 0) || math.IsNaN(f) {
			text := string(appendSpecial(nil, f))
			if text[0] != '-' {
				if s.has('+') {
					text = "+" + text
				} else if s.has(' ') {
					text = " " + text
				}
			}
			if s.conversion < 'a' {
				text = strings.ToUpper(text)
			}
			return s.pad(out, text)
		}
		prec := s.prec
		if prec < 0 {
			prec = 6
		}
		if prec == 0 && s.conversion|0x20 == 'g' {
			prec = 1
		}
		return fmt.Appendf(out, s.format("", s.conversion, prec), f)
	case 'q':
		return appendQuoted(out, t.CheckString(arg))
	case 's':
		text := t.CheckString(arg)
		if s.prec < 0 && len(text) >= 100 {
			return append(out, text...)
		}
		if i := strings.IndexByte(text, 0); i >= 0 {
			text = text[:i]
		}
		if s.prec >= 0 && s.prec < len(text) {
			text = text[:s.prec]
		}
		return s.pad(out, text)
	}
	name := "%"
	if s.conversion != 0 {
		name += string([]byte{s.conversion})
	}
	t.Errorf("invalid option '%s' to 'format'", name)
	return nil
}

// appendQuoted writes a string as the language would read it back.
func appendQuoted(out []byte, s string) []byte {
	out = append(out, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\\', '\n':
			out = append(out, '\\', c)
		case '\r':
			out = append(out, `\r`...)
		case 0:
			out = append(out, `\000`...)
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
