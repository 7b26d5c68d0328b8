package compat

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/server"
)

// address returns that of a server which lives at least as long as the test.
func address(t *testing.T) string {
	t.Helper()
	if addr := os.Getenv("REDIS_ADDR"); addr != "" {
		return addr
	}
	addr, _ := start(t)
	return addr
}

// start starts a server, which stops at the end of the test if not before.
func start(t *testing.T) (addr string, stop func()) {
	t.Helper()
	srv, err := server.Open(server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		if err := srv.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return srv.Addr(), stop
}

func dial(t *testing.T, o redis.Options) *redis.Client {
	t.Helper()
	o.PoolSize = 64
	rdb := redis.NewClient(&o)
	t.Cleanup(func() { _ = rdb.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := rdb.Ping(ctx).Err(); err != nil {
		t.Fatalf("server at %s: %v", o.Addr, err)
	}
	return rdb
}

// client returns a client of a server, with the library's defaults.
func client(t *testing.T) *redis.Client {
	t.Helper()
	return dial(t, redis.Options{Addr: address(t)})
}

// unique returns a name that no other test has.
func unique(t *testing.T) string {
	t.Helper()
	var id [6]byte
	_, _ = rand.Read(id[:]) // documented never to fail
	return fmt.Sprintf("compat:%x", id)
}

// A node is one of several servers that know nothing of each other.
type node struct {
	rdb  *redis.Client
	kill func()
}

// nodes returns n of them. A single server at REDIS_ADDR stands for all by its databases, and is killed by hanging up.
func nodes(t *testing.T, n int) []node {
	t.Helper()
	out := make([]node, n)
	for i := range out {
		if addr := os.Getenv("REDIS_ADDR"); addr != "" {
			rdb := dial(t, redis.Options{Addr: addr, DB: i})
			out[i] = node{rdb, func() { _ = rdb.Close() }}
			continue
		}
		addr, stop := start(t)
		// A client that has given up on a dead server is what is wanted here, not one that tries for long.
		out[i] = node{dial(t, redis.Options{Addr: addr, MaxRetries: -1}), stop}
	}
	return out
}

// forProtocols runs a test over both versions of the protocol.
func forProtocols(t *testing.T, test func(t *testing.T, rdb *redis.Client)) {
	for _, version := range []int{2, 3} {
		t.Run(fmt.Sprint("RESP", version), func(t *testing.T) {
			t.Parallel()
			test(t, dial(t, redis.Options{Addr: address(t), Protocol: version}))
		})
	}
}

// await waits for a condition that comes about by itself.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for begin := time.Now(); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// near says whether a duration is what is wanted, less what a busy machine may have taken for asking.
func near(got, want time.Duration) bool { return got <= want && got > want-want/2-50*time.Millisecond }
