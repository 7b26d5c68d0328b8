//go:build unix

package server

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// systemName is the kernel with its release and machine.
func systemName() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return runtime.GOOS
	}
	text := func(b []byte) string { return string(b[:max(0, bytes.IndexByte(b, 0))]) }
	return text(u.Sysname[:]) + " " + text(u.Release[:]) + " " + text(u.Machine[:])
}

// processorTimes are those of the process and of its children that have ended.
func processorTimes() (own, children cpuTimes) {
	times := func(who int) cpuTimes {
		var u unix.Rusage
		_ = unix.Getrusage(who, &u) // cannot fail for these two
		return cpuTimes{time.Duration(u.Utime.Nano()), time.Duration(u.Stime.Nano())}
	}
	return times(unix.RUSAGE_SELF), times(unix.RUSAGE_CHILDREN)
}

// residentSet asks the system; where it does not tell, otherwise is the answer.
func residentSet(otherwise int64) int64 {
	if b, err := os.ReadFile("/proc/self/statm"); err == nil {
		if f := bytes.Fields(b); len(f) > 1 {
			if pages, err := strconv.ParseInt(string(f[1]), 10, 64); err == nil {
				return pages * int64(os.Getpagesize())
			}
		}
	}
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) == nil && runtime.GOOS == "linux" {
		return int64(u.Maxrss) * 1024
	}
	return otherwise
}
