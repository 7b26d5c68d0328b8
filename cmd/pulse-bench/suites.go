package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/streampulse/pulse/bench/load"
)

const (
	handoffLength    = time.Second
	expirySpread     = 3 * time.Second
	nopipeSuite      = "nopipe"
	popsPerSecond    = 2_000_000 // how many elements are laid in for a second of LPOP
	maxPopSupply     = 10_000_000
	clientBoundShare = 0.95 // of its threads' time; above it the client is what limits throughput
)

// nopipeWorkloads are the ones run without pipelining.
var nopipeWorkloads = []string{"SET", "GET", "INCR", "LPUSH", "LPOP", "SADD", "HSET", "ZADD", "ZINCRBY"}

// bench runs suites against targets.
type bench struct {
	cfg      *config
	targets  []*target
	progress *progress
	report   report
}

func (b *bench) run(ctx context.Context) (*report, error) {
	b.report = newReport(b.cfg, b.targets)
	b.progress.total = b.steps()
	for _, s := range b.cfg.suites {
		var err error
		switch s {
		case "throughput":
			err = b.commands(ctx, s, b.cfg.pipeline, b.workloads(s), b.shape())
		case nopipeSuite:
			err = b.commands(ctx, s, 1, b.workloads(s), b.shape())
		case "handoff":
			err = b.handoff(ctx)
		case patternsSuite:
			err = b.patterns(ctx)
		case openSuite:
			err = b.patternsOpen(ctx)
		case "memory":
			err = b.memory(ctx)
		case "expiry":
			err = b.expiry(ctx)
		case typesMemorySuite:
			err = b.typesMemory(ctx)
		case typesSuite:
			err = b.types(ctx)
		case gcSuite:
			err = b.gc(ctx)
		case scriptsSuite:
			err = b.scripts(ctx)
		case streamsSuite:
			err = b.streams(ctx)
		case persistenceSuite:
			err = b.persistence(ctx)
		case connectionsSuite:
			err = b.connections(ctx)
		case unreadSuite:
			err = b.unread(ctx)
		}
		if err != nil {
			return &b.report, fmt.Errorf("suite %s: %w", s, err)
		}
	}
	return &b.report, nil
}

// wanted says whether --only, in lower case, lets something of that name run.
func (b *bench) wanted(name string) bool {
	return len(b.cfg.only) == 0 || slices.Contains(b.cfg.only, strings.ToLower(name))
}

// workloads returns what a suite of single commands runs.
func (b *bench) workloads(suite string) []load.Workload {
	all := load.Workloads
	switch suite {
	case typesSuite:
		all = load.TypeWorkloads
	case scriptsSuite:
		all = load.ScriptWorkloads
	case streamsSuite:
		all = load.StreamWorkloads
	}
	return slices.DeleteFunc(slices.Clone(all), func(w load.Workload) bool {
		return !b.wanted(w.Name) || suite == nopipeSuite && !slices.Contains(nopipeWorkloads, w.Name)
	})
}

// shape is the data of suites throughput, nopipe and scripts.
func (b *bench) shape() load.Shape {
	supply := uint64(min(maxPopSupply, b.cfg.duration.Seconds()*popsPerSecond))
	if b.cfg.requests > 0 {
		supply = min(maxPopSupply, uint64(b.cfg.requests)*5/4)
	}
	return load.NewShape(b.cfg.keys, b.cfg.valueSize, supply)
}

// steps counts the measurements to come, for the progress line.
func (b *bench) steps() int {
	n := 0
	for _, s := range b.cfg.suites {
		switch s {
		case "throughput", nopipeSuite, typesSuite, scriptsSuite:
			n += b.cfg.rounds * len(b.workloads(s))
		case streamsSuite:
			n += b.cfg.rounds * (len(b.workloads(s)) + len(b.streamRows()))
		case persistenceSuite:
			n += b.persistenceSteps()
		case patternsSuite:
			n += b.cfg.rounds * len(b.wantedPatterns())
		case openSuite:
			n += (b.cfg.rounds + b.calibrations()) * len(b.wantedPatterns())
		case "handoff", unreadSuite:
			n += b.cfg.rounds
		case connectionsSuite:
			if b.wanted(connectionsSuite) {
				n += b.cfg.rounds
			}
		case gcSuite:
			n += b.cfg.rounds * len(gcPhases)
		case typesMemorySuite:
			n += b.weighings() * len(b.holdings())
		default:
			n++
		}
	}
	return n * len(b.targets)
}

// rounds runs measure on each target in turn, cfg.rounds times, changing who goes first, and returns the rounds by target.
func (b *bench) rounds(ctx context.Context, name string, times int, measure func(ctx context.Context, t *target) (Round, error)) ([][]Round, error) {
	out := make([][]Round, len(b.targets))
	for r := range times {
		for k := range b.targets {
			i := (k + r) % len(b.targets)
			t := b.targets[i]
			b.progress.step("%s  round %d/%d  %s", name, r+1, times, t.name)
			round, err := measure(ctx, t)
			if err != nil {
				return nil, t.explain(err)
			}
			out[i] = append(out[i], round)
		}
	}
	return out, nil
}

// timed runs a load and turns what it measured, and the processor time it cost, into a round.
func (b *bench) timed(t *target, threads int, work func() (*load.Result, error)) (Round, error) {
	server0, client0 := cpuOf(t.server.PID), cpuOf(os.Getpid())
	r, err := work()
	if err != nil {
		return Round{}, err
	}
	server1, client1 := cpuOf(t.server.PID), cpuOf(os.Getpid())
	n := float64(max(1, r.Requests))
	round := Round{
		Value: r.PerSecond(),
		P50:   micros(r.Lat.Quantile(0.50)),
		P99:   micros(r.Lat.Quantile(0.99)),
		P999:  micros(r.Lat.Quantile(0.999)),
		Nulls: r.Nulls,
	}
	if server0 >= 0 && server1 >= 0 {
		round.CPU = micros(server1-server0) / n
	}
	if client0 >= 0 && client1 >= 0 && r.Elapsed > 0 {
		round.ClientShare = float64(client1-client0) / float64(r.Elapsed) / float64(threads)
	}
	return round, nil
}

// cpuOf returns -1 when the processor time of pid cannot be known.
func cpuOf(pid int) time.Duration {
	if pid <= 0 {
		return -1
	}
	d, err := load.CPU(pid)
	if err != nil {
		return -1
	}
	return d
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// commands runs single-command workloads.
func (b *bench) commands(ctx context.Context, suite string, pipeline int, workloads []load.Workload, shape load.Shape) error {
	opts := load.Options{Clients: b.cfg.clients, Pipeline: pipeline, Threads: b.cfg.threads, Duration: b.cfg.duration, Requests: b.cfg.requests, Seed: 1}
	laid := load.Dataset("")
	for _, w := range workloads {
		if w.Data != laid || w.Data == load.Empty {
			for _, t := range b.targets {
				b.progress.note("%s %s  preparing %s", suite, w.Name, t.name)
				if err := lay(ctx, t, w.Data, shape); err != nil {
					return t.explain(err)
				}
			}
			laid = w.Data
		}
		for _, t := range b.targets {
			if err := w.LoadScript(ctx, t.server.Addr); err != nil {
				return t.explain(err)
			}
			warm := opts
			warm.Duration, warm.Requests = min(max(b.cfg.warmUp, time.Millisecond), b.cfg.duration), 0
			if _, err := w.Run(ctx, t.server.Addr, shape, warm); err != nil {
				return t.explain(err)
			}
		}
		rounds, err := b.rounds(ctx, suite+" "+w.Name, b.cfg.rounds, func(ctx context.Context, t *target) (Round, error) {
			if w.Fresh {
				if err := lay(ctx, t, w.Data, shape); err != nil {
					return Round{}, err
				}
			}
			opts.Seed++
			return b.timed(t, opts.Threads, func() (*load.Result, error) { return w.Run(ctx, t.server.Addr, shape, opts) })
		})
		if err != nil {
			return err
		}
		row := Row{Suite: suite, Name: w.Name, Unit: "ops/s"}
		if n := w.Clients(b.cfg.clients); n != b.cfg.clients {
			row.Clients = n
		}
		b.report.add(row, rounds)
	}
	return nil
}

func lay(ctx context.Context, t *target, d load.Dataset, s load.Shape) error {
	if err := load.Flush(ctx, t.server.Addr); err != nil {
		return err
	}
	return load.Lay(ctx, t.server.Addr, d, s)
}

// handoff reports the median and tail of LPUSH to a waiting BRPOP; its value is the median latency.
func (b *bench) handoff(ctx context.Context) error {
	if err := b.flushAll(ctx); err != nil {
		return err
	}
	rounds, err := b.rounds(ctx, "handoff", b.cfg.rounds, func(ctx context.Context, t *target) (Round, error) {
		r, err := b.timed(t, 1, func() (*load.Result, error) {
			return load.Handoff(ctx, t.server.Addr, min(handoffLength, b.cfg.duration))
		})
		r.Value = r.P50
		return r, err
	})
	if err != nil {
		return err
	}
	b.report.add(Row{Suite: "handoff", Name: "LPUSH to BRPOP", Unit: "us", LowerIsBetter: true}, rounds)
	return nil
}

// memory and expiry take long and vary little, so they run once.
func (b *bench) memory(ctx context.Context) error {
	results := make([]*load.MemoryResult, len(b.targets))
	for i, t := range b.targets {
		b.progress.step("memory  %d keys  %s", b.cfg.memoryKeys, t.name)
		if err := t.fresh(ctx); err != nil {
			return t.explain(err)
		}
		var err error
		if results[i], err = load.Memory(ctx, t.server.Addr, t.server.PID, b.cfg.memoryKeys); err != nil {
			return t.explain(err)
		}
		if err := t.fresh(ctx); err != nil {
			return t.explain(err)
		}
	}
	for _, m := range []struct {
		name, unit string
		of         func(*load.MemoryResult) float64
	}{
		{"RSS after load", "B/key", func(m *load.MemoryResult) float64 { return m.Loaded }},
		{"RSS peak of load", "B/key", func(m *load.MemoryResult) float64 { return m.LoadedPeak }},
		{"RSS after overwriting twice", "B/key", func(m *load.MemoryResult) float64 { return m.Overwritten }},
		{"time to load", "s", func(m *load.MemoryResult) float64 { return m.LoadTime.Seconds() }},
		{"time to overwrite twice", "s", func(m *load.MemoryResult) float64 { return m.OverwriteTime.Seconds() }},
	} {
		rounds := make([][]Round, len(results))
		for i, r := range results {
			rounds[i] = []Round{{Value: m.of(r)}}
		}
		b.report.add(Row{Suite: "memory", Name: m.name, Unit: m.unit, LowerIsBetter: true}, rounds)
	}
	return nil
}

func (b *bench) expiry(ctx context.Context) error {
	results := make([]*load.ExpiryResult, len(b.targets))
	for i, t := range b.targets {
		b.progress.step("expiry  %d keys  %s", b.cfg.expiryKeys, t.name)
		err := load.Flush(ctx, t.server.Addr)
		if err == nil {
			results[i], err = load.ExpiryLag(ctx, t.server.Addr, b.cfg.expiryKeys, expirySpread)
		}
		if err != nil {
			return t.explain(err)
		}
	}
	for _, q := range []struct {
		name string
		q    float64
	}{{"expiry lag p50", 0.5}, {"expiry lag p99", 0.99}, {"expiry lag max", 1}} {
		rounds := make([][]Round, len(results))
		for i, r := range results {
			rounds[i] = []Round{{Value: micros(r.Lag.Quantile(q.q)) / 1000}}
		}
		b.report.add(Row{Suite: "expiry", Name: q.name, Unit: "ms", LowerIsBetter: true}, rounds)
	}
	return b.flushAll(ctx)
}

func (b *bench) flushAll(ctx context.Context) error {
	for _, t := range b.targets {
		if err := load.Flush(ctx, t.server.Addr); err != nil {
			return t.explain(err)
		}
	}
	return nil
}
