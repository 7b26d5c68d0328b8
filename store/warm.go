package store

import (
	"github.com/streampulse/pulse/internal/prefetch"
	"github.com/streampulse/pulse/store/arena"
)

// Whoever has several commands before them can have the memory of their keys fetched while they still look at the
// commands: a random access to a large keyspace waits for three cache lines in turn (fingerprints, reference, block), and
// waiting for those of sixteen commands at once takes little longer than for one.

// CanWarm tells whether Warm does anything.
const CanWarm = prefetch.Enabled

// Hint is a key that will be looked up soon.
type Hint struct {
	keys *keyspace
	h    uint64
}

// Warm begins to fetch what a look-up of key in database db will need first. It needs no lock and may be out of date:
// it changes nothing but the time that the look-up takes.
func (s *Store) Warm(db int, key []byte) Hint {
	if !CanWarm {
		return Hint{} // the race detector is right about what follows
	}
	h := s.hash(key)
	ks := s.shards[s.shardIndex(h)].dbs[db].keys
	if ks != nil {
		ks.idx.Warm(h << s.bits)
	}
	return Hint{ks, h}
}

// Warm goes on where Store.Warm left off, once that has had some time.
func (t Hint) Warm() {
	if t.keys == nil {
		return
	}
	if ref := t.keys.idx.Peek(t.h << t.keys.s.bits); ref != 0 {
		t.keys.blocks.Warm(arena.Ref(ref))
	}
}

// minReserve is the least number of keys in a shard that Reserve makes room for.
const minReserve = 256

// Reserve tells that about n keys will be added to database db. Where there are none yet, their index is laid out at once
// instead of growing with them, which would hash each of them again now and then.
func (s *Store) Reserve(db, n int) {
	each := n / len(s.shards)
	if each < minReserve {
		return
	}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		d := &sh.dbs[db]
		if d.keys == nil {
			d.keys = s.newKeyspace(i)
			d.keys.count = &d.count
		}
		d.keys.idx.Reserve(each)
		d.keys.account()
		sh.mu.Unlock()
	}
}
