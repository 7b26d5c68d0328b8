// Package pulsetest gives tests a server of their own, in their process: a real one, whose clock they can stop and move,
// whose commands they can let fail, and whose data they can fill in and compare.
//
//	func TestSession(t *testing.T) {
//		s := pulsetest.Start(t)
//		client := redis.NewClient(&redis.Options{Addr: s.Addr()})
//		...
//		s.Clock.Advance(30 * time.Minute) // what was to expire has expired
//	}
//
// # Contract
//
// Start returns a running server and stops it when the test ends. It takes less than a millisecond, so every test can have its own, and
// parallel tests do not get in each other's way. If the test has failed, what the data were at its end is logged.
//
// Methods that cannot do what they are asked for end the test with Fatal: they are for the test's own goroutine. Clock, Inject
// and what Server takes over from server.Server may be used by any goroutine.
//
// # Time
//
// The clock runs in real time at first. Clock.Freeze stops it, Clock.Advance and Clock.Set move it. Everything that clients see goes by it: keys
// and fields that expire, with their notifications; time-outs of commands that wait; CLIENT PAUSE and the timeout parameter; TIME, in
// scripts, too; the IDs and idle times of streams; OBJECT IDLETIME and FREQ; the ages in CLIENT LIST and INFO; the dates in SLOWLOG,
// LASTSAVE and ACL LOG; save points. When Advance returns, what fell due on the way has happened: subscribers have been sent the events of
// expired keys, clients that waited have been answered. While the clock stands commands take no time, so far as the server can tell.
//
// What is about work goes by real time: DEBUG SLEEP, busy-reply-threshold, fsyncs, the latency that a Fault causes.
//
// This package is for tests. A server that ships does not contain it.
package pulsetest

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/server"
	"github.com/streampulse/pulse/server/config"
	"github.com/streampulse/pulse/server/log"
)

// Server is a server that ends with its test.
type Server struct {
	// Server is the server itself: Addr, Dial, Do, Conn, Subscribe. Restart puts another one in its place.
	*server.Server
	// Clock is what the server goes by.
	Clock *Clock

	t       testing.TB
	options options
	faults  faults
	log     testLog
	own     struct {
		sync.Mutex
		conn *server.Conn // of Must; nil until it is needed
		end  func()       // closes it
	}
}

// options are what the Options have said.
type options struct {
	clock    *Clock
	frozen   *time.Time
	config   []setting
	memory   bool
	dir      string
	data     string
	logs     bool
	seed     uint64
	haveSeed bool
	addr     string // set by Restart
}

type setting struct{ name, value string }

// Option says how to start a server.
type Option func(*options)

// InMemory opens no port: clients connect with Dial, or with DialContext as their dialer.
func InMemory() Option { return func(o *options) { o.memory = true } }

// Frozen starts with the clock standing still at the given time.
func Frozen(at time.Time) Option { return func(o *options) { o.frozen = &at } }

// WithClock starts a server that goes by a clock which others go by, too, such as further servers.
func WithClock(c *Clock) Option { return func(o *options) { o.clock = c } }

// Seed makes random what clients see (SRANDMEMBER, the order of SCAN) and which Faults strike the same in each run. Without it the seed is
// another one each time; Dump tells it.
func Seed(n uint64) Option { return func(o *options) { o.seed, o.haveSeed = n, true } }

// Config sets a parameter, as in redis.conf: Config("maxmemory", "1mb"), Config("save", "60", "1").
func Config(name string, value ...string) Option {
	return func(o *options) { o.config = append(o.config, setting{name, strings.Join(value, " ")}) }
}

// Dir lets the server keep its files in a directory, as t.TempDir(). Without it there are none.
func Dir(path string) Option { return func(o *options) { o.dir = path } }

// Data starts with the data of a file: an RDB file, or a text as Load takes it.
func Data(path string) Option { return func(o *options) { o.data = path } }

// Logs writes the server's log to that of the test.
func Logs() Option { return func(o *options) { o.logs = true } }

// patience is how long the end of a server may take, in real time.
const patience = 30 * time.Second

// Start starts a server for the test t, on a free port of the loopback interface, without data and without files.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s := &Server{t: t}
	for _, o := range opts {
		o(&s.options)
	}
	o := &s.options
	if s.Clock = o.clock; s.Clock == nil {
		s.Clock = NewClock()
	}
	if o.frozen != nil {
		s.Clock.Freeze()
		s.Clock.Set(*o.frozen)
	}
	if !o.haveSeed {
		o.seed = rand.Uint64()
	}
	s.faults.init(o.seed)
	s.log.to = t
	load := s.findData()
	s.open()
	t.Cleanup(s.end)
	if load {
		s.Load(s.readText(o.data))
	}
	return s
}

// findData has an RDB file put where the server finds it; it returns true if the data are to be loaded as commands.
func (s *Server) findData() (text bool) {
	o := &s.options
	if o.data == "" {
		return false
	}
	b, err := os.ReadFile(o.data)
	if err != nil {
		s.t.Fatalf("pulsetest: %v", err)
	}
	if !strings.HasPrefix(string(b[:min(len(b), 5)]), "REDIS") {
		return true
	}
	if o.dir == "" {
		o.dir = s.t.TempDir()
	}
	name := filepath.Join(o.dir, "dump.rdb")
	if _, err := os.Stat(name); err == nil {
		s.t.Fatalf("pulsetest: there are data in %s already", o.dir)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		s.t.Fatalf("pulsetest: %v", err)
	}
	return false
}

func (s *Server) readText(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatalf("pulsetest: %v", err)
	}
	return string(b)
}

// open opens the server that the options say.
func (s *Server) open() {
	s.t.Helper()
	o := &s.options
	c := config.New()
	for _, p := range o.config {
		if err := c.Override(p.name, p.value); err != nil {
			s.t.Fatalf("pulsetest: parameter %s: %v", p.name, err)
		}
	}
	so := server.Options{
		Addr: "127.0.0.1:0", Config: c, Clock: s.Clock.c, Dir: o.dir, Seed: o.seed, NoListen: o.memory, Intercept: s.faults.decide,
	}
	if o.addr != "" {
		so.Addr = o.addr
	}
	if o.logs {
		l, err := log.New(log.Options{Writer: &s.log, Level: c.Text("loglevel"), Clock: s.Clock.c})
		if err != nil {
			s.t.Fatalf("pulsetest: %v", err)
		}
		so.Log = l
	}
	srv, err := server.Open(so)
	if err != nil {
		s.t.Fatalf("pulsetest: %v", err)
	}
	s.Server = srv
}

// end is the clean-up of Start.
func (s *Server) end() {
	s.t.Helper()
	if s.t.Failed() {
		s.t.Logf("pulsetest: at the end of the test\n%s", s.Dump())
	}
	s.close()
	s.log.end()
}

// close closes the server and waits for it.
func (s *Server) close() {
	s.t.Helper()
	s.own.Lock()
	if s.own.conn != nil {
		s.own.end()
		s.own.conn = nil
	}
	s.own.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		buf := make([]byte, 1<<20)
		s.t.Errorf("pulsetest: the server does not end: %v\n%s", err, buf[:runtime.Stack(buf, true)])
	}
}

// Restart ends the server, as SHUTDOWN does, and starts it again at the same address, with its clock and its Faults. The data stay, and the
// functions, also without Dir; connections, scripts and what CONFIG SET has changed do not. The Server must not be used by others meanwhile.
func (s *Server) Restart() {
	s.t.Helper()
	var lost []kept
	if s.options.dir == "" {
		lost = s.keep()
	} else if err := s.PrepareExit(commands.ShutdownOptions{Save: true}); err != nil {
		s.t.Fatalf("pulsetest: saving before the restart: %v", err)
	}
	if !s.options.memory {
		s.options.addr = s.Addr()
	}
	s.close()
	s.open()
	s.unkeep(lost)
}

// conn opens a connection that Faults do not concern; what it returns closes it.
func (s *Server) conn(ctx context.Context) (*server.Conn, func(), error) {
	c, err := s.Conn()
	if err != nil {
		return nil, nil, err
	}
	s.faults.spare(c.ID(), true)
	end := func() {
		_ = c.Close()
		s.faults.spare(c.ID(), false)
	}
	if _, err := c.Do(ctx, "CLIENT", "NO-TOUCH", "ON"); err != nil {
		end()
		return nil, nil, err
	}
	return c, end, nil
}

// command runs a command on the Server's own connection. The error may be that of the reply.
func (s *Server) command(args ...string) (server.Reply, error) {
	s.own.Lock()
	defer s.own.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for again := s.own.conn != nil; ; again = false {
		if s.own.conn == nil {
			c, end, err := s.conn(ctx)
			if err != nil {
				return server.Reply{}, err
			}
			s.own.conn, s.own.end = c, end
		}
		r, err := s.own.conn.Do(ctx, args...)
		if err != server.ErrConnClosed || !again {
			return r, err
		}
		s.own.end() // it has been idle for too long, or was killed
		s.own.conn = nil
	}
}

// Must runs a command on a connection of the Server's own, which Faults do not concern, and returns its reply. An error ends the test.
func (s *Server) Must(args ...string) server.Reply {
	s.t.Helper()
	r, err := s.command(args...)
	if err != nil {
		s.t.Fatalf("pulsetest: %s: %v", strings.Join(args, " "), err)
	}
	return r
}

// testLog passes lines on to the test, while there is one.
type testLog struct {
	mu   sync.Mutex
	to   testing.TB
	over bool
}

// Write implements io.Writer. The log writes whole lines.
func (l *testLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		l.to.Logf("%s", strings.TrimRight(string(b), "\r\n"))
	}
	return len(b), nil
}

func (l *testLog) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}
