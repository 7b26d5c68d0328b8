package script

import (
	"bytes"
	"flag"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/streampulse/pulse/internal/oracle"
)

var (
	rewrite   = new(bool)
	useOracle = new(bool)
)

// Flags registers -rewrite and -oracle with the test binary's flags. A test package calls it from an init function; more
// than one call does no harm.
func Flags() {
	if flag.Lookup("rewrite") != nil {
		return
	}
	rewrite = flag.Bool("rewrite", false, "record the transcripts anew; wants -oracle")
	useOracle = flag.Bool("oracle", false, "replay the transcripts against a real redis-server too")
}

// Rewriting reports whether -rewrite was given. Tests that would replay transcripts once more in another configuration leave
// that out then.
func Rewriting() bool { return *rewrite }

// UsingOracle reports whether -oracle was given: tests with expectations of their own try them on a redis-server too then.
func UsingOracle() bool { return *useOracle }

// RunDir replays every transcript that matches the glob as a subtest named after the file. With -oracle each is replayed
// against a fresh redis-server first, handwritten expectations apart; with -rewrite -oracle it is recorded from that one
// before. A nil dial leaves out the replay against the server under test.
func RunDir(t *testing.T, glob string, dial Dial, opts Options) {
	t.Helper()
	if *rewrite && !*useOracle {
		t.Fatal("-rewrite records from a real redis-server only: give -oracle, too")
	}
	paths, err := filepath.Glob(glob)
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatalf("no transcript matches %s", glob)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		t.Run(name, func(t *testing.T) {
			f, err := ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if opts.Tuned && f.Defaults {
				t.Skip("its replies depend on the default parameters")
			}
			if *useOracle {
				runOracle(t, f, path, opts)
			}
			if dial != nil {
				f.Run(t, dial, opts)
			}
		})
	}
}

// runOracle records the file if asked to, and replays it against a redis-server.
func runOracle(t *testing.T, f *File, path string, opts Options) {
	t.Helper()
	server := oracle.Start(t)
	defer server.Close()
	dial := func() (net.Conn, error) { return server.Dial() }
	if *rewrite {
		if err := f.Record(dial); err != nil {
			t.Fatal(err)
		}
		if err := f.save(path); err != nil {
			t.Fatal(err)
		}
	}
	opts.SkipHandwritten = true
	opts.Sleep = nil
	t.Run("oracle", func(t *testing.T) { f.Run(t, dial, opts) })
}

// save writes the file if it has changed.
func (f *File) save(path string) error {
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		return err
	}
	old, err := os.ReadFile(path)
	if err == nil && bytes.Equal(old, b.Bytes()) {
		return nil
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
