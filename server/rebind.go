package server

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// listeners are the sockets the server accepts connections on. Those of TCP follow bind and port while the server runs.
type listeners struct {
	mu        sync.Mutex
	all       []*listener // replaced, never changed, once the server accepts connections
	accepting bool
	closed    bool
}

func (ls *listeners) list() []*listener {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.all
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
}

func (e endpoint) same(o endpoint) bool { return e.network == o.network && e.address == o.address }

// endpoints are the addresses that bind and port ask for.
func (s *Server) endpoints() (list []endpoint) {
	port := int(s.cfg.Int("port").Load())
	if port == 0 {
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
		e.address = net.JoinHostPort(host, strconv.Itoa(port))
		if !slices.ContainsFunc(list, e.same) {
			list = append(list, e)
		}
	}
	return list
}

func (s *Server) openTCP(e endpoint) (*listener, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), e.network, e.address)
	if err != nil {
		return nil, err
	}
	setBacklog(l, int(s.cfg.Int("tcp-backlog").Load()))
	return &listener{Listener: l, kind: "tcp", at: e}, nil
}

var errNoEndpoint = errors.New("no address to listen on")

// rebind makes the TCP listeners what bind and port say. Those that are right already are left alone, so their clients
// never meet a closed door; if one of the others cannot be opened, everything is as it was. Connections stay.
func (s *Server) rebind() error {
	ls := &s.listeners
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.closed {
		return ErrClosed
	}
	wanted := s.endpoints()
	var kept, old, opened []*listener
	for _, l := range ls.all {
		if l.kind != "tcp" || slices.ContainsFunc(wanted, l.at.same) {
			kept = append(kept, l)
		} else {
			old = append(old, l)
		}
	}
	shut := false // old is closed: an address of the new ones may include theirs
	for _, e := range wanted {
		if slices.ContainsFunc(kept, func(l *listener) bool { return e.same(l.at) }) {
			continue
		}
		l, err := s.openTCP(e)
		if errors.Is(err, syscall.EADDRINUSE) && !shut && len(old) > 0 {
			shut = true
			closeListeners(old)
			l, err = s.openTCP(e)
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
		again, err := s.openTCP(l.at)
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

// watchListening has CONFIG SET of bind and port do what they say.
func (s *Server) watchListening() {
	for name, refusal := range map[string]error{"port": errPort, "bind": errBind} {
		s.cfg.OnApply(name, func() error {
			if s.rebind() != nil {
				return refusal
			}
			return nil
		})
	}
}
