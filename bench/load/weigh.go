package load

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// Weight is what Weigh has measured: resident bytes per unit above those of the empty server.
type Weight struct {
	Loaded    float64       // straight after the load
	Collected float64       // after a full collection and a rest
	Peak      float64       // at the highest, up to then
	LoadTime  time.Duration // for the load alone
}

// Weigh loads h into the empty server at addr, which is process pid on this machine. For a figure that says something the
// server must have started anew: memory that it kept from earlier data would not be counted. Collected is measured when the
// size has not changed for the time quiet.
func (h Holding) Weigh(ctx context.Context, addr string, pid int, quiet time.Duration) (*Weight, error) {
	empty, _, err := RSS(pid)
	if err != nil {
		return nil, fmt.Errorf("%s (%s): %w", h.ID, runtime.GOOS, err)
	}
	r, err := h.send(ctx, addr)
	if err != nil {
		return nil, err
	}
	loaded, _, err := RSS(pid)
	if err != nil {
		return nil, err
	}
	if err := collect(ctx, addr, pid, quiet); err != nil {
		return nil, err
	}
	collected, peak, err := RSS(pid)
	if err != nil {
		return nil, err
	}
	n, err := Size(ctx, addr)
	if err != nil {
		return nil, err
	}
	if n != h.Keys {
		return nil, fmt.Errorf("%s: %d keys, want %d", h.ID, n, h.Keys)
	}
	if err := h.check(ctx, addr); err != nil {
		return nil, err
	}
	per := func(bytes int64) float64 { return float64(bytes-empty) / float64(h.Units()) }
	return &Weight{Loaded: per(loaded), Collected: per(collected), Peak: per(peak), LoadTime: r.Elapsed}, nil
}

// How collect decides that a server has given back what it will.
const (
	steadyStep   = 20 * time.Millisecond
	steadyBytes  = 256 << 10 // this much, or a 256th, is no change
	steadyWithin = 10 * time.Second
	collections  = 2 // a second one finds what the first has only marked as unused
)

// collect has the server at addr, which is process pid, give back memory, by MEMORY PURGE where it knows that, and
// returns when its resident size has been steady for the time quiet, or after 10 seconds for each collection.
func collect(ctx context.Context, addr string, pid int, quiet time.Duration) error {
	missing, err := Missing(ctx, addr, "MEMORY PURGE")
	if err != nil {
		return err
	}
	for range collections {
		if len(missing) == 0 {
			if err := Purge(ctx, addr); err != nil {
				return err
			}
		}
		if err := awaitSteady(ctx, pid, quiet); err != nil {
			return err
		}
	}
	return nil
}

func awaitSteady(ctx context.Context, pid int, quiet time.Duration) error {
	begin := time.Now()
	since := begin
	var at int64
	for {
		now, _, err := RSS(pid)
		if err != nil {
			return err
		}
		if moved := max(now-at, at-now); moved > max(steadyBytes, at>>8) {
			at, since = now, time.Now()
		}
		if time.Since(since) > quiet || time.Since(begin) > steadyWithin {
			return nil
		}
		if err := rest(ctx, steadyStep); err != nil {
			return err
		}
	}
}
