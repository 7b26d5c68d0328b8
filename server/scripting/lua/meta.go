package lua

import "strings"

// metamethod is the metamethod of a value for an event, or nil.
func (t *Thread) metamethod(v Value, event string) Value {
	var m *Table
	switch {
	case v.isTable():
		m = v.table().meta
	case v.isStr():
		m = t.st.strMeta
	}
	if m == nil {
		return Value{}
	}
	return m.GetStr(event)
}

// index is o[k] with metamethods.
func (t *Thread) index(o, k Value) Value {
	for i := 0; i < maxMetaChain; i++ {
		var h Value
		if o.isTable() {
			tab := o.table()
			v := tab.Get(k)
			if !v.isNil() || tab.meta == nil {
				return v
			}
			h = tab.meta.GetStr("__index")
			if h.isNil() {
				return Value{}
			}
		} else if h = t.metamethod(o, "__index"); h.isNil() {
			t.typeError(o, "index", 0)
		}
		if h.isFn() {
			return t.call1(h, o, k)
		}
		o = h
	}
	t.runtimeError("loop in gettable")
	return Value{}
}

// setIndex is o[k] = v with metamethods.
func (t *Thread) setIndex(o, k, v Value) {
	for i := 0; i < maxMetaChain; i++ {
		var h Value
		if o.isTable() {
			tab := o.table()
			if tab.readonly {
				t.runtimeError("Attempt to modify a readonly table")
			}
			if tab.meta != nil {
				if p := tab.slot(k); p == nil || p.isNil() {
					h = tab.meta.GetStr("__newindex")
				}
			}
			if h.isNil() {
				t.checkKey(k)
				tab.Set(k, v)
				return
			}
		} else if h = t.metamethod(o, "__newindex"); h.isNil() {
			t.typeError(o, "index", 0)
		}
		if h.isFn() {
			t.callN(h, 0, o, k, v)
			return
		}
		o = h
	}
	t.runtimeError("loop in settable")
}

func (t *Thread) checkKey(k Value) {
	if k.isNil() {
		t.runtimeError("table index is nil")
	}
	if k.isNum() && k.num() != k.num() {
		t.runtimeError("table index is NaN")
	}
}

// scratch is a place above everything that the running function uses.
func (t *Thread) scratch() int {
	f := &t.frames[t.nf-1]
	if f.fn.proto != nil {
		return f.base + f.fn.proto.stack + 1
	}
	return t.top
}

// callN calls a metamethod.
func (t *Thread) callN(f Value, nres int, args ...Value) {
	saved := t.top
	t.top = t.scratch()
	t.Push(f)
	for _, a := range args {
		t.Push(a)
	}
	t.Call(len(args), nres)
	if nres == 0 {
		t.top = saved
	}
}

// call1 calls a metamethod for one result.
func (t *Thread) call1(f, a, b Value) Value {
	saved := t.top
	t.top = t.scratch()
	t.Push(f)
	t.Push(a)
	t.Push(b)
	t.Call(2, 1)
	v := t.stack[t.top-1]
	t.top = saved
	return v
}

var arithEvents = [...]string{bAdd: "__add", bSub: "__sub", bMul: "__mul", bDiv: "__div", bMod: "__mod", bPow: "__pow"}

// arith is an arithmetic operation on any values.
func (t *Thread) arith(op binOp, x, y Value) Value {
	a, ok1 := toNumber(x)
	b, ok2 := toNumber(y)
	if ok1 && ok2 {
		return Num(arith(op, a, b))
	}
	h := t.metamethod(x, arithEvents[op])
	if h.isNil() {
		h = t.metamethod(y, arithEvents[op])
	}
	if h.isNil() {
		if !ok1 {
			t.typeError(x, "perform arithmetic on", 0)
		}
		t.typeError(y, "perform arithmetic on", 1)
	}
	return t.call1(h, x, y)
}

func (t *Thread) negate(x Value) Value {
	if f, ok := toNumber(x); ok {
		return Num(-f)
	}
	h := t.metamethod(x, "__unm")
	if h.isNil() {
		t.typeError(x, "perform arithmetic on", 0)
	}
	return t.call1(h, x, x)
}

func (t *Thread) length(x Value) Value {
	if h := t.metamethod(x, "__len"); !h.isNil() {
		return t.call1(h, x, Value{})
	}
	t.typeError(x, "get length of", 0)
	return Value{}
}

// equalMeta compares two tables that are not the same.
func (t *Thread) equalMeta(x, y Value) bool {
	mx, my := x.table().meta, y.table().meta
	if mx == nil || my == nil {
		return false
	}
	h := mx.GetStr("__eq")
	if h.isNil() || mx != my && !h.Equal(my.GetStr("__eq")) {
		return false
	}
	return t.call1(h, x, y).Truthy()
}

// order calls the metamethod of a comparison if both values have the same.
func (t *Thread) order(x, y Value, event string) (result, found bool) {
	h := t.metamethod(x, event)
	if h.isNil() || !h.Equal(t.metamethod(y, event)) {
		return false, false
	}
	return t.call1(h, x, y).Truthy(), true
}

// less is x < y.
func (t *Thread) less(x, y Value) bool {
	kx, ky := x.Kind(), y.Kind()
	switch {
	case kx != ky:
		t.orderError(kx, ky)
	case kx == Number:
		return x.num() < y.num()
	case kx == String:
		return x.str() < y.str()
	}
	r, ok := t.order(x, y, "__lt")
	if !ok {
		t.orderError(kx, ky)
	}
	return r
}

// lessEqual is x <= y.
func (t *Thread) lessEqual(x, y Value) bool {
	kx, ky := x.Kind(), y.Kind()
	switch {
	case kx != ky:
		t.orderError(kx, ky)
	case kx == Number:
		return x.num() <= y.num()
	case kx == String:
		return x.str() <= y.str()
	}
	if r, ok := t.order(x, y, "__le"); ok {
		return r
	}
	r, ok := t.order(y, x, "__lt")
	if !ok {
		t.orderError(kx, ky)
	}
	return !r
}

func (t *Thread) orderError(kx, ky Kind) {
	if kx == ky {
		t.runtimeError("attempt to compare two %s values", kx)
	}
	t.runtimeError("attempt to compare %s with %s", kx, ky)
}

// concat joins the values of the stack from first to last.
func (t *Thread) concat(first, last int) Value {
	acc := t.stack[last]
	at := last - 1
	for at >= first {
		v := t.stack[at]
		if !textual(v) || !textual(acc) {
			h := t.metamethod(v, "__concat")
			if h.isNil() {
				h = t.metamethod(acc, "__concat")
			}
			if h.isNil() {
				if textual(v) {
					t.typeError(acc, "concatenate", at+1-first)
				}
				t.typeError(v, "concatenate", at-first)
			}
			acc = t.call1(h, v, acc)
			at--
			continue
		}
		from := at
		for from > first && textual(t.stack[from-1]) {
			from--
		}
		acc = t.join(from, at, acc)
		at = from - 1
	}
	return acc
}

func textual(v Value) bool { return v.isNum() || v.isStr() }

// join joins the strings and numbers from one place to another and a last one.
func (t *Thread) join(from, to int, last Value) Value {
	var room [40]byte
	size := 0
	measure := func(v Value) {
		if v.isStr() {
			size += v.strLen()
		} else {
			size += len(appendG(room[:0], v.num(), 14))
		}
	}
	for i := from; i <= to; i++ {
		measure(t.stack[i])
	}
	measure(last)
	if size > maxString {
		t.runtimeError("string length overflow")
	}
	t.st.charge(size + valueBytes)
	t.st.Work(size >> 6)
	var b strings.Builder
	b.Grow(size)
	add := func(v Value) {
		if v.isStr() {
			b.WriteString(v.str())
		} else {
			b.Write(appendG(room[:0], v.num(), 14))
		}
	}
	for i := from; i <= to; i++ {
		add(t.stack[i])
	}
	add(last)
	return Str(b.String())
}

// maxString is the length of the longest string, whatever the quota.
const maxString = 1 << 30

// ToText is tostring: with the metamethod, and names for what has no text.
func (t *Thread) ToText(v Value) Value {
	if h := t.metamethod(v, "__tostring"); !h.isNil() {
		return t.call1(h, v, Value{})
	}
	return Str(t.st.plainText(v))
}
