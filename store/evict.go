package store

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/store/arena"
)

// Policy says which keys go when memory is short. The order is that of maxmemory-policy's names in its error text.
type Policy uint8

const (
	VolatileLRU Policy = iota
	VolatileLFU
	VolatileRandom
	VolatileTTL
	AllKeysLRU
	AllKeysLFU
	AllKeysRandom
	NoEviction
)

// frequency reports whether the policy goes by how often keys are used.
func (p Policy) frequency() bool { return p == VolatileLFU || p == AllKeysLFU }

// volatile reports whether only keys with a deadline may go.
func (p Policy) volatile() bool { return p <= VolatileTTL }

// Eviction says how much memory the store may use, and what happens beyond that. The zero value sets no limit.
type Eviction struct {
	Limit    int64 // bytes, as UsedMemory counts them; 0 for none
	Policy   Policy
	Samples  int // keys looked at per eviction, shard and database
	Tenacity int // 0..100: how long one command may be kept waiting for evictions
	// LFUFactor and LFUDecay (minutes) shape the counter of accesses, see access.go.
	LFUFactor, LFUDecay int64
}

// DefaultEviction is that of a store without a configuration: no limit.
func DefaultEviction() Eviction {
	return Eviction{Policy: NoEviction, Samples: 5, Tenacity: 10, LFUFactor: 10, LFUDecay: 1}
}

// budget is how long one command may evict.
func (o *Eviction) budget() time.Duration {
	const base = 500 * time.Microsecond
	switch t := o.Tenacity; {
	case t <= 10:
		return 50 * time.Microsecond * time.Duration(max(t, 0))
	case t < 100:
		return time.Duration(float64(base) * math.Pow(1.15, float64(t-10)))
	}
	return math.MaxInt64
}

// evictor is what all who evict share. A key is evicted under the lock of its shard alone: candidates are collected in
// one shard after the other, and the best of them goes, wherever it is. They are remembered by the hash of their name, in
// a pool that belongs to the Tx, so those who evict at the same time do not wait for each other.
type evictor struct {
	s       *Store
	opts    atomic.Pointer[Eviction]
	round   atomic.Uint32 // changes with the policy: pools of another round are empty
	evicted atomic.Int64
	hook    atomic.Pointer[func(db int, key []byte)]

	// since is the monotonic time at which the limit was found exceeded, 0 while it is not; total is what all such
	// times before add up to.
	since, total atomic.Int64

	background struct {
		sync.Mutex
		running, closed bool
		done            sync.WaitGroup
		gate            *Gate
		tx              *Tx
	}
}

func (v *evictor) init(s *Store) {
	v.s = s
	v.background.gate, v.background.tx = s.NewGate(), s.NewTx()
	s.SetEviction(DefaultEviction())
}

// SetEviction replaces limit and policy. Beyond a lower limit, keys begin to go at once, in the background.
func (s *Store) SetEviction(o Eviction) {
	v, m := &s.evictor, &s.memory
	if old := v.opts.Swap(&o); old == nil || old.Policy != o.Policy {
		v.round.Add(1)
	}
	m.lfu.Store(o.Policy.frequency())
	m.lfuFactor.Store(o.LFUFactor)
	m.lfuDecay.Store(o.LFUDecay)
	m.limit.Store(o.Limit)
	if o.Limit > 0 {
		m.grain.Store(min(maxGrain, o.Limit>>16))
		s.flushAccounts()
	} else {
		m.grain.Store(maxGrain)
	}
	if s.Crowded() && o.Policy != NoEviction {
		v.start()
	}
}

// Eviction returns what SetEviction has set.
func (s *Store) Eviction() Eviction { return *s.evictor.opts.Load() }

// OnEvicted has f called for every key that is evicted, while its shard is locked: f must not use the store. Call it
// before the store is used by others.
func (s *Store) OnEvicted(f func(db int, key []byte)) { s.evictor.hook.Store(&f) }

// Crowded reports whether the store uses more memory than it may: a few loads of atomic numbers. Who finds that it does
// not any more ends the time for which the limit was exceeded.
func (s *Store) Crowded() bool {
	limit := s.memory.limit.Load()
	if limit > 0 && s.UsedMemory() > limit {
		return true
	}
	if s.evictor.since.Load() != 0 {
		s.evictor.mark(false)
	}
	return false
}

// Evicted returns how many keys have been evicted.
func (s *Store) Evicted() int64 { return s.evictor.evicted.Load() }

// ResetStats sets to zero the numbers of evicted and of actively expired keys and fields, of payloads, and the times of
// expiry and for which the limit was exceeded.
func (s *Store) ResetStats() {
	s.evictor.evicted.Store(0)
	s.evictor.since.Store(0)
	s.evictor.total.Store(0)
	s.expirer.expired.Store(0)
	s.expirer.spent.Store(0)
	s.expiredFields.Store(0)
	s.payloads.Store(0)
}

// Exceeded returns for how long the limit has been exceeded: now, and in all.
func (s *Store) Exceeded() (now, total time.Duration) {
	v := &s.evictor
	if since := v.since.Load(); since != 0 {
		now = s.clk.Mono() - time.Duration(since)
	}
	return now, time.Duration(v.total.Load()) + now
}

// mark notes whether the limit is exceeded.
func (v *evictor) mark(exceeded bool) {
	since := v.since.Load()
	switch {
	case exceeded && since == 0:
		v.since.CompareAndSwap(0, int64(v.s.clk.Mono()))
	case !exceeded && since != 0:
		if v.since.CompareAndSwap(since, 0) {
			v.total.Add(int64(v.s.clk.Mono()) - since)
		}
	}
}

// MakeRoom evicts keys until the store uses no more memory than it may. tx must not hold locks; Begin follows. It
// reports false if too much memory is used and nothing can be evicted. If it takes longer than the tenacity
// allows, the rest goes on in the background, and it reports true.
//
// Those who wait for keys that went are in Ready, as after a command.
func (tx *Tx) MakeRoom() bool {
	v := &tx.s.evictor
	tx.Begin(0)
	if !tx.s.Crowded() {
		return true
	}
	o := v.opts.Load()
	if o.Policy == NoEviction {
		v.mark(true)
		return false
	}
	r := tx.makeRoom(o, o.budget())
	v.mark(r != roomEnough)
	if r == roomLater {
		v.start()
	}
	return r != roomNone
}

// room is how an attempt at making room ended.
type room uint8

const (
	roomEnough room = iota
	roomLater       // the time was over
	roomNone        // nothing can be evicted
)

// evictionsPerLook is how many keys go between two looks at the clock.
const evictionsPerLook = 8

func (tx *Tx) makeRoom(o *Eviction, budget time.Duration) room {
	clk := tx.s.clk
	start := clk.Mono()
	for n := 1; tx.s.Crowded(); n++ {
		if !tx.evictOne(o) {
			return roomNone
		}
		if n%evictionsPerLook == 0 && clk.Mono()-start > budget {
			return roomLater
		}
	}
	return roomEnough
}

// start sees to it that keys are evicted in the background.
func (v *evictor) start() {
	b := &v.background
	b.Lock()
	defer b.Unlock()
	if b.running || b.closed {
		return
	}
	b.running = true
	b.done.Add(1)
	go v.run()
}

// backgroundSlice is how long the background evicts before it lets exclusive operations in.
const backgroundSlice = time.Millisecond

func (v *evictor) run() {
	b := &v.background
	defer b.done.Done()
	for {
		b.gate.Enter()
		o := v.opts.Load()
		r := roomEnough
		b.tx.Begin(0)
		if o.Policy != NoEviction && !v.s.Frozen() {
			r = b.tx.makeRoom(o, backgroundSlice)
		}
		b.gate.Leave()
		v.s.settleTracker()
		v.s.serve(b.tx.ready)
		v.mark(r != roomEnough)
		b.Lock()
		if r != roomLater || b.closed {
			b.running = false
			b.Unlock()
			return
		}
		b.Unlock()
	}
}

// close ends evictions in the background.
func (v *evictor) close() {
	b := &v.background
	b.Lock()
	b.closed = true
	b.Unlock()
	b.done.Wait()
}

// evictOne evicts one key; it reports false if no shard has one that may go.
func (tx *Tx) evictOne(o *Eviction) bool {
	switch o.Policy {
	case VolatileTTL:
		return tx.evictNext()
	case AllKeysRandom, VolatileRandom:
		return tx.evictRandom(o)
	}
	p := &tx.pool
	if r := tx.s.evictor.round.Load(); p.round != r {
		*p = pool{round: r}
	}
	if !tx.collect(o, p) && p.n == 0 {
		return false
	}
	for p.n > 0 {
		if tx.evictBest(o, p) {
			return true
		}
	}
	// All candidates had gone or been used meanwhile: the next round finds others.
	return true
}

// tryShards calls f for shards, locked one at a time, from a random one on, until f returns true; it reports whether one
// did. Shards without anything that may go are left out.
func (tx *Tx) tryShards(o *Eviction, f func(sh *shard) bool) bool {
	s := tx.s
	start := tx.rand.IntN(len(s.shards))
	for k := range s.shards {
		i := (start + k) & (len(s.shards) - 1)
		sh := &s.shards[i]
		if o.Policy.volatile() && sh.next.Load() == noDeadline {
			continue
		}
		tx.hold(i)
		ok := f(sh)
		if !ok && o.Policy.volatile() {
			sh.next.Store(sh.earliest())
		}
		tx.release()
		if ok {
			return true
		}
	}
	return false
}

// hold locks one shard by its index, release unlocks it.
func (tx *Tx) hold(i int) {
	tx.held = append(tx.held[:0], i)
	tx.s.shards[i].mu.Lock()
}

func (tx *Tx) release() {
	tx.unit.Loose = true
	tx.handOver()
	tx.s.shards[tx.held[0]].mu.Unlock()
	tx.held = tx.held[:0]
}

// collect offers keys of one shard, drawn at random, to the pool; it reports false if no shard has any.
func (tx *Tx) collect(o *Eviction, p *pool) bool {
	return tx.tryShards(o, func(sh *shard) bool {
		found := false
		for n := range sh.dbs {
			ks := sh.dbs[n].keys
			refs := tx.draw(ks, o.Policy, o.Samples)
			for _, ref := range refs {
				ks.blocks.Warm(arena.Ref(ref))
			}
			for _, ref := range refs {
				found = true
				b := ks.blocks.Bytes(arena.Ref(ref))
				if score := tx.score(o.Policy, b); p.wants(score) {
					p.offer(candidate{score: score, db: n, hash: tx.s.hash(keyOf(b))})
				}
			}
		}
		return found
	})
}

// score says how gladly a key is let go.
func (tx *Tx) score(p Policy, b []byte) uint32 {
	if p.frequency() {
		return lfuMax - tx.frequency(accessOf(b))
	}
	return uint32(tx.idle(accessOf(b)))
}

// evictBest takes the best candidate out of the pool and evicts it; it reports false if its key has gone or been used
// meanwhile.
func (tx *Tx) evictBest(o *Eviction, p *pool) bool {
	c := p.take()
	i := tx.s.shardIndex(c.hash)
	tx.hold(i)
	defer tx.release()
	db := &tx.s.shards[i].dbs[c.db]
	if db.keys == nil {
		return false
	}
	e := db.keys.named(c.hash)
	if e.b == nil || o.Policy.volatile() && e.flags&fDeadline == 0 || tx.score(o.Policy, e.b) < c.score {
		return false
	}
	tx.evict(c.db, &e)
	return true
}

// evictRandom evicts any key that may go.
func (tx *Tx) evictRandom(o *Eviction) bool {
	return tx.tryShards(o, func(sh *shard) bool {
		start := tx.rand.IntN(len(sh.dbs))
		for k := range sh.dbs {
			n := (start + k) % len(sh.dbs)
			ks := sh.dbs[n].keys
			if refs := tx.draw(ks, o.Policy, 1); len(refs) > 0 {
				e := ks.named(tx.s.hash(keyOf(ks.blocks.Bytes(arena.Ref(refs[0])))))
				tx.evict(n, &e)
				return true
			}
		}
		return false
	})
}

// evictNext evicts the key with the earliest deadline of all.
func (tx *Tx) evictNext() bool {
	s := tx.s
	for {
		at, best := int64(noDeadline), -1
		for i := range s.shards {
			if next := s.shards[i].next.Load(); next < at {
				at, best = next, i
			}
		}
		if best < 0 {
			return false
		}
		if tx.evictNextOf(best, at) {
			return true
		}
	}
}

// evictNextOf evicts the key of shard i whose deadline is at. If there is none it notes what the earliest is.
func (tx *Tx) evictNextOf(i int, at int64) bool {
	tx.hold(i)
	defer tx.release()
	sh := &tx.s.shards[i]
	for n := range sh.dbs {
		ks := sh.dbs[n].keys
		if ks.volatile() == 0 {
			continue
		}
		d, _ := ks.deadlines.Min()
		if d.at > at {
			continue
		}
		if e := ks.named(d.hash); e.b != nil && deadlineOf(e.b) == d.at {
			tx.evict(n, &e)
		} else {
			ks.deadlines.DeleteMin()
		}
		return true
	}
	sh.next.Store(sh.earliest())
	return false
}

// evict deletes the key of e in database n, whose shard is locked.
func (tx *Tx) evict(n int, e *entry) {
	v := &tx.s.evictor
	db := &tx.s.shards[tx.s.shardIndex(e.h)].dbs[n]
	tx.db = n
	if f := v.hook.Load(); f != nil {
		(*f)(n, keyOf(e.b))
	}
	name := db.nameFor(e)
	tx.feedDeletion(keyOf(e.b))
	tx.Tell(OnEvicted, "evicted", keyOf(e.b))
	tx.invalidate(keyOf(e.b))
	tx.drop(e)
	tx.notify(db, name)
	v.evicted.Add(1)
}
