// Package broadcast sends each message to every listener that is connected.
//
// Contract: a Listener gets every message published to its channel from the moment Listen returns until Next fails or it
// is closed, once each, and the messages of one publisher in the order they were published. It never skips silently: when
// the connection breaks, Next returns the error instead of subscribing again behind the caller's back, because messages
// may have been missed. A Listener belongs to one goroutine, except Close; Publish may be called by any number.
//
// How: PUBLISH and SUBSCRIBE, one connection per listener, read directly. The client's own channel (PubSub.Channel) drops
// messages when its buffer stays full; here a slow listener holds back its own connection instead, until
// the server closes it for overrunning client-output-buffer-limit.
//
// Trade-offs. Nothing is stored: who is not connected misses the message, and a publisher learns only how many
// connections it went to. Where listeners must catch up, use a stream.
package broadcast

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// ErrClosed says that the listener has been closed or its context cancelled.
var ErrClosed = errors.New("broadcast: listener closed")

// Publish sends message to everyone who listens to channel and returns how many connections that were.
func Publish(ctx context.Context, rdb redis.UniversalClient, channel, message string) (int64, error) {
	n, err := rdb.Publish(ctx, channel, message).Result()
	if err != nil {
		return 0, fmt.Errorf("broadcast: publish: %w", err)
	}
	return n, nil
}

// Listener is one subscription on a connection of its own.
type Listener struct {
	sub     *redis.PubSub
	closed  atomic.Bool
	release func() bool // unhooks the listener from its context
}

// Listen subscribes to channel and returns when the server has confirmed it. Cancelling ctx closes the listener.
func Listen(ctx context.Context, rdb redis.UniversalClient, channel string) (*Listener, error) {
	l := &Listener{sub: rdb.Subscribe(ctx, channel)}
	// A read that waits for a message does not notice a cancelled context; closing its connection wakes it.
	l.release = context.AfterFunc(ctx, func() { _ = l.shut() }) // which may run before release is set
	if _, err := l.sub.Receive(ctx); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("broadcast: subscribe: %w", err)
	}
	return l, nil
}

// Next waits for the next message. After an error the listener is closed.
func (l *Listener) Next() (string, error) {
	msg, err := l.sub.ReceiveMessage(context.Background())
	if err == nil {
		return msg.Payload, nil
	}
	if l.closed.Load() {
		return "", ErrClosed
	}
	_ = l.Close()
	return "", fmt.Errorf("broadcast: messages may have been missed: %w", err)
}

// Close ends the subscription and wakes a waiting Next. Closing twice is harmless.
func (l *Listener) Close() error {
	l.release()
	return l.shut()
}

func (l *Listener) shut() error {
	if !l.closed.CompareAndSwap(false, true) {
		return nil
	}
	if err := l.sub.Close(); err != nil {
		return fmt.Errorf("broadcast: close: %w", err)
	}
	return nil
}
