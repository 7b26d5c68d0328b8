package flags

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// invalidations is the channel on which a server reports changed keys to connections of the protocol's second version.
const invalidations = "__redis__:invalidate"

const (
	minPause = 10 * time.Millisecond // between two tries to listen
	maxPause = time.Second
)

// Listen hears of changes until ctx ends, and then returns nil. After an error, which failed is told if it is not nil, it begins anew with
// nothing in memory. One Listen may run for a Cache at a time.
func (c *Cache) Listen(ctx context.Context, failed func(error)) error {
	defer c.dropAll()
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		began := time.Now()
		err := c.hear(ctx)
		c.dropAll()
		if ctx.Err() != nil {
			return nil
		}
		if failed != nil {
			failed(err)
		}
		if time.Since(began) > maxPause {
			pause = minPause
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// hear listens on one connection until it fails.
func (c *Cache) hear(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rdb, done := c.listener()
	defer done()
	channels := []string{c.store.channel(), invalidations}
	ps := rdb.Subscribe(ctx, channels...)
	// A read cannot be called back; closing ends it.
	defer context.AfterFunc(ctx, func() { _ = ps.Close() })()
	defer ps.Close()

	p := &proof{c: c, ps: ps, now: make(chan struct{}, 1)}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { p.run(ctx) })
	for {
		// Nothing, not even a PONG, in all that time: the connection is dead, even if nobody said so.
		msg, err := ps.ReceiveTimeout(ctx, c.o.MaxStale)
		if err != nil {
			return fmt.Errorf("flags: listen: %w", err)
		}
		switch m := msg.(type) {
		case *redis.Subscription:
			// Also when the client has connected again by itself: nothing is known about the time between.
			c.dropAll()
			p.restart()
		case *redis.Pong:
			p.pong(m.Payload)
		case *redis.Message:
			c.told(m)
		}
	}
}

// told drops what a message is about.
func (c *Cache) told(m *redis.Message) {
	if m.Channel != invalidations {
		c.drop(m.Payload)
		return
	}
	for _, key := range m.PayloadSlice {
		if name, ok := c.store.nameOf(key); ok {
			c.drop(name)
		}
	}
}

// listener returns a client for the listening connection, which asks for tracking as soon as it is there. The connection has
// version 2 of the protocol, in which the server sends invalidations as messages to the connection that the tracking one
// names: here itself. A client of a cluster has no one connection that hears of all keys, and listens to the channel alone.
func (c *Cache) listener() (rdb redis.UniversalClient, done func()) {
	own, ok := c.store.rdb.(*redis.Client)
	if !ok || c.o.ChannelOnly {
		return c.store.rdb, func() {}
	}
	o := *own.Options()
	before := o.OnConnect
	o.Protocol = 2
	o.ClientSideCache, o.ClientSideCacheConfig = nil, nil
	o.OnConnect = func(ctx context.Context, cn *redis.Conn) error {
		if before != nil {
			if err := before(ctx, cn); err != nil {
				return err
			}
		}
		return c.track(ctx, cn)
	}
	client := redis.NewClient(&o)
	return client, func() { _ = client.Close() }
}

// track asks the server to report changes of keys to cn. One that cannot, or may not, is no error.
func (c *Cache) track(ctx context.Context, cn *redis.Conn) error {
	id, err := cn.ClientID(ctx).Result()
	if err == nil {
		err = cn.Process(ctx, redis.NewStatusCmd(ctx, "CLIENT", "TRACKING", "ON", "REDIRECT", id, "BCAST", "PREFIX", c.store.prefix))
	}
	var refused redis.Error
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	c.mu.Lock()
	c.mu.status.Tracking = err == nil
	c.mu.Unlock()
	return nil
}

// proof sends PINGs, one at a time, and tells the Cache what their replies prove.
type proof struct {
	c   *Cache
	ps  *redis.PubSub
	now chan struct{} // the next PING is not to wait

	mu struct {
		sync.Mutex
		number   int
		waiting  bool
		asked    time.Time // when the last PING was sent
		answered time.Time // when the last one was that has been answered on this connection; zero: none
	}
}

// run sends PINGs until ctx ends.
func (p *proof) run(ctx context.Context) {
	tick := time.NewTicker(p.c.o.MaxStale / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-p.now:
		}
		if text, ok := p.next(); ok {
			_ = p.ps.Ping(ctx, text) // if it fails, the reader hears it or hears nothing
		}
	}
}

// next returns what to send, unless a reply is awaited.
func (p *proof) next() (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.waiting {
		return "", false
	}
	p.mu.waiting = true
	p.mu.number++
	p.mu.asked = p.c.o.Now()
	return strconv.Itoa(p.mu.number), true
}

func (p *proof) soon() {
	select {
	case p.now <- struct{}{}:
	default:
	}
}

// restart forgets what a connection had answered, and begins anew.
func (p *proof) restart() {
	p.mu.Lock()
	p.mu.waiting = false
	p.mu.answered = time.Time{}
	p.mu.Unlock()
	p.soon()
}

// pong takes the reply to a PING. It proves what was reported before the PING that was answered before it; after the first
// of a connection the second follows at once.
func (p *proof) pong(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.mu.waiting || text != strconv.Itoa(p.mu.number) {
		return
	}
	p.mu.waiting = false
	if p.mu.answered.IsZero() {
		p.soon()
	} else {
		p.c.prove(p.mu.answered)
	}
	p.mu.answered = p.mu.asked
}
