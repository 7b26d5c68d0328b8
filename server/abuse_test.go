package server

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/script"
)

// pinger is a client that asks for PONG all the time while a test does its worst to the server.
type pinger struct {
	stop, done chan struct{}
	worst      time.Duration // the least of three delays in a row, at its greatest
}

func startPinger(t testing.TB, srv *Server) *pinger {
	t.Helper()
	p := &pinger{stop: make(chan struct{}), done: make(chan struct{})}
	c := dial(t, srv)
	go func() {
		defer close(p.done)
		var last [3]time.Duration
		for i := 0; ; i++ {
			select {
			case <-p.stop:
				return
			case <-time.After(time.Millisecond):
			}
			start := time.Now()
			if got := c.do("PING"); got != pong {
				t.Errorf("PING = %q", got)
				return
			}
			last[i%3] = time.Since(start)
			if i > 2 {
				p.worst = max(p.worst, min(last[0], last[1], last[2]))
			}
		}
	}()
	return p
}

// check ends the pinger and fails the test if it had to wait.
func (p *pinger) check(t testing.TB) {
	t.Helper()
	close(p.stop)
	<-p.done
	if p.worst > grace {
		t.Errorf("another client waited %v for its reply", p.worst)
	}
}

// TestWrongArguments replays what the arguments of commands can do wrong, as recorded from a redis-server.
func TestWrongArguments(t *testing.T) {
	srv := openServer(t)
	script.RunDir(t, filepath.Join("testdata", "abuse", "*.txt"),
		func() (net.Conn, error) { return net.Dial("tcp", srv.Addr()) }, script.Options{})
	if !script.Rewriting() {
		alive(t, dial(t, srv))
	}
}
