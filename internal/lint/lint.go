// Package lint holds the rules of the source tree that the compiler does not know: which package may import which, how long
// a file may be, and what it may not contain.
//
// Contract: Check judges one file by its path and text alone, reads nothing and keeps nothing; it may be called
// concurrently. The package's test applies it to every Go file of the module, so that `go test ./...` fails where a rule is
// broken and says why the rule is there.
package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"path"
	"strconv"
	"strings"
)

// Module is the import path of the module.
const Module = "github.com/streampulse/pulse"

// maxLines is the ceiling for a file; 300 is what to aim at.
const maxLines = 800

// Finding is one broken rule.
type Finding struct {
	File string // path from the root of the module, with slashes
	Line int
	Text string // what is wrong and why that is a rule
}

func (f Finding) String() string { return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text) }

// Check judges the Go file at the path, which counts from the root of the module.
func Check(file string, src []byte) []Finding {
	c := checker{file: file, fset: token.NewFileSet()}
	tree, err := parser.ParseFile(c.fset, file, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		c.add(1, "does not parse: %v", err)
		return c.findings
	}
	if !ast.IsGenerated(tree) {
		c.text(src)
		c.comments(tree)
	}
	c.imports(tree)
	c.exits(tree)
	return c.findings
}

type checker struct {
	file     string
	fset     *token.FileSet
	findings []Finding
}

func (c *checker) add(line int, text string, args ...any) {
	c.findings = append(c.findings, Finding{c.file, line, fmt.Sprintf(text, args...)})
}

func (c *checker) line(pos token.Pos) int { return c.fset.Position(pos).Line }

// text checks what concerns the file as a whole.
func (c *checker) text(src []byte) {
	if lines := bytes.Count(src, []byte("\n")); lines > maxLines {
		c.add(maxLines+1, "%d lines, the ceiling is %d: a file is one concept that a reader can hold; split it at a border of its own", lines, maxLines)
	}
	switch base := strings.TrimSuffix(path.Base(c.file), ".go"); base {
	case "util", "utils", "helper", "helpers", "misc", "common":
		c.add(1, "a file called %s says nothing about its contents: name it after the concept", base)
	}
	if formatted, err := format.Source(src); err == nil && !bytes.Equal(formatted, src) {
		c.add(firstDifference(src, formatted), "not formatted: run gofmt -w on it, so that changes show what has changed")
	}
}

// firstDifference is the number of the first line in which a and b differ.
func firstDifference(a, b []byte) int {
	line := 1
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			break
		}
		if a[i] == '\n' {
			line++
		}
	}
	return line
}

// marks are words that say that something is not done. They are spelled apart here to pass the test themselves.
var marks = []string{"TO" + "DO", "FIX" + "ME", "XX" + "X:", "HA" + "CK:"}

func (c *checker) comments(tree *ast.File) {
	for _, group := range tree.Comments {
		for _, comment := range group.List {
			for _, mark := range marks {
				if strings.Contains(comment.Text, mark) {
					c.add(c.line(comment.Pos()), "a comment says %s: finish it now, or open an issue and say here how things are", mark)
				}
			}
		}
	}
}

// imports checks each import of the file against the layers. Test files may import what they like: a test of the commands
// needs a server to run them.
func (c *checker) imports(tree *ast.File) {
	if strings.HasSuffix(c.file, "_test.go") {
		return
	}
	from := path.Dir(c.file)
	for _, spec := range tree.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		why := ""
		if name == Module || strings.HasPrefix(name, Module+"/") {
			why = forbidden(from, strings.TrimPrefix(strings.TrimPrefix(name, Module), "/"))
		} else {
			why = foreign(from, name)
		}
		if why != "" {
			c.add(c.line(spec.Pos()), "%s imports %s: %s", from, name, why)
		}
	}
}
