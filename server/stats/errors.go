package stats

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// maxErrorKinds bounds the kinds of errors that are told apart, because scripts can make up new ones without end.
	maxErrorKinds = 128
	// tooManyKinds is the only kind left after the bound was met, until Reset.
	tooManyKinds = "ERRORSTATS_DISABLED"
	// maxErrorName bounds the length of a kind; a text whose first word is longer, or its only one, counts as plainError.
	maxErrorName = 30
	plainError   = "ERR"
)

// errorTable counts error replies by their first word. Known kinds are counted without a lock: the map is never changed,
// only replaced.
type errorTable struct {
	kinds atomic.Pointer[map[string]*atomic.Int64]
	// disabled says that the bound was met; it is written under mu.
	disabled atomic.Bool
	mu       sync.Mutex // held to replace kinds
}

func (t *errorTable) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kinds.Store(&map[string]*atomic.Int64{})
	t.disabled.Store(false)
}

// Error counts an error reply, given as its text without the leading '-'. It reports true for the one call which finds that
// there are too many kinds: from it on until Reset nothing more is told apart, and INFO errorstats shows only
// ERRORSTATS_DISABLED; the caller should write that to the log. Error does not add to ErrorReplies.
func (s *Stats) Error(text string) (overflow bool) {
	t := &s.errors
	if t.disabled.Load() {
		return false
	}
	kind, _, ok := strings.Cut(text[:min(len(text), maxErrorName+1)], " ")
	if !ok {
		kind = plainError
	}
	if n := (*t.kinds.Load())[kind]; n != nil {
		n.Add(1)
		return false
	}
	return t.add(strings.Clone(kind))
}

// add counts the first error of a kind.
func (t *errorTable) add(kind string) (overflow bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := *t.kinds.Load()
	if n := old[kind]; n != nil { // added by another goroutine meanwhile
		n.Add(1)
		return false
	}
	if t.disabled.Load() {
		return false
	}
	var next map[string]*atomic.Int64
	if len(old) < maxErrorKinds {
		next = maps.Clone(old)
	} else {
		next, kind, overflow = map[string]*atomic.Int64{}, tooManyKinds, true
		t.disabled.Store(true)
	}
	n := new(atomic.Int64)
	n.Store(1)
	next[kind] = n
	t.kinds.Store(&next)
	return overflow
}

// ErrorCount is one line of INFO errorstats.
type ErrorCount struct {
	Kind  string
	Count int64
}

// Errors lists the kinds of errors in the order of their names.
func (s *Stats) Errors() []ErrorCount {
	kinds := *s.errors.kinds.Load()
	out := make([]ErrorCount, 0, len(kinds))
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		out = append(out, ErrorCount{kind, kinds[kind].Load()})
	}
	return out
}
