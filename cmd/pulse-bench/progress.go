package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// plainEvery is how often progress is printed where lines cannot be overwritten.
const plainEvery = 15 * time.Second

// progress shows what is being measured: one line rewritten in place on a terminal, else a plain line now and then.
type progress struct {
	w        io.Writer
	terminal bool
	begin    time.Time
	printed  time.Time
	total    int // measurements planned
	finished int // measurements begun and left behind
	running  bool
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, begin: time.Now()}
	if f, ok := w.(*os.File); ok {
		st, err := f.Stat()
		p.terminal = err == nil && st.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
	}
	return p
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
	if !p.terminal && time.Since(p.printed) < plainEvery {
		return
	}
	p.printed = time.Now()
	percent := 100 * p.finished / max(1, p.total)
	line := fmt.Sprintf("[%3d%% %s] ", percent, time.Since(p.begin).Round(time.Second)) + fmt.Sprintf(format, args...)
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s", line)
	} else {
		fmt.Fprintln(p.w, line)
	}
}

// done clears the line.
func (p *progress) done() {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
