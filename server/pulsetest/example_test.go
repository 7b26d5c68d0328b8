package pulsetest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/server"
	"github.com/streampulse/pulse/server/pulsetest"
)

// t stands for what a test is given.
type exampleT struct {
	testing.TB
	cleanup []func()
}

func (t *exampleT) Helper()                 {}
func (t *exampleT) Failed() bool            { return false }
func (t *exampleT) Cleanup(f func())        { t.cleanup = append(t.cleanup, f) }
func (t *exampleT) Logf(f string, a ...any) { fmt.Printf(f+"\n", a...) }
func (t *exampleT) Errorf(f string, a ...any) {
	fmt.Printf(f+"\n", a...)
}

func (t *exampleT) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

func (t *exampleT) end() {
	for _, f := range t.cleanup {
		f()
	}
}

func Example() {
	t := new(exampleT) // a test has its own
	defer t.end()

	s := pulsetest.Start(t, pulsetest.Frozen(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)))
	client := redis.NewClient(&redis.Options{Addr: s.Addr()})
	defer client.Close()

	ctx := context.Background()
	client.Set(ctx, "session", "alice", 30*time.Minute)
	s.Clock.Advance(29 * time.Minute)
	fmt.Println(client.Get(ctx, "session"))
	s.Clock.Advance(time.Minute)
	fmt.Println(client.Get(ctx, "session"))
	// Output:
	// get session: alice
	// get session: redis: nil
}

// A client that waits is answered when the clock comes to its time-out.
func ExampleClock_Advance() {
	t := new(exampleT)
	defer t.end()

	s := pulsetest.Start(t, pulsetest.InMemory(), pulsetest.Frozen(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)))
	client := redis.NewClient(&redis.Options{Dialer: s.DialContext, Protocol: 2, DisableIdentity: true})
	defer client.Close()

	ctx := context.Background()
	done := make(chan error)
	go func() { done <- client.BLPop(ctx, 20*time.Second, "jobs").Err() }()
	for blockedClients(s) == 0 {
		time.Sleep(time.Millisecond) // until the client waits
	}
	s.Clock.Advance(20 * time.Second) // takes no time
	fmt.Println(<-done)
	// Output: redis: nil
}

func ExampleClock_Source() {
	clock := pulsetest.NewClock()
	clock.Set(time.Date(2035, 1, 1, 0, 0, 0, 0, time.UTC))
	clock.Freeze()
	srv, err := server.Open(server.Options{NoListen: true, Clock: clock.Source()})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	defer srv.Close(ctx)

	srv.Do(ctx, "SET", "token", "x", "EX", "60")
	clock.Advance(59 * time.Second)
	fmt.Println(srv.Do(ctx, "TTL", "token"))
	clock.Advance(time.Second)
	fmt.Println(srv.Do(ctx, "TTL", "token"))
	// Output:
	// 1 <nil>
	// -2 <nil>
}

func ExampleServer_Inject() {
	t := new(exampleT)
	defer t.end()

	s := pulsetest.Start(t)
	client := redis.NewClient(&redis.Options{Addr: s.Addr(), MaxRetries: -1})
	defer client.Close()

	ctx := context.Background()
	fault := s.Inject(pulsetest.Fault{Command: "GET", Keys: "user:*", Err: "LOADING Redis is loading the dataset in memory", Times: 1})
	fmt.Println(client.Get(ctx, "other").Err())
	fmt.Println(client.Get(ctx, "user:1").Err())
	fmt.Println(client.Get(ctx, "user:1").Err())
	fmt.Println(fault.Count())
	// Output:
	// redis: nil
	// LOADING Redis is loading the dataset in memory
	// redis: nil
	// 1
}

func ExampleServer_Equal() {
	t := new(exampleT)
	defer t.end()

	s := pulsetest.Start(t)
	s.Fill(map[string]any{"greeting": "hello", "queue": []string{"a", "b"}})
	s.Must("RPUSH", "queue", "c")
	s.Must("HSET", "user:1", "name", "Ada")
	s.Equal(map[string]any{
		"greeting": "hello",
		"queue":    []string{"a", "b", "c"},
		"user:1":   map[string]string{"name": "Eva"},
	})
	// Output:
	// pulsetest: the data are not as wanted:
	// "user:1" is hash(1) "name"="Ada", want hash(1) "name"="Eva"
}

func ExampleServer_Dump() {
	t := new(exampleT)
	defer t.end()

	s := pulsetest.Start(t, pulsetest.Seed(1), pulsetest.Frozen(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)))
	s.Load(`
		# what a shop has
		HSET shop name "The Corner" city Paris
		ZADD prices 2.5 tea 3 coffee
		SET lock token PX 1500
	`)
	fmt.Print(s.Dump())
	// Output:
	// clock: 2030-01-01T00:00:00Z, frozen; seed: 1
	// db0: 3 keys
	//   "lock": string "token", expires in 1.5s
	//   "prices": zset(2) "tea"="2.5" "coffee"="3"
	//   "shop": hash(2) "city"="Paris" "name"="The Corner"
	// clients: 1, of which wait: 0
}
