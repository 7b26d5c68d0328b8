package lua

import (
	"fmt"
	"strconv"
)

// frame is one running function.
type frame struct {
	fn    *Function
	base  int // first register, or first argument of a Go function
	fbase int // place of the function: its results go here
	pc    int
	nres  int // results wanted, -1 for all
	nvar  int // variable arguments: below base for Lua functions
	nargs int
	tail  int // tail calls that ended here
}

// A Thread is a coroutine: a stack of values and of frames.
type Thread struct {
	st        *State
	stack     []Value
	top       int // first free value; of Lua functions only after open results
	high      int // the stack was used up to here
	frames    []frame
	nf        int
	highFrame int
	open      []*upvalue // those whose variables are on the stack, by ascending place
	nexec     int        // calls through Go in this thread: it can yield only outside of them
	parent    *Thread    // the thread that resumed this one
	status    threadStatus
	id, mark  uint32
}

type threadStatus uint8

const (
	suspended threadStatus = iota
	running
	normal
	dead
)

func (s *State) newThread() *Thread {
	s.charge(initialStack*valueBytes + 8*frameBytes)
	return &Thread{st: s, stack: make([]Value, initialStack), frames: make([]frame, 8), id: s.nextID()}
}

// State is the state that the thread belongs to.
func (t *Thread) State() *State { return t.st }

// reserve makes room for n more values above a place, and for the registers that instructions may name.
func (t *Thread) reserve(n int) {
	if n+256 > len(t.stack) {
		t.growStack(n)
	}
	if n > t.high {
		t.high = n
	}
}

func (t *Thread) growStack(n int) {
	if n > maxStack {
		t.runtimeError("stack overflow")
	}
	size := max(2*len(t.stack), n+512)
	t.st.charge((size - len(t.stack)) * valueBytes)
	s := make([]Value, size)
	copy(s, t.stack)
	t.stack = s
	for _, u := range t.open {
		u.p = &s[u.idx]
	}
}

func (t *Thread) push(f frame) {
	if t.nf == len(t.frames) {
		t.growFrames()
	}
	t.frames[t.nf] = f
	t.nf++
	if t.nf > t.highFrame {
		t.highFrame = t.nf
	}
}

// maxFrames is how deep calls may nest.
const maxFrames = 16384

func (t *Thread) growFrames() {
	size := 2 * len(t.frames)
	if size > maxFrames {
		t.runtimeError("stack overflow")
	}
	t.st.charge((size - len(t.frames)) * frameBytes)
	f := make([]frame, size)
	copy(f, t.frames)
	t.frames = f
}

// An Error is what scripts raise. Source and Line say where: the place that Redis's error handler finds.
type Error struct {
	Value  Value
	Source string // chunk with its '@' or '=', empty if unknown
	Line   int
}

func (e *Error) Error() string {
	if s, ok := e.Value.AsString(); ok {
		return s
	}
	if f, ok := e.Value.AsNumber(); ok {
		return FormatNumber(f)
	}
	return "(error object is a " + e.Value.Kind().String() + " value)"
}

// newError is an error without position.
func (s *State) newError(msg string) *Error { return &Error{Value: Str(msg)} }

// line is the current line of a Lua frame.
func (f *frame) line() int {
	if pc := f.pc - 1; pc >= 0 && pc < len(f.fn.proto.lines) {
		return int(f.fn.proto.lines[pc])
	}
	return f.fn.proto.line
}

// level finds the frame of a level: 0 is the running function. ok is false for one that a tail call has replaced, or beyond the end.
func (t *Thread) level(n int) (f *frame, ok bool) {
	for i := t.nf - 1; i >= 0; i-- {
		f = &t.frames[i]
		if n == 0 {
			return f, true
		}
		n--
		if f.fn.proto != nil && f.tail > 0 {
			if n < f.tail {
				return nil, false
			}
			n -= f.tail
		}
	}
	return nil, false
}

// Where is the position of a level as messages begin with: "chunk:line: ", or nothing for Go functions.
func (t *Thread) Where(level int) string {
	f, ok := t.level(level)
	if !ok || f.fn.proto == nil {
		return ""
	}
	return chunkID(f.fn.proto.chunk) + ":" + strconv.Itoa(f.line()) + ": "
}

// runtimeError raises an error at the running function.
func (t *Thread) runtimeError(format string, args ...any) {
	msg := format
	if len(args) > 0 {
		msg = fmt.Sprintf(format, args...)
	}
	panic(&Error{Value: Str(t.Where(0) + msg)})
}

// Errorf raises an error with the position of the Go function's caller.
func (t *Thread) Errorf(format string, args ...any) {
	msg := format
	if len(args) > 0 {
		msg = fmt.Sprintf(format, args...)
	}
	panic(&Error{Value: Str(t.Where(1) + msg)})
}

// Raise raises any value as an error.
func (t *Thread) Raise(v Value) { panic(&Error{Value: v}) }

// locate finds the place of an error while its frames are still there.
func (t *Thread) locate(e *Error) {
	if e.Source != "" {
		return
	}
	for skipped := 0; skipped < 2; skipped++ {
		f, ok := t.level(skipped)
		if !ok {
			return
		}
		if f.fn.proto != nil {
			e.Source, e.Line = f.fn.proto.chunk, f.line()
			return
		}
	}
	e.Source, e.Line = "=[C]", -1
}

// callName says how the running Go function was called.
func (t *Thread) callName() operand {
	if t.nf < 2 {
		return operand{}
	}
	f := &t.frames[t.nf-2]
	if f.fn.proto == nil {
		return operand{}
	}
	pc := f.pc - 1
	switch f.fn.proto.code[pc].op {
	case opCall, opTailCall:
		return f.fn.proto.desc[pc<<8]
	}
	return operand{}
}

// ArgError raises the error of a bad argument.
func (t *Thread) ArgError(n int, msg string) {
	from := t.callName()
	if from.kind == "method" {
		if n--; n == 0 {
			t.Errorf("calling '%s' on bad self (%s)", from.name, msg)
		}
	}
	if from.kind == "" {
		from.name = "?"
	}
	t.Errorf("bad argument #%d to '%s' (%s)", n, from.name, msg)
}

// TypeError raises the error of an argument of the wrong type.
func (t *Thread) TypeError(n int, want string) {
	t.ArgError(n, want+" expected, got "+t.ArgKind(n).String())
}

// typeError raises the error of an operation on a value of the wrong type; place is the operand's in the current instruction.
func (t *Thread) typeError(v Value, doing string, place int) {
	var from operand
	if t.nf > 0 {
		if f := &t.frames[t.nf-1]; f.fn.proto != nil {
			from = f.fn.proto.desc[(f.pc-1)<<8|place]
		}
	}
	if from.kind != "" {
		t.runtimeError("attempt to %s %s '%s' (a %s value)", doing, from.kind, from.name, v.Kind())
	}
	t.runtimeError("attempt to %s a %s value", doing, v.Kind())
}

// NArgs is the number of arguments of the running Go function.
func (t *Thread) NArgs() int { return t.frames[t.nf-1].nargs }

// Arg is an argument of the running Go function, the first being 1; nil if it was not given.
func (t *Thread) Arg(n int) Value {
	f := &t.frames[t.nf-1]
	if n > f.nargs {
		return Value{}
	}
	return t.stack[f.base+n-1]
}

// ArgKind is the kind of an argument, None if it was not given.
func (t *Thread) ArgKind(n int) Kind {
	if n > t.NArgs() {
		return None
	}
	return t.Arg(n).Kind()
}

// Push adds a result of the running Go function, or a function or argument for Call.
func (t *Thread) Push(v Value) {
	t.reserve(t.top + 1)
	t.stack[t.top] = v
	t.top++
}

// Top is the value on top of the stack.
func (t *Thread) Top() Value { return t.stack[t.top-1] }

// Result is one of the n results that a Go function has pushed, the first being 1; SetResult replaces it.
func (t *Thread) Result(n, i int) Value { return t.stack[t.top-n+i-1] }

// SetResult replaces one of the n results pushed.
func (t *Thread) SetResult(n, i int, v Value) { t.stack[t.top-n+i-1] = v }

// GoPCall is the function pcall, to be called by Go functions that go beyond it.
func (t *Thread) GoPCall() int { return basePCall(t) }

// Position is where the running code is: the innermost function of the language, over all coroutines.
func (t *Thread) Position() (source string, line int) {
	for th := t.st.cur; th != nil; th = th.parent {
		for i := th.nf - 1; i >= 0; i-- {
			if f := &th.frames[i]; f.fn.proto != nil {
				return f.fn.proto.chunk, f.line()
			}
		}
	}
	return "", 0
}

// Pop drops values from the top of the stack.
func (t *Thread) Pop(n int) { t.top -= n }

// Return pushes one value: the end of most Go functions.
func (t *Thread) Return(v Value) int {
	t.Push(v)
	return 1
}

// CheckTable, CheckString and the like return an argument or raise an error.
func (t *Thread) CheckTable(n int) *Table {
	v := t.Arg(n)
	if !v.isTable() {
		t.TypeError(n, "table")
	}
	return v.table()
}

// CheckString accepts strings and numbers.
func (t *Thread) CheckString(n int) string {
	v := t.Arg(n)
	if v.isStr() {
		return v.str()
	}
	if v.isNum() {
		return FormatNumber(v.num())
	}
	t.TypeError(n, "string")
	return ""
}

// OptString is CheckString with a default for an argument that is absent or nil.
func (t *Thread) OptString(n int, def string) string {
	if t.Arg(n).isNil() {
		return def
	}
	return t.CheckString(n)
}

// CheckNumber accepts numbers and strings that are numbers.
func (t *Thread) CheckNumber(n int) float64 {
	v := t.Arg(n)
	f, ok := toNumber(v)
	if !ok {
		t.TypeError(n, "number")
	}
	return f
}

// CheckInt is CheckNumber converted to an integer.
func (t *Thread) CheckInt(n int) int { return int(ToInt(t.CheckNumber(n))) }

// OptInt is CheckInt with a default for an argument that is absent or nil.
func (t *Thread) OptInt(n, def int) int {
	if t.Arg(n).isNil() {
		return def
	}
	return t.CheckInt(n)
}

// CheckFunction accepts functions.
func (t *Thread) CheckFunction(n int) *Function {
	v := t.Arg(n)
	if !v.isFn() {
		t.TypeError(n, "function")
	}
	return v.fn()
}

// CheckAny raises an error if the argument was not given.
func (t *Thread) CheckAny(n int) Value {
	if n > t.NArgs() {
		t.ArgError(n, "value expected")
	}
	return t.Arg(n)
}

// findUpvalue is the open upvalue of a place of the stack.
func (t *Thread) findUpvalue(idx int) *upvalue {
	i := len(t.open)
	for i > 0 && t.open[i-1].idx >= idx {
		if t.open[i-1].idx == idx {
			return t.open[i-1]
		}
		i--
	}
	t.st.charge(upvalueBytes)
	u := &upvalue{p: &t.stack[idx], idx: idx}
	t.open = append(t.open, nil)
	copy(t.open[i+1:], t.open[i:])
	t.open[i] = u
	return u
}

// closeUpvalues closes those of variables from a place of the stack.
func (t *Thread) closeUpvalues(from int) {
	i := len(t.open)
	for i > 0 && t.open[i-1].idx >= from {
		u := t.open[i-1]
		u.v = *u.p
		u.p = &u.v
		t.open[i-1] = nil
		i--
	}
	t.open = t.open[:i]
}

// Call calls the function below nargs arguments on the top of the stack. Its results replace them; nres of -1 takes all.
func (t *Thread) Call(nargs, nres int) {
	fpos := t.top - nargs - 1
	s := t.st
	s.tick()
	if s.goCalls++; s.goCalls >= maxGoCalls {
		if s.goCalls == maxGoCalls {
			t.runtimeError("C stack overflow")
		}
		if s.goCalls >= maxGoCalls+maxGoCalls/8 {
			panic(s.newError("error in error handling"))
		}
	}
	t.nexec++
	if t.enter(fpos, nargs, nres) {
		t.execute()
	}
	t.nexec--
	s.goCalls--
	if nres >= 0 {
		t.top = fpos + nres
	}
}

// PCall is Call that catches errors: then the stack is as it was below the function.
func (t *Thread) PCall(nargs, nres int) (err *Error) {
	fpos := t.top - nargs - 1
	nf, nexec, goCalls := t.nf, t.nexec, t.st.goCalls
	done := false
	defer func() {
		if done {
			return
		}
		r := recover()
		e, ok := r.(*Error)
		if !ok {
			panic(r)
		}
		t.st.cur = t
		t.locate(e)
		t.nf, t.nexec, t.st.goCalls = nf, nexec, goCalls
		t.closeUpvalues(fpos)
		t.top = fpos
		err = e
	}()
	t.Call(nargs, nres)
	done = true
	return nil
}

// enter begins a call. Go functions are done when it returns; for Lua functions a frame was pushed and it reports true.
func (t *Thread) enter(fpos, nargs, nres int) bool {
	v := t.stack[fpos]
	if !v.isFn() {
		v = t.callable(fpos)
		nargs++
	}
	f := v.fn()
	if f.proto == nil {
		if t.callGo(f, fpos, nargs, nres) {
			t.runtimeError("attempt to yield across metamethod/C-call boundary")
		}
		return false
	}
	t.enterLua(f, fpos, nargs, nres)
	return true
}

// callable puts the __call metamethod of the value at fpos below it.
func (t *Thread) callable(fpos int) Value {
	v := t.stack[fpos]
	m := t.metamethod(v, "__call")
	if !m.isFn() {
		t.typeError(v, "call", 0)
	}
	t.reserve(t.top + 2)
	copy(t.stack[fpos+1:t.top+1], t.stack[fpos:t.top])
	t.stack[fpos] = m
	t.top++
	return m
}

func (t *Thread) enterLua(f *Function, fpos, nargs, nres int) {
	p := f.proto
	base := fpos + 1
	if p.dots {
		base = fpos + 1 + nargs
		t.reserve(base + p.stack + 1)
		for i := 0; i < p.params; i++ {
			if i < nargs {
				t.stack[base+i] = t.stack[fpos+1+i]
			} else {
				t.stack[base+i] = Value{}
			}
		}
		if p.line > 0 {
			t.fillArg(p, fpos, base, nargs)
		}
		t.push(frame{fn: f, base: base, fbase: fpos, nres: nres, nvar: max(nargs-p.params, 0)})
		return
	}
	t.reserve(base + p.stack + 1)
	for i := nargs; i < p.params; i++ {
		t.stack[base+i] = Value{}
	}
	t.push(frame{fn: f, base: base, fbase: fpos, nres: nres})
}

// fillArg sets the variable arg of functions with "..." that do not use it otherwise.
func (t *Thread) fillArg(p *Proto, fpos, base, nargs int) {
	t.stack[base+p.params] = Value{}
	if !p.needArg {
		return
	}
	n := max(nargs-p.params, 0)
	t.top = base + p.params
	tab := t.st.NewTable(n, 1)
	for i := 0; i < n; i++ {
		tab.arr[i] = t.stack[fpos+1+p.params+i]
	}
	tab.SetStr("n", Int(n))
	t.stack[base+p.params] = Tab(tab)
}

// callGo calls a Go function; it reports true if that was yield.
func (t *Thread) callGo(f *Function, fpos, nargs, nres int) (yields bool) {
	t.push(frame{fn: f, base: fpos + 1, fbase: fpos, nres: nres, nargs: nargs})
	t.top = fpos + 1 + nargs
	t.reserve(t.top + 16)
	n := f.gofn(t)
	if n < 0 {
		return true
	}
	t.nf--
	t.finish(fpos, t.top-n, n, nres)
	return false
}

// finish moves n results from a place to where the caller wants them.
func (t *Thread) finish(to, from, n, want int) {
	if want < 0 {
		copy(t.stack[to:], t.stack[from:from+n])
		t.top = to + n
		return
	}
	if n > want {
		n = want
	}
	s := t.stack
	for i := 0; i < n; i++ {
		s[to+i] = s[from+i]
	}
	for i := n; i < want; i++ {
		s[to+i] = Value{}
	}
}

// Closure makes a function of a main chunk.
func (s *State) Closure(p *Proto) *Function {
	s.charge(functionBytes)
	return &Function{proto: p, id: s.nextID()}
}
