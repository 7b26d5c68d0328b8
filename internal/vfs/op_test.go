package vfs

import (
	"fmt"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	if OpKind(1)<<len(opNames) != opEnd {
		t.Fatalf("%d names for the operations up to %b", len(opNames), opEnd-1)
	}
	m := NewMem()
	must(t, m.MkdirAll("d", 0o755))
	put(t, m, "d/f", "hello", "s")
	put(t, m, "d/f", "", "")
	must(t, m.Rename("d/f", "g"))
	must(t, m.SyncDir("d"))
	must(t, m.Remove("g"))
	var got []string
	for _, op := range m.Ops() {
		got = append(got, op.String())
	}
	want := "mkdir /d, create /d/f, write /d/f 5 bytes at 0, sync /d/f, truncate /d/f to 0 bytes, rename /d/f to /g, syncdir /d, remove /g"
	if got := strings.Join(got, ", "); got != want {
		t.Errorf("recorded: %s\nwant %s", got, want)
	}
	for _, s := range []struct {
		value fmt.Stringer
		want  string
	}{
		{OpAnySync, "sync|syncdata|syncdir"},
		{Op{Kind: OpSync, Name: "/f", Failed: true}, "sync /f (failed)"},
		{Cut{Op: 3, Kind: CutRandom, Seed: 9}, "power cut behind operation 3, seed 9"},
		{CutKill, "kill"},
	} {
		if got := s.value.String(); got != s.want {
			t.Errorf("%q, want %q", got, s.want)
		}
	}
}

// BenchmarkCrashes is a log of 500 appends with a sync behind every tenth: the time per state that a crash can leave.
func BenchmarkCrashes(b *testing.B) {
	m := NewMem()
	f, err := m.Create("log")
	must(b, err)
	for i := range 500 {
		_, err := f.Write(make([]byte, 200))
		must(b, err)
		if i%10 == 0 {
			must(b, f.Sync())
		}
	}
	states := 0
	for b.Loop() {
		for range m.Crashes(1, 4) {
			states++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(states), "ns/state")
	b.ReportMetric(0, "ns/op")
}
