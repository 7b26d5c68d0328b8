package server

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/streampulse/pulse/commands"
)

// ErrConnClosed is returned by methods of a Conn that was closed: by Close, CLIENT KILL, QUIT, the timeout parameter.
var ErrConnClosed = errors.New("server: connection closed")

// errNotBegun is ErrConnClosed of a request that was not begun.
var errNotBegun = errors.New("server: connection closed before the command")

// Conn is a connection of the program that has opened the server, without protocol and network: the commands run in the goroutine that
// calls Do. It has what a connection has: a database (SELECT), a user (AUTH), a transaction (MULTI, WATCH), and it can wait
// (BLPOP). One goroutine at a time should use it; others wait for their turn in the middle of transactions that are not theirs.
// Close may be called at any time.
type Conn struct {
	srv    *Server
	ses    session
	closed atomic.Bool   // by Close
	wake   chan struct{} // the mailbox has something

	run sync.Mutex // held by whoever runs the session; what follows is that one's
	// The request under way. Its arguments lie in mem.
	req     request
	mem     []byte
	waiting bool  // it is not begun
	owed    int   // replies to come that nobody waits for any more
	reply   Reply // of the request under way, if got
	got     bool
	failed  error // in place of reply
	dead    bool  // the session has ended
	lane    *lane // it was in last
}

// Conn opens a connection. It is that of the default user, and no password is asked for. The error is ErrClosed once the server closes, and
// an Error if there are as many clients as maxclients allows.
func (s *Server) Conn() (*Conn, error) {
	id, err := s.reserveLocal()
	if err != nil {
		return nil, err
	}
	c := &Conn{srv: s, wake: make(chan struct{}, 1)}
	ses := &c.ses
	ses.begin(s, localName, localName)
	ses.local = c
	ses.conn.ID, ses.conn.FD = id, -1
	ses.conn.Authenticated = true
	ses.conn.Out.SetProto(3)
	var o owner = c
	ses.owner.Store(&o)
	if !s.clients.add(ses) {
		s.clients.release()
		return nil, ErrClosed
	}
	return c, nil
}

// Do runs a command on the connection and returns its reply, see Server.Do. Commands that need a protocol (SUBSCRIBE, MONITOR, CLIENT
// TRACKING ...) are refused with an Error that says what to use instead. If ctx is done while the command waits, the connection stays
// as good as it was; the reply of a command that goes on is dropped. The error is ErrConnClosed if the connection was
// closed, ErrClosed if the server was.
func (c *Conn) Do(ctx context.Context, args ...string) (Reply, error) {
	if err := c.srv.refuse(args, false); err != "" {
		return refusal(err)
	}
	r, err := c.do(ctx, args)
	if err == errNotBegun {
		err = ErrConnClosed
	}
	return r, err
}

// DoBytes is Do for arguments that are bytes, see Server.DoBytes.
func (c *Conn) DoBytes(ctx context.Context, args ...[]byte) (Reply, error) {
	var few [fewArgs]string
	return c.Do(ctx, asStrings(few[:0], args)...)
}

// Close closes the connection. A command that waits on it ends with ErrConnClosed.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	if !c.run.TryLock() {
		c.ses.post(note{kind: noteClose})
		return nil
	}
	l := c.srv.lanes.get(nil)
	c.end(l)
	c.srv.lanes.put(l)
	c.release()
	return nil
}

// ID is the number of the connection, as CLIENT ID and CLIENT LIST have it.
func (c *Conn) ID() int64 { return c.ses.conn.ID }

// clean reports whether the connection, which nobody uses, has neither ended nor anything to be waited for.
func (c *Conn) clean() bool {
	if c.closed.Load() || !c.run.TryLock() {
		return false
	}
	ok := !c.dead && c.owed == 0
	c.release()
	return ok
}

// knock implements owner. The session works in the goroutine that uses the connection, or else in one of its own.
func (c *Conn) knock(*session) {
	select {
	case c.wake <- struct{}{}:
	default:
	}
	c.look()
}

// release lets go of the session. What came for it meanwhile found it taken.
func (c *Conn) release() {
	c.run.Unlock()
	if len(c.wake) > 0 {
		c.look()
	}
}

// look has the session look into its mailbox, unless somebody runs it, who will.
func (c *Conn) look() {
	if c.run.TryLock() {
		c.srv.wg.Add(1)
		go c.attend()
	}
}

// attend looks after the session while nobody uses the connection.
func (c *Conn) attend() {
	defer c.srv.wg.Done()
	for {
		select {
		case <-c.wake:
			c.step()
			continue
		default:
		}
		c.release()
		return
	}
}

// do is Do without a look at the command.
func (c *Conn) do(ctx context.Context, args []string) (Reply, error) {
	if err := ctx.Err(); err != nil {
		return Reply{}, err
	}
	c.run.Lock()
	r, err := c.exchange(ctx, args)
	c.release()
	return r, err
}

func (c *Conn) exchange(ctx context.Context, args []string) (Reply, error) {
	// Replies that nobody has waited for come first.
	for c.owed > 0 && !c.dead {
		select {
		case <-c.wake:
			c.step()
		case <-ctx.Done():
			return Reply{}, ctx.Err()
		case <-c.srv.stop:
			return Reply{}, ErrClosed
		}
	}
	if c.dead || c.closed.Load() {
		return Reply{}, c.gone(true)
	}
	if err := c.load(args); err != "" {
		return refusal(err)
	}
	c.got, c.failed, c.waiting = false, nil, true
	c.step()
	if !c.got && !c.dead {
		if err := c.await(ctx); err != nil {
			return Reply{}, err
		}
	}
	if c.mem == nil {
		c.req.args = nil
	}
	r, err := c.reply, c.failed
	c.reply, c.failed = Reply{}, nil
	switch {
	case !c.got:
		return Reply{}, c.gone(c.waiting)
	case r.kind == KindError:
		err = Error(r.text)
	}
	return r, err
}

// gone is the error of a connection that has ended.
func (c *Conn) gone(unbegun bool) error {
	switch {
	case c.srv.stopping():
		return ErrClosed
	case unbegun && !c.closed.Load():
		return errNotBegun
	}
	return ErrConnClosed
}

// load copies a request: handlers may do with its bytes what they like.
func (c *Conn) load(args []string) Error {
	n, limit := 0, c.srv.vars.maxBulk.Load()
	for _, a := range args {
		if int64(len(a)) > limit {
			return Error(commands.ErrStringTooLong)
		}
		n += len(a)
	}
	if n > cap(c.mem) {
		c.mem = make([]byte, 0, n)
	}
	mem := c.mem[:0]
	list := c.req.args[:0]
	for _, a := range args {
		at := len(mem)
		mem = append(mem, a...)
		list = append(list, mem[at:len(mem):len(mem)])
	}
	c.req.args, c.req.size = list, n
	if n > keepIn || len(list) > keepArgs {
		c.mem = nil // the request has it
	}
	return ""
}

// process runs the request that waits. handle calls it.
func (c *Conn) process() {
	s := &c.ses
	if !c.waiting || !s.runnable() {
		return
	}
	c.waiting = false
	s.conn.BeginBatch()
	s.running = &c.req
	if s.busy {
		s.srv.table.DoBusy(&s.conn, c.req.args)
	} else {
		switch s.srv.table.Do(&s.conn, c.req.args) {
		case commands.Suspended:
			s.waiting = true
		case commands.Postponed:
			c.waiting, s.conn.Postponed = true, true
			s.srv.pause.add(s)
		}
	}
	if s.conn.Out.Proto() != 3 { // RESET, HELLO
		s.conn.Out.SetProto(3)
	}
}

// step lets the session work on its mailbox and its request, and takes the replies.
func (c *Conn) step() {
	s := &c.ses
	for more := true; more; {
		l := c.srv.lanes.get(c.lane)
		c.lane = l
		if s.ended { // while it was away, if it still is not
			s.end(l)
			c.srv.lanes.put(l)
			return
		}
		var out []byte
		out, more = s.handle(l, nil)
		if own := l.refs.Any(); own || len(out) > 0 {
			c.take(l.refs.Flatten(out), own)
		}
		if !s.away && s.conn.Closing {
			c.end(l)
			more = false
		}
		c.srv.lanes.put(l)
	}
}

// end ends the session; if it is away, that happens when it is back.
func (c *Conn) end(l *lane) {
	c.ses.end(l)
	c.dead = true
}

// take decodes replies. Of memory that is their own nothing is copied.
func (c *Conn) take(out []byte, own bool) {
	for len(out) > 0 {
		r, rest, err := decodeReply(out, own)
		out = rest
		switch {
		case r.kind == KindPush:
			continue // what the connection never asked for
		case c.owed > 0:
			c.owed--
			continue
		}
		c.reply, c.failed, c.got = r, err, true
	}
}

// await waits for the reply of the request under way, or for an end.
func (c *Conn) await(ctx context.Context) error {
	s := &c.ses
	done, stop, cancelled := ctx.Done(), c.srv.stop, false
	for !c.got && !c.dead {
		select {
		case <-c.wake:
			c.step()
			continue
		case <-stop:
			stop = nil
		case <-done:
			done = nil
		}
		over := func() error {
			if stop == nil && ctx.Err() == nil {
				return ErrClosed
			}
			return ctx.Err()
		}
		switch {
		case cancelled:
		case s.isAway() || len(s.kept.marks) > 0:
			if stop == nil && !s.away {
				continue // it is on its way to the disk
			}
			c.owed++
			return over()
		case s.conn.Postponed:
			l := c.srv.lanes.get(nil)
			busy := c.srv.enter(l)
			c.srv.pause.remove(s)
			s.conn.Postponed, c.waiting, s.delayed = false, false, nil
			c.srv.leave(l, busy)
			c.srv.lanes.put(l)
			return over()
		case s.waiting:
			if cancelled = true; !c.cancel() {
				c.owed++
				return over()
			}
		}
	}
	if cancelled && c.got && c.reply.kind == KindError && c.reply.text == string(commands.ErrUnblocked) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return ErrClosed
	}
	return nil
}

// cancel asks for the end of the wait for keys. A reply follows, whatever happens; soon reports that it does at once.
func (c *Conn) cancel() (soon bool) {
	finish := c.ses.conn.Cancel()
	if finish == nil {
		return true // it is on its way
	}
	l := c.srv.lanes.get(nil)
	if c.srv.store.EnterUnlessBusy(l.gate) {
		finish(l.tx)
		l.gate.Leave()
		c.srv.lanes.put(l)
		return true
	}
	c.srv.lanes.put(l)
	// What it waits for is locked for long. It takes nothing any more, but has to wait to be told.
	c.srv.wg.Add(1)
	go func() {
		defer c.srv.wg.Done()
		l := c.srv.lanes.get(nil)
		l.gate.Enter()
		finish(l.tx)
		l.gate.Leave()
		c.srv.lanes.put(l)
	}()
	return false
}
