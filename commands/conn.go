package commands

import (
	"time"

	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/store"
)

// RedisVersion is the version of Redis whose behaviour this is.
const RedisVersion = "7.4.1"

// Conn is the state of one client in the command language. It belongs to one loop and is touched there only, under the
// loop's gate, except where a command is Exclusive.
type Conn struct {
	ID  int64
	DB  int
	Out resp.Writer // replies not handed to the transport yet
	Env Env

	// What the loop lends its connections.
	Gate  *store.Gate
	Tx    *store.Tx
	Meter Meter

	// batch is when the present batch of commands began, by both clocks, and mark the monotonic time at which the
	// last command ended: one reading of the clock per command gives it its duration and the next one its time.
	batch struct {
		wall int64 // Unix milliseconds
		mono time.Duration
	}
	mark time.Duration

	Authenticated bool
	Unix          bool // it came by a Unix socket
	unheard       bool // the reply that it waits for is held back by CLIENT REPLY
	User          string
	account       *Account // of User; nil may do everything
	Name          string
	LibName       string
	LibVer        string
	Addr, LAddr   string
	FD            int
	Created       time.Duration // by the monotonic clock
	LastActive    time.Duration
	LastCmd       *Spec

	// Subs counts subscriptions to channels, PSubs to patterns, SSubs to shard channels.
	Subs, PSubs, SSubs int
	NoEvict            bool
	NoTouch            bool
	Tracking           ClientTracking
	reply              replyMode

	// Postponed tells that the next request waits until a pause ends. The session sets it.
	Postponed bool
	// Closing makes the session close once Out is written.
	Closing bool
	// Tied is set by requests whose replies may tell of data. The session clears it.
	Tied bool

	// Wrote is set by commands that have changed data. The session clears it.
	Wrote bool

	crowded bool // see Crowded

	// Monitor tells that the client looks on while others' commands run.
	Monitor   bool
	monitored bool          // somebody looks on; as of the beginning of the batch
	replica   bool          // it is being sent export
	slow      time.Duration // what takes as long goes to the slow log; likewise

	export  Export       // what it wants as a replica
	multi   *transaction // nil outside of MULTI
	running *transaction // that EXEC is running, nil if none is
	watch   store.Watch
	blocked *blockedCall

	after []byte // pushes that follow the reply under way

	call Call // reused by each command
	keys []KeyPos
	// scores is memory for those of a request.
	scores []float64
	last   struct { // the last name looked up
		name []byte
		spec *Spec
	}

	// Intercept is asked about requests; nil lets all of them run.
	Intercept Interceptor

	// Session is the server's own state of the client.
	Session any
}

// Meter takes the measure of commands; one per loop.
type Meter interface {
	// Command records a call of the command with the given ID that took d.
	Command(id int, d time.Duration, failed bool)
	// Rejected records a request that did not get to run.
	Rejected(id int)
	// ErrorReply counts an error reply by its text.
	ErrorReply(text string)
	// Lookups counts hits and misses of keys and lazily expired keys.
	Lookups(hits, misses, expired int64)
}

type replyMode uint8

const (
	replyOn replyMode = iota
	replyOff
	replySkipNext // CLIENT REPLY SKIP: the next command is not answered
)

// BeginBatch reads the clocks; a session calls it before the first Do after having waited for input.
func (c *Conn) BeginBatch() {
	clk := c.Env.Clock()
	c.batch.wall, c.batch.mono = clk.NowMs(), clk.Mono()
	c.mark = c.batch.mono
	c.LastActive = c.mark
	c.attend()
}

// now is the wall time of a command that begins at mark, in Unix milliseconds.
func (c *Conn) now() int64 { return c.batch.wall + (c.mark - c.batch.mono).Milliseconds() }

// lap returns the time since the last lap or the beginning of the batch.
func (c *Conn) lap() time.Duration {
	was := c.mark
	c.mark = c.Env.Clock().Mono()
	return c.mark - was
}

// Worked is how long the present batch has taken, as of its last command.
func (c *Conn) Worked() time.Duration { return c.mark - c.batch.mono }

// InMulti reports whether the client is between MULTI and EXEC.
func (c *Conn) InMulti() bool { return c.multi != nil }

// QueuedCommands returns the number of commands queued, or being run by EXEC, -1 outside of MULTI.
func (c *Conn) QueuedCommands() int {
	switch {
	case c.multi != nil:
		return len(c.multi.queue)
	case c.running != nil:
		return len(c.running.queue)
	}
	return -1
}

// QueuedBytes returns the size of the queue of MULTI in bytes, also while EXEC runs it.
func (c *Conn) QueuedBytes() int {
	switch {
	case c.multi != nil:
		return c.multi.bytes
	case c.running != nil:
		return c.running.bytes
	}
	return 0
}

// WatchedBytes returns the size of what is watched in bytes.
func (c *Conn) WatchedBytes() int { return c.watch.Size() }

// Watching returns the number of keys watched.
func (c *Conn) Watching() int { return c.watch.Len() }

// Blocked reports whether the client waits for keys.
func (c *Conn) Blocked() bool { return c.blocked != nil }

// Subscriber reports whether the client has subscriptions.
func (c *Conn) Subscriber() bool { return c.Subs+c.PSubs+c.SSubs > 0 }

// subscribed reports whether the client may only use the commands of a RESP2 subscriber.
func (c *Conn) subscribed() bool { return c.Subscriber() && c.Out.Proto() == 2 }

// PushOwn sends the client a message that its own command has caused: it leaves right after the reply of that command,
// so that it never lies within a reply.
func (c *Conn) PushOwn(encoded []byte) { c.after = append(c.after, encoded...) }
