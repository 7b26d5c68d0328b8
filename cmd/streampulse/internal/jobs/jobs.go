// Package jobs is what the service and its workers have in common: the queue of pictures to make, a record of each job, and which
// picture is a user's.
//
// Contract: a job that Add has accepted is handled by a worker at least once, and its record says how far it is: queued, working,
// done or failed. What is done or failed stays so, whoever says something else later; so a task that comes a second time, because its
// worker died or a reply was lost, is known by its record. Each change of a record is told to the channel, as "job:" and the id. Records end
// a day after their last change. A Jobs has no state of its own and may be used by any number of goroutines and processes.
//
// How: the queue is a taskqueue.Reliable, a record is a hash. The record is written before the task is pushed, so a worker never meets a
// task without one; when the push fails the record stays queued, and ends by itself.
package jobs

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/taskqueue"
)

// ErrNotFound says that there is no such job, or that it was long ago.
var ErrNotFound = errors.New("jobs: not found")

// The states of a job.
const (
	Queued  = "queued"
	Working = "working"
	Done    = "done"
	Failed  = "failed"
)

const (
	keep   = 24 * time.Hour
	idSize = 12 // bytes, written as twice as many digits
)

// Job is the record of one.
type Job struct {
	ID    string `json:"id"`
	User  string `json:"user"`
	State string `json:"state"`
	Error string `json:"error,omitempty"` // why it failed, in words for who has uploaded
}

// Over says whether the job's state will not change any more.
func (j *Job) Over() bool { return j.State == Done || j.State == Failed }

// Task is what a worker is told.
type Task struct {
	Job  string `json:"job"`
	User string `json:"user"`
	At   int64  `json:"at"` // microseconds of the service's clock: of two pictures of a user the later one counts
}

// Upload is the key of what was uploaded for a job.
func (t *Task) Upload() string { return "uploads/" + t.Job }

// Jobs are those of one platform.
type Jobs struct {
	rdb     redis.UniversalClient
	prefix  string
	channel string
	queue   *taskqueue.Reliable
}

// New returns the jobs whose keys begin with prefix, in which no brace may stand.
func New(rdb redis.UniversalClient, prefix string, o taskqueue.Options) (*Jobs, error) {
	q, err := taskqueue.NewReliable(rdb, prefix+"avatars", o)
	if err != nil {
		return nil, err
	}
	return &Jobs{rdb: rdb, prefix: prefix + "job:", channel: Channel(prefix), queue: q}, nil
}

// Channel is where changes are published: of jobs, by Topic, and of the leaderboard.
func Channel(prefix string) string { return prefix + "live" }

// Topic is what is published when a job has changed.
func Topic(id string) string { return "job:" + id }

// Queue is where tasks are.
func (j *Jobs) Queue() *taskqueue.Reliable { return j.queue }

// NewID returns an id that no other job has.
func NewID() string {
	var b [idSize]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	return hex.EncodeToString(b[:])
}

// IsID says whether something could be the id of a job.
func IsID(id string) bool {
	return len(id) == 2*idSize && strings.Trim(id, "0123456789abcdef") == ""
}

// Add records a job and hands it to the workers. When it fails the task may have been pushed nevertheless.
func (j *Jobs) Add(ctx context.Context, t Task) error {
	payload, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	key := j.prefix + t.Job
	_, err = j.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.HSet(ctx, key, "user", t.User, "state", Queued)
		p.PExpire(ctx, key, keep)
		return nil
	})
	if err != nil {
		return fmt.Errorf("jobs: record: %w", err)
	}
	return j.queue.Push(ctx, string(payload))
}

// ParseTask reads what Add has pushed.
func ParseTask(payload string) (Task, error) {
	var t Task
	if err := json.Unmarshal([]byte(payload), &t); err != nil {
		return t, fmt.Errorf("jobs: not a task: %w", err)
	}
	if !IsID(t.Job) || t.User == "" {
		return t, errors.New("jobs: not a task: ids are missing")
	}
	return t, nil
}

// Get returns the record of a job.
func (j *Jobs) Get(ctx context.Context, id string) (*Job, error) {
	if !IsID(id) {
		return nil, ErrNotFound
	}
	m, err := j.rdb.HGetAll(ctx, j.prefix+id).Result()
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	if m["state"] == "" {
		return nil, ErrNotFound
	}
	return &Job{ID: id, User: m["user"], State: m["state"], Error: m["error"]}, nil
}

// move changes the record of a job, unless it is over.
var move = redis.NewScript(`
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'done' or state == 'failed' then
	return 0
end
redis.call('HSET', KEYS[1], 'user', ARGV[1], 'state', ARGV[2])
if ARGV[3] ~= '' then
	redis.call('HSET', KEYS[1], 'error', ARGV[3])
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
`)

// Move says how far a job is, and tells the channel if that is new. A job that is over stays as it is.
func (j *Jobs) Move(ctx context.Context, t Task, state, reason string) error {
	n, err := move.Run(ctx, j.rdb, []string{j.prefix + t.Job}, t.User, state, reason, keep.Milliseconds()).Int()
	if err == nil && n == 1 {
		err = j.rdb.Publish(ctx, j.channel, Topic(t.Job)).Err()
	}
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	return nil
}
