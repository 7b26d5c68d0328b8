package crash

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/oracle"
)

var (
	cycles   = flag.Int("crash.cycles", 4, "kills of TestKill for each policy")
	seed     = flag.Uint64("crash.seed", 1, "seed")
	load     = flag.Duration("crash.load", 150*time.Millisecond, "about how long there is load before a kill")
	saves    = flag.Int("crash.snapshots", 4, "snapshots of TestBank")
	onRedis  = flag.Bool("crash.redis", false, "the same with a redis-server, whose losses are reported")
	binaries = struct {
		sync.Once
		dir, pulse string
		err        error
	}{}
)

func TestMain(m *testing.M) {
	code := m.Run()
	if binaries.dir != "" {
		os.RemoveAll(binaries.dir)
	}
	os.Exit(code)
}

// pulse compiles pulse-server, once for all tests.
func pulse(t *testing.T) string {
	t.Helper()
	b := &binaries
	b.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "crash-"); b.err != nil {
			return
		}
		b.pulse = filepath.Join(b.dir, "pulse-server")
		out, err := exec.Command("go", "build", "-o", b.pulse, "github.com/streampulse/pulse/cmd/pulse-server").CombinedOutput()
		if err != nil {
			b.err = errors.New(string(out))
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.pulse
}

// TestKill kills a server under load. What was acknowledged survives, with each policy: what is given to the system is not
// lost with the process.
func TestKill(t *testing.T) {
	policies := map[string][]string{
		"always":               {"--appendfsync", "always"},
		"everysec":             {"--appendfsync", "everysec"},
		"always, commands":     {"--appendfsync", "always", "--aof-use-rdb-preamble", "no"},
		"everysec, small logs": {"--appendfsync", "everysec", "--auto-aof-rewrite-min-size", "100kb", "--auto-aof-rewrite-percentage", "50"},
	}
	for name, args := range policies {
		t.Run(name, func(t *testing.T) {
			r, err := Kill(Options{
				Binary: pulse(t), Dir: t.TempDir(), Args: args, Cycles: *cycles, Seed: *seed, Load: *load, Log: t.Logf,
			})
			t.Log(r)
			for _, f := range r.Findings {
				t.Error(f)
			}
			if err != nil {
				t.Error(err)
			}
			if r.Cycles > 1 && r.Acknowledged == 0 {
				t.Error("nothing was acknowledged")
			}
			if !*onRedis {
				return
			}
			path, err := oracle.Path()
			if err != nil {
				t.Skip(err)
			}
			r, err = Kill(Options{Binary: path, Dir: t.TempDir(), Args: args, Cycles: *cycles, Seed: *seed, Load: *load})
			t.Logf("redis-server: %v, %v", r, err)
			for _, f := range r.Findings {
				t.Logf("redis-server: %s", f)
			}
		})
	}
}

// TestBank reads snapshots that were taken under load with a redis-server: no transfer is in them by half.
func TestBank(t *testing.T) {
	reader, err := oracle.Path()
	if err != nil {
		t.Skip(err)
	}
	servers := map[string]string{"pulse": pulse(t)}
	if *onRedis {
		servers["redis"] = reader
	}
	for name, binary := range servers {
		t.Run(name, func(t *testing.T) {
			r, err := Bank(BankOptions{Binary: binary, Reader: reader, Dir: t.TempDir(), Snapshots: *saves, Seed: *seed})
			t.Log(r)
			for _, f := range r.Findings {
				t.Error(f)
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Moving < r.Snapshots/2 {
				t.Errorf("only %d of %d snapshots differ from the one before: there was no load", r.Moving, r.Snapshots)
			}
		})
	}
}
