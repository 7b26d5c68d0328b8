package session_test

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/session"
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

	sessions, err := session.New(rdb, "session:", session.Options{Idle: 30 * time.Minute, Max: 12 * time.Hour})
	if err != nil {
		panic(err)
	}
	visitor, err := sessions.Create(ctx, "", map[string]string{"cart": "1 pear"})
	if err != nil {
		panic(err)
	}
	id, err := sessions.Login(ctx, visitor, "ann", nil)
	if err != nil {
		panic(err)
	}
	_, err = sessions.Get(ctx, visitor)
	fmt.Println("before the login:", err)
	s, err := sessions.Get(ctx, id)
	if err != nil {
		panic(err)
	}
	fmt.Println("after it:", s.User, s.Data)

	token, err := sessions.Issue(ctx, id, "pay", 10*time.Minute)
	if err != nil {
		panic(err)
	}
	fmt.Println(sessions.Redeem(ctx, id, "pay", token))
	fmt.Println(sessions.Redeem(ctx, id, "pay", token))
	// Output:
	// before the login: session: no such session
	// after it: ann map[cart:1 pear]
	// <nil>
	// session: not a valid token
}
