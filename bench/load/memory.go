package load

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// memoryRest is how long a server gets to return what it no longer needs before its resident size is read.
const memoryRest = 2 * time.Second

// The lengths that overwriting gives to values, and how often each value is overwritten.
const (
	overwriteMin    = 20
	overwriteMax    = 60
	overwritePasses = 2
)

// MemoryResult is what Memory has measured. Sizes are resident bytes per key above those of the empty server.
type MemoryResult struct {
	Keys          uint64
	Loaded        float64       // after the load and a rest
	LoadedPeak    float64       // at the highest, up to then
	Overwritten   float64       // after each value was replaced twice by one of another length, and a rest
	LoadTime      time.Duration // for the load alone
	OverwriteTime time.Duration // for both passes
}

// Memory loads keys strings of 16-byte keys and 32-byte values into the empty server at addr, which is process pid on
// this machine, then replaces every value twice, in scattered order, by values of 20 to 60 bytes.
func Memory(ctx context.Context, addr string, pid int, keys uint64) (*MemoryResult, error) {
	if keys == 0 {
		return nil, fmt.Errorf("memory: needs keys")
	}
	empty, _, err := RSS(pid)
	if err != nil {
		return nil, fmt.Errorf("memory (%s): %w", runtime.GOOS, err)
	}
	m := &MemoryResult{Keys: keys}
	perKey := func(bytes int64) float64 { return float64(bytes-empty) / float64(keys) }

	r, err := overwrite(ctx, addr, keys, 0)
	if err != nil {
		return nil, err
	}
	m.LoadTime = r.Elapsed
	if err := rest(ctx, memoryRest); err != nil {
		return nil, err
	}
	now, peak, err := RSS(pid)
	if err != nil {
		return nil, err
	}
	m.Loaded, m.LoadedPeak = perKey(now), perKey(peak)

	for pass := range uint64(overwritePasses) {
		r, err := overwrite(ctx, addr, keys, pass+1)
		if err != nil {
			return nil, err
		}
		m.OverwriteTime += r.Elapsed
	}
	if err := rest(ctx, memoryRest); err != nil {
		return nil, err
	}
	if now, _, err = RSS(pid); err != nil {
		return nil, err
	}
	m.Overwritten = perKey(now)
	return m, nil
}

// overwrite sets each of keys keys once. Pass 0 writes 32 bytes in order of the key's number; later passes write other
// lengths in scattered order.
func overwrite(ctx context.Context, addr string, keys, pass uint64) (*Result, error) {
	seed := rng(7)
	pool := valueBytes(&seed, overwriteMax)
	srcs := fills(keys, 8, 100, func(dst []byte, i uint64) []byte {
		size := uint64(32)
		if pass > 0 {
			i = scatter(i, keys)
			h := rng(i<<8 | pass)
			size = overwriteMin + h.below(overwriteMax-overwriteMin+1)
		}
		dst = append(dst, "*3\r\n$3\r\nSET\r\n"...)
		dst = appendNumbered(dst, "key:", i)
		return appendBulk(dst, pool[:size])
	})
	r, err := Drive(ctx, addr, srcs, 1, 0)
	if err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	if r.Errors > 0 {
		return nil, fmt.Errorf("memory: %s", r.FirstErr)
	}
	return r, nil
}

func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
