package server

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// listeners are the sockets the server accepts connections on. Those of TCP follow bind, port and tls-port while the server
// runs, unless the embedding program has made them.
type listeners struct {
	mu        sync.Mutex
	all       []*listener // replaced, never changed, once the server accepts connections
	accepting bool
	closed    bool
	none      bool // and never will be
	// instead are ports of kinds that do not count, because the embedding program has named an address instead.
	instead map[string]int64
}

func (ls *listeners) list() []*listener {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.all
}

// of returns the listeners of a kind.
func (ls *listeners) of(kind string) (some []*listener) {
	for _, l := range ls.list() {
		if l.kind == kind {
			some = append(some, l)
		}
	}
	return some
}

func (ls *listeners) close() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.closed {
		return
	}
	ls.closed = true
	for _, l := range ls.all {
		_ = l.Close()
	}
}

// acceptAll begins to accept connections.
func (s *Server) acceptAll() {
	ls := &s.listeners
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.accepting = true
	s.entry.Add(len(ls.all))
	for _, l := range ls.all {
		go s.accept(l)
	}
}

// endpoint is a TCP address to listen on.
type endpoint struct {
	network, address string
	optional         bool // it may be missing on this machine
	given            bool // by the embedding program; it stays
}

func (e endpoint) same(o endpoint) bool { return e.network == o.network && e.address == o.address }

// portOf names the parameter that holds the port of a kind of listener.
var portOf = map[string]string{"tcp": "port", "tls": "tls-port"}

// endpoints are the addresses that bind and the port of a kind ask for.
func (s *Server) endpoints(kind string) (list []endpoint) {
	port := s.cfg.Int(portOf[kind]).Load()
	if instead, given := s.listeners.instead[kind]; port == 0 || s.listeners.none || given && port == instead {
		return nil
	}
	for _, host := range s.cfg.Bind().Load() {
		e := endpoint{network: "tcp"}
		host, e.optional = strings.CutPrefix(host, "-")
		switch host {
		case "*":
			e.network, host = "tcp4", ""
		case "::*":
			e.network, host = "tcp6", ""
		}
		e.address = net.JoinHostPort(host, strconv.FormatInt(port, 10))
		if !slices.ContainsFunc(list, e.same) {
			list = append(list, e)
		}
	}
	return list
}

func (s *Server) openTCP(kind string, e endpoint) (*listener, error) {
	config := net.ListenConfig{KeepAlive: listenKeepAlive}
	l, err := config.Listen(context.Background(), e.network, e.address)
	if err != nil {
		return nil, err
	}
	setBacklog(l, int(s.cfg.Int("tcp-backlog").Load()))
	inherit(l, s.vars.tcpKeepalive.Load())
	return &listener{Listener: l, kind: kind, at: e, own: true}, nil
}

// watchKeepAlive has CONFIG SET tcp-keepalive concern the connections that are accepted from then on.
func (s *Server) watchKeepAlive() {
	s.cfg.OnChange("tcp-keepalive", func() {
		for _, l := range s.listeners.list() {
			if l.own {
				inherit(l.Listener, s.vars.tcpKeepalive.Load())
			}
		}
	})
}

var errNoEndpoint = errors.New("no address to listen on")

// rebind makes the listeners of a kind what bind and its port say. Those that are right already are left alone, so their clients
// never meet a closed door; if one of the others cannot be opened, everything is as it was. Connections stay.
func (s *Server) rebind(kind string) error {
	ls := &s.listeners
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.closed {
		return ErrClosed
	}
	wanted := s.endpoints(kind)
	var kept, old, opened []*listener
	for _, l := range ls.all {
		if l.kind != kind || l.at.given || slices.ContainsFunc(wanted, l.at.same) {
			kept = append(kept, l)
		} else {
			old = append(old, l)
		}
	}
	shut := false // old is closed: an address of the new ones may include theirs
	for _, e := range wanted {
		if slices.ContainsFunc(kept, func(l *listener) bool { return l.kind == kind && e.same(l.at) }) {
			continue
		}
		l, err := s.openTCP(kind, e)
		if errors.Is(err, syscall.EADDRINUSE) && !shut && len(old) > 0 {
			shut = true
			closeListeners(old)
			l, err = s.openTCP(kind, e)
		}
		switch {
		case err == nil:
			opened = append(opened, l)
		case !e.optional || !addressMissing(err):
			s.log.Warningf("Warning: Could not create server TCP listening socket %s: %v", e.address, reasonOf(err))
			s.putBack(kept, old, opened, shut)
			return err
		}
	}
	if len(wanted) > 0 && len(kept)+len(opened) == 0 {
		s.putBack(kept, old, opened, shut)
		return errNoEndpoint
	}
	if !shut {
		closeListeners(old)
	}
	s.serve(opened)
	ls.all = append(opened, kept...)
	slices.SortStableFunc(ls.all, func(a, b *listener) int { return cmp.Compare(rank[a.kind], rank[b.kind]) })
	return nil
}

// putBack ends a rebind that failed. It needs the lock of the listeners.
func (s *Server) putBack(kept, old, opened []*listener, shut bool) {
	closeListeners(opened)
	if !shut {
		return
	}
	all := kept
	for _, l := range old {
		again, err := s.openTCP(l.kind, l.at)
		if err != nil {
			s.log.Warningf("Could not listen on %s again: %v", l.at.address, reasonOf(err))
			continue
		}
		s.serve([]*listener{again})
		all = append([]*listener{again}, all...)
	}
	s.listeners.all = all
}

// serve accepts connections on listeners that came later. It needs the lock of the listeners.
func (s *Server) serve(list []*listener) {
	if !s.listeners.accepting {
		return
	}
	s.entry.Add(len(list))
	for _, l := range list {
		go s.accept(l)
	}
}

func closeListeners(list []*listener) {
	for _, l := range list {
		_ = l.Close()
	}
}

// reasonOf leaves out which call failed on which address.
func reasonOf(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

var (
	errPort = errors.New("Unable to listen on this port. Check server logs.") //nolint:staticcheck // Redis's words
	errBind = errors.New("Failed to bind to specified addresses.")            //nolint:staticcheck // Redis's words
)

// watchListening has CONFIG SET of bind, port and tls-port do what they say.
func (s *Server) watchListening() {
	s.watchKeepAlive()
	s.cfg.OnApply("port", func() error {
		if s.rebind("tcp") != nil {
			return errPort
		}
		return nil
	})
	s.cfg.OnApply("tls-port", func() error {
		if err := s.tls.apply(); err != nil {
			return err
		}
		if s.rebind("tls") != nil {
			return errPort
		}
		return nil
	})
	s.cfg.OnApply("bind", func() error {
		if s.rebind("tcp") != nil || s.rebind("tls") != nil {
			return errBind
		}
		return nil
	})
}
