//go:build unix && !linux && !darwin

package server

import "golang.org/x/sys/unix"

// writeParts writes the first part alone: there is no call for several.
func writeParts(fd int, parts [][]byte) (int, error) { return unix.Write(fd, parts[0]) }
