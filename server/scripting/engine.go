// Package scripting runs the scripts and functions of clients.
//
// An Engine compiles each script once, knows it by the SHA1 of its text, and runs it in one of several interpreters that are used again and
// again. Scripts share nothing: globals, library tables and metatables are read-only, and what a script can change is put back
// after it. The world is reached through a Caller, which the server implements over its commands.
//
// An Engine may be used by any number of goroutines at the same time. A Run belongs to one, except for its Kill.
package scripting

import (
	"container/list"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/server/scripting/lua"
	"github.com/streampulse/pulse/server/scripting/lualib"
)

// Caller is what a running script asks of the server. Its methods are called from the goroutine of the run, never two at a time.
type Caller interface {
	// Call runs a command and returns its raw reply in the protocol version given (2 or 3): errors as "-CODE message\r\n". The arguments are
	// valid during the call and must not be changed; the reply is read before the next call.
	Call(args [][]byte, proto int) []byte
	// Allowed tells redis.acl_check_cmd whether the user may run a command; known is false if there is no such command.
	Allowed(args [][]byte) (allowed, known bool)
	// SetRepl is redis.set_repl: a set of ReplAOF and ReplReplica.
	SetRepl(flags int)
	// Failed tells of an error within the reply, as it is written; counted says that it is that of a command, which Call has
	// told of.
	Failed(text string, counted bool)
	// Log writes a line of redis.log; level is 0 (debug) to 3 (warning).
	Log(level int, line string)
}

// Flags of redis.set_repl.
const (
	ReplNone    = 0
	ReplAOF     = 1
	ReplReplica = 2
	ReplAll     = ReplAOF | ReplReplica
)

// Flags are those of a script's first line or of a function's registration.
type Flags uint8

// The flags.
const (
	NoWrites Flags = 1 << iota
	AllowOOM
	AllowStale
	NoCluster
	AllowCrossSlotKeys
	// Compat marks a script without a first line of flags: what it may do is decided command by command.
	Compat
)

var flagNames = []struct {
	name string
	flag Flags
}{{"no-writes", NoWrites}, {"allow-oom", AllowOOM}, {"allow-stale", AllowStale}, {"no-cluster", NoCluster},
	{"allow-cross-slot-keys", AllowCrossSlotKeys}}

// Names lists the flags by name, in Redis's order.
func (f Flags) Names() []string {
	var list []string
	for _, n := range flagNames {
		if f&n.flag != 0 {
			list = append(list, n.name)
		}
	}
	return list
}

func flagByName(name string) (Flags, bool) {
	for _, n := range flagNames {
		if n.name == name {
			return n.flag, true
		}
	}
	return 0, false
}

// Options of an Engine; the zero value is usable.
type Options struct {
	// Quota is how many bytes the values of one running script may take; 0 means 256 MiB.
	Quota int
	// Version and VersionNum are redis.REDIS_VERSION and REDIS_VERSION_NUM; by default those of Redis 7.4.1.
	Version    string
	VersionNum int
	// Keys knows the keys of commands, for Script.KeysOnly; without it no script is proven to touch only its keys.
	Keys lua.KeyPositions
	// Clock is what os.clock tells; by default the time since the engine was made.
	Clock func() time.Duration
	// User and UserOfFunction make what a script's or a function's User is, when it is compiled; they may be nil.
	User           func(s *Script) any
	UserOfFunction func(f *Function) any
	// EvalCache is how many scripts that came by EVAL alone are kept; 0 means 500, as in Redis.
	EvalCache int
}

// Engine compiles and runs scripts and functions.
type Engine struct {
	opt Options

	mu struct {
		sync.RWMutex
		scripts  map[string]*Script // by SHA1 in hexadecimal
		bySource map[string]*Script
		recent   *list.List // of *Script that came by EVAL, the oldest first
		bytes    int        // of sources
		libs     *libraries
	}
	evicted  atomic.Int64  // scripts forgotten because there were too many
	random   atomic.Uint64 // where the random sequence is
	evalPool pool          // interpreters for scripts
	funcPool pool          // and for functions
}

// New makes an engine.
func New(opt Options) *Engine {
	if opt.Quota == 0 {
		opt.Quota = 256 << 20
	}
	if opt.Version == "" {
		opt.Version, opt.VersionNum = "7.4.1", 7<<16|4<<8|1
	}
	if opt.Clock == nil {
		began := time.Now()
		opt.Clock = func() time.Duration { return time.Since(began) }
	}
	if opt.EvalCache == 0 {
		opt.EvalCache = 500
	}
	e := &Engine{opt: opt}
	e.random.Store(lualib.FirstRandom)
	e.mu.scripts = make(map[string]*Script)
	e.mu.bySource = make(map[string]*Script)
	e.mu.recent = list.New()
	e.mu.libs = newLibraries()
	return e
}

// A Script is a compiled script. It is immutable.
type Script struct {
	SHA    string // 40 hexadecimal digits, small letters
	Source string
	Flags  Flags
	// KeysOnly says that the script was proven to touch no keys but those of KEYS.
	KeysOnly bool
	// Commands are the constant names of commands that it calls, in lower case; all that it can call if KeysOnly.
	Commands []string

	// Endless says that it may run for any length of time.
	Endless bool
	// User is whatever Options.User made.
	User any

	proto *lua.Proto
	at    *list.Element // its place in recent, nil if it was loaded to stay; guarded by Engine.mu
}

// Get finds a script by its SHA1 in hexadecimal of any case; nil if it is not known.
func (e *Engine) Get(sha []byte) *Script {
	e.mu.RLock()
	s := e.mu.scripts[string(sha)]
	e.mu.RUnlock()
	if s == nil && len(sha) == 2*sha1.Size {
		if low := strings.ToLower(string(sha)); low != string(sha) {
			e.mu.RLock()
			s = e.mu.scripts[low]
			e.mu.RUnlock()
		}
	}
	return s
}

// Load compiles a script, or finds it. One that came by EVAL may be forgotten when there are many; SCRIPT LOAD passes keep. The error's
// text is the reply's, with its code.
func (e *Engine) Load(source []byte, keep bool) (*Script, error) {
	e.mu.RLock()
	s := e.mu.bySource[string(source)]
	stays := s != nil && s.at == nil
	e.mu.RUnlock()
	if s != nil && (stays || !keep) {
		return s, nil
	}
	if s == nil {
		var err error
		if s, err = e.compile(string(source)); err != nil {
			return nil, err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if known := e.mu.scripts[s.SHA]; known != nil {
		s = known
	} else {
		e.mu.scripts[s.SHA], e.mu.bySource[s.Source] = s, s
		e.mu.bytes += len(s.Source)
		if !keep {
			s.at = e.mu.recent.PushBack(s)
		}
	}
	if keep && s.at != nil {
		e.mu.recent.Remove(s.at)
		s.at = nil
	}
	for e.mu.recent.Len() > e.opt.EvalCache {
		old := e.mu.recent.Remove(e.mu.recent.Front()).(*Script)
		e.forget(old)
		e.evicted.Add(1)
	}
	return s, nil
}

func (e *Engine) forget(s *Script) {
	delete(e.mu.scripts, s.SHA)
	delete(e.mu.bySource, s.Source)
	e.mu.bytes -= len(s.Source)
}

// Flush forgets all scripts and the interpreters that ran them; those that run go on.
func (e *Engine) Flush() {
	e.mu.Lock()
	e.mu.scripts = make(map[string]*Script)
	e.mu.bySource = make(map[string]*Script)
	e.mu.recent.Init()
	e.mu.bytes = 0
	e.mu.Unlock()
	e.evalPool.drop()
}

// Scripts is how many scripts are known and how many bytes of text they have.
func (e *Engine) Scripts() (n, bytes int) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return len(e.mu.scripts), e.mu.bytes
}

// Evicted is how many scripts that came by EVAL have been forgotten because there were too many, since ResetStats.
func (e *Engine) Evicted() int64 { return e.evicted.Load() }

// ResetStats begins counting anew.
func (e *Engine) ResetStats() { e.evicted.Store(0) }

// interpBytes is what an interpreter takes that has run nothing, as measured: see TestInterpreterSize.
const interpBytes = 42 << 10

// Memory is what idle interpreters take, in bytes: those of scripts and those of functions. It is an estimate: what
// they have cached while they ran is not in it.
func (e *Engine) Memory() (scripts, functions int64) {
	return interpBytes * int64(e.evalPool.idle()), interpBytes * int64(e.funcPool.idle())
}

func (e *Engine) compile(source string) (*Script, error) {
	s := &Script{Source: source, SHA: SHA1(source), Flags: Compat}
	body, err := s.shebang()
	if err != nil {
		return nil, err
	}
	if s.proto, err = lua.Compile(body, "@user_script"); err != nil {
		return nil, fmt.Errorf("ERR Error compiling script (new function): %s", err)
	}
	s.KeysOnly, s.Commands = s.proto.Keys(e.opt.Keys)
	s.Endless = s.proto.Endless()
	s.proto.Forget()
	if e.opt.User != nil {
		s.User = e.opt.User(s)
	}
	return s, nil
}

// SHA1 is the name of a script.
func SHA1(source string) string {
	sum := sha1.Sum([]byte(source))
	return hex.EncodeToString(sum[:])
}

// shebang reads the first line of a script, if it begins with "#!", and returns the rest, from its line's end on.
func (s *Script) shebang() (string, error) {
	if !strings.HasPrefix(s.Source, "#!") {
		return s.Source, nil
	}
	line, _, ok := strings.Cut(s.Source, "\n")
	if !ok {
		return "", fmt.Errorf("ERR Invalid script shebang")
	}
	s.Flags = 0
	words := strings.Fields(line)
	if words[0] != "#!lua" {
		return "", fmt.Errorf("ERR Unexpected engine in script shebang: %s", words[0])
	}
	for _, w := range words[1:] {
		value, ok := strings.CutPrefix(w, "flags=")
		if !ok {
			return "", fmt.Errorf("ERR Unknown lua shebang option: %s", w)
		}
		for _, name := range strings.Split(value, ",") {
			if name == "" {
				continue
			}
			f, ok := flagByName(name)
			if !ok {
				return "", fmt.Errorf("ERR Unexpected flag in script shebang: %s", name)
			}
			s.Flags |= f
		}
	}
	return s.Source[len(line):], nil
}
