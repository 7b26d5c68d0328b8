package main

import (
	"context"
	"runtime"
	"time"

	"github.com/streampulse/pulse/bench/load"
)

const (
	connectionsSuite = "connections"
	unreadSuite      = "unread"

	connectionsRest = 2 * time.Second // before a resident size is read

	// At scale 1, suite unread has so many clients ask for a value of so many bytes so many times each.
	unreadClients  = 100
	unreadValue    = 10 << 20
	unreadRequests = 10
	unreadLength   = 4 * time.Second // at least, of either phase
)

// A loadRow is a row of one of these suites, as it comes out of one result. Less is better in all of them.
type loadRow[R any] struct {
	name, unit string
	memory     bool // known only if the server's process is
	of         func(R) Round
}

func valued(v float64) Round { return Round{Value: v} }

// tail has the p99 as its value.
func tail(r *load.OpenResult) Round {
	q := func(q float64) float64 { return micros(r.Lat.Quantile(q)) }
	return Round{Value: q(0.99), P50: q(0.5), P99: q(0.99), P999: q(0.999), Late: micros(r.Late.Quantile(0.99)), Nulls: r.Nulls}
}

var connectionRows = []loadRow[*load.ConnectionsResult]{
	{"connecting", "us/conn", false, func(r *load.ConnectionsResult) Round { return valued(1e6 / r.PerSecond) }},
	{"idle, nothing sent yet", "B/conn", true, func(r *load.ConnectionsResult) Round { return valued(r.Silent) }},
	{"idle, one request answered", "B/conn", true, func(r *load.ConnectionsResult) Round { return valued(r.Used) }},
	{"GET of the active ones", "p99 us", false, func(r *load.ConnectionsResult) Round { return tail(r.Active) }},
}

var unreadRows = []loadRow[*load.UnreadResult]{
	{"GET of others, before", "p99 us", false, func(r *load.UnreadResult) Round { return tail(r.Calm) }},
	{"GET of others, while the unread are made", "p99 us", false, func(r *load.UnreadResult) Round { return tail(r.Asking) }},
	{"GET of others, beside", "p99 us", false, func(r *load.UnreadResult) Round { return tail(r.Beside) }},
	{"p99, beside to before", "times", false, func(r *load.UnreadResult) Round {
		return valued(tail(r.Beside).Value / max(tail(r.Calm).Value, 1))
	}},
	{"most memory for unread replies", "MiB", true, func(r *load.UnreadResult) Round { return valued(float64(r.Grown) / (1 << 20)) }},
}

// connections begins each round with a server just started, if this command starts them: what one round has left behind would hide what the next
// one needs.
func (b *bench) connections(ctx context.Context) error {
	if !b.wanted(connectionsSuite) {
		return nil
	}
	o := load.ConnectionsOptions{Idle: b.cfg.idle, Active: b.others(), Rest: connectionsRest}
	return rowsOf(ctx, b, connectionsSuite, connectionRows, func(ctx context.Context, t *target) (*load.ConnectionsResult, error) {
		o.Active.Seed++
		return load.Connections(ctx, t.server.Addr, t.known(), o)
	})
}

func (b *bench) unread(ctx context.Context) error {
	o := load.UnreadOptions{
		Clients: max(1, int(unreadClients*b.cfg.scale)), Value: unreadValue, Requests: unreadRequests, Others: b.others(), Rest: connectionsRest,
	}
	if b.cfg.scale >= 1 {
		o.Others.Duration = max(o.Others.Duration, unreadLength)
	}
	return rowsOf(ctx, b, unreadSuite, unreadRows, func(ctx context.Context, t *target) (*load.UnreadResult, error) {
		o.Others.Seed++
		return load.Unread(ctx, t.server.Addr, t.known(), o)
	})
}

// others are the clients that ask at a fixed rate.
func (b *bench) others() load.OpenOptions {
	return load.OpenOptions{Clients: b.cfg.active, Rate: b.cfg.activeRate, Duration: b.cfg.duration}
}

// known is the server's process, 0 if its memory cannot be known.
func (t *target) known() int {
	if _, _, err := load.RSS(t.server.PID); runtime.GOOS != "linux" || err != nil {
		return 0
	}
	return t.server.PID
}

// rowsOf runs measure in rounds, and adds the rows that come out of its results.
func rowsOf[R any](ctx context.Context, b *bench, suite string, rows []loadRow[R], measure func(ctx context.Context, t *target) (R, error)) error {
	results, known := map[string][]R{}, true
	if _, err := b.rounds(ctx, suite, b.cfg.rounds, func(ctx context.Context, t *target) (Round, error) {
		if err := t.fresh(ctx); err != nil {
			return Round{}, err
		}
		r, err := measure(ctx, t)
		results[t.name] = append(results[t.name], r)
		known = known && t.known() > 0
		return Round{}, err
	}); err != nil {
		return err
	}
	for _, row := range rows {
		if row.memory && !known {
			b.skip("%s, %s: a server's process is not on this machine.", suite, row.name)
			continue
		}
		rounds := make([][]Round, len(b.targets))
		for i, t := range b.targets {
			for _, r := range results[t.name] {
				rounds[i] = append(rounds[i], row.of(r))
			}
		}
		r := Row{Suite: suite, Name: row.name, Unit: row.unit, LowerIsBetter: true}
		if rounds[0][0].P50 > 0 {
			r.Clients = b.cfg.active
		}
		b.report.add(r, rounds)
	}
	return b.flushAll(ctx)
}
