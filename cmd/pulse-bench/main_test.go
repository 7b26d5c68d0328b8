package main

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
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
		"--addr x --scale 0", "--addr x --scale NaN", "--addr x --scale 1000", "--addr x --gc-rate 0",
		"--addr x --users -1", "--addr x --items 9999999999", "--addr x --payload 2000000", "--addr x --think -1s", "--addr x --rate -1", "--addr x --rate NaN",
		"--addr x --load 0", "--addr x --load 3", "--addr x --warm-up -1s", "--addr x --idle 0", "--addr x --active -1", "--addr x --active-rate 0", "--report f --spawn", "--report f --addr x",
	} {
		if _, err := parseFlags(strings.Fields(bad), io.Discard); err == nil {
			t.Errorf("%q passed", bad)
		}
	}
	c, err := parseFlags(strings.Fields("--spawn --suite all --only get,LPOP,taskqueue"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(c.suites, unreadSuite) || len(c.suites) != len(allSuites)-len(askedSuites) || c.rounds < 5 {
		t.Errorf("%+v", c)
	}
	b := &bench{cfg: c, targets: make([]*target, 2)}
	// GET and LPOP with and without pipelining, handoff, taskqueue twice and the two phases of gc, each in every round; memory and expiry once.
	if got, want := b.steps(), 2*(9*c.rounds+2); got != want {
		t.Errorf("%d steps, want %d", got, want)
	}
}

// One short run of everything against two servers of the same kind.
func TestEndToEnd(t *testing.T) {
	if !spawn.Have("redis-server") {
		t.Skip("no redis-server on PATH")
	}
	file := filepath.Join(t.TempDir(), "r.json")
	args := "--spawn --server-a redis-server --suite throughput,nopipe,handoff,patterns --warm-up 2ms --rounds 2 --requests 400 --duration 20ms --keys 1000 --clients 4 --json " + file
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

// Both servers are offered the same: half of what the slower one did at saturation, which suite patterns or a round for the purpose tells.
func TestPatternsAtARate(t *testing.T) {
	if !spawn.Have("redis-server") {
		t.Skip("no redis-server on PATH")
	}
	dir := t.TempDir()
	for suites, want := range map[string]int{"patterns,patterns-open": 6, "patterns-open": 3, "patterns-open --rate 300": 3} {
		file := filepath.Join(dir, "r.json")
		args := "--spawn --server-a redis-server --rounds 2 --duration 20ms --warm-up 5ms --keys 1000 --clients 4 --users 50 --payload 100" +
			" --only ratelimit-bucket,lock,profile --json " + file + " --html " + filepath.Join(dir, "r.html") + " --suite " + suites
		var out strings.Builder
		if err := run(t.Context(), strings.Fields(args), &out, io.Discard); err != nil {
			t.Fatal(err)
		}
		rep, err := readReport(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(rep.Rows) != want {
			t.Fatalf("%s: %d rows, want %d", suites, len(rep.Rows), want)
		}
		for _, row := range rep.Rows {
			m := row.Sides[1].Median
			if len(row.Sides) != 2 || len(row.Sides[1].Rounds) != 2 || m.P50 <= 0 || runtime.GOOS == "linux" && m.RSS < 1<<20 || row.Does == "" {
				t.Errorf("%s %s: %+v", row.Suite, row.Name, row)
			}
			if row.Name == "profile" && row.Sizes != "50 users, 100 B of payload" {
				t.Errorf("sizes %q", row.Sizes)
			}
			if row.Suite != openSuite {
				continue
			}
			offered := row.Offered
			if want == 6 {
				at := rep.rows(patternsSuite)[slices.IndexFunc(rep.rows(patternsSuite), func(r *Row) bool { return r.Name == row.Name })]
				offered = 0.5 * min(at.Sides[0].Median.Value, at.Sides[1].Median.Value)
			} else if strings.HasSuffix(suites, "300") {
				offered = 300
			}
			if row.Offered < 1 || !near(row.Offered, offered) || !row.LowerIsBetter || m.Value <= 0 {
				t.Errorf("%s: offered %v, want %v; %+v", row.Name, row.Offered, offered, m)
			}
		}
		if page, err := os.ReadFile(filepath.Join(dir, "r.html")); err != nil || !strings.Contains(string(page), "ratelimit-bucket") {
			t.Errorf("no page, %v", err)
		}
	}
}

// The suites for data types, small: everything has its rows, and figures that can be.
func TestTypeSuites(t *testing.T) {
	if !spawn.Have("redis-server") || runtime.GOOS != "linux" {
		t.Skip("needs redis-server on PATH and /proc")
	}
	file := filepath.Join(t.TempDir(), "r.json")
	args := "--spawn --server-a redis-server --suite types-memory,types,gc --scale 0.002 --rounds 2 --duration 20ms --clients 4 --gc-rate 5000" +
		" --only sessions,zrange_100,bitop_and_1m,geosearch_50 --json " + file
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
	want := map[string]int{typesMemorySuite: 2, typesSuite: 3, gcSuite: len(gcPhases) * len(gcFigures)}
	got := map[string]int{}
	for _, row := range rep.Rows {
		got[row.Suite]++
		if len(row.Sides) != 2 || row.Sides[0].Median.Value <= 0 || row.Ratio == nil {
			t.Errorf("%s %s: %+v", row.Suite, row.Name, row)
		}
		if row.Suite != typesMemorySuite && (len(row.Sides[1].Rounds) != 2 || row.Sides[1].Median.P999 <= 0 || row.Sides[1].Rounds[0].Nulls > 0) {
			t.Errorf("%s %s: %+v", row.Suite, row.Name, row)
		}
	}
	if !maps.Equal(got, want) || len(rep.Means) != 3 || len(rep.Skipped) != 0 {
		t.Errorf("rows %v, want %v; %d means; skipped %q\n%s", got, want, len(rep.Means), rep.Skipped, out.String())
	}
}

func TestScriptsSuite(t *testing.T) {
	if !spawn.Have("redis-server") {
		t.Skip("no redis-server on PATH")
	}
	var out strings.Builder
	args := "--spawn --server-a redis-server --suite scripts --rounds 1 --duration 20ms --keys 1000 --clients 4"
	if err := run(t.Context(), strings.Fields(args), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, w := range load.ScriptWorkloads {
		if !strings.Contains(out.String(), w.Name) {
			t.Errorf("no row for %s", w.Name)
		}
	}
	out.Reset()
	err := run(t.Context(), append(strings.Fields(args), "--server-b", "redis-server --rename-command EVALSHA x"), &out, io.Discard)
	if err != nil || !strings.Contains(out.String(), "Not measured: scripts GCRA: B does not know EVALSHA.\n") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestStreamsSuite(t *testing.T) {
	if !spawn.Have("redis-server") {
		t.Skip("no redis-server on PATH")
	}
	var out strings.Builder
	args := strings.Fields("--spawn --server-a redis-server --suite streams --scale 0.01 --rounds 1 --duration 20ms --clients 4")
	if err := run(t.Context(), args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, w := range load.StreamWorkloads {
		if !strings.Contains(out.String(), "streams  "+w.Name+" ") {
			t.Errorf("no row for %s", w.Name)
		}
	}
	for _, r := range streamRows {
		if !strings.Contains(out.String(), "streams  "+r.name+" ") {
			t.Errorf("no row for %s", r.name)
		}
	}
	if strings.Contains(out.String(), "null replies") || !strings.Contains(out.String(), "XREADGROUP_XACK_8: 8 clients") {
		t.Errorf("%s", out.String())
	}
	out.Reset()
	err := run(t.Context(), append(args, "--only", "xadd_handoff,xrange_100", "--server-b", "redis-server --rename-command XACK x"), &out, io.Discard)
	if err != nil || !strings.Contains(out.String(), "Not measured: streams XADD to XREADGROUP: B does not know XACK.\n") ||
		!strings.Contains(out.String(), "XRANGE_100") || strings.Contains(out.String(), "XADD_MAXLEN") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestPersistenceSuite(t *testing.T) {
	if !spawn.Have("redis-server") || runtime.GOOS != "linux" {
		t.Skip("needs redis-server on PATH and /proc")
	}
	var out strings.Builder
	args := "--spawn --server-a redis-server --suite persistence --scale 0.001 --rounds 1 --duration 20ms --keys 1000 --clients 4"
	if err := run(t.Context(), strings.Fields(args), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"SET, appendfsync everysec", "SET, appendfsync always", "BGSAVE under 20k writes/s, slowest reply", "BGSAVE, more memory",
		"load the RDB file of A", "load the RDB file of B", "load the append-only file of A", "load the append-only file of B"} {
		if !strings.Contains(out.String(), "persistence  "+name) {
			t.Errorf("no row %q", name)
		}
	}
	if strings.Contains(out.String(), "Not measured") {
		t.Error(out.String())
	}
}

// What a server does not know is left out with a line, and a server that was there is not weighed.
func TestWhatCannotRunIsSaid(t *testing.T) {
	if !spawn.Have("redis-server") {
		t.Skip("no redis-server on PATH")
	}
	args := "--spawn --server-b= --suite types,gc --scale 0.001 --rounds 1 --duration 5ms --clients 2 --gc-rate 4000 --only pfcount,zrank"
	var out strings.Builder
	err := run(t.Context(), append(strings.Fields(args), "--server-a", "redis-server --rename-command PFCOUNT x"), &out, io.Discard)
	if err != nil || !strings.Contains(out.String(), "Not measured: types PFCOUNT: A does not know PFCOUNT.\n") ||
		!strings.Contains(out.String(), "ZRANK") || strings.Contains(out.String(), "Not measured: types ZRANK") {
		t.Errorf("%v\n%s", err, out.String())
	}
	p, err := spawn.Start(t.Context(), t.TempDir(), []string{"redis-server"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	out.Reset()
	if err := run(t.Context(), []string{"--addr", p.Addr, "--suite", "types-memory"}, &out, io.Discard); err != nil || !strings.Contains(out.String(), "--spawn") {
		t.Errorf("%v\n%s", err, out.String())
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
