package miniredis

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/server/pulsetest/miniredis/server"
)

// Miniredis is a server with its data. Make one with NewMiniRedis, or with Run and its like. All methods may be called
// concurrently, while clients are connected and after Close.
type Miniredis struct {
	// The Mutex is here because that of miniredis can be seen. Nothing in this package takes it.
	sync.Mutex
	// Ctx is done when the server is closed.
	Ctx context.Context
	// CtxCancel ends Ctx.
	CtxCancel context.CancelFunc

	times    *times
	selected atomic.Int64 // the database of the direct methods

	// mu guards front and what it takes to begin again where it was.
	mu struct {
		sync.Mutex
		front   *server.Server // nil while closed
		addr    string         // where it listens, or did
		tls     *tls.Config
		refusal string
	}
	// live guards the engine: who uses it reads, who opens or closes it writes.
	live struct {
		sync.RWMutex
		engine    *engine // nil until it is used, and after Close
		parked    []parked
		seed      uint64
		passwords map[string]string // by user
	}
	subs struct {
		sync.Mutex
		all map[*Subscriber]struct{}
	}
}

// Tester is what RunT needs of a testing.T.
type Tester interface {
	Fatalf(string, ...interface{})
	Cleanup(func())
	Logf(format string, args ...interface{})
}

// NewMiniRedis returns a server that has not been started. Its direct methods work already.
func NewMiniRedis() *Miniredis {
	m := &Miniredis{times: newTimes()}
	m.Ctx, m.CtxCancel = context.WithCancel(context.Background())
	m.live.passwords = map[string]string{}
	m.subs.all = map[*Subscriber]struct{}{}
	return m
}

// Run starts a server on a free port of the loopback interface. Close it in the end.
func Run() (*Miniredis, error) {
	m := NewMiniRedis()
	return m, m.Start()
}

// RunTLS is Run with TLS.
func RunTLS(cfg *tls.Config) (*Miniredis, error) {
	m := NewMiniRedis()
	return m, m.StartTLS(cfg)
}

// RunT is Run for the duration of a test, which fails if that is not possible.
func RunT(t Tester) *Miniredis {
	m, err := Run()
	if err != nil {
		t.Fatalf("could not start miniredis: %s", err)
		return nil
	}
	t.Cleanup(m.Close)
	return m
}

// Start starts the server on a free port of the loopback interface.
func (m *Miniredis) Start() error { return m.start("127.0.0.1:0", nil) }

// StartTLS is Start with TLS.
func (m *Miniredis) StartTLS(cfg *tls.Config) error { return m.start("127.0.0.1:0", cfg) }

// StartAddr starts the server on the TCP address addr, such as "127.0.0.1:6379" or ":6379".
func (m *Miniredis) StartAddr(addr string) error { return m.start(addr, nil) }

// StartAddrTLS is StartAddr with TLS.
func (m *Miniredis) StartAddrTLS(addr string, cfg *tls.Config) error { return m.start(addr, cfg) }

// Restart starts a closed server on the port that it had, with the data that it had.
func (m *Miniredis) Restart() error {
	m.mu.Lock()
	addr, cfg := m.mu.addr, m.mu.tls
	m.mu.Unlock()
	if addr == "" {
		return errors.New("miniredis: Restart of a server that was not started")
	}
	return m.start(addr, cfg)
}

func (m *Miniredis) start(addr string, cfg *tls.Config) error {
	if _, err := m.open(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.front != nil {
		return errors.New("miniredis: already started")
	}
	front, err := server.Listen(addr, cfg, backend{m})
	if err != nil {
		return err
	}
	m.mu.addr, m.mu.tls = front.Addr().String(), cfg
	m.begin(front)
	return nil
}

// begin makes front the server that clients talk to. mu is held.
func (m *Miniredis) begin(front *server.Server) {
	m.mu.front = front
	front.Refuse(m.mu.refusal)
	if m.Ctx.Err() != nil {
		m.Ctx, m.CtxCancel = context.WithCancel(context.Background())
	}
}

// Dial connects to the server within the process. A server that has not been started is started then, without a port.
func (m *Miniredis) Dial() (net.Conn, error) {
	if _, err := m.open(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.front == nil {
		m.begin(server.Behind(backend{m}))
	}
	ours, theirs := net.Pipe()
	m.mu.front.ServeConn(ours)
	return theirs, nil
}

// Close closes the port and all connections. The data stays, for direct methods and for Restart.
func (m *Miniredis) Close() {
	m.mu.Lock()
	front := m.mu.front
	m.mu.front, m.mu.refusal = nil, ""
	m.CtxCancel()
	m.mu.Unlock()
	if front != nil {
		front.Close()
	}
	m.park()
}

func (m *Miniredis) front() *server.Server {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.front
}

// Addr is the address of the server, such as "127.0.0.1:12345"; "" if it has never listened.
func (m *Miniredis) Addr() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.addr
}

// Host is the first part of Addr.
func (m *Miniredis) Host() string {
	host, _, _ := net.SplitHostPort(m.Addr())
	return host
}

// Port is the last part of Addr.
func (m *Miniredis) Port() string {
	_, port, _ := net.SplitHostPort(m.Addr())
	return port
}

// Server is what clients talk to: it takes hooks and commands of the test's own. It is another one after Restart, and nil while
// the server is not running.
func (m *Miniredis) Server() *server.Server { return m.front() }

// IsReadOnlyCommand reports whether there is a command of that name that only reads.
func (m *Miniredis) IsReadOnlyCommand(cmd string) bool {
	if f := m.front(); f != nil {
		return f.IsReadOnlyCommand(cmd)
	}
	return server.Behind(backend{m}).IsReadOnlyCommand(cmd)
}

// CommandCount is how many commands clients have sent since the start.
func (m *Miniredis) CommandCount() int {
	if f := m.front(); f != nil {
		return f.TotalCommands()
	}
	return 0
}

// CurrentConnectionCount is how many clients are connected.
func (m *Miniredis) CurrentConnectionCount() int {
	if f := m.front(); f != nil {
		return f.ClientsLen()
	}
	return 0
}

// TotalConnectionCount is how many clients have connected since the start.
func (m *Miniredis) TotalConnectionCount() int {
	if f := m.front(); f != nil {
		return f.TotalConnections()
	}
	return 0
}

// SetError has every command of every client answered with the error msg, which begins with its code, as in "LOADING Redis is
// loading the dataset in memory". "" ends that, as does Close. The direct methods work all the same.
func (m *Miniredis) SetError(msg string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.refusal = msg
	if m.mu.front != nil {
		m.mu.front.Refuse(msg)
	}
}

// RequireAuth lets only clients work that have authenticated with the password pw; "" ends that. Connections that are open stay as
// they are.
func (m *Miniredis) RequireAuth(pw string) { m.RequireUserAuth("default", pw) }

// RequireUserAuth is RequireAuth for the user of that name. Users may do everything.
func (m *Miniredis) RequireUserAuth(username, pw string) {
	m.withEngine(func(e *engine) {
		if pw == "" {
			delete(m.live.passwords, username)
		} else {
			m.live.passwords[username] = pw
		}
		e.setUsers(m.live.passwords)
		if pw == "" && username != "default" {
			_, _ = e.do(0, "ACL", "DELUSER", username)
		}
	})
}

// Seed makes what is random the same each time: RANDOMKEY, SPOP, SRANDMEMBER and their like. While clients are connected it is for
// the time after the next start.
func (m *Miniredis) Seed(seed int) {
	m.live.Lock()
	m.live.seed = uint64(seed)
	open := m.live.engine != nil
	m.live.Unlock()
	if f := m.front(); open && (f == nil || f.ClientsLen() == 0) {
		m.park()
	}
}

// SetTime makes t the time that clients are told: that of TIME and of the IDs of stream entries, and that which dates as those of
// EXPIREAT are compared with. It stands still from then on. The zero time means real time again. No TTL changes, unless ClockTTL
// says so.
func (m *Miniredis) SetTime(t time.Time) { m.times.set(t) }

// FastForward lets all TTLs become shorter by duration. What has none left is gone when it returns.
func (m *Miniredis) FastForward(duration time.Duration) { m.times.deadlines.advance(duration) }

// ClockTTL says whether TTLs become shorter as time goes on, be it real time or that of SetTime, and not with FastForward alone.
func (m *Miniredis) ClockTTL(enabled bool) { m.times.follow(enabled) }
