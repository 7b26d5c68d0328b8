package flags_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/flags"
	"github.com/streampulse/pulse/bench/internal/benchtest"
)

// network is a client whose listening connections can be silenced, and whose reads of flags are counted and can be held up.
type network struct {
	silent atomic.Bool

	mu    sync.Mutex
	lines []*line

	reads  atomic.Int64
	onRead atomic.Pointer[func()] // called after each reply to a read
	down   atomic.Bool            // requests fail
}

// line is a connection. One that has subscribed is a listening one.
type line struct {
	net.Conn
	n       *network
	listens atomic.Bool
	deaf    atomic.Bool
}

func (l *line) Write(b []byte) (int, error) {
	if strings.Contains(strings.ToLower(string(b)), "subscribe") {
		l.listens.Store(true)
	}
	return l.Conn.Write(b)
}

func (l *line) Read(b []byte) (int, error) {
	for {
		n, err := l.Conn.Read(b)
		if err != nil || !l.listens.Load() || !l.deaf.Load() && !l.n.silent.Load() {
			return n, err
		}
		l.deaf.Store(true) // it has missed something, so it hears nothing any more
	}
}

// cut closes all listening connections.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.lines {
		if l.listens.Load() {
			_ = l.Close()
		}
	}
}

func (n *network) DialHook(next redis.DialHook) redis.DialHook { return next }
func (n *network) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
func (n *network) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if n.down.Load() {
			cmd.SetErr(errDown)
			return errDown
		}
		err := next(ctx, cmd)
		if cmd.Name() == "hgetall" {
			n.reads.Add(1)
			if f := n.onRead.Load(); f != nil {
				(*f)()
			}
		}
		return err
	}
}

var errDown = errors.New("no connection")

// instance is a process with a Cache of its own.
type instance struct {
	*flags.Cache
	net *network
}

// start starts an instance, and returns when it hears of changes.
func start(t *testing.T, addr, prefix string, o flags.Options) *instance {
	t.Helper()
	n := &network{}
	rdb := redis.NewClient(&redis.Options{Addr: addr, Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		l := &line{Conn: conn, n: n}
		n.mu.Lock()
		n.lines = append(n.lines, l)
		n.mu.Unlock()
		return l, nil
	}})
	rdb.AddHook(n)
	t.Cleanup(func() { _ = rdb.Close() })
	s, err := flags.NewStore(rdb, prefix)
	must(t, err)
	c, err := flags.NewCache(s, o)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Listen(ctx, nil) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Error("Listen did not end")
		}
	})
	i := &instance{c, n}
	i.untilFresh(t)
	return i
}

func (i *instance) untilFresh(t *testing.T) {
	t.Helper()
	until(t, "fresh", func() bool { return i.Status().Fresh })
}

func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for begin := time.Now(); !f(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("never %s", what)
		}
	}
}

func on(t *testing.T, c *instance, name string) bool {
	t.Helper()
	is, err := c.On(context.Background(), name, "ann")
	must(t, err)
	return is
}

var ways = map[string]flags.Options{
	"as the server can": {MaxStale: 2 * time.Second},
	"by channel":        {MaxStale: 2 * time.Second, ChannelOnly: true},
}

// No instance serves a killed flag later than MaxStale after Kill has returned; and ordinarily it is much less.
func TestKillReachesAllInstances(t *testing.T) {
	t.Parallel()
	for name, o := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, rdb, prefix := open(t)
			ctx := context.Background()
			must(t, s.SetShare(ctx, "beta", flags.Everybody))
			const instances = 6
			var all [instances]*instance
			for i := range all {
				all[i] = start(t, rdb.Options().Addr, prefix, o)
			}
			for range 3 {
				stop := make(chan struct{})
				var last [instances]time.Time // when the last decision began that found the flag on
				var offs [instances]atomic.Int64
				var wg sync.WaitGroup
				for i, c := range all {
					until(t, "on", func() bool { return on(t, c, "beta") })
					wg.Go(func() {
						for {
							select {
							case <-stop:
								return
							default:
							}
							begin := time.Now()
							is, err := c.On(ctx, "beta", "ann")
							if err != nil {
								t.Error(err)
								return
							}
							if is {
								last[i] = begin
							} else {
								offs[i].Add(1)
							}
							time.Sleep(100 * time.Microsecond)
						}
					})
				}
				must(t, s.Kill(ctx, "beta"))
				killed := time.Now()
				for i := range all {
					until(t, "off", func() bool { return offs[i].Load() > 20 })
				}
				close(stop)
				wg.Wait()
				for i := range all {
					if late := last[i].Sub(killed); late > o.MaxStale {
						t.Errorf("instance %d served a killed flag after %v", i, late)
					}
				}
				must(t, s.Revive(ctx, "beta"))
			}
		})
	}
}

// hand is a clock that is set by hand.
type hand struct{ ms atomic.Int64 }

func (h *hand) now() time.Time { return time.UnixMilli(h.ms.Load()) }

// A listener that hears nothing and does not know it: after MaxStale nothing more is served from memory.
func TestSilentConnection(t *testing.T) {
	t.Parallel()
	s, rdb, prefix := open(t)
	ctx := context.Background()
	must(t, s.SetShare(ctx, "beta", flags.Everybody))
	h := &hand{}
	h.ms.Store(1_800_000_000_000)
	const stale = 20 * time.Second // PINGs come so seldom that none disturbs
	c := start(t, rdb.Options().Addr, prefix, flags.Options{MaxStale: stale, Now: h.now})
	if !on(t, c, "beta") {
		t.Fatal("off")
	}
	c.net.silent.Store(true)
	must(t, s.Kill(ctx, "beta"))
	reads := c.net.reads.Load()
	h.ms.Add(stale.Milliseconds() - 1)
	if !on(t, c, "beta") || c.net.reads.Load() != reads || !c.Status().Fresh {
		t.Error("a connection that is silent for less than MaxStale is not trusted")
	}
	h.ms.Add(1)
	for range 3 {
		if on(t, c, "beta") {
			t.Error("served what was killed MaxStale ago")
		}
	}
	if c.net.reads.Load() != reads+3 || c.Status().Fresh {
		t.Errorf("%d reads, %+v", c.net.reads.Load()-reads, c.Status())
	}
	c.net.down.Store(true)
	if is, err := c.On(ctx, "beta", "ann"); is || !errors.Is(err, errDown) {
		t.Errorf("without a server: %v, %v", is, err)
	}
}

// A connection that breaks is replaced, and what was in memory is not believed any more.
func TestBrokenConnection(t *testing.T) {
	t.Parallel()
	for name, o := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, rdb, prefix := open(t)
			ctx := context.Background()
			must(t, s.SetShare(ctx, "beta", flags.Everybody))
			c := start(t, rdb.Options().Addr, prefix, o)
			for range 3 {
				must(t, s.Revive(ctx, "beta"))
				until(t, "on", func() bool { return on(t, c, "beta") })
				before := c.Status().Dropped
				c.net.cut()
				must(t, s.Kill(ctx, "beta"))
				until(t, "dropped", func() bool { return c.Status().Dropped > before })
				until(t, "off", func() bool { return !on(t, c, "beta") })
				c.untilFresh(t)
				if on(t, c, "beta") {
					t.Error("on again")
				}
			}
		})
	}
}

// A dead connection that nobody closes is given up.
func TestDeadConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	s, rdb, prefix := open(t)
	must(t, s.SetShare(context.Background(), "beta", flags.Everybody))
	c := start(t, rdb.Options().Addr, prefix, flags.Options{MaxStale: 100 * time.Millisecond})
	c.net.silent.Store(true)
	until(t, "stale", func() bool { return !c.Status().Fresh })
	c.net.silent.Store(false)
	c.untilFresh(t)
}

// What was read while a change was reported may be older than the change: it is used, but not kept.
func TestReadAcrossAChange(t *testing.T) {
	t.Parallel()
	for name, o := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, rdb, prefix := open(t)
			ctx := context.Background()
			o.MaxStale = time.Hour
			must(t, s.SetShare(ctx, "beta", flags.Everybody))
			c := start(t, rdb.Options().Addr, prefix, o)
			var once sync.Once
			f := func() {
				once.Do(func() {
					before := c.Status().Dropped
					must(t, s.Kill(ctx, "beta"))
					until(t, "told", func() bool { return c.Status().Dropped > before })
				})
			}
			c.net.onRead.Store(&f)
			if !on(t, c, "beta") {
				t.Error("what was read before the kill says that it is on")
			}
			if on(t, c, "beta") {
				t.Error("what was read before the kill was kept")
			}
		})
	}
}

// Once read, a flag costs no more requests until it changes; callers at the same time share one read.
func TestReadsAreShared(t *testing.T) {
	t.Parallel()
	s, rdb, prefix := open(t)
	ctx := context.Background()
	must(t, s.SetShare(ctx, "beta", flags.Everybody))
	c := start(t, rdb.Options().Addr, prefix, flags.Options{MaxStale: time.Hour})
	gate := make(chan struct{})
	f := func() { <-gate }
	c.net.onRead.Store(&f)
	var begun, wg sync.WaitGroup
	for range 50 {
		begun.Add(1)
		wg.Go(func() {
			begun.Done()
			for _, name := range []string{"beta", "unknown"} {
				if is, err := c.On(ctx, name, "ann"); err != nil || is != (name == "beta") {
					t.Errorf("%s: %v, %v", name, is, err)
				}
			}
		})
	}
	begun.Wait()
	close(gate)
	wg.Wait()
	for range 100 {
		on(t, c, "beta")
		on(t, c, "unknown")
	}
	if n := c.net.reads.Load(); n != 2 {
		t.Errorf("%d reads of two flags", n)
	}
	// A caller who gives up does not take the others along.
	gate2, reading := make(chan struct{}), make(chan struct{})
	var once sync.Once
	f2 := func() { once.Do(func() { close(reading); <-gate2 }) }
	c.net.onRead.Store(&f2)
	go func() { _, _ = c.On(ctx, "third", "ann") }()
	<-reading
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.On(gone, "third", "ann"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(gate2)
	// An unknown flag that is made is known.
	must(t, s.SetShare(ctx, "unknown", flags.Everybody))
	until(t, "on", func() bool { return on(t, c, "unknown") })
}

// Changes that do not come from this package are heard where the server reports changes of keys.
func TestTracking(t *testing.T) {
	t.Parallel()
	s, rdb, prefix := open(t)
	ctx := context.Background()
	must(t, s.SetShare(ctx, "beta", flags.Everybody))
	c := start(t, rdb.Options().Addr, prefix, flags.Options{MaxStale: time.Hour})
	err := rdb.Do(ctx, "CLIENT", "TRACKING", "OFF").Err()
	if has := err == nil; has != c.Status().Tracking {
		t.Errorf("the server has tracking: %v (%v); the cache uses it: %v", has, err, c.Status().Tracking)
	}
	if !c.Status().Tracking {
		t.Skip("the server has no CLIENT TRACKING")
	}
	for _, change := range []func() error{
		func() error { return rdb.HSet(ctx, prefix+"{beta}", "killed", 1).Err() },
		func() error { return rdb.HSet(ctx, prefix+"{beta}", "killed", 0).Err() },
		func() error { return rdb.PExpire(ctx, prefix+"{beta}", time.Millisecond).Err() },
	} {
		before := on(t, c, "beta")
		must(t, change())
		until(t, "heard", func() bool { return on(t, c, "beta") != before })
	}
}

// A Cache nobody listens for asks the server each time.
func TestWithoutListening(t *testing.T) {
	t.Parallel()
	s, _, _ := open(t)
	ctx := context.Background()
	c, err := flags.NewCache(s, flags.Options{})
	must(t, err)
	for _, share := range []int{flags.Everybody, 0, flags.Everybody} {
		must(t, s.SetShare(ctx, "beta", share))
		if is, err := c.On(ctx, "beta", "ann"); err != nil || is != (share > 0) {
			t.Errorf("%v at %d, %v", is, share, err)
		}
	}
	if st := c.Status(); st.Fresh || st.Copies != 0 {
		t.Errorf("%+v", st)
	}
}

// Changes of other flags, and of another prefix, leave copies alone.
func TestOtherFlagsKeepTheirCopies(t *testing.T) {
	t.Parallel()
	s, rdb, prefix := open(t)
	ctx := context.Background()
	must(t, s.SetShare(ctx, "beta", 1))
	must(t, s.SetShare(ctx, "gamma", 1))
	c := start(t, rdb.Options().Addr, prefix, flags.Options{MaxStale: time.Hour})
	on(t, c, "beta")
	on(t, c, "gamma")
	_, foreign := benchtest.Client(t)
	other, err := flags.NewStore(rdb, foreign)
	must(t, err)
	must(t, other.SetShare(ctx, "beta", 1))
	must(t, s.Kill(ctx, "gamma"))
	until(t, "one copy", func() bool { return c.Status().Copies == 1 })
	reads := c.net.reads.Load()
	on(t, c, "beta")
	if n := c.net.reads.Load(); n != reads {
		t.Error("beta was read again")
	}
}
