package vfs

import (
	"errors"

	"golang.org/x/sys/unix"
)

func (f *osFile) SyncData() error { return f.control("sync", unix.Fdatasync) }

func (f *osFile) SyncRange(off, n int64) error {
	return f.control("sync", func(fd int) error {
		return unlessUnsupported(unix.SyncFileRange(fd, off, n, unix.SYNC_FILE_RANGE_WRITE))
	})
}

func (f *osFile) Preallocate(off, n int64) error {
	if n <= 0 {
		return nil
	}
	return f.control("preallocate", func(fd int) error {
		return unlessUnsupported(unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, off, n))
	})
}

func (f *osFile) DropCache(off, n int64) error {
	return f.control("fadvise", func(fd int) error {
		return unlessUnsupported(unix.Fadvise(fd, off, n, unix.FADV_DONTNEED))
	})
}

// unlessUnsupported takes away the errors that say that a hint means nothing to this file system.
func unlessUnsupported(err error) error {
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, unix.ESPIPE) {
		return nil
	}
	return err
}
