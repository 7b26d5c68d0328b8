package server

import "testing"

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
