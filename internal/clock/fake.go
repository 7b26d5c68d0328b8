package clock

import (
	"sync"
	"time"
)

// Fake is a clock that stands still until a test moves it. It knows nothing of those who go by it; Movable does.
//
// Timers are called from within Advance, one at a time, ordered by deadline and, among equals, by creation; while one is
// called the clock shows that timer's deadline. A callback may read the clock, start and stop timers; it must not call
// Advance, which would turn the order upside down, and doing so panics.
type Fake struct {
	mu struct {
		sync.Mutex
		wall      time.Time     // wall time now
		mono      time.Duration // monotonic time now, never decreases
		timers    timers
		advancing bool
	}
}

// NewFake returns a clock whose wall time is start and whose monotonic time is one nanosecond.
func NewFake(start time.Time) *Fake {
	c := &Fake{}
	c.mu.wall = start
	c.mu.mono = 1
	return c
}

// NowMs implements Clock.
func (c *Fake) NowMs() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.wall.UnixMilli()
}

// NowUs implements Clock.
func (c *Fake) NowUs() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.wall.UnixMicro()
}

// Mono implements Clock.
func (c *Fake) Mono() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.mono
}

// AfterFunc implements Clock. Even a timer that is due at once waits for the next Advance.
func (c *Fake) AfterFunc(d time.Duration, f func()) Timer {
	if f == nil {
		panic("clock: AfterFunc with a nil function")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.timers.add(&c.mu.Mutex, after(c.mu.mono, max(d, 0)), f)
}

// Advance moves wall and monotonic time forward by d and calls every timer that falls due on the way, those included that
// callbacks start. It panics if d is negative: to set the wall time back is SetWall's job.
func (c *Fake) Advance(d time.Duration) {
	if d < 0 {
		panic("clock: Advance by a negative duration")
	}
	c.mu.Lock()
	if c.mu.advancing {
		c.mu.Unlock()
		panic("clock: Advance called while another Advance runs")
	}
	c.mu.advancing = true
	end := after(c.mu.mono, d)
	for t := c.mu.timers.pop(end); t != nil; t = c.mu.timers.pop(end) {
		c.moveTo(t.due)
		c.mu.Unlock()
		t.f()
		c.mu.Lock()
	}
	c.moveTo(end)
	c.mu.advancing = false
	c.mu.Unlock()
}

// moveTo carries both kinds of time to the monotonic instant to. The caller holds mu.
func (c *Fake) moveTo(to time.Duration) {
	if d := to - c.mu.mono; d > 0 {
		c.mu.mono += d
		c.mu.wall = c.mu.wall.Add(d)
	}
}

// SetWall changes the wall time, forward or back, as an administrator would. Monotonic time and timers do not notice.
func (c *Fake) SetWall(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.wall = now
}

// Pending is the number of timers that have neither been called nor stopped.
func (c *Fake) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.mu.timers.heap)
}
