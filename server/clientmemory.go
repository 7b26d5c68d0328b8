package server

import (
	"cmp"
	"math"
	"math/bits"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/streampulse/pulse/server/stats"
)

// maxmemory-clients bounds what all clients take: their buffers, what they have queued, watch, listen to and track by prefix. Beyond it the largest are closed: those of one power of two
// are as good as equal, so that a little more or less does not decide. Whoever finds the limit exceeded chooses; each client
// is closed by its owner, without regard to what it has not been sent.

// clientLimit is the limit in force.
type clientLimit struct {
	bytes atomic.Int64 // MaxInt64: none
	next  atomic.Int64 // monotonic: no look at all clients before
	mu    sync.Mutex   // of those who choose
}

// betweenLooks is how often all clients are looked at, at most: those who were chosen need a while to go, and there may be
// nobody to choose.
const betweenLooks = time.Millisecond

// weighed is what a session counts for.
type weighed struct {
	bytes     atomic.Int64 // of its buffers
	exempt    atomic.Bool  // CLIENT NO-EVICT
	doomed    atomic.Bool  // chosen
	sheltered bool         // exempt, as the owner knows it
}

func (s *Server) initClientLimit() {
	limit, all := s.cfg.Int("maxmemory-clients"), s.cfg.Int("maxmemory")
	apply := func() {
		n := limit.Load()
		if n < 0 { // a percentage of maxmemory
			n = int64(float64(all.Load()) * float64(-n) / 100)
		}
		if n <= 0 {
			n = math.MaxInt64
		}
		s.memory.limit.bytes.Store(n)
		s.evictClients()
	}
	apply()
	s.cfg.OnChange("maxmemory-clients", apply)
	s.cfg.OnChange("maxmemory", apply)
}

// evictClients closes clients if together they take more than they may, unless somebody has just seen to that.
func (s *Server) evictClients() {
	l := &s.memory.limit
	now := int64(s.clock.Mono())
	if !s.crowdedByClients() || now < l.next.Load() || !l.mu.TryLock() {
		return
	}
	l.next.Store(now + int64(betweenLooks))
	s.chooseClients()
	l.mu.Unlock()
}

// chooseClients is evictClients with the limit's mu held.
func (s *Server) chooseClients() {
	excess := s.memory.clients.Load() - s.memory.limit.bytes.Load()
	type candidate struct {
		session *session
		bytes   int64
	}
	var all []candidate
	s.clients.each(func(c *session) {
		n := c.weighed.bytes.Load()
		switch {
		case c.weighed.doomed.Load():
			excess -= n // on its way out
		case !c.weighed.exempt.Load():
			all = append(all, candidate{c, n})
		}
	})
	slices.SortStableFunc(all, func(a, b candidate) int {
		return cmp.Compare(bits.Len64(uint64(b.bytes)), bits.Len64(uint64(a.bytes)))
	})
	for _, c := range all {
		if excess <= 0 {
			return
		}
		excess -= c.bytes
		c.session.weighed.doomed.Store(true)
		c.session.post(note{kind: noteEvict})
	}
}

// heavyRequest is the size from which on a request is weighed before it runs, in bytes. Smaller ones are gone when clients are weighed.
const heavyRequest = 32 << 10

// outweighs reports whether clients take more than they may while a request of this one is held, and this one has been chosen to go.
func (s *session) outweighs(r *request) bool {
	l := &s.srv.memory.limit
	if l.bytes.Load() == math.MaxInt64 {
		return false
	}
	s.account(max(cap(s.in), r.size))
	s.shelter()
	if !s.srv.crowdedByClients() {
		return false
	}
	l.mu.Lock()
	s.srv.chooseClients()
	l.mu.Unlock()
	if s.weighed.doomed.Load() {
		s.evict()
	}
	return s.conn.Closing
}

// evict closes the client, unless it has asked to be spared meanwhile.
func (s *session) evict() {
	c := &s.conn
	if c.Closing && s.killed {
		return // it was outweighed, too
	}
	if c.NoEvict {
		s.weighed.doomed.Store(false)
		return
	}
	s.srv.log.Noticef("Evicting client: id=%d addr=%s laddr=%s fd=%d name=%s db=%d multi-mem=%d qbuf=%d tot-mem=%d user=%s",
		c.ID, c.Addr, c.LAddr, c.FD, c.Name, c.DB, c.QueuedBytes(), s.unused(), s.weighed.bytes.Load(), c.User)
	s.srv.stats.Add(stats.EvictedClients, 1)
	c.Closing, s.killed = true, true
	if t, ok := (*s.owner.Load()).(*stream); ok {
		t.mu.Lock()
		t.giveUp()
		t.mu.Unlock()
	}
}

// weigh follows a change of the session's buffers by d bytes.
func (s *session) weigh(d int64) {
	s.weighed.bytes.Add(d)
	s.srv.holds(d)
}

// shelter lets those who choose know whether the client is to be spared.
func (s *session) shelter() {
	if w := &s.weighed; w.sheltered != s.conn.NoEvict {
		w.sheltered = s.conn.NoEvict
		w.exempt.Store(w.sheltered)
	}
}

// crowdedByClients is a look at the limit, after each batch.
func (s *Server) crowdedByClients() bool {
	return s.memory.clients.Load() > s.memory.limit.bytes.Load()
}

// descriptor is the number of a connection's descriptor, -1 if it has none.
func descriptor(nc net.Conn) int {
	n := -1
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { n = int(fd) }) // it stays -1
		}
	}
	return n
}
