package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/clock"
)

// BenchmarkExpire deletes keys that fall due in random order of their names, as fast as it can.
func BenchmarkExpire(b *testing.B) {
	const keys = 500_000
	clk := clock.NewFake(time.UnixMilli(1_700_000_000_000))
	s := New(Options{Clock: clk, Seed: 1})
	defer s.Close()
	s.SetActiveExpire(false)
	tx := s.NewTx()
	value := make([]byte, 32)
	b.ReportAllocs()
	for done := 0; done < b.N; done += keys {
		b.StopTimer()
		now := clk.NowMs()
		for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(keys) {
			key := fmt.Appendf(nil, "exp:%012d", i)
			tx.Begin(0)
			tx.LockKey(key)
			tx.SetText(key, value, now+1+int64(i%3000))
			tx.Unlock()
		}
		clk.Advance(4 * time.Second)
		s.expirer.off.Store(false)
		b.StartTimer()
		s.expirer.sweep()
		b.StopTimer()
		s.expirer.off.Store(true)
		if n := s.Keys(0); n != 0 {
			b.Fatal(n, "keys are left")
		}
		b.StartTimer()
	}
}
