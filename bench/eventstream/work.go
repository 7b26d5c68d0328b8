package eventstream

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// turn is how long one read waits at most before the worker looks at its context and for events to claim again: the most
// that stopping a worker takes. It also keeps a read below the client's read timeout, so that none is given up on while the
// server hands out events to it.
const turn = time.Second

// Work handles events until ctx is cancelled, which returns nil within about a second after the event in hand, or until the
// server fails. handle gets a context that ends with the lease; when it returns nil the event is acknowledged, else it
// comes back after the lease, to any worker of the group, or is buried if it has been delivered often enough. Events that
// were handed to this worker and not begun when ctx is cancelled are given back.
//
// Workers that run at the same time need different names.
func (g *Group) Work(ctx context.Context, worker string, handle func(ctx context.Context, e Event) error) error {
	if worker == "" {
		return errors.New("eventstream: a worker needs a name")
	}
	// A request under way is waited for, or what it brings would have to wait for its lease.
	steady := context.WithoutCancel(ctx)
	every := min(turn, max(g.o.Lease/2, time.Millisecond))
	cursor := Start
	var reaped time.Time
	for ctx.Err() == nil {
		if cursor != Start || time.Since(reaped) >= every {
			reaped = time.Now()
			c, err := g.Claim(steady, worker, cursor, g.o.Batch)
			if err != nil {
				return err
			}
			cursor = c.Next
			if len(c.Lost) > 0 && g.o.Lost != nil {
				g.o.Lost(c.Lost)
			}
			if err := g.batch(ctx, worker, c.Events, reaped, handle); err != nil {
				return err
			}
			continue
		}
		events, err := g.Read(steady, worker, g.o.Batch, every)
		if err != nil {
			return err
		}
		if err := g.batch(ctx, worker, events, time.Now(), handle); err != nil {
			return err
		}
	}
	return nil
}

// batch handles events whose lease began at the time given. It returns errors of the server only.
func (g *Group) batch(ctx context.Context, worker string, events []Event, begin time.Time, handle func(ctx context.Context, e Event) error) error {
	steady := context.WithoutCancel(ctx)
	for _, e := range events {
		var err error
		switch {
		case g.o.MaxDeliveries > 0 && e.Deliveries > g.o.MaxDeliveries:
			err = g.Bury(steady, worker, e)
		case time.Since(begin) >= g.o.Lease: // others may have it by now
			return nil
		case ctx.Err() != nil:
			err = g.GiveBack(steady, worker, e)
		default:
			err = g.one(ctx, worker, e, begin.Add(g.o.Lease), handle)
		}
		if err != nil && !errors.Is(err, ErrLost) {
			return fmt.Errorf("event %s: %w", e.ID, err)
		}
	}
	return nil
}

func (g *Group) one(ctx context.Context, worker string, e Event, end time.Time, handle func(ctx context.Context, e Event) error) error {
	steady := context.WithoutCancel(ctx)
	hctx, stop := context.WithDeadline(ctx, end)
	err := handle(hctx, e)
	stop()
	switch {
	case err == nil:
		_, err = g.Ack(steady, e.ID)
		return err
	case g.o.MaxDeliveries > 0 && e.Deliveries >= g.o.MaxDeliveries:
		return g.Bury(steady, worker, e)
	}
	return nil // it comes back
}
