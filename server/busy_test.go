package server

import (
	"sync"
	"testing"
)

// TestBusy has clients come, ask and go while an exclusive operation takes too long: they are answered at once, and all is
// as before when it is over.
func TestBusy(t *testing.T) {
	srv := openServer(t)
	old, multi, watcher, gone := dial(t, srv), dial(t, srv), dial(t, srv), dial(t, srv)
	multi.want("MULTI", "+OK\r\n")
	multi.want("PING", "+QUEUED\r\n")
	watcher.want("WATCH k", "+OK\r\n")
	gone.want("PING", pong)
	inside, leave, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	end := sync.OnceFunc(func() { close(leave) })
	defer end()
	go func() {
		defer close(over)
		srv.store.Exclusive(nil, func() {
			close(inside)
			<-leave
		})
	}()
	<-inside
	old.send("PING\r\n") // it waits, and is answered when the word comes
	srv.store.SetBusy(true)
	busy := "-" + string(srv.env().ErrBusy().Error()) + "\r\n"
	old.expect(busy)
	old.want("GET k", busy)
	multi.want("GET k", busy)
	multi.want("EXEC", "-EXECABORT Transaction discarded because of: "+busy[1:])
	multi.want("MULTI", "+OK\r\n")
	multi.want("DISCARD", "+OK\r\n")
	watcher.want("UNWATCH", busy) // the shard of k is locked
	fresh := dial(t, srv)
	fresh.want("PING", busy)
	fresh.want("HELLO 9", "-NOPROTO unsupported protocol version\r\n")
	fresh.want("RESET", "+RESET\r\n")
	gone.Close()
	end()
	<-over
	srv.store.SetBusy(false)
	for _, c := range []*client{old, multi, watcher, fresh} {
		c.want("PING", pong)
	}
	watcher.want("UNWATCH", "+OK\r\n")
}
