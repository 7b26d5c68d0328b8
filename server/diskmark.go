package server

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/persistence/aof"
)

// WAITAOF: a client waits until what it has written is on the disk, whatever the policy of the log is.

// placeInLog is a position of a log. What was written before there was that log is in its base.
type placeInLog struct {
	log      *aof.Log // nil for none
	position int64
}

// diskMark implements commands.DiskMark.
type diskMark struct {
	files *files
	at    placeInLog
}

// noteWritten notes that the client has written.
func (s *session) noteWritten() {
	if l := s.srv.files.log.Load(); l != nil {
		s.wrote = placeInLog{l, l.Position()}
	}
	s.conn.Wrote = false
}

// DiskMark implements commands.Persistence.
func (s env) DiskMark(c *commands.Conn) commands.DiskMark {
	at := c.Session.(*session).wrote
	if l := s.files.log.Load(); c.Wrote && l != nil {
		at = placeInLog{l, l.Position()}
	}
	return &diskMark{&s.files, at}
}

func (m *diskMark) Logged() bool { return m.files.cfg.appendOnly.Load() && m.files.dir != "" }

func (m *diskMark) Reached() bool {
	l := m.files.log.Load()
	return l != nil && l.Counts() && (l != m.at.log || m.at.position <= l.Synced())
}

func (m *diskMark) Await(end func(), over func() bool) {
	w := &m.files.marks
	w.Lock()
	if len(w.waiting) >= 2*w.kept {
		// Nobody tells of those who have given up.
		w.waiting = slices.DeleteFunc(w.waiting, func(o markWaiter) bool { return o.over() })
		w.kept = max(len(w.waiting), 16)
	}
	w.waiting = append(w.waiting, markWaiter{m, end, over})
	w.any.Store(true)
	w.Unlock()
	m.files.wakeMarks() // it may have come to pass before
}

// markWaiters are those who wait for a mark to be reached.
type markWaiters struct {
	any atomic.Bool // there are some
	sync.Mutex
	waiting []markWaiter
	kept    int // how many there were when they were looked through last
}

type markWaiter struct {
	mark *diskMark
	end  func()
	over func() bool
}

// wakeMarks ends the waits of those whose marks have been reached, or cannot be any more.
func (p *files) wakeMarks() {
	w := &p.marks
	if !w.any.Load() {
		return
	}
	w.Lock()
	defer w.Unlock()
	w.waiting = slices.DeleteFunc(w.waiting, func(o markWaiter) bool {
		done := o.over() || o.mark.Reached() || !o.mark.Logged()
		if done {
			go o.end() // it takes gates, and may be called from within one
		}
		return done
	})
	w.any.Store(len(w.waiting) > 0)
}
