package server

import (
	"context"
	"net"
	"strings"
	"sync"
	"unsafe"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/server/stats"
)

// Clock is the source of time of a server, see Options.Clock.
type Clock = clock.Clock

// Timer is what Clock.AfterFunc returns.
type Timer = clock.Timer

// Dial connects to the server without the network. The connection is a client like any other: it speaks the Redis protocol, has to
// authenticate if a password is asked for, and CLIENT LIST shows it with the address local:0. Both directions are
// buffered, deadlines work, and either side may close it. The error is ErrClosed once the server closes, and an Error if there are
// as many clients as maxclients allows.
func (s *Server) Dial() (net.Conn, error) { return s.dial(false) }

// DialContext is Dial in the form that the Dialer of client libraries has, such as that of go-redis. network and addr are ignored.
func (s *Server) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.dial(false)
}

// dial serves one end of a new pipe and returns the other. A trusted client need not authenticate.
func (s *Server) dial(trusted bool) (net.Conn, error) {
	id, err := s.reserveLocal()
	if err != nil {
		return nil, err
	}
	ours, theirs := newPipe()
	ses := newSession(s, ours)
	ses.conn.ID = id
	ses.conn.Authenticated = ses.conn.Authenticated || trusted
	t := newStream(ses, ours, output{})
	if !s.clients.add(ses) {
		s.clients.release()
		return nil, ErrClosed
	}
	t.start(ses)
	return theirs, nil
}

// reserveLocal reserves the place of a client within the process.
func (s *Server) reserveLocal() (id int64, err error) {
	if s.stopping() {
		return 0, ErrClosed
	}
	if id = s.clients.reserve(s.vars.maxClients.Load()); id == 0 {
		s.stats.Add(stats.RejectedConnections, 1)
		return 0, Error(commands.ErrMaxClients)
	}
	return id, nil
}

// stopping reports whether the server is to end.
func (s *Server) stopping() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// maxIdleConns is how many connections Do keeps for its next calls.
const maxIdleConns = 64

// maxTries is how many connections a call of Do tries that were closed before its command began.
const maxTries = 3

// locals are the connections of Do.
type locals struct {
	mu   sync.Mutex
	idle []*Conn
	once sync.Once
	// refused are the commands that concern a connection, by ID; the value is what to use instead.
	refused map[int]string
}

// Do runs one command and returns its reply; an error reply is returned as an Error, too. It may be called by any number of goroutines:
// it borrows a connection of its own for the time being, on which the command runs in the caller's goroutine, without protocol or
// network. For the rest it is a command like any other: in the rights of the default user (without a password: the program that
// has opened the server is trusted), in MONITOR, SLOWLOG and the statistics, subject to CLIENT PAUSE and maxmemory; with
// appendfsync always Do returns when the change is on the disk.
//
// When ctx is done while the command waits, Do returns ctx.Err(): a blocking command then takes nothing any more, a command held back
// by CLIENT PAUSE does not run, and one that is running goes on. If an element was taken at that very moment, it is returned.
//
// Commands that concern a connection, such as SELECT or MULTI, are refused with an Error that names what to use instead. Database 0
// is used always. The error is ErrClosed when the server closes.
func (s *Server) Do(ctx context.Context, args ...string) (Reply, error) {
	if err := s.refuse(args, true); err != "" {
		return refusal(err)
	}
	for range maxTries {
		c, err := s.borrow()
		if err != nil {
			return Reply{}, err
		}
		r, err := c.do(ctx, args)
		retry := err == errNotBegun
		s.giveBack(c)
		if !retry {
			return r, err
		}
	}
	return Reply{}, ErrConnClosed
}

// DoBytes is Do for arguments that are bytes already: they are not copied into strings on the way. They are the caller's again when
// it returns.
func (s *Server) DoBytes(ctx context.Context, args ...[]byte) (Reply, error) {
	var few [fewArgs]string
	return s.Do(ctx, asStrings(few[:0], args)...)
}

// fewArgs is how many arguments DoBytes has room for without allocating.
const fewArgs = 16

// asStrings appends views of bytes that do not change while the strings are in use.
func asStrings(dst []string, args [][]byte) []string {
	for _, a := range args {
		dst = append(dst, unsafe.String(unsafe.SliceData(a), len(a)))
	}
	return dst
}

func refusal(err Error) (Reply, error) { return Reply{kind: KindError, text: string(err)}, err }

// borrow takes an idle connection, or makes one.
func (s *Server) borrow() (*Conn, error) {
	ls := &s.locals
	ls.mu.Lock()
	if n := len(ls.idle); n > 0 {
		c := ls.idle[n-1]
		ls.idle[n-1] = nil
		ls.idle = ls.idle[:n-1]
		ls.mu.Unlock()
		return c, nil
	}
	ls.mu.Unlock()
	return s.Conn()
}

// giveBack keeps c for others, if it is as good as new.
func (s *Server) giveBack(c *Conn) {
	if c.clean() {
		ls := &s.locals
		ls.mu.Lock()
		if len(ls.idle) < maxIdleConns {
			ls.idle = append(ls.idle, c)
			c = nil
		}
		ls.mu.Unlock()
	}
	if c != nil {
		_ = c.Close()
	}
}

const (
	useConn      = "Server.Conn"
	useDial      = "Server.Dial"
	useSubscribe = "Server.Subscribe"
)

// ofConnections are the commands that do something to the connection that they come from. Those in whose place useConn stands are
// good on a Conn, the others on no connection without a protocol.
var ofConnections = map[string]string{
	"subscribe": useSubscribe, "psubscribe": useSubscribe, "ssubscribe": useSubscribe,
	"unsubscribe": useSubscribe, "punsubscribe": useSubscribe, "sunsubscribe": useSubscribe,
	"monitor": useDial, "sync": useDial, "psync": useDial, "replconf": useDial,
	"client|reply": useDial, "client|tracking": useDial, "client|caching": useDial,
	"multi": useConn, "exec": useConn, "discard": useConn, "watch": useConn, "unwatch": useConn,
	"select": useConn, "auth": useConn, "hello": useConn, "reset": useConn, "quit": useConn,
	"client|setname": useConn, "client|setinfo": useConn, "client|no-evict": useConn, "client|no-touch": useConn,
	"asking": useConn, "readonly": useConn, "readwrite": useConn,
}

// refuse tells why a command cannot run on a Conn, or on one that others use next; "" if it can.
func (s *Server) refuse(args []string, shared bool) Error {
	if len(args) == 0 {
		return errNoCommand
	}
	ls := &s.locals
	ls.once.Do(func() {
		ls.refused = map[int]string{}
		for name, use := range ofConnections {
			if spec := s.table.Find([]byte(name)); spec != nil {
				ls.refused[spec.ID()] = use
			}
		}
	})
	spec := s.table.Named(args)
	if spec == nil {
		return "" // the table has words for that
	}
	use, ok := ls.refused[spec.ID()]
	if !ok || use == useConn && !shared {
		return ""
	}
	name := strings.ToUpper(strings.ReplaceAll(spec.FullName(), "|", " "))
	return Error("ERR " + name + " concerns a connection: use " + use + " instead")
}

const errNoCommand = Error("ERR no command")
