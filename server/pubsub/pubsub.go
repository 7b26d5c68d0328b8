// Package pubsub is the registry of subscriptions: who listens to which channel, pattern or shard channel, and how a
// message gets there.
//
// # Contract
//
// A subscriber is a Client, bound for its life to one Loop. A publication is encoded once for each channel or pattern it
// matches and posted once to each loop with listeners there, not once per listener; on the loop it is handed to them one
// by one. So
//
//   - a listener gets what one publisher sends in the order it was sent, also over several channels;
//   - all listeners of a channel get its messages in the same order, apart from those that they publish themselves;
//   - a listener gets nothing published before Subscribe returned, and nothing handed out after Unsubscribe returned.
//
// The methods of Registry may be called concurrently. Those that take a Client are called by the owner of the client
// only, one at a time. Locks are held while messages are posted, so Loop.Post must not wait for anything that
// publishes or subscribes.
//
//	kind, channel --> topic --> loop 1: [listener, listener, ...]
//	                            loop 2: [listener, ...]
//	pattern       --> topic ...
package pubsub

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/streampulse/pulse/internal/glob"
)

// Loop runs functions one after the other, in the order they are posted.
type Loop interface{ Post(func()) }

// Subscriber is what receives messages.
type Subscriber interface {
	// Push is called on the subscriber's loop, in order. It must not call the Registry.
	Push(m *Message)
	// PushOwn is called instead of Push, by Publish itself, if the subscriber is the publisher.
	PushOwn(m *Message)
}

// Kind tells the kinds of subscription apart.
type Kind uint8

const (
	Channel Kind = iota
	Pattern
	Shard

	numKinds
)

// Client is a subscriber with its subscriptions.
type Client struct {
	sub  Subscriber
	loop Loop
	on   [numKinds]map[string]*listener // owned by whoever owns the client
	size int                            // likewise, see Size
}

// NewClient makes a client without subscriptions that gets its messages on loop.
func NewClient(s Subscriber, loop Loop) *Client { return &Client{sub: s, loop: loop} }

// listenerSize is what a subscription is counted with beside its name, in bytes.
const listenerSize = 128

// Size is about what the subscriptions of a client take, in bytes. Its owner calls it.
func (c *Client) Size() int { return c.size }

// listener is one subscription of one client.
type listener struct {
	client *Client
	topic  *topic
	gone   atomic.Bool // unsubscribed: nothing is handed to it any more
}

// topic is a channel or a pattern with at least one listener. Everything in it is guarded by the lock of its space.
type topic struct {
	name  string
	live  int // listeners not gone
	loops map[Loop]*group
}

// group is the listeners of a topic on one loop. The slice is shared with publications under way: it is appended to,
// or replaced, but no element within its length changes.
type group struct {
	listeners []*listener
	gone      int // of listeners
}

// space is a part of the topics of one kind.
type space struct {
	mu     sync.Mutex
	topics map[string]*topic
	_      [64]byte
}

const numSpaces = 32

// Registry holds all subscriptions of a server.
type Registry struct {
	seed     maphash.Seed
	channels [numSpaces]space
	shards   [numSpaces]space
	patterns space
	// numPatterns is the number of patterns; it saves PUBLISH the lock if there are none.
	numPatterns atomic.Int64
}

// New returns an empty registry.
func New() *Registry { return &Registry{seed: maphash.MakeSeed()} }

func (r *Registry) space(k Kind, name []byte) *space {
	switch k {
	case Pattern:
		return &r.patterns
	case Shard:
		return &r.shards[maphash.Bytes(r.seed, name)%numSpaces]
	}
	return &r.channels[maphash.Bytes(r.seed, name)%numSpaces]
}

// Subscribe adds a subscription of c; it reports false if c had it.
func (r *Registry) Subscribe(c *Client, k Kind, name []byte) bool {
	if _, ok := c.on[k][string(name)]; ok {
		return false
	}
	if c.on[k] == nil {
		c.on[k] = make(map[string]*listener)
	}
	sp := r.space(k, name)
	sp.mu.Lock()
	defer sp.mu.Unlock()
	t := sp.topics[string(name)]
	if t == nil {
		if sp.topics == nil {
			sp.topics = make(map[string]*topic)
		}
		t = &topic{name: string(name), loops: make(map[Loop]*group, 1)}
		sp.topics[t.name] = t
		if k == Pattern {
			r.numPatterns.Add(1)
		}
	}
	g := t.loops[c.loop]
	if g == nil {
		g = &group{}
		t.loops[c.loop] = g
	}
	l := &listener{client: c, topic: t}
	g.listeners = append(g.listeners, l)
	t.live++
	c.on[k][t.name] = l
	c.size += len(name) + listenerSize
	return true
}

// Unsubscribe takes a subscription of c away; it reports false if c did not have it.
func (r *Registry) Unsubscribe(c *Client, k Kind, name []byte) bool {
	l, ok := c.on[k][string(name)]
	if !ok {
		return false
	}
	delete(c.on[k], string(name))
	c.size -= len(name) + listenerSize
	if len(c.on[k]) == 0 {
		c.on[k] = nil
	}
	l.gone.Store(true)
	sp := r.space(k, name)
	sp.mu.Lock()
	defer sp.mu.Unlock()
	t := l.topic
	if t.live--; t.live == 0 {
		delete(sp.topics, t.name)
		if k == Pattern {
			r.numPatterns.Add(-1)
		}
		return true
	}
	g := t.loops[c.loop]
	if g.gone++; g.gone == len(g.listeners) {
		delete(t.loops, c.loop)
	} else if g.gone > len(g.listeners)/2 {
		g.compact()
	}
	return true
}

// compact replaces the slice by one of those who still listen. A client marks its listener gone before it takes the
// lock to count it, so some that are left out here may be counted only later.
func (g *group) compact() {
	kept := make([]*listener, 0, len(g.listeners)-g.gone)
	left := g.gone
	for _, l := range g.listeners {
		if left > 0 && l.gone.Load() {
			left--
			continue
		}
		kept = append(kept, l)
	}
	g.listeners, g.gone = kept, left
}

// Subscriptions lists the subscriptions of c in the order of their names.
func (r *Registry) Subscriptions(c *Client, k Kind) []string {
	names := make([]string, 0, len(c.on[k]))
	for name := range c.on[k] {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Topics lists, in the order of their names, the channels of kind k (or the patterns) with at least one subscriber whose
// names match pattern; nil matches all.
func (r *Registry) Topics(k Kind, pattern []byte) []string {
	var names []string
	for _, sp := range r.spaces(k) {
		sp.mu.Lock()
		for name := range sp.topics {
			if pattern == nil || glob.Match(pattern, []byte(name), false) {
				names = append(names, name)
			}
		}
		sp.mu.Unlock()
	}
	slices.Sort(names)
	return names
}

// Count returns the number of topics of kind k.
func (r *Registry) Count(k Kind) (n int) {
	for _, sp := range r.spaces(k) {
		sp.mu.Lock()
		n += len(sp.topics)
		sp.mu.Unlock()
	}
	return n
}

func (r *Registry) spaces(k Kind) []*space {
	if k == Pattern {
		return []*space{&r.patterns}
	}
	of := &r.channels
	if k == Shard {
		of = &r.shards
	}
	out := make([]*space, numSpaces)
	for i := range of {
		out[i] = &of[i]
	}
	return out
}

// Subscribers returns the number of clients subscribed to a channel of kind k by its name, or to the very pattern.
func (r *Registry) Subscribers(k Kind, name []byte) int {
	sp := r.space(k, name)
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if t := sp.topics[string(name)]; t != nil {
		return t.live
	}
	return 0
}
