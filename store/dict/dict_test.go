package dict

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// value returns a value whose length is now and then beyond the borders of the block layouts.
func value(r *rand.Rand) []byte {
	n := r.IntN(40)
	switch r.IntN(200) {
	case 0:
		n = 9000 + r.IntN(3000)
	case 1:
		n = 65500 + r.IntN(80)
	case 2, 3, 4:
		n = r.IntN(600)
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func key(r *rand.Rand, n int) []byte {
	k := []byte(fmt.Sprint("key:", r.IntN(n)))
	if len(k)%3 == 0 {
		k = append(k, bytes.Repeat([]byte{'x'}, 240+int(k[len(k)-1])%40)...)
	}
	return k
}

// TestModel does random things to a Dict and to a map.
func TestModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var d Dict
	model := map[string][]byte{}
	for i := range 25_000 {
		k := key(r, 3000)
		switch op := r.IntN(10); {
		case op < 5 || op < 9 && i/5000%2 == 0:
			v := value(r)
			_, had := model[string(k)]
			if added := d.Set(k, v); added == had {
				t.Fatalf("Set(%q) = %v", k, added)
			}
			model[string(k)] = v
		case op == 5:
			_, had := model[string(k)]
			if added := d.Add(k); added == had {
				t.Fatalf("Add(%q) = %v", k, added)
			}
			if !had {
				model[string(k)] = nil
			}
		default:
			_, had := model[string(k)]
			if d.Delete(k) != had {
				t.Fatalf("Delete(%q) = %v", k, !had)
			}
			delete(model, string(k))
		}
		if k = key(r, 3000); i%3 == 0 {
			v, ok := d.Get(k)
			want, had := model[string(k)]
			if ok != had || !bytes.Equal(v, want) || d.Has(k) != had {
				t.Fatalf("Get(%q) = %q, %v; want %q, %v", k, v, ok, want, had)
			}
		}
		if i%2500 == 0 {
			compare(t, &d, model)
		}
	}
	compare(t, &d, model)
	c := d.Clone()
	for k := range model {
		d.Delete([]byte(k))
	}
	compare(t, &d, nil)
	compare(t, c, model)
}

func compare(t *testing.T, d *Dict, model map[string][]byte) {
	t.Helper()
	if err := d.Check(); err != nil {
		t.Fatal(err)
	}
	if d.Len() != len(model) {
		t.Fatalf("Len = %d, want %d", d.Len(), len(model))
	}
	n := 0
	d.Each(func(k, v []byte) bool {
		n++
		if want, ok := model[string(k)]; !ok || !bytes.Equal(v, want) {
			t.Fatalf("Each: %q has %q, want %q", k, v, want)
		}
		return true
	})
	if n != len(model) {
		t.Fatalf("Each calls %d times for %d keys", n, len(model))
	}
}

// TestOverwriteKeepsNeighbours overwrites values in place and out of it with lengths around the size of a block.
func TestOverwriteKeepsNeighbours(t *testing.T) {
	var d Dict
	keys := []string{"a", "b", "c"}
	for n := range 400 {
		for i, k := range keys {
			d.Set([]byte(k), bytes.Repeat([]byte{byte(i)}, (n*(i+7))%300))
		}
		for i, k := range keys {
			v, _ := d.Get([]byte(k))
			if !bytes.Equal(v, bytes.Repeat([]byte{byte(i)}, (n*(i+7))%300)) {
				t.Fatalf("round %d: %s is %v", n, k, v)
			}
		}
	}
	if err := d.Check(); err != nil {
		t.Fatal(err)
	}
}

// TestScanGuarantee: what stays from the first to the last call is reported once, though the table grows and shrinks.
func TestScanGuarantee(t *testing.T) {
	for _, count := range []int{1, 7, 100, 5000} {
		r := rand.New(rand.NewPCG(3, uint64(count)))
		var d Dict
		for i := range 1000 {
			d.Add(fmt.Append(nil, "stay:", i))
			d.Add(fmt.Append(nil, "go:", i))
		}
		seen := map[string]int{}
		fresh := 0
		for cursor, first := uint64(0), true; first || cursor != 0; first = false {
			cursor = d.Scan(cursor, count, func(k, _ []byte) { seen[string(k)]++ })
			for range r.IntN(50) {
				d.Delete(fmt.Append(nil, "go:", r.IntN(1000)))
			}
			for range min(r.IntN(40), 3000-fresh) {
				d.Add(fmt.Append(nil, "new:", fresh))
				fresh++
			}
		}
		for i := range 1000 {
			if n := seen[fmt.Sprint("stay:", i)]; n != 1 {
				t.Fatalf("count %d: stay:%d was reported %d times", count, i, n)
			}
		}
	}
	var d Dict
	d.Add([]byte("a"))
	if next := d.Scan(1<<63, 10, func(_, _ []byte) { t.Error("a cursor beyond the end reports something") }); next != 0 {
		t.Errorf("a cursor beyond the end leads to %d", next)
	}
}

func TestSampleTakesDifferentKeys(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var d Dict
	d.Sample(r, 3, func(_, _ []byte) { t.Error("an empty table has a sample") })
	hits := map[string]int{}
	for i := range 300 {
		d.Add(fmt.Append(nil, i))
	}
	for range 300 {
		for _, n := range []int{0, 1, 10, 50, 99, 100, 299, 300, 1000} {
			seen := map[string]bool{}
			d.Sample(r, n, func(k, _ []byte) {
				seen[string(k)] = true
				hits[string(k)]++
			})
			if len(seen) != min(n, 300) {
				t.Fatalf("a sample of %d has %d keys", n, len(seen))
			}
		}
	}
	// 1159 of 300 keys, 300 times: each is hit 1159 times but for chance.
	for k, n := range hits {
		if n < 1000 || n > 1300 {
			t.Errorf("%s was chosen %d times", k, n)
		}
	}
	if len(hits) != 300 {
		t.Errorf("%d of 300 keys were chosen", len(hits))
	}
}

func TestRandomIsFair(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var d Dict
	for i := range 200 {
		d.Add(fmt.Append(nil, i))
	}
	hits := map[string]int{}
	for range 50_000 {
		k, _ := d.Random(r)
		hits[string(k)]++
	}
	for i := range 200 {
		if n := hits[fmt.Sprint(i)]; n < 150 || n > 400 {
			t.Errorf("%d was chosen %d times of 250 expected", i, n)
		}
	}
}

// TestWasteIsBounded overwrites with changing lengths for long: the arena must not grow with the number of changes.
func TestWasteIsBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	var d Dict
	buf := make([]byte, 400)
	for range 60_000 {
		d.Set(fmt.Append(nil, r.IntN(2000)), buf[:r.IntN(len(buf))])
	}
	if live, all := d.blocks.Live(), d.Bytes(); all > live*3/2+300_000 {
		t.Errorf("%d bytes are held for %d", all, live)
	}
	if err := d.Check(); err != nil {
		t.Error(err)
	}
}

func TestNoAllocation(t *testing.T) {
	var d Dict
	k, v := []byte("field"), []byte("value")
	for i := range 1000 {
		d.Set(fmt.Append(nil, i), v)
	}
	d.Set(k, v)
	if n := testing.AllocsPerRun(100, func() {
		d.Set(k, v)
		d.Add(k)
		d.Get(k)
		d.Has(k)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSetExisting(b *testing.B) {
	var d Dict
	keys := make([][]byte, 1<<16)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "field:%d", i)
		d.Set(keys[i], keys[i])
	}
	for i := 0; b.Loop(); i++ {
		d.Set(keys[i&(len(keys)-1)], keys[0])
	}
}

func BenchmarkGet(b *testing.B) {
	var d Dict
	keys := make([][]byte, 1<<16)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "field:%d", i)
		d.Set(keys[i], keys[i])
	}
	for i := 0; b.Loop(); i++ {
		d.Get(keys[i&(len(keys)-1)])
	}
}
