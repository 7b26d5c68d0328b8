package lua

import (
	"math"
	"unsafe"
)

// Kind is the type of a value.
type Kind uint8

// The kinds of values; None is what an argument that was not given has.
const (
	None Kind = iota
	Nil
	Boolean
	Number
	String
	TableKind
	FunctionKind
	ThreadKind
	UserData
)

var kindNames = [...]string{"no value", "nil", "boolean", "number", "string", "table", "function", "thread", "userdata"}

// String is the name that the language's type function gives.
func (k Kind) String() string { return kindNames[k] }

// A Value is any value of the language, in 16 bytes:
//
//	nil        p == nil
//	number     p == &numberTag, n = the bits of the float64
//	boolean    p == &booleanTag, n = 0 or 1
//	string     p = its bytes, n = length << 8 | String
//	others     p = the object, n = the kind
//
// The zero Value is nil. Values are compared with Equal, never with ==.
type Value struct {
	p unsafe.Pointer
	n uint64
}

var (
	numberTag  byte
	booleanTag byte
	emptyBytes byte
)

// NilValue is nil.
var NilValue Value

// Num is the value of a number.
func Num(f float64) Value { return Value{unsafe.Pointer(&numberTag), math.Float64bits(f)} }

// Int is the value of an integer; beyond 2^53 it is rounded.
func Int(i int) Value { return Num(float64(i)) }

// Bool is true or false.
func Bool(b bool) Value {
	if b {
		return Value{unsafe.Pointer(&booleanTag), 1}
	}
	return Value{unsafe.Pointer(&booleanTag), 0}
}

// Str is the value of a string. It shares the bytes of s and is not charged to any state; State.Str charges.
func Str(s string) Value {
	if len(s) == 0 {
		return Value{unsafe.Pointer(&emptyBytes), uint64(String)}
	}
	return Value{unsafe.Pointer(unsafe.StringData(s)), uint64(len(s))<<8 | uint64(String)}
}

// Tab, Fn and Thr are the values of objects.
func Tab(t *Table) Value { return Value{unsafe.Pointer(t), uint64(TableKind)} }

// Fn is the value of a function.
func Fn(f *Function) Value { return Value{unsafe.Pointer(f), uint64(FunctionKind)} }

func thr(t *Thread) Value { return Value{unsafe.Pointer(t), uint64(ThreadKind)} }

// LightData is a userdata without content, equal to all values made from the same address.
func LightData(p *byte) Value { return Value{unsafe.Pointer(p), uint64(UserData)} }

func (v Value) isNil() bool  { return v.p == nil }
func (v Value) isNum() bool  { return v.p == unsafe.Pointer(&numberTag) }
func (v Value) isBool() bool { return v.p == unsafe.Pointer(&booleanTag) }
func (v Value) num() float64 { return math.Float64frombits(v.n) }

// falsy reports nil or false.
func (v Value) falsy() bool {
	return v.p == nil || v.p == unsafe.Pointer(&booleanTag) && v.n == 0
}

func (v Value) tagged() bool {
	return v.p != nil && v.p != unsafe.Pointer(&numberTag) && v.p != unsafe.Pointer(&booleanTag)
}

func (v Value) isStr() bool   { return uint8(v.n) == uint8(String) && v.tagged() }
func (v Value) isTable() bool { return v.n == uint64(TableKind) && v.p != unsafe.Pointer(&numberTag) }
func (v Value) isFn() bool    { return v.n == uint64(FunctionKind) && v.p != unsafe.Pointer(&numberTag) }

func (v Value) table() *Table   { return (*Table)(v.p) }
func (v Value) fn() *Function   { return (*Function)(v.p) }
func (v Value) thread() *Thread { return (*Thread)(v.p) }
func (v Value) strLen() int     { return int(v.n >> 8) }
func (v Value) str() string     { return unsafe.String((*byte)(v.p), int(v.n>>8)) }

// Kind is the value's type.
func (v Value) Kind() Kind {
	switch v.p {
	case nil:
		return Nil
	case unsafe.Pointer(&numberTag):
		return Number
	case unsafe.Pointer(&booleanTag):
		return Boolean
	}
	return Kind(uint8(v.n))
}

// IsNil reports whether the value is nil.
func (v Value) IsNil() bool { return v.p == nil }

// Truthy reports whether the value is neither nil nor false.
func (v Value) Truthy() bool { return !v.falsy() }

// IsBool reports whether the value is the boolean b.
func (v Value) IsBool(b bool) bool { return v.isBool() && (v.n == 1) == b }

// AsNumber is the number that the value is, without conversion from strings.
func (v Value) AsNumber() (float64, bool) { return v.num(), v.isNum() }

// AsString is the string that the value is, without conversion from numbers. It is valid for ever.
func (v Value) AsString() (string, bool) {
	if v.isStr() {
		return v.str(), true
	}
	return "", false
}

// AsTable is the table that the value is, or nil.
func (v Value) AsTable() *Table {
	if v.isTable() {
		return v.table()
	}
	return nil
}

// AsFunction is the function that the value is, or nil.
func (v Value) AsFunction() *Function {
	if v.isFn() {
		return v.fn()
	}
	return nil
}

// Equal compares without metamethods.
func (v Value) Equal(w Value) bool {
	if v.p == w.p {
		if v.isNum() {
			return v.num() == w.num()
		}
		return v.n == w.n
	}
	return v.n == w.n && v.isStr() && w.isStr() && v.str() == w.str()
}

// A Function is a closure of a prototype or a Go function.
type Function struct {
	proto *Proto
	up    []*upvalue
	gofn  GoFunc
	env   *Table
	name  string
	id    uint32
	mark  uint32
}

// A GoFunc takes its arguments from the thread (Thread.Arg), pushes its results and returns their count.
// It raises errors by panicking through Thread.Errorf and its relatives.
type GoFunc func(t *Thread) int

// Name is the name under which a Go function was made.
func (f *Function) Name() string { return f.name }

// NewGo makes a function of Go code; it shares nothing and may be used by one state only.
func (s *State) NewGo(name string, f GoFunc) *Function {
	return &Function{gofn: f, name: name, id: s.nextID(), env: s.globals}
}

// upvalue is a variable of an enclosing function: in that function's registers while it runs, and in v afterwards.
type upvalue struct {
	p    *Value
	v    Value
	idx  int // place in the stack while open
	mark uint32
}
