package server

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/server/config"
)

// monitors are the sessions that look on while commands run. What they are sent is left in their mailboxes in the order in
// which the commands ran: a command is shown while its keys are locked.
type monitors struct {
	any atomic.Bool
	mu  struct {
		sync.Mutex
		all []*session
	}
}

// Attention implements commands.Monitors.
func (s env) Attention() (monitored bool, slow time.Duration) {
	return s.monitors.any.Load(), time.Duration(s.slowlog.limit.Load())
}

// AddMonitor implements commands.Monitors.
func (s env) AddMonitor(c *commands.Conn) {
	m := &s.monitors
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.all = append(m.mu.all, c.Session.(*session))
	m.any.Store(true)
}

// RemoveMonitor implements commands.Monitors.
func (s env) RemoveMonitor(c *commands.Conn) {
	m := &s.monitors
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.all = slices.DeleteFunc(m.mu.all, func(o *session) bool { return o == c.Session.(*session) })
	m.any.Store(len(m.mu.all) > 0)
}

// Monitor implements commands.Monitors.
func (s env) Monitor(by *commands.Conn, line []byte) {
	m := &s.monitors
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range m.mu.all {
		if &o.conn == by {
			by.PushOwn(line)
			continue
		}
		o.post(note{kind: noteLine, bytes: line})
	}
}

// Sensitive implements commands.Monitors.
func (s env) Sensitive(parameter []byte) bool {
	p := config.Lookup(string(parameter))
	return p != nil && p.Has(config.Sensitive)
}
