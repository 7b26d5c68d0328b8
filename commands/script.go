package commands

import (
	"bytes"
	"sync/atomic"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/internal/resp"
)

// Script is a compiled script, or a function of a library. It is immutable.
type Script struct {
	Name    string // SHA1 digest of the text in hexadecimal; the name of a function
	Flags   ScriptFlags
	Program any // the interpreter's own

	// KeysOnly tells that it is proven to run only the commands named in Commands, on no keys but those it is given.
	KeysOnly bool
	Commands []string
	// Endless tells that it may run for any length of time.
	Endless bool

	narrow atomic.Int32 // whether the shards of its keys are all it needs: 0 not looked at yet, 1 yes, 2 no
}

// ScriptFlags are what the first line of a script, or the registration of a function, declares.
type ScriptFlags uint8

const (
	Declared ScriptFlags = 1 << iota // it declares flags at all, if only none
	NoWrites
	AllowOOM
	AllowStale
	NoCluster
	AllowCrossSlotKeys
	IsFunction
)

// ScriptRun is one run of a script.
type ScriptRun struct {
	Script     *Script
	Keys, Args [][]byte
	Conn       *Conn
	// Out takes exactly one reply.
	Out *resp.Writer
	// Call runs a command for the script and returns its reply in the given version of the protocol, which is valid
	// until the next Call. An error is a reply as well.
	Call func(args [][]byte, proto int) []byte
	// Alone tells that nobody else runs commands meanwhile; Command is the request then.
	Alone   bool
	Command [][]byte
	// Wrote reports whether a command that writes was run: the run must not be broken off then.
	Wrote *atomic.Bool

	failed bool
}

// Failed tells of an error in the reply; counted says that it is that of a command, which was counted when it ran.
func (r *ScriptRun) Failed(text string, counted bool) {
	r.failed = true
	if !counted {
		r.Conn.Meter.ErrorReply(text)
	}
}

// Scripts is the interpreter, with its caches. Its methods may be called from every loop.
type Scripts interface {
	// Script returns the script with this text, which stays in the cache: for good if load is set. The error is the reply.
	Script(text []byte, load bool) (*Script, error)
	// Cached returns the script with that digest in hexadecimal, of either case, nil if it is not in the cache.
	Cached(digest []byte) *Script
	FlushScripts()
	// KillScript ends the script that runs, or with function set, the function. The error is the reply.
	KillScript(function bool) error
	RunScript(r *ScriptRun)
	Functions
}

// narrow reports whether a script needs no locks but those of its keys.
func (t *Table) narrow(s *Script) bool {
	switch s.narrow.Load() {
	case 1:
		return true
	case 2:
		return false
	}
	ok := s.KeysOnly && !s.Endless
	for _, name := range s.Commands {
		spec := t.Lookup([]byte(name))
		ok = ok && (spec == nil || spec.sub.n == 0 && spec.Flags&(AllKeys|Exclusive|OwnLocks) == 0 && spec.Strays == nil)
	}
	n := int32(2)
	if ok {
		n = 1
	}
	s.narrow.Store(n)
	return ok
}

// foundScript is what a request that runs a script runs; both nil: nobody has looked yet.
type foundScript struct {
	script *Script
	err    error
}

// findScript returns what the request runs. It looks once: what a request is allowed to do follows from the script that
// was found first.
func (c *Call) findScript() (*Script, error) {
	f := &c.found
	if f.script != nil || f.err != nil {
		return f.script, f.err
	}
	all := c.Env.Scripts()
	switch c.Spec.full {
	case "eval", "eval_ro":
		f.script, f.err = all.Script(c.Args[1], false)
	case "evalsha", "evalsha_ro":
		if f.script = all.Cached(c.Args[1]); f.script == nil {
			f.err = ErrNoScript
		}
	default:
		if f.script = all.Function(c.Args[1]); f.script == nil {
			f.err = ErrNoFunction
		}
	}
	return f.script, f.err
}

// mayWrite reports whether the request might change data. A script might, unless it is known and has declared that it does not;
// one without a declaration is not looked up for that.
func (c *Call) mayWrite() bool {
	if c.Spec.Flags&(Write|MayReplicate) == 0 {
		return false
	}
	switch c.Spec.full {
	case "eval":
		if !bytes.HasPrefix(c.Args[1], shebang) {
			return true
		}
	case "evalsha", "fcall":
	default:
		return true
	}
	s, _ := c.findScript()
	return s == nil || s.Flags&NoWrites == 0
}

// shebang is how a script begins that declares something.
var shebang = []byte("#!")

// scriptEndless is the Endless of the rows that run scripts. Inside a transaction a script that is not known yet may be
// when its turn comes.
func scriptEndless(c *Call) bool {
	s, _ := c.findScript()
	return s == nil && c.atomic || s != nil && s.Endless
}

// scriptScope is the Scope of the rows that run scripts.
func scriptScope(c *Call) Flags {
	if s, _ := c.findScript(); s == nil || !c.table.narrow(s) {
		return Exclusive
	}
	return 0
}

// eval runs EVAL and its kin, and FCALL.
func eval(c *Call) error {
	if c.Conn.monitored {
		c.show() // before what it calls
	}
	n, ok := num.ParseInt(c.Args[2])
	s, err := c.findScript()
	switch {
	case err != nil && (c.isFunctionCall() || c.namesScript() && len(c.Args[1]) != digestLen):
		return err
	case !ok && c.isFunctionCall():
		return ErrBadKeyCount
	case !ok:
		return ErrNotInteger
	case n > int64(len(c.Args)-3):
		return ErrKeysBeyondArgs
	case n < 0:
		return ErrNegativeKeys
	case err != nil:
		return err
	}
	r := &scriptRun{call: c, readOnly: s.Flags&NoWrites != 0 || c.Spec.Flags&ReadOnly != 0}
	if err := r.admit(s); err != nil {
		return err
	}
	keys, args := c.Args[3:3+n], c.Args[3+n:]
	run := func() {
		db := c.Conn.DB
		sr := &ScriptRun{Script: s, Keys: keys, Args: args, Conn: c.Conn, Out: c.Writer, Call: r.run,
			Alone: !c.table.narrow(s), Command: c.Args, Wrote: &r.wrote}
		c.Env.Scripts().RunScript(sr)
		c.failed = sr.failed
		c.Conn.DB = db
	}
	switch {
	case c.atomic: // the transaction holds the locks
		run()
	case c.table.narrow(s):
		for _, key := range keys {
			c.Tx.Want(key)
		}
		c.Tx.LockWanted()
		run()
		c.Tx.Unlock()
	default:
		c.Tx.Exclusive(c.Conn.Gate, run)
	}
	return nil
}

// digestLen is the length of a SHA1 digest in hexadecimal.
const digestLen = 40

// namesScript reports whether the script is given by its digest.
func (c *Call) namesScript() bool { return c.Spec.full == "evalsha" || c.Spec.full == "evalsha_ro" }

func (c *Call) isFunctionCall() bool { return c.Spec.full == "fcall" || c.Spec.full == "fcall_ro" }

// scriptRun is what redis.call works with.
type scriptRun struct {
	call     *Call
	readOnly bool
	wrote    atomic.Bool
	w        resp.Writer
	inner    Call
	us       int64 // Unix microseconds of the first look at the clock
}

// time is what TIME tells: it stands still while a script runs.
func (r *scriptRun) time(now int64) int64 {
	if r.us == 0 {
		r.us = now
	}
	return r.us
}

// admit refuses scripts before they begin.
func (r *scriptRun) admit(s *Script) error {
	c := r.call
	if s.Flags&Declared == 0 {
		return nil
	}
	if c.Spec.Flags&ReadOnly != 0 && s.Flags&NoWrites == 0 {
		return ErrNotReadOnly
	}
	if c.Conn.Crowded() && s.Flags&(AllowOOM|NoWrites) == 0 {
		return ErrOOM
	}
	return nil
}

// run is ScriptRun.Call.
func (r *scriptRun) run(args [][]byte, proto int) []byte {
	outer := r.call
	conn, t := outer.Conn, outer.table
	r.w.Reset(r.w.Bytes()[:0])
	r.w.SetProto(proto)
	spec, err := r.resolve(args)
	if err != nil {
		if spec != nil {
			conn.Meter.Rejected(spec.id)
		}
		conn.Meter.ErrorReply(err.Error())
		r.w.Error(err.Error())
		return r.w.Bytes()
	}
	if spec.Flags&Write != 0 {
		r.wrote.Store(true)
	}
	r.inner = Call{Writer: &r.w, Tx: outer.Tx, Spec: spec, Args: args, Conn: conn, Env: outer.Env, table: t, atomic: true, within: r}
	outer.Tx.Select(conn.DB)
	err = r.inner.perform(0)
	if err != nil {
		conn.Meter.ErrorReply(err.Error())
	}
	d := conn.lap()
	conn.Meter.Command(spec.id, d, err != nil)
	if d >= conn.slow {
		conn.noteSlow(spec, args, d, true)
	}
	return r.w.Bytes()
}

// resolve finds the row of a command that a script calls, in the order of Redis's scriptCall.
func (r *scriptRun) resolve(args [][]byte) (*Spec, error) {
	c := r.call
	s := c.table.Lookup(args[0])
	if s == nil {
		return nil, ErrScriptUnknown
	}
	if s.sub.n > 0 && len(args) > 1 {
		sub := s.sub.find(args[1])
		if sub == nil {
			return nil, ErrScriptUnknown
		}
		s = sub
	}
	if n, a := len(args), s.Arity; s.Run == nil || a > 0 && n != a || n < -a {
		return s, ErrScriptArity
	}
	if s.Flags&NoScript != 0 {
		return s, ErrScriptForbidden
	}
	if err := c.Conn.checkScript(c, s, args); err != nil {
		return s, err
	}
	if r.readOnly && s.Flags&(Write|MayReplicate) != 0 {
		return s, ErrScriptReadOnly
	}
	script, _ := c.findScript()
	if s.Flags&DenyOOM != 0 && c.Conn.Crowded() && script.Flags&AllowOOM == 0 && !r.wrote.Load() {
		return s, ErrOOM
	}
	return s, nil
}

func scriptLoad(c *Call) error {
	s, err := c.Env.Scripts().Script(c.Args[2], true)
	if err != nil {
		return err
	}
	c.BulkString(s.Name)
	return nil
}

func scriptExists(c *Call) error {
	digests := c.Args[2:]
	c.Array(len(digests))
	for _, d := range digests {
		known := int64(0)
		if c.Env.Scripts().Cached(d) != nil {
			known = 1
		}
		c.Int(known)
	}
	return nil
}

func scriptFlush(c *Call) error {
	if a := c.From(2); len(c.Args) > 3 || a.More() && !a.Is("SYNC") && !a.Is("ASYNC") {
		return ErrScriptFlush
	}
	c.Env.Scripts().FlushScripts()
	c.OK()
	return nil
}

func scriptKill(c *Call) error {
	if err := c.Env.Scripts().KillScript(false); err != nil {
		return err
	}
	c.OK()
	return nil
}

// scriptDebug accepts that nothing is to be debugged.
func scriptDebug(c *Call) error {
	if a := c.From(2); !a.Is("NO") {
		if a.Is("YES") || a.Is("SYNC") {
			return ErrScriptDebugger
		}
		return ErrScriptDebug
	}
	c.OK()
	return nil
}
