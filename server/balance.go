package server

import (
	"net"
	"sync"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// loops are the event loops, at most io-threads of them. Connections gather on as few as keep up: a loop that finds several
// sockets ready needs fewer system calls for each, and clients of one loop meet without crossing processors. A further
// loop is used when one is busy nearly all the time while the machine has processor time to spare; it is then given
// about half of the work.
type loops struct {
	srv *Server
	max int
	mu  struct {
		sync.Mutex
		all    []*loop // those started
		frozen bool    // no session moves between loops any more
		closed bool
	}
	lastLook time.Duration // when the balance was looked at last
	lastIdle time.Duration // processor time the machine had idled then
}

const (
	// enrollShare is the busy share of a loop up to which it is given new connections before others are.
	enrollShare = 0.5
	// hotShare is the share above which a loop sheds work, if it is seen hotLooks times in a row.
	hotShare = 0.85
	hotLooks = 2
	// spare is how much idle processor time, per second, there must be for another loop to use.
	spare = 0.3
)

func newLoops(srv *Server, n int) *loops { return &loops{srv: srv, max: max(n, 1)} }

// start starts one more loop.
func (ls *loops) start() (*loop, error) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.startOne()
}

// startOne is start with mu held.
func (ls *loops) startOne() (*loop, error) {
	if ls.mu.closed {
		return nil, net.ErrClosed
	}
	l, err := startLoop(ls.srv, len(ls.mu.all))
	if err == nil {
		ls.mu.all = append(ls.mu.all, l)
	}
	return l, err
}

// choose returns the loop for a new connection: the first that has time for it, else the least busy. The first connection
// starts the first loop, so that a server without any has none.
func (ls *loops) choose() (*loop, error) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if len(ls.mu.all) == 0 {
		return ls.startOne()
	}
	best := ls.mu.all[0]
	for _, l := range ls.mu.all {
		if l.share < enrollShare {
			return l, nil
		}
		if l.share < best.share {
			best = l
		}
	}
	return best, nil
}

// add gives a connection to a loop, and returns once the loop has it; but it waits no longer than it takes a loop that is not
// in the middle of a long command, so that a busy loop does not keep others from being served. fail is called if it did
// not work.
func (ls *loops) add(s *session, nc net.Conn, fail func(error)) {
	ls.srv.entry.Add(1)
	done := make(chan struct{})
	go func() {
		defer ls.srv.entry.Done()
		defer close(done)
		l, err := ls.choose()
		if err == nil {
			err = l.enroll(s, nc)
		} else {
			_ = nc.Close()
		}
		if err != nil {
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
	all := ls.mu.all
	ls.mu.Unlock()
	for _, l := range all {
		l.close()
	}
}

// freeze ends the moving of sessions between loops; those on their way count in the server's entry.
func (ls *loops) freeze() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.mu.frozen = true
}

// mayMove counts a session that is about to move, unless loops are frozen.
func (ls *loops) mayMove() bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if !ls.mu.frozen {
		ls.srv.entry.Add(1)
	}
	return !ls.mu.frozen
}

// balance looks at the shares of the loops since it looked last, and moves work if that helps. cron calls it.
func (ls *loops) balance() {
	now, idle := ls.srv.clock.Mono(), processorIdle()
	window := now - ls.lastLook
	if window <= 0 {
		return
	}
	hasSpare := (idle - ls.lastIdle).Seconds() >= spare*window.Seconds()
	ls.lastLook, ls.lastIdle = now, idle
	var hottest, coolest *loop
	ls.mu.Lock()
	for _, l := range ls.mu.all {
		l.share = float64(l.busy.Swap(0)) / float64(window)
		if l.share < hotShare {
			l.hot = 0
		} else {
			l.hot++
		}
		if l.hot >= hotLooks && l.count.Load() > 1 && (hottest == nil || l.share > hottest.share) {
			hottest = l
		}
		if coolest == nil || l.share < coolest.share {
			coolest = l
		}
	}
	more := len(ls.mu.all) < ls.max
	ls.mu.Unlock()
	if hottest == nil || !hasSpare {
		return
	}
	if coolest.share > hottest.share/2 {
		if !more {
			return
		}
		l, err := ls.start()
		if err != nil {
			return
		}
		coolest = l
	}
	hottest.hot = 0
	hottest.post(func() { hottest.shed(coolest) })
}

// shed gives about half of the loop's work to another. It runs on the loop.
func (l *loop) shed(to *loop) {
	l.flush()
	var total, given time.Duration
	for s := range l.sessions {
		total += s.work
	}
	for s := range l.sessions {
		work := s.work
		s.work = 0 // once sent, it is the other loop's
		if work > 0 && 2*(given+work) <= total && !s.waiting && !s.gone && !s.conn.Closing {
			given += work
			l.send(s, to)
		}
	}
}

// transit owns a session on its way between loops: nobody runs it.
type transit struct{}

// knock implements owner: the loop at the end of the way looks into the mailbox.
func (transit) knock(*session) {}

// send moves a session to another loop. One whose connection has broken stays: what has come in before is read here, and gnet takes no
// socket without a peer.
func (l *loop) send(s *session, to *loop) {
	srv := l.srv
	if !srv.loops.mayMove() {
		return
	}
	p := (*s.owner.Load()).(*place)
	nc := p.socket()
	if nc == nil || nc.RemoteAddr() == nil {
		if nc != nil {
			_ = nc.Close()
		}
		srv.entry.Done()
		return
	}
	p.detach(s)
	var o owner = transit{}
	s.owner.Store(&o)
	go func() {
		defer srv.entry.Done()
		if err := to.enroll(s, nc); err != nil {
			lane := srv.lanes.get(nil)
			s.end(lane)
			srv.lanes.put(lane)
		}
	}()
	_ = p.gc.EventLoop().Close(p.gc)
}

var _ gnet.EventHandler = (*loop)(nil)
