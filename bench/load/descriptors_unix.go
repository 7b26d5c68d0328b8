//go:build unix

package load

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// descriptors tells whether this process may have n files open. The runtime has raised the soft limit to the hard one.
func descriptors(n int) error {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	if uint64(l.Cur) < uint64(n) {
		return fmt.Errorf("load: needs %d open files, and the limit is %d (ulimit -n; the hard limit is %d)", n, l.Cur, l.Max)
	}
	return nil
}
