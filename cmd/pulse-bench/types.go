package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/streampulse/pulse/bench/load"
)

// The suites for data types, scripts and streams: what a server may not know of.
const (
	typesMemorySuite = "types-memory"
	typesSuite       = "types"
	gcSuite          = "gc"
	scriptsSuite     = "scripts"
	streamsSuite     = "streams"
)

const (
	maxWeighings = 2
	gcKeys       = 5_000_000 // at scale 1
	gcLength     = 4         // a round of suite gc takes as many times --duration
	gcPurgeEvery = 200 * time.Millisecond
)

// gcPhases are the circumstances under which suite gc asks.
var gcPhases = []struct {
	name  string
	purge bool // MEMORY PURGE, which makes a Go server collect everything, all the time
}{{"undisturbed", false}, {"during MEMORY PURGE", true}}

// able says whether both servers know the commands, and notes what is left out when one does not.
func (b *bench) able(ctx context.Context, what string, commands []string) (bool, error) {
	for _, t := range b.targets {
		missing, err := load.Missing(ctx, t.server.Addr, commands...)
		if err != nil {
			return false, t.explain(err)
		}
		if len(missing) > 0 {
			slices.Sort(missing)
			b.skip("%s: %s does not know %s.", what, t.name, strings.Join(slices.Compact(missing), ", "))
			return false, nil
		}
	}
	return true, nil
}

// skip notes that something is not measured, and why.
func (b *bench) skip(format string, args ...any) {
	b.report.Skipped = append(b.report.Skipped, fmt.Sprintf(format, args...))
}

// holdings returns what suite types-memory weighs.
func (b *bench) holdings() []load.Holding {
	var out []load.Holding
	for _, h := range load.Holdings {
		if b.wanted(h.ID) {
			out = append(out, h.Scale(b.cfg.scale))
		}
	}
	return out
}

// typesMemory weighs each holding in servers just started.
func (b *bench) typesMemory(ctx context.Context) error {
	if !b.cfg.spawn {
		b.skip("suite %s: it weighs servers just started, which --spawn does.", typesMemorySuite)
		return nil
	}
	holdings := b.holdings()
	if len(holdings) == 0 {
		return nil
	}
	purging, err := b.purging(ctx)
	if err != nil {
		return err
	}
	for i, p := range purging {
		if !p {
			b.skip("%s, full collections of %s: it does not know MEMORY PURGE and was only given time.", typesMemorySuite, b.targets[i].name)
		}
	}
	for _, h := range holdings {
		ok, err := b.able(ctx, typesMemorySuite+" "+h.Name(), h.Commands())
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := b.weigh(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// weigh adds the two rows of h.
func (b *bench) weigh(ctx context.Context, h load.Holding) error {
	loaded := make([][]Round, len(b.targets))
	collected, err := b.rounds(ctx, typesMemorySuite+"  "+h.Name(), b.weighings(), func(ctx context.Context, t *target) (Round, error) {
		if err := t.fresh(ctx); err != nil {
			return Round{}, err
		}
		w, err := h.Weigh(ctx, t.server.Addr, t.server.PID, b.quiet())
		if err != nil {
			return Round{}, err
		}
		i := slices.Index(b.targets, t)
		loaded[i] = append(loaded[i], Round{Value: w.Loaded})
		return Round{Value: w.Collected}, t.fresh(ctx)
	})
	if err != nil {
		return err
	}
	for _, m := range []struct {
		mean   string
		rounds [][]Round
	}{{"after the load", loaded}, {"collected", collected}} {
		b.report.add(Row{Suite: typesMemorySuite, Name: h.Name() + ", " + m.mean, Unit: h.Unit(), LowerIsBetter: true, Mean: m.mean}, m.rounds)
	}
	return nil
}

// weighings is how often each holding is weighed: sizes vary less than speeds.
func (b *bench) weighings() int { return min(maxWeighings, b.cfg.rounds) }

// quiet is for how long the size of a server must not have changed to be taken for its size. Little data is collected soon.
func (b *bench) quiet() time.Duration {
	return min(time.Second, max(100*time.Millisecond, time.Duration(4*b.cfg.scale*float64(time.Second))))
}

// purging says which targets know MEMORY PURGE.
func (b *bench) purging(ctx context.Context) ([]bool, error) {
	out := make([]bool, len(b.targets))
	for i, t := range b.targets {
		missing, err := load.Missing(ctx, t.server.Addr, "MEMORY PURGE")
		if err != nil {
			return nil, t.explain(err)
		}
		out[i] = len(missing) == 0
	}
	return out, nil
}

// types runs single commands on large values.
func (b *bench) types(ctx context.Context) error {
	return b.ableCommands(ctx, typesSuite, load.TypeShape(b.cfg.scale, b.cfg.valueSize))
}

// scripts runs scripts on many keys.
func (b *bench) scripts(ctx context.Context) error {
	return b.ableCommands(ctx, scriptsSuite, b.shape())
}

// ableCommands runs the workloads of a suite that both servers know the commands of.
func (b *bench) ableCommands(ctx context.Context, suite string, shape load.Shape) error {
	var run []load.Workload
	for _, w := range b.workloads(suite) {
		ok, err := b.able(ctx, suite+" "+w.Name, w.Commands())
		if err != nil {
			return err
		}
		if ok {
			run = append(run, w)
		}
	}
	if err := b.commands(ctx, suite, b.cfg.pipeline, run, shape); err != nil {
		return err
	}
	return b.flushAll(ctx)
}

// gc asks servers full of data at a fixed rate, and sees what collections do to the slowest replies.
func (b *bench) gc(ctx context.Context) error {
	keys := max(1000, uint64(gcKeys*b.cfg.scale))
	board, _ := load.FindHolding("zset")
	board = board.Scale(b.cfg.scale)
	for _, t := range b.targets {
		b.progress.note("%s  preparing %s", gcSuite, t.name)
		err := t.fresh(ctx)
		if err == nil {
			err = load.Lay(ctx, t.server.Addr, load.Strings, load.NewShape(keys, b.cfg.valueSize, 0))
		}
		if err == nil {
			_, err = board.Fill(ctx, t.server.Addr)
		}
		if err != nil {
			return t.explain(err)
		}
	}
	purging, err := b.purging(ctx)
	if err != nil {
		return err
	}
	for _, phase := range gcPhases {
		if i := slices.Index(purging, false); phase.purge && i >= 0 {
			b.skip("%s GET %s: %s does not know MEMORY PURGE.", gcSuite, phase.name, b.targets[i].name)
			continue
		}
		if err := b.gcPhase(ctx, phase.name, phase.purge, keys); err != nil {
			return err
		}
	}
	for _, t := range b.targets {
		if err := t.fresh(ctx); err != nil {
			return t.explain(err)
		}
	}
	return nil
}

// gcFigures are the rows of a phase, each a figure of one and the same rounds.
var gcFigures = []struct {
	name string
	of   func(*load.OpenResult) time.Duration
}{
	{"p99", func(r *load.OpenResult) time.Duration { return r.Lat.Quantile(0.99) }},
	{"p99.9", func(r *load.OpenResult) time.Duration { return r.Lat.Quantile(0.999) }},
	{"max", func(r *load.OpenResult) time.Duration { return r.Lat.Quantile(1) }},
	// What the client itself was late by bounds what the rows above can tell.
	{"client late p99.9", func(r *load.OpenResult) time.Duration { return r.Late.Quantile(0.999) }},
}

func (b *bench) gcPhase(ctx context.Context, name string, purge bool, keys uint64) error {
	figures := make([][][]Round, len(gcFigures)) // by figure and target
	for f := range figures {
		figures[f] = make([][]Round, len(b.targets))
	}
	opts := load.OpenOptions{Clients: b.cfg.clients, Rate: b.cfg.gcRate, Duration: gcLength * b.cfg.duration, Keys: keys}
	_, err := b.rounds(ctx, gcSuite+" "+name, b.cfg.rounds, func(ctx context.Context, t *target) (Round, error) {
		opts.Seed++
		var r *load.OpenResult
		round, err := b.timed(t, 1, func() (*load.Result, error) {
			stop := func() error { return nil }
			if purge {
				stop = keepPurging(ctx, t.server.Addr)
			}
			var err error
			r, err = load.OpenLoop(ctx, t.server.Addr, opts)
			if stopErr := stop(); err == nil {
				err = stopErr
			}
			if err != nil {
				return nil, err
			}
			return &r.Result, nil
		})
		if err != nil {
			return Round{}, err
		}
		i := slices.Index(b.targets, t)
		for f, figure := range gcFigures {
			round.Value = micros(figure.of(r))
			figures[f][i] = append(figures[f][i], round)
		}
		return round, nil
	})
	if err != nil {
		return err
	}
	for f, figure := range gcFigures {
		b.report.add(Row{Suite: gcSuite, Name: "GET " + name + ", " + figure.name, Unit: "us", LowerIsBetter: true}, figures[f])
	}
	return nil
}

// keepPurging sends MEMORY PURGE time and again until the function returned is called, which gives its error.
func keepPurging(ctx context.Context, addr string) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	var err error
	wg.Go(func() {
		tick := time.NewTicker(gcPurgeEvery)
		defer tick.Stop()
		for ctx.Err() == nil {
			if e := load.Purge(ctx, addr); e != nil && ctx.Err() == nil {
				err = e
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	return func() error {
		cancel()
		wg.Wait()
		return err
	}
}
