package tracking

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// broadcasts is the prefixes that clients want to know of, and the keys changed since Broadcast.
type broadcasts struct {
	any   atomic.Bool // there are prefixes
	dirty atomic.Bool // there are keys to tell of
	mu    struct {
		sync.Mutex
		prefixes map[string]*prefix
		lengths  map[int]int // how many prefixes have which length
		sorted   []int       // the lengths
		touched  []*prefix   // those with keys to tell of
	}
}

// prefix is who is told of keys that begin with it.
type prefix struct {
	name    string
	clients map[*Client]struct{}
	// changed holds by whom each key was changed since Broadcast: one client, or 0 for nobody or several.
	changed map[string]int64
}

func (b *broadcasts) init() {
	b.mu.prefixes = make(map[string]*prefix)
	b.mu.lengths = make(map[int]int)
}

func (b *broadcasts) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.mu.prefixes)
}

func (b *broadcasts) join(c *Client, names []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.prefixes == nil {
		c.prefixes = make(map[string]*prefix)
	}
	for _, name := range names {
		p := b.mu.prefixes[name]
		if p == nil {
			p = &prefix{name: name, clients: make(map[*Client]struct{})}
			b.mu.prefixes[name] = p
			if b.mu.lengths[len(name)]++; b.mu.lengths[len(name)] == 1 {
				b.mu.sorted = append(b.mu.sorted, len(name))
				slices.Sort(b.mu.sorted)
			}
		}
		if _, known := p.clients[c]; !known {
			c.size += len(name) + prefixSize
		}
		p.clients[c] = struct{}{}
		c.prefixes[name] = p
	}
	b.any.Store(true)
}

func (b *broadcasts) leave(c *Client) {
	if len(c.prefixes) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, p := range c.prefixes {
		if delete(p.clients, c); len(p.clients) > 0 {
			continue
		}
		delete(b.mu.prefixes, name)
		p.changed = nil
		if b.mu.lengths[len(name)]--; b.mu.lengths[len(name)] == 0 {
			delete(b.mu.lengths, len(name))
			b.mu.sorted = slices.DeleteFunc(b.mu.sorted, func(n int) bool { return n == len(name) })
		}
	}
	c.prefixes, c.size = nil, 0
	b.any.Store(len(b.mu.prefixes) > 0)
}

// changed notes that a key has changed. The prefixes of a key are looked up by their lengths, of which there are few, however
// many prefixes there are.
func (b *broadcasts) changed(key []byte, by int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.mu.sorted {
		if n > len(key) {
			break
		}
		p := b.mu.prefixes[string(key[:n])]
		if p == nil {
			continue
		}
		if len(p.changed) == 0 {
			b.mu.touched = append(b.mu.touched, p)
			if p.changed == nil {
				p.changed = make(map[string]int64)
			}
			b.dirty.Store(true)
		}
		if other, ok := p.changed[string(key)]; !ok {
			p.changed[string(key)] = by
		} else if other != by && other != 0 {
			p.changed[string(key)] = 0
		}
	}
}

// keepChanged is the largest number of keys of one Broadcast whose map is kept for the next.
const keepChanged = 1024

// Broadcast tells of the keys changed since the last time: one message for each prefix. It costs one load if there are none.
func (t *Table) Broadcast() {
	b := &t.bcast
	if !b.dirty.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	slices.SortFunc(b.mu.touched, func(p, q *prefix) int { return strings.Compare(p.name, q.name) })
	for _, p := range b.mu.touched {
		p.tell()
		if len(p.changed) > keepChanged {
			p.changed = nil
		} else {
			clear(p.changed)
		}
	}
	clear(b.mu.touched)
	b.mu.touched = b.mu.touched[:0]
	b.dirty.Store(false) // not before: who finds it so may let a reply leave
}

// tell sends what has changed.
func (p *prefix) tell() {
	if len(p.changed) == 0 {
		return
	}
	keys := make([]string, 0, len(p.changed))
	for k := range p.changed {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var all *Message
	for c := range p.clients {
		if c.state.Load()&noLoop != 0 {
			others := make([]string, 0, len(keys))
			for _, k := range keys {
				if p.changed[k] != c.ID {
					others = append(others, k)
				}
			}
			if len(others) < len(keys) {
				if len(others) > 0 {
					c.Sink.Invalidate(newMessage(others...), false)
				}
				continue
			}
		}
		if all == nil {
			all = newMessage(keys...)
		}
		c.Sink.Invalidate(all, false)
	}
}
