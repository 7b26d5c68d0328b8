package vfs

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// memFile is an open file of a Mem. Its fields are guarded by the Mem's mutex.
type memFile struct {
	m      *Mem
	name   string // as it was opened
	path   string // from the root, at that time
	node   int
	flag   int
	pos    int64
	closed bool
}

// enter locks the Mem and reports whether the file is open, and for an access of the kind.
func (f *memFile) enter(op string, wrongMode int, reason error) (*node, error) {
	f.m.mu.Lock()
	switch {
	case f.closed:
		return nil, f.fail(op, fs.ErrClosed)
	case reason != nil && f.flag&(os.O_RDONLY|os.O_WRONLY|os.O_RDWR) == wrongMode:
		return nil, f.fail(op, reason)
	}
	return f.m.mu.live.nodes[f.node], nil
}

func (f *memFile) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

func (f *memFile) Name() string { return f.name }

func (f *memFile) Size() (int64, error) {
	n, err := f.enter("stat", 0, nil)
	defer f.m.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return int64(len(n.now.b)), nil
}

func (f *memFile) Read(p []byte) (int, error) {
	reason := error(syscall.EBADF)
	if len(p) == 0 {
		reason = nil
	}
	n, err := f.enter("read", os.O_WRONLY, reason)
	defer f.m.mu.Unlock()
	if err != nil || len(p) == 0 {
		return 0, err
	}
	if f.pos >= int64(len(n.now.b)) {
		return 0, io.EOF
	}
	got := copy(p, n.now.b[f.pos:])
	f.pos += int64(got)
	return got, nil
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	switch {
	case off < 0:
		return 0, f.fail("readat", syscall.EINVAL)
	case len(p) == 0:
		return 0, nil // without a look at the file, as os.File does
	}
	n, err := f.enter("read", os.O_WRONLY, syscall.EBADF)
	defer f.m.mu.Unlock()
	switch {
	case err != nil:
		return 0, err
	case off >= int64(len(n.now.b)):
		return 0, io.EOF
	}
	got := copy(p, n.now.b[off:])
	if got < len(p) {
		return got, io.EOF
	}
	return got, nil
}

func (f *memFile) Write(p []byte) (int, error) {
	n, err := f.enter("write", os.O_RDONLY, syscall.EBADF)
	defer f.m.mu.Unlock()
	if err != nil || len(p) == 0 {
		return 0, err
	}
	if f.flag&os.O_APPEND != 0 {
		f.pos = int64(len(n.now.b))
	}
	fits := f.m.fits(f.node, f.pos, int64(len(p)))
	if fits > 0 {
		f.m.do(Op{Kind: OpWrite, Name: f.path, Off: f.pos, Size: fits, node: f.node, data: bytes.Clone(p[:fits])})
		f.pos += fits
	}
	if fits < int64(len(p)) {
		return int(fits), f.fail("write", syscall.ENOSPC)
	}
	return len(p), nil
}

func (f *memFile) Seek(offset int64, whence int) (int64, error) {
	n, err := f.enter("seek", 0, nil)
	defer f.m.mu.Unlock()
	if err != nil {
		return 0, err
	}
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += f.pos
	case io.SeekEnd:
		offset += int64(len(n.now.b))
	default:
		offset = -1
	}
	if offset < 0 {
		return 0, f.fail("seek", syscall.EINVAL)
	}
	f.pos = offset
	return offset, nil
}

func (f *memFile) Truncate(size int64) error {
	n, err := f.enter("truncate", os.O_RDONLY, syscall.EINVAL)
	defer f.m.mu.Unlock()
	switch {
	case err != nil:
		return err
	case size < 0:
		return f.fail("truncate", syscall.EINVAL)
	case size == int64(len(n.now.b)):
		return nil
	case f.m.fits(f.node, 0, size) < size:
		return f.fail("truncate", syscall.ENOSPC)
	}
	f.m.do(Op{Kind: OpTruncate, Name: f.path, Size: size, node: f.node})
	return nil
}

func (f *memFile) Sync() error { return f.syncUpto(OpSync, f.mark(), nil) }

func (f *memFile) SyncData() error { return f.syncUpto(OpSyncData, f.mark(), nil) }

// mark is the number of the last operation: what a sync that begins now covers.
func (f *memFile) mark() int {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	return f.m.mu.live.seq
}

// syncUpto syncs what was done up to a mark. With a failure it gives up what was written instead, as a kernel does that
// could not write its pages and marks them clean: it can still be read, but no later sync brings it to the disk.
func (f *memFile) syncUpto(kind OpKind, mark int, failure error) error {
	_, err := f.enter("sync", 0, nil)
	defer f.m.mu.Unlock()
	if err != nil {
		return err
	}
	f.m.do(Op{Kind: kind, Name: f.path, node: f.node, upto: mark, Failed: failure != nil})
	return failure
}

func (f *memFile) SyncRange(int64, int64) error { return f.hint("sync") }

// Preallocate fails if there is no room; it keeps none.
func (f *memFile) Preallocate(off, n int64) error {
	_, err := f.enter("preallocate", os.O_RDONLY, syscall.EBADF)
	defer f.m.mu.Unlock()
	switch {
	case err != nil || n <= 0:
		return err
	case off < 0:
		return f.fail("preallocate", syscall.EINVAL)
	case f.m.fits(f.node, off, n) < n:
		return f.fail("preallocate", syscall.ENOSPC)
	}
	return nil
}

func (f *memFile) DropCache(int64, int64) error { return f.hint("fadvise") }

func (f *memFile) hint(op string) error {
	_, err := f.enter(op, 0, nil)
	f.m.mu.Unlock()
	return err
}

func (f *memFile) Close() error {
	_, err := f.enter("close", 0, nil)
	defer f.m.mu.Unlock()
	if err != nil {
		return err
	}
	f.closed = true
	if f.m.mu.open[f.node]--; f.m.mu.open[f.node] == 0 {
		delete(f.m.mu.open, f.node)
	}
	return nil
}
