package server

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/server/stats"
	"github.com/streampulse/pulse/store"
)

// clients is the registry of sessions.
type clients struct {
	mu struct {
		sync.Mutex
		byID  map[int64]*session
		slots int // connections admitted: those of byID and those on their way there
		next  int64
		empty chan struct{} // closed when byID becomes empty, if somebody waits
	}
}

func (cs *clients) init() { cs.mu.byID = make(map[int64]*session) }

// reserve takes one of limit places and returns the number of its client, 0 if all are taken. Clients are numbered in the
// order in which they were accepted.
func (cs *clients) reserve(limit int64) (id int64) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if int64(cs.mu.slots) >= limit {
		return 0
	}
	cs.mu.slots++
	cs.mu.next++
	return cs.mu.next
}

// release gives a place back that add was not called for, or in vain.
func (cs *clients) release() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.mu.slots--
}

// add puts a session that has a number and an owner into the registry. It reports false if the server is closing.
func (cs *clients) add(s *session) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	select {
	case <-s.srv.stop:
		return false
	default:
	}
	cs.mu.byID[s.conn.ID] = s
	s.srv.stats.Add(stats.Connections, 1)
	return true
}

func (cs *clients) remove(s *session) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.mu.slots--
	delete(cs.mu.byID, s.conn.ID)
	if len(cs.mu.byID) == 0 && cs.mu.empty != nil {
		close(cs.mu.empty)
		cs.mu.empty = nil
	}
}

func (cs *clients) count() int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.mu.byID)
}

// each calls f for a copy of the registry, in the order of the numbers.
func (cs *clients) each(f func(s *session)) {
	cs.mu.Lock()
	all := make([]*session, 0, len(cs.mu.byID))
	for _, s := range cs.mu.byID {
		all = append(all, s)
	}
	cs.mu.Unlock()
	slices.SortFunc(all, func(a, b *session) int { return cmp.Compare(a.conn.ID, b.conn.ID) })
	for _, s := range all {
		f(s)
	}
}

// waitEmpty waits until there are no sessions, at most for the given time.
func (cs *clients) waitEmpty(d time.Duration) {
	cs.mu.Lock()
	if len(cs.mu.byID) == 0 {
		cs.mu.Unlock()
		return
	}
	ch := make(chan struct{})
	cs.mu.empty = ch
	cs.mu.Unlock()
	select {
	case <-ch:
	case <-time.After(d):
	}
}

// pause is CLIENT PAUSE: until a time, requests wait.
type pause struct {
	on atomic.Bool // until is not 0; commands ask this first
	mu struct {
		sync.RWMutex
		until   int64 // Unix milliseconds; 0: no pause
		all     bool
		timer   clock.Timer // ends it (rest.go)
		waiting map[*session]struct{}
	}
}

// Pause implements commands.Clients. A pause that is in force already is made longer or stricter, never the contrary.
func (s env) Pause(until int64, all bool) {
	p := &s.pause
	p.mu.Lock()
	if until != 0 && p.mu.until > s.clock.NowMs() {
		until, all = max(until, p.mu.until), all || p.mu.all
	}
	p.mu.until, p.mu.all = until, all
	p.setTimer(s.Server)
	p.on.Store(until != 0)
	s.store.Freeze(until)
	p.mu.Unlock()
	p.check(s.Server)
}

// Paused implements commands.Clients.
func (s env) Paused(write bool) bool {
	p := &s.pause
	if write && s.files.exiting.Load() {
		return true
	}
	if !p.on.Load() {
		return false
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.mu.until != 0 && (write || p.mu.all) && s.clock.NowMs() < p.mu.until
}

// add notes a session whose request waits.
func (p *pause) add(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.waiting == nil {
		p.mu.waiting = make(map[*session]struct{})
	}
	p.mu.waiting[s] = struct{}{}
}

func (p *pause) remove(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.mu.waiting, s)
}

// check lets everybody go on if the pause is over.
func (p *pause) check(srv *Server) {
	p.mu.Lock()
	if p.mu.until > srv.clock.NowMs() {
		p.mu.Unlock()
		return
	}
	p.mu.until = 0
	p.on.Store(false)
	srv.store.Freeze(0)
	waiting := p.mu.waiting
	p.mu.waiting = nil
	p.mu.Unlock()
	for s := range waiting {
		s.post(note{kind: noteResume})
	}
}

// EachClient implements commands.Clients.
func (s env) EachClient(f func(c *commands.Conn)) {
	s.busyGate.Lock()
	defer s.busyGate.Unlock()
	s.clients.each(func(c *session) {
		if !c.condemned {
			f(&c.conn)
		}
	})
}

// CloseClient implements commands.Clients.
func (s env) CloseClient(c *commands.Conn) {
	cl := c.Session.(*session)
	cl.condemned = true
	cl.post(note{kind: noteClose})
}

// ClientBuffers implements commands.Clients.
func (s env) ClientBuffers(c *commands.Conn) (b commands.Buffers) {
	cl := c.Session.(*session)
	b.Query, b.QueryFree = cl.unused(), cap(cl.in)-cl.unused()
	if t, ok := (*cl.owner.Load()).(*stream); ok {
		b.OutputList = t.unsentBytes()
	}
	b.Output = cl.conn.Out.Len()
	b.Total = cl.weight(cap(cl.in)) + b.OutputList
	return b
}

// Deliver implements commands.Env. A client on the loop that serves it is let go on when the command under way is done,
// without another turn of the loop.
func (s env) Deliver(by *store.Tx, c *commands.Conn, reply []byte) {
	cl := c.Session.(*session)
	s.resting.leaves()
	if !cl.box.put(note{kind: noteReply, bytes: reply, late: cl.takeLate()}) {
		return
	}
	o := *cl.owner.Load()
	if p, ok := o.(*place); ok && p.loop.lane.tx == by {
		p.loop.dirty = append(p.loop.dirty, cl)
		return
	}
	o.knock(cl)
}
