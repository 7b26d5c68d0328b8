package server

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// heap is the memory in use after a collection, in bytes.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

const mib = 1 << 20

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

// narrow makes the socket of a client that will not read hold little; but much less, and the kernel sends the rest by
// its timers.
func (c *client) narrow() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(256 << 10)
	}
}

// TestClientThatDoesNotRead asks for far more than fits anywhere, and reads it all only later.
func TestClientThatDoesNotRead(t *testing.T) {
	srv := openServer(t)
	other := dial(t, srv)
	big := strings.Repeat("x", mib)
	if got := other.doArgs("SET", "big", big); got != "+OK\r\n" {
		t.Fatal(got)
	}
	pings := startPinger(t, srv)
	before := heap()
	c := dial(t, srv)
	c.narrow()
	const n = 100
	sent := make(chan struct{})
	go func() { // the server stops reading at some time, too
		defer close(sent)
		c.SetWriteDeadline(time.Now().Add(patience))
		for i := range n {
			fmt.Fprint(c.Conn, encode("ECHO", fmt.Sprint(i))+encode("GET", "big"))
		}
	}()
	waitFor(t, "the client's session to move to a stream", func() bool { return streams(srv) == 1 })
	time.Sleep(50 * time.Millisecond)
	if grown := heap() - before; grown > 20*mib {
		t.Errorf("the replies that nobody reads take %d MiB", grown/mib)
	}
	alive(t, other)
	for i := range n {
		if got := c.read(); got != bulk(fmt.Sprint(i)) {
			t.Fatalf("reply %d: %.100q", i, got)
		}
		if got := c.read(); got != bulk(big) {
			t.Fatalf("reply %d: %d bytes", i, len(got))
		}
	}
	<-sent
	c.want("PING", pong)
	pings.check(t)
}

func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// streams counts the sessions that are owned by streams.
func streams(srv *Server) (n int) {
	srv.clients.each(func(s *session) {
		if _, ok := (*s.owner.Load()).(*stream); ok {
			n++
		}
	})
	return n
}

// TestEndlessPipeline sends many small requests without reading a reply.
func TestEndlessPipeline(t *testing.T) {
	srv := openServer(t)
	pings := startPinger(t, srv)
	before := heap()
	c := dial(t, srv)
	c.narrow()
	part := strings.Repeat(requests("PING"), 10_000)
	sent := 0
	for range 200 { // 28 MB
		c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		n, err := io.WriteString(c.Conn, part)
		sent += n
		if err != nil {
			break // nobody takes it
		}
	}
	if grown := heap() - before; grown > 20*mib {
		t.Errorf("%d MiB", grown/mib)
	}
	pings.check(t)
	whole := sent / len(requests("PING"))
	buf := make([]byte, whole*len(pong))
	c.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(c.r, buf); err != nil || !bytes.Equal(buf, bytes.Repeat([]byte(pong), whole)) {
		t.Errorf("%d replies are not what they should be: %v", whole, err)
	}
}

// TestHalfClosed checks that what was sent before the client closed its half is answered, also through a stream.
func TestHalfClosed(t *testing.T) {
	srv := openServer(t)
	dial(t, srv).doArgs("SET", "big", strings.Repeat("x", mib))
	for _, row := range []struct {
		name, send, want string
	}{
		{"small", strings.Repeat(requests("PING"), 1000), strings.Repeat(pong, 1000)},
		{"large", strings.Repeat(requests("GET big"), 30) + requests("PING"), strings.Repeat(bulk(strings.Repeat("x", mib)), 30) + pong},
		{"incomplete", requests("PING") + "*2\r\n$4\r\nECHO\r\n$10\r\nabc", pong},
		{"waiting", requests("PING", "BLPOP q 0", "PING"), pong},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := dial(t, srv)
			c.narrow()
			c.send(row.send)
			if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if got := c.readAll(); got != row.want {
				t.Errorf("%d bytes, want %d: %.100q", len(got), len(row.want), got)
			}
		})
	}
	// The waiting client is gone: nothing is popped for it.
	dial(t, srv).want("RPUSH q x", ":1\r\n")
	dial(t, srv).want("LLEN q", ":1\r\n")
}

// TestHalfClosedAndSilent leaves a server with a client that neither sends, nor reads, nor goes.
func TestHalfClosedAndSilent(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	c.narrow()
	c.doArgs("SET", "big", strings.Repeat("x", mib))
	c.send(strings.Repeat(requests("GET big"), 30))
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the session to move to a stream", func() bool { return streams(srv) == 1 })
	other := dial(t, srv)
	if got := other.do("CLIENT LIST"); strings.Count(got, "\n") != 4 { // a header, two clients, the end
		t.Errorf("CLIENT LIST = %q", got)
	}
	alive(t, other)
	start := time.Now()
	closeServer(t, srv)
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("closing took %v", took)
	}
}

func TestSubscriberThatDoesNotRead(t *testing.T) {
	for _, row := range []struct {
		name, limit string
		hello       string
	}{
		{"hard", "pubsub 1mb 0 0", "HELLO 2"},
		{"soft", "pubsub 0 200kb 1", "HELLO 3"},
	} {
		t.Run(row.name, func(t *testing.T) {
			srv := openServer(t, "client-output-buffer-limit", row.limit)
			publisher := dial(t, srv)
			sub := dial(t, srv)
			sub.narrow()
			sub.do(row.hello)
			sub.send(requests("SUBSCRIBE ch"))
			sub.read()
			message := strings.Repeat("m", 10_000)
			n := 0
			for ; publisher.doArgs("PUBLISH", "ch", message) == ":1\r\n"; n++ {
				if n > 5000 {
					t.Fatal("the subscriber is never given up")
				}
				if streams(srv) == 1 && row.name == "soft" {
					// Enough waits now; time alone ends it.
					for range 300 {
						publisher.doArgs("PUBLISH", "ch", message)
					}
					waitFor(t, "the subscriber to be given up", func() bool { return streams(srv) == 0 })
				}
			}
			alive(t, publisher)
			push := "*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n" + bulk(message)
			if row.hello == "HELLO 3" {
				push = ">" + push[1:]
			}
			got := sub.readAll()
			for strings.HasPrefix(got, push) {
				got = got[len(push):]
			}
			if !strings.HasPrefix(push, got) {
				t.Errorf("the messages are torn: %.100q", got)
			}
			if got := publisher.do("INFO stats"); !strings.Contains(got, "client_output_buffer_limit_disconnections:1\r\n") {
				t.Errorf("INFO stats: %s", got)
			}
		})
	}
}

// TestNormalOutputLimit: what is over the limit of a normal client ends it, without a word.
func TestNormalOutputLimit(t *testing.T) {
	srv := openServer(t, "client-output-buffer-limit", "normal 1mb 0 0")
	other := dial(t, srv)
	other.doArgs("SET", "big", strings.Repeat("x", 20*mib))
	c := dial(t, srv)
	c.narrow()
	c.send(requests("GET big"))
	waitFor(t, "the client to be closed", func() bool { return srv.clients.count() == 1 })
	alive(t, other)
}

// TestSlowSender sends a request byte by byte.
func TestSlowSender(t *testing.T) {
	srv := openServer(t)
	other := dial(t, srv)
	c := dial(t, srv)
	input := encode("SET", "k", "a\r\nb") + "\r\n" + "GET k\r\n" + "*0\r\n" + encode("GET", "k") + "ECHO \"q \\x41\" \r\n" + "PING\r\n"
	for i := range len(input) {
		c.send(input[i : i+1])
	}
	for _, want := range []string{"+OK\r\n", bulk("a\r\nb"), bulk("a\r\nb"), bulk("q A"), pong} {
		if got := c.read(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	// The same in pieces of every length, several times over in one stream of bytes.
	want := strings.Repeat("+OK\r\n"+bulk("a\r\nb")+bulk("a\r\nb")+bulk("q A")+pong, 20)
	for size := 2; size < len(input)+3; size += 5 {
		all := strings.Repeat(input, 20)
		for len(all) > 0 {
			n := min(size, len(all))
			c.send(all[:n])
			all = all[n:]
		}
		got := make([]byte, len(want))
		c.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.ReadFull(c.r, got); err != nil || string(got) != want {
			t.Fatalf("pieces of %d bytes: %v, %.200q", size, err, got)
		}
	}
	alive(t, other)
}

// TestHalfRequests: what a request announces takes no memory, only what has come.
func TestHalfRequests(t *testing.T) {
	srv := openServer(t)
	other := dial(t, srv)
	before := heap()
	const n = 200
	for range n {
		c := dial(t, srv)
		c.send("*2\r\n$4\r\nECHO\r\n$100000000\r\n" + strings.Repeat("x", 1000))
	}
	waitFor(t, "the connections", func() bool { return srv.clients.count() == n+1 })
	alive(t, other)
	if each := (heap() - before) / n; each > 64<<10 {
		t.Errorf("%d bytes each", each)
	}
}

// TestLargeRequest: the cost of a request that comes in many pieces is linear.
func TestLargeRequest(t *testing.T) {
	srv := openServer(t)
	pings := startPinger(t, srv)
	c := dial(t, srv)
	value := strings.Repeat("0123456789abcdef", 16*mib/16)
	start := time.Now()
	c.send(encode("SET", "k", value))
	if got := c.read(); got != "+OK\r\n" {
		t.Fatalf("SET = %q", got)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("16 MiB took %v", took)
	}
	c.want("STRLEN k", fmt.Sprintf(":%d\r\n", len(value)))
	if got := c.do("GET k"); got != bulk(value) {
		t.Errorf("GET returns something else, %d bytes", len(got))
	}
	pings.check(t)
}

// TestPipelineBehindWait: what a client pipelines behind a command that waits is kept, and worked off without keeping
// others waiting.
func TestPipelineBehindWait(t *testing.T) {
	srv := openServer(t)
	c, other := dial(t, srv), dial(t, srv)
	const n = 300_000
	c.send(requests("BLPOP q 0") + strings.Repeat(requests("INCR n"), n))
	pings := startPinger(t, srv)
	waitFor(t, "the client to wait", func() bool { return strings.Contains(other.do("INFO clients"), "blocked_clients:1\r\n") })
	other.want("RPUSH q x", ":1\r\n")
	c.read()
	for i := range n {
		if got := c.read(); got != fmt.Sprintf(":%d\r\n", i+1) {
			t.Fatalf("reply %d: %q", i, got)
		}
	}
	pings.check(t)
}

// TestSlowCommands: a client of slow commands stalls the other clients of its loop twice, one of very slow ones once; then it has
// goroutines of its own.
func TestSlowCommands(t *testing.T) {
	t.Run("slow", func(t *testing.T) { testSlowCommands(t, "DEBUG SLEEP 0.05", "DEBUG SLEEP 0.05") })
	t.Run("very slow", func(t *testing.T) { testSlowCommands(t, "DEBUG SLEEP 0.15") })
}

func testSlowCommands(t *testing.T, first ...string) {
	srv := openServer(t, "io-threads", "1", "enable-debug-command", "yes")
	slow, other := dial(t, srv), dial(t, srv)
	other.want("PING", "+PONG\r\n")
	for _, c := range first {
		slow.want(c, "+OK\r\n")
	}
	slow.send(requests("DEBUG SLEEP 0.5", "SET k v"))
	best := time.Hour
	for range 3 {
		start := time.Now()
		other.want("PING", "+PONG\r\n")
		best = min(best, time.Since(start))
	}
	if best > 200*time.Millisecond {
		t.Errorf("another client waited %v", best)
	}
	slow.expect("+OK\r\n+OK\r\n")
	other.want("GET k", "$1\r\nv\r\n")
}
