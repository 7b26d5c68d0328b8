package stream

import (
	"encoding/hex"
	"math"
	"testing"

	"github.com/streampulse/pulse/store/listpack"
)

// recordedNode is a node as Redis 7.0 dumped it: one entry 1-1 with the pair f, v.
const recordedNode = "1d0000000a0001010001010181660200010201000100018176020401ff"

// ints makes a listpack of integers.
func ints(v ...int64) listpack.Listpack {
	lp := listpack.New(0)
	for _, v := range v {
		lp = lp.AppendInt(v)
	}
	return lp
}

// wideInt is a node of one entry without fields whose i-th element, an integer, takes two bytes instead of one.
func wideInt(i int) listpack.Listpack {
	elems := []int64{1, 0, 0, 0, 2, 0, 0, 3}
	lp := ints(elems[:i]...)
	b := append(lp[:len(lp)-1], 0xF1, byte(elems[i]), 0, 3)
	b = append(b, ints(elems[i+1:]...)[6:]...)
	b[0], b[4] = byte(len(b)), byte(len(elems))
	return b
}

func TestRecordedNode(t *testing.T) {
	want, err := hex.DecodeString(recordedNode)
	if err != nil {
		t.Fatal(err)
	}
	s := New()
	s.Append(ID{1, 1}, [][]byte{[]byte("f"), []byte("v")}, Limits{4096, 100})
	s.EachNode(func(base ID, lp listpack.Listpack) bool {
		if base != (ID{1, 1}) || string(lp) != string(want) {
			t.Fatalf("node %v %x, want %x", base, lp, want)
		}
		return true
	})
	c := New()
	if err := c.AppendNode(ID{1, 1}, want); err != nil {
		t.Fatal(err)
	}
	if err := c.Finish(1, ID{1, 1}); err != nil || c.Check() != nil || c.First() != (ID{1, 1}) {
		t.Fatal(err, c.Check(), c.First())
	}
}

func TestAppendNodeRefuses(t *testing.T) {
	good := ints(1, 0, 1, 7, 0, 2, 0, 0, 5, 4)
	for name, c := range map[string]struct {
		base ID
		lp   listpack.Listpack
		ok   bool
	}{
		"one entry":              {ID{5, 5}, good, true},
		"two entries":            {ID{5, 5}, ints(2, 0, 1, 7, 0, 2, 0, 0, 5, 4, 2, 0, 1, 5, 4), true},
		"own fields":             {ID{5, 5}, ints(1, 0, 1, 7, 0, 0, 0, 0, 2, 1, 2, 3, 4, 8), true},
		"lower sequence":         {ID{5, 5}, ints(2, 0, 0, 0, 2, 0, 0, 3, 2, 1, -5, 3), true},
		"deleted":                {ID{5, 5}, ints(1, 1, 0, 0, 3, 0, 0, 3, 2, 1, 0, 3), true},
		"none live":              {ID{5, 5}, ints(0, 1, 0, 0, 3, 0, 0, 3), true},
		"empty":                  {ID{5, 5}, ints(), false},
		"no entry":               {ID{5, 5}, ints(0, 0, 0, 0), false},
		"id zero":                {ID{}, good, false},
		"not above":              {ID{4, math.MaxUint64}, good, false},
		"claims more":            {ID{5, 5}, ints(2, 0, 1, 7, 0, 2, 0, 0, 5, 4), false},
		"claims less":            {ID{5, 5}, ints(1, 0, 1, 7, 0, 2, 0, 0, 5, 4, 2, 0, 1, 5, 4), false},
		"claims deleted":         {ID{5, 5}, ints(0, 1, 1, 7, 0, 2, 0, 0, 5, 4), false},
		"hides deleted":          {ID{5, 5}, ints(1, 0, 1, 7, 0, 3, 0, 0, 5, 4), false},
		"negative count":         {ID{5, 5}, ints(2, -1, 1, 7, 0, 2, 0, 0, 5, 4), false},
		"huge counts":            {ID{5, 5}, ints(math.MaxInt64, math.MaxInt64, 1, 7, 0, 2, 0, 0, 5, 4), false},
		"huge fields":            {ID{5, 5}, ints(1, 0, math.MaxInt64, 7, 0, 2, 0, 0, 5, 4), false},
		"negative fields":        {ID{5, 5}, ints(1, 0, -1, 7, 0, 2, 0, 0, 5, 4), false},
		"no zero":                {ID{5, 5}, ints(1, 0, 1, 7, 1, 2, 0, 0, 5, 4), false},
		"huge own fields":        {ID{5, 5}, ints(1, 0, 1, 7, 0, 0, 0, 0, math.MaxInt64/2, 1, 2, 3, 4, 8), false},
		"flags":                  {ID{5, 5}, ints(1, 0, 1, 7, 0, 4, 0, 0, 5, 4), false},
		"wide flags":             {ID{5, 5}, wideInt(4), false},
		"wide counts":            {ID{5, 5}, wideInt(0), true},
		"count of elements":      {ID{5, 5}, ints(1, 0, 1, 7, 0, 2, 0, 0, 5, 3), false},
		"count missing":          {ID{5, 5}, ints(1, 0, 1, 7, 0, 2, 0, 0, 5), false},
		"text for a number":      {ID{5, 5}, ints(1, 0, 1, 7, 0, 2).Append([]byte("x")).AppendInt(0).AppendInt(5).AppendInt(4), false},
		"same id twice":          {ID{5, 5}, ints(2, 0, 0, 0, 2, 0, 0, 3, 2, 0, 0, 3), false},
		"below the node":         {ID{5, 5}, ints(1, 0, 0, 0, 2, 0, -1, 3), false},
		"milliseconds overflow":  {ID{math.MaxUint64, 5}, ints(1, 0, 0, 0, 2, 1, 0, 3), false},
		"sequence overflow":      {ID{5, math.MaxUint64}, ints(1, 0, 0, 0, 2, 0, 1, 3), false},
		"milliseconds backwards": {ID{5, 5}, ints(2, 0, 0, 0, 2, 3, 0, 3, 2, 1, 0, 3), false},
		"not a listpack":         {ID{5, 5}, good[:len(good)-1], false},
	} {
		if name != "not a listpack" && listpack.Valid(c.lp) != nil {
			t.Errorf("%s: not a listpack", name)
		}
		s := New()
		if err := s.AppendNode(ID{4, math.MaxUint64}, ints(1, 0, 0, 0, 2, 0, 0, 3)); err != nil {
			t.Fatal(err)
		}
		if err := s.AppendNode(c.base, c.lp); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFinish(t *testing.T) {
	node := func() *Stream {
		s := New()
		if err := s.AppendNode(ID{5, 5}, ints(1, 1, 0, 0, 2, 0, 0, 3, 3, 1, 0, 3)); err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := node(); s.Last() != (ID{6, 5}) || s.Finish(1, ID{6, 5}) != nil || s.Finish(1, ID{7, 0}) != nil || s.Last() != (ID{7, 0}) {
		t.Error("a right length and last id are refused")
	}
	if node().Finish(2, ID{7, 0}) == nil || node().Finish(1, ID{6, 4}) == nil {
		t.Error("a wrong length or last id is accepted")
	}
	s := node()
	g, _ := s.CreateGroup([]byte("g"), ID{}, 0)
	if !g.AddPending(ID{1, 1}, 3, 4) || g.AddPending(ID{1, 1}, 3, 4) {
		t.Fatal("an id is pending once")
	}
	if s.Finish(1, ID{7, 0}) == nil {
		t.Error("a pending entry without a consumer is accepted")
	}
	c, _ := g.CreateConsumer([]byte("c"), 1)
	if c.Take(ID{1, 2}) || !c.Take(ID{1, 1}) || c.Take(ID{1, 1}) {
		t.Error("Take")
	}
	if err := s.Finish(1, ID{7, 0}); err != nil || s.Check() != nil {
		t.Error(err, s.Check())
	}
}

// FuzzAppendNode takes bytes for a node: if they are accepted everything works on them.
func FuzzAppendNode(f *testing.F) {
	recorded, _ := hex.DecodeString(recordedNode)
	f.Add(uint64(1), uint64(1), recorded)
	f.Add(uint64(5), uint64(5), []byte(ints(2, 1, 1, 7, 0, 2, 0, 0, 5, 4, 3, 1, -3, 6, 4, 0, 1, 9, 2, 1, 2, 3, 4, 8)))
	f.Add(uint64(math.MaxUint64), uint64(math.MaxUint64), []byte(ints(0, 1, 0, 0, 3, 0, 0, 3)))
	for i := range 8 {
		f.Add(uint64(1), uint64(1), []byte(wideInt(i)))
	}
	f.Fuzz(func(t *testing.T, ms, seq uint64, b []byte) {
		s := New()
		if s.AppendNode(ID{ms, seq}, append([]byte(nil), b...)) != nil {
			return
		}
		check := func() {
			if err := s.Check(); err != nil {
				t.Fatal(err)
			}
		}
		check()
		var ids []ID
		for it := s.Range(MinID, MaxID, false); it.Next(); {
			ids = append(ids, it.ID())
			for range it.NumFields() {
				it.Field()
			}
		}
		i := len(ids)
		for it := s.Range(MinID, MaxID, true); it.Next(); {
			if i--; it.ID() != ids[i] {
				t.Fatalf("entry %d is %v, in reverse %v", i, ids[i], it.ID())
			}
			for range it.NumFields() {
				it.Field()
			}
		}
		if i != 0 || len(ids) != s.Len() {
			t.Fatalf("%d entries, %d fewer in reverse, length %d", len(ids), i, s.Len())
		}
		if id, ok := s.Last().Next(); ok {
			s.Append(id, [][]byte{[]byte("f"), []byte("v")}, Limits{})
			check()
			ids = append(ids, id)
		}
		if len(ids) > 0 && !s.Delete(ids[len(ids)/2]) {
			t.Fatalf("%v is not there to be deleted", ids[len(ids)/2])
		}
		check()
		if len(ids) > 2 {
			s.Trim(Trim{ByID: true, MinID: ids[1]})
			check()
			s.Trim(Trim{MaxLen: 1})
			check()
		}
	})
}
