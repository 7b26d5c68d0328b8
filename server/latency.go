package server

import (
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/commands"
)

// latencySamples is how many samples of an event are kept, as in Redis.
const latencySamples = 160

// latency notes what has kept clients waiting longer than latency-monitor-threshold. It may be used from everywhere.
type latency struct {
	limit atomic.Int64 // ns; math.MaxInt64 while nothing is noted
	mu    struct {
		sync.Mutex
		events map[string]*commands.LatencyEvent
	}
}

func (s *Server) initLatency() {
	v := s.cfg.Int("latency-monitor-threshold")
	apply := func() {
		limit := int64(math.MaxInt64)
		if ms := v.Load(); ms > 0 && ms < math.MaxInt64/int64(time.Millisecond) {
			limit = ms * int64(time.Millisecond)
		}
		s.latency.limit.Store(limit)
	}
	apply()
	s.cfg.OnChange("latency-monitor-threshold", apply)
	s.latency.mu.events = map[string]*commands.LatencyEvent{}
}

// took notes an event if it was long.
func (s *Server) took(event string, d time.Duration) {
	l := &s.latency
	if int64(d) < l.limit.Load() {
		return
	}
	sample := commands.LatencySample{At: s.clock.NowMs() / 1000, Took: d.Milliseconds()}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.mu.events[event]
	if e == nil {
		e = &commands.LatencyEvent{Name: event}
		l.mu.events[event] = e
	}
	e.Worst = max(e.Worst, sample.Took)
	switch n := len(e.Samples); {
	case n > 0 && e.Samples[n-1].At == sample.At:
		e.Samples[n-1].Took = max(e.Samples[n-1].Took, sample.Took)
	case n == latencySamples:
		copy(e.Samples, e.Samples[1:])
		e.Samples[n-1] = sample
	default:
		e.Samples = append(e.Samples, sample)
	}
}

// LatencyEvents implements commands.Latency.
func (s env) LatencyEvents() (out []commands.LatencyEvent) {
	l := &s.latency
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(l.mu.events)) {
		e := *l.mu.events[name]
		e.Samples = slices.Clone(e.Samples)
		out = append(out, e)
	}
	return out
}

// LatencyReset implements commands.Latency.
func (s env) LatencyReset(names [][]byte) (n int) {
	l := &s.latency
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(names) == 0 {
		n = len(l.mu.events)
		clear(l.mu.events)
	}
	for _, name := range names {
		if _, ok := l.mu.events[string(name)]; ok {
			delete(l.mu.events, string(name))
			n++
		}
	}
	return n
}

// LatencyHistogram implements commands.Latency.
func (s env) LatencyHistogram(id int, step func(usec, count int64)) int64 {
	l := s.stats.Latency(id)
	if l == nil || l.Count() == 0 {
		return 0
	}
	for _, st := range l.Steps() {
		step(st.Usec, st.Count)
	}
	return l.Count()
}
