package aof

import (
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/vfs"
)

// TestCountedAfterCommit has a client counted as waiting when a Commit has already made durable what it waits for, because
// the Commit came between its look at the log and its being counted. The log must not try for ever to commit nothing.
func TestCountedAfterCommit(t *testing.T) {
	disk := vfs.NewMem()
	if err := disk.MkdirAll("/d", 0o755); err != nil {
		t.Fatal(err)
	}
	k := newKit(t, disk, "/d")
	k.o.Policy = Always
	if err := k.open(); err != nil {
		t.Fatal(err)
	}
	k.unit("SET k 1")
	k.log.Commit()
	k.log.waiting.Add(1)
	k.log.nudge()
	closed := make(chan error, 1)
	go func() { closed <- k.log.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the log commits for ever")
	}
}
