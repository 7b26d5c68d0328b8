// Package store owns the keyspace: databases of keys with their values and deadlines, spread over shards.
//
// # Contract
//
// All access goes through a Tx. A Tx locks the shards of the keys it is told beforehand (Lock*), in ascending order,
// sees and changes only these, and unlocks; so what is done under one Tx is atomic, and the whole store is strictly
// serializable. A Tx belongs to one goroutine. Time stands still between Begin and Unlock.
//
// Whoever runs commands holds a Gate around them, so that an exclusive operation can stop the world at a border
// between commands (gate.go).
//
// The package knows no wire protocol, no sockets and no command names.
//
// # Reading order
//
// block.go (one key in memory), keyspace.go (a database within a shard), tx.go (access), strings.go and the other
// value types, expiry.go, scan.go, watch.go and wait.go (who is told about changes), gate.go,
// memory.go (what counts against the limit), evict.go and sample.go (which keys go beyond it), access.go.
package store

import (
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/streampulse/pulse/internal/clock"
)

// Options configure a Store. The zero value of a field means its default.
type Options struct {
	Databases int         // number of databases, default 16
	Shards    int         // rounded up to a power of two, default 64
	Clock     clock.Clock // of deadlines; default clock.Real
	Wall      clock.Clock // what clients are told, see Tx.Wall; nil, which is usual, stands for Clock
	Seed      uint64      // of the random choices (RANDOMKEY and the like); 0 draws one
}

// Store is a set of databases. Its methods may be called concurrently.
type Store struct {
	shards []shard
	shift  uint8 // a hash >> shift is the index of its shard
	bits   uint8 // 64 - shift
	dbs    int
	seed   maphash.Seed
	clk    clock.Clock
	wall   clock.Clock // nil: clk
	limits atomic.Pointer[Limits]
	rngs   struct {
		sync.Mutex
		src *rand.Rand
	}
	gates     gates
	memory    memory
	evictor   evictor
	expirer   expirer
	frozen    atomic.Int64 // until when nothing goes by itself, in Unix milliseconds
	dirty     atomic.Int64 // changes of keys since it was made
	feed      feedPointer
	tracker   trackerPointer
	listening listening
	snapshot  atomic.Pointer[Snapshot] // the one under way
	onReady   atomic.Pointer[func(keys []Key)]

	expiredFields atomic.Int64
	payloads      atomic.Int64 // see CountPayload
}

// shard is a slice of the hash space of all databases. Everything in it is guarded by mu, except next and nextField.
type shard struct {
	mu  sync.Mutex
	dbs []database
	// next is the earliest deadline in the shard in Unix milliseconds, or noDeadline. It is written under mu and
	// read by the expirer without it.
	next atomic.Int64
	// nextField is next for fields of hashes.
	nextField atomic.Int64
	_         [64]byte // keeps neighbours' locks off this cache line
}

// database is the part of one numbered database in a shard. keys moves with SWAPDB; who waits for or watches a name
// in a numbered database stays.
type database struct {
	keys    *keyspace    // nil while empty
	count   atomic.Int64 // keys; written under mu of the shard, read without
	clients *interests   // nil until there are any
}

const maxShards = 1 << 10

// New returns an empty store.
func New(o Options) *Store {
	if o.Databases <= 0 {
		o.Databases = 16
	}
	if o.Shards <= 0 {
		o.Shards = 64
	}
	if o.Clock == nil {
		o.Clock = clock.Real
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	n := 1 << bits.Len(uint(min(o.Shards, maxShards)-1))
	b := uint8(bits.TrailingZeros(uint(n)))
	s := &Store{
		shards: make([]shard, n),
		bits:   b,
		shift:  64 - b,
		dbs:    o.Databases,
		seed:   maphash.MakeSeed(),
		clk:    o.Clock,
		wall:   o.Wall,
	}
	s.gates.door.moved.L = &s.gates.door
	s.rngs.src = rand.New(rand.NewPCG(o.Seed, 0))
	for i := range s.shards {
		s.shards[i].dbs = make([]database, o.Databases)
		s.shards[i].next.Store(noDeadline)
		s.shards[i].nextField.Store(noDeadline)
	}
	s.SetLimits(DefaultLimits())
	s.memory.init()
	s.expirer.init(s)
	s.evictor.init(s)
	return s
}

// Databases returns the number of databases.
func (s *Store) Databases() int { return s.dbs }

// Dirty returns the number of changes since the store was made.
func (s *Store) Dirty() int64 { return s.dirty.Load() }

func (s *Store) hash(key []byte) uint64 { return maphash.Bytes(s.seed, key) }

// shardIndex returns the shard of a hash; a shift by 64 (one shard) gives 0.
func (s *Store) shardIndex(h uint64) int { return int(h >> s.shift) }

func (s *Store) newRand() *rand.Rand {
	s.rngs.Lock()
	defer s.rngs.Unlock()
	return rand.New(rand.NewPCG(s.rngs.src.Uint64(), s.rngs.src.Uint64()))
}

// Limits are the sizes at which a value changes its representation. They mean what the parameters of the same name
// in redis.conf mean.
type Limits struct {
	HashMaxListpackEntries int
	HashMaxListpackValue   int // bytes
	SetMaxIntsetEntries    int
	SetMaxListpackEntries  int
	SetMaxListpackValue    int // bytes
	ZSetMaxListpackEntries int
	ZSetMaxListpackValue   int // bytes
	ListMaxListpackSize    int // elements if positive, else -1..-5: 4, 8, 16, 32, 64 KiB
	ListCompressDepth      int
	HLLSparseMaxBytes      int // with the header
	StreamNodeMaxBytes     int // 0 for no limit
	StreamNodeMaxEntries   int // 0 for no limit

	CompressTexts bool // where values are written out; the parameter rdbcompression
}

// DefaultLimits returns limits for a store that is used without a configuration.
func DefaultLimits() Limits {
	return Limits{
		HashMaxListpackEntries: 128, HashMaxListpackValue: 64,
		SetMaxIntsetEntries: 512, SetMaxListpackEntries: 128, SetMaxListpackValue: 64,
		ZSetMaxListpackEntries: 128, ZSetMaxListpackValue: 64,
		ListMaxListpackSize: -2, HLLSparseMaxBytes: 3000,
		StreamNodeMaxBytes: 4096, StreamNodeMaxEntries: 100,
		CompressTexts: true,
	}
}

// SetLimits replaces the limits; values change when they are written next.
func (s *Store) SetLimits(l Limits) { s.limits.Store(&l) }

// Limits returns the limits in force. The result must not be changed.
func (s *Store) Limits() *Limits { return s.limits.Load() }
