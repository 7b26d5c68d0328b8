package server

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestKeepAlive looks at the options of sockets as they come from the listener, and when they have moved to a stream.
func TestKeepAlive(t *testing.T) {
	srv := openServer(t)
	admin := dial(t, srv)
	options := func() string {
		t.Helper()
		var last *session
		waitFor(t, "the client", func() bool {
			last = nil
			srv.clients.each(func(s *session) { last = s })
			return last != nil && srv.clients.count() == 2
		})
		fd, _ := strings.CutPrefix(admin.do(fmt.Sprint("CLIENT LIST ID ", last.conn.ID)), "$")
		_, fd, _ = strings.Cut(fd, " fd=")
		var n int
		fmt.Sscan(fd, &n)
		var all []int
		for _, o := range [][2]int{
			{unix.SOL_SOCKET, unix.SO_KEEPALIVE}, {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE}, {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
			{unix.IPPROTO_TCP, unix.TCP_KEEPCNT}, {unix.IPPROTO_TCP, unix.TCP_NODELAY},
		} {
			v, err := unix.GetsockoptInt(n, o[0], o[1])
			if err != nil {
				return err.Error() // it is on its way to a stream
			}
			all = append(all, v)
		}
		return fmt.Sprint(all)
	}
	for _, row := range []struct{ secs, want string }{{"300", "[1 300 100 3 1]"}, {"60", "[1 60 20 3 1]"}, {"2", "[1 2 1 3 1]"}, {"0", "[0"}} {
		admin.want("CONFIG SET tcp-keepalive "+row.secs, "+OK\r\n")
		c := dial(t, srv)
		c.want("PING", pong)
		like := func() bool {
			got := options()
			return strings.HasPrefix(got, row.want) && strings.HasSuffix(got, " 1]")
		}
		waitFor(t, "tcp-keepalive "+row.secs, like) // on a busy machine, a client that has just come may be on its way to a stream
		// A value that the socket does not take at once makes a stream of it.
		admin.doArgs("SET", "big", strings.Repeat("x", 20*mib))
		c.send(requests("GET big"))
		waitFor(t, "the client to move to a stream", func() bool {
			moved := false
			srv.clients.each(func(s *session) { _, moved = (*s.owner.Load()).(*stream) }) // the last is the client
			return moved
		})
		waitFor(t, "tcp-keepalive "+row.secs+" on a stream", like)
		c.Close()
		waitFor(t, "the client to go", func() bool { return srv.clients.count() == 1 })
	}
}
