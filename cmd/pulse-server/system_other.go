//go:build !linux

package main

import (
	"fmt"
	"io"
)

// adjustOOM has no such service here.
func (p *instance) adjustOOM() error { return nil }

// checkSystem is --check-system; nothing is known of this system that would matter.
func checkSystem(out io.Writer) int {
	fmt.Fprintln(out, "There is nothing to check on this system.")
	return 0
}
