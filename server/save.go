package server

import (
	"errors"
	"io"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/internal/vfs"
	"github.com/streampulse/pulse/persistence/aof"
	"github.com/streampulse/pulse/persistence/rdb"
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/codec"
)

// snapshot is what is to be written: the keys of an instant, the functions there were, and how keys are encoded.
type snapshot struct {
	*store.Snapshot
	libraries []string
	dirty     int64
	version   int
	compress  bool
	idle      bool // as in Redis, how long keys were not used is saved under policies that go by that
	encoders  sync.Pool
	commands  bool // an append-only file without RDB
	written   bool // or being written
}

// begin takes the instant. turn is called in it, if it is there.
func (p *files) begin(l commands.Lane, asCommands bool, turn func()) (*snapshot, error) {
	sn := p.newSnapshot(asCommands)
	var err error
	l.Tx.Begin(0)
	l.Tx.Exclusive(l.Gate, func() {
		if err = sn.take(p, l.Tx); err == nil && turn != nil {
			turn()
		}
	})
	if err != nil {
		return nil, err
	}
	sn.Gentle = !p.exiting.Load()
	p.mu.Lock()
	p.mu.snapshot = sn
	if p.mu.closed {
		sn.Abort()
	}
	p.mu.Unlock()
	return sn, nil
}

func (p *files) newSnapshot(asCommands bool) *snapshot {
	sn := &snapshot{version: codec.Version70, compress: p.srv.store.Limits().CompressTexts, commands: asCommands}
	policy := p.srv.store.Eviction().Policy
	sn.idle = policy == store.AllKeysLRU || policy == store.VolatileLRU
	sn.encoders.New = func() any { return rdb.NewEncoder(sn.version, sn.compress) }
	return sn
}

// take takes the instant; nobody else runs.
func (sn *snapshot) take(p *files, tx *store.Tx) (err error) {
	if sn.Snapshot, err = tx.BeginSnapshot(sn.encode); err != nil {
		return err
	}
	if sn.Timed() {
		sn.version = codec.Version74
	}
	sn.dirty = p.srv.store.Dirty()
	for _, lib := range p.srv.scripts.Libraries() {
		sn.libraries = append(sn.libraries, lib.Code)
	}
	return nil
}

// encode is the store.Encoder.
func (sn *snapshot) encode(dst, key []byte, v codec.Value, m store.Meta) []byte {
	if sn.commands {
		return appendRestore(dst, key, v, m, sn.compress)
	}
	e := sn.encoders.Get().(*rdb.Encoder)
	meta := rdb.Meta{}
	switch {
	case m.Freq >= 0:
		meta = rdb.Meta{Access: rdb.Frequency, Used: uint64(m.Freq)}
	case sn.idle && m.Idle > 0:
		meta = rdb.Meta{Access: rdb.Idle, Used: uint64(m.Idle)}
	}
	dst = e.AppendKey(dst, key, v, m.Deadline, meta)
	sn.encoders.Put(e)
	return dst
}

// appendRestore appends the command that makes a key: every type has its DUMP.
func appendRestore(dst, key []byte, v codec.Value, m store.Meta, compress bool) []byte {
	at := m.Deadline
	if at == store.Forever {
		at = 0
	}
	return aof.AppendCommand(dst, []byte("RESTORE"), key, strconv.AppendInt(nil, at, 10), codec.AppendDump(nil, v, compress), []byte("REPLACE"), []byte("ABSTTL"))
}

// write writes the snapshot to w, as an RDB file or as commands.
func (sn *snapshot) write(p *files, w io.Writer, base bool, sync func() error) error {
	sn.written = true
	if sn.commands {
		return sn.writeCommands(w)
	}
	c := rdb.Config{
		Version: sn.version, Compress: sn.compress, NoChecksum: !p.cfg.checksum.Load(),
		Info: rdb.Info{Version: commands.RedisVersion, Created: sn.Time / 1000, UsedMemory: p.srv.store.UsedMemory(), Base: base},
	}
	for _, z := range sn.Sizes {
		c.Sizes = append(c.Sizes, rdb.Size{Keys: uint64(z.Keys), Expires: uint64(z.Volatile)})
	}
	if p.srv.cfg.Bool("rdb-save-incremental-fsync").Load() {
		c.Sync = sync
	}
	out := rdb.NewWriter(w, c)
	for _, code := range sn.libraries {
		out.Function([]byte(code))
	}
	err := sn.Write(func(db int, b []byte) error {
		out.Raw(db, b)
		return out.Err()
	})
	return errors.Join(err, out.Close())
}

// end follows whatever was to become of the snapshot. The store has one at a time: one that nobody could begin to write,
// because there was no file to write to, must not stay for ever.
func (sn *snapshot) end() {
	if !sn.written {
		sn.Abort()
		_ = sn.Snapshot.Write(func(int, []byte) error { return nil }) // ErrAborted
	}
}

func (sn *snapshot) writeCommands(w io.Writer) error {
	var head []byte
	for _, code := range sn.libraries {
		head = aof.AppendCommand(head, []byte("FUNCTION"), []byte("LOAD"), []byte(code))
	}
	_, err := w.Write(head)
	selected := -1
	return errors.Join(err, sn.Write(func(db int, b []byte) error {
		if db != selected {
			selected = db
			if _, err := w.Write(aof.AppendCommand(nil, []byte("SELECT"), strconv.AppendInt(nil, int64(db), 10))); err != nil {
				return err
			}
		}
		_, err := w.Write(b)
		return err
	}))
}

// saveNow writes the RDB file. The caller is within its gate, and has claimed the right, or the server is closing. freeze
// has writes wait from the instant on, until unfreeze.
func (p *files) saveNow(l commands.Lane, freeze bool) error {
	start := p.srv.clock.Mono()
	var turn func()
	if freeze {
		turn = func() { p.exiting.Store(true) }
	}
	sn, err := p.begin(l, false, turn)
	if err == nil {
		l.Gate.Leave()
		err = p.writeRDB(sn)
		l.Gate.Enter()
	}
	return p.wroteRDB(sn, err, start)
}

// saveAlone is saveNow while nobody else runs.
func (p *files) saveAlone(l commands.Lane) error {
	start := p.srv.clock.Mono()
	sn := p.newSnapshot(false)
	l.Tx.Begin(0)
	err := sn.take(p, l.Tx)
	if err == nil {
		err = p.writeRDB(sn)
	}
	return p.wroteRDB(sn, err, start)
}

func (p *files) writeRDB(sn *snapshot) error {
	defer sn.end()
	defer p.calm()()
	name := p.rdbPath()
	temp := filepath.Join(filepath.Dir(name), "temp-"+strconv.Itoa(pid())+".rdb") // as in Redis
	return vfs.Replace(p.fs, name, temp, 0o644, func(f vfs.File) error {
		return sn.write(p, f, false, f.SyncData)
	})
}

// wroteRDB notes how a save went and returns err.
func (p *files) wroteRDB(sn *snapshot, err error, start time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.srv.clock.NowMs() / 1000
	sv := &p.mu.saved
	sv.tried = now
	if err == nil {
		sv.at = now
		sv.count++
		p.mu.dirtyAtSave = sn.dirty
		p.srv.took("rdb-snapshot-pause", sn.Longest())
		p.srv.log.Noticef("DB saved on disk")
		p.srv.log.Verbosef("%d keys in %v, nobody waited longer than %v", keysOf(sn.Snapshot), p.srv.clock.Mono()-start, sn.Longest())
	}
	return err
}

func keysOf(sn *store.Snapshot) int64 { _, of := sn.Progress(); return of }

// Save implements commands.Persistence.
func (s env) Save(l commands.Lane) error {
	p := &s.files
	if err := p.claim("save"); err != nil {
		return err
	}
	defer p.release()
	err := p.saveNow(l, false)
	if err != nil {
		s.log.Warningf("Error trying to save the DB: %v", err)
		return commands.ErrSave
	}
	p.succeeded(true)
	return nil
}

// succeeded notes whether the last save did.
func (p *files) succeeded(ok bool) {
	p.mu.Lock()
	p.mu.saved.ok = ok
	p.mu.Unlock()
	p.misconf.Store(!ok)
}

// BackgroundSave implements commands.Persistence.
func (s env) BackgroundSave(schedule bool) (string, error) {
	status, err := s.files.beginSave()
	if schedule && err == commands.ErrSaveRewriting {
		s.files.mu.Lock()
		s.files.mu.saveNext = true
		s.files.mu.Unlock()
		return "Background saving scheduled", nil
	}
	return status, err
}

// Flushed implements commands.Persistence.
func (s env) Flushed() {
	p := &s.files
	if len(p.cfg.save.Load()) == 0 {
		return
	}
	if _, err := p.beginSave(); err == commands.ErrSaving || err == commands.ErrSaveRewriting {
		p.mu.Lock()
		p.mu.saveNext = true
		p.mu.Unlock()
	}
}

func (p *files) beginSave() (string, error) {
	if err := p.claim("save"); err != nil {
		return "", err
	}
	p.srv.log.Noticef("Background saving started")
	go func() {
		defer p.release()
		start := p.srv.clock.Mono()
		var err error
		p.inLane(func(l commands.Lane) { err = p.saveNow(l, false) })
		p.mu.Lock()
		p.mu.saved.took = p.srv.clock.Mono() - start
		p.mu.Unlock()
		switch {
		case err == nil:
			p.srv.log.Noticef("Background saving terminated with success")
			p.succeeded(true)
		case errors.Is(err, store.ErrAborted):
			p.srv.log.Warningf("Background saving was broken off")
		default:
			p.srv.log.Warningf("Background saving error: %v", err)
			p.succeeded(false)
		}
	}()
	return "Background saving started", nil
}

// inLane runs f within a gate.
func (p *files) inLane(f func(l commands.Lane)) {
	l := p.srv.lanes.get(nil)
	l.gate.Enter()
	f(commands.Lane{Gate: l.gate, Tx: l.tx, Meter: &l.meter})
	l.gate.Leave()
	p.srv.lanes.put(l)
}

// RewriteLog implements commands.Persistence.
func (s env) RewriteLog() (string, error) { return s.files.beginRewrite() }

// beginRewrite begins to write the append-only file anew, or notes that it is to be done.
func (p *files) beginRewrite() (string, error) {
	switch err := p.claim("rewrite"); {
	case err == errBusySaving:
		p.mu.Lock()
		p.mu.rewriteNext = true
		p.mu.Unlock()
		return "Background append only file rewriting scheduled", nil
	case err != nil:
		return "", err
	}
	l := p.log.Load()
	p.srv.log.Noticef("Background append only file rewriting started")
	if l == nil {
		p.writeLog(false)
		return "Background append only file rewriting started", nil
	}
	go func() {
		defer p.release()
		p.rewrote(l, p.rewrite(l))
	}()
	return "Background append only file rewriting started", nil
}

const errNoLog = commands.Error("ERR The append-only file is off")

// calm puts off the fsyncs of the log while a large file is written, if no-appendfsync-on-rewrite asks for that; what it
// returns ends that.
func (p *files) calm() (end func()) {
	l := p.log.Load()
	if l == nil || !p.cfg.calm.Load() {
		return func() {}
	}
	l.SetCalm(true)
	return func() { l.SetCalm(false) }
}

// rewrite writes the log anew.
func (p *files) rewrite(l *aof.Log) error {
	asCommands := !p.cfg.rdbPreamble.Load()
	r, err := l.BeginRewrite(!asCommands)
	if err != nil {
		return err
	}
	defer p.calm()()
	var sn *snapshot
	p.inLane(func(lane commands.Lane) { sn, err = p.begin(lane, asCommands, r.Turn) })
	if err == nil {
		err = r.Write(func(w io.Writer) error { return sn.write(p, w, true, nil) })
		p.srv.took("rdb-snapshot-pause", sn.Longest())
		sn.end()
	}
	if err != nil {
		r.Abort()
		return err
	}
	return r.Commit()
}

// rewrote notes how a rewrite went.
func (p *files) rewrote(l *aof.Log, err error) {
	p.mu.Lock()
	rw := &p.mu.rewritten
	rw.took, rw.tried, rw.ok = p.srv.clock.Mono()-p.mu.began, p.srv.clock.NowMs(), err == nil
	if err == nil {
		rw.failures = 0
		rw.count++
	} else {
		rw.failures++
	}
	p.mu.Unlock()
	if err != nil {
		p.srv.log.Warningf("Background AOF rewrite failed: %v", err)
		return
	}
	size, _ := l.Size()
	p.srv.log.Noticef("Background AOF rewrite finished successfully: %d bytes", size)
}

// Shutdown implements commands.Env. The data are saved first if that is wanted; from the instant on that they are saved
// from, no client's write is carried out, so that none is acknowledged and lost.
func (s env) Shutdown(c *commands.Conn, o commands.ShutdownOptions) error {
	s.log.Warningf("User requested shutdown...")
	if err := s.saveForExit(commands.Lane{Gate: c.Gate, Tx: c.Tx}, o); err != nil {
		return err
	}
	if cl, ok := c.Session.(*session); ok && cl.away {
		cl.post(note{kind: noteClose}) // Closing is its owner's
	} else {
		c.Closing = true
	}
	s.requestStop()
	return nil
}

// saveForExit saves what is to be saved before the end, within the lane's gate.
func (s *Server) saveForExit(l commands.Lane, o commands.ShutdownOptions) error {
	p := &s.files
	if o.NoSave {
		p.exiting.Store(true)
	}
	if o.NoSave || p.dir == "" || s.env().Loading() || !o.Save && len(p.cfg.save.Load()) == 0 {
		return nil
	}
	// Whatever is being written gives way.
	p.mu.Lock()
	if sn := p.mu.snapshot; sn != nil {
		sn.Abort()
	}
	p.mu.Unlock()
	err := p.claim("save")
	for deadline := clock.Real.Mono() + 10*time.Second; err != nil && err != commands.ErrNoFiles && clock.Real.Mono() < deadline; {
		l.Gate.Leave()
		time.Sleep(time.Millisecond)
		l.Gate.Enter()
		err = p.claim("save")
	}
	if err == nil {
		s.log.Noticef("Saving the final RDB snapshot before exiting.")
		err = p.saveNow(l, true)
		p.release()
	}
	if err == nil {
		return nil
	}
	s.log.Warningf("Error trying to save the DB: %v", err)
	if o.Force {
		s.log.Warningf("Errors trying to shut down the server. Ignoring because SHUTDOWN FORCE was given.")
		p.exiting.Store(true)
		return nil
	}
	p.exiting.Store(false)
	s.pause.check(s)
	s.log.Warningf("Errors trying to shut down the server. Check the logs for more information.")
	return commands.ErrShutdownFailed
}

// PrepareExit does what SHUTDOWN with the options does before the end: it saves the data, if they or save points ask for
// that. Close follows if it returns nil; otherwise the server goes on.
func (s *Server) PrepareExit(o commands.ShutdownOptions) (err error) {
	s.files.inLane(func(l commands.Lane) { err = s.saveForExit(l, o) })
	return err
}
