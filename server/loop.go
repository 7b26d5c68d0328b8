package server

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/panjf2000/gnet/v2"
	"github.com/panjf2000/gnet/v2/pkg/logging"
)

// loop is one event loop. gnet polls and reads; accepting is our own (listen.go), because gnet's acceptor ends the whole
// engine when descriptors run out, and writing is too, because gnet buffers what a slow client does not read without telling
// when it has drained. Each loop is a gnet.Client of its own, so that we say which loop a connection goes to (balance.go).
type loop struct {
	gnet.BuiltinEventEngine
	srv    *Server
	index  int
	lane   *lane
	client *gnet.Client

	busy  atomic.Int64 // nanoseconds spent on sessions since the balance was looked at last
	share float64      // of the time before that; the balance's
	hot   int          // looks in a row at which the share was too high; the balance's
	count atomic.Int64 // sessions

	mu struct {
		sync.Mutex
		el      gnet.EventLoop // nil until the first connection
		tasks   []func()
		running bool // a run is scheduled
	}

	// The loop's own.
	dirty    []*session // sessions with something in their mailbox, until settle
	held     held
	keeping  []*session // sessions with replies that wait for the disk
	due      bool       // commit is to be called
	awaits   bool       // it will be told when they may be due
	sessions map[*session]struct{}
}

// place is where a session of a loop lives: its loop and its socket.
type place struct {
	loop *loop
	gc   gnet.Conn
	left bool // the session lives here no more
	late bool // its last turn took longer than slowTime
}

// startLoop starts an event loop.
func startLoop(srv *Server, index int) (*loop, error) {
	l := &loop{srv: srv, index: index, lane: newLane(srv), sessions: make(map[*session]struct{})}
	var err error
	l.client, err = gnet.NewClient(l,
		gnet.WithNumEventLoop(1),
		gnet.WithTCPNoDelay(gnet.TCPDelay), // package net has set it on what it accepted
		gnet.WithLogger(silent{}),
		gnet.WithLogLevel(logging.FatalLevel))
	if err != nil {
		return nil, err
	}
	return l, l.client.Start()
}

// enroll gives a connection to the loop, and returns when the loop has it. nc is used up, whatever happens.
func (l *loop) enroll(s *session, nc net.Conn) error {
	l.count.Add(1)
	_, err := l.client.EnrollContext(nc, s)
	if err != nil {
		l.count.Add(-1)
	}
	return err
}

// close ends the loop after what it has been told to do.
func (l *loop) close() {
	l.mu.Lock()
	started := l.mu.el != nil
	l.mu.Unlock()
	if started {
		done := make(chan struct{})
		l.post(func() { close(done) })
		<-done
	}
	_ = l.client.Stop()
}

// OnOpen implements gnet.EventHandler. The session is new, or comes from another loop.
func (l *loop) OnOpen(gc gnet.Conn) ([]byte, gnet.Action) {
	s, ok := gc.Context().(*session)
	if !ok {
		return nil, gnet.Close
	}
	l.mu.Lock()
	l.mu.el = gc.EventLoop()
	l.mu.Unlock()
	p := &place{loop: l, gc: gc}
	busy := l.srv.enter(l.lane) // CLIENT LIST of another session may look at one that moves
	s.conn.FD = gc.Fd()
	l.srv.leave(l.lane, busy)
	var o owner = p
	moved := s.owner.Swap(&o) != nil
	l.sessions[s] = struct{}{}
	if moved {
		// Input may wait in the session, and notes in its mailbox.
		action := p.feed(s, nil)
		l.settle()
		return nil, action
	}
	if !l.srv.clients.add(s) {
		s.gone = true
		l.srv.clients.release()
		return nil, gnet.Close
	}
	return nil, gnet.None
}

// leave forgets a session.
func (l *loop) leave(s *session) {
	delete(l.sessions, s)
	l.count.Add(-1)
}

// OnTraffic implements gnet.EventHandler.
func (l *loop) OnTraffic(gc gnet.Conn) gnet.Action {
	s, ok := gc.Context().(*session)
	if !ok {
		return gnet.Close
	}
	data, _ := gc.Next(-1)
	action := (*s.owner.Load()).(*place).feed(s, data)
	if len(l.dirty) > 0 {
		l.settle()
	}
	return action
}

// OnClose implements gnet.EventHandler.
func (l *loop) OnClose(gc gnet.Conn, _ error) gnet.Action {
	s, ok := gc.Context().(*session)
	if !ok {
		return gnet.None
	}
	p := (*s.owner.Load()).(*place)
	l.flush() // the last replies, while there is a socket
	if p.left {
		return gnet.None // the socket was full: a stream has the session now
	}
	p.left = true
	l.leave(s)
	s.end(l.lane)
	return gnet.None
}

// hogTime is how long a session may keep its loop busy with input that has come before.
const hogTime = 20 * time.Millisecond

// slowTime is how long a session's commands may take at one go. What a session that takes longer twice in a row, or once much longer, sends next
// is no longer the loop's business: a client of slow commands stalls its neighbours once or twice, not for ever. Once is not enough, because on a
// busy machine a loop is made to wait for a processor now and then: one by one, all sessions would leave it.
const (
	slowTime     = 30 * time.Millisecond
	verySlowTime = 4 * slowTime
)

// feed lets the session work and writes what it answers. A socket that does not take all of it moves to a stream, and so
// does a session with so much to do that its neighbours on the loop would notice.
func (p *place) feed(s *session, data []byte) gnet.Action {
	if s.slow && len(data) > 0 {
		busy := p.loop.srv.enter(p.loop.lane) // CLIENT LIST of another session may look at what has come
		s.in = append(s.in, data...)          // before flush: if its socket is full, a stream has the session from then on
		p.loop.srv.leave(p.loop.lane, busy)
		p.loop.flush()
		if p.left {
			return gnet.None
		}
		return p.move(s, output{})
	}
	start := s.srv.clock.Mono()
	defer func() {
		end := s.srv.clock.Mono()
		p.loop.busy.Add(int64(end - start))
		p.loop.lane.stats.Turn(end - start)
		p.loop.held.last = end
		if !p.left {
			s.work += end - start
			took := end - start
			s.slow = took > verySlowTime || took > slowTime && p.late
			p.late = took > slowTime
		}
	}()
	for turn := 0; ; turn++ {
		out, more := s.handle(p.loop.lane, data)
		data = nil
		if !more && !s.conn.Closing && s.export == nil && !p.loop.lane.refs.Any() && p.loop.hold(p, s, out, start) {
			return gnet.None
		}
		refs := &p.loop.lane.refs
		p.loop.flushBefore(p, out, refs)
		if p.left {
			refs.Drop()
			return gnet.None // its socket was full, and a stream has out, or broken
		}
		if refs.Any() {
			rest, ok := p.writeLent(out, refs)
			if !ok {
				return gnet.Close
			}
			if rest.bytes > 0 {
				return p.move(s, rest)
			}
		} else if n := p.write(out); n < len(out) {
			if n < 0 {
				return gnet.Close
			}
			return p.move(s, owned(ownUnsent(out, n)))
		}
		if s.conn.Closing {
			return gnet.Close
		}
		if s.export != nil {
			return p.move(s, output{})
		}
		if !more {
			return gnet.None
		}
		if turn > 0 && s.srv.clock.Mono()-start > hogTime {
			return p.move(s, output{})
		}
	}
}

// write returns how many bytes the socket took, -1 if it is broken.
func (p *place) write(b []byte) int {
	done := 0
	for done < len(b) {
		n, err := writeSocket(p.gc.Fd(), b[done:])
		switch err {
		case nil:
			done += n
		case syscall.EINTR:
		case syscall.EAGAIN:
			return done
		default:
			return -1
		}
	}
	return done
}

// move hands the session with its socket to a stream, which sends unsent first and has its memory from then on. gnet's own descriptor
// is closed.
func (p *place) move(s *session, unsent output) gnet.Action {
	if nc := p.socket(); nc != nil {
		p.detach(s)
		newStream(s, nc, unsent).start(s)
	} else {
		unsent.drop()
	}
	return gnet.Close
}

// ownUnsent is what follows the first n bytes of replies that handle has returned, in memory that is nobody else's. Where they are
// too many for a lane or a session to keep their memory, it is that already: large values are not copied twice while the loop stands still.
func ownUnsent(out []byte, n int) []byte {
	if cap(out) > max(keepOut, keepKept) {
		return out[n:]
	}
	return append([]byte(nil), out[n:]...)
}

// socket returns the session's socket on another descriptor, nil if there is none to be had.
func (p *place) socket() net.Conn {
	f, err := duplicate(p.gc.Fd())
	if err != nil {
		return nil
	}
	nc, err := net.FileConn(f)
	_ = f.Close()
	if err != nil {
		return nil
	}
	if tcp, ok := nc.(*net.TCPConn); ok {
		p.loop.srv.keepAlive(tcp) // package net has put its own in place
	}
	return nc
}

// detach takes the session off the loop. gnet's descriptor is for the caller to close.
func (p *place) detach(s *session) {
	p.gc.SetContext(nil)
	p.left = true
	p.loop.leave(s)
}

// knock implements owner.
func (p *place) knock(s *session) {
	p.loop.post(func() { p.loop.dirty = append(p.loop.dirty, s) })
}

// post has f, if it is not nil, run on the loop, after what it is doing, and held replies sent.
func (l *loop) post(f func()) {
	l.mu.Lock()
	if f != nil {
		l.mu.tasks = append(l.mu.tasks, f)
	}
	wake, el := !l.mu.running, l.mu.el
	l.mu.running = true
	l.mu.Unlock()
	if wake {
		_ = el.Execute(context.Background(), l)
	}
}

// Post implements pubsub.Loop.
func (l *loop) Post(f func()) {
	l.srv.resting.leaves()
	l.post(f)
}

// Run implements gnet.Runnable: it runs the tasks, then lets the sessions that were touched work.
func (l *loop) Run(context.Context) error {
	l.mu.Lock()
	tasks := l.mu.tasks
	l.mu.tasks, l.mu.running = nil, false
	l.mu.Unlock()
	for _, f := range tasks {
		f()
	}
	l.commit()
	l.settle()
	return nil
}

// settle lets the sessions work that have something in their mailbox, then sends what is held.
func (l *loop) settle() {
	l.held.always = true
	for len(l.dirty) > 0 {
		dirty := l.dirty
		l.dirty = nil
		for _, s := range dirty {
			p, ok := (*s.owner.Load()).(*place)
			if !ok || p.loop != l {
				(*s.owner.Load()).knock(s) // moved meanwhile: its fields are not ours any more
				continue
			}
			if s.ended {
				s.end(l.lane)
			}
			if s.gone || p.left {
				continue
			}
			if p.feed(s, nil) == gnet.Close {
				_ = p.gc.EventLoop().Close(p.gc)
			}
		}
	}
	l.held.always = false
	l.flush()
}

// silent drops gnet's log; what matters to an operator is logged by us.
type silent struct{}

func (silent) Debugf(string, ...any) {}
func (silent) Infof(string, ...any)  {}
func (silent) Warnf(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}
