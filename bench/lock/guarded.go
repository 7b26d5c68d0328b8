package lock

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// ErrStale says that somebody with a larger fence has written.
var ErrStale = errors.New("lock: the fence is older than that of the last writer")

// write is the check that a resource behind a lock needs, whatever it is kept in.
var write = redis.NewScript(`
local last = tonumber(redis.call('HGET', KEYS[1], 'fence') or 0)
if tonumber(ARGV[1]) < last then
	return 0
end
redis.call('HSET', KEYS[1], 'fence', ARGV[1], 'value', ARGV[2])
return 1
`)

// Guarded is a value that holders of one lock write.
type Guarded struct {
	rdb redis.UniversalClient
	key string
}

// NewGuarded returns the value kept at key.
func NewGuarded(rdb redis.UniversalClient, key string) *Guarded { return &Guarded{rdb: rdb, key: key} }

// Write sets the value with the fence of the lock under which the writer believes to be. ErrStale says that it is mistaken, and
// nothing was written.
func (g *Guarded) Write(ctx context.Context, fence int64, value string) error {
	if fence < 1 || fence > 1<<53 {
		return errors.New("lock: no lock has that fence")
	}
	n, err := write.Run(ctx, g.rdb, []string{g.key}, fence, value).Int64()
	switch {
	case err != nil:
		return fmt.Errorf("lock: %w", err)
	case n == 0:
		return ErrStale
	}
	return nil
}

// Read returns the value, and the fence with which it was written; both are zero when nobody has written.
func (g *Guarded) Read(ctx context.Context) (value string, fence int64, err error) {
	var r struct {
		Value string `redis:"value"`
		Fence int64  `redis:"fence"`
	}
	if err := g.rdb.HMGet(ctx, g.key, "value", "fence").Scan(&r); err != nil {
		return "", 0, fmt.Errorf("lock: %w", err)
	}
	return r.Value, r.Fence, nil
}
