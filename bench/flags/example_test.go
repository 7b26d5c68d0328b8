package flags_test

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/flags"
	"github.com/streampulse/pulse/server"
)

func Example() {
	srv, err := server.Open(server.Options{})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer srv.Close(context.Background())
	rdb := redis.NewClient(&redis.Options{Addr: srv.Addr()})
	defer rdb.Close()

	store, err := flags.NewStore(rdb, "flag:")
	if err != nil {
		panic(err)
	}
	cache, err := flags.NewCache(store, flags.Options{MaxStale: 5 * time.Second})
	if err != nil {
		panic(err)
	}
	listening := make(chan error, 1)
	go func() { listening <- cache.Listen(ctx, nil) }()

	if err := store.SetShare(ctx, "new-checkout", flags.Everybody/4); err != nil {
		panic(err)
	}
	if err := store.Target(ctx, "new-checkout", "tester", true); err != nil {
		panic(err)
	}
	in := 0
	for i := range 1000 {
		on, err := cache.On(ctx, "new-checkout", fmt.Sprint("user", i))
		if err != nil {
			panic(err)
		}
		if on {
			in++
		}
	}
	fmt.Println("about a quarter:", in > 200 && in < 300)
	fmt.Println(cache.On(ctx, "new-checkout", "tester"))
	cancel()
	fmt.Println(<-listening)
	// Output:
	// about a quarter: true
	// true <nil>
	// <nil>
}
