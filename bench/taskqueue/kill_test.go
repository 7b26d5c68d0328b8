package taskqueue_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/internal/benchtest"
	"github.com/streampulse/pulse/bench/taskqueue"
)

// workerEnv makes the test's program a worker: the address of a server and a prefix for keys.
const workerEnv = "TASKQUEUE_TEST_WORKER"

func TestMain(m *testing.M) {
	if addr, prefix, ok := strings.Cut(os.Getenv(workerEnv), " "); ok {
		if err := beWorker(addr, prefix); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func killable(rdb redis.UniversalClient, prefix string) (*taskqueue.Reliable, error) {
	return taskqueue.NewReliable(rdb, prefix+"q", taskqueue.Options{
		Lease: 400 * time.Millisecond, MaxTries: 3, Backoff: func(int) time.Duration { return time.Millisecond },
	})
}

// beWorker handles tasks until the process is killed. A task that begins with "once" has its first worker killed, one that begins with
// "always" every worker: they say who they are and wait for it.
func beWorker(addr, prefix string) error {
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	q, err := killable(rdb, prefix)
	if err != nil {
		return err
	}
	return q.Work(context.Background(), func(ctx context.Context, t *taskqueue.Task) error {
		ctx = context.WithoutCancel(ctx) // on a busy machine the lease may end first: the test counts tries, not leases
		if strings.HasPrefix(t.Payload, "always") || strings.HasPrefix(t.Payload, "once") && t.Try == 1 {
			if err := rdb.RPush(ctx, prefix+"doomed", os.Getpid()).Err(); err != nil {
				return err
			}
			time.Sleep(time.Minute)
		}
		return rdb.RPush(ctx, prefix+"done", t.Payload).Err()
	})
}

// Workers that are processes, of which six are killed by a signal that cannot be caught, each with a task in its hand.
func TestKilledWorkersLoseNothing(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	q, err := killable(rdb, prefix)
	if err != nil {
		t.Fatal(err)
	}
	children := map[int]*exec.Cmd{}
	end := func(c *exec.Cmd) {
		if err := c.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = c.Wait() // says that it was killed
		delete(children, c.Process.Pid)
	}
	t.Cleanup(func() {
		for _, c := range children {
			end(c)
		}
	})
	start := func() {
		t.Helper()
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), workerEnv+"="+rdb.Options().Addr+" "+prefix)
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		children[c.Process.Pid] = c
	}
	const plain, once = 200, 3
	want := map[string]bool{}
	var tasks []string
	for i := range plain {
		tasks = append(tasks, fmt.Sprint("plain ", i))
	}
	for i := range once {
		tasks = append(tasks[:i*50+20], append([]string{fmt.Sprint("once ", i)}, tasks[i*50+20:]...)...)
	}
	for _, task := range tasks {
		want[task] = true
	}
	if err := q.Push(ctx, append([]string{"always"}, tasks...)...); err != nil {
		t.Fatal(err)
	}
	start()
	start()
	for range once + 3 {
		kv, err := rdb.BLPop(ctx, 20*time.Second, prefix+"doomed").Result()
		if err != nil {
			t.Fatalf("no worker met a task that kills: %v", err)
		}
		pid, err := strconv.Atoi(kv[1])
		if err != nil || children[pid] == nil {
			t.Fatalf("%q is no worker of this test", kv[1])
		}
		end(children[pid])
		start()
	}
	for len(want) > 0 {
		kv, err := rdb.BLPop(ctx, 20*time.Second, prefix+"done").Result()
		if err != nil {
			t.Fatalf("%d tasks are lost: %v", len(want), err)
		}
		delete(want, kv[1])
	}
	for {
		s, err := q.Stats(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if s.Waiting+s.Later == 0 && s.Dead == 1 {
			break
		}
		select {
		case <-ctx.Done():
			t.Fatalf("in the end: %+v", s)
		case <-time.After(20 * time.Millisecond):
		}
	}
	letters, err := q.Dead(ctx, 10)
	if err != nil || len(letters) != 1 || letters[0].Payload != "always" || letters[0].Tries != 3 || letters[0].Reason != "its worker died" {
		t.Errorf("dead letters %+v, %v", letters, err)
	}
}
