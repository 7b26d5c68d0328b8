package compat

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bsm/redislock"
	"github.com/redis/go-redis/v9"
)

// The library's example: obtain, look, refresh, let it end.
func TestRedisLock(t *testing.T) {
	t.Parallel()
	forProtocols(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		locker := redislock.New(rdb)
		key := unique(t)
		lock, err := locker.Obtain(ctx, key, time.Hour, nil)
		if err != nil {
			t.Fatal(err)
		}
		if ttl, err := lock.TTL(ctx); err != nil || !near(ttl, time.Hour) || lock.Key() != key || len(lock.Token()) != 22 {
			t.Errorf("%v left, %v; key %q, token %q", ttl, err, lock.Key(), lock.Token())
		}
		if other, err := locker.Obtain(ctx, key, time.Hour, nil); !errors.Is(err, redislock.ErrNotObtained) || other != nil {
			t.Errorf("obtained twice: %v", err)
		}
		if err := lock.Refresh(ctx, 2*time.Hour, nil); err != nil {
			t.Error(err)
		}
		if ttl, err := lock.TTL(ctx); err != nil || !near(ttl, 2*time.Hour) {
			t.Errorf("%v left after it was refreshed, %v", ttl, err)
		}
		if err := lock.Release(ctx); err != nil {
			t.Error(err)
		}
		if err := lock.Release(ctx); !errors.Is(err, redislock.ErrLockNotHeld) {
			t.Errorf("released twice: %v", err)
		}
		if ttl, err := lock.TTL(ctx); err != nil || ttl != 0 {
			t.Errorf("%v left after its release, %v", ttl, err)
		}
		if err := (*redislock.Lock)(nil).Release(ctx); !errors.Is(err, redislock.ErrLockNotHeld) {
			t.Errorf("releasing nothing: %v", err)
		}
	})
}

func TestRedisLockThatHasEnded(t *testing.T) {
	t.Parallel()
	rdb := client(t)
	ctx := context.Background()
	key := unique(t)
	ttl := 20 * time.Millisecond
	begin := time.Now()
	lock, err := redislock.Obtain(ctx, rdb, key, ttl, nil)
	for errors.Is(err, context.DeadlineExceeded) { // it gives the asking no more time than the lock
		ttl *= 2
		begin = time.Now()
		lock, err = redislock.Obtain(ctx, rdb, key, ttl, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	next, err := redislock.Obtain(ctx, rdb, key, time.Hour, &redislock.Options{
		RetryStrategy: redislock.ExponentialBackoff(time.Millisecond, 10*time.Millisecond),
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := time.Since(begin); d < ttl-time.Millisecond {
		t.Errorf("the lock passed on after %v", d)
	}
	if err := lock.Refresh(ctx, time.Hour, nil); !errors.Is(err, redislock.ErrNotObtained) {
		t.Errorf("refreshing what is another's: %v", err)
	}
	if err := lock.Release(ctx); !errors.Is(err, redislock.ErrLockNotHeld) {
		t.Errorf("releasing what is another's: %v", err)
	}
	if left, err := next.TTL(ctx); err != nil || !near(left, time.Hour) {
		t.Errorf("the holder has %v left, %v", left, err)
	}
}

func TestRedisLockOptions(t *testing.T) {
	t.Parallel()
	rdb := client(t)
	ctx := context.Background()
	key := unique(t)
	first, err := redislock.Obtain(ctx, rdb, key, time.Hour, &redislock.Options{Token: "token", Metadata: "of the first"})
	if err != nil {
		t.Fatal(err)
	}
	if first.Token() != "token" || first.Metadata() != "of the first" {
		t.Errorf("token %q, metadata %q", first.Token(), first.Metadata())
	}
	if v, err := rdb.Get(ctx, key).Result(); err != nil || v != "tokenof the first" {
		t.Errorf("the key holds %q, %v", v, err)
	}
	// Who brings the token has the lock, with other metadata and from now on.
	second, err := redislock.Obtain(ctx, rdb, key, time.Minute, &redislock.Options{Token: "token", Metadata: "of the second"})
	if err != nil || second.Metadata() != "of the second" {
		t.Fatalf("%v, %v", second, err)
	}
	if ttl, err := second.TTL(ctx); err != nil || !near(ttl, time.Minute) {
		t.Errorf("%v left, %v", ttl, err)
	}
	begin := time.Now()
	_, err = redislock.Obtain(ctx, rdb, key, time.Minute, &redislock.Options{
		RetryStrategy: redislock.LimitRetry(redislock.LinearBackoff(5*time.Millisecond), 3),
	})
	if d := time.Since(begin); !errors.Is(err, redislock.ErrNotObtained) || d < 15*time.Millisecond {
		t.Errorf("three more tries in %v: %v", d, err)
	}
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err = redislock.Obtain(short, rdb, key, time.Minute, &redislock.Options{RetryStrategy: redislock.LinearBackoff(time.Millisecond)})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a wait that is cut short: %v", err)
	}
}

func TestRedisLockHasOneHolder(t *testing.T) {
	t.Parallel()
	rdb := client(t)
	ctx := context.Background()
	key := unique(t)
	var holders, turns atomic.Int64
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range 5 {
				lock, err := redislock.Obtain(ctx, rdb, key, time.Minute, &redislock.Options{RetryStrategy: redislock.LinearBackoff(time.Millisecond)})
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d holders", n)
				}
				turns.Add(1)
				holders.Add(-1)
				if err := lock.Release(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if turns.Load() != 50 {
		t.Errorf("%d turns, want 50", turns.Load())
	}
}
