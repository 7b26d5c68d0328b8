package arena

import (
	"sync"
	"sync/atomic"
	"testing"
)

func TestLoan(t *testing.T) {
	var a Arena
	var account atomic.Int64
	check := func(what string, want int64) {
		t.Helper()
		if got := account.Load(); got != want {
			t.Errorf("%s: %d bytes, want %d", what, got, want)
		}
	}
	const n = 10_000
	a.Alloc(16)
	r, _ := a.Alloc(n)
	if a.Lent(r) {
		t.Error("a new block is lent")
	}
	one, two := a.Lend(r, &account), a.Lend(r, &account)
	if !a.Lent(r) {
		t.Error("a lent block is not lent")
	}
	one.Return()
	if !a.Lent(r) {
		t.Error("one reader is left, and the block is not lent")
	}
	two.Return()
	if a.Lent(r) {
		t.Error("a returned block is lent")
	}
	check("a block that is there", 0)
	one, two = a.Lend(r, &account), a.Lend(r, &account)
	a.Free(r, n)
	check("a lent block that has gone", n)
	one.Return()
	check("one reader is left", n)
	two.Return()
	check("no reader is left", 0)

	r, _ = a.Alloc(n)
	a.Lend(r, &account).Return()
	a.Free(r, n)
	check("a block that was lent once", 0)

	r, _ = a.Alloc(n)
	one = a.Lend(r, &account)
	a.Abandon()
	check("an arena that has gone", n)
	one.Return()
	check("an arena that has gone, and its reader", 0)
	(*Loan)(nil).Return()
	if a.lent != 0 {
		t.Errorf("%d loans are counted", a.lent)
	}
}

// TestLoanRace returns loans while the block goes: the account ends at zero whoever comes first.
func TestLoanRace(t *testing.T) {
	var account atomic.Int64
	for range 500 {
		var a Arena
		r, _ := a.Alloc(Dedicated)
		var wg sync.WaitGroup
		for range 3 {
			l := a.Lend(r, &account)
			wg.Go(l.Return)
		}
		a.Free(r, Dedicated)
		wg.Wait()
		if n := account.Load(); n != 0 {
			t.Fatalf("%d bytes are left", n)
		}
	}
}
