package shortener_test

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/shortener"
	"github.com/streampulse/pulse/server"
)

func Example() {
	srv, err := server.Open(server.Options{})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	defer srv.Close(ctx)
	rdb := redis.NewClient(&redis.Options{Addr: srv.Addr()})
	defer rdb.Close()

	codes, err := shortener.NewSequential(rdb, "links:counter", 7, []byte("a secret of the service"))
	if err != nil {
		panic(err)
	}
	links, err := shortener.New(rdb, "link:", codes, shortener.Options{})
	if err != nil {
		panic(err)
	}
	code, err := links.Shorten(ctx, "https://example.com/a/very/long/path", 24*time.Hour)
	if err != nil {
		panic(err)
	}
	url, err := links.Visit(ctx, code, "visitor 17")
	fmt.Println(len(code), url, err)
	fmt.Println(links.Alias(ctx, "sale", "https://example.com/sale", 0))
	fmt.Println(links.Alias(ctx, "sale", "https://example.org/", 0))
	// Output:
	// 7 https://example.com/a/very/long/path <nil>
	// <nil>
	// shortener: the alias is taken
}
