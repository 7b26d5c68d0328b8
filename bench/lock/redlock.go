package lock

import (
	"context"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrNoQuorum says that too few servers answered to say who holds a lock.
var ErrNoQuorum = errors.New("lock: too few servers answer")

var errSilent = errors.New("no answer in time")

const (
	minServers = 3
	maxServers = 99
)

// Quorum gives out locks that a majority of independent servers agrees on (Redlock), so that it works while fewer than half of
// them are down.
//
// Contract: at most one QuorumLock of a name is held at a time, as long as no server forgets what it said and clocks run at about the
// same rate: from when Try or Acquire has returned it until Release or its Until. Fences grow as those of a Locker do. A Quorum has no
// state of its own and may be used by any number of goroutines; so may a QuorumLock.
//
// How: all servers are asked at once, each as a Locker asks, and each for no longer than Patience. If a majority agrees, and there is
// time to live left after what asking took and what clocks may differ, the lock is held; else what was taken is given back.
// Servers count fences apart, so the largest of a majority is written back to a majority that still holds the
// lock, before the lock counts as taken: any later majority shares a server with that one, and counts on from there.
//
// Trade-offs. A server that is dead costs nothing, one that accepts requests without answering costs Patience each time, as what it did
// must be known before the lock is given back. Five servers that need no replication, against one and its replica, which may take over without knowing of a lock; the price is
// five requests twice for every lock, the slowest of the first three in the latency. A server that restarts empty can help a second
// holder to a majority: it must keep its locks on disk before it answers (appendfsync always), or stay away for the longest time to live.
// Rates of clocks matter as with one server, times of day do not. As with one server, a holder can be paused past the end without
// noticing, and Fence is what protects against that.
type Quorum struct {
	lockers  []*Locker
	majority int
	patience time.Duration
}

// QuorumLock is a lock that a majority gave.
type QuorumLock struct {
	Fence int64 // larger than that of every earlier lock of the name

	quorum *Quorum
	locks  []*Lock // by server, of those too that did not give it; without their fences

	mu    sync.Mutex
	until time.Time
}

// raise sets a fence that is behind, if the lock is held. It replies with whether it is.
var raise = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
	return 0
end
if tonumber(redis.call('GET', KEYS[2]) or 0) < tonumber(ARGV[2]) then
	redis.call('SET', KEYS[2], ARGV[2])
end
return 1
`)

// NewQuorum returns a Quorum of servers, 3 to 99 and an odd number of them, that do not replicate each other. Patience, 0 for 100 ms, is how
// long one may take to answer; it should be far below every time to live. Clients should not repeat requests for
// longer than that.
func NewQuorum(servers []redis.UniversalClient, prefix string, patience time.Duration) (*Quorum, error) {
	if len(servers) < minServers || len(servers) > maxServers || len(servers)%2 == 0 {
		return nil, fmt.Errorf("lock: an odd number of servers from %d to %d, not %d", minServers, maxServers, len(servers))
	}
	if patience == 0 {
		patience = 100 * time.Millisecond
	}
	if patience < time.Millisecond || patience > time.Minute {
		return nil, errors.New("lock: patience lasts a millisecond to a minute")
	}
	q := &Quorum{majority: len(servers)/2 + 1, patience: patience}
	for _, rdb := range servers {
		q.lockers = append(q.lockers, New(rdb, prefix))
	}
	return q, nil
}

// Try takes the lock of that name for ttl, as Locker.Try does. ErrHeld says that others have, or are trying to take, too many servers;
// ErrNoQuorum that too few answer.
func (q *Quorum) Try(ctx context.Context, name string, ttl time.Duration) (*QuorumLock, error) {
	if err := check(name, ttl); err != nil {
		return nil, err
	}
	token := newToken()
	asked := time.Now()
	lk := &QuorumLock{quorum: q, locks: make([]*Lock, len(q.lockers)), until: asked.Add(ttl - drift(ttl))}
	for i, l := range q.lockers {
		// Also of those that do not answer: the request may arrive, and then the lock must be extended and released there, too.
		lk.locks[i] = &Lock{locker: l, name: name, token: token}
	}
	answers := q.each(ctx, func(ctx context.Context, i int) (int64, error) {
		l, _, err := q.lockers[i].try(ctx, name, token, ttl)
		if err != nil {
			return 0, err
		}
		return l.Fence, nil
	})
	err := q.verdict(ctx, answers)
	if err == nil {
		for _, a := range answers {
			lk.Fence = max(lk.Fence, a.fence)
		}
		err = lk.settle(ctx)
	}
	if err == nil && !lk.Held() {
		err = fmt.Errorf("lock: asking took longer than the lock lasts: %w", ErrLost)
	}
	if err != nil {
		_ = lk.release(context.WithoutCancel(ctx)) // what stays ends by itself
		return nil, err
	}
	return lk, nil
}

// settle brings the fences of a majority up to that of the lock.
func (lk *QuorumLock) settle(ctx context.Context) error {
	return lk.quorum.verdict(ctx, lk.quorum.each(ctx, func(ctx context.Context, i int) (int64, error) {
		l := lk.locks[i]
		key, fence := l.locker.keys(l.name)
		return 0, l.whileHeld(raise.Run(ctx, l.locker.rdb, []string{key, fence}, l.token, lk.Fence))
	}))
}

// Acquire is Try, again and again until it succeeds or ctx ends; servers that do not answer now may later.
func (q *Quorum) Acquire(ctx context.Context, name string, ttl time.Duration) (*QuorumLock, error) {
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		lk, err := q.Try(ctx, name, ttl)
		if err == nil || !errors.Is(err, ErrHeld) && !errors.Is(err, ErrNoQuorum) && !errors.Is(err, ErrLost) {
			return lk, err
		}
		// Those who took two servers each must not meet again: pauses differ more than those for one server.
		timer := time.NewTimer(pause/4 + mrand.N(pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("lock: %w while waiting: %w", ctx.Err(), err)
		}
	}
}

// Until is when the lock ends by this process's clock, unless it is extended.
func (lk *QuorumLock) Until() time.Time {
	lk.mu.Lock()
	defer lk.mu.Unlock()
	return lk.until
}

// Held says whether the lock has not ended by this process's clock. That was so when it was asked; what follows may be later.
func (lk *QuorumLock) Held() bool { return time.Now().Before(lk.Until()) }

// Extend lets the lock end ttl from now on. ErrLost says that a majority does not hold it any more, ErrNoQuorum that too few answered to
// know: it then lasts until Until.
func (lk *QuorumLock) Extend(ctx context.Context, ttl time.Duration) error {
	if err := check(lk.locks[0].name, ttl); err != nil {
		return err
	}
	if !lk.Held() {
		return ErrLost
	}
	asked := time.Now()
	answers := lk.quorum.each(ctx, func(ctx context.Context, i int) (int64, error) {
		return 0, lk.locks[i].Extend(ctx, ttl)
	})
	if err := lk.quorum.verdict(ctx, answers); err != nil {
		return err
	}
	lk.mu.Lock()
	defer lk.mu.Unlock()
	if lk.until = asked.Add(ttl - drift(ttl)); !time.Now().Before(lk.until) {
		return ErrLost
	}
	return nil
}

// Release gives the lock back. ErrLost says that it had ended before; what cannot be reached ends by itself.
func (lk *QuorumLock) Release(ctx context.Context) error {
	lk.mu.Lock()
	lk.until = time.Time{}
	lk.mu.Unlock()
	return lk.quorum.verdict(ctx, lk.release(ctx))
}

func (lk *QuorumLock) release(ctx context.Context) []answer {
	return lk.quorum.each(ctx, func(ctx context.Context, i int) (int64, error) {
		return 0, lk.locks[i].Release(ctx)
	})
}

// drift is what is taken off a time to live because clocks run at different rates, and servers count in milliseconds.
func drift(ttl time.Duration) time.Duration { return ttl/100 + 2*time.Millisecond }

// answer is what one server said; its fence is of use to Try alone.
type answer struct {
	server int
	fence  int64
	err    error
}

// each asks all servers at once, and returns what each said. Who has not answered in time has said errSilent: a client may
// wait longer than its context lasts, so it is left behind.
func (q *Quorum) each(ctx context.Context, ask func(ctx context.Context, i int) (fence int64, err error)) []answer {
	ctx, cancel := context.WithTimeout(ctx, q.patience)
	defer cancel()
	answers := make([]answer, len(q.lockers))
	come := make(chan answer, len(q.lockers))
	for i := range q.lockers {
		answers[i] = answer{i, 0, errSilent}
		go func() {
			fence, err := ask(ctx, i)
			come <- answer{i, fence, err}
		}()
	}
	for range q.lockers {
		select {
		case a := <-come:
			answers[a.server] = a
		case <-ctx.Done():
			return answers
		}
	}
	return answers
}

// verdict is nil if a majority agreed; ErrHeld or ErrLost if those who could still agree are too few, as a server said; else ErrNoQuorum.
func (q *Quorum) verdict(ctx context.Context, answers []answer) error {
	agreed, refused := 0, 0
	var refusal error
	var errs []error
	for _, a := range answers {
		errs = append(errs, a.err)
		switch {
		case a.err == nil:
			agreed++
		case errors.Is(a.err, ErrHeld), errors.Is(a.err, ErrLost):
			refused++
			refusal = a.err
		}
	}
	switch {
	case agreed >= q.majority:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("lock: %w", ctx.Err())
	case agreed+refused < q.majority:
		return fmt.Errorf("%w: %w", ErrNoQuorum, errors.Join(errs...))
	default:
		return refusal
	}
}
