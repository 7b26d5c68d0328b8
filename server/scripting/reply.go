package scripting

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/streampulse/pulse/server/scripting/lua"
)

// parser makes values of a raw reply. Replies are the server's own and well-formed; what is cut off reads as nil.
type parser struct {
	in  *interp
	t   *lua.Thread
	raw []byte
	at  int
}

// line is the text up to the end of the line.
func line(b []byte) []byte {
	if i := bytes.IndexByte(b, '\r'); i >= 0 {
		return b[:i]
	}
	return b
}

func (p *parser) line() []byte {
	b := line(p.raw[p.at:])
	p.at = min(p.at+len(b)+2, len(p.raw))
	return b
}

// integer parses the digits of a line.
func (p *parser) integer() int64 {
	neg, n := false, uint64(0)
	i := p.at
	if i < len(p.raw) && p.raw[i] == '-' {
		neg = true
		i++
	}
	for ; i < len(p.raw) && p.raw[i] != '\r'; i++ {
		n = n*10 + uint64(p.raw[i]-'0')
	}
	p.at = min(i+2, len(p.raw))
	if neg {
		return -int64(n)
	}
	return int64(n)
}

func (p *parser) bulk(n int64) []byte {
	end := min(p.at+int(n), len(p.raw))
	b := p.raw[p.at:end]
	p.at = min(end+2, len(p.raw))
	return b
}

// maxReplyNesting is far beyond what commands reply.
const maxReplyNesting = 256

func (p *parser) value(depth int) lua.Value {
	if p.at >= len(p.raw) || depth > maxReplyNesting {
		return lua.NilValue
	}
	s := p.in.st
	kind := p.raw[p.at]
	p.at++
	switch kind {
	case ':':
		return lua.Num(float64(p.integer()))
	case '$':
		n := p.integer()
		if n < 0 {
			return lua.Bool(false)
		}
		b := p.bulk(n)
		s.Work(len(b) >> 6)
		return s.Bytes(b)
	case '+':
		return p.single("ok", s.Bytes(p.line()))
	case '-':
		return p.single("err", s.Bytes(p.line()))
	case '*', '>':
		return p.array(p.integer(), depth)
	case '_':
		p.line()
		return lua.NilValue
	case '#':
		return lua.Bool(string(p.line()) == "t")
	case ',':
		f, err := strconv.ParseFloat(string(p.line()), 64)
		if err != nil && !math.IsInf(f, 0) {
			f = 0
		}
		return p.single("double", lua.Num(f))
	case '(':
		return p.single("big_number", s.Bytes(p.line()))
	case '=':
		b := p.bulk(p.integer())
		tab := s.NewTable(0, 2)
		if len(b) >= 4 {
			tab.SetStr("string", s.Bytes(b[4:]))
			tab.SetStr("format", s.Bytes(b[:3]))
		}
		return p.single("verbatim_string", lua.Tab(tab))
	case '%':
		return p.mapping(p.integer(), depth)
	case '~':
		return p.set(p.integer(), depth)
	case '|':
		for n := 2 * p.integer(); n > 0; n-- {
			p.value(depth + 1)
		}
		return p.value(depth)
	}
	return lua.NilValue
}

func (p *parser) single(name string, v lua.Value) lua.Value {
	tab := p.in.st.NewTable(0, 1)
	tab.SetStr(name, v)
	return lua.Tab(tab)
}

// The tables under construction are on the stack, where they are measured.

func (p *parser) array(n int64, depth int) lua.Value {
	if n < 0 {
		return lua.Bool(false)
	}
	tab := p.in.st.NewTable(int(min(n, int64(len(p.raw)))), 0)
	p.t.Push(lua.Tab(tab))
	for i := 1; int64(i) <= n; i++ {
		tab.SetInt(i, p.value(depth+1))
	}
	p.t.Pop(1)
	p.in.st.Work(int(n))
	return lua.Tab(tab)
}

func (p *parser) mapping(n int64, depth int) lua.Value {
	tab := p.in.st.NewTable(0, 0)
	p.t.Push(lua.Tab(tab))
	for ; n > 0; n-- {
		k := p.value(depth + 1)
		v := p.value(depth + 1)
		if !k.IsNil() {
			tab.Set(k, v)
		}
	}
	p.t.Pop(1)
	return p.single("map", lua.Tab(tab))
}

func (p *parser) set(n int64, depth int) lua.Value {
	tab := p.in.st.NewTable(0, 0)
	p.t.Push(lua.Tab(tab))
	for ; n > 0; n-- {
		if k := p.value(depth + 1); !k.IsNil() {
			tab.Set(k, lua.Bool(true))
		}
	}
	p.t.Pop(1)
	return p.single("set", lua.Tab(tab))
}

// stackLimit is how many values Lua 5.1 lets a C function push: it ends the nesting of replies.
const stackLimit = 8000

// reply writes the value that a script returned. used is how many values Redis would have on its stack: beyond the limit there is an
// error in place of the value.
func (in *interp) reply(v lua.Value, used int) {
	if used+4 > stackLimit {
		in.out.Error("ERR reached lua stack limit")
		return
	}
	switch v.Kind() {
	case lua.String:
		s, _ := v.AsString()
		in.meter.Need(in.out.Len() + len(s))
		in.out.BulkString(s)
	case lua.Number:
		f, _ := v.AsNumber()
		in.out.Int(lua.ToInt(f))
	case lua.Boolean:
		switch {
		case in.proto == 3:
			in.out.Bool(v.Truthy())
		case v.Truthy():
			in.out.Int(1)
		default:
			in.out.Null()
		}
	case lua.TableKind:
		in.table(v.AsTable(), used)
	default:
		in.out.Null()
	}
	in.meter.Need(in.out.Len())
	in.st.Work(1)
}

func (in *interp) table(t *lua.Table, used int) {
	if s, ok := textField(t, "err"); ok {
		in.failWith(cutNUL(s), isCounted(t))
		return
	}
	if s, ok := textField(t, "ok"); ok {
		in.out.Simple(cutNUL(s))
		return
	}
	if f, ok := t.GetStr("double").AsNumber(); ok {
		in.out.Double(f)
		return
	}
	if m := t.GetStr("map").AsTable(); m != nil {
		in.mapping(m, used)
		return
	}
	if m := t.GetStr("set").AsTable(); m != nil {
		in.set(m, used)
		return
	}
	if s, ok := textField(t, "big_number"); ok {
		in.out.BigNumber(s)
		return
	}
	if m := t.GetStr("verbatim_string").AsTable(); m != nil {
		text, ok1 := m.GetStr("string").AsString()
		format, ok2 := m.GetStr("format").AsString()
		if ok1 && ok2 {
			in.out.Verbatim((format + "   ")[:3], text)
			return
		}
	}
	n := 0
	for !t.GetInt(n + 1).IsNil() {
		n++
	}
	in.out.Array(n)
	for i := 1; i <= n; i++ {
		in.reply(t.GetInt(i), used+1)
	}
}

// textField is a field that is a string; numbers are none here.
func textField(t *lua.Table, name string) (string, bool) { return t.GetStr(name).AsString() }

// cutNUL ends a text at its first zero byte, as C does.
func cutNUL(s string) string {
	s, _, _ = strings.Cut(s, "\x00")
	return s
}

// pairs counts the pairs of a table.
func pairs(m *lua.Table) int {
	n := 0
	for at := 0; ; n++ {
		_, _, next, more := m.Step(at)
		if !more {
			return n
		}
		at = next
	}
}

func (in *interp) mapping(m *lua.Table, used int) {
	in.out.Map(pairs(m))
	for at := 0; ; {
		k, v, next, more := m.Step(at)
		if !more {
			return
		}
		at = next
		in.reply(k, used+4)
		in.reply(v, used+3)
	}
}

func (in *interp) set(m *lua.Table, used int) {
	in.out.Set(pairs(m))
	for at := 0; ; {
		k, _, next, more := m.Step(at)
		if !more {
			return
		}
		at = next
		in.reply(k, used+3)
	}
}
