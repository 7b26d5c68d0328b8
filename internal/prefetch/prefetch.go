//go:build !race && (amd64 || arm64)

// Package prefetch asks the processor to bring memory into its cache before it is needed.
//
// A prefetch reads nothing as far as the program can tell: it never faults, whatever the address, and it synchronizes
// nothing. Builds with the race detector leave it out, because the addresses are found by unsynchronized reads.
package prefetch

// Enabled tells whether Lines does anything; who prepares addresses for it only, need not if it is false.
const Enabled = true

// Lines prefetches the cache lines that a and b lie in.
//
//go:noescape
func Lines(a, b uintptr)
