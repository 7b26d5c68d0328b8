package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/oracle"
)

// end is one of the servers that keys move between.
type end struct {
	*client
	host, port string
}

func endOf(t *testing.T, c *client, addr string) end {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return end{c, host, port}
}

func (e end) migrate(to end, rest ...string) string {
	return e.doArgs(append([]string{"MIGRATE", to.host, to.port}, rest...)...)
}

// testMigrate moves keys of all types from one server to another.
func testMigrate(t *testing.T, from, to end) {
	t.Helper()
	ok := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	from.do("FLUSHALL")
	to.do("FLUSHALL")
	made := [][]string{
		{"SET", "string", "a\r\nb"}, {"SET", "int", "42"}, {"RPUSH", "list", "a", "b"}, {"SADD", "set", "1", "2"}, {"SADD", "words", "x"},
		{"HSET", "hash", "f", "v"}, {"ZADD", "zset", "1.5", "m"}, {"XADD", "stream", "1-1", "f", "v"}, {"SETRANGE", "large", "300000", "x"},
	}
	dumps := map[string]string{}
	keys := []string{"KEYS", "nokey"}
	for _, m := range made {
		from.doArgs(m...)
		if m[1] == "int" {
			from.do("EXPIRE int 1000")
		}
		dumps[m[1]] = from.do("DEBUG DIGEST-VALUE " + m[1])
		keys = append(keys, m[1])
	}
	ok(from.migrate(to, append([]string{"", "0", "60000"}, keys...)...), "+OK\r\n")
	ok(from.do("DBSIZE"), ":0\r\n")
	ok(to.do("DBSIZE"), fmt.Sprintf(":%d\r\n", len(made)))
	for key, d := range dumps {
		ok(to.do("DEBUG DIGEST-VALUE "+key), d)
	}
	if ttl, err := strconv.Atoi(strings.Trim(to.do("TTL int"), ":\r\n")); err != nil || ttl < 900 || ttl > 1000 {
		t.Errorf("TTL %d, %v", ttl, err)
	}
	ok(to.do("TTL string"), ":-1\r\n")

	from.do("SET string other")
	ok(from.migrate(to, "string", "0", "60000"), "-ERR Target instance replied with error: BUSYKEY Target key name already exists.\r\n")
	ok(from.do("EXISTS string"), ":1\r\n")
	ok(from.migrate(to, "string", "3", "60000", "COPY"), "+OK\r\n")
	ok(from.migrate(to, "string", "0", "60000", "COPY", "REPLACE"), "+OK\r\n")
	ok(from.do("EXISTS string"), ":1\r\n")
	ok(to.do("GET string"), "$5\r\nother\r\n")
	to.do("SELECT 3")
	ok(to.do("GET string"), "$5\r\nother\r\n")
	to.do("SELECT 0")
	ok(from.migrate(to, "string", "99", "60000"), "-ERR Target instance replied with error: ERR DB index is out of range\r\n")
	// Some go, some stay.
	from.do("MSET a 1 int 2 c 3")
	ok(from.migrate(to, "", "0", "60000", "KEYS", "a", "int", "c"), "-ERR Target instance replied with error: BUSYKEY Target key name already exists.\r\n")
	ok(from.do("EXISTS a c"), ":0\r\n")
	ok(from.do("EXISTS int"), ":1\r\n")
	// In a transaction.
	from.do("MULTI")
	from.do("SET m 1")
	from.migrate(to, "m", "0", "60000")
	from.do("GET m")
	ok(from.do("EXEC"), "*3\r\n+OK\r\n+OK\r\n$-1\r\n")
	ok(to.do("GET m"), "$1\r\n1\r\n")
	// Credentials.
	ok(from.migrate(to, "int", "0", "60000", "AUTH2", "nobody", "x"), "-ERR Target instance replied with error: WRONGPASS invalid username-password pair or user is disabled.\r\n")
	to.do("CONFIG SET requirepass sesame")
	ok(from.migrate(to, "int", "0", "60000", "REPLACE", "AUTH", "wrong"), "-ERR Target instance replied with error: WRONGPASS invalid username-password pair or user is disabled.\r\n")
	ok(from.do("EXISTS int"), ":1\r\n")
	ok(from.migrate(to, "int", "0", "60000", "REPLACE", "AUTH", "sesame"), "+OK\r\n")
	from.do("SET int 3")
	ok(from.migrate(to, "int", "0", "60000", "REPLACE", "AUTH2", "default", "sesame"), "+OK\r\n")
	ok(to.do("GET int"), "$1\r\n3\r\n")
	to.do("CONFIG SET requirepass ''")
	to.doArgs("CONFIG", "SET", "requirepass", "")
}

func TestMigrate(t *testing.T) {
	open := func(t *testing.T) end {
		srv := openServer(t, "enable-debug-command", "yes")
		c := dial(t, srv)
		alive(t, c)
		return endOf(t, c, srv.Addr())
	}
	redis := func(t *testing.T) end {
		if _, err := oracle.Path(); err != nil {
			t.Skip(err)
		}
		o := oracle.Start(t, "--enable-debug-command", "yes")
		return endOf(t, dialAddr(t, "tcp", o.Addr()), o.Addr())
	}
	for _, row := range []struct {
		name     string
		to, from func(t *testing.T) end
	}{{"between our own", open, open}, {"to Redis", redis, open}, {"from Redis", open, redis}} {
		t.Run(row.name, func(t *testing.T) {
			to := row.to(t) // closed last
			testMigrate(t, row.from(t), to)
		})
	}
}

// farEnd is another server, whose answers the test gives.
type farEnd struct {
	t  *testing.T
	ln net.Listener
}

func newFarEnd(t *testing.T) farEnd {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return farEnd{t, ln}
}

// accept returns the next connection on which a request comes that has the text in it, those passed over that end before.
func (x farEnd) accept(text string) net.Conn {
	x.t.Helper()
	for {
		_ = x.ln.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
		c, err := x.ln.Accept()
		if err != nil {
			x.t.Fatal(err)
		}
		x.t.Cleanup(func() { c.Close() })
		switch got, err := hear(c, text); {
		case err == nil:
			return c
		case err != io.EOF:
			x.t.Fatalf("%q: %v", got, err)
		}
	}
}

func (x farEnd) await(c net.Conn, text string) {
	x.t.Helper()
	if got, err := hear(c, text); err != nil {
		x.t.Fatalf("%q: %v", got, err)
	}
}

// hear reads until the text has come, and what came with it.
func hear(c net.Conn, text string) (got string, err error) {
	_ = c.SetReadDeadline(time.Now().Add(patience))
	r := bufio.NewReader(c)
	for !strings.Contains(got, text) {
		b, err := r.ReadByte()
		if err != nil {
			return got, err
		}
		got += string(b)
	}
	_, _ = io.CopyN(io.Discard, r, int64(r.Buffered()))
	return got, nil
}

// TestMigrateMeanwhile: while the network is slow everything else goes on, and what changes is not deleted.
func TestMigrateMeanwhile(t *testing.T) {
	srv := openServer(t)
	c, w := dial(t, srv), dial(t, srv)
	x := newFarEnd(t)
	_, port, _ := net.SplitHostPort(x.ln.Addr().String())
	request := requests("MIGRATE 127.0.0.1 "+port+" k 0 60000", "PING")
	w.do("SET k 1")
	c.send(request)
	far := x.accept("RESTORE")
	for _, row := range []struct{ do, want string }{
		{"GET k", "$1\r\n1\r\n"}, {"SET other 1", "+OK\r\n"}, {"DBSIZE", ":2\r\n"}, {"CLIENT UNBLOCK 1", ":0\r\n"},
	} {
		w.want(row.do, row.want)
	}
	if list := w.do("CLIENT LIST"); !strings.Contains(list, " cmd=migrate ") {
		t.Error(list)
	}
	_, _ = io.WriteString(far, "+OK\r\n+OK\r\n")
	c.expect("+OK\r\n+PONG\r\n")
	w.want("EXISTS k", ":0\r\n")
	// The same connection, another database: changed meanwhile.
	for _, change := range []string{"INCR k", "DEL k", "EXPIRE k 1000", "RENAME other k", "FLUSHALL"} {
		w.do("SET k 1")
		w.do("SET other 1")
		c.send(request)
		x.await(far, "RESTORE")
		w.do(change)
		before := w.do("EXISTS k")
		_, _ = io.WriteString(far, "+OK\r\n")
		if got := c.read(); !strings.HasPrefix(got, "-TRYAGAIN ") {
			t.Errorf("%s: %q", change, got)
		}
		c.expect("+PONG\r\n")
		w.want("EXISTS k", before)
	}
	// A client that goes leaves everything in order.
	w.do("SET k 1")
	g := dial(t, srv)
	g.send(request)
	x.await(far, "RESTORE")
	g.Close()
	_, _ = io.WriteString(far, "+OK\r\n")
	waitFor(t, "the key to go", func() bool { return w.do("EXISTS k") == ":0\r\n" })
	// Waiters and watchers learn of what goes.
	w.do("SET k 1")
	watcher := dial(t, srv)
	watcher.do("WATCH k")
	c.send(request)
	x.await(far, "RESTORE")
	_, _ = io.WriteString(far, "+OK\r\n")
	c.expect("+OK\r\n+PONG\r\n")
	watcher.do("MULTI")
	watcher.do("PING")
	watcher.want("EXEC", "*-1\r\n")
	// A connection that was closed while it was idle is replaced, one that dies later is an error.
	w.do("SET k 1")
	far.Close()
	c.send(request)
	far = x.accept("RESTORE")
	_, _ = io.WriteString(far, "+OK\r\n+OK\r\n")
	c.expect("+OK\r\n+PONG\r\n")
	w.do("SET k 1")
	c.send(requests("MIGRATE 127.0.0.1 "+port+" k 7 60000", "PING"))
	x.await(far, "RESTORE")
	_, _ = io.WriteString(far, "+OK\r\n")
	far.Close()
	c.expect("-IOERR error or timeout reading to target instance\r\n+PONG\r\n")
	w.want("EXISTS k", ":1\r\n")
	// Nonsense, and silence.
	c.send(request)
	far = x.accept("RESTORE")
	_, _ = io.WriteString(far, "\xff\r\n")
	c.expect("-IOERR error or timeout reading to target instance\r\n+PONG\r\n")
	// Where the time is over is a matter of how busy the machine is.
	if got := c.do("MIGRATE 127.0.0.1 " + port + " k 0 20"); !strings.HasPrefix(got, "-IOERR error or timeout ") {
		t.Errorf("%q", got)
	}
	w.want("EXISTS k", ":1\r\n")
	// The end of the server does not wait for others.
	c.send(requests("MIGRATE 127.0.0.1 " + port + " k 9 60000"))
	x.accept("$6\r\nSELECT\r\n$1\r\n9\r\n") // the one before ends without
}

// TestMigrateKeepsConnections: connections are kept, and not for ever.
func TestMigrateKeepsConnections(t *testing.T) {
	to := openServer(t) // closed last
	x := dial(t, to)
	alive(t, x)
	srv := openServer(t)
	c := dial(t, srv)
	_, port, _ := net.SplitHostPort(to.Addr())
	for i := range 20 {
		c.do("SET k 1")
		c.want(fmt.Sprintf("MIGRATE 127.0.0.1 %s k %d 60000 REPLACE", port, i%2), "+OK\r\n")
	}
	if info := c.do("INFO stats"); !strings.Contains(info, "migrate_cached_sockets:1\r\n") {
		t.Error(info)
	}
	if info := x.do("INFO stats"); !strings.Contains(info, "total_connections_received:2\r\n") {
		t.Error(info)
	}
}
