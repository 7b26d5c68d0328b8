package ratelimit_test

import (
	"cmp"
	"context"
	"math/big"
	"slices"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/internal/benchtest"
	"github.com/streampulse/pulse/bench/ratelimit"
)

// model is a limiter in memory, written for plainness and not for speed. Times are microseconds.
type model interface {
	take(at int64)         // admits a request
	room(at int64) int64   // how many requests could pass then, if none does until then
	full() int64           // the most room there can be
	bound(d int64) float64 // the most requests admitted within any time d up to the window
	horizon() int64        // the longest time after which everything is back
}

// logModel remembers everything.
type logModel struct {
	limit, window int64
	at            []int64
}

func (m *logModel) take(at int64) { m.at = append(m.at, at) }
func (m *logModel) room(at int64) int64 {
	n := m.limit
	for _, t := range m.at {
		if t > at-m.window {
			n--
		}
	}
	return n
}
func (m *logModel) full() int64         { return m.limit }
func (m *logModel) bound(int64) float64 { return float64(m.limit) }
func (m *logModel) horizon() int64      { return m.window }

// counterModel counts by the number of the window.
type counterModel struct {
	limit, window int64
	count         map[int64]int64
}

func (m *counterModel) take(at int64) { m.count[at/m.window]++ }
func (m *counterModel) room(at int64) int64 {
	i := at / m.window
	common := big.NewRat(m.window-at%m.window, m.window) // what the last window has in common with one that ends now
	used := new(big.Rat).Mul(common, big.NewRat(m.count[i-1], 1))
	used.Add(used, big.NewRat(m.count[i], 1))
	return floor(used.Sub(big.NewRat(m.limit, 1), used))
}
func (m *counterModel) full() int64 { return m.limit }
func (m *counterModel) bound(d int64) float64 {
	return float64(m.limit) * (1 + float64(d)/float64(m.window))
}
func (m *counterModel) horizon() int64 { return 2 * m.window }

// bucketModel has tokens, of which limit come back per window.
type bucketModel struct {
	limit, window, burst int64
	tokens               *big.Rat
	at                   int64
}

func (m *bucketModel) level(at int64) *big.Rat {
	n := new(big.Rat).Mul(big.NewRat(at-m.at, m.window), big.NewRat(m.limit, 1))
	n.Add(n, m.tokens)
	if most := big.NewRat(m.burst, 1); n.Cmp(most) > 0 {
		return most
	}
	return n
}
func (m *bucketModel) take(at int64) {
	m.tokens, m.at = m.level(at), at
	m.tokens.Sub(m.tokens, big.NewRat(1, 1))
}
func (m *bucketModel) room(at int64) int64 { return floor(m.level(at)) }
func (m *bucketModel) full() int64         { return m.burst }
func (m *bucketModel) bound(d int64) float64 {
	return float64(m.burst) + float64(d)*float64(m.limit)/float64(m.window)
}
func (m *bucketModel) horizon() int64 { return m.burst*m.window/m.limit + 1 }

func floor(r *big.Rat) int64 {
	q, _ := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int))
	return q.Int64()
}

// soonest returns the smallest d with room for n at at+d; room only grows while nothing is admitted.
func soonest(m model, at, n int64) time.Duration {
	d := sort.Search(int(m.horizon()), func(d int) bool { return m.room(at+int64(d)) >= n })
	return time.Duration(d) * time.Microsecond
}

// most returns the largest number of sorted times within any (t-d, t].
func most(times []int64, d int64) int {
	n, from := 0, 0
	for i, t := range times {
		for times[from] <= t-d {
			from++
		}
		n = max(n, i-from+1)
	}
	return n
}

// Many callers send bursts on both sides of windows' edges. Every decision, its counts and its times must be those of an
// exact model that is asked at the same microseconds, and what was admitted must keep the bound of the algorithm.
func TestDecisionsAreExactUnderBurstsAtTheEdge(t *testing.T) {
	t.Parallel()
	const limit, window, burst = 21, 45 * time.Millisecond, 8
	const w = int64(window / time.Microsecond)
	const interval = (w + limit - 1) / limit
	for _, c := range []struct {
		name  string
		make  func(rdb redis.UniversalClient, prefix string) (ratelimit.Limiter, error)
		model model
	}{
		{"SlidingLog", func(rdb redis.UniversalClient, prefix string) (ratelimit.Limiter, error) {
			return ratelimit.NewSlidingLog(rdb, prefix, limit, window)
		}, &logModel{limit: limit, window: w}},
		{"SlidingCounter", func(rdb redis.UniversalClient, prefix string) (ratelimit.Limiter, error) {
			return ratelimit.NewSlidingCounter(rdb, prefix, limit, window)
		}, &counterModel{limit: limit, window: w, count: map[int64]int64{}}},
		{"TokenBucket", func(rdb redis.UniversalClient, prefix string) (ratelimit.Limiter, error) {
			return ratelimit.NewTokenBucket(rdb, prefix, limit, window, burst)
		}, &bucketModel{limit: limit, window: w, burst: burst, tokens: big.NewRat(burst, 1)}},
		// GCRA is a bucket that gives a token back per interval.
		{"GCRA", func(rdb redis.UniversalClient, prefix string) (ratelimit.Limiter, error) {
			return ratelimit.NewGCRA(rdb, prefix, limit, window, burst)
		}, &bucketModel{limit: 1, window: interval, burst: burst, tokens: big.NewRat(burst, 1)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rdb, prefix := benchtest.Client(t)
			l, err := c.make(rdb, prefix)
			if err != nil {
				t.Fatal(err)
			}
			ds := bursts(t, l, window)
			var admitted []int64
			for i, d := range ds {
				at := d.At.UnixMicro()
				m := c.model
				want := ratelimit.Decision{Allowed: m.room(at) >= 1, At: d.At}
				if want.Allowed {
					m.take(at)
					admitted = append(admitted, at)
				} else {
					want.RetryAfter = soonest(m, at, 1)
				}
				want.Remaining = max(0, m.room(at))
				want.Reset = soonest(m, at, m.full())
				if d != want {
					t.Fatalf("decision %d of %d: %+v, want %+v", i, len(ds), d, want)
				}
			}
			for _, span := range []int64{w / 10, w / 2, w} {
				if n := most(admitted, span); float64(n) > c.model.bound(span) {
					t.Errorf("%d admitted within %d us, the bound is %.1f", n, span, c.model.bound(span))
				}
			}
			t.Logf("of %d requests %d passed; at most %d within a window, %d within a tenth of it",
				len(ds), len(admitted), most(admitted, w), most(admitted, w/10))
		})
	}
}

// bursts has 12 callers ask at the edges of some windows, and returns all decisions in the server's order: what was
// decided within one microsecond was admitted before it was refused, and with less and less remaining.
func bursts(t *testing.T, l ratelimit.Limiter, window time.Duration) []ratelimit.Decision {
	t.Helper()
	const callers, edges = 12, 4
	var mu sync.Mutex
	var all []ratelimit.Decision
	first := time.Now().Truncate(window).Add(window)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for edge := range edges {
				for _, at := range []time.Duration{-window / 2, -window / 15, 0, window / 30} {
					due := first.Add(time.Duration(edge)*window + at + time.Duration(c)*10*time.Microsecond)
					time.Sleep(time.Until(due))
					for range 4 {
						d, err := l.Allow(context.Background(), "u")
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						all = append(all, d)
						mu.Unlock()
					}
				}
			}
		})
	}
	wg.Wait()
	slices.SortStableFunc(all, func(a, b ratelimit.Decision) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		if a.Allowed != b.Allowed {
			if a.Allowed {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.Remaining, a.Remaining)
	})
	return all
}
