package table

import (
	"math/rand/v2"
	"testing"
)

// TestSampleReachesAll draws small samples until every reference was seen, and looks at how evenly they come.
func TestSampleReachesAll(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 63, 64, 65, 1000, 5000} {
		hashes := make(list, n+1)
		var x Index
		for i := 1; i <= n; i++ {
			hashes[i] = r.Uint64()
			x.Insert(hashes[i], uint32(i), hashes)
		}
		seen := make([]int, n+1)
		for range 20 * n {
			got := x.Sample(r, 5, nil)
			if len(got) == 0 || len(got) > 5 {
				t.Fatalf("%d references: a sample of %d", n, len(got))
			}
			once := map[uint32]bool{}
			for _, ref := range got {
				if once[ref] || ref == 0 || int(ref) > n {
					t.Fatalf("%d references: sample %v", n, got)
				}
				once[ref] = true
				seen[ref]++
			}
		}
		for ref := 1; ref <= n; ref++ {
			// Each is expected about a hundred times; sparse segments are preferred a little.
			if seen[ref] < 10 {
				t.Errorf("%d references: %d was drawn %d times", n, ref, seen[ref])
			}
		}
		if n == 0 && x.Sample(r, 5, nil) != nil {
			t.Error("an empty index has a sample")
		}
	}
}

// list gives the hashes of references.
type list []uint64

func (l list) HashOf(ref uint32) uint64 { return l[ref] }
