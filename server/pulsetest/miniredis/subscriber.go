package miniredis

import (
	"context"
	"slices"
	"sync"

	"github.com/streampulse/pulse/internal/glob"
	pulse "github.com/streampulse/pulse/server"
)

// PubsubMessage is a message of a channel that was subscribed to.
type PubsubMessage struct {
	Channel string
	Message string
}

// PubsubPmessage is a message of a channel that matches a pattern.
type PubsubPmessage struct {
	Pattern string
	Channel string
	Message string
}

// Subscriber hears what is published. Messages wait for as long as it is open, however many they are, so nobody who publishes
// waits for it. It lives on while the server is closed and started again.
type Subscriber struct {
	m         *Miniredis
	messages  *queue[PubsubMessage]
	pmessages *queue[PubsubPmessage]

	mu       sync.Mutex
	sub      *pulse.Subscription // nil while there is no engine
	channels []string            // sorted
	patterns []string            // sorted
	closed   bool
}

// NewSubscriber returns a Subscriber without subscriptions. Close it in the end.
func (m *Miniredis) NewSubscriber() *Subscriber {
	s := &Subscriber{m: m, messages: newQueue[PubsubMessage](), pmessages: newQueue[PubsubPmessage]()}
	m.withEngine(func(e *engine) {
		m.subs.Lock()
		defer m.subs.Unlock()
		m.subs.all[s] = struct{}{}
		s.attach(e)
	})
	return s
}

// attach subscribes at an engine that was opened.
func (s *Subscriber) attach(e *engine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub, err := e.srv.Subscribe(context.Background(), s.channels...)
	if err != nil {
		return
	}
	_ = sub.PSubscribe(context.Background(), s.patterns...)
	s.sub = sub
	go func() {
		for msg := range sub.Messages() {
			s.take(msg)
		}
	}()
}

// detach forgets the engine, which is about to be closed.
func (s *Subscriber) detach() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sub != nil {
		_ = s.sub.Close()
		s.sub = nil
	}
}

func (s *Subscriber) take(msg pulse.Message) {
	if msg.Kind == "pmessage" {
		s.pmessages.put(PubsubPmessage{msg.Pattern, msg.Channel, msg.Payload})
	} else {
		s.messages.put(PubsubMessage{msg.Channel, msg.Payload})
	}
}

// Close ends the Subscriber. Its channels are closed, and what nobody has received is lost.
func (s *Subscriber) Close() {
	s.m.subs.Lock()
	delete(s.m.subs.all, s)
	s.m.subs.Unlock()
	s.mu.Lock()
	if s.sub != nil { // so that nobody counts it any more, once Close has returned
		_ = s.sub.Unsubscribe(context.Background())
		_ = s.sub.PUnsubscribe(context.Background())
	}
	s.mu.Unlock()
	s.detach()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		s.messages.close()
		s.pmessages.close()
	}
}

// change changes the sorted list of names, has the engine do the same, and returns how many subscriptions there are.
func (s *Subscriber) change(list *[]string, name string, add bool, f func(*pulse.Subscription, context.Context, ...string) error) int {
	_, _ = s.m.open()
	s.mu.Lock()
	defer s.mu.Unlock()
	at, found := slices.BinarySearch(*list, name)
	switch {
	case add && !found:
		*list = slices.Insert(*list, at, name)
	case !add && found:
		*list = slices.Delete(*list, at, at+1)
	}
	if s.sub != nil && add != found {
		_ = f(s.sub, context.Background(), name)
	}
	return len(s.channels) + len(s.patterns)
}

// Subscribe subscribes to a channel, and returns how many subscriptions there are.
func (s *Subscriber) Subscribe(c string) int {
	return s.change(&s.channels, c, true, (*pulse.Subscription).Subscribe)
}

// Unsubscribe ends the subscription to a channel, and returns how many are left.
func (s *Subscriber) Unsubscribe(c string) int {
	return s.change(&s.channels, c, false, (*pulse.Subscription).Unsubscribe)
}

// Psubscribe subscribes to the channels that match a pattern, and returns how many subscriptions there are.
func (s *Subscriber) Psubscribe(pat string) int {
	return s.change(&s.patterns, pat, true, (*pulse.Subscription).PSubscribe)
}

// Punsubscribe ends the subscription to a pattern, and returns how many are left.
func (s *Subscriber) Punsubscribe(pat string) int {
	return s.change(&s.patterns, pat, false, (*pulse.Subscription).PUnsubscribe)
}

// Channels returns the channels subscribed to, sorted.
func (s *Subscriber) Channels() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.channels)
}

// Patterns returns the patterns subscribed to, sorted.
func (s *Subscriber) Patterns() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.patterns)
}

// Count is how many subscriptions there are.
func (s *Subscriber) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.channels) + len(s.patterns)
}

// Publish gives this Subscriber alone a message, and returns how often it was sent: for the channel, and for each pattern.
func (s *Subscriber) Publish(c, msg string) int {
	n := 0
	if _, found := slices.BinarySearch(s.Channels(), c); found {
		s.messages.put(PubsubMessage{c, msg})
		n++
	}
	for _, p := range s.Patterns() {
		if glob.Match([]byte(p), []byte(c), false) {
			s.pmessages.put(PubsubPmessage{p, c, msg})
			n++
		}
	}
	return n
}

// Messages is where the messages of channels come.
func (s *Subscriber) Messages() <-chan PubsubMessage { return s.messages.out }

// Pmessages is where the messages of patterns come.
func (s *Subscriber) Pmessages() <-chan PubsubPmessage { return s.pmessages.out }

// queue is a channel of any length.
type queue[T any] struct {
	out  chan T
	more chan struct{} // something was put
	done chan struct{} // closed by close
	mu   sync.Mutex
	list []T
}

func newQueue[T any]() *queue[T] {
	q := &queue[T]{out: make(chan T), more: make(chan struct{}, 1), done: make(chan struct{})}
	go q.run()
	return q
}

func (q *queue[T]) put(v T) {
	q.mu.Lock()
	q.list = append(q.list, v)
	q.mu.Unlock()
	select {
	case q.more <- struct{}{}:
	default:
	}
}

func (q *queue[T]) close() { close(q.done) }

// run hands over what was put, in order, until the queue is closed.
func (q *queue[T]) run() {
	defer close(q.out)
	for {
		q.mu.Lock()
		list := q.list
		q.list = nil
		q.mu.Unlock()
		for _, v := range list {
			select {
			case q.out <- v:
			case <-q.done:
				return
			}
		}
		if len(list) > 0 {
			continue
		}
		select {
		case <-q.more:
		case <-q.done:
			return
		}
	}
}
