// Package lock gives out locks that end by themselves.
//
// Contract: at any moment of the server's clock at most one Lock of a name is held: from the moment Try or Acquire takes
// it until Release, or until its time to live has passed without Extend. What has ended is never prolonged or
// released by its former holder, even if somebody else has the name by then: Extend and Release answer ErrLost. Each
// Lock of a name has a larger Fence than all before it. A Locker has no state of its own and may be used by any number of
// goroutines; so may a Lock.
//
// How: the lock is a key with a random token and a deadline. Taking it, and counting the fence in a second key, is one
// script; so are release and extension, which compare the token first. Both keys of a name share a hash tag, so a
// cluster keeps them in one slot. A request repeated because its reply was lost finds its own token and succeeds.
//
// Trade-offs. A lock that ends by itself cannot stop its holder: a process that was paused for longer than the time to live
// wakes up believing that it holds the lock. Mutual exclusion of what is done under the lock therefore needs the
// resource's help: it must remember the largest fence it has seen and refuse smaller ones, as Guarded does for a value in
// the server. Without that, a lock saves work done twice; it does not prevent it. The fence of a name is never deleted, or
// an old holder could pass: it costs about a hundred bytes for each name ever locked, so names should be of things that
// are kept, not of requests. Waiting is by asking again, at random intervals and not in order of arrival. With one
// server the lock is as available as the server, and a replica that takes over may not know of it yet; the fence then
// repeats, too. Quorum is for whoever cannot accept that: a majority of independent servers.
package lock

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	// ErrHeld says that somebody else holds the lock.
	ErrHeld = errors.New("lock: held by another")
	// ErrLost says that the lock was not held any more.
	ErrLost = errors.New("lock: not held any more")
)

const (
	maxName = 512
	minTTL  = time.Millisecond
	maxTTL  = 365 * 24 * time.Hour

	minPause = 2 * time.Millisecond // between two tries of Acquire
	maxPause = 100 * time.Millisecond
)

// acquire replies with 1 and the fence, or with 0 and the milliseconds that the holder has left.
var acquire = redis.NewScript(`
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
	return {1, redis.call('INCR', KEYS[2])}
end
if redis.call('GET', KEYS[1]) == ARGV[1] then
	return {1, tonumber(redis.call('GET', KEYS[2]))}
end
return {0, redis.call('PTTL', KEYS[1])}
`)

var release = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then
	return redis.call('DEL', KEYS[1])
end
return 0
`)

var extend = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then
	return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
`)

// Locker gives out locks under keys that begin with a prefix, in which no brace may stand.
type Locker struct {
	rdb    redis.UniversalClient
	prefix string
}

// New returns a Locker.
func New(rdb redis.UniversalClient, prefix string) *Locker { return &Locker{rdb: rdb, prefix: prefix} }

// Lock is a lock that was taken.
type Lock struct {
	Fence int64 // larger than that of every earlier lock of the name

	locker *Locker
	name   string
	token  string
}

// Try takes the lock of that name (1 to 512 bytes, the first of them not a closing brace) for ttl, a millisecond to a year; ErrHeld says that it is taken.
func (l *Locker) Try(ctx context.Context, name string, ttl time.Duration) (*Lock, error) {
	lk, _, err := l.try(ctx, name, newToken(), ttl)
	return lk, err
}

// Acquire is Try, again and again until the lock is free or ctx ends.
func (l *Locker) Acquire(ctx context.Context, name string, ttl time.Duration) (*Lock, error) {
	token := newToken()
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		lk, left, err := l.try(ctx, name, token, ttl)
		if !errors.Is(err, ErrHeld) {
			return lk, err
		}
		// Half to all of the pause, so that those who were refused together do not come back together.
		wait := pause/2 + mrand.N(pause/2)
		if left > 0 {
			wait = min(wait, left+time.Millisecond)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("lock: %w while waiting", ctx.Err())
		}
	}
}

// try also returns what time the holder has left.
func (l *Locker) try(ctx context.Context, name, token string, ttl time.Duration) (*Lock, time.Duration, error) {
	if err := check(name, ttl); err != nil {
		return nil, 0, err
	}
	lock, fence := l.keys(name)
	r, err := acquire.Run(ctx, l.rdb, []string{lock, fence}, token, ttl.Milliseconds()).Int64Slice()
	if err != nil {
		return nil, 0, fmt.Errorf("lock: %w", err)
	}
	if len(r) != 2 {
		return nil, 0, fmt.Errorf("lock: script replied with %d numbers", len(r))
	}
	if r[0] == 0 {
		return nil, time.Duration(r[1]) * time.Millisecond, ErrHeld
	}
	return &Lock{Fence: r[1], locker: l, name: name, token: token}, 0, nil
}

func (l *Locker) keys(name string) (lock, fence string) {
	lock = l.prefix + "{" + name + "}"
	return lock, lock + ":fence"
}

// Release gives the lock back. ErrLost says that it had ended before, and possibly belongs to somebody else now.
func (lk *Lock) Release(ctx context.Context) error {
	key, _ := lk.locker.keys(lk.name)
	return lk.whileHeld(release.Run(ctx, lk.locker.rdb, []string{key}, lk.token))
}

// Extend lets the lock end ttl from now on, sooner or later than it would have. ErrLost says that it had ended before; what
// is done under it must stop.
func (lk *Lock) Extend(ctx context.Context, ttl time.Duration) error {
	if err := check(lk.name, ttl); err != nil {
		return err
	}
	key, _ := lk.locker.keys(lk.name)
	return lk.whileHeld(extend.Run(ctx, lk.locker.rdb, []string{key}, lk.token, ttl.Milliseconds()))
}

func (lk *Lock) whileHeld(reply *redis.Cmd) error {
	n, err := reply.Int64()
	switch {
	case err != nil:
		return fmt.Errorf("lock: %w", err)
	case n == 0:
		return ErrLost
	}
	return nil
}

// Run waits for the lock and runs f under it, prolonging it every third of ttl and releasing it at the end. The context that
// f gets is cancelled, with the cause ErrLost, when the lock has ended or its time has passed with no answer to an
// extension; Run then returns ErrLost together with what f returned. f should write with fence.
func (l *Locker) Run(ctx context.Context, name string, ttl time.Duration, f func(ctx context.Context, fence int64) error) error {
	asked := time.Now()
	lk, err := l.Acquire(ctx, name, ttl)
	if err != nil {
		return err
	}
	// The end is known to lie ttl after the question at the earliest. After a wait that may be over, so it is asked anew.
	if now := time.Now(); now.Sub(asked) > ttl/3 {
		asked = now
		if err := lk.Extend(ctx, ttl); err != nil {
			return err
		}
	}
	fctx, cancel := context.WithCancelCause(ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- lk.keep(fctx, cancel, asked.Add(ttl), ttl) }()
	err = f(fctx, lk.Fence)
	cancel(nil)
	if lost := <-stopped; lost != nil {
		return errors.Join(lost, err)
	}
	return errors.Join(err, lk.Release(context.WithoutCancel(ctx)))
}

// keep prolongs the lock until ctx ends. When it cannot before the lock's end, it cancels ctx and returns ErrLost.
func (lk *Lock) keep(ctx context.Context, cancel context.CancelCauseFunc, end time.Time, ttl time.Duration) error {
	tick := time.NewTicker(max(time.Millisecond, ttl/3))
	defer tick.Stop()
	over := time.NewTimer(time.Until(end))
	defer over.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-over.C:
			cancel(ErrLost)
			return ErrLost
		case <-tick.C:
		}
		asked := time.Now()
		ectx, stop := context.WithDeadline(ctx, end)
		err := lk.Extend(ectx, ttl)
		stop()
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			end = asked.Add(ttl)
			over.Reset(time.Until(end))
		case errors.Is(err, ErrLost):
			cancel(ErrLost)
			return ErrLost
		}
	}
}

func check(name string, ttl time.Duration) error {
	if len(name) == 0 || len(name) > maxName {
		return fmt.Errorf("lock: a name has 1 to %d bytes, not %d", maxName, len(name))
	}
	if name[0] == '}' {
		return errors.New("lock: a name cannot begin with a brace that closes") // it would end the hash tag
	}
	if ttl < minTTL || ttl > maxTTL {
		return fmt.Errorf("lock: the time to live lies between %v and %v", minTTL, maxTTL)
	}
	return nil
}

func newToken() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	return hex.EncodeToString(b[:])
}
