package skiplist

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

type pair struct {
	score  float64
	member string
	ref    Ref
}

func (p pair) compare(q pair) int {
	return cmp.Or(cmp.Compare(p.score, q.score), strings.Compare(p.member, q.member))
}

// model is a sorted slice beside the list.
type model struct {
	l     *List
	pairs []pair
}

func (m *model) add(score float64, member string) {
	p := pair{score, member, m.l.Insert(score, []byte(member))}
	i, _ := slices.BinarySearchFunc(m.pairs, p, pair.compare)
	m.pairs = slices.Insert(m.pairs, i, p)
}

func (m *model) compare(t *testing.T) {
	t.Helper()
	if err := m.l.Check(); err != nil {
		t.Fatal(err)
	}
	if m.l.Len() != len(m.pairs) {
		t.Fatalf("%d elements, want %d", m.l.Len(), len(m.pairs))
	}
	r := m.l.First()
	for i, p := range m.pairs {
		if r != p.ref || m.l.Score(r) != p.score || string(m.l.Member(r)) != p.member {
			t.Fatalf("element %d is %q %v, want %q %v", i, m.l.Member(r), m.l.Score(r), p.member, p.score)
		}
		r = m.l.Next(r)
	}
}

// probe compares the searches at one place.
func (m *model) probe(t *testing.T, rng *rand.Rand) {
	t.Helper()
	i := rng.IntN(len(m.pairs)+2) - 1
	want := None
	if i >= 0 && i < len(m.pairs) {
		want = m.pairs[i].ref
		if got := m.l.Rank(want); got != i {
			t.Fatalf("Rank = %d, want %d", got, i)
		}
	}
	if got := m.l.At(i); got != want {
		t.Fatalf("At(%d) = %d, want %d", i, got, want)
	}
	s := float64(rng.IntN(12) - 1)
	below, upTo := 0, 0
	for _, p := range m.pairs {
		if p.score < s {
			below++
		}
		if p.score <= s {
			upTo++
		}
	}
	if a, b := m.l.RankOfScore(s, false), m.l.RankOfScore(s, true); a != below || b != upTo {
		t.Fatalf("RankOfScore(%v) = %d, %d, want %d, %d", s, a, b, below, upTo)
	}
}

func randomMember(rng *rand.Rand, i int) string {
	n := rng.IntN(20)
	switch rng.IntN(200) {
	case 0:
		n = 9000 // memory of its own
	case 1:
		n = rng.IntN(3000)
	}
	return fmt.Sprint(i) + strings.Repeat("x", n)
}

func TestAgainstModel(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 1))
		m := &model{l: New(seed)}
		for i := range 6000 {
			switch op := rng.IntN(10); {
			case op < 4 || len(m.pairs) == 0:
				m.add(float64(rng.IntN(10)), randomMember(rng, i))
			case op < 7:
				k := rng.IntN(len(m.pairs))
				p := m.pairs[k]
				p.score += float64(rng.IntN(5)-2) / float64(1+rng.IntN(100))
				m.l.SetScore(p.ref, p.score)
				m.pairs = slices.Delete(m.pairs, k, k+1)
				k, _ = slices.BinarySearchFunc(m.pairs, p, pair.compare)
				m.pairs = slices.Insert(m.pairs, k, p)
			case op < 9:
				k := rng.IntN(len(m.pairs))
				m.l.Delete(m.pairs[k].ref)
				m.pairs = slices.Delete(m.pairs, k, k+1)
			default:
				k := rng.IntN(len(m.pairs))
				n := min(rng.IntN(10), len(m.pairs)-k)
				at := k
				m.l.DeleteRange(k, n, func(r Ref) {
					if r != m.pairs[at].ref {
						t.Fatalf("DeleteRange met %d, want %d", r, m.pairs[at].ref)
					}
					at++
				})
				m.pairs = slices.Delete(m.pairs, k, k+n)
			}
			m.probe(t, rng)
			if i%200 == 0 {
				m.compare(t)
			}
		}
		m.compare(t)
		var copied []Ref
		c := m.l.Clone(func(r Ref, _ []byte) { copied = append(copied, r) })
		for i := range m.pairs {
			m.pairs[i].ref = copied[i]
		}
		m.l = c
		m.compare(t)
		m.l.DeleteRange(0, len(m.pairs), func(Ref) {})
		m.pairs = nil
		m.compare(t)
	}
}

func TestMembersInOrderOfBytes(t *testing.T) {
	m := &model{l: New(1)}
	for _, s := range []string{"b", "", "\xff", "a", "ab", "a\x00", "A"} {
		m.add(0, s)
	}
	m.compare(t)
	for _, tc := range []struct {
		m           string
		below, upTo int
	}{{"", 0, 1}, {"a", 2, 3}, {"aa", 4, 4}, {"zz", 6, 6}, {"\xff", 6, 7}} {
		if a, b := m.l.RankOfMember([]byte(tc.m), false), m.l.RankOfMember([]byte(tc.m), true); a != tc.below || b != tc.upTo {
			t.Errorf("RankOfMember(%q) = %d, %d, want %d, %d", tc.m, a, b, tc.below, tc.upTo)
		}
	}
}

func TestMemberTooLongForTheHeader(t *testing.T) {
	m := &model{l: New(1)}
	for _, n := range []int{lenInside - 1, lenInside, lenInside + 1} {
		m.add(1, strings.Repeat("m", n))
	}
	m.compare(t)
	for _, p := range m.pairs {
		m.l.Delete(p.ref)
	}
	m.pairs = nil
	m.compare(t)
	if got := m.l.Bytes(); got > 1<<20 {
		t.Errorf("%d bytes held by an empty list", got)
	}
}

func TestInfinities(t *testing.T) {
	m := &model{l: New(1)}
	for i, s := range []float64{math.Inf(1), math.Inf(-1), 0, math.MaxFloat64, -math.MaxFloat64} {
		m.add(s, fmt.Sprint(i))
	}
	m.compare(t)
	if got := m.l.RankOfScore(math.Inf(1), false); got != 4 {
		t.Errorf("%d below infinity, want 4", got)
	}
}

// A queue that is filled at one end and emptied at the other must live in the memory of its greatest length.
func TestChurnReusesMemory(t *testing.T) {
	l := New(1)
	i := 0
	push := func() { l.Insert(float64(i), fmt.Appendf(nil, "member:%08d", i)); i++ }
	for range 10000 {
		push()
	}
	before := l.Bytes()
	for range 100000 {
		l.DeleteRange(0, 1, func(Ref) {})
		push()
	}
	if after := l.Bytes(); after > before*5/4 {
		t.Errorf("%d bytes have become %d", before, after)
	}
	l.DeleteRange(0, 9900, func(Ref) {})
	if c := l.Clone(func(Ref, []byte) {}); c.Bytes() > before/10 {
		t.Errorf("%d bytes in the clone of 100 elements", c.Bytes())
	}
	for range 1000 {
		l.Shed(4, func(from, to Ref) {})
	}
	if after := l.Bytes(); after > before/3 {
		t.Errorf("%d bytes have become %d", before, after)
	}
}

// A list that shrinks gives its memory back step by step, whatever else happens meanwhile.
func TestShed(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	l := New(1)
	members := map[Ref]string{}
	insert := func(i int) {
		m := fmt.Sprintf("member:%08d", i)
		if i%5000 == 7 {
			m += strings.Repeat("x", 9000)
		}
		r := l.Insert(float64(rng.IntN(1000)), []byte(m))
		if _, ok := members[r]; ok {
			t.Fatalf("two elements are %d", r)
		}
		members[r] = m
	}
	const n = 30_000
	for i := range n {
		insert(i)
	}
	full, moves := l.Bytes(), 0
	for i := n; len(members) > n/20; i++ {
		switch rng.IntN(8) {
		case 0:
			insert(i)
		case 1:
			l.SetScore(l.At(rng.IntN(l.Len())), float64(rng.IntN(1000)))
		default:
			r := l.At(rng.IntN(l.Len()))
			delete(members, r)
			l.Delete(r)
		}
		before := moves
		l.Shed(4, func(from, to Ref) {
			members[to] = members[from]
			delete(members, from)
			moves++
		})
		if moves > before+4 {
			t.Fatalf("%d elements moved at once", moves-before)
		}
		if i%4000 == 0 {
			if err := l.Check(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Check(); err != nil || l.Len() != len(members) || moves == 0 {
		t.Fatalf("%v, %d elements of %d, %d moves", err, l.Len(), len(members), moves)
	}
	for r, m := range members {
		if string(l.Member(r)) != m {
			t.Fatalf("element %d is %q, want %q", r, l.Member(r), m)
		}
	}
	if now := l.Bytes(); now > full/3 {
		t.Errorf("%d bytes have become %d", full, now)
	}
}

func filled(n int) (*List, []Ref) {
	rng := rand.New(rand.NewPCG(1, 2))
	l := New(1)
	refs := make([]Ref, n)
	for i := range refs {
		refs[i] = l.Insert(rng.Float64(), fmt.Appendf(nil, "member:%010d", i))
	}
	return l, refs
}

func BenchmarkSetScore(b *testing.B) {
	l, refs := filled(1_000_000)
	rng := rand.New(rand.NewPCG(3, 4))
	b.ReportAllocs()
	b.ReportMetric(float64(l.Bytes())/1e6, "B/member")
	for b.Loop() {
		l.SetScore(refs[rng.IntN(len(refs))], rng.Float64())
	}
}

func BenchmarkRank(b *testing.B) {
	l, refs := filled(1_000_000)
	rng := rand.New(rand.NewPCG(3, 4))
	b.ReportAllocs()
	for b.Loop() {
		l.Rank(refs[rng.IntN(len(refs))])
	}
}

// TestEmptyMembers: the place of an empty member may lie behind its chunk; with -race, pointers are checked.
func TestEmptyMembers(t *testing.T) {
	l := New(1)
	const n = 20_000
	for i := range n {
		l.Insert(float64(i), nil)
	}
	if err := l.Check(); err != nil || l.Len() != n {
		t.Fatalf("%d nodes, %v", l.Len(), err)
	}
}
