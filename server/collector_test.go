package server

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/streampulse/pulse/store"
)

func TestGrowthPercent(t *testing.T) {
	for _, row := range []struct {
		live     int64
		share    float64
		min, max int64 // bytes by which the heap may grow
	}{
		{0, minShare, 8 * mib, 40 * mib},
		{10 * mib, minShare, 16 * mib, 17 * mib},
		{100 * mib, minShare, 16 * mib, 17 * mib},
		{1000 * mib, minShare, 105 * mib, 120 * mib},
		{10_000 * mib, minShare, 1050 * mib, 1200 * mib},
		{1000 * mib, 0.5, 500 * mib, 520 * mib},
		{1000 * mib, maxShare, 1000 * mib, 1010 * mib},
	} {
		grow := max(row.live, 4*mib) * int64(growthPercent(row.live, row.share)) / 100
		if grow < row.min || grow > row.max {
			t.Errorf("%d MiB live, share %v: may grow by %d MiB", row.live/mib, row.share, grow/mib)
		}
	}
}

// TestNextShare lets cycles be costly until the share is at its end, and cheap until it is back.
func TestNextShare(t *testing.T) {
	share := minShare
	if got := nextShare(share, 0.03); got != share {
		t.Errorf("cycles that cost neither much nor little change the share to %v", got)
	}
	steps := 0
	for ; share < maxShare; steps++ {
		if next := nextShare(share, 0.08); next <= share || steps > 20 {
			t.Fatalf("after %d steps %v is followed by %v", steps, share, next)
		} else {
			share = next
		}
	}
	for ; share > minShare; steps-- {
		if next := nextShare(share, 0.01); next >= share || steps < -20 {
			t.Fatalf("%v is followed by %v", share, next)
		} else {
			share = next
		}
	}
}

func TestSoftLimit(t *testing.T) {
	for _, row := range []struct{ live, maxMemory, min, max int64 }{
		{100 * mib, 0, math.MaxInt64, math.MaxInt64},
		{100 * mib, math.MaxInt64, math.MaxInt64, math.MaxInt64},
		{10 * mib, 100 * mib, 150 * mib, 180 * mib},
		{1000 * mib, 1000 * mib, 1280 * mib, 1300 * mib},
		{1000 * mib, 10 * mib, 1280 * mib, 1300 * mib}, // set far below what is there
	} {
		if got := softLimit(row.live, row.maxMemory); got < row.min || got > row.max {
			t.Errorf("%d MiB live, maxmemory %d MiB: %d MiB", row.live/mib, row.maxMemory/mib, got/mib)
		}
	}
}

// TestCollectorFollows opens a server that tunes the collector, and looks at what it sets before, while and after.
func TestCollectorFollows(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	srv := openWith(t, Options{Addr: "127.0.0.1:0", TuneCollector: true}, "maxmemory", "64mb")
	c := &srv.collector
	state := func() (percent int, limit int64) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.mu.percent, c.mu.limit
	}
	ballast := make([]byte, 300*mib)
	runtime.GC()
	deadline := time.Now().Add(6 * patience)
	for {
		percent, limit := state()
		if percent > 0 && percent <= 30 && limit >= 375*mib && limit < 500*mib {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("GOGC %d, limit %d MiB", percent, limit/mib)
		}
		runtime.Gosched()
	}
	runtime.KeepAlive(ballast)
	if got := debug.SetMemoryLimit(-1); got >= 500*mib {
		t.Errorf("the limit of the process is %d", got)
	}
	c.stop()
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64 {
		t.Errorf("afterwards the limit is %d", got)
	}
	if got := debug.SetGCPercent(100); got != 100 {
		t.Errorf("afterwards GOGC is %d", got)
	}
}

// TestEmbeddedServerLeavesTheCollectorAlone looks at the process, not at the server's word.
func TestEmbeddedServerLeavesTheCollectorAlone(t *testing.T) {
	before := debug.SetGCPercent(123)
	defer debug.SetGCPercent(before)
	srv := openWith(t, Options{Addr: "127.0.0.1:0"}, "maxmemory", "64mb")
	srv.store.SetEviction(store.DefaultEviction())
	srv.collector.watch()
	runtime.GC()
	if got := debug.SetGCPercent(123); got != 123 {
		t.Errorf("GOGC is %d", got)
	}
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64 {
		t.Errorf("the limit is %d", got)
	}
}
