package ratelimit_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/internal/benchtest"
	"github.com/streampulse/pulse/bench/ratelimit"
)

// kinds are the limiters that admit limit requests at once and no more within much less than the window.
var kinds = []struct {
	name string
	make func(rdb redis.UniversalClient, prefix string, limit int, window time.Duration) (ratelimit.Limiter, error)
}{
	{"FixedWindow", ratelimit.NewFixedWindow},
	{"SlidingLog", ratelimit.NewSlidingLog},
	{"SlidingCounter", ratelimit.NewSlidingCounter},
	{"TokenBucket", func(rdb redis.UniversalClient, prefix string, limit int, window time.Duration) (ratelimit.Limiter, error) {
		return ratelimit.NewTokenBucket(rdb, prefix, limit, window, limit)
	}},
	{"GCRA", func(rdb redis.UniversalClient, prefix string, limit int, window time.Duration) (ratelimit.Limiter, error) {
		return ratelimit.NewGCRA(rdb, prefix, limit, window, limit)
	}},
}

// forKinds runs a test for each kind, with keys of its own.
func forKinds(t *testing.T, limit int, window time.Duration, test func(t *testing.T, rdb *redis.Client, prefix string, l ratelimit.Limiter)) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			rdb, prefix := benchtest.Client(t)
			l, err := k.make(rdb, prefix, limit, window)
			if err != nil {
				t.Fatal(err)
			}
			test(t, rdb, prefix, l)
		})
	}
}

func allow(t *testing.T, l ratelimit.Limiter, id string) ratelimit.Decision {
	t.Helper()
	d, err := l.Allow(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The windows are hours, so that nothing comes back while the test runs.
func TestSixtyFirstIsRefusedWithHundredClients(t *testing.T) {
	const clients, each, limit, window = 100, 3, 60, time.Hour
	forKinds(t, limit, window, func(t *testing.T, _ *redis.Client, _ string, l ratelimit.Limiter) {
		for _, ip := range []string{"192.0.2.1", "2001:db8::1"} {
			var allowed, refused atomic.Int64
			var wg sync.WaitGroup
			start := make(chan struct{})
			for range clients {
				wg.Go(func() {
					<-start
					for range each {
						d, err := l.Allow(context.Background(), ip)
						switch {
						case err != nil:
							t.Error(err)
						case d.Allowed:
							allowed.Add(1)
							if d.RetryAfter != 0 || d.Reset <= 0 {
								t.Errorf("permission says %+v", d)
							}
						default:
							refused.Add(1)
							if d.Remaining != 0 || d.RetryAfter <= 0 || d.RetryAfter > d.Reset || d.Reset > 2*window {
								t.Errorf("refusal says %+v", d)
							}
						}
					}
				})
			}
			close(start)
			wg.Wait()
			if allowed.Load() != limit || refused.Load() != clients*each-limit {
				t.Errorf("%s: %d allowed and %d refused, want %d and %d", ip, allowed.Load(), refused.Load(), limit, clients*each-limit)
			}
		}
	})
}

func TestCountsDownAndForgets(t *testing.T) {
	forKinds(t, 3, time.Hour, func(t *testing.T, _ *redis.Client, _ string, l ratelimit.Limiter) {
		for round := range 2 {
			for i, want := range []int64{2, 1, 0, 0} {
				d := allow(t, l, "u")
				if d.Remaining != want || d.Allowed != (i < 3) {
					t.Errorf("round %d request %d: %+v", round, i+1, d)
				}
			}
			if err := l.Forget(context.Background(), "u"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// An id that is never seen again must not stay in the server, nor be gone before it has its limit back.
func TestKeysGoWhenTheLimitIsThereAgain(t *testing.T) {
	forKinds(t, 2, 5*time.Second, func(t *testing.T, rdb *redis.Client, prefix string, l ratelimit.Limiter) {
		for range 3 {
			d := allow(t, l, "u")
			ttl, err := rdb.PTTL(context.Background(), prefix+"u").Result()
			// What has passed between the two requests is taken off here; it is not much of a window.
			if err != nil || ttl > d.Reset+3*time.Millisecond || ttl < d.Reset-4*time.Second {
				t.Errorf("the key has %v left, %v; %+v", ttl, err, d)
			}
		}
	})
}

func TestWhoWaitsAsToldMayPass(t *testing.T) {
	t.Parallel()
	for _, k := range kinds[1:] { // FixedWindow has whole seconds
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			rdb, prefix := benchtest.Client(t)
			l, err := k.make(rdb, prefix, 2, 60*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				d := allow(t, l, "u")
				for d.Allowed {
					d = allow(t, l, "u")
				}
				time.Sleep(d.RetryAfter)
				if d := allow(t, l, "u"); !d.Allowed {
					t.Errorf("refused: %+v", d)
				}
			}
		})
	}
}

// A refused request must not lengthen the window, or a persistent caller would never be let in again.
func TestFixedWindowIsNotLengthened(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	l, err := ratelimit.NewFixedWindow(rdb, prefix, 1, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	allow(t, l, "u")
	if err := rdb.PExpire(context.Background(), prefix+"u", 30*time.Second).Err(); err != nil {
		t.Fatal(err)
	}
	if d := allow(t, l, "u"); d.Allowed || d.Reset > 30*time.Second {
		t.Errorf("second request: %+v, want refused with at most 30s left", d)
	}
}

// What the package comment says against fixed windows.
func TestFixedWindowAdmitsTwiceTheLimitAtItsEdge(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	const limit = 10
	l, err := ratelimit.NewFixedWindow(rdb, prefix, limit, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	admitted := 0
	for allow(t, l, "u").Allowed {
		admitted++
	}
	if err := rdb.PExpire(context.Background(), prefix+"u", 30*time.Millisecond).Err(); err != nil { // as if most of it had passed
		t.Fatal(err)
	}
	for begin := time.Now(); !allow(t, l, "u").Allowed; {
		if time.Since(begin) > 10*time.Second {
			t.Fatal("the window has no edge")
		}
	}
	for admitted++; allow(t, l, "u").Allowed; {
		admitted++
	}
	if admitted != 2*limit {
		t.Errorf("%d admitted around the edge, want %d", admitted, 2*limit)
	}
}

// A request sent again because its reply was lost is the same entry.
func TestSlidingLogKnowsARequestSentTwice(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	ctx := context.Background()
	for i := range 5 {
		r, err := ratelimit.SlidingLogScript.Run(ctx, rdb, []string{prefix + "u"}, 3, time.Minute.Microseconds(), "one and the same").Int64Slice()
		if err != nil || r[0] != 1 {
			t.Fatalf("time %d: %v, %v", i, r, err)
		}
	}
	if n, err := rdb.ZCard(ctx, prefix+"u").Result(); err != nil || n != 1 {
		t.Errorf("%d entries, %v", n, err)
	}
}

func TestErrorIsNotADecision(t *testing.T) {
	forKinds(t, 5, time.Minute, func(t *testing.T, rdb *redis.Client, prefix string, l ratelimit.Limiter) {
		ctx := context.Background()
		if err := rdb.LPush(ctx, prefix+"u", "not a counter").Err(); err != nil {
			t.Fatal(err)
		}
		if d, err := l.Allow(ctx, "u"); err == nil || d.Allowed {
			t.Errorf("got %+v, %v; want an error and no permission", d, err)
		}
		for _, id := range []string{"", strings.Repeat("x", 513)} {
			if d, err := l.Allow(ctx, id); err == nil || d.Allowed {
				t.Errorf("an id of %d bytes: %+v", len(id), d)
			}
			if err := l.Forget(ctx, id); err == nil {
				t.Errorf("an id of %d bytes can be forgotten", len(id))
			}
		}
		if d := allow(t, l, strings.Repeat("\x00", 512)); !d.Allowed {
			t.Errorf("an id of 512 zeros: %+v", d)
		}
	})
}

func TestNonsenseIsRefused(t *testing.T) {
	const century = 100 * 365 * 24 * time.Hour
	for _, k := range kinds {
		for _, c := range []struct {
			limit  int
			window time.Duration
		}{{0, time.Minute}, {-1, time.Minute}, {1, 0}, {1, -time.Second}, {1, time.Microsecond}, {1, 1500 * time.Microsecond}} {
			if _, err := k.make(nil, "", c.limit, c.window); err == nil {
				t.Errorf("%s of %d in %v passed", k.name, c.limit, c.window)
			}
		}
		if _, err := k.make(nil, "", 1_000_000, century); err == nil && k.name != "FixedWindow" {
			t.Errorf("%s of a million in a century passed", k.name)
		}
		if _, err := k.make(nil, "", 1_000_000, time.Second); err != nil {
			t.Errorf("%s of a million a second: %v", k.name, err)
		}
	}
	for _, burst := range []int{0, -1, 1 << 62} {
		if _, err := ratelimit.NewGCRA(nil, "", 1, time.Second, burst); err == nil {
			t.Errorf("burst %d passed", burst)
		}
	}
}
