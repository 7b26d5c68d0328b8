package aof

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/internal/vfs"
	"github.com/streampulse/pulse/store"
)

var cuts = flag.Int("aof.cuts", 1, "random power cuts behind each operation; with 8 and more, behind each operation of the starts that follow, too")

// diary is a log over a file system that can crash, with what was appended and what was promised when. Unit i is one to
// three commands "SET i.j padding"; a base file holds the number of units before it.
type diary struct {
	t        testing.TB
	mem      *vfs.Mem
	fs       vfs.FS // mem, or what stands before it
	o        Options
	log      *Log
	n        int // units that were appended
	promised []promise
	cut      *Cut
}

// promise says that so many units are there after every crash of a kind from an operation on.
type promise struct {
	op, n int
	kill  bool // after a kill only
}

func newDiary(t testing.TB, fsys vfs.FS, mem *vfs.Mem, p Policy) *diary {
	return &diary{t: t, mem: mem, fs: fsys, o: Options{FS: fsys, Dir: "data/aofs", Name: "log", Clock: clock.Real, Policy: p, Truncate: true}}
}

// unitCommands are those of unit i.
func unitCommands(i int) (out []string) {
	for j := range i%3 + 1 {
		pad := 1 + i*37%90
		if i%7 == 5 {
			pad = 3000 + i*137%4000 // across sectors and pages
		}
		out = append(out, fmt.Sprintf("SET %d.%d %s", i, j, strings.Repeat(strconv.Itoa(i%10), pad)))
	}
	return out
}

func (d *diary) open() error {
	got, cut := &story{}, (*Cut)(nil)
	l, rep, err := Open(d.o, got.loader())
	if err != nil {
		return err
	}
	if rep.Cut != nil {
		cut = rep.Cut
	}
	n, err := got.units()
	if err != nil {
		l.Close()
		return err
	}
	d.log, d.n, d.cut = l, n, cut
	return nil
}

// story is what is replayed.
type story struct {
	base     int
	commands []string
	max      int // commands that are kept, 0 for all
}

func (s *story) loader() Loader {
	return Loader{
		Base: func(r io.Reader, _ int64) (int64, error) {
			b, err := io.ReadAll(r)
			if err != nil {
				return 0, err
			}
			line, _, ok := bytes.Cut(b, []byte("\n"))
			if !ok {
				return 0, fmt.Errorf("a base of %d bytes without an end", len(b))
			}
			s.base, err = strconv.Atoi(strings.TrimPrefix(string(line), magic))
			return int64(len(line) + 1), err
		},
		Command: func(args [][]byte) error {
			if !strings.EqualFold(string(args[0]), "select") {
				s.commands = append(s.commands, string(bytes.Join(args, []byte(" "))))
			}
			return nil
		},
	}
}

// units returns how many units, from the first one on, were replayed, or an error if it is not that.
func (s *story) units() (int, error) {
	n, rest := s.base, s.commands
	for ; len(rest) > 0; n++ {
		for _, want := range unitCommands(n) {
			if len(rest) == 0 {
				return n, fmt.Errorf("unit %d is not whole", n)
			}
			if rest[0] != want {
				return n, fmt.Errorf("where unit %d should be there is %.80q", n, rest[0])
			}
			rest = rest[1:]
		}
	}
	return n, nil
}

// unit appends the next unit, and flushes unless the disk is to get it later.
func (d *diary) unit(flush bool) {
	var u store.Unit
	for j, c := range unitCommands(d.n) {
		var args [][]byte
		for _, w := range strings.Fields(c) {
			args = append(args, []byte(w))
		}
		u.Bytes = d.log.EncodeCommand(u.Bytes, args)
		u.Steps = append(u.Steps, store.Step{DB: (d.n + j) % 2, End: len(u.Bytes)})
	}
	d.n++
	d.log.Append(&u)
	if !flush {
		return
	}
	d.log.Flush()
	if d.log.Holds() {
		for pos, start := d.log.Position(), time.Now(); d.log.Synced() < pos; time.Sleep(50 * time.Microsecond) {
			if time.Since(start) > 10*time.Second {
				d.t.Fatalf("unit %d is not synced: %v", d.n-1, d.log.Err())
			}
		}
		d.promise(false)
	} else if pending, _ := d.log.Pending(); pending == 0 {
		d.promise(true)
	}
}

func (d *diary) promise(kill bool) {
	d.promised = append(d.promised, promise{d.mem.Count(), d.n, kill})
}

// second does what everysec does every second.
func (d *diary) second() {
	d.log.flushAnyway()
	d.log.syncAside()
	d.promise(false)
}

func (d *diary) units(n int) {
	for range n {
		d.unit(true)
	}
}

func (d *diary) begin(rdb bool) *Rewrite {
	d.t.Helper()
	r, err := d.log.BeginRewrite(rdb)
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

// base writes the base of a rewrite whose instant was behind n units.
func base0(n int, rdb bool) func(w io.Writer) error {
	return func(w io.Writer) error {
		if rdb {
			for _, s := range []string{magic + strconv.Itoa(n), "\n"} {
				if _, err := io.WriteString(w, s); err != nil {
					return err
				}
			}
			return nil
		}
		for i := range n {
			for _, c := range unitCommands(i) {
				var args [][]byte
				for _, word := range strings.Fields(c) {
					args = append(args, []byte(word))
				}
				if _, err := w.Write(AppendCommand(nil, args...)); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// rewrite is one from beginning to end, with units at every step.
func (d *diary) rewrite(rdb, commit bool) {
	d.t.Helper()
	r := d.begin(rdb)
	d.unit(true)
	d.unit(false)
	n := d.n
	r.Turn()
	d.unit(false)
	d.unit(true)
	if err := r.Write(base0(n, rdb)); err != nil {
		d.t.Fatal(err)
	}
	d.unit(true)
	if !commit {
		r.Abort()
	} else if err := r.Commit(); err != nil {
		d.t.Fatal(err)
	}
	d.unit(true)
}

// least returns how many units there must be after a crash.
func (d *diary) least(c vfs.Cut) (n int) {
	for _, p := range d.promised {
		if p.op <= c.Op && (!p.kill || c.Kind == vfs.CutKill || c.Kind == vfs.CutKillTorn) {
			n = max(n, p.n)
		}
	}
	return n
}

// scenarios are what is done to logs while the machine may stop.
var scenarios = []struct {
	name string
	do   func(d *diary)
}{
	{"always", func(d *diary) { d.units(9) }},
	{"everysec", func(d *diary) {
		d.log.SetPolicy(EverySecond)
		for range 4 {
			d.units(4)
			d.second()
		}
		d.units(2)
		d.log.sayDurable()
		d.promise(false)
		d.units(3)
	}},
	{"gathered", func(d *diary) { // several units in a frame
		for range 4 {
			d.unit(false)
			d.unit(false)
			d.unit(true)
		}
	}},
	{"rewrite", func(d *diary) { d.units(2); d.rewrite(true, true); d.rewrite(true, true) }},
	{"rewrite to commands", func(d *diary) { d.units(2); d.rewrite(false, true); d.units(1) }},
	{"rewrite given up", func(d *diary) { d.units(2); d.rewrite(true, false); d.rewrite(true, false); d.rewrite(true, true) }},
	{"rewrite given up before its instant", func(d *diary) {
		d.units(2)
		d.begin(true).Abort()
		d.units(2)
		d.rewrite(true, true)
	}},
	{"rewrite with everysec", func(d *diary) {
		d.log.SetPolicy(EverySecond)
		d.units(3)
		d.rewrite(true, true)
		d.second()
		d.units(3)
		d.rewrite(true, true)
	}},
	{"closed and opened", func(d *diary) {
		for range 3 {
			d.units(2)
			if err := d.log.Close(); err != nil {
				d.t.Fatal(err)
			}
			if err := d.open(); err != nil {
				d.t.Fatal(err)
			}
		}
	}},
}

// emptyDisk is a file system with a folder for a log, from which on operations count.
func emptyDisk(t testing.TB) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem()
	if err := mem.MkdirAll("data", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := mem.SyncDir("."); err != nil {
		t.Fatal(err)
	}
	mem.Forget()
	return mem
}

// TestPowerCuts stops the machine behind every operation on files, in every way: what was promised is there, in order,
// and a unit is whole or absent.
func TestPowerCuts(t *testing.T) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			mem := emptyDisk(t)
			d := newDiary(t, mem, mem, Always)
			if err := d.open(); err != nil {
				t.Fatal(err)
			}
			sc.do(d)
			d.crashes()
			if err := d.log.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// crashes goes through all crashes so far.
func (d *diary) crashes() {
	d.t.Helper()
	images := 0
	for cut, image := range d.mem.Crashes(1, *cuts) {
		images++
		if n := d.reopen(cut, image, images%64 == 0 || *cuts >= 8 && images%4 == 0); d.t.Failed() {
			for i, op := range d.mem.Ops() {
				d.t.Logf("%d %v", i+1, op)
			}
			d.t.Fatalf("%v: %d units, %d are promised", cut, n, d.least(cut))
		}
	}
}

// reopen opens what a crash has left, twice, and goes on with it. deep tells to stop the machine at every step of that,
// too.
func (d *diary) reopen(cut vfs.Cut, image *vfs.Mem, deep bool) int {
	t := d.t
	first := newDiary(t, image, image, Always)
	if err := first.open(); err != nil {
		t.Errorf("the first start: %v", err)
		return 0
	}
	n := first.n
	if n < d.least(cut) || n > d.n {
		t.Errorf("%d units were replayed of %d, %d of them promised", n, d.n, d.least(cut))
	}
	first.promise(false)
	first.unit(true)
	if deep {
		for again, image := range image.Crashes(2, 2) {
			second := newDiary(t, image, image, Always)
			if err := second.open(); err != nil {
				t.Errorf("%v, after %v: %v", again, cut, err)
				break
			}
			if second.n != n && second.n != n+1 || second.n < first.least(again) {
				t.Errorf("%v, after %v: %d units, there were %d", again, cut, second.n, n)
			}
			second.log.Close()
		}
	}
	again := image.CrashAt(vfs.Cut{Op: image.Count(), Kind: vfs.CutLost})
	second := newDiary(t, again, again, Always)
	if err := second.open(); err != nil {
		t.Errorf("the second start: %v", err)
	} else {
		if second.n != n+1 {
			t.Errorf("%d units at the second start, there were %d at the first, and one was added", second.n, n)
		}
		if second.cut != nil {
			t.Errorf("the second start has cut again: %v", second.cut)
		}
		second.log.Close()
	}
	if err := first.log.Close(); err != nil {
		t.Error(err)
	}
	return n
}

// TestPowerCutsWhileTurnedOn stops the machine while a log is begun for data that were not logged before, in an empty
// directory and beside the log of another time.
func TestPowerCutsWhileTurnedOn(t *testing.T) {
	for _, old := range []bool{false, true} {
		t.Run(fmt.Sprintf("beside another %v", old), func(t *testing.T) {
			mem := vfs.NewMem()
			if err := mem.MkdirAll("data", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := mem.SyncDir("."); err != nil {
				t.Fatal(err)
			}
			d := newDiary(t, mem, mem, Always)
			before := 0
			if old {
				if err := d.open(); err != nil {
					t.Fatal(err)
				}
				d.units(2)
				before = d.n
				if err := d.log.Close(); err != nil {
					t.Fatal(err)
				}
			}
			mem.Forget()
			d.promised = []promise{{mem.Count(), before, false}}
			var r *Rewrite
			var err error
			if d.log, r, err = Start(d.o, true); err != nil {
				t.Fatal(err)
			}
			d.n = 5
			at := d.n
			for range 3 {
				d.unit(false)
				d.log.Flush()
			}
			if err := r.Write(base0(at, true)); err != nil {
				t.Fatal(err)
			}
			d.unit(false)
			start := mem.Count()
			if err := r.Commit(); err != nil {
				t.Fatal(err)
			}
			d.unit(true)
			d.rewrite(true, true)
			for cut, image := range mem.Crashes(3, 6) {
				re := newDiary(t, image, image, Always)
				if err := re.open(); err != nil {
					t.Fatalf("%v: %v", cut, err)
				}
				switch {
				case re.n == before && cut.Op <= mem.Count() && re.n >= d.least(cut):
				case re.n >= at && re.n >= d.least(cut) && re.n <= d.n && cut.Op >= start:
				default:
					t.Fatalf("%v: %d units, %d are promised", cut, re.n, d.least(cut))
				}
				re.log.Close()
			}
			d.log.Close()
		})
	}
}
