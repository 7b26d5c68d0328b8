// Package stats counts what INFO reports: connections, commands, bytes, key lookups, errors, latencies and rates.
//
// Contract: counters are declared once, as constants of Counter. Each event loop has a Loop of its own and counts there
// without contention; readers add the loops up. A sum is not a snapshot of one instant: counters move while they are added.
// Commands are known by a small number that the caller gives out, 0 <= id < the number passed to New.
//
// All methods may be called concurrently, those of a Loop too: a counter is one atomic addition on a line of memory that
// other loops do not write, which costs a loop a few nanoseconds and allows Reset at any time without losing its zero.
// Counting does not allocate, except the first call of a command on a loop and the first error of a kind.
package stats

import (
	"sync"
	"sync/atomic"
	"time"
)

// Stats is the set of all counters of a server.
type Stats struct {
	commands int
	tracking atomic.Bool
	// shared counts for those who are on no event loop. It is loops[0].
	shared *Loop
	errors errorTable
	rates  rates

	mu struct {
		sync.Mutex
		loops []*Loop // grows only
	}
}

// New makes counters for commands numbered from 0 to commands-1. Latencies are tracked until SetTracking(false).
func New(commands int) *Stats {
	s := &Stats{commands: commands}
	s.tracking.Store(true)
	s.errors.reset()
	s.shared = s.NewLoop()
	return s
}

// Loop counts for one event loop.
type Loop struct {
	_        [cacheLine]byte
	stats    *Stats
	counters [NumCounters]atomic.Int64
	commands []command
	_        [cacheLine]byte
}

// cacheLine is the distance at which two writers do not disturb each other, prefetching of pairs of lines included.
const cacheLine = 128

// command counts the calls of one command on one loop.
type command struct {
	calls    atomic.Int64
	nanos    atomic.Int64
	rejected atomic.Int64
	failed   atomic.Int64
	latency  atomic.Pointer[histogram] // made by the first tracked call
}

// NewLoop adds a loop. It lives as long as the Stats.
func (s *Stats) NewLoop() *Loop {
	l := &Loop{stats: s, commands: make([]command, s.commands)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.loops = append(s.mu.loops, l)
	return l
}

// Add counts n of c.
func (l *Loop) Add(c Counter, n int64) { l.counters[c].Add(n) }

// Add counts n of c for a caller that is on no event loop.
func (s *Stats) Add(c Counter, n int64) { s.shared.Add(c, n) }

// Shared is the Loop of all callers that are on no event loop.
func (s *Stats) Shared() *Loop { return s.shared }

// Call counts a command that ran for d. failed tells that its reply was an error.
func (l *Loop) Call(id int, d time.Duration, failed bool) {
	c := &l.commands[id]
	d = max(d, 0)
	c.calls.Add(1)
	c.nanos.Add(int64(d))
	if failed {
		c.failed.Add(1)
	}
	if l.stats.tracking.Load() {
		c.record(d)
	}
}

// Turn counts a turn of the event loop that took d.
func (l *Loop) Turn(d time.Duration) {
	l.counters[LoopCycles].Add(1)
	l.counters[LoopNanos].Add(int64(d))
}

// Count is what this loop has added to c.
func (l *Loop) Count(c Counter) int64 { return l.counters[c].Load() }

// Reject counts a command that was refused before it ran.
func (l *Loop) Reject(id int) { l.commands[id].rejected.Add(1) }

// SetTracking turns the latency histograms on or off; what they hold stays. It follows the latency-tracking parameter.
func (s *Stats) SetTracking(on bool) { s.tracking.Store(on) }

// Tracking reports whether latency histograms are kept.
func (s *Stats) Tracking() bool { return s.tracking.Load() }

// Reset sets everything to zero, as CONFIG RESETSTAT does.
func (s *Stats) Reset() {
	for _, l := range s.loops() {
		for i := range l.counters {
			l.counters[i].Store(0)
		}
		for i := range l.commands {
			c := &l.commands[i]
			c.calls.Store(0)
			c.nanos.Store(0)
			c.rejected.Store(0)
			c.failed.Store(0)
			c.latency.Store(nil)
		}
	}
	s.errors.reset()
	s.rates.reset()
}

func (s *Stats) loops() []*Loop {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.loops
}

// Sum is the current value of one counter.
func (s *Stats) Sum(c Counter) int64 {
	var n int64
	for _, l := range s.loops() {
		n += l.counters[c].Load()
	}
	return n
}

// Snapshot is everything but the latencies, added up.
type Snapshot struct {
	Counters [NumCounters]int64
	// TotalCommands is total_commands_processed: the calls of all commands.
	TotalCommands int64
	// TotalTime is what all of them took.
	TotalTime time.Duration
	// Commands has an entry for each id.
	Commands []CommandStats
	Rates    Rates
}

// CommandStats are the numbers of one command.
type CommandStats struct {
	Calls int64
	// Time is the sum over all calls.
	Time     time.Duration
	Rejected int64
	Failed   int64
}

// Seen reports whether INFO commandstats lists the command.
func (c CommandStats) Seen() bool { return c.Calls != 0 || c.Rejected != 0 || c.Failed != 0 }

// UsecPerCall is the mean in microseconds.
func (c CommandStats) UsecPerCall() float64 {
	if c.Calls == 0 {
		return 0
	}
	return float64(c.Time.Microseconds()) / float64(c.Calls)
}

// Snapshot adds everything up.
func (s *Stats) Snapshot() *Snapshot {
	out := &Snapshot{Commands: make([]CommandStats, s.commands), Rates: s.rates.current()}
	for _, l := range s.loops() {
		for i := range l.counters {
			out.Counters[i] += l.counters[i].Load()
		}
		for i := range l.commands {
			c, o := &l.commands[i], &out.Commands[i]
			o.Calls += c.calls.Load()
			o.Time += time.Duration(c.nanos.Load())
			o.Rejected += c.rejected.Load()
			o.Failed += c.failed.Load()
		}
	}
	for i := range out.Commands {
		out.TotalCommands += out.Commands[i].Calls
		out.TotalTime += out.Commands[i].Time
	}
	return out
}

// TotalCommands is total_commands_processed.
func (s *Stats) TotalCommands() int64 {
	var n int64
	for _, l := range s.loops() {
		for i := range l.commands {
			n += l.commands[i].calls.Load()
		}
	}
	return n
}
