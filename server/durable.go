package server

import (
	"math"

	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/persistence/aof"
	"github.com/streampulse/pulse/server/stats"
)

// With appendfsync always a reply leaves when everything that its command may have seen is on the disk: what it wrote
// itself, and what others had written before. Replies that tell of no data do not wait, unless behind others. Replies wait in their session, in order; the session goes on meanwhile,
// and one fsync covers all that was appended while the one before was under way.

// keptReplies are those of one session that wait, in order.
type keptReplies struct {
	bytes []byte
	marks []keptMark
}

// keptMark says that the replies up to end wait until the log is durable up to the position need.
type keptMark struct {
	need int64
	end  int
}

const (
	// maxKept is how many bytes of replies a session keeps before it stops working on input.
	maxKept = 1 << 20
	// keepKept is the largest buffer for them that stays with a session.
	keepKept = 4 << 10
)

// afterDisk returns what may be sent now, of what was kept and of out, and keeps the rest. It is valid until the
// session runs again, or the lane does. log is nil if there is none any more. What refs has, is copied if out may have to wait.
func (s *session) afterDisk(log *aof.Log, out []byte, refs *resp.Refs) []byte {
	holds := log != nil && log.Holds()
	if holds || len(s.kept.marks) > 0 {
		out = refs.Flatten(out)
	}
	if !holds {
		if log != nil {
			log.Flush()
		}
		return s.unkept(len(s.kept.marks), out)
	}
	k := &s.kept
	need, synced := log.Position(), log.Synced()
	if !s.conn.Tied {
		// It tells of no data: a client can ask how the server is while the disk fails.
		need = 0
		if n := len(k.marks); n > 0 {
			need = k.marks[n-1].need
		}
	}
	if need <= synced {
		return s.unkept(len(s.kept.marks), out)
	}
	n := 0
	for n < len(k.marks) && k.marks[n].need <= synced {
		n++
	}
	if n > 0 && n == len(k.marks) && len(out) > 0 {
		// What is ready must not share memory with what is kept.
		ready := k.bytes
		*k = keptReplies{bytes: append([]byte(nil), out...), marks: append(k.marks[:0], keptMark{need, len(out)})}
		s.wait(log)
		return ready
	}
	var ready []byte
	if n > 0 {
		ready = s.unkept(n, nil)
	}
	if len(out) > 0 {
		k.bytes = append(k.bytes, out...)
		k.marks = append(k.marks, keptMark{need, len(k.bytes)})
	}
	if len(k.marks) > 0 {
		s.wait(log)
	}
	return ready
}

// wait puts s on the list of those who wait for the disk.
func (s *session) wait(log *aof.Log) {
	if s.conn.Closing && !s.killed {
		// It is closed when the last reply is sent.
		s.conn.Closing, s.last = false, true
	}
	if at, ok := (*s.owner.Load()).(*place); ok {
		at.loop.keep(s)
		return
	}
	p := &s.srv.files
	p.held.Lock()
	p.held.sessions = append(p.held.sessions, s)
	p.held.Unlock()
	log.Flush()
	if s.kept.marks[0].need <= log.Synced() {
		p.wakeHeld() // it came to pass before s was on the list
	}
}

// unkept returns the replies of the first n marks, and out behind them if none is left.
func (s *session) unkept(n int, out []byte) []byte {
	k := &s.kept
	if len(k.marks) == 0 {
		return out
	}
	if n < len(k.marks) {
		end := 0
		if n > 0 {
			end = k.marks[n-1].end
		}
		ready := append([]byte(nil), k.bytes[:end]...)
		k.bytes = k.bytes[:copy(k.bytes, k.bytes[end:])]
		k.marks = k.marks[:copy(k.marks, k.marks[n:])]
		for i := range k.marks {
			k.marks[i].end -= end
		}
		return ready
	}
	if s.last {
		s.conn.Closing = true
	}
	b := append(k.bytes, out...)
	k.bytes, k.marks = b[:0], k.marks[:0]
	if cap(b) > keepKept {
		*k = keptReplies{}
	}
	return b
}

// keeps reports whether so much is kept that no more input should be worked on.
func (s *session) keeps() bool { return s.last || len(s.kept.bytes) > maxKept }

// keep notes that replies of s wait for the disk. When the loop has worked through the sessions that are ready it commits
// what they have appended itself: one fsync for all of them, and nobody to wake up for it. Meanwhile it serves nobody,
// but whoever asked would be answered after that fsync in any case.
func (l *loop) keep(s *session) {
	l.keeping = append(l.keeping, s)
	if !l.due {
		l.due = true
		l.post(nil)
	}
}

// commit makes durable what the sessions that are kept waiting may have seen.
func (l *loop) commit() {
	if !l.due {
		return
	}
	l.due = false
	if log := l.srv.files.log.Load(); log != nil && log.Holds() {
		log.Commit()
	}
	l.durable()
}

// awaitDisk has the loop told when the log is durable up to some later position.
func (l *loop) awaitDisk() {
	if l.awaits {
		return
	}
	l.awaits = true
	h := &l.srv.files.held
	h.Lock()
	h.loops = append(h.loops, l)
	h.Unlock()
}

// wakeHeld has sessions look whether they may send what they held.
func (p *files) wakeHeld() {
	h := &p.held
	h.Lock()
	loops, sessions := h.loops, h.sessions
	h.loops, h.sessions = nil, nil
	h.Unlock()
	p.wakeMarks()
	for _, l := range loops {
		l.post(l.durable)
	}
	for _, s := range sessions {
		s.post(note{kind: noteDurable})
	}
}

// durable has the sessions of the loop work whose kept replies may be due.
func (l *loop) durable() {
	l.awaits = false
	log, synced := l.srv.files.log.Load(), int64(math.MaxInt64)
	if log != nil && log.Holds() {
		synced = log.Synced()
	}
	still := l.keeping[:0]
	l.held.always = true // settle follows
	for _, s := range l.keeping {
		at, ok := (*s.owner.Load()).(*place)
		switch mine := ok && at.loop == l; {
		case mine && (s.gone || len(s.kept.marks) == 0):
		case mine && s.kept.marks[0].need > synced:
			still = append(still, s)
		case mine && l.release(at, s, synced):
		default:
			l.dirty = append(l.dirty, s)
		}
	}
	l.held.always = false
	clear(l.keeping[len(still):])
	if l.keeping = still; len(still) > 0 {
		l.awaitDisk()
		if now := l.srv.files.log.Load(); now != log || log.Synced() != synced {
			l.srv.files.wakeHeld() // it came to pass before the loop was on the list
		}
	}
}

// release sends what s keeps, if all of it is due, s has nothing else to do and what is held has room for it.
func (l *loop) release(at *place, s *session, synced int64) bool {
	k := &s.kept
	if s.last || s.unused() > 0 || s.away || k.marks[len(k.marks)-1].need > synced || !l.hold(at, s, k.bytes, 0) {
		return false
	}
	l.lane.stats.Add(stats.NetOutput, int64(len(k.bytes)))
	if k.bytes, k.marks = k.bytes[:0], k.marks[:0]; cap(k.bytes) > keepKept {
		*k = keptReplies{}
	}
	return true
}
