//go:build unix

package vfs

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNoRegularFile opens what must not be waited for and is no file to keep data in.
func TestNoRegularFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	must(t, unix.Mkfifo(fifo, 0o600))
	for _, name := range []string{fifo, os.DevNull} {
		for _, flag := range []int{os.O_RDONLY, os.O_RDWR} {
			if f, err := OS.OpenFile(name, flag, 0); !errors.Is(err, ErrNotRegular) {
				t.Errorf("%s opened with %d: %v, %v", name, flag, f, err)
			}
		}
	}
	if _, err := OS.OpenFile(fifo, os.O_WRONLY, 0); err == nil {
		t.Error("a FIFO that nobody reads was opened for writing")
	}
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	must(t, err)
	defer l.Close()
	if _, err := OS.Open(socket); err == nil {
		t.Error("a socket was opened")
	}
}

// TestLockIsNoLink refuses to follow a link in the place of the lock: its target would be emptied.
func TestLockIsNoLink(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "precious")
	must(t, os.WriteFile(target, []byte("data"), 0o600))
	must(t, os.Symlink(target, filepath.Join(dir, LockName)))
	if _, err := OS.Lock(dir); err == nil {
		t.Error("a link was locked")
	}
	if data, err := os.ReadFile(target); string(data) != "data" || err != nil {
		t.Errorf("the target of the link is %q, %v", data, err)
	}
}
