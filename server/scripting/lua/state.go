package lua

import (
	"sync/atomic"
)

// Limits of the language as Redis's build of Lua 5.1 has them.
const (
	maxGoCalls    = 200     // nested calls through Go: metamethods, pcall, sort
	maxGoStack    = 8000    // values that a Go function may have on the stack
	maxStack      = 1 << 20 // values on the stack of a thread
	maxMetaChain  = 100
	stepsPerCheck = 1000
)

// A State is an interpreter: globals, the metatable of strings, and accounts of memory and work. It may be used by one goroutine at a
// time, except for Stop.
type State struct {
	globals *Table
	strMeta *Table
	main    *Thread
	cur     *Thread
	ids     uint32
	goCalls int
	steps   int // loop iterations and calls until the next look at stop
	stop    atomic.Pointer[error]
	spent   uint64 // steps since the last Reset, in units of stepsPerCheck

	memory struct {
		quota int // bytes that values may take, 0 for no limit
		held  int // bytes counted at the last measurement, and charged since
		next  int // measure again when held reaches this
		epoch uint32
		roots []*Table // what a script reaches beside its stack
		base  []*Table // what belongs to the state and is not counted
	}
	matcher          *matcher // not in use, or nil
	nextFn, ipairsFn *Function
	kinds            [UserData + 1]Value

	ext any // whatever the user of the state keeps with it
}

// NewState makes a state with an empty table of globals.
func NewState() *State {
	s := &State{}
	s.memory.next = 1 << 62
	s.globals = s.NewTable(0, 0)
	s.main = s.newThread()
	s.cur = s.main
	s.steps = stepsPerCheck
	return s
}

func (s *State) nextID() uint32 {
	s.ids++
	return s.ids
}

// Globals is the table of global variables.
func (s *State) Globals() *Table { return s.globals }

// SetStringMeta sets the metatable of all strings.
func (s *State) SetStringMeta(t *Table) { s.strMeta = t }

// StringMeta is the metatable of all strings.
func (s *State) StringMeta() *Table { return s.strMeta }

// Text is the text of a value as tostring gives it, without metamethods.
func (s *State) Text(v Value) string { return s.plainText(v) }

// SwapGlobals replaces the table of globals and returns the former one.
func (s *State) SwapGlobals(t *Table) *Table {
	old := s.globals
	s.globals = t
	return old
}

// Main is the thread that scripts start in; Current is the coroutine that runs.
func (s *State) Main() *Thread { return s.main }

// SetExt keeps a value with the state; Ext returns it.
func (s *State) SetExt(v any) { s.ext = v }

// Ext is the value given to SetExt.
func (s *State) Ext() any { return s.ext }

// Str makes a string value that is charged to the state.
func (s *State) Str(v string) Value {
	s.charge(len(v) + valueBytes)
	return Str(v)
}

// Bytes makes a string value of a copy of bytes.
func (s *State) Bytes(b []byte) Value {
	s.charge(len(b) + valueBytes)
	return Str(string(b))
}

// Stop ends what the state runs, from any goroutine, with an error that scripts cannot catch. It holds until Reset.
func (s *State) Stop(err error) { s.stop.Store(&err) }

// Stopped is the error given to Stop, or nil.
func (s *State) Stopped() error {
	if p := s.stop.Load(); p != nil {
		return *p
	}
	return nil
}

// Killed is what a stopped script panics with: protected calls let it pass.
type Killed struct{ Err error }

func (k *Killed) Error() string { return k.Err.Error() }

// check is called every stepsPerCheck steps.
func (s *State) check() {
	s.steps = stepsPerCheck
	s.spent++
	if p := s.stop.Load(); p != nil {
		panic(&Killed{*p})
	}
}

// tick counts one step.
func (s *State) tick() {
	if s.steps--; s.steps < 0 {
		s.check()
	}
}

// Work counts the work of a Go function: one unit is about as much as a loop iteration.
func (s *State) Work(n int) {
	if s.steps -= n; s.steps < 0 {
		s.check()
	}
}

// Spent is how much work was done since Reset, in steps, roughly.
func (s *State) Spent() uint64 { return s.spent * stepsPerCheck }

// Reset makes the state ready for the next script: threads are emptied and the accounts cleared. Tables that scripts could change must
// not be reachable from it.
func (s *State) Reset() {
	t := s.main
	clear(t.stack[:min(t.high+8, len(t.stack))])
	clear(t.frames[:t.highFrame])
	if len(t.stack) > 1<<14 {
		t.stack = make([]Value, initialStack)
	}
	if len(t.frames) > 1<<9 {
		t.frames = make([]frame, 16)
	}
	t.high, t.highFrame, t.nf, t.top, t.nexec = 0, 0, 0, 0, 0
	clear(t.open)
	t.open = t.open[:0]
	s.cur = t
	s.goCalls, s.steps, s.spent = 0, stepsPerCheck, 0
	s.stop.Store(nil)
	s.memory.held = 0
	s.memory.next = s.firstMeasure()
}

const initialStack = 1024
