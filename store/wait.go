package store

import (
	"container/list"
	"sync/atomic"
)

// Waiter is a client that waits, in the order of arrival, for any of some keys to be written.
//
// Serving it, its time-out, its disconnection and CLIENT UNBLOCK may meet; Claim decides. Whoever claims a waiter must
// either Finish it (and take it out of its queues) or Release it. To serve it is to claim and to release it under the
// locks of all its keys: were it released later, a key written in between would find it claimed and pass it over, and
// nobody would come back.
type Waiter struct {
	state atomic.Int32
	keys  []Key
	elems []*list.Element // where it stands in the queue of each key; guarded by the key's shard
	// Owner is whatever the waiting side needs to be served.
	Owner any
}

const (
	waiting  = iota // in its queues
	claimed         // somebody serves it
	revoked         // as claimed, and somebody else wants it to end if it is not served
	finished        // done with
)

// waitQueue holds *Waiter in order of arrival.
type waitQueue = list.List

// Claim takes the right to end the wait; it reports false if another has it.
func (w *Waiter) Claim() bool { return w.state.CompareAndSwap(waiting, claimed) }

// Release gives a claimed waiter back to its queues. It reports false if the wait was revoked meanwhile: the caller
// still holds the claim and must end the wait as revoked.
func (w *Waiter) Release() bool { return w.state.CompareAndSwap(claimed, waiting) }

// Finish ends a claimed wait.
func (w *Waiter) Finish() { w.state.Store(finished) }

// Revoke asks for the end of the wait. If it returns true the caller has claimed it. If it returns false somebody is
// serving it or it is over: whoever serves it learns of the revocation from Release.
func (w *Waiter) Revoke() bool {
	for {
		if w.Claim() {
			return true
		}
		if w.state.CompareAndSwap(claimed, revoked) {
			return false
		}
		if s := w.state.Load(); s == revoked || s == finished {
			return false
		}
	}
}

// Enqueue puts w into the queue of key, whose shard is locked.
func (tx *Tx) Enqueue(key []byte, w *Waiter) {
	name := string(key)
	for _, k := range w.keys {
		if k.Name == name && k.DB == tx.db {
			return
		}
	}
	db := tx.database(tx.hash(key))
	queues := db.interested().waiting
	q := queues[name]
	if q == nil {
		q = list.New()
		queues[name] = q
		db.clients.came()
	}
	w.keys = append(w.keys, Key{tx.db, name})
	w.elems = append(w.elems, q.PushBack(w))
}

// WantWaiter adds the shards of the keys w waits for to those LockWanted will lock.
func (tx *Tx) WantWaiter(w *Waiter) {
	for _, k := range w.keys {
		tx.Want([]byte(k.Name))
	}
}

// Dequeue takes w out of all its queues, whose shards are locked.
func (tx *Tx) Dequeue(w *Waiter) {
	db0 := tx.db
	for i, k := range w.keys {
		tx.db = k.DB
		db := tx.database(tx.s.hash([]byte(k.Name)))
		q := db.clients.waiting[k.Name]
		q.Remove(w.elems[i])
		if q.Len() == 0 {
			delete(db.clients.waiting, k.Name)
			db.left()
		}
	}
	tx.db = db0
	w.keys, w.elems = nil, nil
}

// Ready returns the keys with waiters that were written since Begin, in order, with repetitions.
func (tx *Tx) Ready() []Key { return tx.ready }

// Wake notes that those who wait for key may be served, though nothing that a watcher of it looks for has changed.
func (tx *Tx) Wake(key []byte) {
	if tx.database(tx.hash(key)).queue(key) != nil {
		tx.ready = append(tx.ready, Key{tx.db, string(key)})
	}
}

// OnReady has f called for keys with waiters that went without a command: they expired, or were evicted in the background.
// f is called without locks, and keys is its own only until it returns. Call it before the store is used by others.
func (s *Store) OnReady(f func(keys []Key)) { s.onReady.Store(&f) }

// serve has those served who wait for keys.
func (s *Store) serve(keys []Key) {
	if f := s.onReady.Load(); f != nil && len(keys) > 0 {
		(*f)(keys)
	}
}

// Waiters appends those who wait for key, whose shard is locked, to dst, the longest wait first.
func (tx *Tx) Waiters(key []byte, dst []*Waiter) []*Waiter {
	if q := tx.database(tx.hash(key)).queue(key); q != nil {
		for e := q.Front(); e != nil; e = e.Next() {
			dst = append(dst, e.Value.(*Waiter))
		}
	}
	return dst
}

// Holds reports whether key holds a value of the given kind; it is no read of the key.
func (tx *Tx) Holds(key []byte, k Kind) bool {
	e := tx.find(key)
	return e.b != nil && e.kind() == k
}

// notifyWaiters notes as ready every key of the database that has waiters.
func (tx *Tx) notifyWaiters(db *database) {
	if db.clients == nil {
		return
	}
	for name := range db.clients.waiting {
		tx.ready = append(tx.ready, Key{tx.db, name})
	}
}
