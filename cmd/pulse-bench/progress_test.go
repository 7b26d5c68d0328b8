package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestProgressBar(t *testing.T) {
	var out strings.Builder
	now := time.Unix(0, 0)
	p := &progress{w: &out, terminal: true, width: 60, now: func() time.Time { return now }, begin: now, total: 4}
	p.step("first")
	if got := p.line("first"); got != strings.Repeat("░", barWidth)+"   0%  0:00  first" {
		t.Errorf("%q", got)
	}
	now = now.Add(30 * time.Second)
	p.step("second")
	if got, want := p.line("second"), strings.Repeat("█", 6)+strings.Repeat("░", 18)+"  25%  0:30, 1:30 to go  second"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	out.Reset()
	p.note("%s", strings.Repeat("é", 500))
	if !strings.HasPrefix(out.String(), "\r\x1b[K") || utf8.RuneCountInString(out.String()) != len("\r\x1b[K")+59 || !utf8.ValidString(out.String()) {
		t.Errorf("%q does not fit a line", out.String())
	}
	for range 10 {
		p.step("more than planned")
	}
	if got := p.line("x"); !strings.HasPrefix(got, strings.Repeat("█", barWidth)+" 100%") {
		t.Errorf("%q", got)
	}
	out.Reset()
	if p.done(); out.String() != "\r\x1b[K" {
		t.Errorf("%q", out.String())
	}
}

func TestNoProgressOutsideOfTerminals(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out)
	p.step("a")
	p.note("b")
	if p.done(); out.Len() > 0 {
		t.Errorf("%q", out.String())
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if newProgress(null).terminal || newProgress(file).terminal {
		t.Error("the null device, or a file, is taken for a terminal")
	}
}
