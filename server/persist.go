package server

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/internal/vfs"
	"github.com/streampulse/pulse/persistence/aof"
	"github.com/streampulse/pulse/server/config"
)

// files is what a server keeps in its directory: the RDB file and the append-only file. Both are written without a fork,
// from a snapshot of the store (save.go); startup.go reads them.
type files struct {
	srv  *Server
	fs   vfs.FS
	dir  string // "": nothing is kept, whatever the parameters say
	lock io.Closer
	// moved is where the RDB file is since CONFIG SET dir, with the lock on it; the append-only file stays.
	moved atomic.Pointer[movedTo]

	cfg struct {
		appendOnly, stopOnError, rdbPreamble, loadTruncated, stamps, calm, checksum *config.BoolVar
		fsync                                                                       *config.EnumVar
		rewritePercent, rewriteMin                                                  *config.IntVar
		save                                                                        *config.SaveVar
	}

	log     atomic.Pointer[aof.Log] // nil while there is none
	misconf atomic.Bool             // the last BGSAVE failed, and writes are to be refused because of that
	loading atomic.Pointer[progress]
	failed  atomic.Bool // the data could not be loaded: nothing must be saved
	exiting atomic.Bool // what there is was saved: nothing changes any more

	mu struct {
		sync.Mutex
		busy          string // what is being written: "", "save", "rewrite", "export"
		saveNext      bool   // BGSAVE SCHEDULE
		rewriteNext   bool
		closed        bool
		freed         chan struct{} // closed when busy becomes ""; nil if nobody waits for that
		snapshot      *snapshot     // the one being written
		began         time.Duration // monotonic
		saved         saved
		rewritten     rewritten
		dirtyAtSave   int64 // Store.Dirty at the last successful save
		loadedKeys    int64
		expiredAtLoad int64
	}
	running sync.WaitGroup

	held struct { // those who wait for the disk
		sync.Mutex
		loops    []*loop
		sessions []*session // of no loop
	}
	marks markWaiters
}

// movedTo is a directory that CONFIG SET dir has named.
type movedTo struct {
	dir  string
	lock io.Closer // nil if it is the one that the server began with
}

// move has the RDB file written to, and read from, the directory that the parameter dir names now.
func (p *files) move() error {
	to := &movedTo{dir: p.srv.cfg.Text("dir")}
	old := p.moved.Load()
	if old != nil && old.dir == to.dir {
		return nil
	}
	if from, err := filepath.Abs(p.dir); p.dir != "" && (err != nil || from != to.dir) {
		if to.lock, err = p.fs.Lock(to.dir); err != nil {
			return err
		}
	}
	p.moved.Store(to)
	old.unlock()
	return nil
}

func (m *movedTo) unlock() {
	if m != nil && m.lock != nil {
		_ = m.lock.Close() // it goes with the process in any case
	}
}

// saved tells of the RDB file.
type saved struct {
	at    int64 // Unix seconds, of the last success
	tried int64 // and of the last attempt
	ok    bool
	took  time.Duration // of the last background save, -1: none yet
	count int64
}

// rewritten tells of the rewriting of the append-only file.
type rewritten struct {
	ok       bool
	took     time.Duration
	count    int64
	failures int64 // since the last success
	tried    int64 // Unix ms
}

// progress of what is loaded at the start.
type progress struct {
	began       int64 // Unix seconds
	merge       bool  // keys that are there are replaced
	done, total atomic.Int64
	logged      atomic.Int64
	broken      atomic.Bool // the server ends instead
}

func (p *files) init(s *Server, o *Options) {
	p.srv, p.fs, p.dir = s, o.fs, o.Dir
	if p.fs == nil {
		p.fs = vfs.OS
	}
	c := s.cfg
	v := &p.cfg
	v.appendOnly, v.stopOnError, v.rdbPreamble = c.Bool("appendonly"), c.Bool("stop-writes-on-bgsave-error"), c.Bool("aof-use-rdb-preamble")
	v.loadTruncated, v.stamps, v.calm, v.checksum = c.Bool("aof-load-truncated"), c.Bool("aof-timestamp-enabled"), c.Bool("no-appendfsync-on-rewrite"), c.Bool("rdbchecksum")
	v.fsync = c.Enum("appendfsync")
	v.rewritePercent, v.rewriteMin = c.Int("auto-aof-rewrite-percentage"), c.Int("auto-aof-rewrite-min-size")
	v.save = c.Save()
	p.mu.saved = saved{at: s.clock.NowMs() / 1000, ok: true, took: -1}
	p.mu.rewritten = rewritten{ok: true, took: -1}
	c.OnChange("appendfsync", func() {
		if l := p.log.Load(); l != nil {
			l.SetPolicy(p.policy())
		}
	})
	c.OnChange("aof-timestamp-enabled", func() {
		if l := p.log.Load(); l != nil {
			l.SetStamps(v.stamps.Load())
		}
	})
	c.OnApply("appendonly", p.switchLog)
	c.OnApply("dir", p.move)
}

func (p *files) policy() aof.Policy {
	switch p.cfg.fsync.Load() {
	case "always":
		return aof.Always
	case "no":
		return aof.Never
	}
	return aof.EverySecond
}

// rdbPath returns the path of the RDB file.
func (p *files) rdbPath() string { return filepath.Join(p.rdbDir(), p.srv.cfg.Text("dbfilename")) }

func (p *files) rdbDir() string {
	if m := p.moved.Load(); m != nil {
		return m.dir
	}
	return p.dir
}

// logOptions are those of the append-only file.
func (p *files) logOptions() aof.Options {
	c := p.srv.cfg
	return aof.Options{
		FS: p.fs, Dir: filepath.Join(p.dir, c.Text("appenddirname")), Name: c.Text("appendfilename"),
		Clock:  clock.Real, // fsyncs go by real time, whatever time a test's clock tells
		Policy: p.policy(), Stamps: p.cfg.stamps.Load(), Truncate: p.cfg.loadTruncated.Load(),
		Durable: p.wakeHeld, Took: p.srv.took,
		Logf: func(level byte, format string, args ...any) {
			if level == 'W' {
				p.srv.log.Warningf(format, args...)
			} else {
				p.srv.log.Noticef(format, args...)
			}
		},
	}
}

// WriteRefused implements commands.Persistence.
func (s env) WriteRefused() error {
	p := &s.files
	if l := p.log.Load(); l != nil {
		if err := l.Err(); err != nil {
			return commands.ErrMisconfAOF(reason(err))
		}
	}
	if p.misconf.Load() && p.cfg.stopOnError.Load() && len(p.cfg.save.Load()) > 0 {
		return commands.ErrMisconfRDB
	}
	return nil
}

// reason is the innermost error, the first of several, as strerror words it: with a capital.
func reason(err error) error {
	for {
		inner := errors.Unwrap(err)
		if several, ok := err.(interface{ Unwrap() []error }); ok && len(several.Unwrap()) > 0 {
			inner = several.Unwrap()[0]
		}
		if inner == nil {
			text := err.Error()
			return errors.New(strings.ToUpper(text[:min(1, len(text))]) + text[min(1, len(text)):])
		}
		err = inner
	}
}

// Loading implements commands.Persistence.
func (s env) Loading() bool { return s.files.loading.Load() != nil }

// LastSave implements commands.Persistence.
func (s env) LastSave() int64 {
	p := &s.files
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.saved.at
}

// tick begins what is due: scheduled saves and rewrites, save points, a log that has grown too much.
func (p *files) tick() {
	if p.dir == "" || p.loading.Load() != nil || p.failed.Load() {
		return
	}
	now := p.srv.clock.NowMs()
	p.mu.Lock()
	free := p.mu.busy == "" && !p.mu.closed
	saveNext, rewriteNext := p.mu.saveNext, p.mu.rewriteNext
	sv, rw, dirty := p.mu.saved, p.mu.rewritten, p.srv.store.Dirty()-p.mu.dirtyAtSave
	p.mu.Unlock()
	switch {
	case !p.cfg.appendOnly.Load() && p.log.Load() != nil:
		p.stopLog()
	case !free:
	case p.cfg.appendOnly.Load() && p.log.Load() == nil:
		if now-rw.tried > 1000 {
			p.startLog()
		}
	case rewriteNext:
		_, _ = p.beginRewrite() // what goes wrong is logged there
	case saveNext:
		_, _ = p.beginSave()
	default:
		for _, sp := range p.cfg.save.Load() {
			// After a failure the next attempt comes five seconds later, as in Redis.
			if dirty >= sp.Changes && now/1000-sv.at >= sp.Seconds && (sv.ok || now/1000-sv.tried > 5) {
				p.srv.log.Noticef("%d changes in %d seconds. Saving...", sp.Changes, sp.Seconds)
				_, _ = p.beginSave()
				return
			}
		}
		p.rewriteGrown(rw, now)
	}
}

// rewriteGrown begins a rewrite if the log is as much larger than after the last one as the parameters say. After
// failures it waits longer and longer, up to an hour.
func (p *files) rewriteGrown(rw rewritten, now int64) {
	l := p.log.Load()
	percent := p.cfg.rewritePercent.Load()
	if l == nil || percent == 0 {
		return
	}
	size, base := l.Size()
	if size <= p.cfg.rewriteMin.Load() {
		return
	}
	if n := min(rw.failures, 16); n >= 3 && now-rw.tried < min(int64(1)<<(n-3)*60_000, 3_600_000) {
		return
	}
	if growth := (size - base) * 100 / max(base, 1); growth >= percent {
		p.srv.log.Noticef("Starting automatic rewriting of AOF on %d%% growth", growth)
		_, _ = p.beginRewrite()
	}
}

// claim takes the right to write files for a while.
func (p *files) claim(what string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.dir == "":
		return commands.ErrNoFiles
	case p.mu.closed:
		return errors.New("the server is closing")
	case p.mu.busy == "rewrite" && what == "save":
		return commands.ErrSaveRewriting
	case p.mu.busy != "" && what == "save":
		return commands.ErrSaving
	case p.mu.busy == "rewrite":
		return commands.ErrRewriting
	case p.mu.busy != "":
		return errBusySaving
	}
	p.mu.busy, p.mu.began = what, p.srv.clock.Mono()
	switch what {
	case "save":
		p.mu.saveNext = false
	case "rewrite":
		p.mu.rewriteNext = false
	}
	p.running.Add(1)
	return nil
}

// await is claim that waits until nobody else has the right. The caller is in no gate.
func (p *files) await(what string) error {
	for {
		err := p.claim(what)
		switch err {
		case commands.ErrSaving, commands.ErrSaveRewriting, commands.ErrRewriting, errBusySaving:
		default:
			return err
		}
		p.mu.Lock()
		if p.mu.busy == "" {
			p.mu.Unlock()
			continue
		}
		if p.mu.freed == nil {
			p.mu.freed = make(chan struct{})
		}
		freed := p.mu.freed
		p.mu.Unlock()
		<-freed
	}
}

var errBusySaving = errors.New("the RDB file is being written")

func (p *files) release() {
	p.mu.Lock()
	p.mu.busy, p.mu.snapshot = "", nil
	if p.mu.freed != nil {
		close(p.mu.freed)
		p.mu.freed = nil
	}
	p.mu.Unlock()
	p.running.Done()
}

// close ends what is being written, and lets nothing begin any more. With sessions closed, it saves if save points ask for
// that and nobody has done so.
func (p *files) close() {
	p.mu.Lock()
	p.mu.closed = true
	if sn := p.mu.snapshot; sn != nil {
		sn.Abort()
	}
	p.mu.Unlock()
	p.running.Wait()
	if p.dir == "" {
		return
	}
	if !p.exiting.Load() && !p.failed.Load() && p.lock != nil && p.loading.Load() == nil && len(p.cfg.save.Load()) > 0 {
		p.inLane(func(l commands.Lane) {
			if err := p.saveNow(l, false); err != nil {
				p.srv.log.Warningf("Error trying to save the DB: %v", err)
			}
		})
	}
	if l := p.log.Swap(nil); l != nil {
		p.srv.store.SetFeed(nil)
		if err := l.Close(); err != nil {
			p.srv.log.Warningf("Closing the append-only file: %v", err)
		}
	}
	p.unlock()
}

func (p *files) unlock() {
	if p.lock != nil {
		_ = p.lock.Close() // it goes with the process in any case
		p.lock = nil
	}
	p.moved.Swap(nil).unlock()
}

// persistence writes the section of INFO.
func (r *infoReport) persistence() {
	p := &r.s.files
	p.mu.Lock()
	busy, began, sv, rw, dirty := p.mu.busy, p.mu.began, p.mu.saved, p.mu.rewritten, r.s.store.Dirty()-p.mu.dirtyAtSave
	rewriteNext := p.mu.rewriteNext
	loaded, expired := p.mu.loadedKeys, p.mu.expiredAtLoad
	var done, of int64
	if p.mu.snapshot != nil {
		done, of = p.mu.snapshot.Progress()
	}
	p.mu.Unlock()
	current := func(what string) int64 {
		if busy != what {
			return -1
		}
		return int64((r.s.clock.Mono() - began) / time.Second)
	}
	load := p.loading.Load()
	l := p.log.Load()
	r.field("loading", flag(load != nil))
	r.zeros("async_loading", "current_cow_peak", "current_cow_size", "current_cow_size_age")
	r.field("current_fork_perc", percent(done, of))
	r.field("current_save_keys_processed", done)
	r.field("current_save_keys_total", of)
	r.field("rdb_changes_since_last_save", dirty)
	r.field("rdb_bgsave_in_progress", flag(busy == "save"))
	r.field("rdb_last_save_time", sv.at)
	r.field("rdb_last_bgsave_status", status(sv.ok))
	r.field("rdb_last_bgsave_time_sec", seconds(sv.took))
	r.field("rdb_current_bgsave_time_sec", current("save"))
	r.field("rdb_saves", sv.count)
	r.zeros("rdb_last_cow_size")
	r.field("rdb_last_load_keys_expired", expired)
	r.field("rdb_last_load_keys_loaded", loaded)
	r.field("aof_enabled", flag(p.dir != "" && p.cfg.appendOnly.Load()))
	r.field("aof_rewrite_in_progress", flag(busy == "rewrite"))
	r.field("aof_rewrite_scheduled", flag(rewriteNext))
	r.field("aof_last_rewrite_time_sec", seconds(rw.took))
	r.field("aof_current_rewrite_time_sec", current("rewrite"))
	r.field("aof_last_bgrewrite_status", status(rw.ok))
	r.field("aof_rewrites", rw.count)
	r.field("aof_rewrites_consecutive_failures", rw.failures)
	r.field("aof_last_write_status", status(l == nil || l.Err() == nil))
	r.zeros("aof_last_cow_size", "module_fork_in_progress", "module_fork_last_cow_size")
	if l != nil {
		size, base := l.Size()
		pending, delayed := l.Pending()
		r.field("aof_current_size", size)
		r.field("aof_base_size", base)
		r.zeros("aof_pending_rewrite")
		r.field("aof_buffer_length", pending)
		r.zeros("aof_pending_bio_fsync")
		r.field("aof_delayed_fsync", delayed)
	}
	if load != nil {
		done, total := load.done.Load(), load.total.Load()
		elapsed := r.s.clock.NowMs()/1000 - load.began
		r.field("loading_start_time", load.began)
		r.field("loading_total_bytes", total)
		r.zeros("loading_rdb_used_mem")
		r.field("loading_loaded_bytes", done)
		r.field("loading_loaded_perc", percent(done, total))
		eta := int64(1)
		if done > 0 {
			eta = elapsed * (total - done) / done
		}
		r.field("loading_eta_seconds", eta)
	}
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

func status(ok bool) string {
	if ok {
		return "ok"
	}
	return "err"
}

func seconds(d time.Duration) int64 {
	if d < 0 {
		return -1
	}
	return int64(d / time.Second)
}

func percent(done, of int64) string {
	return fmt.Sprintf("%.2f", float64(done)*100/float64(max(of, 1)))
}
