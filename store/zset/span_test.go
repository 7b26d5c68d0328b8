package zset

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestEachScore(t *testing.T) {
	for _, tc := range configurations {
		rng := rand.New(rand.NewPCG(3, 11))
		m := &model{z: New(), lim: tc.lim}
		for range 200 {
			m.add(t, memberOf(rng), float64(rng.IntN(20)), 0)
			spans := make([]Span, rng.IntN(20))
			for i := range spans {
				spans[i] = Span{float64(rng.IntN(22) - 1), float64(rng.IntN(22) - 1)}
			}
			n := 1 + rng.IntN(60)
			var got, want []pair
			m.z.EachScore(spans, func(b []byte, s float64) bool {
				got = append(got, pair{string(b), s})
				return len(got) < n
			})
			for _, span := range spans {
				for _, p := range m.pairs {
					if p.score >= span[0] && p.score < span[1] && len(want) < n {
						want = append(want, p)
					}
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s: %d in %v: %v, want %v", tc.name, n, spans, got, want)
			}
		}
	}
	var none *ZSet
	none.EachScore([]Span{{0, 1}}, func([]byte, float64) bool { t.Error("nil has a member"); return true })
}

// Long walks go down several lanes.
func TestEachScoreOfMany(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 12))
	z := New()
	const n = 5000
	for _, i := range rng.Perm(n) {
		z.Add(fmt.Appendf(nil, "%04d", i), float64(i), 0, Limits{})
	}
	for range 200 {
		from, to := rng.IntN(n), rng.IntN(n+10)
		next := from
		z.EachScore([]Span{{float64(from), float64(to)}}, func(m []byte, s float64) bool {
			if string(m) != fmt.Sprintf("%04d", next) || s != float64(next) {
				t.Fatalf("%d to %d: %q where %d should be", from, to, m, next)
			}
			next++
			return true
		})
		if next != max(from, min(to, n)) {
			t.Fatalf("%d to %d: the walk ended before %d", from, to, next)
		}
	}
}
