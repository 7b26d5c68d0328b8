package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/streampulse/pulse/bench/load"
	"github.com/streampulse/pulse/bench/spawn"
)

func TestFlags(t *testing.T) {
	for _, bad := range []string{
		"", "--addr x --spawn", "--addr x --suite nonsense", "--addr x --only NONSENSE", "--addr x --rounds 0", "--addr x --keys 0",
		"--addr x --clients -1", "--addr x extra", "--addr x --duration 0s", "--addr x --keys 99999999999", "--addr x --suite ,",
	} {
		if _, err := parseFlags(strings.Fields(bad), io.Discard); err == nil {
			t.Errorf("%q passed", bad)
		}
	}
	c, err := parseFlags(strings.Fields("--spawn --suite all --only get,LPOP,taskqueue"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.suites, allSuites) || c.rounds < 5 {
		t.Errorf("%+v", c)
	}
	b := &bench{cfg: c, targets: make([]*target, 2)}
	// GET and LPOP with and without pipelining, handoff and taskqueue, each in every round; memory and expiry once.
	if got, want := b.steps(), 2*(6*c.rounds+2); got != want {
		t.Errorf("%d steps, want %d", got, want)
	}
}

// One short run of everything against two servers of the same kind.
func TestEndToEnd(t *testing.T) {
	if !spawn.Have("redis-server") {
		t.Skip("no redis-server on PATH")
	}
	file := filepath.Join(t.TempDir(), "r.json")
	args := "--spawn --server-a redis-server --suite throughput,nopipe,handoff,patterns --rounds 2 --requests 400 --duration 20ms --keys 1000 --clients 4 --json " + file
	var out strings.Builder
	if err := run(t.Context(), strings.Fields(args), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rep report
	if err := json.Unmarshal(b, &rep); err != nil {
		t.Fatal(err)
	}
	if want := len(load.Workloads) + len(nopipeWorkloads) + 1 + len(load.Patterns); len(rep.Rows) != want {
		t.Errorf("%d rows, want %d:\n%s", len(rep.Rows), want, out.String())
	}
	for _, row := range rep.Rows {
		if len(row.Sides) != 2 || len(row.Sides[1].Rounds) != 2 || row.Ratio == nil || row.Sides[0].Median.P50 <= 0 {
			t.Errorf("%s %s: %+v", row.Suite, row.Name, row)
		}
	}
}

func TestServersThatHoldKeysAreRefused(t *testing.T) {
	if !spawn.Have("redis-server") {
		t.Skip("no redis-server on PATH")
	}
	ctx := context.Background()
	p, err := spawn.Start(ctx, t.TempDir(), []string{"redis-server"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	if err := load.Lay(ctx, p.Addr, load.Strings, load.NewShape(10, 5, 0)); err != nil {
		t.Fatal(err)
	}
	args := []string{"--addr", p.Addr, "--suite", "throughput", "--only", "get", "--rounds", "1", "--duration", "5ms", "--keys", "100"}
	if err := run(ctx, args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "holds 10 keys") {
		t.Errorf("run returned %v", err)
	}
	if n, err := load.Size(ctx, p.Addr); err != nil || n != 10 {
		t.Errorf("%d keys left, %v", n, err)
	}
	var out strings.Builder
	if err := run(ctx, append(args, "--flush"), &out, io.Discard); err != nil || !strings.Contains(out.String(), "GET") {
		t.Errorf("with --flush: %v\n%s", err, out.String())
	}
}

// A run that is interrupted must leave no server behind.
func TestSpawnedServersAreStopped(t *testing.T) {
	if !spawn.Have("redis-server") {
		t.Skip("no redis-server on PATH")
	}
	ctx, cancel := context.WithCancel(context.Background())
	c, err := parseFlags(strings.Fields("--spawn --server-a redis-server"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	targets, err := openTargets(ctx, c, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := closeTargets(targets); err != nil {
		t.Fatal(err)
	}
	for _, tg := range targets {
		if err := syscall.Kill(tg.server.PID, 0); err == nil {
			t.Errorf("process %d still runs", tg.server.PID)
		}
		if _, err := os.Stat(tg.dir); !os.IsNotExist(err) {
			t.Errorf("folder %s is still there", tg.dir)
		}
	}
}
