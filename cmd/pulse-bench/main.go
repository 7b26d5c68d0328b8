// Command pulse-bench compares servers that speak the Redis protocol: side by side, in interleaved rounds, as ratios.
//
//	pulse-bench --addr 127.0.0.1:6379                          one server
//	pulse-bench --addr 127.0.0.1:6380 --vs 127.0.0.1:6379      A against B
//	pulse-bench --spawn --server-a bin/pulse-server            start both (B: redis-server from PATH), stop them afterwards
//	pulse-bench --report result.json --html result.html        the pages of a run from the JSON that it left
//
// Every workload runs A and B in turn, --rounds times, changing which goes first. A ratio A/B is the median of the
// ratios of the rounds, with the smallest and the largest of them: when these lie around 1, there is no difference to see.
// CPU per request is the server's processor time, so it is known only for servers on this machine; on few cores it
// tells more than throughput does, because the client takes its share of them. Rows in which the client used up its threads are marked.
//
// The command empties the servers it measures. It refuses a server at --addr or --vs that holds keys, unless --flush is given.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/streampulse/pulse/bench/load"
)

// config is the command line.
type config struct {
	addr, vs         string
	spawn            bool
	serverA, serverB string
	flush            bool

	suites     []string
	only       []string // workloads and patterns to run; empty: all
	rounds     int
	duration   time.Duration
	requests   int64
	clients    int
	pipeline   int
	threads    int
	keys       uint64
	memoryKeys uint64
	expiryKeys uint64
	valueSize  int
	scale      float64 // of scaledSuites
	gcRate     int     // GETs per second of suite gc

	// Of suites connections and unread.
	idle, active, activeRate int

	// Of suites patterns and patterns-open.
	sizes load.Sizes
	think time.Duration
	rate  float64 // operations per second; 0: load
	load  float64 // as a part of what the slower server does at saturation

	warmUp time.Duration

	from           string // a report to write again
	json, md, html string // files to write
	results        string // a folder to write all of them to
}

var allSuites = []string{"throughput", "nopipe", "handoff", patternsSuite, openSuite, "memory", "expiry", typesMemorySuite, typesSuite, gcSuite, scriptsSuite, streamsSuite, persistenceSuite, connectionsSuite, unreadSuite}

// askedSuites are run only when they are asked for by name: a server that keeps all replies of suite unread needs many gigabytes.
var askedSuites = []string{unreadSuite}

// scaledSuites are those that --scale makes smaller.
var scaledSuites = []string{typesMemorySuite, typesSuite, gcSuite, streamsSuite, persistenceSuite, unreadSuite}

func parseFlags(args []string, stderr io.Writer) (*config, error) {
	c := &config{}
	fs := flag.NewFlagSet("pulse-bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&c.addr, "addr", "", "address of server A: host:port or the path of a Unix socket")
	fs.StringVar(&c.vs, "vs", "", "address of server B")
	fs.BoolVar(&c.spawn, "spawn", false, "start the servers on free loopback ports, without persistence")
	fs.StringVar(&c.serverA, "server-a", "bin/pulse-server", "with --spawn: program and arguments of A")
	fs.StringVar(&c.serverB, "server-b", "redis-server", "with --spawn: program and arguments of B; empty for none")
	fs.BoolVar(&c.flush, "flush", false, "empty servers that hold keys")
	suite := fs.String("suite", "throughput", "one or more of "+strings.Join(allSuites, ", ")+", or all (but "+strings.Join(askedSuites, ", ")+")")
	only := fs.String("only", "", "run only these workloads, patterns or holdings of suite types-memory, separated by commas")
	fs.IntVar(&c.rounds, "rounds", 5, "rounds of each workload")
	fs.DurationVar(&c.duration, "duration", time.Second, "length of a round; suite gc takes four times that")
	fs.Int64Var(&c.requests, "requests", 0, "requests of a round of single commands, instead of a length")
	fs.IntVar(&c.clients, "clients", 50, "connections")
	fs.IntVar(&c.pipeline, "pipeline", 16, "requests in flight on a connection, in suites throughput, types, scripts, streams and persistence")
	fs.IntVar(&c.threads, "threads", 1, "threads of the client")
	fs.Uint64Var(&c.keys, "keys", 1_000_000, "distinct keys")
	fs.Uint64Var(&c.memoryKeys, "memory-keys", 5_000_000, "keys of suite memory")
	fs.Uint64Var(&c.expiryKeys, "expiry-keys", 1_000_000, "keys of suite expiry")
	fs.IntVar(&c.valueSize, "value-size", 32, "bytes of a value")
	fs.Float64Var(&c.scale, "scale", 1, "how much data suites "+strings.Join(scaledSuites, ", ")+" use")
	fs.IntVar(&c.gcRate, "gc-rate", 20_000, "requests per second in suite gc")
	fs.IntVar(&c.idle, "idle", 10_000, "idle connections of suite connections")
	fs.IntVar(&c.active, "active", 1000, "connections that ask, in suites connections and unread")
	fs.IntVar(&c.activeRate, "active-rate", 5000, "requests per second of all of them together")
	fs.DurationVar(&c.warmUp, "warm-up", 200*time.Millisecond, "how long a round of patterns, or a workload, runs before the clock does")
	fs.IntVar(&c.sizes.Users, "users", 0, "users of the patterns; 0: as many as each usually has, and --keys on the large leaderboard")
	fs.IntVar(&c.sizes.Items, "items", 0, "posts, links, flags, locks and accounts of the patterns; 0: as many as each usually has")
	fs.IntVar(&c.sizes.Payload, "payload", 0, "bytes of the patterns' tasks, events, messages and texts; 0: as many as each usually has")
	fs.DurationVar(&c.think, "think", 0, "rest of a client between two operations of suite patterns")
	fs.Float64Var(&c.rate, "rate", 0, "operations per second in suite patterns-open; 0: as --load says")
	fs.Float64Var(&c.load, "load", 0.5, "rate of suite patterns-open as a part of what the slower server does at saturation")
	fs.StringVar(&c.from, "report", "", "measure nothing: read this file, which --json wrote, and write the others")
	fs.StringVar(&c.html, "html", "", "write a page with charts to this file")
	fs.StringVar(&c.results, "results", "", "write latest.html, latest.json and README.md to this folder")
	fs.StringVar(&c.json, "json", "", "write everything measured to this file")
	fs.StringVar(&c.md, "md", "", "write the table as Markdown to this file, - for standard output instead of the plain one")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	c.suites = words(*suite)
	if slices.Contains(c.suites, "all") {
		c.suites = slices.DeleteFunc(slices.Clone(allSuites), func(s string) bool {
			return slices.Contains(askedSuites, s) && !slices.Contains(c.suites, s)
		})
	}
	c.only = words(*only)
	return c, c.check()
}

func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == ',' || r == ' ' })
}

// check refuses what cannot be run, before a server is touched.
func (c *config) check() error {
	for _, s := range c.suites {
		if !slices.Contains(allSuites, s) {
			return fmt.Errorf("unknown suite %q", s)
		}
	}
	for _, name := range c.only {
		if !known(name) && !slices.ContainsFunc(load.Patterns, func(p load.Pattern) bool { return p.Name == name }) {
			return fmt.Errorf("unknown workload %q", name)
		}
	}
	switch {
	case c.from != "" && (c.spawn || c.addr != "" || c.vs != ""):
		return errors.New("--report measures nothing: leave --spawn, --addr and --vs away")
	case len(c.suites) == 0:
		return errors.New("no suite to run")
	case c.spawn && (c.addr != "" || c.vs != ""):
		return errors.New("--spawn and --addr exclude each other")
	case c.from == "" && !c.spawn && c.addr == "":
		return errors.New("nothing to measure: give --addr or --spawn")
	case c.rounds < 1, c.clients < 1, c.pipeline < 1, c.threads < 1, c.keys < 1, c.memoryKeys < 1, c.expiryKeys < 1:
		return errors.New("rounds, clients, pipeline, threads and keys must be at least 1")
	case c.keys > 1<<31, c.memoryKeys > 1<<31, c.expiryKeys > 1<<31:
		return errors.New("at most 2147483648 keys")
	case c.duration < time.Millisecond, c.requests < 0:
		return errors.New("a round must be at least 1ms and cannot have fewer than 0 requests")
	case !(c.scale > 0 && c.scale <= 100), c.gcRate < 1 || c.gcRate > 1_000_000:
		return errors.New("scale above 0 and up to 100, requests per second from 1 to 1000000")
	case c.sizes.Users < 0 || c.sizes.Users > load.MaxUsers, c.sizes.Items < 0 || c.sizes.Items > load.MaxUsers, c.sizes.Payload < 0 || c.sizes.Payload > load.MaxPayload:
		return fmt.Errorf("users and items up to %d, payload up to %d bytes", load.MaxUsers, load.MaxPayload)
	case c.think < 0 || c.think > time.Hour, c.warmUp < 0 || c.warmUp > time.Hour:
		return errors.New("time to think and warm-up from 0 to 1h")
	case !(c.rate >= 0 && c.rate <= 1_000_000), !(c.load > 0 && c.load <= 2):
		return errors.New("rate up to 1000000 operations per second, load above 0 and up to 2")
	case c.idle < 1 || c.idle > 1_000_000, c.active < 1 || c.active > 100_000, c.activeRate < 1 || c.activeRate > 1_000_000:
		return errors.New("idle connections up to 1000000, active ones up to 100000, their requests per second up to 1000000")
	case c.valueSize < 0 || c.valueSize > 1<<20, c.clients > 10_000, c.pipeline > 10_000:
		return errors.New("value size up to 1 MiB, clients and pipeline up to 10000")
	}
	return nil
}

// known says whether a suite has a workload or a holding of that name.
func known(name string) bool {
	_, plain := load.Find(name)
	_, typed := load.FindTyped(name)
	_, scripted := load.FindScript(name)
	_, streamed := load.FindStream(name)
	_, holding := load.FindHolding(name)
	row := slices.ContainsFunc(streamRows, func(r streamRow) bool { return r.id == name })
	return name == connectionsSuite || slices.Contains(persistenceParts, name) || plain || typed || scripted || streamed || holding || row
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "pulse-bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	c, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	if c.from != "" {
		rep, err := readReport(c.from)
		if err != nil {
			return err
		}
		return rep.write(c, stdout)
	}
	targets, err := openTargets(ctx, c, stderr)
	defer func() { err = errors.Join(err, closeTargets(targets)) }()
	if err != nil {
		return err
	}
	b := &bench{cfg: c, targets: targets, progress: newProgress(stderr)}
	rep, runErr := b.run(ctx)
	rep.Command = commandLine(args)
	b.progress.done()
	// What has been measured before a failure is still worth its table.
	if len(rep.Rows)+len(rep.Skipped) > 0 {
		if err := rep.write(c, stdout); err != nil {
			return errors.Join(runErr, err)
		}
	}
	return runErr
}
