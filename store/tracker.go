package store

import "sync/atomic"

// Tracker learns which keys change, under whatever name and in whatever database: for caches that clients keep. Its methods
// are called concurrently, with the shard of the key locked, and must not use the store.
type Tracker interface {
	// Changed tells of a key; by is the By of the Tx, 0 if the key expired or was evicted. It must not keep key.
	Changed(key []byte, by int64)
	// Flushed tells that all keys of a database, or of all, are gone; all shards are locked.
	Flushed(by int64)
	// Settle is called without locks when keys have changed without a command: those told of by Changed may be told on.
	Settle()
}

type trackerBox struct{ Tracker }

type trackerPointer = atomic.Pointer[trackerBox]

// SetTracker has t told of all changes that are made under locks taken from now on; nil ends that. It may be called while
// others use the store.
func (s *Store) SetTracker(t Tracker) {
	if t == nil {
		s.tracker.Store(nil)
		return
	}
	s.tracker.Store(&trackerBox{t})
}

// invalidate tells the tracker, if there is one, that key changes without a command. The pointer is read under the lock of
// the key's shard: whoever read the key before had it set before.
func (tx *Tx) invalidate(key []byte) {
	if t := tx.s.tracker.Load(); t != nil {
		t.Changed(key, 0)
	}
}

// Flushed tells that databases have been emptied; all shards are locked.
func (tx *Tx) Flushed() {
	if t := tx.s.tracker.Load(); t != nil {
		t.Flushed(tx.By)
	}
}

// settleTracker follows changes without a command.
func (s *Store) settleTracker() {
	if t := s.tracker.Load(); t != nil {
		t.Settle()
	}
}
