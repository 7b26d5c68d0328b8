package compat

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
)

// rated is what a limiter is expected to say; RetryAfter -1 means that there is nothing to wait for.
type rated struct {
	allowed, remaining int
	retry, reset       time.Duration
}

func checkRate(t *testing.T, what string, got *redis_rate.Result, err error, want rated) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	retry := got.RetryAfter == -1 && want.retry == -1 || got.RetryAfter != -1 && want.retry != -1 && near(got.RetryAfter, want.retry)
	if got.Allowed != want.allowed || got.Remaining != want.remaining || !retry || !near(got.ResetAfter, want.reset) {
		t.Errorf("%s: %+v, want %+v", what, *got, want)
	}
}

func TestRedisRate(t *testing.T) {
	t.Parallel()
	forProtocols(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		l := redis_rate.NewLimiter(rdb)
		id := unique(t)
		limit := redis_rate.PerHour(10) // a request every six minutes
		const each = 6 * time.Minute
		all := 10 * each

		r, err := l.AllowN(ctx, id, limit, 0)
		checkRate(t, "a look before the first", r, err, rated{0, 10, -1, 0})
		r, err = l.Allow(ctx, id, limit)
		checkRate(t, "the first", r, err, rated{1, 9, -1, each})
		r, err = l.AllowN(ctx, id, limit, 2)
		checkRate(t, "two more", r, err, rated{2, 7, -1, 3 * each})
		r, err = l.AllowN(ctx, id, limit, 8)
		checkRate(t, "eight at once, all or none", r, err, rated{0, 0, each, 3 * each})
		r, err = l.AllowAtMost(ctx, id, limit, 8)
		checkRate(t, "up to eight", r, err, rated{7, 0, -1, all})
		r, err = l.AllowAtMost(ctx, id, limit, 8)
		checkRate(t, "none left", r, err, rated{0, 0, each, all})
		r, err = l.AllowN(ctx, id, limit, 0)
		checkRate(t, "a look at the end", r, err, rated{0, 0, -1, all})
		if ttl, err := rdb.PTTL(ctx, "rate:"+id).Result(); err != nil || !near(ttl, all+time.Second) {
			t.Errorf("the key lives for %v, %v", ttl, err)
		}
		if err := l.Reset(ctx, id); err != nil {
			t.Fatal(err)
		}
		r, err = l.Allow(ctx, id, limit)
		checkRate(t, "after a reset", r, err, rated{1, 9, -1, each})
	})
}

func TestRedisRateWithManyCallers(t *testing.T) {
	t.Parallel()
	rdb := client(t)
	ctx := context.Background()
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"one": rdb.Options().Addr}})
	t.Cleanup(func() { _ = ring.Close() })
	id := unique(t)
	limit := redis_rate.PerHour(25)
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for i := range 50 {
		l := redis_rate.NewLimiter(rdb)
		if i%2 == 0 {
			l = redis_rate.NewLimiter(ring)
		}
		wg.Go(func() {
			for range 4 {
				r, err := l.Allow(ctx, id, limit)
				if err != nil {
					t.Error(err)
					return
				}
				allowed.Add(int64(r.Allowed))
			}
		})
	}
	wg.Wait()
	if n := allowed.Load(); n != 25 {
		t.Errorf("%d allowed, want 25", n)
	}
}

// Fractions of a second come back as text, because a script's numbers would lose them.
func TestRedisRateGivesBackInTime(t *testing.T) {
	t.Parallel()
	rdb := client(t)
	ctx := context.Background()
	l := redis_rate.NewLimiter(rdb)
	id := unique(t)
	limit := redis_rate.Limit{Rate: 20, Burst: 1, Period: time.Second}
	for i := range 3 {
		r, err := l.Allow(ctx, id, limit)
		if err != nil || r.Allowed != 1 {
			t.Fatalf("request %d: %+v, %v", i, r, err)
		}
		for r.Allowed = 0; r.Allowed == 0; {
			if r, err = l.AllowN(ctx, id, limit, 1); err != nil {
				t.Fatal(err)
			}
			if r.Allowed == 0 {
				if r.RetryAfter <= 0 || r.RetryAfter > 50*time.Millisecond {
					t.Fatalf("request %d: %+v", i, r)
				}
				time.Sleep(r.RetryAfter)
			}
		}
		if err := l.Reset(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
}
