package aof

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/streampulse/pulse/internal/vfs"
)

// What a tool needs that looks at files no server has open: Parts, Analyze, After, CutOff.

// Part is a file of a log, as the manifest names it.
type Part struct {
	Path string
	Base bool
}

// Parts returns the files that a manifest names, in the order in which they are replayed.
func Parts(fsys vfs.FS, manifest string) ([]Part, error) {
	stem, ok := strings.CutSuffix(filepath.Base(manifest), ".manifest")
	if !ok {
		return nil, fmt.Errorf("%s does not have the name of a manifest", manifest)
	}
	n := names{filepath.Dir(manifest), stem}
	m, err := readManifest(fsys, n)
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, &os.PathError{Op: "open", Path: manifest, Err: os.ErrNotExist}
	}
	var parts []Part
	for _, f := range m.all() {
		parts = append(parts, Part{n.path(f.name), f.typ == base})
	}
	return parts, nil
}

// Analysis is what Analyze has found.
type Analysis struct {
	Size     int64
	UpTo     int64   // where what is understood ends, outside of any transaction
	Line     int64   // and which line of the file, from 1, begins there
	Commands int64   // up to there
	Damage   *Damage // what follows; nil if nothing does
	// Torn tells that a crash can have left the damage: then a server cuts it off if nothing follows in other files.
	Torn bool
	// Lost is how many commands can still be read in what follows, about.
	Lost int
}

// Analyze reads a file of a log, from the offset on where an RDB file ends that it begins with, or 0.
func Analyze(fsys vfs.FS, path string, from int64) (a Analysis, err error) {
	f, err := fsys.Open(path)
	if err != nil {
		return a, err
	}
	defer f.Close()
	if a.Size, err = f.Size(); err != nil {
		return a, err
	}
	r, err := readerAt(f, from, a.Size)
	if err != nil {
		return a, err
	}
	r.name = filepath.Base(path)
	for {
		end := r.next()
		if end == io.EOF {
			break
		}
		if errors.As(end, &a.Damage) {
			t, err := lookAtTail(f, a.Damage, a.Size)
			if err != nil {
				return a, err
			}
			a.Torn, a.Lost = t.torn, t.commands
			break
		}
		if end != nil {
			return a, fmt.Errorf("%s, at offset %d: %w", path, r.off, end)
		}
		if !r.multi.open {
			a.Commands += int64(len(r.out.ends))
			r.out.reset()
		}
	}
	a.UpTo = r.good
	a.Line, err = lineAt(f, from, a.UpTo)
	return a, err
}

// readerAt returns a reader of what follows an offset.
func readerAt(f vfs.File, from, size int64) (*reader, error) {
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return nil, err
	}
	r := &reader{src: f, size: size, off: from, good: from, out: new(batch), foreign: true}
	if from == 0 {
		if err := r.need(1); err != nil && err != errShort {
			return nil, err
		}
		r.foreign = len(r.win) > 0 && r.win[0] == '*'
	}
	return r, nil
}

// lineAt counts the lines between two offsets, from 1.
func lineAt(f io.ReaderAt, from, to int64) (line int64, err error) {
	line = 1
	buf := make([]byte, 256<<10)
	for src := io.NewSectionReader(f, from, to-from); ; {
		n, err := src.Read(buf)
		line += int64(bytes.Count(buf[:n], []byte("\n")))
		if err == io.EOF {
			return line, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// Place is where a file can be cut off. Frame is where the frame begins that it lies in, or Offset.
type Place struct{ Offset, Frame int64 }

// After returns where the first time stamp (aof-timestamp-enabled) stands in the part of a file between from and to, which
// Analyze has found good, that is later than second; ok is false if there is none.
func After(fsys vfs.FS, path string, from, to, second int64) (p Place, ok bool, err error) {
	f, err := fsys.Open(path)
	if err != nil {
		return p, false, err
	}
	defer f.Close()
	r, err := readerAt(f, from, to)
	if err != nil {
		return p, false, err
	}
	for r.off < to {
		if err := r.need(min(headerLen, int(to-r.off))); err != nil {
			return p, false, err
		}
		h, framed := parseHeader(r.win, r.off)
		if !framed {
			if !r.multi.open && later(r.win, second) {
				return Place{r.off, r.off}, true, nil
			}
			if err := r.next(); err != nil {
				return p, false, err
			}
			if !r.multi.open {
				r.out.reset()
			}
			continue
		}
		whole := headerLen + int(h.length)
		if err := r.need(whole); err != nil {
			return p, false, err
		}
		for at := headerLen; at < whole; {
			if !r.multi.open && later(r.win[at:whole], second) {
				p = Place{r.off + int64(at), r.off}
				if at == headerLen {
					p.Offset = r.off
				}
				return p, true, nil
			}
			n, err := r.one(r.win[at:whole])
			if err != nil {
				return p, false, err
			}
			at += n
			if !r.multi.open {
				r.out.reset()
			}
		}
		r.skip(whole)
	}
	return p, false, nil
}

// later reports whether b begins with a time stamp that is later than second.
func later(b []byte, second int64) bool {
	line, _, whole := bytes.Cut(b[:min(len(b), maxLine)], []byte("\n"))
	if !whole || !isStamp(append(line[:len(line):len(line)], '\n')) {
		return false
	}
	t, err := strconv.ParseInt(string(bytes.TrimSpace(line[len("#TS:"):])), 10, 64)
	return err == nil && t > second
}

// CutOff takes everything from p on off a file, which is in good order up to there, and keeps it in the file saved.
func CutOff(fsys vfs.FS, path string, p Place, saved string) error {
	f, err := fsys.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return err
	}
	keep := func(w vfs.File) error {
		_, err := io.Copy(w, io.NewSectionReader(f, p.Offset, size-p.Offset))
		return err
	}
	if err := vfs.Replace(fsys, saved, saved+".tmp", 0o644, keep); err != nil {
		return err
	}
	if p.Frame < p.Offset {
		if err := shorten(f, p); err != nil {
			return err
		}
	}
	if err := f.Truncate(p.Offset); err != nil {
		return err
	}
	return f.Sync()
}

// shorten makes a frame end at p.
func shorten(f vfs.File, p Place) error {
	b := make([]byte, p.Offset-p.Frame)
	if _, err := f.ReadAt(b, p.Frame); err != nil {
		return err
	}
	h, ok := parseHeader(b, p.Frame)
	if !ok {
		return errors.New("there is no frame where one was")
	}
	h.length, h.sum = int64(len(b)-headerLen), crc32.Checksum(b[headerLen:], castagnoli)
	h.put(b, p.Frame)
	if _, err := f.Seek(p.Frame, io.SeekStart); err != nil {
		return err
	}
	_, err := f.Write(b[:headerLen])
	return err
}
