package server

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"
)

// TestMaxmemoryClients: clients that take the most go first, those who asked to be spared do not, and small ones do not notice.
func TestMaxmemoryClients(t *testing.T) {
	for _, limit := range []string{"6000000", "6%"} {
		t.Run(limit, func(t *testing.T) {
			srv := openServer(t, "maxmemory", "100000000", "maxmemory-clients", limit)
			small, spared := dial(t, srv), dial(t, srv)
			spared.want("CLIENT NO-EVICT on", "+OK\r\n")
			half := "*2\r\n$4\r\nECHO\r\n$3000000\r\n" + strings.Repeat("x", 1_500_000)
			spared.send(half)
			var big []*client
			for range 6 {
				c := dial(t, srv)
				c.send(half)
				big = append(big, c)
				small.want("PING", pong)
			}
			waitFor(t, "clients to be closed", func() bool {
				info := small.do("INFO stats")
				return !strings.Contains(info, "evicted_clients:0\r\n") && srv.memory.clients.Load() <= 6_000_000 &&
					srv.clients.count() <= 6
			})
			spared.send(strings.Repeat("x", 1_500_000) + "\r\n")
			if r := spared.read(); len(r) < 3_000_000 {
				t.Errorf("%.100q", r)
			}
			alive(t, small)
			for _, c := range big {
				c.Close()
			}
		})
	}
}

// TestMaxmemoryClientsOutput: what a client does not read counts as well, and CONFIG SET of a lower limit works at once.
func TestMaxmemoryClientsOutput(t *testing.T) {
	srv := openServer(t)
	c, slow := dial(t, srv), dial(t, srv)
	slow.narrow()
	slow.do("SUBSCRIBE x")
	text := strings.Repeat("x", 1<<20)
	for range 16 {
		c.doArgs("PUBLISH", "x", text)
	}
	waitFor(t, "output to wait", func() bool { return srv.memory.clients.Load() > 8<<20 })
	c.want("CONFIG SET maxmemory-clients 4mb", "+OK\r\n")
	waitFor(t, "the client to be closed", func() bool { return strings.Contains(c.do("INFO stats"), "evicted_clients:1\r\n") })
	waitFor(t, "its memory to be given back", func() bool { return srv.memory.clients.Load() < 1<<20 })
	alive(t, c)
}

// TestDescriptorOfMovedClient: CLIENT LIST names the descriptor that a connection has now.
func TestDescriptorOfMovedClient(t *testing.T) {
	srv := openServer(t)
	c, slow := dial(t, srv), dial(t, srv)
	c.doArgs("SET", "big", strings.Repeat("x", mib))
	slow.narrow()
	id := slow.id()
	slow.send(strings.Repeat(requests("GET big"), 30))
	waitFor(t, "the session to move to a stream", func() bool { return slow.unsent(srv) > streamBacklog })
	want := fmt.Sprintf(" fd=%d ", descriptor(slow.stream(srv).nc))
	waitFor(t, want, func() bool { return strings.Contains(c.do("CLIENT LIST ID "+id), want) })
}

// TestSessionSize: a session fills its size class of Go's allocator, which has 1152 bytes for it and a header of 8. One more word, and
// each of many idle connections costs 128 bytes more.
func TestSessionSize(t *testing.T) {
	if size := unsafe.Sizeof(session{}); size > 1152-8 && unsafe.Sizeof(uintptr(0)) == 8 {
		t.Errorf("a session has %d bytes", size)
	}
}

// TestMaxmemoryClientsWeighsAll: what a client has the server remember for it counts as well, and a large request before it runs.
func TestMaxmemoryClientsWeighsAll(t *testing.T) {
	name := strings.Repeat("n", 90)
	for what, request := range map[string]string{
		"watched keys":   "WATCH %s%d",
		"channels":       "SUBSCRIBE %s%d",
		"patterns":       "PSUBSCRIBE %s%d",
		"shard channels": "SSUBSCRIBE %s%d",
		"prefixes":       "CLIENT TRACKING on BCAST PREFIX %[2]d%[1]s",
		"queue":          "SET %s%d x",
	} {
		t.Run(what, func(t *testing.T) {
			srv := openServer(t, "maxmemory-clients", "100000")
			c, spared := dial(t, srv), dial(t, srv)
			c.do("HELLO 3")
			spared.want("CLIENT NO-EVICT on", "+OK\r\n")
			if what == "queue" {
				c.want("MULTI", "+OK\r\n")
			}
			const most = 5000
			n := 0
			for ; n < most; n++ {
				if reply := c.do(fmt.Sprintf(request, name, n)); strings.HasSuffix(reply, "(closed)") {
					break
				} else if reply[0] == '-' {
					t.Fatalf("%q", reply)
				}
			}
			if n < 100 || n == most {
				t.Errorf("after %d the client is still there", n)
			}
			if want := "evicted_clients:1\r\n"; !strings.Contains(spared.do("INFO stats"), want) {
				t.Errorf("not %q", want)
			}
		})
	}
	t.Run("request", func(t *testing.T) {
		srv := openServer(t, "maxmemory-clients", "1000000")
		c, other := dial(t, srv), dial(t, srv)
		c.doArgs("SET", "k", strings.Repeat("v", 900_000))
		if reply := c.doArgs("SET", "k", strings.Repeat("w", 1_000_000)); reply != "(closed)" {
			t.Errorf("%.100q", reply)
		}
		other.want("STRLEN k", ":900000\r\n")
	})
}
