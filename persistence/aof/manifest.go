package aof

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/internal/vfs"
)

// fileType is what a file of the log is, in the manifest's letters.
type fileType byte

const (
	base    fileType = 'b' // the data at some instant
	history fileType = 'h' // replaced, to be removed
	incr    fileType = 'i' // what came after
)

// file is a line of the manifest.
type file struct {
	name string
	seq  int64
	typ  fileType
}

// manifest lists the files of a log: at most one base, the increments in the order in which they are to be replayed, and
// what is to be removed. It is the file <appendfilename>.manifest of Redis 7.
type manifest struct {
	base    *file
	incrs   []file
	history []file
}

// names makes the names of a log's files.
type names struct {
	dir  string // appenddirname, with the path to it
	stem string // appendfilename
}

func (n names) path(name string) string { return filepath.Join(n.dir, name) }
func (n names) manifest() string        { return n.path(n.stem + ".manifest") }
func (n names) temporary() string       { return n.path("temp_" + n.stem + ".manifest") }

func (n names) base(seq int64, rdb bool) string {
	format := "aof"
	if rdb {
		format = "rdb"
	}
	return fmt.Sprintf("%s.%d.base.%s", n.stem, seq, format)
}

func (n names) incr(seq int64) string { return fmt.Sprintf("%s.%d.incr.aof", n.stem, seq) }

// nextBase and nextIncr return the sequence numbers of files to be made.
func (m *manifest) nextBase() int64 {
	seq := int64(0)
	if m.base != nil {
		seq = m.base.seq
	}
	for _, f := range m.history {
		if !strings.Contains(f.name, ".incr.") {
			seq = max(seq, f.seq)
		}
	}
	return seq + 1
}

func (m *manifest) nextIncr() int64 {
	seq := int64(0)
	for _, f := range m.incrs {
		seq = max(seq, f.seq)
	}
	for _, f := range m.history {
		if strings.Contains(f.name, ".incr.") {
			seq = max(seq, f.seq)
		}
	}
	return seq + 1
}

// clone returns a manifest that can be changed and thrown away.
func (m *manifest) clone() *manifest {
	c := &manifest{incrs: append([]file(nil), m.incrs...), history: append([]file(nil), m.history...)}
	if m.base != nil {
		b := *m.base
		c.base = &b
	}
	return c
}

// all returns the files that hold data, in the order of their replay.
func (m *manifest) all() []file {
	var out []file
	if m.base != nil {
		out = append(out, *m.base)
	}
	return append(out, m.incrs...)
}

// empty reports whether there is no log: no file holds data.
func (m *manifest) empty() bool { return m == nil || m.base == nil && len(m.incrs) == 0 }

// holds reports whether a file of that name holds data.
func (m *manifest) holds(name string) bool {
	return slices.ContainsFunc(m.all(), func(f file) bool { return f.name == name })
}

// drops reports whether a file of that name is to be removed.
func (m *manifest) drops(name string) bool {
	return m != nil && slices.ContainsFunc(m.history, func(f file) bool { return f.name == name })
}

// format writes the manifest as Redis does.
func (m *manifest) format() []byte {
	var b bytes.Buffer
	line := func(f file) { fmt.Fprintf(&b, "file %s seq %d type %c\n", quote(f.name), f.seq, f.typ) }
	if m.base != nil {
		line(*m.base)
	}
	for _, f := range m.history {
		line(f)
	}
	for _, f := range m.incrs {
		line(f)
	}
	return b.Bytes()
}

// quote returns a name as a manifest holds it: in quotes if it has characters that would not be read back.
func quote(name string) string {
	plain := func(c byte) bool { return c > ' ' && c < 0x7f && c != '"' && c != '\'' && c != '\\' }
	var b strings.Builder
	quoted := false
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case plain(c):
			b.WriteByte(c)
			continue
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == ' ' || c == '\'':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "\\x%02x", c)
		}
		quoted = true
	}
	if !quoted {
		return name
	}
	return `"` + b.String() + `"`
}

const maxManifest = 16 << 20 // bytes; a manifest has a line for each rewrite that failed

// readManifest reads the manifest; it returns nil if there is none.
func readManifest(fsys vfs.FS, n names) (*manifest, error) {
	f, err := fsys.Open(n.manifest())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxManifest {
		return nil, fmt.Errorf("%s is too large for a manifest", n.manifest())
	}
	m, line, err := parseManifest(b)
	if err != nil {
		return nil, fmt.Errorf("%s, line %d: %w", n.manifest(), line, err)
	}
	return m, nil
}

// parseManifest reads the text of a manifest; line is where an error is.
func parseManifest(b []byte) (m *manifest, line int, err error) {
	m = &manifest{}
	for len(b) > 0 {
		line++
		text, rest, whole := bytes.Cut(b, []byte("\n"))
		b = rest
		switch {
		case !whole:
			return nil, line, errors.New("the line is cut off")
		case bytes.HasPrefix(text, []byte("#")):
			continue
		case len(bytes.TrimSpace(text)) == 0:
			return nil, line, errors.New("an empty line")
		}
		f, err := parseLine(text)
		if err != nil {
			return nil, line, err
		}
		switch f.typ {
		case base:
			if m.base != nil {
				return nil, line, errors.New("a second base file")
			}
			m.base = &f
		case history:
			m.history = append(m.history, f)
		case incr:
			if n := len(m.incrs); n > 0 && f.seq <= m.incrs[n-1].seq {
				return nil, line, errors.New("increments out of order")
			}
			m.incrs = append(m.incrs, f)
		}
	}
	return m, line, nil
}

// parseLine reads "file NAME seq N type T"; keys may come in any order, and others are passed over.
func parseLine(text []byte) (f file, err error) {
	words, err := resp.SplitArgs(text)
	if err != nil || len(words) < 6 || len(words)%2 != 0 {
		return f, errors.New("not pairs of keys and values")
	}
	for i := 0; i < len(words); i += 2 {
		v := string(words[i+1])
		switch strings.ToLower(string(words[i])) {
		case "file":
			f.name = v
		case "seq":
			if f.seq, err = strconv.ParseInt(v, 10, 64); err != nil || f.seq < 1 {
				return f, errors.New("the sequence number is not a positive number")
			}
		case "type":
			if len(v) != 1 || !strings.Contains("bhi", v) {
				return f, errors.New("an unknown type of file")
			}
			f.typ = fileType(v[0])
		}
	}
	switch {
	case f.name == "" || f.seq == 0 || f.typ == 0:
		return f, errors.New("file, seq or type is missing")
	case strings.ContainsAny(f.name, "/\\") || f.name == "." || f.name == "..":
		return f, errors.New("a file must be named without a path")
	}
	return f, nil
}

// write puts the manifest in the place of the one there is.
func (m *manifest) write(fsys vfs.FS, n names) error {
	return vfs.Replace(fsys, n.manifest(), n.temporary(), 0o644, func(f vfs.File) error {
		_, err := f.Write(m.format())
		return err
	})
}
