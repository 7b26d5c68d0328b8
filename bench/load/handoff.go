package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// settle is how long a hand-off gives the one that waits to block before the task is sent.
const settle = 50 * time.Microsecond

// exchange is one hand-off: a worker waits, a producer sends; done, if there is any, is what the worker says at the end.
type exchange struct{ wait, send, done string }

// Handoff measures, for about d, the time from writing an LPUSH on one connection to having read the reply of the BRPOP
// that waits on another. One goroutine plays both sides, so no scheduling of the client's own lies between them.
func Handoff(ctx context.Context, addr string, d time.Duration) (*Result, error) {
	x := exchange{wait: request("BRPOP", "handoff", "5"), send: request("LPUSH", "handoff", "task")}
	return handoff(ctx, addr, d, func(int64) exchange { return x })
}

// handoff makes the exchanges that next gives, which are numbered from 1 on.
func handoff(ctx context.Context, addr string, d time.Duration, next func(n int64) exchange) (*Result, error) {
	var dialer net.Dialer
	var side [2]talker
	for i := range side {
		c, err := dialer.DialContext(ctx, network(addr), addr)
		if err != nil {
			return nil, fmt.Errorf("handoff: %w", err)
		}
		defer c.Close()
		side[i] = talker{conn: c, buf: make([]byte, 4096)}
	}
	producer, worker := &side[0], &side[1]
	r := &Result{}
	begin := time.Now()
	for time.Since(begin) < d {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		x := next(r.Requests + 1)
		if err := worker.send(x.wait); err != nil {
			return nil, err
		}
		// A reply on the other connection and a short rest make it all but certain that the server has seen who waits.
		if err := errors.Join(producer.send("*1\r\n$4\r\nPING\r\n"), producer.receive()); err != nil {
			return nil, err
		}
		time.Sleep(settle)
		sent := time.Now()
		if err := producer.send(x.send); err != nil {
			return nil, err
		}
		if err := worker.receive(); err != nil {
			return nil, err
		}
		r.Lat.Record(time.Since(sent), 1)
		r.Requests++
		if err := producer.receive(); err != nil {
			return nil, err
		}
		if x.done != "" {
			if err := errors.Join(worker.send(x.done), worker.receive()); err != nil {
				return nil, err
			}
		}
	}
	r.Elapsed = time.Since(begin)
	for _, t := range side {
		if t.scan.Errors > 0 || t.scan.Nulls > 0 {
			return nil, fmt.Errorf("handoff: %d errors (%s), %d time-outs", t.scan.Errors, t.scan.FirstErr, t.scan.Nulls)
		}
	}
	return r, nil
}

// talker is one connection on which requests and replies take turns.
type talker struct {
	conn net.Conn
	scan Scanner
	buf  []byte
}

func (t *talker) send(request string) error {
	if err := t.conn.SetDeadline(time.Now().Add(stallAfter)); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	if _, err := t.conn.Write([]byte(request)); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	return nil
}

// receive waits for one reply.
func (t *talker) receive() error {
	for {
		n, err := t.conn.Read(t.buf)
		if err != nil {
			return fmt.Errorf("load: %w", err)
		}
		replies, err := t.scan.Count(t.buf[:n])
		if err != nil {
			return err
		}
		if replies > 0 {
			return nil
		}
	}
}
