package server

import (
	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/store"
)

// batch is a pipeline's next requests, parsed but not run yet. They are parsed ahead so that the memory of all their keys
// can be fetched at once (store.Warm); they are run one after the other all the same.
type batch struct {
	reqs  [maxBatch]request
	n     int
	args  [][]byte // of all requests
	hints [maxBatch]store.Hint
}

type request struct {
	args [][]byte // nil for input that is to be skipped
	size int      // bytes of input
}

const (
	maxBatch     = 16
	maxBatchArgs = 1024
	keepArgs     = 8 << 10 // the longest list of arguments that is kept for the next batch
)

// parse fills b with whole requests from the start of buf. An error is that of the input behind the last of them.
func (s *session) parse(b *batch, buf []byte) error {
	s.lim.Authenticated = s.conn.Authenticated
	s.lim.MaxBulk = s.srv.vars.maxBulk.Load()
	limit := maxBatch
	if !s.conn.Authenticated {
		limit = 1 // the limits change with AUTH
	}
	if cap(b.args) > keepArgs {
		b.args = nil
	}
	b.args = b.args[:0]
	for b.n = 0; b.n < limit && len(buf) > 0 && len(b.args) < maxBatchArgs; b.n++ {
		args, n, err := s.rd.Next(buf, &s.lim)
		if n == 0 {
			return err
		}
		r := &b.reqs[b.n]
		at := len(b.args)
		b.args = append(b.args, args...)
		r.args, r.size = b.args[at:len(b.args):len(b.args)], n
		buf = buf[n:]
	}
	return nil
}

// warm fetches the memory of the keys of a batch of several requests.
func (s *session) warm(b *batch) {
	if !store.CanWarm || b.n < 2 {
		return
	}
	for i := range b.n {
		b.hints[i] = s.srv.table.Hint(&s.conn, b.reqs[i].args)
	}
	for i := range b.n {
		b.hints[i].Warm()
	}
	clear(b.hints[:b.n]) // a flushed database must not live on here
}

// process runs the requests in what was kept and in input. What it cannot use it keeps.
func (s *session) process(l *lane, input []byte) (more bool) {
	buf, kept := input, len(s.in) > 0
	if kept {
		s.append(input)
		buf = s.in[s.at:]
	}
	c := &s.conn
	if s.hold && len(buf) > 0 {
		s.keep(buf, kept)
		return true
	}
	if len(buf) > 0 && s.runnable() {
		c.BeginBatch()
	}
	b, fed := &l.batch, len(buf)
	for len(buf) > 0 && s.runnable() {
		err := s.parse(b, buf)
		s.warm(b)
		used, done := 0, 0
		for done < b.n && s.runnable() && !s.enough(fed-len(buf)+used) {
			used += s.run(&b.reqs[done])
			done++
		}
		buf = buf[used:]
		if done < b.n || !s.runnable() {
			s.rd.Reset() // what was parsed ahead is parsed again later
			more = s.runnable() && len(buf) > 0
			break
		}
		if err != nil {
			s.protocolError(err)
			break
		}
		if b.n == 0 {
			break
		}
		if s.enough(fed - len(buf)) {
			more = len(buf) > 0
			break
		}
	}
	if c.Closing {
		buf = nil
	}
	s.keep(buf, kept)
	return more
}

// runnable reports whether the next request may run.
func (s *session) runnable() bool {
	return !s.keeps() && !s.waiting && !s.conn.Postponed && !s.conn.Closing
}

// run runs one request and returns how many bytes of input it used up.
func (s *session) run(r *request) int {
	if len(r.args) == 0 {
		return r.size
	}
	s.running = r
	c := &s.conn
	if (r.size >= unauthQuery || c.InMulti()) && s.overQuery(r) { // no limit is lower
		s.tooMuchInput(r.args[0])
		return r.size
	}
	if r.size >= heavyRequest && s.outweighs(r) {
		return r.size
	}
	if s.front != nil {
		if reply, ok := s.front.Answer(r.args); ok {
			c.Out.Raw(reply)
			return r.size
		}
	}
	if isHTTP(r.args[0]) {
		s.attacked()
		c.Closing = true
		return r.size
	}
	if s.busy {
		s.srv.table.DoBusy(c, r.args)
		return r.size
	}
	switch s.srv.table.Do(c, r.args) {
	case commands.Suspended:
		s.waiting = true
	case commands.Postponed:
		s.conn.Postponed = true
		s.srv.pause.add(s)
		return 0
	}
	return r.size
}
