package taskqueue

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrLost says that a task was given to another worker, because this one had not been heard of for a lease.
var ErrLost = errors.New("taskqueue: the task is not this worker's any more")

const (
	maxTries   = 1000
	minLease   = 50 * time.Millisecond
	maxLease   = 24 * time.Hour
	maxBackoff = 30 * 24 * time.Hour
	maxReason  = 500 // bytes of an error that a dead letter keeps
	maxRead    = 1000

	// keep is how long a dead worker's list is looked after. A worker that slept after its last look at the clock may have a
	// task moved there long after it was given up.
	keep = 24 * time.Hour
)

// Options are those of a Reliable. Zero values stand for the defaults; all processes should use the same.
type Options struct {
	Lease    time.Duration               // after which a worker that is not heard of is dead, 50 ms to a day; 0: 30 s
	MaxTries int                         // after which a task is buried, up to 1000; 0: 5
	Backoff  func(try int) time.Duration // before the next try when that one failed, up to 30 days; nil: DefaultBackoff
	OnError  func(error)                 // hears of errors that Work survives; may be called concurrently; nil: nobody
}

// DefaultBackoff waits 1, 2, 4, ... seconds, an hour at most, of which up to a half is taken off by chance.
func DefaultBackoff(try int) time.Duration {
	d := min(time.Hour, time.Second<<min(max(try-1, 0), 12))
	return d - mrand.N(d/2)
}

// Reliable is a queue that loses no task with a worker.
//
// Contract: a task that Push accepted is in exactly one place, until a handler has returned nil for it or it has been discarded:
// waiting, held by a worker, waiting for its next try, or a dead letter. A task is handled at least once; a second time only when a
// worker was not heard of for a lease or its reply was lost, or the handler failed. What a dead worker held waits again within a
// lease and a third, before all others, as long as any worker of the queue lives. A task whose handler has failed MaxTries
// times, or whose workers died over it as often, is a dead letter. A Reliable has no state of its own and may be used by any number
// of goroutines and processes.
//
// How: workers BLMOVE a task to a list of their own, named in a sorted set by when they will be taken for dead, and remove it when
// it is done. Every worker prolongs its own entry three times in a lease, by a script that also moves what the dead held back
// to the queue and brings up what is due for another try. A task carries its count of tries and an id in its element,
// so each move is one command or one script, and no task is between two places.
//
// Trade-offs. Handlers must bear being run twice; Task.ID tells a repetition. A task takes a round trip more than in a Queue.
// Nothing outlives what the server itself forgets: persistence and replication decide that. Retries come behind what waits,
// so a task that fails loses its place. All keys of a queue are in one slot of a cluster. Dead letters are kept until somebody
// calls Revive or Discard.
type Reliable struct {
	rdb  redis.UniversalClient
	o    Options
	keys queueKeys
}

// queueKeys share a hash tag; held is the beginning of the name of every worker's list.
type queueKeys struct{ wait, workers, later, dead, held string }

// Task is a task that a worker holds.
type Task struct {
	ID      string // of this Push, the same for each try
	Payload string
	Try     int // 1 at first

	element string // as it is in lists
}

// Letter is a task that was given up.
type Letter struct {
	ID      string
	Payload string
	Tries   int
	Reason  string    // the last error, or that workers died
	At      time.Time // when, by the server's clock
}

// Stats is how many tasks are where, and how many workers are known, the dead of the last day included.
type Stats struct{ Waiting, Later, Dead, Workers int64 }

// NewReliable returns the queue of that name, of 1 to 512 bytes without braces.
func NewReliable(rdb redis.UniversalClient, name string, o Options) (*Reliable, error) {
	if o.Lease == 0 {
		o.Lease = 30 * time.Second
	}
	if o.MaxTries == 0 {
		o.MaxTries = 5
	}
	if o.Backoff == nil {
		o.Backoff = DefaultBackoff
	}
	if o.OnError == nil {
		o.OnError = func(error) {}
	}
	switch {
	case len(name) == 0 || len(name) > 512 || strings.ContainsAny(name, "{}"):
		return nil, errors.New("taskqueue: a name has 1 to 512 bytes and no braces")
	case o.Lease < minLease || o.Lease > maxLease:
		return nil, fmt.Errorf("taskqueue: a lease lies between %v and %v", minLease, maxLease)
	case o.MaxTries < 1 || o.MaxTries > maxTries:
		return nil, fmt.Errorf("taskqueue: 1 to %d tries", maxTries)
	}
	base := "{" + name + "}:"
	return &Reliable{rdb: rdb, o: o, keys: queueKeys{
		wait: base + "wait", workers: base + "workers", later: base + "later", dead: base + "dead", held: base + "held:",
	}}, nil
}

// Push adds tasks in order, all or none: 1 to 1000 of up to a mebibyte each.
func (q *Reliable) Push(ctx context.Context, payloads ...string) error {
	if err := checkTasks(payloads); err != nil {
		return err
	}
	elements := make([]any, len(payloads))
	for i, p := range payloads {
		elements[i] = "0 " + newID() + " " + p
	}
	if err := q.rdb.LPush(ctx, q.keys.wait, elements...).Err(); err != nil {
		return fmt.Errorf("taskqueue: push: %w", err)
	}
	return nil
}

// Stats counts.
func (q *Reliable) Stats(ctx context.Context) (Stats, error) {
	var wait, later, dead, workers *redis.IntCmd
	_, err := q.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		wait, later = p.LLen(ctx, q.keys.wait), p.ZCard(ctx, q.keys.later)
		dead, workers = p.LLen(ctx, q.keys.dead), p.ZCard(ctx, q.keys.workers)
		return nil
	})
	if err != nil {
		return Stats{}, fmt.Errorf("taskqueue: stats: %w", err)
	}
	return Stats{wait.Val(), later.Val(), dead.Val(), workers.Val()}, nil
}

// Dead returns the oldest n dead letters, at most 1000.
func (q *Reliable) Dead(ctx context.Context, n int) ([]Letter, error) {
	if err := checkCount(n); err != nil {
		return nil, err
	}
	elements, err := q.rdb.LRange(ctx, q.keys.dead, int64(-n), -1).Result()
	if err != nil {
		return nil, fmt.Errorf("taskqueue: dead letters: %w", err)
	}
	letters := make([]Letter, len(elements))
	for i, e := range elements {
		if letters[len(letters)-1-i], err = parseLetter(e); err != nil {
			return nil, err
		}
	}
	return letters, nil
}

// Revive gives the oldest n dead letters, at most 1000, all their tries again, and returns how many there were.
func (q *Reliable) Revive(ctx context.Context, n int) (int, error) {
	return q.exhume(ctx, n, "revive")
}

// Discard forgets the oldest n dead letters, at most 1000, and returns how many there were.
func (q *Reliable) Discard(ctx context.Context, n int) (int, error) {
	return q.exhume(ctx, n, "discard")
}

func (q *Reliable) exhume(ctx context.Context, n int, what string) (int, error) {
	if err := checkCount(n); err != nil {
		return 0, err
	}
	done, err := exhume.Run(ctx, q.rdb, []string{q.keys.dead, q.keys.wait}, n, what).Int()
	if err != nil {
		return 0, fmt.Errorf("taskqueue: %s: %w", what, err)
	}
	return done, nil
}

func checkCount(n int) error {
	if n < 1 || n > maxRead {
		return fmt.Errorf("taskqueue: 1 to %d dead letters, not %d", maxRead, n)
	}
	return nil
}

// parseTask takes an element of a list apart: the tries it has had, in up to four digits, its id, its payload.
func parseTask(element string) (*Task, error) {
	tries, rest, ok := strings.Cut(element, " ")
	id, payload, ok2 := strings.Cut(rest, " ")
	n, err := strconv.ParseUint(tries, 10, 64)
	if !ok || !ok2 || err != nil || len(tries) > 4 || id == "" {
		return nil, fmt.Errorf("taskqueue: foreign task %.40q", element)
	}
	return &Task{ID: id, Payload: payload, Try: int(n) + 1, element: element}, nil
}

// parseLetter takes a dead letter apart: milliseconds, the length of its reason, the reason, and the task.
func parseLetter(element string) (Letter, error) {
	bad := fmt.Errorf("taskqueue: foreign dead letter %.40q", element)
	at, rest, _ := strings.Cut(element, " ")
	length, rest, _ := strings.Cut(rest, " ")
	ms, err := strconv.ParseInt(at, 10, 64)
	n, err2 := strconv.Atoi(length)
	if err != nil || err2 != nil || n < 0 || n > len(rest) {
		return Letter{}, bad
	}
	t, err := parseTask(rest[n:])
	if err != nil {
		return Letter{}, bad
	}
	return Letter{ID: t.ID, Payload: t.Payload, Tries: t.Try - 1, Reason: rest[:n], At: time.UnixMilli(ms)}, nil
}

func newID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	return hex.EncodeToString(b[:])
}
