package config

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
)

// ArgInfo is what a command line says besides parameters.
type ArgInfo struct {
	// Version, Help and CheckSystem: the program prints something and ends. The Config then holds defaults.
	Version, Help, CheckSystem bool
	// TestMemory is set by --test-memory; Megabytes is its argument, or empty.
	TestMemory bool
	Megabytes  string
	// Sentinel asks for a mode that this program does not have.
	Sentinel bool
	// ConfigFile is the absolute path of the file that was read, or empty.
	ConfigFile string
	// Stdin tells that lines were read from standard input.
	Stdin bool
}

// ParseArgs reads a command line, without the name of the program, as redis-server does: an optional file first, then
// --name value ... in any number; a lone - first or last stands for lines on standard input, which count after the file
// and before the options. The error is a *LoadError or an *OpenError, and its text is what to print.
func ParseArgs(args []string, stdin io.Reader) (*Config, ArgInfo, error) {
	var info ArgInfo
	c := New()
	if info.special(args) {
		return c, info, nil
	}
	var text []byte
	options := args
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		path, err := filepath.Abs(args[0])
		if err != nil {
			return nil, info, &OpenError{Path: args[0], Err: err}
		}
		if text, err = readFile(path); err != nil {
			return nil, info, &OpenError{Path: path, Err: err}
		}
		info.ConfigFile = path
		options = args[1:]
	}
	lines := info.optionLines(options, len(args))
	if info.Stdin && stdin != nil {
		more, err := readText(stdin)
		if err != nil {
			return nil, info, &OpenError{Path: "-", Err: err}
		}
		text = append(text, more...)
	}
	if lines != "" {
		text = append(append(text, '\n'), lines...)
	}
	if err := c.Load(text); err != nil {
		return nil, info, err
	}
	c.SetFile(info.ConfigFile)
	return c, info, nil
}

// special handles the words that are only known as the first one.
func (info *ArgInfo) special(args []string) bool {
	if len(args) == 0 {
		return false
	}
	switch args[0] {
	case "-v", "--version":
		info.Version = true
	case "-h", "--help":
		info.Help = true
	case "--check-system":
		info.CheckSystem = true
	case "--test-memory":
		info.TestMemory = true
		if len(args) == 2 {
			info.Megabytes = args[1]
		}
	default:
		return false
	}
	return true
}

// optionLines writes the options as lines of a configuration file. The word after a --name is its value even when it
// begins with --, unless it is in one word with the name; only --save may stand without a value and then means no save points. total is the number of words on the
// whole command line.
func (info *ArgInfo) optionLines(options []string, total int) string {
	var b strings.Builder
	complete := true // the option before has its value
	for i, word := range options {
		name, isOption := strings.CutPrefix(word, "--")
		switch {
		case word == "-" && (i == len(options)-1 || i == 0 && len(options) == total):
			info.Stdin = true
		case !complete || !isOption:
			b.WriteByte(' ')
			quote(&b, word)
			complete = true
		default:
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			if strings.EqualFold(name, "sentinel") {
				info.Sentinel = true
				continue
			}
			b.WriteString(name)
			complete = strings.ContainsAny(strings.TrimRight(name, " \t"), " \t") // name and value in one word
			if strings.EqualFold(name, "save") && (i+1 == len(options) || strings.HasPrefix(options[i+1], "--")) {
				b.WriteString(` ""`)
				complete = true
			}
		}
	}
	return b.String()
}

// quote writes a word so that splitting the line gives it back, byte by byte.
func quote(b *strings.Builder, s string) {
	const hex = "0123456789abcdef"
	b.WriteByte('"')
	for _, c := range []byte(s) {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\a':
			b.WriteString(`\a`)
		case c == '\b':
			b.WriteString(`\b`)
		case c < ' ' || c > '~':
			b.WriteString(`\x`)
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
}

var errTooLarge = errors.New("file too large")

// readText reads all of r, which must not be larger than maxFileSize.
func readText(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFileSize+1))
	if err == nil && len(text) > maxFileSize {
		err = errTooLarge
	}
	return text, err
}
