package server

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// inherit has the connections that l accepts from now on begin with what tcp-keepalive says: a socket takes these options from the
// one that it was accepted from, which saves four system calls per connection. It reports whether that works.
func inherit(l net.Listener, secs int64) (ok bool) {
	c, isConn := l.(syscall.Conn)
	if !isConn {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	err = raw.Control(func(fd uintptr) {
		set := func(level, option int, value int64) {
			ok = ok && unix.SetsockoptInt(int(fd), level, option, int(value)) == nil
		}
		if ok = true; secs <= 0 {
			set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
			return
		}
		set(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, secs)
		set(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, max(secs/3, 1))
		set(unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepAliveProbes)
		set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	})
	return ok && err == nil
}

// listenKeepAlive is for net.ListenConfig: accepted connections have these options already.
const listenKeepAlive = -1
