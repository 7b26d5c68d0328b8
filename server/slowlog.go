package server

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/streampulse/pulse/commands"
)

// slowlog keeps the last requests that took long.
type slowlog struct {
	limit atomic.Int64 // ns; math.MaxInt64 while nothing is noted
	mu    struct {
		sync.Mutex
		next    int64                 // number of the next entry
		max     int                   // how many entries are kept
		entries []*commands.SlowEntry // the oldest first
	}
}

// initSlowlog follows slowlog-log-slower-than and slowlog-max-len.
func (s *Server) initSlowlog() {
	than, most := s.cfg.Int("slowlog-log-slower-than"), s.cfg.Int("slowlog-max-len")
	apply := func() {
		l := &s.slowlog
		l.mu.Lock()
		defer l.mu.Unlock()
		l.mu.max = int(min(most.Load(), math.MaxInt32))
		l.trim()
		limit := int64(math.MaxInt64)
		if us := than.Load(); us >= 0 && us < math.MaxInt64/1000 && l.mu.max > 0 {
			limit = us * 1000
		}
		l.limit.Store(limit)
	}
	apply()
	s.cfg.OnChange("slowlog-log-slower-than", apply)
	s.cfg.OnChange("slowlog-max-len", apply)
}

// trim forgets the entries beyond the most that are kept. mu is held.
func (l *slowlog) trim() {
	if n := len(l.mu.entries) - l.mu.max; n > 0 {
		l.mu.entries = slices.Delete(l.mu.entries, 0, n)
	}
}

// AddSlow implements commands.Slowlog.
func (s env) AddSlow(e *commands.SlowEntry) {
	l := &s.slowlog
	l.mu.Lock()
	defer l.mu.Unlock()
	e.ID = l.mu.next
	l.mu.next++
	l.mu.entries = append(l.mu.entries, e)
	l.trim()
}

// Slow implements commands.Slowlog.
func (s env) Slow(n int) []*commands.SlowEntry {
	l := &s.slowlog
	l.mu.Lock()
	defer l.mu.Unlock()
	last := slices.Clone(l.mu.entries[max(0, len(l.mu.entries)-n):])
	slices.Reverse(last)
	return last
}

// SlowLen implements commands.Slowlog.
func (s env) SlowLen() int {
	l := &s.slowlog
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.mu.entries)
}

// ResetSlow implements commands.Slowlog.
func (s env) ResetSlow() {
	l := &s.slowlog
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.entries = nil
}
