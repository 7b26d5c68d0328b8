package log

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/clock"
)

func TestFromSlog(t *testing.T) {
	var b bytes.Buffer
	l := FromSlog(slog.New(slog.NewTextHandler(&b, nil)), clock.NewFake(time.UnixMilli(1_700_000_000_000)))
	l.Verbosef("not wanted")
	l.Noticef("n=%d", 1)
	l.Warningf("two\nlines")
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[0], ` level=INFO msg="n=1"`) || !strings.HasSuffix(lines[1], ` level=WARN msg="two\nlines"`) ||
		!strings.HasPrefix(lines[0], "time=2023-11-1") {
		t.Errorf("%q", lines)
	}
	l.SetLevel(Warning)
	l.Noticef("filtered")
	if n := strings.Count(b.String(), "\n"); n != 2 {
		t.Errorf("%d lines", n)
	}
}
