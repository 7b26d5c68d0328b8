// Package ratelimit refuses a caller's requests beyond a fixed number per window.
//
// Contract: of the requests one id makes within one window, exactly the first Limit are allowed, however many
// processes ask at once. The window of an id opens with its first request and ends Window later; a refused request
// counts but does not lengthen it. A Limiter has no state of its own and may be used by any number of goroutines.
//
// How: one MULTI of INCR, EXPIRE NX and PTTL on one key per id. INCR makes the count exact, and EXPIRE NX inside the same
// transaction means that no crash can leave a counter that never expires. One round trip, about 60 bytes per active id.
//
// Trade-offs. A fixed window lets an id spend its limit at the end of one window and again at the start of the next, so
// up to twice Limit within a moment; a sliding window needs a sorted set or a script per id and several times the memory.
// A client that retries a request whose reply was lost counts it twice: the limiter then errs towards refusing.
// When the server cannot be reached Allow returns the error: whether to fail open or closed is the caller's decision.
//
// EXPIRE NX needs Redis 7.0 or later.
package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Limiter counts requests under keys that begin with a prefix.
type Limiter struct {
	rdb    redis.UniversalClient
	prefix string
	limit  int64
	window time.Duration
}

// Decision is the answer to one request.
type Decision struct {
	Allowed   bool
	Remaining int64         // requests left in this window, never negative
	Reset     time.Duration // until the window ends; what a Retry-After header should say when refused
}

// New returns a limiter of limit requests per window. The window is a whole number of seconds.
func New(rdb redis.UniversalClient, prefix string, limit int, window time.Duration) (*Limiter, error) {
	if limit < 1 {
		return nil, errors.New("ratelimit: limit must be at least 1")
	}
	if window < time.Second || window%time.Second != 0 {
		return nil, errors.New("ratelimit: window must be a whole number of seconds")
	}
	return &Limiter{rdb: rdb, prefix: prefix, limit: int64(limit), window: window}, nil
}

// Allow counts one request of id and says whether it may pass. On an error nothing is known about the request.
func (l *Limiter) Allow(ctx context.Context, id string) (Decision, error) {
	key := l.prefix + id
	var count *redis.IntCmd
	var ttl *redis.DurationCmd
	_, err := l.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		count = p.Incr(ctx, key)
		p.ExpireNX(ctx, key, l.window)
		ttl = p.PTTL(ctx, key)
		return nil
	})
	if err != nil {
		return Decision{}, fmt.Errorf("ratelimit: %w", err)
	}
	return Decision{
		Allowed:   count.Val() <= l.limit,
		Remaining: max(0, l.limit-count.Val()),
		Reset:     max(0, ttl.Val()),
	}, nil
}

// Forget ends the window of id at once, as for a user who has proved to be human.
func (l *Limiter) Forget(ctx context.Context, id string) error {
	if err := l.rdb.Del(ctx, l.prefix+id).Err(); err != nil {
		return fmt.Errorf("ratelimit: %w", err)
	}
	return nil
}
