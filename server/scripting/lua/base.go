package lua

import (
	"fmt"
	"strings"
)

// plainText is tostring without metamethods.
func (s *State) plainText(v Value) string {
	switch v.Kind() {
	case Nil, None:
		return "nil"
	case Boolean:
		if v.n == 1 {
			return "true"
		}
		return "false"
	case Number:
		return FormatNumber(v.num())
	case String:
		return v.str()
	case UserData:
		return "userdata: (nil)"
	}
	return fmt.Sprintf("%s: %p", v.Kind(), v.p)
}

// SetFuncs puts Go functions in a table under their names.
func (s *State) SetFuncs(t *Table, funcs map[string]GoFunc) {
	names := make([]string, 0, len(funcs))
	for n := range funcs {
		names = append(names, n)
	}
	sortStrings(names)
	for _, n := range names {
		t.SetStr(n, Fn(s.NewGo(n, funcs[n])))
	}
}

func sortStrings(list []string) {
	for i := 1; i < len(list); i++ {
		for j := i; j > 0 && list[j] < list[j-1]; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
}

// OpenBase adds the basic functions and the coroutine library.
func (s *State) OpenBase() {
	g := s.globals
	s.SetFuncs(g, map[string]GoFunc{
		"assert": baseAssert, "collectgarbage": baseCollect, "error": baseError, "gcinfo": baseGCInfo,
		"getmetatable": baseGetMeta, "load": baseLoad, "loadstring": baseLoadString, "next": baseNext, "pairs": basePairs,
		"pcall": basePCall, "rawequal": baseRawEqual, "rawget": baseRawGet, "rawset": baseRawSet, "select": baseSelect,
		"setmetatable": baseSetMeta, "tonumber": baseToNumber, "tostring": baseToString, "type": baseType, "unpack": baseUnpack,
		"xpcall": baseXPCall, "ipairs": baseIPairs,
	})
	s.nextFn = g.GetStr("next").fn()
	s.ipairsFn = s.NewGo("ipairs", ipairsStep)
	g.SetStr("_G", Tab(g))
	g.SetStr("_VERSION", Str("Lua 5.1"))
	co := s.NewTable(0, 8)
	s.SetFuncs(co, map[string]GoFunc{"create": coCreate, "resume": coResume, "running": coRunning, "status": coStatus,
		"wrap": coWrap, "yield": coYield})
	g.SetStr("coroutine", Tab(co))
	for k := None; k <= UserData; k++ {
		s.kinds[k] = Str(k.String())
	}
}

func baseAssert(t *Thread) int {
	v := t.CheckAny(1)
	if v.falsy() {
		t.Errorf("%s", t.OptString(2, "assertion failed!"))
	}
	return t.NArgs() // the arguments are on top
}

func baseCollect(t *Thread) int {
	opt := t.OptString(1, "collect")
	switch opt {
	case "collect", "stop", "restart", "step", "setpause", "setstepmul":
		if opt == "step" {
			return t.Return(Bool(true))
		}
		return t.Return(Int(0))
	case "count":
		return t.Return(Num(float64(t.st.memory.held) / 1024))
	}
	t.ArgError(1, "invalid option '"+opt+"'")
	return 0
}

func baseGCInfo(t *Thread) int { return t.Return(Int(t.st.memory.held / 1024)) }

func baseError(t *Thread) int {
	level := t.OptInt(2, 1)
	v := t.Arg(1)
	if textual(v) && level > 0 {
		if where := t.Where(level); where != "" {
			v = t.st.Str(where + t.st.plainText(v))
		}
	}
	t.Raise(v)
	return 0
}

func (t *Thread) metaOf(v Value) *Table {
	switch {
	case v.isTable():
		return v.table().meta
	case v.isStr():
		return t.st.strMeta
	}
	return nil
}

func baseGetMeta(t *Thread) int {
	m := t.metaOf(t.CheckAny(1))
	if m == nil {
		return t.Return(Value{})
	}
	if v := m.GetStr("__metatable"); !v.isNil() {
		return t.Return(v)
	}
	return t.Return(Tab(m))
}

func baseSetMeta(t *Thread) int {
	tab := t.CheckTable(1)
	k := t.ArgKind(2)
	if k != Nil && k != TableKind {
		t.ArgError(2, "nil or table expected")
	}
	if tab.meta != nil && !tab.meta.GetStr("__metatable").isNil() {
		t.Errorf("cannot change a protected metatable")
	}
	if tab.readonly {
		t.runtimeError("Attempt to modify a readonly table")
	}
	tab.meta = t.Arg(2).AsTable()
	return t.Return(t.Arg(1))
}

func (t *Thread) compile(src, chunk string) int {
	if strings.HasPrefix(src, "\x1bLua") {
		t.Push(Value{})
		t.Push(Str("bytecode is not accepted"))
		return 2
	}
	t.st.charge(32 * len(src))
	t.st.Work(len(src) / 8)
	p, err := Compile(src, chunk)
	if err != nil {
		t.Push(Value{})
		t.Push(t.st.Str(err.Error()))
		return 2
	}
	return t.Return(Fn(t.st.Closure(p)))
}

func baseLoadString(t *Thread) int {
	src := t.CheckString(1)
	return t.compile(src, t.OptString(2, src))
}

func baseLoad(t *Thread) int {
	f := t.CheckFunction(1)
	name := t.OptString(2, "=(load)")
	var b strings.Builder
	meter := t.st.Meter()
	for {
		t.Push(Fn(f))
		t.Call(0, 1)
		v := t.stack[t.top-1]
		t.top--
		if v.isNil() {
			break
		}
		if !textual(v) {
			t.Push(Value{})
			t.Push(Str("reader function must return a string"))
			return 2
		}
		piece := t.st.plainText(v)
		if piece == "" {
			break
		}
		meter.Need(b.Len() + len(piece))
		b.WriteString(piece)
	}
	return t.compile(b.String(), name)
}

func baseNext(t *Thread) int {
	tab := t.CheckTable(1)
	k, v, more, ok := tab.Next(t.Arg(2))
	if !ok {
		t.runtimeErrorIn("invalid key to 'next'")
	}
	if !more {
		return t.Return(Value{})
	}
	t.Push(k)
	t.Push(v)
	return 2
}

func basePairs(t *Thread) int {
	t.CheckTable(1)
	t.Push(Fn(t.st.nextFn))
	t.Push(t.Arg(1))
	t.Push(Value{})
	return 3
}

func baseIPairs(t *Thread) int {
	t.CheckTable(1)
	t.Push(Fn(t.st.ipairsFn))
	t.Push(t.Arg(1))
	t.Push(Int(0))
	return 3
}

func ipairsStep(t *Thread) int {
	i := t.CheckInt(2) + 1
	v := t.CheckTable(1).GetInt(i)
	if v.isNil() {
		return t.Return(Value{})
	}
	t.Push(Int(i))
	t.Push(v)
	return 2
}

// protect calls what was pushed from fpos on and pushes what pcall returns.
func (t *Thread) protect(fpos, nargs int, handler Value) int {
	err := t.PCall(nargs, -1)
	if err == nil {
		n := t.top - fpos
		t.reserve(t.top + 1)
		copy(t.stack[fpos+1:], t.stack[fpos:t.top])
		t.stack[fpos] = Bool(true)
		t.top++
		return n + 1
	}
	if !handler.isNil() {
		t.Push(handler)
		t.Push(err.Value)
		if again := t.PCall(1, 1); again != nil {
			t.Push(again.Value)
		}
		t.Push(t.stack[t.top-1])
		t.stack[t.top-2] = Bool(false)
		return 2
	}
	t.Push(Bool(false))
	t.Push(err.Value)
	return 2
}

func basePCall(t *Thread) int {
	t.CheckAny(1)
	fpos := t.top
	n := t.NArgs()
	for i := 1; i <= n; i++ {
		t.Push(t.Arg(i))
	}
	return t.protect(fpos, n-1, Value{})
}

func baseXPCall(t *Thread) int {
	t.CheckAny(2)
	fpos := t.top
	t.Push(t.Arg(1))
	return t.protect(fpos, 0, t.Arg(2))
}

func baseRawEqual(t *Thread) int {
	t.CheckAny(2)
	return t.Return(Bool(t.Arg(1).Equal(t.Arg(2))))
}

func baseRawGet(t *Thread) int {
	tab := t.CheckTable(1)
	t.CheckAny(2)
	return t.Return(tab.Get(t.Arg(2)))
}

func baseRawSet(t *Thread) int {
	tab := t.CheckTable(1)
	t.CheckAny(3)
	if tab.readonly {
		t.runtimeErrorIn("Attempt to modify a readonly table")
	}
	k := t.Arg(2)
	t.checkKey(k)
	tab.Set(k, t.Arg(3))
	return t.Return(t.Arg(1))
}

func baseSelect(t *Thread) int {
	n := t.NArgs()
	if v := t.Arg(1); v.isStr() && strings.HasPrefix(v.str(), "#") {
		return t.Return(Int(n - 1))
	}
	i := t.CheckInt(1)
	if i < 0 {
		i += n
	} else if i > n {
		i = n
	}
	if i < 1 {
		t.ArgError(1, "index out of range")
	}
	return n - i
}

func baseToNumber(t *Thread) int {
	base := t.OptInt(2, 10)
	if base == 10 {
		v := t.CheckAny(1)
		if f, ok := toNumber(v); ok {
			return t.Return(Num(f))
		}
		return t.Return(Value{})
	}
	s := t.CheckString(1)
	if base < 2 || base > 36 {
		t.ArgError(2, "base out of range")
	}
	if f, ok := parseBase(s, base); ok {
		return t.Return(Num(f))
	}
	return t.Return(Value{})
}

// parseBase reads an integer as C's strtoul does, with spaces around.
func parseBase(s string, base int) (float64, bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	neg := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		neg = s[0] == '-'
		s = s[1:]
	}
	if base == 16 && len(s) > 2 && (s[:2] == "0x" || s[:2] == "0X") && isXDigit(s[2]) {
		s = s[2:]
	}
	if s == "" {
		return 0, false
	}
	n, over := uint64(0), false
	for i := 0; i < len(s); i++ {
		d := 99
		if isDigit(s[i]) || isAlpha(s[i]) {
			if d = hexValue(s[i] | 0x20); isDigit(s[i]) {
				d = int(s[i] - '0')
			}
		}
		if d >= base {
			return 0, false
		}
		if n > (1<<64-1-uint64(d))/uint64(base) {
			over = true
		}
		n = n*uint64(base) + uint64(d)
	}
	if over {
		return float64(uint64(1<<64 - 1)), true
	}
	if neg {
		n = -n
	}
	return float64(n), true
}

func baseToString(t *Thread) int { return t.Return(t.ToText(t.CheckAny(1))) }

func baseType(t *Thread) int { return t.Return(t.st.kinds[t.CheckAny(1).Kind()]) }

func baseUnpack(t *Thread) int {
	tab := t.CheckTable(1)
	from := t.OptInt(2, 1)
	to := 0
	if t.Arg(3).isNil() {
		to = tab.Len()
	} else {
		to = t.CheckInt(3)
	}
	// The bounds are 32-bit integers in C.
	from, to = int(int32(from)), int(int32(to))
	if from > to {
		return 0
	}
	n := to - from + 1
	if n >= 1<<31-1 || t.NArgs()+n > maxGoStack {
		t.Errorf("too many results to unpack")
	}
	t.reserve(t.top + n)
	for i := from; i <= to; i++ {
		t.stack[t.top] = tab.GetInt(i)
		t.top++
	}
	return n
}
