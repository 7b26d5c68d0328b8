package profile_test

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/internal/benchtest"
	"github.com/streampulse/pulse/bench/profile"
)

// newCaches returns n caches that differ only in their connections, as those of n processes do, and a look at what is cached.
func newCaches(t *testing.T, src profile.Source, n int, o profile.Options) ([]*profile.Cache, func(id string) map[string]string) {
	t.Helper()
	rdb, prefix := benchtest.Client(t)
	caches := make([]*profile.Cache, n)
	for i := range caches {
		own := redis.NewClient(&redis.Options{Addr: rdb.Options().Addr, PoolSize: 128})
		t.Cleanup(func() { _ = own.Close() })
		var err error
		if caches[i], err = profile.New(own, src, prefix, o); err != nil {
			t.Fatal(err)
		}
	}
	return caches, func(id string) map[string]string {
		t.Helper()
		m, err := rdb.HGetAll(context.Background(), prefix+"{"+id+"}").Result()
		if err != nil {
			t.Fatal(err)
		}
		if len(m) > 0 {
			if ttl := rdb.PTTL(context.Background(), prefix+"{"+id+"}").Val(); ttl <= 0 || ttl > o.TTL {
				t.Errorf("cached profile has TTL %v", ttl)
			}
		}
		return m
	}
}

func newCache(t *testing.T, src profile.Source) (*profile.Cache, func(id string) map[string]string) {
	t.Helper()
	caches, cached := newCaches(t, src, 1, profile.Options{TTL: time.Minute})
	return caches[0], cached
}

func TestGetFillsAndUpdateInvalidates(t *testing.T) {
	ctx := context.Background()
	db := profile.NewMemory()
	c, cached := newCache(t, db)
	if _, err := c.Get(ctx, "ann"); !errors.Is(err, profile.ErrNotFound) {
		t.Fatalf("unknown id: %v", err)
	}
	for _, p := range []profile.Profile{{"name": "Ann", "city": "Oslo"}, {"name": "Ann B"}} {
		if err := c.Update(ctx, "ann", p); err != nil {
			t.Fatal(err)
		}
		if m := cached("ann"); len(m) != 0 {
			t.Fatalf("after an update the cache still holds %v", m)
		}
		before := db.Loads()
		for range 3 {
			got, err := c.Get(ctx, "ann")
			if err != nil || !maps.Equal(got, p) {
				t.Fatalf("got %v, %v; want %v", got, err, p)
			}
		}
		if n := db.Loads() - before; n != 1 {
			t.Errorf("%d loads for three reads, want 1", n)
		}
		if m := cached("ann"); !maps.Equal(m, p) {
			t.Errorf("cache holds %v, want %v", m, p)
		}
	}
}

// gated is a database whose next Load stops, after it has read, until it is let go.
type gated struct {
	*profile.Memory
	arm    atomic.Bool
	loaded chan struct{}
	letGo  chan struct{}
}

func (g *gated) Load(ctx context.Context, id string) (profile.Profile, error) {
	p, err := g.Memory.Load(ctx, id)
	if g.arm.CompareAndSwap(true, false) {
		close(g.loaded)
		<-g.letGo
	}
	return p, err
}

// The race that plain cache-aside loses: a reader loads the old row, an update saves and invalidates, and only then does
// the reader fill the cache. The update is by the reader's own process, or by another.
func TestSlowReaderDoesNotBringBackTheOld(t *testing.T) {
	for name, other := range map[string]bool{"by this process": false, "by another process": true} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			db := &gated{Memory: profile.NewMemory(), loaded: make(chan struct{}), letGo: make(chan struct{})}
			caches, cached := newCaches(t, db, 2, profile.Options{TTL: time.Minute})
			reader, updater := caches[0], caches[0]
			if other {
				updater = caches[1]
			}
			if err := db.Save(ctx, "u", profile.Profile{"v": "old"}); err != nil {
				t.Fatal(err)
			}
			db.arm.Store(true)
			slow := make(chan error, 1)
			go func() {
				_, err := reader.Get(ctx, "u")
				slow <- err
			}()
			<-db.loaded
			if err := updater.Update(ctx, "u", profile.Profile{"v": "new"}); err != nil {
				t.Fatal(err)
			}
			// Who comes after the update to the process that still loads must not get what that load brings.
			late := make(chan string, 1)
			go func() {
				p, err := reader.Get(ctx, "u")
				if err != nil {
					t.Error(err)
				}
				late <- p["v"]
			}()
			if p, err := caches[1].Get(ctx, "u"); err != nil || p["v"] != "new" {
				t.Errorf("read after update: %v, %v", p, err)
			}
			close(db.letGo)
			if err := <-slow; err != nil {
				t.Fatal(err)
			}
			if v := <-late; v != "new" {
				t.Errorf("a reader who came after the update got %q", v)
			}
			if m := cached("u"); m["v"] != "new" {
				t.Errorf("cache holds %v", m)
			}
		})
	}
}

// Versions only grow, so a reader must never see one below what was committed before it asked.
func TestReadersNeverGoBack(t *testing.T) {
	ctx := context.Background()
	db := profile.NewMemory()
	caches, _ := newCaches(t, db, 2, profile.Options{TTL: time.Minute})
	c := caches[0]
	const updates, readers = 200, 6
	var committed atomic.Int64
	if err := c.Update(ctx, "u", profile.Profile{"v": "0"}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for r := range readers {
		c := caches[r%len(caches)]
		wg.Go(func() {
			for {
				floor := committed.Load()
				if floor == updates {
					return
				}
				p, err := c.Get(ctx, "u")
				if err != nil {
					t.Error(err)
					return
				}
				if v, err := strconv.ParseInt(p["v"], 10, 64); err != nil || v < floor {
					t.Errorf("read version %q after %d was committed", p["v"], floor)
					return
				}
			}
		})
	}
	for v := int64(1); v <= updates; v++ {
		if err := c.Update(ctx, "u", profile.Profile{"v": strconv.FormatInt(v, 10)}); err != nil {
			t.Error(err)
		}
		committed.Store(v)
	}
	wg.Wait()
}
