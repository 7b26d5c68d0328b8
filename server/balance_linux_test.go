package server

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMoveOfLostConnection: a client breaks its connection while its session is about to move to another loop. What it has sent
// before is done, and the session ends.
func TestMoveOfLostConnection(t *testing.T) {
	srv := openServer(t)
	lost := dial(t, srv)
	lost.want("PING", pong)
	var s *session
	srv.clients.each(func(one *session) { s = one })
	p, onLoop := (*s.owner.Load()).(*place)
	if !onLoop {
		t.Skip("the client has moved to a stream already: a busy machine")
	}
	to, err := srv.loops.start()
	if err != nil {
		t.Fatal(err)
	}
	p.loop.post(func() {
		lost.send(requests("SET sent before"))
		_ = lost.Conn.(*net.TCPConn).SetLinger(0)
		_ = lost.Close()
		for connected := true; connected; { // until the reset has arrived
			_, err := unix.Getpeername(p.gc.Fd())
			connected = err == nil
		}
		p.loop.send(s, to)
	})
	waitFor(t, "the session to end", func() bool { return srv.clients.count() == 0 })
	dial(t, srv).want("GET sent", bulk("before"))
}
