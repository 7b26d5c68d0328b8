//go:build unix

package server

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// setBacklog sets how many connections may wait to be accepted; the system may allow fewer.
func setBacklog(l net.Listener, n int) {
	c, ok := l.(syscall.Conn)
	if !ok || n <= 0 {
		return
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _ = unix.Listen(int(fd), n) }) // a listening socket takes another length
}
