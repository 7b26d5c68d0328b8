package server

import (
	"io"
	"strings"
	"testing"
	"time"
)

// TestListOfThoseAway: what clients send while a request of theirs runs elsewhere, or while they change their owner, may come at the moment
// when somebody looks at all clients. The race detector watches.
func TestListOfThoseAway(t *testing.T) {
	path := t.TempDir() + "/s"
	srv := openServer(t, "unixsocket", path)
	look := dialAddr(t, "unix", path) // of a stream: what runs on one loop is in order
	look.want("PING", pong)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for !closed(stop) {
			if _, err := io.WriteString(look.Conn, requests("CLIENT LIST")); err != nil {
				t.Error(err)
				return
			}
			if _, err := readRaw(look.r, nil); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	look.SetDeadline(time.Now().Add(6 * patience))
	for range 3 {
		c := dial(t, srv)
		for range 100 {
			c.send(encode("EVAL", "local i = 0 while i < 10 do i = i + 1 end return i", "0")) // of which nobody knows how long it takes
			for range 5 {
				c.send(requests("PING"))
			}
			c.expect(":10\r\n" + strings.Repeat(pong, 5))
		}
		c.want("DEBUG SLEEP 0.15", "+OK\r\n") // which makes it leave its loop
		c.want("PING", pong)
		waitFor(t, "the session to move to a stream", func() bool { return c.stream(srv) != nil })
	}
	close(stop)
	<-done
}
