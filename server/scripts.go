package server

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/server/log"
	"github.com/streampulse/pulse/server/scripting"
)

// scripts is the interpreter as the commands know it, and the watch over what it runs.
type scripts struct {
	srv    *Server
	engine *scripting.Engine

	// running is the script that the server may be busy with. Others may run beside it, on the shards of their keys;
	// their end is in sight.
	running atomic.Pointer[runningScript]
	busy    sync.Mutex // held while the server is told whether it is busy, which depends on running
}

type runningScript struct {
	run     *scripting.Run
	name    string
	isFunc  bool
	command []string
	began   time.Duration // monotonic
	wrote   *atomic.Bool
	watch   *time.Timer
}

func (x *scripts) init(s *Server) {
	x.srv = s
	x.engine = scripting.New(scripting.Options{Keys: s.table.KeyPlaces, User: compiledScript, UserOfFunction: compiledFunction})
}

var _ commands.Scripts = (*scripts)(nil)

// Scripts implements commands.Env.
func (s env) Scripts() commands.Scripts { return &s.scripts }

var scriptFlags = [...]struct {
	engine  scripting.Flags
	command commands.ScriptFlags
}{
	{scripting.NoWrites, commands.NoWrites}, {scripting.AllowOOM, commands.AllowOOM}, {scripting.AllowStale, commands.AllowStale},
	{scripting.NoCluster, commands.NoCluster}, {scripting.AllowCrossSlotKeys, commands.AllowCrossSlotKeys},
}

func flagsOf(f scripting.Flags) (out commands.ScriptFlags) {
	if f&scripting.Compat == 0 {
		out = commands.Declared
	}
	for _, each := range scriptFlags {
		if f&each.engine != 0 {
			out |= each.command
		}
	}
	return out
}

func (x *scripts) script(s *scripting.Script) *commands.Script {
	return s.User.(*commands.Script)
}

// compiledScript makes what the commands know of a script.
func compiledScript(s *scripting.Script) any {
	return &commands.Script{Name: s.SHA, Flags: flagsOf(s.Flags), Program: s, KeysOnly: s.KeysOnly, Commands: s.Commands, Endless: s.Endless}
}

func (x *scripts) function(f *scripting.Function) *commands.Script {
	return f.User.(*commands.Script)
}

// compiledFunction makes what the commands know of a function. Nothing is proven of functions.
func compiledFunction(f *scripting.Function) any {
	return &commands.Script{Name: f.Name, Flags: flagsOf(f.Flags) | commands.IsFunction, Program: f, Endless: true}
}

// Script implements commands.Scripts.
func (x *scripts) Script(text []byte, load bool) (*commands.Script, error) {
	s, err := x.engine.Load(text, load)
	if err != nil {
		return nil, err
	}
	return x.script(s), nil
}

// Cached implements commands.Scripts.
func (x *scripts) Cached(digest []byte) *commands.Script {
	if s := x.engine.Get(digest); s != nil {
		return x.script(s)
	}
	return nil
}

// FlushScripts implements commands.Scripts.
func (x *scripts) FlushScripts() {
	x.engine.Flush()
}

// Function implements commands.Functions.
func (x *scripts) Function(name []byte) *commands.Script {
	if f := x.engine.Function(name); f != nil {
		return x.function(f)
	}
	return nil
}

// Libraries implements commands.Functions.
func (x *scripts) Libraries() []*commands.Library {
	var out []*commands.Library
	for _, l := range x.engine.Libraries() {
		lib := &commands.Library{Name: l.Name, Code: l.Code}
		for _, f := range l.Functions {
			lib.Functions = append(lib.Functions, &commands.Function{Script: x.function(f), FlagNames: f.Flags.Names(), Description: f.Description, Described: f.HasText})
		}
		out = append(out, lib)
	}
	return out
}

// LoadLibrary implements commands.Functions.
func (x *scripts) LoadLibrary(code []byte, replace bool) (string, error) {
	return x.engine.LoadLibrary(code, replace)
}

// DeleteLibrary implements commands.Functions.
func (x *scripts) DeleteLibrary(name []byte) bool { return x.engine.DeleteLibrary(string(name)) == nil }

// FlushLibraries implements commands.Functions.
func (x *scripts) FlushLibraries() { x.engine.FlushLibraries() }

// RestoreLibraries implements commands.Functions.
func (x *scripts) RestoreLibraries(codes [][]byte, how commands.RestorePolicy) error {
	texts := make([]string, len(codes))
	for i, c := range codes {
		texts[i] = string(c)
	}
	policy := map[commands.RestorePolicy]scripting.RestorePolicy{
		commands.RestoreAppend: scripting.RestoreAppend, commands.RestoreFlush: scripting.RestoreFlush, commands.RestoreReplace: scripting.RestoreReplace,
	}
	return x.engine.RestoreLibraries(texts, policy[how])
}

// RunScript implements commands.Scripts.
func (x *scripts) RunScript(r *commands.ScriptRun) {
	run := &scripting.Run{Caller: caller{x.srv, r}, Keys: r.Keys, Args: r.Args, Proto: r.Out.Proto()}
	if r.Alone {
		x.begin(run, r)
		defer x.end()
	}
	// The reply goes where the writer's other replies are.
	var out []byte
	switch p := r.Script.Program.(type) {
	case *scripting.Script:
		out = x.engine.Eval(p, run, r.Out.Bytes())
	case *scripting.Function:
		out = x.engine.Call(p, run, r.Out.Bytes())
	}
	r.Out.Reset(out)
}

// begin puts the script under watch: nobody else runs commands, so there is only one.
func (x *scripts) begin(run *scripting.Run, r *commands.ScriptRun) {
	c := &runningScript{
		run: run, name: r.Script.Name, isFunc: r.Script.Flags&commands.IsFunction != 0,
		began: x.srv.clock.Mono(), wrote: r.Wrote,
	}
	if r.Script.Endless {
		for _, a := range r.Command {
			c.command = append(c.command, string(a))
		}
	}
	x.running.Store(c) // before its time runs: it may be over at once, and then nobody would be told
	if ms := x.srv.vars.busyReply.Load(); ms > 0 && r.Script.Endless {
		c.watch = time.AfterFunc(time.Duration(ms)*time.Millisecond, func() { x.slow(c) })
	}
	if x.srv.abort.Load() {
		run.Kill(errServerCloses)
	}
}

// slow tells everybody that the server is busy.
func (x *scripts) slow(c *runningScript) {
	x.srv.log.Warningf("Slow script detected: still in execution after %d milliseconds. You can try killing the script using the %s command. Script name is: %s.",
		(x.srv.clock.Mono() - c.began).Milliseconds(), map[bool]string{false: "SCRIPT KILL", true: "FUNCTION KILL"}[c.isFunc], c.name)
	x.busy.Lock()
	defer x.busy.Unlock()
	if x.running.Load() == c {
		x.srv.store.SetBusy(true)
	}
}

func (x *scripts) end() {
	c := x.running.Load()
	if c.watch == nil || c.watch.Stop() {
		x.running.Store(nil)
		return
	}
	x.busy.Lock()
	defer x.busy.Unlock()
	x.running.Store(nil)
	x.srv.store.SetBusy(false)
}

var errServerCloses = errors.New("ERR The server is shutting down")

// KillScript implements commands.Scripts.
func (x *scripts) KillScript(function bool) error {
	c := x.running.Load()
	switch {
	case c == nil:
		return commands.ErrNotBusy
	case c.isFunc && !function:
		return commands.ErrBusyFunction
	case !c.isFunc && function:
		return commands.ErrBusyScript
	case c.wrote.Load():
		return commands.ErrUnkillable
	}
	c.run.Kill(scripting.ErrKilled)
	return nil
}

// Running implements commands.Functions.
func (x *scripts) Running() (r commands.Running, ok bool) {
	c := x.running.Load()
	if c == nil || !c.isFunc {
		return r, false
	}
	return commands.Running{Name: c.name, Command: c.command, Since: x.srv.clock.Mono() - c.began}, true
}

// abortScripts ends what runs and whatever will, whether it has written or not: the server closes.
func (s *Server) abortScripts() {
	s.abort.Store(true)
	if c := s.scripts.running.Load(); c != nil {
		c.run.Kill(errServerCloses)
	}
}

// ErrBusy implements commands.Env.
func (s env) ErrBusy() error {
	if c := s.scripts.running.Load(); c != nil && c.isFunc {
		return commands.ErrBusyFunction
	}
	return commands.ErrBusyScript
}

// caller is what a script reaches.
type caller struct {
	srv *Server
	run *commands.ScriptRun
}

// Call implements scripting.Caller.
func (c caller) Call(args [][]byte, proto int) []byte { return c.run.Call(args, proto) }

// Allowed implements scripting.Caller.
func (c caller) Allowed(args [][]byte) (allowed, known bool) {
	return c.srv.table.MayRun(c.run.Conn, args)
}

// Failed implements scripting.Caller.
func (c caller) Failed(text string, counted bool) { c.run.Failed(text, counted) }

// SetRepl implements scripting.Caller: there is nobody to replicate to.
func (c caller) SetRepl(int) {}

// Log implements scripting.Caller.
func (c caller) Log(level int, line string) {
	levels := [...]log.Level{log.Debug, log.Verbose, log.Notice, log.Warning}
	c.srv.log.Logf(levels[level], "%s", line)
}
