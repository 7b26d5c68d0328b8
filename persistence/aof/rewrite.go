package aof

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/streampulse/pulse/internal/vfs"
)

// Rewrite is the writing of a new base under way.
//
//	r, err := log.BeginRewrite(rdb)    a new increment lies ready, in the manifest
//	r.Turn()                           at the instant, while nobody appends
//	err = r.Write(func(w) error {...}) what there was at the instant
//	err = r.Commit()                   the manifest changes, the old files go
//
// or Abort instead of what is left. When a step fails, or the process ends in between, the old base and all increments
// are still there and say the same.
type Rewrite struct {
	l    *Log
	next *target
	name string // of the new base
	seq  int64
	temp string
	size int64
	rdb  bool

	first  bool      // of Start
	before *manifest // then: what there was before, nil for none
	turned bool
}

// Start makes a log for data that were not logged before. The first rewrite is under way, and its instant is when the log
// becomes the store's feed; until it is committed the files that may be there from another time stay as they are, and the
// manifest calls the new ones history: a start removes them.
func Start(o Options, rdb bool) (*Log, *Rewrite, error) {
	n := names{o.Dir, o.Name}
	if err := o.FS.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, nil, err
	}
	if err := o.FS.SyncDir(filepath.Dir(o.Dir)); err != nil {
		return nil, nil, err
	}
	before, err := readManifest(o.FS, n)
	if err != nil {
		return nil, nil, err
	}
	m := &manifest{}
	if before != nil {
		m = before.clone()
	}
	r := &Rewrite{seq: m.nextBase(), rdb: rdb, first: true, before: before, turned: true}
	r.name = n.base(r.seq, rdb)
	r.temp = "temp-rewriteaof-" + r.name
	seq := m.nextIncr()
	pending := m.clone()
	pending.history = append(pending.history, file{r.name, r.seq, history}, file{n.incr(seq), seq, history})
	if err := pending.write(o.FS, n); err != nil {
		return nil, nil, err
	}
	if r.next, err = newTarget(o.FS, n, n.incr(seq)); err != nil {
		return nil, nil, errors.Join(err, r.restore(o.FS, n))
	}
	for _, f := range m.all() {
		f.typ = history
		m.history = append(m.history, f)
	}
	m.base, m.incrs = nil, []file{{n.incr(seq), seq, incr}}
	l := newLog(o, m)
	r.l, l.io.cur = l, r.next
	l.size.Store(r.next.size)
	l.rewriting.Store(true)
	l.start()
	return l, r, nil
}

// restore puts the manifest back that there was before Start.
func (r *Rewrite) restore(fsys vfs.FS, n names) error {
	if r.before != nil {
		return r.before.write(fsys, n)
	}
	if err := fsys.Remove(n.manifest()); err != nil {
		return err
	}
	return fsys.SyncDir(n.dir)
}

// Abandon ends a log of Start that could not be committed, and takes its files away, unless there is a manifest that
// names them all the same: writing it has failed at the very end.
func (r *Rewrite) Abandon() {
	l := r.l
	r.discard()
	close(l.stop)
	l.stopped.Wait()
	l.io.Lock()
	defer l.io.Unlock()
	_ = l.io.cur.f.Close() // it goes
	m, err := readManifest(l.o.FS, l.names)
	if err != nil || m != nil && m.holds(l.io.cur.name) {
		return
	}
	for _, name := range []string{l.io.cur.name, r.name} {
		if err := l.o.FS.Remove(l.names.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.logf('W', "Append-only file: removing %s: %v", name, err)
			return // the manifest tells the next start to do that
		}
	}
	if err := r.restore(l.o.FS, l.names); err != nil {
		l.logf('W', "Append-only file: the manifest still names files that are gone: %v", err)
	}
}

// ErrRewriting says that a rewrite is under way.
var ErrRewriting = errors.New("a rewrite of the append-only file is under way")

// BeginRewrite makes the increment that everything after the instant will go to. rdb says what the base will be: an RDB
// file, or commands.
func (l *Log) BeginRewrite(rdb bool) (*Rewrite, error) {
	if !l.rewriting.CompareAndSwap(false, true) {
		return nil, ErrRewriting
	}
	next, err := l.addIncrement()
	if err != nil {
		l.rewriting.Store(false)
		return nil, err
	}
	l.manifest.Lock()
	defer l.manifest.Unlock()
	r := &Rewrite{l: l, next: next, seq: l.manifest.nextBase(), rdb: rdb}
	r.name = l.names.base(r.seq, rdb)
	r.temp = "temp-rewriteaof-" + r.name
	return r, nil
}

// Turn takes the instant: what is appended from now on goes to the new increment. It does not touch the disk.
func (r *Rewrite) Turn() {
	b := &r.l.mu
	b.Lock()
	defer b.Unlock()
	if b.next != nil {
		// The instant before could not be written: all that belongs to the time before this one.
		if len(b.buf) == 0 {
			b.buf = b.after
		} else {
			b.buf = append(b.buf, unframed(b.after)...)
		}
		_ = b.next.f.Close() // nothing was written to it
	}
	b.next, b.after = r.next, nil
	b.db, b.second = -1, 0
	r.turned = true
}

// Write makes the new base out of what write writes, and makes it durable. A base of commands is written in whole
// commands, with every call.
func (r *Rewrite) Write(write func(w io.Writer) error) error {
	l := r.l
	path := l.names.path(r.temp)
	f, err := l.o.FS.Create(path)
	if err != nil {
		return err
	}
	counted := &counter{w: f}
	if r.rdb {
		err = write(counted)
	} else {
		err = write(&framer{to: counted})
	}
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	r.size = counted.n
	return err
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// framer writes what it is given as frames.
type framer struct {
	to  *counter
	buf []byte
}

func (w *framer) Write(b []byte) (int, error) {
	switch n := int64(len(b)); {
	case n == 0:
		return 0, nil
	case n > maxFrame:
		return 0, fmt.Errorf("a frame cannot hold %d bytes", n)
	}
	w.buf = append(append(w.buf[:0], make([]byte, headerLen)...), b...)
	h := header{length: int64(len(b)), sum: crc32.Checksum(b, castagnoli)}
	h.put(w.buf, w.to.n)
	if _, err := w.to.Write(w.buf); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Commit puts the new base into the place of the old base and of the increments before the instant.
func (r *Rewrite) Commit() error {
	l := r.l
	defer l.rewriting.Store(false)
	// What was appended before the instant goes to the old file, if that takes it: the new increment must not be written
	// before the base is in place unless the old file is whole.
	l.io.Lock()
	whole := l.write()
	l.io.Unlock()
	if r.first && !whole {
		return fmt.Errorf("%s cannot be written", r.next.name)
	}
	fsys := l.o.FS
	if err := fsys.Rename(l.names.path(r.temp), l.names.path(r.name)); err != nil {
		r.discard()
		return err
	}
	l.manifest.Lock()
	defer l.manifest.Unlock()
	m := l.manifest.clone()
	if m.base != nil {
		old := *m.base
		old.typ = history
		m.history = append(m.history, old)
	}
	var stay []file
	for _, f := range m.incrs {
		if f.name == r.next.name || f.seq > r.seqOfNext() {
			stay = append(stay, f)
			continue
		}
		f.typ = history
		m.history = append(m.history, f)
	}
	m.incrs = stay
	m.base = &file{r.name, r.seq, base}
	// The name of the base must be durable before the manifest speaks of it; Replace syncs the directory once more.
	if err := fsys.SyncDir(l.names.dir); err != nil {
		_ = fsys.Remove(l.names.path(r.name))
		return err
	}
	if err := m.write(fsys, l.names); err != nil {
		// Either manifest may be found after a crash; both speak of files that are there and say the same.
		return err
	}
	l.manifest.manifest = m
	size := r.size
	for _, f := range m.incrs {
		if info, err := fsys.Stat(l.names.path(f.name)); err == nil {
			size += info.Size()
		}
	}
	if !whole {
		l.leaveBehind()
	}
	l.size.Store(size)
	l.baseSize.Store(size)
	l.on.Store(true)
	l.collect()
	return nil
}

func (r *Rewrite) seqOfNext() int64 {
	for _, f := range r.l.manifest.incrs {
		if f.name == r.next.name {
			return f.seq
		}
	}
	return 0
}

// leaveBehind goes on with the new increment although the old one could not be written or made durable: the base that is
// in place now holds all that it does.
func (l *Log) leaveBehind() {
	l.io.Lock()
	defer l.io.Unlock()
	b := &l.mu
	b.Lock()
	defer b.Unlock()
	if b.next == nil {
		return // it has become possible meanwhile
	}
	_ = l.io.cur.f.Close() // it has failed already
	l.written.Add(int64(len(unframed(b.buf))))
	l.io.cur, l.io.lost = b.next, false
	b.buf, b.after, b.next = b.after, nil, nil
	l.lastError.Store(nil)
	l.logf('N', "Append-only file: it goes on in %s", l.io.cur.name)
}

// Abort gives the rewrite up. What has been appended since the instant stays where it is, in the new increment; if there
// was none, that remains empty.
func (r *Rewrite) Abort() {
	r.discard()
	if !r.turned {
		_ = r.next.f.Close() // nothing is lost with it
	}
	r.l.rewriting.Store(false)
}

func (r *Rewrite) discard() {
	l := r.l
	if err := l.o.FS.Remove(l.names.path(r.temp)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.logf('W', "Append-only file: removing %s: %v", r.temp, err)
	}
}

// collect removes the files that the manifest calls history, then writes it without them. The manifest is held.
func (l *Log) collect() {
	m := l.manifest.clone()
	if len(m.history) == 0 {
		return
	}
	var left []file
	for _, f := range m.history {
		if err := l.o.FS.Remove(l.names.path(f.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.logf('W', "Append-only file: removing %s: %v", f.name, err)
			left = append(left, f)
		}
	}
	m.history = left
	if err := m.write(l.o.FS, l.names); err != nil {
		l.logf('W', "Append-only file: the manifest still names files that are gone: %v", err)
		return
	}
	l.manifest.manifest = m
}
