package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A chart is a drawing of lines, boxes, marks and words in a box of W by H units; the page's template turns it into SVG, and its style
// gives classes their colours. What a chart shows stands in the table beside it as well.
type chart struct {
	ID, Title, Note string
	W, H            float64
	Lines           []line
	Boxes           []box
	Marks           []mark
	Words           []word
	Key             []keyEntry
}

type (
	line struct {
		X1, Y1, X2, Y2 float64
		Class          string
	}
	box struct {
		X, Y, W, H float64
		Class, Tip string
	}
	// mark is a disc, or a diamond, so that A and B differ in more than colour.
	mark struct {
		X, Y, R    float64
		Diamond    bool
		Class, Tip string
	}
	word struct {
		X, Y     float64
		Anchor   string // start, middle, end
		Class, S string
		Tip      string
	}
	keyEntry struct {
		Class, Text string
		Diamond     bool
		Box         bool
	}
)

// Where the parts of a chart are.
const (
	chartWidth  = 960
	labelWidth  = 200
	figureWidth = 170 // for figures at the right
	plotLeft    = labelWidth + 12
	plotRight   = chartWidth - figureWidth
	plotTop     = 34
	maxLabel    = 28 // characters
)

func (c *chart) line(x1, y1, x2, y2 float64, class string) {
	c.Lines = append(c.Lines, line{x1, y1, x2, y2, class})
}

func (c *chart) word(x, y float64, anchor, class, s string) {
	c.Words = append(c.Words, word{X: x, Y: y, Anchor: anchor, Class: class, S: s})
}

// label names a row; what is too long is cut, and whole in its tip.
func (c *chart) label(y float64, s string) {
	short := s
	if rs := []rune(s); len(rs) > maxLabel {
		short = string(rs[:maxLabel-1]) + "…"
	}
	c.Words = append(c.Words, word{X: labelWidth, Y: y, Anchor: "end", Class: "label", S: short, Tip: s})
}

// scale maps figures to places between plotLeft and plotRight.
type scale struct {
	lo, hi float64
	log    bool
}

func (s scale) x(v float64) float64 {
	lo, hi := s.lo, s.hi
	if s.log {
		v, lo, hi = math.Log(v), math.Log(lo), math.Log(hi)
	}
	if hi <= lo {
		return (plotLeft + plotRight) / 2
	}
	return plotLeft + (plotRight-plotLeft)*min(1, max(0, (v-lo)/(hi-lo)))
}

// minTickGap is how far apart the words of an axis are at least.
const minTickGap = 48

// axis draws a vertical line for each tick that is within the scale, and names those for which there is room: first is named before
// all others.
func (c *chart) axis(s scale, ticks []float64, first float64, text func(float64) string) {
	var named []float64
	draw := func(v float64) {
		if v < s.lo*(1-1e-9) || v > s.hi*(1+1e-9) {
			return
		}
		x := s.x(v)
		c.line(x, plotTop-6, x, c.H-8, "grid")
		for _, other := range named {
			if math.Abs(x-other) < minTickGap {
				return
			}
		}
		named = append(named, x)
		c.word(x, plotTop-12, "middle", "tick", text(v))
	}
	if first > 0 {
		draw(first)
	}
	for _, v := range ticks {
		if v != first {
			draw(v)
		}
	}
}

// ratioTicks are where the axes of ratios may have lines.
var ratioTicks = []float64{
	0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 100, 200, 500, 1000,
}

// verdict says what a ratio tells: it is a difference if all rounds lie on one side.
func verdict(row *Row, q *Ratio) string {
	lower := row.LowerIsBetter || q != row.Ratio
	switch {
	case q.Min <= 1 && q.Max >= 1:
		return "even"
	case (q.Median > 1) != lower:
		return "good"
	}
	return "bad"
}

// ratioChart shows A/B of every row with the range of its rounds, the best for A first; nil when there is nothing to compare.
func ratioChart(id, title, note string, rows []*Row, of func(*Row) *Ratio, lower bool) *chart {
	rows = slices.DeleteFunc(slices.Clone(rows), func(r *Row) bool { return of(r) == nil })
	if len(rows) == 0 {
		return nil
	}
	goodness := func(r *Row) float64 {
		if r.LowerIsBetter || lower {
			return -math.Log(of(r).Median)
		}
		return math.Log(of(r).Median)
	}
	slices.SortStableFunc(rows, func(a, b *Row) int { return cmp.Compare(goodness(b), goodness(a)) })
	const height = 26
	c := &chart{ID: id, Title: title, Note: note, W: chartWidth, H: plotTop + height*float64(len(rows)) + 12}
	s := scale{lo: 0.8, hi: 1.25, log: true}
	for _, r := range rows {
		s.lo, s.hi = min(s.lo, of(r).Min/1.05), max(s.hi, of(r).Max*1.05)
	}
	c.axis(s, ratioTicks, 1, func(v float64) string { return fmt.Sprintf("%g", v) })
	c.line(s.x(1), plotTop-6, s.x(1), c.H-8, "one")
	for i, r := range rows {
		q := of(r)
		y := plotTop + height*(float64(i)+0.5)
		class := verdict(r, q)
		c.label(y+4.5, r.Name)
		c.line(s.x(q.Min), y, s.x(q.Max), y, "range "+class)
		for _, end := range []float64{q.Min, q.Max} {
			c.line(s.x(end), y-5, s.x(end), y+5, "range "+class)
		}
		tip := fmt.Sprintf("%s: %.2f, rounds from %.2f to %.2f", r.Name, q.Median, q.Min, q.Max)
		c.Marks = append(c.Marks, mark{X: s.x(q.Median), Y: y, R: 6, Diamond: class == "bad", Class: class, Tip: tip})
		c.word(plotRight+64, y+5, "end", "figure", fmt.Sprintf("%.2f", q.Median))
		if q.Min < q.Max {
			c.word(plotRight+76, y+5, "start", "spread", fmt.Sprintf("%.2f–%.2f", q.Min, q.Max))
		}
	}
	c.Key = []keyEntry{{Class: "good", Text: "A is better in every round"}, {Class: "even", Text: "rounds on both sides of 1: no difference to see"}, {Class: "bad", Diamond: true, Text: "B is better in every round"}}
	return c
}

// latencyTicks are 1, 2 and 5 with any number of zeros, in microseconds.
var latencyTicks = func() []float64 {
	var out []float64
	for p := 0.01; p < 1e10; p *= 10 {
		out = append(out, p, 2*p, 5*p)
	}
	return out
}()

// span writes microseconds in a unit that suits them.
func span(us float64) string {
	switch {
	case us < 999.5:
		return three(us) + " µs"
	case us < 999_500:
		return three(us/1e3) + " ms"
	}
	return three(us/1e6) + " s"
}

// three prints up to three significant digits without zeros at the end.
func three(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	switch {
	case v < 9.995:
		s = fmt.Sprintf("%.2f", v)
	case v < 99.95:
		s = fmt.Sprintf("%.1f", v)
	}
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// latencyChart shows p50, p99 and p99.9 of every row as a range with three marks, A above B; nil if no row has them.
func latencyChart(id, title, note string, rows []*Row) *chart {
	rows = slices.DeleteFunc(slices.Clone(rows), func(r *Row) bool {
		return slices.ContainsFunc(r.Sides, func(s Side) bool { return s.Median.P50 <= 0 || s.Median.P99 <= 0 || s.Median.P999 <= 0 })
	})
	if len(rows) == 0 {
		return nil
	}
	sides := len(rows[0].Sides)
	height := 18 + 16*float64(sides)
	c := &chart{ID: id, Title: title, Note: note, W: chartWidth, H: plotTop + height*float64(len(rows)) + 10}
	s := scale{lo: math.Inf(1), hi: 0, log: true}
	for _, r := range rows {
		for i := range r.Sides {
			m := &r.Sides[i].Median
			s.lo, s.hi = min(s.lo, m.P50/1.15), max(s.hi, m.P999*1.15)
		}
	}
	c.axis(s, latencyTicks, 0, span)
	for i, r := range rows {
		top := plotTop + height*float64(i)
		if i > 0 {
			c.line(8, top, chartWidth-8, top, "rule")
		}
		c.label(top+height/2+4.5, r.Name)
		for k := range r.Sides {
			m := &r.Sides[k].Median
			y := top + height/2 + 16*(float64(k)-float64(sides-1)/2)
			class := sideClass(k)
			c.line(s.x(m.P50), y, s.x(m.P999), y, "range "+class)
			for _, q := range []struct {
				name   string
				v, r   float64
				hollow string
			}{{"p99.9", m.P999, 3, " hollow"}, {"p99", m.P99, 5, ""}, {"p50", m.P50, 4, " hollow"}} {
				c.Marks = append(c.Marks, mark{X: s.x(q.v), Y: y, R: q.r, Diamond: k == 1, Class: class + q.hollow,
					Tip: fmt.Sprintf("%s, %s: %s %s", r.Name, sideName(k), q.name, span(q.v))})
			}
			c.word(plotRight+12, y+4.5, "start", "figure "+class, sideName(k)+" "+span(m.P50)+" · "+span(m.P99))
		}
	}
	c.Key = []keyEntry{{Class: "a", Text: "A: p50, p99 (filled), p99.9"}}
	if sides == 2 {
		c.Key = append(c.Key, keyEntry{Class: "b", Diamond: true, Text: "B, in the same way"})
	}
	return c
}

func sideClass(k int) string { return string(rune('a' + k)) }
func sideName(k int) string  { return string(rune('A' + k)) }

// barChart shows one figure of every row, divided by unit, A above B; nil if no row has it.
func barChart(id, title, note string, rows []*Row, of func(*Round) *float64, unit float64, text func(float64) string) *chart {
	rows = slices.DeleteFunc(slices.Clone(rows), func(r *Row) bool {
		return slices.ContainsFunc(r.Sides, func(s Side) bool { return *of(&s.Median) <= 0 })
	})
	if len(rows) == 0 {
		return nil
	}
	sides := len(rows[0].Sides)
	height := 12 + 13*float64(sides)
	c := &chart{ID: id, Title: title, Note: note, W: chartWidth, H: plotTop + height*float64(len(rows)) + 10}
	s := scale{}
	for _, r := range rows {
		for i := range r.Sides {
			s.hi = max(s.hi, *of(&r.Sides[i].Median)/unit)
		}
	}
	step := math.Pow(10, math.Floor(math.Log10(s.hi)))
	for s.hi/step < 4 {
		step /= 2
	}
	var ticks []float64
	for i := range 10 {
		ticks = append(ticks, step*float64(i))
	}
	c.axis(s, ticks, 0, text)
	for i, r := range rows {
		top := plotTop + height*float64(i)
		c.label(top+height/2+4.5, r.Name)
		var texts []string
		for k := range r.Sides {
			v := *of(&r.Sides[k].Median) / unit
			y := top + height/2 + 13*(float64(k)-float64(sides)/2)
			c.Boxes = append(c.Boxes, box{X: plotLeft, Y: y + 1, W: max(1, s.x(v)-plotLeft), H: 11, Class: sideClass(k), Tip: fmt.Sprintf("%s, %s: %s", r.Name, sideName(k), text(v))})
			texts = append(texts, text(v))
		}
		c.word(plotRight+12, top+height/2+4.5, "start", "figure", strings.Join(texts, " / "))
	}
	c.Key = []keyEntry{{Class: "a", Box: true, Text: "A"}}
	if sides == 2 {
		c.Key = append(c.Key, keyEntry{Class: "b", Box: true, Text: "B"})
	}
	return c
}

// Side is how wide a diamond's box is.
func (m mark) Side() float64 { return 2 * m.R }
