package hash

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// timed is a value of the naive model.
type timed struct {
	text []byte
	at   int64
}

// TestTimes does random things with deadlines to a Hash of every form and to a map.
func TestTimes(t *testing.T) {
	for i, lim := range forms {
		t.Run(fmt.Sprint(lim), func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, uint64(i)))
			v, model, now := New(), map[string]timed{}, int64(1000)
			for step := range 6000 {
				f := fmt.Append(nil, "f", r.IntN(40))
				m, had := model[string(f)]
				if !had {
					m.at = Forever
				}
				at := int64(Forever)
				if r.IntN(3) > 0 {
					at = now + 1 + r.Int64N(200)
				}
				switch op := r.IntN(10); op {
				case 0, 1, 2:
					x, added := text(r), false
					switch op {
					case 0:
						added, at = v.Set(lim, f, x), Forever
					case 1:
						added = v.SetAt(lim, f, x, at)
					case 2:
						added, at = v.Update(lim, f, x), m.at
					}
					if added == had {
						t.Fatalf("step %d: field %s added: %v", step, f, added)
					}
					model[string(f)] = timed{x, at}
				case 3, 4, 5:
					if v.SetDeadline(f, at) != had {
						t.Fatalf("step %d: SetDeadline(%s) = %v", step, f, !had)
					}
					if had {
						model[string(f)] = timed{m.text, at}
					}
				case 6:
					if v.Delete(f) != had {
						t.Fatalf("step %d: Delete(%s) = %v", step, f, !had)
					}
					delete(model, string(f))
				case 7:
					now += r.Int64N(30)
					due := 0
					for _, m := range model {
						if m.at <= now {
							due++
						}
					}
					limit := r.IntN(6)
					pack := v.table == nil
					n := v.Expire(now, limit)
					if n != min(limit, due) && (n != due || !pack && v.Len() != 0) {
						t.Fatalf("step %d: Expire = %d, limit %d, due %d", step, n, limit, due)
					}
					for f, m := range model {
						if m.at <= now && !v.Has([]byte(f)) {
							delete(model, f)
							n--
						}
					}
					if n != 0 {
						t.Fatalf("step %d: Expire took %d fields that were not due", step, n)
					}
				default:
					got, ok := v.Deadline(f)
					if ok != had || got != m.at {
						t.Fatalf("step %d: Deadline(%s) = %d, %v; want %d, %v", step, f, got, ok, m.at, had)
					}
				}
				if step%50 == 0 {
					compareTimes(t, v, model)
					compareTimes(t, v.Clone(), model)
				}
			}
			for v.Expire(Forever-1, 3) > 0 {
			}
			if v.Volatile() || v.NextDeadline() != Forever {
				t.Errorf("%d deadlines left, the next at %d", v.Timed(), v.NextDeadline())
			}
		})
	}
}

func compareTimes(t *testing.T, v *Hash, model map[string]timed) {
	t.Helper()
	plain, n, next := map[string][]byte{}, 0, int64(Forever)
	for f, m := range model {
		plain[f] = m.text
		if m.at != Forever {
			n, next = n+1, min(next, m.at)
		}
	}
	compare(t, v, plain)
	if v.Timed() != n || v.Volatile() != (n > 0) || v.NextDeadline() != next {
		t.Fatalf("%d fields have deadlines, the next is %d; want %d, %d", v.Timed(), v.NextDeadline(), n, next)
	}
	want := "listpack"
	if v.table != nil {
		want = "hashtable"
	} else if n > 0 {
		want = "listpackex"
	}
	if _, _, ok := v.Packed(); v.Encoding() != want || ok && want != "listpack" {
		t.Fatalf("a %s, want %s; packed: %v", v.Encoding(), want, ok)
	}
	v.EachAt(func(f, x []byte, at int64) bool {
		if m, ok := model[string(f)]; !ok || !bytes.Equal(m.text, x) || m.at != at {
			t.Fatalf("EachAt reports %s until %d, want %d", f, at, m.at)
		}
		return true
	})
}

func TestExpireAllAtOnce(t *testing.T) {
	for _, lim := range forms {
		v := New()
		for i := range 500 {
			v.SetAt(lim, fmt.Append(nil, i), nil, int64(i))
		}
		want := 10
		if v.table == nil {
			want = 100
		}
		if n := v.Expire(99, 10); n != want || v.Len() != 500-want {
			t.Errorf("%v: %d of 500 fields went, %d left", lim, n, v.Len())
		}
		if n := v.Expire(99, 1000); n != 100-want || v.NextDeadline() != 100 {
			t.Errorf("%v: %d fields went, the next goes at %d", lim, n, v.NextDeadline())
		}
		n := 0
		for v.Len() > 0 {
			n += v.Expire(1000, 399)
		}
		if n != 400 || v.Volatile() {
			t.Errorf("%v: %d fields went", lim, n)
		}
	}
}

func TestListed(t *testing.T) {
	v := New()
	v.SetListed(Forever)
	if v.times != nil || v.Listed() != Forever {
		t.Error("a hash that is listed nowhere takes memory for it")
	}
	v.SetAt(forms[0], []byte("f"), nil, 7)
	if v.Listed() != Forever {
		t.Errorf("a new hash is listed at %d", v.Listed())
	}
	v.SetListed(7)
	if v.Clone().Listed() != Forever {
		t.Error("a copy is listed")
	}
	v.Expect(Limits{}, 1)
	v.SetDeadline([]byte("f"), Forever)
	if v.Listed() != 7 {
		t.Errorf("listed at %d, want 7 until the store says otherwise", v.Listed())
	}
}

func TestNilHasNoTimes(t *testing.T) {
	var v *Hash
	at, ok := v.Deadline(nil)
	if at != Forever || ok || v.SetDeadline(nil, 1) || v.Volatile() || v.NextDeadline() != Forever || v.Expire(1, 1) != 0 {
		t.Error("a nil hash has deadlines")
	}
	v.EachAt(func(_, _ []byte, _ int64) bool { t.Error("a nil hash has fields"); return false })
}

func BenchmarkSetAt(b *testing.B) {
	for _, n := range []int{10, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			lim := Limits{Entries: 128, Value: 64}
			v, fields := New(), make([][]byte, n)
			for i := range fields {
				fields[i] = fmt.Append(nil, "field:", i)
				v.SetAt(lim, fields[i], []byte("value"), int64(i))
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				v.SetAt(lim, fields[i%n], []byte("value"), int64(n+i))
				i++
			}
		})
	}
}
