package compat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
)

// jobs is asynq on one server, with queues that no other test has.
type jobs struct {
	queue     string
	opt       asynq.RedisClientOpt
	client    *asynq.Client
	inspector *asynq.Inspector
}

func newJobs(t *testing.T) *jobs {
	t.Helper()
	j := &jobs{queue: strings.ReplaceAll(unique(t), ":", "-"), opt: asynq.RedisClientOpt{Addr: address(t)}}
	j.client = asynq.NewClient(j.opt)
	j.inspector = asynq.NewInspector(j.opt)
	t.Cleanup(func() {
		// A server that others use shall not keep the queue.
		if err := j.inspector.DeleteQueue(j.queue, true); err != nil && !errors.Is(err, asynq.ErrQueueNotFound) {
			t.Error(err)
		}
		_ = j.inspector.Close()
		_ = j.client.Close()
	})
	return j
}

// enqueue adds a task to the test's queue, unless an option names another.
func (j *jobs) enqueue(t *testing.T, typ, payload string, opts ...asynq.Option) *asynq.TaskInfo {
	t.Helper()
	info, err := j.client.Enqueue(asynq.NewTask(typ, []byte(payload)), append([]asynq.Option{asynq.Queue(j.queue)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func (j *jobs) info(t *testing.T) *asynq.QueueInfo {
	t.Helper()
	q, err := j.inspector.GetQueueInfo(j.queue)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func (j *jobs) task(t *testing.T, id string) *asynq.TaskInfo {
	t.Helper()
	info, err := j.inspector.GetTaskInfo(j.queue, id)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// serve handles the test's queue until the end of the test; what is not set in cfg is quick.
func (j *jobs) serve(t *testing.T, cfg asynq.Config, handle asynq.HandlerFunc) {
	t.Helper()
	if cfg.Concurrency == 0 {
		cfg.Concurrency = 4
	}
	if cfg.Queues == nil {
		cfg.Queues = map[string]int{j.queue: 1}
	}
	if cfg.RetryDelayFunc == nil {
		cfg.RetryDelayFunc = func(int, error, *asynq.Task) time.Duration { return 0 }
	}
	cfg.TaskCheckInterval = 5 * time.Millisecond
	cfg.DelayedTaskCheckInterval = 20 * time.Millisecond
	cfg.LogLevel = asynq.FatalLevel
	srv := asynq.NewServer(j.opt, cfg)
	if err := srv.Start(handle); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Shutdown)
}

// diary notes what handlers saw.
type diary struct {
	mu      sync.Mutex
	entries []string
}

func (d *diary) add(entry string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, entry)
}

func (d *diary) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.entries)
}

func (d *diary) holds(n int) func() bool { return func() bool { return len(d.all()) >= n } }

// The library's first steps: types of tasks, a mux, a result that is kept.
func TestAsynqHandlesTasks(t *testing.T) {
	t.Parallel()
	j := newJobs(t)
	var d diary
	mux := asynq.NewServeMux()
	mux.HandleFunc("email:welcome", func(_ context.Context, task *asynq.Task) error {
		d.add("welcome " + string(task.Payload()))
		_, err := task.ResultWriter().Write([]byte("sent \x00\xff"))
		return err
	})
	mux.HandleFunc("email:", func(_ context.Context, task *asynq.Task) error {
		d.add(task.Type() + " " + string(task.Payload()))
		return nil
	})
	kept := j.enqueue(t, "email:welcome", `{"user":42}`, asynq.Retention(time.Hour), asynq.MaxRetry(5), asynq.Timeout(time.Minute))
	if kept.State != asynq.TaskStatePending || kept.MaxRetry != 5 || kept.Timeout != time.Minute || kept.Queue != j.queue {
		t.Errorf("%+v", kept)
	}
	gone := j.enqueue(t, "email:reminder", `{"user":43}`)
	j.serve(t, asynq.Config{}, mux.ProcessTask)
	await(t, "two tasks", d.holds(2))
	got := d.all()
	slices.Sort(got)
	if want := []string{`email:reminder {"user":43}`, `welcome {"user":42}`}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	await(t, "the end of the first", func() bool { return j.task(t, kept.ID).State == asynq.TaskStateCompleted })
	if info := j.task(t, kept.ID); string(info.Result) != "sent \x00\xff" || time.Since(info.CompletedAt) > time.Minute || info.Retention != time.Hour {
		t.Errorf("%+v", info)
	}
	await(t, "the end of the second", func() bool {
		_, err := j.inspector.GetTaskInfo(j.queue, gone.ID)
		return errors.Is(err, asynq.ErrTaskNotFound)
	})
}

func TestAsynqDelays(t *testing.T) {
	t.Parallel()
	j := newJobs(t)
	type run struct {
		name string
		at   time.Time
	}
	runs := make(chan run, 3)
	begin := time.Now()
	at := begin.Add(2 * time.Second)
	in := j.enqueue(t, "x", "in", asynq.ProcessIn(time.Second))
	j.enqueue(t, "x", "at", asynq.ProcessAt(at))
	far := j.enqueue(t, "x", "far", asynq.ProcessIn(time.Hour))
	if in.State != asynq.TaskStateScheduled || far.State != asynq.TaskStateScheduled || !near(time.Until(far.NextProcessAt), time.Hour) {
		t.Errorf("%+v, %+v", in, far)
	}
	if q := j.info(t); q.Scheduled != 3 || q.Pending != 0 {
		t.Errorf("%+v", q)
	}
	j.serve(t, asynq.Config{}, func(_ context.Context, task *asynq.Task) error {
		runs <- run{string(task.Payload()), time.Now()}
		return nil
	})
	// Times are kept in whole seconds, rounded down. A server that comes late runs both at once.
	due := map[string]time.Time{"in": begin.Add(time.Second), "at": at}
	for range 2 {
		select {
		case r := <-runs:
			if want, ok := due[r.name]; !ok || r.at.Before(want.Truncate(time.Second)) {
				t.Errorf("%s at %v, want one of %v", r.name, r.at, due)
			}
			delete(due, r.name)
		case <-time.After(20 * time.Second):
			t.Fatal("not run within 20 s")
		}
	}
	tasks, err := j.inspector.ListScheduledTasks(j.queue)
	if err != nil || len(tasks) != 1 || tasks[0].ID != far.ID {
		t.Errorf("%v, %v", tasks, err)
	}
}

func TestAsynqRetries(t *testing.T) {
	t.Parallel()
	j := newJobs(t)
	var d diary
	handle := func(ctx context.Context, task *asynq.Task) error {
		n, _ := asynq.GetRetryCount(ctx)
		most, _ := asynq.GetMaxRetry(ctx)
		name := string(task.Payload())
		d.add(fmt.Sprintf("%s %d/%d", name, n, most))
		switch {
		case name == "twice" && n < 2, name == "always":
			return fmt.Errorf("broken %d", n)
		case name == "never again":
			return fmt.Errorf("hopeless: %w", asynq.SkipRetry)
		case name == "panics" && n == 0:
			panic("at the disco")
		}
		return nil
	}
	ids := map[string]string{}
	for name, most := range map[string]int{"twice": 5, "always": 2, "never again": 5, "panics": 3} {
		ids[name] = j.enqueue(t, "x", name, asynq.MaxRetry(most), asynq.Retention(time.Hour)).ID
	}
	j.serve(t, asynq.Config{}, handle)
	for name, want := range map[string]struct {
		state   asynq.TaskState
		retried int
		err     string
	}{
		"twice":       {asynq.TaskStateCompleted, 2, "broken 1"},
		"always":      {asynq.TaskStateArchived, 2, "broken 2"},
		"never again": {asynq.TaskStateArchived, 0, "hopeless"},
		"panics":      {asynq.TaskStateCompleted, 1, "at the disco"},
	} {
		await(t, name, func() bool { return j.task(t, ids[name]).State == want.state })
		if info := j.task(t, ids[name]); info.Retried != want.retried || !strings.Contains(info.LastErr, want.err) || info.LastFailedAt.IsZero() {
			t.Errorf("%s: %+v, want %+v", name, info, want)
		}
	}
	got := d.all()
	slices.Sort(got)
	want := []string{"always 0/2", "always 1/2", "always 2/2", "never again 0/5", "panics 0/3", "panics 1/3", "twice 0/5", "twice 1/5", "twice 2/5"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if q := j.info(t); q.Archived != 2 || q.Completed != 2 || q.ProcessedTotal != 9 || q.FailedTotal != 7 || q.Retry != 0 {
		t.Errorf("%+v", q)
	}
}

func TestAsynqKeepsTasksUnique(t *testing.T) {
	t.Parallel()
	j := newJobs(t)
	task := asynq.NewTask("x", []byte("payload"))
	first, err := j.client.Enqueue(task, asynq.Queue(j.queue), asynq.Unique(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.client.Enqueue(task, asynq.Queue(j.queue), asynq.Unique(time.Hour)); !errors.Is(err, asynq.ErrDuplicateTask) {
		t.Errorf("the same task: %v", err)
	}
	if _, err := j.client.Enqueue(task, asynq.Queue(j.queue), asynq.Unique(time.Hour), asynq.ProcessIn(time.Minute)); !errors.Is(err, asynq.ErrDuplicateTask) {
		t.Errorf("the same task, later: %v", err)
	}
	j.enqueue(t, "x", "another payload", asynq.Unique(time.Hour))
	j.enqueue(t, "y", "payload", asynq.Unique(time.Hour))
	if _, err := j.client.Enqueue(asynq.NewTask("z", nil), asynq.Queue(j.queue), asynq.TaskID(first.ID)); !errors.Is(err, asynq.ErrTaskIDConflict) {
		t.Errorf("the same id: %v", err)
	}
	if q := j.info(t); q.Pending != 3 {
		t.Errorf("%d tasks wait, want 3", q.Pending)
	}
	// What has been done may be asked for again.
	j.serve(t, asynq.Config{}, func(context.Context, *asynq.Task) error { return nil })
	await(t, "an empty queue", func() bool { return j.info(t).Size == 0 })
	j.enqueue(t, "x", "payload", asynq.Unique(time.Hour), asynq.ProcessIn(time.Hour))
}

func TestAsynqAggregatesGroups(t *testing.T) {
	t.Parallel()
	j := newJobs(t)
	var d diary
	var mu sync.Mutex
	grouped := map[string][]byte{}
	for i := range 7 {
		info := j.enqueue(t, "note", fmt.Sprint(i), asynq.Group("many"))
		if info.State != asynq.TaskStateAggregating || info.Group != "many" {
			t.Errorf("%+v", info)
		}
	}
	j.enqueue(t, "note", "7", asynq.Group("alone"))
	groups, err := j.inspector.Groups(j.queue)
	if err != nil || len(groups) != 2 {
		t.Fatalf("%v, %v", groups, err)
	}
	for _, g := range groups {
		if want := map[string]int{"many": 7, "alone": 1}[g.Group]; g.Size != want {
			t.Errorf("group %+v, want %d", g, want)
		}
	}
	if tasks, err := j.inspector.ListAggregatingTasks(j.queue, "many"); err != nil || len(tasks) != 7 {
		t.Errorf("%d tasks, %v", len(tasks), err)
	}
	j.serve(t, asynq.Config{
		GroupMaxSize:     5,
		GroupGracePeriod: time.Second,
		GroupAggregator: asynq.GroupAggregatorFunc(func(group string, tasks []*asynq.Task) *asynq.Task {
			var b strings.Builder
			for _, task := range tasks {
				b.Write(task.Payload())
			}
			// Members that came within the same second have no order.
			payload := []byte(b.String())
			mu.Lock()
			grouped[group] = append(grouped[group], payload...)
			mu.Unlock()
			return asynq.NewTask(fmt.Sprint(len(tasks), " of ", group), payload)
		}),
	}, func(_ context.Context, task *asynq.Task) error {
		d.add(task.Type())
		return nil
	})
	await(t, "three aggregates", d.holds(3))
	got := d.all()
	slices.Sort(got)
	if want := []string{"1 of alone", "2 of many", "5 of many"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	mu.Lock()
	slices.Sort(grouped["many"])
	if string(grouped["many"]) != "0123456" || string(grouped["alone"]) != "7" {
		t.Errorf("%q", grouped)
	}
	mu.Unlock()
	await(t, "an empty queue", func() bool { return j.info(t).Size == 0 })
}

func TestAsynqRespectsPriorities(t *testing.T) {
	t.Parallel()
	j := newJobs(t)
	low, high := j.queue, j.queue+"-high"
	var want []string
	for i := range 10 {
		j.enqueue(t, "x", fmt.Sprint("low ", i))
	}
	for i := range 10 {
		j.enqueue(t, "x", fmt.Sprint("high ", i), asynq.Queue(high))
	}
	t.Cleanup(func() { _ = j.inspector.DeleteQueue(high, true) })
	for _, q := range []string{"high", "low"} {
		for i := range 10 {
			want = append(want, fmt.Sprint(q, " ", i))
		}
	}
	var d diary
	j.serve(t, asynq.Config{Concurrency: 1, StrictPriority: true, Queues: map[string]int{high: 2, low: 1}}, func(_ context.Context, task *asynq.Task) error {
		d.add(string(task.Payload()))
		return nil
	})
	await(t, "twenty tasks", d.holds(20))
	// One at a time, but the next may start before the last has made its note.
	got := d.all()
	if n := slices.IndexFunc(got, func(s string) bool { return strings.HasPrefix(s, "low") }); n < 9 {
		t.Errorf("a low one came after %d", n)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestAsynqDoesEveryTaskOnce(t *testing.T) {
	t.Parallel()
	j := newJobs(t)
	const tasks, producers = 240, 6
	var d diary
	for range 2 { // two servers share the queue
		j.serve(t, asynq.Config{Concurrency: 10}, func(_ context.Context, task *asynq.Task) error {
			d.add(string(task.Payload()))
			return nil
		})
	}
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			for i := range tasks / producers {
				if _, err := j.client.Enqueue(asynq.NewTask("x", fmt.Appendf(nil, "%d/%d", p, i)), asynq.Queue(j.queue)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	await(t, "all tasks", d.holds(tasks))
	await(t, "an empty queue", func() bool { return j.info(t).Size == 0 })
	got := d.all()
	slices.Sort(got)
	if n := len(slices.Compact(got)); n != tasks || len(got) != tasks {
		t.Errorf("%d tasks done, %d of them different; want %d", len(got), n, tasks)
	}
	if q := j.info(t); q.ProcessedTotal != tasks || q.FailedTotal != 0 {
		t.Errorf("%+v", q)
	}
}
