package pieces

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"
)

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := 0; i < n; i += 97 {
		b[i] = byte(r.Uint32())
	}
	return b
}

// sizes lie around the borders of pieces.
var sizes = []int{0, 1, 100, piece - 1, piece, piece + 1, 3*piece - 1, 3 * piece, 3*piece + 5}

func TestLikeTheBuiltins(t *testing.T) {
	for _, n := range sizes {
		src := noise(n)
		for _, room := range sizes {
			want, got := make([]byte, room), make([]byte, room)
			if w, g := copy(want, src), Copy(got, src); w != g || !bytes.Equal(want, got) {
				t.Errorf("Copy of %d bytes to %d: %d", n, room, g)
			}
			dst := noise(room)
			if !bytes.Equal(append(bytes.Clone(dst), src...), Append(bytes.Clone(dst), src)) {
				t.Errorf("Append of %d bytes to %d", n, room)
			}
			wide := append(make([]byte, 0, room+n), dst...)
			if longer := Append(wide, src); cap(wide) > 0 && &longer[:1][0] != &wide[:1][0] {
				t.Errorf("Append of %d bytes to %d moved although there was room", n, room)
			}
		}
		if Clear(src); !bytes.Equal(src, make([]byte, n)) {
			t.Errorf("Clear of %d bytes", n)
		}
	}
}

func TestOverlap(t *testing.T) {
	for _, shift := range []int{0, 1, piece, 2*piece + 3} {
		want := noise(5 * piece)
		got := bytes.Clone(want)
		copy(want[shift:], want[:3*piece])
		Copy(got[shift:], got[:3*piece])
		if !bytes.Equal(got, want) {
			t.Errorf("up by %d", shift)
		}
		copy(want, want[shift:])
		Copy(got, got[shift:])
		if !bytes.Equal(got, want) {
			t.Errorf("down by %d", shift)
		}
	}
}

func TestAppendIsAmortized(t *testing.T) {
	var b []byte
	part, grown := noise(10_000), 0
	for range 3000 {
		was := cap(b)
		if b = Append(b, part); cap(b) != was {
			grown++
		}
	}
	if grown > 60 {
		t.Errorf("grew %d times", grown)
	}
}

// TestOthersGoOn: while one goroutine moves much, a collection, which must stop all of them, does not have to wait for it.
func TestOthersGoOn(t *testing.T) {
	if testing.Short() || runtime.GOMAXPROCS(0) < 2 {
		t.Skip("takes 256 MiB and a second processor")
	}
	defer debug.FreeOSMemory()
	src, dst := make([]byte, 64<<20), make([]byte, 128<<20)
	var ended atomic.Bool
	done := make(chan time.Duration)
	go func() {
		worst := time.Duration(0)
		for !ended.Load() {
			start := time.Now()
			Copy(dst, src)
			worst = max(worst, time.Since(start))
		}
		done <- worst
	}()
	best := time.Hour
	for range 20 {
		start := time.Now()
		runtime.ReadMemStats(new(runtime.MemStats)) // stops the world
		best = min(best, time.Since(start))
	}
	ended.Store(true)
	if whole := <-done; best > whole/4+time.Millisecond {
		t.Errorf("the world stopped after %v at best, one move took up to %v", best, whole)
	}
}
