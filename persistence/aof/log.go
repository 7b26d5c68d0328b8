// Package aof is the append-only file: every change in the order in which it happened, in the layout of Redis 7, so that
// each server reads what the other has written.
//
// # Contract
//
// A Log is a store.Feed. Append is called under locks of the store, by anybody; it copies into memory. What was appended
// has a position, a number of bytes that only grows. Whoever answers a client calls Flush first:
//
//	always    the answer waits until Synced has reached the position at that time; so none, not even that of a read,
//	          tells of something that a crash could undo
//	everysec  the answer follows when the system was given what was appended: a crash of the process loses nothing, one
//	          of the machine what came after the last fsync: a second at most, while an fsync takes a tenth of one.
//	          That holds while an fsync is under way, too. Redis puts off writing then, and answers, and loses what it has put off when it is killed; a system
//	          whose writes wait for the fsync of the same file has clients wait here.
//	no        as everysec; the system decides when it writes
//
// Files, in the directory appenddirname (manifest.go): a base, which is an RDB file or commands, and increments. A log is
// rewritten by beginning a new increment at an instant, writing what there was at that instant as a new base, and
// putting a manifest that has these two into place. There is no fork, and nothing is written twice.
//
// Frames (encode.go) make silent damage visible; read.go says what is a tail that a crash has torn, and what is not.
//
// # Errors
//
// A write that fails is tried again, from the byte where the file was whole, until it succeeds: Err tells of it
// meanwhile. An fsync that fails is different, because the system may have dropped what it could not write: from then on
// nothing counts as durable until the log has been rewritten to new files.
package aof

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/internal/vfs"
	"github.com/streampulse/pulse/store"
)

// Policy is when a log is synced: the parameter appendfsync.
type Policy int32

const (
	EverySecond Policy = iota
	Always
	Never
)

// Options say where a log is and how it is written.
type Options struct {
	FS       vfs.FS
	Dir      string // appenddirname, with the path to it
	Name     string // appendfilename
	Clock    clock.Clock
	Policy   Policy
	Stamps   bool // aof-timestamp-enabled
	Truncate bool // aof-load-truncated
	// Durable is called, by a goroutine of the log, when Synced has changed.
	Durable func()
	// Logf tells the operator something; level is 'W' for a warning, 'N' for a notice.
	Logf func(level byte, format string, args ...any)
	// Took is told how long a step took that kept clients waiting: "aof-write", "aof-fsync-always" and the other names of
	// LATENCY.
	Took func(event string, d time.Duration)
}

// Log is an append-only file that is open for appending. Its methods may be called concurrently.
type Log struct {
	o     Options
	names names

	policy atomic.Int32
	stamps atomic.Bool
	calm   atomic.Bool // no fsync while a rewrite or a snapshot is under way: no-appendfsync-on-rewrite

	appended atomic.Int64 // position: all that was appended
	written  atomic.Int64 // given to the system
	synced   atomic.Int64 // durable

	mu struct {
		sync.Mutex
		// buf is to be written: room for a header, and units. It is empty or has at least one unit.
		buf    []byte
		db     int   // selected at the end of what was appended
		second int64 // of the last time stamp
		// next is the file that takes over when buf has gone to the present one, nil if none does; after is what was
		// appended since.
		next  *target
		after []byte
	}

	io struct { // held while files are written and synced
		sync.Mutex
		cur   *target
		spare []byte
		lost  bool // an fsync failed
	}
	everysec struct { // of lookAfter; locked against a test only
		sync.Mutex
		last  time.Duration // when it synced last, by the monotonic clock
		quiet int64         // what was appended then
	}
	waiting   atomic.Int64 // answers held since the last commit began, with always
	gather    atomic.Int64 // how many of them are worth the next one
	syncing   atomic.Bool  // an fsync is under way without io: of everysec
	delayed   atomic.Int64 // writes that lasted until it was over
	size      atomic.Int64 // of all files
	baseSize  atomic.Int64 // of all files after the last rewrite, or at the start
	lastError atomic.Pointer[error]

	manifest struct {
		sync.Mutex
		*manifest
	}
	rewriting atomic.Bool
	on        atomic.Bool // it is what a start would load; a log of Start becomes that with its first base

	wake    chan struct{} // to the goroutine that syncs
	stop    chan struct{}
	stopped sync.WaitGroup
}

// target is an increment that is being written.
type target struct {
	f       vfs.File
	name    string
	size    int64 // bytes that are whole; what failed is beyond
	durable int64 // of these
	said    int64 // the size when it ended with a frame that calls all before it durable
}

// open makes a log that appends to the last increment of m, or to a new one. said tells that the last increment ends with
// a frame that calls all of it durable.
func open(o Options, m *manifest, sizes map[string]int64, said bool) (*Log, error) {
	l := newLog(o, m)
	total := int64(0)
	for _, n := range sizes {
		total += n
	}
	l.size.Store(total)
	l.baseSize.Store(total)
	var t *target
	if n := len(m.incrs); n > 0 {
		name := m.incrs[n-1].name
		f, err := o.FS.OpenFile(l.names.path(name), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
		if err != nil {
			return nil, err
		}
		t = &target{f: f, name: name, size: sizes[name]}
		if said {
			t.said = t.size
		}
		if err := t.begin(); err != nil {
			f.Close()
			return nil, err
		}
		l.size.Add(t.size - sizes[name])
		l.baseSize.Store(l.size.Load())
	} else {
		var err error
		if t, err = l.addIncrement(); err != nil {
			return nil, err
		}
	}
	l.io.cur = t
	l.on.Store(true)
	l.start()
	return l, nil
}

// begin syncs an increment before anything is appended to it, and ends what there is with a frame that calls it durable:
// so whatever comes behind is known to stand where a frame should, even if its own header did not reach the disk.
func (t *target) begin() error {
	if err := t.f.SyncData(); err != nil {
		return err
	}
	t.durable = t.size
	if t.size > 0 && t.said == t.size {
		return nil
	}
	if err := t.say(); err != nil {
		return err
	}
	return t.f.SyncData()
}

// say ends an increment with a frame that calls all of it durable, which it must be. After an error it is as before,
// unless that was impossible: errors.Is(err, errTail).
func (t *target) say() error {
	var frame [headerLen]byte
	h := header{durable: t.durable}
	h.put(frame[:], t.size)
	if _, err := t.f.Write(frame[:]); err != nil {
		if cut := t.f.Truncate(t.size); cut != nil {
			return errors.Join(errTail, err, cut)
		}
		return err
	}
	t.size += headerLen
	t.said = t.size
	return nil
}

// errTail says that a part of what could not be written is at the end of a file.
var errTail = errors.New("the end of the file cannot be taken back")

func newLog(o Options, m *manifest) *Log {
	l := &Log{o: o, names: names{o.Dir, o.Name}, wake: make(chan struct{}, 1), stop: make(chan struct{})}
	l.policy.Store(int32(o.Policy))
	l.stamps.Store(o.Stamps)
	l.manifest.manifest = m
	l.mu.db = -1
	return l
}

func (l *Log) start() {
	l.everysec.last, l.everysec.quiet = l.o.Clock.Mono(), l.appended.Load()
	l.stopped.Add(1)
	go l.run()
}

// addIncrement makes an empty increment and puts it into the manifest.
func (l *Log) addIncrement() (*target, error) {
	l.manifest.Lock()
	defer l.manifest.Unlock()
	m := l.manifest.clone()
	seq := m.nextIncr()
	name := l.names.incr(seq)
	t, err := newTarget(l.o.FS, l.names, name)
	if err != nil {
		return nil, err
	}
	m.incrs = append(m.incrs, file{name, seq, incr})
	if err := m.write(l.o.FS, l.names); err != nil {
		t.f.Close()
		return nil, err
	}
	l.manifest.manifest = m
	l.size.Add(t.size)
	return t, nil
}

// newTarget makes an increment without units.
func newTarget(fsys vfs.FS, n names, name string) (*target, error) {
	f, err := fsys.OpenFile(n.path(name), os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, err
	}
	t := &target{f: f, name: name}
	if err := t.begin(); err != nil {
		f.Close()
		_ = fsys.Remove(n.path(name)) // it is in no manifest
		return nil, err
	}
	t.durable = t.size
	return t, nil
}

// Append implements store.Feed.
func (l *Log) Append(u *store.Unit) {
	b := &l.mu
	b.Lock()
	buf := &b.buf
	if b.next != nil {
		buf = &b.after
	}
	if len(*buf) == 0 {
		*buf = append(*buf, make([]byte, headerLen)...)
	}
	before := len(*buf)
	if l.stamps.Load() {
		if second := u.Now / 1000; second != b.second {
			b.second = second
			*buf = fmt.Appendf(*buf, "#TS:%d\r\n", second)
		}
	}
	*buf, b.db = appendUnit(*buf, u, b.db)
	l.appended.Add(int64(len(*buf) - before))
	b.Unlock()
}

// Position returns the position of what was appended last.
func (l *Log) Position() int64 { return l.appended.Load() }

// Holds reports whether answers wait for Synced: the policy is always, and the log is one that a start would load.
func (l *Log) Holds() bool { return Policy(l.policy.Load()) == Always && l.on.Load() }

// Synced returns the position up to which everything is durable: 0 as long as a start would not load this log.
func (l *Log) Synced() int64 {
	if !l.on.Load() {
		return 0
	}
	return l.synced.Load()
}

// Counts reports whether a start would load this log: its base is complete.
func (l *Log) Counts() bool { return l.on.Load() }

// Flush is called before an answer is sent. With always it has another goroutine sync, which calls Durable (see also
// Commit); otherwise it gives what was appended to the system, if the disk takes it.
func (l *Log) Flush() {
	if l.appended.Load() == l.written.Load() && (Policy(l.policy.Load()) != Always || l.synced.Load() == l.written.Load()) {
		return
	}
	if Policy(l.policy.Load()) == Always {
		if l.waiting.Add(1) >= l.gather.Load() {
			l.nudge()
		}
		return
	}
	l.io.Lock()
	syncing := l.syncing.Load()
	l.write()
	if syncing && !l.syncing.Load() {
		l.delayed.Add(1)
	}
	l.io.Unlock()
}

func (l *Log) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// write gives the buffer to the system; io is held. After an error the buffer is as it was, with what came meanwhile
// behind it.
func (l *Log) write() (ok bool) {
	b := &l.mu
	for {
		b.Lock()
		buf, next := b.buf, b.next
		b.buf = l.io.spare[:0]
		b.Unlock()
		if !l.put(buf) {
			b.Lock()
			l.io.spare = nil
			if len(buf) > 0 {
				b.buf = append(buf, unframed(b.buf)...)
			}
			b.Unlock()
			return false
		}
		if l.io.spare = buf[:0]; cap(buf) > 1<<20 {
			l.io.spare = nil
		}
		if next == nil {
			return true
		}
		if !l.turn(next) {
			return false
		}
	}
}

// unframed returns what is in a buffer without the room for the header.
func unframed(buf []byte) []byte { return buf[min(len(buf), headerLen):] }

// turn makes next the current file; all that belongs to the old one was written. io is held. The old file must be durable
// before anything is in the new one, so that only the last file that is not empty may have a torn tail.
func (l *Log) turn(next *target) bool {
	if !l.sync() {
		return false
	}
	if err := l.io.cur.f.Close(); err != nil {
		l.logf('W', "Append-only file: closing %s: %v", l.io.cur.name, err)
	}
	l.io.cur = next
	l.mu.Lock()
	l.mu.buf, l.mu.after, l.mu.next = l.mu.after, nil, nil
	l.mu.Unlock()
	return true
}

// put writes a buffer to the current file, as a frame. It reports false if nothing was written.
func (l *Log) put(buf []byte) bool {
	cur := l.io.cur
	switch {
	case l.io.lost:
		return false
	case len(buf) == 0:
		return l.lastError.Load() == nil
	}
	units := int64(len(buf) - headerLen)
	if units > maxFrame {
		// The disk has taken nothing for very long. What waits is in memory, and a rewrite takes it from there.
		l.io.lost = true
		l.fail(fmt.Errorf("%d bytes wait to be written, which is too much: BGREWRITEAOF begins a new file", units))
		return false
	}
	h := header{length: units, sum: crc32.Checksum(buf[headerLen:], castagnoli), durable: cur.durable}
	h.put(buf, cur.size)
	start := l.o.Clock.Mono()
	_, err := cur.f.Write(buf)
	l.wrote(l.o.Clock.Mono() - start)
	if err != nil {
		l.undo(cur, err)
		return false
	}
	cur.size += int64(len(buf))
	l.size.Add(int64(len(buf)))
	l.written.Add(units)
	l.healed()
	return true
}

// undo takes back what a failed write has left behind the last whole unit.
func (l *Log) undo(cur *target, err error) {
	if cut := cur.f.Truncate(cur.size); cut != nil {
		// The next attempt would append behind a part of a command.
		l.io.lost = true
		err = errors.Join(err, cut)
	}
	l.fail(fmt.Errorf("writing to %s: %w", cur.name, err))
}

func (l *Log) fail(err error) {
	if old := l.lastError.Swap(&err); old == nil || (*old).Error() != err.Error() {
		l.logf('W', "Append-only file: %v", err)
	}
}

func (l *Log) healed() {
	if l.lastError.Load() != nil && !l.io.lost {
		l.lastError.Store(nil)
		l.logf('N', "Append-only file: it can be written again")
	}
}

// Err returns why the log does not take what is appended, nil if it does, or if nobody counts on it yet.
func (l *Log) Err() error {
	if e := l.lastError.Load(); e != nil && l.on.Load() {
		return *e
	}
	return nil
}

// sync makes the current file durable; io is held.
func (l *Log) sync() bool {
	cur := l.io.cur
	if l.io.lost {
		return false
	}
	position, size := l.written.Load(), cur.size
	if cur.durable == size {
		l.synced.Store(position)
		return true
	}
	start := l.o.Clock.Mono()
	err := cur.f.SyncData()
	l.took("aof-fsync-always", l.o.Clock.Mono()-start)
	return l.wasSynced(cur, position, size, err)
}

// wasSynced notes the outcome of an fsync; io is held.
func (l *Log) wasSynced(cur *target, position, size int64, err error) bool {
	if err != nil {
		l.io.lost = true
		l.fail(fmt.Errorf("fsync of %s: %w; nothing counts as saved until the file was rewritten (BGREWRITEAOF)", cur.name, err))
		return false
	}
	cur.durable = max(cur.durable, size)
	if position > l.synced.Load() {
		l.synced.Store(position)
	}
	return true
}

// wrote tells of a write under the names that Redis has for it: that of all, and what else the disk had to do.
func (l *Log) wrote(d time.Duration) {
	l.took("aof-write", d)
	switch {
	case l.syncing.Load():
		l.took("aof-write-pending-fsync", d)
	case l.rewriting.Load():
		l.took("aof-write-active-child", d)
	default:
		l.took("aof-write-alone", d)
	}
}

func (l *Log) took(event string, d time.Duration) {
	if l.o.Took != nil {
		l.o.Took(event, d)
	}
}

func (l *Log) logf(level byte, format string, args ...any) {
	if l.o.Logf != nil {
		l.o.Logf(level, format, args...)
	}
}

// Size returns the bytes of all files, and of what they were after the last rewrite or at the start.
func (l *Log) Size() (now, atBase int64) { return l.size.Load(), l.baseSize.Load() }

// Pending returns the bytes that the system was not given yet, and how many writes have lasted until an fsync
// that was under way was over.
func (l *Log) Pending() (bytes, delayed int64) {
	return l.appended.Load() - l.written.Load(), l.delayed.Load()
}

// ResetStats sets the number of delayed writes to zero.
func (l *Log) ResetStats() { l.delayed.Store(0) }

// SetPolicy replaces the policy. Answers that wait do so no longer, unless it is always.
func (l *Log) SetPolicy(p Policy) {
	l.policy.Store(int32(p))
	l.nudge()
	if l.o.Durable != nil {
		l.o.Durable()
	}
}

// SetStamps turns time stamps on or off.
func (l *Log) SetStamps(on bool) { l.stamps.Store(on) }

// SetCalm puts off the fsyncs of everysec, or no longer.
func (l *Log) SetCalm(on bool) { l.calm.Store(on) }
