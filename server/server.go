// Package server is a server with Redis's commands and protocol that a Go program holds within itself.
//
//	srv, err := server.Open(server.Options{NoListen: true})
//	...
//	defer srv.Close(context.Background())
//	reply, err := srv.Do(ctx, "INCR", "visits")
//	n, err := reply.Int()
//
// # Contract
//
// Open returns a running server or an error; it never exits, installs no signal handler and logs only to the logger it
// is given. Close ends every connection, goroutine and descriptor. A process may hold any number of servers. The
// methods of Server may be called concurrently. A server that nobody uses costs some 100 KB and two goroutines: what else it needs it
// makes when it is needed.
//
// # Ways in
//
//   - Do runs one command in the caller's goroutine, without protocol or network, and returns a typed Reply;
//   - Conn is a connection for what needs one: transactions, other databases, another user;
//   - Subscribe, PSubscribe and SSubscribe return a channel of messages;
//   - Dial returns a net.Conn within the process, and DialContext is the same for the options of client libraries;
//   - Addr, TLSAddr and the parameters of Options.Config are for clients elsewhere.
//
// All of them meet the same data, and are clients as any other: CLIENT LIST shows them with the address local:0, and MONITOR, SLOWLOG,
// CLIENT KILL and CLIENT PAUSE, access rules, maxmemory and the durability of appendfsync hold for them. Do, Conn and the
// subscriptions act for the program that has opened the server, which is trusted: they are the default user without being asked for
// a password. Dial is asked, as the network is.
//
// # Data
//
// With Options.Dir the server reads its data from the files there before Open returns, and keeps them as the parameters of
// Options.Config say (save, appendonly, appendfsync); a lock keeps others out. SHUTDOWN saves as Redis
// does, then closes Done and leaves the rest to the program, which calls Close. Close does not save on its own: PrepareExit before it does
// what SHUTDOWN would.
//
// # Who owns what
//
// The rest is for those who change this package. It is the process around the commands: listeners, event loops and sessions.
//
// A session (session.go) is fed bytes and yields bytes. It has one owner at a time, and only the owner touches it:
//
//   - an event loop (loop.go), for TCP clients that read what they are sent: gnet calls, the session answers, one write.
//     Connections gather on as few loops as keep up (balance.go), and a busy loop holds small replies together (held.go);
//   - a stream (stream.go), a pair of goroutines on a net.Conn, for everything else: Unix sockets, and TCP clients whose
//     socket buffer is full, or who keep their loop busy for long. A client's socket is not read while output waits;
//   - a Conn (embed_conn.go): the session works in the goroutine that calls Do.
//
// Others reach a session by leaving a note in its mailbox and knocking at its owner (mailbox.go). Whoever runs commands
// does so in a lane (lane.go): the store's gate, a transaction and counters of its own.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/internal/vfs"
	"github.com/streampulse/pulse/server/acl"
	"github.com/streampulse/pulse/server/config"
	"github.com/streampulse/pulse/server/log"
	"github.com/streampulse/pulse/server/pubsub"
	"github.com/streampulse/pulse/server/stats"
	"github.com/streampulse/pulse/server/tracking"
	"github.com/streampulse/pulse/store"
)

// Version is the version of Pulse.
const Version = "0.1.0"

// Options say how to open a server. The zero value serves an empty store on a free port of the loopback interface
// and logs nothing.
type Options struct {
	// Addr is the TCP address to listen on, instead of the bind and port parameters. It is "127.0.0.1:0" if there is
	// no Config either.
	Addr string
	// TLSAddr is the address to listen on with TLS, instead of the bind and tls-port parameters.
	TLSAddr string
	// TLSConfig is for connections that come in with TLS, instead of what the tls-* parameters name.
	TLSConfig *tls.Config
	// Listeners, and TLSListeners with TLS, are accepted from instead of the ports of the parameters. They are the server's
	// to close. Connections of any kind will do.
	Listeners, TLSListeners []net.Listener
	// Crash is called when a command has panicked, after the log was told: a program that is nothing but a server ends
	// itself there. With nil, or if Crash returns, the panic goes on and ends the program, as any panic does.
	Crash func()
	// Intercept, if not nil, is asked about each command that a client sends, before anything else is: whether there is such a
	// command, whether the client may run it, whether there is memory for it. It is not asked about commands that EXEC or a
	// script runs, nor about those that are answered while a script takes too long.
	//
	// It is called by many clients at once, while others of the same event loop wait: it should be quick, and it must not
	// call methods of the Server. If it panics, the client gets an error and the log a report.
	Intercept func(r *Request) Verdict
	// Config holds the parameters; nil stands for the defaults.
	Config *config.Config
	// Log takes what an operator should read; nil drops it.
	Log *log.Logger
	// Slog takes it if Log is nil: notices as slog.LevelInfo, warnings as slog.LevelWarn.
	Slog *slog.Logger
	// Clock is the source of time; nil means the real one. A test may give one that it can move: pulsetest.NewClock().Source().
	Clock clock.Clock
	// Deadlines, if not nil, is the clock that keys and fields of hashes expire by, while Clock is what clients are told the time by: for
	// tests in which the one is moved and the other is not. It is not for servers with a Dir.
	Deadlines clock.Clock
	// MetricsAddr is the TCP address on which HTTP answers /metrics, /healthz, /readyz and /debug/pprof/, to everybody who can
	// reach it; instead of the parameter metrics-addr. With neither, nothing does.
	MetricsAddr string
	// Dir is the directory of the RDB file and of the append-only file, which nobody else may use at the same time. With
	// "" the server keeps no files, whatever the parameters say.
	Dir string
	// IgnoreUnread lets the server start although its directory holds data that it does not read: an RDB file beside an
	// append-only file that does not exist yet.
	IgnoreUnread bool
	fs           vfs.FS        // for tests; nil is the real one
	handshake    time.Duration // for tests; 0 is handshakeTime
	// NoListen opens no port and no Unix socket, whatever Addr, Listeners and the parameters say: there are Dial, Do and what
	// stands beside them.
	NoListen bool
	// Shards of the store, 0 for the default.
	Shards int
	// Seed of all randomness that clients can see; 0 draws one.
	Seed uint64
	// TuneCollector lets the server set up Go's garbage collector for its data; that concerns the whole process.
	TuneCollector bool
}

// Server is a running server.
type Server struct {
	cfg    *config.Config
	vars   vars
	log    *log.Logger
	clock  clock.Clock
	store  *store.Store
	table  *commands.Table
	stats  *stats.Stats
	pubsub *pubsub.Registry
	users  *acl.Users
	runID  string
	replID atomic.Pointer[string]
	start  time.Duration // monotonic

	loops     *loops
	streams   atomic.Int64 // streams whose writers have not ended
	locals    locals
	listeners listeners
	tls       front
	clients   clients
	lanes     lanes
	pause     pause
	couriers  couriers
	detached  detached
	scripts   scripts
	tracking  *tracking.Table
	abort     atomic.Bool // no script runs any more
	monitors  monitors
	slowlog   slowlog
	busyGate  sync.RWMutex // of sessions that run outside of the store's gates, because it is busy
	memory    memoryWatch
	latency   latency
	notifier  notifier
	files     files
	collector collector
	telemetry telemetry
	resting   resting
	hook      func(*Request) Verdict // Options.Intercept

	stop     chan struct{} // closed when the server is to end: by Close or by SHUTDOWN
	stopOnce sync.Once
	closed   chan struct{} // closed when it has ended
	wg       sync.WaitGroup
	entry    sync.WaitGroup // those who accept connections, and connections on their way to a loop
	closing  atomic.Bool
	crash    struct {
		began atomic.Bool
		end   func()
	}
	attack atomic.Int64 // when the last cross-protocol attack was logged, monotonic; 0: never

	cronPaused atomic.Bool // DEBUG PAUSE-CRON
}

// vars are the parameters read at run time.
type vars struct {
	maxClients, timeout, maxBulk, queryLimit, tcpKeepalive, busyReply *config.IntVar
	protectedMode                                                     *config.BoolVar
	outputLimits                                                      config.Var[config.OutputLimits]
}

// ErrClosed is returned by methods of a Server that has been closed.
var ErrClosed = errors.New("server: closed")

// Open starts a server, when it has read its data. On an error nothing is left behind; it is ErrClosed if a client has sent
// SHUTDOWN meanwhile.
func Open(o Options) (*Server, error) {
	if o.Config == nil {
		o.Config = config.New()
		if o.Addr == "" {
			o.Addr = "127.0.0.1:0"
		}
	}
	if o.Clock == nil {
		o.Clock = clock.Real
	}
	switch {
	case o.Log != nil:
	case o.Slog != nil:
		o.Log = log.FromSlog(o.Slog, o.Clock)
	default:
		o.Log = discard()
	}
	s := &Server{
		cfg: o.Config, log: o.Log, clock: o.Clock,
		runID: newRunID(), start: o.Clock.Mono(),
		stop: make(chan struct{}), closed: make(chan struct{}),
	}
	s.crash.end, s.hook = o.Crash, o.Intercept
	s.env().ChangeReplicationID()
	keep := store.Options{Clock: o.Clock}
	if o.Deadlines != nil {
		keep = store.Options{Clock: o.Deadlines, Wall: o.Clock}
	}
	keep.Databases, keep.Shards, keep.Seed = int(s.cfg.Int("databases").Load()), o.Shards, o.Seed
	s.store = store.New(keep)
	s.table = commands.New(s.store)
	if err := s.checkDirectives(); err != nil {
		s.store.Close()
		return nil, err
	}
	s.stats = stats.New(s.table.Len())
	s.pubsub = pubsub.New()
	s.initTracking()
	s.initClientLimit()
	if err := s.readUsers(); err != nil {
		s.store.Close()
		return nil, err
	}
	s.initLatency()
	s.initNotify()
	s.initSlowlog()
	s.initMemory()
	if o.TuneCollector {
		s.collector.start(s)
	}
	s.readConfig()
	s.readEviction()
	s.files.init(s, &o)
	s.fitDescriptors()
	s.watchConfig()
	s.warnInert()
	s.scripts.init(s)
	s.lanes.init(s)
	s.detached.init(s)
	s.clients.init()
	s.loops = newLoops(s, int(s.cfg.Int("io-threads").Load()))
	s.follow()
	s.log.Noticef("Server initialized")
	if err := s.tls.init(s, &o); err != nil {
		s.shutDown()
		return nil, err
	}
	if err := s.listen(&o); err != nil {
		s.shutDown()
		return nil, err
	}
	if err := s.openTelemetry(o.MetricsAddr); err != nil {
		s.shutDown()
		return nil, err
	}
	s.files.beginLoading()
	s.wg.Add(1)
	go s.cron()
	s.acceptAll()
	if err := s.files.open(o.IgnoreUnread); err != nil {
		s.files.failed.Store(true)
		s.shutDown()
		return nil, err
	}
	s.telemetry.loaded.Store(true)
	ready := ""
	for _, l := range s.listeners.list() {
		if l.kind != ready {
			s.log.Noticef("Ready to accept connections %s", l.kind)
		}
		ready = l.kind
	}
	return s, nil
}

// Addr returns the address of the first TCP listener, "" if there is none.
func (s *Server) Addr() string { return s.addr("tcp") }

// TLSAddr returns the address of the first TCP listener that speaks TLS, "" if there is none.
func (s *Server) TLSAddr() string { return s.addr("tls") }

func (s *Server) addr(kind string) string {
	for _, l := range s.listeners.of(kind) {
		if a, ok := l.Addr().(*net.TCPAddr); ok {
			return a.String()
		}
	}
	return ""
}

// Done is closed when the server wants to end, because of SHUTDOWN or Close; the owner then calls Close.
func (s *Server) Done() <-chan struct{} { return s.stop }

// Close ends the server: no connection is accepted any more, requests that were read are answered, then clients are
// closed. It waits for all of it, or for ctx; then it returns ctx.Err() and the rest ends on its own.
func (s *Server) Close(ctx context.Context) error {
	s.requestStop()
	if s.closing.CompareAndSwap(false, true) {
		go func() {
			s.shutDown()
			close(s.closed)
		}()
	}
	select {
	case <-s.closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Server) requestStop() { s.stopOnce.Do(func() { close(s.stop) }) }

func (s *Server) shutDown() {
	s.requestStop()
	s.unfollow()
	s.pause.close()
	s.listeners.close()
	s.tls.close()
	s.loops.freeze()
	s.entry.Wait()
	s.abortScripts()
	s.couriers.close()
	s.detached.close()
	s.clients.each(func(c *session) { c.post(note{kind: noteClose}) })
	s.loops.close()
	s.clients.waitEmpty(2 * time.Second)
	s.telemetry.close()
	s.wg.Wait()
	s.files.close()
	s.store.Close()
	s.collector.stop()
}

// cronTick is how often cron wakes up.
const cronTick = 100 * time.Millisecond

// cron does what is due now and then: rates, idle clients, clients over their output limit for too long.
func (s *Server) cron() {
	defer s.wg.Done()
	tick := time.NewTicker(cronTick)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		if s.cronPaused.Load() {
			continue
		}
		s.stats.Sample(s.clock.Mono())
		s.loops.balance()
		s.pause.check(s)
		s.usedMemory() // for the peak
		s.evictClients()
		s.files.tick()
		if n%10 == 0 {
			s.collector.watch()
			s.checkClients()
		}
	}
}

// checkClients lets sessions look whether they have been idle for too long, and those that the client does not read from
// whether too much has been unsent for too long.
func (s *Server) checkClients() {
	idle := s.vars.timeout.Load() > 0
	if !idle && s.streams.Load() == 0 {
		return // a look at ten thousand clients takes milliseconds
	}
	s.clients.each(func(c *session) {
		t, slow := (*c.owner.Load()).(*stream)
		if idle || slow && t.unsentBytes() > 0 {
			c.post(note{kind: noteIdle})
		}
	})
}

func (s *Server) readConfig() {
	c := s.cfg
	s.vars = vars{
		maxClients: c.Int("maxclients"), timeout: c.Int("timeout"), maxBulk: c.Int("proto-max-bulk-len"),
		queryLimit: c.Int("client-query-buffer-limit"), tcpKeepalive: c.Int("tcp-keepalive"),
		busyReply:     c.Int("busy-reply-threshold"),
		protectedMode: c.Bool("protected-mode"), outputLimits: c.OutputLimits(),
	}
	limits := map[string]func(l *store.Limits, n int){
		"hash-max-listpack-entries": func(l *store.Limits, n int) { l.HashMaxListpackEntries = n },
		"hash-max-listpack-value":   func(l *store.Limits, n int) { l.HashMaxListpackValue = n },
		"set-max-intset-entries":    func(l *store.Limits, n int) { l.SetMaxIntsetEntries = n },
		"set-max-listpack-entries":  func(l *store.Limits, n int) { l.SetMaxListpackEntries = n },
		"set-max-listpack-value":    func(l *store.Limits, n int) { l.SetMaxListpackValue = n },
		"zset-max-listpack-entries": func(l *store.Limits, n int) { l.ZSetMaxListpackEntries = n },
		"zset-max-listpack-value":   func(l *store.Limits, n int) { l.ZSetMaxListpackValue = n },
		"list-max-listpack-size":    func(l *store.Limits, n int) { l.ListMaxListpackSize = n },
		"list-compress-depth":       func(l *store.Limits, n int) { l.ListCompressDepth = n },
		"stream-node-max-bytes":     func(l *store.Limits, n int) { l.StreamNodeMaxBytes = n },
		"stream-node-max-entries":   func(l *store.Limits, n int) { l.StreamNodeMaxEntries = n },
		"hll-sparse-max-bytes":      func(l *store.Limits, n int) { l.HLLSparseMaxBytes = n },
	}
	for name, set := range limits {
		v := c.Int(name)
		apply := func() {
			l := *s.store.Limits()
			set(&l, int(v.Load()))
			s.store.SetLimits(l)
		}
		apply()
		c.OnChange(name, apply)
	}
	compression := c.Bool("rdbcompression")
	compress := func() {
		l := *s.store.Limits()
		l.CompressTexts = compression.Load()
		s.store.SetLimits(l)
	}
	compress()
	c.OnChange("rdbcompression", compress)
	tracking := c.Bool("latency-tracking")
	track := func() { s.stats.SetTracking(tracking.Load()) }
	track()
	c.OnChange("latency-tracking", track)
	c.OnChange("log-format", func() {
		if f, ok := log.ParseFormat(c.Enum("log-format").Load()); ok {
			s.log.SetFormat(f)
		}
	})
	c.OnChange("loglevel", func() {
		if l, ok := log.ParseLevel(c.Enum("loglevel").Load()); ok {
			s.log.SetLevel(l)
		}
	})
}

func pid() int { return os.Getpid() }
