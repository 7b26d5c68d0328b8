package store

import "sync/atomic"

// Feed learns of all changes, in an order in which they can be done again: what becomes of a store is told by what
// happened to each key in turn, and a unit is handed over under the locks of the shards it changed. Its methods are
// called concurrently.
type Feed interface {
	// EncodeCommand appends a command to dst, in whatever form the feed keeps commands.
	EncodeCommand(dst []byte, args [][]byte) []byte
	// EncodeDeletion appends the deletion of a key: it expired, or was evicted.
	EncodeDeletion(dst, key []byte) []byte
	// EncodeFieldDeletions appends the deletion of fields of a hash.
	EncodeFieldDeletions(dst, key []byte, fields [][]byte) []byte
	// Append takes a unit, whose memory is the caller's.
	Append(u *Unit)
}

// Unit is what happened at once: the effects of a command, of a transaction or of a script.
type Unit struct {
	Steps []Step
	Bytes []byte // of all steps, one after the other
	Now   int64  // Unix milliseconds
	// Loose tells that the steps do not depend on each other, as the deletions of several keys whose time has come.
	Loose bool
}

// Step is one command of a unit.
type Step struct {
	DB  int
	End int // where its bytes end in Bytes
}

// feedBox makes a Feed fit for an atomic pointer.
type feedBox struct{ Feed }

// SetFeed hands all changes from now on to f; nil ends that. It is called while nobody else runs.
func (s *Store) SetFeed(f Feed) {
	if f == nil {
		s.feed.Store(nil)
		return
	}
	s.feed.Store(&feedBox{f})
}

type feedPointer = atomic.Pointer[feedBox]

// keepUnit is how many bytes of a unit a Tx keeps room for.
const keepUnit = 64 << 10

// beginFeed forgets the unit before and finds out whether there is a feed.
func (tx *Tx) beginFeed() {
	tx.feed = tx.s.feed.Load()
	tx.unit.Steps = tx.unit.Steps[:0]
	if cap(tx.unit.Bytes) > keepUnit {
		tx.unit.Bytes = nil
	}
	tx.unit.Bytes = tx.unit.Bytes[:0]
	tx.unit.Loose = false
}

// Feeding reports whether anybody wants to know of changes.
func (tx *Tx) Feeding() bool { return tx.feed != nil }

// FeedCommand adds a command on database db to the unit: doing it again, after what was added before, changes what this
// Tx has changed.
func (tx *Tx) FeedCommand(db int, args [][]byte) {
	if tx.feed == nil {
		return
	}
	tx.unit.Bytes = tx.feed.EncodeCommand(tx.unit.Bytes, args)
	tx.unit.Steps = append(tx.unit.Steps, Step{db, len(tx.unit.Bytes)})
}

// Fed returns how many steps the unit has.
func (tx *Tx) Fed() int { return len(tx.unit.Steps) }

func (tx *Tx) feedDeletion(key []byte) {
	if tx.feed == nil {
		return
	}
	tx.unit.Bytes = tx.feed.EncodeDeletion(tx.unit.Bytes, key)
	tx.unit.Steps = append(tx.unit.Steps, Step{tx.db, len(tx.unit.Bytes)})
}

func (tx *Tx) feedFieldDeletions(key []byte, fields [][]byte) {
	if tx.feed == nil || len(fields) == 0 {
		return
	}
	tx.unit.Bytes = tx.feed.EncodeFieldDeletions(tx.unit.Bytes, key, fields)
	tx.unit.Steps = append(tx.unit.Steps, Step{tx.db, len(tx.unit.Bytes)})
}

// handOver gives the unit to the feed, and tells those who listen. The shards it changed are still locked.
func (tx *Tx) handOver() {
	if len(tx.unit.Steps) > 0 {
		tx.unit.Now = tx.now
		tx.feed.Append(&tx.unit)
		tx.beginFeed()
	}
	if len(tx.told.events) > 0 {
		tx.tell()
	}
}
