package compat

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-redsync/redsync/v4"
	redsyncredis "github.com/go-redsync/redsync/v4/redis"
	"github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/redis/go-redis/v9"
)

func TestRedsync(t *testing.T) {
	t.Parallel()
	forProtocols(t, func(t *testing.T, rdb *redis.Client) {
		rs := redsync.New(goredis.NewPool(rdb))
		name := unique(t)
		m := rs.NewMutex(name, redsync.WithExpiry(time.Hour))
		if err := m.Lock(); err != nil {
			t.Fatal(err)
		}
		if v, err := rdb.Get(context.Background(), name).Result(); err != nil || v != m.Value() || v == "" {
			t.Errorf("the key holds %q, %v; the mutex says %q", v, err, m.Value())
		}
		if d := time.Until(m.Until()); !near(d, time.Hour) {
			t.Errorf("valid for %v", d)
		}
		var taken *redsync.ErrTaken
		if err := rs.NewMutex(name).TryLock(); !errors.As(err, &taken) {
			t.Errorf("locked twice: %v", err)
		}
		if ok, err := m.Unlock(); !ok || err != nil {
			t.Errorf("%v, %v", ok, err)
		}
		if ok, err := m.Unlock(); ok || !errors.Is(err, redsync.ErrLockAlreadyExpired) {
			t.Errorf("unlocked twice: %v, %v", ok, err)
		}
		if err := rs.NewMutex(name).TryLock(); err != nil {
			t.Errorf("after it was unlocked: %v", err)
		}
	})
}

func TestRedsyncExtends(t *testing.T) {
	t.Parallel()
	rdb := client(t)
	ctx := context.Background()
	rs := redsync.New(goredis.NewPool(rdb))
	name := unique(t)
	m := rs.NewMutex(name, redsync.WithExpiry(time.Hour))
	if err := m.Lock(); err != nil {
		t.Fatal(err)
	}
	if err := rdb.Expire(ctx, name, time.Minute).Err(); err != nil { // as if most of the hour had passed
		t.Fatal(err)
	}
	if ok, err := m.Extend(); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	if ttl, err := rdb.PTTL(ctx, name).Result(); err != nil || !near(ttl, time.Hour) {
		t.Errorf("%v left, %v", ttl, err)
	}
	// The lock ends, and another takes it.
	if err := rdb.Del(ctx, name).Err(); err != nil {
		t.Fatal(err)
	}
	if ok, err := m.Extend(); ok || err == nil {
		t.Errorf("extending what has ended: %v, %v", ok, err)
	}
	again := rs.NewMutex(name, redsync.WithExpiry(time.Hour), redsync.WithSetNXOnExtend(), redsync.WithValue(m.Value()))
	if ok, err := again.Extend(); !ok || err != nil {
		t.Errorf("extending anew: %v, %v", ok, err)
	}
	if err := rdb.Set(ctx, name, "another's", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	if ok, err := again.Extend(); ok || err == nil {
		t.Errorf("extending what is another's: %v, %v", ok, err)
	}
	if ok, err := again.Unlock(); ok || err == nil {
		t.Errorf("unlocking what is another's: %v, %v", ok, err)
	}
	if v, err := rdb.Get(ctx, name).Result(); err != nil || v != "another's" {
		t.Errorf("the key holds %q, %v", v, err)
	}
}

// Whoever knows the value may unlock, as in another process.
func TestRedsyncHandsOver(t *testing.T) {
	t.Parallel()
	rdb := client(t)
	rs := redsync.New(goredis.NewPool(rdb))
	name := unique(t)
	m := rs.NewMutex(name)
	if err := m.Lock(); err != nil {
		t.Fatal(err)
	}
	if ok, err := rs.NewMutex(name, redsync.WithValue(m.Value())).Unlock(); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

func TestRedsyncPassesOnWhatHasEnded(t *testing.T) {
	t.Parallel()
	rdb := client(t)
	rs := redsync.New(goredis.NewPool(rdb))
	name := unique(t)
	// The time-out of a request is a part of the expiry, so that is not short on a busy machine.
	const expiry = 400 * time.Millisecond
	m := rs.NewMutex(name, redsync.WithExpiry(expiry), redsync.WithTimeoutFactor(0.9))
	begin := time.Now()
	if err := m.Lock(); err != nil {
		t.Fatal(err)
	}
	next := rs.NewMutex(name, redsync.WithRetryDelay(5*time.Millisecond), redsync.WithTries(1000))
	if err := next.Lock(); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(begin); d < expiry-time.Millisecond {
		t.Errorf("passed on after %v", d)
	}
	if ok, err := m.Unlock(); ok || err == nil {
		t.Errorf("unlocking what is another's: %v, %v", ok, err)
	}
	if ok, err := next.Unlock(); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

func TestRedsyncHasOneHolder(t *testing.T) {
	t.Parallel()
	rdb := client(t)
	rs := redsync.New(goredis.NewPool(rdb))
	name := unique(t)
	var holders, turns atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				m := rs.NewMutex(name, redsync.WithExpiry(time.Minute), redsync.WithRetryDelay(time.Millisecond), redsync.WithTries(100_000))
				if err := m.Lock(); err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d holders", n)
				}
				turns.Add(1)
				holders.Add(-1)
				if ok, err := m.Unlock(); !ok || err != nil {
					t.Errorf("%v, %v", ok, err)
				}
			}
		})
	}
	wg.Wait()
	if turns.Load() != 40 {
		t.Errorf("%d turns, want 40", turns.Load())
	}
}

// Redlock: a majority of five servers is enough, and needed.
func TestRedsyncOverFiveServers(t *testing.T) {
	t.Parallel()
	all := nodes(t, 5)
	var pools []redsyncredis.Pool
	for _, n := range all {
		pools = append(pools, goredis.NewPool(n.rdb))
	}
	rs := redsync.New(pools...)
	name := unique(t)
	options := []redsync.Option{redsync.WithExpiry(time.Minute), redsync.WithTries(1)}
	m := rs.NewMutex(name, options...)
	if err := m.Lock(); err != nil {
		t.Fatal(err)
	}
	for i, n := range all {
		if v, err := n.rdb.Get(context.Background(), name).Result(); err != nil || v != m.Value() {
			t.Errorf("server %d holds %q, %v", i, v, err)
		}
	}
	all[0].kill()
	var taken *redsync.ErrTaken
	if err := rs.NewMutex(name, options...).Lock(); !errors.As(err, &taken) || len(taken.Nodes) != 4 {
		t.Errorf("locked twice with one server killed: %v", err)
	}
	if ok, err := m.Extend(); !ok || err != nil {
		t.Errorf("extending with one server killed: %v, %v", ok, err)
	}
	if ok, err := m.Unlock(); !ok || err != nil {
		t.Errorf("unlocking with one server killed: %v, %v", ok, err)
	}
	all[1].kill()
	if err := m.Lock(); err != nil {
		t.Errorf("with two servers killed: %v", err)
	}
	if ok, err := m.Unlock(); !ok || err != nil {
		t.Errorf("unlocking with two servers killed: %v, %v", ok, err)
	}
	all[2].kill()
	if err := rs.NewMutex(name, options...).Lock(); err == nil {
		t.Error("a minority gave the lock")
	}
	// What the minority took is given back at once.
	for i, n := range all[3:] {
		if exists, err := n.rdb.Exists(context.Background(), name).Result(); err != nil || exists != 0 {
			t.Errorf("server %d: %d keys left, %v", i+3, exists, err)
		}
	}
}
