package server

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/script"
	"github.com/streampulse/pulse/server/log"
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

// TestForeignProtocols sends what other programs say first. Whatever the answer is, the server stays.
func TestForeignProtocols(t *testing.T) {
	srv := openServer(t)
	other := dial(t, srv)
	rnd := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 200_000)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	for name, hello := range map[string]string{
		"TLS":    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + string(noise[:500]),
		"SSH":    "SSH-2.0-OpenSSH_9.2\r\n",
		"HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
		"reply":  "$5\r\nworld\r\n+OK\r\n:1\r\n-ERR\r\n_\r\n%1\r\n",
		"noise":  string(noise),
		"CRs":    strings.Repeat("\r", 70_000),
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, srv)
			c.send(hello)
			_ = c.Conn.(*net.TCPConn).CloseWrite()
			for line := range strings.Lines(c.readAll()) {
				if !strings.HasPrefix(line, "-ERR ") && !strings.HasPrefix(line, "+") {
					t.Fatalf("%.100q", line)
				}
			}
			alive(t, other)
		})
	}
}

// TestAttackIsLogged: an attack by way of a browser is reported once, not each time.
func TestAttackIsLogged(t *testing.T) {
	var out lockedBuffer
	logger, err := log.New(log.Options{Writer: &out, Level: "notice"})
	if err != nil {
		t.Fatal(err)
	}
	srv := openWith(t, Options{Addr: "127.0.0.1:0", Log: logger})
	for range 20 {
		c := dial(t, srv)
		c.send("POST / HTTP/1.1\r\nHost: x\r\n\r\nFLUSHALL\r\n")
		if got := c.readAll(); got != "" {
			t.Errorf("got %q", got)
		}
	}
	if n := strings.Count(out.String(), "Possible SECURITY ATTACK detected"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// lockedBuffer is a bytes.Buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestLongNames: what is quoted of a request is short, and cannot tear the reply.
func TestLongNames(t *testing.T) {
	name := strings.Repeat("x\r\n+OK\r\n", 1250)
	quoted := strings.NewReplacer("\r", " ", "\n", " ").Replace(name[:128])
	argument := strings.Repeat("a\n", 1000)
	eachTarget(t, nil, func(t *testing.T, to target) {
		c := to.dial(t)
		if got, want := c.doArgs(name), "-ERR unknown command '"+quoted+"', with args beginning with: \r\n"; got != want {
			t.Errorf("got %q", got)
		}
		if got, want := c.doArgs("x", argument, "b"), "-ERR unknown command 'x', with args beginning with: '"+strings.Repeat("a ", 64)+"' \r\n"; got != want {
			t.Errorf("got %q", got)
		}
		if got, want := c.doArgs("CLIENT", name), "-ERR unknown subcommand '"+quoted+"'. Try CLIENT HELP.\r\n"; got != want {
			t.Errorf("got %q", got)
		}
		c.want("PING", pong)
	})
}

// TestLongStrings keeps strings below the limit, which is low here.
func TestLongStrings(t *testing.T) {
	tooLong := "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"
	eachTarget(t, settings{"proto-max-bulk-len", "1mb"}, func(t *testing.T, to target) {
		c := to.dial(t)
		c.want("SETRANGE k 1048575 x", ":1048576\r\n")
		c.want("SETRANGE k 1048576 x", tooLong)
		c.want("APPEND k x", tooLong)
		c.want("STRLEN k", ":1048576\r\n")
		c.want("SETRANGE k2 536870908 world", tooLong)
		c.want("SETRANGE k2 9223372036854775807 x", tooLong)
		c.want("EXISTS k2", ":0\r\n")
		half := strings.Repeat("y", 1<<19)
		c.doArgs("SET", "a", half)
		c.doArgs("SET", "b", half)
		if got := c.do("LCS a b"); got != "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len\r\n" {
			t.Errorf("LCS = %.100q", got)
		}
		big := to.dial(t)
		big.send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048577\r\n")
		if got := big.readAll(); got != "-ERR Protocol error: invalid bulk length\r\n" {
			t.Errorf("got %q", got)
		}
		alive(t, c)
	})
}

// TestMovedSession: a session that has moved from its loop to a stream goes on as if nothing had happened.
func TestMovedSession(t *testing.T) {
	srv := openServer(t)
	other, c := dial(t, srv), dial(t, srv)
	other.doArgs("SET", "big", strings.Repeat("x", mib))
	c.do("HELLO 3 SETNAME mover")
	c.want("SELECT 5", "+OK\r\n")
	c.do("SUBSCRIBE ch")
	c.want("SELECT 0", "+OK\r\n")
	c.want("WATCH w", "+OK\r\n")
	id := c.id()
	c.narrow()
	const n = 20
	c.send(strings.Repeat(requests("GET big"), n) + requests("ECHO end", "SELECT 5"))
	waitFor(t, "the session to move", func() bool { return c.unsent(srv) > streamBacklog })
	other.want("PUBLISH ch m", ":1\r\n")
	pushes, values := 0, 0
	for got := ""; got != "+OK\r\n"; {
		switch got = c.read(); got {
		case ">3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$1\r\nm\r\n":
			pushes++
		case bulk(strings.Repeat("x", mib)):
			values++
		case bulk("end"):
			if values != n {
				t.Errorf("%d values before the end", values)
			}
		}
	}
	if pushes == 0 {
		c.read()
	}
	other.want("PUBLISH ch m", ":1\r\n")
	c.read()
	if got := c.id(); got != id {
		t.Errorf("number %s was %s", got, id)
	}
	c.want("CLIENT GETNAME", bulk("mover"))
	other.want("SET w 1", "+OK\r\n") // in database 0, as watched
	c.send(requests("MULTI", "PING", "EXEC"))
	if got := c.read() + c.read() + c.read(); got != "+OK\r\n+QUEUED\r\n_\r\n" {
		t.Errorf("got %q", got)
	}
	c.send(requests("BLPOP q 0", "ECHO after"))
	blocked(t, other, 1)
	other.want("SELECT 5", "+OK\r\n")
	other.want("RPUSH q x", ":1\r\n")
	if got := c.read() + c.read(); got != "*2\r\n"+bulk("q")+bulk("x")+bulk("after") {
		t.Errorf("got %q", got)
	}
	c.send(requests("BLPOP q 0"))
	blocked(t, other, 1)
	c.Close()
	blocked(t, other, 0)
	waitFor(t, "the client to be forgotten", func() bool { return srv.clients.count() == 1 })
}

// TestHotKey: clients that fight for one key do not stop others.
func TestHotKey(t *testing.T) {
	srv := openServer(t)
	pings := startPinger(t, srv)
	var wg sync.WaitGroup
	for i := range 8 {
		c := dial(t, srv)
		wg.Go(func() {
			for j := range 20 {
				c.send(strings.Repeat(requests(fmt.Sprintf("ZADD z %d m%d", j, i), "ZRANGE z 0 -1", "HINCRBY {z}h f 1"), 100))
				for range 300 {
					c.read()
				}
			}
		})
	}
	wg.Wait()
	pings.check(t)
	dial(t, srv).want("HGET {z}h f", bulk("16000"))
}

// TestMixedAbuse has clients come, misbehave in every way and go, while others work. It is for the race detector.
func TestMixedAbuse(t *testing.T) {
	srv := openServer(t, "client-output-buffer-limit", "normal 1mb 0 0 pubsub 256kb 0 0")
	setup := dial(t, srv)
	setup.doArgs("SET", "big", strings.Repeat("x", 300_000))
	stop := make(chan struct{})
	var background, wg sync.WaitGroup
	for _, lines := range [][]string{
		{"CLIENT LIST", "INFO", "DBSIZE", "KEYS *"},
		{"PUBLISH ch m", "RPUSH q x", "SET k v PX 1", "EXISTS k"},
		{"CLIENT KILL TYPE pubsub", "CLIENT PAUSE 1 WRITE", "CLIENT UNPAUSE", "FLUSHDB", "SWAPDB 1 2"},
	} {
		c := dial(t, srv)
		background.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
				if got := c.do(lines[i%len(lines)]); strings.HasSuffix(got, "(closed)") {
					t.Errorf("%s: %q", lines[i%len(lines)], got)
					return
				}
			}
		})
	}
	bad := []string{
		requests("SUBSCRIBE ch", "PSUBSCRIBE c*"), requests("BLPOP q 0.01", "BLPOP q 0"), strings.Repeat(requests("GET big"), 50),
		"*3\r\n$3\r\nSET", "*x\r\n", requests("MULTI", "GET big", "INCR n", "EXEC", "QUIT"), requests("HELLO 3", "SUBSCRIBE ch", "PUBLISH ch me"),
		requests("WATCH k", "MULTI", "SET k 1"), strings.Repeat(requests("PING"), 5000), requests("CLIENT REPLY OFF", "GET big"),
		requests("DEBUG SLEEP 0.001", "RESET", "CLIENT INFO"),
	}
	for i := range 4 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(7, uint64(i)))
			for range 60 {
				nc, err := net.Dial("tcp", srv.Addr())
				if err != nil {
					t.Error(err)
					return
				}
				nc.SetDeadline(time.Now().Add(time.Duration(rnd.IntN(8)) * time.Millisecond))
				fmt.Fprint(nc, bad[rnd.IntN(len(bad))])
				if rnd.IntN(2) == 0 {
					_, _ = io.CopyN(io.Discard, nc, int64(rnd.IntN(100_000)))
				}
				if rnd.IntN(3) == 0 {
					_ = nc.(*net.TCPConn).SetLinger(0) // a reset
				}
				nc.Close()
			}
		})
	}
	wg.Wait()
	close(stop)
	background.Wait()
	setup.want("PING", pong)
	waitFor(t, "all to be gone", func() bool { return srv.clients.count() <= 4 })
}
