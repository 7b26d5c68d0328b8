package lua

import "strings"

// KeyPositions tells which arguments of a command are keys: their places in its argument list, the name being 0. argc is the number of
// arguments, or -1 if it is not known; then the places are those that hold for any number, and all must be true when every argument
// from the first key on is a key. ok is false for a command whose keys depend on the values of arguments.
type KeyPositions func(command string, argc int) (places []int, all, ok bool)

// analysis looks for a proof that a script touches only keys that it was given.
type analysis struct {
	pos      KeyPositions
	ok       bool
	commands map[string]bool
	decls    map[string]int // how often a name is declared, all functions together
	names    *names
	callDecl map[string]int // how often as local x = redis.call
	assigned map[string]bool
	second   bool // the pass that looks at calls
}

// Keys reports whether every redis.call and redis.pcall of a freshly compiled main chunk names its command by a constant and its keys by
// KEYS[...], by locals that hold nothing else, by variables of loops over KEYS, or by parameters of local functions that are always called
// with such; and the constant names of commands, in lower case. It
// is conservative: false says nothing. The syntax tree that it needs is kept only until Forget.
func (p *Proto) Keys(pos KeyPositions) (ok bool, commands []string) {
	if p.tree == nil {
		return false, nil
	}
	a := &analysis{pos: pos, ok: true, commands: make(map[string]bool), decls: make(map[string]int), names: resolve(p.tree),
		callDecl: make(map[string]int), assigned: make(map[string]bool)}
	a.names.keyParams()
	a.stmts(p.tree.body)
	a.second = true
	a.stmts(p.tree.body)
	for c := range a.commands {
		commands = append(commands, c)
	}
	sortStrings(commands)
	for _, name := range []string{"KEYS", "redis", "server", "ipairs", "pairs", "unpack", "table"} {
		if a.decls[name] > 0 || a.assigned[name] {
			a.ok = false
		}
	}
	return a.ok, commands
}

// Forget drops the syntax tree.
func (p *Proto) Forget() { p.tree = nil }

func (a *analysis) stmts(list []stmt) {
	for _, s := range list {
		a.stmt(s)
	}
}

func (a *analysis) declare(name string, init expr) {
	if a.second {
		return
	}
	a.decls[name]++
	if isRedisCall(init) {
		a.callDecl[name]++
	}
}

func (a *analysis) stmt(s stmt) {
	switch s := s.(type) {
	case *localStmt:
		for i, n := range s.names {
			var init expr
			if i < len(s.exprs) && (i < len(s.exprs)-1 || !isMulti(s.exprs[i])) {
				init = s.exprs[i]
			}
			a.declare(n, init)
			if isRedisCall(init) {
				continue
			}
		}
		for _, e := range s.exprs {
			if !isRedisCall(e) {
				a.expr(e)
			}
		}
	case *localFuncStmt:
		a.declare(s.name, nil)
		a.expr(s.fn)
	case *assignStmt:
		for _, l := range s.lhs {
			switch l := l.(type) {
			case *nameExpr:
				a.assigned[l.name] = true
			case *indexExpr:
				if n, ok := l.obj.(*nameExpr); ok && (n.name == "KEYS" || n.name == "redis" || n.name == "server") {
					a.ok = false
				}
				a.expr(l.obj)
				a.expr(l.key)
			}
		}
		a.exprs(s.rhs)
	case *callStmt:
		a.expr(s.call)
	case *doStmt:
		a.stmts(s.body)
	case *whileStmt:
		a.expr(s.cond)
		a.stmts(s.body)
	case *repeatStmt:
		a.stmts(s.body)
		a.expr(s.cond)
	case *ifStmt:
		a.exprs(s.conds)
		for _, b := range s.blocks {
			a.stmts(b)
		}
		a.stmts(s.other)
	case *numForStmt:
		a.declare(s.name, nil)
		a.exprs([]expr{s.init, s.limit})
		if s.step != nil {
			a.expr(s.step)
		}
		a.stmts(s.body)
	case *genForStmt:
		over := len(s.exprs) == 1 && isLoopOverKeys(s.exprs[0])
		for _, n := range s.names {
			a.declare(n, nil)
		}
		if !over {
			a.exprs(s.exprs)
		}
		a.stmts(s.body)
	case *returnStmt:
		a.exprs(s.exprs)
	}
}

func (a *analysis) exprs(list []expr) {
	for _, e := range list {
		a.expr(e)
	}
}

func (a *analysis) expr(e expr) {
	switch e := e.(type) {
	case *nameExpr:
		switch e.name {
		case "KEYS", "redis", "server", "_G", "loadstring", "load":
			// As a value it can go anywhere.
			a.ok = false
		default:
			if a.second && a.callDecl[e.name] > 0 {
				a.ok = false
			}
		}
	case *indexExpr:
		if n, ok := e.obj.(*nameExpr); ok {
			switch n.name {
			case "KEYS":
				a.expr(e.key)
				return
			case "redis", "server":
				if k, ok := e.key.(*strExpr); !ok || k.v == "call" || k.v == "pcall" {
					a.ok = false
				}
				return
			}
		}
		a.expr(e.obj)
		a.expr(e.key)
	case *callExpr:
		a.call(e)
	case *funcExpr:
		for _, n := range e.params {
			a.declare(n, nil)
		}
		a.stmts(e.body)
	case *binExpr:
		a.expr(e.l)
		a.expr(e.r)
	case *unExpr:
		if n, ok := e.e.(*nameExpr); ok && e.op == uLen && n.name == "KEYS" {
			return
		}
		a.expr(e.e)
	case *parenExpr:
		a.expr(e.e)
	case *tableExpr:
		for _, it := range e.items {
			if it.key != nil {
				a.expr(it.key)
			}
			a.expr(it.val)
		}
	}
}

func (a *analysis) call(c *callExpr) {
	if c.method == "" && (isRedisCall(c.fn) || a.alias(c.fn)) {
		if a.second {
			a.redisCall(c.args)
		}
		for _, e := range c.args {
			if !isUnpackKeys(e) {
				a.expr(e)
			}
		}
		return
	}
	a.expr(c.fn)
	a.exprs(c.args)
}

// alias reports a local that is redis.call and nothing else.
func (a *analysis) alias(e expr) bool {
	n, ok := e.(*nameExpr)
	if !ok || a.callDecl[n.name] == 0 {
		return false
	}
	return a.callDecl[n.name] == a.decls[n.name] && !a.assigned[n.name]
}

func (a *analysis) redisCall(args []expr) {
	if len(args) == 0 {
		return // an error, whatever happens
	}
	name, ok := args[0].(*strExpr)
	if !ok {
		a.ok = false
		return
	}
	command := strings.ToLower(name.v)
	a.commands[command] = true
	argc := len(args)
	last := args[argc-1]
	open := argc > 1 && isMulti(last)
	if open {
		argc = -1
	}
	if a.pos == nil {
		a.ok = false
		return
	}
	places, all, ok := a.pos(command, argc)
	if !ok {
		a.ok = false
		return
	}
	for _, i := range places {
		switch {
		case i < len(args)-1, i == len(args)-1 && !open:
			if !a.names.isKey(args[i]) {
				a.ok = false
			}
		case open && !isUnpackKeys(last):
			a.ok = false
		}
	}
	if open && all && !isUnpackKeys(last) {
		a.ok = false
	}
	if open && isUnpackKeys(last) && !all {
		// What comes after the keys may be anything: keys as values do no harm.
		return
	}
	if open && all {
		// Every argument between is a key too.
		for i := 1; i < len(args)-1; i++ {
			if !a.names.isKey(args[i]) {
				a.ok = false
			}
		}
	}
}

func isKeysIndex(e expr) bool {
	i, ok := e.(*indexExpr)
	if !ok {
		return false
	}
	n, ok := i.obj.(*nameExpr)
	return ok && n.name == "KEYS"
}

func isRedisCall(e expr) bool {
	i, ok := e.(*indexExpr)
	if !ok {
		return false
	}
	n, ok := i.obj.(*nameExpr)
	k, isStr := i.key.(*strExpr)
	return ok && isStr && (n.name == "redis" || n.name == "server") && (k.v == "call" || k.v == "pcall")
}

func oneArg(e expr, names ...string) bool {
	c, ok := e.(*callExpr)
	if !ok || c.method != "" || len(c.args) != 1 {
		return false
	}
	fn, ok := c.fn.(*nameExpr)
	if !ok {
		return false
	}
	arg, ok := c.args[0].(*nameExpr)
	if !ok || arg.name != "KEYS" {
		return false
	}
	for _, n := range names {
		if fn.name == n {
			return true
		}
	}
	return false
}

func isLoopOverKeys(e expr) bool { return oneArg(e, "ipairs", "pairs") }
func isUnpackKeys(e expr) bool   { return oneArg(e, "unpack") }
