package commands

import "testing"

// TestDebugCrashes has the subcommands that end the process do so: by a panic that nobody in between recovers from.
func TestDebugCrashes(t *testing.T) {
	for _, name := range []string{"ASSERT", "OOM", "PANIC", "SEGFAULT"} {
		s := debugOf([][]byte{[]byte("DEBUG"), []byte(name)})
		if s == nil {
			t.Fatalf("no DEBUG %s", name)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("DEBUG %s: no panic", name)
				}
			}()
			_ = s.run(nil)
		}()
	}
}
