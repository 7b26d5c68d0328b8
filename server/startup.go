package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/persistence/aof"
	"github.com/streampulse/pulse/persistence/rdb"
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/codec"
)

// open takes the directory and reads what is there, before any client is served; those who connect meanwhile are told to
// come back. A file that is there but would not be read is an error: a server must not start empty beside its data.
func (p *files) open(ignoreUnread bool) error {
	if p.dir == "" {
		return nil
	}
	var err error
	if p.lock, err = p.fs.Lock(p.dir); err != nil {
		p.loading.Store(nil)
		return fmt.Errorf("the directory %s cannot be used: %w", p.dir, err)
	}
	load := p.loading.Load()
	defer p.loading.Store(nil)
	s := p.srv.store
	s.SetActiveExpire(false)
	defer s.SetActiveExpire(true)
	switch err := p.load(load, ignoreUnread); {
	case errors.Is(err, ErrClosed), err == nil && load.interrupted(p.srv) != nil:
		return ErrClosed
	case err != nil:
		return err
	}
	p.mu.Lock()
	p.mu.dirtyAtSave = s.Dirty()
	p.mu.Unlock()
	return nil
}

// beginLoading has clients told that the data are being loaded, until open returns.
func (p *files) beginLoading() {
	if p.dir != "" {
		p.loading.Store(&progress{began: p.srv.clock.NowMs() / 1000})
	}
}

// load reads the append-only file, or the RDB file.
func (p *files) load(load *progress, ignoreUnread bool) error {
	info, err := p.fs.Stat(p.rdbPath())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		info = nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file: move it away, or set dbfilename to another name", p.rdbPath())
	}
	if !p.cfg.appendOnly.Load() {
		if info == nil {
			return nil
		}
		return p.loadRDB(load, info.Size())
	}
	o := p.logOptions()
	there, err := aof.Exists(o)
	if err != nil {
		return err
	}
	if !there && info != nil && info.Size() > 0 && !ignoreUnread {
		return fmt.Errorf("appendonly is on and there is no append-only file in %s, but there is %s, whose data would not be read. "+
			"Start with appendonly off and turn it on with CONFIG SET, or remove the file, or start with --ignore-unread-data yes", o.Dir, p.rdbPath())
	}
	return p.openLog(o, load, false)
}

// openLog loads the append-only file and goes on with it. alone tells that the caller has the store to itself.
func (p *files) openLog(o aof.Options, load *progress, alone bool) error {
	start := p.srv.clock.Mono()
	r := p.newReplayer()
	r.lane.tx.Alone = alone
	l, rep, err := aof.Open(o, aof.Loader{
		Base: func(src io.Reader, size int64) (int64, error) { return p.loadFrom(src, size, true, load) },
		Command: func(args [][]byte) error {
			if load.broken.Load() {
				return ErrClosed
			}
			r.begin()
			if err := p.srv.table.Replay(&r.conn, args); err != nil {
				return fmt.Errorf("the command %q: %w", shorten(args), err)
			}
			return nil
		},
		Progress: func(done, of int64) {
			r.end()
			load.done.Store(done)
			load.total.Store(of)
			p.logProgress(load)
			_ = load.interrupted(p.srv)
		},
	})
	r.end()
	if err != nil {
		return fmt.Errorf("loading the append-only file in %s: %w. The files are as they were. pulse-check --fix cuts off what cannot be read, "+
			"and keeps it", o.Dir, err)
	}
	if rep.Existed {
		p.srv.log.Noticef("DB loaded from append only file: %.3f seconds", (p.srv.clock.Mono() - start).Seconds())
	}
	if c := rep.Cut; c != nil {
		p.srv.log.Warningf("The append-only file %s ended within what was being written when the server stopped (at offset %d: %s). "+
			"%d bytes with %d commands were cut off from offset %d on, and are kept in %s", c.File, c.Offset, c.What, c.Bytes, c.Commands, c.From, c.Saved)
	}
	p.log.Store(l)
	p.srv.store.SetFeed(l)
	return nil
}

// shorten returns a command for the log.
func shorten(args [][]byte) []byte {
	b := bytes.Join(args[:min(len(args), 4)], []byte(" "))
	return b[:min(len(b), 128)]
}

// replayer is a client that runs what was run before. It is within its gate for a batch of commands at a time, as clients
// are: INFO and CLIENT, which are served while the data are being read, need all gates.
type replayer struct {
	lane   *lane
	conn   commands.Conn
	within bool
}

func (p *files) newReplayer() *replayer {
	r := &replayer{lane: newLaneBehind(p.srv, p.srv.store.NewInnerGate())} // DEBUG RELOAD runs alone
	c := &r.conn
	c.Env, c.Gate, c.Tx, c.Meter = env{p.srv}, r.lane.gate, r.lane.tx, uncounted{}
	c.Authenticated, c.User, c.Addr = true, "default", "replay"
	c.BeginBatch()
	return r
}

func (r *replayer) begin() {
	if !r.within {
		r.lane.gate.Enter()
		r.within = true
	}
}

func (r *replayer) end() {
	if r.within {
		r.lane.gate.Leave()
		r.within = false
	}
}

// uncounted counts nothing: what is replayed was counted before.
type uncounted struct{}

func (uncounted) Command(int, time.Duration, bool) {}
func (uncounted) Rejected(int)                     {}
func (uncounted) ErrorReply(string)                {}
func (uncounted) Lookups(int64, int64, int64)      {}

// loadRDB loads the RDB file.
func (p *files) loadRDB(load *progress, size int64) error {
	start := p.srv.clock.Mono()
	f, err := p.fs.Open(p.rdbPath())
	if err != nil {
		return err
	}
	defer f.Close()
	load.total.Store(size)
	if _, err := p.loadFrom(f, size, false, load); err != nil {
		return fmt.Errorf("loading %s: %w. Nothing was changed. pulse-check tells what the file holds and saves what can be read; "+
			"moved away, the server starts without it", p.rdbPath(), err)
	}
	p.srv.log.Noticef("Done loading RDB, keys loaded: %d, keys expired: %d.", p.mu.loadedKeys, p.mu.expiredAtLoad)
	p.srv.log.Noticef("DB loaded from disk: %.3f seconds", (p.srv.clock.Mono() - start).Seconds())
	return nil
}

// loadFrom reads an RDB file, or the beginning of src, into the store with all processors, and returns how many bytes it
// took. It is within no gate, for INFO needs all of them: the locks of shards suffice. Keys whose time has come are left
// out, unless the file is the base of an append-only file, which may go on to delete them.
func (p *files) loadFrom(src io.Reader, size int64, base bool, load *progress) (int64, error) {
	srv := p.srv
	workers := runtime.GOMAXPROCS(0) // cutting the stream takes a fifth of what putting keys takes
	txs := make([]*store.Tx, workers+1)
	for i := range txs {
		txs[i] = srv.store.NewTx()
		txs[i].Replaying = true
	}
	var expired atomic.Int64
	now := srv.clock.NowMs()
	res, err := rdb.NewReader(src).Load(rdb.Options{
		Workers: workers, Limits: srv.store.Limits().Codec(), Databases: srv.store.Databases(),
		NoChecksum: !p.cfg.checksum.Load(),
		Put: func(worker, db int, key []byte, v codec.Value, at int64, m rdb.Meta) error {
			if at <= now && !base {
				expired.Add(1)
				return nil
			}
			tx := txs[worker]
			tx.BeginAt(db, now)
			tx.LockKey(key)
			defer tx.Unlock()
			if !tx.Load(key, v, at) {
				if !load.merge {
					return errors.New("a key that comes twice")
				}
				tx.SetValue(key, v, at)
			}
			switch m.Access {
			case rdb.Idle:
				tx.SetIdle(key, int64(min(m.Used, 1<<40)))
			case rdb.Frequency:
				tx.SetFrequency(key, uint8(m.Used))
			}
			return nil
		},
		Ahead: func(_, db int, key []byte) { srv.store.Warm(db, key) },
		Resize: func(db int, keys, _ uint64) error {
			// A file may claim anything; a key takes eight bytes of it, about, at least.
			srv.store.Reserve(db, int(min(keys, uint64(max(size, 0))/8)))
			return nil
		},
		Function: func(code []byte) error {
			_, err := srv.scripts.LoadLibrary(code, load.merge)
			return err
		},
		Progress: func(read int64) error {
			load.done.Store(read)
			p.logProgress(load)
			return load.interrupted(srv)
		},
	})
	p.mu.Lock()
	p.mu.loadedKeys, p.mu.expiredAtLoad = res.Keys-expired.Load(), expired.Load()
	p.mu.Unlock()
	return res.Size, err
}

// interrupted returns ErrClosed, and has the load broken off, when the server is to end.
func (l *progress) interrupted(s *Server) error {
	select {
	case <-s.stop:
		l.broken.Store(true)
		return ErrClosed
	default:
		return nil
	}
}

// logProgress logs how far loading is, every five seconds.
func (p *files) logProgress(load *progress) {
	now := p.srv.clock.NowMs()
	last := load.logged.Load()
	if now-max(last, load.began*1000) < 5000 || !load.logged.CompareAndSwap(last, now) {
		return
	}
	done, of := load.done.Load(), load.total.Load()
	p.srv.log.Noticef("Loading: %d of %d bytes (%s %%)", done, of, percent(done, of))
}

// switchLog turns the append-only file on or off, as the parameter says. Turned on, it begins with all data as its base.
func (p *files) switchLog() error {
	l := p.log.Load()
	on := p.cfg.appendOnly.Load()
	switch {
	case p.dir == "" || p.loading.Load() != nil || on == (l != nil):
	case !on:
		p.stopLog()
	default:
		p.startLog()
	}
	return nil
}

// stopLog ends the append-only file. A rewrite of it under way gives way, and tick tries again.
func (p *files) stopLog() {
	if p.claim("rewrite") != nil {
		p.mu.Lock()
		if p.mu.busy == "rewrite" && p.mu.snapshot != nil {
			p.mu.snapshot.Abort()
		}
		p.mu.Unlock()
		return
	}
	l := p.log.Load()
	go func() {
		defer p.release()
		if l == nil {
			return
		}
		p.letGo()
		if err := l.Close(); err != nil {
			p.srv.log.Warningf("Closing the append-only file: %v", err)
		}
		p.wakeHeld()
		p.srv.log.Noticef("The append-only file is off")
	}()
}

// letGo has changes logged no longer.
func (p *files) letGo() {
	p.inLane(func(lane commands.Lane) {
		lane.Tx.Begin(0)
		lane.Tx.Exclusive(lane.Gate, func() { p.srv.store.SetFeed(nil); p.log.Store(nil) })
	})
}

// startLog begins an append-only file with all data as its base. If it cannot be begun now, or fails, tick tries again.
func (p *files) startLog() {
	if p.claim("rewrite") == nil {
		p.writeLog(true)
	}
}

// writeLog writes all data as the base of a new append-only file, which becomes the server's if keep is set. The right to
// write files was claimed.
func (p *files) writeLog(keep bool) {
	go func() {
		defer p.release()
		l, r, err := aof.Start(p.logOptions(), p.cfg.rdbPreamble.Load())
		if err != nil {
			p.rewrote(nil, err)
			return
		}
		var sn *snapshot
		p.inLane(func(lane commands.Lane) {
			sn, err = p.begin(lane, !p.cfg.rdbPreamble.Load(), func() {
				if keep {
					p.srv.store.SetFeed(l)
					p.log.Store(l)
				}
			})
		})
		if err == nil {
			err = r.Write(func(w io.Writer) error { return sn.write(p, w, true, nil) })
			sn.end()
		}
		if err == nil {
			err = r.Commit()
		}
		switch {
		case err == nil && keep:
			p.wakeHeld()
		case err == nil && !keep:
			err = l.Close()
		case err != nil:
			p.letGo()
			r.Abandon()
			p.wakeHeld()
		}
		p.rewrote(l, err)
	}()
}

// Reload implements commands.Persistence. Nobody else runs meanwhile. If the data cannot be read back, there is nothing to go
// on with: the server ends, as Redis does when it cannot load its log, and what the files hold stays as it is.
func (s env) Reload(l commands.Lane, how commands.Reload) (err error) {
	p := &s.files
	what := "save"
	if how.AOF {
		what = "rewrite"
	}
	l.Gate.Leave() // what is being written is let finish
	err = p.await(what)
	l.Gate.Enter()
	if err != nil {
		return err
	}
	defer p.release()
	s.store.Exclusive(l.Gate, func() { err = p.reload(l, how) })
	return err
}

func (p *files) reload(l commands.Lane, how commands.Reload) error {
	s := p.srv
	old := p.log.Load()
	refused := commands.ErrReloadRDB
	switch {
	case how.AOF && old == nil:
		return errNoLog
	case how.AOF:
		refused = commands.ErrReloadAOF
		p.log.Store(nil)
		if err := old.Close(); err != nil {
			s.log.Warningf("Closing the append-only file: %v", err)
		}
	case !how.NoSave:
		if err := p.saveAlone(l); err != nil {
			s.log.Warningf("DEBUG could not save the data: %v", err)
			return refused
		}
	}
	var size int64
	if !how.AOF {
		info, err := p.fs.Stat(p.rdbPath())
		if err != nil {
			s.log.Warningf("DEBUG could not read %s: %v", p.rdbPath(), err)
			return refused
		}
		size = info.Size()
	}
	s.store.SetFeed(nil)
	s.store.SetActiveExpire(false)
	defer s.store.SetActiveExpire(true)
	if !how.NoFlush {
		s.scripts.FlushLibraries()
		l.Tx.Begin(0)
		l.Tx.LockAll()
		for n := range s.store.Databases() {
			l.Tx.Flush(n)
		}
		l.Tx.Flushed()
		l.Tx.Unlock()
	}
	load := &progress{began: s.clock.NowMs() / 1000, merge: how.Merge}
	var err error
	if how.AOF {
		err = p.openLog(p.logOptions(), load, true)
	} else {
		err = p.loadRDB(load, size)
	}
	if err != nil {
		p.failed.Store(true)
		s.log.Warningf("DEBUG could not read the data back: %v. The server ends, and leaves its files as they are", err)
		s.requestStop()
		return refused
	}
	if !how.AOF && old != nil {
		s.store.SetFeed(old)
		if how.NoSave {
			// The log tells of other data than there are now.
			p.mu.Lock()
			p.mu.rewriteNext = true
			p.mu.Unlock()
		}
	}
	return nil
}
