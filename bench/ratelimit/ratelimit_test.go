package ratelimit_test

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/streampulse/pulse/bench/internal/benchtest"
	"github.com/streampulse/pulse/bench/ratelimit"
)

func TestSixtyFirstIsRefusedWithHundredClients(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	ctx := context.Background()
	const clients, each, limit = 100, 3, 60
	l, err := ratelimit.New(rdb, prefix, limit, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, ip := range []string{"192.0.2.1", "2001:db8::1"} {
		var allowed, refused atomic.Int64
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range clients {
			wg.Go(func() {
				<-start
				for range each {
					d, err := l.Allow(ctx, ip)
					switch {
					case err != nil:
						t.Error(err)
					case d.Allowed:
						allowed.Add(1)
					default:
						refused.Add(1)
						if d.Remaining != 0 || d.Reset <= 0 || d.Reset > time.Minute {
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
}

func TestCountsDownAndForgets(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	ctx := context.Background()
	l, err := ratelimit.New(rdb, prefix, 3, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		for i, want := range []int64{2, 1, 0, 0} {
			d, err := l.Allow(ctx, "u")
			if err != nil {
				t.Fatal(err)
			}
			if d.Remaining != want || d.Allowed != (i < 3) {
				t.Errorf("round %d request %d: %+v", round, i+1, d)
			}
			if d.Reset <= 0 || d.Reset > 10*time.Second {
				t.Errorf("round %d request %d: window ends in %v", round, i+1, d.Reset)
			}
		}
		if err := l.Forget(ctx, "u"); err != nil {
			t.Fatal(err)
		}
	}
}

// A refused request must not lengthen the window, or a persistent caller would never be let in again.
func TestWindowIsNotLengthened(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	ctx := context.Background()
	l, err := ratelimit.New(rdb, prefix, 1, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Allow(ctx, "u"); err != nil {
		t.Fatal(err)
	}
	if err := rdb.PExpire(ctx, prefix+"u", 30*time.Second).Err(); err != nil {
		t.Fatal(err)
	}
	d, err := l.Allow(ctx, "u")
	if err != nil {
		t.Fatal(err)
	}
	if d.Allowed || d.Reset > 30*time.Second {
		t.Errorf("second request: %+v, want refused with at most 30s left", d)
	}
}

func TestErrorIsNotADecision(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	ctx := context.Background()
	l, err := ratelimit.New(rdb, prefix, 5, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := rdb.LPush(ctx, prefix+"u", "not a counter").Err(); err != nil {
		t.Fatal(err)
	}
	if d, err := l.Allow(ctx, "u"); err == nil || d.Allowed {
		t.Errorf("got %+v, %v; want an error and no permission", d, err)
	}
}

func TestNewRefusesNonsense(t *testing.T) {
	for _, c := range []struct {
		limit  int
		window time.Duration
	}{{0, time.Minute}, {-1, time.Minute}, {1, 0}, {1, time.Millisecond}, {1, 1500 * time.Millisecond}} {
		if _, err := ratelimit.New(nil, "", c.limit, c.window); err == nil {
			t.Errorf("New(%s, %v) passed", strconv.Itoa(c.limit), c.window)
		}
	}
}
