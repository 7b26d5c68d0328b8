package leaderboard_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/streampulse/pulse/bench/internal/benchtest"
	"github.com/streampulse/pulse/bench/leaderboard"
)

func TestAroundIsAPieceOfTheWhole(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	ctx := context.Background()
	rnd := rand.New(rand.NewPCG(7, 1))
	for _, members := range []int{1, 7, 400} {
		board := leaderboard.New(rdb, fmt.Sprint(prefix, members))
		counts := map[string]int{}
		for i := range members {
			name := fmt.Sprintf("m%d\x00\xff", i)
			counts[name] = rnd.IntN(20) // so that there are ties
			if _, err := board.Add(ctx, name, float64(counts[name])); err != nil {
				t.Fatal(err)
			}
		}
		all := want(counts, members)
		for i, e := range all {
			if i%7 != 0 && i < members-2 {
				continue
			}
			for _, n := range []int{0, 1, 5, 500} {
				got, err := board.Around(ctx, e.Member, n)
				if part := all[max(0, i-n):min(len(all), i+n+1)]; err != nil || !slices.Equal(got, part) {
					t.Fatalf("%d around %q of %d: %v, %v\nwant %v", n, e.Member, members, got, err, part)
				}
			}
		}
		if _, err := board.Around(ctx, "nobody", 3); !errors.Is(err, leaderboard.ErrUnknown) {
			t.Errorf("around nobody: %v", err)
		}
	}
}

// While points are added the rank, the neighbours and their points must fit each other.
func TestAroundFitsWhileItMoves(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	board := leaderboard.New(rdb, prefix+"b")
	const members = 30
	for i := range members {
		if _, err := board.Add(ctx, fmt.Sprint(i), 1); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for c := range 3 {
		rnd := rand.New(rand.NewPCG(uint64(c), 2))
		wg.Go(func() {
			for range 300 {
				if _, err := board.Add(ctx, fmt.Sprint(rnd.IntN(members)), float64(rnd.IntN(9)-4)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 200 {
		got, err := board.Around(ctx, "7", 2)
		if err != nil || len(got) < 3 || len(got) > 5 {
			t.Fatalf("%v, %v", got, err)
		}
		at := slices.IndexFunc(got, func(e leaderboard.Entry) bool { return e.Member == "7" })
		if at < 0 || at > 2 || at < 2 && got[0].Rank != 1 || len(got)-1-at < 2 && got[len(got)-1].Rank != members {
			t.Errorf("7 is not in the middle: %v", got)
		}
		for i := 1; i < len(got); i++ {
			a, b := got[i-1], got[i]
			if b.Rank != a.Rank+1 || b.Points > a.Points || b.Points == a.Points && b.Member > a.Member {
				t.Errorf("out of order: %v", got)
			}
		}
	}
	wg.Wait()
}

// Users who like and take back at the same time, each request twice: the board counts each user once.
func TestLikesCountUsers(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	ctx := context.Background()
	l, err := leaderboard.NewLikes(rdb, prefix+"posts")
	if err != nil {
		t.Fatal(err)
	}
	const users, posts, each = 12, 6, 60
	liked := make([]map[string]bool, users)
	var counted atomic.Int64
	var wg sync.WaitGroup
	for u := range users {
		liked[u] = map[string]bool{}
		rnd := rand.New(rand.NewPCG(uint64(u), 3))
		wg.Go(func() {
			user := fmt.Sprint("user", u)
			for range each {
				post, on := fmt.Sprint("post", rnd.IntN(posts)), rnd.IntN(3) > 0
				for range 2 {
					change := l.Unlike
					if on {
						change = l.Like
					}
					_, yes, err := change(ctx, post, user)
					if err != nil {
						t.Error(err)
						return
					}
					if want := liked[u][post] != on; yes != want {
						t.Errorf("%s %s %v: counted %v", user, post, on, yes)
					}
					liked[u][post] = on
					if yes && on {
						counted.Add(1)
					} else if yes {
						counted.Add(-1)
					}
				}
			}
		})
	}
	wg.Wait()
	total, sum := map[string]int{}, 0
	for _, m := range liked {
		for post, on := range m {
			if on {
				total[post]++
				sum++
			}
		}
	}
	top, err := l.Top(ctx, 10)
	if err != nil || !slices.Equal(top, want(total, 10)) || int64(sum) != counted.Load() {
		t.Errorf("%v, %v\nwant %v; %d of %d counted", top, err, want(total, 10), counted.Load(), sum)
	}
	if n, yes, err := l.Like(ctx, "new", "u"); n != 1 || !yes || err != nil {
		t.Errorf("first like: %d, %v, %v", n, yes, err)
	}
	if n, yes, err := l.Unlike(ctx, "new", "u"); n != 0 || !yes || err != nil {
		t.Errorf("the like taken back: %d, %v, %v", n, yes, err)
	}
	if _, err := l.Place(ctx, "new"); !errors.Is(err, leaderboard.ErrUnknown) {
		t.Errorf("a post that nobody likes: %v", err)
	}
}

// Days pass; each ranking is compared with the sum of its days.
func TestTimedBoardsForget(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	ctx := context.Background()
	now := time.Now().UTC().Truncate(24 * time.Hour)
	timed, err := leaderboard.NewTimed(rdb, prefix+"t", leaderboard.Periods{
		Length: 24 * time.Hour, Keep: 7, Fresh: time.Millisecond, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(4, 4))
	var days []map[string]int
	for range 10 {
		day := map[string]int{}
		for range 40 {
			m := fmt.Sprint("m", rnd.IntN(30)) // ties are likely
			day[m] += 1
			if total, err := timed.Add(ctx, m, 1); err != nil || total != float64(day[m]) {
				t.Fatalf("%v, %v", total, err)
			}
			now = now.Add(time.Duration(rnd.IntN(30)) * time.Minute)
		}
		days = append(days, day)
		for _, n := range []int{1, 2, 7} {
			sum := map[string]int{}
			for _, d := range days[max(0, len(days)-n):] {
				for m, c := range d {
					sum[m] += c
				}
			}
			board, err := timed.Last(ctx, n)
			if err != nil {
				t.Fatal(err)
			}
			top, err := board.Top(ctx, 1000)
			// A ranking that lives for a millisecond or two may have ended before it was read.
			for tries := 0; err == nil && len(top) == 0 && tries < 1000; tries++ {
				if board, err = timed.Last(ctx, n); err == nil {
					top, err = board.Top(ctx, 1000)
				}
			}
			if err != nil || !slices.Equal(top, want(sum, 1000)) {
				t.Errorf("day %d, last %d: %v, %v\nwant %v", len(days), n, top, err, want(sum, 1000))
			}
		}
		now = now.Truncate(24 * time.Hour).Add(24 * time.Hour)
	}
	keys := map[string]bool{}
	for _, k := range rdb.Keys(ctx, "{"+prefix+"t}:*").Val() {
		keys[k] = true
		if ttl := rdb.PTTL(ctx, k).Val(); ttl == -1 || ttl > 19*24*time.Hour { // -2: it has ended since
			t.Errorf("%s has TTL %v", k, ttl)
		}
	}
	if len(keys) < 7 {
		t.Errorf("keys %v", slices.Sorted(maps.Keys(keys)))
	}
}

// All who ask within Fresh read one union.
func TestUnionIsShared(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	ctx := context.Background()
	now := time.Now() // and no day that begins meanwhile
	timed, err := leaderboard.NewTimed(rdb, prefix+"t", leaderboard.Periods{
		Length: 24 * time.Hour, Keep: 3, Fresh: time.Hour, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	points := func() float64 {
		t.Helper()
		board, err := timed.Last(ctx, 3)
		if err != nil {
			t.Fatal(err)
		}
		e, err := board.Place(ctx, "m")
		if err != nil && !errors.Is(err, leaderboard.ErrUnknown) {
			t.Fatal(err)
		}
		return e.Points
	}
	if n := points(); n != 0 {
		t.Errorf("before anything was added: %v", n)
	}
	for i := range 3 {
		if _, err := timed.Add(ctx, "m", 1); err != nil {
			t.Fatal(err)
		}
		if n := points(); n != 1 { // nothing is not remembered; what there was first is
			t.Errorf("after %d additions: %v", i+1, n)
		}
	}
	for _, k := range rdb.Keys(ctx, "{"+prefix+"t}:*:last:3").Val() {
		if err := rdb.PExpire(ctx, k, time.Hour-time.Second).Err(); err != nil { // as it will be in an hour and a second
			t.Fatal(err)
		}
	}
	if n := points(); n != 3 {
		t.Errorf("when it was no longer fresh: %v", n)
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	ctx := context.Background()
	long := strings.Repeat("x", 513)
	board := leaderboard.New(rdb, prefix+"b")
	likes, err := leaderboard.NewLikes(rdb, prefix+"l")
	if err != nil {
		t.Fatal(err)
	}
	timed, err := leaderboard.NewTimed(rdb, prefix+"t", leaderboard.Periods{Length: time.Second, Keep: 2})
	if err != nil {
		t.Fatal(err)
	}
	refused := map[string]error{}
	for _, name := range []string{"", long} {
		_, refused["add "+name] = board.Add(ctx, name, 1)
		_, refused["place "+name] = board.Place(ctx, name)
		_, refused["around "+name] = board.Around(ctx, name, 1)
		_, _, refused["like "+name] = likes.Like(ctx, "p", name)
		_, _, refused["unlike "+name] = likes.Unlike(ctx, name, "u")
		_, refused["timed "+name] = timed.Add(ctx, name, 1)
		_, refused["likes "+name] = leaderboard.NewLikes(rdb, name)
	}
	for _, points := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, refused[fmt.Sprint("add ", points)] = board.Add(ctx, "m", points)
		_, refused[fmt.Sprint("timed ", points)] = timed.Add(ctx, "m", points)
	}
	_, refused["top"] = board.Top(ctx, 1001)
	_, refused["around -1"] = board.Around(ctx, "m", -1)
	_, refused["around 501"] = board.Around(ctx, "m", 501)
	_, refused["last 0"] = timed.Last(ctx, 0)
	_, refused["last 3"] = timed.Last(ctx, 3)
	_, refused["braces"] = leaderboard.NewLikes(rdb, "a}b")
	for name, p := range map[string]leaderboard.Periods{
		"length": {Length: time.Millisecond, Keep: 1}, "odd length": {Length: time.Second + 1, Keep: 1}, "keep": {Length: time.Second},
		"keep many": {Length: time.Second, Keep: 1001}, "fresh": {Length: time.Second, Keep: 1, Fresh: time.Minute},
	} {
		_, refused[name] = leaderboard.NewTimed(rdb, "t", p)
	}
	for name, err := range refused {
		if err == nil || errors.Is(err, leaderboard.ErrUnknown) {
			t.Errorf("%.20s: %v", name, err)
		}
	}
	if err := rdb.Set(ctx, prefix+"b", "no board", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := board.Around(ctx, "m", 1); err == nil || errors.Is(err, leaderboard.ErrUnknown) {
		t.Errorf("a key of another type: %v", err)
	}
}
