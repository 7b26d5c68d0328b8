package config

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var rewriteList = flag.Bool("rewrite", false, "write the list of parameters without effect into DIFFERENCES.md")

const (
	inertBegin = "## Directives without effect\n"
	inertIntro = "They are accepted and kept, and CONFIG REWRITE writes them; the log says once that one has no effect when it is set.\n"
)

// TestInertAreListed compares the flags of the table with what DIFFERENCES.md says. With -rewrite it writes the list.
func TestInertAreListed(t *testing.T) {
	path := filepath.Join("..", "..", "DIFFERENCES.md")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range Params() {
		if p.Has(Inert) {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	want := inertBegin + inertIntro
	line := ""
	for i, name := range names {
		word := "`" + name + "`"
		if i < len(names)-1 {
			word += ","
		}
		if len(line)+1+len(word) > 118 {
			want += line + "\n"
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	want += line + "\n"
	text := string(b)
	head, rest, found := strings.Cut(text, inertBegin)
	_, tail, _ := strings.Cut(rest, "\n## ")
	if !found {
		head, tail, _ = strings.Cut(text, "\n## Missing yet\n")
		head += "\n"
		tail = "Missing yet\n" + tail
	}
	if next := head + want + "\n## " + tail; next != text {
		if !*rewriteList {
			t.Fatal("DIFFERENCES.md lists other parameters; go test ./server/config -run TestInertAreListed -rewrite brings it up to date")
		}
		if err := os.WriteFile(path, []byte(next), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
