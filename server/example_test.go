package server_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/server"
	"github.com/streampulse/pulse/server/config"
)

// A store within the program: no port, no files, no other process.
func Example() {
	ctx := context.Background()
	srv, err := server.Open(server.Options{NoListen: true})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close(ctx)

	srv.Do(ctx, "ZADD", "scores", "7", "ann", "9", "bob")
	top, err := srv.Do(ctx, "ZRANGE", "scores", "0", "0", "REV", "WITHSCORES")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(top)

	_, err = srv.Do(ctx, "INCR", "scores")
	fmt.Println(err)
	// Output:
	// [[bob 9]]
	// WRONGTYPE Operation against a key holding the wrong kind of value
}

// Options name what a configuration file would. With a Dir the data outlives the program.
func ExampleOpen() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "pulse")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	open := func() *server.Server {
		cfg := config.New()
		for name, value := range map[string]string{"appendonly": "yes", "appendfsync": "always", "maxmemory": "64mb"} {
			if err := cfg.Override(name, value); err != nil {
				log.Fatal(err)
			}
		}
		srv, err := server.Open(server.Options{
			NoListen: true,
			Dir:      dir,
			Config:   cfg,
			Slog:     slog.New(slog.DiscardHandler),
		})
		if err != nil {
			log.Fatal(err)
		}
		return srv
	}
	srv := open()
	srv.Do(ctx, "SET", "greeting", "hello")
	srv.Close(ctx)

	srv = open()
	defer srv.Close(ctx)
	fmt.Println(srv.Do(ctx, "GET", "greeting"))
	// Output: hello <nil>
}

// Client libraries reach the server without a port.
func ExampleServer_DialContext() {
	ctx := context.Background()
	srv, err := server.Open(server.Options{NoListen: true})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close(ctx)

	client := redis.NewClient(&redis.Options{Dialer: srv.DialContext})
	defer client.Close()
	client.Set(ctx, "k", "v", time.Minute)
	fmt.Println(client.Get(ctx, "k").Val())
	// Output: v
}

// A command that waits ends with its context, and takes nothing afterwards.
func ExampleServer_Do() {
	srv, err := server.Open(server.Options{NoListen: true})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close(context.Background())

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err = srv.Do(ctx, "BLPOP", "jobs", "0")
	fmt.Println(errors.Is(err, context.DeadlineExceeded))

	var e server.Error
	_, err = srv.Do(context.Background(), "SELECT", "1")
	fmt.Println(errors.As(err, &e), e.Code(), e)
	// Output:
	// true
	// true ERR ERR SELECT concerns a connection: use Server.Conn instead
}

// A transaction needs a connection of its own.
func ExampleServer_Conn() {
	ctx := context.Background()
	srv, err := server.Open(server.Options{NoListen: true})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close(ctx)

	c, err := srv.Conn()
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	c.Do(ctx, "WATCH", "stock")
	c.Do(ctx, "MULTI")
	c.Do(ctx, "DECR", "stock")
	c.Do(ctx, "RPUSH", "orders", "one")
	done, err := c.Do(ctx, "EXEC")
	fmt.Println(done, err)
	// Output: [-1 1] <nil>
}

// Messages come on a channel.
func ExampleServer_Subscribe() {
	ctx := context.Background()
	srv, err := server.Open(server.Options{NoListen: true})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close(ctx)

	sub, err := srv.Subscribe(ctx, "news")
	if err != nil {
		log.Fatal(err)
	}
	srv.Do(ctx, "PUBLISH", "news", "it rains")
	m := <-sub.Messages()
	fmt.Println(m.Channel, m.Payload)
	sub.Close()
	// Output: news it rains
}

// A Reply is read as what it is expected to be.
func ExampleReply() {
	ctx := context.Background()
	srv, err := server.Open(server.Options{NoListen: true})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close(ctx)

	n, err := must(srv.Do(ctx, "HSET", "h", "name", "ann", "age", "41")).Int()
	fmt.Println(n, err)
	user := must(srv.Do(ctx, "HGETALL", "h")).Map()
	age, err := user["age"].Int()
	fmt.Println(user["name"].Text(), age, err)
	fmt.Println(must(srv.Do(ctx, "GET", "none")).IsNull())
	// Output:
	// 2 <nil>
	// ann 41 <nil>
	// true
}

func must(r server.Reply, err error) server.Reply {
	if err != nil {
		log.Fatal(err)
	}
	return r
}
