package broadcast_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/broadcast"
	"github.com/streampulse/pulse/bench/internal/benchtest"
)

func TestEverySubscriberGetsEveryMessageInOrder(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	const listeners, publishers, each = 20, 3, 200
	channel := prefix + "news"
	var wg sync.WaitGroup
	for n := range listeners {
		l, err := broadcast.Listen(ctx, rdb, channel)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer l.Close()
			var next [publishers]int
			for range publishers * each {
				msg, err := l.Next()
				if err != nil {
					t.Errorf("listener %d: %v", n, err)
					return
				}
				var p, i int
				if _, err := fmt.Sscanf(msg, "%d/%d", &p, &i); err != nil {
					t.Errorf("listener %d: message %q: %v", n, msg, err)
					return
				}
				if i != next[p] {
					t.Errorf("listener %d: publisher %d: message %d, want %d", n, p, i, next[p])
					return
				}
				next[p]++
			}
		})
	}
	for p := range publishers {
		wg.Go(func() {
			for i := range each {
				n, err := broadcast.Publish(ctx, rdb, channel, fmt.Sprintf("%d/%d", p, i))
				if err != nil {
					t.Error(err)
					return
				}
				// A listener may leave only after its last message, which is not before the last one of each publisher.
				if n != listeners && i < each-1 {
					t.Errorf("message %d/%d went to %d connections, want %d", p, i, n, listeners)
				}
			}
		})
	}
	wg.Wait()
}

func TestOtherChannelsAreNotHeard(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	ctx := context.Background()
	l, err := broadcast.Listen(ctx, rdb, prefix+"a")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if n, err := broadcast.Publish(ctx, rdb, prefix+"b", "other"); err != nil || n != 0 {
		t.Errorf("publish to nobody: %d, %v", n, err)
	}
	if _, err := broadcast.Publish(ctx, rdb, prefix+"a", "mine"); err != nil {
		t.Fatal(err)
	}
	if msg, err := l.Next(); err != nil || msg != "mine" {
		t.Errorf("got %q, %v", msg, err)
	}
}

func TestCancelAndCloseWakeNext(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	for name, end := range map[string]func(*broadcast.Listener, context.CancelFunc){
		"cancel": func(_ *broadcast.Listener, cancel context.CancelFunc) { cancel() },
		"close":  func(l *broadcast.Listener, _ context.CancelFunc) { _ = l.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			l, err := broadcast.Listen(ctx, rdb, prefix+"c")
			if err != nil {
				t.Fatal(err)
			}
			got := make(chan error, 1)
			go func() {
				_, err := l.Next()
				got <- err
			}()
			end(l, cancel)
			select {
			case err := <-got:
				if !errors.Is(err, broadcast.ErrClosed) {
					t.Errorf("Next returned %v", err)
				}
			case <-time.After(20 * time.Second):
				t.Error("Next still waits")
			}
		})
	}
}

// A lost connection must be reported: what was published meanwhile is gone.
func TestBrokenConnectionIsReported(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	ctx := context.Background()
	named := redis.NewClient(&redis.Options{Addr: rdb.Options().Addr, ClientName: prefix})
	defer named.Close()
	l, err := broadcast.Listen(ctx, named, prefix+"d")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	clients, err := rdb.ClientList(ctx).Result()
	if err != nil {
		t.Fatal(err)
	}
	killed := 0
	for _, line := range strings.Split(clients, "\n") {
		if !strings.Contains(line, " name="+prefix+" ") {
			continue
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(line, "id="), " ")
		n, err := rdb.ClientKillByFilter(ctx, "ID", id).Result()
		if err != nil {
			t.Fatal(err)
		}
		killed += int(n)
	}
	if killed == 0 {
		t.Fatalf("no connection named %s in:\n%s", prefix, clients)
	}
	if _, err := l.Next(); err == nil || errors.Is(err, broadcast.ErrClosed) {
		t.Errorf("Next returned %v, want the connection's error", err)
	}
}
