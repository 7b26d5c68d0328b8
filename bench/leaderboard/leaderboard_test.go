package leaderboard_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/streampulse/pulse/bench/internal/benchtest"
	"github.com/streampulse/pulse/bench/leaderboard"
)

// want ranks exact counts the way the contract says.
func want(counts map[string]int, n int) []leaderboard.Entry {
	var all []leaderboard.Entry
	for m, c := range counts {
		all = append(all, leaderboard.Entry{Member: m, Points: float64(c)})
	}
	slices.SortFunc(all, func(a, b leaderboard.Entry) int {
		return cmp.Or(cmp.Compare(b.Points, a.Points), cmp.Compare(b.Member, a.Member))
	})
	all = all[:min(n, len(all))]
	for i := range all {
		all[i].Rank = int64(i) + 1
	}
	return all
}

// 300 members make the server leave its compact encoding on the way; few likes each make ties likely.
func TestTopTenIsExactUnderConcurrentLikes(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	ctx := context.Background()
	for _, members := range []int{5, 40, 300} {
		board := leaderboard.New(rdb, fmt.Sprintf("%sboard%d", prefix, members))
		const clients, likes = 16, 200
		counts := make([]map[string]int, clients)
		stop := make(chan struct{})
		var readers, writers sync.WaitGroup
		readers.Go(func() { // a ranking read while it changes must still be in order
			for {
				select {
				case <-stop:
					return
				default:
				}
				top, err := board.Top(ctx, 10)
				if err != nil {
					t.Error(err)
					return
				}
				if !slices.IsSortedFunc(top, func(a, b leaderboard.Entry) int {
					return cmp.Or(cmp.Compare(b.Points, a.Points), cmp.Compare(b.Member, a.Member))
				}) {
					t.Errorf("out of order: %v", top)
				}
			}
		})
		for c := range clients {
			counts[c] = make(map[string]int)
			rnd := rand.New(rand.NewPCG(uint64(c), 7))
			writers.Go(func() {
				for range likes {
					m := fmt.Sprintf("post:%d", min(rnd.IntN(members), rnd.IntN(members)))
					counts[c][m]++
					if _, err := board.Add(ctx, m, 1); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		writers.Wait()
		close(stop)
		readers.Wait()
		total := make(map[string]int)
		for _, c := range counts {
			for m, n := range c {
				total[m] += n
			}
		}
		exact := want(total, 10)
		top, err := board.Top(ctx, 10)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(top, exact) {
			t.Errorf("%d members: top ten\n got %v\nwant %v", members, top, exact)
		}
		for _, e := range exact {
			if got, err := board.Place(ctx, e.Member); err != nil || got != e {
				t.Errorf("place of %s: %v, %v; want %v", e.Member, got, err, e)
			}
		}
	}
}

func TestEdges(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	ctx := context.Background()
	board := leaderboard.New(rdb, prefix+"b")
	if top, err := board.Top(ctx, 10); err != nil || len(top) != 0 {
		t.Errorf("empty board: %v, %v", top, err)
	}
	if _, err := board.Place(ctx, "nobody"); !errors.Is(err, leaderboard.ErrUnknown) {
		t.Errorf("place of nobody: %v", err)
	}
	if total, err := board.Add(ctx, "x", -2.5); err != nil || total != -2.5 {
		t.Errorf("negative points: %v, %v", total, err)
	}
	if top, err := board.Top(ctx, 0); err != nil || top != nil {
		t.Errorf("top 0: %v, %v", top, err)
	}
}
