// Package eventstream is a log of events that any number of groups of workers read, each group at its own pace.
//
// Contract: every event that Publish accepted is handed to one worker of each group, and handed out again until one of them
// has acknowledged it: at least once, in order of publication as far as nothing is repeated. An event that a worker holds for
// longer than the group's lease, because it died or failed, goes to whoever asks next, and Deliveries says how often it has
// been handed out, exactly. After the last delivery that the group allows it moves to the group's dead letters, once. All this
// holds for events that Retention still keeps; one that was trimmed before it was acknowledged is reported as lost, never
// passed over in silence. Streams and Groups have no state of their own and may be used by any number of goroutines and
// processes.
//
// How: XADD; XREADGROUP, which notes what it hands out as pending; XACK, which ends that. Workers are their own reapers:
// between two reads they XAUTOCLAIM what has been pending for longer than the lease, so that there is no process whose death
// would stop redelivery. The counter of deliveries is the server's. A dead letter is written by a script, because it must be
// acknowledged in the same step and only by the worker that still holds it.
//
// Trade-offs. A stream costs memory until it is trimmed, whether its events were handled or not: a list (package taskqueue)
// forgets a task when it is popped, but feeds one group and loses what a dead worker held. Retention is what bounds the
// promise: watch Backlog, and keep more than the longest outage that a group shall survive. Handlers must be idempotent: an
// event is handled again when its worker died between handling and XACK, or was slower than the lease. Deliveries counts a
// delivery even if the worker died before it came to that event of its batch, so few deliveries allowed together with large
// batches bury events that nobody has tried. A failed event comes back after the lease, behind those published since: a group
// that needs strict order must not allow more than one worker, nor go on after a failure. Workers should have names that come
// back, such as the host's: each name stays in the group, and XGROUP DELCONSUMER throws away what it had pending. A producer
// whose client retries after a lost reply can publish an event twice.
package eventstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// maxFields is how many fields an event can have: what a script can pass on in one call bounds it.
const maxFields = 1000

// Retention says how much of a stream is kept: by number, by age, or everything. Trimming is approximate: the server drops
// only whole blocks of entries (100 unless it is configured otherwise), which costs it next to nothing.
type Retention struct {
	MaxLen int64         // at least this many of the last events; 0: any number
	MaxAge time.Duration // at least those of the last so long, by the producer's clock; 0: of any age
}

// Stream is a log of events, kept under a key that begins with its name in braces.
type Stream struct {
	rdb  redis.UniversalClient
	name string
	key  string
	keep Retention
}

// Event is an entry of a stream.
type Event struct {
	ID         string // "milliseconds-number", rising; unique in its stream
	Fields     map[string]string
	Deliveries int64 // how often its group has handed it out, this time included; 0 where no group did
}

// New returns the stream of that name. Publish trims it to what keep says; MaxLen and MaxAge exclude each other.
func New(rdb redis.UniversalClient, name string, keep Retention) (*Stream, error) {
	if keep.MaxLen < 0 || keep.MaxAge < 0 || keep.MaxLen > 0 && keep.MaxAge > 0 {
		return nil, errors.New("eventstream: a stream is kept by number or by age, neither of them negative")
	}
	return &Stream{rdb: rdb, name: name, key: "{" + name + "}:events", keep: keep}, nil
}

// Publish appends an event of 1 to 1000 fields, given as names and values in turn, and returns its id. The same names in
// the same order from event to event take the least memory, because the server stores them once for many events.
func (s *Stream) Publish(ctx context.Context, namesAndValues ...string) (string, error) {
	if n := len(namesAndValues); n == 0 || n%2 != 0 || n > 2*maxFields {
		return "", fmt.Errorf("eventstream: %d strings are not the names and values of 1 to %d fields", n, maxFields)
	}
	args := &redis.XAddArgs{Stream: s.key, Values: namesAndValues, MaxLen: s.keep.MaxLen, Approx: true}
	if s.keep.MaxAge > 0 {
		args.MinID = strconv.FormatInt(time.Now().Add(-s.keep.MaxAge).UnixMilli(), 10)
	}
	id, err := s.rdb.XAdd(ctx, args).Result()
	if err != nil {
		return "", fmt.Errorf("eventstream: publish: %w", err)
	}
	return id, nil
}

// Len returns how many events are kept.
func (s *Stream) Len(ctx context.Context) (int64, error) {
	n, err := s.rdb.XLen(ctx, s.key).Result()
	if err != nil {
		return 0, fmt.Errorf("eventstream: len: %w", err)
	}
	return n, nil
}

// History returns up to n events after the one of that id, or from the first one kept if it is empty, without a group. To
// read on, give it the id of the last.
func (s *Stream) History(ctx context.Context, after string, n int64) ([]Event, error) {
	return history(ctx, s.rdb, s.key, after, n)
}

func history(ctx context.Context, rdb redis.UniversalClient, key, after string, n int64) ([]Event, error) {
	from := "-"
	if after != "" {
		from = "(" + after
	}
	msgs, err := rdb.XRangeN(ctx, key, from, "+", n).Result()
	if err != nil {
		return nil, fmt.Errorf("eventstream: history: %w", err)
	}
	return events(msgs, 0), nil
}

func events(msgs []redis.XMessage, deliveries int64) []Event {
	out := make([]Event, len(msgs))
	for i, m := range msgs {
		fields := make(map[string]string, len(m.Values))
		for name, v := range m.Values {
			fields[name], _ = v.(string) // go-redis gives nothing else
		}
		out[i] = Event{ID: m.ID, Fields: fields, Deliveries: deliveries}
	}
	return out
}

// GroupOptions say how a group treats its events.
type GroupOptions struct {
	// From is where a group begins that does not exist yet: after the event of that id, "0" or empty for all that are
	// kept, "$" for what is published from now on.
	From string
	// Lease is how long a worker may hold an event, at least a millisecond. It must be longer than handling a batch takes.
	Lease time.Duration
	// MaxDeliveries is after how many deliveries an event that is not acknowledged becomes a dead letter; 0: never.
	MaxDeliveries int64
	// Batch is how many events Work asks for at a time; 0 stands for 16. What a worker holds when it dies waits for the lease.
	Batch int64
	// Lost is told the ids of events that were trimmed while they were pending. It may be nil, and is called by Work only.
	Lost func(ids []string)
}

// Group is one reader of a stream, made of any number of workers.
type Group struct {
	s    *Stream
	name string
	dead string
	o    GroupOptions
}

const defaultBatch = 16

// Group returns the group of that name and makes it, and the stream, if they do not exist.
func (s *Stream) Group(ctx context.Context, name string, o GroupOptions) (*Group, error) {
	switch {
	case name == "":
		return nil, errors.New("eventstream: a group needs a name")
	case o.Lease < time.Millisecond:
		return nil, errors.New("eventstream: a lease lasts at least a millisecond")
	case o.MaxDeliveries < 0 || o.Batch < 0:
		return nil, errors.New("eventstream: negative numbers of deliveries or events")
	}
	if o.From == "" {
		o.From = "0"
	}
	if o.Batch == 0 {
		o.Batch = defaultBatch
	}
	err := s.rdb.XGroupCreateMkStream(ctx, s.key, name, o.From).Err()
	if err != nil && !strings.HasPrefix(err.Error(), "BUSYGROUP") {
		return nil, fmt.Errorf("eventstream: group: %w", err)
	}
	return &Group{s: s, name: name, dead: "{" + s.name + "}:dead:" + name, o: o}, nil
}

// Backlog is what a group still has to do.
type Backlog struct {
	Waiting int64 // events not handed out yet; -1 when the server cannot tell
	Pending int64 // events handed out and not acknowledged
}

// Backlog asks for it.
func (g *Group) Backlog(ctx context.Context) (Backlog, error) {
	groups, err := g.s.rdb.XInfoGroups(ctx, g.s.key).Result()
	if err != nil {
		return Backlog{}, fmt.Errorf("eventstream: backlog: %w", err)
	}
	for _, info := range groups {
		if info.Name == g.name {
			return Backlog{Waiting: info.Lag, Pending: info.Pending}, nil
		}
	}
	return Backlog{}, fmt.Errorf("eventstream: backlog: no group %q", g.name)
}
