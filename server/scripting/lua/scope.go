package lua

// variable is a local variable or a parameter of a script under analysis.
type variable struct {
	init expr      // what a local statement gives it, if that is one expression for it alone
	fn   *funcExpr // the function that it is declared as

	assigned bool // something else may be in it later
	valued   bool // it is read elsewhere than as what is called
	escapes  bool // it is read elsewhere than as what is indexed, measured, or the end of the script

	limits bool // its length is how often a loop goes round

	key   bool // it holds a key out of KEYS, if it is not assigned
	calls []*callExpr
}

// constFn returns the function that the variable is, if it is nothing else and goes nowhere: then its calls are those in calls.
func (v *variable) constFn() *funcExpr {
	if v == nil || v.assigned || v.valued {
		return nil
	}
	return v.fn
}

// names tells which variable each name in a script is; names of globals are not in it. params has the variables of functions'
// parameters.
type names struct {
	of     map[*nameExpr]*variable
	params map[*funcExpr][]*variable
	fns    []*variable // those declared as functions
}

// resolve follows the rules of scope: a local statement's variables begin after it, a local function's before its body, a loop's
// with its body, and the condition of repeat sees the variables of its body.
func resolve(main *funcExpr) *names {
	r := &resolver{names: names{of: make(map[*nameExpr]*variable), params: make(map[*funcExpr][]*variable)}}
	r.block(main.body)
	return &r.names
}

type resolver struct {
	names
	scope *binding // the innermost variable
	funcs int      // functions around
}

// binding is a variable and what is visible beside it.
type binding struct {
	name string
	v    *variable
	up   *binding
}

func (r *resolver) declare(name string, v *variable) *variable {
	r.scope = &binding{name, v, r.scope}
	if v.fn != nil {
		r.fns = append(r.fns, v)
	}
	return v
}

func (r *resolver) lookup(name string) *variable {
	for b := r.scope; b != nil; b = b.up {
		if b.name == name {
			return b.v
		}
	}
	return nil
}

// name notes what e is.
func (r *resolver) name(e *nameExpr) *variable {
	v := r.lookup(e.name)
	if v != nil {
		r.of[e] = v
	}
	return v
}

func (r *resolver) block(list []stmt) {
	around := r.scope
	r.stmts(list)
	r.scope = around
}

func (r *resolver) stmts(list []stmt) {
	for _, s := range list {
		r.stmt(s)
	}
}

func (r *resolver) stmt(s stmt) {
	switch s := s.(type) {
	case *localStmt:
		r.exprs(s.exprs)
		for i, n := range s.names {
			v := &variable{}
			if i < len(s.exprs) && (i < len(s.exprs)-1 || !isMulti(s.exprs[i])) {
				v.init = s.exprs[i]
				v.fn, _ = v.init.(*funcExpr)
				v.key = isKeysIndex(v.init)
			}
			r.declare(n, v)
		}
	case *localFuncStmt:
		r.declare(s.name, &variable{fn: s.fn})
		r.expr(s.fn)
	case *assignStmt:
		for _, l := range s.lhs {
			if n, ok := l.(*nameExpr); ok {
				if v := r.name(n); v != nil {
					v.assigned = true
				}
				continue
			}
			r.expr(l)
		}
		r.exprs(s.rhs)
	case *callStmt:
		r.expr(s.call)
	case *doStmt:
		r.block(s.body)
	case *whileStmt:
		r.expr(s.cond)
		r.block(s.body)
	case *repeatStmt:
		around := r.scope
		r.stmts(s.body)
		r.expr(s.cond)
		r.scope = around
	case *ifStmt:
		r.exprs(s.conds)
		for _, b := range s.blocks {
			r.block(b)
		}
		r.block(s.other)
	case *numForStmt:
		r.expr(s.init)
		r.expr(s.limit)
		if v := r.of[measured(s.limit)]; v != nil {
			v.limits = true
		}
		if s.step != nil {
			r.expr(s.step)
		}
		around := r.scope
		r.declare(s.name, &variable{})
		r.block(s.body)
		r.scope = around
	case *genForStmt:
		r.exprs(s.exprs)
		over := len(s.exprs) == 1 && isLoopOverKeys(s.exprs[0])
		around := r.scope
		for i, n := range s.names {
			r.declare(n, &variable{key: over && i == 1})
		}
		r.block(s.body)
		r.scope = around
	case *returnStmt:
		for _, e := range s.exprs {
			if n, ok := e.(*nameExpr); ok && r.funcs == 0 {
				if v := r.name(n); v != nil {
					v.valued = true
				}
				continue
			}
			r.expr(e)
		}
	}
}

func (r *resolver) exprs(list []expr) {
	for _, e := range list {
		r.expr(e)
	}
}

func (r *resolver) expr(e expr) {
	switch e := e.(type) {
	case *nameExpr:
		if v := r.name(e); v != nil {
			v.valued, v.escapes = true, true
		}
	case *indexExpr:
		r.base(e.obj)
		r.expr(e.key)
	case *callExpr:
		if n, ok := e.fn.(*nameExpr); ok && e.method == "" {
			if v := r.name(n); v != nil {
				v.escapes = true
				v.calls = append(v.calls, e)
			}
		} else {
			r.expr(e.fn)
		}
		r.exprs(e.args)
	case *funcExpr:
		around := r.scope
		for _, n := range e.params {
			r.params[e] = append(r.params[e], r.declare(n, &variable{}))
		}
		if e.needArg {
			r.declare("arg", &variable{})
		}
		r.funcs++
		r.block(e.body)
		r.funcs--
		r.scope = around
	case *binExpr:
		r.expr(e.l)
		r.expr(e.r)
	case *unExpr:
		if e.op == uLen {
			r.base(e.e)
		} else {
			r.expr(e.e)
		}
	case *parenExpr:
		r.expr(e.e)
	case *tableExpr:
		for _, it := range e.items {
			if it.key != nil {
				r.expr(it.key)
			}
			r.expr(it.val)
		}
	}
}

// base is an expression of which only elements or the length are asked for.
func (r *resolver) base(e expr) {
	n, ok := e.(*nameExpr)
	if !ok {
		r.expr(e)
		return
	}
	if v := r.name(n); v != nil {
		v.valued = true
	}
}

// keyParams finds out which parameters hold nothing but keys: those of functions that are only called, and always with a key in that
// place. Each is taken for one until a call says otherwise, which can say so of the parameters that it is passed on to.
func (n *names) keyParams() {
	passed := make(map[*variable][]*variable) // to which parameters a parameter is passed on
	var refuted []*variable
	for _, f := range n.fns {
		fn := f.constFn()
		if fn == nil {
			continue
		}
		for _, p := range n.params[fn] {
			p.key = !p.assigned
		}
	}
	for _, f := range n.fns {
		fn := f.constFn()
		if fn == nil {
			continue
		}
		for i, p := range n.params[fn] {
			for _, c := range f.calls {
				from := n.argument(c, i)
				if from == p {
					continue
				}
				if from == nil || !from.key || from.assigned {
					refuted = append(refuted, p)
					break
				}
				passed[from] = append(passed[from], p)
			}
		}
	}
	for len(refuted) > 0 {
		p := refuted[len(refuted)-1]
		refuted = refuted[:len(refuted)-1]
		if p.key {
			p.key = false
			refuted = append(refuted, passed[p]...)
		}
	}
}

// aKey stands for KEYS[...] among variables.
var aKey = &variable{key: true}

// argument is the variable that argument i of c is, nil for anything else.
func (n *names) argument(c *callExpr, i int) *variable {
	if i >= len(c.args) {
		return nil
	}
	if isKeysIndex(c.args[i]) {
		return aKey
	}
	name, ok := c.args[i].(*nameExpr)
	if !ok {
		return nil
	}
	return n.of[name]
}

// isKey reports whether e is a key out of KEYS.
func (n *names) isKey(e expr) bool {
	if isKeysIndex(e) {
		return true
	}
	name, ok := e.(*nameExpr)
	if !ok {
		return false
	}
	v := n.of[name]
	return v != nil && v.key && !v.assigned
}

// measured returns the name of which e is the length, nil for anything else.
func measured(e expr) *nameExpr {
	u, ok := e.(*unExpr)
	if !ok || u.op != uLen {
		return nil
	}
	n, _ := u.e.(*nameExpr)
	return n
}
