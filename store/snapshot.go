package store

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/store/arena"
	"github.com/streampulse/pulse/store/codec"
	"github.com/streampulse/pulse/store/table"
)

// A Snapshot is what a store held at one instant, written out while it goes on changing, without a copy.
//
// Every block carries a mark, one bit. At the instant, while nobody else runs, each keyspace takes the other mark as its
// own, so all its blocks have the wrong one: they are still to be saved. A walk in the order of the index saves them
// segment by segment under the lock of their shard and gives them the right mark; whoever is about to change a key
// whose mark is wrong saves it first (preserve), and blocks that are made have the right mark from the start, for
// they do not belong to what is saved. So each key is saved once, as it was at the instant, and the cost is a bit that was
// free and the bytes on their way to the file.
//
// Keyspaces that are swapped or flushed meanwhile stay with the snapshot under the number they had.
type Snapshot struct {
	s      *Store
	encode Encoder
	keeps  []*keeper
	// Gentle makes Write rest now and then, while it holds no lock: who always wants to run is interrupted by the system
	// where that hurts, within a lock, on a machine that has other things to do.
	Gentle bool
	// Sizes are the databases at the instant.
	Sizes []Size
	// Time is the instant in Unix milliseconds.
	Time int64

	done    atomic.Int64 // keys saved
	keys    int64
	failed  atomic.Bool // nothing is encoded any more: the marks are all that matters
	longest atomic.Int64
	queue   struct {
		sync.Mutex
		full []chunk
	}
}

// Encoder appends a key with its value in the form in which it is saved. It is called by several goroutines, under
// locks; nothing of v may be kept.
type Encoder func(dst, key []byte, v codec.Value, m Meta) []byte

// Meta is what is known of a key beside its value.
type Meta struct {
	Deadline int64 // Unix milliseconds, or Forever
	Idle     int64 // seconds since its last access, -1 if that is not recorded
	Freq     int   // logarithm of the number of accesses, -1 if that is not recorded
}

// chunk is encoded keys of one database.
type chunk struct {
	db    int
	bytes []byte
}

// keeper is a keyspace that belongs to a snapshot. It is guarded by the lock of its shard.
type keeper struct {
	sn  *Snapshot
	sh  *shard
	ks  *keyspace
	db  int
	pos uint64 // in the index: what lies before is saved
	tx  Tx     // to look at values with; never locked
	out []byte
}

// fMark is the mark of a block, in the byte of the slack.
const fMark = 0x80

// stepBytes is how much is encoded under one lock, about, unless a single value is larger. A variable for tests.
var stepBytes = 32 << 10

// stint is how long a gentle Write works before it rests: well below the time that systems let a thread run at one go.
const stint = time.Millisecond

// keepBytes is how much those who change keys may pile up in a keyspace before it is put into the queue.
const keepBytes = 64 << 10

// ErrSnapshotUnderWay says that there is a snapshot already: blocks have one mark.
var ErrSnapshotUnderWay = errors.New("store: a snapshot is under way")

// BeginSnapshot takes the instant; it is called within Exclusive. Write must follow, on any goroutine.
func (tx *Tx) BeginSnapshot(encode Encoder) (*Snapshot, error) {
	s := tx.s
	sn := &Snapshot{s: s, encode: encode, Time: tx.now}
	if !s.snapshot.CompareAndSwap(nil, sn) {
		return nil, ErrSnapshotUnderWay
	}
	for n := range s.dbs {
		size := tx.Size(n)
		sn.Sizes = append(sn.Sizes, size)
		sn.keys += int64(size.Keys)
	}
	for i := range s.shards {
		sh := &s.shards[i]
		for n := range sh.dbs {
			ks := sh.dbs[n].keys
			if ks == nil || ks.idx.Len() == 0 {
				continue
			}
			k := &keeper{sn: sn, sh: sh, ks: ks, db: n}
			k.tx.s, k.tx.now, k.tx.wall, k.tx.rand, k.tx.Replaying, k.tx.NoTouch = s, tx.now, tx.wall, tx.rand, true, true
			ks.mark ^= fMark
			ks.keep = k
			sn.keeps = append(sn.keeps, k)
		}
	}
	return sn, nil
}

// Progress returns how many keys were saved, of how many.
func (sn *Snapshot) Progress() (done, of int64) { return sn.done.Load(), sn.keys }

// Timed reports whether a hash had a field with a deadline at the instant.
func (sn *Snapshot) Timed() bool {
	return slices.ContainsFunc(sn.Sizes, func(z Size) bool { return z.Fields > 0 })
}

// Longest returns the longest time for which a shard was locked, or a command kept waiting by the saving of what it was
// about to change.
func (sn *Snapshot) Longest() time.Duration { return time.Duration(sn.longest.Load()) }

// Abort has Write end soon, with an error.
func (sn *Snapshot) Abort() { sn.failed.Store(true) }

// ErrAborted is the error of a Write after Abort.
var ErrAborted = errors.New("store: the snapshot was broken off")

// Write gives all keys to emit, in pieces of one database each, and ends the snapshot. The bytes are emit's only until it
// returns. After an error of emit nothing is given to it any more, and that error is returned.
func (sn *Snapshot) Write(emit func(db int, encoded []byte) error) (err error) {
	give := func(db int, b []byte) {
		if err != nil || len(b) == 0 {
			return
		}
		if sn.failed.Load() {
			err = ErrAborted
		} else if err = emit(db, b); err != nil {
			sn.failed.Store(true)
		}
	}
	var buf []byte
	worked := time.Duration(0) // since the last rest
	for len(sn.keeps) > 0 {
		// Shards take turns, a database after the other: were one taken again and again, those who wait for its lock would
		// find it taken whenever they have woken up.
		db, left := sn.keeps[0].db, sn.keeps[:0]
		for _, k := range sn.keeps {
			if k.db != db {
				left = append(left, k)
				continue
			}
			k.sh.mu.Lock()
			start := sn.s.clk.Mono()
			last := k.step()
			buf, k.out = k.out, buf[:0]
			if last {
				k.ks.keep = nil
			}
			took := sn.s.clk.Mono() - start
			sn.took(took)
			k.sh.mu.Unlock()
			worked += took
			if !last {
				left = append(left, k)
			}
			give(k.db, buf)
			for _, c := range sn.filled() {
				give(c.db, c.bytes)
			}
			if cap(buf) > 16*stepBytes {
				buf = nil
			}
			if sn.Gentle && worked >= stint {
				worked = 0
				time.Sleep(stint / 2)
			}
			runtime.Gosched()
		}
		clear(sn.keeps[len(left):])
		sn.keeps = left
	}
	for _, c := range sn.filled() {
		give(c.db, c.bytes)
	}
	sn.keeps = nil
	sn.s.snapshot.Store(nil)
	if err == nil && sn.failed.Load() {
		err = ErrAborted
	}
	return err
}

// step saves the next keys, whose shard is locked, and reports whether they were the last.
func (k *keeper) step() (last bool) {
	var buf [64]table.Entry
	for n := 0; ; n++ {
		var entries []table.Entry
		entries, k.pos, last = k.ks.idx.From(k.pos, k.ks, buf[:0])
		for _, e := range entries {
			k.ks.blocks.Warm(arena.Ref(e.Ref))
		}
		for _, e := range entries {
			if b := k.ks.blocks.Bytes(arena.Ref(e.Ref)); b[4]&fMark != k.ks.mark {
				k.save(b)
			}
		}
		if last || len(k.out) >= stepBytes || n == stepBytes>>9 {
			return last
		}
	}
}

// save encodes the key in the block b and gives b the right mark.
func (k *keeper) save(b []byte) {
	b[4] ^= fMark
	sn := k.sn
	sn.done.Add(1)
	if sn.failed.Load() {
		return
	}
	l := layoutOf(b)
	e := entry{ks: k.ks, b: b, layout: l}
	m := Meta{Deadline: deadlineOf(b), Idle: -1, Freq: -1}
	if tx := &k.tx; tx.s.memory.lfu.Load() {
		m.Freq = int(tx.frequency(accessOf(b)))
	} else {
		m.Idle = tx.idle(accessOf(b))
	}
	k.tx.BeginCommand()
	k.tx.scratch = k.tx.scratch[:0]
	k.out = sn.encode(k.out, b[l.key:l.val:l.val], k.tx.valueOf(&e), m)
}

// preserve saves the key of e, which is about to change, if that is still to be done.
func (ks *keyspace) preserve(e *entry) {
	if ks.keep != nil && e.b[4]&fMark != ks.mark {
		ks.keep.preserve(e.b)
	}
}

func (k *keeper) preserve(b []byte) {
	start := k.sn.s.clk.Mono()
	k.save(b)
	if len(k.out) >= keepBytes {
		q := &k.sn.queue
		q.Lock()
		q.full = append(q.full, chunk{k.db, k.out})
		q.Unlock()
		k.out = nil
	}
	k.sn.took(k.sn.s.clk.Mono() - start)
}

// filled takes the chunks out of the queue.
func (sn *Snapshot) filled() []chunk {
	q := &sn.queue
	q.Lock()
	defer q.Unlock()
	full := q.full
	q.full = nil
	return full
}

func (sn *Snapshot) took(d time.Duration) {
	for {
		old := sn.longest.Load()
		if int64(d) <= old || sn.longest.CompareAndSwap(old, int64(d)) {
			return
		}
	}
}

// Snapshotting reports whether a snapshot is under way.
func (s *Store) Snapshotting() bool { return s.snapshot.Load() != nil }
