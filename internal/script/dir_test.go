package script

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/streampulse/pulse/internal/oracle"
)

func init() { Flags() }

// TestExample replays the example against the server that it was recorded from.
func TestExample(t *testing.T) {
	server := oracle.Start(t)
	RunDir(t, "testdata/*.txt", server.Dial, Options{SkipHandwritten: true})
	if !Rewriting() {
		t.Run("multi", func(t *testing.T) {
			RunDir(t, "testdata/example.txt", server.Dial, Options{SkipHandwritten: true, WrapMulti: true})
		})
	}
}

// TestRecordingReproducesTheExample strips a file of its replies and has them back from the oracle.
func TestRecordingReproducesTheExample(t *testing.T) {
	server := oracle.Start(t)
	f, err := ParseFile("testdata/example.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range f.items {
		if s := it.step; s != nil && s.action == send && (s.args[0] == "GET" || s.args[0] == "HGETALL" || s.args[0] == "SUBSCRIBE") {
			s.both, s.byProto = nil, nil
		}
	}
	if err := f.Record(server.Dial); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/example.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got := written(t, f); got != string(want) {
		t.Errorf("recorded:\n%s", got)
	}
	path := filepath.Join(t.TempDir(), "copy.txt")
	if err := f.save(path); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != string(want) {
		t.Errorf("saved %q, %v", got, err)
	}
}
