package lualib

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/streampulse/pulse/server/scripting/lua"
)

// packNesting is how deep tables are packed; deeper ones become nil.
const packNesting = 16

func openMsgpack(s *lua.State) {
	lib := s.NewTable(0, 8)
	s.SetFuncs(lib, map[string]lua.GoFunc{"pack": msgPack, "unpack": msgUnpack, "unpack_one": msgUnpackOne, "unpack_limit": msgUnpackLimit})
	lib.SetStr("_NAME", lua.Str("cmsgpack"))
	lib.SetStr("_VERSION", lua.Str("lua-cmsgpack 0.4.0"))
	lib.SetStr("_COPYRIGHT", lua.Str("Copyright (C) 2012, Salvatore Sanfilippo"))
	lib.SetStr("_DESCRIPTION", lua.Str("MessagePack C implementation for Lua"))
	s.Globals().SetStr("cmsgpack", lua.Tab(lib))
}

type packer struct {
	s     *lua.State
	out   []byte
	meter lua.Meter
}

func msgPack(t *lua.Thread) int {
	n := t.NArgs()
	if n == 0 {
		t.ArgError(0, "MessagePack pack needs input.")
	}
	p := &packer{s: t.State(), meter: t.State().Meter()}
	for i := 1; i <= n; i++ {
		p.value(t.Arg(i), 0)
	}
	return t.Return(t.State().Bytes(p.out))
}

func (p *packer) head(small byte, limit int, codes [3]byte, n int) {
	switch {
	case n <= limit:
		p.out = append(p.out, small|byte(n))
	case n <= math.MaxUint8 && codes[0] != 0:
		p.out = append(p.out, codes[0], byte(n))
	case n <= math.MaxUint16:
		p.out = binary.BigEndian.AppendUint16(append(p.out, codes[1]), uint16(n))
	default:
		p.out = binary.BigEndian.AppendUint32(append(p.out, codes[2]), uint32(n))
	}
}

func (p *packer) value(v lua.Value, level int) {
	p.s.Work(1)
	p.meter.Need(len(p.out))
	switch v.Kind() {
	case lua.String:
		s, _ := v.AsString()
		p.head(0xa0, 31, [3]byte{0xd9, 0xda, 0xdb}, len(s))
		p.meter.Need(len(p.out) + len(s))
		p.s.Work(len(s) >> 6)
		p.out = append(p.out, s...)
	case lua.Boolean:
		if v.Truthy() {
			p.out = append(p.out, 0xc3)
		} else {
			p.out = append(p.out, 0xc2)
		}
	case lua.Number:
		f, _ := v.AsNumber()
		p.number(f)
	case lua.TableKind:
		if level == packNesting {
			p.out = append(p.out, 0xc0)
			return
		}
		p.table(v.AsTable(), level)
	default:
		p.out = append(p.out, 0xc0)
	}
}

func (p *packer) number(f float64) {
	if n := lua.ToInt(f); float64(n) == f {
		p.integer(n)
		return
	}
	if g := float32(f); float64(g) == f {
		p.out = binary.BigEndian.AppendUint32(append(p.out, 0xca), math.Float32bits(g))
		return
	}
	p.out = binary.BigEndian.AppendUint64(append(p.out, 0xcb), math.Float64bits(f))
}

func (p *packer) integer(n int64) {
	switch {
	case n >= 0 && n <= 127, n < 0 && n >= -32:
		p.out = append(p.out, byte(n))
	case n >= 0 && n <= math.MaxUint8:
		p.out = append(p.out, 0xcc, byte(n))
	case n >= 0 && n <= math.MaxUint16:
		p.out = binary.BigEndian.AppendUint16(append(p.out, 0xcd), uint16(n))
	case n >= 0 && n <= math.MaxUint32:
		p.out = binary.BigEndian.AppendUint32(append(p.out, 0xce), uint32(n))
	case n >= 0:
		p.out = binary.BigEndian.AppendUint64(append(p.out, 0xcf), uint64(n))
	case n >= math.MinInt8:
		p.out = append(p.out, 0xd0, byte(n))
	case n >= math.MinInt16:
		p.out = binary.BigEndian.AppendUint16(append(p.out, 0xd1), uint16(n))
	case n >= math.MinInt32:
		p.out = binary.BigEndian.AppendUint32(append(p.out, 0xd2), uint32(n))
	default:
		p.out = binary.BigEndian.AppendUint64(append(p.out, 0xd3), uint64(n))
	}
}

func (p *packer) table(t *lua.Table, level int) {
	count, top, array := 0, 0.0, true
	for at := 0; ; {
		k, _, next, more := t.Step(at)
		if !more {
			break
		}
		at = next
		count++
		if f, ok := k.AsNumber(); !ok || f <= 0 || f != math.Trunc(f) {
			array = false
		} else {
			top = max(top, f)
		}
	}
	if array && top == float64(count) {
		n := t.Len()
		p.head(0x90, 15, [3]byte{0, 0xdc, 0xdd}, n)
		for i := 1; i <= n; i++ {
			p.value(t.GetInt(i), level+1)
		}
		return
	}
	p.head(0x80, 15, [3]byte{0, 0xde, 0xdf}, count)
	for at := 0; ; {
		k, v, next, more := t.Step(at)
		if !more {
			return
		}
		at = next
		p.value(k, level+1)
		p.value(v, level+1)
	}
}

// unpacker reads values; a failure is an error of the script.
type unpacker struct {
	t     *lua.Thread
	in    string
	at    int
	depth int
}

func (u *unpacker) bytes(n int) string {
	if n > len(u.in)-u.at {
		u.t.Errorf("Missing bytes in input.")
	}
	u.at += n
	return u.in[u.at-n : u.at]
}

func (u *unpacker) uint(n int) uint64 {
	v := uint64(0)
	for _, c := range []byte(u.bytes(n)) {
		v = v<<8 | uint64(c)
	}
	return v
}

// unpackNesting is where the stack of Redis's Lua ends.
const unpackNesting = 3990

func (u *unpacker) value() lua.Value {
	u.t.State().Work(1)
	c := u.bytes(1)[0]
	switch {
	case c < 0x80:
		return lua.Int(int(c))
	case c < 0x90:
		return u.mapping(int(c & 15))
	case c < 0xa0:
		return u.array(int(c & 15))
	case c < 0xc0:
		return u.text(int(c & 31))
	case c >= 0xe0:
		return lua.Int(int(int8(c)))
	}
	switch c {
	case 0xc0:
		return lua.NilValue
	case 0xc2:
		return lua.Bool(false)
	case 0xc3:
		return lua.Bool(true)
	case 0xca:
		return lua.Num(float64(math.Float32frombits(uint32(u.uint(4)))))
	case 0xcb:
		return lua.Num(math.Float64frombits(u.uint(8)))
	case 0xcc:
		return lua.Num(float64(u.uint(1)))
	case 0xcd:
		return lua.Num(float64(u.uint(2)))
	case 0xce:
		return lua.Num(float64(u.uint(4)))
	case 0xcf:
		return lua.Num(float64(u.uint(8)))
	case 0xd0:
		return lua.Num(float64(int8(u.uint(1))))
	case 0xd1:
		return lua.Num(float64(int16(u.uint(2))))
	case 0xd2:
		return lua.Num(float64(int32(u.uint(4))))
	case 0xd3:
		return lua.Num(float64(int64(u.uint(8))))
	case 0xd9:
		return u.text(int(u.uint(1)))
	case 0xda:
		return u.text(int(u.uint(2)))
	case 0xdb:
		return u.text(int(u.uint(4)))
	case 0xdc:
		return u.array(int(u.uint(2)))
	case 0xdd:
		return u.array(int(u.uint(4)))
	case 0xde:
		return u.mapping(int(u.uint(2)))
	case 0xdf:
		return u.mapping(int(u.uint(4)))
	}
	u.t.Errorf("Bad data format in input.")
	return lua.NilValue
}

func (u *unpacker) text(n int) lua.Value { return u.t.State().Str(strings.Clone(u.bytes(n))) }

func (u *unpacker) enter(what string) {
	if u.depth++; u.depth > unpackNesting {
		u.t.Errorf("stack overflow (in function %s)", what)
	}
}

func (u *unpacker) array(n int) lua.Value {
	u.enter("mp_decode_to_lua_array")
	tab := u.t.State().NewTable(0, 0)
	u.t.Push(lua.Tab(tab)) // where it is measured
	for i := 1; i <= n; i++ {
		tab.SetInt(i, u.value())
	}
	u.depth--
	u.t.Pop(1)
	return lua.Tab(tab)
}

func (u *unpacker) mapping(n int) lua.Value {
	u.enter("mp_decode_to_lua_hash")
	tab := u.t.State().NewTable(0, 0)
	u.t.Push(lua.Tab(tab)) // where it is measured
	for range n {
		k := u.value()
		v := u.value()
		if k.IsNil() {
			u.t.Raise(lua.Str("table index is nil"))
		}
		if f, ok := k.AsNumber(); ok && f != f {
			u.t.Raise(lua.Str("table index is NaN"))
		}
		tab.Set(k, v)
	}
	u.depth--
	u.t.Pop(1)
	return lua.Tab(tab)
}

func msgUnpack(t *lua.Thread) int { return unpackSome(t, 0, 0) }

func msgUnpackOne(t *lua.Thread) int { return unpackSome(t, 1, t.OptInt(2, 0)) }

func msgUnpackLimit(t *lua.Thread) int {
	return unpackSome(t, int(int32(t.CheckInt(2))), t.OptInt(3, 0))
}

func unpackSome(t *lua.Thread, limit, offset int) int {
	all := limit == 0 && offset == 0
	in := t.CheckString(1)
	offset = int(int32(offset))
	switch {
	case offset < 0 || limit < 0:
		t.Errorf("Invalid request to unpack with offset of %d and limit of %d.", offset, len(in))
	case offset > len(in):
		t.Errorf("Start offset %d greater than input length %d.", offset, len(in))
	}
	if all {
		limit = math.MaxInt32
	}
	u := &unpacker{t: t, in: in, at: offset}
	var list []lua.Value
	for u.at < len(in) && len(list) < limit {
		if len(list) >= 7990 {
			t.Errorf("stack overflow (in function mp_decode_to_lua_type)")
		}
		list = append(list, u.value())
	}
	n := len(list)
	if !all {
		next := u.at
		if next == len(in) {
			next = -1
		}
		t.Push(lua.Int(next))
		n++
	}
	for _, v := range list {
		t.Push(v)
	}
	return n
}
