package stream

import (
	"unsafe"

	"github.com/google/btree"
)

// names are groups or consumers in byte order of their names.
type names[T any] struct{ tree *btree.BTreeG[named[T]] }

// named is a value under its name.
type named[T any] struct {
	name string
	v    *T
}

const nameDegree = 8

func (n *names[T]) len() int {
	if n.tree == nil {
		return 0
	}
	return n.tree.Len()
}

func (n *names[T]) get(name []byte) *T {
	if n.tree == nil {
		return nil
	}
	found, _ := n.tree.Get(named[T]{name: unsafe.String(unsafe.SliceData(name), len(name))})
	return found.v
}

// put adds v, whose name is new and stays as it is.
func (n *names[T]) put(name []byte, v *T) {
	if n.tree == nil {
		less := func(a, b named[T]) bool { return a.name < b.name }
		n.tree = btree.NewWithFreeListG(nameDegree, less, btree.NewFreeListG[named[T]](0))
	}
	n.tree.ReplaceOrInsert(named[T]{unsafe.String(unsafe.SliceData(name), len(name)), v})
}

func (n *names[T]) delete(name []byte) {
	n.tree.Delete(named[T]{name: unsafe.String(unsafe.SliceData(name), len(name))})
	if n.tree.Len() == 0 {
		n.tree = nil
	}
}

// each calls yield in order until it returns false.
func (n *names[T]) each(yield func(*T) bool) {
	if n.tree != nil {
		n.tree.Ascend(func(e named[T]) bool { return yield(e.v) })
	}
}
