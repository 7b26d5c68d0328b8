package server

import "github.com/streampulse/pulse/persistence/aof"

// With appendfsync always a reply leaves when everything that its command may have seen is on the disk: what it wrote
// itself, and what others had written before. Replies wait in their session, in order; the session goes on meanwhile,
// and one fsync covers all that was appended while the one before was under way.

// keptReply is replies that wait until the log is durable up to a position.
type keptReply struct {
	need  int64
	bytes []byte
}

// maxKept is how many bytes of replies a session keeps before it stops working on input.
const maxKept = 1 << 20

// afterDisk returns what may be sent now, of what was kept and of out, and keeps the rest. log is nil if there is none any
// more.
func (s *session) afterDisk(log *aof.Log, out []byte) []byte {
	if log == nil {
		return s.unkept(len(s.kept), out)
	}
	log.Flush()
	if !log.Holds() {
		return s.unkept(len(s.kept), out)
	}
	need, synced := log.Position(), log.Synced()
	if need <= synced {
		return s.unkept(len(s.kept), out)
	}
	n := 0
	for n < len(s.kept) && s.kept[n].need <= synced {
		n++
	}
	ready := s.unkept(n, nil)
	if len(out) > 0 {
		s.kept = append(s.kept, keptReply{need, append([]byte(nil), out...)})
	}
	if len(s.kept) == 0 {
		return ready
	}
	if s.conn.Closing && !s.killed {
		// It is closed when the last reply is sent.
		s.conn.Closing, s.last = false, true
	}
	s.srv.files.hold(s)
	if need := s.kept[0].need; need <= log.Synced() {
		s.srv.files.wakeHeld() // it came to pass before s was on the list
	}
	return ready
}

// unkept returns the first n kept replies, and out behind them if none is left.
func (s *session) unkept(n int, out []byte) []byte {
	if len(s.kept) == 0 {
		return out
	}
	var b []byte
	for _, k := range s.kept[:n] {
		b = append(b, k.bytes...)
	}
	if n < len(s.kept) {
		s.kept = append(s.kept[:0], s.kept[n:]...)
		return b
	}
	s.kept = s.kept[:0]
	if s.last {
		s.conn.Closing = true
	}
	return append(b, out...)
}

// keeps reports whether so much is kept that no more input should be worked on.
func (s *session) keeps() bool {
	n := 0
	for _, k := range s.kept {
		n += len(k.bytes)
	}
	return s.last || n > maxKept
}
