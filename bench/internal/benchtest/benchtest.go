// Package benchtest gives the tests below bench/ a server and a client.
//
// Contract: Client returns a connected go-redis client with go-redis's own defaults and a key prefix that no other test
// uses, so tests never flush and may run in parallel against a server that holds other data. Which server it is, is
// decided in this order: the one at REDIS_ADDR; else what startServer finds. The test is skipped when there is none.
package benchtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Addr returns the address of a server that lives at least as long as the test.
func Addr(t testing.TB) string {
	t.Helper()
	if addr := os.Getenv("REDIS_ADDR"); addr != "" {
		return addr
	}
	return startServer(t)
}

// Client returns a client of Addr(t), closed at the end of the test, and a prefix for the test's keys and channels.
func Client(t testing.TB) (*redis.Client, string) {
	t.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: Addr(t), PoolSize: 128})
	t.Cleanup(func() { _ = rdb.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := rdb.Ping(ctx).Err(); err != nil {
		t.Fatalf("server at %s: %v", rdb.Options().Addr, err)
	}
	var id [6]byte
	_, _ = rand.Read(id[:]) // documented never to fail
	return rdb, fmt.Sprintf("benchtest:%x:", id)
}
