package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Pace says for how long and how fast a pattern's operation is repeated.
//
// Without a Rate the loop is closed: a client begins its next operation when it has the end of the last one and has thought for a while.
// With one it is open: operation n is due n/Rate seconds after the beginning, whatever became of those before it, and
// whichever client is free takes it. Latencies count from when an operation was due, so a stall is charged to all that was
// due meanwhile (a loop that began to count when it got round to sending would leave them out).
type Pace struct {
	Duration time.Duration
	Think    time.Duration // rest of a client after an operation of a closed loop
	Rate     float64       // operations per second of all clients together; zero: a closed loop
	Seed     uint64
}

// maxPatternRate is above what patterns come to.
const maxPatternRate = 1_000_000

func (p Pace) check() error {
	if p.Duration <= 0 || p.Think < 0 || !(p.Rate >= 0 && p.Rate <= maxPatternRate) || p.Rate > 0 && p.Think > 0 {
		return errors.New("load: a pace needs a duration, up to a million operations per second, and either a rate or time to think")
	}
	return nil
}

// total is how many operations an open loop has due: those at times below Duration.
func (p Pace) total() int64 {
	n := int64(p.Duration.Seconds() * p.Rate)
	if p.due(n) < p.Duration {
		n++
	}
	return n
}

// due returns when operation n is, after the beginning.
func (p Pace) due(n int64) time.Duration {
	return time.Duration(float64(n) / p.Rate * float64(time.Second))
}

// A timer is the time of one client.
type timer interface {
	Now() time.Time
	// Until returns when t has come, at once if it has, and early with an error when ctx ends.
	Until(ctx context.Context, t time.Time) error
	Close() error
}

// PatternRun is a pattern whose data are in the server and whose workers wait. It may Run several times, one at a time, and must be
// closed.
type PatternRun struct {
	name    string
	clients int
	ctx     context.Context
	cancel  context.CancelFunc
	rdb     *redis.Client
	op      operation
	stop    func() error
	failed  bool
}

// PreparePattern makes p ready to be run by clients goroutines until ctx ends. The server should be empty before.
func PreparePattern(ctx context.Context, addr string, p Pattern, clients int) (*PatternRun, error) {
	r := &PatternRun{name: p.Name, clients: clients, rdb: newClient(addr, clients+taskWorkers+listeners)}
	r.ctx, r.cancel = context.WithCancel(ctx)
	var err error
	if r.op, r.stop, err = p.start(r.ctx, r.rdb, sized{p.Sizes(), clients}); err != nil {
		r.cancel()
		return nil, fmt.Errorf("%s: %w", p.Name, errors.Join(err, r.rdb.Close()))
	}
	return r, nil
}

// Close ends the workers and checks what the pattern promised. The server should be emptied after. It gives no error of its
// own when a Run has failed.
func (r *PatternRun) Close() error {
	if r.failed {
		r.cancel()
	}
	err := r.stop()
	r.cancel()
	if closing := r.rdb.Close(); err == nil {
		err = closing
	}
	if err == nil || r.failed {
		return nil
	}
	return fmt.Errorf("%s: %w", r.name, err)
}

// Run repeats the pattern's operation. After an error the run can only be closed.
func (r *PatternRun) Run(p Pace) (*OpenResult, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	timers := make([]timer, r.clients)
	for i := range timers {
		t, err := newTimer(r.ctx)
		if err != nil {
			return nil, errors.Join(err, closeTimers(timers[:i]))
		}
		timers[i] = t
	}
	res, err := p.repeat(r.ctx, r.cancel, timers, r.op)
	if err = errors.Join(err, closeTimers(timers)); err != nil {
		r.failed = true
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	return res, nil
}

func closeTimers(ts []timer) error {
	var errs []error
	for _, t := range ts {
		errs = append(errs, t.Close())
	}
	return errors.Join(errs...)
}

// repeat has one client per timer repeat op. An error of one cancels the others.
func (p Pace) repeat(ctx context.Context, cancel context.CancelFunc, timers []timer, op operation) (*OpenResult, error) {
	results := make([]OpenResult, len(timers))
	errs := make([]error, len(timers))
	var next atomic.Int64 // the operation of an open loop that nobody has taken yet
	var wg sync.WaitGroup
	begin := timers[0].Now()
	for c, t := range timers {
		rnd := rand.New(rand.NewPCG(uint64(c), 5+p.Seed))
		wg.Go(func() {
			do := func() error { return op(ctx, c, rnd) }
			if p.Rate > 0 {
				errs[c] = p.open(ctx, t, begin, &next, do, &results[c])
			} else {
				errs[c] = p.closed(ctx, t, begin, do, &results[c])
			}
			if errs[c] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	total := &OpenResult{}
	total.Elapsed = timers[0].Now().Sub(begin)
	for i := range results {
		total.merge(&results[i].Result)
		total.Late.Merge(&results[i].Late)
		total.Dropped += results[i].Dropped
	}
	return total, firstCause(errs)
}

// closed does at least one operation: a machine that is busy elsewhere for all of Duration still has something to report.
func (p Pace) closed(ctx context.Context, t timer, begin time.Time, do func() error, r *OpenResult) error {
	deadline := begin.Add(p.Duration)
	for now, first := t.Now(), true; first || now.Before(deadline); first = false {
		if err := do(); err != nil {
			return err
		}
		done := t.Now()
		r.Lat.Record(done.Sub(now), 1)
		r.Requests++
		now = done
		if p.Think > 0 {
			if err := t.Until(ctx, now.Add(p.Think)); err != nil {
				return err
			}
			now = t.Now()
		}
	}
	return nil
}

// open does what is due, later if need be. What has not been begun when as long again as Duration has passed is dropped: it counts among the
// latencies with the time that it has waited until then, and not among the requests.
func (p Pace) open(ctx context.Context, t timer, begin time.Time, next *atomic.Int64, do func() error, r *OpenResult) error {
	total := p.total()
	end := begin.Add(2 * p.Duration)
	for n := next.Add(1) - 1; n < total; n = next.Add(1) - 1 {
		due := begin.Add(p.due(n))
		if err := t.Until(ctx, due); err != nil {
			return err
		}
		now := t.Now()
		r.Late.Record(now.Sub(due), 1)
		if now.After(end) {
			r.Lat.Record(now.Sub(due), 1)
			r.Dropped++
			continue
		}
		if err := do(); err != nil {
			return err
		}
		r.Lat.Record(t.Now().Sub(due), 1)
		r.Requests++
	}
	return nil
}
