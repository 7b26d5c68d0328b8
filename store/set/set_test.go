package set

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/streampulse/pulse/store/intset"
	"github.com/streampulse/pulse/store/listpack"
)

// forms are the limits under which the same operations are done, so that every representation and every way between
// them is met.
var forms = []Limits{
	{1 << 20, 1 << 20, 1 << 20}, {0, 0, 0}, {512, 128, 64}, {20, 10, 64}, {512, 128, 2}, {0, 30, 64}, {30, 0, 64}, {5, 20, 20},
}

// member returns an integer, or, with texts, now and then something else.
func member(r *rand.Rand, texts bool) []byte {
	if texts && r.IntN(4) == 0 {
		return fmt.Append(nil, strings.Repeat("m", r.IntN(3)), "0", r.IntN(40))
	}
	n := int64(r.IntN(60) - 30)
	if r.IntN(20) == 0 {
		n *= 1 << (8 * r.IntN(7))
	}
	return fmt.Append(nil, n)
}

type model map[string]bool

func TestModel(t *testing.T) {
	for i, lim := range forms {
		for _, texts := range []bool{false, true} {
			t.Run(fmt.Sprint(lim, texts), func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, uint64(i)))
				v, m := New(), model{}
				for step := range 2000 {
					x := member(r, texts)
					switch op := r.IntN(20); {
					case op == 0 && len(m) > 0:
						n := 1 + r.IntN(min(len(m), 4))
						if r.IntN(10) == 0 {
							n = 1 + r.IntN(len(m))
						}
						popped := 0
						v.Pop(r, n, func(x []byte) {
							if !m[string(x)] {
								t.Fatalf("Pop takes %q, which is none or gone", x)
							}
							delete(m, string(x))
							popped++
						})
						if popped != n {
							t.Fatalf("Pop takes %d members, not %d", popped, n)
						}
					case step%1000 > 800 || op < 6:
						if v.Remove(x) != m[string(x)] {
							t.Fatalf("Remove(%s) = %v", x, !m[string(x)])
						}
						delete(m, string(x))
					default:
						if v.Add(lim, x) == m[string(x)] {
							t.Fatalf("Add(%s) = %v", x, m[string(x)])
						}
						m[string(x)] = true
					}
					if v.Has(x) != m[string(x)] {
						t.Fatalf("Has(%s) = %v", x, v.Has(x))
					}
					if step%100 == 0 {
						compare(t, v, m)
					}
				}
				c := v.Clone()
				for x := range m {
					v.Remove([]byte(x))
				}
				compare(t, v, model{})
				compare(t, c, m)
			})
		}
	}
}

func compare(t *testing.T, v *Set, m model) {
	t.Helper()
	if err := v.Check(); err != nil {
		t.Fatal(err)
	}
	if v.Len() != len(m) {
		t.Fatalf("Len = %d, want %d", v.Len(), len(m))
	}
	seen := model{}
	see := func(x []byte) {
		if !m[string(x)] {
			t.Fatalf("%q is no member", x)
		}
		seen[string(x)] = true
	}
	r := rand.New(rand.NewPCG(2, 2))
	for _, how := range []struct {
		name string
		n    int
		do   func()
	}{
		{"Scan", len(m), func() {
			for cursor, first := uint64(0), true; first || cursor != 0; first = false {
				cursor = v.Scan(cursor, 5, see)
			}
		}},
		{"Sample of all", len(m), func() { v.Sample(r, len(m)+1, see) }},
		{"Sample of some", len(m) / 4, func() { v.Sample(r, len(m)/4, see) }},
	} {
		clear(seen)
		how.do()
		if len(seen) != how.n {
			t.Fatalf("%s finds %d of %d members", how.name, len(seen), how.n)
		}
	}
	if len(m) > 0 {
		n := 0
		v.Draw(r, 9, func(x []byte) bool { n++; see(x); return n < 5 })
		v.Draw(r, 1, func(x []byte) bool { n++; see(x); return true })
		if n != 6 {
			t.Fatalf("Draw calls %d times", n)
		}
	}
}

func TestEncoding(t *testing.T) {
	lim := Limits{Ints: 3, Entries: 2, Value: 4}
	for _, c := range []struct {
		hint int // given with the first member, 0 for none
		add  string
		want string
	}{
		{0, "1", "intset"},
		{0, "1 2 3", "intset"},
		{0, "1 2 3 4", "hashtable"},
		{0, "a", "listpack"},
		{0, "01", "listpack"},
		{0, "a 1", "listpack"},
		{0, "a b c", "hashtable"},
		{0, "abcde", "hashtable"},
		{0, "1 a", "listpack"},
		{0, "1 2 a", "hashtable"},
		{0, "1 abcde", "hashtable"},
		{0, "10000 a", "hashtable"},
		{0, "-1000 a", "hashtable"},
		{3, "1", "intset"},
		{4, "1", "hashtable"},
		{3, "a", "hashtable"},
		{2, "a", "listpack"},
		{4, "a", "hashtable"},
	} {
		v := New()
		members := strings.Fields(c.add)
		if c.hint > 0 {
			v.Expect(lim, []byte(members[0]), c.hint)
		}
		for _, m := range members {
			v.Add(lim, []byte(m))
		}
		if got := v.Encoding(); got != c.want || v.Len() != len(members) {
			t.Errorf("%s, expecting %d: %s of %d, want %s", c.add, c.hint, got, v.Len(), c.want)
		}
	}
}

// TestOrder: the small forms have an order that is seen.
func TestOrder(t *testing.T) {
	lim := Limits{512, 128, 64}
	v := New()
	for _, m := range strings.Fields("300 -1 5 70000 2") {
		v.Add(lim, []byte(m))
	}
	if got := strings.Join(slices.Collect(members(v)), " "); got != "-1 2 5 300 70000" {
		t.Errorf("an intset is %s", got)
	}
	v.Add(lim, []byte("z"))
	v.Add(lim, []byte("a"))
	if got := strings.Join(slices.Collect(members(v)), " "); got != "-1 2 5 300 70000 z a" {
		t.Errorf("a listpack is %s", got)
	}
}

func members(v *Set) func(func(string) bool) {
	return func(yield func(string) bool) {
		v.Each(func(m []byte) bool { return yield(string(m)) })
	}
}

// TestAlgebra compares the combinations of random sets with those of maps.
func TestAlgebra(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 1000 {
		lim := forms[r.IntN(len(forms))]
		var sets []*Set
		var models []model
		for range 1 + r.IntN(6) {
			if len(sets) > 0 && r.IntN(8) == 0 {
				i := r.IntN(len(sets))
				sets, models = append(sets, sets[i]), append(models, models[i])
				continue
			}
			var v *Set
			m := model{}
			for range r.IntN(4) * r.IntN(20) {
				if v == nil {
					v = New()
				}
				x := member(r, r.IntN(2) == 0)
				v.Add(lim, x)
				m[string(x)] = true
			}
			sets, models = append(sets, v), append(models, m)
		}
		inter, union, diff := maps.Clone(models[0]), model{}, maps.Clone(models[0])
		for i, m := range models {
			for x := range m {
				union[x] = true
			}
			maps.DeleteFunc(inter, func(x string, _ bool) bool { return !m[x] })
			if i > 0 {
				maps.DeleteFunc(diff, func(x string, _ bool) bool { return m[x] })
			}
		}
		each := func(name string, want model, f func(sets []*Set, f func([]byte) bool)) {
			got := model{}
			f(slices.Clone(sets), func(x []byte) bool {
				if got[string(x)] {
					t.Fatalf("%s: %q comes twice", name, x)
				}
				got[string(x)] = true
				return true
			})
			if !maps.Equal(got, want) {
				t.Fatalf("%s of %v = %v, want %v", name, models, got, want)
			}
			n := 0
			f(slices.Clone(sets), func([]byte) bool { n++; return n < 2 })
			if n != min(len(want), 2) {
				t.Fatalf("%s goes on after false: %d", name, n)
			}
		}
		each("Inter", inter, Inter)
		each("Union", union, func(s []*Set, f func([]byte) bool) { Union(lim, s, f) })
		each("Diff", diff, func(s []*Set, f func([]byte) bool) { Diff(lim, s, f) })
		compare(t, InterStore(lim, slices.Clone(sets)), inter)
		compare(t, UnionStore(lim, slices.Clone(sets)), union)
		compare(t, DiffStore(lim, slices.Clone(sets)), diff)
		for i, v := range sets {
			compare(t, v, models[i])
		}
	}
}

func TestInterStoreGathersIntegers(t *testing.T) {
	lim := Limits{512, 128, 64}
	a, b := New(), New()
	for _, m := range strings.Fields("x 1 2 3") {
		a.Add(lim, []byte(m))
	}
	for _, m := range strings.Fields("y 3 2") {
		b.Add(lim, []byte(m))
	}
	if v := InterStore(lim, []*Set{a, b}); v.Encoding() != "intset" {
		t.Errorf("two integers are a %s", v.Encoding())
	}
	b.Add(lim, []byte("x"))
	if v := InterStore(lim, []*Set{a, b}); v.Encoding() != "listpack" {
		t.Errorf("integers and a text are a %s", v.Encoding())
	}
}

func TestPackedInAndOut(t *testing.T) {
	s := intset.New(0)
	l := listpack.New(0)
	for i := range int64(3) {
		s, _ = s.Add(i)
		l = l.AppendInt(i)
	}
	l = l.Append([]byte("text"))
	if v := FromIntset(Limits{3, 3, 9}, s.Clone()); v.Encoding() != "intset" || v.Len() != 3 {
		t.Error("an intset does not stay one")
	}
	if v := FromIntset(Limits{2, 3, 9}, s.Clone()); v.Encoding() != "hashtable" || v.Len() != 3 {
		t.Error("a long intset stays one")
	}
	v := FromListpack(Limits{2, 4, 4}, l.Clone())
	if got, ok := v.Listpack(); !ok || string(got) != string(l) || v.Encoding() != "listpack" {
		t.Error("a listpack does not stay one")
	}
	if _, ok := v.Intset(); ok {
		t.Error("a listpack is an intset")
	}
	for _, lim := range []Limits{{9, 3, 4}, {9, 4, 3}} {
		if v := FromListpack(lim, l.Clone()); v.Encoding() != "hashtable" || v.Len() != 4 {
			t.Errorf("%v: a large listpack stays one", lim)
		}
	}
}

func TestNilIsEmpty(t *testing.T) {
	var v *Set
	fail := func([]byte) bool { t.Error("a nil set has members"); return false }
	v.Each(fail)
	v.Sample(nil, 3, func(x []byte) { fail(x) })
	next := v.Scan(7, 10, func(x []byte) { fail(x) })
	if v.Len() != 0 || v.Has(nil) || next != 0 || v.Bytes() != 0 || v.Remove(nil) || v.Clone().Len() != 0 {
		t.Error("a nil set is not empty")
	}
}
