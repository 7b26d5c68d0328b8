package zset

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// A set that has lost most of its members gives memory back while it still finds the others.
func TestShrink(t *testing.T) {
	const n = 20_000
	z := New()
	for i := range n {
		z.Add(fmt.Appendf(nil, "member:%08d", i), float64(i%100), 0, Limits{})
	}
	full := z.Bytes()
	gone := rand.New(rand.NewPCG(1, 2)).Perm(n)[n/20:]
	for i, m := range gone {
		if !z.Remove(fmt.Appendf(nil, "member:%08d", m)) {
			t.Fatalf("member %d is not there", m)
		}
		if i%3000 == 0 {
			if err := z.Check(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := z.Check(); err != nil {
		t.Fatal(err)
	}
	if now := z.Bytes(); z.Len() != n/20 || now > full/3 {
		t.Errorf("%d members, %d bytes have become %d", z.Len(), full, now)
	}
	z.RemoveRange(1, z.Len())
	if _, _, ok := z.Rank([]byte("member:00000000")); z.Len() != 1 || ok && z.Check() != nil {
		t.Errorf("%d members are left", z.Len())
	}
}
