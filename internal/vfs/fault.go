package vfs

import (
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
)

// Fault is a file system before another one that can fail. Without rules it changes nothing. All methods may be called
// concurrently, with operations under way as well.
//
// Injected errors look like real ones: *fs.PathError or *os.LinkError around the error of the rule. An operation that
// fails has not been done, but for the first bytes of a short write (Rule.Short) and for Close, which closes the file
// as the system does. A Sync that fails over a Mem loses what was not synced before, whatever later syncs say (see the
// package's contract): the data can still be read, and is gone after a power cut.
type Fault struct {
	inner FS
	mu    struct {
		sync.Mutex
		rules []*Injection
	}
}

// NewFault puts rules before a file system.
func NewFault(inner FS) *Fault { return &Fault{inner: inner} }

// Rule says which operations fail, or wait, and how.
type Rule struct {
	Ops   OpKind // the kinds of operations that it is about; 0 is all
	Path  string // a pattern of path.Match for the whole name, with slashes, or for its last part; "" is all. Rename has two names
	Skip  int    // so many operations that match pass first
	Times int    // so many are concerned then; 0 is all until the rule is healed
	Err   error  // what they fail with; nil does not fail them
	Short int    // OpWrite with Err: so many bytes are written first, but not the last one
	// Before is called before the operation (and before it fails), outside of all locks: it may wait, to hold the operation,
	// and may use the file system. A Sync held like this covers what was written before it was called, not what comes
	// while it is held; over another file system than Mem that is the other one's to say.
	Before func(op OpKind, name string)
}

// An Injection is a rule at work.
type Injection struct {
	fault *Fault
	rule  Rule
	// Under fault.mu.
	seen int // operations that matched
	hits int // operations that were concerned
}

// Add puts a rule to work. When several match an operation, all count it and all their Before are called, in the order
// of Add; the first with an Err fails it.
func (f *Fault) Add(r Rule) *Injection {
	if _, err := path.Match(r.Path, ""); err != nil {
		panic("vfs: the pattern " + r.Path + " is wrong")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	in := &Injection{fault: f, rule: r}
	f.mu.rules = append(slices.Clip(f.mu.rules), in)
	return in
}

// Heal ends all rules. Operations that a Before holds stay held.
func (f *Fault) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.rules = nil
}

// Heal ends the rule.
func (in *Injection) Heal() {
	in.fault.mu.Lock()
	defer in.fault.mu.Unlock()
	in.fault.mu.rules = slices.DeleteFunc(slices.Clone(in.fault.mu.rules), func(r *Injection) bool { return r == in })
}

// Hits is the number of operations that the rule has concerned.
func (in *Injection) Hits() int {
	in.fault.mu.Lock()
	defer in.fault.mu.Unlock()
	return in.hits
}

func (r *Rule) matches(op OpKind, names []string) bool {
	if r.Ops != 0 && r.Ops&op == 0 {
		return false
	}
	if r.Path == "" {
		return true
	}
	return slices.ContainsFunc(names, func(name string) bool {
		name = filepath.ToSlash(name)
		whole, _ := path.Match(r.Path, name)
		last, _ := path.Match(r.Path, path.Base(name))
		return whole || last
	})
}

// meet finds the rules that concern an operation, calls their Before and returns the one that fails it, or nil.
func (f *Fault) meet(op OpKind, names ...string) *Rule {
	f.mu.Lock()
	var met []*Rule
	for _, in := range f.mu.rules {
		r := &in.rule
		if !r.matches(op, names) {
			continue
		}
		in.seen++
		if in.seen > r.Skip && (r.Times == 0 || in.hits < r.Times) {
			in.hits++
			met = append(met, r)
		}
	}
	f.mu.Unlock()
	var failing *Rule
	for _, r := range met {
		if r.Before != nil {
			r.Before(op, names[0])
		}
		if failing == nil && r.Err != nil {
			failing = r
		}
	}
	return failing
}

// check is meet for operations that have nothing left to do when they fail.
func (f *Fault) check(op OpKind, word, name string) error {
	if r := f.meet(op, name); r != nil {
		return &fs.PathError{Op: word, Path: name, Err: r.Err}
	}
	return nil
}

// Open opens a file for reading.
func (f *Fault) Open(name string) (File, error) { return f.OpenFile(name, os.O_RDONLY, 0) }

// Create makes or empties a file, for reading and writing.
func (f *Fault) Create(name string) (File, error) {
	return f.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
}

// OpenFile opens a file; it is OpCreate with os.O_CREATE, whether the file exists or not, and OpOpen without.
func (f *Fault) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	op := OpOpen
	if flag&os.O_CREATE != 0 {
		op = OpCreate
	}
	if err := f.check(op, "open", name); err != nil {
		return nil, err
	}
	file, err := f.inner.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &faultFile{file, f}, nil
}

// Stat describes a file or directory.
func (f *Fault) Stat(name string) (fs.FileInfo, error) {
	if err := f.check(OpStat, "stat", name); err != nil {
		return nil, err
	}
	return f.inner.Stat(name)
}

// ReadDir lists a directory, ordered by name.
func (f *Fault) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := f.check(OpReadDir, "open", name); err != nil {
		return nil, err
	}
	return f.inner.ReadDir(name)
}

// Rename gives a file or directory another name; rules match both.
func (f *Fault) Rename(oldName, newName string) error {
	if r := f.meet(OpRename, oldName, newName); r != nil {
		return &os.LinkError{Op: "rename", Old: oldName, New: newName, Err: r.Err}
	}
	return f.inner.Rename(oldName, newName)
}

// Remove takes away a file or an empty directory.
func (f *Fault) Remove(name string) error {
	if err := f.check(OpRemove, "remove", name); err != nil {
		return err
	}
	return f.inner.Remove(name)
}

// MkdirAll makes a directory and those above it.
func (f *Fault) MkdirAll(name string, perm fs.FileMode) error {
	if err := f.check(OpMkdir, "mkdir", name); err != nil {
		return err
	}
	return f.inner.MkdirAll(name, perm)
}

// SyncDir makes the names in a directory durable.
func (f *Fault) SyncDir(name string) error {
	if err := f.check(OpSyncDir, "sync", name); err != nil {
		return err
	}
	return f.inner.SyncDir(name)
}

// Lock takes the lock on a directory.
func (f *Fault) Lock(dir string) (io.Closer, error) {
	if err := f.check(OpLock, "lock", dir); err != nil {
		return nil, err
	}
	return f.inner.Lock(dir)
}

// Free is the room of the file system of a directory.
func (f *Fault) Free(dir string) (int64, error) {
	if err := f.check(OpFree, "statfs", dir); err != nil {
		return 0, err
	}
	return f.inner.Free(dir)
}

// faultFile is an open file of a Fault; rules match the name that it was opened with.
type faultFile struct {
	File
	fault *Fault
}

func (f *faultFile) check(op OpKind, word string) error { return f.fault.check(op, word, f.Name()) }

func (f *faultFile) Read(p []byte) (int, error) {
	if err := f.check(OpRead, "read"); err != nil {
		return 0, err
	}
	return f.File.Read(p)
}

func (f *faultFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.check(OpRead, "read"); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

func (f *faultFile) Write(p []byte) (int, error) {
	r := f.fault.meet(OpWrite, f.Name())
	if r == nil {
		return f.File.Write(p)
	}
	n := 0
	if short := min(r.Short, len(p)-1); short > 0 {
		var err error
		if n, err = f.File.Write(p[:short]); err != nil {
			return n, err
		}
	}
	return n, &fs.PathError{Op: "write", Path: f.Name(), Err: r.Err}
}

func (f *faultFile) Seek(offset int64, whence int) (int64, error) {
	if err := f.check(OpSeek, "seek"); err != nil {
		return 0, err
	}
	return f.File.Seek(offset, whence)
}

func (f *faultFile) Size() (int64, error) {
	if err := f.check(OpStat, "stat"); err != nil {
		return 0, err
	}
	return f.File.Size()
}

func (f *faultFile) Truncate(size int64) error {
	if err := f.check(OpTruncate, "truncate"); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *faultFile) Sync() error { return f.sync(OpSync, f.File.Sync) }

func (f *faultFile) SyncData() error { return f.sync(OpSyncData, f.File.SyncData) }

func (f *faultFile) sync(op OpKind, do func() error) error {
	m, _ := f.File.(*memFile)
	mark := 0
	if m != nil {
		mark = m.mark()
	}
	err := f.check(op, "sync")
	switch {
	case m != nil:
		return m.syncUpto(op, mark, err)
	case err != nil:
		return err
	}
	return do()
}

func (f *faultFile) SyncRange(off, n int64) error {
	if err := f.check(OpSyncRange, "sync"); err != nil {
		return err
	}
	return f.File.SyncRange(off, n)
}

func (f *faultFile) Preallocate(off, n int64) error {
	if err := f.check(OpPreallocate, "preallocate"); err != nil {
		return err
	}
	return f.File.Preallocate(off, n)
}

func (f *faultFile) DropCache(off, n int64) error {
	if err := f.check(OpDropCache, "fadvise"); err != nil {
		return err
	}
	return f.File.DropCache(off, n)
}

func (f *faultFile) Close() error {
	failed := f.check(OpClose, "close")
	err := f.File.Close()
	if failed != nil {
		return failed
	}
	return err
}
