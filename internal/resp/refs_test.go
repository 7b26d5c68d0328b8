package resp

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// counted is a loan that knows how often it was returned.
type counted struct{ returned int }

func (c *counted) Return() { c.returned++ }

// TestRefs writes the same with a Writer that refers to strings and with one that copies them.
func TestRefs(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		var refs Refs
		var w, plain Writer
		w.ResetLending(nil, &refs)
		both := []*Writer{&w, &plain}
		var loans []*counted
		type mark struct{ w, plain Mark }
		var marks []mark
		type point struct{ w, plain, marks int }
		points := []point{{}}
		for range 1 + rnd.IntN(30) {
			switch rnd.IntN(8) {
			case 0, 1, 2:
				b := bytes.Repeat([]byte{byte('a' + rnd.IntN(26))}, 1+rnd.IntN(40))
				l := new(counted)
				loans = append(loans, l)
				w.BulkRef(b, l)
				plain.Bulk(b)
			case 3, 4:
				n := rnd.Int64N(1000)
				for _, x := range both {
					x.Int(n)
				}
			case 5:
				marks = append(marks, mark{w.Defer(), plain.Defer()})
			case 6:
				if n := len(marks); n > points[len(points)-1].marks {
					w.EndArray(marks[n-1].w, 12)
					plain.EndArray(marks[n-1].plain, 12)
					marks = marks[:n-1]
				}
			case 7:
				if p := points[len(points)-1]; rnd.IntN(2) == 0 {
					w.Truncate(p.w)
					plain.Truncate(p.plain)
					marks = marks[:p.marks]
				} else {
					points = append(points, point{w.Len(), plain.Len(), len(marks)})
				}
			}
			if w.Size() != plain.Len() {
				t.Fatalf("round %d: Size is %d, want %d", round, w.Size(), plain.Len())
			}
		}
		own, open := w.Bytes(), 0
		for _, l := range loans {
			open += 1 - l.returned
		}
		if refs.Any() != (open > 0) {
			t.Fatalf("round %d: Any is %v with %d loans", round, refs.Any(), open)
		}
		if round%5 == 0 {
			refs.Drop()
		} else if got := refs.Flatten(own); !bytes.Equal(got, plain.Bytes()) {
			t.Fatalf("round %d: %q, want %q", round, got, plain.Bytes())
		}
		for i, l := range loans {
			if l.returned != 1 {
				t.Fatalf("round %d: loan %d was returned %d times", round, i, l.returned)
			}
		}
		if refs.Any() || refs.Bytes() != 0 {
			t.Fatalf("round %d: %d bytes remain", round, refs.Bytes())
		}
	}
}

func TestNoRefs(t *testing.T) {
	var w Writer
	if w.Lends() {
		t.Error("a Writer without Refs lends")
	}
	var refs Refs
	w.ResetLending(nil, &refs)
	w.OK()
	if own := w.Bytes(); &refs.Flatten(own)[0] != &own[0] {
		t.Error("Flatten copied although there was nothing to insert")
	}
	if w.Reset(nil); w.Lends() {
		t.Error("a Writer lends after Reset")
	}
}
