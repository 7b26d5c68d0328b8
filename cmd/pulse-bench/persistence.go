package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/streampulse/pulse/bench/load"
	"github.com/streampulse/pulse/bench/spawn"
)

// Suite persistence measures what keeping data in files costs. It starts servers of its own, in folders of their own,
// because each part wants other options. Everything is on the disk that holds the temporary folder.
const persistenceSuite = "persistence"

const (
	savedKeys  = 5_000_000 // at scale 1
	savedRate  = 20_000    // writes per second during a BGSAVE
	saveLead   = 500 * time.Millisecond
	saveWithin = 5 * time.Minute
	maxReloads = 3
)

// persistenceParts are the parts of the suite, as --only names them.
var persistenceParts = []string{"set_everysec", "set_always", "bgsave", "load_rdb", "load_aof"}

// appending turns the append-only file on, and has it stay as it is written.
var appending = []string{"--appendonly", "yes", "--auto-aof-rewrite-percentage", "0"}

// logged are SETs that go to the append-only file.
var logged = []struct {
	part, name, fsync string
	pipelined         bool
}{
	{"set_everysec", "SET, appendfsync everysec", "everysec", true},
	{"set_always", "SET, appendfsync always, no pipeline", "always", false},
}

func (b *bench) persistence(ctx context.Context) error {
	if !b.cfg.spawn {
		b.skip("suite %s: it needs servers started with files, which --spawn does.", persistenceSuite)
		return nil
	}
	for _, w := range logged {
		if !b.wanted(w.part) {
			continue
		}
		pipeline := 1
		if w.pipelined {
			pipeline = b.cfg.pipeline
		}
		if err := b.logged(ctx, w.name, pipeline, append(slices.Clone(appending), "--appendfsync", w.fsync)); err != nil {
			return err
		}
	}
	if b.wanted("bgsave") {
		if err := b.background(ctx); err != nil {
			return err
		}
	}
	if b.wanted("load_rdb") {
		if err := b.reload(ctx, "RDB file", "rdb", nil); err != nil {
			return err
		}
	}
	if b.wanted("load_aof") {
		return b.reload(ctx, "append-only file", "aof", appending)
	}
	return nil
}

// persistenceSteps counts measurements.
func (b *bench) persistenceSteps() (n int) {
	for _, part := range persistenceParts {
		switch {
		case !b.wanted(part):
		case part == "bgsave":
			n++
		case part == "load_rdb", part == "load_aof":
			n += b.reloads() * len(b.targets)
		default:
			n += b.cfg.rounds
		}
	}
	return n
}

func (b *bench) reloads() int { return min(maxReloads, b.cfg.rounds) }

// savedShape is the data that are saved and loaded.
func (b *bench) savedShape() load.Shape {
	return load.NewShape(max(1000, uint64(savedKeys*b.cfg.scale)), b.cfg.valueSize, 0)
}

// starts runs t's program with files in a folder of that name under t's own.
func (t *target) starts(ctx context.Context, folder string, options ...string) (*spawn.Process, error) {
	dir := filepath.Join(t.dir, folder)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return spawn.StartWith(ctx, dir, t.command, options...)
}

// as runs f with the process p in the place of t's own.
func (t *target) as(p *spawn.Process, f func() error) error {
	proc, server := t.proc, t.server
	t.proc = p
	t.server.Addr, t.server.PID = p.Addr, p.PID
	err := f()
	t.proc, t.server = proc, server
	return err
}

// logged measures SETs while all are written to a file.
func (b *bench) logged(ctx context.Context, name string, pipeline int, options []string) (err error) {
	shape := b.shape()
	set, _ := load.Find("SET")
	opts := load.Options{Clients: b.cfg.clients, Pipeline: pipeline, Threads: b.cfg.threads, Duration: b.cfg.duration, Requests: b.cfg.requests, Seed: 1}
	procs := make([]*spawn.Process, len(b.targets))
	const folder = "logged"
	defer func() {
		for i, p := range procs {
			if p != nil {
				err = errors.Join(err, p.Stop())
			}
			err = errors.Join(err, os.RemoveAll(filepath.Join(b.targets[i].dir, folder)))
		}
	}()
	for i, t := range b.targets {
		b.progress.note("%s %s  preparing %s", persistenceSuite, name, t.name)
		if procs[i], err = t.starts(ctx, folder, options...); err == nil {
			err = load.Lay(ctx, procs[i].Addr, set.Data, shape)
		}
		if err != nil {
			return t.explain(err)
		}
	}
	rounds, err := b.rounds(ctx, persistenceSuite+" "+name, b.cfg.rounds, func(ctx context.Context, t *target) (r Round, err error) {
		opts.Seed++
		err = t.as(procs[slices.Index(b.targets, t)], func() error {
			r, err = b.timed(t, opts.Threads, func() (*load.Result, error) { return set.Run(ctx, t.server.Addr, shape, opts) })
			return err
		})
		return r, err
	})
	if err == nil {
		b.report.add(Row{Suite: persistenceSuite, Name: name, Unit: "ops/s"}, rounds)
	}
	return err
}

// backgroundFigures are the rows of a BGSAVE under writes.
var backgroundFigures = []struct {
	name, unit string
	of         func(*load.BackgroundResult) float64
}{
	{"BGSAVE under 20k writes/s, slowest reply", "ms", func(r *load.BackgroundResult) float64 { return micros(r.Saving.Lat.Quantile(1)) / 1000 }},
	{"the same without BGSAVE", "ms", func(r *load.BackgroundResult) float64 { return micros(r.Calm.Lat.Quantile(1)) / 1000 }},
	// What the client itself was late by bounds what the rows above can tell.
	{"BGSAVE, client late at most", "ms", func(r *load.BackgroundResult) float64 { return micros(r.Saving.Late.Quantile(1)) / 1000 }},
	{"BGSAVE, p99.9 of replies", "ms", func(r *load.BackgroundResult) float64 { return micros(r.Saving.Lat.Quantile(0.999)) / 1000 }},
	{"BGSAVE, time", "s", func(r *load.BackgroundResult) float64 { return r.Took.Seconds() }},
	{"BGSAVE, more memory", "% of data", func(r *load.BackgroundResult) float64 { return 100 * float64(r.Extra) / float64(max(r.Data, 1)) }},
}

// background saves while others write. What it leaves is what reload loads.
func (b *bench) background(ctx context.Context) error {
	shape := b.savedShape()
	figures := make([][][]Round, len(backgroundFigures))
	for _, t := range b.targets {
		b.progress.step("%s BGSAVE of %d keys  %s", persistenceSuite, shape.Keys, t.name)
		r, err := b.backgroundOf(ctx, t, shape)
		if err != nil {
			return t.explain(err)
		}
		for f, figure := range backgroundFigures {
			figures[f] = append(figures[f], []Round{{Value: figure.of(r)}})
		}
	}
	for f, figure := range backgroundFigures {
		b.report.add(Row{Suite: persistenceSuite, Name: figure.name, Unit: figure.unit, LowerIsBetter: true}, figures[f])
	}
	return nil
}

func (b *bench) backgroundOf(ctx context.Context, t *target, shape load.Shape) (r *load.BackgroundResult, err error) {
	p, err := t.starts(ctx, "rdb")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	if err := load.Lay(ctx, p.Addr, load.Strings, shape); err != nil {
		return nil, err
	}
	opts := load.OpenOptions{Clients: b.cfg.clients, Rate: savedRate, Keys: shape.Keys, ValueSize: b.cfg.valueSize, Seed: 1}
	return load.Background(ctx, p.Addr, p.PID, load.BackgroundOptions{OpenOptions: opts, Lead: saveLead, Within: saveWithin})
}

// reload measures how long each server takes to be ready with data that it, and the others, have written.
func (b *bench) reload(ctx context.Context, what, folder string, options []string) error {
	shape := b.savedShape()
	for _, t := range b.targets {
		b.progress.note("%s  preparing the %s of %s", persistenceSuite, what, t.name)
		if err := t.write(ctx, folder, options, shape); err != nil {
			return t.explain(err)
		}
	}
	for _, from := range b.targets {
		rounds, err := b.rounds(ctx, persistenceSuite+" load the "+what+" of "+from.name, b.reloads(), func(ctx context.Context, t *target) (Round, error) {
			p, err := spawn.StartWith(ctx, filepath.Join(from.dir, folder), t.command, options...)
			if err != nil {
				return Round{}, err
			}
			r := Round{Value: p.Took.Seconds()}
			if cpu := cpuOf(p.PID); cpu > 0 {
				r.CPU = micros(cpu) / float64(shape.Keys)
			}
			n, err := load.Size(ctx, p.Addr)
			if err == nil && n != shape.Keys {
				b.skip("%s, the %s of %s: %s has %d keys of %d.", persistenceSuite, what, from.name, t.name, n, shape.Keys)
			}
			return r, errors.Join(err, p.Stop())
		})
		if err != nil {
			return err
		}
		b.report.add(Row{Suite: persistenceSuite, Name: "load the " + what + " of " + from.name, Unit: "s", LowerIsBetter: true}, rounds)
	}
	for _, t := range b.targets {
		if err := os.RemoveAll(filepath.Join(t.dir, folder)); err != nil {
			return err
		}
	}
	return nil
}

// write has t make the files of reload, unless background has left them.
func (t *target) write(ctx context.Context, folder string, options []string, shape load.Shape) (err error) {
	if info, err := os.Stat(filepath.Join(t.dir, folder, "dump.rdb")); err == nil && info.Size() > 0 {
		return nil
	}
	p, err := t.starts(ctx, folder, options...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	if err := load.Lay(ctx, p.Addr, load.Strings, shape); err != nil || len(options) > 0 {
		return err
	}
	return load.Save(ctx, p.Addr)
}
