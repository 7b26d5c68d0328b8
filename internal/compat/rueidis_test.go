package compat

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/redis/rueidis/rueidislock"
)

// newRueidis returns a client of rueidis, which speaks RESP3 and tracks with OPTIN unless told otherwise.
func newRueidis(t *testing.T, addr string, change func(*rueidis.ClientOption)) rueidis.Client {
	t.Helper()
	o := rueidis.ClientOption{InitAddress: []string{addr}, ForceSingleClient: true}
	if change != nil {
		change(&o)
	}
	c, err := rueidis.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// within is a context that ends a test that hangs.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// Requests of many goroutines share a connection, and each gets its own reply.
func TestRueidisPipelines(t *testing.T) {
	t.Parallel()
	addr := address(t)
	for name, change := range map[string]func(*rueidis.ClientOption){
		"RESP3":  nil,
		"RESP2":  func(o *rueidis.ClientOption) { o.AlwaysRESP2, o.DisableCache = true, true },
		"always": func(o *rueidis.ClientOption) { o.AlwaysPipelining = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, ctx, prefix := newRueidis(t, addr, change), within(t), unique(t)
			var wg sync.WaitGroup
			for g := range 16 {
				wg.Go(func() {
					for i := range 50 {
						key, value := fmt.Sprint(prefix, g), strconv.Itoa(i)
						replies := c.DoMulti(ctx,
							c.B().Set().Key(key).Value(value).Build(),
							c.B().Get().Key(key).Build(),
							c.B().Lpop().Key(key).Build(), // of the wrong type
							c.B().Incr().Key(key).Build())
						if got, err := replies[1].ToString(); err != nil || got != value {
							t.Errorf("GET %s = %q, %v; want %s", key, got, err, value)
						}
						if _, ok := rueidis.IsRedisErr(replies[2].Error()); !ok {
							t.Errorf("LPOP of a string: %v", replies[2].Error())
						}
						if got, err := replies[3].AsInt64(); err != nil || got != int64(i+1) {
							t.Errorf("INCR %s = %d, %v; want %d", key, got, err, i+1)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// What is read through DoCache is kept by the client until somebody writes it, or until it expires.
func TestRueidisClientSideCaching(t *testing.T) {
	t.Parallel()
	addr := address(t)
	c, other, ctx, key := newRueidis(t, addr, nil), newRueidis(t, addr, nil), within(t), unique(t)
	read := func() (value string, cached bool) {
		t.Helper()
		r := c.DoCache(ctx, c.B().Get().Key(key).Cache(), time.Hour)
		value, err := r.ToString()
		if err != nil && !rueidis.IsRedisNil(err) {
			t.Fatal(err)
		}
		return value, r.IsCacheHit()
	}
	set := func(args ...string) {
		t.Helper()
		if err := other.Do(ctx, other.B().Arbitrary("SET").Keys(key).Args(args...).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	if v, cached := read(); v != "" || cached {
		t.Errorf("before any write: %q, cached %v", v, cached)
	}
	if _, cached := read(); !cached {
		t.Error("that there is no value is not cached")
	}
	set("1")
	await(t, "the write is seen", func() bool { v, _ := read(); return v == "1" })
	if v, cached := read(); v != "1" || !cached {
		t.Errorf("read again: %q, cached %v", v, cached)
	}
	set("2", "PX", "100")
	await(t, "the second write is seen", func() bool { v, _ := read(); return v != "1" })
	await(t, "the expiry is seen", func() bool { v, _ := read(); return v == "" })
}

// A cached entry lives no longer than the key does: rueidis asks for PTTL in the transaction that reads the value.
func TestRueidisCachedTTL(t *testing.T) {
	t.Parallel()
	c, ctx, key := newRueidis(t, address(t), nil), within(t), unique(t)
	if err := c.Do(ctx, c.B().Set().Key(key).Value("v").Ex(30*time.Second).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	replies := c.DoMultiCache(ctx,
		rueidis.CT(c.B().Get().Key(key).Cache(), time.Hour),
		rueidis.CT(c.B().Strlen().Key(key).Cache(), time.Hour),
		rueidis.CT(c.B().Get().Key(key+"none").Cache(), time.Hour))
	if v, err := replies[0].ToString(); err != nil || v != "v" {
		t.Errorf("GET = %q, %v", v, err)
	}
	if n, err := replies[1].AsInt64(); err != nil || n != 1 {
		t.Errorf("STRLEN = %d, %v", n, err)
	}
	if err := replies[2].Error(); !rueidis.IsRedisNil(err) {
		t.Errorf("GET of no key: %v", err)
	}
	for i, r := range replies[:2] {
		if ttl := r.CachePTTL(); ttl <= 0 || ttl > 30_000 {
			t.Errorf("reply %d is kept for %d ms, the key for 30 s", i, ttl)
		}
	}
}

// The invalidations come as pushes, one for each key that was read, in transactions of others, too, and for all after a flush
// of the cache.
func TestRueidisInvalidations(t *testing.T) {
	t.Parallel()
	addr, prefix := address(t), unique(t)
	gone := make(chan string, 16)
	c := newRueidis(t, addr, func(o *rueidis.ClientOption) {
		o.ClientTrackingOptions = []string{"PREFIX", prefix, "BCAST"}
		o.OnInvalidations = func(keys []rueidis.RedisMessage) {
			for _, k := range keys {
				name, _ := k.ToString()
				gone <- name
			}
		}
	})
	ctx, other := within(t), newRueidis(t, addr, nil)
	if err := c.Do(ctx, c.B().Ping().Build()).Error(); err != nil {
		t.Fatal(err)
	}
	for _, r := range other.DoMulti(ctx, other.B().Multi().Build(), other.B().Set().Key(prefix+"a").Value("1").Build(),
		other.B().Set().Key("other:"+prefix).Value("1").Build(), other.B().Set().Key(prefix+"b").Value("1").PxMilliseconds(50).Build(),
		other.B().Exec().Build()) {
		if err := r.Error(); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]int{}
	for range 3 { // b is written, and expires
		select {
		case name := <-gone:
			seen[name]++
		case <-ctx.Done():
			t.Fatalf("told of %v", seen)
		}
	}
	if seen[prefix+"a"] != 1 || seen[prefix+"b"] != 2 {
		t.Errorf("told of %v", seen)
	}
}

func newLocker(t *testing.T, addr, prefix string, change func(*rueidislock.LockerOption)) rueidislock.Locker {
	t.Helper()
	o := rueidislock.LockerOption{KeyPrefix: prefix, KeyMajority: 1,
		ClientOption: rueidis.ClientOption{InitAddress: []string{addr}, ForceSingleClient: true}}
	if change != nil {
		change(&o)
	}
	l, err := rueidislock.NewLocker(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// A lock has one holder, whatever the way in which lockers learn of its release.
func TestRueidisLock(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*rueidislock.LockerOption){
		"OPTOUT":           nil,
		"NOLOOP":           func(o *rueidislock.LockerOption) { o.NoLoopTracking = true },
		"majority of five": func(o *rueidislock.LockerOption) { o.KeyMajority = 3 },
		"without PXAT":     func(o *rueidislock.LockerOption) { o.FallbackSETPX = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, prefix, ctx := address(t), unique(t), within(t)
			lockers := []rueidislock.Locker{newLocker(t, addr, prefix, change), newLocker(t, addr, prefix, change), newLocker(t, addr, prefix, change)}
			held, release, err := lockers[0].WithContext(ctx, "l")
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range lockers {
				if _, _, err := l.TryWithContext(ctx, "l"); !errors.Is(err, rueidislock.ErrNotLocked) {
					t.Errorf("locked twice: %v", err)
				}
			}
			if held.Err() != nil {
				t.Errorf("the lock is lost: %v", held.Err())
			}
			release()
			var holders, turns atomic.Int64
			var wg sync.WaitGroup
			for i := range 9 {
				wg.Go(func() {
					for range 5 {
						_, release, err := lockers[i%3].WithContext(ctx, "l")
						if err != nil {
							t.Error(err)
							return
						}
						if n := holders.Add(1); n != 1 {
							t.Errorf("%d holders", n)
						}
						turns.Add(1)
						holders.Add(-1)
						release()
					}
				})
			}
			wg.Wait()
			if turns.Load() != 45 {
				t.Errorf("%d turns, want 45", turns.Load())
			}
		})
	}
}

// Who waits for a lock whose holder is no more gets it when the key expires: by the invalidation, since it asks for nothing
// meanwhile.
func TestRueidisLockThatHasExpired(t *testing.T) {
	t.Parallel()
	addr, prefix, ctx := address(t), unique(t), within(t)
	const validity = 300 * time.Millisecond
	c := newRueidis(t, addr, nil)
	begin := time.Now()
	if err := c.Do(ctx, c.B().Set().Key(prefix+":0:l").Value("of one who died").Px(validity).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	// Left alone, it would try again after an hour.
	l := newLocker(t, addr, prefix, func(o *rueidislock.LockerOption) { o.KeyValidity = time.Hour })
	_, release, err := l.WithContext(ctx, "l")
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	t.Logf("the waiter had the lock %v after its expiry", took-validity)
	if took < validity-5*time.Millisecond || took > 20*time.Second {
		t.Errorf("the lock was had after %v, it was held for %v", took, validity)
	}
	release()
}
