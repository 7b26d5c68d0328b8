package server

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/internal/clock"
)

// A clock that a test moves wants to know when the server has come to rest: when what its timers have led to has happened, up
// to the bytes of the last reply. Timers run on the goroutine of whoever moves the clock; what they leave behind are notes for
// sessions and tasks for loops. So the server is at rest when every session and every loop has come past a mark that was
// left after the last of them, and nobody has left anything meanwhile.
//
// What goes by real time although the clock is a test's: fsyncs, busy-reply-threshold, the time that is left for last words, and
// DEBUG SLEEP. They are about work, which takes real time. What is measured by the clock to be fair (how long a session has worked,
// how busy a loop is) is nothing while it stands: then a session works through what it was sent, and loops share no work out.

// resting is what a server knows about the moves of its clock.
type resting struct {
	on     bool         // the clock tells of its moves; set before there are clients
	left   atomic.Int64 // how many notes and tasks were left so far, if on
	seen   int64        // of left, when the server was at rest last; of the one who moves the clock
	detach func()
	mu     struct {
		sync.Mutex
		mark    int64         // the number of the marks that are out
		missing int           // how many sessions have not come past theirs
		all     chan struct{} // closed when none is missing
	}
}

const (
	// restRounds is how often the server is looked at while clients keep it from coming to rest.
	restRounds = 8
	// restPatience is how long a session or loop may take to come past a mark, in real time: one that is busy for longer
	// is not waited for.
	restPatience = 5 * time.Second
	// sendPatience is how long a client may take to read what the end of a move has brought it.
	sendPatience = 100 * time.Millisecond
)

// follow has the clock tell of its moves, if it can.
func (s *Server) follow() {
	if a, ok := s.clock.(clock.Attacher); ok {
		s.resting.on = true
		s.resting.detach = a.Attach(s.rest)
	}
}

// unfollow ends that.
func (s *Server) unfollow() {
	if s.resting.detach != nil {
		s.resting.detach()
	}
}

// leaves counts a note or a task that somebody has left.
func (r *resting) leaves() {
	if r.on {
		r.left.Add(1)
	}
}

// rest returns when the server is at rest; last tells that the clock will not go on for now. Then clients are looked at that have
// been idle for too long, and save points.
func (s *Server) rest(last bool) {
	r := &s.resting
	saving := func() {}
	if last {
		s.checkClients()
		saving = s.files.tickAndWait()
	}
	for n := 0; n < restRounds && !s.stopping() && (last && n == 0 || r.left.Load() != r.seen); n++ {
		r.seen = r.left.Load()
		s.passMarks()
	}
	if last {
		saving()
		s.awaitSent()
	}
}

// passMarks returns when every session and loop has come past marks. What a session does about its notes may lead to tasks of loops, and
// those to notes; what it answers is with its transport when it comes past the next mark.
func (s *Server) passMarks() {
	for range 2 {
		s.passLoops()
		s.passSessions()
	}
	s.passLoops()
}

// passLoops returns when every loop has done what it was told before, and the turn that followed.
func (s *Server) passLoops() {
	if s.loops == nil {
		return
	}
	late := time.NewTimer(restPatience)
	defer late.Stop()
	for _, l := range s.loops.started() {
		done := make(chan struct{})
		// What is posted by a task runs after the sessions that earlier tasks have touched.
		l.post(func() { l.post(func() { close(done) }) })
		select {
		case <-done:
		case <-s.stop:
			return
		case <-late.C:
			s.log.Warningf("The clock was moved while an event loop was busy for more than %v", restPatience)
			return
		}
	}
}

// started are the loops that have had a connection: others have no tasks.
func (ls *loops) started() (some []*loop) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, l := range ls.mu.all {
		l.mu.Lock()
		if l.mu.el != nil {
			some = append(some, l)
		}
		l.mu.Unlock()
	}
	return some
}

// passSessions returns when every session has done what its notes told it before.
func (s *Server) passSessions() {
	r := &s.resting
	r.mu.Lock()
	r.mu.mark++
	mark := r.mu.mark
	r.mu.missing = 1 // ourselves
	all := make(chan struct{})
	r.mu.all = all
	r.mu.Unlock()
	s.clients.each(func(c *session) {
		r.mu.Lock()
		r.mu.missing++
		r.mu.Unlock()
		if !c.mark(mark) {
			r.passed(mark)
		}
	})
	r.passed(mark)
	late := time.NewTimer(restPatience)
	defer late.Stop()
	select {
	case <-all:
	case <-s.stop:
	case <-late.C:
		s.log.Warningf("The clock was moved while a client's command ran for more than %v", restPatience)
	}
}

// passed notes that a session has come past a mark.
func (r *resting) passed(mark int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if mark != r.mu.mark {
		return // it was not waited for
	}
	if r.mu.missing--; r.mu.missing == 0 {
		close(r.mu.all)
	}
}

// mark leaves a mark with the session; it reports false if the session is gone.
func (s *session) mark(n int64) bool {
	if !s.box.putMark(note{kind: noteMark, redirect: n}) {
		return false
	}
	(*s.owner.Load()).knock(s)
	return true
}

// passMarks comes past the marks of a session that is away: what it does is not waited for.
func (s *session) passMarks() {
	if s.srv.resting.on {
		s.box.takeMarks(s.srv.resting.passed)
	}
}

// awaitSent returns when streams have given to the system what they had to send, but for clients who do not read it.
func (s *Server) awaitSent() {
	late := make(chan struct{})
	defer time.AfterFunc(sendPatience, func() { close(late) }).Stop()
	s.clients.each(func(c *session) {
		if t, ok := (*c.owner.Load()).(*stream); ok {
			t.awaitSent(late)
		}
	})
}

// awaitSent returns when nothing waits to be sent, or when late is.
func (t *stream) awaitSent(late <-chan struct{}) {
	t.mu.Lock()
	if t.mu.pending == 0 || t.mu.broken {
		t.mu.Unlock()
		return
	}
	if t.mu.sent == nil {
		t.mu.sent = make(chan struct{})
	}
	sent := t.mu.sent
	t.mu.Unlock()
	select {
	case <-sent:
	case <-late:
	case <-t.written:
	}
}

// wasSent tells those who wait for nothing to be pending. mu is held.
func (t *stream) wasSent() {
	if t.mu.sent != nil && t.mu.pending == 0 {
		close(t.mu.sent)
		t.mu.sent = nil
	}
}

// tickAndWait is tick; what it returns waits for the save or the rewrite that tick has begun.
func (p *files) tickAndWait() (wait func()) {
	p.mu.Lock()
	busy := p.mu.busy != ""
	p.mu.Unlock()
	p.tick()
	if busy {
		return func() {}
	}
	return func() {
		p.mu.Lock()
		if p.mu.busy == "" {
			p.mu.Unlock()
			return
		}
		if p.mu.freed == nil {
			p.mu.freed = make(chan struct{})
		}
		freed := p.mu.freed
		p.mu.Unlock()
		select {
		case <-freed:
		case <-p.srv.stop:
		}
	}
}

// setTimer has the pause end in time: cron ends it as well, but cron goes by real time. mu is held.
func (p *pause) setTimer(s *Server) {
	if p.mu.timer != nil {
		p.mu.timer.Stop()
		p.mu.timer = nil
	}
	if p.mu.until != 0 && !s.stopping() {
		p.mu.timer = s.clock.AfterFunc(clock.Wait(s.clock, p.mu.until-s.clock.NowMs()), func() { p.ring(s) })
	}
}

// ring is called when the pause should be over. It is not if the clock was set back meanwhile.
func (p *pause) ring(s *Server) {
	p.check(s)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.setTimer(s)
}

// close forgets the end of the pause. The server is ending.
func (p *pause) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.timer != nil {
		p.mu.timer.Stop()
	}
}
