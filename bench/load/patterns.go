package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
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
}

// scripts are the commands of patterns that decide in the server.
var scripts = []string{"EVAL", "EVALSHA"}

// A starter prepares a pattern for clients concurrent callers and returns one operation, which client number c repeats,
// and what to do at the end.
type starter func(ctx context.Context, rdb *redis.Client, clients int) (op operation, stop func() error, err error)

type operation = func(ctx context.Context, c int, rnd *rand.Rand) error

// Patterns are all patterns, in the order of the table.
var Patterns = []Pattern{
	{"ratelimit", "count a request of one of 10 000 addresses, 60 a minute", limiting(ratelimit.NewFixedWindow), nil},
	{"ratelimit-log", "the same by a sliding log", limiting(ratelimit.NewSlidingLog), scripts},
	{"ratelimit-gcra", "the same by GCRA", limiting(limitGCRA), scripts},
	{"profile", "read one of 10 000 cached profiles, 1 in 20 an update", startProfile, scripts},
	{"leaderboard", "like one of 10 000 posts, 1 in 10 a read of the top ten", startLeaderboard, nil},
	{rankingName, "the same with a million users, points for one, 1 in 10 a read of who is around one", ranking(DefaultUsers), scripts},
	{"likes", "like one of 10 000 posts once per user, 1 in 20 a read of the top ten of a week", startLikes, scripts},
	{"taskqueue", "push a task and wait until one of 8 workers has done it", startTaskQueue, nil},
	{"taskqueue-reliable", "the same by a queue that loses no task with a worker", startReliable, append([]string{"BLMOVE"}, scripts...)},
	{"eventstream", "publish an event and wait until one of 8 workers of a group has handled it", startEventStream, append(ConsumeCommands, "XAUTOCLAIM")},
	{"broadcast", "publish and wait until each of 8 listeners has it", startBroadcast, nil},
	{"lock", "take and give back one of 1000 locks", startLock, scripts},
	{"schedule", "add a job that is due at once and wait until one of 8 workers has done it", startSchedule, scripts},
	{"shortener", "follow and count one of 1000 short links, 1 in 20 a new one", startShortener, scripts},
	{"flags", "decide about one of 100 flags in one process, 1 in 10 a change", startFlags, scripts},
	{"presence", "a user's heartbeat, 1 in 5 a look at friends online", startPresence, scripts},
	{"session", "a request's session, 1 in 20 a new id, 1 in 20 a one-time token", startSession, scripts},
	{"transfer", "move an amount between two of 1000 accounts", startTransfer, nil},
}

const (
	taskWorkers  = 8
	listeners    = 8
	patternItems = 10_000
	accounts     = 1000
	locks        = 1000
)

// RunPattern is PreparePattern and Run in one.
func RunPattern(ctx context.Context, addr string, p Pattern, clients int, d time.Duration) (*Result, error) {
	r, err := PreparePattern(ctx, addr, p, clients)
	if err != nil {
		return nil, err
	}
	return r.Run(d)
}

// PatternRun is a pattern whose data are in the server and whose workers wait. It must be Run, once.
type PatternRun struct {
	name    string
	clients int
	ctx     context.Context
	cancel  context.CancelFunc
	rdb     *redis.Client
	op      operation
	stop    func() error
}

// PreparePattern makes p ready to be run by clients goroutines until ctx ends. The server should be empty before.
func PreparePattern(ctx context.Context, addr string, p Pattern, clients int) (*PatternRun, error) {
	r := &PatternRun{name: p.Name, clients: clients, rdb: newClient(addr, clients+taskWorkers+listeners)}
	r.ctx, r.cancel = context.WithCancel(ctx)
	var err error
	if r.op, r.stop, err = p.start(r.ctx, r.rdb, clients); err != nil {
		r.cancel()
		return nil, fmt.Errorf("%s: %w", p.Name, errors.Join(err, r.rdb.Close()))
	}
	return r, nil
}

// Run repeats the pattern's operation for d. The server should be emptied after.
func (r *PatternRun) Run(d time.Duration) (*Result, error) {
	defer r.rdb.Close()
	defer r.cancel()
	ctx, cancel, clients, op := r.ctx, r.cancel, r.clients, r.op
	results := make([]Result, clients)
	errs := make([]error, clients)
	var wg sync.WaitGroup
	begin := time.Now()
	deadline := begin.Add(d)
	for c := range clients {
		rnd := rand.New(rand.NewPCG(uint64(c), 5))
		wg.Go(func() {
			r := &results[c]
			for now := time.Now(); now.Before(deadline); {
				if errs[c] = op(ctx, c, rnd); errs[c] != nil {
					cancel()
					return
				}
				done := time.Now()
				r.Lat.Record(done.Sub(now), 1)
				r.Requests++
				now = done
			}
		})
	}
	wg.Wait()
	total := &Result{Elapsed: time.Since(begin)}
	for i := range results {
		total.merge(&results[i])
	}
	if err := errors.Join(firstCause(errs), r.stop()); err != nil {
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	return total, nil
}

func nothing() error { return nil }

func limiting(make func(redis.UniversalClient, string, int, time.Duration) (ratelimit.Limiter, error)) starter {
	return func(_ context.Context, rdb *redis.Client, _ int) (operation, func() error, error) {
		l, err := make(rdb, "rate:", 60, time.Minute)
		return func(ctx context.Context, _ int, rnd *rand.Rand) error {
			_, err := l.Allow(ctx, strconv.Itoa(rnd.IntN(patternItems)))
			return err
		}, nothing, err
	}
}

func limitGCRA(rdb redis.UniversalClient, prefix string, limit int, window time.Duration) (ratelimit.Limiter, error) {
	return ratelimit.NewGCRA(rdb, prefix, limit, window, limit)
}

func startProfile(ctx context.Context, rdb *redis.Client, _ int) (operation, func() error, error) {
	db := profile.NewMemory()
	p := profile.Profile{"name": "Ann Example", "city": "Oslo", "lang": "no", "plan": "pro", "bio": strings.Repeat("b", 100)}
	for i := range patternItems {
		if err := db.Save(ctx, strconv.Itoa(i), p); err != nil {
			return nil, nil, err
		}
	}
	c, err := profile.New(rdb, db, "profile:", profile.Options{TTL: time.Minute})
	return func(ctx context.Context, _ int, rnd *rand.Rand) error {
		id := strconv.Itoa(rnd.IntN(patternItems))
		if rnd.IntN(20) == 0 {
			return c.Update(ctx, id, p)
		}
		_, err := c.Get(ctx, id)
		return err
	}, nothing, err
}

func startLeaderboard(_ context.Context, rdb *redis.Client, _ int) (operation, func() error, error) {
	b := leaderboard.New(rdb, "board")
	return func(ctx context.Context, _ int, rnd *rand.Rand) error {
		if rnd.IntN(10) == 0 {
			_, err := b.Top(ctx, 10)
			return err
		}
		_, err := b.Add(ctx, "post:"+strconv.Itoa(rnd.IntN(patternItems)), 1)
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

func startTaskQueue(ctx context.Context, rdb *redis.Client, clients int) (operation, func() error, error) {
	q := taskqueue.New(rdb, "tasks")
	done := signals(clients)
	wctx, cancel := context.WithCancel(ctx)
	errs := make([]error, taskWorkers)
	var wg sync.WaitGroup
	for w := range taskWorkers {
		wg.Go(func() {
			errs[w] = q.Work(wctx, func(_ context.Context, task string) error {
				c, err := strconv.Atoi(task)
				if err != nil || c < 0 || c >= clients {
					return fmt.Errorf("foreign task %q", task)
				}
				done[c] <- struct{}{}
				return nil
			})
		})
	}
	op := func(ctx context.Context, c int, _ *rand.Rand) error {
		if err := q.Push(ctx, strconv.Itoa(c)); err != nil {
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

func startEventStream(ctx context.Context, rdb *redis.Client, clients int) (operation, func() error, error) {
	s, err := eventstream.New(rdb, "events", eventstream.Retention{MaxLen: patternItems})
	if err != nil {
		return nil, nil, err
	}
	g, err := s.Group(ctx, "workers", eventstream.GroupOptions{Lease: time.Minute})
	if err != nil {
		return nil, nil, err
	}
	done := signals(clients)
	wctx, cancel := context.WithCancel(ctx)
	errs := make([]error, taskWorkers)
	var wg sync.WaitGroup
	for w := range taskWorkers {
		wg.Go(func() {
			errs[w] = g.Work(wctx, strconv.Itoa(w), func(_ context.Context, e eventstream.Event) error {
				if c, err := strconv.Atoi(e.Fields["client"]); err == nil && c >= 0 && c < clients {
					done[c] <- struct{}{}
				}
				return nil
			})
		})
	}
	op := func(ctx context.Context, c int, _ *rand.Rand) error {
		if _, err := s.Publish(ctx, "client", strconv.Itoa(c), "action", "liked"); err != nil {
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

func startBroadcast(ctx context.Context, rdb *redis.Client, clients int) (operation, func() error, error) {
	done := signals(clients)
	heard := make([]atomic.Int64, clients) // how many listeners have each client's current message
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
				c, err := strconv.Atoi(msg)
				if err != nil || c < 0 || c >= clients {
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
		if _, err := broadcast.Publish(ctx, rdb, "news", strconv.Itoa(c)); err != nil {
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

func startLock(_ context.Context, rdb *redis.Client, _ int) (operation, func() error, error) {
	l := lock.New(rdb, "lock:")
	return func(ctx context.Context, _ int, rnd *rand.Rand) error {
		lk, err := l.Acquire(ctx, strconv.Itoa(rnd.IntN(locks)), time.Minute)
		if err != nil {
			return err
		}
		return lk.Release(ctx)
	}, nothing, nil
}

func startSchedule(ctx context.Context, rdb *redis.Client, clients int) (operation, func() error, error) {
	q := schedule.New(rdb, "jobs")
	done := signals(clients)
	added := make([]int, clients) // how many jobs each client has added; ids are not used twice
	wctx, cancel := context.WithCancel(ctx)
	errs := make([]error, taskWorkers)
	var wg sync.WaitGroup
	for w := range taskWorkers {
		wg.Go(func() {
			errs[w] = q.Work(wctx, time.Minute, func(_ context.Context, j *schedule.Job) error {
				if c, err := strconv.Atoi(j.Payload); err == nil && c >= 0 && c < clients {
					done[c] <- struct{}{}
				}
				return nil
			})
		})
	}
	op := func(ctx context.Context, c int, _ *rand.Rand) error {
		added[c]++
		client := strconv.Itoa(c)
		if err := q.In(ctx, client+":"+strconv.Itoa(added[c]), client, 0); err != nil {
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

func startTransfer(ctx context.Context, rdb *redis.Client, _ int) (operation, func() error, error) {
	b := transfer.New(rdb, "acct:")
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
		if sum != accounts*1000 {
			return fmt.Errorf("the sum of all accounts became %d", sum)
		}
		return nil
	}
	return op, stop, nil
}
