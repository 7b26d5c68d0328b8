package store

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/btree"

	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/store/arena"
)

// moveDeadline makes at the deadline of the key of e in the keyspace's index; the block is the caller's business.
func (ks *keyspace) moveDeadline(e *entry, at int64) {
	old := e.deadline()
	if old == at {
		return
	}
	if old != noDeadline {
		ks.deadlines.Delete(deadline{old, e.h})
		ks.sum -= float64(old)
	}
	if at == noDeadline {
		return
	}
	if ks.deadlines == nil {
		ks.deadlines = btree.NewG(32, deadline.less)
	}
	ks.deadlines.ReplaceOrInsert(deadline{at, e.h})
	ks.sum += float64(at)
	if at < ks.shard.next.Load() {
		ks.shard.next.Store(at)
		ks.s.expirer.wake(at)
	}
}

// earliest returns the earliest deadline in the shard, which is locked.
func (sh *shard) earliest() int64 {
	next := int64(noDeadline)
	for n := range sh.dbs {
		if ks := sh.dbs[n].keys; ks.volatile() > 0 {
			d, _ := ks.deadlines.Min()
			next = min(next, d.at)
		}
	}
	return next
}

func (ks *keyspace) volatile() int {
	if ks == nil || ks.deadlines == nil {
		return 0
	}
	return ks.deadlines.Len()
}

// Deadline returns the deadline of key in Unix milliseconds, or Forever; ok is false if there is no such key. It counts
// as a read, and the access time stays.
func (tx *Tx) Deadline(key []byte) (at int64, ok bool) {
	e := tx.look(key)
	return e.deadline(), e.b != nil
}

// DeadlineToChange is Deadline for a command that is about to write: neither hit nor miss.
func (tx *Tx) DeadlineToChange(key []byte) (at int64, ok bool) {
	e := tx.find(key)
	return e.deadline(), e.b != nil
}

// SetDeadline makes at the deadline of key (Unix milliseconds, or Forever) and calls Modified. It reports false, and
// does nothing, if there is no such key. A deadline that has passed deletes the key.
func (tx *Tx) SetDeadline(key []byte, at int64) bool {
	e := tx.find(key)
	if e.b == nil {
		return false
	}
	switch old := e.deadline(); {
	case tx.Past(at):
		tx.drop(&e)
	case at == old:
	case old != noDeadline && at != noDeadline:
		e.ks.preserve(&e)
		e.ks.moveDeadline(&e, at)
		setDeadlineOf(e.b, at)
	default:
		e.ks.relayout(&e, at, tx.used(&e))
	}
	tx.Modified(key, 1)
	return true
}

// Persist takes the deadline of key away and calls Modified. It reports false, and does nothing, if there is none.
func (tx *Tx) Persist(key []byte) bool {
	e := tx.find(key)
	if e.b == nil || e.deadline() == noDeadline {
		return false
	}
	e.ks.relayout(&e, noDeadline, tx.used(&e))
	tx.Modified(key, 1)
	return true
}

// relayout gives the block of e a deadline or takes it away.
func (ks *keyspace) relayout(e *entry, at int64, access uint32) {
	old := *e
	ks.moveDeadline(e, at)
	key, val := keyOf(old.b), old.value()
	sh := shape{flags: old.flags & valueMask, key: key, vlen: len(val), deadline: at}
	copy(ks.place(e, &sh, max(sh.need(sh.isLarge(0)), min(old.size, sh.need(true)+1<<20)), access), val)
	ks.tidy()
}

// expirer deletes keys and fields at their deadlines. It sleeps until the earliest of all shards, then takes what is due
// in slices, from the shard where the earliest is; nothing is sampled. Its cost is proportional to what expires.
//
// While keys are due their memory is only marked dead. Moving what lives on away from it would cost more than the
// deletions, and in vain where the neighbours are due soon; chunks without a live block go at once in any case. The
// rest is tidied when nothing is due.
type expirer struct {
	s      *Store
	gate   *Gate
	tx     *Tx
	untidy []bool // by shard: dead memory is to be looked at; of the goroutine that sweeps
	batch  [16]deadline
	ready  []Key // with waiters; of the goroutine that sweeps

	off     atomic.Bool
	expired atomic.Int64
	spent   atomic.Int64 // nanoseconds of work
	// due is the time the timer is set to, in Unix milliseconds; noDeadline while none is.
	due atomic.Int64
	mu  struct {
		sync.Mutex
		timer   clock.Timer
		closed  bool
		running bool
	}
}

// slice is how many keys, and how many fields of hashes, are deleted under one lock.
const slice = 128

func (x *expirer) init(s *Store) {
	x.s = s
	x.gate = s.NewGate()
	x.tx = s.NewTx()
	x.untidy = make([]bool, len(s.shards))
	x.due.Store(noDeadline)
}

// wake sees to it that the expirer runs at the given time or earlier.
func (x *expirer) wake(at int64) {
	if at >= x.due.Load() {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.setTimer(at)
}

// setTimer arms the timer for at if that is earlier than what it is set to. mu is held.
func (x *expirer) setTimer(at int64) {
	if at >= x.due.Load() || x.mu.closed || x.off.Load() {
		return
	}
	x.due.Store(at)
	if x.mu.running {
		return // run arms it when it is done
	}
	if x.mu.timer != nil {
		x.mu.timer.Stop()
	}
	// A far deadline is reached in steps where the clock may be set forward.
	x.mu.timer = x.s.clk.AfterFunc(clock.Wait(x.s.clk, at-x.s.clk.NowMs()), x.run)
}

func (x *expirer) run() {
	x.mu.Lock()
	if x.mu.running || x.mu.closed {
		x.mu.Unlock()
		return
	}
	x.mu.running = true
	x.due.Store(noDeadline)
	x.mu.Unlock()
	next := int64(noDeadline)
	began := x.s.clk.Mono()
	for !x.off.Load() {
		next = x.sweep()
		if !x.tidy() {
			break
		}
	}
	x.spent.Add(int64(x.s.clk.Mono() - began))
	x.mu.Lock()
	defer x.mu.Unlock()
	x.mu.running = false
	next = min(next, x.due.Load())
	x.due.Store(noDeadline)
	x.setTimer(next)
}

// sweep deletes all that is due and returns the earliest deadline left.
func (x *expirer) sweep() int64 {
	for {
		next, first := int64(noDeadline), 0
		for i := range x.s.shards {
			sh := &x.s.shards[i]
			if at := min(sh.next.Load(), sh.nextField.Load()); at < next {
				next, first = at, i
			}
		}
		if next == noDeadline || next > x.s.clk.NowMs() || x.off.Load() {
			return next
		}
		if x.s.Frozen() {
			return x.s.frozen.Load()
		}
		x.sweepShard(first)
	}
}

// tidyBudget is how many bytes are moved under one lock while nothing is due.
const tidyBudget = 8 << 10

// tidy moves some live blocks away from dead ones in a shard where keys have expired; it reports false if there is none.
func (x *expirer) tidy() bool {
	i := slices.Index(x.untidy, true)
	if i < 0 {
		return false
	}
	sh := &x.s.shards[i]
	x.gate.Enter()
	sh.mu.Lock()
	did := false
	for n := range sh.dbs {
		if ks := sh.dbs[n].keys; ks != nil && ks.blocks.Compact(ks, tidyBudget) {
			did = true
		}
	}
	sh.mu.Unlock()
	x.gate.Leave()
	x.untidy[i] = did
	return true
}

// sweepShard deletes at most slice due keys and slice due fields of each database of one shard, and has those served who
// waited for them.
func (x *expirer) sweepShard(i int) {
	x.sweepLocked(i)
	x.s.settleTracker()
	if len(x.ready) > 0 {
		x.s.serve(x.ready)
		x.ready = x.ready[:0]
	}
}

func (x *expirer) sweepLocked(i int) {
	sh := &x.s.shards[i]
	x.gate.Enter()
	defer x.gate.Leave()
	if x.s.Frozen() {
		return
	}
	tx := x.tx
	tx.held = append(tx.held[:0], i)
	sh.mu.Lock()
	for n := range sh.dbs {
		db := &sh.dbs[n]
		if db.keys.volatile() == 0 && db.keys.listed() == 0 {
			continue
		}
		tx.Begin(n)
		tx.sweepFields(db)
		for done := 0; done < slice; {
			batch := db.keys.dueBatch(tx.now, x.batch[:0])
			if len(batch) == 0 {
				break
			}
			for _, d := range batch {
				tx.expireDue(db, d)
			}
			done += len(batch)
		}
		if db.keys.blocks.Wasteful() {
			x.untidy[i] = true
		}
		tx.unit.Loose = true
		tx.handOver()
		x.ready = append(x.ready, tx.ready...)
	}
	sh.next.Store(sh.earliest())
	sh.nextField.Store(sh.earliestField())
	sh.mu.Unlock()
	x.expired.Add(tx.Expired)
	tx.Expired = 0
}

// dueBatch appends the next deadlines that have passed at now to buf, up to its capacity, and begins to fetch the memory
// of their keys: it is all over the place, and deleting a key takes little time beside waiting for it.
func (ks *keyspace) dueBatch(now int64, buf []deadline) []deadline {
	if ks.volatile() == 0 {
		return nil
	}
	ks.deadlines.Ascend(func(d deadline) bool {
		if d.at > now {
			return false
		}
		buf = append(buf, d)
		return len(buf) < cap(buf)
	})
	if len(buf) > 1 {
		for _, d := range buf {
			ks.idx.Warm(d.hash << ks.s.bits)
		}
		for _, d := range buf {
			if ref := ks.idx.Peek(d.hash << ks.s.bits); ref != 0 {
				ks.blocks.Warm(arena.Ref(ref))
			}
		}
	}
	return buf
}

// expireDue deletes the key that d, the earliest deadline of db, stands for.
func (tx *Tx) expireDue(db *database, d deadline) {
	ks := db.keys
	e := ks.due(d)
	ks.deadlines.DeleteMin()
	ks.sum -= float64(d.at)
	if e.b == nil {
		return
	}
	tx.Expired++
	name := db.nameFor(&e)
	tx.feedDeletion(keyOf(e.b))
	tx.Tell(OnExpired, "expired", keyOf(e.b))
	tx.invalidate(keyOf(e.b))
	ks.dropObject(&e)
	tx.forget(e.kind(), keyOf(e.b))
	ks.remove(&e)
	ks.account()
	tx.notify(db, name)
}

// due finds the key that d stands for.
func (ks *keyspace) due(d deadline) (e entry) {
	e.ks, e.h = ks, d.hash
	e.cur = ks.idx.Seek(d.hash << ks.s.bits)
	for {
		ref, ok := e.cur.Next()
		if !ok {
			return
		}
		b := ks.blocks.Bytes(arena.Ref(ref))
		if deadlineOf(b) == d.at && ks.s.hash(keyOf(b)) == d.hash {
			e.ref, e.b, e.layout = arena.Ref(ref), b, layoutOf(b)
			return
		}
	}
}

// ExpiredActively returns how many keys the expirer has deleted.
func (s *Store) ExpiredActively() int64 { return s.expirer.expired.Load() }

// SetActiveExpire turns the deletion of keys at their deadlines on or off; off, they go when they are touched.
func (s *Store) SetActiveExpire(on bool) {
	x := &s.expirer
	x.off.Store(!on)
	if on {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.setTimer(s.clk.NowMs())
	}
}

// Close stops the expirer and waits for it. The store may still be used.
func (s *Store) Close() {
	x := &s.expirer
	x.off.Store(true)
	x.mu.Lock()
	x.mu.closed = true
	if x.mu.timer != nil {
		x.mu.timer.Stop()
	}
	x.mu.Unlock()
	x.gate.mu.Lock() // run is not between Enter and Leave any more, and finds closed
	x.gate.mu.Unlock()
	s.evictor.close()
}

// averageTTL returns the mean time to live at now of n keys whose deadlines add up to sum, in milliseconds.
func averageTTL(sum float64, n int, now int64) int64 {
	if n == 0 {
		return 0
	}
	return int64(math.Max(0, sum/float64(n)-float64(now)))
}
