package schedule

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// turn is how long a worker waits before it looks at its context again: the most that stopping it takes.
const turn = time.Second

const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = time.Minute
)

// Work handles jobs as they become due, one at a time, until ctx is cancelled, which returns nil within about a second
// after the job in hand, or until the server fails. handle has the length of lease, after which its context ends and the
// job may be another's. A job whose handle failed is tried again, after a tenth of a second at first and twice as long
// each time, up to a minute.
func (q *Queue) Work(ctx context.Context, lease time.Duration, handle func(ctx context.Context, j *Job) error) error {
	steady := context.WithoutCancel(ctx) // a request under way is waited for, or what it brings would have to wait for its lease
	for ctx.Err() == nil {
		jobs, next, err := q.Claim(steady, 1, lease)
		if err != nil {
			return err
		}
		if len(jobs) == 0 {
			if err := q.wait(steady, next); err != nil {
				return err
			}
			continue
		}
		if err := q.run(ctx, &jobs[0], lease, handle); err != nil {
			return err
		}
	}
	return nil
}

// run returns errors of the server only: those of handle postpone the job.
func (q *Queue) run(ctx context.Context, j *Job, lease time.Duration, handle func(ctx context.Context, j *Job) error) error {
	steady := context.WithoutCancel(ctx)
	hctx, stop := context.WithTimeout(ctx, lease)
	err := handle(hctx, j)
	stop()
	if err != nil {
		err = q.Postpone(steady, j, backoff(j.Claims))
	} else {
		_, err = q.Finish(steady, j)
	}
	if err != nil && !errors.Is(err, ErrLost) {
		return fmt.Errorf("job %q: %w", j.ID, err)
	}
	return nil
}

// backoff returns how long to wait after so many claims, which are at least one.
func backoff(claims int64) time.Duration {
	return min(lastBackoff, firstBackoff<<min(claims-1, 20))
}
