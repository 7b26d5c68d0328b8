package lua

import "fmt"

// The parser: recursive descent with a limit on nesting, so that no source can exhaust the stack of the process.

type expr interface{}

type (
	nilExpr   struct{}
	boolExpr  struct{ v bool }
	numExpr   struct{ v float64 }
	strExpr   struct{ v string }
	dotsExpr  struct{}
	nameExpr  struct{ name string }
	indexExpr struct {
		obj, key expr
		line     int
	}
	// callExpr is a call; with a method, fn is the object.
	callExpr struct {
		fn     expr
		method string
		args   []expr
		line   int
	}
	funcExpr struct {
		params     []string
		dots       bool
		needArg    bool
		body       []stmt
		line, last int
		method     bool
	}
	binExpr struct {
		op   binOp
		l, r expr
		line int
	}
	unExpr struct {
		op   unOp
		e    expr
		line int
	}
	parenExpr struct{ e expr }
	tableExpr struct {
		items []tableItem
		line  int
	}
)

// tableItem is positional if key is nil.
type tableItem struct{ key, val expr }

type binOp uint8

const (
	bAdd binOp = iota
	bSub
	bMul
	bDiv
	bMod
	bPow
	bConcat
	bEq
	bNe
	bLt
	bLe
	bGt
	bGe
	bAnd
	bOr
	bNone
)

type unOp uint8

const (
	uNeg unOp = iota
	uNot
	uLen
)

var priority = [...]struct{ left, right int }{
	bAdd: {6, 6}, bSub: {6, 6}, bMul: {7, 7}, bDiv: {7, 7}, bMod: {7, 7}, bPow: {10, 9}, bConcat: {5, 4},
	bEq: {3, 3}, bNe: {3, 3}, bLt: {3, 3}, bLe: {3, 3}, bGt: {3, 3}, bGe: {3, 3}, bAnd: {2, 2}, bOr: {1, 1},
}

const unaryPriority = 8

type stmt interface{}

type (
	localStmt struct {
		names []string
		exprs []expr
		line  int
	}
	localFuncStmt struct {
		name string
		fn   *funcExpr
		line int
	}
	assignStmt struct {
		lhs, rhs []expr
		line     int
	}
	callStmt struct {
		call *callExpr
		line int
	}
	doStmt    struct{ body []stmt }
	whileStmt struct {
		cond expr
		body []stmt
		line int
	}
	repeatStmt struct {
		body []stmt
		cond expr
		line int
	}
	ifStmt struct {
		conds  []expr
		blocks [][]stmt
		other  []stmt
		lines  []int
	}
	numForStmt struct {
		name              string
		init, limit, step expr
		body              []stmt
		line              int
	}
	genForStmt struct {
		names []string
		exprs []expr
		body  []stmt
		line  int
	}
	returnStmt struct {
		exprs []expr
		line  int
	}
	breakStmt struct{ line int }
)

// maxNesting is how deep statements and expressions may nest.
const maxNesting = 200

type parser struct {
	lexer
	depth int
	chain int       // links of the expression being read, see link
	fn    *funcExpr // innermost
	loops int
}

func parseChunk(src, chunk string) (f *funcExpr, err error) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *SyntaxError:
			f, err = nil, e
		default:
			panic(e)
		}
	}()
	p := &parser{lexer: lexer{src: src, line: 1, chunk: chunk}}
	p.next()
	f = &funcExpr{dots: true}
	p.fn = f
	f.body = p.block()
	if p.cur.kind != tEOF {
		p.expected(tEOF)
	}
	f.last = p.line
	return f, nil
}

func (p *parser) enter() {
	if p.depth++; p.depth > maxNesting {
		p.fail("chunk has too many syntax levels", "")
	}
}

func (p *parser) leave() { p.depth-- }

// link counts one more operator or suffix of an expression: those of the left side make its tree deep without nesting in the source.
func (p *parser) link() {
	if p.chain++; p.chain > 1<<14 {
		p.fail("function or expression too complex", "")
	}
}

func (p *parser) expected(k token) { p.failCur("'" + tokenNames[k] + "' expected") }

func (p *parser) is(c byte) bool { return p.cur.kind == tChar && p.cur.ch == c }

func (p *parser) accept(c byte) bool {
	if p.is(c) {
		p.next()
		return true
	}
	return false
}

func (p *parser) need(c byte) {
	if !p.accept(c) {
		p.failCur("'" + string([]byte{c}) + "' expected")
	}
}

func (p *parser) needToken(k token) {
	if p.cur.kind != k {
		p.expected(k)
	}
	p.next()
}

// closes needs the token that ends what began with another at a line.
func (p *parser) closes(k token, what string, line int) {
	if p.cur.kind == k {
		p.next()
		return
	}
	p.unclosed(tokenNames[k], what, line)
}

func (p *parser) closesChar(c byte, what string, line int) {
	if !p.accept(c) {
		p.unclosed(string([]byte{c}), what, line)
	}
}

func (p *parser) unclosed(k, what string, line int) {
	if line == p.line {
		p.failCur("'" + k + "' expected")
	}
	p.failCur(fmt.Sprintf("'%s' expected (to close '%s' at line %d)", k, what, line))
}

func (p *parser) name() string {
	if p.cur.kind != tName {
		p.expected(tName)
	}
	s := p.cur.s
	p.next()
	return s
}

func (p *parser) blockEnds() bool {
	switch p.cur.kind {
	case tElse, tElseif, tEnd, tEOF, tUntil:
		return true
	}
	return false
}

func (p *parser) block() []stmt {
	var list []stmt
	p.enter()
	defer p.leave()
	for !p.blockEnds() {
		s, last := p.statement()
		list = append(list, s)
		p.accept(';')
		if last {
			break
		}
	}
	return list
}

func (p *parser) loop() []stmt {
	p.loops++
	b := p.block()
	p.loops--
	return b
}

func (p *parser) statement() (s stmt, last bool) {
	line := p.line
	p.chain = 0
	switch p.cur.kind {
	case tIf:
		return p.ifStatement(line), false
	case tWhile:
		p.next()
		cond := p.expr()
		p.needToken(tDo)
		body := p.loop()
		p.closes(tEnd, "while", line)
		return &whileStmt{cond, body, line}, false
	case tDo:
		p.next()
		body := p.block()
		p.closes(tEnd, "do", line)
		return &doStmt{body}, false
	case tFor:
		return p.forStatement(line), false
	case tRepeat:
		p.next()
		body := p.loop()
		p.closes(tUntil, "repeat", line)
		return &repeatStmt{body, p.expr(), line}, false
	case tFunction:
		return p.functionStatement(line), false
	case tLocal:
		p.next()
		if p.cur.kind == tFunction {
			p.next()
			name := p.name()
			return &localFuncStmt{name, p.body(false, p.line), line}, false
		}
		st := &localStmt{line: line}
		for {
			st.names = append(st.names, p.name())
			if !p.accept(',') {
				break
			}
		}
		if p.accept('=') {
			st.exprs = p.exprs()
		}
		return st, false
	case tReturn:
		p.next()
		st := &returnStmt{line: line}
		if !p.blockEnds() && !p.is(';') {
			st.exprs = p.exprs()
		}
		return st, true
	case tBreak:
		p.next()
		if p.loops == 0 {
			p.failCur("no loop to break")
		}
		return &breakStmt{line}, true
	}
	e := p.suffixed()
	if c, ok := e.(*callExpr); ok && !p.is('=') && !p.is(',') {
		return &callStmt{c, line}, false
	}
	st := &assignStmt{line: line, lhs: []expr{e}}
	for {
		switch e.(type) {
		case *nameExpr, *indexExpr:
		default:
			p.failCur("syntax error")
		}
		if !p.accept(',') {
			break
		}
		e = p.suffixed()
		st.lhs = append(st.lhs, e)
		if len(st.lhs) > maxNesting {
			p.fail("chunk has too many syntax levels", "")
		}
	}
	p.need('=')
	st.rhs = p.exprs()
	return st, false
}

func (p *parser) ifStatement(line int) stmt {
	st := &ifStmt{}
	for {
		st.lines = append(st.lines, p.line)
		p.next()
		st.conds = append(st.conds, p.expr())
		p.needToken(tThen)
		st.blocks = append(st.blocks, p.block())
		if p.cur.kind != tElseif {
			break
		}
	}
	if p.cur.kind == tElse {
		p.next()
		st.other = p.block()
	}
	p.closes(tEnd, "if", line)
	return st
}

func (p *parser) forStatement(line int) stmt {
	p.next()
	name := p.name()
	switch {
	case p.accept('='):
		st := &numForStmt{name: name, line: line}
		st.init = p.expr()
		p.need(',')
		st.limit = p.expr()
		if p.accept(',') {
			st.step = p.expr()
		}
		p.needToken(tDo)
		st.body = p.loop()
		p.closes(tEnd, "for", line)
		return st
	case p.is(',') || p.cur.kind == tIn:
		st := &genForStmt{names: []string{name}, line: line}
		for p.accept(',') {
			st.names = append(st.names, p.name())
		}
		p.needToken(tIn)
		st.line = p.line
		st.exprs = p.exprs()
		p.needToken(tDo)
		st.body = p.loop()
		p.closes(tEnd, "for", line)
		return st
	}
	p.failCur("'=' or 'in' expected")
	return nil
}

func (p *parser) functionStatement(line int) stmt {
	p.next()
	var target expr = &nameExpr{p.name()}
	method := false
	for p.is('.') || p.is(':') {
		method = p.is(':')
		at := p.line
		p.next()
		p.link()
		target = &indexExpr{target, &strExpr{p.name()}, at}
		if method {
			break
		}
	}
	fn := p.body(method, line)
	return &assignStmt{lhs: []expr{target}, rhs: []expr{fn}, line: line}
}

func (p *parser) body(method bool, line int) *funcExpr {
	f := &funcExpr{line: line, method: method}
	outer, loops := p.fn, p.loops
	chain := p.chain
	p.fn, p.loops = f, 0
	if method {
		f.params = append(f.params, "self")
	}
	p.need('(')
	if !p.is(')') {
		for {
			if p.cur.kind == tDots {
				p.next()
				f.dots = true
				f.needArg = true
				break
			}
			if p.cur.kind != tName {
				p.failCur("<name> or '...' expected")
			}
			f.params = append(f.params, p.name())
			if !p.accept(',') {
				break
			}
		}
	}
	p.need(')')
	f.body = p.block()
	f.last = p.line
	p.closes(tEnd, "function", line)
	p.fn, p.loops = outer, loops
	p.chain = chain
	return f
}

func (p *parser) exprs() []expr {
	list := []expr{p.expr()}
	for p.accept(',') {
		list = append(list, p.expr())
	}
	return list
}

func (p *parser) expr() expr { return p.subexpr(0) }

func (p *parser) binary() binOp {
	switch p.cur.kind {
	case tConcat:
		return bConcat
	case tEq:
		return bEq
	case tNe:
		return bNe
	case tLe:
		return bLe
	case tGe:
		return bGe
	case tAnd:
		return bAnd
	case tOr:
		return bOr
	case tChar:
		switch p.cur.ch {
		case '+':
			return bAdd
		case '-':
			return bSub
		case '*':
			return bMul
		case '/':
			return bDiv
		case '%':
			return bMod
		case '^':
			return bPow
		case '<':
			return bLt
		case '>':
			return bGt
		}
	}
	return bNone
}

func (p *parser) subexpr(limit int) expr {
	p.enter()
	defer p.leave()
	var e expr
	line := p.line
	switch {
	case p.cur.kind == tNot:
		p.next()
		e = &unExpr{uNot, p.subexpr(unaryPriority), line}
	case p.is('-'):
		p.next()
		e = &unExpr{uNeg, p.subexpr(unaryPriority), line}
	case p.is('#'):
		p.next()
		e = &unExpr{uLen, p.subexpr(unaryPriority), line}
	default:
		e = p.simple()
	}
	for op := p.binary(); op != bNone && priority[op].left > limit; op = p.binary() {
		at := p.line
		p.next()
		p.link()
		r := p.subexpr(priority[op].right)
		e = &binExpr{op, e, r, at}
	}
	return e
}

func (p *parser) simple() expr {
	switch p.cur.kind {
	case tNumber:
		e := &numExpr{p.cur.num}
		p.next()
		return e
	case tString:
		e := &strExpr{p.cur.s}
		p.next()
		return e
	case tNil:
		p.next()
		return &nilExpr{}
	case tTrue, tFalse:
		e := &boolExpr{p.cur.kind == tTrue}
		p.next()
		return e
	case tDots:
		if !p.fn.dots {
			p.failCur("cannot use '...' outside a vararg function")
		}
		p.fn.needArg = false
		p.next()
		return &dotsExpr{}
	case tFunction:
		line := p.line
		p.next()
		return p.body(false, line)
	}
	if p.is('{') {
		return p.table()
	}
	return p.suffixed()
}

func (p *parser) primary() expr {
	if p.cur.kind == tName {
		return &nameExpr{p.name()}
	}
	if p.is('(') {
		line := p.line
		p.next()
		e := p.expr()
		p.closesChar(')', "(", line)
		return &parenExpr{e}
	}
	p.failCur("unexpected symbol")
	return nil
}

func (p *parser) suffixed() expr {
	e := p.primary()
	for {
		p.link()
		line := p.line
		switch {
		case p.accept('.'):
			e = &indexExpr{e, &strExpr{p.name()}, line}
		case p.accept('['):
			k := p.expr()
			p.need(']')
			e = &indexExpr{e, k, line}
		case p.accept(':'):
			m := p.name()
			e = &callExpr{e, m, p.args(), line}
		case p.is('('), p.is('{'), p.cur.kind == tString:
			e = &callExpr{e, "", p.args(), line}
		default:
			return e
		}
	}
}

func (p *parser) args() []expr {
	switch {
	case p.cur.kind == tString:
		e := &strExpr{p.cur.s}
		p.next()
		return []expr{e}
	case p.is('{'):
		return []expr{p.table()}
	case p.is('('):
		line := p.line
		if line != p.last {
			p.failCur("ambiguous syntax (function call x new statement)")
		}
		p.next()
		if p.accept(')') {
			return nil
		}
		list := p.exprs()
		p.closesChar(')', "(", line)
		return list
	}
	p.failCur("function arguments expected")
	return nil
}

func (p *parser) table() expr {
	line := p.line
	p.enter()
	defer p.leave()
	p.need('{')
	t := &tableExpr{line: line}
	for !p.is('}') {
		switch {
		case p.cur.kind == tName && p.peek() == tChar && p.ahead.ch == '=':
			k := &strExpr{p.name()}
			p.next()
			t.items = append(t.items, tableItem{k, p.expr()})
		case p.accept('['):
			k := p.expr()
			p.need(']')
			p.need('=')
			t.items = append(t.items, tableItem{k, p.expr()})
		default:
			t.items = append(t.items, tableItem{nil, p.expr()})
		}
		if !p.accept(',') && !p.accept(';') {
			break
		}
	}
	p.closesChar('}', "{", line)
	return t
}
