package server

import (
	"strings"
	"testing"
)

// TestClientKillOfOnlookers kills those that are sent what others do: at MONITOR, subscribed, and told of keys.
func TestClientKillOfOnlookers(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	for _, line := range []string{"MONITOR", "SUBSCRIBE ch", "PSUBSCRIBE c*", "CLIENT TRACKING on BCAST"} {
		for _, how := range []string{"ID", "USER default ID"} {
			k := dial(t, srv)
			k.do("HELLO 3")
			id := k.id()
			k.do(line)
			c.want("CLIENT KILL "+how+" "+id, ":1\r\n")
			c.want("SET k v", "+OK\r\n")
			c.untilReply("PUBLISH ch m", ":0\r\n") // it hears nothing from now on, but is a subscriber until its turn comes
			if got := k.readAll(); strings.Contains(got, "message") || strings.Contains(got, "SET") || strings.Contains(got, "invalidate") {
				t.Errorf("%s: told after its end: %q", line, got)
			}
			c.want("CLIENT KILL ID "+id, ":0\r\n")
		}
	}
	alive(t, c)
}

// TestClientKillUnderTLS kills a client whose peer reads nothing of what it has asked for, and oneself with much unsent.
func TestClientKillUnderTLS(t *testing.T) {
	f := newTLSFiles(t)
	srv := f.open(Options{})
	c := dial(t, srv)
	c.doArgs("SET", "big", strings.Repeat("x", 8*mib))
	k := f.dial(srv)
	id := k.id()
	k.send(strings.Repeat(requests("GET big"), 5))
	waitFor(t, "replies to wait", func() bool {
		list := c.do("CLIENT LIST ID " + id)
		return !strings.Contains(list, " omem=0 ") || !strings.Contains(list, " obl=0 ")
	})
	c.want("CLIENT KILL ID "+id, ":1\r\n")
	c.want("CLIENT KILL ID "+id, ":0\r\n")
	waitFor(t, "the client to leave", func() bool { return srv.clients.count() == 1 })
	k.Close()

	k = f.dial(srv)
	k.send(requests("GET big", "CLIENT KILL ID "+k.id()+" SKIPME no", "PING"))
	if got := k.readAll(); !strings.HasSuffix(got, "x\r\n:1\r\n") || len(got) < 8*mib {
		t.Errorf("%d bytes, ending in %q", len(got), got[max(0, len(got)-20):])
	}
	alive(t, c)
}

// TestClientUnblockDuringPause: who is held up by a pause does not wait for anything that could be ended.
func TestClientUnblockDuringPause(t *testing.T) {
	srv := openServer(t)
	c, w := dial(t, srv), dial(t, srv)
	id := w.id()
	c.want("CLIENT PAUSE 3600000 WRITE", "+OK\r\n")
	w.send(requests("SET k 1", "BLPOP q 0"))
	blocked(t, c, 1)
	for _, how := range []string{"", " TIMEOUT", " ERROR"} {
		c.want("CLIENT UNBLOCK "+id+how, ":0\r\n")
	}
	c.want("EXISTS k", ":0\r\n")
	c.want("CLIENT UNPAUSE", "+OK\r\n")
	if got := w.read(); got != "+OK\r\n" {
		t.Errorf("got %q", got)
	}
	// The next of its requests does wait.
	waitFor(t, "BLPOP to wait", func() bool { return c.do("CLIENT UNBLOCK "+id) == ":1\r\n" })
	if got := w.read(); got != "*-1\r\n" {
		t.Errorf("got %q", got)
	}
}
