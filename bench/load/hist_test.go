package load

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBucketsTileTheRange(t *testing.T) {
	for i := range histLen {
		hi := upperOf(i)
		if got := bucketOf(hi); got != i {
			t.Fatalf("upper bound %d of bucket %d falls into bucket %d", hi, i, got)
		}
		if hi == math.MaxInt64 {
			return
		}
		if got := bucketOf(hi + 1); got != i+1 {
			t.Fatalf("%d falls into bucket %d, want %d", hi+1, got, i+1)
		}
	}
	t.Fatalf("the last bucket ends at %d", upperOf(histLen-1))
}

func TestQuantilesAgainstSorting(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 10, 1000, 20000} {
		var whole, part Histogram
		all := make([]int64, n)
		for i := range all {
			all[i] = int64(math.Exp(rnd.Float64() * 25))
			if i%2 == 0 {
				whole.Record(time.Duration(all[i]), 1)
			} else {
				part.Record(time.Duration(all[i]), 1)
			}
		}
		whole.Merge(&part)
		slices.Sort(all)
		if whole.Count() != int64(n) {
			t.Fatalf("count %d, want %d", whole.Count(), n)
		}
		for _, q := range []float64{0, 0.5, 0.99, 0.999, 1} {
			want := all[max(0, int(math.Ceil(q*float64(n)))-1)]
			got := int64(whole.Quantile(q))
			if got < want || float64(got) > float64(want)*1.016+1 {
				t.Errorf("n=%d q=%v: %d, want %d", n, q, got, want)
			}
		}
	}
	var empty Histogram
	empty.Record(-5, 1)
	if got := empty.Quantile(0.5); got != 0 {
		t.Errorf("a negative duration counts as %v", got)
	}
}
