package server

import (
	"slices"
	"sync/atomic"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/server/tracking"
)

// The table of client-side caching is package tracking. A session becomes a client of it when it begins to track. What it is
// told reaches it as notes in its mailbox, which were put there under the locks of the keys: behind the replies of reads that
// came before, and before the reply to whoever changed a key. What its own command has changed follows the reply of that.

// tracked is a session as the table sees it.
type tracked struct {
	tracking.Client
	session  *session
	redirect atomic.Int64 // the client that gets the messages, 0: the session itself
	late     []byte       // what its command has changed that had to wait: of who serves it, until Deliver
}

// trackerOf makes the table fit for the store.
type trackerOf struct{ *tracking.Table }

// Settle implements store.Tracker.
func (t trackerOf) Settle() { t.Broadcast() }

func (s *Server) initTracking() {
	s.tracking = tracking.New(func(active bool) {
		if active {
			s.store.SetTracker(trackerOf{s.tracking})
		} else {
			s.store.SetTracker(nil)
		}
	})
	limit := s.cfg.Int("tracking-table-max-keys")
	apply := func() { s.tracking.SetLimit(limit.Load()) }
	apply()
	s.cfg.OnChange("tracking-table-max-keys", apply)
}

// Track implements commands.Tracking.
func (s env) Track(c *commands.Conn, prefixes []string) {
	ses := c.Session.(*session)
	if ses.tracked == nil {
		ses.tracked = &tracked{session: ses}
		ses.tracked.ID, ses.tracked.Sink = c.ID, ses.tracked
	}
	ses.tracked.redirect.Store(c.Tracking.Redirect)
	s.tracking.Start(&ses.tracked.Client, tracking.Mode{
		Broadcast: c.Tracking.Broadcast, NoLoop: c.Tracking.NoLoop, Prefixes: prefixes,
	})
}

// Untrack implements commands.Tracking.
func (s env) Untrack(c *commands.Conn) {
	if t := c.Session.(*session).tracked; t != nil {
		s.tracking.Stop(&t.Client)
	}
}

// TrackRead implements commands.Tracking.
func (s env) TrackRead(c *commands.Conn, key []byte) {
	s.tracking.Remember(&c.Session.(*session).tracked.Client, key)
}

// TrackPrefixes implements commands.Tracking.
func (s env) TrackPrefixes(c *commands.Conn) []string {
	if t := c.Session.(*session).tracked; t != nil {
		return s.tracking.Prefixes(&t.Client)
	}
	return nil
}

// HasClient implements commands.Tracking.
func (s env) HasClient(id int64) bool { return s.clients.get(id) != nil }

// get returns the session with the number id, nil if there is none.
func (cs *clients) get(id int64) *session {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.mu.byID[id]
}

// takeLate returns what the command of s, which had to wait and has been served, has changed, as it is told.
func (s *session) takeLate() (b []byte) {
	if t := s.tracked; t != nil {
		b, t.late = t.late, nil
	}
	return b
}

// Invalidate implements tracking.Sink. What is the client's own doing comes from its own loop, or from who serves it, to whom it
// stands still meanwhile.
func (t *tracked) Invalidate(m *tracking.Message, own bool) {
	s := t.session
	id := t.redirect.Load()
	redirected := id != 0
	if redirected && id != t.ID {
		own = false
		to := s.srv.clients.get(id)
		if to == nil {
			s.post(note{kind: noteRedirection, redirect: id})
			return
		}
		s = to
	}
	if own {
		head, body := s.invalidation(m, redirected)
		switch {
		case head == nil:
		case s.conn.Blocked():
			t.late = append(append(t.late, head...), body...)
		default:
			s.conn.PushOwn(head)
			s.conn.PushOwn(body)
		}
		return
	}
	s.post(note{kind: noteInvalidate, keys: m, redirected: redirected})
}

// TellNow implements commands.Tracking.
func (s env) TellNow(c *commands.Conn) {
	ses := c.Session.(*session)
	for _, n := range ses.box.takeInvalidations() {
		ses.do(n)
	}
}

// takeInvalidations takes the notes of keys that have changed.
func (m *mailbox) takeInvalidations() (taken []note) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.notes = slices.DeleteFunc(m.notes, func(n note) bool {
		if n.kind == noteInvalidate {
			taken = append(taken, n)
		}
		return n.kind == noteInvalidate
	})
	return taken
}

// invalidation returns what the session sends its client to tell m, in two pieces; nil if there is no way to tell it. A
// connection of version 2 of the protocol is told only what concerns others, and only if it is a subscriber to something.
func (s *session) invalidation(m *tracking.Message, redirected bool) (head, body []byte) {
	switch {
	case s.conn.Out.Proto() == 3:
		return m.Push()
	case redirected && s.conn.Subscriber():
		return m.Publication()
	}
	return nil, nil
}

// invalidate sends the client m.
func (s *session) invalidate(m *tracking.Message, redirected bool) {
	if head, body := s.invalidation(m, redirected); head != nil {
		s.conn.Tied = true
		s.conn.Out.Raw(head)
		s.conn.Out.Raw(body)
	}
}

// redirectionBroken tells the client that the one with the number id, which it redirects to, is gone.
func (s *session) redirectionBroken(id int64) {
	if t := &s.conn.Tracking; !t.On || t.Redirect != id {
		return
	}
	s.conn.Tracking.Broken = true
	if s.conn.Out.Proto() == 3 {
		s.conn.Out.Raw(tracking.BrokenRedirection(id))
	}
}
