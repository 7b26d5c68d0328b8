package fuzz

import (
	"bytes"
	"time"

	"github.com/streampulse/pulse/internal/resp"
)

// role says which session a request belongs to.
type role uint8

const (
	mainRole   role = iota
	otherRole       // the second session, between two pipelines of the first
	waitRole        // the second session asks and may have to wait for the first
	wakeRole        // the first session ends the wait
	expireRole      // the rest of the unit follows when the key of its first request has expired
)

// expireWait is longer than the one millisecond that a key has to live which expires.
const expireWait = 3 * time.Millisecond

// settleTimeout is how long a client may take to be asleep or answered.
const settleTimeout = 5 * time.Second

// aside does what a unit of another role than the main one asks for.
func (r *runner) aside(u unit) *mismatch {
	if u[0].role != expireRole {
		if d := r.endWait(); d != nil || u[0].role == wakeRole {
			return d
		}
	}
	batch := make([]*request, len(u))
	for i := range u {
		batch[i] = &u[i]
	}
	switch u[0].role {
	case otherRole:
		d, _ := r.exchange(1, batch)
		return d
	case expireRole:
		d, _ := r.exchange(0, batch[:1])
		if d == nil {
			time.Sleep(expireWait)
			d, _ = r.exchange(0, batch[1:])
		}
		return d
	}
	r.waiting = &u[0]
	for i, l := range r.sessions[1].links() {
		l.send(resp.AppendRequest(nil, u[0].args...))
		l.settle(r.sessions[0].links()[i])
	}
	return nil
}

// endWait wakes the second session up if it still waits, and compares what it has been answered.
func (r *runner) endWait() *mismatch {
	q := r.waiting
	if q == nil {
		return nil
	}
	r.waiting = nil
	// A transaction that is open may contain what the other waits for; its session cannot unblock anybody now.
	s := &r.sessions[0]
	if len(s.queue) > 0 || r.inMulti() {
		end := plain("EXEC")
		if d, _ := r.exchange(0, []*request{&end}); d != nil {
			return d
		}
	}
	for i, l := range s.links() {
		other := r.sessions[1].links()[i]
		other.conn.SetDeadline(time.Now().Add(replyTimeout))
		if _, err := l.ask("CLIENT", "UNBLOCK", other.id); err != nil {
			return &mismatch{request: *q, pair: pair{[]byte("(CLIENT UNBLOCK)"), []byte(err.Error())}}
		}
	}
	return r.replies(&r.sessions[1], q)
}

// inMulti reports whether the first session of the oracle queues.
func (r *runner) inMulti() bool {
	ping, err := r.sessions[0].oracle.ask("PING")
	if err != nil || !bytes.HasPrefix(ping, []byte("+QUEUED")) {
		return false
	}
	_, _ = r.sessions[0].ours.ask("PING")
	queued := plain("PING")
	r.sessions[0].queue = append(r.sessions[0].queue, &queued)
	return true
}

// settle returns when the client has its reply or is asleep, as by, another connection to the same server, sees it.
func (l *link) settle(by *link) {
	for deadline := time.Now().Add(settleTimeout); time.Now().Before(deadline); {
		l.conn.SetReadDeadline(time.Now().Add(100 * time.Microsecond))
		_, err := l.in.Peek(1)
		l.conn.SetReadDeadline(time.Now().Add(replyTimeout))
		if err == nil {
			return
		}
		line, err := by.ask("CLIENT", "LIST", "ID", l.id)
		if err != nil || bytes.Contains(line, []byte(" flags=b ")) || bytes.HasPrefix(line, []byte("+QUEUED")) {
			return
		}
	}
}
