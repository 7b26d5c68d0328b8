package server

import (
	"context"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/panjf2000/gnet/v2"
	"github.com/panjf2000/gnet/v2/pkg/logging"
	"golang.org/x/sys/unix"
)

// loops are the event loops. gnet polls and reads; accepting is our own (listen.go), because gnet's acceptor ends the
// whole engine when descriptors run out, and writing is too, because gnet buffers what a slow client does not read
// without telling when it has drained.
type loops struct {
	gnet.BuiltinEventEngine
	srv    *Server
	client *gnet.Client
	mu     struct {
		sync.Mutex
		byLoop map[gnet.EventLoop]*loop
		closed bool
	}
}

// loop is one event loop.
type loop struct {
	lane *lane
	el   gnet.EventLoop

	mu struct {
		sync.Mutex
		tasks   []func()
		running bool // a run is scheduled
	}
	dirty []*session // sessions with something in their mailbox, while tasks run
}

// place is where a session of a loop lives: its loop and its socket.
type place struct {
	loop *loop
	gc   gnet.Conn
}

func startLoops(srv *Server, n int) (*loops, error) {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	ls := &loops{srv: srv}
	ls.mu.byLoop = make(map[gnet.EventLoop]*loop)
	var err error
	ls.client, err = gnet.NewClient(ls,
		gnet.WithNumEventLoop(n),
		gnet.WithTCPNoDelay(gnet.TCPNoDelay),
		gnet.WithLogger(silent{}),
		gnet.WithLogLevel(logging.FatalLevel))
	if err != nil {
		return nil, err
	}
	return ls, ls.client.Start()
}

// add gives a connection to the loop with the fewest, and returns once the loop has it; but it waits no longer than it
// takes a loop that is not in the middle of a long command, so that a busy loop does not keep others from being served.
// fail is called if it did not work.
func (ls *loops) add(s *session, nc net.Conn, fail func(error)) {
	ls.srv.entry.Add(1)
	done := make(chan struct{})
	go func() {
		defer ls.srv.entry.Done()
		defer close(done)
		if _, err := ls.client.EnrollContext(nc, s); err != nil {
			fail(err)
		}
	}()
	patience := time.NewTimer(time.Millisecond)
	defer patience.Stop()
	select {
	case <-done:
	case <-patience.C:
	}
}

func (ls *loops) close() {
	ls.mu.Lock()
	ls.mu.closed = true
	all := make([]*loop, 0, len(ls.mu.byLoop))
	for _, l := range ls.mu.byLoop {
		all = append(all, l)
	}
	ls.mu.Unlock()
	// The notes that close the sessions are behind us in the queues of the loops.
	var wg sync.WaitGroup
	for _, l := range all {
		wg.Add(1)
		l.post(wg.Done)
	}
	wg.Wait()
	_ = ls.client.Stop()
}

func (ls *loops) loopOf(el gnet.EventLoop) *loop {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.mu.byLoop[el]
	if l == nil {
		l = &loop{lane: newLane(ls.srv), el: el}
		ls.mu.byLoop[el] = l
	}
	return l
}

// OnOpen implements gnet.EventHandler.
func (ls *loops) OnOpen(gc gnet.Conn) ([]byte, gnet.Action) {
	s, ok := gc.Context().(*session)
	if !ok {
		return nil, gnet.Close
	}
	p := &place{loop: ls.loopOf(gc.EventLoop()), gc: gc}
	s.conn.FD = gc.Fd()
	var o owner = p
	s.owner.Store(&o)
	if !ls.srv.clients.add(s) {
		s.gone = true
		ls.srv.clients.release()
		return nil, gnet.Close
	}
	return nil, gnet.None
}

// OnTraffic implements gnet.EventHandler.
func (ls *loops) OnTraffic(gc gnet.Conn) gnet.Action {
	s, ok := gc.Context().(*session)
	if !ok {
		return gnet.Close
	}
	data, _ := gc.Next(-1)
	return (*s.owner.Load()).(*place).feed(s, data)
}

// OnClose implements gnet.EventHandler.
func (ls *loops) OnClose(gc gnet.Conn, _ error) gnet.Action {
	if s, ok := gc.Context().(*session); ok {
		s.end((*s.owner.Load()).(*place).loop.lane)
	}
	return gnet.None
}

// hogTime is how long a session may keep its loop busy with input that has come before.
const hogTime = 20 * time.Millisecond

// feed lets the session work and writes what it answers. A socket that does not take all of it moves to a stream, and so
// does a session with so much to do that its neighbours on the loop would notice.
func (p *place) feed(s *session, data []byte) gnet.Action {
	var start time.Duration
	for {
		out, more := s.handle(p.loop.lane, data)
		data = nil
		if n := p.write(out); n < len(out) {
			if n < 0 {
				return gnet.Close
			}
			return p.move(s, out[n:])
		}
		if s.conn.Closing {
			return gnet.Close
		}
		if !more {
			return gnet.None
		}
		if now := s.srv.clock.Mono(); start == 0 {
			start = now
		} else if now-start > hogTime {
			return p.move(s, nil)
		}
	}
}

// write returns how many bytes the socket took, -1 if it is broken.
func (p *place) write(b []byte) int {
	done := 0
	for done < len(b) {
		n, err := unix.Write(p.gc.Fd(), b[done:])
		switch err {
		case nil:
			done += n
		case unix.EINTR:
		case unix.EAGAIN:
			return done
		default:
			return -1
		}
	}
	return done
}

// move hands the session with its socket to a stream, which sends unsent first. gnet's own descriptor is closed.
func (p *place) move(s *session, unsent []byte) gnet.Action {
	fd, err := unix.FcntlInt(uintptr(p.gc.Fd()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return gnet.Close
	}
	f := os.NewFile(uintptr(fd), "client")
	nc, err := net.FileConn(f)
	_ = f.Close()
	if err != nil {
		return gnet.Close
	}
	p.gc.SetContext(nil)
	newStream(s, nc, append([]byte(nil), unsent...)).start(s)
	return gnet.Close
}

// knock implements owner.
func (p *place) knock(s *session) {
	p.loop.post(func() { p.loop.dirty = append(p.loop.dirty, s) })
}

// post has f run on the loop, after what it is doing.
func (l *loop) post(f func()) {
	l.mu.Lock()
	l.mu.tasks = append(l.mu.tasks, f)
	wake := !l.mu.running
	l.mu.running = true
	l.mu.Unlock()
	if wake {
		_ = l.el.Execute(context.Background(), l)
	}
}

// Post implements pubsub.Loop.
func (l *loop) Post(f func()) { l.post(f) }

// Run implements gnet.Runnable: it runs the tasks, then lets the sessions that were touched work.
func (l *loop) Run(context.Context) error {
	l.mu.Lock()
	tasks := l.mu.tasks
	l.mu.tasks, l.mu.running = nil, false
	l.mu.Unlock()
	for _, f := range tasks {
		f()
	}
	dirty := l.dirty
	l.dirty = nil
	for _, s := range dirty {
		p, ok := (*s.owner.Load()).(*place)
		if !ok {
			(*s.owner.Load()).knock(s) // moved meanwhile: its fields are not ours any more
			continue
		}
		if s.gone {
			continue
		}
		if p.feed(s, nil) == gnet.Close {
			_ = l.el.Close(p.gc)
		}
	}
	return nil
}

// silent drops gnet's log; what matters to an operator is logged by us.
type silent struct{}

func (silent) Debugf(string, ...any) {}
func (silent) Infof(string, ...any)  {}
func (silent) Warnf(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}
