package server

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/server/stats"
	"github.com/streampulse/pulse/store"
)

// lane is what it takes to run commands: one user at a time.
type lane struct {
	gate  *store.Gate
	tx    *store.Tx
	stats *stats.Loop
	meter meter
	out   []byte    // reply buffer, lent to the session that runs
	refs  resp.Refs // what belongs into its replies besides, until they are sent
	batch batch     // likewise

	session *session // that runs, nil between sessions and for those who have none

	taken atomic.Bool // of those of lanes: somebody has it
}

func newLane(s *Server) *lane { return newLaneBehind(s, s.store.NewGate()) }

func newLaneBehind(s *Server, g *store.Gate) *lane {
	l := &lane{gate: g, tx: s.store.NewTx(), stats: s.stats.NewLoop()}
	l.meter = meter{s, s.stats, l.stats}
	l.tx.User = l
	return l
}

// keepOut is the largest reply buffer a lane keeps between batches.
const keepOut = 512 << 10

// lanes are for those who are not on an event loop. They are made when they are needed, up to a number; after that one waits until a
// lane is free. To take the lane that one has had before costs a compare-and-swap.
//
// Who comes may go before those who wait: a queue in which everybody stands, once it is there, never ends, and makes each command a change
// of goroutines. Who was woken in vain too often is given the next lane that becomes free, and nobody goes before them.
type lanes struct {
	srv    *Server
	max    int
	all    atomic.Pointer[[]*lane]
	making sync.Mutex

	asleep   atomic.Int32  // who wait to be woken when a lane is free
	wake     chan struct{} // wakes one of them
	starving atomic.Int32  // who wait to be given one
	given    chan *lane    // to one of them; it stays taken
}

// maxWakes is how often one is woken in vain.
const maxWakes = 4

func (ls *lanes) init(s *Server) {
	ls.srv = s
	ls.max = 2 * runtime.GOMAXPROCS(0)
	ls.all.Store(new([]*lane))
	ls.wake = make(chan struct{}, 64)
	ls.given = make(chan *lane, ls.max)
}

// get takes a lane, last if that is free, which may be nil.
func (ls *lanes) get(last *lane) *lane {
	if ls.starving.Load() == 0 {
		if last != nil && last.taken.CompareAndSwap(false, true) {
			return last
		}
		if l := ls.find(); l != nil {
			return l
		}
	}
	for range maxWakes {
		ls.asleep.Add(1)
		l := ls.find() // one may have become free before we were counted
		if l == nil || !withdraw(&ls.asleep) {
			<-ls.wake // for us
		}
		if l == nil {
			l = ls.find()
		}
		if l != nil {
			return l
		}
	}
	ls.starving.Add(1)
	if l := ls.find(); l != nil {
		if withdraw(&ls.starving) {
			return l
		}
		ls.put(l) // another was given to us at that moment
	}
	return <-ls.given
}

// find takes any lane that is free, or a new one; nil if there is none.
func (ls *lanes) find() *lane {
	all := *ls.all.Load()
	for _, l := range all {
		if !l.taken.Load() && l.taken.CompareAndSwap(false, true) {
			return l
		}
	}
	if len(all) == ls.max {
		return nil
	}
	ls.making.Lock()
	defer ls.making.Unlock()
	if all = *ls.all.Load(); len(all) == ls.max {
		return nil
	}
	l := newLane(ls.srv)
	l.taken.Store(true)
	all = append(slices.Clip(all), l)
	ls.all.Store(&all)
	return l
}

// withdraw takes one from a number; it reports false if nothing is left of it.
func withdraw(number *atomic.Int32) bool {
	for n := number.Load(); n > 0; n = number.Load() {
		if number.CompareAndSwap(n, n-1) {
			return true
		}
	}
	return false
}

func (ls *lanes) put(l *lane) {
	for !withdraw(&ls.starving) {
		l.taken.Store(false)
		if withdraw(&ls.asleep) {
			ls.wake <- struct{}{} // there is somebody to take it
		}
		if ls.starving.Load() == 0 || !l.taken.CompareAndSwap(false, true) {
			return
		}
	}
	ls.given <- l // there is room for all lanes
}

// meter counts a lane's commands into the server's statistics.
type meter struct {
	srv *Server
	all *stats.Stats
	own *stats.Loop
}

var _ commands.Meter = (*meter)(nil)

func (m *meter) Command(id int, d time.Duration, failed bool) {
	m.own.Call(id, d, failed)
	if int64(d) >= m.srv.latency.limit.Load() {
		event := "command"
		if m.srv.table.Spec(id).Flags&commands.Fast != 0 {
			event = "fast-command"
		}
		m.srv.took(event, d)
	}
}

func (m *meter) Rejected(id int) { m.own.Reject(id) }

func (m *meter) ErrorReply(text string) {
	m.own.Add(stats.ErrorReplies, 1)
	if m.all.Error(text) {
		m.srv.tooManyErrors()
	}
}

func (m *meter) Lookups(hits, misses, expired int64) {
	if hits != 0 {
		m.own.Add(stats.KeyspaceHits, hits)
	}
	if misses != 0 {
		m.own.Add(stats.KeyspaceMisses, misses)
	}
	if expired != 0 {
		m.own.Add(stats.ExpiredKeys, expired)
	}
}
