package store

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"unsafe"

	"github.com/streampulse/pulse/internal/invariants"
	"github.com/streampulse/pulse/store/hash"
	"github.com/streampulse/pulse/store/list"
	"github.com/streampulse/pulse/store/set"
	"github.com/streampulse/pulse/store/zset"
)

// ErrWrongType is returned when a key holds a value of another type than was asked for.
var ErrWrongType = errors.New("WRONGTYPE Operation against a key holding the wrong kind of value")

// Tx is access to some shards of a store for a while. The cycle is Begin, Lock*, operations, Unlock; a Tx is used again
// and again by its goroutine. Slices returned by its methods are valid until Unlock, and stay as they are unless the
// same key is written.
type Tx struct {
	s    *Store
	db   int
	now  int64 // Unix ms, of deadlines; stands still until Unlock
	wall int64 // what clients are told instead, and access times are noted in; the same but in tests
	rand *rand.Rand

	held []int // indexes of the shards locked, ascending
	all  bool  // every shard is locked or nobody else runs
	excl bool  // nobody else runs: no lock is needed

	// memo saves hashing the first key twice: once to lock, once to find.
	memo struct {
		p *byte
		n int
		h uint64
	}

	ready   []Key    // keys with waiters that were written
	changes int      // since Begin
	feed    *feedBox // nil if nobody wants to know of changes
	unit    Unit     // what the feed will be given
	told    told     // what those who listen will be told
	scratch []byte

	// Values that live in blocks, as the present command has them in hand (packed.go).
	hashes copies[hash.Hash, *hash.Hash]
	lists  copies[list.List, *list.List]
	sets   copies[set.Set, *set.Set]
	zsets  copies[zset.ZSet, *zset.ZSet]

	pool  pool // candidates for eviction
	drawn [maxSamples]uint32

	// Replaying tells that what is done here was done before: keys and fields whose deadlines have passed stay, because
	// their deletion is part of what is to be done. Who sets it takes care that the expirer is off.
	Replaying bool
	// Alone tells that its user has the store to itself, within somebody's Exclusive: that of this Tx waits for nobody.
	Alone bool
	// User is whoever works with the Tx, if a Listener cares.
	User any
	// By is the client whose command is run, for a Tracker; 0: nobody's.
	By int64
	// ReadsOnly tells that the present command changes no key: see freeze.go. BeginCommand takes it back.
	ReadsOnly bool
	veil      *veil // nil for none
	// NoTouch keeps reads from renewing the time of last access.
	NoTouch bool
	// Hits and Misses count the outcome of key look-ups for reading. The user takes and resets them.
	Hits, Misses int64
	// Expired counts keys deleted because their deadline had passed. The user takes and resets it.
	Expired int64
}

// keepScratch is how many bytes of texts of integers a Tx keeps room for.
const keepScratch = 64 << 10

// Key is a name in a numbered database.
type Key struct {
	DB   int
	Name string
}

// NewTx returns a Tx for the use of one goroutine at a time.
func (s *Store) NewTx() *Tx { return &Tx{s: s, rand: s.newRand()} }

// Begin starts anew in database db; the clock is read once, here.
func (tx *Tx) Begin(db int) { tx.BeginAt(db, tx.s.clk.NowMs()) }

// BeginAt is Begin at the given time in Unix milliseconds.
func (tx *Tx) BeginAt(db int, now int64) {
	tx.db, tx.now, tx.wall = db, now, now
	if tx.s.wall != nil {
		tx.now, tx.wall = tx.s.clk.NowMs(), tx.s.wall.NowMs()
	}
	tx.changes = 0
	tx.beginFeed()
	tx.BeginCommand()
	tx.ready = tx.ready[:0]
	if cap(tx.scratch) > keepScratch {
		tx.scratch = nil // many integers were read at once; one Tx lives as long as its loop
	}
	tx.scratch = tx.scratch[:0]
}

// Store returns the store of tx.
func (tx *Tx) Store() *Store { return tx.s }

// DB returns the present database.
func (tx *Tx) DB() int { return tx.db }

// Select changes the present database; the locks held are for all databases.
func (tx *Tx) Select(db int) { tx.db = db }

// Now returns the time of the Tx in Unix milliseconds.
func (tx *Tx) Now() int64 { return tx.now }

// Rand returns the Tx's source of randomness.
func (tx *Tx) Rand() *rand.Rand { return tx.rand }

// Limits returns the sizes at which values change their representation.
func (tx *Tx) Limits() *Limits { return tx.s.limits.Load() }

// Past reports whether what has the deadline at (Unix milliseconds) is gone.
func (tx *Tx) Past(at int64) bool { return at <= tx.now && !tx.Replaying }

// Changed counts n changes of something that is kept beside the keys.
func (tx *Tx) Changed(n int) { tx.changes += n }

// Changes returns the number of changes since Begin.
func (tx *Tx) Changes() int { return tx.changes }

// LockKey locks the shard of one key.
func (tx *Tx) LockKey(key []byte) {
	h := tx.s.hash(key)
	tx.memo.p, tx.memo.n, tx.memo.h = unsafe.SliceData(key), len(key), h
	if tx.all {
		return
	}
	i := tx.s.shardIndex(h)
	tx.held = append(tx.held[:0], i)
	tx.s.shards[i].mu.Lock()
}

// Want adds the shard of key to those LockWanted will lock.
func (tx *Tx) Want(key []byte) {
	if tx.all {
		return
	}
	tx.held = append(tx.held, tx.s.shardIndex(tx.s.hash(key)))
}

// LockWanted locks the shards of all keys given to Want since the last Unlock, in ascending order.
func (tx *Tx) LockWanted() {
	if tx.all {
		return
	}
	slices.Sort(tx.held)
	tx.held = slices.Compact(tx.held)
	for _, i := range tx.held {
		tx.s.shards[i].mu.Lock()
	}
}

// LockAll locks every shard.
func (tx *Tx) LockAll() {
	if tx.all {
		return
	}
	tx.held = tx.held[:0]
	for i := range tx.s.shards {
		tx.s.shards[i].mu.Lock()
		tx.held = append(tx.held, i)
	}
	tx.all = true
}

// Unlock ends what Lock* began. Changes are counted into the store.
func (tx *Tx) Unlock() {
	tx.memo.p = nil
	if tx.changes != 0 {
		tx.s.dirty.Add(int64(tx.changes))
	}
	if tx.excl {
		return
	}
	tx.handOver()
	for _, i := range tx.held {
		tx.s.shards[i].mu.Unlock()
	}
	tx.held = tx.held[:0]
	tx.all = false
}

// Exclusive runs f with nobody else in the store; own is the gate the caller holds, or nil. Within f all keys are
// accessible without locking. Begin must have been called.
func (tx *Tx) Exclusive(own *Gate, f func()) {
	alone := func() {
		tx.LockAll()               // the expirer and gates made meanwhile
		tx.feed = tx.s.feed.Load() // another exclusive operation may have come first
		tx.excl = true
		defer func() {
			tx.excl = false
			tx.Unlock()
		}()
		f()
	}
	if tx.Alone {
		alone()
		return
	}
	tx.s.Exclusive(own, alone)
}

func (tx *Tx) hash(key []byte) uint64 {
	if unsafe.SliceData(key) == tx.memo.p && len(key) == tx.memo.n && tx.memo.p != nil {
		return tx.memo.h
	}
	return tx.s.hash(key)
}

func (tx *Tx) database(h uint64) *database {
	i := tx.s.shardIndex(h)
	if invariants.Enabled && !tx.all && !slices.Contains(tx.held, i) {
		panic("store: a key was touched whose shard is not locked; the command's row must name it")
	}
	return &tx.s.shards[i].dbs[tx.db]
}

// find looks key up and deletes it if its deadline has passed; of a hash it deletes the fields whose deadlines have. While the
// store is frozen, one that ReadsOnly does not see them instead.
func (tx *Tx) find(key []byte) entry {
	h := tx.hash(key)
	db := tx.database(h)
	if db.keys == nil {
		return entry{h: h}
	}
	e := db.keys.find(h, key)
	if e.b != nil && e.flags&fDeadline != 0 && tx.Past(deadlineOf(e.b)) {
		if tx.hides() {
			return entry{h: h, ks: e.ks}
		}
		tx.expire(db, &e)
	}
	if e.b != nil && db.keys.fieldsDue(tx.now) && !tx.Replaying {
		if !tx.hides() {
			tx.expireFields(db, &e, math.MaxInt)
		} else if !tx.conceal(&e) {
			return entry{h: h, ks: e.ks}
		}
	}
	return e
}

// look is find for reading about a key, not its value: it counts a hit or a miss.
func (tx *Tx) look(key []byte) entry {
	e := tx.find(key)
	if e.b == nil {
		tx.Misses++
		tx.Tell(OnMiss, "keymiss", key)
	} else {
		tx.Hits++
	}
	return e
}

// peek is find for reading a value: it counts a hit or a miss and renews the time of access.
func (tx *Tx) peek(key []byte) entry {
	e := tx.look(key)
	if e.b != nil && !tx.NoTouch {
		tx.touch(&e)
	}
	return e
}

// space returns the keyspace of e, making one if there is none.
func (tx *Tx) space(e *entry) *keyspace {
	if e.ks == nil {
		db := tx.database(e.h)
		if db.keys == nil {
			db.keys = tx.s.newKeyspace(tx.s.shardIndex(e.h))
			db.keys.count = &db.count
		}
		e.ks = db.keys
	}
	return e.ks
}

// expire deletes the key of e because its time has come.
func (tx *Tx) expire(db *database, e *entry) {
	tx.Expired++
	name := db.nameFor(e)
	tx.feedDeletion(keyOf(e.b))
	tx.Tell(OnExpired, "expired", keyOf(e.b))
	tx.invalidate(keyOf(e.b))
	tx.drop(e)
	tx.notify(db, name)
}

// nameFor returns the name of the key of e for notify, "" if nobody would be told.
func (db *database) nameFor(e *entry) string {
	if !db.some() {
		return ""
	}
	return string(keyOf(e.b))
}

// drop removes the key of e with its value.
func (tx *Tx) drop(e *entry) {
	e.ks.dropObject(e)
	tx.forget(e.kind(), keyOf(e.b))
	e.ks.moveDeadline(e, noDeadline)
	e.ks.remove(e)
	e.ks.tidy()
}

// Modified tells that n changes were made to the value of key: whoever watches it or waits for it learns of it.
func (tx *Tx) Modified(key []byte, n int) {
	if invariants.Enabled && tx.ReadsOnly {
		panic("store: a command has changed a key that said that it would not")
	}
	tx.changes += n
	h := tx.hash(key)
	db := tx.database(h)
	if db.some() {
		tx.notify(db, string(key))
	}
	if t := tx.s.tracker.Load(); t != nil {
		t.Changed(key, tx.By)
	}
}

// Mode says what a typed look-up does about a key that does not exist.
type Mode uint8

const (
	Read   Mode = iota // nil; counts as a read of the keyspace
	Write              // nil; about to change what is there
	Create             // an empty value is made, which is there once it is settled
)
