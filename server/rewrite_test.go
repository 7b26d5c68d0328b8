package server

import (
	"syscall"
	"testing"

	"github.com/streampulse/pulse/internal/vfs"
)

// TestRewriteWithoutLog: BGREWRITEAOF writes an append-only file of what there is even if none is kept, and what comes
// later is not in it.
func TestRewriteWithoutLog(t *testing.T) {
	dir := t.TempDir()
	o := Options{Addr: "127.0.0.1:0", Dir: dir}
	t.Run("written", func(t *testing.T) {
		srv := openWith(t, o)
		c := dial(t, srv)
		c.want("SET k v", "+OK\r\n")
		c.want("BGREWRITEAOF", "+Background append only file rewriting started\r\n")
		until(t, "the file is written", func() bool {
			srv.files.mu.Lock()
			defer srv.files.mu.Unlock()
			return srv.files.mu.rewritten.count == 1
		})
		c.want("SET later v", "+OK\r\n")
	})
	c := dial(t, openWith(t, o, "appendonly", "yes"))
	c.want("MGET k later", "*2\r\n$1\r\nv\r\n$-1\r\n")
	c.want("SET later v", "+OK\r\n")
}

// TestOffWhileTurnedOn: the append-only file is turned off while its first base is written, which fails.
func TestOffWhileTurnedOn(t *testing.T) {
	d := newDisk(t)
	srv := d.open()
	c := dial(t, srv)
	c.want("SET k v", "+OK\r\n")
	held, gate := make(chan struct{}), make(chan struct{})
	d.fault.Add(vfs.Rule{Ops: vfs.OpWrite, Path: "*base*", Times: 1, Err: syscall.EIO, Before: func(vfs.OpKind, string) { close(held); <-gate }})
	c.want("CONFIG SET appendonly yes", "+OK\r\n")
	<-held
	c.want("CONFIG SET appendonly no", "+OK\r\n")
	close(gate)
	settled := func(on bool) func() bool {
		return func() bool {
			srv.files.mu.Lock()
			defer srv.files.mu.Unlock()
			return srv.files.mu.busy == "" && (srv.files.log.Load() != nil) == on
		}
	}
	until(t, "the log is off", settled(false))
	c.want("SET k w", "+OK\r\n")
	c.want("CONFIG SET appendonly yes", "+OK\r\n")
	until(t, "the log is on", settled(true))
	c.want("SET k x", "+OK\r\n")
}
