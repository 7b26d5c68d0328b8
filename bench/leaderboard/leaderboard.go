// Package leaderboard ranks members by points that many clients add at once.
//
// Contract: no point is lost, and Top, Around and Place are the exact order at one instant: by points, highest first, members with
// equal points in descending byte order of their names, so that a page never differs from the next reader's. Likes counts each user once for
// each post. A Timed board ranks by what was added in its last periods alone. None has a state of its own; all may be used by
// any number of goroutines.
//
// How: a board is one sorted set. Adding points is one ZINCRBY, the best n are one ZRANGE 0 n-1 REV WITHSCORES; both cost O(log
// members). Around asks for the rank and its neighbourhood in one script, as the rank may change in between. Likes keeps
// a set of who likes each post, and adds to it and to the board in one script. Timed adds to a set for each period, which
// ends by itself; a ranking over several is their ZUNIONSTORE, kept for a moment and shared by all who ask meanwhile.
//
// Trade-offs. Ties by name cost nothing, but favour the end of the alphabet; who came first could be put into the fraction of the
// points instead, for which there is room up to some 2^20 points, and then every addition is a script and points are not sums
// any more. A union of periods costs O(members log members) and keeps the server busy meanwhile (a second or so for a million), so
// it is old by up to Fresh; one period alone is exact and costs nothing more. Periods follow the clients' clocks. One board is one key, so it lives on one shard or cluster node; a board that must take more writes than
// one key can should be split by member and merged by its readers. Points are 64-bit floating-point numbers: whole numbers are exact
// up to 2^53. A client that retries a request whose reply was lost adds the points twice; where that matters, record
// the event id in the same transaction.
package leaderboard

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// ErrUnknown says that a member has no points on this board.
var ErrUnknown = errors.New("leaderboard: unknown member")

const (
	maxMember  = 512
	maxEntries = 1000
)

func checkMember(member string) error {
	if len(member) == 0 || len(member) > maxMember {
		return fmt.Errorf("leaderboard: a name has 1 to %d bytes, not %d", maxMember, len(member))
	}
	return nil
}

func checkPoints(points float64) error {
	if math.IsNaN(points) || math.IsInf(points, 0) {
		return errors.New("leaderboard: points are finite")
	}
	return nil
}

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

// Add gives member (1 to 512 bytes) points, finite ones that may be negative, and returns its new total.
func (b *Board) Add(ctx context.Context, member string, points float64) (float64, error) {
	if err := errors.Join(checkMember(member), checkPoints(points)); err != nil {
		return 0, err
	}
	total, err := b.rdb.ZIncrBy(ctx, b.key, points, member).Result()
	if err != nil {
		return 0, fmt.Errorf("leaderboard: add: %w", err)
	}
	return total, nil
}

// Top returns the best n members, at most 1000, fewer when the board has fewer.
func (b *Board) Top(ctx context.Context, n int) ([]Entry, error) {
	if n > maxEntries {
		return nil, fmt.Errorf("leaderboard: at most %d entries, not %d", maxEntries, n)
	}
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

// around replies with the rank of the first entry and the entries with their points, nothing for an unknown member.
var around = redis.NewScript(`
local rank = redis.call('ZREVRANK', KEYS[1], ARGV[1])
if not rank then
	return {}
end
local first = math.max(0, rank - ARGV[2])
local entries = redis.call('ZREVRANGE', KEYS[1], first, rank + ARGV[2], 'WITHSCORES')
table.insert(entries, 1, first)
return entries
`)

// Around returns member with the n members before it and the n after it, at most 500 each, fewer at the ends of the board; or ErrUnknown.
func (b *Board) Around(ctx context.Context, member string, n int) ([]Entry, error) {
	if err := checkMember(member); err != nil {
		return nil, err
	}
	if n < 0 || n > maxEntries/2 {
		return nil, fmt.Errorf("leaderboard: 0 to %d entries around a member, not %d", maxEntries/2, n)
	}
	r, err := around.Run(ctx, b.rdb, []string{b.key}, member, n).Slice()
	if err != nil {
		return nil, fmt.Errorf("leaderboard: around: %w", err)
	}
	if len(r) == 0 {
		return nil, ErrUnknown
	}
	first, ok := r[0].(int64)
	if !ok || len(r)%2 != 1 {
		return nil, fmt.Errorf("leaderboard: around: a reply of %d values", len(r))
	}
	entries := make([]Entry, 0, len(r)/2)
	for r = r[1:]; len(r) > 0; r = r[2:] {
		name, ok := r[0].(string)
		text, ok2 := r[1].(string)
		points, err := strconv.ParseFloat(text, 64)
		if !ok || !ok2 || err != nil {
			return nil, fmt.Errorf("leaderboard: around: entry %v with %v points", r[0], r[1])
		}
		first++
		entries = append(entries, Entry{Rank: first, Member: name, Points: points})
	}
	return entries, nil
}

// Place returns where member stands, or ErrUnknown.
func (b *Board) Place(ctx context.Context, member string) (Entry, error) {
	if err := checkMember(member); err != nil {
		return Entry{}, err
	}
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
