//go:build !linux

package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// driveLanes serves each lane from a goroutine of its own, for systems without epoll.
func driveLanes(ctx context.Context, lanes []*lane, deadline time.Time, r *Result) error {
	results := make([]Result, len(lanes))
	errs := make([]error, len(lanes))
	var wg sync.WaitGroup
	for i, l := range lanes {
		wg.Go(func() {
			stop := context.AfterFunc(ctx, func() { _ = l.conn.SetDeadline(time.Unix(1, 0)) })
			defer stop()
			errs[i] = l.work(ctx, deadline, &results[i])
		})
	}
	wg.Wait()
	for i := range results {
		r.merge(&results[i])
	}
	return firstCause(errs)
}

func (l *lane) work(ctx context.Context, deadline time.Time, r *Result) error {
	buf := make([]byte, 16<<10)
	for l.refill(deadline) {
		if err := l.conn.SetDeadline(time.Now().Add(stallAfter)); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := l.conn.Write(l.out); err != nil {
			return fmt.Errorf("load: write: %w", err)
		}
		for l.pending > 0 {
			n, err := l.conn.Read(buf)
			if err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return fmt.Errorf("load: read: %w", err)
			}
			if err := l.received(buf[:n], r); err != nil {
				return err
			}
		}
	}
	return nil
}

// driveSchedule would need a poller of its own to keep to its times.
func driveSchedule(context.Context, []*openLane, openPlan, *OpenResult) error {
	return errors.New("load: requests at a fixed rate need Linux")
}
