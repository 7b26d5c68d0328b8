package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// put makes a file with content, in one write and with as many syncs as asked for: "", "s" of the file, "sd" of both.
func put(t testing.TB, m FS, name, data, syncs string) {
	t.Helper()
	f, err := m.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	must(t, err)
	_, err = f.Write([]byte(data))
	must(t, err)
	if strings.Contains(syncs, "s") {
		must(t, f.Sync())
	}
	must(t, f.Close())
	if strings.Contains(syncs, "d") {
		must(t, m.SyncDir("."))
	}
}

func appendTo(t testing.TB, m FS, name, data string) {
	t.Helper()
	f, err := m.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = f.Write([]byte(data))
	must(t, err)
	must(t, f.Close())
}

func syncFile(t testing.TB, m FS, name string) {
	t.Helper()
	f, err := m.Open(name)
	must(t, err)
	must(t, f.SyncData())
	must(t, f.Close())
}

// state is all there is in a line: names and contents; runs of a byte are one byte and their length.
func state(t testing.TB, m *Mem) string {
	t.Helper()
	var b strings.Builder
	var walk func(dir string)
	walk = func(dir string) {
		entries, err := m.ReadDir(dir)
		must(t, err)
		for _, e := range entries {
			name := path.Join(dir, e.Name())[1:]
			if e.IsDir() {
				fmt.Fprintf(&b, "%s/ ", name)
				walk("/" + name)
				continue
			}
			data, err := ReadFile(m, name, 1<<30)
			must(t, err)
			fmt.Fprintf(&b, "%s=%s ", name, short(data))
		}
	}
	walk("/")
	return strings.TrimSpace(b.String())
}

func short(data []byte) string {
	var b strings.Builder
	for len(data) > 0 {
		c := data[0]
		rest := bytes.TrimLeft(data, string([]byte{c}))
		if c == 0 {
			c = '0'
		}
		b.WriteByte(c)
		if n := len(data) - len(rest); n > 1 {
			fmt.Fprintf(&b, "{%d}", n)
		}
		data = rest
	}
	return b.String()
}

// outcomes are the states after power cuts behind the last operation.
func outcomes(t testing.TB, m *Mem, n int) map[string]int {
	states := map[string]int{}
	for kind := CutLost; kind < CutRandom; kind++ {
		states[state(t, m.CrashAt(Cut{Op: m.Count(), Kind: kind}))]++
	}
	for seed := range uint64(n) {
		states[state(t, m.CrashAt(Cut{Op: m.Count(), Kind: CutRandom, Seed: seed}))]++
	}
	return states
}

// TestPowerCut holds what POSIX promises against what the model leaves: each state must be allowed, and those that
// programs have been seen to stumble over must come up.
func TestPowerCut(t *testing.T) {
	old, fresh := strings.Repeat("o", 1536), strings.Repeat("n", 1536)
	tests := []struct {
		name    string
		do      func(t *testing.T, m *Mem)
		allowed string   // a regular expression for the whole state
		seen    []string // states that must occur
	}{
		{"synced, then appended",
			func(t *testing.T, m *Mem) { put(t, m, "f", "aaaa", "sd"); appendTo(t, m, "f", "bbbb") },
			`f=a\{4\}(b(\{\d\})?)?(0(\{\d\})?)?`,
			[]string{"f=a{4}", "f=a{4}b{4}", "f=a{4}b{2}", "f=a{4}0{4}", "f=a{4}0{2}"}},
		{"two appended, the first synced",
			func(t *testing.T, m *Mem) {
				put(t, m, "f", "a", "sd")
				appendTo(t, m, "f", "b")
				syncFile(t, m, "f")
				appendTo(t, m, "f", "c")
			},
			`f=ab[c0]?`, []string{"f=ab", "f=abc", "f=ab0"}},
		{"two appended, none synced",
			func(t *testing.T, m *Mem) {
				put(t, m, "f", "a", "sd")
				appendTo(t, m, "f", "bb")
				appendTo(t, m, "f", "cc")
			},
			`f=a((b|b\{2\}|b\{2\}c|b\{2\}c\{2\}|)(0(\{\d\})?)?)`,
			[]string{"f=a", "f=ab{2}", "f=ab{2}c{2}", "f=ab{2}c", "f=ab{2}0{2}", "f=a0{4}"}},
		{"sectors in the middle are missing",
			func(t *testing.T, m *Mem) { put(t, m, "f", "", "sd"); appendTo(t, m, "f", fresh) },
			`f=([n0]\{\d+\}|[n0])*`, []string{"f=0{512}n{1024}", "f=n{512}0{512}n{512}", "f=n{1024}0{512}", "f=n{1536}", "f="}},
		{"overwritten in place",
			func(t *testing.T, m *Mem) {
				put(t, m, "f", old, "sd")
				f, err := m.OpenFile("f", os.O_RDWR, 0)
				must(t, err)
				_, err = f.Write([]byte(fresh[:1024]))
				must(t, err)
			},
			`f=(n\{\d+\})?(o\{\d+\})?(n\{512\})?o\{(512|1024)\}|f=o\{1536\}`,
			[]string{"f=o{1536}", "f=n{512}o{1024}", "f=n{1024}o{512}", "f=o{512}n{512}o{512}"}},
		{"emptied and rewritten: the old does not come back between the new",
			func(t *testing.T, m *Mem) { put(t, m, "f", old, "sd"); put(t, m, "f", fresh[:1024], "") },
			`f=o\{1536\}|f=([n0]\{\d+\}|[n0])*`, []string{"f=o{1536}", "f=", "f=n{1024}", "f=0{1024}"}},
		{"cut in the middle of a sector, then appended",
			func(t *testing.T, m *Mem) {
				put(t, m, "f", "aaaabbbb", "sd")
				f, err := m.OpenFile("f", os.O_WRONLY|os.O_APPEND, 0)
				must(t, err)
				must(t, f.Truncate(4))
				_, err = f.Write([]byte("cc"))
				must(t, err)
			},
			`f=a\{4\}(b\{4\}|c\{2\}0\{2\}|0\{4\}|0\{2\}|c0|c|c\{2\}|0|)`, []string{"f=a{4}b{4}", "f=a{4}", "f=a{4}c{2}"}},
		{"made, and its directory not synced",
			func(t *testing.T, m *Mem) { put(t, m, "f", "a", "s") },
			`|f=a`, []string{"", "f=a"}},
		{"made, and only its directory synced",
			func(t *testing.T, m *Mem) { put(t, m, "f", "a", "d") },
			`f=[0a]?`, []string{"f=", "f=0", "f=a"}},
		{"names come in order",
			func(t *testing.T, m *Mem) {
				for _, name := range []string{"1", "2", "3"} {
					put(t, m, name, "", "")
				}
			},
			`|1=|1= 2=|1= 2= 3=`, []string{"", "1=", "1= 2=", "1= 2= 3="}},
		{"renamed after a sync: old or new",
			func(t *testing.T, m *Mem) {
				put(t, m, "f", "o", "sd")
				put(t, m, "temp", "n", "s")
				must(t, m.Rename("temp", "f"))
			},
			`f=o|f=o temp=n|f=n`, []string{"f=o", "f=o temp=n", "f=n"}},
		{"renamed without a sync: perhaps empty",
			func(t *testing.T, m *Mem) {
				put(t, m, "f", "o", "sd")
				put(t, m, "temp", "n", "")
				must(t, m.Rename("temp", "f"))
				must(t, m.SyncDir("."))
			},
			`f=[0n]?`, []string{"f=", "f=0", "f=n"}},
		{"replaced", func(t *testing.T, m *Mem) {
			put(t, m, "f", "o", "sd")
			must(t, Replace(m, "f", "temp", 0o600, func(f File) error { _, err := f.Write([]byte("new")); return err }))
		}, `f=new`, nil},
		{"removed", func(t *testing.T, m *Mem) { put(t, m, "f", "o", "sd"); must(t, m.Remove("f")) },
			`f=o|`, []string{"f=o", ""}},
		{"removed for good", func(t *testing.T, m *Mem) { put(t, m, "f", "o", "sd"); must(t, m.Remove("f")); must(t, m.SyncDir(".")) },
			``, nil},
		{"in a directory whose name is not durable",
			func(t *testing.T, m *Mem) {
				must(t, m.MkdirAll("d", 0o755))
				put(t, m, "d/f", "a", "s")
				must(t, m.SyncDir("d"))
			},
			`|d/ d/f=a`, []string{"", "d/ d/f=a"}},
		{"from one directory to another: in one of them",
			func(t *testing.T, m *Mem) {
				must(t, m.MkdirAll("d", 0o755))
				put(t, m, "f", "a", "sd")
				must(t, m.Rename("f", "d/f"))
				put(t, m, "g", "", "")
			},
			`d/ (f=a|d/f=a|d/f=a g=)`, []string{"d/ f=a", "d/ d/f=a", "d/ d/f=a g="}},
		{"from one directory to another, that one synced",
			func(t *testing.T, m *Mem) {
				must(t, m.MkdirAll("d", 0o755))
				put(t, m, "f", "a", "sd")
				put(t, m, "g", "", "")
				must(t, m.Rename("f", "d/f"))
				must(t, m.SyncDir("d"))
			},
			`d/ d/f=a g=`, nil},
		{"a sync that failed, and one that did not",
			func(t *testing.T, m *Mem) {
				put(t, m, "f", "a", "sd")
				appendTo(t, m, "f", "b")
				faulty := NewFault(m)
				rule := faulty.Add(Rule{Ops: OpAnySync, Err: syscall.EIO})
				f, err := faulty.Open("f")
				must(t, err)
				if err := f.Sync(); !errors.Is(err, syscall.EIO) {
					t.Fatal(err)
				}
				rule.Heal()
				appendTo(t, m, "f", "c")
				must(t, f.Sync())
				if got := state(t, m); got != "f=abc" {
					t.Fatalf("programs see %s", got)
				}
			},
			`f=a0c`, nil},
		{"a sync that failed, and one that had nothing more to do",
			func(t *testing.T, m *Mem) {
				put(t, m, "f", "a", "sd")
				appendTo(t, m, "f", "b")
				faulty := NewFault(m)
				faulty.Add(Rule{Ops: OpAnySync, Times: 1, Err: syscall.EIO})
				f, err := faulty.Open("f")
				must(t, err)
				if err := f.Sync(); !errors.Is(err, syscall.EIO) {
					t.Fatal(err)
				}
				must(t, f.Sync())
			},
			`f=a0`, nil},
		{"cut and extended, and synced",
			func(t *testing.T, m *Mem) {
				put(t, m, "f", "aaaa", "sd")
				f, err := m.OpenFile("f", os.O_RDWR, 0)
				must(t, err)
				must(t, f.Truncate(1))
				must(t, f.Truncate(2))
				must(t, f.Sync())
			},
			`f=a0`, nil},
		{"cut twice and rewritten between: only the first rest or none",
			func(t *testing.T, m *Mem) {
				put(t, m, "f", old, "sd")
				put(t, m, "f", fresh[:1024], "")
				put(t, m, "f", strings.Repeat("x", 512), "")
			},
			`f=o\{1536\}|f=([n0]\{\d+\}|[n0])*|f=([x0]\{\d+\}|[x0])*`, []string{"f=o{1536}", "f=", "f=n{1024}", "f=x{512}"}},
		{"a sync that failed, and no other",
			func(t *testing.T, m *Mem) {
				put(t, m, "f", "a", "sd")
				faulty := NewFault(m)
				faulty.Add(Rule{Ops: OpAnySync, Err: syscall.EIO})
				appendTo(t, m, "f", "b")
				f, err := faulty.Open("f")
				must(t, err)
				if err := f.SyncData(); !errors.Is(err, syscall.EIO) {
					t.Fatal(err)
				}
			},
			`f=a[b0]?`, []string{"f=a", "f=ab", "f=a0"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := NewMem()
			test.do(t, m)
			allowed := regexp.MustCompile("^(" + test.allowed + ")$")
			states := outcomes(t, m, 400)
			for s := range states {
				if !allowed.MatchString(s) {
					t.Errorf("%q can be left", s)
				}
			}
			for _, s := range test.seen {
				if states[s] == 0 {
					t.Errorf("%q is never left; what is: %q", s, slices.Sorted(maps.Keys(states)))
				}
			}
			if kept := m.CrashAt(Cut{Op: m.Count()}); state(t, kept) != state(t, m) {
				t.Errorf("a killed process leaves %q of %q", state(t, kept), state(t, m))
			}
		})
	}
}

// TestReplace looks behind every operation of Replace: the old file or the new one, and the new one once it is done.
func TestReplace(t *testing.T) {
	m := NewMem()
	put(t, m, "f", "old", "sd")
	begun := m.Count()
	must(t, Replace(m, "f", "temp", 0o600, func(f File) error {
		for range 3 {
			if _, err := f.Write([]byte("new")); err != nil {
				return err
			}
		}
		return nil
	}))
	ended, seen := m.Count(), map[string]int{}
	put(t, m, "g", "x", "")
	for c, left := range m.Crashes(1, 30) {
		if c.Op < begun {
			continue
		}
		data, err := ReadFile(left, "f", 100)
		must(t, err)
		if s := string(data); s != "newnewnew" && (s != "old" || c.Op >= ended) {
			t.Errorf("%v: %q", c, s)
		}
		seen[string(data)]++
	}
	if len(seen) != 2 {
		t.Errorf("only %v seen", seen)
	}

	put(t, m, "f", "old", "sd")
	reason := errors.New("no more")
	if err := Replace(m, "f", "temp", 0o600, func(f File) error { f.Write([]byte("ne")); return reason }); err != reason {
		t.Errorf("error %v, want %v", err, reason)
	}
	for _, op := range []OpKind{OpCreate, OpWrite, OpSync, OpClose, OpRename} {
		faulty := NewFault(m)
		faulty.Add(Rule{Ops: op, Err: syscall.EIO})
		err := Replace(faulty, "f", "temp", 0o600, func(f File) error { _, err := f.Write([]byte("ne")); return err })
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("%v fails: error %v", op, err)
		}
	}
	if got := state(t, m); got != "f=old g=x" {
		t.Errorf("failed replacements left %s", got)
	}
}

// TestKill looks at writes that a kill has stopped: they end at a page border, and everything before them is there.
func TestKill(t *testing.T) {
	m := NewMem()
	put(t, m, "f", strings.Repeat("a", 1000), "")
	appendTo(t, m, "f", strings.Repeat("b", 3*page))
	sizes := map[int]bool{}
	for seed := range uint64(50) {
		data, err := ReadFile(m.CrashAt(Cut{Op: m.Count() - 1, Kind: CutKillTorn, Seed: seed}), "f", 1<<20)
		must(t, err)
		sizes[len(data)] = true
		if short(data) != fmt.Sprintf("a{1000}b{%d}", len(data)-1000) {
			t.Errorf("left: %s", short(data))
		}
	}
	if got := slices.Sorted(maps.Keys(sizes)); !slices.Equal(got, []int{page, 2 * page, 3 * page}) {
		t.Errorf("sizes left: %d", got)
	}
}

// TestLogs plays a server: it appends to logs, syncs them now and then, replaces a manifest, starts and removes logs. What
// was acknowledged behind a sync must be there after every crash behind it, and every byte is right or zero.
func TestLogs(t *testing.T) {
	for seed := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, 0))
		m := NewMem()
		type log struct {
			file  File
			data  []byte
			acked map[int]int // number of bytes by the number of the operation from which on they are there
			from  int         // when its name was durable
			until int         // when its removal began
		}
		logs := map[string]*log{}
		for i := range 120 {
			name := fmt.Sprint("log", i/20)
			l := logs[name]
			if l == nil {
				f, err := m.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
				must(t, err)
				must(t, m.SyncDir("/"))
				l = &log{file: f, acked: map[int]int{}, from: m.Count(), until: 1 << 30}
				logs[name] = l
				if gone := logs[fmt.Sprint("log", i/20-2)]; gone != nil {
					gone.until = m.Count() + 1
					must(t, m.Remove(gone.file.Name()))
				}
			}
			data := make([]byte, 1+rng.IntN(1500))
			for i := range data {
				data[i] = byte(1 + rng.IntN(255))
			}
			_, err := l.file.Write(data)
			must(t, err)
			l.data = append(l.data, data...)
			if rng.IntN(4) == 0 {
				must(t, l.file.SyncData())
				l.acked[m.Count()] = len(l.data)
			}
		}
		for c, left := range m.Crashes(seed, 4) {
			for name, l := range logs {
				data, err := ReadFile(left, name, 1<<20)
				if err != nil {
					if c.Op >= l.from && c.Op < l.until {
						t.Fatalf("%v: %v", c, err)
					}
					continue
				}
				acked := 0
				for op, n := range l.acked {
					if op <= c.Op {
						acked = max(acked, n)
					}
				}
				if len(data) < acked || !bytes.Equal(data[:acked], l.data[:acked]) {
					t.Fatalf("%v: %s has lost some of the %d bytes acknowledged", c, name, acked)
				}
				for i, b := range data[acked:] {
					if b != 0 && b != l.data[acked+i] {
						t.Fatalf("%v: %s has something else at %d", c, name, acked+i)
					}
				}
			}
		}
	}
}

// TestSameAgain finds the same states by CrashAt as by Crashes, and again after the first operations were forgotten.
func TestSameAgain(t *testing.T) {
	work := func(m *Mem, i int) {
		for _, dir := range []string{"d", "e"} {
			must(t, m.MkdirAll(dir, 0o755))
			put(t, m, dir+"/f", fmt.Sprint(i), "")
			must(t, m.Rename(dir+"/f", fmt.Sprint(dir, "/", i)))
		}
		name := fmt.Sprint("f", i%3)
		put(t, m, name, strings.Repeat(string(rune('a'+i)), 700*i), []string{"", "s", "d", "sd"}[i%4])
		if i%5 == 0 {
			must(t, m.Rename(name, "g"))
		}
	}
	m, forgetful := NewMem(), NewMem()
	for i := range 6 {
		work(m, i)
		work(forgetful, i)
	}
	forgetful.Forget()
	forgotten := m.Count()
	for i := range 6 {
		work(m, i)
		work(forgetful, i)
	}
	if m.Count() != forgetful.Count() || len(forgetful.Ops()) != m.Count()-forgotten || len(m.Ops()) != m.Count() {
		t.Fatalf("%d operations, %d and %d recorded", m.Count(), len(m.Ops()), len(forgetful.Ops()))
	}
	n := 0
	for c, left := range m.Crashes(7, 3) {
		if n++; n%3 != 0 {
			continue
		}
		want := state(t, left)
		if got := state(t, m.CrashAt(c)); got != want {
			t.Fatalf("%v: %s, and then %s", c, want, got)
		}
		if c.Op >= forgotten {
			if got := state(t, forgetful.CrashAt(c)); got != want {
				t.Fatalf("%v: %s, and behind a forgotten past %s", c, want, got)
			}
		}
	}
	if want := (m.Count() + 1) * 8; n != want {
		t.Errorf("%d crashes, want %d", n, want)
	}
}

// TestCrashAgain goes on with what a crash left, and crashes it: what it found is durable, the first Mem is not touched.
func TestCrashAgain(t *testing.T) {
	m := NewMem()
	put(t, m, "f", "a", "sd")
	appendTo(t, m, "f", "b")
	left := m.CrashAt(Cut{Op: m.Count(), Kind: CutKill})
	if left.Count() != 0 {
		t.Errorf("%d operations recorded after the crash", left.Count())
	}
	appendTo(t, left, "f", "c")
	put(t, left, "g", "x", "")
	for _, s := range []struct {
		kind CutKind
		want string
	}{{CutLost, "f=ab"}, {CutNames, "f=ab g="}, {CutContents, "f=abc"}, {CutKill, "f=abc g=x"}} {
		if got := state(t, left.CrashAt(Cut{Op: left.Count(), Kind: s.kind})); got != s.want {
			t.Errorf("%v: %s, want %s", s.kind, got, s.want)
		}
	}
	whole := left.CrashAt(Cut{Op: left.Count(), Kind: CutKill})
	for _, side := range []*Mem{left, whole} { // contents are shared until somebody writes
		f, err := side.OpenFile("f", os.O_RDWR, 0)
		must(t, err)
		_, err = f.Write([]byte("X"))
		must(t, err)
		must(t, f.Truncate(2))
		must(t, f.Truncate(3))
		must(t, f.Sync())
	}
	for what, s := range map[string]struct {
		m    *Mem
		want string
	}{"the first": {m, "f=ab"}, "what was left of it": {left, "f=Xb0 g=x"}, "what was left of that": {whole, "f=Xb0 g=x"}} {
		if got := state(t, s.m); got != s.want {
			t.Errorf("%s is %s, want %s", what, got, s.want)
		}
	}
	for want, side := range map[string]*Mem{"f=ab": left, "f=abc g=x": whole} {
		if got := state(t, side.CrashAt(Cut{Op: 0})); got != want {
			t.Errorf("at the beginning there was %s, want %s", got, want)
		}
	}
}

func TestCapacity(t *testing.T) {
	m := NewMem()
	m.SetCapacity(10)
	f, err := m.Create("f")
	must(t, err)
	if n, err := f.Write([]byte("0123456789ab")); n != 10 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%d bytes written, error %v", n, err)
	}
	if _, err := f.Seek(5, 0); err != nil {
		t.Error(err)
	}
	if n, err := f.Write([]byte("xxxxx")); n != 5 || err != nil {
		t.Errorf("overwriting: %d, %v", n, err)
	}
	for what, err := range map[string]error{"extending": f.Truncate(11), "preallocating": f.Preallocate(0, 11), "extending by far": f.Truncate(1 << 60)} {
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: %v", what, err)
		}
	}
	must(t, m.Remove("f"))
	if n, err := m.Free("."); n != 0 || err != nil {
		t.Errorf("%d free, %v, while the removed file is open", n, err)
	}
	must(t, f.Close())
	if n, err := m.Free("."); n != 10 || err != nil {
		t.Errorf("%d free, %v", n, err)
	}
}

func TestReadFile(t *testing.T) {
	m := NewMem()
	put(t, m, "f", "12345", "")
	if data, err := ReadFile(m, "f", 5); string(data) != "12345" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := ReadFile(m, "f", 4); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a byte too many: %v", err)
	}
}
