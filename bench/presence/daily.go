package presence

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Daily returns how many users beat on the day of UTC that t is in, exactly.
func (p *Presence) Daily(ctx context.Context, t time.Time) (int64, error) {
	n, err := p.rdb.BitCount(ctx, p.bits(t), nil).Result()
	if err != nil {
		return 0, fmt.Errorf("presence: daily: %w", err)
	}
	return n, nil
}

// DailyEstimate is Daily by HyperLogLog: with a standard error of 0.81 %.
func (p *Presence) DailyEstimate(ctx context.Context, t time.Time) (int64, error) {
	return p.ActiveEstimate(ctx, t, 1)
}

// ActiveEstimate returns about how many users beat on at least one of n days, 1 to 366, of which t is in the last.
func (p *Presence) ActiveEstimate(ctx context.Context, t time.Time, n int) (int64, error) {
	keys, err := lastDays(t, n, p.uniques)
	if err != nil {
		return 0, err
	}
	count, err := p.rdb.PFCount(ctx, keys...).Result()
	if err != nil {
		return 0, fmt.Errorf("presence: active: %w", err)
	}
	return count, nil
}

// Returning returns how many users beat on every one of n days, 1 to 366, of which t is in the last, exactly. It reads all their
// bitmaps and writes one for a moment.
func (p *Presence) Returning(ctx context.Context, t time.Time, n int) (int64, error) {
	keys, err := lastDays(t, n, p.bits)
	if err != nil {
		return 0, err
	}
	var id [8]byte
	_, _ = rand.Read(id[:]) // documented never to fail
	scratch := p.prefix + ":scratch:" + hex.EncodeToString(id[:])
	var count *redis.IntCmd
	_, err = p.rdb.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		tx.BitOpAnd(ctx, scratch, keys...)
		count = tx.BitCount(ctx, scratch, nil)
		tx.Del(ctx, scratch)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("presence: returning: %w", err)
	}
	return count.Val(), nil
}

// WasActive says whether user beat on the day that t is in.
func (p *Presence) WasActive(ctx context.Context, user int64, t time.Time) (bool, error) {
	if err := p.check(user); err != nil {
		return false, err
	}
	bit, err := p.rdb.GetBit(ctx, p.bits(t), user).Result()
	if err != nil {
		return false, fmt.Errorf("presence: active: %w", err)
	}
	return bit == 1, nil
}

// lastDays returns the keys of n days.
func lastDays(t time.Time, n int, key func(time.Time) string) ([]string, error) {
	if n < 1 || n > maxDays {
		return nil, fmt.Errorf("presence: 1 to %d days, not %d", maxDays, n)
	}
	keys := make([]string, n)
	for i := range keys {
		keys[i] = key(t.UTC().AddDate(0, 0, -i))
	}
	return keys, nil
}
