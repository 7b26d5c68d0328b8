package taskqueue_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/internal/benchtest"
	"github.com/streampulse/pulse/bench/taskqueue"
)

func reliable(t *testing.T, rdb *redis.Client, prefix string, o taskqueue.Options) *taskqueue.Reliable {
	t.Helper()
	q, err := taskqueue.NewReliable(rdb, prefix+"q", o)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// stats waits until the queue is as it should be; what is still moving gets time to.
func stats(t *testing.T, q *taskqueue.Reliable, want taskqueue.Stats) {
	t.Helper()
	var got taskqueue.Stats
	for begin := time.Now(); time.Since(begin) < 10*time.Second; time.Sleep(5 * time.Millisecond) {
		var err error
		if got, err = q.Stats(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got == want {
			return
		}
	}
	t.Errorf("the queue is %+v, want %+v", got, want)
}

func TestReliableEightWorkersEachTaskOnce(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	q := reliable(t, rdb, prefix, taskqueue.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const workers, producers, each = 8, 4, 250
	l := &ledger{done: make(map[string]int), want: producers * each, all: make(chan struct{})}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			if err := q.Work(ctx, func(_ context.Context, task *taskqueue.Task) error {
				l.add(task.Payload)
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	for p := range producers {
		wg.Go(func() {
			for i := range each / 5 {
				var batch []string
				for j := range 5 {
					batch = append(batch, fmt.Sprintf("%d/%d\r\n\x00\xff", p, 5*i+j))
				}
				if err := q.Push(ctx, batch...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	select {
	case <-l.all:
	case <-time.After(20 * time.Second):
		t.Error("some tasks were not done within 20 s")
	}
	cancel()
	wg.Wait()
	for task, n := range l.done {
		if n != 1 {
			t.Errorf("task %q done %d times", task, n)
		}
	}
	stats(t, q, taskqueue.Stats{})
	if keys := rdb.Keys(context.Background(), "{"+prefix+"q}*").Val(); len(keys) != 0 {
		t.Errorf("keys left behind: %q", keys)
	}
}

func TestFailuresComeAgainLaterAndAreBuriedInTheEnd(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	const step = 30 * time.Millisecond
	q := reliable(t, rdb, prefix, taskqueue.Options{MaxTries: 3, Backoff: func(try int) time.Duration { return time.Duration(try) * step }})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	type try struct {
		task string
		n    int
	}
	var tries []try // each by the one worker
	last := map[string]time.Time{}
	var revived atomic.Bool
	again := make(chan struct{})
	ids := map[string]string{}
	worker := make(chan error, 1)
	go func() {
		worker <- q.Work(ctx, func(_ context.Context, task *taskqueue.Task) error {
			now := time.Now()
			tries = append(tries, try{task.Payload, task.Try})
			// The server counts in milliseconds.
			if d := now.Sub(last[task.Payload]); task.Try > 1 && d < time.Duration(task.Try-1)*step-2*time.Millisecond {
				t.Errorf("try %d of %s after %v", task.Try, task.Payload, d)
			}
			if id, ok := ids[task.Payload]; ok && id != task.ID {
				t.Errorf("%s had the id %s, and now %s", task.Payload, id, task.ID)
			}
			ids[task.Payload], last[task.Payload] = task.ID, now
			switch {
			case revived.Load():
				close(again)
				return nil
			case task.Payload == "hopeless":
				return taskqueue.Permanent(errors.New("no such user"))
			case task.Payload == "always" || task.Try == 1:
				return errors.New("try " + fmt.Sprint(task.Try) + " failed" + strings.Repeat(".", 600))
			}
			return nil
		})
	}()
	if err := q.Push(ctx, "second time", "hopeless", "always"); err != nil {
		t.Fatal(err)
	}
	stats(t, q, taskqueue.Stats{Dead: 2, Workers: 1})
	letters, err := q.Dead(ctx, 1000)
	if err != nil || len(letters) != 2 {
		t.Fatalf("%+v, %v", letters, err)
	}
	if l := letters[0]; l.Payload != "hopeless" || l.Tries != 1 || l.Reason != "no such user" || time.Since(l.At).Abs() > time.Minute {
		t.Errorf("%+v", l)
	}
	if l := letters[1]; l.Payload != "always" || l.Tries != 3 || !strings.HasPrefix(l.Reason, "try 3 failed..") || len(l.Reason) != 500 {
		t.Errorf("%+v", l)
	}
	if n, err := q.Discard(ctx, 1); n != 1 || err != nil {
		t.Errorf("discard: %d, %v", n, err)
	}
	revived.Store(true)
	if n, err := q.Revive(ctx, 10); n != 1 || err != nil {
		t.Errorf("revive: %d, %v", n, err)
	}
	select {
	case <-again:
	case <-time.After(20 * time.Second):
		t.Fatal("the revived task was not tried")
	}
	stats(t, q, taskqueue.Stats{Workers: 1})
	cancel()
	if err := <-worker; err != nil {
		t.Error(err)
	}
	for _, task := range []string{"second time", "hopeless", "always"} {
		var got []int
		for _, tr := range tries {
			if tr.task == task {
				got = append(got, tr.n)
			}
		}
		if want := map[string][]int{"second time": {1, 2}, "hopeless": {1}, "always": {1, 2, 3, 1}}[task]; !slices.Equal(got, want) {
			t.Errorf("%s: tries %v, want %v", task, got, want)
		}
	}
}

func TestCancelledWorkerHandsBack(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	q := reliable(t, rdb, prefix, taskqueue.Options{})
	if err := q.Push(context.Background(), "1", "2"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		ctx, cancel := context.WithCancel(context.Background())
		if err := q.Work(ctx, func(ctx context.Context, task *taskqueue.Task) error {
			if task.Payload != "1" || task.Try != 1 {
				t.Errorf("%+v", task)
			}
			cancel()
			return ctx.Err()
		}); err != nil {
			t.Error(err)
		}
		stats(t, q, taskqueue.Stats{Waiting: 2})
	}
}

// cut is a connection to the server that can be cut and mended.
type cut struct{ broken atomic.Bool }

var errCut = errors.New("the connection is cut")

func (c *cut) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if c.broken.Load() {
			return nil, errCut
		}
		return next(ctx, network, addr)
	}
}

func (c *cut) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if c.broken.Load() {
			cmd.SetErr(errCut)
			return errCut
		}
		return next(ctx, cmd)
	}
}

func (c *cut) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if c.broken.Load() {
			return errCut
		}
		return next(ctx, cmds)
	}
}

// A worker that cannot reach the server for a lease: another does its task, its own handler is told, and once it is back it works on.
func TestWorkerThatIsCutOff(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	far := redis.NewClient(&redis.Options{Addr: rdb.Options().Addr})
	defer far.Close()
	c := &cut{}
	far.AddHook(c)
	var complaints atomic.Int64
	o := taskqueue.Options{Lease: 150 * time.Millisecond, OnError: func(error) { complaints.Add(1) }}
	there := reliable(t, far, prefix, o)
	o.Lease = 2 * time.Second // so that here is not taken for dead when the machine is busy
	here := reliable(t, rdb, prefix, o)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	held, done := make(chan struct{}), make(chan string, 4)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := there.Work(ctx, func(ctx context.Context, task *taskqueue.Task) error {
			if task.Payload == "a" {
				c.broken.Store(true)
				close(held)
				<-ctx.Done()
				if !errors.Is(context.Cause(ctx), taskqueue.ErrLost) {
					t.Errorf("the handler was told %v", context.Cause(ctx))
				}
				return nil
			}
			done <- "there " + task.Payload
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	if err := here.Push(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	<-held
	hctx, stopHere := context.WithCancel(ctx)
	wg.Go(func() {
		if err := here.Work(hctx, func(_ context.Context, task *taskqueue.Task) error {
			done <- fmt.Sprint("here ", task.Payload, " ", task.Try)
			stopHere()
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	next := func(want string) {
		t.Helper()
		select {
		case got := <-done:
			if got != want {
				t.Errorf("done: %s, want %s", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("not done: %s", want)
		}
	}
	next("here a 2")
	<-hctx.Done()
	c.broken.Store(false)
	if complaints.Load() == 0 {
		t.Error("nobody was told that the server was away")
	}
	if err := here.Push(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-done: // here may have popped b when it was stopped, and handed it back
		if got != "there b" {
			t.Errorf("done: %s", got)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the worker did not come back")
	}
	cancel()
	wg.Wait()
	stats(t, here, taskqueue.Stats{})
}

// A client that repeats BLMOVE because the reply was lost holds a task it does not know of.
func TestTaskOfALostReplyComesBack(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	q := reliable(t, rdb, prefix, taskqueue.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := q.Push(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := q.Work(ctx, func(ctx context.Context, task *taskqueue.Task) error {
		got = append(got, task.Payload)
		if len(got) == 1 {
			// As the lost reply would have left it: b is in the worker's list.
			if err := q.Push(ctx, "b"); err != nil {
				t.Error(err)
			}
			lists := rdb.Keys(ctx, "{"+prefix+"q}:held:*").Val()
			if len(lists) != 1 {
				t.Fatalf("lists %q", lists)
			}
			if err := rdb.LMove(ctx, "{"+prefix+"q}:wait", lists[0], "RIGHT", "LEFT").Err(); err != nil {
				t.Error(err)
			}
			return nil
		}
		cancel()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("done %q", got)
	}
}

func TestReliableRefusesNonsense(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, o := range map[string]taskqueue.Options{
		"lease": {Lease: time.Millisecond}, "long lease": {Lease: 1 << 62}, "tries": {MaxTries: 1001}, "no tries": {MaxTries: -1},
	} {
		if _, err := taskqueue.NewReliable(rdb, prefix, o); err == nil {
			t.Errorf("%s passes", name)
		}
	}
	for _, name := range []string{"", "a{b", "a}b", strings.Repeat("x", 513)} {
		if _, err := taskqueue.NewReliable(rdb, name, taskqueue.Options{}); err == nil {
			t.Errorf("name %.10q passes", name)
		}
	}
	q, simple := reliable(t, rdb, prefix, taskqueue.Options{}), taskqueue.New(rdb, prefix+"simple")
	for name, tasks := range map[string][]string{"none": nil, "many": make([]string, 1001), "large": {strings.Repeat("x", 1<<20+1)}} {
		if q.Push(ctx, tasks...) == nil || simple.Push(ctx, tasks...) == nil {
			t.Errorf("%s: passes", name)
		}
	}
	for _, n := range []int{-1, 0, 1001} {
		_, err1 := q.Dead(ctx, n)
		_, err2 := q.Revive(ctx, n)
		_, err3 := q.Discard(ctx, n)
		if err1 == nil || err2 == nil || err3 == nil {
			t.Errorf("%d letters pass", n)
		}
	}
	if q.Work(ctx, nil) == nil {
		t.Error("no handler passes")
	}
	// What others push is buried, not handled, whoever meets it.
	foreign := []string{"", "x", "1", "-1 a b", "99999999999999999999 a b", "a b c"}
	for _, f := range foreign {
		if err := rdb.LPush(ctx, "{"+prefix+"q}:wait", f).Err(); err != nil {
			t.Fatal(err)
		}
	}
	worker := make(chan error, 1)
	go func() {
		worker <- q.Work(ctx, func(_ context.Context, task *taskqueue.Task) error {
			t.Errorf("handled %+v", task)
			return nil
		})
	}()
	stats(t, q, taskqueue.Stats{Dead: int64(len(foreign)), Workers: 1})
	letters, err := q.Dead(ctx, 10)
	if err != nil {
		t.Error(err)
	}
	for i, l := range letters {
		if l.Payload != foreign[i] || l.ID != "-" {
			t.Errorf("%q became %+v", foreign[i], l)
		}
	}
	cancel()
	if err := <-worker; err != nil {
		t.Error(err)
	}
}
