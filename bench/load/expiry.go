package load

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

const (
	expiryPoll = 2 * time.Millisecond // how often DBSIZE is asked
	expiryCap  = 20 * time.Second     // how long after the last deadline keys are waited for
)

// ExpiryResult is what ExpiryLag has measured.
type ExpiryResult struct {
	Keys     uint64
	Lag      Histogram // from a deadline to the removal, a key each
	LeftOver uint64    // keys still counted at the end; their lag is recorded as if removed then
}

// ExpiryLag loads keys with deadlines spread evenly over spread into the empty server at addr, on the same clock, and
// watches DBSIZE fall. The n-th removal is set against the n-th deadline: which key went is not visible, so for a server
// that removes out of order the mean is exact and the quantiles are flattering. The resolution is that of the polling, 2 ms.
func ExpiryLag(ctx context.Context, addr string, keys uint64, spread time.Duration) (*ExpiryResult, error) {
	ms := uint64(spread / time.Millisecond)
	if keys == 0 || ms == 0 {
		return nil, fmt.Errorf("expiry: needs keys and a spread of at least a millisecond")
	}
	// Loading takes a few microseconds a key; deadlines begin well after it.
	lead := 250*time.Millisecond + time.Duration(keys)*6*time.Microsecond
	first := time.Now().Add(lead).UnixMilli()
	deadline := func(rank uint64) int64 { return first + int64(rank*ms/keys) }

	seed := rng(9)
	value := valueBytes(&seed, 32)
	srcs := fills(keys, 8, 100, func(dst []byte, i uint64) []byte {
		dst = append(dst, "*5\r\n$3\r\nSET\r\n"...)
		dst = appendNumbered(dst, "exp:", i)
		dst = appendBulk(dst, value)
		dst = append(dst, "$4\r\nPXAT\r\n$13\r\n"...)
		dst = strconv.AppendInt(dst, deadline(scatter(i, keys)), 10)
		return append(dst, "\r\n"...)
	})
	r, err := Drive(ctx, addr, srcs, 1, 0)
	if err != nil {
		return nil, fmt.Errorf("expiry: %w", err)
	}
	if r.Errors > 0 {
		return nil, fmt.Errorf("expiry: %s", r.FirstErr)
	}
	if time.Now().UnixMilli() >= first {
		return nil, fmt.Errorf("expiry: loading took %v, longer than the lead of %v", r.Elapsed, lead)
	}
	return watchExpiry(ctx, addr, keys, deadline)
}

func watchExpiry(ctx context.Context, addr string, keys uint64, deadline func(rank uint64) int64) (*ExpiryResult, error) {
	c, err := dialAdmin(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	res := &ExpiryResult{Keys: keys}
	tick := time.NewTicker(expiryPoll)
	defer tick.Stop()
	giveUp := time.UnixMilli(deadline(keys - 1)).Add(expiryCap)
	var gone uint64 // how many removals have been recorded
	for gone < keys {
		left, err := c.dbSize(ctx)
		if err != nil {
			return nil, fmt.Errorf("expiry: %w", err)
		}
		now := time.Now()
		upto := keys - min(keys, left)
		if now.After(giveUp) {
			res.LeftOver = keys - upto
			upto = keys
		}
		for ; gone < upto; gone++ {
			res.Lag.Record(now.Sub(time.UnixMilli(deadline(gone))), 1)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return res, nil
}
