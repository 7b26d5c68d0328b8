package list

import (
	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store/listpack"
)

// Iter walks over the elements of a list in one direction. It dies with the next change of the list.
type Iter struct {
	nodes []node
	i     int
	lp    listpack.Listpack
	p     int // of the present element, listpack.None at the end
	back  bool
}

// Iter returns an iterator at the element with the given index, negative ones counting from the end; back chooses its
// direction. Without such an element it is not Valid.
func (l *List) Iter(index int, back bool) (it Iter) {
	it.back = back
	if l == nil {
		return it
	}
	i, p := l.locate(index)
	if p == listpack.None {
		return it
	}
	it.nodes = l.nodes()
	it.i, it.p = i, p
	it.lp = it.nodes[i].lp()
	return it
}

// End returns an iterator at the first element that goes forward, or at the last one that goes back.
func (l *List) End(front bool) (it Iter) {
	it.back = !front
	if l.Len() == 0 {
		return it
	}
	it.nodes = l.nodes()
	if front {
		it.lp = it.nodes[0].lp()
		it.p = it.lp.First()
		return it
	}
	it.i = len(it.nodes) - 1
	it.lp = it.nodes[it.i].lp()
	it.p = it.lp.Last()
	return it
}

// Valid reports whether there is a present element.
func (it *Iter) Valid() bool { return it.p != listpack.None }

// Next goes to the next element, or, if there is none, out of the list.
func (it *Iter) Next() {
	if it.back {
		if it.p = it.lp.Prev(it.p); it.p == listpack.None && it.i > 0 {
			it.i--
			it.lp = it.nodes[it.i].lp()
			it.p = it.lp.Last()
		}
		return
	}
	if it.p = it.lp.Next(it.p); it.p == listpack.None && it.i+1 < len(it.nodes) {
		it.i++
		it.lp = it.nodes[it.i].lp()
		it.p = it.lp.First()
	}
}

// Value returns the present element: a string, or an integer.
func (it *Iter) Value() (str []byte, n int64, isInt bool) { return it.lp.Get(it.p) }

// Text returns the present element, an integer written over scratch.
func (it *Iter) Text(scratch []byte) []byte { return it.lp.Text(it.p, scratch) }

// Is reports whether the present element is that of v.
func (it *Iter) Is(v *Needle) bool { return v.at(it.lp, it.p) }

// Needle is an element to compare with many others.
type Needle struct {
	text  []byte
	n     int64
	isInt bool
}

// NewNeedle prepares elem, whose bytes must stay.
func NewNeedle(elem []byte) (v Needle) {
	v.text = elem
	v.n, v.isInt = num.ParseInt(elem)
	return v
}

func (v *Needle) at(lp listpack.Listpack, p int) bool {
	str, n, isInt := lp.Get(p)
	if isInt {
		return v.isInt && n == v.n
	}
	return string(str) == string(v.text)
}

// locate returns the node and the position in it of the element with the given index, or listpack.None.
func (l *List) locate(index int) (i, p int) {
	n := l.Len()
	if index < 0 {
		index += n
	}
	if index < 0 || index >= n {
		return 0, listpack.None
	}
	nodes := l.nodes()
	if index < n/2 {
		for index >= int(nodes[i].n) {
			index -= int(nodes[i].n)
			i++
		}
		return i, nodes[i].lp().At(index)
	}
	i = len(nodes) - 1
	for index -= n; -index > int(nodes[i].n); i-- {
		index += int(nodes[i].n)
	}
	return i, nodes[i].lp().At(index)
}
