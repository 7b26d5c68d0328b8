package server

import (
	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/server/pubsub"
)

// The broker of the commands is the registry of package pubsub. A session becomes a client of it when it subscribes for
// the first time. Messages reach it as notes in its mailbox, so a session may move to another owner afterwards.

var kinds = [...]pubsub.Kind{
	commands.SubChannel: pubsub.Channel, commands.SubPattern: pubsub.Pattern, commands.SubShard: pubsub.Shard,
}

// anywhere is the loop of sessions that have none: what is posted there runs where it is posted.
type anywhere struct{}

// Post implements pubsub.Loop.
func (anywhere) Post(f func()) { f() }

// Push implements pubsub.Subscriber.
func (s *session) Push(m *pubsub.Message) { s.post(note{kind: notePush, push: m}) }

// PushOwn implements pubsub.Subscriber.
func (s *session) PushOwn(m *pubsub.Message) { s.conn.PushOwn(m.Bytes(s.conn.Out.Proto())) }

// subscriber returns the session of c as a client of the registry, nil if c is nil or never subscribed.
func subscriber(c *commands.Conn) *pubsub.Client {
	if c == nil {
		return nil
	}
	return c.Session.(*session).subs
}

// Subscribe implements commands.Broker.
func (s env) Subscribe(c *commands.Conn, kind commands.SubKind, name []byte) bool {
	ses := c.Session.(*session)
	if ses.subs == nil {
		var l pubsub.Loop = anywhere{}
		if p, ok := (*ses.owner.Load()).(*place); ok {
			l = p.loop
		}
		ses.subs = pubsub.NewClient(ses, l)
	}
	return s.pubsub.Subscribe(ses.subs, kinds[kind], name)
}

// Unsubscribe implements commands.Broker.
func (s env) Unsubscribe(c *commands.Conn, kind commands.SubKind, name []byte) bool {
	cl := subscriber(c)
	return cl != nil && s.pubsub.Unsubscribe(cl, kinds[kind], name)
}

// Subscriptions implements commands.Broker.
func (s env) Subscriptions(c *commands.Conn, kind commands.SubKind) []string {
	cl := subscriber(c)
	if cl == nil {
		return nil
	}
	return s.pubsub.Subscriptions(cl, kinds[kind])
}

// Publish implements commands.Broker.
func (s env) Publish(c *commands.Conn, kind commands.SubKind, channel, message []byte) int {
	return s.pubsub.Publish(subscriber(c), kinds[kind], channel, message)
}

// Channels implements commands.Broker.
func (s env) Channels(kind commands.SubKind, pattern []byte) []string {
	return s.pubsub.Topics(kinds[kind], pattern)
}

// Subscribers implements commands.Broker.
func (s env) Subscribers(kind commands.SubKind, channel []byte) int {
	return s.pubsub.Subscribers(kinds[kind], channel)
}

// Patterns implements commands.Broker.
func (s env) Patterns() int { return s.pubsub.Count(pubsub.Pattern) }
