package server

import (
	"sync"

	"github.com/streampulse/pulse/commands"
)

// detached runs requests away from their clients' loops, one at a time: they are exclusive, or nearly so.
type detached struct {
	lane chan *lane // the one they run in
	mu   struct {
		sync.Mutex
		closed  bool
		running sync.WaitGroup
	}
}

func (d *detached) init(s *Server) {
	d.lane = make(chan *lane, 1)
	d.lane <- nil // the first to take it makes it
}

// begin counts a request; it reports false once the server closes.
func (d *detached) begin() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.mu.closed {
		d.mu.running.Add(1)
	}
	return !d.mu.closed
}

// close lets no more requests begin and waits for those under way.
func (d *detached) close() {
	d.mu.Lock()
	d.mu.closed = true
	d.mu.Unlock()
	d.mu.running.Wait()
}

// Detach implements commands.Env. The session takes no part in anything until it is back: input is kept, notes wait.
func (s env) Detach(c *commands.Conn, f func(l commands.Lane) []byte) {
	cl := c.Session.(*session)
	cl.away = true
	cl.errand = f
}

// depart starts the errand of a session, which nobody touches any more.
func (s *session) depart() {
	f := s.errand
	s.errand = nil
	d := &s.srv.detached
	if !d.begin() {
		s.comeBack(note{kind: noteClose})
		return
	}
	s.running = nil // its memory is another session's by now
	go func() {
		defer d.mu.running.Done()
		survived := false
		defer func() {
			if !survived {
				s.crashed()
			}
		}()
		l := <-d.lane
		if l == nil {
			l = newLane(s.srv)
		}
		l.gate.Enter()
		reply := f(commands.Lane{Gate: l.gate, Tx: l.tx, Meter: &l.meter})
		l.gate.Leave()
		s.srv.tracking.Broadcast()
		d.lane <- l
		survived = true
		s.comeBack(note{kind: noteReply, bytes: reply})
	}()
}

// comeBack gives the session back to its owner.
func (s *session) comeBack(n note) {
	s.back.Store(true)
	s.srv.resting.leaves()
	s.box.putFirst(n)
	// Even if there are notes already: what they knocked for was to no avail.
	(*s.owner.Load()).knock(s)
}

// isAway reports whether the session is still run by somebody else; if not, it is its owner's again.
func (s *session) isAway() bool {
	if s.away && s.back.Swap(false) {
		s.away = false
	}
	return s.away
}

// stay keeps the input of a session that is away: within the gate, because CLIENT LIST looks at all sessions.
func (s *session) stay(l *lane, input []byte) {
	if len(input) == 0 {
		return
	}
	busy := s.srv.enter(l)
	defer s.srv.leave(l, busy)
	s.append(input)
	if limit := s.srv.vars.queryLimit.Load(); limit > 0 && int64(s.unused()) > limit {
		s.overrun, s.in, s.at = true, nil, 0
	}
}
