package pulsetest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streampulse/pulse/server"
	"github.com/streampulse/pulse/server/pulsetest"
)

func TestFaultsStrike(t *testing.T) {
	t.Parallel()
	const oops = "ERR oops"
	for _, c := range []struct {
		name     string
		fault    pulsetest.Fault
		commands string // with an ! behind those that are struck
	}{
		{"every command", pulsetest.Fault{}, "PING! GET a! NOTHING!"},
		{"one command", pulsetest.Fault{Command: "get"}, "GET a! SET a 1; STRLEN a; GET! GET a!"},
		{"a subcommand", pulsetest.Fault{Command: "config  GET"}, "CONFIG GET save! CONFIG RESETSTAT"},
		{"a container", pulsetest.Fault{Command: "CONFIG"}, "CONFIG GET save! CONFIG RESETSTAT! GET a"},
		{"no command of ours", pulsetest.Fault{Command: "Nothing"}, "NOTHING! GET a"},
		{"keys", pulsetest.Fault{Keys: "user:?"}, "GET user:1! MGET a user:2! GET user:10; SET x user:1; PING; DEL user:x user:y user:zz!"},
		{"after", pulsetest.Fault{Command: "GET", After: 2}, "GET a; STRLEN a; GET a; GET a! GET a!"},
		{"times", pulsetest.Fault{Command: "GET", Times: 2}, "GET a! GET a! GET a; GET a"},
		{"after and times", pulsetest.Fault{Command: "GET", After: 1, Times: 1}, "GET a; GET a! GET a"},
		{"other clients", pulsetest.Fault{ClientName: "other"}, "GET a; CLIENT SETNAME other; GET a!"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := pulsetest.Start(t, pulsetest.InMemory())
			c.fault.Err = oops
			f := s.Inject(c.fault)
			conn, err := s.Conn()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			struck := 0
			for _, line := range strings.FieldsFunc(strings.ReplaceAll(c.commands, "!", "!;"), func(r rune) bool { return r == ';' }) {
				words, strike := strings.CutSuffix(strings.TrimSpace(line), "!")
				if words == "" {
					continue
				}
				_, err := conn.Do(t.Context(), strings.Fields(words)...)
				if (err == server.Error(oops)) != strike {
					t.Errorf("%s: %v", words, err)
				}
				if strike {
					struck++
				}
			}
			if f.Count() != struck {
				t.Errorf("it has struck %d times, want %d", f.Count(), struck)
			}
			f.Remove()
			f.Remove() // has no effect
			if _, err := conn.Do(t.Context(), "GET", "user:1"); err != nil {
				t.Errorf("after Remove: %v", err)
			}
		})
	}
}

// The Server's own methods are not struck, and the first of several Faults is.
func TestFaultsOrderAndExemption(t *testing.T) {
	t.Parallel()
	s := pulsetest.Start(t, pulsetest.InMemory())
	first := s.Inject(pulsetest.Fault{Err: "ERR first", Times: 1})
	s.Inject(pulsetest.Fault{Err: "ERR second"})
	s.Must("SET", "k", "v")
	s.Equal(map[string]any{"k": "v"})
	for _, want := range []string{"ERR first", "ERR second", "ERR second"} {
		if _, err := s.Do(t.Context(), "GET", "k"); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if !strings.Contains(s.Dump(), `"k": string "v"`) || first.Count() != 1 {
		t.Error(s.Dump())
	}
}

func TestFaultsInTransactionsAndScripts(t *testing.T) {
	t.Parallel()
	s := pulsetest.Start(t, pulsetest.InMemory())
	f := s.Inject(pulsetest.Fault{Command: "INCR", Err: "OOM no memory", Times: 1})
	conn, err := s.Conn()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	do := func(args ...string) string {
		r, err := conn.Do(t.Context(), args...)
		if err != nil {
			return err.Error()
		}
		return r.String()
	}
	for _, step := range [][]string{
		{"OK", "MULTI"},
		{"OOM no memory", "INCR", "n"},
		{"QUEUED", "INCR", "n"},
		{"EXECABORT Transaction discarded because of previous errors.", "EXEC"},
		{"(nil)", "GET", "n"},
	} {
		if got := do(step[1:]...); got != step[0] {
			t.Errorf("%v: %s, want %s", step[1:], got, step[0])
		}
	}
	script := s.Inject(pulsetest.Fault{Command: "EVAL", Times: 1, Err: "BUSY not now"})
	for _, want := range []string{"BUSY not now", "1"} {
		if got := do("EVAL", "return redis.call('INCR', KEYS[1])", "1", "n"); got != want {
			t.Errorf("EVAL: %s, want %s", got, want)
		}
	}
	if f.Count() != 1 || script.Count() != 1 {
		t.Errorf("struck: %d and %d", f.Count(), script.Count())
	}
}

func TestFaultLatency(t *testing.T) {
	t.Parallel()
	s := pulsetest.Start(t, pulsetest.Frozen(at))
	const delay = 30 * time.Millisecond
	s.Inject(pulsetest.Fault{Command: "GET", Latency: delay, Times: 1})
	c := connect(t, s)
	began := time.Now()
	if err := c.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if v := c.Get(t.Context(), "k"); v.Val() != "v" || time.Since(began) < delay {
		t.Errorf("%v after %v", v, time.Since(began))
	}
	// As long as a test likes: the client gives up, others go on, and Remove lets it run.
	f := s.Inject(pulsetest.Fault{Command: "APPEND", Latency: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := s.Do(ctx, "APPEND", "k", "lost"); done <- err }()
	until(t, "the delay", func() bool { return f.Count() == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	go func() { done <- c.Append(t.Context(), "k", "w").Err() }()
	until(t, "the delay", func() bool { return f.Count() == 2 })
	if v := s.Must("GET", "k").Text(); v != "v" {
		t.Errorf("k = %s", v)
	}
	f.Remove()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if v := s.Must("GET", "k").Text(); v != "vw" {
		t.Errorf("k = %s", v)
	}
}

func TestFaultDropsConnection(t *testing.T) {
	t.Parallel()
	for _, memory := range []bool{true, false} {
		var opts []pulsetest.Option
		if memory {
			opts = append(opts, pulsetest.InMemory())
		}
		s := pulsetest.Start(t, opts...)
		f := s.Inject(pulsetest.Fault{Command: "SET", DropConnection: true, Times: 1})
		c := connect(t, s)
		if err := c.Set(t.Context(), "k", "v", 0).Err(); !errors.Is(err, io.EOF) {
			t.Errorf("the connection ended with %v", err)
		}
		if err := c.Set(t.Context(), "k", "w", 0).Err(); err != nil || f.Count() != 1 {
			t.Errorf("again: %v, struck %d times", err, f.Count())
		}
		s.Equal(map[string]any{"k": "w"})
	}
}

func TestFaultsConcurrently(t *testing.T) {
	t.Parallel()
	s := pulsetest.Start(t, pulsetest.InMemory())
	f := s.Inject(pulsetest.Fault{Command: "INCR", Times: 100, Err: "ERR struck"})
	var wg sync.WaitGroup
	var mu sync.Mutex
	struck := 0
	for n := range 4 {
		wg.Go(func() {
			for i := range 100 {
				if _, err := s.Do(t.Context(), "INCR", "n"); err != nil {
					mu.Lock()
					struck++
					mu.Unlock()
				}
				if i%10 == n {
					s.Inject(pulsetest.Fault{Command: fmt.Sprint("OTHER", i)}).Remove()
				}
			}
		})
	}
	wg.Wait()
	if v := s.Must("GET", "n").Text(); v != "300" || struck != 100 || f.Count() != 100 {
		t.Errorf("n = %s, struck %d times, it says %d", v, struck, f.Count())
	}
}
