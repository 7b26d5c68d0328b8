package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/server/stats"
)

// listeners are the sockets the server accepts connections on.
type listeners struct {
	all  []*listener
	once sync.Once
}

type listener struct {
	net.Listener
	kind string // "tcp" or "unix"
}

func (ls *listeners) close() {
	ls.once.Do(func() {
		for _, l := range ls.all {
			_ = l.Close()
		}
	})
}

// listen opens addr, or else what bind, port and unixsocket say.
func (s *Server) listen(addr string) error {
	backlog := net.ListenConfig{}
	open := func(kind, address string) error {
		l, err := backlog.Listen(context.Background(), kind, address)
		if err != nil {
			return err
		}
		s.listeners.all = append(s.listeners.all, &listener{l, strings.TrimRight(kind, "46")})
		return nil
	}
	port := int(s.cfg.Int("port").Load())
	switch {
	case addr != "":
		if err := open("tcp", addr); err != nil {
			return err
		}
	case port != 0:
		for _, host := range s.cfg.Bind().Load() {
			optional := strings.HasPrefix(host, "-")
			host = strings.TrimPrefix(host, "-")
			kind := "tcp"
			switch host {
			case "*":
				kind, host = "tcp4", ""
			case "::*":
				kind, host = "tcp6", ""
			}
			err := open(kind, net.JoinHostPort(host, strconv.Itoa(port)))
			if err != nil && !(optional && addressMissing(err)) {
				s.log.Warningf("Warning: Could not create server TCP listening socket %s:%d: %v", host, port, errors.Unwrap(err))
				return fmt.Errorf("Failed listening on port %d (tcp), aborting.", port) //nolint:staticcheck // Redis's words
			}
		}
		if len(s.listeners.all) == 0 {
			return fmt.Errorf("Failed listening on port %d (tcp), aborting.", port) //nolint:staticcheck // Redis's words
		}
	}
	if path := s.cfg.String("unixsocket").Load(); path != "" {
		if err := s.listenUnix(path, open); err != nil {
			return fmt.Errorf("Failed opening Unix socket: bind: %w", err) //nolint:staticcheck // Redis's words
		}
	}
	return nil
}

// addressMissing tells that the machine has no such address or family, which "-" in front of a bind address forgives.
func addressMissing(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) ||
		errors.Is(err, syscall.EPROTONOSUPPORT) || errors.Is(err, syscall.ENOENT)
}

func (s *Server) listenUnix(path string, open func(kind, address string) error) error {
	if fi, err := os.Lstat(path); err == nil && fi.Mode()&fs.ModeSocket != 0 {
		_ = os.Remove(path) // left behind by a server that was killed
	}
	perm := fs.FileMode(s.cfg.Int("unixsocketperm").Load())
	if perm == 0 {
		return open("unix", path)
	}
	// The socket must never be open to more than perm says: it is made closed to all others.
	old := syscall.Umask(0o177)
	err := open("unix", path)
	syscall.Umask(old)
	if err != nil {
		return err
	}
	return os.Chmod(path, perm)
}

// accept takes connections from l until it is closed.
func (s *Server) accept(l *listener) {
	defer s.entry.Done()
	for {
		nc, err := l.Accept()
		if err == nil {
			s.admit(nc)
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
	tcp, isTCP := nc.(*net.TCPConn)
	if isTCP && s.protects(nc.RemoteAddr()) {
		s.clients.release()
		refuse(commands.ErrDenied)
		return
	}
	cl := newSession(s, nc)
	cl.conn.ID = id
	if !isTCP {
		t := newStream(cl, nc, nil)
		if !s.clients.add(cl) {
			s.clients.release()
			_ = nc.Close()
			return
		}
		t.start(cl)
		return
	}
	if secs := s.vars.tcpKeepalive.Load(); secs > 0 {
		d := time.Duration(secs) * time.Second
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: d, Interval: max(d/3, time.Second), Count: 3})
	} else {
		_ = tcp.SetKeepAlive(false)
	}
	s.loops.add(cl, nc, func(err error) {
		s.clients.release()
		s.log.Warningf("Error registering fd event for the new client connection: %v", err)
	})
}

// protects reports whether protected mode turns away a client with that address.
func (s *Server) protects(from net.Addr) bool {
	if !s.vars.protectedMode.Load() || s.users.DefaultPassword() {
		return false
	}
	a, ok := from.(*net.TCPAddr)
	return !ok || !a.IP.IsLoopback()
}
