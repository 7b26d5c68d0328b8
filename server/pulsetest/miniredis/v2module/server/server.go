// Package server is github.com/streampulse/pulse/server/pulsetest/miniredis/server under the path of the package that it stands in for.
package server

import (
	"bufio"
	"crypto/tls"

	"github.com/streampulse/pulse/server/pulsetest/miniredis/server"
)

// The types.
type (
	Server            = server.Server
	Peer              = server.Peer
	Writer            = server.Writer
	Cmd               = server.Cmd
	CmdOption         = server.CmdOption
	Hook              = server.Hook
	DisconnectHandler = server.DisconnectHandler
	Simple            = server.Simple
)

// ErrProtocol is what ParseReply returns for what is no reply.
var ErrProtocol = server.ErrProtocol

// NewServer returns a server that listens on the TCP address addr.
func NewServer(addr string) (*Server, error) { return server.NewServer(addr) }

// NewServerTLS is NewServer for connections with TLS.
func NewServerTLS(addr string, cfg *tls.Config) (*Server, error) {
	return server.NewServerTLS(addr, cfg)
}

// NewServerConn returns a server for the connections that ServeConn is given.
func NewServerConn() *Server { return server.NewServerConn() }

// NewPeer returns a Peer that belongs to no connection.
func NewPeer(w *bufio.Writer) *Peer { return server.NewPeer(w) }

// ParseReply reads one reply.
func ParseReply(rd *bufio.Reader) (interface{}, error) { return server.ParseReply(rd) }

// ReadOnlyOption tells that a command only reads.
func ReadOnlyOption() CmdOption { return server.ReadOnlyOption() }
