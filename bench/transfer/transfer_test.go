package transfer_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/streampulse/pulse/bench/internal/benchtest"
	"github.com/streampulse/pulse/bench/transfer"
)

func TestSumIsConserved(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	bank := transfer.New(rdb, prefix)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	const accounts, opening, clients, each = 6, 50, 12, 60
	for i := range accounts {
		if err := bank.Open(ctx, strconv.Itoa(i), opening); err != nil {
			t.Fatal(err)
		}
	}
	var moved, refused atomic.Int64
	var deltas [accounts]atomic.Int64 // what each account should have gained
	var wg sync.WaitGroup
	for c := range clients {
		rnd := rand.New(rand.NewPCG(uint64(c), 11))
		wg.Go(func() {
			for range each {
				from := rnd.IntN(accounts)
				to := (from + 1 + rnd.IntN(accounts-1)) % accounts
				amount := 1 + rnd.Int64N(40)
				switch err := bank.Transfer(ctx, strconv.Itoa(from), strconv.Itoa(to), amount); {
				case err == nil:
					moved.Add(1)
					deltas[from].Add(-amount)
					deltas[to].Add(amount)
				case errors.Is(err, transfer.ErrInsufficient):
					refused.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var sum int64
	for i := range accounts {
		n, err := bank.Balance(ctx, strconv.Itoa(i))
		if err != nil {
			t.Fatal(err)
		}
		if want := opening + deltas[i].Load(); n != want || n < 0 {
			t.Errorf("account %d holds %d, want %d", i, n, want)
		}
		sum += n
	}
	if sum != accounts*opening {
		t.Errorf("sum is %d, want %d", sum, accounts*opening)
	}
	if moved.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d moved and %d refused: the test did not exercise both", moved.Load(), refused.Load())
	}
}

func TestRefusals(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	bank := transfer.New(rdb, prefix)
	ctx := context.Background()
	for account, balance := range map[string]int64{"poor": 1, "rich": 100, "full": math.MaxInt64 - 5} {
		if err := bank.Open(ctx, account, balance); err != nil {
			t.Fatal(err)
		}
	}
	if err := bank.Open(ctx, "poor", 5); !errors.Is(err, transfer.ErrExists) {
		t.Errorf("second opening: %v", err)
	}
	if err := bank.Open(ctx, "debt", -1); err == nil {
		t.Error("opened below zero")
	}
	for _, c := range []struct {
		from, to string
		amount   int64
		want     error // nil: any error
	}{
		{"poor", "rich", 2, transfer.ErrInsufficient},
		{"poor", "nobody", 1, transfer.ErrUnknown},
		{"nobody", "poor", 1, transfer.ErrUnknown},
		{"rich", "rich", 1, nil},
		{"rich", "poor", 0, nil},
		{"rich", "poor", -1, nil},
		{"rich", "full", 6, nil},
	} {
		err := bank.Transfer(ctx, c.from, c.to, c.amount)
		if err == nil || (c.want != nil && !errors.Is(err, c.want)) {
			t.Errorf("%s to %s, %d: got %v, want %v", c.from, c.to, c.amount, err, c.want)
		}
	}
	if err := bank.Transfer(ctx, "rich", "full", 5); err != nil {
		t.Errorf("up to the limit: %v", err)
	}
	for account, want := range map[string]int64{"poor": 1, "rich": 95, "full": math.MaxInt64} {
		if n, err := bank.Balance(ctx, account); err != nil || n != want {
			t.Errorf("%s holds %d, %v; want %d", account, n, err, want)
		}
	}
}
