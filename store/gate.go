package store

import (
	"runtime"
	"slices"
	"sync"
)

// Gate is held by whoever runs commands, for the length of one command or one batch of them. An event loop has a gate
// of its own, so entering it is an uncontended operation on a loop-local cache line; an exclusive operation closes all
// gates. Several goroutines may share a gate.
type Gate struct {
	mu sync.RWMutex
	_  [64]byte
}

// Enter waits until no exclusive operation runs and keeps the next one waiting. It must not be nested.
func (g *Gate) Enter() { g.mu.RLock() }

// Leave lets exclusive operations in.
func (g *Gate) Leave() { g.mu.RUnlock() }

type gates struct {
	one sync.Mutex // the right to close gates
	mu  sync.Mutex // guards what follows
	all []*Gate
	// shut tells that all are locked, or being locked, by the operation that runs alone; late are those that were made, and locked,
	// meanwhile.
	shut bool
	late []*Gate

	// Those who do not want to wait for an exclusive operation that takes too long (EnterUnlessBusy) wait here.
	door struct {
		sync.Mutex
		moved  sync.Cond // closed or busy has changed
		closed bool
		busy   bool
	}
}

// NewGate returns a gate that exclusive operations respect for as long as the store lives, one that runs now included.
func (s *Store) NewGate() *Gate {
	g := &Gate{}
	s.gates.mu.Lock()
	defer s.gates.mu.Unlock()
	s.gates.all = append(s.gates.all, g)
	if s.gates.shut {
		g.mu.Lock() // Exclusive unlocks it
		s.gates.late = append(s.gates.late, g)
	}
	return g
}

// NewInnerGate is NewGate for a part of the exclusive operation that runs now, if one does: it is not closed by that one. Its
// holder finds all shards locked.
func (s *Store) NewInnerGate() *Gate {
	g := &Gate{}
	s.gates.mu.Lock()
	defer s.gates.mu.Unlock()
	s.gates.all = append(s.gates.all, g)
	return g
}

// Exclusive runs f while nobody else is between Enter and Leave of any gate. The caller holds own (or nil); it is given
// back meanwhile and entered again before Exclusive returns.
func (s *Store) Exclusive(own *Gate, f func()) {
	if own != nil {
		own.Leave()
		defer own.Enter()
	}
	s.gates.one.Lock()
	defer s.gates.one.Unlock()
	s.gates.mu.Lock()
	s.gates.shut = true
	all := slices.Clone(s.gates.all)
	s.gates.mu.Unlock()
	s.gates.setClosed(true)
	for _, g := range all {
		g.mu.Lock()
	}
	defer func() {
		s.gates.mu.Lock()
		all = append(all, s.gates.late...)
		s.gates.shut, s.gates.late = false, nil
		s.gates.mu.Unlock()
		for _, g := range all {
			g.mu.Unlock()
		}
		s.gates.setClosed(false)
	}()
	f()
}

func (gs *gates) setClosed(closed bool) {
	gs.door.Lock()
	gs.door.closed = closed
	gs.door.Unlock()
	if !closed {
		gs.door.moved.Broadcast()
	}
}

// SetBusy says whether the exclusive operation under way takes too long to wait for.
func (s *Store) SetBusy(busy bool) {
	d := &s.gates.door
	d.Lock()
	d.busy = busy
	d.Unlock()
	d.moved.Broadcast()
}

// Busy reports what SetBusy has said.
func (s *Store) Busy() bool {
	d := &s.gates.door
	d.Lock()
	defer d.Unlock()
	return d.busy
}

// EnterUnlessBusy is g.Enter, but it gives up, and returns false, when the exclusive operation that it waits for is said
// to take too long.
func (s *Store) EnterUnlessBusy(g *Gate) bool {
	if g.mu.TryRLock() {
		return true
	}
	d := &s.gates.door
	d.Lock()
	defer d.Unlock()
	for {
		switch {
		case d.closed && d.busy:
			return false
		case d.closed:
			d.moved.Wait()
		default: // the gates are about to open
			d.Unlock()
			runtime.Gosched()
			d.Lock()
		}
		if g.mu.TryRLock() {
			return true
		}
	}
}
