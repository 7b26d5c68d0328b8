package log

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/clock"
)

// writes records each Write by itself.
type writes struct {
	sync.Mutex
	all []string
}

func (w *writes) Write(p []byte) (int, error) {
	w.Lock()
	defer w.Unlock()
	w.all = append(w.all, string(p))
	return len(p), nil
}

func newLogger(t *testing.T, o Options) (*Logger, *writes) {
	t.Helper()
	w := &writes{}
	o.Writer, o.Location, o.PID = w, time.UTC, 4711
	o.Clock = clock.NewFake(time.Date(2026, 1, 2, 15, 4, 5, 678e6, time.UTC))
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return l, w
}

func TestLines(t *testing.T) {
	l, w := newLogger(t, Options{Level: "DEBUG"})
	l.Debugf("a %d", 1)
	l.SetRole(Master)
	l.Verbosef("100%")
	l.SetRole(Replica)
	l.Noticef("x\ny\r\t\x00\x1b[0m\x7fé")
	l.Warningf("%s", "")
	l.Logf(Nothing, "no such level")
	l.Logf(-1, "no such level")
	want := []string{
		"4711:C 02 Jan 2026 15:04:05.678 . a 1\n",
		"4711:M 02 Jan 2026 15:04:05.678 - 100%\n",
		"4711:S 02 Jan 2026 15:04:05.678 * x\\ny\\r\\t\\x00\\x1b[0m\\x7fé\n",
		"4711:S 02 Jan 2026 15:04:05.678 # \n",
	}
	if len(w.all) != len(want) {
		t.Fatalf("%q", w.all)
	}
	for i := range want {
		if w.all[i] != want[i] {
			t.Errorf("got %q, want %q", w.all[i], want[i])
		}
	}
}

func TestLevels(t *testing.T) {
	l, w := newLogger(t, Options{})
	all := func() string {
		w.all = nil
		l.Debugf("d")
		l.Verbosef("v")
		l.Noticef("n")
		l.Warningf("w")
		var b strings.Builder
		for _, s := range w.all {
			b.WriteByte(s[len(s)-2])
		}
		return b.String()
	}
	if got := all(); got != "nw" {
		t.Errorf("default writes %q", got)
	}
	for level, want := range map[Level]string{Debug: "dvnw", Verbose: "vnw", Notice: "nw", Warning: "w", Nothing: ""} {
		l.SetLevel(level)
		if got := all(); got != want || l.Level() != level {
			t.Errorf("%v writes %q, want %q", level, got, want)
		}
		if parsed, ok := ParseLevel(strings.ToUpper(level.String())); !ok || parsed != level {
			t.Errorf("%v does not come back from its name", level)
		}
	}
	if _, ok := ParseLevel("loud"); ok {
		t.Error("loud is a level")
	}
	if _, err := New(Options{Level: "loud"}); err == nil {
		t.Error("New took an unknown level")
	}
}

func TestFileIsAppendedTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	for range 2 {
		l, err := New(Options{File: path})
		if err != nil {
			t.Fatal(err)
		}
		l.Noticef("hello")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l.Noticef("lost")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^\d+:C \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3} \* hello\n$`)
	lines := bytes.SplitAfter(text, []byte{'\n'})
	if len(lines) != 3 || !line.Match(lines[0]) || !line.Match(lines[1]) {
		t.Fatalf("%q", text)
	}
	if _, err := New(Options{File: filepath.Join(path, "below")}); err == nil {
		t.Error("opened a file below a file")
	}
}

func TestRotatedFileIsMadeAnew(t *testing.T) {
	c := clock.NewFake(time.UnixMilli(1e12))
	path := filepath.Join(t.TempDir(), "x.log")
	l, err := New(Options{File: path, Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	count := func(name string) int {
		text, err := os.ReadFile(name)
		if err != nil {
			return -1
		}
		return bytes.Count(text, []byte{'\n'})
	}
	l.Noticef("1")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	l.Noticef("2")
	c.Advance(time.Second)
	l.Noticef("3")
	c.Advance(time.Second)
	l.Noticef("4")
	if old, now := count(path+".1"), count(path); old != 2 || now != 2 {
		t.Errorf("%d lines in the old file, %d in the new", old, now)
	}
}

func TestConcurrentLinesStayWhole(t *testing.T) {
	l, w := newLogger(t, Options{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				l.Noticef("%s", "0123456789")
				l.SetLevel(Notice)
				l.SetRole(Master)
			}
		})
	}
	wg.Wait()
	if len(w.all) != 1600 {
		t.Fatal(len(w.all))
	}
	for _, s := range w.all {
		if !strings.HasSuffix(s, " * 0123456789\n") || strings.Count(s, "\n") != 1 {
			t.Fatalf("%q", s)
		}
	}
}

func BenchmarkFilteredOut(b *testing.B) {
	l, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		l.Debugf("nothing")
	}
}
