package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// fixedWindow is one MULTI of INCR, EXPIRE NX and PTTL on a counter per id. INCR makes the count exact, and EXPIRE NX
// inside the same transaction means that no crash can leave a counter that never expires.
type fixedWindow struct {
	rdb    redis.UniversalClient
	prefix string
	limit  int64
	window time.Duration
}

// NewFixedWindow returns a limiter of limit requests per window, which is a whole number of seconds. The window of an id
// opens with its first request and ends window later; of the requests within it exactly the first limit are allowed.
func NewFixedWindow(rdb redis.UniversalClient, prefix string, limit int, window time.Duration) (Limiter, error) {
	if limit < 1 {
		return nil, errors.New("ratelimit: limit must be at least 1")
	}
	if window < time.Second || window%time.Second != 0 {
		return nil, errors.New("ratelimit: window must be a whole number of seconds")
	}
	return &fixedWindow{rdb: rdb, prefix: prefix, limit: int64(limit), window: window}, nil
}

func (l *fixedWindow) Allow(ctx context.Context, id string) (Decision, error) {
	if err := checkID(id); err != nil {
		return Decision{}, err
	}
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
	d := Decision{
		Allowed:   count.Val() <= l.limit,
		Remaining: max(0, l.limit-count.Val()),
		Reset:     max(0, ttl.Val()),
	}
	if !d.Allowed {
		d.RetryAfter = d.Reset
	}
	return d, nil
}

func (l *fixedWindow) Forget(ctx context.Context, id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	return forget(ctx, l.rdb, l.prefix+id)
}
