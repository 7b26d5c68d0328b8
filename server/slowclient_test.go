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
		c.SetWriteDeadline(time.Now().Add(6 * patience))
		for i := range n {
			fmt.Fprint(c.Conn, encode("ECHO", fmt.Sprint(i))+encode("GET", "big"))
		}
	}()
	waitFor(t, "the client's replies to wait", func() bool { return c.unsent(srv) > streamBacklog })
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

// stream is what owns the client's session, nil if that is a loop, or if there is no session yet or any more. Who else has moved to a
// stream is another matter: on a busy machine anybody may.
func (c *client) stream(srv *Server) (t *stream) {
	addr := c.LocalAddr().String()
	srv.clients.each(func(s *session) {
		if s.conn.Addr == addr {
			t, _ = (*s.owner.Load()).(*stream)
		}
	})
	return t
}

// unsent is how many bytes wait for the client to read.
func (c *client) unsent(srv *Server) int {
	if t := c.stream(srv); t != nil {
		return t.unsentBytes()
	}
	return 0
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
	waitFor(t, "its replies to wait", func() bool { return c.unsent(srv) > streamBacklog })
	other := dial(t, srv)
	if got := other.do("CLIENT LIST"); strings.Count(got, "\n") != 4 { // a header, two clients, the end
		t.Errorf("CLIENT LIST = %q", got)
	}
	alive(t, other)
	start := time.Now()
	closeServer(t, srv)
	if took := time.Since(start); took > farewell*3/4 {
		t.Errorf("closing took %v: the client was left the time of one that goes by itself", took)
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
				if row.name == "soft" && sub.unsent(srv) > 400_000 {
					// Enough waits now; time alone ends it.
					waitFor(t, "the subscriber to be given up", func() bool { return sub.stream(srv) == nil })
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
	c.want("PING", pong) // or it might be waited for before it is there
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
	waitFor(t, "what they have sent to be read", func() bool { return srv.memory.clients.Load() > n*(clientMemory+1000) })
	alive(t, other)
	if each := (heap() - before) / n; each > 64<<10 {
		t.Errorf("%d bytes each", each)
	}
}

// TestLargeInput: however small the pieces are in which a request comes, each byte is moved a few times, not once for each piece.
func TestLargeInput(t *testing.T) {
	const size, piece = 16 * mib, 1000
	var s session
	s.lim.Authenticated = true
	s.append(fmt.Appendf(nil, "*2\r\n$4\r\nECHO\r\n$%d\r\n", size))
	moved := 0
	for range size / piece {
		if _, n, err := s.rd.Next(s.in, &s.lim); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		before, had := cap(s.in), len(s.in)
		if s.append(make([]byte, piece)); cap(s.in) != before {
			moved += had
		}
	}
	if moved > 2*size {
		t.Errorf("%d bytes were moved for %d", moved, size)
	}
}

// TestLargeRequest sends a request that comes in many pieces.
func TestLargeRequest(t *testing.T) {
	srv := openServer(t)
	pings := startPinger(t, srv)
	c := dial(t, srv)
	value := strings.Repeat("0123456789abcdef", 16*mib/16)
	c.send(encode("SET", "k", value))
	if got := c.read(); got != "+OK\r\n" {
		t.Fatalf("SET = %q", got)
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
	slow.send(requests("DEBUG SLEEP 0.1", "SET k v"))
	waitFor(t, "the session to move to a stream", func() bool { return slow.stream(srv) != nil })
	other.want("PING", "+PONG\r\n")
	slow.expect("+OK\r\n+OK\r\n")
	other.want("GET k", "$1\r\nv\r\n")
}
