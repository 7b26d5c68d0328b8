package scripting

import (
	"runtime"
	"testing"
)

// TestInterpreterSize holds interpBytes against what interpreters take.
func TestInterpreterSize(t *testing.T) {
	const n = 64
	e := New(Options{})
	for _, functions := range []bool{false, true} {
		keep := make([]*interp, 0, n)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.GC() // what other tests have left in pools goes with the second
		runtime.ReadMemStats(&before)
		for range n {
			keep = append(keep, e.newInterp(functions))
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if got := (int(after.HeapAlloc) - int(before.HeapAlloc)) / n; got < interpBytes/2 || got > 2*interpBytes {
			t.Errorf("an interpreter takes %d bytes, interpBytes says %d", got, interpBytes)
		}
		runtime.KeepAlive(keep)
	}
}

// TestEngineCounts looks at what INFO tells of the engine.
func TestEngineCounts(t *testing.T) {
	e := New(Options{EvalCache: 2})
	for _, src := range []string{"return 1", "return 2", "return 3", "return 4"} {
		if _, err := e.Load([]byte(src), false); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := e.Scripts(); n != 2 || e.Evicted() != 2 {
		t.Errorf("%d scripts, %d forgotten", n, e.Evicted())
	}
	e.ResetStats()
	if e.Evicted() != 0 {
		t.Error("still counted")
	}
	e.evalPool.give(e.newInterp(false))
	if s, f := e.Memory(); s != interpBytes || f != 0 {
		t.Errorf("%d and %d bytes", s, f)
	}
}
