// Package profile keeps user profiles in a cache beside a slower database (cache-aside).
//
// Contract: Get returns a profile, or says that there is none, as of a moment no earlier than the end of the last Update that had
// returned before Get began, whatever other processes do at the same time. Only a process that dies between saving to the database
// and invalidating can leave something older behind, and for no longer than TTL. However many callers miss the same id at
// once, in however many processes, one of them asks the database, as long as that takes less than Options.Lease. A Cache
// has no state of its own beyond the calls in flight and may be used by any number of goroutines.
//
// How: a profile is a hash; a hit is one HGETALL. Misses of one process are merged (singleflight). Who misses then runs a script that
// looks again and, if there is still nothing, takes a lease: a second key with a random token. The holder loads and fills by
// a script that checks the token; the others look again until the profile is there. An update saves first, then deletes the
// hash and the lease. A slow reader that loaded the old profile before the save can therefore not fill it in after
// the delete: its token is gone, and it returns what it loaded without caching it. Those who joined it ask again, since they may
// have come after the update. That a profile does not exist is cached too, as a hash with the one field "", for a shorter time.
//
// Trade-offs. Deleting on update instead of writing the new value through costs one miss per update, but two updaters
// can then never leave the cache in another order than the database. The lease costs a miss two round trips of scripts
// where plain cache-aside has one SET; without it (singleflight alone) n processes would ask n times, and a stale fill
// would need another guard, such as a version in every row or WATCH, which keeps a connection busy while the database
// works. Callers of other processes wait by asking again, every 2 to 50 ms, so they see the profile that much later than
// its loader; when a loader dies they wait for the rest of its lease. Caching what does not exist keeps guessed ids from the
// database, but fills the cache with them: NegativeTTL bounds how long, the server's maxmemory how much. TTLs are
// shortened by chance, so that what was filled together does not end together. When the cache is down Get fails
// rather than sending everybody to the database; and an Update is then saved, but its error says that old values may show.
package profile

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"
)

var (
	// ErrNotFound says that the database has no such profile.
	ErrNotFound = errors.New("profile: not found")
	// ErrInvalid says why an id or a profile is refused.
	ErrInvalid = errors.New("profile: invalid")
)

const (
	maxID     = 512
	maxFields = 256
	maxSize   = 64 << 10 // of all names and values

	maxTTL   = 365 * 24 * time.Hour
	minLease = 10 * time.Millisecond

	minPause = 2 * time.Millisecond // between two looks at what another process loads
	maxPause = 50 * time.Millisecond
)

// Profile is one user's fields by name. Callers must not change one that came from a Cache.
type Profile map[string]string

// Source is the database: the truth. Load returns ErrNotFound for an unknown id, and must see every Save that has
// returned. Both may be called concurrently.
type Source interface {
	Load(ctx context.Context, id string) (Profile, error)
	Save(ctx context.Context, id string, p Profile) error
}

// Options say how long things last. Zero values stand for the defaults.
type Options struct {
	TTL         time.Duration  // of a profile, at least a second and up to a year; 0: ten minutes
	NegativeTTL time.Duration  // of "not found", up to TTL; 0: a minute or TTL, the shorter; negative: not cached
	Jitter      float64        // up to which part of a TTL is taken off by chance, at most 0.9; 0: a tenth; negative: none
	Lease       time.Duration  // how long a load may take before it is given up, at least 10 ms; 0: five seconds
	Rand        func() float64 // in [0,1), for Jitter; may be called concurrently; nil: math/rand/v2
}

// Cache is a cache-aside view of a Source.
type Cache struct {
	rdb     redis.UniversalClient
	src     Source
	prefix  string
	o       Options
	loading singleflight.Group
}

// New returns a cache whose keys begin with prefix, in which no brace may stand.
func New(rdb redis.UniversalClient, src Source, prefix string, o Options) (*Cache, error) {
	if o.TTL == 0 {
		o.TTL = 10 * time.Minute
	}
	if o.NegativeTTL == 0 {
		o.NegativeTTL = min(time.Minute, o.TTL)
	}
	if o.Jitter == 0 {
		o.Jitter = 0.1
	}
	if o.Lease == 0 {
		o.Lease = 5 * time.Second
	}
	if o.Rand == nil {
		o.Rand = mrand.Float64
	}
	switch {
	case src == nil:
		return nil, errors.New("profile: no source")
	case strings.ContainsAny(prefix, "{}"):
		return nil, errors.New("profile: a brace in the prefix")
	case o.TTL < time.Second || o.TTL > maxTTL:
		return nil, errors.New("profile: a TTL lies between a second and a year")
	case o.NegativeTTL > o.TTL:
		return nil, errors.New("profile: the TTL of what does not exist is longer than that of what does")
	case !(o.Jitter <= 0.9):
		return nil, errors.New("profile: a jitter of more than 0.9")
	case o.Lease < minLease || o.Lease > maxTTL:
		return nil, errors.New("profile: a lease lasts ten milliseconds to a year")
	}
	o.Jitter = max(0, o.Jitter)
	return &Cache{rdb: rdb, src: src, prefix: prefix, o: o}, nil
}

// The two keys of an id share a hash tag, so that a cluster keeps them in one slot.
func (c *Cache) dataKey(id string) string  { return c.prefix + "{" + id + "}" }
func (c *Cache) leaseKey(id string) string { return c.prefix + "{" + id + "}:lease" }

// Check says, by an error that is ErrInvalid, what is wrong with an id (1 to 512 bytes of UTF-8, the first no closing brace) or a profile (1
// to 256 fields with names, in UTF-8, 64 KiB in all).
func Check(id string, p Profile) error {
	if err := checkID(id); err != nil {
		return err
	}
	if len(p) == 0 || len(p) > maxFields {
		return fmt.Errorf("%w: a profile has 1 to %d fields, not %d", ErrInvalid, maxFields, len(p))
	}
	size := 0
	for name, value := range p {
		if name == "" {
			return fmt.Errorf("%w: a field without a name", ErrInvalid)
		}
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return fmt.Errorf("%w: field %q is not UTF-8", ErrInvalid, name)
		}
		size += len(name) + len(value)
	}
	if size > maxSize {
		return fmt.Errorf("%w: a profile of %d bytes, more than %d", ErrInvalid, size, maxSize)
	}
	return nil
}

func checkID(id string) error {
	switch {
	case len(id) == 0 || len(id) > maxID:
		return fmt.Errorf("%w: an id has 1 to %d bytes, not %d", ErrInvalid, maxID, len(id))
	case id[0] == '}': // it would end the hash tag
		return fmt.Errorf("%w: an id cannot begin with a brace that closes", ErrInvalid)
	case !utf8.ValidString(id) || strings.ContainsRune(id, 0):
		return fmt.Errorf("%w: an id is UTF-8 without NUL", ErrInvalid)
	}
	return nil
}

// Get returns the profile of id from the cache, or from the database when it is not there; ErrNotFound when neither has it.
func (c *Cache) Get(ctx context.Context, id string) (Profile, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	p, err := c.rdb.HGetAll(ctx, c.dataKey(id)).Result()
	if err != nil {
		return nil, fmt.Errorf("profile: read cache: %w", err)
	}
	if len(p) == 0 {
		return c.miss(ctx, id)
	}
	return known(p)
}

// known is what a hash of the cache says.
func known(p Profile) (Profile, error) {
	if _, none := p[""]; none {
		return nil, ErrNotFound
	}
	return p, nil
}

// Update saves p to the database and makes every later Get see it. When only the invalidation fails the error says so:
// the database has the new profile, and readers may see the old one until its TTL.
func (c *Cache) Update(ctx context.Context, id string, p Profile) error {
	if err := Check(id, p); err != nil {
		return err
	}
	err := c.src.Save(ctx, id, p)
	// A save that failed may have happened (its answer was lost), and a caller who gives up now must not leave the old
	// profile in the cache: so it is invalidated in any case.
	forget := c.Invalidate(context.WithoutCancel(ctx), id)
	switch {
	case err != nil:
		return fmt.Errorf("profile: save: %w", errors.Join(err, forget))
	case forget != nil:
		return fmt.Errorf("profile: saved, but not invalidated: %w", forget)
	}
	return nil
}

// Invalidate makes every later Get see what the database has now. It is for those who change the database by another road, after
// they have.
func (c *Cache) Invalidate(ctx context.Context, id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	c.loading.Forget(id)
	if err := c.rdb.Del(ctx, c.dataKey(id), c.leaseKey(id)).Err(); err != nil {
		return fmt.Errorf("profile: invalidate: %w", err)
	}
	return nil
}

func newToken() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	return hex.EncodeToString(b[:])
}
