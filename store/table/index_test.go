package table

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// model is a naive index: the hash of each reference.
type model struct {
	t    *testing.T
	x    Index
	hash map[uint32]uint64
	refs []uint32
	next uint32
}

func newModel(t *testing.T) *model { return &model{t: t, hash: map[uint32]uint64{}} }

func (m *model) HashOf(ref uint32) uint64 { return m.hash[ref] }

func (m *model) insert(h uint64) uint32 {
	m.next++
	m.hash[m.next] = h
	m.x.Insert(h, m.next, m)
	m.refs = append(m.refs, m.next)
	return m.next
}

// seek returns a cursor at ref.
func (m *model) seek(ref uint32) Cursor {
	m.t.Helper()
	c := m.x.Seek(m.hash[ref])
	for {
		got, ok := c.Next()
		if !ok {
			m.t.Fatalf("reference %d, hash %#x, is not found", ref, m.hash[ref])
		}
		if got == ref {
			return c
		}
	}
}

func (m *model) delete(k int) {
	m.t.Helper()
	ref := m.refs[k]
	c := m.seek(ref)
	m.x.Delete(&c)
	delete(m.hash, ref)
	m.refs[k] = m.refs[len(m.refs)-1]
	m.refs = m.refs[:len(m.refs)-1]
}

func (m *model) replace(k int) {
	m.t.Helper()
	ref := m.refs[k]
	c := m.seek(ref)
	m.next++
	c.Replace(m.next)
	m.hash[m.next] = m.hash[ref]
	delete(m.hash, ref)
	m.refs[k] = m.next
}

// check compares the index with the model and looks at its structure.
func (m *model) check() {
	m.t.Helper()
	if m.x.Len() != len(m.refs) {
		m.t.Fatalf("Len = %d, want %d", m.x.Len(), len(m.refs))
	}
	for _, ref := range m.refs {
		m.seek(ref)
	}
	var all []uint32
	m.x.All(func(ref uint32) bool { all = append(all, ref); return true })
	slices.Sort(all)
	want := slices.Sorted(slices.Values(m.refs))
	if !slices.Equal(all, want) {
		m.t.Fatalf("All shows %d references, want %d", len(all), len(want))
	}
	if m.x.dir == nil {
		return
	}
	if len(m.x.dir) != 1<<m.x.depth {
		m.t.Fatalf("the directory has %d entries at depth %d", len(m.x.dir), m.x.depth)
	}
	segs, n := 0, 0
	for d := 0; d < len(m.x.dir); segs++ {
		s := m.x.dir[d]
		run := 1 << (m.x.depth - s.depth)
		if d%run != 0 {
			m.t.Fatalf("a segment of depth %d begins at entry %d of depth %d", s.depth, d, m.x.depth)
		}
		for i := range run {
			if m.x.dir[d+i] != s {
				m.t.Fatalf("entry %d is not of the segment of entry %d", d+i, d)
			}
		}
		used := 0
		for i := range slots {
			if !s.used(i) {
				continue
			}
			used++
			h := m.hash[s.ref[i]]
			if f := s.fp[i>>3] >> (i & 7 * 8) & 0xff; f != fingerprint(h) {
				m.t.Fatalf("fingerprint %#x for hash %#x", f, h)
			}
			if at := m.x.slotOf(h); at < d || at >= d+run {
				m.t.Fatalf("hash %#x stands in entries %d..%d", h, d, d+run-1)
			}
		}
		if used != int(s.n) {
			m.t.Fatalf("a segment counts %d entries and has %d", s.n, used)
		}
		n += used
		d += run
	}
	if segs != m.x.segs || n != m.x.n {
		m.t.Fatalf("%d entries in %d segments, the books say %d in %d", n, segs, m.x.n, m.x.segs)
	}
}

// hashes are ways to draw hashes, some of them unkind.
var hashes = []struct {
	name string
	draw func(r *rand.Rand) uint64
}{
	{"uniform", func(r *rand.Rand) uint64 { return r.Uint64() }},
	{"few fingerprints", func(r *rand.Rand) uint64 { return r.Uint64()&^(0xff<<16) | r.Uint64N(2)<<16 }},
	{"one home word", func(r *rand.Rand) uint64 { return r.Uint64() &^ (7 << 24) }},
	{"equal hashes", func(r *rand.Rand) uint64 { return r.Uint64() &^ (1<<51 - 1) }},
	{"no low bits", func(r *rand.Rand) uint64 { return r.Uint64() << 10 }},
	{"crowded prefix", func(r *rand.Rand) uint64 { return r.Uint64()>>7 | 0x2b<<57 }},
}

func TestAgainstModel(t *testing.T) {
	for _, hs := range hashes {
		t.Run(hs.name, func(t *testing.T) {
			m := newModel(t)
			m.check()
			r := rand.New(rand.NewPCG(1, 2))
			// The index grows and shrinks by turns, so that segments split and merge.
			for phase, steps := range []int{6000, 5500, 3000, 6000} {
				for range steps {
					grow := r.IntN(10) < 9
					if phase%2 == 1 {
						grow = !grow
					}
					switch {
					case len(m.refs) == 0 || grow:
						m.insert(hs.draw(r))
					case r.IntN(10) == 0:
						m.replace(r.IntN(len(m.refs)))
					default:
						m.delete(r.IntN(len(m.refs)))
					}
				}
				m.check()
			}
			for len(m.refs) > 0 {
				m.delete(r.IntN(len(m.refs)))
			}
			m.check()
		})
	}
}

// TestReserve lays indexes out for fewer, as many and more references than come, and for such as come otherwise than
// expected.
func TestReserve(t *testing.T) {
	for _, hs := range hashes {
		for _, n := range []int{0, 40, 3000, 20_000} {
			m := newModel(t)
			m.x.Reserve(n)
			m.check()
			r := rand.New(rand.NewPCG(1, 2))
			for range 3000 {
				m.insert(hs.draw(r))
			}
			m.check()
			if hs.name == "uniform" && n == 3000 && m.x.segs > 64+8 {
				t.Errorf("%d segments for %d references that were announced", m.x.segs, n)
			}
			m.x.Reserve(1 << 20) // not empty: nothing
			for len(m.refs) > 100 {
				m.delete(r.IntN(len(m.refs)))
			}
			m.check()
		}
	}
}

// TestMergesGiveMemoryBack deletes nearly everything.
func TestMergesGiveMemoryBack(t *testing.T) {
	m := newModel(t)
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		m.insert(r.Uint64())
	}
	full := m.x.segs
	for len(m.refs) > 100 {
		m.delete(r.IntN(len(m.refs)))
	}
	m.check()
	if m.x.segs > full/8 {
		t.Errorf("100 entries are spread over %d segments; 20000 took %d", m.x.segs, full)
	}
}

// TestScanGuarantee walks in hash order while other entries come and go in numbers that split and merge segments all
// the time. What stays is seen once, in order.
func TestScanGuarantee(t *testing.T) {
	for _, hs := range hashes {
		t.Run(hs.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 4))
			for round := range 6 {
				m := newModel(t)
				stay := map[uint32]bool{}
				for range 300 + 130*round {
					stay[m.insert(hs.draw(r))] = true
				}
				var others []uint32
				churn := func(n int) {
					for range n {
						if len(others) < 300 || r.IntN(2) == 0 && len(others) < 4000 {
							others = append(others, m.insert(hs.draw(r)))
							continue
						}
						k := r.IntN(len(others))
						m.delete(slices.Index(m.refs, others[k]))
						others[k] = others[len(others)-1]
						others = others[:len(others)-1]
					}
				}
				churn(1000)
				seen := map[uint32]int{}
				var buf [slots]Entry
				pos, least, last := uint64(0), uint64(0), false
				for !last {
					var entries []Entry
					entries, pos, last = m.x.From(pos, m, buf[:0])
					for _, e := range entries {
						if e.Hash < least || e.Hash != m.hash[e.Ref] {
							t.Fatalf("hash %#x of reference %d comes after %#x", e.Hash, e.Ref, least)
						}
						least = e.Hash
						seen[e.Ref]++
					}
					churn(100)
				}
				for ref := range stay {
					if seen[ref] != 1 {
						t.Fatalf("reference %d was seen %d times", ref, seen[ref])
					}
				}
				m.check()
			}
		})
	}
}

// TestRandomIsUniform draws often enough that each of the entries comes up about as often as the others.
func TestRandomIsUniform(t *testing.T) {
	m := newModel(t)
	r := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		m.insert(r.Uint64())
	}
	count := map[uint32]int{}
	const each = 200
	for range each * len(m.refs) {
		count[m.x.Random(r)]++
	}
	for _, ref := range m.refs {
		if n := count[ref]; n < each/2 || n > each*2 {
			t.Errorf("a reference was drawn %d times, on average it is %d", n, each)
		}
	}
	for len(m.refs) > 1 {
		m.delete(0)
	}
	for range 10 {
		if got := m.x.Random(r); got != m.refs[0] {
			t.Fatalf("Random = %d, the only reference is %d", got, m.refs[0])
		}
	}
}

func TestAllStops(t *testing.T) {
	m := newModel(t)
	r := rand.New(rand.NewPCG(7, 8))
	for range 1000 {
		m.insert(r.Uint64())
	}
	n := 0
	m.x.All(func(uint32) bool { n++; return n < 100 })
	if n != 100 {
		t.Errorf("All went on to entry %d", n)
	}
}
