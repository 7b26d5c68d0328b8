package server

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// id is the number of a client.
func (c *client) id() string {
	c.t.Helper()
	return strings.Trim(c.do("CLIENT ID"), ":\r\n")
}

// blocked waits until n clients wait for keys.
func blocked(t testing.TB, c *client, n int) {
	t.Helper()
	want := fmt.Sprintf("blocked_clients:%d\r\n", n)
	waitFor(t, want, func() bool { return strings.Contains(c.do("INFO clients"), want) })
}

func TestClientKill(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	t.Run("self", func(t *testing.T) {
		k := dial(t, srv)
		k.send(requests("CLIENT KILL "+k.LocalAddr().String(), "PING"))
		if got := k.readAll(); got != "+OK\r\n" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("blocked", func(t *testing.T) {
		k := dial(t, srv)
		id := k.id()
		k.send(requests("BLPOP q 0"))
		blocked(t, c, 1)
		c.want("CLIENT KILL ID "+id, ":1\r\n")
		if got := k.readAll(); got != "" {
			t.Errorf("got %q", got)
		}
		blocked(t, c, 0)
		c.want("RPUSH q x", ":1\r\n")
		c.want("LPOP q", "$1\r\nx\r\n")
	})
	t.Run("in EXEC", func(t *testing.T) {
		k := dial(t, srv)
		k.send(requests("MULTI", "SET a 1", "CLIENT KILL ID "+k.id()+" SKIPME no", "SET a 2", "EXEC", "SET a 3"))
		got := k.readAll()
		if want := "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n:1\r\n+OK\r\n"; got != want {
			t.Errorf("got %q", got)
		}
		c.want("GET a", "$1\r\n2\r\n")
	})
	t.Run("of a slow client", func(t *testing.T) {
		c.doArgs("SET", "big", strings.Repeat("x", mib))
		k := dial(t, srv)
		k.narrow()
		id := k.id()
		k.send(strings.Repeat(requests("GET big"), 30))
		waitFor(t, "its replies to wait", func() bool { return k.unsent(srv) > streamBacklog })
		c.want("CLIENT KILL ID "+id, ":1\r\n")
		c.want("CLIENT KILL ID "+id, ":0\r\n")
		k.readAll()
	})
	t.Run("all others", func(t *testing.T) {
		a, b := dial(t, srv), dial(t, srv)
		a.want("PING", pong)
		b.want("PING", pong)
		c.want("CLIENT KILL TYPE normal", ":2\r\n")
		if got := a.readAll() + b.readAll(); got != "" {
			t.Errorf("got %q", got)
		}
	})
	alive(t, c)
}

func TestClientUnblock(t *testing.T) {
	srv := openServer(t)
	c, w := dial(t, srv), dial(t, srv)
	id := w.id()
	c.want("CLIENT UNBLOCK "+id, ":0\r\n")
	for _, row := range []struct{ how, want string }{
		{"", "*-1\r\n"}, {" TIMEOUT", "*-1\r\n"}, {" ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"},
	} {
		w.send(requests("BLPOP q 0", "PING"))
		blocked(t, c, 1)
		c.want("CLIENT UNBLOCK "+id+row.how, ":1\r\n")
		if got := w.read() + w.read(); got != row.want+pong {
			t.Errorf("%q: %q", row.how, got)
		}
	}
}

func TestClientPause(t *testing.T) {
	srv := openServer(t)
	c, w := dial(t, srv), dial(t, srv)
	id := w.id()
	c.want("CLIENT PAUSE 60000 WRITE", "+OK\r\n")
	w.want("GET k", "$-1\r\n")
	w.send(requests("SET k 1", "GET k", "INCR k"))
	w.silent()
	blocked(t, c, 1) // it counts as one that waits
	if got := c.do("CLIENT LIST ID " + id); !strings.Contains(got, " flags=b ") {
		t.Errorf("CLIENT LIST tells %q of a client that a pause holds up", got)
	}
	c.want("CLIENT PAUSE 1 WRITE", "+OK\r\n") // a pause is never made shorter
	w.silent()
	c.want("CLIENT UNPAUSE", "+OK\r\n")
	if got := w.read() + w.read() + w.read(); got != "+OK\r\n$1\r\n1\r\n:2\r\n" {
		t.Errorf("got %q", got)
	}
	w.want("MULTI", "+OK\r\n")
	w.want("INCR k", "+QUEUED\r\n")
	start := time.Now() // the pause does not begin before
	c.want("CLIENT PAUSE 50", "+OK\r\n")
	w.want("EXEC", "*1\r\n:3\r\n")
	if took := time.Since(start); took < 40*time.Millisecond {
		t.Errorf("waited %v only", took)
	}
	w.send(requests("CLIENT REPLY SKIP", "INCR k", "INCR k")) // the request that waits is the one that is skipped
	c.want("CLIENT PAUSE 20", "+OK\r\n")
	w.send(requests("CLIENT REPLY SKIP", "INCR k", "INCR k"))
	if got := w.read() + w.read(); got != ":5\r\n:7\r\n" {
		t.Errorf("got %q", got)
	}
	c.want("CLIENT PAUSE 9223372036854775807", "-ERR timeout is out of range\r\n")
	// A client that leaves, or a server that ends, does not wait for the end of a pause.
	c.want("CLIENT PAUSE 3600000", "+OK\r\n")
	w.send(requests("SET k 2"))
	w.Close()
	waitFor(t, "the client to leave", func() bool { return srv.clients.count() == 1 })
}

func TestClientReply(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	c.send(requests("CLIENT REPLY SKIP", "PING", "ECHO a", "CLIENT REPLY OFF", "PING", "NOSUCH", "CLIENT REPLY ON", "ECHO b"))
	if got := c.read() + c.read() + c.read(); got != bulk("a")+"+OK\r\n"+bulk("b") {
		t.Errorf("got %q", got)
	}
	c.silent()
}

func TestReset(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	c.do("HELLO 3 SETNAME me")
	c.want("SELECT 3", "+OK\r\n")
	c.want("SUBSCRIBE ch", ">3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n")
	c.want("MULTI", "+OK\r\n")
	c.want("RESET", "+RESET\r\n")
	c.want("EXEC", "-ERR EXEC without MULTI\r\n")
	c.want("CLIENT GETNAME", "$-1\r\n")
	if got := c.do("CLIENT INFO"); !strings.Contains(got, " db=0 sub=0 ") || !strings.Contains(got, " resp=2 ") {
		t.Errorf("CLIENT INFO = %q", got)
	}
	c.want("PUBLISH ch m", ":0\r\n")
}

func TestHello(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	want := "$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.4.1\r\n$5\r\nproto\r\n:%d\r\n$2\r\nid\r\n:%s\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"
	id := c.id()
	c.want("HELLO", "*14\r\n"+fmt.Sprintf(want, 2, id))
	c.want("HELLO 3", "%7\r\n"+fmt.Sprintf(want, 3, id))
	c.want("GET nokey", "_\r\n")
	c.want("HELLO 9", "-NOPROTO unsupported protocol version\r\n")
	c.want("GET nokey", "_\r\n")
	// Back to the old protocol while subscribed: what a RESP2 subscriber may do is little.
	c.want("SUBSCRIBE ch", ">3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n")
	c.want("GET nokey", "_\r\n")
	c.do("HELLO 2")
	c.want("GET nokey", "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n")
	c.want("PING", "*2\r\n$4\r\npong\r\n$0\r\n\r\n")
	dial(t, srv).want("PUBLISH ch m", ":1\r\n")
	if got := c.read(); got != "*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$1\r\nm\r\n" {
		t.Errorf("got %q", got)
	}
}

// TestOwnMessages: a RESP3 client that publishes to itself gets whole replies and whole pushes, also in pipelines and
// transactions.
func TestOwnMessages(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	c.do("HELLO 3")
	c.do("SUBSCRIBE ch")
	message := ">3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$1\r\nm\r\n"
	const n = 1000
	c.send(strings.Repeat(requests("PUBLISH ch m", "ECHO a"), n) + requests("MULTI", "PUBLISH ch m", "ECHO b", "EXEC"))
	messages, replies := 0, ""
	for messages < n+1 || len(replies) < n*len(":1\r\n"+bulk("a"))+len("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n"+bulk("b")) {
		if got := c.read(); got == message {
			messages++
		} else {
			replies += got
		}
	}
	if want := strings.Repeat(":1\r\n"+bulk("a"), n) + "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n" + bulk("b"); replies != want {
		t.Errorf("the replies are torn")
	}
	c.silent()
}

// TestManyBlocked: clients that wait for one key are served in the order in which they came, each once.
func TestManyBlocked(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	const n = 100
	var waiting [n]*client
	for i := range waiting {
		waiting[i] = dial(t, srv)
		waiting[i].send(requests("BLPOP q 0"))
		blocked(t, c, i+1)
	}
	for i := range n {
		c.send(requests(fmt.Sprintf("RPUSH q %d", i)))
	}
	for i, w := range waiting {
		if got, want := w.read(), "*2\r\n$1\r\nq\r\n"+bulk(fmt.Sprint(i)); got != want {
			t.Errorf("client %d: %q", i, got)
		}
		c.read()
	}
	c.want("EXISTS q", ":0\r\n")
}

// TestPatterns has every command that matches match patterns that are slow for careless matchers.
func TestPatterns(t *testing.T) {
	srv := openServer(t)
	c, listener := dial(t, srv), dial(t, srv)
	name := strings.Repeat("a", 50_000)
	c.doArgs("SET", name, "v")
	c.want("SELECT 1", "+OK\r\n")
	c.doArgs("HSET", "h", name, "v")
	c.doArgs("SADD", "s", name)
	c.doArgs("ZADD", "z", "1", name)
	c.want("SELECT 0", "+OK\r\n")
	pings := startPinger(t, srv)
	// soon sends a request whose exact reply must come, and take less than a second of processor time.
	soon := func(want string, args ...string) {
		t.Helper()
		start := cpuTime()
		if got := c.doArgs(args...); got != want {
			t.Errorf("%.60q = %.60q, want %.60q", args, got, want)
		}
		if took := cpuTime() - start; took > time.Second {
			t.Errorf("%.60q took %v", args, took)
		}
	}
	array := func(elements ...string) string {
		return fmt.Sprintf("*%d\r\n%s", len(elements), strings.Join(elements, ""))
	}
	scanned := func(elements ...string) string { return array(bulk("0"), array(elements...)) }
	for _, row := range []struct {
		pattern string
		matches bool
	}{
		{strings.Repeat("a*", 20) + "b", false},
		{strings.Repeat("a*", 20), true},
		{strings.Repeat("*a", 2000) + "*b", false},
		{strings.Repeat("*?", 50_000), true},
		{strings.Repeat("*?", 50_001), false},
		{strings.Repeat("*[^b]", 20) + "b", false},
		{strings.Repeat("*", 60_000), true},
		{"[", false},
		{"a[a", false},
		{"[" + strings.Repeat("z-b", 20_000), false},
		{"[z-a]*", true},
		{"a\\", false},
	} {
		found, value, score := []string(nil), []string(nil), []string(nil)
		if row.matches {
			found, value, score = []string{bulk(name)}, []string{bulk(name), bulk("v")}, []string{bulk(name), bulk("1")}
		}
		soon(array(found...), "KEYS", row.pattern)
		soon(scanned(found...), "SCAN", "0", "MATCH", row.pattern)
		c.want("SELECT 1", "+OK\r\n")
		soon(scanned(value...), "HSCAN", "h", "0", "MATCH", row.pattern)
		soon(scanned(found...), "SSCAN", "s", "0", "MATCH", row.pattern)
		soon(scanned(score...), "ZSCAN", "z", "0", "MATCH", row.pattern)
		c.want("SELECT 0", "+OK\r\n")
		if row.pattern != "[z-a]*" && strings.Trim(row.pattern, "*") != "" { // but these are parameters, too
			soon(array(), "CONFIG", "GET", row.pattern)
		}
		if got := listener.doArgs("PSUBSCRIBE", row.pattern); got != array(bulk("psubscribe"), bulk(row.pattern), ":1\r\n") {
			t.Fatalf("PSUBSCRIBE %.20q = %.60q", row.pattern, got)
		}
		soon(fmt.Sprintf(":%d\r\n", len(found)), "PUBLISH", name, "m")
		if row.matches {
			listener.expect(array(bulk("pmessage"), bulk(row.pattern), bulk(name), bulk("m")))
		}
		listener.doArgs("PUNSUBSCRIBE")
		listener.doArgs("SUBSCRIBE", name)
		soon(array(found...), "PUBSUB", "CHANNELS", row.pattern)
		listener.doArgs("UNSUBSCRIBE")
	}
	pings.check(t)
}

// TestLargeCollections: dropping them does not keep others waiting.
func TestLargeCollections(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	for _, add := range [][]string{{"RPUSH", "l"}, {"SADD", "s"}, {"HSET", "h"}, {"ZADD", "z"}} {
		for i := 0; i < 100_000; i += 20_000 {
			args := append([]string(nil), add...)
			for j := range 20_000 {
				if len(add[0]) == 4 && add[0] != "SADD" {
					args = append(args, fmt.Sprint(j))
				}
				args = append(args, fmt.Sprint(i+j))
			}
			if got := c.doArgs(args...); got[0] != ':' {
				t.Fatalf("%s: %q", add[0], got)
			}
		}
	}
	c.want("SELECT 1", "+OK\r\n")
	var b strings.Builder
	const n = 20_000
	for i := range n {
		b.WriteString(requests(fmt.Sprintf("SET k%d v PX 100", i)))
	}
	go c.send(b.String())
	for range n {
		c.read()
	}
	pings := startPinger(t, srv)
	c.want("SELECT 0", "+OK\r\n")
	c.want("DEL l h", ":2\r\n")
	c.want("UNLINK s", ":1\r\n")
	c.want("FLUSHALL", "+OK\r\n")
	c.want("SELECT 1", "+OK\r\n")
	waitFor(t, "the keys to expire", func() bool { return c.do("DBSIZE") == ":0\r\n" })
	pings.check(t)
}

// TestRandomCounts: a negative count is as many elements with repetitions; there is an end to what is made.
func TestRandomCounts(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	c.do("SADD s a b c")
	c.do("HSET h a 1")
	c.do("ZADD z 1 a")
	pings := startPinger(t, srv)
	for _, line := range []string{
		"SRANDMEMBER s -9223372036854775807", "HRANDFIELD h -9223372036854775807 WITHVALUES", "ZRANDMEMBER z -9223372036854775807 WITHSCORES",
		"SRANDMEMBER s -999999999999", "HRANDFIELD h -999999999999",
	} {
		if got := c.do(line); got != "-ERR value is out of range\r\n" {
			t.Errorf("%s = %.100q", line, got)
		}
	}
	pings.check(t)
}
