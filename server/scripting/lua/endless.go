package lua

import "math"

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
// of its own, without while and repeat, whose other loops go over constant ranges, the lengths of tables or tables that
// they do not change. The syntax tree that it needs is kept only until Forget.
func (p *Proto) Endless() bool {
	if p.tree == nil {
		return true
	}
	f := foresight{rounds: 1}
	f.block(p.tree.body)
	return f.lost
}

type foresight struct {
	rounds float64 // of the loops around
	loops  int
	lost   bool
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
	switch s := s.(type) {
	case *localStmt:
		f.exprs(s.exprs)
	case *assignStmt:
		for _, l := range s.lhs {
			i, ok := l.(*indexExpr)
			if !ok {
				continue
			}
			if _, isConst := i.key.(*strExpr); !isConst && f.loops > 0 {
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
		f.loop(rounds(s), s.body)
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
	default: // while, repeat, functions
		f.lost = true
	}
}

// rounds is how often a numeric loop goes round, infinite if that is not known.
func rounds(s *numForStmt) float64 {
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
		return roundsOfTable
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
	switch e := e.(type) {
	case *nameExpr:
		f.lost = unforeseen[e.name]
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
		f.lost = unforeseen[e.method]
		f.expr(e.fn)
		f.exprs(e.args)
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
