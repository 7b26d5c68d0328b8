// Package load puts measured load on a server that speaks the Redis protocol.
//
// It owns the generators of cmd/pulse-bench:
//
//	Drive        closed-loop raw requests from Sources: single commands (Workloads, TypeWorkloads, ScriptWorkloads,
//	             StreamWorkloads) and bulk fills
//	OpenLoop     GETs or SETs at a fixed rate, answered or not
//	Background   what OpenLoop's SETs meet while a server saves all it has in the background
//	PatternRun   the pattern packages beside this one, through go-redis, in a closed loop or at a fixed rate (Pace)
//	Consume      consumers of one group that read and acknowledge the entries of a stream
//	Handoff      how long a task takes from LPUSH sent to a waiting BRPOP's reply; HandoffStream: from XADD to XREADGROUP
//	Memory       resident bytes per key, and what overwriting does to them
//	Weigh        resident bytes per element of Holdings: many small or few large values of each type
//	Connections  resident bytes per idle connection, and the latency of those that ask beside thousands of them
//	Unread       what clients that do not read their replies cost a server and its other clients
//	ExpiryLag    how long keys outlive their deadline
//	CPU, RSS     what a process on this machine has used, from /proc
//
// The client shares the machine with the server, so it must cost little: requests are encoded once and patched in
// place, replies are counted and not parsed, one thread serves all connections with epoll (a goroutine per connection
// where there is no epoll), and nothing allocates while the clock runs.
//
// Latencies, except those of OpenLoop and of a Pace with a rate, are those of a closed loop: a connection sends its next batch when it has every reply to the last one, so
// a stalled server delays requests that an open loop would have counted as slow. They compare servers under the same
// load; they are not what a user at a fixed request rate would see. In a batch, each reply counts from the moment the batch was sent.
//
// Functions may be called concurrently, but two loads at once measure each other.
package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// stallAfter is how long a server may stay silent while replies are owed.
const stallAfter = 30 * time.Second

// Source makes the requests of one connection. It is used by one goroutine.
type Source interface {
	// Next returns the next batch, encoded, and how many requests it holds; zero ends the connection's work. The bytes
	// stay valid and unchanged until the following call.
	Next() (batch []byte, requests int)
}

// listener is a Source whose requests follow from the replies to the last batch.
type listener interface {
	// received gets the replies as they arrive, in pieces that stay valid during the call.
	received(b []byte)
}

// Result is what a load has measured.
type Result struct {
	Requests int64
	Elapsed  time.Duration
	Lat      Histogram
	Nulls    int64  // null replies, of commands that were to find something
	Errors   int64  // error replies
	FirstErr string // text of one of them
}

// PerSecond returns the throughput.
func (r *Result) PerSecond() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Requests) / r.Elapsed.Seconds()
}

func (r *Result) merge(o *Result) {
	r.Requests += o.Requests
	r.Lat.Merge(&o.Lat)
	r.Nulls += o.Nulls
	r.Errors += o.Errors
	if r.FirstErr == "" {
		r.FirstErr = o.FirstErr
	}
}

// lane is one connection at work. Exactly one goroutine owns it.
type lane struct {
	conn    net.Conn
	src     Source
	hears   listener // nil unless src is one
	scan    Scanner
	out     []byte    // what of the current batch is still to be written
	pending int       // replies owed
	sentAt  time.Time // when the current batch began to be written

	waitsForRoom bool // the socket is full; only the epoll driver uses this
}

// refill takes the next batch unless time is up, and says whether there is one.
func (l *lane) refill(deadline time.Time) bool {
	if !deadline.IsZero() && !time.Now().Before(deadline) {
		return false
	}
	l.out, l.pending = l.src.Next()
	l.sentAt = time.Now()
	return l.pending > 0
}

// received counts the replies in b.
func (l *lane) received(b []byte, r *Result) error {
	n, err := l.scan.Count(b)
	if err != nil {
		return err
	}
	if l.hears != nil {
		l.hears.received(b)
	}
	if n > l.pending {
		return fmt.Errorf("load: %d replies more than requests", n-l.pending)
	}
	if n > 0 {
		l.pending -= n
		r.Requests += int64(n)
		r.Lat.Record(time.Since(l.sentAt), n)
	}
	return nil
}

// Drive opens one connection to addr for each source and keeps all of them busy until their sources end or d has
// passed (zero: no limit), on so many threads. The clock starts when every connection is open and stops with the last reply.
func Drive(ctx context.Context, addr string, sources []Source, threads int, d time.Duration) (*Result, error) {
	lanes := make([]*lane, 0, len(sources))
	defer func() {
		for _, l := range lanes {
			_ = l.conn.Close()
		}
	}()
	var dialer net.Dialer
	for _, src := range sources {
		c, err := dialer.DialContext(ctx, network(addr), addr)
		if err != nil {
			return nil, fmt.Errorf("load: %w", err)
		}
		hears, _ := src.(listener)
		lanes = append(lanes, &lane{conn: c, src: src, hears: hears})
	}
	threads = min(max(threads, 1), len(lanes))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make([]Result, threads)
	errs := make([]error, threads)
	begin := time.Now()
	var deadline time.Time
	if d > 0 {
		deadline = begin.Add(d)
	}
	var wg sync.WaitGroup
	for t := range threads {
		mine := lanes[t*len(lanes)/threads : (t+1)*len(lanes)/threads]
		wg.Go(func() {
			if errs[t] = driveLanes(ctx, mine, deadline, &results[t]); errs[t] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	total := &Result{Elapsed: time.Since(begin)}
	for t := range results {
		total.merge(&results[t])
	}
	for _, l := range lanes {
		total.Nulls += l.scan.Nulls
		total.Errors += l.scan.Errors
		if total.FirstErr == "" {
			total.FirstErr = l.scan.FirstErr
		}
	}
	return total, firstCause(errs)
}

// firstCause returns the error that made the others give up.
func firstCause(errs []error) error {
	var cancelled error
	for _, err := range errs {
		switch {
		case err == nil:
		case errors.Is(err, context.Canceled):
			cancelled = err
		default:
			return err
		}
	}
	return cancelled
}

// network tells a Unix socket's path from host:port.
func network(addr string) string {
	if len(addr) > 0 && (addr[0] == '/' || addr[0] == '@') {
		return "unix"
	}
	return "tcp"
}
