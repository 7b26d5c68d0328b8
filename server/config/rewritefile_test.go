package config

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestRewrittenLines(t *testing.T) {
	c := New()
	text := "user b on\n# x\nuser a off\nuser c on\n"
	if err := c.Load([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if got := string(c.Rewritten([]byte(text), false)); !strings.HasPrefix(got, text) {
		t.Errorf("nobody knows about users, and they were changed:\n%s", got)
	}
	lines := []string{"user default on", "user z off"}
	c.RewriteLines("user", func() ([]string, bool) { return lines, true })
	if got := string(c.Rewritten([]byte(text), false)); !strings.HasPrefix(got, "user default on\n# x\nuser z off\n\n# Gen") {
		t.Error(got)
	}
	lines = nil // they are in a file of their own
	if got := string(c.Rewritten([]byte(text), false)); !strings.HasPrefix(got, "\n# x\n\n# Gen") {
		t.Error(got)
	}
}

func TestRewriteAllNamesEverything(t *testing.T) {
	c := New()
	text := string(c.Rewritten(nil, true))
	for _, p := range Params() {
		if c.Text(p.Name) != "" && !strings.Contains(text, "\n"+p.Name+" ") {
			t.Errorf("%s is missing", p.Name)
		}
	}
}

func TestRewriteReplacesTheFile(t *testing.T) {
	dir := t.TempDir()
	c := New()
	if err := c.Rewrite(); !errors.Is(err, ErrNoFile) {
		t.Errorf("without a file: %v", err)
	}
	target := write(t, dir, "real.conf", "# mine\ntimeout 5\n")
	if err := os.Chmod(target, 0o640); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.conf")
	if err := os.Symlink("real.conf", link); err != nil {
		t.Skip(err)
	}
	before, err := os.Open(target)
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	c, _, err = ParseArgs([]string{link, "--hz", "20"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.File() != link {
		t.Errorf("file %q", c.File())
	}
	if err := c.Set(bytesOf("timeout", "7"), false); err != nil {
		t.Fatal(err)
	}
	if err := c.Rewrite(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(target)
	if err != nil || !strings.HasPrefix(string(text), "# mine\ntimeout 7\n") || !strings.Contains(string(text), "\nhz 20\n") {
		t.Errorf("%v\n%s", err, text)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced")
	}
	info, err := os.Stat(target)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	// Who has the former file open goes on reading the former text.
	b := make([]byte, 64)
	if n, _ := before.Read(b); string(b[:n]) != "# mine\ntimeout 5\n" {
		t.Errorf("the file was written in place: %q", b[:n])
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	d, _, err := ParseArgs([]string{link}, nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, c, d)

	if err := os.Remove(target); err != nil {
		t.Fatal(err)
	}
	c.SetFile(target)
	if err := c.Rewrite(); err != nil {
		t.Fatalf("a file that is gone: %v", err)
	}
	if info, err := os.Stat(target); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("a new file: %v, %v", info.Mode(), err)
	}
	c.SetFile(filepath.Join(dir, "nosuch", "x.conf"))
	if err := c.Rewrite(); err == nil || err.Error() != "No such file or directory" {
		t.Errorf("a folder that is gone: %v", err)
	}
	c.SetFile(dir)
	if err := c.Rewrite(); err == nil || err.Error() != "Is a directory" {
		t.Errorf("a folder: %v", err)
	}
}

// same compares all values.
func same(t *testing.T, got, want *Config) {
	t.Helper()
	for _, p := range Params() {
		if g, w := got.Text(p.Name), want.Text(p.Name); g != w {
			t.Errorf("%s is %q, was %q", p.Name, g, w)
		}
	}
}

// randomWords are values that a row of the kind may take, or not.
func randomWords(r *rand.Rand, p *Param) string {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	switch p.Kind {
	case KindBool:
		return pick("yes", "no")
	case KindEnum, KindFlags:
		return pick(p.Values...)
	case KindOctal:
		return strconv.FormatInt(r.Int64N(0o1000), 8)
	case KindString:
		return pick("", "a", "a b", `a"b`, "a'b\\", "\x00\xff\n\r", " # ", "{title}", "127.0.0.1", ":1")
	case KindSpecial:
		return pick("", "1 2", "3 4 5 6", "0 1 2", "127.0.0.1 *", "-::1", "normal 1024 1048576 3", "replica 3 4 5 pubsub 1gb 0 9",
			"KEA", "g$", "99.99 50", "host 6379", "relative 7")
	case KindPercentMemory:
		return pick("5%", "100%", "0%", "4096", "1gb", "1025")
	}
	return strconv.FormatInt(p.Min+r.Int64N(min(p.Max-max(p.Min, 0), 1<<uint(1+r.IntN(40))-1)+1), 10)
}

// TestRewriteKeepsEveryValue sets values at random and reads back what was written over files with the same and with other
// directives.
func TestRewriteKeepsEveryValue(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	changed := map[string]bool{}
	for range 300 {
		c, old := New(), New()
		for _, x := range []*Config{c, old} {
			for range 1 + r.IntN(40) {
				p := &params[r.IntN(len(params))]
				if p.Name == "dir" {
					continue
				}
				before := x.Text(p.Name)
				if x.Override(p.Name, randomWords(r, p)) == nil && x.Text(p.Name) != before {
					changed[p.Name] = true
				}
			}
		}
		text := old.Rewritten([]byte("# a\nSAVE 1 1\nslaveof a 1\n\nhash-max-ziplist-value 3"), r.IntN(2) == 0)
		lines := strings.Split(string(text), "\n")
		r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		out := c.Rewritten([]byte(strings.Join(lines, "\n")), r.IntN(2) == 0)
		d := New()
		if err := d.Load(out); err != nil && !strings.Contains(err.Error(), "cluster mode") {
			t.Fatalf("%v\n%s", err, out)
		}
		same(t, d, c)
		if t.Failed() {
			t.Fatalf("\n%s", out)
		}
	}
	for _, p := range params {
		if !changed[p.Name] && p.Name != "dir" && p.Name != "activedefrag" {
			t.Errorf("%s was never changed", p.Name)
		}
	}
}

func FuzzRewrite(f *testing.F) {
	for _, tc := range rewriteCases {
		f.Add(tc.text, "hz 20\nsave 1 1 2 2\nclient-output-buffer-limit pubsub 1 1 1\nmasterauth \"x\\n\"")
	}
	f.Add("# Generated by CONFIG REWRITE\nbind \"'\" '\"'\nreplicaof ' ' 1", "timeout 1\nreplicaof \"a b\" 2")
	f.Fuzz(func(t *testing.T, text, values string) {
		for _, s := range []string{text, values} {
			if s = strings.ToLower(s); strings.Contains(s, "include") || strings.Contains(s, "dir") {
				return // both look at the machine's files
			}
		}
		c := New()
		if c.Load([]byte(values)) != nil {
			return
		}
		out := c.Rewritten([]byte(text), false)
		d := New()
		if err := d.Load(out); err != nil {
			if d2 := New(); d2.Load([]byte(text)) != nil {
				return // what it does not understand it leaves alone
			}
			t.Fatalf("%v\n%s", err, out)
		}
		same(t, d, c)
		// A class of client-output-buffer-limit may get the line of another first, and the end an empty line.
		for range 3 {
			out = d.Rewritten(out, false)
		}
		if again := d.Rewritten(out, false); !slices.Equal(again, out) {
			t.Fatalf("written again and again it is another file:\n%s\n---\n%s", out, again)
		}
	})
}
