package presence_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/internal/benchtest"
	"github.com/streampulse/pulse/bench/presence"
)

// hand is a clock that is set by hand.
type hand struct{ ms atomic.Int64 }

func (h *hand) now() time.Time          { return time.UnixMilli(h.ms.Load()) }
func (h *hand) forward(d time.Duration) { h.ms.Add(d.Milliseconds()) }

const timeout = 30 * time.Second

// noon is far ahead, so that the server's clock does not end what is kept.
var noon = time.Date(2096, 2, 28, 12, 0, 0, 0, time.UTC)

func open(t *testing.T) (*presence.Presence, *redis.Client, string, *hand) {
	t.Helper()
	rdb, prefix := benchtest.Client(t)
	h := &hand{}
	h.ms.Store(noon.UnixMilli())
	p, err := presence.New(rdb, prefix, presence.Options{Timeout: timeout, Users: 1_000_000, Now: h.now})
	if err != nil {
		t.Fatal(err)
	}
	return p, rdb, prefix, h
}

func beat(t *testing.T, p *presence.Presence, users ...int64) {
	t.Helper()
	for _, u := range users {
		if err := p.Beat(context.Background(), u); err != nil {
			t.Fatal(err)
		}
	}
}

func online(t *testing.T, p *presence.Presence, user int64) bool {
	t.Helper()
	is, _, err := p.IsOnline(context.Background(), user)
	if err != nil {
		t.Fatal(err)
	}
	return is
}

func TestSilenceIsOffline(t *testing.T) {
	t.Parallel()
	p, _, _, h := open(t)
	ctx := context.Background()
	beat(t, p, 1, 2)
	h.forward(timeout - time.Millisecond)
	beat(t, p, 2)
	if n, err := p.Online(ctx); err != nil || n != 2 || !online(t, p, 1) {
		t.Errorf("%d online, %v", n, err)
	}
	h.forward(time.Millisecond)
	// Nobody has swept.
	if n, err := p.Online(ctx); err != nil || n != 1 || online(t, p, 1) || !online(t, p, 2) {
		t.Errorf("%d online, %v", n, err)
	}
	if is, seen, err := p.IsOnline(ctx, 1); is || err != nil || !seen.Equal(noon) {
		t.Errorf("seen %v, %v", seen, err)
	}
	if gone, err := p.Sweep(ctx, 100); err != nil || !slices.Equal(gone, []int64{1}) {
		t.Errorf("swept %v, %v", gone, err)
	}
	if is, seen, err := p.IsOnline(ctx, 1); is || err != nil || !seen.IsZero() {
		t.Errorf("seen %v, %v", seen, err)
	}
	for _, want := range []bool{true, false} {
		if was, err := p.Leave(ctx, 2); err != nil || was != want || online(t, p, 2) {
			t.Errorf("%v, %v", was, err)
		}
	}
	// A beat that comes late does not take time back.
	beat(t, p, 3)
	h.forward(-timeout)
	beat(t, p, 3)
	h.forward(timeout)
	if !online(t, p, 3) {
		t.Error("an old beat counted more than a new one")
	}
}

// With the server's clock, and a silence that is waited for.
func TestServersClock(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	p, err := presence.New(rdb, prefix, presence.Options{Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	left := make(chan int64, 10)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			err := p.Run(ctx, time.Millisecond, func(users []int64) {
				for _, u := range users {
					left <- u
				}
			}, func(err error) { t.Error(err) })
			if err != nil {
				t.Error(err)
			}
		})
	}
	before := rdb.Time(ctx).Val()
	beat(t, p, 7)
	if u := <-left; u != 7 {
		t.Errorf("%d left", u)
	}
	if d := rdb.Time(ctx).Val().Sub(before); d < 49*time.Millisecond {
		t.Errorf("left after %v", d)
	}
	if n, err := p.Daily(ctx, before); err != nil || n > 1 {
		t.Errorf("%d on that day, %v", n, err)
	}
	a, err1 := p.Daily(ctx, before)
	b, err2 := p.Daily(ctx, before.Add(24*time.Hour))
	if a+b != 1 || err1 != nil || err2 != nil { // midnight may pass meanwhile
		t.Errorf("%d and %d on the two days, %v, %v", a, b, err1, err2)
	}
	cancel()
	wg.Wait()
	if len(left) != 0 {
		t.Errorf("and %d once more", <-left)
	}
}

// Every silent user is reported once, whoever sweeps, and none who beats meanwhile is lost.
func TestSweepersAndBeats(t *testing.T) {
	t.Parallel()
	p, _, _, h := open(t)
	ctx := context.Background()
	const users, back = 1500, 100
	for u := range int64(users) {
		beat(t, p, u)
	}
	h.forward(timeout)
	var mu sync.Mutex
	swept := map[int64]int{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				gone, err := p.Sweep(ctx, 70)
				if err != nil {
					t.Error(err)
				}
				if len(gone) == 0 {
					return
				}
				mu.Lock()
				for _, u := range gone {
					swept[u]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Go(func() {
		for u := int64(users - back); u < users; u++ {
			if err := p.Beat(ctx, u); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	for u := range int64(users) {
		if n := swept[u]; n > 1 || n == 0 && u < users-back {
			t.Errorf("%d was reported %d times", u, n)
		}
		if is := online(t, p, u); is != (u >= users-back) {
			t.Errorf("%d online: %v", u, is)
		}
	}
	if n, err := p.Online(ctx); err != nil || n != back {
		t.Errorf("%d online, %v", n, err)
	}
}

// A sweep goes on over several scripts, and stops at its limit.
func TestSweepLimit(t *testing.T) {
	t.Parallel()
	p, _, _, h := open(t)
	ctx := context.Background()
	for u := range int64(1100) {
		beat(t, p, u)
	}
	h.forward(timeout)
	for _, want := range []int{1050, 50, 0} {
		if gone, err := p.Sweep(ctx, 1050); err != nil || len(gone) != want {
			t.Errorf("%d gone, want %d, %v", len(gone), want, err)
		}
	}
}

func TestFriends(t *testing.T) {
	t.Parallel()
	p, _, _, h := open(t)
	ctx := context.Background()
	rnd := rand.New(rand.NewPCG(1, 2))
	const users = 60
	friends := map[[2]int64]bool{}
	for range 300 {
		a, b := rnd.Int64N(users), rnd.Int64N(users)
		if a == b {
			continue
		}
		change, is := p.Befriend, true
		if rnd.IntN(4) == 0 {
			change, is = p.Unfriend, false
		}
		if err := change(ctx, a, b); err != nil {
			t.Fatal(err)
		}
		friends[[2]int64{a, b}], friends[[2]int64{b, a}] = is, is
	}
	seen := map[int64]time.Time{}
	for range 100 {
		u := rnd.Int64N(users)
		beat(t, p, u)
		seen[u] = h.now()
		h.forward(time.Duration(rnd.IntN(1000)) * time.Millisecond)
	}
	some := 0
	for u := range int64(users) {
		var want []presence.Friend
		for f := range int64(users) {
			if at, ok := seen[f]; ok && friends[[2]int64{u, f}] && h.now().Sub(at) < timeout {
				want = append(want, presence.Friend{User: f, Seen: at})
			}
		}
		some += len(want)
		got, err := p.FriendsOnline(ctx, u)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSortedFunc(got, func(a, b presence.Friend) int { return a.Seen.Compare(b.Seen) }) {
			t.Errorf("%d: not in order: %v", u, got)
		}
		slices.SortFunc(got, func(a, b presence.Friend) int { return int(a.User - b.User) })
		if !slices.EqualFunc(got, want, func(a, b presence.Friend) bool { return a.User == b.User && a.Seen.Equal(b.Seen) }) {
			t.Errorf("%d has online %v, want %v", u, got, want)
		}
	}
	if some == 0 {
		t.Error("nobody has a friend online")
	}
}

// The bitmap counts exactly and the HyperLogLog within four standard errors, over days that many clients fill at once.
func TestAccuracyOfDailyCounts(t *testing.T) {
	t.Parallel()
	p, _, _, h := open(t)
	ctx := context.Background()
	const days, each, among = 3, 1500, 3000
	daily := make([]map[int64]bool, days)
	begin := h.now()
	for d := range days {
		daily[d] = map[int64]bool{}
		rnd := rand.New(rand.NewPCG(uint64(d), 3))
		users := make([]int64, each)
		for i := range users {
			users[i] = rnd.Int64N(among) * 331 // up to 993,000
			daily[d][users[i]] = true
		}
		h.ms.Store(begin.AddDate(0, 0, d).UnixMilli())
		var wg sync.WaitGroup
		for part := range slices.Chunk(users, each/6) {
			wg.Go(func() {
				for _, u := range part {
					if err := p.Beat(ctx, u); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		n, err := p.Daily(ctx, h.now())
		if err != nil || n != int64(len(daily[d])) {
			t.Errorf("day %d: %d by bits, %v; want %d", d, n, err, len(daily[d]))
		}
		n, err = p.DailyEstimate(ctx, h.now())
		near(t, n, len(daily[d]), err)
	}
	any, all := map[int64]bool{}, 0
	for _, users := range daily {
		for u := range users {
			any[u] = true
		}
	}
	for u := range any {
		if daily[0][u] && daily[1][u] && daily[2][u] {
			all++
		}
	}
	n, err := p.ActiveEstimate(ctx, h.now(), days)
	near(t, n, len(any), err)
	if n, err := p.Returning(ctx, h.now(), days); err != nil || n != int64(all) || all == 0 {
		t.Errorf("%d came back every day, %v; want %d", n, err, all)
	}
	if n, err := p.Returning(ctx, h.now(), days+1); err != nil || n != 0 {
		t.Errorf("%d on the day before as well, %v", n, err)
	}
	for u := range int64(50) {
		if was, err := p.WasActive(ctx, u*331, begin); err != nil || was != daily[0][u*331] {
			t.Errorf("%d on the first day: %v, %v", u*331, was, err)
		}
	}
}

func near(t *testing.T, got int64, want int, err error) {
	t.Helper()
	if margin := int64(want) * 4 * 81 / 10_000; err != nil || got < int64(want)-margin || got > int64(want)+margin {
		t.Errorf("estimate %d, %v; want %d, give or take %d", got, err, want, margin)
	}
}

// A day ends at midnight of UTC, and what was counted for it ends later.
func TestMidnight(t *testing.T) {
	t.Parallel()
	p, rdb, prefix, h := open(t)
	ctx := context.Background()
	last := noon.Add(12*time.Hour - time.Millisecond)
	for i, at := range []time.Time{last, last.Add(time.Millisecond)} {
		h.ms.Store(at.UnixMilli())
		beat(t, p, int64(i))
		if n, err := p.Daily(ctx, at); err != nil || n != 1 {
			t.Errorf("%v: %d, %v", at, n, err)
		}
		want := time.Date(2096, 2, 29+i, 0, 0, 0, 0, time.UTC).AddDate(0, 0, 60)
		for _, what := range []string{"bits", "hll"} {
			key := "{" + prefix + "}:" + what + ":" + at.Format(time.DateOnly)
			if ends := rdb.PExpireTime(ctx, key).Val(); ends.Milliseconds() != want.UnixMilli() {
				t.Errorf("%s ends at %v, want %v", key, time.UnixMilli(ends.Milliseconds()).UTC(), want)
			}
		}
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	t.Parallel()
	p, rdb, prefix, _ := open(t)
	ctx := context.Background()
	for _, o := range []presence.Options{
		{}, {Timeout: time.Microsecond}, {Timeout: 25 * time.Hour}, {Timeout: timeout, Users: -1}, {Timeout: timeout, Users: 1<<32 + 1},
		{Timeout: timeout, Keep: time.Minute}, {Timeout: timeout, Keep: 1 << 62},
	} {
		if _, err := presence.New(rdb, prefix, o); err == nil {
			t.Errorf("%+v passed", o)
		}
	}
	for _, bad := range []string{"", "a{b", "}"} {
		if _, err := presence.New(rdb, bad, presence.Options{Timeout: timeout}); err == nil {
			t.Errorf("prefix %q passed", bad)
		}
	}
	for _, u := range []int64{-1, 1_000_000, 1 << 62} {
		_, err1 := p.Leave(ctx, u)
		_, _, err2 := p.IsOnline(ctx, u)
		_, err3 := p.FriendsOnline(ctx, u)
		_, err4 := p.WasActive(ctx, u, noon)
		for i, err := range []error{p.Beat(ctx, u), err1, err2, err3, err4, p.Befriend(ctx, 1, u), p.Unfriend(ctx, u, 1)} {
			if err == nil {
				t.Errorf("user %d passed in %d", u, i)
			}
		}
	}
	if err := p.Befriend(ctx, 1, 1); err == nil {
		t.Error("a friend of oneself")
	}
	for _, n := range []int{0, -1, 367} {
		_, err1 := p.ActiveEstimate(ctx, noon, n)
		_, err2 := p.Returning(ctx, noon, n)
		if err1 == nil || err2 == nil {
			t.Errorf("%d days passed", n)
		}
	}
	for _, n := range []int{0, -1, 10_001} {
		if _, err := p.Sweep(ctx, n); err == nil {
			t.Errorf("a sweep of %d passed", n)
		}
	}
	if err := p.Run(ctx, 0, nil, nil); err == nil {
		t.Error("an interval of nothing passed")
	}
	if left := rdb.Keys(ctx, "*"+prefix+"*").Val(); len(left) != 0 {
		t.Errorf("left %q", left)
	}
}
