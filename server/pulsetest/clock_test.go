package pulsetest_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/server/pulsetest"
)

func frozen(t testing.TB, opts ...pulsetest.Option) *pulsetest.Server {
	return pulsetest.Start(t, append([]pulsetest.Option{pulsetest.InMemory(), pulsetest.Frozen(at)}, opts...)...)
}

// want compares the reply to a line of words.
func want(t testing.TB, s *pulsetest.Server, line, reply string) {
	t.Helper()
	r, err := s.Do(t.Context(), strings.Fields(line)...)
	got := r.String()
	if err != nil {
		got = err.Error()
	}
	if got != reply {
		t.Errorf("%s = %s, want %s", line, got, reply)
	}
}

// ms is a time as clients write it.
func ms(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

func TestExpiry(t *testing.T) {
	t.Parallel()
	for _, active := range []string{"1", "0"} {
		s := frozen(t, pulsetest.Config("enable-debug-command", "yes"))
		want(t, s, "DEBUG SET-ACTIVE-EXPIRE "+active, "OK")
		want(t, s, "SET k v PX 1500", "OK")
		want(t, s, "SET by-date v PXAT "+ms(at.Add(3*time.Second)), "OK")
		want(t, s, "HSET h f v g w", "2")
		want(t, s, "HPEXPIRE h 2000 FIELDS 1 f", "[1]")
		s.Clock.Advance(1499 * time.Millisecond)
		want(t, s, "PTTL k", "1")
		want(t, s, "HPTTL h FIELDS 1 f", "[501]")
		s.Clock.Advance(time.Millisecond)
		want(t, s, "GET k", "(nil)")
		s.Clock.Advance(500 * time.Millisecond)
		want(t, s, "HGETALL h", "{g:w}")
		// Back: what is set to a date is further off.
		s.Clock.Set(at)
		want(t, s, "PTTL by-date", "3000")
		s.Clock.Set(at.Add(3 * time.Second))
		want(t, s, "EXISTS by-date", "0")
		if active == "1" {
			want(t, s, "DBSIZE", "1")
		}
	}
}

// Events of keys and fields that expire have been sent when Advance returns, in order.
func TestExpiredEvents(t *testing.T) {
	t.Parallel()
	s := frozen(t, pulsetest.Config("notify-keyspace-events", "Exhg"))
	sub, err := s.PSubscribe(t.Context(), "__keyevent@0__:*expired")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	var expected []string
	for n := range 20 {
		want(t, s, fmt.Sprintf("SET k%d v PX %d", n, 100*(n+1)), "OK")
		expected = append(expected, fmt.Sprintf("k%d", n))
	}
	want(t, s, "HSET h f v g w", "2")
	want(t, s, "HPEXPIRE h 2001 FIELDS 1 f", "[1]")
	s.Clock.Advance(time.Minute)
	for _, key := range append(expected, "h") {
		select {
		case m := <-sub.Messages():
			if m.Payload != key {
				t.Fatalf("%s expired before %s", m.Payload, key)
			}
		case <-time.After(patience):
			t.Fatalf("no event for %s", key)
		}
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args  []any
		after time.Duration
		reply string
	}{
		{[]any{"BLPOP", "l", "1.5"}, 1500 * time.Millisecond, "<nil> redis: nil"},
		{[]any{"BLMOVE", "l", "m", "LEFT", "RIGHT", "3"}, 3 * time.Second, "<nil> redis: nil"},
		{[]any{"BZPOPMIN", "z", "3600"}, time.Hour, "<nil> redis: nil"},
		{[]any{"XREAD", "BLOCK", "250", "STREAMS", "st", "$"}, 250 * time.Millisecond, "<nil> redis: nil"},
		{[]any{"WAIT", "1", "400"}, 400 * time.Millisecond, "0 <nil>"},
	} {
		t.Run(fmt.Sprint(c.args[0]), func(t *testing.T) {
			t.Parallel()
			s := frozen(t)
			reply := begin(t, s, c.args...)
			s.Clock.Advance(c.after - time.Millisecond)
			if n := blockedClients(s); n != 1 {
				t.Fatalf("%d clients wait a millisecond before the time", n)
			}
			s.Clock.Set(at) // back: what is left of the wait stays the same
			s.Clock.Advance(time.Millisecond)
			if n := blockedClients(s); n != 0 {
				t.Errorf("%d clients still wait", n)
			}
			if got := receive(t, reply); got != c.reply {
				t.Errorf("the reply is %q, want %q", got, c.reply)
			}
		})
	}
}

// A key that expires while clients wait for something is written by others in real time: only time stands still.
func TestFrozenIsNotPaused(t *testing.T) {
	t.Parallel()
	s := frozen(t)
	reply := begin(t, s, "BLPOP", "l", "10")
	want(t, s, "RPUSH l a", "1")
	if got := receive(t, reply); got != "[l a] <nil>" {
		t.Errorf("BLPOP: %s", got)
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	s := frozen(t)
	first := ms(at)
	want(t, s, "XADD st * f 1", first+"-0")
	want(t, s, "XADD st * f 2", first+"-1")
	want(t, s, "XGROUP CREATE st g 0", "OK")
	s.Must("XREADGROUP", "GROUP", "g", "alice", "COUNT", "1", "STREAMS", "st", ">")
	s.Clock.Advance(90 * time.Second)
	want(t, s, "XADD st * f 3", ms(at.Add(90*time.Second))+"-0")
	want(t, s, "XPENDING st g - + 10", "[["+first+"-0 alice 90000 1]]")
	want(t, s, "XPENDING st g IDLE 90001 - + 10", "[]")
	want(t, s, "XAUTOCLAIM st g bob 90001 0 JUSTID", "[0-0 [] []]")
	want(t, s, "XAUTOCLAIM st g bob 90000 0 JUSTID", "[0-0 ["+first+"-0] []]")
	if idle := s.Must("XINFO", "CONSUMERS", "st", "g").Array()[0].Map()["idle"].Text(); idle != "90000" {
		t.Errorf("alice has been idle for %s", idle)
	}
	// A clock set back does not make IDs go back.
	s.Clock.Set(at)
	want(t, s, "XADD st * f 4", ms(at.Add(90*time.Second))+"-1")
}

func TestTime(t *testing.T) {
	t.Parallel()
	s := frozen(t)
	seconds := func(d time.Duration) string { return strconv.FormatInt(at.Add(d).Unix(), 10) }
	want(t, s, "TIME", "["+seconds(0)+" 0]")
	want(t, s, "LASTSAVE", seconds(0))
	s.Clock.Advance(1500 * time.Millisecond)
	want(t, s, "TIME", "["+seconds(time.Second)+" 500000]")
	if got := s.Must("EVAL", "return redis.call('TIME')", "0").String(); got != "["+seconds(time.Second)+" 500000]" {
		t.Errorf("in a script it is %s", got)
	}
	if got := s.Must("EVAL", "redis.call('SET', KEYS[1], 'v', 'PX', 100) return redis.call('PTTL', KEYS[1])", "1", "k").String(); got != "100" {
		t.Errorf("in a script the time to live is %s", got)
	}
	uptime := func() string {
		_, rest, _ := strings.Cut(s.Must("INFO", "server").Text(), "uptime_in_seconds:")
		return strings.Fields(rest)[0]
	}
	s.Clock.Advance(time.Hour)
	if got := uptime(); got != "3601" {
		t.Errorf("the uptime is %s", got)
	}
	s.Clock.Set(at)
	want(t, s, "TIME", "["+seconds(0)+" 0]")
	if got := uptime(); got != "3601" {
		t.Errorf("with the clock set back the uptime is %s", got)
	}
	s.Clock.Run()
	before := s.Must("TIME").String()
	until(t, "time that goes on", func() bool { return s.Must("TIME").String() != before })
}

func TestObjectAccess(t *testing.T) {
	t.Parallel()
	s := frozen(t)
	want(t, s, "SET k v", "OK")
	s.Clock.Advance(5 * time.Minute)
	want(t, s, "OBJECT IDLETIME k", "300")
	want(t, s, "GET k", "v")
	want(t, s, "OBJECT IDLETIME k", "0")
	lfu := frozen(t, pulsetest.Config("maxmemory-policy", "allkeys-lfu"), pulsetest.Config("lfu-decay-time", "1"), pulsetest.Seed(1))
	want(t, lfu, "SET k v", "OK")
	before, _ := lfu.Must("OBJECT", "FREQ", "k").Int()
	lfu.Clock.Advance(3 * time.Minute)
	if after, _ := lfu.Must("OBJECT", "FREQ", "k").Int(); after != before-3 {
		t.Errorf("the frequency was %d and is %d after three minutes", before, after)
	}
}

func TestClients(t *testing.T) {
	t.Parallel()
	s := frozen(t, pulsetest.Config("timeout", "60"))
	c := connect(t, s)
	if err := c.ClientID(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	list := func() (lines []string) {
		for line := range strings.Lines(s.Must("CLIENT", "LIST", "TYPE", "normal").Text()) {
			if strings.Contains(line, "cmd=client|id") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	s.Clock.Advance(42 * time.Second)
	if l := list(); len(l) != 1 || !strings.Contains(l[0], " age=42 idle=42 ") {
		t.Errorf("the client is listed as %q", l)
	}
	s.Clock.Advance(18 * time.Second)
	if l := list(); len(l) != 1 {
		t.Errorf("after the time-out, not more, it is listed as %q", l)
	}
	s.Clock.Advance(time.Second)
	until(t, "closing an idle client", func() bool { return len(list()) == 0 })
	// Connections of the server's own are closed like all others, and opened again.
	for range 2 {
		s.Clock.Advance(time.Hour)
		s.Must("PING")
		want(t, s, "PING", "PONG")
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	s := frozen(t)
	want(t, s, "CLIENT PAUSE 5000 WRITE", "OK")
	done := make(chan string, 1)
	c := connect(t, s)
	go func() { done <- c.Set(t.Context(), "k", "v", 0).String() }()
	until(t, "a client that waits", func() bool { return strings.Contains(s.Must("CLIENT", "LIST").Text(), "cmd=set") })
	s.Clock.Advance(4999 * time.Millisecond)
	want(t, s, "EXISTS k", "0")
	s.Clock.Set(at.Add(3 * time.Second)) // back
	s.Clock.Advance(1999 * time.Millisecond)
	want(t, s, "EXISTS k", "0")
	s.Clock.Advance(time.Millisecond)
	want(t, s, "EXISTS k", "1")
	if got := receive(t, done); got != "set k v: OK" {
		t.Error(got)
	}
}

// During a pause nothing expires by itself; when it is over what was due goes at once.
func TestPauseHoldsExpiry(t *testing.T) {
	t.Parallel()
	s := frozen(t)
	want(t, s, "SET k v PX 1000", "OK")
	want(t, s, "CLIENT PAUSE 5000 WRITE", "OK")
	s.Clock.Advance(4999 * time.Millisecond)
	want(t, s, "EXISTS k", "0")
	want(t, s, "DBSIZE", "1")
	s.Clock.Advance(time.Millisecond)
	want(t, s, "DBSIZE", "0")
}

func TestSlowlogAndACLLog(t *testing.T) {
	t.Parallel()
	s := frozen(t, pulsetest.Config("slowlog-log-slower-than", "0"))
	s.Clock.Advance(time.Hour)
	s.Must("PING")
	entry := s.Must("SLOWLOG", "GET", "1").Array()[0].Array()
	if when := entry[1].Text(); when != strconv.FormatInt(at.Add(time.Hour).Unix(), 10) {
		t.Errorf("the entry is of %s", when)
	}
	if took := entry[2].Text(); took != "0" {
		t.Errorf("while time stands a command took %s us", took)
	}
	if _, err := s.Do(t.Context(), "ACL", "SETUSER", "bob", "on", ">pw", "+get"); err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(&redis.Options{Dialer: s.DialContext, Username: "bob", Password: "wrong", DisableIdentity: true, MaxRetries: -1})
	defer c.Close()
	if c.Get(t.Context(), "k").Err() == nil {
		t.Error("a wrong password opened the door")
	}
	s.Clock.Advance(90 * time.Second)
	if age := s.Must("ACL", "LOG").Array()[0].Map()["age-seconds"].Text(); age != "90" {
		t.Errorf("the entry is %s seconds old", age)
	}
}

// Locks as libraries make them.
func TestLocks(t *testing.T) {
	t.Parallel()
	s := frozen(t)
	want(t, s, "SET lock a NX PX 10000", "OK")
	s.Clock.Advance(9 * time.Second)
	want(t, s, "SET lock b NX PX 10000", "(nil)")
	extend := "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) else return 0 end"
	s.Must("EVAL", extend, "1", "lock", "a", "10000")
	s.Clock.Advance(9 * time.Second)
	want(t, s, "SET lock b NX PX 10000", "(nil)")
	s.Clock.Advance(time.Second)
	want(t, s, "SET lock b NX PX 10000", "OK")
}

// A save point that has come has been kept when Advance returns.
func TestSavePoints(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := frozen(t, pulsetest.Dir(dir), pulsetest.Config("save", "60", "1"))
	want(t, s, "SET k v", "OK")
	s.Clock.Advance(59 * time.Second)
	if _, err := os.Stat(dir + "/dump.rdb"); err == nil {
		t.Error("it was saved too early")
	}
	s.Clock.Advance(time.Second)
	if _, err := os.Stat(dir + "/dump.rdb"); err != nil {
		t.Error(err)
	}
	want(t, s, "LASTSAVE", strconv.FormatInt(at.Add(time.Minute).Unix(), 10))
}

// A long way takes no longer than what falls due on it.
func TestYears(t *testing.T) {
	t.Parallel()
	s := frozen(t)
	want(t, s, "SET k v EX 3000000000", "OK")
	want(t, s, "SET soon v EX 60", "OK")
	reply := begin(t, s, "BLPOP", "l", "1000000")
	began := time.Now()
	s.Clock.Advance(90 * 365 * 24 * time.Hour)
	if took := time.Since(began); took > patience {
		t.Errorf("90 years took %v", took)
	}
	if got := receive(t, reply); got != "<nil> redis: nil" {
		t.Error(got)
	}
	want(t, s, "DBSIZE", "1")
}

// A clock that runs can be moved, too.
func TestMovedWhileItRuns(t *testing.T) {
	t.Parallel()
	s := pulsetest.Start(t, pulsetest.InMemory())
	want(t, s, "SET k v EX 3600", "OK")
	reply := begin(t, s, "BLPOP", "l", "3600")
	s.Clock.Advance(time.Hour)
	want(t, s, "EXISTS k", "0")
	if got := receive(t, reply); got != "<nil> redis: nil" || s.Clock.Frozen() {
		t.Error(got)
	}
	want(t, s, "SET k v PX 20", "OK")
	until(t, "expiry in real time", func() bool { n, _ := s.Must("DBSIZE").Int(); return n == 0 })
}

// A script that does not end does not keep the clock from being moved, unless something falls due.
func TestMovedDuringScript(t *testing.T) {
	t.Parallel()
	s := frozen(t, pulsetest.Config("busy-reply-threshold", "1"))
	done := make(chan error, 1)
	c := connect(t, s)
	go func() { done <- c.Eval(t.Context(), "while true do end", nil).Err() }()
	until(t, "a busy server", func() bool {
		_, err := s.Do(t.Context(), "GET", "k")
		return err != nil && strings.HasPrefix(err.Error(), "BUSY")
	})
	began := time.Now()
	s.Clock.Advance(time.Hour)
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("it took %v", took)
	}
	want(t, s, "SCRIPT KILL", "OK")
	if err := <-done; err == nil {
		t.Error("the script has ended by itself")
	}
}

func BenchmarkStart(b *testing.B) {
	for name, opts := range map[string][]pulsetest.Option{"port": nil, "memory": {pulsetest.InMemory()}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s := pulsetest.Start(b, opts...)
				b.StopTimer()
				if err := s.Close(b.Context()); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

func BenchmarkAdvance(b *testing.B) {
	for name, opts := range map[string][]pulsetest.Option{"port": {pulsetest.Frozen(at)}, "memory": {pulsetest.Frozen(at), pulsetest.InMemory()}} {
		for _, due := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/due=%v", name, due), func(b *testing.B) {
				s := pulsetest.Start(b, append(opts, pulsetest.Config("notify-keyspace-events", "Ex"))...)
				var c *redis.Client
				if name == "port" {
					c = redis.NewClient(&redis.Options{Addr: s.Addr()})
				} else {
					c = redis.NewClient(&redis.Options{Dialer: s.DialContext})
				}
				defer c.Close()
				sub := c.Subscribe(b.Context(), "__keyevent@0__:expired")
				defer sub.Close()
				if _, err := sub.Receive(b.Context()); err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					if due {
						s.Must("SET", "k", "v", "PX", "1")
					}
					s.Clock.Advance(time.Millisecond)
				}
			})
		}
	}
}

// Servers come and go, clients are busy, and several goroutines move the clock: nobody waits for ever.
func TestMovedUnderLoad(t *testing.T) {
	t.Parallel()
	clock := pulsetest.NewClock()
	var movers, users sync.WaitGroup
	over := make(chan struct{})
	for n := range 2 {
		movers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-over:
					return
				default:
				}
				switch (i + n) % 4 {
				case 0:
					clock.Freeze()
				case 1:
					clock.Advance(time.Duration(i%50) * time.Millisecond)
				case 2:
					clock.Run()
				case 3:
					clock.Set(clock.Now().Add(time.Duration(i%3-1) * time.Second))
				}
			}
		})
	}
	for n := range 4 {
		users.Go(func() {
			for range 5 {
				opts := []pulsetest.Option{pulsetest.WithClock(clock), pulsetest.Config("notify-keyspace-events", "KEA")}
				if n%2 == 0 {
					opts = append(opts, pulsetest.InMemory())
				}
				f := &failing{TB: t}
				s := pulsetest.Start(f, opts...)
				a, b := connect(t, s), connect(t, s)
				sub := b.PSubscribe(t.Context(), "*")
				for i := range 20 {
					a.Set(t.Context(), fmt.Sprint("k", i), "v", 10*time.Millisecond)
					if err := a.BLPop(t.Context(), time.Second, "nothing").Err(); err != redis.Nil {
						t.Errorf("BLPOP: %v", err)
					}
				}
				_ = sub.Close()
				s.Inject(pulsetest.Fault{Command: "GET", Latency: time.Hour})
				go a.Get(t.Context(), "k")
				_ = a.Close()
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				if err := s.Close(ctx); err != nil {
					t.Errorf("the server does not end: %v", err)
				}
				cancel()
			}
		})
	}
	users.Wait()
	close(over)
	movers.Wait()
}
