package zset

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/streampulse/pulse/store/listpack"
)

type pair struct {
	member string
	score  float64
}

func (p pair) compare(q pair) int {
	return cmp.Or(cmp.Compare(p.score, q.score), strings.Compare(p.member, q.member))
}

// model is a sorted slice beside the set.
type model struct {
	z     *ZSet
	lim   Limits
	pairs []pair
}

func (m *model) index(member string) int {
	return slices.IndexFunc(m.pairs, func(p pair) bool { return p.member == member })
}

func (m *model) put(member string, score float64) {
	if i := m.index(member); i >= 0 {
		m.pairs = slices.Delete(m.pairs, i, i+1)
	}
	p := pair{member, score}
	i, _ := slices.BinarySearchFunc(m.pairs, p, pair.compare)
	m.pairs = slices.Insert(m.pairs, i, p)
}

// add applies the mode as the command reference words it.
func (m *model) add(t *testing.T, member string, score float64, mode Mode) {
	t.Helper()
	i := m.index(member)
	want, out := score, Added
	switch {
	case i < 0 && mode&XX != 0, i >= 0 && mode&NX != 0:
		out = Refused
	case i >= 0:
		old := m.pairs[i].score
		if mode&Incr != 0 {
			want += old
		}
		switch {
		case math.IsNaN(want):
			out = NaN
		case mode&GT != 0 && !(want > old), mode&LT != 0 && !(want < old):
			out = Refused
		case want == old:
			out = Same
		default:
			out = Updated
		}
	}
	if out == Added || out == Updated {
		m.put(member, want)
	}
	got, o := m.z.Add([]byte(member), score, mode, m.lim)
	if o != out || out != Refused && out != NaN && got != want {
		t.Fatalf("Add(%q, %v, %d) = %v, %d, want %v, %d", member, score, mode, got, o, want, out)
	}
}

func (m *model) slice(start, n int, rev bool) (got []pair) {
	m.z.Each(start, n, rev, func(b []byte, s float64) bool {
		got = append(got, pair{string(b), s})
		return true
	})
	return got
}

func (m *model) compare(t *testing.T) {
	t.Helper()
	if err := m.z.Check(); err != nil {
		t.Fatal(err)
	}
	if got := m.slice(0, math.MaxInt, false); !slices.Equal(got, m.pairs) || m.z.Len() != len(m.pairs) {
		t.Fatalf("%d members: %v\nwant %d: %v", m.z.Len(), got, len(m.pairs), m.pairs)
	}
}

func (m *model) probe(t *testing.T, rng *rand.Rand) {
	t.Helper()
	member := memberOf(rng)
	i := m.index(member)
	rank, score, ok := m.z.Rank([]byte(member))
	if s, ok2 := m.z.Score([]byte(member)); ok != (i >= 0) || ok != ok2 || ok && (rank != i || score != m.pairs[i].score || s != score) {
		t.Fatalf("Rank(%q) = %d, %v, %v, want %d", member, rank, score, ok, i)
	}
	r := ScoreRange{scoreOf(rng), scoreOf(rng), rng.IntN(2) == 0, rng.IntN(2) == 0}
	start, end := m.z.ByScore(r)
	var want []pair
	for _, p := range m.pairs {
		if (p.score > r.Min || !r.MinEx && p.score == r.Min) && (p.score < r.Max || !r.MaxEx && p.score == r.Max) {
			want = append(want, p)
		}
	}
	if got := m.slice(start, end-start, false); !slices.Equal(got, want) {
		t.Fatalf("ByScore(%v) = %d, %d: %v, want %v", r, start, end, got, want)
	}
	if n := len(m.pairs); n > 0 {
		at, k := rng.IntN(n), rng.IntN(5)
		want := slices.Clone(m.pairs[max(0, at-k+1) : at+1])
		slices.Reverse(want)
		if k == 0 {
			want = nil
		}
		if got := m.slice(at, k, true); !slices.Equal(got, want) {
			t.Fatalf("Each(%d, %d, rev) = %v, want %v", at, k, got, want)
		}
	}
}

// memberOf yields members that come again and again, some of which look like integers.
func memberOf(rng *rand.Rand) string {
	i := rng.IntN(60)
	switch i % 3 {
	case 0:
		return fmt.Sprint(i - 30)
	case 1:
		return fmt.Sprintf("m%d", i)
	}
	return strings.Repeat("l", i)
}

var scores = []float64{0, 1, 1.5, -3, 1e17, 2.5e-7, 42, math.Inf(1), math.Inf(-1), 12345}

func scoreOf(rng *rand.Rand) float64 { return scores[rng.IntN(len(scores))] }

var configurations = []struct {
	name string
	lim  Limits
}{
	{"listpack", Limits{1000, 1000}},
	{"growing", Limits{30, 50}},
	{"skiplist", Limits{0, 0}},
}

func TestAgainstModel(t *testing.T) {
	for _, tc := range configurations {
		t.Run(tc.name, func(t *testing.T) {
			for seed := range uint64(4) {
				rng := rand.New(rand.NewPCG(seed, 7))
				m := &model{z: New(), lim: tc.lim}
				for i := range 4000 {
					switch op := rng.IntN(20); {
					case op < 12:
						mode := []Mode{0, 0, NX, XX, GT, LT, Incr, Incr | XX, XX | GT, Incr | LT}[rng.IntN(10)]
						m.add(t, memberOf(rng), scoreOf(rng), mode)
					case op < 18:
						member := memberOf(rng)
						k := m.index(member)
						if got := m.z.Remove([]byte(member)); got != (k >= 0) {
							t.Fatalf("Remove(%q) = %v", member, got)
						}
						if k >= 0 {
							m.pairs = slices.Delete(m.pairs, k, k+1)
						}
					case op < 19 && len(m.pairs) > 0:
						k := rng.IntN(len(m.pairs))
						end := min(len(m.pairs), k+rng.IntN(4))
						m.z.RemoveRange(k, end)
						m.pairs = slices.Delete(m.pairs, k, end)
					default:
						c := m.z.Clone()
						m.z.Add([]byte("only in the old one"), 1, 0, m.lim)
						m.z = c
					}
					m.probe(t, rng)
					if i%10 == 0 {
						m.compare(t)
					}
				}
				m.compare(t)
			}
		})
	}
}

func TestByLex(t *testing.T) {
	bound := func(s string) Bound {
		switch s[0] {
		case '-':
			return Bound{Inf: -1}
		case '+':
			return Bound{Inf: 1}
		}
		return Bound{Member: []byte(s[1:]), Ex: s[0] == '('}
	}
	for _, cfg := range configurations {
		z := New()
		for _, m := range []string{"b", "10", "", "a", "c", "aa"} { // in order: "" 10 a aa b c
			z.Add([]byte(m), 0, 0, cfg.lim)
		}
		for _, tc := range []struct {
			min, max   string
			start, end int
		}{
			{"-", "+", 0, 6}, {"+", "-", 0, 0}, {"[a", "[b", 2, 5}, {"(a", "(b", 3, 4}, {"[a", "(a", 0, 0}, {"[a", "[a", 2, 3},
			{"[", "[", 0, 1}, {"(", "[2", 1, 2}, {"[zz", "+", 6, 6}, {"-", "(10", 0, 1}, {"[c", "[a", 0, 0}, {"+", "+", 0, 0},
			{"[bb", "[bc", 5, 5},
		} {
			if start, end := z.ByLex(LexRange{bound(tc.min), bound(tc.max)}); end-start != tc.end-tc.start || end > start && start != tc.start {
				t.Errorf("%s: ByLex(%s, %s) = %d, %d, want %d, %d", cfg.name, tc.min, tc.max, start, end, tc.start, tc.end)
			}
		}
	}
}

func TestEncodings(t *testing.T) {
	lim := Limits{3, 5}
	for _, tc := range []struct {
		name string
		fill func(z *ZSet)
		want string
	}{
		{"empty", func(z *ZSet) {}, "listpack"},
		{"as many as allowed", func(z *ZSet) { addAll(z, lim, "a", "b", "c") }, "listpack"},
		{"one more", func(z *ZSet) { addAll(z, lim, "a", "b", "c", "d") }, "skiplist"},
		{"no way back", func(z *ZSet) { addAll(z, lim, "a", "b", "c", "d"); z.RemoveRange(0, 3) }, "skiplist"},
		{"as long as allowed", func(z *ZSet) { addAll(z, lim, "12345") }, "listpack"},
		{"longer", func(z *ZSet) { addAll(z, lim, "123456") }, "skiplist"},
		{"expected more", func(z *ZSet) { z.Expect(4, lim); addAll(z, lim, "a") }, "skiplist"},
	} {
		z := New()
		tc.fill(z)
		if got := z.Encoding(); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func addAll(z *ZSet, lim Limits, members ...string) {
	for i, m := range members {
		z.Add([]byte(m), float64(i), 0, lim)
	}
}

func TestNilIsEmpty(t *testing.T) {
	var z *ZSet
	if _, ok := z.Score([]byte("a")); ok || z.Len() != 0 || z.Encoding() != "listpack" || z.Bytes() != 0 {
		t.Error("nil has something in it")
	}
	if _, _, ok := z.Rank(nil); ok {
		t.Error("nil knows a rank")
	}
	start, end := z.ByScore(ScoreRange{Min: math.Inf(-1), Max: math.Inf(1)})
	if start != end {
		t.Error("nil has scores")
	}
	z.Each(0, 10, false, func([]byte, float64) bool { t.Error("nil has a member"); return true })
	z.Scan(0, 10, func([]byte, float64) { t.Error("nil has a member") })
}

// A scan sees all that stays, whatever comes and goes meanwhile.
func TestScanSeesWhatStays(t *testing.T) {
	for _, cfg := range configurations {
		z := New()
		for i := range 900 {
			z.Add(fmt.Appendf(nil, "stays%d", i), 1, 0, cfg.lim)
		}
		seen := map[string]bool{}
		for cursor, round := uint64(0), 0; ; round++ {
			cursor = z.Scan(cursor, 10, func(m []byte, _ float64) { seen[string(m)] = true })
			if cursor == 0 {
				break
			}
			for i := range 40 {
				z.Add(fmt.Appendf(nil, "goes%d-%d", round, i), 2, 0, cfg.lim)
				z.Remove(fmt.Appendf(nil, "goes%d-%d", round-3, i))
			}
		}
		for i := range 900 {
			if !seen[fmt.Sprintf("stays%d", i)] {
				t.Fatalf("%s: member %d was not reported", cfg.name, i)
			}
		}
	}
}

func TestBuilder(t *testing.T) {
	for _, cfg := range configurations {
		rng := rand.New(rand.NewPCG(1, 9))
		m := &model{lim: cfg.lim}
		b := NewBuilder()
		for range 300 {
			member, s := memberOf(rng), float64(rng.IntN(10))
			if i := m.index(member); i >= 0 {
				m.put(member, m.pairs[i].score+s)
			} else {
				m.put(member, s)
			}
			b.Merge([]byte(member), s, func(x, y float64) float64 { return x + y })
		}
		m.z = b.Build(cfg.lim)
		m.compare(t)
		want := "listpack"
		if cfg.lim.Entries < 60 {
			want = "skiplist"
		}
		if m.z.Encoding() != want {
			t.Errorf("%s: %s, want %s", cfg.name, m.z.Encoding(), want)
		}
	}
}

func TestBuilderOfNew(t *testing.T) {
	for _, cfg := range configurations {
		rng := rand.New(rand.NewPCG(2, 9))
		m := &model{lim: cfg.lim}
		b := NewBuilder()
		for range 300 {
			if member := memberOf(rng); m.index(member) < 0 {
				s := scoreOf(rng)
				m.put(member, s)
				b.AddNew([]byte(member), s)
			}
		}
		m.z = b.Build(cfg.lim)
		m.compare(t)
	}
}

func FuzzFromPacked(f *testing.F) {
	z := New()
	addAll(z, Limits{10, 10}, "a", "2", "c")
	f.Add([]byte(z.pack))
	f.Add([]byte(listpack.New(0)))
	f.Add([]byte(listpack.New(0).AppendPair([]byte("a"), []byte("nan"))))
	f.Add([]byte(listpack.New(0).AppendPair([]byte("a"), []byte("2")).AppendPair([]byte("b"), []byte("1"))))
	f.Add([]byte(listpack.New(0).AppendPair([]byte("a"), []byte("1")).AppendPair([]byte("a"), []byte("1.5"))))
	f.Add([]byte(listpack.New(0).Append([]byte("a"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		if listpack.Valid(b) != nil {
			return
		}
		z, err := FromPacked(b, Limits{128, 64})
		if err != nil {
			return
		}
		if err := z.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

// A set of a million members must not add to the number of objects the collector looks at.
func TestFewObjects(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a set with 200000 members")
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	z := New()
	z.Expect(1<<20, Limits{})
	const n = 200_000
	for i := range n {
		z.Add(fmt.Appendf(nil, "member:%d", i), float64(i*7919%n), 0, Limits{})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if objects := after.HeapObjects - before.HeapObjects; objects > n/20 {
		t.Errorf("%d objects for %d members", objects, n)
	}
	if per := z.Bytes() / n; per > 70 {
		t.Errorf("%d bytes per member", per)
	}
	runtime.KeepAlive(z)
}

func BenchmarkIncr(b *testing.B) {
	const n = 1_000_000
	z := New()
	z.Expect(n, Limits{})
	members := make([][]byte, n)
	for i := range members {
		members[i] = fmt.Appendf(nil, "member:%010d", i)
		z.Add(members[i], float64(i), 0, Limits{})
	}
	rng := rand.New(rand.NewPCG(3, 4))
	b.ReportAllocs()
	for b.Loop() {
		z.Add(members[rng.IntN(n)], float64(rng.IntN(1000)), Incr, Limits{})
	}
	b.ReportMetric(float64(z.Bytes())/n, "B/member")
}

func BenchmarkListpackIncr(b *testing.B) {
	z, lim := New(), Limits{128, 64}
	members := make([][]byte, 100)
	for i := range members {
		members[i] = fmt.Appendf(nil, "member:%d", i)
		z.Add(members[i], float64(i), 0, lim)
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		z.Add(members[i*37%100], 1, Incr, lim)
		i++
	}
}
