package server

import (
	"net"
	"sync"
	"time"

	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/server/stats"
)

// stream owns a session on a net.Conn: one goroutine reads and runs commands, one writes. It does not read while more
// than streamBacklog bytes wait to be written, so a client that does not read its replies cannot make more of them;
// what others send it (messages) is bounded by client-output-buffer-limit.
type stream struct {
	nc      net.Conn
	srv     *Server
	session *session
	work    chan struct{} // the mailbox has something, or output was written
	written chan struct{} // closed when the writer has ended
	lost    bool          // of run: the client was given up

	mu struct {
		sync.Mutex
		cond    sync.Cond     // there is something to write, or an end
		unsent  output        // not taken by the writer yet
		pending int           // bytes not written yet: unsent and what the writer holds
		lent    int           // of pending, those borrowed from the store
		charged int           // pending, as the server knows it
		spared  int           // lent, likewise
		sent    chan struct{} // closed when nothing is pending; nil if nobody waits for that
		closed  bool          // no more output comes; the writer ends when nothing is pending
		broken  bool          // the client is given up: the writer ends at once
	}
}

const streamBacklog = 64 << 10

// newStream makes a stream the owner of s; it will send unsent first.
func newStream(s *session, nc net.Conn, unsent output) *stream {
	t := &stream{nc: nc, srv: s.srv, session: s, work: make(chan struct{}, 1), written: make(chan struct{})}
	t.mu.cond.L = &t.mu
	t.mu.unsent, t.mu.pending, t.mu.lent = unsent, unsent.bytes, unsent.lent
	t.account()
	s.newFD = descriptor(nc)
	var o owner = t
	s.owner.Store(&o)
	return t
}

// start lets the stream work.
func (t *stream) start(s *session) {
	input := make(chan []byte)
	s.srv.wg.Add(3)
	s.srv.streams.Add(1)
	go t.write()
	go t.read(input)
	go t.run(s, input)
}

// knock implements owner.
func (t *stream) knock(*session) {
	select {
	case t.work <- struct{}{}:
	default:
	}
}

// read hands chunks of input to run. It uses two buffers in turn: run has used one up when it takes the other.
func (t *stream) read(input chan<- []byte) {
	defer t.srv.wg.Done()
	defer close(input)
	var bufs [2][]byte
	for i := 0; ; i ^= 1 {
		if bufs[i] == nil {
			bufs[i] = make([]byte, 16<<10)
		}
		n, err := t.nc.Read(bufs[i])
		if n > 0 {
			input <- bufs[i][:n]
		}
		if err != nil {
			return
		}
	}
}

// run lets the session work on input and notes until either side ends. While too much output waits, only notes are
// looked at. A client that has closed its half of the connection gets the replies to what it has sent, unless it waits
// for keys: then nobody knows whether it is still there, and nothing must be popped for it.
func (t *stream) run(s *session, input <-chan []byte) {
	defer t.srv.wg.Done()
	// What the session kept, and notes that knocked at its former owner, come first.
	more, eof := t.step(s, nil), false
	for !s.conn.Closing && !t.lost {
		if s.export != nil {
			t.export(s)
			continue
		}
		room := t.room()
		if room && more {
			more = t.step(s, nil)
			continue
		}
		if eof && !more && (s.waiting || t.unsentBytes() == 0) && len(s.kept.marks) == 0 {
			break
		}
		in := input
		if !room || eof {
			in = nil
		}
		select {
		case data, ok := <-in:
			if eof = !ok; ok {
				more = t.step(s, data)
			}
		case <-t.work:
			more = t.step(s, nil)
		}
	}
	for s.isAway() {
		<-t.work
		s.passMarks()
	}
	l := t.srv.lanes.get(nil)
	s.end(l)
	t.srv.lanes.put(l)
	t.finish(s.killed)
	stop := t.srv.stop
	for written := t.written; written != nil || input != nil; {
		select {
		case <-written:
			written = nil
		case _, ok := <-input: // lets the reader end
			if !ok {
				input = nil
			}
		case <-stop:
			_ = t.nc.SetDeadline(time.Now().Add(lastWords))
			stop = nil
		}
	}
}

// step runs the session once; more tells that it has input left that it could work on.
func (t *stream) step(s *session, data []byte) (more bool) {
	s.hold = !t.room()
	l := t.srv.lanes.get(nil)
	out, more := s.handle(l, data)
	t.lost = !t.sendLent(s, out, &l.refs)
	t.srv.lanes.put(l)
	return more
}

// send queues b for the writer; it reports false when the client must be given up.
func (t *stream) send(s *session, b []byte) bool { return t.sendLent(s, b, nil) }

// sendLent is send for what a session has written. refs is empty afterwards.
func (t *stream) sendLent(s *session, b []byte, refs *resp.Refs) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.broken {
		if refs != nil {
			refs.Drop()
		}
		return false
	}
	u := &t.mu.unsent
	had, lent := u.bytes, u.lent
	u.add(b, refs)
	t.mu.pending += u.bytes - had
	t.mu.lent += u.lent - lent
	t.account()
	t.mu.cond.Broadcast()
	if !s.overLimit(t.mu.pending) {
		return true
	}
	t.giveUp()
	t.srv.stats.Add(stats.OutputBufferKills, 1)
	t.srv.log.Warningf("Client %s scheduled to be closed ASAP for overcoming of output buffer limits.", s.conn.Addr)
	return false
}

// overLimit applies client-output-buffer-limit to n unsent bytes.
func (s *session) overLimit(n int) bool {
	l := s.outputLimit()
	if l.Hard > 0 && int64(n)-outputGrace > l.Hard {
		return true
	}
	if l.Soft <= 0 || int64(n) <= l.Soft {
		s.overSoft = 0
		return false
	}
	now := s.srv.clock.Mono()
	if s.overSoft == 0 {
		s.overSoft = now
	}
	return (now - s.overSoft).Seconds() > float64(l.SoftSeconds)
}

// room reports whether input may be turned into more output.
func (t *stream) room() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.broken || t.mu.pending <= streamBacklog
}

// unsentBytes is how much output waits.
func (t *stream) unsentBytes() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.pending
}

// maxVec is how many parts of output are written with one call, at most.
const maxVec = 16

func (t *stream) write() {
	defer t.srv.wg.Done()
	defer t.srv.streams.Add(-1)
	defer close(t.written)
	defer t.nc.Close()
	var o output
	defer func() {
		o.drop()
		t.mu.Lock()
		t.abandon() // nothing is queued any more
		t.mu.Unlock()
	}()
	var vec [maxVec][]byte
	for {
		t.mu.Lock()
		for t.mu.unsent.bytes == 0 && !t.mu.closed && !t.mu.broken {
			t.mu.cond.Wait()
		}
		o, t.mu.unsent = t.mu.unsent, output{}
		end := t.mu.broken || o.bytes == 0
		t.mu.Unlock()
		if end {
			return
		}
		for o.bytes > 0 {
			n, err := t.writeOnce(o.next(vec[:], streamBacklog))
			clear(vec[:]) // what is returned must not be kept in memory from here
			lent := o.lent
			o.sent(n)
			t.mu.Lock()
			if !t.mu.broken {
				t.mu.pending -= n
				t.mu.lent -= lent - o.lent
				t.account()
				t.wasSent()
			}
			if err != nil {
				t.giveUp()
			}
			stop, room := t.mu.broken, t.mu.pending <= streamBacklog
			t.mu.Unlock()
			if stop || room {
				t.knock(nil)
			}
			if stop {
				return
			}
		}
	}
}

// writeOnce writes what is in vec, which is used up.
func (t *stream) writeOnce(vec net.Buffers) (int, error) {
	if len(vec) == 1 {
		return t.nc.Write(vec[0])
	}
	n, err := vec.WriteTo(t.nc)
	return int(n), err
}

// abandon throws away what is unsent; mu is held. What the writer holds counts no more either: the session is not in the registry for
// much longer, and what nobody there has must not make others go (clientmemory.go).
func (t *stream) abandon() {
	t.mu.broken = true
	t.mu.unsent.drop()
	t.mu.pending, t.mu.lent = 0, 0
	t.account()
}

// giveUp ends the connection without regard to what is unsent. mu is held.
func (t *stream) giveUp() {
	t.abandon()
	t.mu.cond.Broadcast()
	_ = t.nc.SetDeadline(time.Unix(1, 0)) // wakes reader and writer
}

// finish lets the writer end after what is queued. killed says that somebody else wants the client to go.
func (t *stream) finish(killed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.closed = true
	t.mu.cond.Broadcast()
	if t.mu.broken {
		return
	}
	d := farewell
	if killed {
		d = lastWords
	}
	_ = t.nc.SetDeadline(time.Now().Add(d))
}

const (
	// farewell is how long a client that said good-bye, or that broke the protocol, may take to read its last replies.
	farewell = 10 * time.Second
	// lastWords is the same for a client that is killed, or if the server ends.
	lastWords = time.Second
)
