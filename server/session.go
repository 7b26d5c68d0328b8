package server

import (
	"bytes"
	"net"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/server/pubsub"
	"github.com/streampulse/pulse/server/stats"
)

// session is one client: a parser, the state of the command language, and whatever input could not be used yet. It
// knows no transport. All fields belong to its owner unless they say otherwise.
type session struct {
	srv  *Server
	conn commands.Conn
	rd   resp.Reader
	lim  resp.Limits
	in   []byte // input; what lies before at is used
	at   int

	box     mailbox               // anybody's
	subs    *pubsub.Client        // nil until it subscribes (broker.go)
	tracked *tracked              // nil until it tracks (tracked.go)
	local   *Conn                 // that it belongs to, nil if it is fed bytes (embed_conn.go)
	owner   atomic.Pointer[owner] // from loop to loop, and from a loop to a stream for good
	work    time.Duration         // spent on it by its loop since the loop shed work last

	newFD   int // of its socket, if it has moved
	weighed weighed
	charged int64 // bytes of its buffers, as the server knows them

	delayed *delayed // the request that waits because Options.Intercept wants that
	front   Front    // nil, which is usual, or the connection

	kept keptReplies // replies that wait for the disk (durable.go)

	wrote placeInLog // behind what it has written before the input being handled (diskmark.go)

	last      bool        // to be closed when kept replies are sent
	waiting   bool        // a command waits for its keys
	slow      bool        // it kept its loop busy for too long
	hold      bool        // too much output waits: no input is worked on
	killed    bool        // closing because others want it
	condemned bool        // CLIENT KILL has told it to close: it is not listed any more; of those who run alone
	gone      bool        // closed; nothing must be done any more
	away      bool        // run by a lane of its own (detach.go)
	back      atomic.Bool // away is over; set by that lane
	overrun   bool        // more input came while it was away than may wait
	ended     bool        // closed while it was away
	errand    func(l commands.Lane) []byte
	export    *export // to be sent next, by a stream (export.go)
	busy      bool    // of the input being handled: an exclusive operation takes too long, and nothing waits for it
	overSoft  time.Duration

	hardOutput int64    // bytes of replies that it may have at once, 0 for any number; of the input being handled
	running    *request // the one that was begun last, for the report of a crash
}

// owner runs a session.
type owner interface {
	// knock makes the owner look into the session's mailbox soon. Anybody may call it.
	knock(s *session)
}

const (
	// flushAt is how many bytes of replies a session makes before they are offered to the socket.
	flushAt = 256 << 10
	// slice is how long a session works before it lets go of the gate for those who want to close it.
	slice = 2 * time.Millisecond
	// unauthQuery bounds the input held for a client that has not authenticated.
	unauthQuery = 1 << 20
	// keepIn is the largest input buffer kept while it is empty.
	keepIn = 32 << 10
)

func newSession(srv *Server, nc net.Conn) *session {
	s := new(session)
	s.begin(srv, nc.RemoteAddr().String(), nc.LocalAddr().String())
	c := &s.conn
	s.front, _ = nc.(Front)
	if _, unix := nc.(*net.UnixConn); unix {
		c.Unix = true
		c.Addr, c.LAddr = c.LAddr+":0", c.LAddr+":0"
	}
	return s
}

// begin makes the zero session that of a client which nobody knows yet.
func (s *session) begin(srv *Server, addr, laddr string) {
	s.srv = srv
	c := &s.conn
	c.Env, c.Session = env{srv}, s
	if srv.hook != nil {
		c.Intercept = s.intercept
	}
	c.As(srv.users.DefaultUser())
	c.Created = srv.clock.Mono()
	c.LastActive = c.Created
	c.Authenticated = !srv.users.MustLogin()
	c.Addr, c.LAddr = addr, laddr
}

// post leaves a note for the session's owner.
func (s *session) post(n note) {
	s.srv.resting.leaves()
	if s.box.put(n) {
		(*s.owner.Load()).knock(s)
	}
}

// handle gives the session input (which may be nil: its notes are looked at all the same) and returns the bytes to send,
// which are valid until the lane is used again; what the lane's refs have belongs into them, and is the caller's. more tells
// that there is more to do once they are sent: the caller sends and calls handle again with nil. The session is to be closed afterwards if s.conn.Closing is set.
func (s *session) handle(l *lane, input []byte) (out []byte, more bool) {
	if s.gone {
		return nil, false
	}
	if s.isAway() {
		s.stay(l, input)
		s.passMarks()
		return nil, false
	}
	// Inside the gate and only there: CLIENT LIST of another session looks at this one while all gates are closed.
	c := &s.conn
	survived := false
	defer func() {
		if !survived {
			s.crashed()
		}
	}()
	s.busy = s.srv.enter(l)
	c.Gate, c.Tx, c.Meter, l.session = l.gate, l.tx, &l.meter, s
	c.Out.ResetLending(l.out[:0], &l.refs)
	c.Tied = false
	if s.newFD != 0 {
		c.FD, s.newFD = s.newFD, 0
	}
	for _, n := range s.box.take() {
		s.do(n)
	}
	if len(input) > 0 {
		l.stats.Add(stats.NetInput, int64(len(input)))
		l.stats.Add(stats.Reads, 1)
	}
	if s.overrun {
		s.srv.log.Warningf("Closing client that reached max query buffer length: %s", c.Addr)
		s.srv.stats.Add(stats.QueryBufferKills, 1)
		s.overrun, c.Closing = false, true
	}
	s.hardOutput = s.outputLimit().Hard
	stalled := s.keeps()
	switch {
	case c.Closing:
	case s.local != nil:
		s.local.process()
	default:
		more = s.process(l, input)
	}
	s.srv.tracking.Broadcast()
	if out = c.Out.Bytes(); s.overHard(c.Out.Size()) && s.export == nil {
		s.overcome()
		l.refs.Drop()
		out, more = nil, false
	}
	c.Out.Reset(nil)
	s.account(cap(s.in))
	s.shelter()
	l.session = nil
	s.srv.leave(l, s.busy)
	if cap(out) <= keepOut {
		l.out = out
	}
	if c.Wrote {
		s.noteWritten()
	}
	if log := s.srv.files.log.Load(); log != nil || len(s.kept.marks) > 0 {
		out = s.afterDisk(log, out, &l.refs)
		more = more || stalled && !s.keeps()
	}
	if s.errand != nil {
		s.depart()
	}
	if s.srv.crowdedByClients() {
		s.srv.evictClients()
	}
	if len(out) > 0 {
		l.stats.Add(stats.NetOutput, int64(len(out)+l.refs.Bytes()))
		l.stats.Add(stats.Writes, 1)
	}
	survived = true
	return out, more
}

// do carries out a note.
func (s *session) do(n note) {
	if s.killed && (n.kind == notePush || n.kind == noteLine || n.kind == noteInvalidate) {
		return // it came later than the order to close
	}
	switch n.kind {
	case noteLine:
		s.conn.Tied = true
		s.conn.Out.Raw(n.bytes)
	case noteReply:
		s.conn.Tied = true
		s.conn.Answer(n.bytes)
		s.conn.Out.Raw(n.late)
		s.conn.Unblocked()
		s.waiting = false
	case notePush:
		s.conn.Tied = true
		s.conn.Out.Raw(n.push.Bytes(s.conn.Out.Proto()))
	case noteEvict:
		s.evict()
	case noteInvalidate:
		s.invalidate(n.keys, n.redirected)
	case noteRedirection:
		s.redirectionBroken(n.redirect)
	case noteResume:
		s.conn.Postponed = false
	case noteClose:
		s.conn.Closing, s.killed = true, true
	case noteMark:
		s.srv.resting.passed(n.redirect)
	case noteDurable:
		// The replies follow where handle ends.
	case noteIdle:
		limit := time.Duration(s.srv.vars.timeout.Load()) * time.Second
		idle := s.srv.clock.Mono() - s.conn.LastActive
		if limit > 0 && idle > limit && !s.waiting && !s.conn.Postponed && !s.conn.Subscriber() {
			s.srv.log.Verbosef("Closing idle client")
			s.conn.Closing = true
		}
	}
}

// append adds input to what is kept. Each byte is moved a bounded number of times, however large a request is and in
// however many pieces it comes; memory follows what has arrived, not what was announced.
func (s *session) append(input []byte) {
	n := len(s.in) + len(input)
	if n > cap(s.in) && s.at > 0 {
		s.in = s.in[:copy(s.in, s.in[s.at:])]
		s.at = 0
		n = len(s.in) + len(input)
	}
	if n > cap(s.in) {
		room := 2 * n
		if need := s.rd.Needed(); need > 0 {
			room = min(room, max(n, len(s.in)+need))
		}
		s.in = append(make([]byte, 0, room), s.in...)
	}
	s.in = append(s.in, input...)
}

// keep stores the rest of the input, which is the end of s.in if kept says so.
func (s *session) keep(rest []byte, kept bool) {
	switch {
	case len(rest) == 0:
		if cap(s.in) > keepIn {
			s.in = nil
		}
		s.in, s.at = s.in[:0], 0
		return
	case kept:
		s.at = len(s.in) - len(rest)
	default:
		s.append(rest)
	}
	if limit := s.inputLimit(); limit > 0 && int64(s.unused()+s.conn.QueuedBytes()) > limit {
		s.tooMuchInput(rest)
	}
}

// unused is the number of bytes of input that wait.
func (s *session) unused() int { return len(s.in) - s.at }

func (s *session) protocolError(err error) {
	s.srv.log.Verbosef("Protocol error (%s) from client: %s", err, s.conn.Addr)
	reply := commands.ErrProtocol(err)
	s.conn.Meter.ErrorReply(string(reply))
	s.conn.Out.Error(string(reply))
	s.conn.Closing = true
}

// isHTTP recognises the first words of a browser that was tricked into talking to us.
func isHTTP(name []byte) bool {
	switch len(name) {
	case 4:
		return bytes.EqualFold(name, []byte("post"))
	case 5:
		return bytes.EqualFold(name, []byte("host:"))
	}
	return false
}

// attacked logs the work of a browser that was tricked into talking to us, at most once a minute.
func (s *session) attacked() {
	now, last := int64(s.srv.clock.Mono()), s.srv.attack.Load()
	if last != 0 && now-last < int64(time.Minute) || !s.srv.attack.CompareAndSwap(last, max(now, 1)) {
		return
	}
	s.srv.log.Warningf("Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Pulse. This is likely due to an attacker attempting to use Cross Protocol Scripting to compromise your Pulse instance. Connection from %s aborted.", s.conn.Addr)
}

// end lets go of everything; the owner calls it once, when the connection is closed.
func (s *session) end(l *lane) {
	if s.gone {
		return
	}
	if s.isAway() {
		s.ended = true // who looks after it when it is back ends it
		return
	}
	s.gone = true
	s.box.close(s.srv.resting.passed)
	if s.srv.store.EnterUnlessBusy(l.gate) {
		s.forget(l)
		l.gate.Leave()
		return
	}
	go func() { // what it holds is in shards that are locked for long
		l := s.srv.lanes.get(nil)
		l.gate.Enter()
		s.forget(l)
		l.gate.Leave()
		s.srv.lanes.put(l)
	}()
}

// forget lets go of what the client holds in the store and the registries.
func (s *session) forget(l *lane) {
	s.conn.Gate, s.conn.Tx, s.conn.Meter = l.gate, l.tx, &l.meter
	s.srv.table.Forget(&s.conn)
	s.in, s.at = nil, 0
	s.charge(0)
	s.srv.pause.remove(s)
	s.srv.clients.remove(s)
}
