package server

import (
	"time"

	"github.com/streampulse/pulse/internal/resp"
)

// held is small replies that a busy loop has not sent yet. Sent one by one, the first wakes its client, which competes
// with the loop from then on and finds one reply at a time; sent together, clients work through many at once. An idle
// loop sends at once.
type held struct {
	replies []heldReply
	bytes   []byte
	last    time.Duration // when the loop was done with the session before
	always  bool          // more sessions follow for certain
}

type heldReply struct {
	place   *place
	session *session
	size    int // its bytes follow those of the reply before
}

const (
	// rush is how soon after the last session's end the next must begin for the loop to count as busy: less than it
	// takes to have slept in between.
	rush = 4 * time.Microsecond
	// heldReplyMax and heldMax bound what is held, in bytes, of one reply and of all.
	heldReplyMax = 4 << 10
	heldMax      = 64 << 10
)

// hold keeps out for later, if the loop is busy and out is small; start is when the session began to work. It reports
// whether it did.
func (l *loop) hold(p *place, s *session, out []byte, start time.Duration) bool {
	h := &l.held
	if len(out) == 0 {
		return true
	}
	if !h.always && start-h.last > rush || len(out) > heldReplyMax || len(h.bytes)+len(out) > heldMax {
		return false
	}
	h.replies = append(h.replies, heldReply{p, s, len(out)})
	h.bytes = append(h.bytes, out...)
	if len(h.replies) == 1 && !h.always {
		l.post(nil)
	}
	return true
}

// flush sends what is held. A session whose socket is full moves to a stream with all that was held for it.
func (l *loop) flush() { l.flushBefore(nil, nil, nil) }

// flushBefore is flush while out and refs are about to be sent to p: if p's session moves, they go with it.
func (l *loop) flushBefore(p *place, out []byte, refs *resp.Refs) {
	if len(l.held.replies) == 0 {
		return
	}
	replies, bytes := l.held.replies, l.held.bytes
	l.held.replies, l.held.bytes = nil, nil // closing a connection comes here again
	rest := bytes
	for i, r := range replies {
		reply := rest[:r.size]
		rest = rest[r.size:]
		if r.place.left {
			continue
		}
		n := r.place.write(reply)
		if n == len(reply) {
			continue
		}
		if n >= 0 {
			unsent := owned(append([]byte(nil), reply[n:]...))
			later := rest
			for _, q := range replies[i+1:] {
				if q.place == r.place {
					unsent.append(later[:q.size])
				}
				later = later[q.size:]
			}
			if r.place == p {
				unsent.add(out, refs)
			}
			r.place.move(r.session, unsent)
		}
		_ = r.place.gc.EventLoop().Close(r.place.gc)
	}
	if l.held.replies == nil {
		clear(replies)
		l.held.replies, l.held.bytes = replies[:0], bytes[:0]
	}
}
