package store

import (
	"math"
	"sync/atomic"
)

// Watch is one client's set of watched keys: it becomes dirty when any of them changes.
type Watch struct {
	keys  []Key
	dirty atomic.Bool
	size  uint32 // see Size
}

// watchedSize is what a watched key is counted with beside its name, in bytes.
const watchedSize = 128

// Size is about what the set takes, in bytes.
func (w *Watch) Size() int { return int(w.size) }

// Empty reports whether nothing is watched.
func (w *Watch) Empty() bool { return len(w.keys) == 0 }

// WatchKey adds key, whose shard is locked, to w.
func (tx *Tx) WatchKey(key []byte, w *Watch) {
	tx.ReadsOnly = true
	tx.find(key) // a key whose time has come counts as missing from the start
	tx.ReadsOnly = false
	db := tx.database(tx.hash(key))
	watched := db.interested().watched
	l := watched[string(key)]
	if l.has(w) {
		return
	}
	name := string(key)
	l.add(w)
	watched[name] = l
	db.clients.came()
	w.keys = append(w.keys, Key{tx.db, name})
	w.size = uint32(min(uint64(w.size)+uint64(len(name))+watchedSize, math.MaxUint32))
}

// WantWatched adds the shards of the watched keys to those LockWanted will lock.
func (tx *Tx) WantWatched(w *Watch) {
	for _, k := range w.keys {
		tx.Want([]byte(k.Name))
	}
}

// Unwatch empties w, whose shards are locked, and reports whether a watched key had changed.
func (tx *Tx) Unwatch(w *Watch) (dirty bool) {
	db0 := tx.db
	tx.ReadsOnly = true
	for _, k := range w.keys {
		tx.db = k.DB
		key := []byte(k.Name)
		tx.find(key)
		db := tx.database(tx.s.hash(key))
		watched := db.clients.watched
		l := watched[k.Name]
		if l.remove(w) {
			watched[k.Name] = l
			continue
		}
		delete(watched, k.Name)
		db.left()
	}
	tx.db, tx.ReadsOnly = db0, false
	w.keys, w.size = w.keys[:0], 0
	return w.dirty.Swap(false)
}

// notify tells whoever watches name and notes that its waiters may be served.
func (tx *Tx) notify(db *database, name string) {
	if db.clients == nil {
		return
	}
	if l := db.clients.watched[name]; l.first != nil {
		l.first.dirty.Store(true)
		for _, w := range l.more {
			w.dirty.Store(true)
		}
	}
	if db.clients.waiting[name] != nil {
		tx.ready = append(tx.ready, Key{tx.db, name})
	}
}

// Len returns the number of keys watched.
func (w *Watch) Len() int { return len(w.keys) }

// Dirty reports whether a watched key has changed.
func (w *Watch) Dirty() bool { return w.dirty.Load() }
