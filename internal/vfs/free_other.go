//go:build unix && !linux && !darwin && !freebsd && !dragonfly

package vfs

import (
	"errors"
	"io/fs"
)

func free(dir string) (int64, error) {
	return 0, &fs.PathError{Op: "statfs", Path: dir, Err: errors.ErrUnsupported}
}
