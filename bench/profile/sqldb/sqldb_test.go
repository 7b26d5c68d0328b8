package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/streampulse/pulse/bench/internal/benchtest"
	"github.com/streampulse/pulse/bench/profile"
	"github.com/streampulse/pulse/bench/profile/sqldb"
)

// databases calls test with SQLite and, when MYSQL_DSN names a data source, with that.
func databases(t *testing.T, test func(t *testing.T, open func() *sqldb.DB)) {
	run := func(kind, name string) {
		t.Run(kind, func(t *testing.T) {
			test(t, func() *sqldb.DB {
				t.Helper()
				db, err := sqldb.Open(context.Background(), name)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if err := db.Close(); err != nil {
						t.Error(err)
					}
				})
				return db
			})
		})
	}
	run("sqlite", "sqlite:"+filepath.Join(t.TempDir(), "a b?c#d%20.db"))
	if dsn := os.Getenv("MYSQL_DSN"); dsn != "" {
		run("mysql", "mysql:"+dsn)
	}
}

// unique returns an id that no earlier test has left behind in a database that is kept.
func unique(id string) string { return fmt.Sprintf("%s:%d", id, time.Now().UnixNano()) }

func TestWhatIsSavedIsLoaded(t *testing.T) {
	databases(t, func(t *testing.T, open func() *sqldb.DB) {
		ctx := context.Background()
		db, second := open(), open()
		for _, id := range []string{"ann", "ANN", "änn", "'; DROP TABLE profiles; --", "a%_\\", "\U0001F642", strings.Repeat("x", 400)} {
			id = unique(id)
			if _, err := db.Load(ctx, id); !errors.Is(err, profile.ErrNotFound) {
				t.Errorf("%q before: %v", id, err)
			}
			for _, p := range []profile.Profile{
				{"name": id, "<&>": "\u2028", "empty": ""}, {"name": "other"}, {"bio": strings.Repeat("\x00\x1f\"", 20_000)},
			} {
				if err := db.Save(ctx, id, p); err != nil {
					t.Fatal(err)
				}
				if got, err := second.Load(ctx, id); err != nil || !maps.Equal(got, p) {
					t.Errorf("%.20q: loaded %.60v, %v; want %.60v", id, got, err, p)
				}
			}
		}
		for id, p := range map[string]profile.Profile{"": {"a": "b"}, "a\xff": {"a": "b"}, "a": nil, "b": {"a": "\xff"}} {
			if err := db.Save(ctx, id, p); !errors.Is(err, profile.ErrInvalid) {
				t.Errorf("saving %q %v: %v", id, p, err)
			}
		}
	})
}

func TestRowsOutliveTheProcess(t *testing.T) {
	ctx := context.Background()
	file := filepath.Join(t.TempDir(), "p.db")
	for turn := range 3 {
		db, err := sqldb.Open(ctx, file)
		if err != nil {
			t.Fatal(err)
		}
		if turn > 0 {
			if p, err := db.Load(ctx, "u"); err != nil || p["turn"] != strconv.Itoa(turn-1) {
				t.Errorf("turn %d: %v, %v", turn, p, err)
			}
		}
		if err := db.Save(ctx, "u", profile.Profile{"turn": strconv.Itoa(turn)}); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// counting counts the queries that reach the database.
type counting struct {
	*sqldb.DB
	loads atomic.Int64
}

func (c *counting) Load(ctx context.Context, id string) (profile.Profile, error) {
	c.loads.Add(1)
	return c.DB.Load(ctx, id)
}

func TestThousandMissesOneQuery(t *testing.T) {
	databases(t, func(t *testing.T, open func() *sqldb.DB) {
		ctx := context.Background()
		rdb, prefix := benchtest.Client(t)
		db := &counting{DB: open()}
		id := unique("u")
		if err := db.Save(ctx, id, profile.Profile{"v": "1"}); err != nil {
			t.Fatal(err)
		}
		caches := make([]*profile.Cache, 4)
		for i := range caches {
			var err error
			if caches[i], err = profile.New(rdb, db, prefix, profile.Options{Lease: time.Minute}); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range 1000 {
			wg.Go(func() {
				<-start
				if p, err := caches[i%len(caches)].Get(ctx, id); err != nil || p["v"] != "1" {
					t.Errorf("%v, %v", p, err)
				}
			})
		}
		close(start)
		wg.Wait()
		if n := db.loads.Load(); n != 1 {
			t.Errorf("%d queries", n)
		}
	})
}

// Two processes, each with connections of its own, write and read through the cache: versions only grow, so no reader may see one
// below what was committed before it asked.
func TestCacheOverDatabaseNeverGoesBack(t *testing.T) {
	databases(t, func(t *testing.T, open func() *sqldb.DB) {
		ctx := context.Background()
		rdb, prefix := benchtest.Client(t)
		var caches []*profile.Cache
		for range 2 {
			c, err := profile.New(rdb, open(), prefix, profile.Options{})
			if err != nil {
				t.Fatal(err)
			}
			caches = append(caches, c)
		}
		id := unique("u")
		if err := caches[0].Update(ctx, id, profile.Profile{"v": "0"}); err != nil {
			t.Fatal(err)
		}
		const updates = 40
		var committed atomic.Int64
		var wg sync.WaitGroup
		for r := range 4 {
			wg.Go(func() {
				for {
					floor := committed.Load()
					if floor == updates {
						return
					}
					p, err := caches[r%2].Get(ctx, id)
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
			if err := caches[v%2].Update(ctx, id, profile.Profile{"v": strconv.FormatInt(v, 10)}); err != nil {
				t.Error(err)
			}
			committed.Store(v)
		}
		wg.Wait()
	})
}

// Writers of two processes wait for each other instead of failing.
func TestWritersWait(t *testing.T) {
	databases(t, func(t *testing.T, open func() *sqldb.DB) {
		id := unique("u")
		dbs := []*sqldb.DB{open(), open()}
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for i := range 5 {
					if err := dbs[w%2].Save(context.Background(), id, profile.Profile{"w": fmt.Sprint(w, i)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestNamesThatAreNone(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	for _, name := range []string{
		"", "sqlite:", ":memory:", "file:x?mode=memory", "a\x00b", dir, filepath.Join(dir, "no", "such", "folder.db"),
		"mysql:", "mysql:secret", "mysql:user:secret@tcp(127.0.0.1:1)/db", "mysql:user:secret@nowhere",
	} {
		db, err := sqldb.Open(ctx, name)
		if err == nil {
			t.Errorf("%q opens", name)
			_ = db.Close()
			continue
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
	notOne := filepath.Join(dir, "text.db")
	if err := os.WriteFile(notOne, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if db, err := sqldb.Open(ctx, notOne); err == nil {
		t.Error("a text file opens as a database")
		_ = db.Close()
	}
}
