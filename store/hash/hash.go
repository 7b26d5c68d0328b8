// Package hash is the value of a hash key.
package hash

// Hash is a hash.
type Hash struct{}

// New returns an empty hash.
func New() *Hash { return &Hash{} }

// Len returns the number of elements.
func (v *Hash) Len() int { return 0 }

// Encoding returns the name OBJECT ENCODING prints.
func (v *Hash) Encoding() string { return "listpack" }

// Bytes estimates the memory held, in bytes.
func (v *Hash) Bytes() int { return 0 }

// Clone returns an independent copy.
func (v *Hash) Clone() *Hash { return &Hash{} }
