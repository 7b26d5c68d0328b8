package zset

import (
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
			lo, hi, n := float64(rng.IntN(22)-1), float64(rng.IntN(22)-1), rng.IntN(30)
			var got, want []pair
			m.z.EachScore(lo, hi, func(b []byte, s float64) bool {
				got = append(got, pair{string(b), s})
				return len(got) < n
			})
			for _, p := range m.pairs {
				if p.score >= lo && p.score < hi {
					want = append(want, p)
				}
			}
			if want = want[:min(len(want), max(n, 1))]; !slices.Equal(got, want) {
				t.Fatalf("%s: %v to %v, %d: %v, want %v", tc.name, lo, hi, n, got, want)
			}
		}
	}
	var none *ZSet
	none.EachScore(0, 1, func([]byte, float64) bool { t.Error("nil has a member"); return true })
}
