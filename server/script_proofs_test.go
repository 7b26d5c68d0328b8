package server

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/server/scripting"
	"github.com/streampulse/pulse/store"
)

// scriptsOf returns the texts that a folder's package gives to redis.NewScript, by the variables that hold them.
func scriptsOf(t *testing.T, folder string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]ast.Expr{} // of constants and variables of the package
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range g.Specs {
				if v, ok := s.(*ast.ValueSpec); ok {
					for i, n := range v.Names {
						if i < len(v.Values) {
							values[n.Name] = v.Values[i]
						}
					}
				}
			}
		}
	}
	var text func(e ast.Expr) (string, bool)
	text = func(e ast.Expr) (string, bool) {
		switch e := e.(type) {
		case *ast.BasicLit:
			s, err := strconv.Unquote(e.Value)
			return s, err == nil
		case *ast.Ident:
			return text(values[e.Name])
		case *ast.BinaryExpr:
			l, ok := text(e.X)
			r, also := text(e.Y)
			return l + r, ok && also && e.Op == token.ADD
		}
		return "", false
	}
	out := map[string]string{}
	for name, e := range values {
		c, ok := e.(*ast.CallExpr)
		if !ok || len(c.Args) != 1 {
			continue
		}
		if f, ok := c.Fun.(*ast.SelectorExpr); !ok || f.Sel.Name != "NewScript" {
			continue
		}
		s, ok := text(c.Args[0])
		if !ok {
			t.Fatalf("%s: %s is not made of constants", folder, name)
		}
		out[filepath.Base(folder)+"."+name] = s
	}
	return out
}

// unproven are the scripts of the patterns for which others have to wait, and why.
var unproven = map[string]string{
	"leaderboard.unite":  "how many keys ZUNIONSTORE has is computed; it runs once a second at most",
	"taskqueue.tend":     "a key is made of what another key holds, and tasks are popped until there are none; now and then",
	"taskqueue.handBack": "tasks are popped until there are none; when a worker leaves",
	"taskqueue.exhume":   "an argument says how many letters; when somebody asks for it",
}

// The scripts of the patterns run beside others: under the locks of their keys, on their clients' loops. A script that is no longer proven
// to be harmless costs its pattern half of its speed.
func TestPatternScriptsAreProven(t *testing.T) {
	folders, err := os.ReadDir("../bench")
	if err != nil {
		t.Fatal(err)
	}
	db := store.New(store.Options{Databases: 1, Shards: 1, Clock: clock.Real})
	defer db.Close()
	table := commands.New(db)
	engine := scripting.New(scripting.Options{Keys: table.KeyPlaces})
	scripts := map[string]string{}
	for _, f := range folders {
		if f.IsDir() {
			maps.Copy(scripts, scriptsOf(t, filepath.Join("../bench", f.Name())))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(scripts)) {
		s, err := engine.Load([]byte(scripts[name]), false)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		beside := s.KeysOnly && !s.Endless
		for _, c := range s.Commands {
			spec := table.Lookup([]byte(c))
			beside = beside && spec != nil && spec.Flags&(commands.AllKeys|commands.Exclusive|commands.OwnLocks) == 0 && spec.Strays == nil
		}
		if _, known := unproven[name]; beside == known {
			t.Errorf("%s: keys only %v, endless %v, commands %v", name, s.KeysOnly, s.Endless, s.Commands)
		}
	}
	for name := range unproven {
		if scripts[name] == "" {
			t.Errorf("there is no script %s", name)
		}
	}
	if len(scripts) < 40 {
		t.Errorf("only %d scripts were found", len(scripts))
	}
}
