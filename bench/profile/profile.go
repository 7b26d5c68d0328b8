// Package profile keeps user profiles in a cache beside a slower database (cache-aside).
//
// Contract: Get returns a profile no older than the last Update that had returned before Get began, whatever other
// processes do at the same time. Only a process that dies between saving to the database and invalidating can leave
// something older behind, and for no longer than TTL. A Cache has no state of its own beyond the calls in flight and may
// be used by any number of goroutines.
//
// How: a profile is a hash; a hit is one HGETALL. A miss loads from the database and fills the cache with HSET and
// EXPIRE in a transaction that WATCHes a small generation key read before the load. An update saves first, then deletes
// the hash and raises the generation in one MULTI. A slow reader that loaded the old profile before the save therefore
// cannot fill it in after the delete: its transaction fails, and it returns what it loaded without caching it.
//
// Trade-offs. Deleting on update instead of writing the new value through costs one miss per update, but two updaters
// can then never leave the cache in another order than the database. Misses of one id within one process are merged
// into one load; misses in several processes each load once. Profiles that do not exist are not cached: a caller who
// asks for unknown ids reaches the database each time.
package profile

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrNotFound says that the database has no such profile.
var ErrNotFound = errors.New("profile: not found")

// Profile is one user's fields by name. Callers must not change one that came from a Cache.
type Profile map[string]string

// Source is the database: the truth. Load returns ErrNotFound for an unknown id. Both may be called concurrently.
type Source interface {
	Load(ctx context.Context, id string) (Profile, error)
	Save(ctx context.Context, id string, p Profile) error
}

// Cache is a cache-aside view of a Source.
type Cache struct {
	rdb    redis.UniversalClient
	src    Source
	prefix string
	ttl    time.Duration

	mu struct {
		sync.Mutex
		loading map[string]*load // by id: loads that later callers may join
	}
}

// load is one running load; p and err are set before done is closed.
type load struct {
	done chan struct{}
	p    Profile
	err  error
}

// New returns a cache whose entries live for ttl, at least a second, after they are filled.
func New(rdb redis.UniversalClient, src Source, prefix string, ttl time.Duration) (*Cache, error) {
	if ttl < time.Second {
		return nil, errors.New("profile: ttl must be at least a second")
	}
	c := &Cache{rdb: rdb, src: src, prefix: prefix, ttl: ttl}
	c.mu.loading = make(map[string]*load)
	return c, nil
}

// The two keys of an id share a hash tag, so that a cluster keeps them in one slot.
func (c *Cache) dataKey(id string) string { return c.prefix + "{" + id + "}" }
func (c *Cache) genKey(id string) string  { return c.prefix + "{" + id + "}:gen" }

// Get returns the profile of id from the cache, or from the database when it is not there.
func (c *Cache) Get(ctx context.Context, id string) (Profile, error) {
	p, err := c.rdb.HGetAll(ctx, c.dataKey(id)).Result()
	if err != nil {
		return nil, fmt.Errorf("profile: read cache: %w", err)
	}
	if len(p) > 0 {
		return p, nil
	}
	return c.miss(ctx, id)
}

// Update saves p to the database and makes every later Get see it. When only the invalidation fails the error says so:
// the database has the new profile, and readers may see the old one until its TTL.
func (c *Cache) Update(ctx context.Context, id string, p Profile) error {
	if len(p) == 0 {
		return errors.New("profile: a profile needs at least one field")
	}
	if err := c.src.Save(ctx, id, p); err != nil {
		return fmt.Errorf("profile: save: %w", err)
	}
	c.forgetLoad(id)
	// The save has happened: a caller who gives up now must not leave the old profile in the cache.
	ctx = context.WithoutCancel(ctx)
	_, err := c.rdb.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		tx.Del(ctx, c.dataKey(id))
		tx.Incr(ctx, c.genKey(id))
		tx.Expire(ctx, c.genKey(id), c.ttl)
		return nil
	})
	if err != nil {
		return fmt.Errorf("profile: saved, but the cache was not invalidated: %w", err)
	}
	return nil
}

// miss joins the load of id that is under way in this process, or runs one.
func (c *Cache) miss(ctx context.Context, id string) (Profile, error) {
	c.mu.Lock()
	if l, ok := c.mu.loading[id]; ok {
		c.mu.Unlock()
		select {
		case <-l.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !isCancelled(l.err) {
			return l.p, l.err
		}
		return c.loadAndFill(ctx, id) // the caller we waited for gave up, we did not
	}
	l := &load{done: make(chan struct{})}
	c.mu.loading[id] = l
	c.mu.Unlock()

	l.p, l.err = c.loadAndFill(ctx, id)
	c.mu.Lock()
	if c.mu.loading[id] == l {
		delete(c.mu.loading, id)
	}
	c.mu.Unlock()
	close(l.done)
	return l.p, l.err
}

// forgetLoad keeps callers who come after an update from joining a load that began before it.
func (c *Cache) forgetLoad(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.mu.loading, id)
}

func (c *Cache) loadAndFill(ctx context.Context, id string) (Profile, error) {
	var p Profile
	err := c.rdb.Watch(ctx, func(tx *redis.Tx) error {
		var err error
		if p, err = c.src.Load(ctx, id); err != nil {
			return err
		}
		if len(p) == 0 {
			return ErrNotFound // a hash without fields cannot exist
		}
		_, err = tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.Del(ctx, c.dataKey(id)) // fields that the profile no longer has must go
			pipe.HSet(ctx, c.dataKey(id), map[string]string(p))
			pipe.Expire(ctx, c.dataKey(id), c.ttl)
			return nil
		})
		return err
	}, c.genKey(id))
	switch {
	case err == nil, errors.Is(err, redis.TxFailedErr):
		return p, nil // overtaken by an update: what was loaded is still a right answer to this call
	case errors.Is(err, ErrNotFound):
		return nil, ErrNotFound
	default:
		return nil, fmt.Errorf("profile: load: %w", err)
	}
}

func isCancelled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
