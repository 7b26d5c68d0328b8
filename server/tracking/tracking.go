// Package tracking is the table of client-side caching: which client may have which key in its cache, and who is told when a
// key changes.
//
// # Contract
//
// A Client that tracks by default is told of a change of each key that it has read (Remember), once; one that tracks by
// broadcast is told of all changes of keys that begin with one of its prefixes. What a client is told, it is told through
// its Sink, in an order that keeps a cache from being stale: Remember and Changed for one key are called under the lock of
// that key's shard, and a message is with the sink before Changed returns, so no reply with the old value can be made after
// the message. Messages of broadcasts are gathered until Broadcast; whoever has changed keys calls it before anybody is told
// that they have changed.
//
// The table is bounded by SetLimit: beyond it keys go, and who may have cached them is told as if they had changed. A client
// that has gone leaves its keys in the table until they change or go: forgetting it takes constant time.
//
// The methods of Table may be called concurrently. Those that take a Client are called by its owner, one at a time. A Sink is
// called with locks of the table held: it must not call back.
//
//	key    --> stripe --> holders: {client, ...}     default mode
//	prefix --> {client, ...}, keys changed since     broadcast
package tracking

import (
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// Sink is where the messages for a client go.
type Sink interface {
	// Invalidate takes a message. own tells that the client's own command, which is under way, has caused it.
	Invalidate(m *Message, own bool)
}

// Mode says what a client is told of.
type Mode struct {
	Broadcast bool
	NoLoop    bool     // not of what it changes itself
	Prefixes  []string // of Broadcast; none: all keys
}

// Client is somebody who tracks. The zero value of all but the first two fields is that of a client that does not yet.
type Client struct {
	ID   int64
	Sink Sink

	state    atomic.Uint32
	prefixes map[string]*prefix // the owner's
	size     int                // likewise, see Size
}

// prefixSize is what a prefix is counted with beside its bytes.
const prefixSize = 128

// Size is about what the prefixes of a client take, in bytes. Its owner calls it.
func (c *Client) Size() int { return c.size }

const (
	on uint32 = 1 << iota
	broadcast
	noLoop
)

const numStripes = 64

// Table is who tracks what.
type Table struct {
	seed    maphash.Seed
	limit   atomic.Int64
	keys    atomic.Int64 // in all stripes
	items   atomic.Int64 // clients of all keys
	stripes [numStripes]stripe

	switched func(active bool)
	clients  struct {
		sync.Mutex
		all map[*Client]struct{}
	}
	bcast broadcasts
}

type stripe struct {
	mu   sync.Mutex
	keys map[string]holders
	_    [64]byte
}

// holders is the clients of one key: one, or many.
type holders struct {
	one  *Client
	many map[*Client]struct{}
}

// add reports false if c was there.
func (h *holders) add(c *Client) bool {
	switch {
	case h.many != nil:
		if _, ok := h.many[c]; ok {
			return false
		}
		h.many[c] = struct{}{}
	case h.one == nil:
		h.one = c
	case h.one == c:
		return false
	default:
		h.many = map[*Client]struct{}{h.one: {}, c: {}}
		h.one = nil
	}
	return true
}

func (h *holders) len() int {
	if h.many != nil {
		return len(h.many)
	}
	return 1
}

// New returns an empty table. switched is called, one call at a time, with true when the first client begins to track and with
// false when the last one has ended: in between Changed must be called for every change.
func New(switched func(active bool)) *Table {
	t := &Table{seed: maphash.MakeSeed(), switched: switched}
	t.clients.all = make(map[*Client]struct{})
	t.bcast.init()
	return t
}

// SetLimit bounds the number of keys remembered; 0 sets no bound.
func (t *Table) SetLimit(n int64) {
	t.limit.Store(n)
	if n > 0 && t.keys.Load() > n {
		t.makeRoom(n)
	}
}

// Stats returns how many clients track, how many keys are remembered, for how many clients in all, and how many prefixes are
// broadcast.
func (t *Table) Stats() (clients int, keys, items int64, prefixes int) {
	t.clients.Lock()
	clients = len(t.clients.all)
	t.clients.Unlock()
	return clients, t.keys.Load(), t.items.Load(), t.bcast.count()
}

// Start makes c track, or track otherwise; prefixes are added to those it has.
func (t *Table) Start(c *Client, m Mode) {
	t.clients.Lock()
	defer t.clients.Unlock()
	if len(t.clients.all) == 0 {
		t.switched(true)
	}
	t.clients.all[c] = struct{}{}
	s := on
	if m.Broadcast {
		s |= broadcast
	}
	if m.NoLoop {
		s |= noLoop
	}
	c.state.Store(s)
	if m.Broadcast {
		if len(m.Prefixes) == 0 {
			m.Prefixes = []string{""}
		}
		t.bcast.join(c, m.Prefixes)
	}
}

// Stop makes c track no longer; it may Start again.
func (t *Table) Stop(c *Client) {
	t.clients.Lock()
	defer t.clients.Unlock()
	c.state.Store(0)
	t.bcast.leave(c)
	if _, ok := t.clients.all[c]; !ok {
		return
	}
	delete(t.clients.all, c)
	if len(t.clients.all) == 0 {
		t.switched(false)
		t.forgetAll()
	}
}

// Prefixes returns the prefixes of c, in no order.
func (t *Table) Prefixes(c *Client) []string {
	out := make([]string, 0, len(c.prefixes))
	for name := range c.prefixes {
		out = append(out, name)
	}
	return out
}

func (t *Table) forgetAll() {
	for i := range t.stripes {
		st := &t.stripes[i]
		st.mu.Lock()
		for _, h := range st.keys {
			t.keys.Add(-1)
			t.items.Add(-int64(h.len()))
		}
		st.keys = nil
		st.mu.Unlock()
	}
}

func (t *Table) stripe(key []byte) *stripe {
	return &t.stripes[maphash.Bytes(t.seed, key)%numStripes]
}

// Remember notes that c, which tracks without broadcast, has read key.
func (t *Table) Remember(c *Client, key []byte) {
	st := t.stripe(key)
	st.mu.Lock()
	h, known := st.keys[string(key)]
	if known && h.one == c {
		st.mu.Unlock()
		return
	}
	if h.add(c) {
		t.items.Add(1)
		if st.keys == nil {
			st.keys = make(map[string]holders)
		}
		st.keys[string(key)] = h
	}
	st.mu.Unlock()
	if known {
		return
	}
	n := t.keys.Add(1)
	if limit := t.limit.Load(); limit > 0 && n > limit {
		t.makeRoom(limit)
	}
}

// Changed tells those who may have key in their caches that it is not what it was. by is the client whose command has caused it,
// 0 if it was nobody's: the key expired, or was evicted.
func (t *Table) Changed(key []byte, by int64) {
	if t.bcast.any.Load() {
		t.bcast.changed(key, by)
	}
	st := t.stripe(key)
	st.mu.Lock()
	defer st.mu.Unlock()
	if h, ok := st.keys[string(key)]; ok {
		delete(st.keys, string(key))
		t.invalidate(h, key, by)
	}
}

// invalidate tells the holders of a key, which has left its stripe. The stripe is locked, so that what follows, for the same
// key, comes later.
func (t *Table) invalidate(h holders, key []byte, by int64) {
	t.keys.Add(-1)
	t.items.Add(-int64(h.len()))
	var m *Message
	tell := func(c *Client) {
		s := c.state.Load()
		own := by != 0 && c.ID == by
		if s&on == 0 || s&broadcast != 0 || own && s&noLoop != 0 {
			return
		}
		if m == nil {
			m = newMessage(string(key))
		}
		c.Sink.Invalidate(m, own)
	}
	if h.many == nil {
		tell(h.one)
		return
	}
	for c := range h.many {
		tell(c)
	}
}

// makeRoom lets keys go until there are no more than limit. Which ones is left to chance: the stripe is drawn, and the order in
// which a map is walked.
func (t *Table) makeRoom(limit int64) {
	start := rand.Uint64N(numStripes)
	for k := range uint64(numStripes) {
		st := &t.stripes[(start+k)%numStripes]
		st.mu.Lock()
		for key, h := range st.keys {
			if t.keys.Load() <= limit {
				break
			}
			delete(st.keys, key)
			t.invalidate(h, []byte(key), 0)
		}
		st.mu.Unlock()
		if t.keys.Load() <= limit {
			return
		}
	}
}

// Flushed tells all clients that nothing in their caches is left, because of a command of the client by.
func (t *Table) Flushed(by int64) {
	t.forgetAll()
	t.clients.Lock()
	defer t.clients.Unlock()
	for c := range t.clients.all {
		c.Sink.Invalidate(nothingLeft, by != 0 && c.ID == by)
	}
}
