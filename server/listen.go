package server

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/server/stats"
)

type listener struct {
	net.Listener
	kind string   // "tcp", "tls" or "unix"
	at   endpoint // where a listener of TCP is
	own  bool     // opened by the server: its connections have inherited tcp-keepalive, where they can
}

// listen opens what the options name, or else what bind, port, tls-port and unixsocket say.
func (s *Server) listen(o *Options) error {
	ls := &s.listeners
	ls.instead = map[string]int64{}
	if ls.none = o.NoListen; ls.none {
		return nil
	}
	for _, of := range []struct {
		kind, addr string
		own        []net.Listener
	}{{"tcp", o.Addr, o.Listeners}, {"tls", o.TLSAddr, o.TLSListeners}} {
		port := s.cfg.Int(portOf[of.kind]).Load()
		if of.addr != "" || len(of.own) > 0 {
			ls.instead[of.kind] = port
		}
		for _, l := range of.own {
			kind := of.kind
			if _, unix := l.Addr().(*net.UnixAddr); unix && kind == "tcp" {
				kind = "unix"
			}
			ls.all = append(ls.all, &listener{Listener: l, kind: kind, at: endpoint{given: true}})
		}
		if of.addr != "" {
			l, err := s.openTCP(of.kind, endpoint{network: "tcp", address: of.addr, given: true})
			if err != nil {
				return err
			}
			ls.all = append(ls.all, l)
		}
		if err := s.rebind(of.kind); err != nil {
			return fmt.Errorf("Failed listening on port %d (%s), aborting.", port, of.kind) //nolint:staticcheck // Redis's words
		}
	}
	if path := s.cfg.String("unixsocket").Load(); path != "" {
		l, err := s.listenUnix(path)
		if err != nil {
			return fmt.Errorf("Failed opening Unix socket: bind: %w", err) //nolint:staticcheck // Redis's words
		}
		ls.all = append(ls.all, l)
	}
	if len(ls.all) == 0 {
		return errors.New("Configured to not listen anywhere, exiting.") //nolint:staticcheck // Redis's words
	}
	slices.SortStableFunc(ls.all, func(a, b *listener) int { return cmp.Compare(rank[a.kind], rank[b.kind]) })
	return nil
}

// rank is the order in which INFO and the log name kinds.
var rank = map[string]int{"tcp": 0, "unix": 1, "tls": 2}

// addressMissing tells that the machine has no such address or family, which "-" in front of a bind address forgives.
func addressMissing(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) ||
		errors.Is(err, syscall.EPROTONOSUPPORT) || errors.Is(err, syscall.ENOENT)
}

func (s *Server) listenUnix(path string) (*listener, error) {
	if fi, err := os.Lstat(path); err == nil && fi.Mode()&fs.ModeSocket != 0 {
		_ = os.Remove(path) // left behind by a server that was killed
	}
	perm := fs.FileMode(s.cfg.Int("unixsocketperm").Load())
	open := func() (*listener, error) {
		l, err := net.Listen("unix", path)
		if err != nil {
			return nil, err
		}
		return &listener{Listener: l, kind: "unix"}, nil
	}
	if perm == 0 {
		return open()
	}
	// The socket must never be open to more than perm says: it is made closed to all others.
	l, err := closedToOthers(open)
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(path, perm)
}

// accept takes connections from l until it is closed.
func (s *Server) accept(l *listener) {
	defer s.entry.Done()
	for {
		nc, err := l.Accept()
		if err == nil {
			if l.kind == "tls" {
				s.tls.accept(nc)
			} else {
				if tcp, ok := nc.(*net.TCPConn); ok && !(l.own && listenKeepAlive < 0) {
					s.keepAlive(tcp)
				}
				s.admit(nc)
			}
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		// Descriptors have run out, most likely: waiting is all one can do.
		s.log.Warningf("Accepting client connection: %v", err)
		select {
		case <-s.stop:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// admit turns a connection into a session, or away.
func (s *Server) admit(nc net.Conn) {
	refuse := func(reason commands.Error) {
		_ = nc.SetWriteDeadline(time.Now().Add(lastWords))
		_, _ = nc.Write([]byte("-" + reason + "\r\n"))
		_ = nc.Close()
		s.stats.Add(stats.RejectedConnections, 1)
	}
	id := s.clients.reserve(s.vars.maxClients.Load())
	if id == 0 {
		refuse(commands.ErrMaxClients)
		return
	}
	if s.protects(nc.RemoteAddr()) {
		s.clients.release()
		refuse(commands.ErrDenied)
		return
	}
	s.tls.yield()
	cl := newSession(s, nc)
	cl.conn.ID = id
	if _, isTCP := nc.(*net.TCPConn); !isTCP || !loopsServe {
		t := newStream(cl, nc, output{})
		if !s.clients.add(cl) {
			s.clients.release()
			_ = nc.Close()
			return
		}
		t.start(cl)
		return
	}
	s.loops.add(cl, nc, func(err error) {
		s.clients.release()
		s.log.Warningf("Error registering fd event for the new client connection: %v", err)
	})
}

// keepAliveProbes is how many probes may stay without an answer.
const keepAliveProbes = 3

// keepAlive sets up tcp-keepalive.
func (s *Server) keepAlive(c *net.TCPConn) {
	if secs := s.vars.tcpKeepalive.Load(); secs > 0 {
		d := time.Duration(secs) * time.Second
		_ = c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: d, Interval: max(d/3, time.Second), Count: keepAliveProbes})
	} else {
		_ = c.SetKeepAlive(false)
	}
}

// protects reports whether protected mode turns away a client with that address.
func (s *Server) protects(from net.Addr) bool {
	if !s.vars.protectedMode.Load() || s.users.DefaultPassword() {
		return false
	}
	a, ok := from.(*net.TCPAddr)
	return ok && !a.IP.IsLoopback()
}
