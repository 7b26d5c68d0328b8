package profile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// lookOrLease replies with the fields in the cache; when there are none, with 1 or 0: whether the caller has
// the lease now. A request that comes a second time finds its own token.
var lookOrLease = redis.NewScript(`
local fields = redis.call('HGETALL', KEYS[1])
if #fields > 0 then
	return fields
end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) or redis.call('GET', KEYS[2]) == ARGV[1] then
	return {1}
end
return {0}
`)

// fill ends the lease and stores fields for a time, 0 for not at all, unless the lease has been taken away.
var fill = redis.NewScript(`
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
	return 0
end
redis.call('DEL', KEYS[1], KEYS[2])
if ARGV[2] ~= '0' then
	for i = 3, #ARGV, 2 do
		redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
	end
	redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
`)

// giveUp ends the lease of a load that failed.
var giveUp = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then
	return redis.call('DEL', KEYS[1])
end
return 0
`)

// outcome is what a load of this process came to. Those who joined it may have it if they came no later than asOf: what was found then was
// true when they began. A load that failed is as of its end.
type outcome struct {
	p    Profile
	err  error
	asOf time.Time // zero: for nobody else
}

// miss joins the load of id that is under way in this process, or begins one.
//
// What a load returns is as of its beginning. Who began it may have that in any case; who joined it may only when no update has
// invalidated until they came: the lease was intact then, or the cache was read after. Otherwise the joiner goes round again. Between the last
// reply to a load and its end others can still join it, however short that is; so it is not enough that the lease was intact.
func (c *Cache) miss(ctx context.Context, id string) (Profile, error) {
	came := time.Now()
	for {
		began := false
		result := c.loading.DoChan(id, func() (any, error) {
			began = true
			// The load belongs to all who join it: the one who happened to begin it may leave.
			lctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*c.o.Lease)
			defer cancel()
			return c.load(lctx, id), nil
		})
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case r := <-result:
			if r.Err != nil {
				return nil, r.Err
			}
			if o := r.Val.(outcome); began || !o.asOf.Before(came) {
				return o.p, o.err
			}
		}
	}
}

// load gets the profile from the database if this process gets the lease, else from the cache once another has filled it.
// When the others have not managed that within a lease's time, it asks the database without caching the answer.
func (c *Cache) load(ctx context.Context, id string) outcome {
	keys := []string{c.dataKey(id), c.leaseKey(id)}
	token := newToken()
	end := time.Now().Add(c.o.Lease)
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		asked := time.Now()
		fields, err := lookOrLease.Run(ctx, c.rdb, keys, token, c.o.Lease.Milliseconds()).Slice()
		if err != nil {
			return outcome{asOf: time.Now(), err: fmt.Errorf("profile: read cache: %w", err)}
		}
		if len(fields) > 1 {
			p, err := parseFields(fields)
			return outcome{p, err, asked}
		}
		if len(fields) == 1 && fields[0] == int64(1) {
			return c.loadAndFill(ctx, id, keys, token)
		}
		if time.Now().After(end) {
			asked := time.Now()
			p, err := c.fromSource(ctx, id)
			return outcome{p, err, asked}
		}
		select {
		case <-time.After(pause/2 + time.Duration(c.o.Rand()*float64(pause/2))):
		case <-ctx.Done():
			return outcome{asOf: time.Now(), err: ctx.Err()}
		}
	}
}

func parseFields(fields []any) (Profile, error) {
	p := make(Profile, len(fields)/2)
	for i := 0; i+1 < len(fields); i += 2 {
		name, ok := fields[i].(string)
		value, ok2 := fields[i+1].(string)
		if !ok || !ok2 {
			return nil, errors.New("profile: the cache replied with fields that are not strings")
		}
		p[name] = value
	}
	return known(p)
}

// loadAndFill is for the holder of the lease.
func (c *Cache) loadAndFill(ctx context.Context, id string, keys []string, token string) outcome {
	p, err := c.fromSource(ctx, id)
	// Whatever became of the load, those who wait for it must learn that it is over.
	ctx = context.WithoutCancel(ctx)
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = errors.Join(err, giveUp.Run(ctx, c.rdb, keys[1:], token).Err())
		return outcome{asOf: time.Now(), err: err}
	}
	ttl := c.o.TTL
	if err != nil {
		ttl = max(0, c.o.NegativeTTL)
	}
	if ttl > 0 {
		ttl = max(time.Millisecond, ttl-time.Duration(float64(ttl)*c.o.Jitter*c.o.Rand()))
	}
	args := make([]any, 0, 2+2*max(1, len(p)))
	args = append(args, token, ttl.Milliseconds())
	if err != nil {
		args = append(args, "", "")
	}
	for name, value := range p {
		args = append(args, name, value)
	}
	asked := time.Now()
	n, fillErr := fill.Run(ctx, c.rdb, keys, args...).Int64()
	// A cache that could not be filled does not make the answer wrong, only unknown to others.
	if fillErr != nil || n != 1 {
		asked = time.Time{}
	}
	return outcome{p, err, asked}
}

// fromSource asks the database, for no longer than a lease.
func (c *Cache) fromSource(ctx context.Context, id string) (Profile, error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.Lease)
	defer cancel()
	p, err := c.src.Load(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && len(p) == 0: // a hash without fields cannot exist
		return nil, ErrNotFound
	case err != nil:
		return nil, fmt.Errorf("profile: load: %w", err)
	}
	if _, bad := p[""]; bad {
		return nil, fmt.Errorf("%w: the database has a field without a name", ErrInvalid)
	}
	return p, nil
}
