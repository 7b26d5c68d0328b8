package miniredis

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestAPI compares what the package and those below it export with lists of what miniredis exports. The lists are the
// output of surface for its sources.
func TestAPI(t *testing.T) {
	lists, err := filepath.Glob("testdata/api/*.txt")
	if err != nil || len(lists) == 0 {
		t.Fatalf("no lists: %v", err)
	}
	for _, list := range lists {
		name := strings.TrimSuffix(filepath.Base(list), ".txt")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(list)
			if err != nil {
				t.Fatal(err)
			}
			dir := name
			if name == "miniredis" {
				dir = "."
			}
			have, err := surface(dir)
			if err != nil {
				t.Fatal(err)
			}
			forwarded, err := surface(filepath.Join("v2module", dir))
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				line = strings.TrimSuffix(line, "\n")
				if strings.HasPrefix(line, "#") || line == "" {
					continue
				}
				if !slices.Contains(have, line) {
					t.Errorf("missing or different: %s", line)
				}
				if !forwards(forwarded, line) {
					t.Errorf("not forwarded by v2module: %s", line)
				}
			}
		})
	}
}

// forwards reports whether a package of aliases declares what a line of a list does. Methods and fields come with their types.
func forwards(lines []string, line string) bool {
	words := strings.Fields(line)
	switch words[0] {
	case "type":
		name := strings.TrimSuffix(words[1], ",")
		return slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "type "+name+" ") })
	case "func":
		return strings.HasPrefix(words[1], "(") || slices.Contains(lines, line)
	}
	return slices.Contains(lines, line)
}

// TestSurface holds the tool that TestAPI believes.
func TestSurface(t *testing.T) {
	dir := t.TempDir()
	source := `package p
import "errors"
const A = 1
var B, b = errors.New("x"), 2
type T struct { X, y int; Z interface{} }
type I interface { M(a, b string, c ...interface{}) (int, error); n() }
type F func(p *T, s string) bool
func (t *T) Do(a, b int) (n int, err error) { return }
func (t T) hidden() {}
func (f *unexported) Method() {}
type unexported int
func New(a []string) *T { return nil }
`
	for name, text := range map[string]string{"p.go": source, "p_test.go": "package p\nfunc Test() {}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := surface(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"const A", "func (*T) Do(int, int) (int, error)", "func New([]string) *T",
		"type F func(*T, string) bool", "type I interface, M(string, string, ...any) (int, error)",
		"type I interface", "type T struct", "type T struct, X int", "type T struct, Z any", "var B",
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// surface lists what the package in dir exports, a line each, sorted: names and types, without the names of parameters.
func surface(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				lines = append(lines, function(d)...)
			case *ast.GenDecl:
				lines = append(lines, declared(d)...)
			}
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines), nil
}

func function(d *ast.FuncDecl) []string {
	switch {
	case !d.Name.IsExported():
		return nil
	case d.Recv == nil:
		return []string{"func " + d.Name.Name + signature(d.Type)}
	}
	receiver := text(d.Recv.List[0].Type)
	if !ast.IsExported(strings.TrimPrefix(receiver, "*")) {
		return nil
	}
	return []string{fmt.Sprintf("func (%s) %s%s", receiver, d.Name.Name, signature(d.Type))}
}

func declared(d *ast.GenDecl) (lines []string) {
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.ValueSpec:
			for _, n := range s.Names {
				if n.IsExported() {
					lines = append(lines, d.Tok.String()+" "+n.Name)
				}
			}
		case *ast.TypeSpec:
			if s.Name.IsExported() {
				lines = append(lines, typed("type "+s.Name.Name+" ", s.Type)...)
			}
		}
	}
	return lines
}

func typed(head string, e ast.Expr) (lines []string) {
	members := func(kind string, l *ast.FieldList, line func(name string, e ast.Expr) string) {
		lines = append(lines, head+kind)
		for _, f := range l.List {
			names := f.Names
			if len(names) == 0 {
				names = []*ast.Ident{{Name: "Embedded"}}
			}
			for _, n := range names {
				if n.IsExported() {
					lines = append(lines, head+kind+", "+line(n.Name, f.Type))
				}
			}
		}
	}
	switch e := e.(type) {
	case *ast.StructType:
		members("struct", e.Fields, func(name string, e ast.Expr) string { return name + " " + text(e) })
	case *ast.InterfaceType:
		members("interface", e.Methods, func(name string, e ast.Expr) string { return name + signature(e.(*ast.FuncType)) })
	case *ast.FuncType:
		lines = append(lines, head+"func"+signature(e))
	default:
		lines = append(lines, head+text(e))
	}
	return lines
}

// signature is a function's type without names.
func signature(f *ast.FuncType) string {
	list := func(l *ast.FieldList) (types []string) {
		if l == nil {
			return nil
		}
		for _, f := range l.List {
			for range max(1, len(f.Names)) {
				if inner, ok := f.Type.(*ast.FuncType); ok {
					types = append(types, "func"+signature(inner))
				} else {
					types = append(types, text(f.Type))
				}
			}
		}
		return types
	}
	in, out := list(f.Params), list(f.Results)
	s := "(" + strings.Join(in, ", ") + ")"
	switch len(out) {
	case 0:
		return s
	case 1:
		return s + " " + out[0]
	}
	return s + " (" + strings.Join(out, ", ") + ")"
}

func text(e ast.Expr) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, token.NewFileSet(), e); err != nil {
		return err.Error()
	}
	return strings.ReplaceAll(b.String(), "interface{}", "any")
}
