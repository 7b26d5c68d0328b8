package stream

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestParseID(t *testing.T) {
	const most = math.MaxUint64
	for text, want := range map[string]ID{
		"5":                      {5, 9},
		"5-3":                    {5, 3},
		"0-0":                    {0, 0},
		"18446744073709551615":   {most, 9},
		"1-18446744073709551615": {1, most},
		"007-08":                 {7, 8},
		" 7-+8":                  {7, 8},
		"1--02":                  {1, most - 1},
		"1-2\x00z":               {1, 2},
	} {
		if id, ok := ParseID([]byte(text), 9); !ok || id != want {
			t.Errorf("%q: %v, %v; want %v", text, id, ok, want)
		}
	}
	for _, text := range []string{"", "-", "+", "$", "*", ">", "1-", "-1", "1-*", "1-2-3", "1 -2", "a", "1.0", "18446744073709551616",
		"1-18446744073709551616", "1--2", "\x001", strings.Repeat("0", 127) + "1"} {
		if id, ok := ParseID([]byte(text), 9); ok {
			t.Errorf("%q is taken for %v", text, id)
		}
	}
	for _, id := range []ID{MinID, MaxID, {1, most}, {most, 0}} {
		if back, ok := ParseID(id.Append(nil), 0); !ok || back != id || id.String() != fmt.Sprint(id.Ms, "-", id.Seq) && len(id.String()) > MaxIDLen {
			t.Errorf("%v comes back as %v", id, back)
		}
	}
}

func TestIDNeighbours(t *testing.T) {
	const most = math.MaxUint64
	for _, c := range [][2]ID{{{0, 0}, {0, 1}}, {{1, most}, {2, 0}}, {{most, most - 1}, MaxID}} {
		if n, ok := c[0].Next(); !ok || n != c[1] || c[0].Compare(n) != -1 || n.Compare(c[0]) != 1 || n.Compare(n) != 0 {
			t.Errorf("%v.Next() = %v", c[0], n)
		}
		if p, ok := c[1].Prev(); !ok || p != c[0] {
			t.Errorf("%v.Prev() = %v", c[1], p)
		}
	}
	if _, ok := MaxID.Next(); ok {
		t.Error("MaxID has a next")
	}
	if _, ok := MinID.Prev(); ok {
		t.Error("MinID has a previous")
	}
}

func TestGeneratedIDs(t *testing.T) {
	const most = math.MaxUint64
	for _, c := range []struct {
		last   ID
		now    int64
		next   ID
		ok     bool
		ms     uint64
		inMs   ID
		inMsOK bool
	}{
		{ID{}, 5, ID{5, 0}, true, 0, ID{0, 1}, true},
		{ID{5, 3}, 5, ID{5, 4}, true, 5, ID{5, 4}, true},
		{ID{7, 3}, 5, ID{7, 4}, true, 5, ID{}, false},
		{ID{5, 3}, -1, ID{5, 4}, true, 6, ID{6, 0}, true},
		{ID{7, most}, 5, ID{8, 0}, true, 7, ID{}, false},
		{MaxID, 5, MaxID, false, most, ID{}, false},
	} {
		s := New()
		s.SetLast(c.last)
		if id, ok := s.NextID(c.now); id != c.next || ok != c.ok {
			t.Errorf("last %v: NextID(%d) = %v, %v", c.last, c.now, id, ok)
		}
		if id, ok := s.NextInMs(c.ms); id != c.inMs || ok != c.inMsOK {
			t.Errorf("last %v: NextInMs(%d) = %v, %v", c.last, c.ms, id, ok)
		}
	}
}

// numbered returns a stream of n entries 1-0, 2-0 ..., three to a node.
func numbered(n int) *Stream {
	s := New()
	for i := range n {
		s.Append(ID{uint64(i + 1), 0}, [][]byte{[]byte("f"), fmt.Append(nil, i)}, Limits{0, 3})
	}
	return s
}

func ids(s *Stream) (text string) {
	for it := s.Range(MinID, MaxID, false); it.Next(); {
		text += fmt.Sprint(it.ID().Ms, " ")
	}
	return strings.TrimSpace(text)
}

// TestTrimVisit trims with entries that must stay: those that two divides.
func TestTrimVisit(t *testing.T) {
	for _, c := range []struct {
		t       Trim
		removed int
		left    string
		nodes   int
	}{
		{Trim{MaxLen: 8}, 2, "2 4 5 6 7 8 9 10", 4},
		{Trim{MaxLen: 5}, 5, "2 4 6 8 10", 4},
		{Trim{MaxLen: 0}, 5, "2 4 6 8 10", 4},
		{Trim{ByID: true, MinID: ID{6, 0}}, 3, "2 4 6 7 8 9 10", 4},
		{Trim{ByID: true, MinID: MaxID}, 5, "2 4 6 8 10", 4},
		{Trim{MaxLen: 5, Approx: true}, 3, "2 4 6 7 8 9 10", 4},
		{Trim{ByID: true, MinID: ID{6, 0}, Approx: true}, 2, "2 4 5 6 7 8 9 10", 4},
		{Trim{MaxLen: 0, Approx: true, Limit: 5}, 3, "2 4 6 7 8 9 10", 4},
	} {
		s := numbered(10)
		c.t.Visit = func(id ID) bool { return id.Ms%2 == 1 }
		if n := s.Trim(c.t); n != c.removed || ids(s) != c.left || s.Nodes() != c.nodes || s.Check() != nil {
			t.Errorf("%+v: %d removed, left %s in %d nodes, %v", c.t, n, ids(s), s.Nodes(), s.Check())
		}
	}
	// With all of them allowed it is as without asking.
	for _, tr := range []Trim{{MaxLen: 5}, {MaxLen: 5, Approx: true}, {ByID: true, MinID: ID{8, 0}}, {MaxLen: 1, Approx: true, Limit: 7}} {
		a, b := numbered(10), numbered(10)
		asked := tr
		asked.Visit = func(ID) bool { return true }
		if n, m := a.Trim(tr), b.Trim(asked); n != m || describe(a) != describe(b) || b.Check() != nil {
			t.Errorf("%+v: %d removed, %d if asked", tr, n, m)
		}
	}
}

func TestLag(t *testing.T) {
	const unknown = math.MinInt64
	for name, c := range map[string]struct {
		make func(s *Stream)
		last uint64
		read int64
		lag  int64
	}{
		"all to come":               {func(*Stream) {}, 0, 0, 10},
		"all read":                  {func(*Stream) {}, 10, 10, 0},
		"some read":                 {func(*Stream) {}, 4, 4, 6},
		"unknown in the middle":     {func(*Stream) {}, 4, Unknown, unknown},
		"unknown at the first":      {func(*Stream) {}, 1, Unknown, 9},
		"unknown at the last":       {func(*Stream) {}, 10, Unknown, 0},
		"deleted ahead":             {func(s *Stream) { s.Delete(ID{6, 0}) }, 4, 4, unknown},
		"deleted behind":            {func(s *Stream) { s.Delete(ID{2, 0}) }, 4, 4, 6},
		"trimmed, group behind":     {func(s *Stream) { s.Trim(Trim{MaxLen: 4}) }, 2, 2, 4},
		"first deleted, behind":     {func(s *Stream) { s.Delete(ID{1, 0}) }, 0, 0, 9},
		"all trimmed":               {func(s *Stream) { s.Trim(Trim{}) }, 2, 2, 0},
		"deleted ahead and trimmed": {func(s *Stream) { s.Delete(ID{6, 0}); s.Trim(Trim{MaxLen: 2}) }, 4, 4, 2},
	} {
		s := numbered(10)
		g, _ := s.CreateGroup([]byte("g"), ID{c.last, 0}, c.read)
		c.make(s)
		lag, ok := s.Lag(g)
		if ok != (c.lag != unknown) || ok && lag != c.lag {
			t.Errorf("%s: lag %d, %v; want %d", name, lag, ok, c.lag)
		}
	}
	s := New()
	g, _ := s.CreateGroup([]byte("g"), ID{}, Unknown)
	if lag, ok := s.Lag(g); lag != 0 || !ok {
		t.Error("the lag of a new stream is not 0")
	}
}

// TestNil reads a nil stream, which is empty.
func TestNil(t *testing.T) {
	var s *Stream
	it := s.Range(MinID, MaxID, true)
	_, ok := s.NextInMs(1)
	if s.Len() != 0 || !s.First().Zero() || !s.LastEntry().Zero() || !s.Last().Zero() || s.Added() != 0 || s.Has(ID{1, 1}) || it.Next() || !ok ||
		s.Nodes() != 0 || s.RadixNodes() != 1 || s.NumGroups() != 0 || s.Group(nil) != nil || s.Bytes() != 0 || s.EstimateRead(ID{}) != 0 ||
		s.Referenced(ID{}) || !s.Acked(ID{}) || s.RangeHasTombstones(MinID, MaxID) {
		t.Error("a nil stream is not empty")
	}
	for range s.Groups() {
		t.Error("a nil stream has groups")
	}
}

// TestAllocations holds what is done for each entry to none, but for a node now and then.
func TestAllocations(t *testing.T) {
	s, pairs := numbered(1000), benchPairs()
	g, _ := s.CreateGroup([]byte("g"), ID{}, 0)
	c, _ := g.CreateConsumer([]byte("c"), 0)
	size := 0
	if n := testing.AllocsPerRun(20, func() {
		it := s.Range(ID{100, 0}, ID{200, 0}, false)
		for it.Next() {
			for range it.NumFields() {
				f, v := it.Field()
				size += len(f) + len(v)
			}
		}
		for it := g.PendingRange(MinID, MaxID); it.Next(); {
			size += int(it.At().Count)
		}
		if g.Consumer(c.Name()) != c || s.Group(g.Name()) != g {
			t.Fatal("not found")
		}
	}); n != 0 {
		t.Errorf("a walk allocates %v times", n)
	}
	next := uint64(2000)
	if n := testing.AllocsPerRun(2000, func() {
		next++
		s.Append(ID{next, 0}, pairs, benchLimits)
		g.Assign(ID{next, 0}, c, 1, 1)
		g.Ack(ID{next - 1, 0})
	}); n != 0 {
		t.Errorf("an entry allocates %v times", n)
	}
}
