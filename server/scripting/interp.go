package scripting

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/server/scripting/lua"
	"github.com/streampulse/pulse/server/scripting/lualib"
)

// A Run is one call of a script or function.
type Run struct {
	Caller Caller
	Keys   [][]byte
	Args   [][]byte
	// Proto is the client's protocol version, 2 or 3: that of the reply.
	Proto int

	mu struct {
		sync.Mutex
		state  *lua.State // while it runs
		killed error
	}
}

// ErrKilled ends a run as SCRIPT KILL and FUNCTION KILL do.
var ErrKilled = errors.New("ERR Script killed by user with SCRIPT KILL...")

// Kill ends the run from any goroutine. The error's text becomes the reply, with the place where the script was.
func (r *Run) Kill(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.killed = err
	if r.mu.state != nil {
		r.mu.state.Stop(err)
	}
}

func (r *Run) attach(s *lua.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.state = s
	if s != nil && r.mu.killed != nil {
		s.Stop(r.mu.killed)
	}
}

// pool keeps interpreters that are not in use.
type pool struct {
	mu struct {
		sync.Mutex
		free []*interp
		life int // raised by drop: interpreters of former lives are not taken back
	}
}

// maxPooled is how many idle interpreters are kept: more than processors can use at a time are of no use.
const maxPooled = 64

func (p *pool) take() (*interp, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.mu.free); n > 0 {
		in := p.mu.free[n-1]
		p.mu.free[n-1] = nil
		p.mu.free = p.mu.free[:n-1]
		return in, p.mu.life
	}
	return nil, p.mu.life
}

func (p *pool) give(in *interp) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if in.life == p.mu.life && len(p.mu.free) < maxPooled {
		p.mu.free = append(p.mu.free, in)
	}
}

func (p *pool) idle() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.mu.free)
}

func (p *pool) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.free = nil
	p.mu.life++
}

// interp is an interpreter with all libraries, and what it keeps while it runs a script.
type interp struct {
	st     *lua.State
	libs   *lualib.Libs
	api    *lua.Table
	load   *lua.Table // globals while a library of functions loads
	life   int
	run    *Run
	proto  int // of replies that the script sees: redis.setresp
	args   [][]byte
	nums   []byte    // texts of numeric arguments
	meter  lua.Meter // of the reply
	out    resp.Writer
	random *atomic.Uint64
	name   string // of the function that runs, in error replies; the SHA1 for scripts
	funcs  map[*library]*loaded

	// KEYS and ARGV of scripts. Nothing of a script outlives it, so the tables and the main function of the last script are used again.
	keys, argv *lua.Table
	script     *Script
	main       *lua.Function
	prepare    func(t *lua.Thread) int // prepareScript, as a value made once
	into       *library                // the library that loads

}

// newInterp makes an interpreter, for scripts or for functions.
func (e *Engine) newInterp(functions bool) *interp {
	s := lua.NewState()
	in := &interp{st: s, random: &e.random}
	s.OpenBase()
	s.OpenString()
	s.OpenTable()
	s.OpenMath()
	in.libs = lualib.Open(s, e.opt.Clock)
	s.SetExt(in)
	in.openAPI(e)
	g := s.Globals()
	g.SetStr("pcall", lua.Fn(s.NewGo("pcall", protectedCall(g.GetStr("pcall").AsFunction()))))
	in.load = s.NewTable(0, 4)
	in.openLoad(e)
	if !functions {
		in.keys, in.argv = s.NewTable(0, 0), s.NewTable(0, 0)
		g.SetStr("KEYS", lua.Tab(in.keys))
		g.SetStr("ARGV", lua.Tab(in.argv))
		s.Roots(in.keys, in.argv)
		in.prepare = in.prepareScript
	}
	strict := s.NewTable(0, 1)
	strict.SetStr("__index", lua.Fn(s.NewGo("", noGlobal)))
	strict.SetReadOnly(true)
	own := []*lua.Table{strict}
	seal := func(t *lua.Table) {
		t.SetReadOnly(true)
		own = append(own, t)
	}
	for _, root := range []*lua.Table{g, in.load} {
		for at := 0; ; {
			_, v, next, more := root.Step(at)
			if !more {
				break
			}
			at = next
			if t := v.AsTable(); t != nil && t != g && t != in.keys && t != in.argv {
				seal(t)
			}
		}
		root.SetMeta(strict)
		seal(root)
	}
	in.load.GetStr("redis").AsTable().SetMeta(strict)
	seal(s.StringMeta())
	s.OwnTables(own)
	s.SetQuota(e.opt.Quota)
	in.reset()
	if functions {
		in.funcs = make(map[*library]*loaded)
	}
	return in
}

// noGlobal answers for variables that do not exist.
func noGlobal(t *lua.Thread) int {
	name := ""
	if s, ok := t.Arg(2).AsString(); ok {
		name = s
	}
	t.Errorf("Script attempted to access nonexistent global variable '%s'", name)
	return 0
}

// protectedCall is pcall, but errors that are tables with a text in err become that text, as in Redis.
func protectedCall(pcall *lua.Function) lua.GoFunc {
	return func(t *lua.Thread) int {
		n := t.GoPCall()
		if !t.Result(n, 1).IsBool(false) || n != 2 {
			return n
		}
		if tab := t.Result(n, 2).AsTable(); tab != nil {
			if v := tab.GetStr("err"); v.Kind() == lua.String || v.Kind() == lua.Number {
				t.SetResult(n, 2, v)
			}
		}
		return n
	}
}

// reset puts back what a script can change.
func (in *interp) reset() {
	in.st.Reset()
	in.libs.Reset()
	in.run, in.proto, in.into = nil, 2, nil
	if in.keys != nil {
		in.keys.Recycle(0)
		in.argv.Recycle(0)
	}
	clear(in.args[:cap(in.args)])
	in.args = in.args[:0]
	if cap(in.args) > 1024 {
		in.args = nil
	}
	if cap(in.nums) > 4096 {
		in.nums = nil
	}
}

// view is the bytes of a string, not to be changed.
func view(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// list makes a table of the keys or arguments of a function.
func (in *interp) list(items [][]byte) lua.Value {
	t := in.st.NewTable(len(items), 0)
	in.fill(t, items)
	return lua.Tab(t)
}

func (in *interp) fill(t *lua.Table, items [][]byte) {
	for i, b := range items {
		t.SetInt(i+1, in.st.Bytes(b))
	}
}

// Eval runs a script and appends its reply to dst.
func (e *Engine) Eval(s *Script, r *Run, dst []byte) []byte {
	in, life := e.evalPool.take()
	if in == nil {
		in = e.newInterp(false)
		in.life = life
	}
	in.name = s.SHA
	if in.script != s {
		in.script, in.main = s, in.st.Closure(s.proto)
	}
	in.run = r
	dst, sound := in.execute(r, dst, in.prepare)
	if sound {
		e.evalPool.give(in)
	}
	return dst
}

// prepareScript fills KEYS and ARGV and pushes the main function.
func (in *interp) prepareScript(t *lua.Thread) int {
	in.keys.Recycle(len(in.run.Keys))
	in.fill(in.keys, in.run.Keys)
	in.argv.Recycle(len(in.run.Args))
	in.fill(in.argv, in.run.Args)
	t.Push(lua.Fn(in.main))
	return 0
}

// execute runs what prepare pushes. sound is false if the interpreter is not to be used again.
func (in *interp) execute(r *Run, dst []byte, prepare func(t *lua.Thread) int) (reply []byte, sound bool) {
	in.run = r
	began := in.random.Load()
	in.libs.SetRandom(began)
	in.out.Reset(dst)
	in.out.SetProto(r.Proto)
	in.meter = in.st.Meter()
	r.attach(in.st)
	mark := len(dst)
	defer func() {
		r.attach(nil)
		switch p := recover().(type) {
		case nil:
		case *lua.Killed:
			in.out.Truncate(mark)
			source, line := in.st.Main().Position()
			in.failWith(in.place(p.Error(), source, line), false)
			sound = true
		case *lua.Error:
			// Only before the script began, or while its reply was made.
			in.out.Truncate(mark)
			in.failWith(in.errorText(p), false)
			sound = true
		default:
			in.out.Truncate(mark)
			in.failWith("ERR internal error while running a script", false)
			if r.Caller != nil {
				r.Caller.Log(3, fmt.Sprintf("script %s: %v\n%s", in.name, p, debug.Stack()))
			}
			sound = false
		}
		reply = in.out.Bytes()
		in.out.Reset(nil)
		in.name = ""
		// The sequence goes on with the next script, unless this one chose its own.
		if at, seeded := in.libs.Random(); !seeded && at != began {
			in.random.CompareAndSwap(began, at)
		}
		if sound {
			in.reset()
		}
	}()
	t := in.st.Main()
	n := prepare(t)
	if err := t.PCall(n, 1); err != nil {
		in.fail(err)
	} else {
		in.reply(t.Top(), 2)
	}
	return nil, true
}

// place adds to the text of an error where it happened.
func (in *interp) place(text, source string, line int) string {
	if source == "" {
		return text
	}
	return text + " script: " + in.name + ", on " + source + ":" + strconv.Itoa(line) + "."
}

// fail writes the reply for an error that the script did not catch.
func (in *interp) fail(err *lua.Error) {
	in.failWith(in.place(in.errorText(err), err.Source, err.Line), isCounted(err.Value.AsTable()))
}

// failWith writes an error into the reply, and tells the caller of it.
func (in *interp) failWith(text string, counted bool) {
	in.out.Error(text)
	if c := in.run.Caller; c != nil {
		c.Failed(text, counted)
	}
}

// isCounted reports whether the error in t, which may be nil, is that of a command.
func isCounted(t *lua.Table) bool {
	return t != nil && t.GetStr("ignore_error_stats_update").Truthy()
}

// errorText is what the handler of errors makes of a value: a table's err, or else the text with the code ERR.
func (in *interp) errorText(err *lua.Error) string {
	v := err.Value
	if t := v.AsTable(); t != nil {
		m := t.GetStr("err")
		switch m.Kind() {
		case lua.String, lua.Number:
			return in.st.Text(m)
		}
		return "ERR the error is a table without a text in its field err"
	}
	return "ERR " + in.st.Text(v)
}
