package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// progress shows what is being measured: a bar in one line of a terminal, which is rewritten in place. Where standard error is no
// terminal it shows nothing, so that logs hold results alone.
type progress struct {
	w        io.Writer
	terminal bool
	width    int // of the terminal, in characters
	now      func() time.Time
	begin    time.Time
	total    int // measurements planned
	finished int // measurements begun and left behind
	running  bool
}

const (
	barWidth     = 24
	defaultWidth = 80
)

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, now: time.Now, width: defaultWidth}
	p.begin = p.now()
	if f, ok := w.(*os.File); ok {
		p.terminal = isTerminal(f)
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n >= barWidth && n <= 1000 {
		p.width = n
	}
	return p
}

// isTerminal takes every character device but the null device for a terminal that knows how to clear a line, unless TERM says otherwise.
func isTerminal(f *os.File) bool {
	st, err := f.Stat()
	if err != nil || st.Mode()&os.ModeCharDevice == 0 || os.Getenv("TERM") == "dumb" {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(st, null)
}

// step says that the next measurement begins.
func (p *progress) step(format string, args ...any) {
	if p.running {
		p.finished++
	}
	p.running = true
	p.note(format, args...)
}

// note shows a line without counting a measurement.
func (p *progress) note(format string, args ...any) {
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s", p.line(fmt.Sprintf(format, args...)))
	}
}

// line is a bar, how long it has taken and will take, and what; cut to the width of the terminal, so that it does not wrap.
func (p *progress) line(what string) string {
	part := min(1, float64(p.finished)/float64(max(1, p.total)))
	full := int(part * barWidth)
	taken := p.now().Sub(p.begin)
	left := ""
	if p.finished > 0 && part < 1 {
		left = ", " + clockface(time.Duration(float64(taken)*(1-part)/part)) + " to go"
	}
	line := fmt.Sprintf("%s%s %3.0f%%  %s%s  %s", strings.Repeat("█", full), strings.Repeat("░", barWidth-full), 100*part, clockface(taken), left, what)
	if rs := []rune(line); len(rs) >= p.width {
		line = string(rs[:p.width-1])
	}
	return line
}

// clockface writes minutes and seconds.
func clockface(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// done clears the line.
func (p *progress) done() {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
