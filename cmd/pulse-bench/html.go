package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The page is one file without scripts, fonts or pictures from elsewhere, and is well-formed XML, so that it can be checked
// with a parser that forgives nothing.
//
//go:embed page.html.tmpl
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

type page struct {
	Title    string
	Servers  []namedServer
	Cards    []card
	Notes    [][2]string
	Settings string
	Sections []section
	Remarks  []string
}

type namedServer struct{ Name, Class, Version string }

// card is one figure that sums something up.
type card struct{ Value, Unit, Text, Class string }

type section struct {
	ID, Title, Intro string
	Charts           []*chart
	Head             []string
	Rows             []tableRow
}

// tableRow is a line of a table; Does explains its name.
type tableRow struct {
	Name, Does string
	Cells      []cell
	Mean       bool
}

type cell struct{ Text, Class string }

// aboutSuites say what a suite measures.
var aboutSuites = map[string]string{
	patternsSuite: "At saturation: each client begins its next operation as soon as the last one has ended. The client shares the machine with the server, " +
		"so processor time per operation says more about a server than throughput does.",
	openSuite: "At the same offered load: operations are due at fixed times, which are the same for A and B, whatever became of the ones before. Latencies count from when an " +
		"operation was due, so a stall is charged to all that was due meanwhile.",
	"memory": "Resident memory for many small keys, after a load and after every value has been overwritten twice with other lengths.",
}

// html is the report as a page.
func (r *report) html() ([]byte, error) {
	r.Means = r.means()
	p := page{Title: r.title(), Notes: r.notes(), Settings: r.settings(), Cards: r.cards()}
	for i, name := range []string{"A", "B"} {
		if v, ok := r.Servers[name]; ok {
			p.Servers = append(p.Servers, namedServer{name, sideClass(i), v})
		}
	}
	var suites []string
	for _, row := range r.Rows {
		if !slices.Contains(suites, row.Suite) {
			suites = append(suites, row.Suite)
		}
	}
	for i, s := range suites {
		p.Sections = append(p.Sections, r.section(i, s))
	}
	p.Remarks = strings.Split(strings.TrimSpace(r.legend()), "\n")
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (r *report) title() string {
	a, b := capital(r.Servers["A"]), capital(r.Servers["B"])
	if b == "" {
		return "Measured: " + a
	}
	return a + " beside " + b
}

// capital begins a name with a capital letter.
func capital(s string) string {
	for i, c := range s {
		return string(unicode.ToUpper(c)) + s[i+utf8.RuneLen(c):]
	}
	return s
}

func (r *report) settings() string {
	s := fmt.Sprintf("%d rounds of %s for each workload, A and B in turn.", r.Rounds, r.RoundTime)
	if r.Think != "" {
		s += " Clients of suite patterns rest for " + r.Think + " between operations."
	}
	if r.Load > 0 {
		s += fmt.Sprintf(" In suite %s %g %% of what the slower server does at saturation is offered to both.", openSuite, 100*r.Load)
	}
	return s
}

func (r *report) rows(suite string) []*Row {
	var out []*Row
	for i := range r.Rows {
		if r.Rows[i].Suite == suite {
			out = append(out, &r.Rows[i])
		}
	}
	return out
}

// The bounds that the patterns are held to: see cards.
const (
	leastThroughput = 1.0
	mostLatency     = 1.2
)

func (r *report) cards() []card {
	var out []card
	for _, m := range r.Means {
		switch m.Suite {
		case patternsSuite:
			out = append(out, card{times(m.Ratio), "throughput", "of A to B at saturation, geometric mean of all patterns", better(m.Ratio, false)})
			if m.CPU > 0 {
				out = append(out, card{times(m.CPU), "processor time", "of the server per operation, A to B, geometric mean", better(m.CPU, true)})
			}
		case openSuite:
			out = append(out, card{times(m.Ratio), "p99", "of A to B at the same offered load, geometric mean", better(m.Ratio, true)})
		}
	}
	if n, of := count(r.rows(patternsSuite), func(q *Ratio) bool { return q.Median >= leastThroughput }); of > 0 {
		out = append(out, card{fmt.Sprintf("%d of %d", n, of), "patterns", "in which A does at least as many operations a second", better(float64(2*n), of > 2*n)})
	}
	if n, of := count(r.rows(openSuite), func(q *Ratio) bool { return q.Median <= mostLatency }); of > 0 {
		out = append(out, card{fmt.Sprintf("%d of %d", n, of), "patterns", fmt.Sprintf("in which the p99 of A is at most %g times that of B", mostLatency), better(float64(2*n), of > 2*n)})
	}
	var rss []float64
	for _, row := range r.rows(patternsSuite) {
		if row.RSSRatio != nil {
			rss = append(rss, row.RSSRatio.Median)
		}
	}
	if len(rss) > 0 {
		out = append(out, card{times(geometric(rss)), "memory", "resident after a pattern, A to B, geometric mean", better(geometric(rss), true)})
	}
	return out
}

func count(rows []*Row, ok func(*Ratio) bool) (n, of int) {
	for _, row := range rows {
		if row.Ratio == nil {
			continue
		}
		of++
		if ok(row.Ratio) {
			n++
		}
	}
	return n, of
}

func times(v float64) string { return fmt.Sprintf("%.2f×", v) }

// better is the class of a ratio of which more, or less, is better for A.
func better(v float64, less bool) string {
	switch {
	case v > 0.98 && v < 1.02:
		return "even"
	case (v > 1) != less:
		return "good"
	}
	return "bad"
}

func mib(v float64) string { return thin(three(v)) + " MiB" }

// thin parts thousands by spaces at which no line breaks.
func thin(s string) string { return strings.ReplaceAll(s, " ", "\u202f") }

func (r *report) section(n int, suite string) section {
	rows := r.rows(suite)
	s := section{ID: fmt.Sprintf("suite-%d", n), Title: suite, Intro: aboutSuites[suite]}
	add := func(c *chart) {
		if c != nil {
			s.Charts = append(s.Charts, c)
		}
	}
	id := func(kind string) string { return s.ID + "-" + kind }
	up, down := false, false
	for _, row := range rows {
		up, down = up || !row.LowerIsBetter, down || row.LowerIsBetter
	}
	what, note := "Throughput, A / B", "Right of 1, A does more. Marks are medians of the rounds' ratios, whiskers reach from the least to the greatest."
	switch {
	case suite == openSuite:
		what, note = "p99 at the same offered load, A / B", "Left of 1, A is faster. Marks are medians of the rounds' ratios, whiskers reach from the least to the greatest."
	case down && up:
		what, note = "A / B", "Of throughputs more is better for A, of everything else less; the colours tell. Whiskers reach from the least to the greatest ratio of the rounds."
	case down:
		what, note = "A / B", "Left of 1, A takes less. Whiskers reach from the least to the greatest ratio of the rounds."
	}
	add(ratioChart(id("ratio"), what, note, rows, func(r *Row) *Ratio { return r.Ratio }, false))
	add(latencyChart(id("latency"), "Latency", "Logarithmic scale. At the right p50 · p99.", rows))
	add(ratioChart(id("cpu-ratio"), "Processor time of the server per operation, A / B", "Left of 1, A needs less.", rows, func(r *Row) *Ratio { return r.CPURatio }, true))
	add(barChart(id("cpu"), "Processor time of the server per operation", "", rows, cpuFigure, 1, span))
	add(barChart(id("memory"), "Resident memory of the server after a round", "Each pattern begins with servers just started, if the command starts them.", rows, rssFigure, 1<<20, mib))
	s.Head, s.Rows = r.table(rows)
	for _, m := range r.Means {
		if m.Suite == suite {
			s.Rows = append(s.Rows, meanRow(m, s.Head))
		}
	}
	return s
}

// table has every figure of rows.
func (r *report) table(rows []*Row) ([]string, []tableRow) {
	two := len(r.Servers) == 2
	head := []string{"workload", "unit", "A"}
	if two {
		head = append(head, "B", "A/B", "min–max")
	}
	offered := slices.ContainsFunc(rows, func(r *Row) bool { return r.Offered > 0 })
	if offered {
		head = append(head, "offered /s")
	}
	head = append(head, "p50 µs", "p99 µs", "p99.9 µs", "CPU µs")
	if two {
		head = append(head, "CPU A/B")
	}
	memory := slices.ContainsFunc(rows, func(r *Row) bool {
		return slices.ContainsFunc(r.Sides, func(s Side) bool { return s.Median.RSS > 0 })
	})
	if memory {
		head = append(head, "RSS MiB")
	}
	var out []tableRow
	for _, row := range rows {
		line := tableRow{Name: row.Name, Does: row.Does}
		if row.ClientBound {
			line.Name += " *"
		}
		if row.Sizes != "" {
			line.Does += " (" + row.Sizes + ")"
		}
		put := func(text, class string) { line.Cells = append(line.Cells, cell{text, class}) }
		put(row.Unit, "unit")
		for _, s := range row.Sides {
			put(thin(number(s.Median.Value)), "")
		}
		if two {
			text := ratioCells(row.Ratio, len(row.Sides[0].Rounds))
			class := "ratio"
			if row.Ratio != nil {
				class += " " + verdict(row, row.Ratio)
			}
			put(text[0], class)
			put(strings.Replace(text[1], "..", "–", 1), "spread")
		}
		if offered {
			put(thin(number(row.Offered)), "")
		}
		for _, f := range figures[1:5] {
			put(thinPair(row.Sides, f, 1), "")
		}
		if two {
			put(ratioCells(row.CPURatio, 1)[0], "")
		}
		if memory {
			put(thinPair(row.Sides, rssFigure, 1<<20), "")
		}
		out = append(out, line)
	}
	return head, out
}

// thinPair is pair in units of so many, with spaces at which no line breaks.
func thinPair(sides []Side, f func(*Round) *float64, unit float64) string {
	var parts []string
	for i := range sides {
		v := *f(&sides[i].Median)
		if v == 0 {
			return ""
		}
		parts = append(parts, thin(number(v/unit)))
	}
	return strings.Join(parts, " / ")
}

// meanRow puts a mean into the columns of the ratios that it is of.
func meanRow(m mean, head []string) tableRow {
	line := tableRow{Name: "geometric mean", Mean: true, Cells: make([]cell, len(head)-1)}
	if m.Of != "" {
		line.Name += ", " + m.Of
	}
	put := func(column string, v float64) {
		if i := slices.Index(head, column); i > 0 && v > 0 {
			line.Cells[i-1] = cell{fmt.Sprintf("%.2f", v), "ratio"}
		}
	}
	put("A/B", m.Ratio)
	put("CPU A/B", m.CPU)
	return line
}

// Explained reports whether a row says what its operations are.
func (s section) Explained() bool {
	return slices.ContainsFunc(s.Rows, func(r tableRow) bool { return r.Does != "" })
}
