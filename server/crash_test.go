package server

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/server/log"
)

// fatalClock panics within a command when it is armed.
type fatalClock struct {
	clock.Clock
	armed atomic.Bool
}

// NowUs is what INFO asks for.
func (c *fatalClock) NowUs() int64 {
	if c.armed.Load() {
		panic("the clock has stopped")
	}
	return c.Clock.NowUs()
}

// TestCrash lets a command panic in a process of its own: the log tells what was going on, and the process ends.
func TestCrash(t *testing.T) {
	if mode := os.Getenv("PULSE_CRASH"); mode != "" {
		logger, err := log.New(log.Options{Writer: os.Stdout, Level: "warning"})
		if err != nil {
			t.Fatal(err)
		}
		clk := &fatalClock{Clock: clock.Real}
		o := Options{Addr: "127.0.0.1:0", Log: logger, Clock: clk, Config: configOf(t)}
		switch mode {
		case "process":
			o.Crash = func() { os.Exit(1) }
		case "silent":
			o.Config = configOf(t, "crash-log-enabled", "no")
		case "hidden":
			o.Config = configOf(t, "hide-user-data-from-log", "yes")
		}
		srv, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		c := dial(t, srv)
		c.want("CLIENT SETNAME tester", "+OK\r\n")
		clk.armed.Store(true)
		c.send(requests("PING", "INFO server sensitive", "PING"))
		time.Sleep(4 * patience)
		t.Fatal("it lives")
	}
	for _, mode := range []string{"process", "library", "silent", "hidden"} {
		t.Run(mode, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run", "^TestCrash$")
			cmd.Env = append(os.Environ(), "PULSE_CRASH="+mode)
			b, err := cmd.CombinedOutput()
			out := string(b)
			exit, ok := err.(*exec.ExitError)
			if !ok {
				t.Fatalf("%v\n%s", err, out)
			}
			if code, want := exit.ExitCode(), map[bool]int{true: 1, false: 2}[mode == "process"]; code != want {
				t.Errorf("exit code %d, want %d\n%s", code, want, out)
			}
			if strings.Contains(out, "it lives") {
				t.Fatal(out)
			}
			if panicked := strings.Contains(out, "panic: the clock has stopped"); panicked != (mode != "process") {
				t.Errorf("the panic has gone on: %v\n%s", panicked, out)
			}
			report := strings.Contains(out, "=== PULSE BUG REPORT START") && strings.Contains(out, "=== PULSE BUG REPORT END")
			if report != (mode != "silent") {
				t.Errorf("report: %v\n%s", report, out)
			}
			if !report {
				return
			}
			for _, want := range []string{
				`Pulse ` + Version + ` \(compatible with Redis 7\.4\.1\)`, `id=\d+ addr=127\.0\.0\.1:\d+ `, `client->argv\[0\] \(4 bytes\): "INFO"`,
				`------ STACK TRACE ------`, `fatalClock`,
			} {
				if !regexp.MustCompile(want).MatchString(out) {
					t.Errorf("%s is missing\n%s", want, out)
				}
			}
			if hidden := !strings.Contains(out, "sensitive") && !strings.Contains(out, "name=tester"); hidden != (mode == "hidden") {
				t.Errorf("hidden: %v\n%s", hidden, out)
			}
		})
	}
}
