package server

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/server/tlsconf"
)

// front is what stands before the sessions of the TLS port: the configuration and the handshakes under way. A connection is
// no client before its handshake is done. If too many are under way, or descriptors are short, the one that has taken longest
// gives way, so that those who do not finish theirs cannot keep out those who do.
type front struct {
	srv     *Server
	fixed   *tls.Config // of Options
	files   *tlsconf.Watched
	limit   time.Duration // for a handshake
	pending struct {
		sync.Mutex
		list   list.List // of net.Conn, in the order they came
		closed bool
	}
	under  atomic.Int64 // length of the list
	logged atomic.Int64 // when a failed handshake was last worth a warning, monotonic
}

const (
	// handshakeTime is how long a handshake may take. Redis sets no limit.
	handshakeTime = 10 * time.Second
	// maxHandshakes is how many may be under way.
	maxHandshakes = 1000
	// byeTime is how long the last bytes of TLS may wait for room in the socket.
	byeTime = 250 * time.Millisecond
)

var errTLS = errors.New("Unable to update TLS configuration. Check server logs.") //nolint:staticcheck // Redis's words

// init looks up the parameters, and reads the files if they are needed.
func (f *front) init(s *Server, o *Options) error {
	f.srv, f.fixed, f.limit = s, o.TLSConfig, handshakeTime
	if o.handshake > 0 {
		f.limit = o.handshake
	}
	f.files = tlsconf.NewWatched(s.clock.Mono)
	f.files.Reloaded = f.reloaded
	for _, name := range []string{
		"tls-cert-file", "tls-key-file", "tls-key-file-pass", "tls-client-cert-file", "tls-client-key-file", "tls-client-key-file-pass",
		"tls-ca-cert-file", "tls-ca-cert-dir", "tls-auth-clients", "tls-protocols", "tls-ciphers", "tls-ciphersuites",
		"tls-session-caching", "tls-replication", "tls-cluster",
	} {
		s.cfg.OnApply(name, f.apply)
	}
	needed := o.TLSAddr != "" || len(o.TLSListeners) > 0
	if needed && f.fixed == nil || f.wanted() {
		if f.read() != nil {
			return errors.New("Failed to configure TLS. Check logs for more info.") //nolint:staticcheck // Redis's words
		}
	}
	return nil
}

// wanted tells that parameters ask for TLS.
func (f *front) wanted() bool {
	c := f.srv.cfg
	return c.Int("tls-port").Load() != 0 || c.Bool("tls-replication").Load() || c.Bool("tls-cluster").Load() ||
		f.fixed == nil && len(f.srv.listeners.of("tls")) > 0
}

// apply reads the files that the parameters name now. It is called when one of them changes.
func (f *front) apply() error {
	if f.wanted() && f.read() != nil {
		return errTLS
	}
	return nil
}

// read reads them, and logs what is wrong.
func (f *front) read() error {
	if f.fixed != nil {
		return nil
	}
	c := f.srv.cfg
	l, err := f.files.Set(tlsconf.Source{
		CertFile: c.Text("tls-cert-file"), KeyFile: c.Text("tls-key-file"), KeyPass: c.Text("tls-key-file-pass"),
		ClientCertFile: c.Text("tls-client-cert-file"), ClientKeyFile: c.Text("tls-client-key-file"), ClientKeyPass: c.Text("tls-client-key-file-pass"),
		CAFile: c.Text("tls-ca-cert-file"), CADir: c.Text("tls-ca-cert-dir"), AuthClients: c.Text("tls-auth-clients"),
		NeedCA:    c.Bool("tls-replication").Load() || c.Bool("tls-cluster").Load(),
		Protocols: c.Text("tls-protocols"), Ciphers: c.Text("tls-ciphers"), CipherSuites: c.Text("tls-ciphersuites"),
		NoSessions: !c.Bool("tls-session-caching").Load(),
	})
	if err != nil {
		f.srv.log.Warningf("%v", err)
		return err
	}
	for _, note := range l.Notes {
		f.srv.log.Warningf("%s", note)
	}
	return nil
}

// reloaded logs that files have changed.
func (f *front) reloaded(_ *tlsconf.Loaded, err error) {
	if err != nil {
		f.srv.log.Warningf("The TLS files have changed, but cannot be used; those read before stay in force: %v", err)
		return
	}
	f.srv.log.Noticef("The TLS files have changed and were read again")
}

// config is for a connection that has come in.
func (f *front) config() (*tls.Config, error) {
	if f.fixed != nil {
		return f.fixed, nil
	}
	return f.files.Server()
}

// accept begins the handshake of a connection. One that finds no room is dropped without a word, as there is no way to send
// one yet.
func (f *front) accept(nc net.Conn) {
	e := f.begin(nc)
	if e == nil {
		_ = nc.Close()
		return
	}
	if tcp, ok := nc.(*net.TCPConn); ok {
		f.srv.keepAlive(tcp)
	}
	f.srv.entry.Add(1)
	go func() {
		defer f.srv.entry.Done()
		c, err := f.shake(nc)
		f.end(e)
		if err != nil {
			f.failed(nc, err)
			_ = nc.Close()
			return
		}
		f.srv.admit(c)
	}()
}

// shake does the handshake.
func (f *front) shake(nc net.Conn) (net.Conn, error) {
	conf, err := f.config()
	if err != nil {
		return nil, err
	}
	_ = nc.SetDeadline(time.Now().Add(f.limit))
	raw := &rawConn{Conn: nc}
	c := tls.Server(raw, conf)
	if err := c.HandshakeContext(context.Background()); err != nil {
		return nil, err
	}
	return &tlsConn{c, raw}, nc.SetDeadline(time.Time{})
}

// begin notes a handshake, in whose favour older ones give way if there are too many connections. It returns nil if the
// server ends.
func (f *front) begin(nc net.Conn) *list.Element {
	room := f.srv.vars.maxClients.Load() - f.srv.clients.taken()
	p := &f.pending
	p.Lock()
	defer p.Unlock()
	if p.closed {
		return nil
	}
	f.shrink(min(room, maxHandshakes) - 1)
	f.under.Add(1)
	return p.list.PushBack(nc)
}

// yield has handshakes give way to clients, the oldest first: together they are no more than maxclients, so that the descriptors kept for files are
// there.
func (f *front) yield() {
	if f.under.Load() == 0 {
		return
	}
	room := f.srv.vars.maxClients.Load() - f.srv.clients.taken()
	p := &f.pending
	p.Lock()
	defer p.Unlock()
	f.shrink(room)
}

// shrink leaves at most room handshakes. It needs the lock.
func (f *front) shrink(room int64) {
	p := &f.pending
	for n := p.list.Len(); n > 0 && int64(n) > room; n-- {
		oldest := p.list.Front()
		p.list.Remove(oldest)
		_ = oldest.Value.(net.Conn).Close()
	}
	f.under.Store(int64(p.list.Len()))
}

func (f *front) end(e *list.Element) {
	f.pending.Lock()
	defer f.pending.Unlock()
	f.pending.list.Remove(e) // nothing happens if it has given way
	f.under.Store(int64(f.pending.list.Len()))
}

// close ends all handshakes.
func (f *front) close() {
	p := &f.pending
	p.Lock()
	defer p.Unlock()
	p.closed = true
	for e := p.list.Front(); e != nil; e = e.Next() {
		_ = e.Value.(net.Conn).Close()
	}
}

// failed logs a handshake that led nowhere: a warning at most once a second, so that nobody can fill the log.
func (f *front) failed(nc net.Conn, err error) {
	const text = "Error accepting a client connection: %v (addr=%s laddr=%s)"
	now, last := int64(f.srv.clock.Mono()), f.logged.Load()
	if (last == 0 || now-last >= int64(time.Second)) && f.logged.CompareAndSwap(last, max(now, 1)) {
		f.srv.log.Warningf(text, err, nc.RemoteAddr(), nc.LocalAddr())
		return
	}
	f.srv.log.Verbosef(text, err, nc.RemoteAddr(), nc.LocalAddr())
}

// taken is how many places of clients are taken.
func (cs *clients) taken() int64 {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return int64(cs.mu.slots)
}

// tlsConn is a connection whose handshake is done.
type tlsConn struct {
	*tls.Conn
	raw *rawConn
}

// Close says good-bye in TLS if there is room for it, and does not wait long otherwise.
func (c *tlsConn) Close() error {
	c.raw.closing.Store(true)
	return c.Conn.Close()
}

// rawConn is what TLS runs on.
type rawConn struct {
	net.Conn
	closing atomic.Bool
}

// SetWriteDeadline implements net.Conn. crypto/tls allows its last message five seconds, which is too long for a server that
// ends, or for a client that was given up.
func (c *rawConn) SetWriteDeadline(t time.Time) error {
	if c.closing.Load() {
		if soon := time.Now().Add(byeTime); t.IsZero() || t.After(soon) {
			t = soon
		}
	}
	return c.Conn.SetWriteDeadline(t)
}
