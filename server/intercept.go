package server

import (
	"runtime/debug"
	"time"

	"github.com/streampulse/pulse/commands"
)

// Request is a command of a client that Options.Intercept is asked about. It is valid during the call.
type Request struct {
	// Name is the name of the command in lower case, with its subcommand as in "config|set"; a name that is no
	// command's is as the client sent it.
	Name string
	// Args are what the client sent, the name first. They must neither be changed nor kept.
	Args [][]byte
	// Client is the number of the connection, as in CLIENT LIST.
	Client int64
	// Local tells that the request did not come as bytes, but from Server.Do or Conn.Do.
	Local bool

	spec *commands.Spec
	conn *commands.Conn
}

// DB is the database that the client has selected.
func (r *Request) DB() int { return r.conn.DB }

// User is the name of the user that the client is logged in as, Addr its address, ClientName what it calls itself, "" if nothing.
func (r *Request) User() string { return r.conn.User }

// Addr is the client's address.
func (r *Request) Addr() string { return r.conn.Addr }

// ClientName is what the client calls itself, "" if nothing.
func (r *Request) ClientName() string { return r.conn.Name }

// Protocol is the version of the protocol that the client is answered in, 2 or 3.
func (r *Request) Protocol() int { return r.conn.Out.Proto() }

// InMulti reports whether the client is between MULTI and EXEC.
func (r *Request) InMulti() bool { return r.conn.InMulti() }

// Keys are those of Args that name keys; none if the request is not well formed.
func (r *Request) Keys() [][]byte {
	if r.spec == nil {
		return nil
	}
	pos, _ := r.spec.KeyPositions(r.Args, nil)
	var keys [][]byte
	for _, p := range pos {
		if p.Pos < len(r.Args) {
			keys = append(keys, r.Args[p.Pos])
		}
	}
	return keys
}

// Verdict is what Options.Intercept wants done with a request. The zero Verdict lets it run.
type Verdict struct {
	// Delay keeps the request, and what the client sends after it, waiting for so long before the rest of the Verdict is
	// carried out. It is real time, whatever Options.Clock says. Other clients are not affected.
	Delay time.Duration
	// Release ends the delay early when it is closed; it may be nil.
	Release <-chan struct{}
	// Drop closes the connection without a reply to this request.
	Drop bool
	// Err, if not "", is the error reply, without the leading '-': "LOADING not yet". The command does not run. Between
	// MULTI and EXEC that spoils the transaction, as any error does there.
	Err string
	// Reply, if not nil, is what the client gets instead of a reply, as bytes of the protocol, which may be none. The
	// command does not run, nor is it queued between MULTI and EXEC.
	Reply []byte
}

// delayed is a request that waits because of a Verdict.
type delayed struct {
	verdict Verdict
	over    chan struct{} // closed when it need not wait any more
}

func (d *delayed) isOver() bool {
	select {
	case <-d.over:
		return true
	default:
		return false
	}
}

// intercept asks Options.Intercept about a request; it is the commands.Interceptor of sessions. A request that was delayed comes
// again, any number of times, and is not asked about again.
func (s *session) intercept(spec *commands.Spec, args [][]byte) error {
	v := Verdict{}
	switch d := s.delayed; {
	case d == nil:
		v = s.verdict(spec, args)
		if v.Delay > 0 {
			s.delay(v)
			return commands.Later
		}
	case !d.isOver():
		return commands.Later
	default:
		v, s.delayed = d.verdict, nil
	}
	c := &s.conn
	switch {
	case v.Drop:
		c.Closing = true
		return commands.Answered
	case v.Err != "":
		return commands.Error(v.Err)
	case v.Reply != nil:
		c.Out.Raw(v.Reply)
		return commands.Answered
	}
	return nil
}

// verdict calls the hook. If it panics, the client is told and the server goes on.
func (s *session) verdict(spec *commands.Spec, args [][]byte) (v Verdict) {
	defer func() {
		if p := recover(); p != nil {
			s.srv.log.Warningf("Options.Intercept panicked: %v\n%s", p, debug.Stack())
			v = Verdict{Err: "ERR the hook that intercepts commands has panicked"}
		}
	}()
	r := Request{Args: args, Client: s.conn.ID, Local: s.local != nil, spec: spec, conn: &s.conn}
	if spec != nil {
		r.Name = spec.FullName()
	} else {
		r.Name = string(args[0])
	}
	return s.srv.hook(&r)
}

// delay keeps the request waiting. The session offers it again when it is told to go on, and now and then besides.
func (s *session) delay(v Verdict) {
	d := &delayed{verdict: v, over: make(chan struct{})}
	s.delayed = d
	go func() {
		timer := time.NewTimer(v.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-v.Release:
		case <-s.srv.stop:
		}
		close(d.over)
		s.post(note{kind: noteResume})
	}()
}
