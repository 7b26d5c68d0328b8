package lint

import (
	"go/ast"
	"path"
	"slices"
	"strings"
)

// The end of a process, what it does with signals and its standard files belong to programs: a server may be a part of one. A panic
// is left for what is a mistake in the program itself.

// ofPrograms are functions and variables that only programs may use, by the path of their package.
var ofPrograms = map[string][]string{
	"os":        {"Exit", "Stdout", "Stderr", "Stdin"},
	"log":       {"Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln", "Print", "Printf", "Println"},
	"fmt":       {"Print", "Printf", "Println"},
	"os/signal": {"Notify", "NotifyContext", "Ignore", "Reset"},
	"syscall":   {"Exit", "Kill"},
}

// standardLog may name standard output: it is what a program asks it for.
const standardLog = "server/log/log.go"

// embedded reports whether a file is part of what a program gets when it imports the server.
func embedded(file string) bool {
	dir := path.Dir(file)
	switch layerOf(dir) {
	case serving, language, durability, keyspace, values, encodings, foundations:
		return !strings.HasSuffix(file, "_test.go") && !testOnly[dir] && file != standardLog
	}
	return false
}

// exits finds what a library must leave to its program.
func (c *checker) exits(tree *ast.File) {
	if !embedded(c.file) {
		return
	}
	names := map[string][]string{} // by the name of the import
	for _, imp := range tree.Imports {
		from := strings.Trim(imp.Path.Value, `"`)
		if what := ofPrograms[from]; what != nil {
			name := path.Base(from)
			if imp.Name != nil {
				name = imp.Name.Name
			}
			names[name] = what
		}
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if pkg, ok := n.X.(*ast.Ident); ok && slices.Contains(names[pkg.Name], n.Sel.Name) {
				c.add(c.line(n.Pos()), "%s.%s belongs to programs: return an error, or log to the logger that was given", pkg.Name, n.Sel.Name)
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "print" || f.Name == "println") {
				c.add(c.line(n.Pos()), "%s writes to the standard error of somebody else's program", f.Name)
			}
		}
		return true
	})
}
