package server

import (
	"context"
	flags "flag"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/oracle"
	"github.com/streampulse/pulse/internal/vfs"
	"github.com/streampulse/pulse/server/internal/fuzz"
	"github.com/streampulse/pulse/server/internal/image"
	"github.com/streampulse/pulse/store"
)

var replayFlags = struct {
	requests *int
	seed     *uint64
	only     *string
	mode     *string
}{
	flags.Int("replay.n", 1500, "requests of TestReplay in each mode"),
	flags.Uint64("replay.seed", 1, "seed of TestReplay"),
	flags.String("replay.only", "", "regular expression for the full names of the commands of TestReplay"),
	flags.String("replay.mode", "", "the only mode of TestReplay"),
}

// replayMode is a way to keep data and to bring them back.
type replayMode struct {
	name     string
	settings settings
	middle   []string // a request, after half of the others
	last     []string // a request, at the end
	after    settings // other parameters after the restart
	redis    bool     // a redis-server reads the files, too
}

var replayModes = []replayMode{
	{name: "log", settings: settings{"appendonly", "yes"}},
	{name: "log rewritten", settings: settings{"appendonly", "yes"}, middle: []string{"BGREWRITEAOF"}},
	{name: "log rewritten as commands", settings: settings{"appendonly", "yes", "aof-use-rdb-preamble", "no"}, middle: []string{"BGREWRITEAOF"}},
	{name: "log rewritten as commands at the end", settings: settings{"appendonly", "yes", "aof-use-rdb-preamble", "no"}, last: []string{"BGREWRITEAOF"}},
	{name: "log turned on", settings: settings{"appendonly", "no"}, middle: []string{"CONFIG", "SET", "appendonly", "yes"}, after: settings{"appendonly", "yes"}},
	{name: "log always", settings: settings{"appendonly", "yes", "appendfsync", "always"}},
	{name: "log with evictions", settings: settings{"appendonly", "yes", "maxmemory", "1200kb", "maxmemory-policy", "allkeys-random"},
		last:  []string{"CONFIG", "SET", "maxmemory", "0"}, // or what reads all keys has some evicted that it has seen
		after: settings{"maxmemory", "0"}},
	{name: "log reloaded", settings: settings{"appendonly", "yes"}, middle: []string{"DEBUG", "LOADAOF"}},
	{name: "reloaded", middle: []string{"DEBUG", "RELOAD"}, last: []string{"SAVE"}},
	{name: "saved", last: []string{"SAVE"}},
	{name: "read by redis", settings: settings{"appendonly", "yes"}, redis: true},
	{name: "rewritten, read by redis", settings: settings{"appendonly", "yes"}, middle: []string{"BGREWRITEAOF"}, redis: true},
	{name: "rewritten as commands, read by redis", settings: settings{"appendonly", "yes", "aof-use-rdb-preamble", "no"}, middle: []string{"BGREWRITEAOF"}, redis: true},
	{name: "saved, read by redis", last: []string{"SAVE"}, redis: true},
}

// TestReplay sends random requests of all kinds to a server that keeps its data in files, and starts it again: it holds
// what it held.
func TestReplay(t *testing.T) {
	for _, m := range replayModes {
		if *replayFlags.mode != "" && *replayFlags.mode != m.name {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			opts := fuzz.Options{
				Table: commands.New(store.New(store.Options{})), Seed: *replayFlags.seed, Requests: *replayFlags.requests, MaxFindings: 5, Log: t.Logf,
			}
			if *replayFlags.only != "" {
				opts.Only = regexp.MustCompile("^(" + *replayFlags.only + ")$")
			}
			if m.redis {
				opts.Oracle = oracle.Start(t).Dial // skips the test if there is none
				opts.Requests /= 4
			}
			h := &replayHost{t: t, mode: m}
			defer h.close()
			report, err := fuzz.Replay(opts, h)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d requests in %d epochs, %d of them errors; %d keys were evicted", report.Requests, report.Epochs, report.Errors, h.evicted)
			if n := len(report.Findings); n > 0 {
				t.Errorf("%d times something else came back (seed %d), see above", n, *replayFlags.seed)
			}
		})
	}
}

// replayHost is a server that is restarted. It is a fuzz.Host.
type replayHost struct {
	t     *testing.T
	mode  replayMode
	srv   *Server
	fs    vfs.FS
	dir   string
	setup settings

	evicted int64 // keys, in all
}

func (h *replayHost) Begin(_ int, setup []string) error {
	h.close()
	h.fs, h.dir, h.setup = vfs.NewMem(), "/", setup
	if h.mode.redis {
		var err error
		h.fs = nil
		if h.dir, err = os.MkdirTemp("", "replay-"); err != nil {
			return err
		}
	}
	return h.open(h.mode.settings)
}

func (h *replayHost) open(s settings) (err error) {
	h.srv, err = Open(Options{Config: configOf(h.t, append(append(settings{}, h.setup...), s...)...), Addr: "127.0.0.1:0", Dir: h.dir, fs: h.fs})
	return err
}

func (h *replayHost) close() {
	if h.srv != nil {
		_ = h.srv.Close(context.Background())
		h.srv = nil
	}
	if h.mode.redis && h.dir != "" {
		os.RemoveAll(h.dir)
	}
}

func (h *replayHost) Dial() (net.Conn, error) { return net.Dial("tcp", h.srv.Addr()) }

func (h *replayHost) Middle() error { return h.ask(h.mode.middle) }

// ask sends a request and waits until what it has begun is done.
func (h *replayHost) ask(args []string) error {
	if len(args) == 0 {
		return nil
	}
	nc, err := h.Dial()
	if err != nil {
		return err
	}
	defer nc.Close()
	if _, err := image.NewConn(nc).Do(args...); err != nil {
		return err
	}
	p := &h.srv.files
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Microsecond) {
		p.mu.Lock()
		busy, ok := p.mu.busy, p.mu.rewritten.ok && p.mu.saved.ok
		p.mu.Unlock()
		switch {
		case busy != "" && time.Now().After(deadline):
			return fmt.Errorf("%v takes too long", args)
		case busy == "" && !ok:
			return fmt.Errorf("%v has failed", args)
		case busy == "":
			return nil
		}
	}
}

func (h *replayHost) End() (diffs []string, err error) {
	if err := h.ask(h.mode.last); err != nil {
		return nil, err
	}
	before, err := h.image(h.Dial, true)
	if err != nil {
		return nil, err
	}
	var known *image.Image // what Redis has, too
	if h.mode.redis {
		if known, err = h.image(h.Dial, false); err != nil {
			return nil, err
		}
	}
	h.evicted += h.srv.store.Evicted()
	if err := h.srv.Close(context.Background()); err != nil {
		return nil, err
	}
	h.srv = nil
	if h.mode.redis {
		diffs, err = h.redis(known)
		if err != nil || len(diffs) > 0 {
			return diffs, err
		}
	}
	if err := h.open(append(h.mode.settings[:len(h.mode.settings):len(h.mode.settings)], h.mode.after...)); err != nil {
		return []string{err.Error()}, nil
	}
	after, err := h.image(h.Dial, true)
	if err != nil {
		return nil, err
	}
	// What expires meanwhile may be in either.
	soon := time.Now().Add(time.Minute).UnixMilli()
	return image.Diff(before.Without(soon), after.Without(soon)), nil
}

func (h *replayHost) image(dial func() (net.Conn, error), ours bool) (*image.Image, error) {
	nc, err := dial()
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	return image.Read(nc, image.Options{Ours: ours})
}

// redis has a redis-server read a copy of the files.
func (h *replayHost) redis(before *image.Image) ([]string, error) {
	dir, err := os.MkdirTemp("", "replay-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, os.DirFS(h.dir)); err != nil {
		return nil, err
	}
	args := []string{"--dir", dir}
	for nv := range slices.Chunk(slices.Concat(h.setup, h.mode.settings), 2) {
		args = append(args, "--"+nv[0], nv[1])
	}
	o, err := oracle.Launch(args...)
	if err != nil {
		return []string{err.Error()}, nil
	}
	defer o.Close()
	after, err := h.image(o.Dial, false)
	if err != nil {
		return nil, err
	}
	return image.Diff(before, after), nil
}
