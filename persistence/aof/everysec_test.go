package aof

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/clock"
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

// TestPowerCutsEverySecond: whenever the machine stops, between one operation on files and the next, what was appended more than a
// second before is there. An fsync takes as long as a tick.
func TestPowerCutsEverySecond(t *testing.T) {
	for seed := range uint64(3) {
		mem := emptyDisk(t)
		clk := clock.NewFake(time.Unix(1_900_000_000, 0))
		slow := vfs.NewFault(mem)
		slow.Add(vfs.Rule{Ops: vfs.OpSyncData, Before: func(vfs.OpKind, string) { clk.Advance(tick) }})
		d := newDiary(t, slow, mem, EverySecond)
		d.o.Clock = clk
		if err := d.open(); err != nil {
			t.Fatal(err)
		}
		d.log.everysec.Lock()       // the ticks are ours
		var written []time.Duration // when each unit was
		var done []time.Duration    // when each operation was
		note := func() {
			for len(done) < mem.Count() {
				done = append(done, clk.Mono())
			}
		}
		rng := rand.New(rand.NewPCG(seed, 1))
		for range 6 * time.Second / tick {
			for left := tick; left > 0; {
				step := min(left, time.Duration(1+rng.IntN(int(tick))))
				clk.Advance(step)
				if left -= step; rng.IntN(3) == 0 {
					d.unit(true)
					written = append(written, clk.Mono())
				}
				note()
			}
			d.log.lookAfter()
			note()
		}
		d.log.everysec.Unlock()
		for cut, image := range mem.Crashes(seed, 1) {
			at := clk.Mono() // the machine stops before the next operation, if there is one
			if cut.Op < len(done) {
				at = done[cut.Op]
			}
			least := 0
			for least < len(written) && written[least] < at-time.Second {
				least++
			}
			again := newDiary(t, image, image, EverySecond)
			if err := again.open(); err != nil {
				t.Fatalf("%v: %v", cut, err)
			}
			if again.n < least {
				t.Fatalf("%v at %v: %d units, %d were written a second before", cut, at, again.n, least)
			}
			if err := again.log.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.log.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
