// Package leaderboard ranks members by points that many clients add at once.
//
// Contract: no point is lost, and Top is the exact order at one instant: by points, highest first, members with equal
// points in descending byte order of their names. A Board has no state of its own and may be used by any number of goroutines.
//
// How: one sorted set. Adding points is one ZINCRBY, the best n are one ZRANGE 0 n-1 REV WITHSCORES; both cost O(log members).
//
// Trade-offs. One board is one key, so it lives on one shard or cluster node; a board that must take more writes than
// one key can should be split by member and merged by its readers. Points are 64-bit floating-point numbers: whole numbers are exact
// up to 2^53. A client that retries a request whose reply was lost adds the points twice; where that matters, record
// the event id in the same transaction.
package leaderboard

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// ErrUnknown says that a member has no points on this board.
var ErrUnknown = errors.New("leaderboard: unknown member")

// Board is one ranking.
type Board struct {
	rdb redis.UniversalClient
	key string
}

// Entry is one line of a ranking.
type Entry struct {
	Rank   int64 // 1 is the best
	Member string
	Points float64
}

// New returns the board kept at key.
func New(rdb redis.UniversalClient, key string) *Board { return &Board{rdb: rdb, key: key} }

// Add gives member points, which may be negative, and returns its new total.
func (b *Board) Add(ctx context.Context, member string, points float64) (float64, error) {
	total, err := b.rdb.ZIncrBy(ctx, b.key, points, member).Result()
	if err != nil {
		return 0, fmt.Errorf("leaderboard: add: %w", err)
	}
	return total, nil
}

// Top returns the best n members, fewer when the board has fewer.
func (b *Board) Top(ctx context.Context, n int) ([]Entry, error) {
	if n < 1 {
		return nil, nil
	}
	zs, err := b.rdb.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{Key: b.key, Start: 0, Stop: n - 1, Rev: true}).Result()
	if err != nil {
		return nil, fmt.Errorf("leaderboard: top: %w", err)
	}
	top := make([]Entry, len(zs))
	for i, z := range zs {
		member, ok := z.Member.(string)
		if !ok {
			return nil, fmt.Errorf("leaderboard: top: member of type %T", z.Member)
		}
		top[i] = Entry{Rank: int64(i) + 1, Member: member, Points: z.Score}
	}
	return top, nil
}

// Place returns where member stands, or ErrUnknown.
func (b *Board) Place(ctx context.Context, member string) (Entry, error) {
	var rank *redis.IntCmd
	var points *redis.FloatCmd
	_, err := b.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		rank = p.ZRevRank(ctx, b.key, member)
		points = p.ZScore(ctx, b.key, member)
		return nil
	})
	if errors.Is(err, redis.Nil) {
		return Entry{}, ErrUnknown
	}
	if err != nil {
		return Entry{}, fmt.Errorf("leaderboard: place: %w", err)
	}
	return Entry{Rank: rank.Val() + 1, Member: member, Points: points.Val()}, nil
}
