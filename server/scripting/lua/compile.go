package lua

import (
	"fmt"
	"math"
	"strconv"
)

const (
	maxRegs   = 250
	maxLocals = 200
	maxUpvals = 60
)

// Compile translates a source text. chunk names it in messages: "@name", or the text itself for strings.
func Compile(src, chunk string) (*Proto, error) {
	tree, err := parseChunk(src, chunk)
	if err != nil {
		return nil, err
	}
	return compileTree(tree, chunk)
}

func compileTree(tree *funcExpr, chunk string) (p *Proto, err error) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *SyntaxError:
			p, err = nil, e
		default:
			panic(e)
		}
	}()
	p = compileFunc(nil, tree, chunk)
	p.tree = tree
	return p, nil
}

type local struct {
	name     string
	reg      int
	captured bool
}

type loopScope struct {
	breaks []int
	locals int // active locals outside
}

// gen generates the code of one function.
type gen struct {
	p      *Proto
	outer  *gen
	active []local
	free   int // first free register
	loops  []*loopScope
	consts map[Value]int
	strs   map[string]int
	line   int
}

func compileFunc(outer *gen, f *funcExpr, chunk string) *Proto {
	g := &gen{
		p:      &Proto{chunk: chunk, params: len(f.params), dots: f.dots, line: f.line, desc: make(map[int]operand)},
		outer:  outer,
		consts: make(map[Value]int), strs: make(map[string]int),
		line: f.line,
	}
	for _, name := range f.params {
		g.declare(name, g.alloc(1))
	}
	if f.dots && outer != nil {
		g.declare("arg", g.alloc(1))
		g.p.needArg = f.needArg
	}
	g.stmts(f.body)
	g.line = f.last
	g.emit(opReturn, 0, 1, 0)
	for i := range g.p.code {
		in := &g.p.code[i]
		if in.op == opJump && int(in.c) <= i {
			in.op = opLoop
		}
	}
	return g.p
}

func (g *gen) fail(format string, args ...any) {
	panic(&SyntaxError{chunkID(g.p.chunk) + ":" + strconv.Itoa(g.line) + ": " + fmt.Sprintf(format, args...)})
}

func (g *gen) emit(op opcode, a, b, c int) int {
	if b > math.MaxUint16 || c > math.MaxInt32 {
		g.fail("constant table overflow")
	}
	g.p.code = append(g.p.code, inst{op, uint8(a), uint16(b), int32(c)})
	g.p.lines = append(g.p.lines, int32(g.line))
	return len(g.p.code) - 1
}

func (g *gen) pc() int { return len(g.p.code) }

func (g *gen) patch(list []int, to int) {
	for _, i := range list {
		g.p.code[i].c = int32(to)
	}
}

func (g *gen) patchHere(list []int) { g.patch(list, g.pc()) }

func (g *gen) alloc(n int) int {
	r := g.free
	g.free += n
	if g.free > maxRegs {
		g.fail("function or expression too complex near '%s'", "?")
	}
	g.p.stack = max(g.p.stack, g.free)
	return r
}

func (g *gen) constant(v Value) int {
	if s, ok := v.AsString(); ok {
		if i, ok := g.strs[s]; ok {
			return i
		}
		g.p.k = append(g.p.k, v)
		g.p.hash = append(g.p.hash, hashString(s))
		g.strs[s] = len(g.p.k) - 1
		return len(g.p.k) - 1
	}
	if i, ok := g.consts[v]; ok {
		return i
	}
	g.p.k = append(g.p.k, v)
	g.p.hash = append(g.p.hash, 0)
	g.consts[v] = len(g.p.k) - 1
	return len(g.p.k) - 1
}

func (g *gen) declare(name string, reg int) {
	if len(g.active) >= maxLocals {
		where := "main function"
		if g.p.line > 0 {
			where = "function at line " + strconv.Itoa(g.p.line)
		}
		g.fail("%s has more than %d local variables", where, maxLocals)
	}
	g.active = append(g.active, local{name: name, reg: reg})
}

func (g *gen) findLocal(name string) int {
	for i := len(g.active) - 1; i >= 0; i-- {
		if g.active[i].name == name {
			return i
		}
	}
	return -1
}

func (g *gen) findUpvalue(name string) int {
	for i := range g.p.ups {
		if g.p.ups[i].name == name {
			return i
		}
	}
	if g.outer == nil {
		return -1
	}
	d := upvalDesc{name: name}
	if i := g.outer.findLocal(name); i >= 0 {
		g.outer.active[i].captured = true
		d.local, d.idx = true, g.outer.active[i].reg
	} else if d.idx = g.outer.findUpvalue(name); d.idx < 0 {
		return -1
	}
	if len(g.p.ups) >= maxUpvals {
		g.fail("function at line %d has more than %d upvalues", g.p.line, maxUpvals)
	}
	g.p.ups = append(g.p.ups, d)
	return len(g.p.ups) - 1
}

// block generates statements in a scope of their own.
func (g *gen) block(body []stmt) {
	outside := len(g.active)
	g.stmts(body)
	g.leave(outside, true)
}

// leave ends the scope of locals above a number, closing those that closures hold.
func (g *gen) leave(outside int, emit bool) {
	if outside < len(g.active) {
		reg := g.active[outside].reg
		if emit && g.captured(outside) {
			g.emit(opClose, reg, 0, 0)
		}
		g.active = g.active[:outside]
		g.free = reg
	}
}

func (g *gen) captured(outside int) bool {
	for _, l := range g.active[outside:] {
		if l.captured {
			return true
		}
	}
	return false
}

func (g *gen) stmts(body []stmt) {
	for _, s := range body {
		g.stmt(s)
		g.free = 0
		if n := len(g.active); n > 0 {
			g.free = g.active[n-1].reg + 1
		}
	}
}

// loop generates a loop's body; the breaks are returned.
func (g *gen) loop(body func()) []int {
	l := &loopScope{locals: len(g.active)}
	g.loops = append(g.loops, l)
	body()
	g.loops = g.loops[:len(g.loops)-1]
	return l.breaks
}

func (g *gen) stmt(s stmt) {
	switch s := s.(type) {
	case *localStmt:
		g.line = s.line
		g.localStatement(s)
	case *localFuncStmt:
		g.line = s.line
		reg := g.alloc(1)
		g.declare(s.name, reg)
		g.toReg(s.fn, reg)
	case *assignStmt:
		g.line = s.line
		g.assign(s)
	case *callStmt:
		g.line = s.line
		g.call(s.call, 0)
	case *doStmt:
		g.block(s.body)
	case *whileStmt:
		g.line = s.line
		start := g.pc()
		exit := g.cond(s.cond, false)
		breaks := g.loop(func() { g.block(s.body) })
		g.emit(opJump, 0, 0, start)
		g.patchHere(exit)
		g.patchHere(breaks)
	case *repeatStmt:
		g.repeat(s)
	case *ifStmt:
		g.ifStatement(s)
	case *numForStmt:
		g.numFor(s)
	case *genForStmt:
		g.genFor(s)
	case *returnStmt:
		g.line = s.line
		g.returnStatement(s)
	case *breakStmt:
		g.line = s.line
		l := g.loops[len(g.loops)-1]
		if g.captured(l.locals) {
			g.emit(opClose, g.active[l.locals].reg, 0, 0)
		}
		l.breaks = append(l.breaks, g.emit(opJump, 0, 0, 0))
	}
}

func (g *gen) repeat(s *repeatStmt) {
	start := g.pc()
	outside := len(g.active)
	var exit []int
	breaks := g.loop(func() {
		g.stmts(s.body)
		g.line = s.line
		exit = g.cond(s.cond, true)
		if outside < len(g.active) && g.captured(outside) {
			g.emit(opClose, g.active[outside].reg, 0, 0)
		}
	})
	g.emit(opJump, 0, 0, start)
	g.patchHere(exit)
	g.leave(outside, true)
	g.patchHere(breaks)
}

func (g *gen) ifStatement(s *ifStmt) {
	var ends []int
	for i, c := range s.conds {
		g.line = s.lines[i]
		next := g.cond(c, false)
		g.block(s.blocks[i])
		if i+1 < len(s.conds) || s.other != nil {
			ends = append(ends, g.emit(opJump, 0, 0, 0))
		}
		g.patchHere(next)
	}
	g.block(s.other)
	g.patchHere(ends)
}

func (g *gen) numFor(s *numForStmt) {
	g.line = s.line
	outside := len(g.active)
	base := g.alloc(3)
	g.toReg(s.init, base)
	g.toReg(s.limit, base+1)
	if s.step != nil {
		g.toReg(s.step, base+2)
	} else {
		g.emit(opLoadK, base+2, 0, g.constant(Num(1)))
	}
	g.declare("(for index)", base)
	g.declare("(for limit)", base+1)
	g.declare("(for step)", base+2)
	prep := g.emit(opForPrep, base, 0, 0)
	start := g.pc()
	breaks := g.loop(func() {
		inner := len(g.active)
		g.declare(s.name, g.alloc(1))
		g.stmts(s.body)
		g.leave(inner, true)
	})
	g.line = s.line
	g.p.code[prep].c = int32(g.pc())
	g.emit(opForLoop, base, 0, start)
	g.patchHere(breaks)
	g.leave(outside, false)
}

func (g *gen) genFor(s *genForStmt) {
	g.line = s.line
	outside := len(g.active)
	base := g.alloc(3)
	g.free = base
	g.exprsTo(s.exprs, 3)
	g.free = base + 3
	for i, n := range []string{"(for generator)", "(for state)", "(for control)"} {
		g.declare(n, base+i)
	}
	prep := g.emit(opJump, 0, 0, 0)
	start := g.pc()
	breaks := g.loop(func() {
		inner := len(g.active)
		first := g.alloc(len(s.names))
		for i, n := range s.names {
			g.declare(n, first+i)
		}
		g.stmts(s.body)
		g.leave(inner, true)
	})
	g.patchHere([]int{prep})
	g.line = s.line
	g.free = base + 3
	g.alloc(3) // the call works on copies above the loop's state
	g.emit(opTFor, base, 0, len(s.names))
	g.emit(opJump, 0, 0, start)
	g.patchHere(breaks)
	g.leave(outside, false)
}

func (g *gen) returnStatement(s *returnStmt) {
	if len(s.exprs) == 1 {
		if c, ok := s.exprs[0].(*callExpr); ok {
			base := g.call(c, -1)
			pc := g.pc() - 1
			g.p.code[pc].op = opTailCall
			g.line = s.line
			g.emit(opReturn, base, 0, 0)
			return
		}
		if !isMulti(s.exprs[0]) {
			g.emit(opReturn, g.anyReg(s.exprs[0]), 2, 0)
			return
		}
	}
	base := g.free
	n, multi := g.exprList(s.exprs)
	if multi {
		g.emit(opReturn, base, 0, 0)
		return
	}
	g.emit(opReturn, base, n+1, 0)
}

func isMulti(e expr) bool {
	switch e.(type) {
	case *callExpr, *dotsExpr:
		return true
	}
	return false
}

// exprList puts expressions in fresh registers; the last may have an open number of values.
func (g *gen) exprList(list []expr) (n int, multi bool) {
	for i, e := range list {
		if i == len(list)-1 && isMulti(e) {
			switch e := e.(type) {
			case *callExpr:
				g.call(e, -1)
			case *dotsExpr:
				r := g.alloc(1)
				g.emit(opVararg, r, 0, 0)
			}
			return i + 1, true
		}
		g.toReg(e, g.alloc(1))
	}
	return len(list), false
}

// exprsTo puts exactly want values in fresh registers.
func (g *gen) exprsTo(list []expr, want int) {
	base := g.free
	for i, e := range list {
		if i == len(list)-1 && isMulti(e) && want > i {
			switch e := e.(type) {
			case *callExpr:
				g.call(e, want-i)
			case *dotsExpr:
				r := g.alloc(want - i)
				g.emit(opVararg, r, want-i+1, 0)
			}
			g.free = base
			g.alloc(want)
			return
		}
		r := g.alloc(1)
		g.toReg(e, r)
		if i >= want {
			g.free = r // evaluated for its effects
		}
	}
	g.free = base
	if have := len(list); have < want {
		g.alloc(want)
		g.emit(opLoadNil, base+have, base+want-1, 0)
		return
	}
	g.alloc(want)
}

func (g *gen) localStatement(s *localStmt) {
	base := g.free
	if len(s.exprs) == 0 {
		g.alloc(len(s.names))
		g.emit(opLoadNil, base, base+len(s.names)-1, 0)
	} else {
		g.exprsTo(s.exprs, len(s.names))
	}
	for i, n := range s.names {
		g.declare(n, base+i)
	}
}

// target is a place that can be assigned to.
type target struct {
	kind     uint8 // 'l'ocal, 'u'pvalue, 'g'lobal, 'f'ield, 't'able
	reg, key int
	desc     operand
}

func (g *gen) target(e expr, copies bool) target {
	switch e := e.(type) {
	case *nameExpr:
		if i := g.findLocal(e.name); i >= 0 {
			return target{kind: 'l', reg: g.active[i].reg}
		}
		if i := g.findUpvalue(e.name); i >= 0 {
			return target{kind: 'u', reg: i}
		}
		return target{kind: 'g', key: g.constant(Str(e.name))}
	case *indexExpr:
		g.line = e.line
		t := target{kind: 't', desc: g.origin(e.obj)}
		reg := func(x expr) int {
			if copies {
				r := g.alloc(1)
				g.toReg(x, r)
				return r
			}
			return g.anyReg(x)
		}
		t.reg = reg(e.obj)
		if k, ok := e.key.(*strExpr); ok {
			t.kind, t.key = 'f', g.constant(Str(k.v))
		} else {
			t.key = reg(e.key)
		}
		return t
	}
	panic("lua: not a target")
}

func (g *gen) store(t target, reg int) {
	switch t.kind {
	case 'l':
		if t.reg != reg {
			g.emit(opMove, t.reg, reg, 0)
		}
	case 'u':
		g.emit(opSetUpval, reg, t.reg, 0)
	case 'g':
		g.emit(opSetGlobal, reg, 0, t.key)
	case 'f':
		g.describe(g.emit(opSetField, t.reg, reg, t.key), 0, t.desc)
	case 't':
		g.describe(g.emit(opSetTable, t.reg, t.key, reg), 0, t.desc)
	}
}

func (g *gen) assign(s *assignStmt) {
	if len(s.lhs) == 1 && len(s.rhs) == 1 {
		t := g.target(s.lhs[0], false)
		if t.kind == 'l' && writesLast(s.rhs[0]) {
			g.toReg(s.rhs[0], t.reg)
			return
		}
		g.store(t, g.anyReg(s.rhs[0]))
		return
	}
	targets := make([]target, len(s.lhs))
	for i, e := range s.lhs {
		targets[i] = g.target(e, true)
	}
	base := g.free
	g.exprsTo(s.rhs, len(s.lhs))
	for i := len(targets) - 1; i >= 0; i-- {
		g.store(targets[i], base+i)
	}
}

// writesLast reports that toReg writes the register only after all of the expression has been read.
func writesLast(e expr) bool {
	switch e := e.(type) {
	case *tableExpr, *dotsExpr:
		return false
	case *parenExpr:
		return writesLast(e.e)
	case *binExpr:
		return e.op != bAnd && e.op != bOr
	}
	return true
}

// origin says where an expression's value comes from, as messages name it.
func (g *gen) origin(e expr) operand {
	switch e := e.(type) {
	case *parenExpr:
		return g.origin(e.e)
	case *nameExpr:
		switch {
		case g.findLocal(e.name) >= 0:
			return operand{"local", e.name}
		case g.findUpvalue(e.name) >= 0:
			return operand{"upvalue", e.name}
		}
		return operand{"global", e.name}
	case *indexExpr:
		if k, ok := e.key.(*strExpr); ok {
			return operand{"field", k.v}
		}
		return operand{"field", "?"}
	}
	return operand{}
}

func (g *gen) describe(pc, place int, o operand) {
	if o.kind != "" {
		g.p.desc[pc<<8|place] = o
	}
}

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
