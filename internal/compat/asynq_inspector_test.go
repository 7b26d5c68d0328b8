package compat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hibiken/asynq"
)

func TestAsynqInspectorSeesAndChangesTasks(t *testing.T) {
	t.Parallel()
	j := newJobs(t)
	in := j.inspector
	ids := make([]string, 5)
	for i := range ids {
		ids[i] = j.enqueue(t, "x", fmt.Sprint("payload ", i)).ID
	}
	later := j.enqueue(t, "x", "later", asynq.ProcessIn(time.Hour)).ID
	if queues, err := in.Queues(); err != nil || !slices.Contains(queues, j.queue) {
		t.Errorf("%v, %v", queues, err)
	}
	if q := j.info(t); q.Size != 6 || q.Pending != 5 || q.Scheduled != 1 || q.MemoryUsage <= 0 || q.Paused || q.Latency < 0 || q.Latency > time.Minute {
		t.Errorf("%+v", q)
	}
	// Pages count from one, oldest first.
	for page, want := range map[int][]string{1: ids[:2], 2: ids[2:4], 3: ids[4:]} {
		tasks, err := in.ListPendingTasks(j.queue, asynq.PageSize(2), asynq.Page(page))
		var got []string
		for _, task := range tasks {
			got = append(got, task.ID)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("page %d: %v, %v; want %v", page, got, err, want)
		}
	}

	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	count := func(what string, want int) func(int, error) {
		return func(n int, err error) {
			t.Helper()
			if n != want || err != nil {
				t.Errorf("%s: %d, %v; want %d", what, n, err, want)
			}
		}
	}
	must("archive a task", in.ArchiveTask(j.queue, ids[0]))
	if info := j.task(t, ids[0]); info.State != asynq.TaskStateArchived {
		t.Errorf("%+v", info)
	}
	if err := in.ArchiveTask(j.queue, ids[0]); err == nil {
		t.Error("archived twice")
	}
	must("run an archived task", in.RunTask(j.queue, ids[0]))
	must("run a scheduled task", in.RunTask(j.queue, later))
	must("delete a task", in.DeleteTask(j.queue, later))
	if err := in.DeleteTask(j.queue, later); !errors.Is(err, asynq.ErrTaskNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	if _, err := in.GetTaskInfo(j.queue, "no such id"); !errors.Is(err, asynq.ErrTaskNotFound) {
		t.Errorf("a task that is not there: %v", err)
	}
	count("archive all", 5)(in.ArchiveAllPendingTasks(j.queue))
	if tasks, err := in.ListArchivedTasks(j.queue); err != nil || len(tasks) != 5 {
		t.Errorf("%d archived, %v", len(tasks), err)
	}
	count("run all", 5)(in.RunAllArchivedTasks(j.queue))
	scheduled := j.enqueue(t, "x", "before", asynq.ProcessIn(time.Hour)).ID
	must("change a payload", in.UpdateTaskPayload(j.queue, scheduled, []byte("after")))
	if info := j.task(t, scheduled); string(info.Payload) != "after" {
		t.Errorf("payload %q", info.Payload)
	}
	count("archive what is scheduled", 1)(in.ArchiveAllScheduledTasks(j.queue))
	count("delete what is archived", 1)(in.DeleteAllArchivedTasks(j.queue))

	if err := in.DeleteQueue(j.queue, false); !errors.Is(err, asynq.ErrQueueNotEmpty) {
		t.Errorf("deleting a queue with tasks: %v", err)
	}
	count("delete what is pending", 5)(in.DeleteAllPendingTasks(j.queue))
	must("delete an empty queue", in.DeleteQueue(j.queue, false))
	if err := in.DeleteQueue(j.queue, true); !errors.Is(err, asynq.ErrQueueNotFound) {
		t.Errorf("a queue that was deleted: %v", err)
	}
}

func TestAsynqInspectorPausesQueues(t *testing.T) {
	t.Parallel()
	j := newJobs(t)
	var d diary
	j.serve(t, asynq.Config{}, func(_ context.Context, task *asynq.Task) error {
		d.add(string(task.Payload()))
		return nil
	})
	j.enqueue(t, "x", "before")
	await(t, "a task", d.holds(1))
	if err := j.inspector.PauseQueue(j.queue); err != nil {
		t.Fatal(err)
	}
	if !j.info(t).Paused {
		t.Error("the queue does not say that it is paused")
	}
	j.enqueue(t, "x", "meanwhile")
	time.Sleep(100 * time.Millisecond) // twenty checks of the server
	if n := len(d.all()); n != 1 {
		t.Errorf("%d tasks were run", n)
	}
	if err := j.inspector.UnpauseQueue(j.queue); err != nil {
		t.Fatal(err)
	}
	await(t, "the task that waited", d.holds(2))
}

// An order to stop goes through pub/sub, what servers and workers do through keys that end by themselves.
func TestAsynqInspectorSeesAndStopsWorkers(t *testing.T) {
	t.Parallel()
	j := newJobs(t)
	begun := make(chan struct{})
	stopped := make(chan error, 1)
	info := j.enqueue(t, "long", "", asynq.MaxRetry(0))
	j.serve(t, asynq.Config{Concurrency: 3}, func(ctx context.Context, _ *asynq.Task) error {
		close(begun)
		select {
		case <-ctx.Done():
			stopped <- ctx.Err()
			return ctx.Err()
		case <-time.After(20 * time.Second):
			stopped <- errors.New("nobody stopped it")
			return nil
		}
	})
	<-begun
	if got := j.task(t, info.ID); got.State != asynq.TaskStateActive {
		t.Errorf("%+v", got)
	}
	if tasks, err := j.inspector.ListActiveTasks(j.queue); err != nil || len(tasks) != 1 || tasks[0].IsOrphaned {
		t.Errorf("%v, %v", tasks, err)
	}
	// A server enters itself into the list beside its work.
	await(t, "the server in the list", func() bool {
		servers, err := j.inspector.Servers()
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(servers, func(s *asynq.ServerInfo) bool {
			return s.Queues[j.queue] == 1 && s.Concurrency == 3 && s.Status == "active"
		})
	})
	// The subscription may not be there yet: an order that nobody hears is given again.
	ended := false
	await(t, "the end of the handler", func() bool {
		if err := j.inspector.CancelProcessing(info.ID); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-stopped:
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			ended = true
		case <-time.After(10 * time.Millisecond):
		}
		return ended
	})
	await(t, "the archive", func() bool { return j.task(t, info.ID).State == asynq.TaskStateArchived })
	stats, err := j.inspector.History(j.queue, 2)
	if err != nil || len(stats) != 2 || stats[0].Processed+stats[1].Processed != 1 || stats[0].Failed+stats[1].Failed != 1 {
		t.Errorf("%+v, %v", stats, err)
	}
}

func TestAsynqScheduler(t *testing.T) {
	t.Parallel()
	j := newJobs(t)
	s := asynq.NewScheduler(j.opt, &asynq.SchedulerOpts{LogLevel: asynq.FatalLevel})
	entry, err := s.Register("@every 1s", asynq.NewTask("tick", []byte("payload")), asynq.Queue(j.queue))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	var d diary
	j.serve(t, asynq.Config{}, func(_ context.Context, task *asynq.Task) error {
		d.add(task.Type() + " " + string(task.Payload()))
		return nil
	})
	await(t, "two turns", d.holds(2))
	if got := d.all(); got[0] != "tick payload" || got[1] != "tick payload" {
		t.Errorf("%q", got)
	}
	await(t, "two events", func() bool { // which are noted after the tasks have been handed out
		events, err := j.inspector.ListSchedulerEnqueueEvents(entry)
		if err != nil || len(events) > 1 && !events[0].EnqueuedAt.After(events[1].EnqueuedAt) {
			t.Fatalf("%v, %v", events, err)
		}
		return len(events) > 1
	})
	await(t, "the entry", func() bool {
		entries, err := j.inspector.SchedulerEntries()
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(entries, func(e *asynq.SchedulerEntry) bool {
			return e.ID == entry && e.Spec == "@every 1s" && e.Task.Type() == "tick"
		})
	})
}
