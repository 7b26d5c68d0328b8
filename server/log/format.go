package log

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Format is how a line looks.
type Format uint32

// The formats, by the names that the log-format parameter has for them.
const (
	// Legacy is Redis's: pid:role date * message.
	Legacy Format = iota
	// Logfmt is name=value pairs: pid, role, timestamp, level, message.
	Logfmt
	// JSON is an object with the same names.
	JSON
)

var formatNames = [...]string{"legacy", "logfmt", "json"}

// ParseFormat finds a format by its name, in any letter case.
func ParseFormat(name string) (Format, bool) {
	for i, n := range formatNames {
		if strings.EqualFold(n, name) {
			return Format(i), true
		}
	}
	return 0, false
}

// SetFormat changes how the lines that follow look.
func (l *Logger) SetFormat(f Format) { l.format.Store(uint32(f)) }

var roleNames = map[byte]string{Starting: "starting", Master: "master", Replica: "replica", 'X': "sentinel"}

// isoTime is the time in lines that are not legacy.
const isoTime = "2006-01-02T15:04:05.000Z07:00"

// appendLine appends a line in a format other than Legacy, without its end. In both, a value in quotes is a JSON string.
func (l *Logger) appendLine(b []byte, f Format, level Level, at time.Time, message string) []byte {
	open, name, sep, quote, end := "", `%=`, " ", "", ""
	if f == JSON {
		open, name, sep, quote, end = "{", `"%":`, ",", `"`, "}"
	}
	field := func(what string) {
		before, after, _ := strings.Cut(name, "%")
		b = append(append(append(b, before...), what...), after...)
	}
	b = append(b, open...)
	field("pid")
	b = append(append(b, l.pid...), sep...)
	field("role")
	b = append(append(append(append(b, quote...), roleNames[byte(l.role.Load())]...), quote...), sep...)
	field("timestamp")
	b = append(b, '"')
	b = at.AppendFormat(b, isoTime)
	b = append(append(b, '"'), sep...)
	field("level")
	b = append(append(append(append(b, quote...), level.String()...), quote...), sep...)
	field("message")
	return append(appendQuoted(b, message), end...)
}

// appendQuoted appends s as a JSON string. Bytes that are no UTF-8 become U+FFFD.
func appendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\r':
			b = append(b, '\\', 'r')
		case r == '\t':
			b = append(b, '\\', 't')
		case r < ' ' || r == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// String is the format's name.
func (f Format) String() string {
	if int(f) < len(formatNames) {
		return formatNames[f]
	}
	return "format " + strconv.Itoa(int(f))
}
