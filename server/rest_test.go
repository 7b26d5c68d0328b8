package server

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/clock"
)

// restAt is where the clock of these tests stands at first.
var restAt = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// frozen opens a server whose clock stands still.
func frozen(t *testing.T, s ...string) (*Server, *clock.Movable) {
	c := clock.NewMovable()
	c.Freeze()
	c.Set(restAt)
	return openWith(t, Options{Addr: "127.0.0.1:0", Clock: c}, s...), c
}

// What falls due while the clock is moved has reached the clients when the move is over.
func TestClockMoved(t *testing.T) {
	for _, kind := range []string{"loop", "stream"} {
		t.Run(kind, func(t *testing.T) {
			srv, clk := frozen(t, "notify-keyspace-events", "Ex")
			connect := func() *client {
				c := dial(t, srv)
				if kind == "stream" {
					c = newClient(t, pipeTo(t, srv))
				}
				return c
			}
			sub, c, waiting, paused := connect(), connect(), connect(), connect()
			sub.want("SUBSCRIBE __keyevent@0__:expired", "*3\r\n$9\r\nsubscribe\r\n$22\r\n__keyevent@0__:expired\r\n:1\r\n")
			want := ""
			for n := range 5 {
				c.want(fmt.Sprintf("SET key%d v PX %d", n, 1000*(n+1)), "+OK\r\n")
				want += fmt.Sprintf("*3\r\n$7\r\nmessage\r\n$22\r\n__keyevent@0__:expired\r\n$4\r\nkey%d\r\n", n)
			}
			// The second wait begins when the first is over, while the clock moves.
			waiting.send(requests("BLPOP a 2", "BLPOP b 3", "TIME"))
			waiting.await(t, srv)
			clk.Advance(4 * time.Second)
			sub.expect(want[:len(want)/5*4])
			waiting.expect("*-1\r\n")
			clk.Advance(time.Second)
			sub.expect(want[len(want)/5*4:])
			waiting.expect(fmt.Sprintf("*-1\r\n*2\r\n$10\r\n%d\r\n$1\r\n0\r\n", restAt.Add(5*time.Second).Unix()))
			c.want("DBSIZE", ":0\r\n")
			c.want("CLIENT PAUSE 3000", "+OK\r\n")
			paused.send(requests("INCR n"))
			clk.Advance(2999 * time.Millisecond)
			paused.silent()
			clk.Advance(time.Millisecond)
			paused.expect(":1\r\n")
		})
	}
}

// await returns when the last request of c waits for keys.
func (c *client) await(t *testing.T, srv *Server) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		blocked := 0
		srv.store.Exclusive(nil, func() {
			srv.clients.each(func(s *session) {
				if s.conn.Blocked() {
					blocked++
				}
			})
		})
		if blocked > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody waits")
		}
	}
}

// pipeTo connects to srv with something that is no socket.
func pipeTo(t *testing.T, srv *Server) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	s := newSession(srv, ours)
	s.conn.ID = srv.clients.reserve(1000)
	st := newStream(s, ours, output{})
	if !srv.clients.add(s) {
		t.Fatal("the server is closing")
	}
	st.start(s)
	return theirs
}
