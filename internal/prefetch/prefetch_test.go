package prefetch

import "testing"

// TestNoAddressFaults gives addresses that nobody may read.
func TestNoAddressFaults(t *testing.T) {
	Lines(0, 1)
	Lines(^uintptr(0), 1<<63)
}
