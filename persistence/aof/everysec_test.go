package aof

import (
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/vfs"
)

// TestWritesDuringSync holds an fsync of everysec: what is appended meanwhile is given to the system before it is answered,
// as at any other time, so the end of the process loses none of it.
func TestWritesDuringSync(t *testing.T) {
	disk := vfs.NewFault(vfs.NewMem())
	k := newKit(t, disk, "/d")
	if err := disk.MkdirAll("/d", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := k.open(); err != nil {
		t.Fatal(err)
	}
	held, release := make(chan struct{}), make(chan struct{})
	disk.Add(vfs.Rule{Ops: vfs.OpSyncData, Times: 1, Before: func(vfs.OpKind, string) {
		close(held)
		<-release
	}})
	k.unit("SET k 1")
	select {
	case <-held:
	case <-time.After(10 * time.Second):
		t.Fatal("everysec does not sync")
	}
	for range 3 {
		k.unit("INCR k")
		if pending, _ := k.log.Pending(); pending != 0 {
			t.Errorf("%d bytes would be acknowledged and were not written", pending)
		}
	}
	close(release)
	if err := k.log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := k.open(); err != nil {
		t.Fatal(err)
	}
	k.want("SELECT 0; SET k 1; INCR k; INCR k; INCR k")
	if err := k.log.Close(); err != nil {
		t.Fatal(err)
	}
}
