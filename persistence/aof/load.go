package aof

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/streampulse/pulse/internal/vfs"
)

// Loader brings back what a log holds.
type Loader struct {
	// Base loads the RDB file that r begins with and returns how many bytes it took.
	Base func(r io.Reader, size int64) (int64, error)
	// Command replays a command; its arguments are valid until it returns.
	Command func(args [][]byte) error
	// Progress is told how many bytes of the log are done, of how many.
	Progress func(done, of int64)
}

// Report tells how loading went.
type Report struct {
	Existed  bool // there was a log
	Files    int
	Bytes    int64
	Commands int64
	Cut      *Cut // nil if the end was as it should be

	said bool // the last file ends with a frame that calls all of it durable
}

// Cut is the end of a file that was taken off because it was not written to the end.
type Cut struct {
	Damage
	From     int64 // where the file ends now
	Bytes    int64 // taken off
	Commands int   // that could be read in there, all of them unacknowledged or without their EXEC
	Saved    string
}

// Exists reports whether there is a log, or the single file of a Redis before 7, in the directory above, which Open
// would take in.
func Exists(o Options) (bool, error) {
	n := names{o.Dir, o.Name}
	switch info, err := o.FS.Stat(filepath.Join(filepath.Dir(o.Dir), o.Name)); {
	case err == nil && info.Mode().IsRegular():
		return true, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist) && !notDir(err):
		return false, err
	}
	m, err := readManifest(o.FS, n)
	switch {
	case err != nil && !notDir(err):
		return false, err
	case !m.empty():
		return true, nil
	}
	left, err := strays(o.FS, n, m)
	if err == nil && len(left) > 0 {
		return false, unnamed(n, left)
	}
	return false, err
}

func notDir(err error) bool { return strings.Contains(err.Error(), "not a directory") }

// strays returns the names of files that look like parts of the log and are not to be removed.
func strays(fsys vfs.FS, n names, m *manifest) (out []string, err error) {
	list, err := fsys.ReadDir(n.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range list {
		name := e.Name()
		if strings.HasPrefix(name, n.stem+".") && (strings.HasSuffix(name, ".incr.aof") || strings.HasSuffix(name, ".base.rdb") || strings.HasSuffix(name, ".base.aof")) {
			if !m.drops(name) && !unused(fsys, n.path(name)) {
				out = append(out, name)
			}
		}
	}
	return out, err
}

// unnamed is the error of files that would not be read, and be written over.
func unnamed(n names, left []string) error {
	return fmt.Errorf("%s holds files of an append-only file (%s) but no manifest that names them. Bring %s back, or move these files away",
		n.dir, strings.Join(left, ", "), filepath.Base(n.manifest()))
}

// unused reports whether a file holds no units of ours or commands of Redis: it may be from a start that was not finished,
// with no more than a header, which may be cut off or not have reached the disk.
func unused(fsys vfs.FS, path string) bool {
	b, err := vfs.ReadFile(fsys, path, headerLen)
	if err != nil {
		return false
	}
	n := min(len(b), len(headerStart))
	return string(b[:n]) == headerStart[:n] || len(bytes.Trim(b, "\x00")) == 0
}

// Open loads the log that there is, if any, and opens it for appending.
func Open(o Options, ld Loader) (*Log, *Report, error) {
	n := names{o.Dir, o.Name}
	if err := o.FS.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, nil, err
	}
	if err := o.FS.SyncDir(filepath.Dir(o.Dir)); err != nil {
		return nil, nil, err
	}
	m, err := readManifest(o.FS, n)
	if err != nil {
		return nil, nil, err
	}
	if m, err = takeIn(o.FS, n, m); err != nil {
		return nil, nil, err
	}
	rep := &Report{Existed: !m.empty()}
	if m.empty() {
		if left, err := strays(o.FS, n, m); err != nil || len(left) > 0 {
			return nil, nil, errors.Join(err, unnamed(n, left))
		}
		if m == nil {
			m = &manifest{}
		}
	}
	sizes := map[string]int64{}
	if err := load(o, n, m, ld, rep, sizes); err != nil {
		return nil, rep, err
	}
	l, err := open(o, m, sizes, rep.said)
	if err != nil {
		return nil, rep, err
	}
	removeTemporary(o.FS, n)
	l.manifest.Lock()
	l.collect()
	l.manifest.Unlock()
	return l, rep, nil
}

// removeTemporary takes away what was not finished when the server stopped.
func removeTemporary(fsys vfs.FS, n names) {
	list, err := fsys.ReadDir(n.dir)
	if err != nil {
		return
	}
	for _, e := range list {
		name := e.Name()
		for _, prefix := range []string{"temp-rewriteaof-" + n.stem + ".", "temp_" + n.stem + "."} {
			if strings.HasPrefix(name, prefix) && e.Type().IsRegular() {
				_ = fsys.Remove(n.path(name)) // it is only in the way
			}
		}
	}
}

// takeIn makes the single file of a Redis before 7 the base of a log: the manifest is written first, then the file is
// moved, so that a crash in between is finished by the next start.
func takeIn(fsys vfs.FS, n names, m *manifest) (*manifest, error) {
	old := filepath.Join(filepath.Dir(n.dir), n.stem)
	info, err := fsys.Stat(old)
	if err != nil || !info.Mode().IsRegular() {
		return m, nil
	}
	switch {
	case m.empty():
		if m == nil {
			m = &manifest{}
		}
		m.base = &file{n.stem, 1, base}
		if err := m.write(fsys, n); err != nil {
			return nil, err
		}
	case m.base == nil || m.base.name != n.stem:
		return m, nil // another file that happens to have this name
	default:
		if _, err := fsys.Stat(n.path(n.stem)); err == nil {
			return m, nil
		}
	}
	if err := fsys.Rename(old, n.path(n.stem)); err != nil {
		return nil, err
	}
	return m, errors.Join(fsys.SyncDir(n.dir), fsys.SyncDir(filepath.Dir(n.dir)))
}

// load replays all files of m and fills sizes.
func load(o Options, n names, m *manifest, ld Loader, rep *Report, sizes map[string]int64) error {
	files := m.all()
	total := int64(0)
	for _, f := range files {
		info, err := o.FS.Stat(n.path(f.name))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the manifest names %s, which does not exist in %s", f.name, n.dir)
		}
		if err != nil {
			return err
		}
		sizes[f.name] = info.Size()
		total += info.Size()
	}
	done := int64(0)
	for i, f := range files {
		last := true
		for _, g := range files[i+1:] {
			last = last && (sizes[g.name] == 0 || g.typ == incr && unused(o.FS, n.path(g.name)))
		}
		progress := func(n int64) {
			if ld.Progress != nil {
				ld.Progress(done+n, total)
			}
		}
		err := loadFile(o, n, f, sizes[f.name], ld, rep, progress)
		var d *Damage
		if errors.As(err, &d) {
			err = d
			// A base is complete before a manifest names it; what is damaged in one of our own was not left so by a crash.
			if last && !(f.typ == base && d.framed) {
				err = repair(o, n, d, rep)
				if rep.Cut != nil {
					sizes[f.name] = rep.Cut.From
				}
			}
		}
		if err != nil {
			return err
		}
		rep.Files++
		rep.Bytes += sizes[f.name]
		done += sizes[f.name]
	}
	return nil
}

// loadFile replays one file. What it reads and what is replayed are on two processors.
func loadFile(o Options, n names, f file, size int64, ld Loader, rep *Report, progress func(int64)) error {
	src, err := o.FS.Open(n.path(f.name))
	if err != nil {
		return err
	}
	defer src.Close()
	rep.said = false
	r := &reader{name: f.name, src: src, size: size}
	if err := r.need(len(magic)); err != nil && err != errShort {
		return err
	}
	if bytes.HasPrefix(r.win, []byte(magic)) {
		took, err := ld.Base(io.MultiReader(bytes.NewReader(r.win), src), size)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if took == size {
			return nil
		}
		if _, err := src.Seek(took, io.SeekStart); err != nil {
			return err
		}
		r = &reader{name: f.name, src: src, size: size, off: took, good: took, foreign: true}
	} else {
		r.foreign = len(r.win) > 0 && r.win[0] == '*'
	}
	err = r.replay(ld.Command, rep, progress)
	rep.said = r.said
	return err
}

// magic is what RDB files begin with.
const magic = "REDIS"

// replay hands all commands to f, in order.
func (r *reader) replay(f func(args [][]byte) error, rep *Report, progress func(int64)) error {
	const ahead = 4
	full, free := make(chan *batch, ahead), make(chan *batch, ahead+2)
	for range ahead + 2 {
		free <- &batch{}
	}
	stop := make(chan struct{})
	var end error
	go func() {
		defer close(full)
		for end == nil {
			select {
			case r.out = <-free:
			case <-stop:
				return
			}
			r.out.reset()
			for end == nil && (len(r.out.mem) < batchBytes || r.multi.open) {
				mark := r.out.mark()
				if end = r.next(); end != nil {
					r.out.rollback(mark) // what it has read of something damaged
				}
			}
			if r.multi.open {
				r.out.rollback(r.multi.mark)
			}
			select {
			case full <- r.out:
			case <-stop:
				return
			}
		}
	}()
	for b := range full {
		if err := b.each(f); err != nil {
			close(stop)
			for range full {
				// Until the reader has noticed.
			}
			return fmt.Errorf("%s, before offset %d: %w", r.name, b.upTo, err)
		}
		rep.Commands += int64(len(b.ends))
		progress(b.upTo)
		free <- b
	}
	var d *Damage
	if errors.As(end, &d) {
		return end
	}
	if end == io.EOF {
		return nil
	}
	return fmt.Errorf("%s, at offset %d: %w", r.name, r.off, end)
}

// repair takes off what is damaged at the end of the last file that is not empty, if a crash can have left it so; otherwise
// it returns what is to be said.
func repair(o Options, n names, d *Damage, rep *Report) error {
	path := n.path(d.File)
	f, err := o.FS.OpenFile(path, os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return err
	}
	t, err := lookAtTail(f, d, size)
	switch {
	case err != nil:
		return err
	case !t.torn:
		return d
	case !o.Truncate:
		return fmt.Errorf("%w; aof-load-truncated is off", d)
	}
	cut := &Cut{Damage: *d, From: d.cut, Bytes: size - d.cut, Commands: t.commands}
	cut.Saved = fmt.Sprintf("%s.torn-%d-%d", d.File, d.cut, o.Clock.NowMs())
	save := func(w vfs.File) error {
		_, err := io.Copy(w, io.NewSectionReader(f, cut.From, cut.Bytes))
		return err
	}
	if err := vfs.Replace(o.FS, n.path(cut.Saved), n.path("temp-torn"), 0o644, save); err != nil {
		return err
	}
	if err := f.Truncate(cut.From); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	rep.Cut = cut
	return nil
}

// tail is what is behind the place where a file is damaged.
type tail struct {
	torn     bool // a crash can have left it so
	commands int
}

// lookAtTail decides whether what follows the place of d was not on the disk yet when the machine stopped. It was not,
// if the file ends within it, or has only zeros there or from somewhere within it on; of a frame it is also not, unless a
// later frame says that the place was on the disk.
func lookAtTail(f io.ReaderAt, d *Damage, size int64) (t tail, err error) {
	durable, content := int64(0), d.Offset // content is where the zeros begin that the file ends with
	buf := make([]byte, min(1<<20, size-d.cut))
	var o batch
	for at, first := d.cut, true; at < size; first = false {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), size-at)], at)
		if n == 0 && err != nil {
			return t, err
		}
		b := buf[:n]
		if k := len(bytes.TrimRight(b, "\x00")); k > 0 {
			content = max(content, at+int64(k))
		}
		if first {
			t.commands = countCommands(b, &o)
		}
		for i := 0; ; {
			k := bytes.Index(b[i:], []byte(headerStart))
			if k < 0 {
				break
			}
			i += k
			if h, ok := parseHeader(b[i:], at+int64(i)); ok && at+int64(i) > d.Offset {
				durable = max(durable, h.durable)
			}
			i++
		}
		if at+int64(n) == size {
			break
		}
		at += int64(max(n-headerLen+1, 1)) // a header may lie across the border
	}
	if d.moved {
		return t, nil
	}
	t.torn = content == d.Offset || (d.torn || d.framed) && durable <= d.Offset
	if !t.torn && !d.framed && content < size {
		// It may be a command that was to go on where the zeros begin.
		b := make([]byte, content-d.Offset)
		if _, err := f.ReadAt(b, d.Offset); err != nil {
			return t, err
		}
		o.reset()
		_, err := splitCommand(b, &o)
		t.torn = err == errShort || b[0] == '#' && bytes.IndexByte(b, '\n') < 0
	}
	return t, nil
}

// countCommands counts the commands that b begins with, in frames or not.
func countCommands(b []byte, o *batch) (n int) {
	for len(b) > 0 {
		switch {
		case bytes.HasPrefix(b, []byte(headerStart)) && len(b) > headerLen:
			b = b[headerLen:]
		case b[0] == '#':
			i := bytes.IndexByte(b, '\n')
			if i < 0 {
				return n
			}
			b = b[i+1:]
		default:
			o.reset()
			k, err := splitCommand(b, o)
			if err != nil {
				return n
			}
			if name := o.mem[o.args[0].from:o.args[0].to]; !isWord(name, "multi") && !isWord(name, "exec") && !isWord(name, "select") {
				n++
			}
			b = b[k:]
		}
	}
	return n
}
