package listpack

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// same checks l against the model through every way of reading it.
func same(t *testing.T, l Listpack, want []string) {
	t.Helper()
	if err := Valid(l); err != nil {
		t.Fatalf("%v: % x", err, []byte(l))
	}
	if l.Len() != len(want) || l.Empty() != (len(want) == 0) {
		t.Fatalf("Len %d, Empty %v, want %d entries", l.Len(), l.Empty(), len(want))
	}
	var scratch [20]byte
	i := 0
	for p := l.First(); p != None; p = l.Next(p) {
		if i >= len(want) {
			t.Fatal("walk does not end")
		}
		w := want[i]
		if got := string(l.AppendValue([]byte("x"), p)); got != "x"+w {
			t.Fatalf("entry %d: AppendValue %q, want %q", i, got, w)
		}
		if got := string(l.Text(p, scratch[:])); got != w {
			t.Fatalf("entry %d: Text %q, want %q", i, got, w)
		}
		if l.TextLen(p) != len(w) || !l.Equal(p, []byte(w)) || l.Equal(p, []byte(w+"0")) {
			t.Fatalf("entry %d: TextLen %d or Equal disagree with %q", i, l.TextLen(p), w)
		}
		if l.At(i) != p || l.At(i-len(want)) != p {
			t.Fatalf("At(%d)=%d, At(%d)=%d, want %d", i, l.At(i), i-len(want), l.At(i-len(want)), p)
		}
		i++
	}
	for p := l.Last(); p != None; p = l.Prev(p) {
		i--
		if i < 0 || !l.Equal(p, []byte(want[i])) {
			t.Fatalf("backward walk goes wrong at %d", i)
		}
	}
	if i != 0 {
		t.Fatalf("backward walk missed %d", i)
	}
	if l.At(len(want)) != None || l.At(-len(want)-1) != None {
		t.Fatal("At outside the list found something")
	}
}

// elements come from a small pool so that searches hit, with lengths and
// integers around every border of the encodings.
func element(r *rand.Rand) string {
	switch r.IntN(12) {
	case 0:
		return strings.Repeat("s", []int{0, 1, 62, 63, 64, 65, 124, 125, 126, 127, 128}[r.IntN(11)])
	case 1:
		return strings.Repeat("m", 4090+r.IntN(12))
	case 2, 3:
		return strconv.FormatInt(borders[r.IntN(len(borders))], 10)
	case 4:
		return strconv.FormatInt(int64(r.Uint64()>>r.IntN(64)), 10)
	case 5:
		return []string{"-0", "01", "+1", " 1", "1 ", "-", "9223372036854775808", "-9223372036854775809", "18446744073709551616", "1e3", "99999999999999999999"}[r.IntN(11)]
	case 6, 7:
		return strconv.Itoa(r.IntN(20))
	default:
		return "field:" + strconv.Itoa(r.IntN(30))
	}
}

var borders = func() (b []int64) {
	for _, n := range []uint{0, 6, 7, 8, 11, 12, 13, 15, 16, 23, 24, 31, 32, 62} {
		for d := int64(-2); d <= 2; d++ {
			b = append(b, 1<<n+d, -(1<<n)+d)
		}
	}
	return append(b, -1<<63, -1<<63+1, 1<<63-1, 1<<63-2)
}()

func findModel(m []string, from int, elem string, skip int) int {
	for i := from; i < len(m); i += skip + 1 {
		if m[i] == elem {
			return i
		}
	}
	return -1
}

func TestModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 40 {
		l, m := New(0), []string{}
		for step := range 120 {
			e := element(r)
			b := []byte(e)
			at := func() (int, int) { i := r.IntN(len(m)); return i, l.At(i) }
			op := r.IntN(15)
			if len(m) == 0 {
				op %= 4
			}
			switch op {
			case 0, 1:
				l, m = l.Append(b), append(m, e)
			case 2:
				l, m = l.Prepend(b), append([]string{e}, m...)
			case 3:
				e2 := element(r)
				l, m = l.AppendPair(b, []byte(e2)), append(m, e, e2)
			case 4:
				i, p := at()
				l = l.InsertBefore(p, b)
				m = append(m[:i:i], append([]string{e}, m[i:]...)...)
				if !l.Equal(p, b) {
					t.Fatal("InsertBefore moved the position")
				}
			case 5:
				i, p := at()
				l = l.InsertAfter(p, b)
				m = append(m[:i+1:i+1], append([]string{e}, m[i+1:]...)...)
			case 6, 7:
				i, p := at()
				l = l.Replace(p, b)
				m[i] = e
			case 8:
				i, p := at()
				v := borders[r.IntN(len(borders))]
				l = l.ReplaceInt(p, v)
				m[i] = strconv.FormatInt(v, 10)
			case 9:
				i, p := at()
				next := None
				l, next = l.Delete(p)
				m = append(m[:i], m[i+1:]...)
				if next != l.At(i) {
					t.Fatalf("Delete returned %d, want %d", next, l.At(i))
				}
			case 10:
				i, n := r.IntN(len(m)), r.IntN(5)
				index := i
				if r.IntN(2) == 0 {
					index -= len(m)
				}
				l = l.DeleteRange(index, n)
				m = append(m[:i], m[min(i+n, len(m)):]...)
			case 11, 12:
				i, p := at()
				skip := r.IntN(3)
				got, want := l.Find(p, b, skip), None
				if j := findModel(m, i, e, skip); j >= 0 {
					want = l.At(j)
				}
				if got != want {
					t.Fatalf("Find(%q, skip %d) = %d, want %d", e, skip, got, want)
				}
			case 13:
				_, p := at()
				head, tail := l.Split(p)
				if err := Valid(head); err != nil {
					t.Fatal("head: ", err)
				}
				var err error
				if l, err = Merge(head, tail); err != nil {
					t.Fatal(err)
				}
			case 14:
				i, p := at()
				v := borders[r.IntN(len(borders))]
				l = l.InsertIntBefore(p, v)
				m = append(m[:i:i], append([]string{strconv.FormatInt(v, 10)}, m[i:]...)...)
			}
			if step%7 == 0 {
				l = l.Shrink()
			}
			same(t, l, m)
		}
		if round == 0 && cap(l) > 2*len(l)+64 {
			t.Fatalf("cap %d for %d bytes", cap(l), len(l))
		}
	}
}

func TestPairs(t *testing.T) {
	l := New(64)
	for i := range 50 {
		l = l.AppendPair(fmt.Appendf(nil, "f%d", i), fmt.Appendf(nil, "%d", i))
	}
	// A value that equals a field must not be taken for it.
	l = l.AppendPair([]byte("x"), []byte("y"))
	if f, v := l.FindPair([]byte("y")); f != None || v != None {
		t.Fatal("found a value as a field")
	}
	if l.Pairs() != 51 {
		t.Fatalf("Pairs %d", l.Pairs())
	}
	for i := range 50 {
		f, v := l.FindPair(fmt.Appendf(nil, "f%d", i))
		if n, ok := l.Int(v); !ok || n != int64(i) {
			t.Fatalf("pair %d: value %d %v", i, n, ok)
		}
		if pf, pv := l.PairAt(i); pf != f || pv != v {
			t.Fatalf("PairAt(%d) = %d %d, want %d %d", i, pf, pv, f, v)
		}
		if pf, _ := l.PairAt(i - 51); pf != f {
			t.Fatalf("PairAt(%d) = %d, want %d", i-51, pf, f)
		}
	}
	for _, i := range []int{51, -52, 1 << 62, -1 << 63, 1<<63 - 1} {
		if f, _ := l.PairAt(i); f != None {
			t.Fatalf("PairAt(%d) found %d", i, f)
		}
	}
	f, _ := l.FindPair([]byte("f1"))
	l, next := l.DeletePair(f)
	if !l.Equal(next, []byte("f2")) || l.Pairs() != 50 {
		t.Fatal("DeletePair took something else")
	}
	l = l.InsertPairBefore(next, []byte("new"), []byte("v"))
	l = l.InsertPairBefore(None, []byte("last"), []byte("w"))
	if f, _ := l.PairAt(1); !l.Equal(f, []byte("new")) {
		t.Fatal("InsertPairBefore: wrong place")
	}
	if _, v := l.PairAt(-1); !l.Equal(v, []byte("w")) {
		t.Fatal("InsertPairBefore at the end: wrong place")
	}
	if err := ValidPairs(l); err != nil {
		t.Fatal(err)
	}
	if err := ValidPairs(l.Append(nil)); err != ErrCorrupt {
		t.Fatalf("odd number of entries: %v", err)
	}
}

// TestManyEntries crosses the count that the header can hold, both ways.
func TestManyEntries(t *testing.T) {
	const n = 65540
	l := New(2 * n)
	for i := range n {
		l = l.AppendInt(int64(i & 63))
		if want := min(i+1, countUnknown); l.headerCount() != want {
			t.Fatalf("header says %d after %d", l.headerCount(), i+1)
		}
	}
	if l.Len() != n || Valid(l) != nil {
		t.Fatalf("Len %d", l.Len())
	}
	if v, _ := l.Int(l.At(n - 1)); v != (n-1)&63 {
		t.Fatalf("At(%d) is %d", n-1, v)
	}
	if v, _ := l.Int(l.At(-n)); v != 0 || l.At(n) != None || l.At(-n-1) != None {
		t.Fatal("At at the ends")
	}
	head, tail := l.Clone().Split(l.At(10))
	if head.Len() != 10 || head.headerCount() != 10 || tail.Len() != n-10 {
		t.Fatalf("Split: %d, %d", head.Len(), tail.Len())
	}
	back, err := Merge(head, tail)
	if err != nil || !bytes.Equal(back, l) {
		t.Fatal("Merge did not undo Split")
	}
	l = l.DeleteRange(5, 100)
	if l.headerCount() != n-100 || Valid(l) != nil {
		t.Fatalf("header says %d after the deletion", l.headerCount())
	}
}

func TestSizeLimit(t *testing.T) {
	l := New(0)
	for add, want := range map[int]bool{0: true, MaxBytes - emptySize: true, MaxBytes - emptySize + 1: false, 1<<63 - 1: false, -1: false} {
		if l.Fits(add) != want {
			t.Errorf("Fits(%d) is %v", add, !want)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	l := New(4096)
	for i := range 100 {
		l = l.AppendPair(fmt.Appendf(nil, "field%d", i), fmt.Appendf(nil, "%d", i*1000))
	}
	elem, scratch := []byte("field77"), make([]byte, 0, 20)
	sum := 0
	if n := testing.AllocsPerRun(50, func() {
		f, v := l.FindPair(elem)
		sum += len(l.Text(v, scratch)) + l.TextLen(f) + l.At(-5)
		l = l.Replace(v, []byte("77000"))
		l = l.Append(elem)
		l, _ = l.Delete(l.Last())
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	elem := []byte("some-member:12345")
	for b.Loop() {
		l := New(0)
		for range 128 {
			l = l.Append(elem)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/128, "ns/elem")
}

func benchPairs() Listpack {
	l := New(0)
	for i := range 128 {
		l = l.AppendPair(fmt.Appendf(nil, "field:%d", i), fmt.Appendf(nil, "value-%d-xxxxxxxxxxxx", i))
	}
	return l
}

func BenchmarkFind(b *testing.B) {
	l, elem := benchPairs(), []byte("field:127")
	b.ReportAllocs()
	for b.Loop() {
		if f, _ := l.FindPair(elem); f == None {
			b.Fatal("not found")
		}
	}
}

func BenchmarkAt(b *testing.B) {
	l := benchPairs()
	b.ReportAllocs()
	for b.Loop() {
		if l.At(100) == None || l.At(156) == None {
			b.Fatal("not found")
		}
	}
}
