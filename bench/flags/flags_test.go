package flags_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/flags"
	"github.com/streampulse/pulse/bench/internal/benchtest"
)

func open(t *testing.T) (*flags.Store, *redis.Client, string) {
	t.Helper()
	rdb, prefix := benchtest.Client(t)
	s, err := flags.NewStore(rdb, prefix)
	if err != nil {
		t.Fatal(err)
	}
	return s, rdb, prefix
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Places are the same in every process, version and language.
func TestPlacesAreStable(t *testing.T) {
	for _, c := range []struct {
		flag, user string
		want       int
	}{{"checkout", "ann", 4480}, {"checkout", "bob", 5030}, {"search", "ann", 9032}, {"a.b", "ü", 9866}} {
		if got := flags.Place(c.flag, c.user); got != c.want {
			t.Errorf("%s of %s: %d, want %d", c.user, c.flag, got, c.want)
		}
	}
}

// A share of the users is in, about as many as it says; who is in stays in while it grows; and another flag chooses others.
func TestRollOut(t *testing.T) {
	const users = 20_000
	in := make([]bool, users)
	for share := 0; share <= flags.Everybody; share += 500 {
		f := &flags.Flag{Name: "new-search", Share: share}
		other := &flags.Flag{Name: "new-checkout", Share: share}
		n, both := 0, 0
		for u := range users {
			on := f.On(strconv.Itoa(u))
			if in[u] && !on {
				t.Fatalf("%d fell out at %d", u, share)
			}
			if in[u] = on; on {
				n++
				if other.On(strconv.Itoa(u)) {
					both++
				}
			}
		}
		// Five standard deviations, at most 0.0177 of all.
		if want := users * share / flags.Everybody; n < want-users*177/10_000 || n > want+users*177/10_000 || share == 0 && n > 0 || share == flags.Everybody && n < users {
			t.Errorf("share %d: %d of %d", share, n, users)
		}
		if want := users * share / flags.Everybody * share / flags.Everybody; both < want-users/40 || both > want+users/40 {
			t.Errorf("share %d: %d have both, want about %d", share, both, want)
		}
	}
}

func TestKillTargetShare(t *testing.T) {
	t.Parallel()
	s, _, _ := open(t)
	ctx := context.Background()
	check := func(want map[string]bool) {
		t.Helper()
		f, err := s.Get(ctx, "beta")
		must(t, err)
		for user, on := range want {
			if f.On(user) != on {
				t.Errorf("%+v is %v for %s", f, !on, user)
			}
		}
	}
	must(t, s.SetShare(ctx, "beta", 0))
	check(map[string]bool{"ann": false, "bob": false})
	must(t, s.Target(ctx, "beta", "ann", true))
	check(map[string]bool{"ann": true, "bob": false})
	must(t, s.SetShare(ctx, "beta", flags.Everybody))
	must(t, s.Target(ctx, "beta", "bob", false))
	check(map[string]bool{"ann": true, "bob": false, "eve": true})
	must(t, s.Kill(ctx, "beta"))
	check(map[string]bool{"ann": false, "bob": false, "eve": false})
	must(t, s.SetShare(ctx, "beta", 5000)) // it stays killed
	check(map[string]bool{"ann": false, "bob": false, "eve": false})
	must(t, s.Revive(ctx, "beta"))
	must(t, s.Untarget(ctx, "beta", "bob"))
	f, err := s.Get(ctx, "beta")
	if err != nil || f.Share != 5000 || f.Killed || len(f.Targets) != 1 || !f.Targets["ann"] {
		t.Errorf("%+v, %v", f, err)
	}
	must(t, s.Delete(ctx, "beta"))
	if _, err := s.Get(ctx, "beta"); !errors.Is(err, flags.ErrNotFound) {
		t.Errorf("after its end: %v", err)
	}
	for what, err := range map[string]error{
		"kill": s.Kill(ctx, "beta"), "revive": s.Revive(ctx, "beta"), "target": s.Target(ctx, "beta", "ann", true),
		"untarget": s.Untarget(ctx, "beta", "ann"), "delete": s.Delete(ctx, "beta"),
	} {
		if !errors.Is(err, flags.ErrNotFound) {
			t.Errorf("%s of what does not exist: %v", what, err)
		}
	}
	must(t, s.SetShare(ctx, "beta", 1))
	if again, err := s.Get(ctx, "beta"); err != nil || again.Version <= f.Version || len(again.Targets) != 0 {
		t.Errorf("%+v after %+v, %v", again, f, err)
	}
}

// Changes by many at once: each raises the version, and none is lost.
func TestConcurrentChanges(t *testing.T) {
	t.Parallel()
	s, _, _ := open(t)
	ctx := context.Background()
	must(t, s.SetShare(ctx, "beta", 1))
	first, err := s.Get(ctx, "beta")
	must(t, err)
	const workers, each = 10, 20
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				if err := s.Target(ctx, "beta", fmt.Sprintf("%d-%d", w, i), i%2 == 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	f, err := s.Get(ctx, "beta")
	if err != nil || f.Version != first.Version+workers*each || len(f.Targets) != workers*each {
		t.Errorf("version %d after %d, %d targets, %v", f.Version, first.Version, len(f.Targets), err)
	}
}

func TestTargetsAreLimited(t *testing.T) {
	t.Parallel()
	s, _, _ := open(t)
	ctx := context.Background()
	must(t, s.SetShare(ctx, "beta", 1))
	var full, set atomic.Int64
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 130 {
				switch err := s.Target(ctx, "beta", fmt.Sprint(w, i), true); {
				case err == nil:
					set.Add(1)
				case errors.Is(err, flags.ErrFull):
					full.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	f, err := s.Get(ctx, "beta")
	must(t, err)
	if set.Load() != 1000 || full.Load() != 40 || len(f.Targets) != 1000 {
		t.Errorf("%d set, %d refused, %d targets", set.Load(), full.Load(), len(f.Targets))
	}
	for user := range f.Targets { // one that there is can still be changed
		must(t, s.Target(ctx, "beta", user, false))
		break
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	t.Parallel()
	s, rdb, prefix := open(t)
	ctx := context.Background()
	for _, bad := range []string{"", "a{b", "}"} {
		if _, err := flags.NewStore(rdb, bad); err == nil {
			t.Errorf("prefix %q passed", bad)
		}
	}
	for _, o := range []flags.Options{{MaxStale: -1}, {MaxStale: 1}, {MaxStale: 1 << 62}} {
		if _, err := flags.NewCache(s, o); err == nil {
			t.Errorf("%+v passed", o)
		}
	}
	c, err := flags.NewCache(s, flags.Options{})
	must(t, err)
	for _, name := range []string{"", "a b", "a:b", "{}", "ü", "a\x00", strings.Repeat("n", 129)} {
		_, err1 := s.Get(ctx, name)
		_, err2 := c.On(ctx, name, "ann")
		for i, err := range []error{err1, err2, s.SetShare(ctx, name, 1), s.Kill(ctx, name), s.Target(ctx, name, "ann", true), s.Delete(ctx, name)} {
			if err == nil || errors.Is(err, flags.ErrNotFound) {
				t.Errorf("name %.20q in %d: %v", name, i, err)
			}
		}
	}
	must(t, s.SetShare(ctx, "beta", 1))
	for _, share := range []int{-1, 10_001} {
		if err := s.SetShare(ctx, "beta", share); err == nil {
			t.Errorf("a share of %d", share)
		}
	}
	for _, user := range []string{"", "\xff", strings.Repeat("u", 513)} {
		_, err := c.On(ctx, "beta", user)
		for i, err := range []error{err, s.Target(ctx, "beta", user, true), s.Untarget(ctx, "beta", user)} {
			if err == nil {
				t.Errorf("user %.20q passed in %d", user, i)
			}
		}
	}
	if on, err := c.On(ctx, "nobody.made.it", "ann"); on || err != nil {
		t.Errorf("%v, %v", on, err)
	}
	must(t, rdb.HSet(ctx, prefix+"{odd}", "share", "many").Err())
	if on, err := c.On(ctx, "odd", "ann"); on || err == nil {
		t.Errorf("a share in words: %v, %v", on, err)
	}
}
