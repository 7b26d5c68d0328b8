package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// openTick is how often an open loop sends what is due.
const openTick = 250 * time.Microsecond

// maxRate is above what one thread can send.
const maxRate = 10_000_000

// OpenOptions say how many requests on the keys of dataset Strings to send, and when.
type OpenOptions struct {
	Clients   int
	Rate      int // requests per second over all clients
	Duration  time.Duration
	Until     <-chan struct{} // closed to end before Duration is over; may be nil
	Keys      uint64
	Write     bool // SETs instead of GETs,
	ValueSize int  // of values of so many bytes
	Seed      uint64
}

// OpenResult is what OpenLoop has measured.
type OpenResult struct {
	Result           // latencies count from when a request was due, whenever it was sent
	Late   Histogram // by how much requests left later than they were due, because the client did not get the processor
	// or, in a pattern, because all its callers were busy

	Dropped int64 // operations of a pattern that were due and never begun
}

// openPlan is what is due when: burst requests at begin and after every further tick, ticks times.
type openPlan struct {
	begin time.Time
	ticks int
	rate  int // requests per second
	until <-chan struct{}
}

// due returns how many requests are due after n ticks.
func (p openPlan) due(n int) int { return int(int64(n) * int64(p.rate) / int64(time.Second/openTick)) }

// at returns when tick n is.
func (p openPlan) at(n int) time.Time { return p.begin.Add(time.Duration(n) * openTick) }

// OpenLoop sends GETs or SETs to addr at a fixed rate: requests leave at their times whether or not earlier ones have been
// answered, as those of users do, so a server that stalls is charged with everything that was due meanwhile. It runs for
// o.Duration and then waits for the replies owed.
func OpenLoop(ctx context.Context, addr string, o OpenOptions) (*OpenResult, error) {
	if o.Rate < 1 || o.Rate > maxRate || o.Clients < 1 || o.Duration < openTick {
		return nil, errors.New("load: an open loop needs a rate, clients and a duration")
	}
	lanes := make([]*openLane, 0, o.Clients)
	defer func() {
		for _, l := range lanes {
			_ = l.conn.Close()
		}
	}()
	var dialer net.Dialer
	seeds := rng(o.Seed)
	command := "GET key:%K"
	if o.Write {
		command = "SET key:%K %V"
	}
	for range o.Clients {
		c, err := dialer.DialContext(ctx, network(addr), addr)
		if err != nil {
			return nil, fmt.Errorf("load: %w", err)
		}
		request := newTemplate(command, 1, seeds.next(), Shape{Keys: o.Keys, ValueSize: o.ValueSize})
		lanes = append(lanes, &openLane{lane: lane{conn: c, src: request}})
	}
	plan := openPlan{begin: time.Now(), ticks: int(o.Duration / openTick), rate: o.Rate, until: o.Until}
	r := &OpenResult{}
	err := driveSchedule(ctx, lanes, plan, r)
	r.Elapsed = time.Since(plan.begin)
	for _, l := range lanes {
		r.Nulls += l.scan.Nulls
		r.Errors += l.scan.Errors
		if r.FirstErr == "" {
			r.FirstErr = l.scan.FirstErr
		}
	}
	if err == nil && r.Errors > 0 {
		err = fmt.Errorf("load: %d error replies, one of them %q", r.Errors, r.FirstErr)
	}
	return r, err
}

// openLane is a connection on which requests may be in flight that were due at different times.
type openLane struct {
	lane
	buf  []byte      // what out is the unsent end of
	sent []time.Time // when each request in flight was due, oldest first, from head on
	head int
}

// request puts another request behind what is still to be written.
func (l *openLane) request(due time.Time) {
	if len(l.out) == 0 {
		l.buf = l.buf[:0]
	} else if len(l.out) < len(l.buf)/2 {
		l.buf = append(l.buf[:0], l.out...)
	}
	unsent := len(l.out)
	b, n := l.src.Next()
	l.buf = append(l.buf, b...)
	l.out = l.buf[len(l.buf)-len(b)-unsent:]
	if l.head > 0 && l.head == len(l.sent) {
		l.sent, l.head = l.sent[:0], 0
	}
	l.sent = append(l.sent, due)
	l.pending += n
}

// received records the replies in b.
func (l *openLane) received(b []byte, r *OpenResult) error {
	n, err := l.scan.Count(b)
	if err != nil {
		return err
	}
	if n > l.pending {
		return fmt.Errorf("load: %d replies more than requests", n-l.pending)
	}
	now := time.Now()
	for _, due := range l.sent[l.head : l.head+n] {
		r.Lat.Record(now.Sub(due), 1)
	}
	l.head += n
	l.pending -= n
	r.Requests += int64(n)
	return nil
}
