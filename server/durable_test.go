package server

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/vfs"
)

// With appendfsync always nothing is answered before it is durable, neither by loops, which sync themselves, nor by
// streams, which have it done; then all of it comes, in order, and what comes after QUIT is not forgotten.
func TestAlwaysAnswersWhenItIsDurable(t *testing.T) {
	const clients, each, bursts = 8, 20, 25
	fault := vfs.NewFault(vfs.NewMem())
	socket := filepath.Join(t.TempDir(), "s")
	srv := openWith(t, Options{Addr: "127.0.0.1:0", Dir: "/", fs: fault}, "appendonly", "yes", "appendfsync", "always", "io-threads", "2", "unixsocket", socket)
	var conns []*client
	for i := range clients {
		if i%2 == 0 {
			conns = append(conns, dial(t, srv))
		} else {
			conns = append(conns, dialAddr(t, "unix", socket))
		}
	}
	gate, met := make(chan struct{}), make(chan struct{}, 1)
	held := fault.Add(vfs.Rule{Ops: vfs.OpSyncData, Path: "*.incr.aof", Before: func(vfs.OpKind, string) {
		select {
		case met <- struct{}{}:
		default:
		}
		<-gate
	}})
	for i, c := range conns {
		io.WriteString(c, encode("INCR", fmt.Sprint("held", i)))
	}
	<-met
	for i, c := range conns {
		c.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
		if b, err := c.r.Peek(1); err == nil {
			t.Errorf("client %d was answered %q before the fsync", i, b)
		}
		c.SetReadDeadline(time.Now().Add(patience))
	}
	held.Heal()
	close(gate)
	for i, c := range conns {
		if line, err := c.r.ReadString('\n'); line != ":1\r\n" {
			t.Fatalf("client %d: %q, %v", i, line, err)
		}
	}
	var wg sync.WaitGroup
	for i, c := range conns {
		wg.Go(func() {
			one := strings.Repeat(encode("INCR", fmt.Sprint("n", i)), each)
			for range bursts {
				io.WriteString(c, one)
			}
			io.WriteString(c, encode("GET", fmt.Sprint("n", i))+encode("QUIT"))
		})
		wg.Go(func() {
			for n := 1; n <= each*bursts; n++ {
				if line, err := c.r.ReadString('\n'); line != fmt.Sprintf(":%d\r\n", n) {
					t.Errorf("client %d: %q for %d, %v", i, line, n, err)
					return
				}
			}
			rest, err := io.ReadAll(c.r)
			if want := fmt.Sprintf("$3\r\n%d\r\n+OK\r\n", each*bursts); string(rest) != want {
				t.Errorf("client %d: %q at the end, want %q, %v", i, rest, want, err)
			}
		})
	}
	wg.Wait()
}

// A client that has closed its half of the connection gets what waits for the disk.
func TestHalfClosedWaitsForTheDisk(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	openWith(t, Options{Addr: "127.0.0.1:0", Dir: "/", fs: vfs.NewMem()}, "appendonly", "yes", "appendfsync", "always", "unixsocket", socket)
	for range 50 {
		c := dialAddr(t, "unix", socket)
		c.SetReadDeadline(time.Now().Add(patience))
		io.WriteString(c, encode("SET", "k", "v")+encode("GET", "k"))
		c.Conn.(*net.UnixConn).CloseWrite()
		if b, err := io.ReadAll(c.r); string(b) != "+OK\r\n$1\r\nv\r\n" {
			t.Fatalf("%q, %v", b, err)
		}
	}
}

// How long a key was not used is saved only under policies that go by that, as in Redis: it takes more than a small key.
func TestIdleTimesAreSavedForLRU(t *testing.T) {
	for policy, saved := range map[string]bool{"noeviction": false, "allkeys-random": false, "volatile-lru": true, "allkeys-lru": true} {
		srv := openWith(t, Options{Addr: "127.0.0.1:0", Dir: "/", fs: vfs.NewMem()}, "maxmemory-policy", policy)
		c := dial(t, srv)
		c.doArgs("SET", "k", "v")
		const old = "redis.call('RESTORE', KEYS[1], 0, redis.call('DUMP', KEYS[1]), 'REPLACE', 'IDLETIME', 5000) return redis.call('OBJECT', 'IDLETIME', KEYS[1])"
		if got := c.doArgs("EVAL", old, "1", "k"); got != ":5000\r\n" {
			t.Fatalf("%s before: %q", policy, got)
		}
		c.doArgs("DEBUG", "RELOAD")
		got := c.doArgs("OBJECT", "IDLETIME", "k")
		if strings.Contains(got, "500") != saved {
			t.Errorf("%s: %q afterwards", policy, got)
		}
	}
}
