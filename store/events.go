package store

import (
	"sync/atomic"
)

// Events are classes of what happens to keys, as those who listen choose them.
type Events uint32

const (
	OnGeneric Events = 1 << iota // whatever the type: deleted, renamed, given a deadline
	OnString
	OnList
	OnSet
	OnHash
	OnZSet
	OnStream
	OnExpired // deleted because its time had come
	OnEvicted // deleted because memory was short
	OnMiss    // looked for in vain
	OnNew     // there was no such key
)

// Event is one thing that happened to a key.
type Event struct {
	DB   int
	Name string
	Key  []byte // of who hands it over: copy it
}

// Listener is told of events, in the order in which they happened to each key: while its shard is locked, before whoever
// has caused them is answered, and after the feed has what was changed. It must not use the store. tx is who tells.
type Listener func(tx *Tx, events []Event)

// listening is who is told of what; its zero value is nobody.
type listening struct {
	mask atomic.Uint32
	f    atomic.Pointer[Listener]
}

// Listen has f told of the given classes of events from now on; 0 ends that.
func (s *Store) Listen(to Events, f Listener) {
	if to != 0 {
		s.listening.f.Store(&f)
	}
	s.listening.mask.Store(uint32(to))
}

// told are the events of a Tx that nobody has been told of yet.
type told struct {
	mask   Events // what somebody listens to
	events []Event
	keys   []byte // the bytes of the events' keys
}

const (
	// maxTold is how many events wait for the end of a long transaction.
	maxTold = 1024
	// keepTold is how many bytes of keys a Tx keeps room for.
	keepTold = 64 << 10
)

// beginEvents finds out who listens to what.
func (tx *Tx) beginEvents() {
	tx.told.mask = Events(tx.s.listening.mask.Load())
	if tx.Replaying {
		tx.told.mask = 0
	}
}

// Telling reports whether anybody listens to events of the class.
func (tx *Tx) Telling(class Events) bool { return tx.told.mask&class != 0 }

// Tell tells those who listen to the class that something of that name has happened to key in the present database. It
// copies key.
func (tx *Tx) Tell(class Events, name string, key []byte) {
	if tx.told.mask&class != 0 {
		tx.note(name, key)
	}
}

// note is not inlined: Tell, which is called for every change, is.
//
//go:noinline
func (tx *Tx) note(name string, key []byte) {
	t := &tx.told
	at := len(t.keys)
	t.keys = append(t.keys, key...)
	t.events = append(t.events, Event{DB: tx.db, Name: name, Key: t.keys[at:len(t.keys):len(t.keys)]})
	// What the feed does not have yet nobody may know of.
	if len(t.events) >= maxTold && tx.feed == nil {
		tx.tell()
	}
}

// tell hands the events over. The shards of their keys are still locked.
func (tx *Tx) tell() {
	t := &tx.told
	if f := tx.s.listening.f.Load(); f != nil {
		(*f)(tx, t.events)
	}
	clear(t.events)
	t.events, t.keys = t.events[:0], t.keys[:0]
	if cap(t.events) > 2*maxTold || cap(t.keys) > keepTold {
		t.events, t.keys = nil, nil
	}
}

// tellNew tells that the key of e, which there is none of yet, will be there.
func (tx *Tx) tellNew(e *entry, key []byte) {
	if e.b == nil {
		tx.Tell(OnNew, "new", key)
	}
}
