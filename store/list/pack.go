package list

import (
	"errors"
	"fmt"
	"iter"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store/listpack"
)

// Nodes yields the listpacks the list consists of, in order, for writing them to files; they must not be changed. One
// that holds a single element of more than the usual size of a node stands for what Redis calls a plain node.
func (l *List) Nodes() iter.Seq[listpack.Listpack] {
	return func(yield func(listpack.Listpack) bool) {
		if l.Len() == 0 {
			return
		}
		for _, nd := range l.nodes() {
			if !yield(nd.lp()) {
				return
			}
		}
	}
}

// AppendListpack makes lp, which must be valid and which the list keeps, the last node. Settle must follow the last.
func (l *List) AppendListpack(lp listpack.Listpack) {
	n := lp.Len()
	if n == 0 {
		return
	}
	if l.q == nil {
		l.quicken()
	}
	l.q.insert(len(l.nodes()), node{buf: lp, n: uint32(n)})
	l.q.n += n
}

// Absorb is AppendListpack for a listpack that others made: a single one that is much smaller than a node may be, or
// larger, is taken apart, so that a list is as good as one that was filled here.
func (l *List) Absorb(lp listpack.Listpack, limit Limit) {
	n := lp.Len()
	if !limit.exceeds(len(lp), n) && (len(lp) > limit.bytes()/8 || l.Len() == 0) || n == 1 && len(lp) > limit.bytes() {
		l.AppendListpack(lp)
		return
	}
	var scratch [num.MaxIntLen]byte
	for p := lp.First(); p != listpack.None; p = lp.Next(p) {
		l.PushOne(lp.Text(p, scratch[:]), false, limit)
	}
}

// Settle chooses the encoding of a list that was loaded.
func (l *List) Settle(limit Limit) {
	l.shrinkTo(limit, 1)
	l.expect(0, 0, limit)
}

// Check returns an error if the list contradicts itself.
func (l *List) Check() error {
	n, mem := 0, 0
	for i := range l.nodes() {
		nd := &l.nodes()[i]
		if nd.buf == nil && l.q == nil {
			continue
		}
		if err := listpack.Valid(nd.lp()); err != nil {
			return fmt.Errorf("list: node %d: %w", i, err)
		}
		if nd.n == 0 && l.q != nil || nd.lp().Len() != int(nd.n) {
			return fmt.Errorf("list: node %d has %d elements and says %d", i, nd.lp().Len(), nd.n)
		}
		n += int(nd.n)
		mem += cap(nd.buf)
	}
	if n != l.Len() {
		return fmt.Errorf("list: %d elements, and Len says %d", n, l.Len())
	}
	if l.q == nil {
		return nil
	}
	if mem != l.q.mem {
		return fmt.Errorf("list: buffers have %d bytes, and %d are counted", mem, l.q.mem)
	}
	if l.one[0].buf != nil {
		return errors.New("list: a quicklist with a listpack beside it")
	}
	for _, nd := range l.q.all[:l.q.first] {
		if nd.buf != nil {
			return errors.New("list: a removed node keeps its buffer")
		}
	}
	return nil
}
