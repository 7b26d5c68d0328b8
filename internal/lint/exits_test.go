package lint

import "testing"

// TestExits looks for what ends somebody else's process.
func TestExits(t *testing.T) {
	for _, row := range []struct {
		file, imports, line string
		ok                  bool
	}{
		{"server/x.go", `import "os"`, "os.Exit(1)", false},
		{"server/x.go", `import sys "os"`, "sys.Exit(1)", false},
		{"store/hash/x.go", `import "log"`, `log.Fatalf("x")`, false},
		{"commands/x.go", `import "os/signal"`, "signal.Notify(nil)", false},
		{"persistence/aof/x.go", `import "fmt"`, `fmt.Println("x")`, false},
		{"internal/num/x.go", "", `println("x")`, false},
		{"server/x.go", `import "os"`, "_ = os.Stdout", false},
		{"server/x.go", `import "os"`, `_ = os.Remove("x")`, true},
		{"server/x.go", `import log "github.com/streampulse/pulse/server/log"`, `log.Fatalf("x")`, true},
		{"server/x_test.go", `import "os"`, "os.Exit(1)", true},
		{"cmd/pulse-server/x.go", `import "os"`, "os.Exit(1)", true},
		{"bench/load/x.go", `import "os"`, "os.Exit(1)", true},
		{"internal/oracle/x.go", `import "os"`, "os.Exit(1)", true},
	} {
		got := Check(row.file, []byte("package x\n\n"+row.imports+"\n\nfunc f() {\n\t"+row.line+"\n}\n"))
		found := false
		for _, f := range got {
			found = found || f.Line >= 5
		}
		if found == row.ok {
			t.Errorf("%s: %s %s: %v", row.file, row.imports, row.line, got)
		}
	}
}
