package taskqueue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/streampulse/pulse/bench/internal/benchtest"
	"github.com/streampulse/pulse/bench/taskqueue"
)

// ledger counts how often each task was done.
type ledger struct {
	mu   sync.Mutex
	done map[string]int
	want int
	all  chan struct{} // closed when want tasks have been done
}

func (l *ledger) add(task string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done[task]++
	if len(l.done) == l.want && l.done[task] == 1 {
		close(l.all)
	}
}

func TestEightWorkersOneCancelledNoTaskLostOrDoneTwice(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	q := taskqueue.New(rdb, prefix+"tasks")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const workers, producers, each = 8, 4, 500
	l := &ledger{done: make(map[string]int), want: producers * each, all: make(chan struct{})}

	victim, cancelVictim := context.WithCancel(ctx)
	defer cancelVictim()
	var victimDone int
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			wctx := ctx
			if w == 0 {
				wctx = victim
			}
			err := q.Work(wctx, func(_ context.Context, task string) error {
				l.add(task)
				if w == 0 {
					if victimDone++; victimDone == 20 {
						cancelVictim()
					}
				}
				return nil
			})
			if err != nil {
				t.Errorf("worker %d: %v", w, err)
			}
		})
	}
	for p := range producers {
		wg.Go(func() {
			for i := range each {
				if err := q.Push(ctx, fmt.Sprintf("%d/%d", p, i)); err != nil {
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
			t.Errorf("task %s done %d times", task, n)
		}
	}
	if len(l.done) != l.want {
		t.Errorf("%d tasks done, want %d", len(l.done), l.want)
	}
	if victimDone > 20 {
		t.Errorf("the cancelled worker went on to %d tasks", victimDone)
	}
	if n, err := q.Len(context.Background()); err != nil || n != 0 {
		t.Errorf("%d tasks left, %v", n, err)
	}
}

// Workers that wait, all cancelled at the moment a task arrives: it is either done or still in the queue.
func TestTaskThatMeetsACancellationIsKept(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	q := taskqueue.New(rdb, prefix+"tasks")
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	done := map[string]int{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := q.Work(ctx, func(_ context.Context, task string) error {
				mu.Lock()
				defer mu.Unlock()
				done[task]++
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	tasks := []string{"a", "b", "c", "d", "e", "f"}
	wg.Go(cancel)
	if err := q.Push(context.Background(), tasks...); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	left, err := rdb.LRange(context.Background(), prefix+"tasks", 0, -1).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		n := done[task]
		if slices.Contains(left, task) {
			n++
		}
		if n != 1 {
			t.Errorf("task %s: done %d times, left in queue: %v", task, done[task], left)
		}
	}
}

func TestFailedTaskIsNextAndOrderIsKept(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	q := taskqueue.New(rdb, prefix+"tasks")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := q.Push(ctx, "1", "2", "3"); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := q.Work(ctx, func(context.Context, string) error { return broken }); !errors.Is(err, broken) {
		t.Fatalf("Work returned %v", err)
	}
	var got []string
	if err := q.Work(ctx, func(_ context.Context, task string) error {
		if got = append(got, task); len(got) == 3 {
			cancel()
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"1", "2", "3"}; !slices.Equal(got, want) {
		t.Errorf("tasks came as %v, want %v", got, want)
	}
}
