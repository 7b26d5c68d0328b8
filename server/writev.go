//go:build linux || darwin

package server

import "golang.org/x/sys/unix"

func writeParts(fd int, parts [][]byte) (int, error) { return unix.Writev(fd, parts) }
