package aof

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/internal/vfs"
	"github.com/streampulse/pulse/store"
)

// kit is a log with what it replays as text.
type kit struct {
	t    *testing.T
	o    Options
	log  *Log
	rep  *Report
	said []string // commands, then what was logged
	logs []string
}

func newKit(t *testing.T, fsys vfs.FS, dir string) *kit {
	k := &kit{t: t}
	k.o = Options{FS: fsys, Dir: dir + "/aofs", Name: "log", Clock: clock.Real, Truncate: true,
		Logf: func(level byte, format string, args ...any) { k.logs = append(k.logs, fmt.Sprintf(format, args...)) }}
	return k
}

func (k *kit) open() error {
	k.t.Helper()
	k.said = nil
	var err error
	k.log, k.rep, err = Open(k.o, Loader{
		Base: func(r io.Reader, _ int64) (int64, error) {
			b, err := io.ReadAll(r)
			k.said = append(k.said, "base "+strings.TrimPrefix(string(b), magic))
			return int64(len(b)), err
		},
		Command: func(args [][]byte) error {
			k.said = append(k.said, string(bytes.Join(args, []byte(" "))))
			return nil
		},
	})
	return err
}

// unit appends a unit of commands, each of words separated by blanks, on databases.
func (k *kit) unit(commands ...string) {
	var u store.Unit
	for _, c := range commands {
		db := 0
		if i := strings.IndexByte(c, ':'); i == 1 {
			db, c = int(c[0]-'0'), c[2:]
		}
		var args [][]byte
		for _, w := range strings.Fields(c) {
			args = append(args, []byte(w))
		}
		u.Bytes = k.log.EncodeCommand(u.Bytes, args)
		u.Steps = append(u.Steps, store.Step{DB: db, End: len(u.Bytes)})
	}
	k.log.Append(&u)
	k.log.Flush()
}

func (k *kit) want(want string) {
	k.t.Helper()
	if got := strings.Join(k.said, "; "); got != want {
		k.t.Errorf("replayed %q, want %q", got, want)
	}
}

func TestLogComesBack(t *testing.T) {
	for name, fsys := range map[string]vfs.FS{"OS": vfs.OS, "Mem": vfs.NewMem()} {
		t.Run(name, func(t *testing.T) {
			dir := "."
			if name == "OS" {
				dir = t.TempDir()
			}
			k := newKit(t, fsys, dir)
			for _, step := range []struct {
				do   func()
				want string
			}{
				{func() { k.unit("SET a 1") }, "SELECT 0; SET a 1"},
				{func() { k.unit("3:SET b 1", "SET c 1"); k.unit("INCR a") },
					"SELECT 0; SET a 1; SELECT 3; SET b 1; SELECT 0; SET c 1; INCR a"},
				{func() {
					k.unit("INCR x")
					r, err := k.log.BeginRewrite(true)
					if err != nil {
						t.Fatal(err)
					}
					k.unit("INCR y")
					r.Turn()
					k.unit("INCR z")
					if err := r.Write(func(w io.Writer) error { _, err := io.WriteString(w, magic+"all"); return err }); err != nil {
						t.Fatal(err)
					}
					k.unit("INCR z")
					if err := r.Commit(); err != nil {
						t.Fatal(err)
					}
					k.unit("INCR z")
				}, "base all; SELECT 0; INCR z; INCR z; INCR z"},
				{func() {
					r, err := k.log.BeginRewrite(true)
					if err != nil {
						t.Fatal(err)
					}
					r.Turn()
					k.unit("INCR q")
					r.Abort()
				}, "base all; SELECT 0; INCR z; INCR z; INCR z; SELECT 0; INCR q"},
			} {
				if err := k.open(); err != nil {
					t.Fatal(err)
				}
				step.do()
				if err := k.log.Close(); err != nil {
					t.Fatal(err)
				}
				if err := k.open(); err != nil {
					t.Fatal(err)
				}
				k.want(step.want)
				if err := k.log.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestTornEverywhere cuts a log at every byte: it comes back with the units that are whole, says what it took off, and
// what is written then is there after another start.
func TestTornEverywhere(t *testing.T) {
	mem := vfs.NewMem()
	k := newKit(t, mem, ".")
	if err := k.open(); err != nil {
		t.Fatal(err)
	}
	k.unit("SET a 1")
	k.unit("SET b 2", "SET c 3")
	k.unit("SET d 4")
	if err := k.log.Close(); err != nil {
		t.Fatal(err)
	}
	content := readAll(t, mem, "aofs/log.1.incr.aof")
	for _, plain := range []bool{false, true} {
		if plain {
			content = unframe(t, content)
		}
		for n := range content {
			mem := vfs.NewMem()
			k := newKit(t, mem, ".")
			if err := k.open(); err != nil {
				t.Fatal(err)
			}
			k.log.Close()
			writeAll(t, mem, "aofs/log.1.incr.aof", content[:n])
			if err := k.open(); err != nil {
				t.Fatalf("cut at %d: %v", n, err)
			}
			said := strings.Join(k.said, "; ")
			if whole := "SELECT 0; SET a 1; SET b 2; SET c 3; SET d 4"; !strings.HasPrefix(whole, said) || strings.Contains(said, "SET b") != strings.Contains(said, "SET c") {
				t.Fatalf("cut at %d: replayed %q", n, said)
			}
			k.unit("SET new 1")
			k.log.Close()
			before := said
			if err := k.open(); err != nil {
				t.Fatal(err)
			}
			if k.rep.Cut != nil {
				t.Errorf("cut at %d: the second start cut again", n)
			}
			k.want(strings.TrimPrefix(before+"; SELECT 0; SET new 1", "; "))
			k.log.Close()
		}
	}
}

func readAll(t *testing.T, fsys vfs.FS, name string) []byte {
	t.Helper()
	f, err := fsys.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeAll(t *testing.T, fsys vfs.FS, name string, b []byte) {
	t.Helper()
	f, err := fsys.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// unframe takes the headers out: what Redis would have written.
func unframe(t *testing.T, b []byte) (out []byte) {
	t.Helper()
	for off := 0; off < len(b); {
		h, ok := parseHeader(b[off:], int64(off))
		if !ok {
			t.Fatalf("no header at %d", off)
		}
		out = append(out, b[off+headerLen:off+headerLen+int(h.length)]...)
		off += headerLen + int(h.length)
	}
	return out
}

// TestBeyondFrame: more than a frame can hold is not written, the log says so, and a rewrite mends it.
func TestBeyondFrame(t *testing.T) {
	defer func(n int64) { maxFrame = n }(maxFrame)
	maxFrame = 60
	k := newKit(t, vfs.NewMem(), ".")
	if err := k.open(); err != nil {
		t.Fatal(err)
	}
	k.unit("SET a 1")
	k.unit("SET b " + strings.Repeat("x", 100))
	if k.log.Err() == nil {
		t.Error("the log says that all is well")
	}
	r, err := k.log.BeginRewrite(true)
	if err != nil {
		t.Fatal(err)
	}
	r.Turn()
	k.unit("SET c 1")
	if err := r.Write(func(w io.Writer) error { _, err := io.WriteString(w, magic+"all"); return err }); err != nil {
		t.Fatal(err)
	}
	if err := r.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := k.log.Err(); err != nil {
		t.Error(err)
	}
	if err := k.log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := k.open(); err != nil {
		t.Fatal(err)
	}
	k.want("base all; SELECT 0; SET c 1")
	k.log.Close()
}
