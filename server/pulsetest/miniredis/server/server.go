// Package server has the API of the package of this name in miniredis: connections, the hooks that look at their commands, and
// commands that a test adds.
//
// # Contract
//
// A Server either answers by itself what was registered (NewServer and its like) or stands in front of a Pulse (Behind), which
// answers everything else. Hooks and handlers run on the goroutine of their connection, in the order of its requests, when the
// replies to all earlier ones are made; they may block, and they may use the server, also by way of its clients. One that
// panics is answered with an error that says so, and the connection goes on.
//
// All methods of a Server may be called concurrently. A Peer may be written to from any goroutine.
//
// What is different from miniredis: commands called from scripts are not shown to hooks, and cannot be handlers. Register may
// take the place of a command that Pulse has and miniredis has not.
package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/internal/resp"
)

// Cmd answers a command: cmd is its name in upper case, args are what follows.
type Cmd func(c *Peer, cmd string, args []string)

// Hook sees a command before anybody else, the name in upper case. If it returns true it has answered.
type Hook func(*Peer, string, ...string) bool

// DisconnectHandler is told of a Peer whose connection has ended.
type DisconnectHandler func(c *Peer)

// CmdOption says more about a command that is registered.
type CmdOption func(*cmdMeta)

type cmdMeta struct {
	run      Cmd
	readOnly bool
}

// ReadOnlyOption tells that the command only reads.
func ReadOnlyOption() CmdOption { return func(m *cmdMeta) { m.readOnly = true } }

// Backend answers what a Server has no handler for.
type Backend interface {
	// Serve answers the requests that come from c, on goroutines of its own. Some are c's, which is a server.Front, to answer.
	Serve(c net.Conn)
	// Do runs one command, on behalf of no connection, and returns the bytes of its reply.
	Do(resp3 bool, args []string) []byte
	// Commands are those that it has handlers for, by name. They may not be registered.
	Commands() map[string]Cmd
	// Adapt returns the command to run in place of the one that came, or nil.
	Adapt(cmd string, args []string) []string
	// Knows reports whether there is a command of that name (in upper case), and whether it only reads.
	Knows(cmd string) (known, readOnly bool)
	// Replaceable reports whether a test may register a command of that name.
	Replaceable(cmd string) bool
}

// Server accepts connections and has their commands answered.
type Server struct {
	backend Backend // nil: there are only registered commands
	addr    *net.TCPAddr
	accept  net.Listener // nil: connections come through ServeConn only

	hook        atomic.Pointer[Hook]
	refusal     atomic.Pointer[string]
	commands    atomic.Int64
	connections atomic.Int64
	wg          sync.WaitGroup

	mu struct {
		sync.Mutex
		closed   bool
		commands map[string]*cmdMeta
		clients  map[*client]struct{}
	}
}

// NewServer returns a server that listens on the TCP address addr.
func NewServer(addr string) (*Server, error) { return Listen(addr, nil, nil) }

// NewServerTLS is NewServer for connections with TLS.
func NewServerTLS(addr string, cfg *tls.Config) (*Server, error) { return Listen(addr, cfg, nil) }

// NewServerConn returns a server for the connections that ServeConn is given.
func NewServerConn() *Server { return Behind(nil) }

// Listen returns a server that listens on the TCP address addr, with TLS unless cfg is nil, in front of b, which may be nil.
func Listen(addr string, cfg *tls.Config, b Backend) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := Behind(b)
	s.addr, _ = l.Addr().(*net.TCPAddr)
	if cfg != nil {
		l = tls.NewListener(l, cfg)
	}
	s.accept = l
	s.wg.Add(1)
	go s.acceptAll()
	return s, nil
}

// Behind returns a server in front of b for the connections that ServeConn is given.
func Behind(b Backend) *Server {
	s := &Server{backend: b}
	s.mu.commands = map[string]*cmdMeta{}
	s.mu.clients = map[*client]struct{}{}
	if b != nil {
		for name, f := range b.Commands() {
			s.mu.commands[name] = &cmdMeta{run: f}
		}
	}
	return s
}

func (s *Server) acceptAll() {
	defer s.wg.Done()
	for {
		nc, err := s.accept.Accept()
		switch {
		case err == nil:
			s.ServeConn(nc)
		case errors.Is(err, net.ErrClosed):
			return
		default: // out of descriptors, most likely
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// ServeConn serves a connection on goroutines of its own, and returns at once.
func (s *Server) ServeConn(conn net.Conn) {
	c := newClient(s, conn)
	s.mu.Lock()
	if s.mu.closed {
		s.mu.Unlock()
		_ = conn.Close()
		return
	}
	s.mu.clients[c] = struct{}{}
	s.wg.Add(1)
	s.mu.Unlock()
	s.connections.Add(1)
	if s.backend != nil {
		s.backend.Serve(c.line)
	}
	go c.run()
}

// Addr is the address that the server listens on, nil if it listens nowhere.
func (s *Server) Addr() *net.TCPAddr { return s.addr }

// Close ends the server with all its connections, and waits for what runs on them.
func (s *Server) Close() {
	s.mu.Lock()
	s.mu.closed = true
	clients := make([]*client, 0, len(s.mu.clients))
	for c := range s.mu.clients {
		clients = append(clients, c)
	}
	s.mu.Unlock()
	if s.accept != nil {
		_ = s.accept.Close()
	}
	for _, c := range clients {
		c.abort()
	}
	s.wg.Wait()
}

// Register adds a command. It is an error if there is one of that name.
func (s *Server) Register(cmd string, f Cmd, options ...CmdOption) error {
	cmd = strings.ToUpper(cmd)
	m := &cmdMeta{run: f}
	for _, o := range options {
		o(m)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.mu.commands[cmd]; ok || s.backend != nil && !s.backend.Replaceable(cmd) {
		return fmt.Errorf("command already registered: %s", cmd)
	}
	s.mu.commands[cmd] = m
	return nil
}

func (s *Server) registered(cmd string) *cmdMeta {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.commands[cmd]
}

// IsRegisteredCommand reports whether there is a command of that name.
func (s *Server) IsRegisteredCommand(cmd string) bool {
	cmd = strings.ToUpper(cmd)
	if s.registered(cmd) != nil {
		return true
	}
	if s.backend == nil {
		return false
	}
	known, _ := s.backend.Knows(cmd)
	return known
}

// IsReadOnlyCommand reports whether there is a command of that name that only reads.
func (s *Server) IsReadOnlyCommand(cmd string) bool {
	cmd = strings.ToUpper(cmd)
	if m := s.registered(cmd); m != nil {
		return m.readOnly
	}
	if s.backend == nil {
		return false
	}
	_, readOnly := s.backend.Knows(cmd)
	return readOnly
}

// SetPreHook has h called for every command that a client sends; nil ends that.
func (s *Server) SetPreHook(h Hook) {
	if h == nil {
		s.hook.Store(nil)
		return
	}
	s.hook.Store(&h)
}

// Refuse has every command answered with the error msg; "" ends that.
func (s *Server) Refuse(msg string) {
	if msg == "" {
		s.refusal.Store(nil)
		return
	}
	s.refusal.Store(&msg)
}

// TotalCommands is how many commands have come that there are.
func (s *Server) TotalCommands() int { return int(s.commands.Load()) }

// TotalConnections is how many clients have connected.
func (s *Server) TotalConnections() int { return int(s.connections.Load()) }

// ClientsLen is how many clients are connected.
func (s *Server) ClientsLen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mu.clients)
}

// Dispatch runs a command as if the Peer had sent it. The reply is in its order among the others when Dispatch returns.
func (s *Server) Dispatch(c *Peer, args []string) {
	if len(args) > 0 {
		s.dispatch(c, args, nil)
	}
}

// dispatch answers a command. raw is the request as it came, or nil.
func (s *Server) dispatch(p *Peer, args []string, raw []byte) {
	cmd := strings.ToUpper(args[0])
	if s.IsRegisteredCommand(cmd) {
		s.commands.Add(1)
	}
	if msg := s.refusal.Load(); msg != nil {
		p.WriteError(*msg)
		return
	}
	args = args[1:]
	if h := s.hook.Load(); h != nil && p.guard(cmd, func() bool { return (*h)(p, cmd, args...) }) {
		return
	}
	if m := s.registered(cmd); m != nil {
		p.guard(cmd, func() bool { m.run(p, cmd, args); return true })
		return
	}
	switch {
	case s.backend == nil:
		p.WriteError(unknown(cmd, args))
	default:
		s.pass(p, cmd, args, raw)
	}
}

// pass has the backend answer a command.
func (s *Server) pass(p *Peer, cmd string, args []string, raw []byte) {
	full := s.backend.Adapt(cmd, args)
	if full != nil && raw != nil {
		raw = resp.AppendRequest(nil, full...)
	} else if full == nil && raw == nil {
		full = append([]string{cmd}, args...)
	}
	if p.client == nil {
		p.WriteRaw(string(s.backend.Do(p.Resp3, full)))
		return
	}
	p.Flush()
	p.learn(cmd, args)
	if raw != nil {
		p.client.line.feed(raw)
		return
	}
	p.client.line.feed(resp.AppendRequest(nil, full...))
	p.client.settle()
}

func unknown(cmd string, args []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ERR unknown command `%s`, with args beginning with: ", cmd)
	for _, a := range args {
		fmt.Fprintf(&b, "`%s`, ", a)
	}
	return b.String()
}
