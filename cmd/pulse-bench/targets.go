package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/streampulse/pulse/bench/load"
	"github.com/streampulse/pulse/bench/spawn"
)

// target is a server under test.
type target struct {
	name    string // A or B
	server  load.Server
	command []string       // how to start it; nil for a server that was there
	proc    *spawn.Process // nil for a server that was there
	dir     string         // its working folder, removed at the end
}

// openTargets starts or finds the servers. On an error it returns those that have to be closed.
func openTargets(ctx context.Context, c *config, stderr io.Writer) ([]*target, error) {
	var ts []*target
	if !c.spawn {
		for _, addr := range []string{c.addr, c.vs} {
			if addr == "" {
				continue
			}
			t := &target{name: string(rune('A' + len(ts)))}
			var err error
			if t.server, err = load.Describe(ctx, addr); err != nil {
				return ts, err
			}
			if err := t.mustBeEmpty(ctx, c.flush); err != nil {
				return ts, err
			}
			ts = append(ts, t)
		}
		return ts, nil
	}
	for i, line := range []string{c.serverA, c.serverB} {
		command := strings.Fields(line)
		if len(command) == 0 {
			continue
		}
		if i == 1 && !spawn.Have(command[0]) {
			fmt.Fprintf(stderr, "%s not found: measuring A alone\n", command[0])
			continue
		}
		dir, err := os.MkdirTemp("", "pulse-bench-")
		if err != nil {
			return ts, err
		}
		t := &target{name: string(rune('A' + len(ts))), command: command, dir: dir}
		ts = append(ts, t)
		if err := t.restart(ctx); err != nil {
			return ts, err
		}
	}
	if len(ts) == 0 {
		return ts, errors.New("no server to start")
	}
	return ts, nil
}

func (t *target) mustBeEmpty(ctx context.Context, flush bool) error {
	n, err := load.Size(ctx, t.server.Addr)
	if err != nil {
		return err
	}
	if n > 0 && !flush {
		return fmt.Errorf("the server at %s holds %d keys, which a benchmark would delete; give --flush if it may", t.server.Addr, n)
	}
	return nil
}

// fresh empties the server, by starting it anew if this command started it.
func (t *target) fresh(ctx context.Context) error {
	if t.command == nil {
		return load.Flush(ctx, t.server.Addr)
	}
	return t.restart(ctx)
}

func (t *target) restart(ctx context.Context) error {
	if t.proc != nil {
		if err := t.proc.Stop(); err != nil {
			return err
		}
		t.proc = nil
	}
	p, err := spawn.Start(ctx, t.dir, t.command)
	if err != nil {
		return err
	}
	t.proc = p
	if t.server, err = load.Describe(ctx, p.Addr); err != nil {
		return err
	}
	t.server.PID = p.PID
	return nil
}

// explain adds to an error what a server that has died said last.
func (t *target) explain(err error) error {
	err = fmt.Errorf("server %s (%s): %w", t.name, t.server.Version, err)
	if t.proc != nil {
		err = errors.Join(err, t.proc.Alive())
	}
	return err
}

func closeTargets(ts []*target) error {
	var errs []error
	for _, t := range ts {
		if t.proc != nil {
			errs = append(errs, t.proc.Stop())
		}
		if t.dir != "" {
			errs = append(errs, os.RemoveAll(t.dir))
		}
	}
	return errors.Join(errs...)
}
