package profile_test

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/internal/benchtest"
	"github.com/streampulse/pulse/bench/profile"
)

// pausing holds up who has filled the cache with the value old, after the server has answered.
type pausing struct {
	filled, letGo chan struct{}
	looked        chan struct{} // a value for each HGETALL that was answered
	once          sync.Once
}

func (h *pausing) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (h *pausing) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h *pausing) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		switch {
		case cmd.Name() == "hgetall":
			h.looked <- struct{}{}
		case err == nil && slices.Contains(cmd.Args(), any("old")):
			h.once.Do(func() {
				close(h.filled)
				<-h.letGo
			})
		}
		return err
	}
}

// A load has filled the cache, and has yet to end, when another process updates the profile; who joins the load after that must not get
// what the load has found.
func TestWhoJoinsAfterAnUpdateSeesIt(t *testing.T) {
	t.Parallel()
	plain, prefix := benchtest.Client(t)
	held := redis.NewClient(&redis.Options{Addr: plain.Options().Addr})
	defer held.Close()
	h := &pausing{filled: make(chan struct{}), letGo: make(chan struct{}), looked: make(chan struct{}, 100)}
	held.AddHook(h)
	ctx := context.Background()
	db := profile.NewMemory()
	here, err := profile.New(held, db, prefix, profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	there, err := profile.New(plain, db, prefix, profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Save(ctx, "u", profile.Profile{"v": "old"}); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 2)
	get := func() {
		p, err := here.Get(ctx, "u")
		if err != nil {
			t.Error(err)
		}
		got <- p["v"]
	}
	go get()
	<-h.looked
	<-h.filled
	if err := there.Update(ctx, "u", profile.Profile{"v": "new"}); err != nil {
		t.Fatal(err)
	}
	go get()
	<-h.looked
	time.Sleep(20 * time.Millisecond) // for it to join; if it does not, it sees the update in any case
	close(h.letGo)
	if values := []string{<-got, <-got}; !slices.Contains(values, "new") {
		t.Errorf("who asked after the update got what was before it: %v", values)
	}
}
