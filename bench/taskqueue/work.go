package taskqueue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	minPause = 10 * time.Millisecond // after an error of the server
	maxPause = time.Second
)

// permanent marks an error that no other try would mend.
type permanent struct{ err error }

func (p permanent) Error() string { return p.err.Error() }
func (p permanent) Unwrap() error { return p.err }

// Permanent makes an error of a handler one that buries the task at once.
func Permanent(err error) error { return permanent{err} }

// worker is one call of Work.
type worker struct {
	q    *Reliable
	name string
	held string // its list

	mu     sync.Mutex
	until  time.Time               // when others may take it for dead, at the earliest
	cancel context.CancelCauseFunc // of the handler that runs, or nil
	over   *time.Timer             // fires at until
}

// Work handles tasks one after another until ctx is cancelled; it then returns within about a second after the task in hand is done.
// Errors of the server do not end it: it tells OnError and tries again, so that a restart of the server is survived.
//
// A task is done when handle returns nil. Another error makes it come again after Backoff, or a dead letter after MaxTries
// or at once if it is Permanent. handle gets a context that is cancelled with ctx, or with the cause ErrLost when the server has
// not been reached for a lease, so that others may have the task now. What fails after ctx was cancelled is handed back to be the
// next one popped, without counting the try.
func (q *Reliable) Work(ctx context.Context, handle func(ctx context.Context, t *Task) error) error {
	if handle == nil {
		return errors.New("taskqueue: nobody to handle tasks")
	}
	id := newID()
	w := &worker{q: q, name: id, held: q.keys.held + id}
	w.over = time.AfterFunc(q.o.Lease, w.lost)
	defer w.over.Stop()
	steady := context.WithoutCancel(ctx)

	bctx, stop := context.WithCancel(steady)
	var beats sync.WaitGroup
	beats.Go(func() { w.beat(bctx) })
	defer beats.Wait()
	defer stop()

	pause := minPause
	for ctx.Err() == nil {
		err := w.turn(ctx, steady, handle)
		if err == nil {
			pause = minPause
			continue
		}
		q.o.OnError(err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, maxPause)
	}
	stop()
	beats.Wait() // or a last beat could enter the worker again
	if err := handBack.Run(steady, q.rdb, []string{w.held, q.keys.wait, q.keys.workers}, w.name).Err(); err != nil {
		// Others will find what it held, as if it had died.
		return fmt.Errorf("taskqueue: leave: %w", err)
	}
	return nil
}

// turn waits for a task and handles it. Errors are those of the server.
func (w *worker) turn(ctx, steady context.Context, handle func(context.Context, *Task) error) error {
	if !w.alive() {
		if _, err := w.tend(steady); err != nil {
			return err
		}
	}
	element, err := w.q.rdb.BLMove(steady, w.q.keys.wait, w.held, "RIGHT", "LEFT", turn).Result()
	if errors.Is(err, redis.Nil) {
		n, err := w.q.rdb.LLen(steady, w.held).Result()
		return w.leftOver(steady, n, err)
	}
	if err != nil {
		return fmt.Errorf("taskqueue: pop: %w", err)
	}
	if ctx.Err() != nil {
		return nil // leaving hands it back
	}
	t, err := parseTask(element)
	if err != nil {
		return w.failed(steady, &Task{ID: "-", Try: maxTries, element: element}, err)
	}
	hctx, cancel := context.WithCancelCause(ctx)
	w.setCancel(cancel)
	failure := handle(hctx, t)
	w.setCancel(nil)
	cancel(nil)
	switch {
	case failure == nil:
		return w.done(steady, t)
	case ctx.Err() != nil:
		return nil
	default:
		return w.failed(steady, t, failure)
	}
}

// done removes a task that was handled.
func (w *worker) done(ctx context.Context, t *Task) error {
	var removed, left *redis.IntCmd
	_, err := w.q.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		removed, left = p.LRem(ctx, w.held, 1, t.element), p.LLen(ctx, w.held)
		return nil
	})
	if err != nil {
		return w.leftOver(ctx, 0, err)
	}
	if removed.Val() == 0 {
		w.q.o.OnError(fmt.Errorf("%w: it was done, and may be done again: %s", ErrLost, t.ID))
	}
	return w.leftOver(ctx, left.Val(), nil)
}

// failed ends a try of a task.
func (w *worker) failed(ctx context.Context, t *Task, failure error) error {
	delay := int64(-1)
	if t.Try < w.q.o.MaxTries && !errors.As(failure, new(permanent)) {
		delay = min(max(0, w.q.o.Backoff(t.Try)), maxBackoff).Milliseconds()
	}
	reason := failure.Error()
	reason = reason[:min(len(reason), maxReason)]
	n, err := fail.Run(ctx, w.q.rdb, []string{w.held, w.q.keys.later, w.q.keys.dead}, t.element, delay, reason).Int()
	if err != nil {
		return fmt.Errorf("taskqueue: failed task: %w", err)
	}
	if n == 0 {
		w.q.o.OnError(fmt.Errorf("%w: %s", ErrLost, t.ID))
	}
	return nil
}

// leftOver hands back what a worker holds without knowing, n tasks: a reply to BLMOVE was lost, or one to the end of a task.
func (w *worker) leftOver(ctx context.Context, n int64, err error) error {
	if err == nil && n > 0 {
		err = handBack.Run(ctx, w.q.rdb, []string{w.held, w.q.keys.wait, w.q.keys.workers}, "").Err()
	}
	if err != nil {
		return fmt.Errorf("taskqueue: %w", err)
	}
	return nil
}

// beat tends the queue three times in a lease, every second, and when a task is due for another try, until ctx ends.
func (w *worker) beat(ctx context.Context) {
	for {
		pause := min(w.q.o.Lease/3, time.Second)
		next, err := w.tend(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			w.q.o.OnError(err)
		case next >= 0:
			pause = min(pause, max(next, time.Millisecond))
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// tend returns how long it is until a task is due, negative when none is known of.
func (w *worker) tend(ctx context.Context) (time.Duration, error) {
	asked := time.Now()
	k, o := w.q.keys, w.q.o
	ms, err := tend.Run(ctx, w.q.rdb, []string{k.workers, k.wait, k.later, k.dead},
		w.name, o.Lease.Milliseconds(), o.MaxTries, keep.Milliseconds(), k.held).Int64()
	if err != nil {
		return 0, fmt.Errorf("taskqueue: tend: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if until := asked.Add(o.Lease); until.After(w.until) {
		w.until = until
		w.over.Reset(time.Until(until))
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// alive says whether no other worker can have taken this one for dead.
func (w *worker) alive() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Before(w.until)
}

func (w *worker) setCancel(cancel context.CancelCauseFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cancel = cancel
}

// lost tells the handler that its task may be another's.
func (w *worker) lost() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cancel != nil {
		w.cancel(ErrLost)
	}
}
