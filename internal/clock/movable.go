package clock

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Movable is a clock for tests of whole servers: it runs in real time until it is frozen, and can be moved in any state.
//
// What moves what: time that passes by itself, and Advance, move wall and monotonic time alike. Set moves both if it goes
// forward; if it goes back, wall time alone: time-outs that are under way keep what is left of them, and moments named by
// a date are further off.
//
// Timers: while time runs, each is called on a goroutine of its own, as those of Real are. While it stands they
// are called by whoever moves it, one at a time, ordered by deadline and then by creation, with the clock at their
// deadline; one that is due when it is made is called at once, on a goroutine of its own. Time stands while it is moved,
// also for a clock that runs.
//
// Those who go by the clock say so with Attach: a move lets them come to rest at every instant at which a timer was called,
// and at its end. So what falls due on the way has happened, to its last consequence, when the move returns.
//
// All methods may be called concurrently; moves queue. A timer's function and a function given to Attach must not move the
// clock: it would wait for itself.
type Movable struct {
	now  atomic.Pointer[reading] // nil for the moment in which it is changed: then mu.now tells
	turn sync.Mutex              // of those who move the clock or change its state
	mu   struct {
		sync.Mutex
		now    reading
		timers timers
		alarm  *time.Timer // for the first timer, while time runs; nil until there is one
		calls  int         // timers being called on goroutines of their own
		quiet  *sync.Cond  // calls has become 0
		moving bool        // timers that are due wait for the move under way
		rest   []*attached
	}
}

// reading is how the time is told. It never changes.
type reading struct {
	stands bool
	// Where it stands.
	wall time.Time
	mono time.Duration
	// Or what is to be added to real time.
	wallUs  int64 // microseconds
	monoOff time.Duration
}

type attached struct{ rest func(last bool) }

// Attacher is a Clock that lets those who go by it come to rest when it is moved.
type Attacher interface {
	// Attach has rest called at every instant at which timers were called, and with last at the end of every move. It
	// returns when all that the timers have led to has happened. detach ends it; a call that has begun may go on.
	Attach(rest func(last bool)) (detach func())
}

var (
	_ Clock    = (*Movable)(nil)
	_ Attacher = (*Movable)(nil)
)

// NewMovable returns a clock that tells real time.
func NewMovable() *Movable {
	c := &Movable{}
	c.mu.quiet = sync.NewCond(&c.mu)
	c.publish(reading{})
	return c
}

// publish makes r the reading. mu is held, or nobody else has the clock yet.
func (c *Movable) publish(r reading) {
	c.mu.now = r
	c.now.Store(&r)
}

func (r *reading) us() int64 {
	if r.stands {
		return r.wall.UnixMicro()
	}
	return Real.NowUs() + r.wallUs
}

func (r *reading) elapsed() time.Duration {
	if r.stands {
		return r.mono
	}
	return Real.Mono() + r.monoOff
}

// NowMs implements Clock.
func (c *Movable) NowMs() int64 {
	us := c.NowUs()
	if us < 0 {
		us -= 999
	}
	return us / 1000
}

// NowUs implements Clock.
func (c *Movable) NowUs() int64 {
	// What was read of a clock that runs counts only if it has not been stopped meanwhile: it must not be later than what
	// the clock then stands at.
	if r := c.now.Load(); r != nil {
		if us := r.us(); c.now.Load() == r {
			return us
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.now.us()
}

// Mono implements Clock.
func (c *Movable) Mono() time.Duration {
	if r := c.now.Load(); r != nil {
		if m := r.elapsed(); c.now.Load() == r {
			return m
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.now.elapsed()
}

// Now is the wall time.
func (c *Movable) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.now.stands {
		return c.mu.now.wall
	}
	return time.UnixMicro(c.mu.now.us())
}

// Frozen reports whether the time stands.
func (c *Movable) Frozen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.now.stands
}

// AfterFunc implements Clock.
func (c *Movable) AfterFunc(d time.Duration, f func()) Timer {
	if f == nil {
		panic("clock: AfterFunc with a nil function")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.mu.timers.add(&c.mu.Mutex, after(c.mu.now.elapsed(), max(d, 0)), f)
	switch {
	case c.mu.moving:
	case !c.mu.now.stands:
		if t.index == 0 {
			c.arm()
		}
	case d <= 0:
		c.callDue()
	}
	return t
}

// arm sets the alarm to the first timer. Time runs, and mu is held.
func (c *Movable) arm() {
	due, ok := c.mu.timers.next()
	if !ok {
		return
	}
	wait := due - c.mu.now.elapsed()
	if c.mu.alarm == nil {
		c.mu.alarm = time.AfterFunc(wait, c.ring)
		return
	}
	c.mu.alarm.Reset(wait)
}

// ring is called by the alarm. One that is late, because the clock was stopped or moved, finds nothing due.
func (c *Movable) ring() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.moving || c.mu.now.stands {
		return
	}
	c.callDue()
	c.arm()
}

// callDue calls the timers that are due, each on a goroutine. mu is held.
func (c *Movable) callDue() {
	now := c.mu.now.elapsed()
	for t := c.mu.timers.pop(now); t != nil; t = c.mu.timers.pop(now) {
		c.mu.calls++
		go func() {
			defer c.called()
			t.f()
		}()
	}
}

func (c *Movable) called() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.calls--; c.mu.calls == 0 {
		c.mu.quiet.Broadcast()
	}
}

// Freeze makes the time stand still. Timers that were being called have returned, and what they led to has happened, when
// it returns.
func (c *Movable) Freeze() { c.move(func() { c.stand(true) }) }

// Run lets the time go on from where it stands.
func (c *Movable) Run() { c.move(func() { c.stand(false) }) }

// Advance moves wall and monotonic time forward by d. It panics if d is negative.
func (c *Movable) Advance(d time.Duration) {
	if d < 0 {
		panic("clock: Advance by a negative duration")
	}
	c.moved(func() {
		c.pass(d)
	})
}

// Set makes t the wall time. If that is later than what the clock shows, all time moves there, as with Advance; if it is
// earlier, wall time alone is set back. It panics if t is before 1970: the protocol has no such times.
func (c *Movable) Set(t time.Time) {
	if t.Unix() < 0 {
		panic("clock: Set to a time before 1970")
	}
	t = t.Round(0)
	c.moved(func() {
		if d := t.Sub(c.mu.now.wall); d > 0 {
			c.pass(d)
		}
		r := c.mu.now
		r.wall = t
		c.publish(r)
	})
}

// move changes the state of the clock: f is called with mu held, while no timer is.
func (c *Movable) move(f func()) {
	c.turn.Lock()
	defer c.turn.Unlock()
	c.mu.Lock()
	for c.mu.calls > 0 {
		c.mu.quiet.Wait()
	}
	f()
	c.mu.Unlock()
	c.rest(true)
}

// moved is move with the time standing still, whatever the state is, before and after f, which may let go of mu. At the end
// what has become due meanwhile is called as well.
func (c *Movable) moved(f func()) {
	c.turn.Lock()
	defer c.turn.Unlock()
	c.mu.Lock()
	was := c.mu.now
	for c.mu.calls > 0 {
		c.mu.quiet.Wait()
	}
	c.mu.moving = true
	c.stand(true)
	f()
	for {
		c.mu.Unlock()
		c.rest(true)
		c.mu.Lock()
		if due, ok := c.mu.timers.next(); !ok || due > c.mu.now.mono {
			break
		}
		c.pass(0)
	}
	c.mu.moving = false
	c.stand(was.stands)
	c.mu.Unlock()
}

// stand says whether the time stands still from now on. What the clock shows does not jump. mu is held.
func (c *Movable) stand(still bool) {
	// From here on nobody reads a clock that runs; then its time is taken.
	c.now.Store(nil)
	r := c.mu.now
	switch {
	case still && !r.stands:
		r.wall, r.mono = time.UnixMicro(r.us()), r.elapsed()
	case !still && r.stands:
		r.wallUs, r.monoOff = r.wall.UnixMicro()-Real.NowUs(), r.mono-Real.Mono()
	}
	r.stands = still
	c.publish(r)
	if !still {
		c.arm()
	}
}

// pass lets d go by, and calls the timers that fall due. mu is held, but not while they are called.
func (c *Movable) pass(d time.Duration) {
	end := after(c.mu.now.mono, d)
	for {
		t := c.mu.timers.pop(end)
		if t == nil {
			break
		}
		c.to(t.due)
		c.mu.Unlock()
		t.f()
		c.mu.Lock()
		if due, ok := c.mu.timers.next(); ok && due <= c.mu.now.mono {
			continue // at the same instant
		}
		c.mu.Unlock()
		c.rest(false)
		c.mu.Lock()
	}
	c.to(end)
}

// to moves both kinds of time, which stand still, to the monotonic instant at. mu is held.
func (c *Movable) to(at time.Duration) {
	r := c.mu.now
	if d := at - r.mono; d > 0 {
		r.mono, r.wall = at, r.wall.Add(d)
		c.publish(r)
	}
}

// Attach implements Attacher.
func (c *Movable) Attach(rest func(last bool)) (detach func()) {
	a := &attached{rest}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.rest = append(c.mu.rest, a)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.mu.rest = slices.DeleteFunc(slices.Clone(c.mu.rest), func(b *attached) bool { return b == a })
	}
}

// rest lets all that are attached come to rest.
func (c *Movable) rest(last bool) {
	c.mu.Lock()
	all := slices.Clone(c.mu.rest)
	c.mu.Unlock()
	for _, a := range all {
		a.rest(last)
	}
}

// Steady is a Clock whose wall time does not move forward but with its monotonic time: whoever waits for a time of day may
// wait for all of the difference at once.
type Steady interface{ Steady() }

// Steady implements the interface of that name.
func (c *Movable) Steady() {}

// Wait is how long to wait for ms, a number of milliseconds of wall time from now, before looking at c again: all of it if
// c is Steady, else a minute at most, so that it is noticed when the clock is set forward.
func Wait(c Clock, ms int64) time.Duration {
	most := int64(math.MaxInt64 / time.Millisecond)
	if _, ok := c.(Steady); !ok {
		most = time.Minute.Milliseconds()
	}
	return time.Duration(max(0, min(ms, most))) * time.Millisecond
}
