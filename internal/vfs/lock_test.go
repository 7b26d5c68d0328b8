package vfs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// asHolder is the variable that makes the test binary take a lock and wait.
const asHolder = "PULSE_TEST_LOCK"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asHolder); dir != "" {
		if _, err := OS.Lock(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("locked")
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test ends, if it does not kill
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestLock(t *testing.T) {
	for name, b := range benches(t) {
		t.Run(name, func(t *testing.T) {
			lock, err := b.fs.Lock(b.dir)
			must(t, err)
			_, err = b.fs.Lock(b.dir)
			var locked *LockedError
			if !errors.Is(err, ErrLocked) || !errors.As(err, &locked) {
				t.Fatalf("locked twice: %v", err)
			}
			if locked.Holder == "" || !strings.Contains(err.Error(), locked.Holder) {
				t.Errorf("%q does not tell the holder %q", err, locked.Holder)
			}
			must(t, lock.Close())
			if got := b.outcome(lock.Close()); got != "path error close "+LockName+": closed" {
				t.Errorf("closed twice: %s", got)
			}
			again, err := b.fs.Lock(b.dir)
			must(t, err)
			if got := b.list("."); got != "<nil> "+LockName+" false" {
				t.Errorf("the lock has left %s", got)
			}
			must(t, again.Close())
			if _, err := b.fs.Lock(b.path("x")); b.outcome(err) != "path error open x/"+LockName+": no such file or directory" && runtime.GOOS == "linux" {
				t.Errorf("a lock where nothing is: %v", err)
			}
			must(t, b.fs.Remove(b.path(LockName)))
			must(t, b.fs.MkdirAll(b.path(LockName), 0o755))
			if _, err := b.fs.Lock(b.dir); err == nil || errors.Is(err, ErrLocked) {
				t.Errorf("a directory in the place of the lock: %v", err)
			}
		})
	}
}

// TestLockOfAnotherProcess is refused while that one lives, with its number, and taken as soon as it was killed.
func TestLockOfAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), asHolder+"="+dir)
	in, err := other.StdinPipe()
	must(t, err)
	defer in.Close()
	out, err := other.StdoutPipe()
	must(t, err)
	must(t, other.Start())
	line, _ := bufio.NewReader(out).ReadString('\n')
	if line != "locked\n" {
		t.Fatalf("the other process says %q", line)
	}
	_, err = OS.Lock(dir)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d on ", other.Process.Pid)) {
		t.Errorf("while process %d has it: %v", other.Process.Pid, err)
	}
	must(t, other.Process.Kill())
	_ = other.Wait() // it was killed, which is an error to Wait
	lock, err := OS.Lock(dir)
	must(t, err)
	must(t, lock.Close())
}

// TestHolder reads files that no lock has written.
func TestHolder(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "",
		"process 1 on a":                  "",
		"process 1 on a\n":                "process 1 on a",
		"process 1 on a\nprocess 2 on b":  "process 1 on a",
		"process \x1b[2J\n":               "",
		"caf\xc3\xa9\n":                   "",
		strings.Repeat("x", 199) + "\n":   strings.Repeat("x", 199),
		strings.Repeat("x", 200) + "\n":   "",
		strings.Repeat("x", 70000) + "\n": "",
	} {
		name := filepath.Join(t.TempDir(), "f")
		must(t, os.WriteFile(name, []byte(text), 0o600))
		f, err := os.Open(name)
		must(t, err)
		if got := holder(f); got != want {
			t.Errorf("%.20q: %q, want %q", text, got, want)
		}
		must(t, f.Close())
	}
}
