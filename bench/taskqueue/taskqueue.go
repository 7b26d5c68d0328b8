// Package taskqueue hands tasks from producers to workers, first in, first out.
//
// Contract: a task that Push accepted is handled by exactly one worker, as long as no process or connection dies while it
// holds one. Cancelling a worker's context loses nothing: a pop that is under way is waited for, and what it brings is handed
// back to the end it came from. A Queue has no state of its own and may be used by any number of goroutines.
//
// How: one list. Producers LPUSH, workers BRPOP: a waiting worker gets a new task at once, and the one that has waited
// longest gets it first. Pops wait in short turns because a blocked pop cannot be called back: abandoning it (as a
// cancelled read would) lets the server pop a task into a connection that nobody reads.
//
// Trade-offs. Delivery is at most once: a worker process that dies takes the one task it holds with it. Where that is
// not enough there is Reliable, a queue of the same use: its workers BLMOVE to lists of their own, which costs a second round
// trip per task and turns "at most once" into "at least once", and tasks that fail are tried again later. A producer whose client retries after a lost reply can push a task twice: open
// producers with MaxRetries: -1, or give tasks ids and make handling idempotent.
package taskqueue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// turn is how long one pop waits before the worker looks at its context again: the most that stopping a worker takes.
const turn = time.Second

const (
	maxTasks = 1000    // of one Push
	maxTask  = 1 << 20 // bytes
)

// Queue is a list of tasks.
type Queue struct {
	rdb redis.UniversalClient
	key string
}

// New returns the queue kept at key.
func New(rdb redis.UniversalClient, key string) *Queue { return &Queue{rdb: rdb, key: key} }

// Push adds tasks in order, all or none: 1 to 1000 of up to a mebibyte each.
func (q *Queue) Push(ctx context.Context, tasks ...string) error {
	if err := checkTasks(tasks); err != nil {
		return err
	}
	args := make([]any, len(tasks))
	for i, t := range tasks {
		args[i] = t
	}
	if err := q.rdb.LPush(ctx, q.key, args...).Err(); err != nil {
		return fmt.Errorf("taskqueue: push: %w", err)
	}
	return nil
}

func checkTasks(tasks []string) error {
	if len(tasks) == 0 || len(tasks) > maxTasks {
		return fmt.Errorf("taskqueue: push 1 to %d tasks, not %d", maxTasks, len(tasks))
	}
	for _, t := range tasks {
		if len(t) > maxTask {
			return fmt.Errorf("taskqueue: a task of %d bytes, more than %d", len(t), maxTask)
		}
	}
	return nil
}

// Len returns how many tasks wait.
func (q *Queue) Len(ctx context.Context) (int64, error) {
	n, err := q.rdb.LLen(ctx, q.key).Result()
	if err != nil {
		return 0, fmt.Errorf("taskqueue: len: %w", err)
	}
	return n, nil
}

// Work handles tasks one after another until ctx is cancelled, which returns nil within about a second after the task in
// hand is done, or until the server or handle returns an error. A task whose handle failed is handed back, to be the
// next one popped, before Work returns that error; so is a task that arrives together with the cancellation.
//
// handle gets ctx and should finish or fail soon after its cancellation.
func (q *Queue) Work(ctx context.Context, handle func(ctx context.Context, task string) error) error {
	steady := context.WithoutCancel(ctx)
	for ctx.Err() == nil {
		kv, err := q.rdb.BRPop(steady, turn, q.key).Result()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			return fmt.Errorf("taskqueue: pop: %w", err)
		}
		task := kv[1]
		if ctx.Err() != nil {
			return q.handBack(steady, task)
		}
		if err := handle(ctx, task); err != nil {
			return errors.Join(fmt.Errorf("taskqueue: handle: %w", err), q.handBack(steady, task))
		}
	}
	return nil
}

func (q *Queue) handBack(ctx context.Context, task string) error {
	if err := q.rdb.RPush(ctx, q.key, task).Err(); err != nil {
		return fmt.Errorf("taskqueue: task %q could not be handed back: %w", task, err)
	}
	return nil
}
