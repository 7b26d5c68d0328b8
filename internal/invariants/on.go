//go:build invariants

// Package invariants says whether costly self-checks are compiled in (build tag invariants).
package invariants

// Enabled is true in builds with the tag invariants.
const Enabled = true
