package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/streampulse/pulse/internal/resp"
)

// compatVersion is the version named in errors that tools look for.
const compatVersion = "7.4.1"

// maxIncludeDepth bounds files that include files, so that a file which includes itself ends in an error.
const maxIncludeDepth = 16

// maxFileSize bounds what is read of one configuration file or of standard input.
const maxFileSize = 64 * mib

// Directive is a line that is no parameter: user, rename-command, loadmodule and settings of modules. Config collects
// them in order; what they mean is for others to say.
type Directive struct {
	// Name is in lower case.
	Name string
	Args []string
	line int
	text string
}

// Refuse makes the error with which a start must end because of the directive.
func (d *Directive) Refuse(reason string) error {
	return &LoadError{Line: d.line, Text: d.text, Reason: reason}
}

// Directives returns the collected lines of one name, in the order in which they were read.
func (c *Config) Directives(name string) []Directive {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Directive
	for _, d := range c.mu.extra {
		if d.Name == name {
			out = append(out, d)
		}
	}
	return out
}

// ModuleDirectives returns the collected lines that load modules or are settings of modules.
func (c *Config) ModuleDirectives() []Directive {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Directive
	for _, d := range c.mu.extra {
		if d.Name == "loadmodule" || strings.Contains(d.Name, ".") {
			out = append(out, d)
		}
	}
	return out
}

// LoadError is a mistake in a configuration file or on the command line.
type LoadError struct {
	// Line counts from 1 in the file; the command line follows the file as if it were its end. 0 is no line at all.
	Line   int
	Text   string
	Reason string
}

// Error is the block of lines that redis-server prints to standard error.
func (e *LoadError) Error() string {
	s := "\n*** FATAL CONFIG FILE ERROR (Redis " + compatVersion + ") ***\n"
	if e.Line > 0 {
		s += "Reading the configuration file, at line " + strconv.Itoa(e.Line) + "\n>>> '" + e.Text + "'\n"
	}
	return s + e.Reason + "\n"
}

// OpenError is a configuration file that cannot be read.
type OpenError struct {
	Path string
	Err  error
}

// Error is the sentence that redis-server logs.
func (e *OpenError) Error() string {
	return "Fatal error, can't open config file '" + e.Path + "': " + reason(e.Err).Error()
}

// Unwrap gives the error of the operating system.
func (e *OpenError) Unwrap() error { return e.Err }

// Load applies the lines of a configuration file. On an error the lines before the bad one stay applied: a server that
// meets one does not start. Hooks are not run. The error is a *LoadError or an *OpenError.
func (c *Config) Load(text []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.load(text, 0); err != nil {
		return err
	}
	if c.Text("replicaof") != "" && c.Text("cluster-enabled") == "yes" {
		return &LoadError{Reason: "replicaof directive not allowed in cluster mode"}
	}
	return nil
}

// load needs Config.mu. It calls itself for include, at most maxIncludeDepth deep.
func (c *Config) load(text []byte, depth int) error {
	for n := 1; len(text) > 0; n++ {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte{'\n'})
		line = bytes.Trim(line, " \t\r")
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if err := c.loadLine(string(line), n, depth); err != nil {
			var open *OpenError
			var load *LoadError
			if errors.As(err, &open) || errors.As(err, &load) {
				return err
			}
			return &LoadError{Line: n, Text: string(line), Reason: err.Error()}
		}
	}
	return nil
}

var (
	errDirective = errors.New("Bad directive or wrong number of arguments")
	errQuotes    = errors.New("Unbalanced quotes in configuration line")
	errSentinel  = errors.New("sentinel directive while not in sentinel mode")
	errModule    = errors.New("Module config specified without value")
	errDepth     = errors.New("Too many levels of include")
)

// forgotten are directives of former versions that files still have; they are accepted with one argument and ignored.
var forgotten = map[string]bool{
	"list-max-ziplist-entries": true,
	"list-max-ziplist-value":   true,
	"lua-replicate-commands":   true,
}

func (c *Config) loadLine(line string, n, depth int) error {
	split, err := resp.SplitArgs([]byte(line))
	if err != nil {
		return errQuotes
	}
	if len(split) == 0 {
		return nil
	}
	words := make([]string, len(split))
	for i, w := range split {
		words[i] = string(w)
	}
	name, args := strings.ToLower(words[0]), words[1:]
	if i, ok := byName[name]; ok {
		return c.loadParam(i, args)
	}
	switch {
	case name == "include" && len(args) == 1:
		return c.include(args[0], depth)
	case name == "user" && len(args) >= 1, name == "loadmodule" && len(args) >= 1, name == "rename-command" && len(args) == 2:
	case name == "sentinel":
		return errSentinel
	case forgotten[name] && len(args) == 1:
		return nil
	case strings.Contains(name, "."):
		if len(args) == 0 {
			return errModule
		}
	default:
		return errDirective
	}
	c.mu.extra = append(c.mu.extra, Directive{name, args, n, line})
	return nil
}

func (c *Config) loadParam(row int, words []string) error {
	p := &params[row]
	if p.Has(Multi) && len(words) == 1 && words[0] != "" {
		split, err := resp.SplitArgs([]byte(words[0]))
		if err != nil {
			return errQuotes
		}
		words = make([]string, len(split))
		for i, w := range split {
			words[i] = string(w)
		}
	}
	s := &c.slots[row]
	v, err := p.parseValue(words, s.val.Load(), true)
	if err != nil {
		return err
	}
	s.store(v)
	return nil
}

// include reads one file, or all files that match a pattern, in the order of their names. A pattern may match none.
// Relative names start at the directory that dir has set so far.
func (c *Config) include(name string, depth int) error {
	if depth == maxIncludeDepth {
		return errDepth
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.Text("dir"), path)
	}
	paths := []string{path}
	pattern := strings.ContainsAny(name, "*?[")
	if pattern {
		var err error
		if paths, err = filepath.Glob(path); err != nil {
			return nil // a malformed pattern matches nothing
		}
	}
	for _, p := range paths {
		text, err := readFile(p)
		if err != nil {
			shown := name
			if pattern {
				shown = p
			}
			return &OpenError{Path: shown, Err: err}
		}
		if err := c.load(text, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readText(f)
}
