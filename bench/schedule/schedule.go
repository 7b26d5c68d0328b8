// Package schedule runs jobs at their times, once or again and again.
//
// Contract: a job is claimed at its time or later, never earlier, by the server's clock; by one worker at a time; and again
// only if that worker neither finished nor postponed it within its lease. Once another has claimed it, the first one gets
// ErrLost from Finish, Postpone and Extend, and changes nothing. A recurring job keeps to the grid of its first time: turns that were missed are left out, not made up for. A Queue has no state of its
// own and may be used by any number of goroutines and processes.
//
// How: a sorted set holds the jobs by the time when they may be claimed next, two hashes their payloads and what is known
// about them. A claim is a script: it takes what is due and, in the same step, moves it to the end of its lease. So a job is
// in the set as long as it exists, what a dead worker held comes back by itself, and there is nothing to sweep. Claims are
// numbered, and whoever ends one must bring its number.
//
// Workers do not poll. Who finds nothing due waits in BLPOP until the next time, at most a second, for a signal in a list; Add
// leaves one when its job is the next, and a claim when it leaves jobs behind, so that somebody always watches the next
// time. Signals are hints: one that is lost costs up to a second of lateness, never a job.
//
// Trade-offs. A handler that outlives its lease is run a second time beside itself, so leases must be longer than handlers,
// and what a job does must bear being done twice when workers die (at least once). A job costs about 250 bytes and its
// payload. All jobs of a queue are in one slot of a cluster; many queues spread over slots, one does not. Handlers that
// fail are tried again without end: one that wants to give up returns nil.
//
// Needs scripts, BLPOP with fractions of a second (Redis 6.0), and a client whose ReadTimeout is above a second.
package schedule

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	// ErrExists says that a job of that id waits or runs already.
	ErrExists = errors.New("schedule: a job of that id exists")
	// ErrLost says that the job's lease had passed, or that it was cancelled.
	ErrLost = errors.New("schedule: the job is not this worker's any more")
)

const (
	maxID      = 512
	maxPayload = 1 << 20
	maxBatch   = 1000
	minLease   = time.Millisecond
	maxDelay   = 10 * 365 * 24 * time.Hour
)

// Queue is a set of jobs, kept under keys that begin with its name in braces.
type Queue struct {
	rdb  redis.UniversalClient
	keys []string // due, payloads, about, signal
}

// New returns the queue of that name.
func New(rdb redis.UniversalClient, name string) *Queue {
	base := "{" + name + "}:"
	return &Queue{rdb: rdb, keys: []string{base + "due", base + "payloads", base + "about", base + "signal"}}
}

// Job is a job that was claimed.
type Job struct {
	ID      string
	Payload string
	Due     time.Time     // when it was to be claimed
	Claimed time.Time     // when it was, by the same clock
	Every   time.Duration // zero unless it recurs
	Claims  int64         // how often this turn of it has been claimed, 1 at first

	token int64 // the number of the claim
}

// Late returns how late the job was claimed.
func (j *Job) Late() time.Duration { return j.Claimed.Sub(j.Due) }

// At adds a job for a time by the server's clock; one that has passed means at once. Ids have 1 to 512 bytes, payloads up to
// a mebibyte. ErrExists says that the id is taken, until that job has been finished or cancelled.
func (q *Queue) At(ctx context.Context, id, payload string, when time.Time) error {
	if d := time.Until(when); d > maxDelay || d < -maxDelay {
		return errors.New("schedule: the time is too far away")
	}
	return q.add(ctx, id, payload, when.UnixMicro(), "at", 0)
}

// In is At, counted from when the server gets to it.
func (q *Queue) In(ctx context.Context, id, payload string, delay time.Duration) error {
	if delay < 0 || delay > maxDelay {
		return errors.New("schedule: the delay is negative or too long")
	}
	return q.add(ctx, id, payload, delay.Microseconds(), "in", 0)
}

// Every adds a job that recurs at an interval of a millisecond or more, for the first time after one interval.
func (q *Queue) Every(ctx context.Context, id, payload string, interval time.Duration) error {
	if interval < time.Millisecond || interval > maxDelay {
		return errors.New("schedule: the interval is too short or too long")
	}
	return q.add(ctx, id, payload, interval.Microseconds(), "in", interval.Microseconds())
}

func (q *Queue) add(ctx context.Context, id, payload string, us int64, from string, every int64) error {
	if err := checkID(id); err != nil {
		return err
	}
	if len(payload) > maxPayload {
		return fmt.Errorf("schedule: a payload of %d bytes, more than %d", len(payload), maxPayload)
	}
	n, err := add.Run(ctx, q.rdb, q.keys, id, payload, us, from, every).Int64()
	switch {
	case err != nil:
		return fmt.Errorf("schedule: add: %w", err)
	case n == 0:
		return ErrExists
	}
	return nil
}

// Cancel removes the job of that id and says whether there was one. A worker that runs it gets ErrLost at the end.
func (q *Queue) Cancel(ctx context.Context, id string) (bool, error) {
	if err := checkID(id); err != nil {
		return false, err
	}
	n, err := cancel.Run(ctx, q.rdb, q.keys, id).Int64()
	if err != nil {
		return false, fmt.Errorf("schedule: cancel: %w", err)
	}
	return n == 1, nil
}

// Len returns how many jobs wait or run.
func (q *Queue) Len(ctx context.Context) (int64, error) {
	n, err := q.rdb.ZCard(ctx, q.keys[0]).Result()
	if err != nil {
		return 0, fmt.Errorf("schedule: len: %w", err)
	}
	return n, nil
}

// Claim takes up to n jobs, at most 1000, that are due, in the order of their times, for the length of a lease. It also
// returns how long it is until the next job may be claimed, -1 when there is none.
func (q *Queue) Claim(ctx context.Context, n int, lease time.Duration) ([]Job, time.Duration, error) {
	if n < 1 || n > maxBatch {
		return nil, 0, fmt.Errorf("schedule: claim 1 to %d jobs, not %d", maxBatch, n)
	}
	if lease < minLease || lease > maxDelay {
		return nil, 0, errors.New("schedule: the lease is too short or too long")
	}
	r, err := claim.Run(ctx, q.rdb, q.keys, n, lease.Microseconds()).Slice()
	if err != nil {
		return nil, 0, fmt.Errorf("schedule: claim: %w", err)
	}
	jobs, next, err := parseClaim(r)
	if err != nil {
		return nil, 0, fmt.Errorf("schedule: claim: %w", err)
	}
	return jobs, next, nil
}

// parseClaim takes the reply of the script apart: now, the time to the next job, and six values for each job.
func parseClaim(r []any) ([]Job, time.Duration, error) {
	const head, each = 2, 6
	if len(r) < head || (len(r)-head)%each != 0 {
		return nil, 0, fmt.Errorf("a reply of %d values", len(r))
	}
	bad := false
	number := func(v any) int64 {
		n, ok := v.(int64)
		bad = bad || !ok
		return n
	}
	text := func(v any) string {
		s, ok := v.(string)
		bad = bad || !ok
		return s
	}
	now := time.UnixMicro(number(r[0]))
	next := time.Duration(number(r[1]))
	if next > 0 {
		next *= time.Microsecond
	}
	jobs := make([]Job, 0, (len(r)-head)/each)
	for v := r[head:]; len(v) > 0; v = v[each:] {
		jobs = append(jobs, Job{
			ID: text(v[0]), Payload: text(v[1]), Claimed: now,
			Due: time.UnixMicro(number(v[2])), Every: time.Duration(number(v[3])) * time.Microsecond, Claims: number(v[4]), token: number(v[5]),
		})
	}
	if bad {
		return nil, 0, errors.New("a reply with values of other types")
	}
	return jobs, next, nil
}

// Finish removes a claimed job or, if it recurs, sets it to the next time of its grid that has not passed. It returns that
// time, zero for a job that is gone.
func (q *Queue) Finish(ctx context.Context, j *Job) (time.Time, error) {
	us, err := finish.Run(ctx, q.rdb, q.keys, j.ID, j.token).Int64()
	switch {
	case err != nil:
		return time.Time{}, fmt.Errorf("schedule: finish: %w", err)
	case us < 0:
		return time.Time{}, ErrLost
	case us == 0:
		return time.Time{}, nil
	}
	return time.UnixMicro(us), nil
}

// Postpone gives a claimed job back, to be claimed after a delay. Its time stays, and so does the count of its claims.
func (q *Queue) Postpone(ctx context.Context, j *Job, delay time.Duration) error {
	return q.move(ctx, j, delay, 0)
}

// Extend begins a new lease for a claimed job.
func (q *Queue) Extend(ctx context.Context, j *Job, lease time.Duration) error {
	return q.move(ctx, j, lease, 1)
}

// move sets when j may be claimed next; the claim goes on if keep is 1.
func (q *Queue) move(ctx context.Context, j *Job, delay time.Duration, keep int) error {
	if delay < 0 || delay > maxDelay {
		return errors.New("schedule: the delay is negative or too long")
	}
	n, err := move.Run(ctx, q.rdb, q.keys, j.ID, j.token, delay.Microseconds(), keep).Int64()
	switch {
	case err != nil:
		return fmt.Errorf("schedule: %w", err)
	case n == 0:
		return ErrLost
	}
	return nil
}

func checkID(id string) error {
	if len(id) == 0 || len(id) > maxID {
		return fmt.Errorf("schedule: an id has 1 to %d bytes, not %d", maxID, len(id))
	}
	return nil
}

// wait returns when something may be due: when next (-1: unknown) or a second has passed, or a signal came.
func (q *Queue) wait(ctx context.Context, next time.Duration) error {
	d := turn
	if next >= 0 {
		d = min(turn, max(next, time.Millisecond))
	}
	// Whole milliseconds, rounded up: waking before the time would be to wake twice.
	seconds := strconv.FormatFloat(float64((d+time.Millisecond-1)/time.Millisecond)/1000, 'f', 3, 64)
	if err := q.rdb.Do(ctx, "BLPOP", q.keys[3], seconds).Err(); err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("schedule: wait: %w", err)
	}
	return nil
}
