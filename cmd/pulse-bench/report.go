package main

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Round is one measurement of one server. Latencies and CPU are microseconds; what is not known is zero.
type Round struct {
	Value       float64 `json:"value"` // in the row's unit
	P50         float64 `json:"p50_us,omitempty"`
	P99         float64 `json:"p99_us,omitempty"`
	P999        float64 `json:"p999_us,omitempty"`
	CPU         float64 `json:"server_cpu_us_per_request,omitempty"`
	ClientShare float64 `json:"client_cpu_share,omitempty"` // of the time of the client's threads
	Nulls       int64   `json:"null_replies,omitempty"`
	Late        float64 `json:"client_late_p99_us,omitempty"` // of an open loop: by how much operations began after they were due
	Dropped     int64   `json:"dropped,omitempty"`            // of an open loop: what was due and never begun
	RSS         float64 `json:"rss_bytes,omitempty"`          // of the server, after the round
}

// Side is what one server did in all rounds of a row.
type Side struct {
	Rounds []Round `json:"rounds"`
	Median Round   `json:"median"` // of each figure by itself
}

// Ratio is A/B over the rounds.
type Ratio struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// Row is one line of the table.
type Row struct {
	Suite         string  `json:"suite"`
	Name          string  `json:"name"`
	Unit          string  `json:"unit"`
	LowerIsBetter bool    `json:"lower_is_better,omitempty"`
	Sides         []Side  `json:"sides"`           // A, then B when there is one
	Ratio         *Ratio  `json:"ratio,omitempty"` // of values
	CPURatio      *Ratio  `json:"cpu_ratio,omitempty"`
	ClientBound   bool    `json:"client_bound,omitempty"` // the client used up its threads against at least one server
	RSSRatio      *Ratio  `json:"rss_ratio,omitempty"`
	Clients       int     `json:"clients,omitempty"`            // when not as many as the report says
	Does          string  `json:"does,omitempty"`               // what one operation is
	Sizes         string  `json:"sizes,omitempty"`              // of the data
	Offered       float64 `json:"offered_per_second,omitempty"` // to both servers, in an open loop
	Mean          string  `json:"mean,omitempty"`               // the mean that the row counts for; empty: its suite's, if it is a throughput
}

// report is everything measured.
type report struct {
	Time      time.Time         `json:"time"`
	System    string            `json:"system"`
	CPUs      int               `json:"cpus"`
	Clients   int               `json:"clients"`
	Pipeline  int               `json:"pipeline"`
	Threads   int               `json:"client_threads"`
	Keys      uint64            `json:"keys"`
	ValueSize int               `json:"value_size"`
	Rounds    int               `json:"rounds"`
	RoundTime string            `json:"round_time"`
	Servers   map[string]string `json:"servers"` // name to version
	Rows      []Row             `json:"rows"`
	Means     []mean            `json:"geometric_means,omitempty"`
	Skipped   []string          `json:"skipped,omitempty"` // what was not measured, and why, a line each
	Scale     float64           `json:"scale,omitempty"`   // of the suites for data types
	Think     string            `json:"think,omitempty"`
	Load      float64           `json:"load,omitempty"` // rates of patterns-open, as a part of what the slower server does
	Machine   machine           `json:"machine"`
	Command   string            `json:"command,omitempty"`
}

func (s *Side) dropped() int64 {
	var n int64
	for _, r := range s.Rounds {
		n += r.Dropped
	}
	return n
}

// mean is the geometric mean of a suite's ratios, or of some of them.
type mean struct {
	Suite string  `json:"suite"`
	Of    string  `json:"of,omitempty"` // as Row.Mean
	Ratio float64 `json:"ratio"`
	CPU   float64 `json:"cpu_ratio,omitempty"`
}

func newReport(c *config, ts []*target) report {
	r := report{
		Time: time.Now().UTC().Truncate(time.Second), System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(),
		Clients: c.clients, Pipeline: c.pipeline, Threads: c.threads, Keys: c.keys, ValueSize: c.valueSize,
		Rounds: c.rounds, RoundTime: c.duration.String(), Scale: c.scale, Servers: map[string]string{},
	}
	if c.think > 0 {
		r.Think = c.think.String()
	}
	if c.rate == 0 && slices.Contains(c.suites, openSuite) {
		r.Load = c.load
	}
	r.Machine = thisMachine()
	if c.requests > 0 {
		r.RoundTime = fmt.Sprintf("%d requests", c.requests)
	}
	for _, t := range ts {
		r.Servers[t.name] = t.server.Version
	}
	return r
}

// add completes row from the rounds of each server and appends it.
func (r *report) add(row Row, rounds [][]Round) {
	for _, rs := range rounds {
		side := Side{Rounds: rs}
		for _, f := range figures {
			*f(&side.Median) = median(collect(rs, f))
		}
		row.ClientBound = row.ClientBound || side.Median.ClientShare > clientBoundShare
		row.Sides = append(row.Sides, side)
	}
	if len(rounds) == 2 {
		row.Ratio = ratio(rounds, figures[0])
		row.CPURatio = ratio(rounds, cpuFigure)
		row.RSSRatio = ratio(rounds, rssFigure)
	}
	r.Rows = append(r.Rows, row)
}

// figures are the numbers of a round that have a median.
var figures = []func(*Round) *float64{
	func(r *Round) *float64 { return &r.Value },
	func(r *Round) *float64 { return &r.P50 },
	func(r *Round) *float64 { return &r.P99 },
	func(r *Round) *float64 { return &r.P999 },
	cpuFigure,
	func(r *Round) *float64 { return &r.ClientShare },
	func(r *Round) *float64 { return &r.Late },
	rssFigure,
}

func cpuFigure(r *Round) *float64 { return &r.CPU }
func rssFigure(r *Round) *float64 { return &r.RSS }

func collect(rs []Round, f func(*Round) *float64) []float64 {
	out := make([]float64, len(rs))
	for i := range rs {
		out[i] = *f(&rs[i])
	}
	return out
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// ratio compares round by round; nil when a figure is missing.
func ratio(rounds [][]Round, f func(*Round) *float64) *Ratio {
	a, b := collect(rounds[0], f), collect(rounds[1], f)
	rs := make([]float64, min(len(a), len(b)))
	for i := range rs {
		if a[i] <= 0 || b[i] <= 0 {
			return nil
		}
		rs[i] = a[i] / b[i]
	}
	if len(rs) == 0 {
		return nil
	}
	return &Ratio{Median: median(rs), Min: slices.Min(rs), Max: slices.Max(rs)}
}

// means are over the rows that name one, and of other rows over the throughputs of a suite.
func (r *report) means() []mean {
	var out []mean
	var cpus, values [][]float64 // as out
	for _, suite := range allSuites {
		for _, row := range r.Rows {
			if row.Suite != suite || row.LowerIsBetter && row.Mean == "" || row.Ratio == nil {
				continue
			}
			i := slices.IndexFunc(out, func(m mean) bool { return m.Suite == suite && m.Of == row.Mean })
			if i < 0 {
				i = len(out)
				out = append(out, mean{Suite: suite, Of: row.Mean})
				cpus, values = append(cpus, nil), append(values, nil)
			}
			values[i] = append(values[i], row.Ratio.Median)
			if row.CPURatio != nil {
				cpus[i] = append(cpus[i], row.CPURatio.Median)
			}
		}
	}
	for i := range out {
		out[i].Ratio, out[i].CPU = geometric(values[i]), geometric(cpus[i])
	}
	return out
}

func geometric(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	sum := 0.0
	for _, x := range v {
		sum += math.Log(x)
	}
	return math.Exp(sum / float64(len(v)))
}

// cells returns the table, header first. A pair of figures is A's, then B's.
func (r *report) cells() [][]string {
	two := len(r.Servers) == 2
	head := []string{"suite", "workload", "unit", "A"}
	if two {
		head = append(head, "B", "A/B", "min..max")
	}
	head = append(head, "p50 us", "p99 us", "p99.9 us", "server CPU us")
	if two {
		head = append(head, "CPU A/B", "min..max")
	}
	out := [][]string{head}
	for _, row := range r.Rows {
		name := row.Name
		if row.ClientBound {
			name += " *"
		}
		line := []string{row.Suite, name, row.Unit}
		for _, s := range row.Sides {
			line = append(line, number(s.Median.Value))
		}
		if two {
			line = append(line, ratioCells(row.Ratio, len(row.Sides[0].Rounds))...)
		}
		for _, f := range figures[1:5] {
			line = append(line, pair(row.Sides, f))
		}
		if two {
			line = append(line, ratioCells(row.CPURatio, len(row.Sides[0].Rounds))...)
		}
		out = append(out, line)
	}
	for _, m := range r.Means {
		name := "geometric mean"
		if m.Of != "" {
			name += ", " + m.Of
		}
		line := []string{m.Suite, name, "", "", "", fmt.Sprintf("%.2f", m.Ratio), "", "", "", "", ""}
		if m.CPU > 0 {
			line = append(line, fmt.Sprintf("%.2f", m.CPU), "")
		}
		out = append(out, line)
	}
	return out
}

func ratioCells(r *Ratio, rounds int) []string {
	switch {
	case r == nil:
		return []string{"", ""}
	case rounds < 2:
		return []string{fmt.Sprintf("%.2f", r.Median), ""}
	}
	return []string{fmt.Sprintf("%.2f", r.Median), fmt.Sprintf("%.2f..%.2f", r.Min, r.Max)}
}

// pair joins a figure of A and B; empty when it is not known.
func pair(sides []Side, f func(*Round) *float64) string {
	var parts []string
	for i := range sides {
		v := *f(&sides[i].Median)
		if v == 0 {
			return ""
		}
		parts = append(parts, number(v))
	}
	return strings.Join(parts, " / ")
}

// number prints three significant digits or all before the point, thousands apart.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a < 9.995:
		return fmt.Sprintf("%.2f", v)
	case a < 99.95:
		return fmt.Sprintf("%.1f", v)
	}
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

// leftAligned are the first columns; the rest are numbers.
const leftAligned = 3

func (r *report) plain() string {
	rows := r.cells()
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, c := range row {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	var b strings.Builder
	b.WriteString(r.caption())
	b.WriteByte('\n')
	for _, row := range rows {
		var line strings.Builder
		for i, c := range row {
			if i > 0 {
				line.WriteString("  ")
			}
			fill := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c))
			if i < leftAligned {
				line.WriteString(c + fill)
			} else {
				line.WriteString(fill + c)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
	}
	b.WriteString(r.legend())
	return b.String()
}

func (r *report) markdown() string {
	rows := r.cells()
	var b strings.Builder
	b.WriteString(r.caption() + "\n")
	for i, row := range rows {
		for len(row) < len(rows[0]) {
			row = append(row, "")
		}
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i > 0 {
			continue
		}
		for c := range row {
			if c < leftAligned {
				b.WriteString("|---")
			} else {
				b.WriteString("|---:")
			}
		}
		b.WriteString("|\n")
	}
	b.WriteString("\n" + r.legend())
	return b.String()
}

func (r *report) caption() string {
	var b strings.Builder
	for _, name := range []string{"A", "B"} {
		if v, ok := r.Servers[name]; ok {
			fmt.Fprintf(&b, "%s: %s. ", name, v)
		}
	}
	fmt.Fprintf(&b, "%s, %d CPUs, %d clients on %d thread(s), pipeline %d, %d keys, values of %d bytes, %d rounds of %s.\n",
		r.System, r.CPUs, r.Clients, r.Threads, r.Pipeline, r.Keys, r.ValueSize, r.Rounds, r.RoundTime)
	if slices.ContainsFunc(r.Rows, func(row Row) bool { return slices.Contains(scaledSuites, row.Suite) }) {
		fmt.Fprintf(&b, "Suites %s at scale %g.\n", strings.Join(scaledSuites, ", "), r.Scale)
	}
	return b.String()
}

func (r *report) legend() string {
	text := "Figures are medians of the rounds, pairs A / B. A/B above 1 is better for A where the unit is so many a second, below 1 elsewhere and for CPU.\n"
	if slices.ContainsFunc(r.Rows, func(row Row) bool { return row.ClientBound }) {
		text += "*: the client used up its threads; the servers' CPU tells more than the throughput.\n"
	}
	for _, row := range r.Rows {
		if row.Clients > 0 {
			text += fmt.Sprintf("%s %s: %d clients.\n", row.Suite, row.Name, row.Clients)
		}
		for i, s := range row.Sides {
			var nulls int64
			for _, round := range s.Rounds {
				nulls += round.Nulls
			}
			if dropped := s.dropped(); dropped > 0 {
				text += fmt.Sprintf("%s %s: %d operations offered to %c were never begun.\n", row.Suite, row.Name, dropped, 'A'+i)
			}
			if nulls > 0 {
				text += fmt.Sprintf("%s %s: %c gave %d null replies.\n", row.Suite, row.Name, 'A'+i, nulls)
			}
		}
	}
	for _, line := range r.Skipped {
		text += "Not measured: " + line + "\n"
	}
	return text
}
