package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// hostile are names that would end an element, an attribute, a script or a comment if they were not escaped.
var hostile = []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'--></title></svg>&lt;`, "{{.}}", "a\u202eb & c", strings.Repeat("long ", 40)}

func samplePage(t *testing.T) *report {
	t.Helper()
	r := newReport(&config{rounds: 2, suites: []string{patternsSuite, openSuite, "memory"}, load: 0.5}, nil)
	r.Servers = map[string]string{"A": "pulse 0.1.0", "B": hostile[0]}
	r.Command = commandLine([]string{"--server-a", hostile[1]})
	for i, name := range append([]string{"lock", "session"}, hostile...) {
		f := float64(i + 1)
		round := func(v float64) Round {
			return Round{Value: 1000 * f * v, P50: 50 * f, P99: 200 * f * v, P999: 400 * f * v, CPU: 10 * f * v, RSS: v * f * (1 << 20)}
		}
		r.add(Row{Suite: patternsSuite, Name: name, Unit: "ops/s", Does: "does " + name, Sizes: "3 users"},
			[][]Round{{round(1.5), round(2.5)}, {round(1), round(1)}})
		r.add(Row{Suite: openSuite, Name: name, Unit: "p99 us", LowerIsBetter: true, Mean: "p99", Offered: 77 * f},
			[][]Round{{round(1), round(1.5)}, {round(1), round(1)}})
	}
	r.add(Row{Suite: "memory", Name: "RSS after load", Unit: "B/key", LowerIsBetter: true}, [][]Round{{{Value: 70}}, {{Value: 140}}})
	r.Skipped = []string{hostile[0]}
	return &r
}

// node is an element of a page with the text in it.
type node struct {
	name  string
	attrs map[string]string
	text  string
	under []*node
}

// parse reads a page with a parser that forgives nothing.
func parse(t *testing.T, b []byte) *node {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(b)))
	root := &node{}
	open := []*node{root}
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the page is not well-formed: %v", err)
		}
		top := open[len(open)-1]
		switch tok := tok.(type) {
		case xml.StartElement:
			n := &node{name: tok.Name.Local, attrs: map[string]string{}}
			for _, a := range tok.Attr {
				n.attrs[a.Name.Local] = a.Value
			}
			top.under = append(top.under, n)
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			for _, n := range open {
				n.text += string(tok)
			}
		}
	}
	return root
}

// all returns the elements of that name, in order.
func (n *node) all(name string) []*node {
	var out []*node
	for _, u := range n.under {
		if u.name == name {
			out = append(out, u)
		}
		out = append(out, u.all(name)...)
	}
	return out
}

func TestPageShowsEveryRow(t *testing.T) {
	r := samplePage(t)
	b, err := r.html()
	if err != nil {
		t.Fatal(err)
	}
	root := parse(t, b)
	sections := root.all("section")
	if len(sections) != 4 { // of three suites, and of the machine
		t.Fatalf("%d sections", len(sections))
	}
	suites := []string{patternsSuite, openSuite, "memory"}
	charts := map[string]int{patternsSuite: 5, openSuite: 5, "memory": 1}
	for i, suite := range suites {
		rows := r.rows(suite)
		s := sections[i]
		if n := len(s.all("figure")); n != charts[suite] {
			t.Errorf("%s: %d charts, want %d", suite, n, charts[suite])
		}
		lines := s.all("tbody")[0].all("tr")
		head := s.all("thead")[0].all("th")
		means := 0
		for _, m := range r.Means {
			if m.Suite == suite {
				means++
			}
		}
		if len(lines) != len(rows)+means {
			t.Fatalf("%s: %d lines of %d rows and %d means", suite, len(lines), len(rows), means)
		}
		for k, row := range rows {
			cells := lines[k].all("td")
			if got := lines[k].all("th")[0].text; got != row.Name {
				t.Errorf("%s: line %d is %q, want %q", suite, k, got, row.Name)
			}
			if len(cells) != len(head)-1 {
				t.Errorf("%s %s: %d cells under %d headings", suite, row.Name, len(cells), len(head))
			}
			for c, want := range []string{row.Unit, thin(number(row.Sides[0].Median.Value)), thin(number(row.Sides[1].Median.Value)), strconv.FormatFloat(row.Ratio.Median, 'f', 2, 64)} {
				if cells[c].text != want {
					t.Errorf("%s %s: cell %d is %q, want %q", suite, row.Name, c, cells[c].text, want)
				}
			}
			// Every chart says the name in full, if only in a tip.
			for _, f := range s.all("figure") {
				if !strings.Contains(f.text, row.Name) {
					t.Errorf("%s: no %q in chart %q", suite, row.Name, f.attrs["id"])
				}
			}
		}
	}
	if text := sections[3].text; !strings.Contains(text, r.Command) || !strings.Contains(text, "Not measured: "+hostile[0]) || !strings.Contains(text, r.Machine.Go) {
		t.Errorf("the machine's section is\n%s", text)
	}
	if cards := root.all("ul")[1].text; !strings.Contains(cards, "8 of 8") || !strings.Contains(cards, "2.00×") || !strings.Contains(cards, "1.25×") {
		t.Errorf("cards %s", cards)
	}
}

// A page needs nothing from elsewhere, and what names say is only text.
func TestPageStandsAlone(t *testing.T) {
	b, err := samplePage(t).html()
	if err != nil {
		t.Fatal(err)
	}
	root := parse(t, b)
	known := map[string]bool{}
	for _, name := range strings.Fields("html head meta title style body header h1 ul li span p strong b small nav a main section h2 h3 figure figcaption svg div " +
		"line rect circle path text table caption thead tbody tr th td details summary dl dt dd footer") {
		known[name] = true
	}
	ids := map[string]bool{}
	var walk func(n *node)
	walk = func(n *node) {
		for _, u := range n.under {
			if !known[u.name] {
				t.Errorf("element %s", u.name)
			}
			for k, v := range u.attrs {
				if strings.HasPrefix(k, "on") || k == "src" || k == "href" && !strings.HasPrefix(v, "#") || k == "style" {
					t.Errorf("%s has %s=%q", u.name, k, v)
				}
				if k == "id" && ids[v] {
					t.Errorf("id %s twice", v)
				}
				ids[v] = ids[v] || k == "id"
			}
			for _, k := range []string{"x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height"} {
				v, ok := u.attrs[k]
				if f, err := strconv.ParseFloat(v, 64); ok && (err != nil || math.IsNaN(f) || f < -20 || f > 5000) {
					t.Errorf("%s has %s=%q", u.name, k, v)
				}
			}
			walk(u)
		}
	}
	walk(root)
	for _, a := range root.all("a") {
		if !ids[strings.TrimPrefix(a.attrs["href"], "#")] {
			t.Errorf("a link to %s", a.attrs["href"])
		}
	}
	for _, s := range root.all("style") {
		if strings.Contains(s.text, "url(") || strings.Contains(s.text, "@import") || !strings.Contains(s.text, "prefers-color-scheme: dark") {
			t.Error("the style asks for something from elsewhere, or knows no dark")
		}
	}
	for _, s := range root.all("svg") {
		if s.attrs["aria-hidden"] == "" && (s.attrs["role"] != "img" || len(s.all("title")) == 0) {
			t.Errorf("a drawing without a title: %v", s.attrs)
		}
	}
}

// What charts say by places is what the ratios are.
func TestRatioChart(t *testing.T) {
	r := samplePage(t)
	rows := r.rows(openSuite)
	rows[0].Ratio = &Ratio{Median: 0.5, Min: 0.4, Max: 0.6}
	rows[1].Ratio = &Ratio{Median: 2, Min: 1.5, Max: 4}
	rows[2].Ratio = &Ratio{Median: 1.01, Min: 0.9, Max: 1.1}
	c := ratioChart("x", "t", "", rows[:3], func(r *Row) *Ratio { return r.Ratio }, false)
	if len(c.Marks) != 3 {
		t.Fatalf("%d marks", len(c.Marks))
	}
	// The best for A first: of latencies, the least.
	for i, want := range []string{"good", "even", "bad"} {
		if c.Marks[i].Class != want {
			t.Errorf("mark %d is %s, want %s", i, c.Marks[i].Class, want)
		}
	}
	var one float64
	for _, l := range c.Lines {
		if l.Class == "one" {
			one = l.X1
		}
	}
	// On a logarithmic scale a half is as far from 1 as the double.
	if left, right := one-c.Marks[0].X, c.Marks[2].X-one; left <= 0 || math.Abs(left-right) > 1e-6 {
		t.Errorf("0.5 is %v to the left, 2 is %v to the right", left, right)
	}
	if ratioChart("x", "t", "", rows, func(*Row) *Ratio { return nil }, false) != nil || latencyChart("x", "t", "", nil) != nil || barChart("x", "t", "", nil, cpuFigure, 1, span) != nil {
		t.Error("a chart of nothing")
	}
}

func TestPageOfOneServer(t *testing.T) {
	r := newReport(&config{rounds: 1}, nil)
	r.Servers = map[string]string{"A": "pulse 0.1.0"}
	r.add(Row{Suite: patternsSuite, Name: "lock", Unit: "ops/s"}, [][]Round{{{Value: 10, P50: 1, P99: 2, P999: 3}}})
	b, err := r.html()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(parse(t, b).all("figure")); n != 1 {
		t.Errorf("%d charts, want latencies alone", n)
	}
}

func TestReportAgain(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "in.json"), filepath.Join(dir, "out.html")
	r := samplePage(t)
	want, err := r.html()
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.json()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(from, b, 0o644); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	folder := filepath.Join(dir, "results")
	if err := run(t.Context(), []string{"--report", from, "--html", to, "--results", folder}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{to, filepath.Join(folder, resultsHTML)} {
		if got, err := os.ReadFile(f); err != nil || string(got) != string(want) {
			t.Errorf("%s: %v, or another page", f, err)
		}
	}
	if got, err := os.ReadFile(filepath.Join(folder, resultsJSON)); err != nil || string(got) != string(b) {
		t.Errorf("%v, or other figures", err)
	}
	note, err := os.ReadFile(filepath.Join(folder, resultsNote))
	if err != nil || !strings.Contains(string(note), "| patterns | lock |") || !strings.Contains(string(note), "| command | `"+r.Command+"` |") {
		t.Errorf("%v\n%s", err, note)
	}
	if !strings.Contains(out.String(), "patterns-open  lock") {
		t.Error(out.String())
	}
}

func TestReportRefuses(t *testing.T) {
	dir := t.TempDir()
	change := func(f func(*report)) string {
		r := samplePage(t)
		f(r)
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, text := range map[string]string{
		"empty":        "",
		"no report":    `{"a":1}`,
		"no JSON":      "<html>",
		"no rows":      change(func(r *report) { r.Rows = nil }),
		"one side":     change(func(r *report) { r.Rows[0].Sides = r.Rows[0].Sides[:1] }),
		"no sides":     change(func(r *report) { r.Rows[0].Sides = nil }),
		"three":        change(func(r *report) { r.Servers["C"] = "x" }),
		"negative":     change(func(r *report) { r.Rows[0].Sides[0].Median.P50 = -1 }),
		"huge":         change(func(r *report) { r.Rows[0].Sides[0].Median.CPU = math.MaxFloat64 }),
		"ratio 0":      change(func(r *report) { r.Rows[0].Ratio.Min = 0 }),
		"ratio order":  change(func(r *report) { r.Rows[0].CPURatio.Max = 1e-3 }),
		"ratio of one": change(func(r *report) { delete(r.Servers, "B"); r.Rows = r.Rows[:1]; r.Rows[0].Sides = r.Rows[0].Sides[:1] }),
	} {
		f := filepath.Join(dir, "r.json")
		if err := os.WriteFile(f, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readReport(f); err == nil {
			t.Errorf("%s passed", name)
		}
	}
	if _, err := readReport(filepath.Join(dir, "absent")); err == nil {
		t.Error("an absent file passed")
	}
}

func TestCommandLine(t *testing.T) {
	if got := commandLine([]string{"--spawn", "--server-b", "it's x --y", ""}); got != `pulse-bench --spawn --server-b 'it'\''s x --y' ''` {
		t.Error(got)
	}
}

func TestSpans(t *testing.T) {
	for v, want := range map[float64]string{0.69: "0.69 µs", 5: "5 µs", 99.96: "100 µs", 815.2: "815 µs", 1100: "1.1 ms", 31031: "31 ms", 999_499: "999 ms", 2.5e6: "2.5 s"} {
		if got := span(v); got != want {
			t.Errorf("span(%v) = %q, want %q", v, got, want)
		}
	}
}
