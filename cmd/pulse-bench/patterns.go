package main

import (
	"context"
	"runtime"
	"slices"

	"github.com/streampulse/pulse/bench/load"
)

const (
	patternsSuite  = "patterns"
	openSuite      = "patterns-open"
	patternClients = 32
)

func (b *bench) wantedPatterns() []load.Pattern {
	var out []load.Pattern
	for _, p := range load.Patterns {
		if b.wanted(p.Name) {
			out = append(out, b.sized(p))
		}
	}
	return out
}

// sized gives p the sizes asked for. The users of the large leaderboard are its keys.
func (b *bench) sized(p load.Pattern) load.Pattern {
	s := b.cfg.sizes
	if s.Users == 0 && p.Name == load.RankingPattern {
		s.Users = int(min(b.cfg.keys, load.MaxUsers))
	}
	return p.Sized(s)
}

// ablePatterns are those wanted whose commands both servers know.
func (b *bench) ablePatterns(ctx context.Context, suite string) ([]load.Pattern, error) {
	var out []load.Pattern
	for _, p := range b.wantedPatterns() {
		ok, err := b.able(ctx, suite+" "+p.Name, p.Commands)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, p)
		}
	}
	return out, nil
}

// patterns has clients go as fast as they can: each begins its next operation at the end of the last one.
func (b *bench) patterns(ctx context.Context) error {
	ps, err := b.ablePatterns(ctx, patternsSuite)
	if err != nil {
		return err
	}
	for _, p := range ps {
		rounds, err := b.patternRounds(ctx, patternsSuite, p, load.Pace{Think: b.cfg.think})
		if err != nil {
			return err
		}
		b.report.add(Row{Suite: patternsSuite, Name: p.Name, Unit: "ops/s", Does: p.Does, Sizes: p.Sizes().String()}, rounds)
	}
	return b.flushAll(ctx)
}

// patternsOpen offers both servers the same operations at the same times. The value of a row is its p99.
func (b *bench) patternsOpen(ctx context.Context) error {
	ps, err := b.ablePatterns(ctx, openSuite)
	if err != nil {
		return err
	}
	for _, p := range ps {
		rate, err := b.offer(ctx, p)
		if err != nil {
			return err
		}
		rounds, err := b.patternRounds(ctx, openSuite, p, load.Pace{Rate: rate})
		if err != nil {
			return err
		}
		for i := range rounds {
			for k := range rounds[i] {
				rounds[i][k].Value = rounds[i][k].P99
			}
		}
		b.report.add(Row{Suite: openSuite, Name: p.Name, Unit: "p99 us", LowerIsBetter: true, Mean: "p99", Does: p.Does, Sizes: p.Sizes().String(), Offered: rate}, rounds)
	}
	return b.flushAll(ctx)
}

// calibrations is how many rounds of each pattern it takes to know what to offer.
func (b *bench) calibrations() int {
	at, open := slices.Index(b.cfg.suites, patternsSuite), slices.Index(b.cfg.suites, openSuite)
	if b.cfg.rate > 0 || at >= 0 && at < open && b.cfg.think == 0 {
		return 0
	}
	return 1
}

// offer is the rate of p: the one asked for, or a part of what the slower server does at saturation, as suite patterns has measured it or a
// round for the purpose does.
func (b *bench) offer(ctx context.Context, p load.Pattern) (float64, error) {
	if b.cfg.rate > 0 {
		return b.cfg.rate, nil
	}
	slowest := 0.0
	i := slices.IndexFunc(b.report.Rows, func(r Row) bool { return r.Suite == patternsSuite && r.Name == p.Name })
	if i >= 0 && b.calibrations() == 0 {
		for _, s := range b.report.Rows[i].Sides {
			if slowest == 0 || s.Median.Value < slowest {
				slowest = s.Median.Value
			}
		}
	} else {
		rounds, err := b.rounds(ctx, openSuite+" "+p.Name+", at saturation", 1, b.patternRound(p, load.Pace{Duration: b.cfg.duration}))
		if err != nil {
			return 0, err
		}
		for _, rs := range rounds {
			if slowest == 0 || rs[0].Value < slowest {
				slowest = rs[0].Value
			}
		}
	}
	return max(1, slowest*b.cfg.load), nil
}

// patternRounds begins with servers just started, if this command starts them, so that the memory of a pattern is its own.
func (b *bench) patternRounds(ctx context.Context, suite string, p load.Pattern, pace load.Pace) ([][]Round, error) {
	for _, t := range b.targets {
		if err := t.fresh(ctx); err != nil {
			return nil, t.explain(err)
		}
	}
	pace.Duration = b.cfg.duration
	return b.rounds(ctx, suite+" "+p.Name, b.cfg.rounds, b.patternRound(p, pace))
}

func (b *bench) patternRound(p load.Pattern, pace load.Pace) func(context.Context, *target) (Round, error) {
	return func(ctx context.Context, t *target) (round Round, err error) {
		if err := load.Flush(ctx, t.server.Addr); err != nil {
			return Round{}, err
		}
		run, err := load.PreparePattern(ctx, t.server.Addr, p, min(patternClients, b.cfg.clients))
		if err != nil {
			return Round{}, err
		}
		defer func() {
			if e := run.Close(); err == nil {
				err = e
			}
		}()
		pace.Seed++
		if warm := pace; b.cfg.warmUp > 0 {
			warm.Duration = min(b.cfg.warmUp, b.cfg.duration)
			if _, err := run.Run(warm); err != nil {
				return Round{}, err
			}
		}
		var r *load.OpenResult
		round, err = b.timed(t, runtime.GOMAXPROCS(0), func() (*load.Result, error) {
			if r, err = run.Run(pace); err != nil {
				return nil, err
			}
			return &r.Result, nil
		})
		if err != nil {
			return Round{}, err
		}
		round.Late, round.Dropped = micros(r.Late.Quantile(0.99)), r.Dropped
		if t.server.PID > 0 {
			// Unknown for a server on another machine.
			if now, _, err := load.RSS(t.server.PID); err == nil {
				round.RSS = float64(now)
			}
		}
		return round, nil
	}
}
