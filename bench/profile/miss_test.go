package profile_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/internal/benchtest"
	"github.com/streampulse/pulse/bench/profile"
)

// stampede lets n callers of every cache ask for id at once.
func stampede(caches []*profile.Cache, n int, id string, check func(profile.Profile, error)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			check(caches[i%len(caches)].Get(context.Background(), id))
		})
	}
	close(start)
	wg.Wait()
}

// Who is held back by the scheduler past the first load finds the cache filled, so one load is what all see.
func TestThousandMissesAskOnce(t *testing.T) {
	for _, processes := range []int{1, 8} {
		t.Run(fmt.Sprintf("%d processes", processes), func(t *testing.T) {
			ctx := context.Background()
			db := profile.NewMemory()
			db.Delay = 50 * time.Millisecond
			caches, _ := newCaches(t, db, processes, profile.Options{TTL: time.Minute, Lease: time.Minute})
			want := profile.Profile{"a": "1", "b": ""}
			if err := db.Save(ctx, "known", want); err != nil {
				t.Fatal(err)
			}
			stampede(caches, 1000, "known", func(p profile.Profile, err error) {
				if err != nil || !maps.Equal(p, want) {
					t.Errorf("%v, %v", p, err)
				}
			})
			stampede(caches, 1000, "unknown", func(p profile.Profile, err error) {
				if !errors.Is(err, profile.ErrNotFound) {
					t.Errorf("%v, %v", p, err)
				}
			})
			if n := db.Loads(); n != 2 {
				t.Errorf("%d loads, want one of each id", n)
			}
		})
	}
}

func TestNotFoundIsRememberedUntilAnUpdate(t *testing.T) {
	ctx := context.Background()
	for _, remember := range []bool{true, false} {
		db := profile.NewMemory()
		o := profile.Options{TTL: time.Minute, NegativeTTL: -1}
		if remember {
			o.NegativeTTL = time.Second
		}
		caches, cached := newCaches(t, db, 1, o)
		c := caches[0]
		for range 3 {
			if _, err := c.Get(ctx, "u"); !errors.Is(err, profile.ErrNotFound) {
				t.Fatal(err)
			}
		}
		want := int64(3)
		if remember {
			want = 1
		}
		if n := db.Loads(); n != want || (len(cached("u")) > 0) != remember {
			t.Errorf("remember %v: %d loads; cached %v", remember, n, cached("u"))
		}
		if err := c.Update(ctx, "u", profile.Profile{"v": "1"}); err != nil {
			t.Fatal(err)
		}
		if p, err := c.Get(ctx, "u"); err != nil || p["v"] != "1" {
			t.Errorf("after the update: %v, %v", p, err)
		}
	}
}

func TestTTLsAreSpread(t *testing.T) {
	ctx := context.Background()
	rdb, prefix := benchtest.Client(t)
	db := profile.NewMemory()
	var draw atomic.Int64 // 0, 0.1, 0.2, ...
	c, err := profile.New(rdb, db, prefix, profile.Options{
		TTL: 100 * time.Second, NegativeTTL: 10 * time.Second, Jitter: 0.5,
		Rand: func() float64 { return float64(draw.Add(1)-1) / 10 },
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		id, full := fmt.Sprint(i), 10*time.Second
		if i%2 == 0 {
			full = 100 * time.Second
			if err := db.Save(ctx, id, profile.Profile{"v": "1"}); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		_, _ = c.Get(ctx, id) // what it returns is for other tests
		want := full - full*time.Duration(i)/20
		ttl := rdb.PTTL(ctx, prefix+"{"+id+"}").Val()
		if passed := time.Since(began); ttl > want || ttl < want-passed-time.Millisecond && passed < want {
			t.Errorf("TTL %d is %v, want %v less at most %v", i, ttl, want, passed)
		}
	}
}

// A process that dies while it loads: the others wait for its lease to end and then load themselves.
func TestLeaseOfTheDeadPasses(t *testing.T) {
	ctx := context.Background()
	rdb, prefix := benchtest.Client(t)
	db := profile.NewMemory()
	c, err := profile.New(rdb, db, prefix, profile.Options{TTL: time.Minute, Lease: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Save(ctx, "u", profile.Profile{"v": "1"}); err != nil {
		t.Fatal(err)
	}
	if err := rdb.Set(ctx, prefix+"{u}:lease", "of the dead", 100*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	if p, err := c.Get(ctx, "u"); err != nil || p["v"] != "1" || db.Loads() != 1 {
		t.Errorf("%v, %v after %d loads", p, err, db.Loads())
	}
	if n := rdb.Exists(ctx, prefix+"{u}").Val(); n != 1 {
		t.Error("what was loaded is not cached")
	}
}

// A lease that never ends costs a wait, and nothing is cached under it.
func TestLeaseThatIsNotGivenBack(t *testing.T) {
	ctx := context.Background()
	rdb, prefix := benchtest.Client(t)
	db := profile.NewMemory()
	c, err := profile.New(rdb, db, prefix, profile.Options{TTL: time.Minute, Lease: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Save(ctx, "u", profile.Profile{"v": "1"}); err != nil {
		t.Fatal(err)
	}
	if err := rdb.Set(ctx, prefix+"{u}:lease", "another's", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	if p, err := c.Get(ctx, "u"); err != nil || p["v"] != "1" {
		t.Errorf("%v, %v", p, err)
	}
	if n := rdb.Exists(ctx, prefix+"{u}").Val(); n != 0 {
		t.Error("cached under another's lease")
	}
}

// broken is a database that fails as often as it is told to, after it has done what it was asked for.
type broken struct {
	*profile.Memory
	loads, saves atomic.Int64
}

var errBroken = errors.New("the database is down")

func (b *broken) Load(ctx context.Context, id string) (profile.Profile, error) {
	if b.loads.Add(-1) >= 0 {
		return nil, errBroken
	}
	return b.Memory.Load(ctx, id)
}

func (b *broken) Save(ctx context.Context, id string, p profile.Profile) error {
	err := b.Memory.Save(ctx, id, p)
	if b.saves.Add(-1) >= 0 {
		return errBroken
	}
	return err
}

func TestDatabaseThatFailsIsAskedAgain(t *testing.T) {
	ctx := context.Background()
	db := &broken{Memory: profile.NewMemory()}
	caches, cached := newCaches(t, db, 1, profile.Options{TTL: time.Minute, Lease: time.Hour})
	c := caches[0]
	if err := c.Update(ctx, "u", profile.Profile{"v": "1"}); err != nil {
		t.Fatal(err)
	}
	db.loads.Store(1)
	if _, err := c.Get(ctx, "u"); !errors.Is(err, errBroken) || errors.Is(err, profile.ErrNotFound) {
		t.Errorf("the database's error became %v", err)
	}
	if p, err := c.Get(ctx, "u"); err != nil || p["v"] != "1" { // the failed load has given its lease back
		t.Errorf("%v, %v", p, err)
	}
	// A save that fails may have happened.
	db.saves.Store(1)
	if err := c.Update(ctx, "u", profile.Profile{"v": "2"}); !errors.Is(err, errBroken) {
		t.Errorf("update: %v", err)
	}
	if m := cached("u"); len(m) != 0 {
		t.Errorf("after a save that may have happened the cache holds %v", m)
	}
}

// The caller who happens to run the load gives up; those who joined get what it brings.
func TestLoaderWhoLeavesDisturbsNobody(t *testing.T) {
	db := &gated{Memory: profile.NewMemory(), loaded: make(chan struct{}), letGo: make(chan struct{})}
	c, _ := newCache(t, db)
	if err := db.Save(context.Background(), "u", profile.Profile{"v": "1"}); err != nil {
		t.Fatal(err)
	}
	db.arm.Store(true)
	ctx, cancel := context.WithCancel(context.Background())
	first := make(chan error, 1)
	go func() {
		_, err := c.Get(ctx, "u")
		first <- err
	}()
	<-db.loaded
	second := make(chan error, 1)
	go func() {
		_, err := c.Get(context.Background(), "u")
		second <- err
	}()
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the one who left: %v", err)
	}
	close(db.letGo)
	if err := <-second; err != nil || db.Loads() != 1 {
		t.Errorf("the one who stayed: %v after %d loads", err, db.Loads())
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	ctx := context.Background()
	db := profile.NewMemory()
	c, _ := newCache(t, db)
	good := profile.Profile{"v": "1"}
	many := profile.Profile{}
	for i := range 257 {
		many[fmt.Sprint(i)] = ""
	}
	for _, id := range []string{"", "}x", "\xff", "a\x00b", strings.Repeat("x", 513)} {
		if _, err := c.Get(ctx, id); !errors.Is(err, profile.ErrInvalid) {
			t.Errorf("get of %.10q: %v", id, err)
		}
		if err := c.Update(ctx, id, good); !errors.Is(err, profile.ErrInvalid) {
			t.Errorf("update of %.10q: %v", id, err)
		}
		if err := c.Invalidate(ctx, id); !errors.Is(err, profile.ErrInvalid) {
			t.Errorf("invalidation of %.10q: %v", id, err)
		}
	}
	for name, p := range map[string]profile.Profile{
		"nil": nil, "empty": {}, "no name": {"": "x"}, "bad name": {"\xff": "x"}, "bad value": {"x": "\xff"},
		"too large": {"x": strings.Repeat("x", 64<<10)}, "too many": many,
	} {
		if err := c.Update(ctx, "u", p); !errors.Is(err, profile.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Get(ctx, "u"); !errors.Is(err, profile.ErrNotFound) {
		t.Errorf("after updates that were refused: %v", err)
	}
	rdb := redis.NewClient(&redis.Options{})
	defer rdb.Close()
	for name, o := range map[string]profile.Options{
		"ttl": {TTL: time.Millisecond}, "long ttl": {TTL: 1 << 62}, "negative ttl": {TTL: time.Second, NegativeTTL: time.Minute},
		"jitter": {Jitter: 1}, "lease": {Lease: time.Millisecond},
	} {
		if _, err := profile.New(rdb, db, "p:", o); err == nil {
			t.Errorf("options with a bad %s pass", name)
		}
	}
	if _, err := profile.New(rdb, db, "a{b}", profile.Options{}); err == nil {
		t.Error("braces in a prefix pass")
	}
	if _, err := profile.New(rdb, nil, "p:", profile.Options{}); err == nil {
		t.Error("no source passes")
	}
}
