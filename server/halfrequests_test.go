package server

import (
	"fmt"
	"strings"
	"testing"
)

// TestHalfRequestsOfMany: many clients send nearly all of a large request and then nothing. What has come is held, and no more;
// with maxmemory-clients it is bounded, others are served, and nothing is left when they have gone.
func TestHalfRequestsOfMany(t *testing.T) {
	srv := openServer(t)
	other := dial(t, srv)
	const n, size = 400, 100_000
	half := fmt.Sprintf("*2\r\n$4\r\nECHO\r\n$%d\r\n%s", size, strings.Repeat("x", size-1000))
	pings := startPinger(t, srv)
	before, used := heap(), srv.usedMemory()
	var all []*client
	for range n {
		c := dial(t, srv)
		c.send(half)
		all = append(all, c)
	}
	waitFor(t, "the halves", func() bool { return srv.memory.clients.Load() > n*(size-1000) })
	if grown, most := heap()-before, int64(n*(size+16<<10)*3/2); grown > most {
		t.Errorf("%d KiB are held for %d of input", grown>>10, n*size>>10)
	}
	if grown := srv.usedMemory() - used; grown < n*(size-1000) || grown > 2*n*size {
		t.Errorf("%d KiB are counted for %d of input", grown>>10, n*size>>10)
	}
	other.want("CLIENT NO-EVICT on", "+OK\r\n")
	other.want("CONFIG SET maxmemory-clients 10mb", "+OK\r\n")
	waitFor(t, "the limit to be kept", func() bool { return srv.memory.clients.Load() <= 10*mib })
	if left := srv.clients.count(); left < 20 || left > 110 {
		t.Errorf("%d clients are left below the limit", left)
	}
	alive(t, other)
	for _, c := range all {
		c.Close()
	}
	waitFor(t, "the others to go", func() bool { return srv.memory.clients.Load() < mib })
	pings.check(t)
}
