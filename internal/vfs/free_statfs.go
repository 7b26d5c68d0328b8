//go:build linux || darwin || freebsd || dragonfly

package vfs

import (
	"io/fs"
	"math"
	"math/bits"

	"golang.org/x/sys/unix"
)

func free(dir string) (int64, error) {
	var s unix.Statfs_t
	err := unix.EINTR
	for err == unix.EINTR {
		err, _ = unix.Statfs(dir, &s).(unix.Errno)
	}
	if err != 0 {
		return 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	if int64(s.Bavail) < 0 {
		return 0, nil // what is kept for the superuser is in use
	}
	high, low := bits.Mul64(uint64(s.Bavail), uint64(s.Bsize))
	if high != 0 || low > math.MaxInt64 {
		return math.MaxInt64, nil
	}
	return int64(low), nil
}
