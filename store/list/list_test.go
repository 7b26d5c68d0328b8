package list

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/streampulse/pulse/store/listpack"
)

// model is the same list in the simplest form.
type model []string

func (m *model) push(elem string, front bool) {
	if front {
		*m = slices.Insert(*m, 0, elem)
	} else {
		*m = append(*m, elem)
	}
}

func (m *model) drop(n int, front bool) {
	n = min(n, len(*m))
	if front {
		*m = slices.Delete(*m, 0, n)
	} else {
		*m = (*m)[:len(*m)-n]
	}
}

func (m *model) insert(pivot, elem string, before bool) bool {
	i := slices.Index(*m, pivot)
	if i < 0 {
		return false
	}
	if !before {
		i++
	}
	*m = slices.Insert(*m, i, elem)
	return true
}

func (m *model) remove(elem string, count int) (n int) {
	for count >= 0 && (count == 0 || n < count) {
		i := slices.Index(*m, elem)
		if i < 0 {
			return n
		}
		*m = slices.Delete(*m, i, i+1)
		n++
	}
	for i := len(*m) - 1; i >= 0 && n < -count; i-- {
		if (*m)[i] == elem {
			*m = slices.Delete(*m, i, i+1)
			n++
		}
	}
	return n
}

// texts reads the list in one direction.
func texts(l *List, back bool) (out []string) {
	for it := l.End(!back); it.Valid(); it.Next() {
		out = append(out, string(it.Text(make([]byte, 0, 20))))
	}
	return out
}

// equal compares list and model in every way there is.
func equal(t *testing.T, l *List, m model) {
	t.Helper()
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	if l.Len() != len(m) {
		t.Fatalf("Len = %d, want %d", l.Len(), len(m))
	}
	if got := texts(l, false); !slices.Equal(got, m) {
		t.Fatalf("forward:\n got %.300q\nwant %.300q", got, m)
	}
	back := texts(l, true)
	slices.Reverse(back)
	if !slices.Equal(back, m) {
		t.Fatalf("backward:\n got %.300q\nwant %.300q", back, m)
	}
}

var limits = []Limit{-2, -1, -5, -9, 0, 1, 2, 7, 128, 1 << 40}

func TestAgainstModel(t *testing.T) {
	for _, limit := range limits {
		for _, big := range []bool{false, true} {
			t.Run(fmt.Sprint(int(limit), big), func(t *testing.T) { compare(t, limit, big, 400) })
		}
	}
}

func compare(t *testing.T, limit Limit, big bool, steps int) {
	r := rand.New(rand.NewPCG(uint64(limit), 7))
	element := func() string {
		switch r.IntN(8) {
		case 0:
			return strconv.FormatInt(int64(r.Uint64()>>r.IntN(64)), 10)
		case 1:
			if big {
				return strings.Repeat("x", r.IntN(20_000))
			}
			return strings.Repeat("y", r.IntN(100))
		default:
			return "v" + strconv.Itoa(r.IntN(12))
		}
	}
	l, m := New(), model{}
	grow := true
	for i := range steps {
		if len(m) > 700 {
			grow = false
		} else if len(m) < 3 {
			grow = true
		}
		front := r.IntN(2) == 0
		op := r.IntN(10)
		if !grow && op < 4 {
			op = 4
		}
		switch op {
		case 0, 1, 2:
			var elems [][]byte
			for range 1 + r.IntN(8) {
				e := element()
				elems = append(elems, []byte(e))
				m.push(e, front)
			}
			l.Push(elems, front, limit)
		case 3:
			pivot, e := "v"+strconv.Itoa(r.IntN(13)), element()
			if got, want := l.Insert([]byte(pivot), []byte(e), front, limit), m.insert(pivot, e, front); got != want {
				t.Fatalf("step %d: Insert = %v, want %v", i, got, want)
			}
		case 4, 5:
			n := 1 + r.IntN(12)
			l.Drop(n, front, limit)
			m.drop(n, front)
		case 6:
			if len(m) == 0 {
				continue
			}
			k, e := r.IntN(len(m)), element()
			index := k
			if front {
				index = k - len(m)
			}
			if !l.Set(index, []byte(e), limit) {
				t.Fatalf("step %d: Set(%d) failed", i, index)
			}
			m[k] = e
			it := l.Iter(index, false)
			if !it.Valid() || string(it.Text(make([]byte, 0, 20))) != e {
				t.Fatalf("step %d: Iter(%d) after Set is elsewhere", i, index)
			}
		case 7:
			e, count := "v"+strconv.Itoa(r.IntN(13)), r.IntN(5)-2
			if got, want := l.Remove([]byte(e), count, limit), m.remove(e, count); got != want {
				t.Fatalf("step %d: Remove(%s, %d) = %d, want %d", i, e, count, got, want)
			}
		case 8:
			l.Rotate(front, !front, limit)
			if len(m) > 0 {
				at := len(m) - 1
				if front {
					at = 0
				}
				e := m[at]
				m.drop(1, front)
				m.push(e, !front)
			}
		case 9:
			if r.IntN(10) > 0 || len(m) < 3 {
				c := l.Clone()
				l.Drop(1, front, limit)
				equal(t, c, m)
				l = c
				continue
			}
			from := r.IntN(len(m))
			to := from + r.IntN(len(m)-from)
			l.Trim(from, to, limit)
			m = slices.Clone(m[from : to+1])
		}
		equal(t, l, m)
	}
	for i := range m {
		it := l.Iter(i, false)
		if string(it.Text(make([]byte, 0, 20))) != m[i] {
			t.Fatalf("Iter(%d) is elsewhere", i)
		}
		it = l.Iter(i-len(m), true)
		if string(it.Text(make([]byte, 0, 20))) != m[i] {
			t.Fatalf("Iter(%d) is elsewhere", i-len(m))
		}
	}
	for _, i := range []int{len(m), -len(m) - 1, 1 << 62, -1 << 63} {
		if it := l.Iter(i, false); it.Valid() {
			t.Fatalf("there is an element with index %d", i)
		}
	}
}

func TestNilIsEmpty(t *testing.T) {
	var l *List
	it := l.Iter(0, false)
	end := l.End(true)
	if l.Len() != 0 || l.Bytes() != 0 || it.Valid() || end.Valid() || l.Encoding() != "listpack" {
		t.Error("a nil list is not empty")
	}
	for range l.Nodes() {
		t.Error("a nil list has nodes")
	}
}

// TestEncoding walks over the border between the two encodings.
func TestEncoding(t *testing.T) {
	push := func(l *List, n, size int, limit Limit) {
		for range n {
			l.PushOne(bytes.Repeat([]byte("e"), size), false, limit)
		}
	}
	for _, c := range []struct {
		limit         Limit
		size          int
		most, shrinks int // elements that are still a listpack, and at which a quicklist becomes one again
	}{
		{128, 10, 128, 64},
		{3, 10, 3, 1},
		{1 << 40, 1000, 8, 1 << 40}, // counted nodes are bounded by 8 KiB
		{-1, 1000, 4, 2},
		{-2, 1000, 8, 4},
		{-5, 1000, 65, 32},
	} {
		l := New()
		push(l, c.most, c.size, c.limit)
		if l.Encoding() != "listpack" {
			t.Errorf("limit %d: %d elements are a %s", c.limit, c.most, l.Encoding())
		}
		push(l, 1, c.size, c.limit)
		if l.Encoding() != "quicklist" {
			t.Errorf("limit %d: %d elements are a %s", c.limit, c.most+1, l.Encoding())
		}
		for l.Len() > 1 {
			was := l.Encoding()
			l.Drop(1, false, c.limit)
			if want := l.Len() <= c.shrinks && len(l.nodes()) == 1; (l.Encoding() == "listpack") != want {
				t.Errorf("limit %d: %d elements, once %s, are a %s", c.limit, l.Len(), was, l.Encoding())
			}
		}
		if c.limit != 3 && l.Encoding() != "listpack" {
			t.Errorf("limit %d: one element is a %s", c.limit, l.Encoding())
		}
	}
	l := New()
	push(l, 1, 9000, -2)
	if l.Encoding() != "quicklist" {
		t.Error("a huge element is in a listpack")
	}
	if !l.Set(0, []byte("x"), -2) || l.Encoding() != "listpack" {
		t.Error("a list does not shrink when its huge element goes")
	}
}

func TestNodesAndBack(t *testing.T) {
	for _, n := range []int{0, 1, 5, 3000} {
		l, m := New(), model{}
		for i := range n {
			e := strconv.Itoa(i * i)
			l.PushOne([]byte(e), i%3 == 0, -1)
			m.push(e, i%3 == 0)
		}
		copied := New()
		for lp := range l.Nodes() {
			if err := listpack.Valid(lp); err != nil {
				t.Fatal(err)
			}
			copied.AppendListpack(lp.Clone())
		}
		copied.AppendListpack(listpack.New(0))
		copied.Settle(-1)
		equal(t, copied, m)
		if copied.Encoding() != l.Encoding() {
			t.Errorf("%d elements: %s became %s", n, l.Encoding(), copied.Encoding())
		}
	}
}

// TestNoAllocation holds queues of all kinds to reuse what they have.
func TestNoAllocation(t *testing.T) {
	elem := []byte("an element of some bytes")
	for _, n := range []int{1, 10, 300, 5000} {
		for _, in := range []bool{true, false} {
			for _, out := range []bool{true, false} {
				l := New()
				for range n {
					l.PushOne(elem, in, -2)
				}
				cycle := func() {
					for range 1000 {
						l.PushOne(elem, in, -2)
						it := l.End(out)
						it.Value()
						l.Drop(1, out, -2)
					}
				}
				for range 20 {
					cycle()
				}
				// A queue through many nodes moves the array of nodes now and then.
				if got := testing.AllocsPerRun(10, cycle); got > 0 {
					t.Errorf("%d elements, in at front %v, out at front %v: %v allocations per 1000", n, in, out, got)
				}
			}
		}
	}
}

// TestMemory compares what a list claims to hold with what its elements need.
func TestMemory(t *testing.T) {
	elem := bytes.Repeat([]byte("m"), 20)
	for _, n := range []int{1, 100, 1000, 100_000} {
		for _, front := range []bool{true, false} {
			l := New()
			for range n {
				l.PushOne(elem, front, -2)
			}
			need := n * 22
			if got := l.Bytes(); got > need*3/2+6000 || got < need {
				t.Errorf("%d elements of %d bytes in all take %d", n, need, got)
			}
		}
	}
}

func TestManyInsertsInTheMiddle(t *testing.T) {
	l, m := New(), model{}
	l.Push([][]byte{[]byte("a"), []byte("pivot"), []byte("z")}, false, -1)
	m = model{"a", "pivot", "z"}
	for i := range 3000 {
		e := fmt.Sprintf("element %d", i)
		l.Insert([]byte("pivot"), []byte(e), i%2 == 0, -1)
		m.insert("pivot", e, i%2 == 0)
	}
	equal(t, l, m)
	if n := len(l.nodes()); n > 40 {
		t.Errorf("3000 inserts left %d nodes", n)
	}
}

func FuzzOperations(f *testing.F) {
	f.Add(int8(-2), []byte("\x00\x10\x20\x30\x41\x52\x63\x74\x85"))
	f.Add(int8(2), []byte{0, 1, 2, 0, 1, 2, 3, 19, 35, 4, 20, 5, 6, 22, 7})
	f.Fuzz(func(t *testing.T, lim int8, ops []byte) {
		if len(ops) > 400 {
			return
		}
		limit := Limit(lim)
		l, m := New(), model{}
		for i, b := range ops {
			front, arg := b&8 != 0, int(b>>4)
			e := strconv.Itoa(arg)
			if arg > 9 {
				e = strings.Repeat(e, 1<<(arg-4))
			}
			switch b & 7 {
			case 0, 1, 2:
				for range 1 + i%5 {
					l.PushOne([]byte(e), front, limit)
					m.push(e, front)
				}
			case 3:
				l.Insert([]byte(strconv.Itoa(i%8)), []byte(e), front, limit)
				m.insert(strconv.Itoa(i%8), e, front)
			case 4:
				l.Drop(arg, front, limit)
				m.drop(arg, front)
			case 5:
				if k := i % max(len(m), 1); l.Set(k, []byte(e), limit) {
					m[k] = e
				}
			case 6:
				l.Remove([]byte(e), i%5-2, limit)
				m.remove(e, i%5-2)
			case 7:
				if l.Rotate(front, !front, limit); len(m) > 0 {
					at := 0
					if !front {
						at = len(m) - 1
					}
					last := m[at]
					m.drop(1, front)
					m.push(last, !front)
				}
			}
		}
		equal(t, l, m)
	})
}
