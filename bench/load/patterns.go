package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/broadcast"
	"github.com/streampulse/pulse/bench/eventstream"
	"github.com/streampulse/pulse/bench/leaderboard"
	"github.com/streampulse/pulse/bench/lock"
	"github.com/streampulse/pulse/bench/profile"
	"github.com/streampulse/pulse/bench/ratelimit"
	"github.com/streampulse/pulse/bench/schedule"
	"github.com/streampulse/pulse/bench/taskqueue"
	"github.com/streampulse/pulse/bench/transfer"
)

// Pattern is one of the product's uses of the server, driven through its package and go-redis.
type Pattern struct {
	Name  string
	Does  string // what one operation is
	start starter

	Commands []string // that not every server knows

	Usual Sizes // how much data it works on unless Sized says otherwise; a dimension that it does not have is zero
	most  int   // bytes of payload that its package takes; zero: as many as anybody may ask for
	set   Sizes
}

// scripts are the commands of patterns that decide in the server.
var scripts = []string{"EVAL", "EVALSHA"}

// A starter prepares a pattern for the callers that s says and returns one operation, which client number c repeats,
// and what to do at the end.
type starter func(ctx context.Context, rdb *redis.Client, size sized) (op operation, stop func() error, err error)

type operation = func(ctx context.Context, c int, rnd *rand.Rand) error

// Patterns are all patterns, in the order of the table.
var Patterns = []Pattern{
	{Name: "ratelimit", Does: "count a request of one of 10 000 addresses, 60 a minute", start: limiting(ratelimit.NewFixedWindow), Usual: many},
	{Name: "ratelimit-log", Does: "the same by a sliding log", start: limiting(ratelimit.NewSlidingLog), Commands: scripts, Usual: many},
	{Name: "ratelimit-counter", Does: "the same by a sliding counter", start: limiting(ratelimit.NewSlidingCounter), Commands: scripts, Usual: many},
	{Name: "ratelimit-bucket", Does: "the same by a token bucket", start: limiting(limitBucket), Commands: scripts, Usual: many},
	{Name: "ratelimit-gcra", Does: "the same by GCRA", start: limiting(limitGCRA), Commands: scripts, Usual: many},
	{Name: "profile", Does: "read one of 10 000 cached profiles, 1 in 20 an update", start: startProfile, Commands: scripts, Usual: Sizes{Users: patternItems, Payload: 100}, most: 60 << 10},
	{Name: "leaderboard", Does: "like one of 10 000 posts, 1 in 10 a read of the top ten", start: startLeaderboard, Usual: Sizes{Items: patternItems}},
	{Name: RankingPattern, Does: "the same with a million users, points for one, 1 in 10 a read of who is around one", start: startRanking, Commands: scripts, Usual: Sizes{Users: 1_000_000}},
	{Name: "likes", Does: "like one of 10 000 posts once per user, 1 in 20 a read of the top ten of a week", start: startLikes, Commands: scripts, Usual: Sizes{Users: patternItems, Items: patternItems}},
	{Name: "taskqueue", Does: "push a task and wait until one of 8 workers has done it", start: startTaskQueue, Usual: small},
	{Name: "taskqueue-reliable", Does: "the same by a queue that loses no task with a worker", start: startReliable, Commands: append([]string{"BLMOVE"}, scripts...), Usual: small},
	{Name: "eventstream", Does: "publish an event and wait until one of 8 workers of a group has handled it", start: startEventStream, Commands: append(ConsumeCommands, "XAUTOCLAIM"), Usual: small},
	{Name: "broadcast", Does: "publish and wait until each of 8 listeners has it", start: startBroadcast, Usual: small},
	{Name: "lock", Does: "take and give back one of 1000 locks", start: startLock, Commands: scripts, Usual: Sizes{Items: 1000}},
	{Name: "schedule", Does: "add a job that is due at once and wait until one of 8 workers has done it", start: startSchedule, Commands: scripts, Usual: small, most: 1 << 19},
	{Name: "shortener", Does: "follow and count one of 1000 short links, 1 in 20 a new one", start: startShortener, Commands: scripts, Usual: Sizes{Users: patternItems, Items: 1000, Payload: 16}, most: 1 << 10},
	{Name: "flags", Does: "decide about one of 100 flags in one process, 1 in 10 a change", start: startFlags, Commands: scripts, Usual: Sizes{Users: patternItems, Items: 100}},
	{Name: "presence", Does: "a user's heartbeat, 1 in 5 a look at friends online", start: startPresence, Commands: scripts, Usual: Sizes{Users: 500}},
	{Name: "session", Does: "a request's session, 1 in 20 a new id, 1 in 20 a one-time token", start: startSession, Commands: scripts, Usual: Sizes{Users: 320, Payload: 27}, most: 16 << 10},
	{Name: "transfer", Does: "move an amount between two of 1000 accounts", start: startTransfer, Usual: Sizes{Items: 1000}},
}

const (
	taskWorkers  = 8
	listeners    = 8
	patternItems = 10_000
)

// The usual sizes of several patterns.
var (
	many  = Sizes{Users: patternItems}
	small = Sizes{Payload: 8}
)

func nothing() error { return nil }

func limiting(make func(redis.UniversalClient, string, int, time.Duration) (ratelimit.Limiter, error)) starter {
	return func(_ context.Context, rdb *redis.Client, size sized) (operation, func() error, error) {
		l, err := make(rdb, "rate:", 60, time.Minute)
		return func(ctx context.Context, _ int, rnd *rand.Rand) error {
			_, err := l.Allow(ctx, strconv.Itoa(rnd.IntN(size.Users)))
			return err
		}, nothing, err
	}
}

func limitBucket(rdb redis.UniversalClient, prefix string, limit int, window time.Duration) (ratelimit.Limiter, error) {
	return ratelimit.NewTokenBucket(rdb, prefix, limit, window, limit)
}

func limitGCRA(rdb redis.UniversalClient, prefix string, limit int, window time.Duration) (ratelimit.Limiter, error) {
	return ratelimit.NewGCRA(rdb, prefix, limit, window, limit)
}

func startProfile(ctx context.Context, rdb *redis.Client, size sized) (operation, func() error, error) {
	db := profile.NewMemory()
	p := profile.Profile{"name": "Ann Example", "city": "Oslo", "lang": "no", "plan": "pro", "bio": size.filler()}
	for i := range size.Users {
		if err := db.Save(ctx, strconv.Itoa(i), p); err != nil {
			return nil, nil, err
		}
	}
	c, err := profile.New(rdb, db, "profile:", profile.Options{TTL: time.Minute})
	return func(ctx context.Context, _ int, rnd *rand.Rand) error {
		id := strconv.Itoa(rnd.IntN(size.Users))
		if rnd.IntN(20) == 0 {
			return c.Update(ctx, id, p)
		}
		_, err := c.Get(ctx, id)
		return err
	}, nothing, err
}

func startLeaderboard(_ context.Context, rdb *redis.Client, size sized) (operation, func() error, error) {
	b := leaderboard.New(rdb, "board")
	return func(ctx context.Context, _ int, rnd *rand.Rand) error {
		if rnd.IntN(10) == 0 {
			_, err := b.Top(ctx, 10)
			return err
		}
		_, err := b.Add(ctx, "post:"+strconv.Itoa(rnd.IntN(size.Items)), 1)
		return err
	}, nothing, nil
}

// await waits for a signal or the end of the run.
func await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(stallAfter):
		return errors.New("an operation was never completed")
	}
}

// signals returns a channel for each client; one that holds a signal nobody has taken yet takes no second.
func signals(n int) []chan struct{} {
	s := make([]chan struct{}, n)
	for i := range s {
		s[i] = make(chan struct{}, 1)
	}
	return s
}

func startTaskQueue(ctx context.Context, rdb *redis.Client, size sized) (operation, func() error, error) {
	q := taskqueue.New(rdb, "tasks")
	done := signals(size.clients)
	wctx, cancel := context.WithCancel(ctx)
	errs := make([]error, taskWorkers)
	var wg sync.WaitGroup
	for w := range taskWorkers {
		wg.Go(func() {
			errs[w] = q.Work(wctx, func(_ context.Context, task string) error {
				c, ok := size.client(task)
				if !ok {
					return fmt.Errorf("foreign task %q", task)
				}
				done[c] <- struct{}{}
				return nil
			})
		})
	}
	op := func(ctx context.Context, c int, _ *rand.Rand) error {
		if err := q.Push(ctx, size.tag(c)); err != nil {
			return err
		}
		return await(ctx, done[c])
	}
	stop := func() error {
		cancel()
		// One task wakes all workers: each that meets it hands it back for the next.
		err := q.Push(context.WithoutCancel(ctx), "wake")
		wg.Wait()
		return errors.Join(append(errs, err)...)
	}
	return op, stop, nil
}

func startEventStream(ctx context.Context, rdb *redis.Client, size sized) (operation, func() error, error) {
	s, err := eventstream.New(rdb, "events", eventstream.Retention{MaxLen: patternItems})
	if err != nil {
		return nil, nil, err
	}
	g, err := s.Group(ctx, "workers", eventstream.GroupOptions{Lease: time.Minute})
	if err != nil {
		return nil, nil, err
	}
	done := signals(size.clients)
	wctx, cancel := context.WithCancel(ctx)
	errs := make([]error, taskWorkers)
	var wg sync.WaitGroup
	for w := range taskWorkers {
		wg.Go(func() {
			errs[w] = g.Work(wctx, strconv.Itoa(w), func(_ context.Context, e eventstream.Event) error {
				if c, ok := size.client(e.Fields["client"]); ok {
					done[c] <- struct{}{}
				}
				return nil
			})
		})
	}
	op := func(ctx context.Context, c int, _ *rand.Rand) error {
		if _, err := s.Publish(ctx, "client", size.tag(c), "action", "liked"); err != nil {
			return err
		}
		return await(ctx, done[c])
	}
	stop := func() error {
		cancel()
		wg.Wait() // those that wait do so for a second at most
		return errors.Join(errs...)
	}
	return op, stop, nil
}

func startBroadcast(ctx context.Context, rdb *redis.Client, size sized) (operation, func() error, error) {
	done := signals(size.clients)
	heard := make([]atomic.Int64, size.clients) // how many listeners have each client's current message
	lctx, cancel := context.WithCancel(ctx)
	errs := make([]error, listeners)
	var wg sync.WaitGroup
	for n := range listeners {
		l, err := broadcast.Listen(lctx, rdb, "news")
		if err != nil {
			cancel()
			wg.Wait()
			return nil, nil, err
		}
		wg.Go(func() {
			for {
				msg, err := l.Next()
				if err != nil {
					if !errors.Is(err, broadcast.ErrClosed) {
						errs[n] = err
					}
					return
				}
				c, ok := size.client(msg)
				if !ok {
					errs[n] = fmt.Errorf("foreign message %q", msg)
					return
				}
				if heard[c].Add(1) == listeners {
					heard[c].Store(0)
					done[c] <- struct{}{}
				}
			}
		})
	}
	op := func(ctx context.Context, c int, _ *rand.Rand) error {
		if _, err := broadcast.Publish(ctx, rdb, "news", size.tag(c)); err != nil {
			return err
		}
		return await(ctx, done[c])
	}
	stop := func() error {
		cancel()
		wg.Wait()
		return errors.Join(errs...)
	}
	return op, stop, nil
}

func startLock(_ context.Context, rdb *redis.Client, size sized) (operation, func() error, error) {
	l := lock.New(rdb, "lock:")
	return func(ctx context.Context, _ int, rnd *rand.Rand) error {
		lk, err := l.Acquire(ctx, strconv.Itoa(rnd.IntN(size.Items)), time.Minute)
		if err != nil {
			return err
		}
		return lk.Release(ctx)
	}, nothing, nil
}

func startSchedule(ctx context.Context, rdb *redis.Client, size sized) (operation, func() error, error) {
	q := schedule.New(rdb, "jobs")
	done := signals(size.clients)
	added := make([]int, size.clients) // how many jobs each client has added; ids are not used twice
	wctx, cancel := context.WithCancel(ctx)
	errs := make([]error, taskWorkers)
	var wg sync.WaitGroup
	for w := range taskWorkers {
		wg.Go(func() {
			errs[w] = q.Work(wctx, time.Minute, func(_ context.Context, j *schedule.Job) error {
				if c, ok := size.client(j.Payload); ok {
					done[c] <- struct{}{}
				}
				return nil
			})
		})
	}
	op := func(ctx context.Context, c int, _ *rand.Rand) error {
		added[c]++
		if err := q.In(ctx, strconv.Itoa(c)+":"+strconv.Itoa(added[c]), size.tag(c), 0); err != nil {
			return err
		}
		return await(ctx, done[c])
	}
	stop := func() error {
		cancel()
		wg.Wait() // those that wait do so for a second at most
		return errors.Join(errs...)
	}
	return op, stop, nil
}

func startTransfer(ctx context.Context, rdb *redis.Client, size sized) (operation, func() error, error) {
	b := transfer.New(rdb, "acct:")
	accounts := max(size.Items, 2)
	for i := range accounts {
		if err := b.Open(ctx, strconv.Itoa(i), 1000); err != nil {
			return nil, nil, err
		}
	}
	op := func(ctx context.Context, _ int, rnd *rand.Rand) error {
		from := rnd.IntN(accounts)
		to := (from + 1 + rnd.IntN(accounts-1)) % accounts
		err := b.Transfer(ctx, strconv.Itoa(from), strconv.Itoa(to), 1+rnd.Int64N(50))
		if errors.Is(err, transfer.ErrInsufficient) {
			return nil
		}
		return err
	}
	stop := func() error {
		var sum int64
		for i := range accounts {
			n, err := b.Balance(context.WithoutCancel(ctx), strconv.Itoa(i))
			if err != nil {
				return err
			}
			sum += n
		}
		if sum != int64(accounts)*1000 {
			return fmt.Errorf("the sum of all accounts became %d", sum)
		}
		return nil
	}
	return op, stop, nil
}
