package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync"

	"github.com/streampulse/pulse/internal/resp"
)

// Message is what a subscriber hears.
type Message struct {
	// Kind is "message", "pmessage" of a pattern, or "smessage" of a shard channel.
	Kind string
	// Pattern is the pattern that matched, of a pmessage.
	Pattern string
	Channel string
	Payload string
}

// messageRoom is how many messages wait in the channel of a Subscription.
const messageRoom = 128

// Subscription is a subscriber within the process, a client of the server like any other. Its methods may be called
// concurrently.
//
// Messages have to be received for as long as it is open, also while a method waits for the server. Who does not keep up is
// closed as client-output-buffer-limit pubsub has it: 128 messages wait in the channel, some 64 KiB on the way to it, and the rest counts as
// unsent output. Err then is ErrConnClosed.
type Subscription struct {
	srv      *Server
	nc       net.Conn
	messages chan Message
	closing  chan struct{} // closed by Close
	ended    chan struct{} // closed when err is set, before messages is

	mu    sync.Mutex
	wait  []*subRequest // in the order in which they were sent
	shut  bool          // by Close
	over  bool          // nothing is answered any more
	err   error
	wmu   sync.Mutex // of those who write; before mu
	block []byte     // of wmu: the request being made
}

// subRequest is a request that is being answered.
type subRequest struct {
	err  error         // its error reply
	done chan struct{} // closed when it is answered
}

// Subscribe subscribes to channels. It returns when the server has confirmed that; what is published from then on is heard. ctx is
// for the wait alone: the Subscription lives until Close, or until the server ends it. The rights are those of the default user, without a
// password.
func (s *Server) Subscribe(ctx context.Context, channels ...string) (*Subscription, error) {
	return s.subscribe(ctx, "SUBSCRIBE", channels)
}

// PSubscribe is Subscribe for the channels that match patterns.
func (s *Server) PSubscribe(ctx context.Context, patterns ...string) (*Subscription, error) {
	return s.subscribe(ctx, "PSUBSCRIBE", patterns)
}

// SSubscribe is Subscribe for shard channels.
func (s *Server) SSubscribe(ctx context.Context, channels ...string) (*Subscription, error) {
	return s.subscribe(ctx, "SSUBSCRIBE", channels)
}

func (s *Server) subscribe(ctx context.Context, command string, names []string) (*Subscription, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	nc, err := s.dial(true)
	if err != nil {
		return nil, err
	}
	p := &Subscription{srv: s, nc: nc, messages: make(chan Message, messageRoom), closing: make(chan struct{}), ended: make(chan struct{})}
	go p.read()
	if err = p.request(ctx, "HELLO", []string{"3"}); err == nil && len(names) > 0 {
		err = p.request(ctx, command, names)
	}
	if err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

// Messages is where messages come, in order. It is closed when the Subscription has ended.
func (p *Subscription) Messages() <-chan Message { return p.messages }

// Subscribe adds channels. Like the methods below it returns when the server has confirmed it; if ctx is done before that, it may happen
// all the same.
func (p *Subscription) Subscribe(ctx context.Context, channels ...string) error {
	return p.change(ctx, "SUBSCRIBE", channels)
}

// PSubscribe adds patterns.
func (p *Subscription) PSubscribe(ctx context.Context, patterns ...string) error {
	return p.change(ctx, "PSUBSCRIBE", patterns)
}

// SSubscribe adds shard channels.
func (p *Subscription) SSubscribe(ctx context.Context, channels ...string) error {
	return p.change(ctx, "SSUBSCRIBE", channels)
}

// Unsubscribe takes channels away, or all of them if none is named.
func (p *Subscription) Unsubscribe(ctx context.Context, channels ...string) error {
	return p.request(ctx, "UNSUBSCRIBE", channels)
}

// PUnsubscribe takes patterns away, or all of them if none is named.
func (p *Subscription) PUnsubscribe(ctx context.Context, patterns ...string) error {
	return p.request(ctx, "PUNSUBSCRIBE", patterns)
}

// SUnsubscribe takes shard channels away, or all of them if none is named.
func (p *Subscription) SUnsubscribe(ctx context.Context, channels ...string) error {
	return p.request(ctx, "SUNSUBSCRIBE", channels)
}

// Close ends the Subscription. Messages that nobody has received are lost.
func (p *Subscription) Close() error {
	p.mu.Lock()
	first := !p.shut
	p.shut = true
	p.mu.Unlock()
	if first {
		close(p.closing)
		_ = p.nc.Close()
	}
	<-p.ended
	return nil
}

// Err is why the Subscription has ended: nil while it has not, and after Close; ErrClosed if the server was closed; ErrConnClosed if the
// server has closed the connection, because of CLIENT KILL or because messages were not received.
func (p *Subscription) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// change is request for commands that need names.
func (p *Subscription) change(ctx context.Context, command string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	return p.request(ctx, command, names)
}

// request sends a command and waits until it is answered. Each name is confirmed by a message of its own, and how many there are is not
// known to all commands: so a PING follows each, whose reply is the last of the answer.
func (p *Subscription) request(ctx context.Context, command string, args []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := &subRequest{done: make(chan struct{})}
	p.wmu.Lock()
	p.mu.Lock()
	if p.over || p.shut {
		p.mu.Unlock()
		p.wmu.Unlock()
		return p.reason()
	}
	p.wait = append(p.wait, r)
	p.mu.Unlock()
	b := resp.AppendRequest(p.block[:0], append([]string{command}, args...)...)
	b = resp.AppendRequest(b, "PING")
	_, err := p.nc.Write(b)
	if p.block = b; cap(b) > keepPipe {
		p.block = nil
	}
	p.wmu.Unlock()
	if err != nil {
		return p.reason()
	}
	select {
	case <-r.done:
		return r.err
	case <-p.ended:
		return p.reason()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reason is why nothing can be asked for any more.
func (p *Subscription) reason() error {
	if err := p.Err(); err != nil {
		return err
	}
	if p.srv.stopping() {
		return ErrClosed
	}
	return ErrConnClosed
}

// read takes what the server sends.
func (p *Subscription) read() {
	defer close(p.messages)
	r := bufio.NewReader(p.nc)
	var err error
	for err == nil {
		var v resp.Value
		if v, err = resp.Decode(r); err == nil {
			err = p.heard(&v)
		}
	}
	p.mu.Lock()
	p.over, p.wait = true, nil
	switch {
	case p.shut:
	case p.srv.stopping():
		p.err = ErrClosed
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		p.err = ErrConnClosed
	default:
		p.err = err
	}
	p.mu.Unlock()
	_ = p.nc.Close()
	close(p.ended)
}

// heard takes one reply or message. An error ends the Subscription.
func (p *Subscription) heard(v *resp.Value) error {
	if v.Type != '>' {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch {
		case len(p.wait) == 0:
		case v.Type == '-':
			p.wait[0].err = Error(v.Str)
		case v.Type == '+' && string(v.Str) == "PONG":
			close(p.wait[0].done)
			p.wait = p.wait[1:]
		}
		return nil
	}
	m := Message{}
	switch kind := string(v.Elems[0].Str); {
	case (kind == "message" || kind == "smessage") && len(v.Elems) == 3:
		m = Message{Kind: kind, Channel: string(v.Elems[1].Str), Payload: string(v.Elems[2].Str)}
	case kind == "pmessage" && len(v.Elems) == 4:
		m = Message{Kind: kind, Pattern: string(v.Elems[1].Str), Channel: string(v.Elems[2].Str), Payload: string(v.Elems[3].Str)}
	default:
		return nil // a confirmation: the PONG follows
	}
	select {
	case p.messages <- m:
		return nil
	case <-p.closing:
		return net.ErrClosed
	}
}
