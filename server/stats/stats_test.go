package stats

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestCountersAreNamedOnce(t *testing.T) {
	seen := map[string]bool{}
	for c := range NumCounters {
		if c.Name() == "" || seen[c.Name()] {
			t.Errorf("counter %d has the name %q", c, c.Name())
		}
		seen[c.Name()] = true
	}
}

func TestLoopsAddUp(t *testing.T) {
	s := New(3)
	loops := []*Loop{s.NewLoop(), s.NewLoop(), s.Shared()}
	var wg sync.WaitGroup
	for n, l := range loops {
		wg.Go(func() {
			for i := range 1000 {
				l.Add(NetInput, 10)
				l.Call(n, time.Duration(i)*time.Microsecond, i%10 == 0)
				l.Call(2, -5, false)
				l.Reject(0)
				s.Error([]string{"ERR x", "WRONGTYPE y"}[i%2])
			}
		})
	}
	wg.Wait()
	s.Add(KeyspaceHits, 2)
	got := s.Snapshot()
	if got.Counters[NetInput] != 30000 || got.Counters[KeyspaceHits] != 2 || s.Sum(NetInput) != 30000 {
		t.Error(got.Counters)
	}
	if got.TotalCommands != 6000 || s.TotalCommands() != 6000 {
		t.Error(got.TotalCommands)
	}
	want := CommandStats{Calls: 1000, Time: 499500 * time.Microsecond, Rejected: 3000, Failed: 100}
	if got.Commands[0] != want || got.Commands[0].UsecPerCall() != 499.5 || !want.Seen() {
		t.Error(got.Commands[0])
	}
	if got.Commands[2].Calls != 4000 || s.Latency(2).Count() != 4000 {
		t.Error(got.Commands[2])
	}
	if got := s.Errors(); !slices.Equal(got, []ErrorCount{{"ERR", 1500}, {"WRONGTYPE", 1500}}) {
		t.Error(got)
	}
	s.Reset()
	got = s.Snapshot()
	if got.Counters != [NumCounters]int64{} || got.TotalCommands != 0 || got.Commands[0].Seen() || len(s.Errors()) != 0 ||
		s.Latency(0) != nil {
		t.Error("not zero after Reset")
	}
}

func TestErrorKinds(t *testing.T) {
	s := New(0)
	for text, kind := range map[string]string{
		"ERR a b": "ERR", "WRONGTYPE a": "WRONGTYPE", "lonely": "ERR", "": "ERR",
		strings.Repeat("X", 30) + " a": strings.Repeat("X", 30), strings.Repeat("X", 31) + " a": "ERR",
	} {
		s.Reset()
		s.Error(text)
		if got := s.Errors(); len(got) != 1 || got[0].Kind != kind {
			t.Errorf("%q counts as %v", text, got)
		}
	}
}

func TestErrorKindsAreBounded(t *testing.T) {
	s := New(0)
	for i := range maxErrorKinds {
		if s.Error("E" + strconv.Itoa(i) + " x") {
			t.Fatal("overflow at", i)
		}
	}
	if s.Error("E5 x") || len(s.Errors()) != maxErrorKinds {
		t.Fatal("a known kind overflows")
	}
	if !s.Error("ONEMORE x") {
		t.Fatal("no overflow")
	}
	if s.Error("ANOTHER x") || s.Error("E5 x") {
		t.Fatal("overflow is told twice")
	}
	if got := s.Errors(); !slices.Equal(got, []ErrorCount{{tooManyKinds, 1}}) {
		t.Fatal(got)
	}
	s.Reset()
	if s.Error("E5 x"); s.Errors()[0].Kind != "E5" {
		t.Fatal(s.Errors())
	}
}

func TestBuckets(t *testing.T) {
	if bucketOf(maxLatency) >= numBuckets || bucketOf(time.Hour) != bucketOf(maxLatency) || bucketOf(-1) != 0 {
		t.Fatal("bucket out of range")
	}
	for i := range numBuckets - 1 {
		if top := bucketMax(i); top < maxLatency && (bucketOf(top) != i || bucketOf(top+1) != i+1) {
			t.Fatalf("bucket %d ends at %d, which is in %d", i, top, bucketOf(top))
		}
	}
	for d := time.Duration(1); d < maxLatency; d += d/7 + 1 {
		if top := bucketMax(bucketOf(d)); top < d || top > d+d/32 {
			t.Fatalf("%d is rounded up to %d", d, top)
		}
	}
}

func TestPercentilesAgainstSorting(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := New(1)
	loops := []*Loop{s.NewLoop(), s.NewLoop()}
	var all []time.Duration
	for range 5000 {
		d := time.Duration(r.ExpFloat64() * float64(200*time.Microsecond))
		all = append(all, d)
		loops[r.IntN(2)].Call(0, d, false)
	}
	slices.Sort(all)
	l := s.Latency(0)
	for _, p := range []float64{0, 0.1, 25, 33.33, 50, 99, 99.9, 100} {
		want := all[max(int(p/100*float64(len(all))+0.5)-1, 0)]
		if got := l.Percentile(p); got < want || got > want+want/32 {
			t.Errorf("p%v = %v, want %v", p, got, want)
		}
	}
	steps := l.Steps()
	for i, st := range steps {
		var n int64
		for _, d := range all {
			if d <= time.Duration(st.Usec)*time.Microsecond {
				n++
			}
		}
		if st.Count > n || float64(st.Count) < float64(n)*0.9-5 || i > 0 && st.Count <= steps[i-1].Count {
			t.Errorf("%d us: %d, want about %d", st.Usec, st.Count, n)
		}
	}
	if steps[len(steps)-1].Count != 5000 {
		t.Error(steps)
	}
}

func TestStepsOfTheLongest(t *testing.T) {
	s := New(1)
	s.Shared().Call(0, time.Hour, false)
	if got := fmt.Sprint(s.Latency(0).Steps()); got != "[{1048576 1}]" {
		t.Error(got)
	}
}

func TestTrackingCanBeOff(t *testing.T) {
	s := New(1)
	s.SetTracking(false)
	s.Shared().Call(0, 5, false)
	if s.Latency(0) != nil || s.Tracking() || s.Snapshot().TotalCommands != 1 {
		t.Error("tracked")
	}
}

func TestRates(t *testing.T) {
	s := New(1)
	l := s.NewLoop()
	now := time.Hour
	s.Sample(now)
	for range samples {
		for range 50 {
			l.Call(0, 1, false)
		}
		l.Add(NetInput, 10240)
		l.Add(LoopCycles, 4)
		l.Add(LoopNanos, 100_000)
		now += 100 * time.Millisecond
		s.Sample(now)
	}
	want := Rates{OpsPerSec: 500, InputKbps: 100, CyclesPerSec: 40, CycleUsec: 25}
	if got := s.Snapshot().Rates; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	for range samples / 2 {
		now += 100 * time.Millisecond
		s.Sample(now)
	}
	if got := s.Snapshot().Rates; got.OpsPerSec != 250 || got.InputKbps != 50 {
		t.Errorf("%+v", got)
	}
	s.Sample(now) // no time has passed
	s.Reset()
	if got := s.Snapshot().Rates; got != (Rates{}) {
		t.Errorf("%+v", got)
	}
}

func TestResetWhileCounting(t *testing.T) {
	s := New(1)
	l := s.NewLoop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 5000 {
			l.Call(0, 3, true)
			l.Add(Reads, 1)
		}
	}()
	for range 50 {
		s.Reset()
		s.Sample(time.Second)
		if snap := s.Snapshot(); snap.TotalCommands < 0 || snap.TotalCommands > 5000 {
			t.Fatal(snap.TotalCommands)
		}
	}
	<-done
	s.Reset()
	if s.Sum(Reads) != 0 {
		t.Fatal(s.Sum(Reads))
	}
}

func TestCountingDoesNotAllocate(t *testing.T) {
	s := New(2)
	l := s.NewLoop()
	l.Call(1, 1, false)
	s.Error("ERR x")
	if n := testing.AllocsPerRun(100, func() {
		l.Add(NetInput, 1)
		l.Call(1, 100, true)
		l.Reject(0)
		s.Error("ERR another text")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCall(b *testing.B) {
	l := New(400).NewLoop()
	for b.Loop() {
		l.Call(7, 1500, false)
	}
}
