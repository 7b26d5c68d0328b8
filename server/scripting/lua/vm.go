package lua

import "unsafe"

// regs views the stack from a place as the registers of a frame. Thread.reserve keeps 256 values of room above every frame, so that no
// register an instruction can name is out of bounds.
func (t *Thread) regs(base int) *[256]Value { return (*[256]Value)(unsafe.Pointer(&t.stack[base])) }

// execute runs the Lua function on top of the frames until it returns. It reports true if a coroutine yields.
func (t *Thread) execute() (yields bool) {
	entry := t.nf
	s := t.st
newFrame:
	fr := &t.frames[t.nf-1]
	fn := fr.fn
	code, k := fn.proto.code, fn.proto.k
	base, pc := fr.base, fr.pc
	r := t.regs(base)
	for {
		in := code[pc]
		pc++
		switch in.op {
		case opMove:
			r[in.a] = r[uint8(in.b)]
		case opLoadK:
			r[in.a] = k[in.c]
		case opLoadNil:
			for i := int(in.a); i <= int(in.b); i++ {
				r[i] = Value{}
			}
		case opLoadBool:
			r[in.a] = Value{unsafe.Pointer(&booleanTag), uint64(in.b)}
			if in.c > 0 {
				pc = int(in.c)
			}
		case opGetUpval:
			r[in.a] = *fn.up[in.b].p
		case opSetUpval:
			*fn.up[in.b].p = r[in.a]
		case opGetGlobal:
			key := k[in.c]
			v := s.globals.getHashed(key, fn.proto.hash[in.c])
			if v.isNil() && s.globals.meta != nil {
				t.frames[t.nf-1].pc = pc
				v = t.index(Tab(s.globals), key)
				r = t.regs(base)
			}
			r[in.a] = v
		case opSetGlobal:
			t.frames[t.nf-1].pc = pc
			t.setIndex(Tab(s.globals), k[in.c], r[in.a])
			r = t.regs(base)
		case opGetTable:
			o, key := &r[uint8(in.b)], &r[uint8(in.c)]
			if o.isTable() {
				tab := o.table()
				var v Value
				if key.isNum() {
					f := key.num()
					if i := int(f); float64(i) == f {
						if uint(i-1) < uint(len(tab.arr)) {
							v = tab.arr[i-1]
						} else {
							v = tab.GetInt(i)
						}
					} else {
						v = tab.Get(*key)
					}
				} else {
					v = tab.Get(*key)
				}
				if !v.isNil() || tab.meta == nil {
					r[in.a] = v
					continue
				}
			}
			t.frames[t.nf-1].pc = pc
			v := t.index(*o, *key)
			r = t.regs(base)
			r[in.a] = v
		case opGetField:
			o := r[uint8(in.b)]
			if o.isTable() {
				tab := o.table()
				v := tab.getHashed(k[in.c], fn.proto.hash[in.c])
				if !v.isNil() || tab.meta == nil {
					r[in.a] = v
					continue
				}
			}
			t.frames[t.nf-1].pc = pc
			v := t.index(o, k[in.c])
			r = t.regs(base)
			r[in.a] = v
		case opGetInt:
			o := r[uint8(in.b)]
			if o.isTable() {
				tab := o.table()
				v := tab.GetInt(int(in.c))
				if !v.isNil() || tab.meta == nil {
					r[in.a] = v
					continue
				}
			}
			t.frames[t.nf-1].pc = pc
			v := t.index(o, Int(int(in.c)))
			r = t.regs(base)
			r[in.a] = v
		case opSetTable:
			o, key := &r[in.a], &r[uint8(in.b)]
			if o.isTable() && key.isNum() {
				tab := o.table()
				f := key.num()
				if i := int(f); float64(i) == f && uint(i-1) < uint(len(tab.arr)) && tab.meta == nil && !tab.readonly {
					tab.arr[i-1] = r[uint8(in.c)]
					continue
				}
			}
			t.frames[t.nf-1].pc = pc
			t.setIndex(*o, *key, r[uint8(in.c)])
			r = t.regs(base)
		case opSetField:
			o := &r[in.a]
			if o.isTable() {
				tab := o.table()
				if tab.meta == nil && !tab.readonly && tab.node != nil {
					if p := tab.findHashed(k[in.c], fn.proto.hash[in.c]); p != nil {
						*p = r[uint8(in.b)]
						continue
					}
				}
			}
			t.frames[t.nf-1].pc = pc
			t.setIndex(*o, k[in.c], r[uint8(in.b)])
			r = t.regs(base)
		case opNewTable:
			t.frames[t.nf-1].pc = pc
			r[in.a] = Tab(s.NewTable(int(in.b), int(in.c)))
		case opSelf:
			o := r[uint8(in.b)]
			var v Value
			if o.isTable() {
				v = o.table().getHashed(k[in.c], fn.proto.hash[in.c])
			}
			if v.isNil() {
				t.frames[t.nf-1].pc = pc
				v = t.index(o, k[in.c])
				r = t.regs(base)
			}
			r[in.a+1] = o
			r[in.a] = v
		case opAdd:
			x, y := &r[uint8(in.b)], &r[uint8(in.c)]
			if x.isNum() && y.isNum() {
				r[in.a] = Num(x.num() + y.num())
				continue
			}
			t.frames[t.nf-1].pc = pc
			v := t.arith(bAdd, *x, *y)
			r = t.regs(base)
			r[in.a] = v
		case opSub:
			x, y := &r[uint8(in.b)], &r[uint8(in.c)]
			if x.isNum() && y.isNum() {
				r[in.a] = Num(x.num() - y.num())
				continue
			}
			t.frames[t.nf-1].pc = pc
			v := t.arith(bSub, *x, *y)
			r = t.regs(base)
			r[in.a] = v
		case opMul, opDiv, opMod, opPow:
			x, y := &r[uint8(in.b)], &r[uint8(in.c)]
			if x.isNum() && y.isNum() {
				r[in.a] = Num(arith(binOp(in.op-opAdd), x.num(), y.num()))
				continue
			}
			t.frames[t.nf-1].pc = pc
			v := t.arith(binOp(in.op-opAdd), *x, *y)
			r = t.regs(base)
			r[in.a] = v
		case opAddK:
			x := &r[uint8(in.b)]
			if x.isNum() {
				r[in.a] = Num(x.num() + k[in.c].num())
				continue
			}
			t.frames[t.nf-1].pc = pc
			v := t.arith(bAdd, *x, k[in.c])
			r = t.regs(base)
			r[in.a] = v
		case opSubK:
			x := &r[uint8(in.b)]
			if x.isNum() {
				r[in.a] = Num(x.num() - k[in.c].num())
				continue
			}
			t.frames[t.nf-1].pc = pc
			v := t.arith(bSub, *x, k[in.c])
			r = t.regs(base)
			r[in.a] = v
		case opMulK, opDivK, opModK, opPowK:
			x := &r[uint8(in.b)]
			if x.isNum() {
				r[in.a] = Num(arith(binOp(in.op-opAddK), x.num(), k[in.c].num()))
				continue
			}
			t.frames[t.nf-1].pc = pc
			v := t.arith(binOp(in.op-opAddK), *x, k[in.c])
			r = t.regs(base)
			r[in.a] = v
		case opNeg:
			x := r[uint8(in.b)]
			if x.isNum() {
				r[in.a] = Num(-x.num())
				continue
			}
			t.frames[t.nf-1].pc = pc
			v := t.negate(x)
			r = t.regs(base)
			r[in.a] = v
		case opNot:
			r[in.a] = Bool(r[uint8(in.b)].falsy())
		case opLen:
			x := r[uint8(in.b)]
			switch {
			case x.isStr():
				r[in.a] = Int(x.strLen())
			case x.isTable():
				r[in.a] = Int(x.table().Len())
			default:
				t.frames[t.nf-1].pc = pc
				v := t.length(x)
				r = t.regs(base)
				r[in.a] = v
			}
		case opConcat:
			t.frames[t.nf-1].pc = pc
			v := t.concat(base+int(in.b), base+int(in.c))
			r = t.regs(base)
			r[in.a] = v
		case opJump:
			pc = int(in.c)
		case opLoop:
			if s.steps--; s.steps < 0 {
				s.check()
			}
			pc = int(in.c)
		case opEq, opNe:
			x, y := &r[in.a], &r[uint8(in.b)]
			eq := x.Equal(*y)
			if !eq && x.isTable() && y.isTable() {
				t.frames[t.nf-1].pc = pc
				eq = t.equalMeta(*x, *y)
				r = t.regs(base)
			}
			if eq == (in.op == opEq) {
				pc = int(in.c)
			}
		case opEqK:
			if r[in.a].Equal(k[in.b]) {
				pc = int(in.c)
			}
		case opNeK:
			if !r[in.a].Equal(k[in.b]) {
				pc = int(in.c)
			}
		case opLt, opNotLt:
			x, y := &r[in.a], &r[uint8(in.b)]
			var lt bool
			if x.isNum() && y.isNum() {
				lt = x.num() < y.num()
			} else {
				t.frames[t.nf-1].pc = pc
				lt = t.less(*x, *y)
				r = t.regs(base)
			}
			if lt == (in.op == opLt) {
				pc = int(in.c)
			}
		case opLe, opNotLe:
			x, y := &r[in.a], &r[uint8(in.b)]
			var le bool
			if x.isNum() && y.isNum() {
				le = x.num() <= y.num()
			} else {
				t.frames[t.nf-1].pc = pc
				le = t.lessEqual(*x, *y)
				r = t.regs(base)
			}
			if le == (in.op == opLe) {
				pc = int(in.c)
			}
		case opTrue:
			if !r[in.a].falsy() {
				pc = int(in.c)
			}
		case opFalse:
			if r[in.a].falsy() {
				pc = int(in.c)
			}
		case opCall:
			t.frames[t.nf-1].pc = pc
			if s.steps--; s.steps < 0 {
				s.check()
			}
			fpos := base + int(in.a)
			nargs := int(in.b) - 1
			if nargs >= 0 {
				t.top = fpos + 1 + nargs
			} else {
				nargs = t.top - fpos - 1
			}
			v := r[in.a]
			if !v.isFn() {
				v = t.callable(fpos)
				nargs++
			}
			if f := v.fn(); f.proto != nil {
				t.enterLua(f, fpos, nargs, int(in.c)-1)
				goto newFrame
			} else if t.callGo(f, fpos, nargs, int(in.c)-1) {
				return true
			}
			r = t.regs(base)
		case opTailCall:
			t.frames[t.nf-1].pc = pc
			if s.steps--; s.steps < 0 {
				s.check()
			}
			fpos := base + int(in.a)
			nargs := int(in.b) - 1
			if nargs >= 0 {
				t.top = fpos + 1 + nargs
			} else {
				nargs = t.top - fpos - 1
			}
			v := r[in.a]
			if !v.isFn() {
				v = t.callable(fpos)
				nargs++
			}
			f := v.fn()
			if f.proto == nil {
				if t.callGo(f, fpos, nargs, -1) {
					return true
				}
				r = t.regs(base)
				continue // the return that follows takes the results
			}
			t.closeUpvalues(base)
			old := t.frames[t.nf-1]
			copy(t.stack[old.fbase:], t.stack[fpos:fpos+nargs+1])
			t.nf--
			t.enterLua(f, old.fbase, nargs, old.nres)
			t.frames[t.nf-1].tail = old.tail + 1
			goto newFrame
		case opReturn:
			if len(t.open) > 0 {
				t.closeUpvalues(base)
			}
			from := base + int(in.a)
			n := int(in.b) - 1
			if n < 0 {
				n = t.top - from
			}
			fr := &t.frames[t.nf-1]
			to, want := fr.fbase, fr.nres
			t.nf--
			if n == 1 && want == 1 {
				t.stack[to] = t.stack[from]
			} else {
				t.finish(to, from, n, want)
			}
			if t.nf < entry {
				return false
			}
			goto newFrame
		case opForPrep:
			t.frames[t.nf-1].pc = pc
			t.prepareLoop(base + int(in.a))
			pc = int(in.c)
		case opForLoop:
			if s.steps--; s.steps < 0 {
				t.frames[t.nf-1].pc = pc
				s.check()
			}
			a := in.a
			step := r[a+2].num()
			i := r[a].num() + step
			limit := r[a+1].num()
			if step > 0 && i <= limit || step <= 0 && i >= limit {
				v := Num(i)
				r[a].n = v.n
				r[a+3] = v
				pc = int(in.c)
			}
		case opTFor:
			t.frames[t.nf-1].pc = pc
			if s.steps--; s.steps < 0 {
				s.check()
			}
			t.forStep(base+int(in.a), int(in.c))
			r = t.regs(base)
			if r[in.a+3].isNil() {
				pc++
			} else {
				r[in.a+2] = r[in.a+3]
			}
		case opSetList:
			tab := r[in.a].table()
			n := int(in.b)
			if n == 0 {
				n = t.top - (base + int(in.a)) - 1
			}
			if last := int(in.c) + n; last > len(tab.arr) {
				tab.growArray(last)
			}
			copy(tab.arr[in.c:], t.stack[base+int(in.a)+1:base+int(in.a)+1+n])
		case opClose:
			t.closeUpvalues(base + int(in.a))
		case opClosure:
			t.frames[t.nf-1].pc = pc
			r[in.a] = Fn(t.closure(fn, fn.proto.protos[in.c], base))
		case opVararg:
			f := &t.frames[t.nf-1]
			n := int(in.b) - 1
			have := f.nvar
			at := base + int(in.a)
			if n < 0 {
				n = have
				f.pc = pc
				t.reserve(at + n + 1)
				r = t.regs(base)
				t.top = at + n
			}
			from := base - have
			s.steps -= n >> 6
			for i := 0; i < n; i++ {
				if i < have {
					t.stack[at+i] = t.stack[from+i]
				} else {
					t.stack[at+i] = Value{}
				}
			}
		}
	}
}

func (t *Thread) closure(outer *Function, p *Proto, base int) *Function {
	t.st.charge(functionBytes + 8*len(p.ups))
	f := &Function{proto: p, id: t.st.nextID()}
	if len(p.ups) > 0 {
		f.up = make([]*upvalue, len(p.ups))
		for i, d := range p.ups {
			if d.local {
				f.up[i] = t.findUpvalue(base + d.idx)
			} else {
				f.up[i] = outer.up[d.idx]
			}
		}
	}
	return f
}

// prepareLoop checks the three numbers of a numeric loop.
func (t *Thread) prepareLoop(at int) {
	for i, what := range [...]string{"initial value", "limit", "step"} {
		f, ok := toNumber(t.stack[at+i])
		if !ok {
			t.runtimeError("'for' %s must be a number", what)
		}
		t.stack[at+i] = Num(f)
	}
	t.stack[at] = Num(t.stack[at].num() - t.stack[at+2].num())
}

// forStep calls the iterator of a generic loop.
func (t *Thread) forStep(at, n int) {
	f := t.stack[at]
	if f.isFn() && f.fn() == t.st.nextFn && t.stack[at+1].isTable() {
		t.nextPair(at, n)
		return
	}
	copy(t.stack[at+3:at+6], t.stack[at:at+3])
	t.top = at + 6
	t.reserve(t.top + 1)
	t.Call(2, n)
}

// nextPair is next without a call.
func (t *Thread) nextPair(at, n int) {
	k, v, _, ok := t.stack[at+1].table().Next(t.stack[at+2])
	if !ok {
		t.runtimeErrorIn("invalid key to 'next'")
	}
	t.stack[at+3] = k
	for i := 1; i < n; i++ {
		t.stack[at+3+i] = Value{}
	}
	if n > 1 {
		t.stack[at+4] = v
	}
}

// runtimeErrorIn raises an error of a Go function that runs without a frame.
func (t *Thread) runtimeErrorIn(msg string) { panic(t.st.newError(msg)) }
