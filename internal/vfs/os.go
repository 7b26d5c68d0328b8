package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// OS is the file system of the machine.
var OS FS = osFS{}

type osFS struct{}

func (osFS) Open(name string) (File, error) { return OS.OpenFile(name, os.O_RDONLY, 0) }

func (osFS) Create(name string) (File, error) {
	return OS.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
}

func (osFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := openRegular(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &osFile{f}, nil
}

// openRegular opens a file if it is a regular one, and does not wait for the other end if it is none.
func openRegular(name string, flag int, perm fs.FileMode) (*os.File, error) {
	f, err := os.OpenFile(name, flag|openNoWait, perm)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err == nil && info.IsDir():
		err = &fs.PathError{Op: "open", Path: name, Err: syscall.EISDIR}
	case err == nil && !info.Mode().IsRegular():
		err = &fs.PathError{Op: "open", Path: name, Err: ErrNotRegular}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (osFS) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

func (osFS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }

func (osFS) Rename(oldName, newName string) error { return os.Rename(oldName, newName) }

func (osFS) Remove(name string) error { return os.Remove(name) }

func (osFS) MkdirAll(name string, perm fs.FileMode) error { return os.MkdirAll(name, perm) }

func (osFS) SyncDir(name string) error { return syncDir(name) }

func (osFS) Free(dir string) (int64, error) { return free(dir) }

// Lock locks a file and not the directory itself: network file systems want a file that is open for writing, Windows
// wants a file at all, and a file can say who holds it. It is not removed by Close, because between a check and a removal
// others may have opened it and would then hold locks on a file without a name.
func (osFS) Lock(dir string) (io.Closer, error) {
	name := filepath.Join(dir, LockName)
	f, err := openRegular(name, os.O_RDWR|os.O_CREATE|openNoFollow, 0o644)
	if err != nil {
		return nil, err
	}
	held, err := lockFile(f)
	switch {
	case err == nil && held:
		err = &LockedError{Holder: holder(f)}
		fallthrough
	case err != nil:
		f.Close()
		return nil, &fs.PathError{Op: "lock", Path: name, Err: err}
	}
	// Who holds it is told as far as that works: a full disk is no reason not to start.
	if f.Truncate(0) == nil {
		host, _ := os.Hostname()
		fmt.Fprintf(f, "process %d on %s\n", os.Getpid(), host)
	}
	return f, nil
}

// holder reads what the holder of a lock wrote about itself; at most a line, and "" for anything unexpected.
func holder(f *os.File) string {
	var b [200]byte
	n, _ := f.ReadAt(b[:], 0)
	line, _, ended := strings.Cut(string(b[:n]), "\n")
	if !ended || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return line
}

// osFile is an os.File and the calls that differ from system to system: SyncData, SyncRange, Preallocate and DropCache.
type osFile struct{ *os.File }

func (f *osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// control calls do with the file's descriptor and keeps the file from being closed meanwhile.
func (f *osFile) control(op string, do func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return &fs.PathError{Op: op, Path: f.Name(), Err: fs.ErrClosed}
	}
	called := conn.Control(func(fd uintptr) {
		for {
			if err = do(int(fd)); err != syscall.EINTR {
				return
			}
		}
	})
	if called != nil {
		err = fs.ErrClosed // the only reason that Control has not to call
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: f.Name(), Err: err}
	}
	return nil
}
