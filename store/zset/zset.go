// Package zset is the value of a zset key.
package zset

// ZSet is a zset.
type ZSet struct{}

// New returns an empty zset.
func New() *ZSet { return &ZSet{} }

// Len returns the number of elements.
func (v *ZSet) Len() int { return 0 }

// Encoding returns the name OBJECT ENCODING prints.
func (v *ZSet) Encoding() string { return "listpack" }

// Bytes estimates the memory held, in bytes.
func (v *ZSet) Bytes() int { return 0 }

// Clone returns an independent copy.
func (v *ZSet) Clone() *ZSet { return &ZSet{} }
