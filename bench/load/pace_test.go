package load

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// handClock is a timer whose time passes only while an operation says so, or somebody waits.
type handClock struct{ now time.Time }

func (h *handClock) Now() time.Time { return h.now }

func (h *handClock) Until(ctx context.Context, t time.Time) error {
	if t.After(h.now) {
		h.now = t
	}
	return ctx.Err()
}

func (h *handClock) Close() error { return nil }

// play runs a pace with one client, whose operation number n takes what takes says.
func play(t *testing.T, p Pace, takes func(n int) time.Duration) (*OpenResult, int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h := &handClock{now: time.Unix(1000, 0)}
	n := 0
	r, err := p.repeat(ctx, cancel, []timer{h}, func(context.Context, int, *rand.Rand) error {
		h.now = h.now.Add(takes(n))
		n++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, n
}

// within says whether got is want as exactly as a histogram tells.
func within(got, want time.Duration) bool {
	return got >= want && got <= want+want/50
}

func TestOpenPaceCountsFromWhenOperationsAreDue(t *testing.T) {
	// 1,000 a second for a second, each of 100 us, but number 500 takes 50 ms. Meanwhile number 501 is due after one of
	// them, and so on: it waits for 49 ms, the next one for 48.1, until the last of them has caught up.
	stall := func(n int) time.Duration {
		if n == 500 {
			return 50 * time.Millisecond
		}
		return 100 * time.Microsecond
	}
	open := Pace{Duration: time.Second, Rate: 1000}
	r, n := play(t, open, stall)
	if n != 1000 || r.Requests != 1000 || r.Dropped != 0 || r.Lat.Count() != 1000 || r.Late.Count() != 1000 {
		t.Fatalf("%d done, %d requests, %d dropped, %d latencies", n, r.Requests, r.Dropped, r.Lat.Count())
	}
	// Behind number 500, 55 operations are late: number 500+k by 50 - 0.9k - 0.1 ms.
	if q := r.Lat.Quantile(1 - 56.5/1000); !within(q, 100*time.Microsecond) {
		t.Errorf("an operation that was not held up took %v", q)
	}
	if q := r.Lat.Quantile(1 - 55.5/1000); !within(q, 500*time.Microsecond) {
		t.Errorf("the last of those held up took %v", q)
	}
	if q := r.Lat.Quantile(0.999); !within(q, 49100*time.Microsecond) {
		t.Errorf("number 501 took %v, want 49.1 ms", q)
	}
	if q := r.Lat.Quantile(1); !within(q, 50*time.Millisecond) {
		t.Errorf("number 500 took %v, want 50 ms", q)
	}
	if q := r.Late.Quantile(1); !within(q, 49*time.Millisecond) {
		t.Errorf("number 501 was late by %v, want 49 ms", q)
	}
	// A closed loop sees one slow operation, and the quantiles show nothing of it.
	r, _ = play(t, Pace{Duration: time.Second}, stall)
	if q := r.Lat.Quantile(0.999); !within(q, 100*time.Microsecond) || r.Requests != 9501 || r.Late.Count() != 0 {
		t.Errorf("closed: p99.9 %v of %d", q, r.Requests)
	}
}

func TestOpenPaceThatNobodyKeeps(t *testing.T) {
	// 100 a second are due for a second, and one takes 25 ms: in twice the time 80 of them begin, and one as it ends.
	r, n := play(t, Pace{Duration: time.Second, Rate: 100}, func(int) time.Duration { return 25 * time.Millisecond })
	if n != 81 || r.Requests != 81 || r.Dropped != 19 || r.Lat.Count() != 100 {
		t.Errorf("%d done, %d requests, %d dropped, %d latencies", n, r.Requests, r.Dropped, r.Lat.Count())
	}
	if got := r.PerSecond(); got < 39 || got > 41 {
		t.Errorf("%v a second, want about 40", got)
	}
	// The first that was dropped had been due at 0.81 s and was given up at 2.025 s.
	if q := r.Lat.Quantile(1); !within(q, 1215*time.Millisecond) {
		t.Errorf("longest %v, want 1.215 s", q)
	}
}

func TestClosedPaceThinks(t *testing.T) {
	r, n := play(t, Pace{Duration: time.Second, Think: 9 * time.Millisecond}, func(int) time.Duration { return time.Millisecond })
	if n != 100 || r.Requests != 100 || !within(r.Lat.Quantile(1), time.Millisecond) {
		t.Errorf("%d done, longest %v", n, r.Lat.Quantile(1))
	}
}

// The clients begin when the time is over already.
func TestClosedPaceDoesOne(t *testing.T) {
	h := &handClock{now: time.Unix(1000, 0)}
	var r OpenResult
	err := Pace{Duration: time.Millisecond}.closed(t.Context(), h, h.now.Add(-time.Second), func() error {
		h.now = h.now.Add(time.Millisecond)
		return nil
	}, &r)
	if err != nil || r.Requests != 1 || !within(r.Lat.Quantile(1), time.Millisecond) {
		t.Errorf("%d done, longest %v, %v", r.Requests, r.Lat.Quantile(1), err)
	}
}

func TestTotalOfAPace(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		rate float64
		want int64
	}{{time.Second, 1000, 1000}, {time.Second, 0.5, 1}, {3 * time.Second, 0.5, 2}, {10 * time.Millisecond, 333, 4}, {time.Second, 3, 3}} {
		p := Pace{Duration: c.d, Rate: c.rate}
		n := p.total()
		if n != c.want || p.due(n-1) >= c.d || p.due(n) < c.d {
			t.Errorf("%v at %v: %d, want %d", c.d, c.rate, n, c.want)
		}
	}
}

func TestPaceRefuses(t *testing.T) {
	nan := 0.0
	nan /= nan
	for _, p := range []Pace{{}, {Duration: -1}, {Duration: 1, Think: -1}, {Duration: 1, Rate: -1}, {Duration: 1, Rate: nan}, {Duration: 1, Rate: 2e6},
		{Duration: 1, Rate: 1, Think: 1}} {
		if p.check() == nil {
			t.Errorf("%+v passed", p)
		}
	}
}

func TestPaceEndsWithAnError(t *testing.T) {
	boom := errors.New("boom")
	for _, p := range []Pace{{Duration: time.Hour}, {Duration: time.Hour, Rate: 1}, {Duration: time.Hour, Rate: 1e6}, {Duration: time.Hour, Think: 30 * time.Minute}} {
		ctx, cancel := context.WithCancel(t.Context())
		var timers []timer
		for range 3 {
			k, err := newTimer(ctx)
			if err != nil {
				t.Fatal(err)
			}
			timers = append(timers, k)
		}
		_, err := p.repeat(ctx, cancel, timers, func(ctx context.Context, c int, _ *rand.Rand) error {
			if c == 0 || p.Rate == 1 {
				return boom
			}
			return ctx.Err()
		})
		if !errors.Is(err, boom) {
			t.Errorf("%+v: %v", p, err)
		}
		cancel()
		if err := closeTimers(timers); err != nil {
			t.Error(err)
		}
	}
}

func TestTimersWait(t *testing.T) {
	k, err := newTimer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	at := time.Now().Add(3 * time.Millisecond)
	if err := k.Until(t.Context(), at); err != nil || time.Now().Before(at) {
		t.Errorf("back %v too early, %v", time.Until(at), err)
	}
	if err := k.Until(t.Context(), at); err != nil {
		t.Error(err)
	}
}

func TestSizes(t *testing.T) {
	p := Patterns[0]
	if got := p.Sized(Sizes{}).Sizes(); got != p.Usual {
		t.Errorf("%v", got)
	}
	if got := p.Sized(Sizes{Users: 7, Items: 8, Payload: 9}).Sizes(); got != (Sizes{Users: 7}) {
		t.Errorf("%v", got)
	}
	for _, p := range Patterns {
		s := p.Sized(Sizes{Users: 1 << 40, Items: 1 << 40, Payload: 1 << 40}).Sizes()
		if s.Users > MaxUsers || s.Items > MaxUsers || s.Payload > MaxPayload {
			t.Errorf("%s: %v", p.Name, s)
		}
	}
	if s := (Sizes{Users: 3, Payload: 5}).String(); s != "3 users, 5 B of payload" {
		t.Error(s)
	}
	for _, payload := range []int{0, 1, 2, 3, 8, 1000} {
		s := sized{Sizes: Sizes{Payload: payload}, clients: 32}
		if len(s.filler()) != payload || len(s.tag(31)) != max(3, payload) {
			t.Errorf("%d: filler of %d, tag of %d", payload, len(s.filler()), len(s.tag(31)))
		}
		if c, ok := s.client(s.tag(31)); !ok || c != 31 {
			t.Errorf("%q is client %d %v", s.tag(31), c, ok)
		}
	}
	for _, bad := range []string{"", "1", "x.", "32.", "-1.", "wake", strings.Repeat("9", 30) + "."} {
		if c, ok := (sized{clients: 32}).client(bad); ok {
			t.Errorf("%q is client %d", bad, c)
		}
	}
}
