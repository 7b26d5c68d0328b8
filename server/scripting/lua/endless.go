package lua

import (
	"math"
	"slices"
)

// maxForeseen is how many rounds of loops, one inside the other, a script may take whose end can be foreseen.
const maxForeseen = 1e6

// roundsOfTable stands for the number of elements of a table that a loop goes over.
const roundsOfTable = 100

// unforeseen are functions that may take long, or that call others.
var unforeseen = map[string]bool{
	"gsub": true, "gmatch": true, "find": true, "match": true, "rep": true, "sort": true, "loadstring": true, "load": true,
	"coroutine": true, "setmetatable": true, "insert": true, "rawset": true, "next": true,
	// Tables of functions, unless indexed by a constant.
	"string": true, "table": true, "_G": true, "getfenv": true,
}

// Endless reports whether a freshly compiled main chunk may run for any length of time: it is false only for one without functions
// of its own but local ones that are only called, by name and not by themselves, without while and repeat, whose other loops go over constant
// ranges, the lengths of tables or tables that they do not change. The syntax tree that it needs is kept only until Forget.
func (p *Proto) Endless() bool {
	if p.tree == nil {
		return true
	}
	f := foresight{rounds: 1, names: resolve(p.tree)}
	f.block(p.tree.body)
	return f.lost
}

type foresight struct {
	names  *names
	rounds float64 // of the loops around
	loops  int
	lost   bool

	inside  []*funcExpr // the functions whose calls are being looked at, innermost last
	inlined int         // statements and expressions in them, each as often as it is called
}

// Bounds for calls of functions: what is beyond is not foreseen.
const (
	maxInside  = 8
	maxInlined = 10_000 // functions that call each other twice, thirty of them, would take for ever to look at, and to run
)

// counts notes a step within a function.
func (f *foresight) counts() {
	if len(f.inside) > 0 {
		f.inlined++
		f.lost = f.lost || f.inlined > maxInlined
	}
}

func (f *foresight) block(list []stmt) {
	for _, s := range list {
		if f.lost {
			return
		}
		f.stmt(s)
	}
}

// loop looks at the body of a loop of so many rounds.
func (f *foresight) loop(rounds float64, body []stmt) {
	around := f.rounds
	f.rounds *= max(rounds, 1)
	f.loops++
	f.lost = f.lost || !(f.rounds <= maxForeseen)
	f.block(body)
	f.loops--
	f.rounds = around
}

func (f *foresight) stmt(s stmt) {
	f.counts()
	switch s := s.(type) {
	case *localStmt:
		for i, e := range s.exprs {
			if _, isFunc := e.(*funcExpr); isFunc && i < len(s.names) {
				continue // looked at when it is called
			}
			f.expr(e)
		}
	case *localFuncStmt: // looked at when it is called
	case *assignStmt:
		for _, l := range s.lhs {
			i, ok := l.(*indexExpr)
			if !ok {
				continue
			}
			if _, isConst := i.key.(*strExpr); !isConst && f.loops > 0 && !f.own(i.obj) {
				f.lost = true // it may be the table that a loop goes over
			}
			f.expr(i.obj)
			f.expr(i.key)
		}
		f.exprs(s.rhs)
	case *callStmt:
		f.expr(s.call)
	case *doStmt:
		f.block(s.body)
	case *ifStmt:
		f.exprs(s.conds)
		for _, b := range s.blocks {
			f.block(b)
		}
		f.block(s.other)
	case *numForStmt:
		f.exprs([]expr{s.init, s.limit})
		f.loop(f.roundsOf(s), s.body)
	case *genForStmt:
		f.exprs(s.exprs)
		n := math.Inf(1)
		if len(s.exprs) == 1 {
			if c, ok := s.exprs[0].(*callExpr); ok && c.method == "" {
				if name, ok := c.fn.(*nameExpr); ok && (name.name == "pairs" || name.name == "ipairs") {
					n = roundsOfTable
				}
			}
		}
		f.loop(n, s.body)
	case *returnStmt:
		f.exprs(s.exprs)
	case *breakStmt:
	default: // while, repeat
		f.lost = true
	}
}

// own reports whether e is a local variable whose table is nowhere else, and on which no loop depends.
func (f *foresight) own(e expr) bool {
	n, ok := e.(*nameExpr)
	if !ok {
		return false
	}
	v := f.names.of[n]
	if v == nil || v.assigned || v.escapes || v.limits {
		return false
	}
	_, ok = v.init.(*tableExpr)
	return ok
}

// call looks at a call, and into a local function as if it stood in the place of its call.
func (f *foresight) call(c *callExpr) {
	f.lost = f.lost || unforeseen[c.method]
	if c.method == "" && f.bounded(c) {
		f.exprs(c.args)
		return
	}
	n, ok := c.fn.(*nameExpr)
	v := (*variable)(nil)
	if ok {
		v = f.names.of[n]
	}
	if v == nil || v.fn == nil {
		f.expr(c.fn)
		f.exprs(c.args)
		return
	}
	f.exprs(c.args)
	fn := v.constFn()
	if fn == nil || len(f.inside) == maxInside || slices.Contains(f.inside, fn) {
		f.lost = true
		return
	}
	f.inside = append(f.inside, fn)
	f.block(fn.body)
	f.inside = f.inside[:len(f.inside)-1]
}

// bounded reports whether c calls a function out of unforeseen in a way that takes no more time than its arguments are long: a match
// with a pattern that does not go back, or an insertion outside of loops.
func (f *foresight) bounded(c *callExpr) bool {
	i, ok := c.fn.(*indexExpr)
	if !ok {
		return false
	}
	n, ok := i.obj.(*nameExpr)
	k, isConst := i.key.(*strExpr)
	if !ok || !isConst || f.names.of[n] != nil {
		return false
	}
	switch {
	case n.name == "string" && (k.v == "match" || k.v == "find") && len(c.args) == 2:
		p, ok := c.args[1].(*strExpr)
		return ok && straight(p.v)
	case n.name == "table" && k.v == "insert":
		return f.loops == 0
	}
	return false
}

// roundsOf is how often a numeric loop goes round, infinite if that is not known. Within another loop a length counts only if it is that of
// one and the same thing each time: what grows from round to round could double.
func (f *foresight) roundsOf(s *numForStmt) float64 {
	step := 1.0
	if s.step != nil {
		c, ok := constant(s.step)
		if !ok || c == 0 {
			return math.Inf(1)
		}
		step = c
	}
	first, ok := constant(s.init)
	if !ok {
		return math.Inf(1)
	}
	if u, ok := s.limit.(*unExpr); ok && u.op == uLen && math.Abs(step) >= 1 {
		n := measured(u)
		if v := f.names.of[n]; f.loops == 0 || n != nil && (v == nil || !v.assigned) {
			return roundsOfTable
		}
		return math.Inf(1)
	}
	last, ok := constant(s.limit)
	if !ok {
		return math.Inf(1)
	}
	return (last-first)/step + 1
}

func constant(e expr) (float64, bool) {
	switch e := e.(type) {
	case *numExpr:
		return e.v, true
	case *unExpr:
		if e.op == uNeg {
			v, ok := constant(e.e)
			return -v, ok
		}
	}
	return 0, false
}

func (f *foresight) exprs(list []expr) {
	for _, e := range list {
		f.expr(e)
	}
}

func (f *foresight) expr(e expr) {
	if f.lost {
		return
	}
	f.counts()
	switch e := e.(type) {
	case *nameExpr:
		// A variable holds what came from an expression that has been looked at, or a function.
		if v := f.names.of[e]; v != nil {
			f.lost = f.lost || v.fn != nil
			return
		}
		f.lost = f.lost || unforeseen[e.name]
	case *indexExpr:
		s, isConst := e.key.(*strExpr)
		if _, named := e.obj.(*nameExpr); !named || !isConst {
			f.expr(e.obj)
		}
		if !isConst {
			f.expr(e.key)
			return
		}
		f.lost = f.lost || unforeseen[s.v]
	case *callExpr:
		f.call(e)
	case *binExpr:
		f.expr(e.l)
		f.expr(e.r)
	case *unExpr:
		f.expr(e.e)
	case *parenExpr:
		f.expr(e.e)
	case *tableExpr:
		for _, i := range e.items {
			if i.key != nil {
				f.expr(i.key)
			}
			f.expr(i.val)
		}
	case *funcExpr:
		f.lost = true
	}
}
