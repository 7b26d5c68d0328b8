package clock

import (
	"slices"
	"sync"
	"testing"
	"time"
)

var start = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

func TestFakeMovesBothKindsOfTime(t *testing.T) {
	c := NewFake(start)
	mono := c.Mono()
	c.Advance(1500 * time.Microsecond)
	if got, want := c.NowUs(), start.UnixMicro()+1500; got != want {
		t.Errorf("NowUs = %d, want %d", got, want)
	}
	if got, want := c.NowMs(), start.UnixMilli()+1; got != want {
		t.Errorf("NowMs = %d, want %d", got, want)
	}
	if got := c.Mono() - mono; got != 1500*time.Microsecond {
		t.Errorf("Mono moved by %v, want 1.5ms", got)
	}
	mono = c.Mono()
	c.SetWall(start.Add(-time.Hour))
	if c.Mono() != mono || c.NowMs() != start.Add(-time.Hour).UnixMilli() {
		t.Errorf("after SetWall: mono %v (want %v), wall %d", c.Mono(), mono, c.NowMs())
	}
}

func TestFakeCallsTimersInOrder(t *testing.T) {
	c := NewFake(start)
	var got []string
	note := func(name string) func() {
		return func() {
			got = append(got, name+"@"+time.UnixMilli(c.NowMs()).Sub(start).String())
		}
	}
	c.AfterFunc(3*time.Second, note("c"))
	c.AfterFunc(time.Second, func() {
		note("a")()
		c.AfterFunc(time.Second, note("nested"))
		c.AfterFunc(time.Hour, note("late"))
	})
	c.AfterFunc(time.Second, note("b"))
	c.AfterFunc(-time.Second, note("due"))
	stopped := c.AfterFunc(2*time.Second, note("stopped"))
	if !stopped.Stop() || stopped.Stop() {
		t.Error("Stop must report true once, then false")
	}
	if got != nil {
		t.Fatalf("timers ran before Advance: %v", got)
	}
	c.Advance(10 * time.Second)
	want := []string{"due@0s", "a@1s", "b@1s", "nested@2s", "c@3s"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if c.NowMs() != start.Add(10*time.Second).UnixMilli() {
		t.Errorf("clock stands at %d", c.NowMs())
	}
	if c.Pending() != 1 {
		t.Errorf("Pending = %d, want 1", c.Pending())
	}
}

func TestFakeStopFromCallback(t *testing.T) {
	c := NewFake(start)
	var second Timer
	ran := false
	c.AfterFunc(time.Second, func() {
		if !second.Stop() {
			t.Error("a timer due at the same instant has not begun and can be stopped")
		}
	})
	second = c.AfterFunc(time.Second, func() { ran = true })
	c.Advance(time.Minute)
	if ran {
		t.Error("stopped timer was called")
	}
}

func TestFakeRefusesNestedAdvance(t *testing.T) {
	c := NewFake(start)
	refused := false
	c.AfterFunc(0, func() {
		defer func() { refused = recover() != nil }()
		c.Advance(time.Second)
	})
	c.Advance(0)
	if !refused {
		t.Error("Advance inside a callback did not panic")
	}
}

func TestFakeIsSafeForConcurrentUse(t *testing.T) {
	c := NewFake(start)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 200 {
				timer := c.AfterFunc(time.Duration(i)*time.Millisecond, func() { c.NowUs() })
				if i%3 == 0 {
					timer.Stop()
				}
				c.Mono()
			}
		})
	}
	for range 100 {
		c.Advance(time.Millisecond)
	}
	wg.Wait()
	c.Advance(time.Hour)
	if c.Pending() != 0 {
		t.Errorf("%d timers left", c.Pending())
	}
}

func TestReal(t *testing.T) {
	before := time.Now().UnixMilli()
	ms, us := Real.NowMs(), Real.NowUs()
	if ms < before || us/1000 < ms {
		t.Errorf("wall time runs backwards: %d, %d, %d", before, ms, us/1000)
	}
	m := Real.Mono()
	if m <= 0 || Real.Mono() < m {
		t.Errorf("Mono = %v then %v", m, Real.Mono())
	}
	done := make(chan struct{})
	Real.AfterFunc(time.Millisecond, func() { close(done) })
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("timer was not called")
	}
	if !Real.AfterFunc(time.Hour, func() {}).Stop() {
		t.Error("a pending timer could not be stopped")
	}
	if n := testing.AllocsPerRun(100, func() { Real.NowMs(); Real.NowUs(); Real.Mono() }); n != 0 {
		t.Errorf("reading the clock allocates %v times", n)
	}
}
