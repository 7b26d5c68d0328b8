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
