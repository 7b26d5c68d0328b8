// Package list is the value of a list key.
package list

// List is a list.
type List struct{}

// New returns an empty list.
func New() *List { return &List{} }

// Len returns the number of elements.
func (v *List) Len() int { return 0 }

// Encoding returns the name OBJECT ENCODING prints.
func (v *List) Encoding() string { return "listpack" }

// Bytes estimates the memory held, in bytes.
func (v *List) Bytes() int { return 0 }

// Clone returns an independent copy.
func (v *List) Clone() *List { return &List{} }
