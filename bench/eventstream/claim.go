package eventstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrLost says that the event is not pending for this worker any more: another claimed it after the lease, or it was
// acknowledged.
var ErrLost = errors.New("eventstream: the event is not this worker's any more")

// Start is the cursor with which a worker begins to Claim.
const Start = "0-0"

// Read hands out up to n new events to a worker, all of them for the first time. It waits for the first one for so long, in
// whole milliseconds, or not at all if that is 0, and returns nothing when none came.
func (g *Group) Read(ctx context.Context, worker string, n int64, wait time.Duration) ([]Event, error) {
	block := time.Duration(-1) // to Redis 0 is for ever
	if wait > 0 {
		block = max(wait, time.Millisecond)
	}
	streams, err := g.s.rdb.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: g.name, Consumer: worker, Streams: []string{g.s.key, ">"}, Count: n, Block: block,
	}).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("eventstream: read: %w", err)
	}
	var out []Event
	for _, st := range streams {
		out = append(out, events(st.Messages, 1)...)
	}
	return out, nil
}

// Claimed is what a worker has taken over.
type Claimed struct {
	Events []Event
	Lost   []string // ids of events that were trimmed while they were pending; they no longer are
	Next   string   // the cursor to go on with; Start when everything pending has been looked at
}

// Claim takes over up to n events that have been pending for longer than the lease, whoever held them, and begins a new
// lease for them. It looks at a part of what is pending, from cursor on.
func (g *Group) Claim(ctx context.Context, worker, cursor string, n int64) (Claimed, error) {
	msgs, next, lost, err := g.s.rdb.XAutoClaimWithDeleted(ctx, &redis.XAutoClaimArgs{
		Stream: g.s.key, Group: g.name, Consumer: worker, MinIdle: g.o.Lease, Start: cursor, Count: n,
	}).Result()
	if err != nil {
		return Claimed{}, fmt.Errorf("eventstream: claim: %w", err)
	}
	c := Claimed{Lost: lost, Next: next}
	if len(msgs) == 0 {
		return c, nil
	}
	// The claim has counted, but does not tell: ask for each, since others may be pending between them.
	counts := make([]*redis.XPendingExtCmd, len(msgs))
	if _, err := g.s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, m := range msgs {
			counts[i] = p.XPendingExt(ctx, &redis.XPendingExtArgs{
				Stream: g.s.key, Group: g.name, Start: m.ID, End: m.ID, Count: 1, Consumer: worker,
			})
		}
		return nil
	}); err != nil {
		return Claimed{}, fmt.Errorf("eventstream: claim: %w", err)
	}
	for i, e := range events(msgs, 0) {
		if p := counts[i].Val(); len(p) == 1 { // else the lease has ended since
			e.Deliveries = p[0].RetryCount
			c.Events = append(c.Events, e)
		}
	}
	return c, nil
}

// Ack says that an event has been handled. It returns false when it had been acknowledged before.
func (g *Group) Ack(ctx context.Context, id string) (bool, error) {
	n, err := g.s.rdb.XAck(ctx, g.s.key, g.name, id).Result()
	if err != nil {
		return false, fmt.Errorf("eventstream: acknowledge: %w", err)
	}
	return n == 1, nil
}

// held is how scripts begin that are for the worker which holds an event: group, worker and id are the first arguments.
const held = `
local key, group, worker, id = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local p = redis.call('XPENDING', key, group, id, id, 1, worker)[1]
if not p then
	return 0
end
`

// What was trimmed leaves a dead letter with its id alone.
var bury = redis.NewScript(held + `
local fields = redis.call('XRANGE', key, id, id)[1]
redis.call('XADD', KEYS[2], '*', '` + fieldEvent + `', id, '` + fieldDeliveries + `', ARGV[4], unpack(fields and fields[2] or {}))
redis.call('XACK', key, group, id)
return 1
`)

// A claim without counting (JUSTID) that makes the event as old as the lease, and its count what it was before.
var giveBack = redis.NewScript(held + `
redis.call('XCLAIM', key, group, worker, 0, id, 'IDLE', ARGV[4], 'RETRYCOUNT', math.max(0, p[4] - 1), 'JUSTID')
return 1
`)

// Bury moves an event that the worker holds to the dead letters.
func (g *Group) Bury(ctx context.Context, worker string, e Event) error {
	deliveries := e.Deliveries
	if g.o.MaxDeliveries > 0 {
		deliveries = min(deliveries, g.o.MaxDeliveries) // one more claim found out that there had been enough
	}
	return g.run(ctx, bury, worker, e.ID, deliveries)
}

// GiveBack ends the lease of an event that the worker holds and has not tried: it can be claimed at once, and this
// delivery does not count.
func (g *Group) GiveBack(ctx context.Context, worker string, e Event) error {
	return g.run(ctx, giveBack, worker, e.ID, g.o.Lease.Milliseconds()+1)
}

func (g *Group) run(ctx context.Context, script *redis.Script, worker, id string, arg int64) error {
	n, err := script.Run(ctx, g.s.rdb, []string{g.s.key, g.dead}, g.name, worker, id, arg).Int64()
	switch {
	case err != nil:
		return fmt.Errorf("eventstream: %w", err)
	case n == 0:
		return ErrLost
	}
	return nil
}

// The fields that a dead letter has before those of its event.
const (
	fieldEvent      = "dead:event"
	fieldDeliveries = "dead:deliveries"
)

// Letter is a dead letter.
type Letter struct {
	ID    string // its own, by which letters are paged through and deleted
	Event Event  // as it was, but without fields if it had been trimmed by then
}

// Dead returns up to n dead letters of the group after the one of that id, from the first one if it is empty.
func (g *Group) Dead(ctx context.Context, after string, n int64) ([]Letter, error) {
	entries, err := history(ctx, g.s.rdb, g.dead, after, n)
	if err != nil {
		return nil, err
	}
	out := make([]Letter, len(entries))
	for i, e := range entries {
		deliveries, err := strconv.ParseInt(e.Fields[fieldDeliveries], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("eventstream: %s in %s is no dead letter", e.ID, g.dead)
		}
		out[i] = Letter{ID: e.ID, Event: Event{ID: e.Fields[fieldEvent], Fields: e.Fields, Deliveries: deliveries}}
		delete(e.Fields, fieldEvent)
		delete(e.Fields, fieldDeliveries)
	}
	return out, nil
}
