package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
)

// everything calls all there is once and returns the errors by kind of operation.
func everything(t *testing.T, m FS) map[OpKind][]error {
	t.Helper()
	errs := map[OpKind][]error{}
	did := func(op OpKind, err error) { errs[op] = append(errs[op], err) }
	did(OpMkdir, m.MkdirAll("d", 0o755))
	for _, name := range []string{"d/f", "d/g"} {
		f, err := m.Create(name)
		did(OpCreate, err)
		if err == nil {
			did(OpClose, f.Close())
		}
	}
	if _, err := m.Stat("d/f"); err != nil { // nothing can be made: the rest has nothing to work on
		did(OpStat, err)
	}
	_, err := m.ReadDir("d")
	did(OpReadDir, err)
	_, err = m.Free("d")
	did(OpFree, err)
	lock, err := m.Lock("d")
	did(OpLock, err)
	if err == nil {
		must(t, lock.Close())
	}
	if f, err := m.OpenFile("d/f", os.O_RDWR, 0); err != nil {
		did(OpOpen, err)
	} else {
		_, err = f.Write([]byte("hello"))
		did(OpWrite, err)
		_, err = f.Seek(0, 0)
		did(OpSeek, err)
		_, err = f.Read(make([]byte, 1))
		did(OpRead, err)
		_, err = f.ReadAt(make([]byte, 1), 0)
		did(OpRead, err)
		_, err = f.Size()
		did(OpStat, err)
		did(OpTruncate, f.Truncate(3))
		did(OpSync, f.Sync())
		did(OpSyncData, f.SyncData())
		did(OpSyncRange, f.SyncRange(0, 0))
		did(OpPreallocate, f.Preallocate(0, 1))
		did(OpDropCache, f.DropCache(0, 0))
		did(OpClose, f.Close())
	}
	did(OpRename, m.Rename("d/g", "d/h"))
	did(OpRemove, m.Remove("d/h"))
	did(OpSyncDir, m.SyncDir("d"))
	return errs
}

// TestEachOperationFails makes one kind of operation fail at a time and sees that kind, and nothing else, fail.
func TestEachOperationFails(t *testing.T) {
	for op := OpKind(1); op < opEnd; op <<= 1 {
		inner := NewMem()
		must(t, inner.MkdirAll("d", 0o755))
		for _, name := range []string{"d/f", "d/g", "d/h"} {
			f, err := inner.Create(name)
			must(t, err)
			_, err = f.Write([]byte("there"))
			must(t, err)
			must(t, f.Close())
		}
		faulty := NewFault(inner)
		rule := faulty.Add(Rule{Ops: op, Err: syscall.EIO})
		failed := 0
		for kind, errs := range everything(t, faulty) {
			for _, err := range errs {
				var pathError *fs.PathError
				var linkError *os.LinkError
				switch {
				case err == io.EOF && op&(OpWrite|OpSeek) != 0: // nothing was written, or the position is behind it
				case kind != op && err != nil:
					t.Errorf("%v is to fail, and %v says %v", op, kind, err)
				case kind != op:
				case !errors.Is(err, syscall.EIO):
					t.Errorf("%v: %v", op, err)
				case !errors.As(err, &pathError) && !errors.As(err, &linkError):
					t.Errorf("%v: a %T", op, err)
				default:
					failed++
				}
			}
		}
		if failed == 0 || failed != rule.Hits() {
			t.Errorf("%v has failed %d times, %d counted", op, failed, rule.Hits())
		}
		if len(inner.mu.open) > 0 {
			t.Errorf("%v has failed, and files are open still", op)
		}
		faulty.Heal()
		for kind, errs := range everything(t, faulty) {
			if err := errors.Join(errs...); err != nil {
				t.Errorf("healed, and %v says %v", kind, err)
			}
		}
	}
}

func TestRules(t *testing.T) {
	eio := syscall.EIO
	tests := []struct {
		name string
		rule Rule
		want string // of writes to d/a, d/b, d/a, d/b, ...: x where one failed
	}{
		{"all", Rule{Err: eio}, "xxxxxx"},
		{"another operation", Rule{Ops: OpRead | OpSync, Err: eio}, "......"},
		{"a kind among others", Rule{Ops: OpRead | OpWrite, Err: eio}, "xxxxxx"},
		{"a file", Rule{Path: "a", Err: eio}, "x.x.x."},
		{"a file by its whole name", Rule{Path: "d/b", Err: eio}, ".x.x.x"},
		{"a pattern", Rule{Path: "d/[a-z]", Err: eio}, "xxxxxx"},
		{"another file", Rule{Path: "e/*", Err: eio}, "......"},
		{"later", Rule{Skip: 4, Err: eio}, "....xx"},
		{"the third", Rule{Skip: 2, Times: 1, Err: eio}, "..x..."},
		{"the second of a file", Rule{Path: "a", Skip: 1, Times: 1, Err: eio}, "..x..."},
		{"twice", Rule{Times: 2, Err: eio}, "xx...."},
		{"no error", Rule{}, "......"},
	}
	for _, test := range tests {
		inner := NewMem()
		must(t, inner.MkdirAll("d", 0o755))
		faulty := NewFault(inner)
		files := make([]File, 2)
		for i, name := range []string{"d/a", "d/b"} {
			var err error
			files[i], err = faulty.Create(name)
			must(t, err)
		}
		in := faulty.Add(test.rule)
		got := ""
		for i := range 6 {
			if _, err := files[i%2].Write([]byte("w")); err == nil {
				got += "."
			} else {
				got += "x"
			}
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
		in.Heal()
		if _, err := files[0].Write([]byte("w")); err != nil {
			t.Errorf("%s: healed, and %v", test.name, err)
		}
	}
}

func TestRenameHasTwoNames(t *testing.T) {
	m := NewMem()
	put(t, m, "a", "", "")
	faulty := NewFault(m)
	for _, pattern := range []string{"a", "b"} {
		in := faulty.Add(Rule{Ops: OpRename, Path: pattern, Err: syscall.EACCES})
		if err := faulty.Rename("a", "b"); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("pattern %s: %v", pattern, err)
		}
		in.Heal()
	}
	must(t, faulty.Rename("a", "b"))
}

func TestWrongPattern(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a rule that can match nothing was taken")
		}
	}()
	NewFault(NewMem()).Add(Rule{Path: "["})
}

func TestShortWrite(t *testing.T) {
	for _, test := range []struct{ short, size, want int }{{0, 5, 0}, {2, 5, 2}, {5, 5, 4}, {9, 5, 4}, {3, 0, 0}, {3, 1, 0}} {
		for name, inner := range map[string]FS{"mem": NewMem(), "os": OS} {
			faulty := NewFault(inner)
			faulty.Add(Rule{Ops: OpWrite, Skip: 1, Times: 1, Err: syscall.ENOSPC, Short: test.short})
			file := "f"
			if name == "os" {
				file = t.TempDir() + "/f"
			}
			f, err := faulty.Create(file)
			must(t, err)
			_, err = f.Write([]byte("first"))
			must(t, err)
			n, err := f.Write(make([]byte, test.size))
			if n != test.want || !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("%s: %+v: %d bytes, %v", name, test, n, err)
			}
			if size, _ := f.Size(); size != int64(5+test.want) {
				t.Errorf("%s: %+v: %d bytes in the file", name, test, size)
			}
			must(t, f.Close())
		}
	}
}

// TestHeldSync writes while a sync is held: what came meanwhile is not durable by it, and the writer does not wait.
func TestHeldSync(t *testing.T) {
	for _, failure := range []error{nil, syscall.EIO} {
		m := NewMem()
		put(t, m, "f", "", "sd")
		faulty := NewFault(m)
		begun, goOn := make(chan struct{}), make(chan struct{})
		faulty.Add(Rule{Ops: OpSyncData, Times: 1, Err: failure, Before: func(op OpKind, name string) {
			if op != OpSyncData || name != "f" {
				t.Errorf("called before %v of %s", op, name)
			}
			close(begun)
			<-goOn
		}})
		f, err := faulty.OpenFile("f", os.O_WRONLY, 0)
		must(t, err)
		_, err = f.Write([]byte("a"))
		must(t, err)
		done := make(chan error)
		go func() { done <- f.SyncData() }()
		<-begun
		_, err = f.Write([]byte("b"))
		must(t, err)
		close(goOn)
		if err := <-done; !errors.Is(err, failure) {
			t.Errorf("error %v, want %v", err, failure)
		}
		want := []string{"f=", "f=a"}[btoi(failure == nil)]
		if got := state(t, m.CrashAt(Cut{Op: m.Count(), Kind: CutLost})); got != want {
			t.Errorf("behind a sync that ended with %v: %s, want %s", failure, got, want)
		}
		must(t, f.SyncData())
		want = []string{"f=0b", "f=ab"}[btoi(failure == nil)]
		if got := state(t, m.CrashAt(Cut{Op: m.Count(), Kind: CutLost})); got != want {
			t.Errorf("behind the next sync: %s, want %s", got, want)
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestTogether uses one file system from many sides at once; the race detector and the counts say whether that works.
func TestTogether(t *testing.T) {
	m := NewMem()
	faulty := NewFault(m)
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 0))
			name := fmt.Sprint("f", i)
			f, err := faulty.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
			if err != nil {
				t.Error(err)
				return
			}
			for range 100 {
				n, err := f.Write([]byte("record"))
				switch {
				case err == nil:
				case errors.Is(err, syscall.ENOSPC):
					size, _ := f.Size()
					if err := f.Truncate(size - int64(n)); err != nil {
						t.Error(err)
					}
				default:
					t.Error(err)
				}
				if rng.IntN(5) == 0 {
					if err := f.Sync(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	writers.Go(func() {
		for range 30 {
			in := faulty.Add(Rule{Ops: OpWrite, Path: "f[12]", Times: 2, Err: syscall.ENOSPC, Short: 3})
			if _, err := faulty.ReadDir("/"); err != nil {
				t.Error(err)
			}
			m.CrashAt(Cut{Op: m.Count(), Kind: CutRandom})
			in.Heal()
		}
	})
	writers.Wait()
	failed := 0
	for i := range 4 {
		data, err := ReadFile(m, fmt.Sprint("f", i), 1<<20)
		must(t, err)
		if len(data)%6 != 0 {
			t.Errorf("half a record is left in file %d", i)
		}
		failed += 100 - len(data)/6
	}
	if failed > 60 {
		t.Errorf("%d writes failed, 60 were to", failed)
	}
	ops := m.Ops()
	if writes := len(slices.DeleteFunc(ops, func(o Op) bool { return o.Kind != OpWrite })); writes != 400 {
		t.Errorf("%d writes recorded, want 400", writes)
	}
}
