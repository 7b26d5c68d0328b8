// Package set is the value of a set key.
package set

// Set is a set.
type Set struct{}

// New returns an empty set.
func New() *Set { return &Set{} }

// Len returns the number of elements.
func (v *Set) Len() int { return 0 }

// Encoding returns the name OBJECT ENCODING prints.
func (v *Set) Encoding() string { return "listpack" }

// Bytes estimates the memory held, in bytes.
func (v *Set) Bytes() int { return 0 }

// Clone returns an independent copy.
func (v *Set) Clone() *Set { return &Set{} }
