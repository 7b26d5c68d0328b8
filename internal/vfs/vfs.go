// Package vfs is the one way to files for what must outlive a crash: RDB, AOF, manifest and the lock on their directory.
//
// # Contract
//
// There are three file systems. OS is the real one. Mem is in memory, records what is done to it and shows what a power
// cut or a killed process may leave of it. Fault stands before another one and fails, shortens or holds operations by
// rule. One suite of tests runs over OS and Mem and finds the same results and the same errors.
//
// # What is durable when
//
// Code is written against the least that POSIX promises, whatever the file system at hand adds to it:
//
//   - what was written to a file is durable when Sync or SyncData has returned nil, not before;
//   - a name that was made, changed or taken away is durable when SyncDir of its directory has returned nil. Sync of the
//     file does not make its name durable;
//   - Rename is atomic: a crash leaves the old state or the new one. It orders nothing else: a file renamed before it was
//     synced may come back under its new name empty, torn or full of zeros;
//   - after Sync or SyncData has failed, what was written since the last success is in an unknown state and stays so: the
//     system may have dropped the pages and marked them clean, so that a second Sync succeeds and means nothing.
//
// The same order of operations is safe everywhere: write, Sync, Close, Rename, SyncDir. Replace does it.
//
// # Concurrency
//
// Every FS may be used concurrently. Of a File, Read, Write, Seek and Truncate move or use one position and are called by
// one goroutine at a time; all other methods may run beside them and each other.
//
// # Errors
//
// Errors are *fs.PathError, or *os.LinkError for Rename, and wrap what the system said: errors.Is with fs.ErrNotExist,
// fs.ErrExist, fs.ErrClosed, ErrNotRegular, ErrLocked, syscall.ENOSPC, EIO, EISDIR, ENOTDIR and ENOTEMPTY works. (Windows
// has numbers of its own for the last six.)
package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// FS is a file system. Names are paths of the system at hand; Mem takes relative ones from its root.
type FS interface {
	// Open opens a file for reading.
	Open(name string) (File, error)
	// Create makes or empties a file, for reading and writing.
	Create(name string) (File, error)
	// OpenFile opens a regular file with os.O_RDONLY, O_WRONLY or O_RDWR and any of O_APPEND, O_CREATE, O_EXCL and O_TRUNC.
	// A directory is refused with syscall.EISDIR and whatever else is no regular file with ErrNotRegular: opening never
	// waits, as for the writer of a FIFO.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	// Stat describes a file or directory; symbolic links are followed.
	Stat(name string) (fs.FileInfo, error)
	// ReadDir lists a directory, ordered by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	// Rename gives a file or directory another name, in place of the file of that name if there is one. A directory of that
	// name is refused with fs.ErrExist.
	Rename(oldName, newName string) error
	// Remove takes away a file or an empty directory.
	Remove(name string) error
	// MkdirAll makes a directory and those above it that do not exist. The names are durable when each directory above a
	// new one was synced.
	MkdirAll(name string, perm fs.FileMode) error
	// SyncDir makes the names in a directory durable. Windows, which has no such call, is taken at NTFS's word for them.
	SyncDir(name string) error
	// Lock takes the exclusive lock on a directory, through the file LockName in it, which stays when the lock is closed.
	// It does not wait: if another process has it, or this one, errors.Is(err, ErrLocked), and errors.As finds a
	// *LockedError that may know who. The lock goes with its process, however that ends.
	Lock(dir string) (io.Closer, error)
	// Free is the number of bytes that may still be written to the file system of a directory, by this user; an
	// errors.ErrUnsupported where the system does not say.
	Free(dir string) (int64, error)
}

// File is an open regular file.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer // writes all or returns an error with the number of bytes that were written
	io.Seeker
	io.Closer // does not sync; an error of Close is worth a look all the same, some network file systems report there

	// Name is the name that the file was opened with.
	Name() string
	// Size is the length of the file in bytes.
	Size() (int64, error)
	// Truncate cuts or extends the file, with zeros, to size bytes. The position stays.
	Truncate(size int64) error
	// Sync makes content and attributes durable, in the disk's cache as well (F_FULLFSYNC where that is needed).
	Sync() error
	// SyncData makes the content durable, and the size, but perhaps not the time of change: fdatasync where there is one,
	// Sync elsewhere.
	SyncData() error

	// SyncRange asks the system to begin writing n bytes from off to the disk, or all from off with an n of 0, so that a
	// Sync later is short. It promises nothing and is nothing outside Linux.
	SyncRange(off, n int64) error
	// Preallocate asks for room for n bytes from off; the size of the file stays. It may fail with syscall.ENOSPC, and is
	// nothing where the file system cannot do it.
	Preallocate(off, n int64) error
	// DropCache tells the system that n bytes from off, or all from off with an n of 0, are not going to be read soon; what
	// is not on the disk yet stays cached. It is nothing outside Linux.
	DropCache(off, n int64) error
}

// LockName is the name of the file in a directory that Lock locks.
const LockName = "pulse.lock"

var (
	// ErrLocked is the reason of Lock when somebody has the lock.
	ErrLocked = errors.New("the directory is in use")
	// ErrNotRegular is the reason of OpenFile for a FIFO, a socket or a device.
	ErrNotRegular = errors.New("not a regular file")
)

// LockedError says that somebody has the lock, and who if known. It is ErrLocked to errors.Is.
type LockedError struct {
	Holder string // as the holder described itself ("process 4711 on web3"), or ""
}

func (e *LockedError) Error() string {
	if e.Holder == "" {
		return ErrLocked.Error() + " by another server"
	}
	return ErrLocked.Error() + " by " + e.Holder
}

// Unwrap makes the error ErrLocked.
func (e *LockedError) Unwrap() error { return ErrLocked }

// Replace puts a file with new content in the place of name, or makes it: a crash at any time leaves the old file or the
// whole new one, and once Replace has returned nil it leaves the new one. The content is written by write into a file of
// the name temp, in the same directory; what lies there is overwritten. After an error the old file is still there, unless
// the error came from the very last step, SyncDir, when either may be found after a crash. temp is removed if possible.
func Replace(fsys FS, name, temp string, perm fs.FileMode, write func(File) error) error {
	f, err := fsys.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = fsys.Rename(temp, name)
	}
	if err != nil {
		_ = fsys.Remove(temp) // the first error is the one to report
		return err
	}
	return fsys.SyncDir(filepath.Dir(name))
}

// ReadFile is the content of a small file, such as a manifest. A file of more than limit bytes is refused with
// ErrTooLarge, so that its size is nobody's allocation.
func ReadFile(fsys FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = &fs.PathError{Op: "read", Path: name, Err: ErrTooLarge}
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// ErrTooLarge is the reason of ReadFile when a file is longer than its caller can believe.
var ErrTooLarge = errors.New("the file is too large")
