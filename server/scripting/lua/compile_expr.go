package lua

import "math"

// Expressions: how each kind gets its value into a register, and conditions as jumps.

// anyReg puts an expression in some register: a local's own, or a fresh one.
func (g *gen) anyReg(e expr) int {
	if n, ok := e.(*nameExpr); ok {
		if i := g.findLocal(n.name); i >= 0 {
			return g.active[i].reg
		}
	}
	if p, ok := e.(*parenExpr); ok && !isMulti(p.e) {
		return g.anyReg(p.e)
	}
	r := g.alloc(1)
	g.toReg(e, r)
	return r
}

// fold computes constant arithmetic.
func fold(e expr) (float64, bool) {
	switch e := e.(type) {
	case *numExpr:
		return e.v, true
	case *parenExpr:
		return fold(e.e)
	case *unExpr:
		if e.op == uNeg {
			if v, ok := fold(e.e); ok {
				return -v, true
			}
		}
	case *binExpr:
		if e.op > bPow {
			return 0, false
		}
		r, ok := fold(e.r)
		if !ok {
			return 0, false
		}
		l, ok := fold(e.l)
		if !ok || (e.op == bDiv || e.op == bMod) && r == 0 {
			return 0, false
		}
		v := arith(e.op, l, r)
		return v, v == v
	}
	return 0, false
}

func arith(op binOp, a, b float64) float64 {
	switch op {
	case bAdd:
		return a + b
	case bSub:
		return a - b
	case bMul:
		return a * b
	case bDiv:
		return a / b
	case bMod:
		return modulo(a, b)
	}
	return power(a, b)
}

// modulo is a - floor(a/b)*b.
func modulo(a, b float64) float64 {
	if a >= 0 && b > 0 && a < 1<<53 && b < 1<<53 {
		if ia, ib := int64(a), int64(b); float64(ia) == a && float64(ib) == b {
			return float64(ia % ib)
		}
	}
	return a - math.Floor(a/b)*b
}

func power(a, b float64) float64 {
	if b == 2 {
		return a * a
	}
	if b == 0.5 && !math.IsInf(a, 0) {
		return math.Sqrt(a)
	}
	return math.Pow(a, b)
}

func (g *gen) toReg(e expr, dst int) {
	free := g.free
	g.toRegKeep(e, dst)
	g.free = free
}

func (g *gen) toRegKeep(e expr, dst int) {
	switch e := e.(type) {
	case *nilExpr:
		g.emit(opLoadNil, dst, dst, 0)
	case *boolExpr:
		b := 0
		if e.v {
			b = 1
		}
		g.emit(opLoadBool, dst, b, 0)
	case *numExpr:
		g.emit(opLoadK, dst, 0, g.constant(Num(e.v)))
	case *strExpr:
		g.emit(opLoadK, dst, 0, g.constant(Str(e.v)))
	case *dotsExpr:
		g.emit(opVararg, dst, 2, 0)
	case *parenExpr:
		g.toRegKeep(e.e, dst)
	case *nameExpr:
		if i := g.findLocal(e.name); i >= 0 {
			if r := g.active[i].reg; r != dst {
				g.emit(opMove, dst, r, 0)
			}
		} else if i := g.findUpvalue(e.name); i >= 0 {
			g.emit(opGetUpval, dst, i, 0)
		} else {
			g.emit(opGetGlobal, dst, 0, g.constant(Str(e.name)))
		}
	case *indexExpr:
		g.index(e, dst)
	case *callExpr:
		base := g.call(e, 1)
		if base != dst {
			g.emit(opMove, dst, base, 0)
		}
	case *funcExpr:
		p := compileFunc(g, e, g.p.chunk)
		g.p.protos = append(g.p.protos, p)
		g.emit(opClosure, dst, 0, len(g.p.protos)-1)
	case *tableExpr:
		g.table(e, dst)
	case *unExpr:
		g.unary(e, dst)
	case *binExpr:
		g.binary(e, dst)
	default:
		panic("lua: unknown expression")
	}
}

func (g *gen) index(e *indexExpr, dst int) {
	o := g.anyReg(e.obj)
	var pc int
	switch k := e.key.(type) {
	case *strExpr:
		g.line = e.line
		pc = g.emit(opGetField, dst, o, g.constant(Str(k.v)))
	case *numExpr:
		g.line = e.line
		if i := int32(max(min(k.v, 1<<30), -1<<30)); float64(i) == k.v {
			pc = g.emit(opGetInt, dst, o, int(i))
			break
		}
		r := g.anyReg(k)
		pc = g.emit(opGetTable, dst, o, r)
	default:
		r := g.anyReg(e.key)
		g.line = e.line
		pc = g.emit(opGetTable, dst, o, r)
	}
	g.describe(pc, 0, g.origin(e.obj))
}

// call generates a call with so many results, -1 for an open number; they begin at the register returned.
func (g *gen) call(c *callExpr, results int) int {
	base := g.alloc(2) // a method needs two registers from the beginning
	g.free = base + 1
	var from operand
	nargs := len(c.args)
	if c.method != "" {
		o := g.anyReg(c.fn)
		g.line = c.line
		pc := g.emit(opSelf, base, o, g.constant(Str(c.method)))
		g.describe(pc, 0, g.origin(c.fn))
		g.free = base + 1
		g.alloc(1)
		from = operand{"method", c.method}
		nargs++
	} else {
		g.toReg(c.fn, base)
		from = g.origin(c.fn)
	}
	_, multi := g.exprList(c.args)
	b := nargs + 1
	if multi {
		b = 0
	}
	g.line = c.line
	g.describe(g.emit(opCall, base, b, results+1), 0, from)
	g.free = base
	g.alloc(max(results, 1))
	return base
}

func (g *gen) table(e *tableExpr, dst int) {
	const flush = 50
	// The table is built in a register of its own when dst has others above it in use.
	t := dst
	if dst != g.free-1 {
		t = g.alloc(1)
	}
	positional, named := 0, 0
	for _, it := range e.items {
		if it.key == nil {
			positional++
		} else {
			named++
		}
	}
	g.line = e.line
	if n := len(e.items); n > 0 && e.items[n-1].key == nil && isMulti(e.items[n-1].val) {
		positional--
	}
	g.emit(opNewTable, t, min(roundSize(positional), math.MaxUint16), roundSize(named))
	pending, done := 0, 0
	for i, it := range e.items {
		if it.key != nil {
			free := g.free
			if k, ok := it.key.(*strExpr); ok {
				kc := g.constant(Str(k.v))
				g.emit(opSetField, t, g.anyReg(it.val), kc)
			} else {
				k := g.anyReg(it.key)
				g.emit(opSetTable, t, k, g.anyReg(it.val))
			}
			g.free = free
			continue
		}
		if i == len(e.items)-1 && isMulti(it.val) {
			switch v := it.val.(type) {
			case *callExpr:
				g.call(v, -1)
			case *dotsExpr:
				g.emit(opVararg, g.alloc(1), 0, 0)
			}
			g.emit(opSetList, t, 0, done)
			g.free = t + 1
			pending = 0
			break
		}
		g.toReg(it.val, g.alloc(1))
		if pending++; pending == flush {
			g.emit(opSetList, t, pending, done)
			done += pending
			pending = 0
			g.free = t + 1
		}
	}
	if pending > 0 {
		g.emit(opSetList, t, pending, done)
	}
	g.free = t + 1
	if t != dst {
		g.emit(opMove, dst, t, 0)
	}
}

// roundSize rounds a size hint up as Lua's "floating point byte" does: three bits of mantissa.
func roundSize(n int) int {
	e := 0
	for n >= 16 {
		n = (n + 1) >> 1
		e++
	}
	return n << e
}

func (g *gen) unary(e *unExpr, dst int) {
	if v, ok := fold(e); ok {
		g.emit(opLoadK, dst, 0, g.constant(Num(v)))
		return
	}
	switch e.op {
	case uNot:
		g.emit(opNot, dst, g.anyReg(e.e), 0)
	case uNeg:
		r := g.anyReg(e.e)
		g.line = e.line
		g.describe(g.emit(opNeg, dst, r, 0), 0, g.origin(e.e))
	case uLen:
		r := g.anyReg(e.e)
		g.line = e.line
		g.describe(g.emit(opLen, dst, r, 0), 0, g.origin(e.e))
	}
}

func (g *gen) binary(e *binExpr, dst int) {
	if v, ok := fold(e); ok {
		g.emit(opLoadK, dst, 0, g.constant(Num(v)))
		return
	}
	switch e.op {
	case bAnd, bOr:
		g.toReg(e.l, dst)
		op := opFalse
		if e.op == bOr {
			op = opTrue
		}
		j := g.emit(op, dst, 0, 0)
		g.toReg(e.r, dst)
		g.patchHere([]int{j})
	case bEq, bNe, bLt, bLe, bGt, bGe:
		list := g.cond(e, true)
		g.emit(opLoadBool, dst, 0, g.pc()+2)
		g.patchHere(list)
		g.emit(opLoadBool, dst, 1, 0)
	case bConcat:
		g.concat(e, dst)
	default:
		l := g.anyReg(e.l)
		if v, ok := fold(e.r); ok {
			g.line = e.line
			pc := g.emit(opAddK+opcode(e.op), dst, l, g.constant(Num(v)))
			g.describe(pc, 0, g.origin(e.l))
			return
		}
		r := g.anyReg(e.r)
		g.line = e.line
		pc := g.emit(opAdd+opcode(e.op), dst, l, r)
		g.describe(pc, 0, g.origin(e.l))
		g.describe(pc, 1, g.origin(e.r))
	}
}

func (g *gen) concat(e *binExpr, dst int) {
	parts := []expr{e.l}
	r := e.r
	for {
		b, ok := r.(*binExpr)
		if !ok || b.op != bConcat {
			parts = append(parts, r)
			break
		}
		parts = append(parts, b.l)
		r = b.r
	}
	base := g.free
	for _, p := range parts {
		g.toReg(p, g.alloc(1))
	}
	g.line = e.line
	pc := g.emit(opConcat, dst, base, base+len(parts)-1)
	for i, p := range parts {
		if _, ok := p.(*strExpr); !ok {
			g.describe(pc, i, g.origin(p))
		}
	}
}

// cond generates code that jumps if the truth of an expression is want; the jumps are to be patched.
func (g *gen) cond(e expr, want bool) []int {
	free := g.free
	defer func() { g.free = free }()
	switch e := e.(type) {
	case *parenExpr:
		if !isMulti(e.e) {
			return g.cond(e.e, want)
		}
	case *nilExpr:
		return g.always(!want)
	case *boolExpr:
		return g.always(e.v == want)
	case *numExpr, *strExpr:
		return g.always(want)
	case *unExpr:
		if e.op == uNot {
			return g.cond(e.e, !want)
		}
	case *binExpr:
		switch e.op {
		case bAnd, bOr:
			if (e.op == bAnd) != want {
				return append(g.cond(e.l, want), g.cond(e.r, want)...)
			}
			skip := g.cond(e.l, !want)
			list := g.cond(e.r, want)
			g.patchHere(skip)
			return list
		case bEq, bNe, bLt, bLe, bGt, bGe:
			return g.compare(e, want)
		}
	}
	op := opFalse
	if want {
		op = opTrue
	}
	return []int{g.emit(op, g.anyReg(e), 0, 0)}
}

func (g *gen) always(jump bool) []int {
	if jump {
		return []int{g.emit(opJump, 0, 0, 0)}
	}
	return nil
}

func (g *gen) compare(e *binExpr, want bool) []int {
	if e.op == bEq || e.op == bNe {
		equal := (e.op == bEq) == want
		l, r := e.l, e.r
		l0 := g.anyReg(l)
		if k, ok := g.constOperand(r); ok {
			op := opNeK
			if equal {
				op = opEqK
			}
			g.line = e.line
			return []int{g.emit(op, l0, k, 0)}
		}
		r0 := g.anyReg(r)
		op := opNe
		if equal {
			op = opEq
		}
		g.line = e.line
		return []int{g.emit(op, l0, r0, 0)}
	}
	l, r := g.anyReg(e.l), g.anyReg(e.r)
	var op opcode
	switch e.op {
	case bLt:
		op = opLt
	case bLe:
		op = opLe
	case bGt:
		op, l, r = opLt, r, l
	case bGe:
		op, l, r = opLe, r, l
	}
	if !want {
		op++
	}
	g.line = e.line
	return []int{g.emit(op, l, r, 0)}
}

// constOperand is the constant that an expression is, if an instruction can name it.
func (g *gen) constOperand(e expr) (int, bool) {
	var v Value
	switch e := e.(type) {
	case *nilExpr:
	case *boolExpr:
		v = Bool(e.v)
	case *strExpr:
		v = Str(e.v)
	default:
		f, ok := fold(e)
		if !ok {
			return 0, false
		}
		v = Num(f)
	}
	k := g.constant(v)
	return k, k <= math.MaxUint16
}
