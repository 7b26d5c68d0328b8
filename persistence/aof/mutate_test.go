package aof

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/streampulse/pulse/internal/vfs"
)

var mutations = flag.Int("aof.mutations", 1000, "how many files TestMutations damages")

// diskOf returns a file system with a log of these files: a base of no units, and increments.
func diskOf(t testing.TB, files ...[]byte) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem()
	if err := mem.MkdirAll("data/aofs", 0o755); err != nil {
		t.Fatal(err)
	}
	m := &manifest{}
	n := names{"data/aofs", "log"}
	for i, b := range files {
		f := file{n.incr(int64(i + 1)), int64(i + 1), incr}
		m.incrs = append(m.incrs, f)
		w, err := mem.Create(n.path(f.name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Sync(), w.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.write(mem, n); err != nil {
		t.Fatal(err)
	}
	return mem
}

// written returns the increments of a log of our own, and the number of units in them.
func written(t testing.TB) (files [][]byte, units int) {
	t.Helper()
	d := newDiary(t, nil, vfs.NewMem(), EverySecond)
	d.fs, d.o.FS = d.mem, d.mem
	if err := d.mem.MkdirAll("data", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for range 3 {
			d.units(2)
			d.second()
			d.unit(false)
			d.unit(true)
		}
		r := d.begin(true)
		r.Turn()
		d.unit(true)
		r.Abort()
	}
	d.units(2)
	if err := d.log.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		f, err := d.mem.Open(d.log.names.path(d.log.names.incr(int64(i + 1))))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, b)
	}
	return files, d.n
}

// mutate damages a file in one way, and says which.
func mutate(b []byte, rng *rand.Rand) ([]byte, string) {
	b = bytes.Clone(b)
	at := rng.IntN(len(b))
	n := 1 + rng.IntN(min(len(b)-at, 1<<rng.IntN(13)))
	switch rng.IntN(9) {
	case 0:
		b[at] ^= 1 << rng.IntN(8)
		return b, fmt.Sprintf("a bit at %d", at)
	case 1:
		b[at] = byte(rng.Uint32())
		return b, fmt.Sprintf("a byte at %d", at)
	case 2:
		return b[:at], fmt.Sprintf("cut at %d", at)
	case 3:
		clear(b[at : at+n])
		return b, fmt.Sprintf("%d zeros at %d", n, at)
	case 4:
		return append(b[:at+n:at+n], b[at:]...), fmt.Sprintf("%d bytes at %d twice", n, at)
	case 5:
		return append(b[:at], b[at+n:]...), fmt.Sprintf("%d bytes at %d removed", n, at)
	case 6:
		for i := range b[at : at+n] {
			b[at+i] = byte(rng.Uint32())
		}
		return b, fmt.Sprintf("%d random bytes at %d", n, at)
	case 7: // a frame that is not there, or in a wrong place
		var frames []int
		for i := 0; i+headerLen <= len(b); i++ {
			if _, ok := parseHeader(b[i:], int64(i)); ok {
				frames = append(frames, i)
			}
		}
		from, to := frames[rng.IntN(len(frames))], frames[rng.IntN(len(frames))]
		h, _ := parseHeader(b[from:], int64(from))
		frame := bytes.Clone(b[from : from+headerLen+int(h.length)])
		if inside := frame[headerLen:]; rng.IntN(2) == 0 && !bytes.Contains(inside[:min(40, len(inside))], []byte("SELECT")) {
			frame = inside // with a SELECT first it would be what Redis appends
		}
		return append(b[:to:to], append(frame, b[to:]...)...), fmt.Sprintf("the frame at %d, or its inside, again at %d", from, to)
	}
	lengths := regexp.MustCompile(`[*$]\d+\r\n|#PULSE [0-9a-f]{8}`).FindAllIndex(b, -1)
	l := lengths[rng.IntN(len(lengths))]
	huge := []string{"*1073741824\r\n", "$1099511627776\r\n", "$9223372036854775807\r\n", "*-1\r\n", "$-1\r\n", "$0\r\n", "*0\r\n", "#PULSE ffffffff"}[rng.IntN(8)]
	return append(append(bytes.Clone(b[:l[0]]), huge...), b[l[1]:]...), fmt.Sprintf("%q at %d", huge, l[0])
}

// TestMutations damages logs: what is replayed is the units from the first on, whole, and if it is not all of them, that
// is said.
func TestMutations(t *testing.T) {
	files, units := written(t)
	rng := rand.New(rand.NewPCG(1, 2))
	var refused, cut, whole, shorter int
	for i := range *mutations {
		which := rng.IntN(len(files) + 2) // the last more often
		which = min(which, len(files)-1)
		damaged := append([][]byte(nil), files...)
		b, how := mutate(files[which], rng)
		if rng.IntN(4) == 0 && len(b) > 0 {
			if more, and := mutate2(b, rng); more != nil {
				b, how = more, how+", "+and
			}
		}
		damaged[which] = b
		end := bytes.HasPrefix(files[which], b)
		if end && which < len(files)-1 {
			continue // a file that lacks its last frames and not the last one: its end says nothing
		}
		mem := diskOf(t, damaged...)
		d := newDiary(t, mem, mem, EverySecond)
		switch err := d.open(); {
		case err != nil:
			refused++
			if !regexp.MustCompile(`log\.[123]\.incr\.aof is damaged at offset \d+: `).MatchString(err.Error()) {
				t.Fatalf("%d: %s in file %d: %v", i, how, which+1, err)
			}
			continue
		case d.n == units:
			whole++
		case d.n > units:
			t.Fatalf("%d: %s in file %d: %d units of %d", i, how, which+1, d.n, units)
		case d.cut != nil:
			cut++
			if d.cut.Bytes < 1 || d.cut.From > d.cut.Offset || d.cut.Saved == "" {
				t.Fatalf("%d: %s: the cut is %+v", i, how, d.cut)
			}
		case end:
			shorter++
		default:
			t.Fatalf("%d: %s in file %d: %d units of %d, and nothing was said", i, how, which+1, d.n, units)
		}
		n := d.n
		d.unit(true)
		if err := d.log.Close(); err != nil {
			t.Fatal(err)
		}
		if err := d.open(); err != nil || d.n != n+1 || d.cut != nil {
			t.Fatalf("%d: %s in file %d: %d units at the second start, %d at the first; %v, %v", i, how, which+1, d.n, n, err, d.cut)
		}
		d.log.Close()
	}
	t.Logf("%d units in all, %d refused, %d cut and said so, %d ended at a frame", whole, refused, cut, shorter)
	if refused == 0 || cut == 0 {
		t.Error("no damage was found")
	}
}

// mutate2 is mutate for what was damaged already: it may have no frame or length left.
func mutate2(b []byte, rng *rand.Rand) (out []byte, how string) {
	defer func() {
		if recover() != nil {
			out = nil
		}
	}()
	return mutate(b, rng)
}

// TestPlainDamaged is for files without frames, as Redis writes them.
func TestPlainDamaged(t *testing.T) {
	var b []byte
	b = append(b, AppendCommand(nil, []byte("SELECT"), []byte("0"))...)
	var ends []int // of units
	for i := range 9 {
		if i%3 != 0 {
			b = append(b, multi...)
		}
		for _, c := range unitCommands(i) {
			var args [][]byte
			for _, w := range strings.Fields(c) {
				args = append(args, []byte(w))
			}
			b = AppendCommand(b, args...)
		}
		if i%3 != 0 {
			b = append(b, exec...)
		}
		ends = append(ends, len(b))
	}
	before := func(at int) (n int) {
		for n < len(ends) && ends[n] <= at {
			n++
		}
		return n
	}
	open := func(b []byte) (*diary, error) {
		mem := diskOf(t, b)
		d := newDiary(t, mem, mem, EverySecond)
		err := d.open()
		if err == nil {
			d.log.Close()
		}
		return d, err
	}
	for at := 1; at <= len(b); at += 1 + at%43 {
		for _, zeros := range []int{0, 1, 5000} {
			d, err := open(append(b[:at:at], make([]byte, zeros)...))
			if err != nil || d.n != before(at) {
				t.Fatalf("cut at %d, %d zeros: %d units, %v", at, zeros, d.n, err)
			}
			if zeros > 0 && d.cut == nil {
				t.Fatalf("cut at %d, %d zeros: nothing was said", at, zeros)
			}
		}
		// What is in front of a length stands at a line's begin.
		if (b[at-1] == '\n' || at == 1) && at < len(b) {
			for _, damage := range []byte{0, '+', 'x', '$' ^ '*' ^ b[at]} {
				broken := bytes.Clone(b)
				broken[at] = damage
				if b[at] != '*' && b[at] != '$' {
					continue
				}
				d, err := open(broken)
				var said *Damage
				if !errors.As(err, &said) || said.File != "log.1.incr.aof" || said.Offset > int64(at) {
					t.Fatalf("%q at %d: %d units, %v", damage, at, d.n, err)
				}
			}
		}
	}
	for _, text := range []string{"*1073741824\r\n", "*3\r\n$1099511627776\r\nx", "*99999999999999\r\n", "*1\r\n$-1\r\n", "#" + strings.Repeat("x", 1<<20), "#PULSE ffffffff " + strings.Repeat("0", 1<<10)} {
		var was, is runtime.MemStats
		runtime.ReadMemStats(&was)
		open(append(bytes.Clone(b), text...))
		if runtime.ReadMemStats(&is); is.TotalAlloc-was.TotalAlloc > 32<<20 {
			t.Errorf("%.30q: %d bytes were allocated", text, is.TotalAlloc-was.TotalAlloc)
		}
	}
}

// TestLongCommand is for a command of many arguments outside of frames, which is not looked at again for each piece of
// the file.
func TestLongCommand(t *testing.T) {
	const n = 1 << 20
	b := appendHeader(nil, '*', n)
	for range n {
		b = append(b, "$1\r\nx\r\n"...)
	}
	mem := diskOf(t, b)
	got := 0
	l, _, err := Open(newDiary(t, mem, mem, EverySecond).o, Loader{Command: func(args [][]byte) error { got = len(args); return nil }})
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if got != n {
		t.Errorf("%d arguments", got)
	}
}

// TestOtherServerGoesOn is for a log of ours that Redis has appended to, and then we again.
func TestOtherServerGoesOn(t *testing.T) {
	for _, theirs := range []string{
		"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n",
		"#TS:1700000000\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n",
		"*1\r\n$5\r\nMULTI\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n",
	} {
		d := newDiary(t, nil, vfs.NewMem(), EverySecond)
		d.fs, d.o.FS = d.mem, d.mem
		if err := d.open(); err != nil {
			t.Fatal(err)
		}
		d.units(3)
		if err := d.log.Close(); err != nil {
			t.Fatal(err)
		}
		f, err := d.mem.OpenFile("data/aofs/log.1.incr.aof", os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		b := []byte(theirs)
		for _, c := range unitCommands(3) {
			var args [][]byte
			for _, w := range strings.Fields(c) {
				args = append(args, []byte(w))
			}
			b = AppendCommand(b, args...)
		}
		if strings.Contains(theirs, "MULTI") {
			b = append(b, exec...)
		}
		if _, err := f.Write(b); err != nil {
			t.Fatal(err)
		}
		f.Close()
		for want := 4; want < 7; want++ {
			if err := d.open(); err != nil {
				t.Fatalf("%q: %v", theirs, err)
			}
			if d.n != want {
				t.Errorf("%q: %d units, want %d", theirs, d.n, want)
			}
			d.unit(true)
			if err := d.log.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func FuzzReader(f *testing.F) {
	files, _ := written(f)
	for _, b := range files {
		f.Add(b)
		f.Add(unframe2(b))
	}
	f.Add([]byte("#TS:1\r\n*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nEXEC\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		mem := diskOf(t, b)
		o := newDiary(t, mem, mem, EverySecond).o
		load := func() (said []string, cut bool, err error) {
			l, rep, err := Open(o, Loader{
				Base: func(r io.Reader, size int64) (int64, error) { return size, nil },
				Command: func(args [][]byte) error {
					said = append(said, fmt.Sprintf("%q", args))
					return nil
				}})
			if err != nil {
				return nil, false, err
			}
			return said, rep.Cut != nil, l.Close()
		}
		first, _, err := load()
		if err != nil {
			return
		}
		again, cut, err := load()
		if err != nil || cut || strings.Join(first, "\n") != strings.Join(again, "\n") {
			t.Fatalf("%d commands, then %d; cut %v; %v", len(first), len(again), cut, err)
		}
	})
}

// unframe2 takes the headers out of a file that is whole.
func unframe2(b []byte) (out []byte) {
	for off := 0; off < len(b); {
		h, _ := parseHeader(b[off:], int64(off))
		out = append(out, b[off+headerLen:off+headerLen+int(h.length)]...)
		off += headerLen + int(h.length)
	}
	return out
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte("file log.1.base.rdb seq 1 type b\nfile log.1.incr.aof seq 1 type i\n"))
	f.Add([]byte("# text\nfile \"a b\\x00\" seq 9223372036854775807 type h\nTYPE i seq 2 file x other y\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, _, err := parseManifest(b)
		if err != nil {
			return
		}
		again, _, err := parseManifest(m.format())
		if err != nil || !bytes.Equal(again.format(), m.format()) {
			t.Fatalf("%q: %v", m.format(), err)
		}
	})
}
