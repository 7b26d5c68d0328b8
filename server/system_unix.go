//go:build unix

package server

import (
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// loopsServe tells that TCP connections are the event loops' at first.
const loopsServe = true

// writeSocket writes to a socket that does not block. The error is a syscall.Errno.
func writeSocket(fd int, b []byte) (int, error) { return unix.Write(fd, b) }

// writeSocketParts is writeSocket for several slices.
func writeSocketParts(fd int, parts [][]byte) (int, error) {
	if len(parts) == 1 {
		return unix.Write(fd, parts[0])
	}
	return writeParts(fd, parts)
}

// duplicate makes another descriptor for a socket.
func duplicate(fd int) (*os.File, error) {
	other, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(other), "client"), nil
}

// descriptors is how many descriptors the process may have. (The runtime has raised the soft limit to the hard one.)
func descriptors() int64 {
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &lim) != nil || uint64(lim.Cur) > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(lim.Cur)
}

// closedToOthers runs open so that the file it makes is its owner's alone.
func closedToOthers[T any](open func() (T, error)) (T, error) {
	old := syscall.Umask(0o177)
	defer syscall.Umask(old)
	return open()
}
