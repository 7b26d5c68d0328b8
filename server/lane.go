package server

import (
	"runtime"
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
}

func newLane(s *Server) *lane {
	l := &lane{gate: s.store.NewGate(), tx: s.store.NewTx(), stats: s.stats.NewLoop()}
	l.meter = meter{s, s.stats, l.stats}
	l.tx.User = l
	return l
}

// keepOut is the largest reply buffer a lane keeps between batches.
const keepOut = 512 << 10

// lanes are for those who are not on an event loop. They are made when they are needed, up to a number.
type lanes struct {
	srv  *Server
	free chan *lane
	made atomic.Int32
}

func (ls *lanes) init(s *Server) {
	ls.srv = s
	ls.free = make(chan *lane, 2*runtime.GOMAXPROCS(0))
}

func (ls *lanes) get() *lane {
	select {
	case l := <-ls.free:
		return l
	default:
	}
	if int(ls.made.Load()) < cap(ls.free) {
		if int(ls.made.Add(1)) <= cap(ls.free) {
			return newLane(ls.srv)
		}
		ls.made.Add(-1)
	}
	return <-ls.free
}

func (ls *lanes) put(l *lane) { ls.free <- l }

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
