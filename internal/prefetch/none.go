//go:build race || !(amd64 || arm64)

// Package prefetch asks the processor to bring memory into its cache before it is needed; here it does nothing.
package prefetch

// Enabled tells whether Lines does anything.
const Enabled = false

// Lines does nothing.
func Lines(a, b uintptr) {}
