package pulsetest_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/server/pulsetest"
)

// at is where the clocks of these tests stand at first.
var at = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// connect returns a client with one connection.
func connect(t testing.TB, s *pulsetest.Server) *redis.Client {
	c := redis.NewClient(&redis.Options{
		Dialer: s.DialContext, MaxRetries: -1, ReadTimeout: patience, DisableIdentity: true, PoolSize: 1, ContextTimeoutEnabled: true,
	})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// blockedClients is how many clients wait for keys.
func blockedClients(s *pulsetest.Server) int {
	for line := range strings.Lines(s.Must("INFO", "clients").Text()) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "blocked_clients:"); ok {
			v, _ := strconv.Atoi(n)
			return v
		}
	}
	return 0
}

// until waits for ok to become true.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come to pass", what)
		}
	}
}

// begin runs a command that waits, on a connection of its own, and returns when it does.
func begin(t testing.TB, s *pulsetest.Server, args ...any) (reply <-chan string) {
	t.Helper()
	before := blockedClients(s)
	c := connect(t, s)
	ch := make(chan string, 1)
	go func() {
		v, err := c.Do(t.Context(), args...).Result()
		ch <- fmt.Sprint(v, " ", err)
	}()
	until(t, "waiting", func() bool { return blockedClients(s) > before })
	return ch
}

func receive(t testing.TB, ch <-chan string) string {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatal("no reply")
		return ""
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]pulsetest.Option{
		"port":   nil,
		"memory": {pulsetest.InMemory()},
		"config": {pulsetest.Config("maxmemory", "100mb"), pulsetest.Config("save", "60", "1"), pulsetest.Seed(1), pulsetest.Logs()},
		"files":  {pulsetest.Dir(t.TempDir()), pulsetest.Config("appendonly", "yes")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := pulsetest.Start(t, opts...)
			if (s.Addr() == "") != (name == "memory") {
				t.Errorf("the address is %q", s.Addr())
			}
			if c := connect(t, s); c.Set(t.Context(), "k", "v", 0).Err() != nil || c.Get(t.Context(), "k").Val() != "v" {
				t.Error("it does not serve")
			}
			if name == "config" && s.Must("CONFIG", "GET", "maxmemory").Map()["maxmemory"].Text() != "104857600" {
				t.Error("the parameter was not set")
			}
		})
	}
}

func TestSeed(t *testing.T) {
	t.Parallel()
	draw := func(seed uint64) string {
		s := pulsetest.Start(t, pulsetest.InMemory(), pulsetest.Seed(seed))
		for n := range 100 {
			s.Must("SADD", "s", strconv.Itoa(n), "m"+strconv.Itoa(n))
		}
		f := s.Inject(pulsetest.Fault{Command: "GET", Probability: 0.5, Err: "ERR bad luck"})
		b := s.Must("SRANDMEMBER", "s", "-10").String()
		for range 64 {
			_, err := s.Do(t.Context(), "GET", "k")
			b += fmt.Sprint(err != nil)
		}
		if f.Count() == 0 || f.Count() == 64 {
			t.Errorf("%d of 64 were struck", f.Count())
		}
		return b
	}
	if a, b, c := draw(1), draw(1), draw(2); a != b || a == c {
		t.Errorf("seed 1: %s\nseed 1: %s\nseed 2: %s", a, b, c)
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]pulsetest.Option{
		"without files": nil, "with files": {pulsetest.Dir(t.TempDir())}, "memory": {pulsetest.InMemory()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := pulsetest.Start(t, append(opts, pulsetest.Frozen(at))...)
			s.Load(`
				SET a 1 PX 5000
				RPUSH l x y z
				HSET h f v g w
				ZADD z 1.5 m -inf n
				SADD s 1 2 a
				XADD st 1-1 f v
				XGROUP CREATE st g 0
				XREADGROUP GROUP g c STREAMS st >
				SELECT 3
				SET other db
				FUNCTION LOAD "#!lua name=lib\nredis.register_function('f', function() return 7 end)"
				SELECT 0
			`)
			fault := s.Inject(pulsetest.Fault{Command: "TIME", Err: "ERR no"})
			before, addr := s.Snapshot(), s.Addr()
			s.Restart()
			if s.Addr() != addr {
				t.Errorf("the address was %s and is %s", addr, s.Addr())
			}
			if d := pulsetest.Diff(before, s.Snapshot()); d != "" || len(before) != 7 {
				t.Errorf("%d keys before the restart; %s", len(before), d)
			}
			if n, err := s.Must("FCALL", "f", "0").Int(); n != 7 || err != nil {
				t.Errorf("the function returns %d, %v", n, err)
			}
			if _, err := s.Do(t.Context(), "TIME"); err == nil || fault.Count() != 1 {
				t.Error("the fault is gone")
			}
			s.Clock.Advance(5 * time.Second)
			if n, _ := s.Must("EXISTS", "a").Int(); n != 0 {
				t.Error("the deadline is gone")
			}
		})
	}
}

func TestData(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := pulsetest.Start(t, pulsetest.Dir(dir))
	s.Fill(map[string]any{"a": 1, "l": []string{"x"}})
	s.Must("SAVE")
	from := pulsetest.Start(t, pulsetest.Data(dir+"/dump.rdb"))
	from.Equal(map[string]any{"a": 1, "l": []string{"x"}})
	text := pulsetest.Start(t, pulsetest.Data("testdata/shop.txt"))
	text.Equal(map[string]any{"shop": map[string]string{"name": "The Corner"}, "stock": pulsetest.Scores{"tea": 2.5, "coffee": 12}})
}

// failing is a test that has failed.
type failing struct {
	testing.TB
	logged, failed []string
	cleanup        []func()
}

func (f *failing) Helper()                   {}
func (f *failing) Failed() bool              { return true }
func (f *failing) Cleanup(g func())          { f.cleanup = append(f.cleanup, g) }
func (f *failing) Logf(s string, a ...any)   { f.logged = append(f.logged, fmt.Sprintf(s, a...)) }
func (f *failing) Errorf(s string, a ...any) { f.failed = append(f.failed, fmt.Sprintf(s, a...)) }
func (f *failing) Fatalf(s string, a ...any) { panic(fmt.Sprintf(s, a...)) }

func TestDumpOfFailedTest(t *testing.T) {
	t.Parallel()
	f := &failing{TB: t}
	s := pulsetest.Start(f, pulsetest.Frozen(at), pulsetest.Seed(7))
	for n := range 150 {
		s.Must("SET", fmt.Sprintf("key%03d", n), strings.Repeat("x", 200))
	}
	s.Must("EXPIRE", "key001", "60")
	for n := range 30 {
		s.Must("RPUSH", "a-list", strconv.Itoa(n))
	}
	s.Must("XADD", "a-stream", "1-1", "f", "v")
	begin(t, s, "BLPOP", "nothing", "0")
	for _, g := range f.cleanup {
		g()
	}
	if len(f.logged) != 1 || len(f.failed) != 0 {
		t.Fatalf("logged %q, failed %q", f.logged, f.failed)
	}
	for _, want := range []string{
		"clock: 2030-01-01T00:00:00Z, frozen; seed: 7", "db0: 152 keys", "  and 52 more", "(200 bytes)", "expires in 1m0s",
		`"a-list": list(30) "0" "1"`, "and 18 more", `"a-stream": stream(1) "1-1 f v"`, "waits in blpop",
	} {
		if !strings.Contains(f.logged[0], want) {
			t.Errorf("%q is missing in\n%s", want, f.logged[0])
		}
	}
	if len(f.logged[0]) > 30_000 {
		t.Errorf("the dump has %d bytes", len(f.logged[0]))
	}
}

func TestFatalErrors(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(f *failing){
		"parameter":    func(f *failing) { pulsetest.Start(f, pulsetest.Config("no-such-thing", "1")) },
		"no file":      func(f *failing) { pulsetest.Start(f, pulsetest.Data("testdata/missing")) },
		"bad command":  func(f *failing) { pulsetest.Start(f).Must("GET") },
		"bad line":     func(f *failing) { pulsetest.Start(f).Load("SET a \"") },
		"unknown line": func(f *failing) { pulsetest.Start(f).Load("PING\nNOTHING") },
		"bad type":     func(f *failing) { pulsetest.Start(f).Fill(map[string]any{"k": struct{}{}}) },
		"nil":          func(f *failing) { pulsetest.Start(f).Equal(map[string]any{"k": nil}) },
	} {
		f := &failing{TB: t}
		func() {
			defer func() {
				if p := recover(); p == nil || !strings.HasPrefix(fmt.Sprint(p), "pulsetest: ") {
					t.Errorf("%s: %v", name, p)
				}
			}()
			do(f)
		}()
		for _, g := range f.cleanup {
			g()
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	for n := range 50 {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			opts := []pulsetest.Option{pulsetest.Frozen(at)}
			if n%2 == 0 {
				opts = append(opts, pulsetest.InMemory())
			}
			s := pulsetest.Start(t, opts...)
			s.Inject(pulsetest.Fault{Command: "GET", Latency: time.Millisecond, Times: 3})
			c := connect(t, s)
			ctx := t.Context()
			popped := begin(t, s, "BLPOP", "queue", "10")
			for i := range 20 {
				c.Set(ctx, fmt.Sprint("k", i), n, time.Duration(i+1)*time.Second)
			}
			s.Clock.Advance(10 * time.Second)
			if got := receive(t, popped); got != "<nil> redis: nil" {
				t.Errorf("BLPOP: %s", got)
			}
			if v, err := c.Get(ctx, "k19").Int(); v != n || err != nil {
				t.Errorf("k19 = %d, %v", v, err)
			}
			if keys := c.DBSize(ctx).Val(); keys != 10 {
				t.Errorf("%d keys are left", keys)
			}
		})
	}
}

// A server of the test's own with a clock of the package.
func TestSharedClock(t *testing.T) {
	t.Parallel()
	clock := pulsetest.NewClock()
	clock.Freeze()
	clock.Set(at)
	a, b := pulsetest.Start(t, pulsetest.WithClock(clock)), pulsetest.Start(t, pulsetest.WithClock(clock), pulsetest.InMemory())
	for _, s := range []*pulsetest.Server{a, b} {
		s.Must("SET", "k", "v", "EX", "10")
	}
	clock.Advance(10 * time.Second)
	for _, s := range []*pulsetest.Server{a, b} {
		s.Equal(nil)
		if s.Clock != clock {
			t.Error("it has another clock")
		}
	}
	if _, err := net.DialTimeout("tcp", a.Addr(), patience); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := a.Server.Close(ctx); err != nil { // the clean-up does not mind
		t.Error(err)
	}
	clock.Advance(time.Second)
}
