package hash

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/streampulse/pulse/store/listpack"
)

// forms are the limits under which the same operations are done: as a listpack for ever, as a table from the start, and
// turning from one to the other at different moments.
var forms = []Limits{
	{1 << 20, 1 << 20}, {0, 0}, {128, 64}, {10, 64}, {128, 5}, {3, 3},
}

func text(r *rand.Rand) []byte {
	switch r.IntN(5) {
	case 0:
		return fmt.Append(nil, r.Int64()>>r.IntN(64))
	case 1:
		return []byte(strings.Repeat("v", r.IntN(100)))
	case 2:
		return fmt.Appendf(nil, "%03d", r.IntN(1000)) // leading zeros: no integer
	}
	return fmt.Append(nil, "v", r.IntN(1000))
}

func TestModel(t *testing.T) {
	for i, lim := range forms {
		t.Run(fmt.Sprint(lim), func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			v, model := New(), map[string][]byte{}
			for step := range 4000 {
				f := fmt.Append(nil, r.IntN(60)-30)
				if r.IntN(3) == 0 {
					f = append(f, "f"...)
				}
				if step%1000 > 800 || r.IntN(4) == 0 {
					_, had := model[string(f)]
					if v.Delete(f) != had {
						t.Fatalf("Delete(%s) = %v", f, !had)
					}
					delete(model, string(f))
				} else {
					x := text(r)
					_, had := model[string(f)]
					if v.Set(lim, f, x) == had {
						t.Fatalf("Set(%s) = %v", f, had)
					}
					model[string(f)] = x
				}
				var scratch [20]byte
				got, ok := v.Get(f, scratch[:])
				want, had := model[string(f)]
				if ok != had || !bytes.Equal(got, want) || v.Has(f) != had || v.ValueLen(f) != len(want) {
					t.Fatalf("Get(%s) = %q, %v; want %q, %v", f, got, ok, want, had)
				}
				if step%100 == 0 {
					compare(t, v, model)
				}
			}
			c := v.Clone()
			for f := range model {
				v.Delete([]byte(f))
			}
			compare(t, v, map[string][]byte{})
			compare(t, c, model)
		})
	}
}

func compare(t *testing.T, v *Hash, model map[string][]byte) {
	t.Helper()
	if err := v.Check(); err != nil {
		t.Fatal(err)
	}
	if v.Len() != len(model) {
		t.Fatalf("Len = %d, want %d", v.Len(), len(model))
	}
	seen := map[string]bool{}
	see := func(f, x []byte) {
		want, ok := model[string(f)]
		if !ok || !bytes.Equal(want, x) {
			t.Fatalf("%q has %q, want %q", f, x, want)
		}
		seen[string(f)] = true
	}
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		cursor = v.Scan(cursor, 5, see)
	}
	if len(seen) != len(model) {
		t.Fatalf("Scan finds %d of %d fields", len(seen), len(model))
	}
	clear(seen)
	r := rand.New(rand.NewPCG(2, 2))
	v.Sample(r, len(model), see)
	if len(seen) != len(model) {
		t.Fatalf("Sample finds %d of %d fields", len(seen), len(model))
	}
	clear(seen)
	v.Sample(r, len(model)/4, see)
	if len(seen) != len(model)/4 {
		t.Fatalf("Sample finds %d of %d fields", len(seen), len(model)/4)
	}
	if len(model) > 0 {
		n := 0
		v.Draw(r, 7, func(f, x []byte) bool { n++; see(f, x); return true })
		v.Draw(r, 1, func(f, x []byte) bool { n++; see(f, x); return true })
		if n != 8 {
			t.Fatalf("Draw calls %d times", n)
		}
	}
}

func TestEncoding(t *testing.T) {
	b := func(n int) []byte { return bytes.Repeat([]byte{'x'}, n) }
	lim := Limits{Entries: 3, Value: 8}
	for _, step := range []struct {
		name string
		do   func(v *Hash)
		want string
	}{
		{"nothing", func(v *Hash) {}, "listpack"},
		{"as many as may be", func(v *Hash) { v.Set(lim, b(1), b(8)); v.Set(lim, b(2), b(8)); v.Set(lim, b(8), b(8)) }, "listpack"},
		{"one more", func(v *Hash) {
			for i := range 4 {
				v.Set(lim, b(i), nil)
			}
		}, "hashtable"},
		{"a long field", func(v *Hash) { v.Set(lim, b(9), nil) }, "hashtable"},
		{"a long value", func(v *Hash) { v.Set(lim, nil, b(9)) }, "hashtable"},
		{"a long value over a short one", func(v *Hash) { v.Set(lim, nil, b(1)); v.Set(lim, nil, b(9)) }, "hashtable"},
		{"no way back", func(v *Hash) { v.Set(lim, nil, b(9)); v.Delete(nil); v.Set(lim, nil, nil) }, "hashtable"},
		{"many expected", func(v *Hash) { v.Expect(lim, 4); v.Set(lim, nil, nil) }, "hashtable"},
		{"few expected", func(v *Hash) { v.Expect(lim, 3); v.Set(lim, nil, nil) }, "listpack"},
		{"a lower limit", func(v *Hash) { v.Set(lim, b(1), nil); v.Set(lim, b(2), nil); v.Set(Limits{1, 8}, b(1), nil) }, "hashtable"},
	} {
		v := New()
		step.do(v)
		if got := v.Encoding(); got != step.want {
			t.Errorf("%s: %s, want %s", step.name, got, step.want)
		}
		if c := v.Clone(); c.Encoding() != step.want {
			t.Errorf("%s: the copy is a %s", step.name, c.Encoding())
		}
	}
}

func TestListpackInAndOut(t *testing.T) {
	l := listpack.New(0).AppendPair([]byte("f"), []byte("12")).AppendPair([]byte("g"), []byte("long value"))
	for _, c := range []struct {
		lim  Limits
		want string
	}{{Limits{2, 10}, "listpack"}, {Limits{1, 10}, "hashtable"}, {Limits{2, 9}, "hashtable"}} {
		v := FromListpack(c.lim, l.Clone())
		if v.Encoding() != c.want || v.Len() != 2 {
			t.Errorf("%v: a %s of %d", c.lim, v.Encoding(), v.Len())
		}
		got, ok := v.Listpack()
		if ok != (c.want == "listpack") || ok && !bytes.Equal(got, l) {
			t.Errorf("%v: Listpack = %q, %v", c.lim, got, ok)
		}
	}
	var none *Hash
	if got, ok := none.Listpack(); !ok || got.Len() != 0 {
		t.Error("a nil hash is no empty listpack")
	}
}

func TestNilIsEmpty(t *testing.T) {
	var v *Hash
	fail := func(_, _ []byte) bool { t.Error("a nil hash has fields"); return false }
	v.Each(fail)
	v.Sample(nil, 3, func(f, x []byte) { fail(f, x) })
	next := v.Scan(7, 10, func(f, x []byte) { fail(f, x) })
	_, ok := v.Get(nil, nil)
	if v.Len() != 0 || v.Has(nil) || ok || v.ValueLen(nil) != 0 || next != 0 || v.Bytes() != 0 || v.Delete(nil) || v.Clone().Len() != 0 {
		t.Error("a nil hash is not empty")
	}
}
