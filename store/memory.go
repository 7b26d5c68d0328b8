package store

import "sync/atomic"

// Memory is counted where it changes. Each keyspace knows what it holds (bytes) and tells the store what changed since
// it told last (account); the sum is one atomic number, which whoever runs commands compares with the limit.
//
// What counts is what is live: blocks, objects, the index, the deadlines. Dead blocks of the log, the free space of its
// newest chunk and garbage that the collector has not seen are the allocator's share, as fragmentation is in Redis, and
// are bounded by shares of what is live (package arena; server/collector.go). Counting chunks instead would make the
// sum jump by 64 KiB, and an eviction would free nothing until the log is cleaned.
type memory struct {
	used  atomic.Int64 // bytes of all keyspaces; apart from their unaccounted rests
	other atomic.Int64 // bytes beside the keyspaces, as the user of the store says
	limit atomic.Int64 // maxmemory; 0 for none
	grain atomic.Int64 // bytes of change that a keyspace may keep to itself

	lfu                 atomic.Bool // frequency is recorded, not recency
	lfuFactor, lfuDecay atomic.Int64
}

const (
	// maxGrain spares the common number when nobody compares it with anything.
	maxGrain = 1 << 10
	// deadlineBytes is what a deadline takes in the tree: 16 bytes in a node that is two thirds full, with its share
	// of the inner nodes.
	deadlineBytes = 28
	// objectBytes is what an object takes in the slab.
	objectBytes = 24
)

func (m *memory) init() {
	m.grain.Store(maxGrain)
	m.lfuFactor.Store(10)
	m.lfuDecay.Store(1)
}

// bytes is what the keyspace holds.
func (ks *keyspace) bytes() int64 {
	return int64(ks.blocks.Live()) + int64(ks.idx.Bytes()) + int64(ks.objects.bytes) + deadlineBytes*int64(ks.volatile()+ks.listed())
}

// account tells the store what has changed. It is called after every change of blocks or objects.
func (ks *keyspace) account() {
	m := &ks.s.memory
	n := ks.bytes()
	if d, g := n-ks.charged, m.grain.Load(); d > g || d < -g {
		ks.charged = n
		m.used.Add(d)
	}
	if n := int64(ks.idx.Len()); ks.count.Load() != n {
		ks.count.Store(n)
	}
}

// flushAccounts lets every keyspace tell what it has kept to itself.
func (s *Store) flushAccounts() {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for n := range sh.dbs {
			if ks := sh.dbs[n].keys; ks != nil {
				ks.account()
			}
		}
		sh.mu.Unlock()
	}
}

// discharge takes the keyspace out of the sum: it is being dropped as a whole.
func (ks *keyspace) discharge() {
	ks.s.memory.used.Add(-ks.charged)
	ks.charged = 0
	ks.abandon()
}

// UsedMemory returns the bytes held by keys and values and what is said to be held beside them (AddOtherMemory). It is
// exact up to about a KiB per shard and database, and needs no lock.
func (s *Store) UsedMemory() int64 { return s.memory.used.Load() + s.memory.other.Load() }

// OtherMemory is what counts as used beside keys and values, in bytes.
func (s *Store) OtherMemory() int64 { return s.memory.other.Load() }

// AddOtherMemory changes by n how many bytes beside keys and values count as used.
func (s *Store) AddOtherMemory(n int64) { s.memory.other.Add(n) }

// MemoryUse is what the databases hold, in bytes.
type MemoryUse struct {
	Blocks    int64 // live blocks: keys, strings and packed values
	Space     int64 // of the logs that the blocks are in, dead blocks and room included
	Objects   int64 // values that are not in blocks
	Index     int64
	Deadlines int64
	Keys      int64
}

// Used is what counts against the limit.
func (u *MemoryUse) Used() int64 { return u.Blocks + u.Objects + u.Index + u.Deadlines }

// MemoryUse adds up database db; all shards are locked.
func (tx *Tx) MemoryUse(db int) (u MemoryUse) {
	for i := range tx.s.shards {
		ks := tx.s.shards[i].dbs[db].keys
		if ks == nil {
			continue
		}
		u.Blocks += int64(ks.blocks.Live())
		u.Space += int64(ks.blocks.Space())
		u.Objects += int64(ks.objects.bytes)
		u.Index += int64(ks.idx.Bytes())
		u.Deadlines += deadlineBytes * int64(ks.volatile()+ks.listed())
		u.Keys += int64(ks.idx.Len())
	}
	return u
}
