package miniredis_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/server/pulsetest/miniredis"
	"github.com/streampulse/pulse/server/pulsetest/miniredis/proto"
	"github.com/streampulse/pulse/server/pulsetest/miniredis/server"
)

func Example() {
	m, err := miniredis.Run() // miniredis.RunT(t) in a test
	if err != nil {
		panic(err)
	}
	defer m.Close()
	client := redis.NewClient(&redis.Options{Addr: m.Addr()})
	defer client.Close()

	client.Set(context.Background(), "session", "ann", time.Hour)
	fmt.Println(m.TTL("session"))
	m.FastForward(time.Hour)
	fmt.Println(m.Exists("session"))
	// Output:
	// 1h0m0s
	// false
}

func ExampleMiniredis_Server() {
	m, err := miniredis.Run()
	if err != nil {
		panic(err)
	}
	defer m.Close()
	client := redis.NewClient(&redis.Options{Addr: m.Addr()})
	defer client.Close()

	m.Server().SetPreHook(func(c *server.Peer, cmd string, args ...string) bool {
		if cmd == "GET" && args[0] == "cursed" {
			c.WriteError("ERR not today")
			return true
		}
		return false
	})
	fmt.Println(client.Set(context.Background(), "cursed", "1", 0).Val())
	fmt.Println(client.Get(context.Background(), "cursed").Err())
	// Output:
	// OK
	// ERR not today
}

func BenchmarkRun(b *testing.B) {
	for b.Loop() {
		m, err := miniredis.Run()
		if err != nil {
			b.Fatal(err)
		}
		m.Close()
	}
}

func BenchmarkDirectGet(b *testing.B) {
	m := miniredis.RunT(b)
	m.Set("k", "v")
	b.ReportAllocs()
	for b.Loop() {
		if v, err := m.Get("k"); v != "v" || err != nil {
			b.Fatal(v, err)
		}
	}
}

func BenchmarkClientGet(b *testing.B) {
	m := miniredis.RunT(b)
	m.Set("k", "v")
	c, err := proto.Dial(m.Addr())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for b.Loop() {
		if v, err := c.Do("GET", "k"); v != "$1\r\nv\r\n" || err != nil {
			b.Fatal(v, err)
		}
	}
}
