package clock

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestMovableRunsInRealTime(t *testing.T) {
	c := NewMovable()
	before := Real.NowUs()
	us := c.NowUs()
	if d := us - before; d < 0 || d > time.Minute.Microseconds() || c.Frozen() {
		t.Errorf("it is %d us ahead of real time", d)
	}
	if m := c.Mono(); m <= 0 || c.Mono() < m {
		t.Errorf("Mono = %v, then %v", m, c.Mono())
	}
	called := make(chan int, 4)
	for _, n := range []int{3, 1, 2} {
		c.AfterFunc(time.Duration(n)*time.Millisecond, func() { called <- n })
	}
	c.AfterFunc(0, func() { called <- 0 })
	if !c.AfterFunc(time.Hour, func() { called <- 4 }).Stop() {
		t.Error("a timer could not be stopped")
	}
	var got []int
	for range 4 {
		select {
		case n := <-called:
			got = append(got, n)
		case <-time.After(10 * time.Second):
			t.Fatalf("only %v were called", got)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, []int{0, 1, 2, 3}) {
		t.Errorf("called: %v", got)
	}
}

func TestMovableMoves(t *testing.T) {
	c := NewMovable()
	c.Freeze()
	c.Set(start.Add(-time.Hour))
	c.Set(start.Add(1500 * time.Nanosecond))
	if got, want := c.NowUs(), start.UnixMicro()+1; got != want || !c.Frozen() {
		t.Fatalf("after Set: %d, want %d", got, want)
	}
	mono := c.Mono()
	for _, step := range []struct {
		name       string
		do         func()
		wall, mono time.Duration // since start, and since mono
	}{
		{"advance", func() { c.Advance(time.Second) }, time.Second, time.Second},
		{"set forward", func() { c.Set(start.Add(3 * time.Second)) }, 3 * time.Second, 3*time.Second - 1500},
		{"set back", func() { c.Set(start.Add(-time.Hour)) }, -time.Hour, 3*time.Second - 1500},
		{"advance again", func() { c.Advance(time.Minute) }, time.Minute - time.Hour, 63*time.Second - 1500},
		{"advance by nothing", func() { c.Advance(0) }, time.Minute - time.Hour, 63*time.Second - 1500},
	} {
		step.do()
		if got := time.UnixMilli(c.NowMs()).Sub(start); got != step.wall {
			t.Errorf("%s: wall time is start%+v, want %+v", step.name, got, step.wall)
		}
		if got := c.Mono() - mono; got != step.mono {
			t.Errorf("%s: %v of monotonic time have passed, want %v", step.name, got, step.mono)
		}
	}
	c.Run()
	if d := c.Now().Sub(start.Add(time.Minute - time.Hour)); d < 0 || d > time.Minute || c.Frozen() {
		t.Errorf("run: the clock jumped by %v", d)
	}
	mono = c.Mono()
	c.Set(start.Add(24 * time.Hour))
	c.Advance(time.Hour)
	if d := c.Now().Sub(start.Add(25 * time.Hour)); d < 0 || d > time.Minute || c.Frozen() {
		t.Errorf("a clock that runs was moved wrongly by %v", d)
	}
	if d := c.Mono() - mono; d < 25*time.Hour {
		t.Errorf("only %v of monotonic time have passed", d)
	}
}

func TestMovableCallsInOrderAndRests(t *testing.T) {
	c := NewMovable()
	c.Freeze()
	c.Set(start)
	var got []string
	note := func(name string) { got = append(got, fmt.Sprintf("%s@%v", name, c.Now().Sub(start))) }
	detach := c.Attach(func(last bool) {
		if last {
			note("end")
		} else {
			note("rest")
		}
	})
	c.AfterFunc(2*time.Second, func() { note("c") })
	c.AfterFunc(time.Second, func() {
		note("a")
		c.AfterFunc(0, func() { note("same instant") })
		c.AfterFunc(2*time.Second, func() { note("d") })
		c.AfterFunc(time.Hour, func() { note("never") })
	})
	c.AfterFunc(time.Second, func() { note("b") })
	c.Advance(10 * time.Second)
	want := []string{"a@1s", "b@1s", "same instant@1s", "rest@1s", "c@2s", "rest@2s", "d@3s", "rest@3s", "end@10s"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	detach()
	got = nil
	c.Set(start)
	c.Advance(time.Second)
	if got != nil {
		t.Errorf("after detach: %v", got)
	}
}

// What comes due because of the rest at the end of a move belongs to the move.
func TestMovableRestMakesTimers(t *testing.T) {
	c := NewMovable()
	c.Freeze()
	called := 0
	defer c.Attach(func(last bool) {
		if last && called == 0 {
			c.AfterFunc(0, func() { called++ })
		}
	})()
	c.Advance(time.Second)
	if called != 1 {
		t.Errorf("called %d times", called)
	}
}

func TestMovableTimerDueAtOnceWhileFrozen(t *testing.T) {
	c := NewMovable()
	c.Freeze()
	done := make(chan struct{})
	c.AfterFunc(0, func() { close(done) })
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("a timer that is due was not called")
	}
}

// Freeze waits for the timers under way.
func TestMovableFreezeWaits(t *testing.T) {
	c := NewMovable()
	began, release := make(chan struct{}), make(chan struct{})
	var ended atomic.Bool
	c.AfterFunc(0, func() { close(began); <-release; ended.Store(true) })
	<-began
	frozen := make(chan struct{})
	go func() { c.Freeze(); close(frozen) }()
	close(release)
	<-frozen
	if !ended.Load() {
		t.Error("Freeze has not waited")
	}
}

func TestMovableFarAway(t *testing.T) {
	c := NewMovable()
	c.Freeze()
	c.Set(start)
	called := false
	c.AfterFunc(math.MaxInt64, func() { called = true })
	far := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	c.Set(far)
	c.AfterFunc(math.MaxInt64, func() {}).Stop()
	if !c.Now().Equal(far) || !called {
		t.Errorf("the clock stands at %v, timer called: %v", c.Now(), called)
	}
	for name, f := range map[string]func(){
		"negative advance": func() { c.Advance(-1) },
		"before 1970":      func() { c.Set(time.Unix(-1, 0)) },
		"no function":      func() { c.AfterFunc(0, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
	c.Advance(0) // nothing is held after a panic
}

// Monotonic time never decreases for anybody, whatever is done to the clock.
func TestMovableMonotonic(t *testing.T) {
	c := NewMovable()
	var stop atomic.Bool
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for last := c.Mono(); !stop.Load(); {
				now := c.Mono()
				if now < last {
					t.Errorf("%v after %v", now, last)
					return
				}
				last = now
			}
		})
	}
	var timers atomic.Int64
	for i := range 300 {
		c.AfterFunc(time.Duration(i%7)*time.Microsecond, func() { timers.Add(1) })
		switch i % 5 {
		case 0:
			c.Freeze()
		case 1:
			c.Run()
		case 2:
			c.Advance(0)
		case 3:
			c.Advance(time.Microsecond)
		case 4:
			c.Set(c.Now().Add(time.Duration(i%3-1) * time.Second))
		}
	}
	stop.Store(true)
	readers.Wait()
	c.Freeze()
	c.Advance(time.Second)
	if n := timers.Load(); n != 300 {
		t.Errorf("%d of 300 timers were called", n)
	}
}

func TestMovableReadsDoNotAllocate(t *testing.T) {
	c := NewMovable()
	for range 2 {
		if n := testing.AllocsPerRun(100, func() { c.NowMs(); c.NowUs(); c.Mono() }); n != 0 {
			t.Errorf("reading the clock allocates %v times", n)
		}
		c.Freeze()
	}
}

func TestWait(t *testing.T) {
	for _, c := range []struct {
		clock Clock
		ms    int64
		want  time.Duration
	}{
		{Real, -5, 0}, {Real, 5, 5 * time.Millisecond}, {Real, 120_000, time.Minute},
		{NewMovable(), 120_000, 2 * time.Minute}, {NewMovable(), math.MaxInt64, math.MaxInt64 / time.Millisecond * time.Millisecond},
	} {
		if got := Wait(c.clock, c.ms); got != c.want {
			t.Errorf("Wait(%T, %d) = %v, want %v", c.clock, c.ms, got, c.want)
		}
	}
}

func BenchmarkMono(b *testing.B) {
	m := NewMovable()
	for name, c := range map[string]Clock{"real": Real, "movable": m} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				c.Mono()
			}
		})
	}
}
