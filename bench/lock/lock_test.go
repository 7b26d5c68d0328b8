package lock_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/internal/benchtest"
	"github.com/streampulse/pulse/bench/lock"
)

func try(t *testing.T, l *lock.Locker, name string, ttl time.Duration) *lock.Lock {
	t.Helper()
	lk, err := l.Try(context.Background(), name, ttl)
	if err != nil {
		t.Fatal(err)
	}
	return lk
}

func TestTwoNeverHoldTheLock(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	l := lock.New(rdb, prefix)
	ctx := context.Background()
	const workers, each = 12, 10
	var holders, total atomic.Int64
	var fences []int64 // guarded by the lock under test
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				lk, err := l.Acquire(ctx, "ledger", time.Minute)
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d holders", n)
				}
				fences = append(fences, lk.Fence)
				total.Add(1)
				holders.Add(-1)
				if err := lk.Release(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if total.Load() != workers*each || !slices.IsSorted(fences) || len(slices.Compact(fences)) != workers*each {
		t.Errorf("%d turns with fences %v", total.Load(), fences)
	}
}

// Holders that die: the lock passes on, and no two of them ever had the same fence.
func TestLocksOfTheDeadPassOn(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	l := lock.New(rdb, prefix)
	ctx := context.Background()
	const workers, each, ttl = 4, 5, 10 * time.Millisecond
	var mu sync.Mutex
	seen := map[int64]bool{}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				lk, err := l.Acquire(ctx, "ledger", ttl)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if seen[lk.Fence] {
					t.Errorf("fence %d twice", lk.Fence)
				}
				seen[lk.Fence] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != workers*each {
		t.Errorf("%d locks, want %d", len(seen), workers*each)
	}
}

func TestWhatHasEndedIsLost(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	l := lock.New(rdb, prefix)
	ctx := context.Background()
	const ttl = 50 * time.Millisecond
	begin := time.Now()
	first := try(t, l, "ledger", ttl)
	// The server counts in milliseconds.
	if _, err := l.Try(ctx, "ledger", ttl); !errors.Is(err, lock.ErrHeld) && time.Since(begin) < ttl-time.Millisecond {
		t.Errorf("a second holder: %v", err)
	}
	second, err := l.Acquire(ctx, "ledger", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if d := time.Since(begin); d < ttl-time.Millisecond {
		t.Errorf("the lock ended after %v", d)
	}
	if second.Fence <= first.Fence {
		t.Errorf("fence %d after %d", second.Fence, first.Fence)
	}
	if err := first.Extend(ctx, time.Minute); !errors.Is(err, lock.ErrLost) {
		t.Errorf("extending what is another's: %v", err)
	}
	if err := first.Release(ctx); !errors.Is(err, lock.ErrLost) {
		t.Errorf("releasing what is another's: %v", err)
	}
	if err := second.Extend(ctx, time.Minute); err != nil {
		t.Errorf("the holder was disturbed: %v", err)
	}
	if err := second.Release(ctx); err != nil {
		t.Error(err)
	}
	for name, f := range map[string]func() error{
		"released": func() error { return second.Release(ctx) },
		"extended": func() error { return second.Extend(ctx, time.Minute) },
	} {
		if err := f(); !errors.Is(err, lock.ErrLost) {
			t.Errorf("%s after its release: %v", name, err)
		}
	}
	if n, err := rdb.Exists(ctx, prefix+"{ledger}").Result(); err != nil || n != 0 {
		t.Errorf("the key is still there: %d, %v", n, err)
	}
}

func TestExtendMovesTheEnd(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	l := lock.New(rdb, prefix)
	ctx := context.Background()
	lk := try(t, l, "ledger", 10*time.Minute)
	for _, ttl := range []time.Duration{time.Hour, time.Minute} {
		if err := lk.Extend(ctx, ttl); err != nil {
			t.Fatal(err)
		}
		if left, err := rdb.PTTL(ctx, prefix+"{ledger}").Result(); err != nil || left > ttl || left < ttl-30*time.Second {
			t.Errorf("%v left, %v; want %v", left, err, ttl)
		}
	}
}

// A holder that sleeps past its lock's end wakes up and writes as if nothing had been.
func TestPausedHolderCannotWrite(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	l := lock.New(rdb, prefix)
	g := lock.NewGuarded(rdb, prefix+"balance")
	ctx := context.Background()
	if v, fence, err := g.Read(ctx); v != "" || fence != 0 || err != nil {
		t.Errorf("before the first write: %q, %d, %v", v, fence, err)
	}
	paused := try(t, l, "ledger", 15*time.Millisecond)
	if err := g.Write(ctx, paused.Fence, "10"); err != nil {
		t.Fatal(err)
	}
	next, err := l.Acquire(ctx, "ledger", time.Minute) // the pause: it ends when another has the lock
	if err != nil {
		t.Fatal(err)
	}
	// Until the next holder has written, the old one does no harm.
	if err := g.Write(ctx, next.Fence, "20"); err != nil {
		t.Fatal(err)
	}
	if err := g.Write(ctx, paused.Fence, "11"); !errors.Is(err, lock.ErrStale) {
		t.Errorf("the old holder's write: %v", err)
	}
	if err := g.Write(ctx, next.Fence, "21"); err != nil {
		t.Errorf("the holder's second write: %v", err)
	}
	if v, fence, err := g.Read(ctx); v != "21" || fence != next.Fence || err != nil {
		t.Errorf("%q, %d, %v; want what the last holder wrote", v, fence, err)
	}
	for _, fence := range []int64{0, -1, 1<<53 + 1} {
		if err := g.Write(ctx, fence, "30"); err == nil || errors.Is(err, lock.ErrStale) {
			t.Errorf("fence %d: %v", fence, err)
		}
	}
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	l := lock.New(rdb, prefix)
	try(t, l, "ledger", time.Minute)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if lk, err := l.Acquire(ctx, "ledger", time.Minute); !errors.Is(err, context.DeadlineExceeded) || lk != nil {
		t.Errorf("%v, %v", lk, err)
	}
}

func TestRunKeepsTheLock(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	l := lock.New(rdb, prefix)
	ctx := context.Background()
	broken := errors.New("broken")
	// A process that gets no time to prolong its lock in loses it: then with twice the time, up to a limit which none can need.
	for ttl := 300 * time.Millisecond; ; ttl *= 2 {
		var second *lock.Lock
		err := l.Run(ctx, "ledger", ttl, func(ctx context.Context, fence int64) error {
			if fence < 1 {
				t.Errorf("fence %d", fence)
			}
			for begin := time.Now(); second == nil && time.Since(begin) < 2*ttl; time.Sleep(ttl / 20) {
				lk, err := l.Try(context.WithoutCancel(ctx), "ledger", time.Hour)
				if second = lk; err != nil && !errors.Is(err, lock.ErrHeld) {
					t.Error(err)
				}
			}
			return broken
		})
		lost := errors.Is(err, lock.ErrLost)
		if second == nil && !lost {
			if !errors.Is(err, broken) {
				t.Errorf("Run returned %v", err)
			}
			break
		}
		if !lost || ttl > 10*time.Second {
			t.Fatalf("with %v there was a second holder: %v; Run returned %v", ttl, second != nil, err)
		}
		if second != nil {
			if err := second.Release(ctx); err != nil {
				t.Error(err)
			}
		}
	}
	try(t, l, "ledger", time.Minute) // it was released
}

// lossyClient fails every request while broken is set.
type lossyClient struct{ broken atomic.Bool }

var errBroken = errors.New("no connection")

func (h *lossyClient) DialHook(next redis.DialHook) redis.DialHook { return next }
func (h *lossyClient) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
func (h *lossyClient) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if h.broken.Load() {
			cmd.SetErr(errBroken)
			return errBroken
		}
		return next(ctx, cmd)
	}
}

func TestRunTellsWhenTheLockIsLost(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(rdb *redis.Client, h *lossyClient, key string){
		"deleted":     func(rdb *redis.Client, _ *lossyClient, key string) { rdb.Del(context.Background(), key) },
		"unreachable": func(_ *redis.Client, h *lossyClient, _ string) { h.broken.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb, prefix := benchtest.Client(t)
			h := &lossyClient{}
			rdb.AddHook(h)
			l := lock.New(rdb, prefix)
			err := l.Run(context.Background(), "ledger", 60*time.Millisecond, func(ctx context.Context, _ int64) error {
				lose(rdb, h, prefix+"{ledger}")
				select {
				case <-ctx.Done():
				case <-time.After(10 * time.Second):
					t.Error("f was not told")
				}
				return context.Cause(ctx)
			})
			if !errors.Is(err, lock.ErrLost) {
				t.Errorf("Run returned %v", err)
			}
		})
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	l := lock.New(rdb, prefix)
	ctx := context.Background()
	for _, name := range []string{"", "}x", strings.Repeat("x", 513)} {
		if _, err := l.Try(ctx, name, time.Second); err == nil || errors.Is(err, lock.ErrHeld) {
			t.Errorf("name %.10q: %v", name, err)
		}
	}
	for _, ttl := range []time.Duration{0, -time.Second, time.Microsecond, 1 << 62} {
		if _, err := l.Acquire(ctx, "x", ttl); err == nil {
			t.Errorf("time to live %v passed", ttl)
		}
	}
	lk := try(t, l, "\r\n{}\x00\xff", time.Minute)
	if err := lk.Extend(ctx, 0); err == nil {
		t.Error("extended by nothing")
	}
	if err := lk.Release(ctx); err != nil {
		t.Error(err)
	}
	if err := rdb.LPush(ctx, prefix+"{list}", "not a lock").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Try(ctx, "list", time.Second); err == nil || errors.Is(err, lock.ErrHeld) {
		t.Errorf("a key of another type: %v", err)
	}
}
