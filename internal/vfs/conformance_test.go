package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// bench is a file system under test with some files open in it. Its methods do one operation each and say in a line what
// came of it, so that the lines of two file systems can be compared.
type bench struct {
	fs    FS
	dir   string
	files []File
}

// benches are the file systems that have to agree.
func benches(t *testing.T) map[string]*bench {
	return map[string]*bench{
		"os":            {fs: OS, dir: t.TempDir()},
		"mem":           {fs: NewMem(), dir: "/"},
		"fault of os":   {fs: NewFault(OS), dir: t.TempDir()},
		"fault of mem":  {fs: NewFault(NewMem()), dir: "/"},
		"crashed mem":   {fs: NewMem().CrashAt(Cut{}), dir: "."},
		"mem in a path": {fs: memIn(t, "some/where"), dir: "some/where"},
	}
}

func memIn(t *testing.T, dir string) *Mem {
	m := NewMem()
	must(t, m.MkdirAll(dir, 0o755))
	return m
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) path(name string) string {
	if name == "" {
		return ""
	}
	return filepath.Join(b.dir, name)
}

// outcome spells an error so that it is the same for each file system: its type, the names in it, and the reason.
func (b *bench) outcome(err error) string {
	if err == nil || err == io.EOF {
		return fmt.Sprint(err)
	}
	relative := func(name string) string {
		rel, err := filepath.Rel(b.dir, name)
		if name == "" || err != nil {
			return name
		}
		return rel
	}
	var errno syscall.Errno
	reason := "other"
	switch {
	case errors.As(err, &errno) && runtime.GOOS == "linux":
		reason = errno.Error()
	case errors.Is(err, fs.ErrNotExist):
		reason = "not there"
	case errors.Is(err, fs.ErrExist):
		reason = "there"
	case errors.Is(err, fs.ErrClosed):
		reason = "closed"
	case errors.Is(err, ErrLocked):
		reason = "locked"
	}
	switch e := err.(type) {
	case *fs.PathError:
		return fmt.Sprintf("path error %s %s: %s", e.Op, relative(e.Path), reason)
	case *os.LinkError:
		return fmt.Sprintf("link error %s %s %s: %s", e.Op, relative(e.Old), relative(e.New), reason)
	}
	return fmt.Sprintf("%T", err)
}

func (b *bench) open(name string, flag int) string {
	f, err := b.fs.OpenFile(b.path(name), flag, 0o644)
	if err == nil {
		b.files = append(b.files, f)
	}
	return b.outcome(err)
}

// file is the i-th of the open files, counted from the last.
func (b *bench) file(i int) File { return b.files[len(b.files)-1-i%len(b.files)] }

func (b *bench) read(i, n int) string {
	p := make([]byte, n)
	got, err := b.file(i).Read(p)
	return fmt.Sprintf("%q %s", p[:got], b.outcome(err))
}

func (b *bench) readAt(i, n int, off int64) string {
	p := make([]byte, n)
	got, err := b.file(i).ReadAt(p, off)
	return fmt.Sprintf("%q %s", p[:got], b.outcome(err))
}

func (b *bench) write(i int, data string) string {
	n, err := b.file(i).Write([]byte(data))
	return fmt.Sprintf("%d %s", n, b.outcome(err))
}

func (b *bench) seek(i int, off int64, whence int) string {
	n, err := b.file(i).Seek(off, whence)
	return fmt.Sprintf("%d %s", n, b.outcome(err))
}

func (b *bench) size(i int) string {
	n, err := b.file(i).Size()
	return fmt.Sprintf("%d %s", n, b.outcome(err))
}

func (b *bench) stat(name string) string {
	info, err := b.fs.Stat(b.path(name))
	if err != nil {
		return b.outcome(err)
	}
	if info.IsDir() {
		return fmt.Sprint("directory ", info.Name() == filepath.Base(b.path(name)))
	}
	return fmt.Sprintf("%s %d regular %v", info.Name(), info.Size(), info.Mode().IsRegular())
}

func (b *bench) list(name string) string {
	entries, err := b.fs.ReadDir(b.path(name))
	s := b.outcome(err)
	for _, e := range entries {
		s += fmt.Sprintf(" %s %v", e.Name(), e.IsDir())
	}
	return s
}

// tree is all there is, with contents.
func (b *bench) tree(t *testing.T, dir string) string {
	var s strings.Builder
	entries, err := b.fs.ReadDir(b.path(dir))
	must(t, err)
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if e.IsDir() {
			fmt.Fprintf(&s, "%s/\n%s", name, b.tree(t, name))
			continue
		}
		data, err := ReadFile(b.fs, b.path(name), 1<<20)
		must(t, err)
		fmt.Fprintf(&s, "%s %q\n", name, data)
	}
	return s.String()
}

func (b *bench) close() {
	for _, f := range b.files {
		f.Close()
	}
}

const (
	readOnly  = os.O_RDONLY
	writeOnly = os.O_WRONLY
	readWrite = os.O_RDWR
	create    = os.O_CREATE
)

// TestConformance does the same on all file systems and compares each step with what Linux says.
func TestConformance(t *testing.T) {
	steps := []struct {
		name string
		do   func(*bench) string
		want string // as on Linux
	}{
		{"open what is not there", func(b *bench) string { return b.open("a", readOnly) }, "path error open a: no such file or directory"},
		{"open nothing", func(b *bench) string { return b.open("", readOnly) }, "path error open : no such file or directory"},
		{"open a name with a zero byte", func(b *bench) string { return b.open("a\x00b", readWrite|create) }, "path error open a\x00b: invalid argument"},
		{"open a name of 256 bytes", func(b *bench) string {
			return strings.ReplaceAll(b.open(strings.Repeat("n", 256), readWrite|create), "nn", "")
		}, "path error open : file name too long"},
		{"create in a directory that is not there", func(b *bench) string { return b.open("d/a", readWrite|create) }, "path error open d/a: no such file or directory"},
		{"create", func(b *bench) string { return b.open("a", readWrite|create) }, "<nil>"},
		{"create what is there", func(b *bench) string { return b.open("a", readWrite|create|os.O_EXCL) }, "path error open a: file exists"},
		{"open below a file", func(b *bench) string { return b.open("a/b", readWrite|create) }, "path error open a/b: not a directory"},
		{"open a directory", func(b *bench) string { return b.open(".", readOnly) }, "path error open .: is a directory"},
		{"write to a directory", func(b *bench) string { return b.open(".", readWrite) }, "path error open .: is a directory"},
		{"write", func(b *bench) string { return b.write(0, "hello") }, "5 <nil>"},
		{"write nothing", func(b *bench) string { return b.write(0, "") }, "0 <nil>"},
		{"size", func(b *bench) string { return b.size(0) }, "5 <nil>"},
		{"read at the end", func(b *bench) string { return b.read(0, 3) }, `"" EOF`},
		{"read nothing at the end", func(b *bench) string { return b.read(0, 0) }, `"" <nil>`},
		{"seek", func(b *bench) string { return b.seek(0, -4, io.SeekEnd) }, "1 <nil>"},
		{"read", func(b *bench) string { return b.read(0, 3) }, `"ell" <nil>`},
		{"read what is left", func(b *bench) string { return b.read(0, 9) }, `"o" <nil>`},
		{"read at", func(b *bench) string { return b.readAt(0, 2, 1) }, `"el" <nil>`},
		{"read at, more than there is", func(b *bench) string { return b.readAt(0, 9, 3) }, `"lo" EOF`},
		{"read at the end", func(b *bench) string { return b.readAt(0, 1, 5) }, `"" EOF`},
		{"seek before the beginning", func(b *bench) string { return b.seek(0, -6, io.SeekCurrent) }, "0 path error seek a: invalid argument"},
		{"seek behind the end", func(b *bench) string { return b.seek(0, 7, io.SeekStart) }, "7 <nil>"},
		{"write behind the end", func(b *bench) string { return b.write(0, "!") }, "1 <nil>"},
		{"a hole is zeros", func(b *bench) string { return b.readAt(0, 9, 3) }, `"lo\x00\x00!" EOF`},
		{"truncate", func(b *bench) string { return b.outcome(b.file(0).Truncate(2)) }, "<nil>"},
		{"the position stays", func(b *bench) string { return b.seek(0, 0, io.SeekCurrent) }, "8 <nil>"},
		{"extend", func(b *bench) string { return b.outcome(b.file(0).Truncate(4)) }, "<nil>"},
		{"what was cut is zeros", func(b *bench) string { return b.readAt(0, 9, 0) }, `"he\x00\x00" EOF`},
		{"truncate below zero", func(b *bench) string { return b.outcome(b.file(0).Truncate(-1)) }, "path error truncate a: invalid argument"},
		{"sync", func(b *bench) string { return b.outcome(b.file(0).Sync()) }, "<nil>"},
		{"sync data", func(b *bench) string { return b.outcome(b.file(0).SyncData()) }, "<nil>"},
		{"hints", func(b *bench) string {
			f := b.file(0)
			return b.outcome(errors.Join(f.SyncRange(0, 0), f.Preallocate(0, 1<<16), f.Preallocate(0, 0), f.DropCache(0, 0)))
		}, "<nil>"},
		{"hints leave the size", func(b *bench) string { return b.size(0) }, "4 <nil>"},
		{"append", func(b *bench) string { return b.open("a", writeOnly|os.O_APPEND) }, "<nil>"},
		{"append to the end", func(b *bench) string { b.seek(0, 0, io.SeekStart); return b.write(0, "xy") }, "2 <nil>"},
		{"the position is the end", func(b *bench) string { return b.seek(0, 0, io.SeekCurrent) }, "6 <nil>"},
		{"read what is open for writing", func(b *bench) string { return b.read(0, 1) }, `"" path error read a: bad file descriptor`},
		{"read at what is open for writing", func(b *bench) string { return b.readAt(0, 1, 0) }, `"" path error read a: bad file descriptor`},
		{"the other opening sees it", func(b *bench) string { return b.readAt(1, 9, 0) }, `"he\x00\x00xy" EOF`},
		{"open for reading", func(b *bench) string { return b.open("a", readOnly) }, "<nil>"},
		{"write to what is open for reading", func(b *bench) string { return b.write(0, "z") }, "0 path error write a: bad file descriptor"},
		{"truncate what is open for reading", func(b *bench) string { return b.outcome(b.file(0).Truncate(0)) }, "path error truncate a: invalid argument"},
		{"sync what is open for reading", func(b *bench) string { return b.outcome(b.file(0).Sync()) }, "<nil>"},
		{"close", func(b *bench) string { return b.outcome(b.file(0).Close()) }, "<nil>"},
		{"close again", func(b *bench) string { return b.outcome(b.file(0).Close()) }, "path error close a: closed"},
		{"read what is closed", func(b *bench) string { return b.read(0, 1) }, `"" path error read a: closed`},
		{"size of what is closed", func(b *bench) string { return b.size(0) }, "0 path error stat a: closed"},
		{"sync what is closed", func(b *bench) string { return b.outcome(b.file(0).Sync()) }, "path error sync a: closed"},
		{"sync data of what is closed", func(b *bench) string { return b.outcome(b.file(0).SyncData()) }, "path error sync a: closed"},
		{"hints for what is closed", func(b *bench) string {
			f := b.file(0)
			return b.outcome(f.SyncRange(0, 0)) + ", " + b.outcome(f.Preallocate(0, 1)) + ", " + b.outcome(f.DropCache(0, 0))
		}, "path error sync a: closed, path error preallocate a: closed, path error fadvise a: closed"},
		{"stat", func(b *bench) string { return b.stat("a") }, "a 6 regular true"},
		{"stat of what is not there", func(b *bench) string { return b.stat("b") }, "path error stat b: no such file or directory"},
		{"make directories", func(b *bench) string { return b.outcome(b.fs.MkdirAll(b.path("d/e/f"), 0o755)) }, "<nil>"},
		{"make them again", func(b *bench) string { return b.outcome(b.fs.MkdirAll(b.path("d/e"), 0o755)) }, "<nil>"},
		{"make a directory below a file", func(b *bench) string { return b.outcome(b.fs.MkdirAll(b.path("a"), 0o755)) }, "path error mkdir a: not a directory"},
		{"stat of a directory", func(b *bench) string { return b.stat("d/e") }, "directory true"},
		{"list", func(b *bench) string { return b.list(".") }, "<nil> a false d true"},
		{"list what is empty", func(b *bench) string { return b.list("d/e/f") }, "<nil>"},
		{"list what is not there", func(b *bench) string { return b.list("x") }, "path error open x: no such file or directory"},
		{"sync a directory", func(b *bench) string { return b.outcome(b.fs.SyncDir(b.path("d"))) }, "<nil>"},
		{"sync a directory that is not there", func(b *bench) string { return b.outcome(b.fs.SyncDir(b.path("x"))) }, "path error open x: no such file or directory"},
		{"sync a file as a directory", func(b *bench) string { return b.outcome(b.fs.SyncDir(b.path("a"))) }, "path error open a: not a directory"},
		{"rename", func(b *bench) string { return b.outcome(b.fs.Rename(b.path("a"), b.path("d/b"))) }, "<nil>"},
		{"rename to itself", func(b *bench) string { return b.outcome(b.fs.Rename(b.path("d/b"), b.path("d/b"))) }, "<nil>"},
		{"rename what is not there", func(b *bench) string { return b.outcome(b.fs.Rename(b.path("a"), b.path("c"))) }, "link error rename a c: no such file or directory"},
		{"rename to where nothing can be", func(b *bench) string { return b.outcome(b.fs.Rename(b.path("d/b"), b.path("x/c"))) }, "link error rename d/b x/c: no such file or directory"},
		{"rename a file to a directory", func(b *bench) string { return b.outcome(b.fs.Rename(b.path("d/b"), b.path("d/e"))) }, "link error rename d/b d/e: file exists"},
		{"rename a directory to a file", func(b *bench) string { return b.outcome(b.fs.Rename(b.path("d/e"), b.path("d/b"))) }, "link error rename d/e d/b: not a directory"},
		{"rename a directory into itself", func(b *bench) string { return b.outcome(b.fs.Rename(b.path("d"), b.path("d/e/g"))) }, "link error rename d d/e/g: invalid argument"},
		{"the open file goes on", func(b *bench) string { b.seek(2, 0, io.SeekStart); return b.write(2, "HE") }, "2 <nil>"},
		{"and is the renamed one", func(b *bench) string { b.open("d/b", readOnly); return b.read(0, 9) }, `"HE\x00\x00xy" <nil>`},
		{"create another", func(b *bench) string { b.open("c", readWrite|create); return b.write(0, "new") }, "3 <nil>"},
		{"rename onto a file", func(b *bench) string { return b.outcome(b.fs.Rename(b.path("c"), b.path("d/b"))) }, "<nil>"},
		{"the replaced one is still open", func(b *bench) string { return b.readAt(1, 9, 0) }, `"HE\x00\x00xy" EOF`},
		{"rename a directory", func(b *bench) string { return b.outcome(b.fs.Rename(b.path("d"), b.path("g"))) }, "<nil>"},
		{"what was in it is there", func(b *bench) string { return b.stat("g/b") }, "b 3 regular true"},
		{"remove a directory that is not empty", func(b *bench) string { return b.outcome(b.fs.Remove(b.path("g"))) }, "path error remove g: directory not empty"},
		{"remove an empty one", func(b *bench) string { return b.outcome(b.fs.Remove(b.path("g/e/f"))) }, "<nil>"},
		{"remove what is not there", func(b *bench) string { return b.outcome(b.fs.Remove(b.path("x"))) }, "path error remove x: no such file or directory"},
		{"remove", func(b *bench) string { return b.outcome(b.fs.Remove(b.path("g/b"))) }, "<nil>"},
		{"what is removed is still open", func(b *bench) string { return b.readAt(0, 9, 0) }, `"new" EOF`},
		{"open and empty", func(b *bench) string {
			b.open("h", writeOnly|create)
			b.write(0, "old")
			b.open("h", readWrite|os.O_TRUNC)
			return b.size(1)
		}, "0 <nil>"},
		{"room", func(b *bench) string {
			n, err := b.fs.Free(b.dir)
			return fmt.Sprintf("%v %v", n > 0, err)
		}, "true <nil>"},
		{"room where nothing is", func(b *bench) string {
			_, err := b.fs.Free(b.path("x"))
			return b.outcome(err)
		}, "path error statfs x: no such file or directory"},
		{"what is left", func(b *bench) string { return b.list(".") + b.list("g") + b.list("g/e") }, "<nil> g true h false<nil> e true<nil>"},
	}
	for name, b := range benches(t) {
		t.Run(name, func(t *testing.T) {
			defer b.close()
			for _, s := range steps {
				if got := s.do(b); got != s.want && runtime.GOOS == "linux" {
					t.Errorf("%s: %s, want %s", s.name, got, s.want)
				}
			}
		})
	}
}

// TestSameAsOS does random operations on the real file system and on Mem and compares every outcome.
func TestSameAsOS(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Mem has the errors of Linux")
	}
	for seed := range uint64(10) {
		real := &bench{fs: OS, dir: t.TempDir()}
		mem := &bench{fs: NewMem(), dir: "/"}
		rng := rand.New(rand.NewPCG(seed, 0))
		for i := range 400 {
			what, do := anOperation(rng, len(real.files))
			want, got := do(real), do(mem)
			if got != want {
				t.Fatalf("seed %d, operation %d, %s: %s in memory, %s on the disk", seed, i, what, got, want)
			}
		}
		if want, got := real.tree(t, "."), mem.tree(t, "."); got != want {
			t.Fatalf("seed %d: in memory\n%son the disk\n%s", seed, got, want)
		}
		real.close()
		mem.close()
	}
}

// anOperation draws one that can be done with so many files open.
func anOperation(rng *rand.Rand, files int) (string, func(*bench) string) {
	name := func() string {
		parts := []string{"a", "b", "d", "e"}
		name := parts[rng.IntN(len(parts))]
		for rng.IntN(3) == 0 {
			name += "/" + parts[rng.IntN(len(parts))]
		}
		return name
	}
	a, c := name(), name()
	n, off := rng.IntN(6000), rng.Int64N(9000)
	file := rng.IntN(5)
	kind := rng.IntN(14)
	if kind >= 7 && files == 0 {
		kind -= 7
	}
	switch kind {
	case 0:
		return "make " + a, func(b *bench) string { return b.outcome(b.fs.MkdirAll(b.path(a), 0o755)) }
	case 1:
		return "rename " + a + " " + c, func(b *bench) string { return b.outcome(b.fs.Rename(b.path(a), b.path(c))) }
	case 2:
		return "remove " + a, func(b *bench) string { return b.outcome(b.fs.Remove(b.path(a))) }
	case 3:
		return "list " + a, func(b *bench) string { return b.list(a) }
	case 4:
		return "stat " + a, func(b *bench) string { return b.stat(a) }
	case 5, 6:
		flags := []int{readOnly, writeOnly, readWrite, readWrite | create, writeOnly | create | os.O_APPEND,
			readWrite | create | os.O_TRUNC, readWrite | create | os.O_EXCL, readOnly | create}
		flag := flags[rng.IntN(len(flags))]
		return fmt.Sprintf("open %s %x", a, flag), func(b *bench) string { return b.open(a, flag) }
	case 7, 8:
		data := strings.Repeat(string(rune('a'+rng.IntN(26))), n)
		return fmt.Sprint("write ", n), func(b *bench) string { return b.write(file, data) }
	case 9:
		return "seek", func(b *bench) string { return b.seek(file, off-3000, int(off%3)) }
	case 10:
		return "read", func(b *bench) string { return b.read(file, n) }
	case 11:
		return "read at", func(b *bench) string { return b.readAt(file, n, off) }
	case 12:
		return "truncate", func(b *bench) string { return b.outcome(b.file(file).Truncate(off - 100)) }
	}
	if rng.IntN(4) == 0 {
		return "close", func(b *bench) string { return b.outcome(b.file(file).Close()) }
	}
	return "size", func(b *bench) string { return b.size(file) }
}
