//go:build !linux

package load

import (
	"context"
	"time"
)

// runtimeTimer keeps to its times within a millisecond or so.
type runtimeTimer struct{}

func newTimer(context.Context) (timer, error) { return runtimeTimer{}, nil }

func (runtimeTimer) Now() time.Time { return time.Now() }

func (runtimeTimer) Until(ctx context.Context, at time.Time) error {
	left := time.Until(at)
	if left <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (runtimeTimer) Close() error { return nil }
