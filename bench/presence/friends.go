package presence

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Friend is a friend who is online.
type Friend struct {
	User int64
	Seen time.Time // the last beat, to a millisecond
}

// Befriend makes two users friends of each other.
func (p *Presence) Befriend(ctx context.Context, a, b int64) error {
	return p.both(ctx, a, b, redis.Pipeliner.SAdd)
}

// Unfriend ends that.
func (p *Presence) Unfriend(ctx context.Context, a, b int64) error {
	return p.both(ctx, a, b, redis.Pipeliner.SRem)
}

// both changes the friends of two users in one transaction, so that nobody has a friend whose friend they are not.
func (p *Presence) both(ctx context.Context, a, b int64, change func(redis.Pipeliner, context.Context, string, ...any) *redis.IntCmd) error {
	if err := p.check(a, b); err != nil {
		return err
	}
	if a == b {
		return errors.New("presence: nobody is a friend of themselves")
	}
	_, err := p.rdb.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		change(tx, ctx, p.friends(a), b)
		change(tx, ctx, p.friends(b), a)
		return nil
	})
	if err != nil {
		return fmt.Errorf("presence: friends: %w", err)
	}
	return nil
}

// FriendsOnline returns the friends of user who are online, the one seen longest ago first.
func (p *Presence) FriendsOnline(ctx context.Context, user int64) ([]Friend, error) {
	if err := p.check(user); err != nil {
		return nil, err
	}
	now, err := p.now(ctx)
	if err != nil {
		return nil, err
	}
	// Members of a set count as scores of 1, which the weights take away.
	members, err := p.rdb.ZInterWithScores(ctx, &redis.ZStore{Keys: []string{p.online(), p.friends(user)}, Weights: []float64{1, 0}}).Result()
	if err != nil {
		return nil, fmt.Errorf("presence: friends: %w", err)
	}
	var list []Friend
	for _, m := range members {
		if !p.fresh(now, m.Score) { // silent, and not swept yet
			continue
		}
		text, _ := m.Member.(string)
		friend, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("presence: %q is no user", text)
		}
		list = append(list, Friend{friend, time.UnixMilli(int64(m.Score))})
	}
	return list, nil
}
