package server_test

import (
	"context"
	"flag"
	"net"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/oracle"
	"github.com/streampulse/pulse/server"
	"github.com/streampulse/pulse/server/internal/fuzz"
	"github.com/streampulse/pulse/store"
)

var differential = struct {
	requests, findings *int
	seed               *uint64
	only, binary       *string
}{
	flag.Int("differential.n", 5000, "requests of TestDifferential"),
	flag.Int("differential.findings", 10, "differences after which TestDifferential stops"),
	flag.Uint64("differential.seed", 1, "seed of TestDifferential"),
	flag.String("differential.only", "", "regular expression for the full names of the commands of TestDifferential"),
	flag.String("differential.binary", "", "pulse-server to test as a process of its own, started again when it dies"),
}

// TestDifferential asks a real redis-server and ours the same random questions.
func TestDifferential(t *testing.T) {
	runDifferential(t, *differential.requests, fuzz.Run)
}

// TestDifferentialBytes sends both what is almost a request.
func TestDifferentialBytes(t *testing.T) {
	runDifferential(t, *differential.requests/50, fuzz.Raw)
}

func runDifferential(t *testing.T, requests int, run func(fuzz.Options) (fuzz.Report, error)) {
	o := oracle.Start(t)
	opts := fuzz.Options{
		Oracle: o.Dial, Table: commands.New(store.New(store.Options{})),
		Seed: *differential.seed, Requests: requests, MaxFindings: *differential.findings, Log: t.Logf,
	}
	if *differential.only != "" {
		opts.Only = regexp.MustCompile("^(" + *differential.only + ")$")
	}
	if *differential.binary != "" {
		opts.Ours = process(t, *differential.binary)
	} else {
		s, err := server.Open(server.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close(context.Background())
		opts.Ours = func() (net.Conn, error) { return net.Dial("tcp", s.Addr()) }
	}
	start := time.Now()
	report, err := run(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d requests in %d epochs, %d of them errors on both sides, in %v", report.Requests, report.Epochs, report.Errors, time.Since(start).Round(time.Millisecond))
	for reason, n := range report.Known {
		t.Logf("known, %d times: %s", n, reason)
	}
	if n := len(report.Findings); n > 0 {
		t.Errorf("%d differences from redis-server (seed %d), see above", n, *differential.seed)
	}
}

// process returns a dialer of a server that is started again when it has died.
func process(t *testing.T, binary string) func() (net.Conn, error) {
	var mu sync.Mutex
	var s *oracle.Server
	return func() (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		if s != nil {
			select {
			case <-s.Exited():
				t.Logf("the server has died:\n%s", s.Log())
				s = nil
			default:
			}
		}
		if s == nil {
			s = oracle.StartBinary(t, binary)
		}
		return s.Dial()
	}
}
