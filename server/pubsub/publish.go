package pubsub

import (
	"strconv"
	"sync/atomic"

	"github.com/streampulse/pulse/internal/glob"
)

// Message is a publication as one topic's listeners receive it. It is immutable and may be read concurrently.
type Message struct {
	resp3 []byte
	resp2 atomic.Pointer[[]byte]
}

// Bytes returns the encoded message for a version of the protocol, 2 or 3; it must not be changed. The two differ in
// their first byte only, and the one for RESP2 is made when somebody asks for it.
func (m *Message) Bytes(proto int) []byte {
	if proto == 3 {
		return m.resp3
	}
	if p := m.resp2.Load(); p != nil {
		return *p
	}
	b := append([]byte(nil), m.resp3...)
	b[0] = '*'
	m.resp2.Store(&b)
	return b
}

// newMessage encodes what the listeners of a topic get: ["message", channel, text] and its like, or ["pmessage",
// pattern, channel, text].
func newMessage(k Kind, t *topic, channel, text []byte) *Message {
	b := make([]byte, 0, len(t.name)+len(channel)+len(text)+64)
	switch k {
	case Pattern:
		b = append(b, ">4\r\n$8\r\npmessage\r\n"...)
		b = appendBulk(b, []byte(t.name))
	case Shard:
		b = append(b, ">3\r\n$8\r\nsmessage\r\n"...)
	default:
		b = append(b, ">3\r\n$7\r\nmessage\r\n"...)
	}
	return &Message{resp3: appendBulk(appendBulk(b, channel), text)}
}

func appendBulk(dst, b []byte) []byte {
	dst = append(dst, '$')
	dst = strconv.AppendInt(dst, int64(len(b)), 10)
	dst = append(dst, '\r', '\n')
	dst = append(dst, b...)
	return append(dst, '\r', '\n')
}

// Publish sends text to everybody who listens to channel, and returns how many subscriptions that is. from is the
// publisher if it is a subscriber, or nil. k is Channel, whose publications reach patterns too, or Shard. Nothing is
// allocated if nobody listens.
func (r *Registry) Publish(from *Client, k Kind, channel, text []byte) (n int) {
	sp := r.space(k, channel)
	sp.mu.Lock()
	if t := sp.topics[string(channel)]; t != nil {
		n = t.send(from, newMessage(k, t, channel, text))
	}
	sp.mu.Unlock()
	if k != Channel || r.numPatterns.Load() == 0 {
		return n
	}
	sp = &r.patterns
	sp.mu.Lock()
	defer sp.mu.Unlock()
	for _, t := range sp.topics {
		if glob.Match([]byte(t.name), channel, false) {
			n += t.send(from, newMessage(Pattern, t, channel, text))
		}
	}
	return n
}

// send posts m to the loops of the topic and returns the number of listeners. The lock of the topic's space is held.
func (t *topic) send(from *Client, m *Message) int {
	for loop, g := range t.loops {
		listeners := g.listeners
		if from != nil && len(listeners) == 1 && listeners[0].client == from {
			continue // its own: see below
		}
		loop.Post(func() {
			for _, l := range listeners {
				if l.client != from && !l.gone.Load() {
					l.client.sub.Push(m)
				}
			}
		})
	}
	if from != nil && from.listens(t) {
		from.sub.PushOwn(m)
	}
	return t.live
}

// listens reports whether c has a subscription to the topic. It is called by the owner of c.
func (c *Client) listens(t *topic) bool {
	for k := range c.on {
		if l := c.on[k][t.name]; l != nil && l.topic == t {
			return true
		}
	}
	return false
}
