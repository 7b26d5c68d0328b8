package server

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/oracle"
	"github.com/streampulse/pulse/internal/script"
	"github.com/streampulse/pulse/server/config"
)

func init() { script.Flags() }

// patience is how long a test waits for what must come: under the race detector and beside other work, one large command may take ten seconds.
const patience = 30 * time.Second

// settings are parameters and their values, in turn.
type settings []string

// openServer opens a server for the test. When the test ends the server is closed, and every goroutine and descriptor
// must be gone that was not there before.
func openServer(t testing.TB, s ...string) *Server {
	t.Helper()
	return openWith(t, Options{Addr: "127.0.0.1:0"}, s...)
}

func openWith(t testing.TB, o Options, s ...string) *Server {
	t.Helper()
	goroutines, files := runtime.NumGoroutine(), openFiles()
	o.Config = configOf(t, s...)
	srv, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		closeServer(t, srv)
		settled(t, goroutines, files)
		if n := srv.memory.clients.Load(); n != 0 {
			t.Errorf("%d bytes are still counted for clients that have gone", n)
		}
	})
	return srv
}

func configOf(t testing.TB, s ...string) *config.Config {
	t.Helper()
	c := config.New()
	for _, nv := range slices.Collect(slices.Chunk(append([]string{"enable-debug-command", "yes", "save", ""}, s...), 2)) {
		if err := c.Override(nv[0], nv[1]); err != nil {
			t.Fatalf("%s %s: %v", nv[0], nv[1], err)
		}
	}
	return c
}

func closeServer(t testing.TB, srv *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := srv.Close(ctx); err != nil {
		buf := make([]byte, 1<<20)
		t.Fatalf("the server does not end: %v\n%s", err, buf[:runtime.Stack(buf, true)])
	}
}

// settled waits until there are no more goroutines and descriptors than at first.
func settled(t testing.TB, goroutines, files int) {
	t.Helper()
	var g, f int
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if g, f = runtime.NumGoroutine(), openFiles(); g <= goroutines && f <= files {
			return
		}
	}
	buf := make([]byte, 1<<20)
	t.Errorf("%d goroutines and %d descriptors remain, there were %d and %d\n%s", g, f, goroutines, files, buf[:runtime.Stack(buf, true)])
}

// openFiles counts the descriptors of this process, where the system tells them.
func openFiles() int {
	d, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	return len(names)
}

// client is a connection under test. Its methods end the test when something takes too long.
type client struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func newClient(t testing.TB, nc net.Conn) *client {
	c := &client{Conn: nc, t: t, r: bufio.NewReader(nc)}
	t.Cleanup(func() { nc.Close() })
	return c
}

func dial(t testing.TB, srv *Server) *client {
	t.Helper()
	return dialAddr(t, "tcp", srv.Addr())
}

func dialAddr(t testing.TB, network, addr string) *client {
	t.Helper()
	nc, err := net.DialTimeout(network, addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, nc)
}

// encode makes a request as clients do.
func encode(args ...string) string {
	b := strconv.AppendInt([]byte("*"), int64(len(args)), 10)
	for _, a := range args {
		b = strconv.AppendInt(append(b, "\r\n$"...), int64(len(a)), 10)
		b = append(append(b, "\r\n"...), a...)
	}
	return string(append(b, "\r\n"...))
}

// requests encodes lines of words.
func requests(lines ...string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(encode(strings.Fields(l)...))
	}
	return b.String()
}

// send writes bytes. A connection that the server has closed is no error here: the reading side finds it.
func (c *client) send(s string) {
	c.t.Helper()
	for len(s) > 0 { // each piece has its time
		piece := s[:min(len(s), 64<<10)]
		s = s[len(piece):]
		c.SetWriteDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(c.Conn, piece); err != nil {
			if n, ok := err.(net.Error); ok && n.Timeout() {
				c.t.Fatal(err)
			}
			return
		}
	}
}

// do sends a line of words as a request and returns the reply as it came.
func (c *client) do(line string) string {
	c.t.Helper()
	return c.doArgs(strings.Fields(line)...)
}

func (c *client) doArgs(args ...string) string {
	c.t.Helper()
	c.send(encode(args...))
	return c.read()
}

// want compares the reply to a line of words.
func (c *client) want(line, reply string) {
	c.t.Helper()
	if got := c.do(line); got != reply {
		c.t.Fatalf("%s = %.300q, want %.300q", line, got, reply)
	}
}

// read returns the next reply or push as it came, or "(closed)".
func (c *client) read() string {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	b, err := readRaw(c.r, nil)
	switch n, ok := err.(net.Error); {
	case err == nil:
		return string(b)
	case ok && n.Timeout():
		c.t.Fatalf("no reply within %v, only %.300q", patience, b)
	}
	return string(b) + "(closed)"
}

// expect reads as much as is wanted and compares it.
func (c *client) expect(want string) {
	c.t.Helper()
	got := make([]byte, len(want))
	n, err := 0, error(nil)
	for n < len(got) && err == nil {
		c.SetReadDeadline(time.Now().Add(patience))
		var more int
		more, err = c.r.Read(got[n:])
		n += more
	}
	if err == nil && string(got) == want {
		return
	}
	at := 0
	for at < n && got[at] == want[at] {
		at++
	}
	c.t.Errorf("%v: from byte %d on %.200q, want %.200q", err, at, got[at:n], want[at:])
}

// readAll returns everything up to the end of the connection.
func (c *client) readAll() string {
	c.t.Helper()
	var b []byte
	var err error
	for piece := make([]byte, 64<<10); err == nil; {
		c.SetReadDeadline(time.Now().Add(patience))
		var n int
		n, err = c.r.Read(piece)
		b = append(b, piece[:n]...)
	}
	if n, ok := err.(net.Error); ok && n.Timeout() {
		c.t.Fatalf("the connection is not closed; it sent %.300q", b)
	}
	return string(b)
}

// silent reports an error if something comes within a short time.
func (c *client) silent() {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if b, err := c.r.Peek(1); err == nil || len(b) > 0 {
		c.t.Fatalf("unexpected: %.300q", c.read())
	}
}

// readRaw appends one RESP value to b.
func readRaw(r *bufio.Reader, b []byte) ([]byte, error) {
	line, err := r.ReadBytes('\n')
	b = append(b, line...)
	if err != nil || len(line) < 3 {
		return b, err
	}
	n, _ := strconv.Atoi(string(line[1 : len(line)-2]))
	switch line[0] {
	case '$', '=', '!':
		if n < 0 {
			return b, nil
		}
		at := len(b)
		b = append(b, make([]byte, n+2)...)
		_, err = io.ReadFull(r, b[at:])
		return b, err
	case '%', '|':
		n *= 2
		fallthrough
	case '*', '~', '>':
		for ; n > 0 && err == nil; n-- {
			b, err = readRaw(r, b)
		}
	}
	return b, err
}

// grace is how soon other clients are answered, whatever one of them does: a quarter of a second on a machine that runs
// other tests as well, or what becomes of it under the race detector.
var grace = func() time.Duration {
	if underRace {
		return time.Second
	}
	return 250 * time.Millisecond
}()

// alive fails the test unless the server answers another client soon. Tests of a machine under load get three attempts.
func alive(t testing.TB, other *client) {
	t.Helper()
	var took time.Duration
	for range 3 {
		start := time.Now()
		other.want("PING", "+PONG\r\n")
		if took = time.Since(start); took < grace {
			return
		}
	}
	t.Errorf("another client waited %v for its reply", took)
}

// target is a server that a table of requests is tried on.
type target struct {
	oracle bool
	dial   func(t testing.TB) *client
}

// eachTarget runs f against a Pulse and, with -oracle, against a redis-server, both with these settings.
func eachTarget(t *testing.T, s settings, f func(t *testing.T, to target)) {
	t.Run("pulse", func(t *testing.T) {
		srv := openServer(t, s...)
		f(t, target{dial: func(t testing.TB) *client { return dial(t, srv) }})
	})
	if !script.UsingOracle() {
		return
	}
	t.Run("redis", func(t *testing.T) {
		var args []string
		for i := 0; i < len(s); i += 2 {
			args = append(append(args, "--"+s[i]), strings.Fields(s[i+1])...)
		}
		srv := oracle.Start(t, args...)
		f(t, target{oracle: true, dial: func(t testing.TB) *client { return dialAddr(t, "tcp", srv.Addr()) }})
	})
}
