//go:build !unix

package server

import "net"

// setBacklog leaves the length of the queue to the system.
func setBacklog(net.Listener, int) {}
