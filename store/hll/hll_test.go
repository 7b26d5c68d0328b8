package hll

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// model is a HyperLogLog without a representation.
type model [registers]uint8

func (m *model) add(elem []byte) bool {
	h := murmur64(elem, hashSeed)
	i, rest := h%registers, h/registers
	run := uint8(min(bits.TrailingZeros64(rest), hashBits)) + 1
	if m[i] >= run {
		return false
	}
	m[i] = run
	return true
}

// check compares a value with the model, register by register.
func (m *model) check(t *testing.T, b []byte) {
	t.Helper()
	if !Valid(b) {
		t.Fatal("not valid")
	}
	var u Union
	if err := u.Merge(b); err != nil {
		t.Fatal(err)
	}
	if u.regs != *m {
		t.Fatal("registers differ from the model's")
	}
	n, err := Count(b)
	if want := u.Count(); err != nil || n != want {
		t.Fatalf("Count = %d, %v, of the union %d", n, err, want)
	}
}

func elem(n int) []byte { return fmt.Appendf(nil, "element %d", n) }

func TestAgainstModel(t *testing.T) {
	for _, maxSparse := range []int{0, 18, 100, 3000, 40000} {
		rng := rand.New(rand.NewPCG(1, uint64(maxSparse)))
		var m model
		b := AppendNew(nil)
		m.check(t, b)
		for n := range 12000 {
			e := elem(rng.IntN(1 + n*2))
			want := m.add(e)
			wasDense := IsDense(b)
			var got bool
			var err error
			if wasDense && Raises(b, e) != want {
				t.Fatalf("Raises disagrees at step %d", n)
			}
			b, got, err = Add(b, e, maxSparse)
			if err != nil || got != want {
				t.Fatalf("step %d: %v, %v, want %v", n, got, err, want)
			}
			if !IsDense(b) && len(b) > max(maxSparse, 18) {
				t.Fatalf("a sparse value of %d bytes, limit %d", len(b), maxSparse)
			}
			if n < 200 || n%1997 == 0 || wasDense != IsDense(b) {
				m.check(t, b)
			}
		}
		m.check(t, b)
	}
}

// TestVectors are strings that redis-server made.
func TestVectors(t *testing.T) {
	b := AppendNew(nil)
	if want := "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff"; string(b) != want {
		t.Errorf("empty: %q, want %q", b, want)
	}
	for _, e := range []string{"a", "b", "c", "d"} {
		b, _, _ = Add(b, []byte(e), 3000)
	}
	SetCached(b, 4)
	if want := "HYLL\x01\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\\{\x80Dv\x80P\xb1\x84K\xfb\x80BZ"; string(b) != want {
		t.Errorf("%q, want %q", b, want)
	}
	if got := string(AppendRuns(nil, b)); got != "Z:7292 v:1,1 Z:1143 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603" {
		t.Errorf("runs %s", got)
	}
}

func TestValid(t *testing.T) {
	wide, _ := ToDense(AppendNew(nil))
	for _, c := range []struct {
		b    string
		want bool
	}{
		{"", false}, {"HYLL", false}, {string(AppendNew(nil)), true}, {string(wide), true},
		{string(wide[:DenseSize-1]), false}, {string(wide) + "\x00", false},
		{"HYLL\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff", false},
		{"HYLl\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff", false},
		{"HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", true},
	} {
		if Valid([]byte(c.b)) != c.want {
			t.Errorf("Valid(%.40q) is not %v", c.b, c.want)
		}
	}
}

func TestCorrupt(t *testing.T) {
	header := "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"
	for _, runs := range []string{
		"", "\x7f", "\x7f\xfe", "\x7f\xff\x00", "\x7f\xff\x80", "\x7f\xfe\x40", "\x00", "\x7f\xff\x7f\xff",
		string(make([]byte, 2*registers+1)),
	} {
		b := []byte(header + runs)
		if _, err := Count(b); err != ErrCorrupt {
			t.Errorf("Count of %.20q: %v", runs, err)
		}
		if _, err := ToDense([]byte(header + runs)); err != ErrCorrupt {
			t.Errorf("ToDense of %.20q: %v", runs, err)
		}
		var u Union
		if err := u.Merge(b); err != ErrCorrupt {
			t.Errorf("Merge of %.20q: %v", runs, err)
		}
	}
	if _, _, err := Add([]byte(header+"\x00"), []byte("a"), 3000); err != ErrCorrupt {
		t.Errorf("Add beyond the last run: %v", err)
	}
}

// TestEstimates asks for the accuracy that the algorithm promises, at every size.
func TestEstimates(t *testing.T) {
	b := AppendNew(nil)
	next := 1
	for n := 1; n <= 200_000; n++ {
		b, _, _ = Add(b, elem(n), 3000)
		if n != next {
			continue
		}
		next += max(1, next/3)
		got, err := Count(b)
		if d := math.Abs(float64(got) - float64(n)); err != nil || d > math.Ceil(float64(n)*4*0.0081) {
			t.Errorf("%d elements are estimated to be %d (%v)", n, got, err)
		}
	}
}

func TestEstimateOfForgedRegisters(t *testing.T) {
	for _, c := range []struct {
		run  uint8
		want uint64
	}{{0, 0}, {51, math.MaxInt64}, {52, math.MaxInt64}, {63, math.MaxInt64}} {
		b, _ := ToDense(AppendNew(nil))
		for i := range registers {
			putDense(b, i, c.run)
		}
		if got, err := Count(b); err != nil || got != c.want {
			t.Errorf("all registers %d: %d, %v, want %d", c.run, got, err, c.want)
		}
	}
}

func TestCache(t *testing.T) {
	b := AppendNew(nil)
	if n, ok := Cached(b); n != 0 || !ok {
		t.Errorf("new: %d, %v", n, ok)
	}
	SetCached(b, 1<<40+7)
	if n, ok := Cached(b); n != 1<<40+7 || !ok {
		t.Errorf("set: %d, %v", n, ok)
	}
	Invalidate(b)
	if _, ok := Cached(b); ok {
		t.Error("still there")
	}
}

// TestUnion writes unions into sparse and dense values and compares with adding all elements to one.
func TestUnion(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, sizes := range [][]int{{0}, {1, 0}, {10, 20}, {300, 200, 100}, {900, 900}, {5000, 10}, {4000, 5000, 6000}} {
		var m model
		var u Union
		var first []byte
		for i, n := range sizes {
			b := AppendNew(nil)
			for range n {
				e := elem(rng.IntN(1 << 20))
				m.add(e)
				b, _, _ = Add(b, e, 3000)
			}
			if i == 0 {
				first = b
			}
			if err := u.Merge(b); err != nil {
				t.Fatal(err)
			}
		}
		slow := append([]byte(nil), first...)
		for i := range registers {
			if run := u.regs[i]; run > 0 && IsDense(slow) {
				raise(slow, i, run)
			} else if run > 0 {
				slow, _, _ = set(slow, i, run, 3000, nil)
			}
		}
		fast, err := u.Write(first, 3000)
		if err != nil {
			t.Fatal(err)
		}
		m.check(t, fast)
		if string(fast) != string(slow) {
			t.Errorf("%v: another string than register by register", sizes)
		}
		u.Reset()
		if u != (Union{}) {
			t.Error("Reset leaves something")
		}
	}
}

func TestMaxBytes(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for range 10000 {
		x, y := rng.Uint64()&0x3f3f3f3f3f3f3f3f, rng.Uint64()&0x3f3f3f3f3f3f3f3f
		var a, b [8]byte
		binary.LittleEndian.PutUint64(a[:], x)
		binary.LittleEndian.PutUint64(b[:], y)
		for i := range a {
			a[i] = max(a[i], b[i])
		}
		if got := maxBytes(x, y); got != binary.LittleEndian.Uint64(a[:]) {
			t.Fatalf("maxBytes(%x, %x) = %x", x, y, got)
		}
	}
}

func TestSelfTest(t *testing.T) {
	if err := SelfTest(); err != nil {
		t.Error(err)
	}
}

// FuzzHLL gives forged strings to everything: nothing panics, and what is accepted stays valid and consistent.
func FuzzHLL(f *testing.F) {
	header := "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"
	f.Add([]byte(header+"\x7f\xff"), []byte("a"), 3000)
	f.Add([]byte(header+"\x80\x84\x7f\xfd"), []byte("b"), 20)
	f.Add([]byte(header+"\x40\x00\x7f\xfe"), []byte("c"), 3000)
	f.Add([]byte(header+"\x3f\x7f"), []byte("d"), 0)
	f.Add([]byte("HYLL\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"), []byte(""), 3000)
	f.Fuzz(func(t *testing.T, b, elem []byte, maxSparse int) {
		if !Valid(b) {
			return
		}
		var before, after Union
		err := before.Merge(b)
		n, err2 := Count(b)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("Merge says %v, Count %v", err, err2)
		}
		if err == nil && n != before.Count() {
			t.Fatalf("Count = %d, of the union %d", n, before.Count())
		}
		if !IsDense(b) {
			AppendRuns(nil, b)
		}
		wide, err3 := ToDense(append([]byte(nil), b...))
		if (err == nil) != (err3 == nil) {
			t.Fatalf("Merge says %v, ToDense %v", err, err3)
		}
		if err3 == nil {
			if got, _ := Count(wide); got != n {
				t.Fatalf("dense %d, before %d", got, n)
			}
		}
		out, raised, err4 := Add(append([]byte(nil), b...), elem, maxSparse)
		if err != nil {
			return
		}
		if err4 != nil {
			t.Fatalf("Add: %v", err4)
		}
		i, run := place(elem)
		if raised != (run > before.regs[i]) {
			t.Fatalf("raised is %v for a run of %d over %d", raised, run, before.regs[i])
		}
		before.regs[i] = max(before.regs[i], run)
		if err := after.Merge(out); err != nil || before != after {
			t.Fatalf("other registers after Add: %v", err)
		}
		if again, err := after.Write(append([]byte(nil), b...), maxSparse); err != nil {
			t.Fatalf("Write: %v", err)
		} else if before.Reset(); before.Merge(again) != nil || before != after {
			t.Fatal("other registers after Write")
		}
	})
}

func filled(n, maxSparse int) []byte {
	b := AppendNew(nil)
	for i := range n {
		b, _, _ = Add(b, elem(i), maxSparse)
	}
	return b
}

func BenchmarkCountDense(b *testing.B) {
	v := filled(1_000_000, 0)
	for b.Loop() {
		_, _ = Count(v)
	}
}

func BenchmarkCountSparse(b *testing.B) {
	v := filled(1000, 3000)
	for b.Loop() {
		_, _ = Count(v)
	}
}

func BenchmarkMergeDense(b *testing.B) {
	v := filled(1_000_000, 0)
	var u Union
	for b.Loop() {
		_ = u.Merge(v)
	}
}

func BenchmarkUnionCount(b *testing.B) {
	var u Union
	_ = u.Merge(filled(1_000_000, 0))
	for b.Loop() {
		_ = u.Count()
	}
}

func BenchmarkAddSparse(b *testing.B) {
	v := filled(1000, 3000)
	e := []byte("element 500")
	b.ReportAllocs()
	for b.Loop() {
		v, _, _ = Add(v, e, 3000)
	}
}
