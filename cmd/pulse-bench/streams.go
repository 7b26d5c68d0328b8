package main

import (
	"context"

	"github.com/streampulse/pulse/bench/load"
)

const streamConsumers = 8

// A streamRow is a part of suite streams that is not a command sent over and over.
type streamRow struct {
	name, id string // id as --only has it
	commands []string
	measure  func(b *bench, ctx context.Context, t *target) (Round, error)
	row      Row
}

// streamRows come after the workloads.
var streamRows = []streamRow{
	{
		name: "XREADGROUP_XACK_8", id: "xreadgroup_xack_8", commands: load.ConsumeCommands, measure: (*bench).consume,
		row: Row{Suite: streamsSuite, Name: "XREADGROUP_XACK_8", Unit: "entries/s", Clients: streamConsumers},
	},
	{
		name: "XADD to XREADGROUP", id: "xadd_handoff", commands: load.ConsumeCommands, measure: (*bench).streamHandoff,
		row: Row{Suite: streamsSuite, Name: "XADD to XREADGROUP", Unit: "us", LowerIsBetter: true},
	},
}

func (b *bench) streamRows() []streamRow {
	var out []streamRow
	for _, r := range streamRows {
		if b.wanted(r.id) {
			out = append(out, r)
		}
	}
	return out
}

// streams runs commands on streams, a group of consumers, and hand-offs to one that waits.
func (b *bench) streams(ctx context.Context) error {
	shape := b.streamShape()
	if err := b.ableCommands(ctx, streamsSuite, shape); err != nil {
		return err
	}
	for _, r := range b.streamRows() {
		ok, err := b.able(ctx, streamsSuite+" "+r.name, r.commands)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		for _, t := range b.targets {
			b.progress.note("%s %s  preparing %s", streamsSuite, r.name, t.name)
			if err := lay(ctx, t, load.Log, shape); err != nil {
				return t.explain(err)
			}
		}
		rounds, err := b.rounds(ctx, streamsSuite+" "+r.name, b.cfg.rounds, func(ctx context.Context, t *target) (Round, error) {
			return r.measure(b, ctx, t)
		})
		if err != nil {
			return err
		}
		b.report.add(r.row, rounds)
	}
	return b.flushAll(ctx)
}

func (b *bench) streamShape() load.Shape { return load.StreamShape(b.cfg.scale, b.cfg.valueSize) }

func (b *bench) consume(ctx context.Context, t *target) (Round, error) {
	return b.timed(t, b.cfg.threads, func() (*load.Result, error) {
		return load.Consume(ctx, t.server.Addr, streamConsumers, b.cfg.threads, b.cfg.duration)
	})
}

// streamHandoff reports as its value the median latency, as handoff does.
func (b *bench) streamHandoff(ctx context.Context, t *target) (Round, error) {
	r, err := b.timed(t, 1, func() (*load.Result, error) {
		return load.HandoffStream(ctx, t.server.Addr, min(handoffLength, b.cfg.duration))
	})
	r.Value = r.P50
	return r, err
}
