package server

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/script"
	"github.com/streampulse/pulse/store"
)

// TestReadmeListsCommands keeps the README's support table equal to the command rows; with -rewrite it writes it.
func TestReadmeListsCommands(t *testing.T) {
	const path, begin, end = "../README.md", "<!-- commands -->\n", "<!-- /commands -->\n"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	have, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table between %q and %q", path, begin, end)
	}
	want := supportTable(commands.New(store.New(store.Options{})))
	if have == want {
		return
	}
	if !script.Rewriting() {
		t.Fatalf("the support table of %s is out of date: go test ./server -run TestReadme -rewrite\nwant:\n%s", path, want)
	}
	if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func supportTable(table *commands.Table) string {
	groups := map[commands.Group][]string{}
	for _, s := range table.Commands() {
		name := s.Name
		if len(s.Sub) > 0 {
			var subs []string
			for i := range s.Sub {
				subs = append(subs, s.Sub[i].Name)
			}
			slices.Sort(subs)
			name += " (" + strings.Join(subs, " ") + ")"
		}
		groups[s.Group] = append(groups[s.Group], name)
	}
	names := make([]commands.Group, 0, len(groups))
	for g := range groups {
		names = append(names, g)
	}
	slices.SortFunc(names, func(a, b commands.Group) int { return cmp.Compare(a, b) })
	var b strings.Builder
	b.WriteString("| group | commands |\n|---|---|\n")
	for _, g := range names {
		slices.Sort(groups[g])
		fmt.Fprintf(&b, "| %s | %s |\n", g, strings.Join(groups[g], ", "))
	}
	return b.String()
}
