//go:build unix

package vfs

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	openNoWait   = unix.O_NONBLOCK // nothing to a regular file; keeps open from waiting for the other end of a FIFO
	openNoFollow = unix.O_NOFOLLOW
)

// lockFile tries to take the lock on a file and reports whether somebody else has it. flock belongs to the open file, so
// that a second opening in the same process is somebody else, too, and closing another one gives nothing away (as it would
// with locks of fcntl).
func lockFile(f *os.File) (held bool, err error) {
	for {
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err {
		case nil:
			return false, nil
		case syscall.EWOULDBLOCK:
			return true, nil
		case syscall.EINTR:
		default:
			return false, err
		}
	}
}

func syncDir(name string) error {
	d, err := os.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closing := d.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return &fs.PathError{Op: "sync", Path: name, Err: unwrapPath(err)}
	}
	return nil
}

// unwrapPath is the reason within a PathError.
func unwrapPath(err error) error {
	if p, ok := err.(*fs.PathError); ok {
		return p.Err
	}
	return err
}
