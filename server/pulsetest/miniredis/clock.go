package miniredis

import (
	"slices"
	"sync"
	"time"

	"github.com/streampulse/pulse/internal/clock"
)

// times are the two clocks of a server: the calendar, which clients are told, and the one that deadlines go by, which stands
// still but for FastForward. What clients wait for takes real time, by the calendar.
//
// Both take their real time from package time alone, and begin when they are made: so they also work within a bubble of
// testing/synctest.
type times struct {
	calendar  calendar
	deadlines deadlines

	mu      sync.Mutex
	follows bool // ClockTTL
}

func newTimes() *times {
	t := &times{}
	t.calendar.origin = time.Now().Add(-time.Nanosecond)
	t.deadlines.calendar = &t.calendar
	t.deadlines.mu.at = t.calendar.now()
	return t
}

// set is SetTime.
func (t *times) set(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.calendar.now()
	t.deadlines.run(false)
	t.calendar.set(at)
	if t.follows {
		t.deadlines.advance(t.calendar.now().Sub(was))
	}
	t.deadlines.run(t.follows && t.calendar.real())
}

// follow is ClockTTL.
func (t *times) follow(enabled bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.follows = enabled
	t.deadlines.run(enabled && t.calendar.real())
}

// calendar is the clock that clients are told the time by: a wall time that runs or stands, beside monotonic time, which always
// runs. It implements clock.Clock.
type calendar struct {
	origin time.Time
	mu     sync.RWMutex
	fixed  time.Time // zero: real time
}

func (c *calendar) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fixed = at.Round(0)
}

func (c *calendar) real() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.fixed.IsZero()
}

func (c *calendar) now() time.Time {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.fixed.IsZero() {
		return time.Now().Round(0)
	}
	return c.fixed
}

// NowMs implements clock.Clock.
func (c *calendar) NowMs() int64 { return c.now().UnixMilli() }

// NowUs implements clock.Clock.
func (c *calendar) NowUs() int64 { return c.now().UnixMicro() }

// Mono implements clock.Clock.
func (c *calendar) Mono() time.Duration { return time.Since(c.origin) }

// AfterFunc implements clock.Clock.
func (c *calendar) AfterFunc(d time.Duration, f func()) clock.Timer { return time.AfterFunc(d, f) }

// deadlines is the clock that keys and fields expire by. It stands, or runs in real time. It implements clock.Clock.
type deadlines struct {
	calendar *calendar
	mu       struct {
		sync.Mutex
		at      time.Time     // the time when it was last looked at
		mono    time.Duration // of the calendar, then
		runs    bool
		pending []*timer // in the order in which they were made
	}
}

// timer is a clock.Timer of deadlines.
type timer struct {
	clock *deadlines
	due   time.Time
	f     func()
	real  *time.Timer // while the clock runs
}

// now returns the time. mu is held.
func (c *deadlines) now() time.Time {
	if c.mu.runs {
		mono := c.calendar.Mono()
		c.mu.at = c.mu.at.Add(mono - c.mu.mono)
		c.mu.mono = mono
	}
	return c.mu.at
}

// run lets the clock run or stand.
func (c *deadlines) run(runs bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if c.mu.runs == runs {
		return
	}
	c.mu.runs, c.mu.mono = runs, c.calendar.Mono()
	for _, t := range c.mu.pending {
		if runs {
			t.start(now)
		} else {
			t.real.Stop()
		}
	}
}

// start lets real time call a timer. mu is held.
func (t *timer) start(now time.Time) {
	t.real = time.AfterFunc(t.due.Sub(now), func() {
		if t.Stop() {
			t.f()
		}
	})
}

// advance is FastForward. A negative d sets the clock back.
func (c *deadlines) advance(d time.Duration) {
	c.mu.Lock()
	now := c.now().Add(d)
	if now.Unix() < 0 {
		c.mu.Unlock()
		return // there are no such times
	}
	c.mu.at = now
	var due []*timer
	c.mu.pending = slices.DeleteFunc(c.mu.pending, func(t *timer) bool {
		switch {
		case !t.due.After(now):
			due = append(due, t)
			return true
		case c.mu.runs && t.real.Stop():
			t.start(now)
		}
		return false
	})
	c.mu.Unlock()
	slices.SortStableFunc(due, func(a, b *timer) int { return a.due.Compare(b.due) })
	for _, t := range due {
		t.f()
	}
}

// NowMs implements clock.Clock.
func (c *deadlines) NowMs() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now().UnixMilli()
}

// NowUs implements clock.Clock.
func (c *deadlines) NowUs() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now().UnixMicro()
}

// Mono implements clock.Clock. The store measures with it how long it has worked.
func (c *deadlines) Mono() time.Duration { return c.calendar.Mono() }

// Steady implements clock.Steady: timers are for moments of this clock, however it gets there.
func (c *deadlines) Steady() {}

// AfterFunc implements clock.Clock.
func (c *deadlines) AfterFunc(d time.Duration, f func()) clock.Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	t := &timer{clock: c, due: now.Add(max(d, 0)), f: f}
	switch {
	case d <= 0 && !c.mu.runs: // what is due does not wait for the clock to be moved
		go f()
		return t
	case c.mu.runs:
		t.start(now)
	}
	c.mu.pending = append(c.mu.pending, t)
	return t
}

// Stop implements clock.Timer.
func (t *timer) Stop() bool {
	c := t.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	at := slices.Index(c.mu.pending, t)
	if at < 0 {
		return false
	}
	c.mu.pending = slices.Delete(c.mu.pending, at, at+1)
	if c.mu.runs {
		t.real.Stop()
	}
	return true
}
