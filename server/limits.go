package server

import (
	"github.com/streampulse/pulse/server/config"
	"github.com/streampulse/pulse/server/stats"
)

// What one client may have the server hold for it: client-output-buffer-limit and client-query-buffer-limit.

// A client that passes a hard limit is closed without a word, though its socket might have taken everything: how much it takes is
// chance. So what counts is made before it is offered to the socket, by as much input at a time as Redis reads.
const (
	// outputGrace is how many bytes of replies do not count.
	outputGrace = 16 << 10
	// inputRound is how many bytes of input make replies before they are offered, where there is a hard limit.
	inputRound = 16 << 10
	// roundSlice bounds the time of such a round, as slice does without a limit.
	roundSlice = 8 * slice
)

// outputLimit is the limit of the class that the client is of.
func (s *session) outputLimit() config.OutputLimit {
	ls := s.srv.vars.outputLimits.Load()
	switch l := ls.Normal; {
	case s.export != nil:
		return ls.Replica
	case s.conn.Subscriber(), s.conn.Monitor && l == (config.OutputLimit{}): // nothing else would bound it
		return ls.PubSub
	default:
		return l
	}
}

// enough reports whether the session, which has used up so much input, should pause to send what it has, or to let others close
// the gate.
func (s *session) enough(used int) bool {
	n, worked := s.conn.Out.Size(), s.conn.Worked()
	if s.hardOutput > 0 && n > outputGrace {
		return used >= inputRound || worked >= roundSlice || s.overHard(n)
	}
	return n >= flushAt || worked >= slice
}

// overHard reports whether n bytes of replies that nobody has been offered yet are too many.
func (s *session) overHard(n int) bool {
	return s.hardOutput > 0 && int64(n)-outputGrace > s.hardOutput
}

// overcome closes the session because of its output.
func (s *session) overcome() {
	s.conn.Closing, s.killed = true, true
	s.srv.stats.Add(stats.OutputBufferKills, 1)
	s.srv.log.Warningf("Client %s scheduled to be closed ASAP for overcoming of output buffer limits.", s.conn.Addr)
}

// inputLimit is how many bytes of input may be held for the client; 0 for any number.
func (s *session) inputLimit() int64 {
	limit := s.srv.vars.queryLimit.Load()
	if !s.conn.Authenticated && (limit == 0 || limit > unauthQuery) {
		limit = unauthQuery
	}
	return limit
}

// overQuery reports whether a request, with those queued before it, is larger than what may be held.
func (s *session) overQuery(r *request) bool {
	limit, queued := s.inputLimit(), int64(s.conn.QueuedBytes())
	if limit == 0 || int64(r.size)+queued <= limit {
		return false
	}
	n := queued
	for _, a := range r.args {
		n += int64(len(a))
	}
	return n > limit
}

// tooMuchInput closes the session because of its input, which begins so.
func (s *session) tooMuchInput(head []byte) {
	s.srv.log.Warningf("Closing client that reached max query buffer length: %s (qbuf initial bytes: %q)", s.conn.Addr, head[:min(64, len(head))])
	s.srv.stats.Add(stats.QueryBufferKills, 1)
	s.conn.Closing = true
	s.in, s.at = nil, 0
}
