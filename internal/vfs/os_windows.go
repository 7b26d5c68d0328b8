package vfs

import (
	"io/fs"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

const (
	openNoWait   = 0
	openNoFollow = 0
)

// lockFile locks a byte far behind the content, because what is locked cannot be read by others, who want to know the
// holder.
func lockFile(f *os.File) (held bool, err error) {
	behind := windows.Overlapped{OffsetHigh: math.MaxInt32}
	err = windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &behind)
	if err == windows.ERROR_LOCK_VIOLATION || err == windows.ERROR_IO_PENDING {
		return true, nil
	}
	return false, err
}

func syncDir(name string) error {
	info, err := os.Stat(name)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "sync", Path: name, Err: syscall.ENOTDIR}
	}
	return err
}

func free(dir string) (int64, error) {
	name, err := windows.UTF16PtrFromString(dir)
	var n uint64
	if err == nil {
		err = windows.GetDiskFreeSpaceEx(name, &n, nil, nil)
	}
	if err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return int64(min(n, math.MaxInt64)), nil
}
