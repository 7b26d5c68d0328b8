package dict

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestDeadlines does random things to a Dict and to a map of values with deadlines.
func TestDeadlines(t *testing.T) {
	type val struct {
		text []byte
		at   int64
	}
	r := rand.New(rand.NewPCG(3, 4))
	var d Dict
	model := map[string]val{}
	now := int64(1000)
	deadline := func() int64 {
		if r.IntN(3) == 0 {
			return Forever
		}
		return now + 1 + r.Int64N(3000)
	}
	for step := range 30_000 {
		k := key(r, 1500)
		m, had := model[string(k)]
		if !had {
			m.at = Forever
		}
		switch r.IntN(9) {
		case 0, 1:
			v, at := value(r), deadline()
			if d.SetAt(k, v, at) == had {
				t.Fatalf("step %d: SetAt(%.20q) = %v", step, k, had)
			}
			model[string(k)] = val{v, at}
		case 2:
			v := value(r)
			if d.Set(k, v) == had {
				t.Fatalf("step %d: Set(%.20q) = %v", step, k, had)
			}
			model[string(k)] = val{v, Forever}
		case 3:
			v := value(r)
			if d.Update(k, v) == had {
				t.Fatalf("step %d: Update(%.20q) = %v", step, k, had)
			}
			model[string(k)] = val{v, m.at}
		case 4, 5:
			at := deadline()
			if d.SetDeadline(k, at) != had {
				t.Fatalf("step %d: SetDeadline(%.20q) = %v", step, k, !had)
			}
			if had {
				model[string(k)] = val{m.text, at}
			}
		case 6:
			if d.Delete(k) != had {
				t.Fatalf("step %d: Delete(%.20q) = %v", step, k, !had)
			}
			delete(model, string(k))
		case 7:
			now += r.Int64N(20)
			limit, due := r.IntN(5), 0
			for _, v := range model {
				if v.at <= now {
					due++
				}
			}
			n := d.Expire(now, limit)
			if n != min(limit, due) {
				t.Fatalf("step %d: Expire = %d, limit %d, due %d", step, n, limit, due)
			}
			gone := int64(0)
			for name, v := range model {
				if v.at <= now && !d.Has([]byte(name)) {
					gone = max(gone, v.at)
					delete(model, name)
					n--
				}
			}
			if n != 0 || gone > d.Earliest() {
				t.Fatalf("step %d: %d others went, the latest at %d before %d", step, n, gone, d.Earliest())
			}
		default:
			got, ok := d.Get(k)
			at, found := d.Deadline(k)
			if ok != had || found != had || !bytes.Equal(got, m.text) || at != m.at {
				t.Fatalf("step %d: %.20q has %d bytes until %d, %v; want %d until %d, %v", step, k, len(got), at, ok, len(m.text), m.at, had)
			}
		}
		if step%3000 == 0 {
			c := &d
			if step%2 == 0 {
				c = d.Clone()
			}
			if err := c.Check(); err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
			timed, earliest, latest := 0, int64(Forever), int64(0)
			for _, v := range model {
				if v.at != Forever {
					timed++
				}
				earliest, latest = min(earliest, v.at), max(latest, v.at)
			}
			if c.Timed() != timed || c.Earliest() != earliest || len(model) > 0 && c.Latest() != latest || c.Len() != len(model) {
				t.Fatalf("step %d: %d of %d keys timed from %d to %d, want %d of %d from %d to %d", step,
					c.Timed(), c.Len(), c.Earliest(), c.Latest(), timed, len(model), earliest, latest)
			}
			c.EachAt(func(k, v []byte, at int64) bool {
				if m := model[string(k)]; !bytes.Equal(m.text, v) || m.at != at {
					t.Fatalf("step %d: EachAt reports %.20q until %d, want %d", step, k, at, m.at)
				}
				return true
			})
		}
	}
	for d.Expire(Forever-1, 100) > 0 {
	}
	if err := d.Check(); err != nil || d.Timed() != 0 || d.due != nil || d.Earliest() != Forever {
		t.Fatalf("%d deadlines left: %v", d.Timed(), err)
	}
}

// TestExpireMost: taking most keys at once is the same as taking them one by one.
func TestExpireMost(t *testing.T) {
	for _, stay := range []int{0, 1, 500, 999, 1000, 1001, 3000} {
		var d, e Dict
		for i := range 4000 {
			at, k := int64(1+i%7), fmt.Append(nil, "key:", i)
			if i < stay {
				at = []int64{Forever, 1000 + int64(i)}[i%2]
			}
			d.SetAt(k, k, at)
			e.SetAt(k, k, at)
		}
		if n := d.Expire(999, 1<<62); n != 4000-stay {
			t.Errorf("%d keys went, want %d", n, 4000-stay)
		}
		for e.Expire(999, 10) > 0 {
		}
		if err := d.Check(); err != nil || d.Len() != e.Len() || d.Timed() != e.Timed() || d.Earliest() != e.Earliest() {
			t.Errorf("%d stay: %d keys with %d deadlines from %d, want %d with %d from %d: %v", stay,
				d.Len(), d.Timed(), d.Earliest(), e.Len(), e.Timed(), e.Earliest(), err)
		}
		e.EachAt(func(k, v []byte, at int64) bool {
			if got, ok := d.Deadline(k); !ok || got != at {
				t.Errorf("%d stay: %s until %d, want %d", stay, k, got, at)
			}
			return true
		})
	}
}

func BenchmarkExpire(b *testing.B) {
	for _, all := range []bool{false, true} {
		b.Run(fmt.Sprint("most=", all), func(b *testing.B) {
			var d Dict
			d.Set([]byte("stays"), nil)
			for i := range b.N {
				d.SetAt(fmt.Append(nil, "key:", i), []byte("value"), int64(i%1000))
			}
			b.ResetTimer()
			for d.Timed() > 0 {
				if all {
					d.Expire(1000, b.N+1)
				} else {
					d.Expire(1000, 128)
				}
			}
		})
	}
}

// TestTimedUpdatesDoNotAllocate: a value that fits is written in place, deadline or not.
func TestTimedUpdatesDoNotAllocate(t *testing.T) {
	var d Dict
	for i := range 1000 {
		d.SetAt(fmt.Append(nil, "key:", i), []byte("value"), int64(i))
	}
	k, v := []byte("key:500"), []byte("VALUE")
	if n := testing.AllocsPerRun(100, func() { d.Update(k, v); d.SetAt(k, v, 500) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if got, _ := d.Get(k); string(got) != "VALUE" {
		t.Errorf("got %q", got)
	}
}
