package presence_test

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/presence"
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

	p, err := presence.New(rdb, "chat", presence.Options{Timeout: 30 * time.Second})
	if err != nil {
		panic(err)
	}
	const ann, bob, eve = 1, 2, 3
	for _, friend := range []int64{bob, eve} {
		if err := p.Befriend(ctx, ann, friend); err != nil {
			panic(err)
		}
	}
	for _, user := range []int64{ann, bob} {
		if err := p.Beat(ctx, user); err != nil {
			panic(err)
		}
	}
	friends, err := p.FriendsOnline(ctx, ann)
	if err != nil {
		panic(err)
	}
	for _, f := range friends {
		fmt.Println("user", f.User)
	}
	fmt.Println(p.Online(ctx))
	// Output:
	// user 2
	// 2 <nil>
}
