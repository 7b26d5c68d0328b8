package pulsetest

import (
	"time"

	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/server"
)

// Clock is a clock that a test can stop and move. All methods may be called concurrently, but not by a hook of a server that goes
// by the clock: a move waits for the server.
type Clock struct{ c *clock.Movable }

// NewClock returns a clock that tells real time. A server that Start starts has one; this is for several servers with the same
// clock (WithClock), and for server.Open (Source).
func NewClock() *Clock { return &Clock{clock.NewMovable()} }

// Source is the clock in the form of server.Options.Clock.
func (c *Clock) Source() server.Clock { return c.c }

// Freeze makes the time stand still. What was under way because of a time-out has happened when it returns.
func (c *Clock) Freeze() { c.c.Freeze() }

// Run lets the time go on from where it stands.
func (c *Clock) Run() { c.c.Run() }

// Frozen reports whether the time stands still.
func (c *Clock) Frozen() bool { return c.c.Frozen() }

// Now is the time that clients get from TIME.
func (c *Clock) Now() time.Time { return c.c.Now() }

// Advance moves the time forward by d. What falls due on the way happens, in order, each at its time, and has happened when Advance
// returns: events have been sent to subscribers, replies to clients that waited. So a client that is answered at one time-out
// and has sent a further command waits for the next from that moment on.
//
// A clock that runs stands still meanwhile, and goes on afterwards. Advance panics if d is negative, and waits for scripts that run.
func (c *Clock) Advance(d time.Duration) { c.c.Advance(d) }

// Set moves the time to t. If that is later than Now it does what Advance does. If it is earlier, dates are changed alone, as if somebody
// had set the clock of the machine back: deadlines of keys and the end of a CLIENT PAUSE are further off, while time-outs take as long as
// they would have taken. It panics if t is before 1970.
func (c *Clock) Set(t time.Time) { c.c.Set(t) }
