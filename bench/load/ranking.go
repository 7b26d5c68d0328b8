package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/leaderboard"
	"github.com/streampulse/pulse/bench/taskqueue"
)

// RankingPattern is the pattern that works on many users.
const RankingPattern = "leaderboard-users"

// startRanking gives every user some points, and then to one at a time.
func startRanking(ctx context.Context, rdb *redis.Client, size sized) (operation, func() error, error) {
	const key, batch, points = "board", 1000, 100_000
	users := size.Users
	rnd := rand.New(rand.NewPCG(1, 6))
	zs := make([]redis.Z, 0, batch)
	for i := range users {
		zs = append(zs, redis.Z{Score: float64(rnd.IntN(points)), Member: user(i)})
		if len(zs) == batch || i == users-1 {
			if err := rdb.ZAdd(ctx, key, zs...).Err(); err != nil {
				return nil, nil, err
			}
			zs = zs[:0]
		}
	}
	b := leaderboard.New(rdb, key)
	op := func(ctx context.Context, _ int, rnd *rand.Rand) error {
		var err error
		switch who := user(rnd.IntN(users)); rnd.IntN(10) {
		case 0:
			_, err = b.Top(ctx, 10)
		case 1:
			_, err = b.Around(ctx, who, 5)
		default:
			_, err = b.Add(ctx, who, float64(1+rnd.IntN(10)))
		}
		return err
	}
	stop := func() error {
		n, err := rdb.ZCard(context.WithoutCancel(ctx), key).Result()
		if err == nil && n != int64(users) {
			err = fmt.Errorf("%d users are on the board, not %d", n, users)
		}
		return err
	}
	return op, stop, nil
}

func user(i int) string { return "user:" + strconv.Itoa(i) }

// startLikes has users like posts, and read the ranking of the last days.
func startLikes(_ context.Context, rdb *redis.Client, size sized) (operation, func() error, error) {
	likes, err := leaderboard.NewLikes(rdb, "posts")
	if err != nil {
		return nil, nil, err
	}
	week, err := leaderboard.NewTimed(rdb, "week", leaderboard.Periods{Length: 24 * time.Hour, Keep: 7})
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, _ int, rnd *rand.Rand) error {
		if rnd.IntN(20) == 0 {
			b, err := week.Last(ctx, 7)
			if err == nil {
				_, err = b.Top(ctx, 10)
			}
			return err
		}
		post := "post:" + strconv.Itoa(rnd.IntN(size.Items))
		_, counted, err := likes.Like(ctx, post, user(rnd.IntN(size.Users)))
		if err == nil && counted {
			_, err = week.Add(ctx, post, 1)
		}
		return err
	}, nothing, nil
}

func startReliable(ctx context.Context, rdb *redis.Client, size sized) (operation, func() error, error) {
	q, err := taskqueue.NewReliable(rdb, "tasks", taskqueue.Options{})
	if err != nil {
		return nil, nil, err
	}
	done := signals(size.clients)
	wctx, cancel := context.WithCancel(ctx)
	errs := make([]error, taskWorkers)
	var wg sync.WaitGroup
	for w := range taskWorkers {
		wg.Go(func() {
			errs[w] = q.Work(wctx, func(_ context.Context, t *taskqueue.Task) error {
				c, ok := size.client(t.Payload)
				if !ok {
					return fmt.Errorf("foreign task %q", t.Payload)
				}
				done[c] <- struct{}{}
				return nil
			})
		})
	}
	op := func(ctx context.Context, c int, _ *rand.Rand) error {
		if err := q.Push(ctx, size.tag(c)); err != nil {
			return err
		}
		return await(ctx, done[c])
	}
	stop := func() error {
		cancel()
		wg.Wait() // those that wait do so for a second at most
		s, err := q.Stats(context.WithoutCancel(ctx))
		if err == nil && s.Dead > 0 {
			err = fmt.Errorf("%d dead letters", s.Dead)
		}
		return errors.Join(append(errs, err)...)
	}
	return op, stop, nil
}
