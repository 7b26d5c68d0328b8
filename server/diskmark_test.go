package server

import (
	"strconv"
	"strings"
	"testing"

	"github.com/streampulse/pulse/internal/vfs"
)

// TestWaitaof: WAITAOF is answered when what its client has written is on the disk, and not before.
func TestWaitaof(t *testing.T) {
	const reached, not = "*2\r\n:1\r\n:0\r\n", "*2\r\n:0\r\n:0\r\n"
	for _, policy := range []string{"everysec", "always"} {
		t.Run(policy, func(t *testing.T) {
			srv := openWith(t, Options{Addr: "127.0.0.1:0", Dir: "/", fs: vfs.NewMem()}, "appendonly", "yes", "appendfsync", policy)
			c := dial(t, srv)
			c.want("WAITAOF 1 0 0", reached)
			for range 3 {
				c.send(requests("SET k v", "WAITAOF 1 0 0"))
				c.expect("+OK\r\n" + reached)
				if l := srv.files.log.Load(); l.Synced() < l.Position() {
					t.Errorf("%d is durable of %d", l.Synced(), l.Position())
				}
			}
			c.want("WAITAOF 0 1 20", reached)
			// Replicas are waited for in vain.
			c.want("WAITAOF 1 1 20", reached)
			// What a script writes, which ends who knows when, counts as well.
			if got := c.doArgs("EVAL", "local i = 0 while i < 10 do i = i + 1 end return redis.call('incr', KEYS[1])", "1", "n"); got != ":1\r\n" {
				t.Error(got)
			}
			c.want("WAITAOF 1 0 0", reached)
			if l := srv.files.log.Load(); l.Synced() < l.Position() {
				t.Errorf("%d is durable of %d", l.Synced(), l.Position())
			}
			// And what a command writes that has waited.
			c.send(requests("BLPOP q 0"))
			w := dial(t, srv)
			blocked(t, w, 1)
			w.want("RPUSH q x", ":1\r\n")
			c.expect("*2\r\n$1\r\nq\r\n$1\r\nx\r\n")
			c.want("WAITAOF 1 0 0", reached)
			if l := srv.files.log.Load(); l.Synced() < l.Position() {
				t.Errorf("%d is durable of %d", l.Synced(), l.Position())
			}
		})
	}
	t.Run("no", func(t *testing.T) {
		srv := openWith(t, Options{Addr: "127.0.0.1:0", Dir: "/", fs: vfs.NewMem()}, "appendonly", "yes", "appendfsync", "no")
		c, w := dial(t, srv), dial(t, srv)
		id := strings.Trim(c.do("CLIENT ID"), ":\r\n")
		wait := func() {
			t.Helper()
			c.send(requests("WAITAOF 1 0 0"))
			blocked(t, w, 1)
		}
		c.want("SET k v", "+OK\r\n")
		c.want("WAITAOF 0 0 0", not)
		c.want("WAITAOF 1 0 20", not)
		w.want("WAITAOF 1 0 0", reached) // it has written nothing
		wait()
		w.want("CLIENT UNBLOCK "+id, ":1\r\n")
		c.expect(not)
		wait()
		w.want("CLIENT UNBLOCK "+id+" ERROR", ":1\r\n")
		c.expect("-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n")
		// A new base has everything.
		wait()
		w.do("BGREWRITEAOF")
		c.expect(reached)
		c.want("SET k v", "+OK\r\n")
		wait()
		w.want("CONFIG SET appendfsync everysec", "+OK\r\n")
		c.expect(reached)
		w.want("CONFIG SET appendfsync no", "+OK\r\n")
		c.want("SET k v", "+OK\r\n")
		wait()
		w.want("CONFIG SET appendonly no", "+OK\r\n")
		c.expect("-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n")
		c.want("WAITAOF 1 0 0", "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n")
		w.want("CONFIG SET appendonly yes", "+OK\r\n")
		c.want("WAITAOF 1 0 0", reached) // when the base is written
		c.want("SET k v", "+OK\r\n")
		// Those who give up are forgotten.
		for range 100 {
			g := dial(t, srv)
			g.want("SET k v", "+OK\r\n")
			g.send(requests("WAITAOF 1 0 0"))
			blocked(t, w, 1)
			g.Close()
			blocked(t, w, 0)
		}
		m := &srv.files.marks
		m.Lock()
		n := len(m.waiting)
		m.Unlock()
		if n > 40 {
			t.Error(strconv.Itoa(n) + " are remembered")
		}
	})
}
