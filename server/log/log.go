// Package log writes the server's log in the line format of Redis:
//
//	4711:M 02 Jan 2026 15:04:05.678 * Ready to accept connections
//
// that is process id, role (C while starting, M master, S replica, X sentinel), local time, level and message.
//
// Contract: one line is one write, so lines of several goroutines, and of several processes that append to one file, do not
// mix. A log file that was renamed or removed, as log rotation does, is made anew within a second. A message cannot forge
// a line: control bytes in it are written as \n, \r, \t or \xHH. A line that cannot be written is lost; logging never fails
// and never blocks a caller longer than the write does. All methods may be called concurrently. A call whose level is
// filtered out costs one atomic load, and the boxing of its arguments.
package log

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/internal/clock"
)

// Level is the weight of a message.
type Level int32

// The levels, from the least to the most important. Nothing filters out all messages.
const (
	Debug Level = iota
	Verbose
	Notice
	Warning
	Nothing
)

var levelNames = [...]string{"debug", "verbose", "notice", "warning", "nothing"}

const levelChars = ".-*#"

// ParseLevel finds a level by its name in the loglevel parameter, in any letter case.
func ParseLevel(name string) (Level, bool) {
	for i, n := range levelNames {
		if strings.EqualFold(n, name) {
			return Level(i), true
		}
	}
	return 0, false
}

// String is the level's name in the loglevel parameter.
func (l Level) String() string {
	if l < Debug || l > Nothing {
		return "level " + strconv.Itoa(int(l))
	}
	return levelNames[l]
}

// The roles that begin a line.
const (
	Starting byte = 'C'
	Master   byte = 'M'
	Replica  byte = 'S'
)

// Options of a Logger. The zero value logs notices and warnings to standard output.
type Options struct {
	// File is appended to; empty means Writer.
	File string
	// Writer is used without a File; nil means standard output.
	Writer io.Writer
	// Level is the name of the least level that is written, as in the loglevel parameter; empty means notice.
	Level string
	// Clock tells the time; nil means the real one.
	Clock clock.Clock
	// Location is the time zone of the lines; nil means the local one.
	Location *time.Location
	// PID is the process id in the lines; 0 means that of this process.
	PID int
	// Role begins as this; 0 means Starting.
	Role byte
	// Copy, if there is one, gets each message that is written, with its control bytes escaped. It is called in the order
	// of the lines, under a lock: it must not log, and should not take long.
	Copy func(level Level, message string)
}

// Logger writes log lines.
type Logger struct {
	level  atomic.Int32
	role   atomic.Uint32
	format atomic.Uint32
	copy   func(level Level, message string)
	clock  clock.Clock
	zone   *time.Location
	pid    string
	slog   *slog.Logger // takes the messages in place of out, if it is not nil

	mu struct {
		sync.Mutex
		out  io.Writer
		file *os.File // out, when it is a file of this logger
		path string   // the file's name
		seen int64    // when path was last found to be file, in milliseconds of wall time
		buf  []byte   // the line being made; kept between lines
	}
}

// maxKept bounds the line buffer that is kept: one long message must not occupy memory for ever.
const maxKept = 64 << 10

// New opens the log. The error is that of opening the file, or of an unknown level.
func New(o Options) (*Logger, error) {
	level := Notice
	if o.Level != "" {
		var ok bool
		if level, ok = ParseLevel(o.Level); !ok {
			return nil, fmt.Errorf("log: no level %q", o.Level)
		}
	}
	l := &Logger{clock: o.Clock, zone: o.Location, copy: o.Copy}
	if l.clock == nil {
		l.clock = clock.Real
	}
	if l.zone == nil {
		l.zone = time.Local
	}
	pid := o.PID
	if pid == 0 {
		pid = os.Getpid()
	}
	l.pid = strconv.Itoa(pid)
	l.SetLevel(level)
	l.SetRole(o.Role)
	if o.Role == 0 {
		l.SetRole(Starting)
	}
	l.mu.out = o.Writer
	if o.File != "" {
		// Absolute, because a name in a file or on a command line means the directory at the start.
		path, err := filepath.Abs(o.File)
		if err != nil {
			return nil, err
		}
		f, err := open(path)
		if err != nil {
			return nil, err
		}
		l.mu.out, l.mu.file, l.mu.path, l.mu.seen = f, f, path, l.clock.NowMs()
	} else if o.Writer == nil {
		l.mu.out = os.Stdout
	}
	return l, nil
}

// FromSlog returns a Logger that hands its messages to another one, which decides about levels and looks. Debug and verbose messages
// have levels below slog.LevelInfo, notices that one, and warnings slog.LevelWarn. The time of a record is that of c, or the real one if c
// is nil.
func FromSlog(to *slog.Logger, c clock.Clock) *Logger {
	if c == nil {
		c = clock.Real
	}
	l := &Logger{clock: c, zone: time.Local, slog: to}
	l.SetLevel(Debug)
	l.SetRole(Starting)
	l.mu.out = io.Discard
	return l
}

var slogLevels = [...]slog.Level{Debug: slog.LevelDebug, Verbose: slog.LevelDebug + 2, Notice: slog.LevelInfo, Warning: slog.LevelWarn}

// hand gives a message to slog.
func (l *Logger) hand(level Level, format string, args []any) {
	h, ctx := l.slog.Handler(), context.Background()
	if !h.Enabled(ctx, slogLevels[level]) {
		return
	}
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	_ = h.Handle(ctx, slog.NewRecord(time.UnixMilli(l.clock.NowMs()), slogLevels[level], format, 0))
}

func open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
}

// checkEvery is how long a file is trusted to be the one at its path, in milliseconds.
const checkEvery = 1000

// follow opens the log again when its path leads to another file or to none. It needs mu. When the path cannot be opened
// the old file stays in use.
func (l *Logger) follow(now int64) {
	m := &l.mu
	if m.file == nil || now >= m.seen && now < m.seen+checkEvery {
		return
	}
	m.seen = now
	there, err1 := os.Stat(m.path)
	ours, err2 := m.file.Stat()
	if err1 == nil && err2 == nil && os.SameFile(there, ours) {
		return
	}
	f, err := open(m.path)
	if err != nil {
		return
	}
	_ = m.file.Close()
	m.out, m.file = f, f
}

// Close closes the file, if there is one. Lines written later are lost.
func (l *Logger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.mu.file
	if f == nil {
		return nil
	}
	l.mu.out, l.mu.file = io.Discard, nil
	return f.Close()
}

// SetLevel changes the least level that is written.
func (l *Logger) SetLevel(level Level) { l.level.Store(int32(level)) }

// Level is the least level that is written.
func (l *Logger) Level() Level { return Level(l.level.Load()) }

// SetRole changes the role that begins a line.
func (l *Logger) SetRole(role byte) { l.role.Store(uint32(role)) }

// Enabled reports whether messages of the level are written.
func (l *Logger) Enabled(level Level) bool { return level >= l.Level() && level < Nothing }

// Debugf writes a message that only developers want.
func (l *Logger) Debugf(format string, args ...any) { l.logf(Debug, format, args) }

// Verbosef writes a message that is rarely of use.
func (l *Logger) Verbosef(format string, args ...any) { l.logf(Verbose, format, args) }

// Noticef writes what an administrator wants to know of a healthy server.
func (l *Logger) Noticef(format string, args ...any) { l.logf(Notice, format, args) }

// Warningf writes what an administrator must know.
func (l *Logger) Warningf(format string, args ...any) { l.logf(Warning, format, args) }

// Logf writes a message of the given level; of levels that do not exist it writes nothing.
func (l *Logger) Logf(level Level, format string, args ...any) { l.logf(level, format, args) }

func (l *Logger) logf(level Level, format string, args []any) {
	if level < Debug || !l.Enabled(level) {
		return
	}
	if l.slog != nil {
		l.hand(level, format, args)
		return
	}
	message := format
	if len(args) > 0 {
		message = fmt.Sprintf(format, args...)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.mu.buf[:0]
	// The time is read under the lock so that the lines of a file are in order.
	now := l.clock.NowMs()
	l.follow(now)
	at := time.UnixMilli(now).In(l.zone)
	if f := Format(l.format.Load()); f == Legacy {
		b = append(append(b, l.pid...), ':', byte(l.role.Load()), ' ')
		b = at.AppendFormat(b, "02 Jan 2006 15:04:05.000")
		b = append(b, ' ', levelChars[level], ' ')
		b = appendMessage(b, message)
	} else {
		b = l.appendLine(b, f, level, at, message)
	}
	b = append(b, '\n')
	_, _ = l.mu.out.Write(b)
	if l.copy != nil {
		l.copy(level, string(appendMessage(nil, message)))
	}
	if cap(b) <= maxKept {
		l.mu.buf = b
	}
}

// appendMessage appends s with its control bytes escaped. Bytes above 127 pass: messages may be UTF-8.
func appendMessage(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < ' ' || c == 0x7f:
			b = append(b, '\\', 'x', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return b
}
