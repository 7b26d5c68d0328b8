package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func sample(t *testing.T) *report {
	t.Helper()
	c := &config{rounds: 3, suites: allSuites}
	r := newReport(c, []*target{{name: "A"}, {name: "B"}})
	r.add(Row{Suite: "throughput", Name: "SET", Unit: "ops/s"}, [][]Round{
		{{Value: 100, P50: 1, CPU: 2}, {Value: 400, P50: 3, CPU: 2}, {Value: 300, P50: 2, CPU: 2, ClientShare: 0.1}},
		{{Value: 100, P50: 1, CPU: 1}, {Value: 100, P50: 3, CPU: 4}, {Value: 100, P50: 2, CPU: 1}},
	})
	r.add(Row{Suite: "throughput", Name: "GET", Unit: "ops/s"}, [][]Round{
		{{Value: 1234567, ClientShare: 0.99, Nulls: 3}}, {{Value: 1234567 * 3, ClientShare: 0.99}},
	})
	r.add(Row{Suite: "memory", Name: "RSS", Unit: "B/key", LowerIsBetter: true}, [][]Round{{{Value: 70}}, {{Value: 140}}})
	return &r
}

func TestRatiosAreMediansOfRounds(t *testing.T) {
	r := sample(t)
	set := r.Rows[0]
	if m := set.Sides[0].Median; m.Value != 300 || m.P50 != 2 || m.CPU != 2 {
		t.Errorf("medians %+v", m)
	}
	// Round by round the values stand 1, 4 and 3; CPU 2, 0.5 and 2.
	if q := set.Ratio; q == nil || q.Median != 3 || q.Min != 1 || q.Max != 4 {
		t.Errorf("ratio %+v", q)
	}
	if q := set.CPURatio; q == nil || q.Median != 2 || q.Min != 0.5 || q.Max != 2 {
		t.Errorf("CPU ratio %+v", q)
	}
	get := r.Rows[1]
	if get.CPURatio != nil || !get.ClientBound || set.ClientBound {
		t.Errorf("GET: CPU ratio %v, client bound %v; SET: client bound %v", get.CPURatio, get.ClientBound, set.ClientBound)
	}
	// The mean of 3 and 1/3 is 1; memory is no throughput and has no mean; CPU is known for SET alone.
	if ms := r.means(); len(ms) != 1 || !near(ms[0].Ratio, 1) || !near(ms[0].CPU, 2) {
		t.Errorf("means %+v", ms)
	}
}

// Rows that name a mean have it even where less is better; other such rows have none.
func TestNamedMeans(t *testing.T) {
	r := sample(t)
	for name, b := range map[string]float64{"x": 2, "y": 8} {
		r.add(Row{Suite: typesMemorySuite, Name: name, Unit: "B/key", LowerIsBetter: true, Mean: "collected"}, [][]Round{{{Value: 1}}, {{Value: b}}})
		r.add(Row{Suite: typesMemorySuite, Name: name, Unit: "B/key", LowerIsBetter: true, Mean: "after the load"}, [][]Round{{{Value: 9}}, {{Value: 9 * b * b}}})
		r.add(Row{Suite: typesMemorySuite, Name: name, Unit: "s", LowerIsBetter: true}, [][]Round{{{Value: 1}}, {{Value: 7}}})
	}
	r.Skipped = []string{"types PFADD: A does not know PFADD."}
	r.Means = r.means()
	got := map[string]float64{}
	for _, m := range r.Means {
		got[m.Suite+" "+m.Of] = m.Ratio
	}
	if len(got) != 3 || !near(got["throughput "], 1) || !near(got["types-memory collected"], 0.25) || !near(got["types-memory after the load"], 1.0/16) {
		t.Errorf("means %v", got)
	}
	for _, want := range []string{"| types-memory | geometric mean, collected |", "Not measured: types PFADD: A does not know PFADD.\n"} {
		if !strings.Contains(r.markdown(), want) {
			t.Errorf("%q missing in\n%s", want, r.markdown())
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want float64
	}{{nil, 0}, {[]float64{5}, 5}, {[]float64{4, 1}, 2.5}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(c.in); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.in, got, c.want)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0.004: "0.00", 1.234: "1.23", 9.996: "10.0", 12.34: "12.3", 99.96: "100", 123.4: "123", 1234: "1 234", 1234567: "1 234 567", -4321: "-4 321",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestTableColumnsLineUp(t *testing.T) {
	r := sample(t)
	r.Means = r.means()
	lines := strings.Split(r.plain(), "\n")
	head := lines[2]
	end := strings.Index(head, "A/B") + len("A/B")
	for _, c := range []struct{ start, cell string }{
		{"throughput  SET", "3.00"}, {"throughput  GET *", "0.33"}, {"memory      RSS", "0.50"}, {"throughput  geometric mean", "1.00"},
	} {
		found := false
		for _, l := range lines {
			if strings.HasPrefix(l, c.start) {
				found = true
				if !strings.HasSuffix(l[:min(end, len(l))], c.cell) {
					t.Errorf("column A/B of %q does not hold %s", l, c.cell)
				}
			}
		}
		if !found {
			t.Errorf("no line begins with %q in\n%s", c.start, r.plain())
		}
	}
	if !strings.Contains(r.plain(), "GET: A gave 3 null replies") {
		t.Error("null replies are not mentioned")
	}
	columns := -1
	for _, l := range strings.Split(r.markdown(), "\n") {
		if !strings.HasPrefix(l, "|") {
			continue
		}
		if n := strings.Count(l, "|"); columns < 0 {
			columns = n
		} else if n != columns {
			t.Errorf("Markdown line with %d bars, want %d: %s", n, columns, l)
		}
	}
	if columns < 10 {
		t.Errorf("Markdown table has %d bars", columns)
	}
}

func TestWriteFiles(t *testing.T) {
	dir := t.TempDir()
	c := &config{json: filepath.Join(dir, "r.json"), md: filepath.Join(dir, "r.md")}
	var out strings.Builder
	if err := sample(t).write(c, &out); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(c.json)
	if err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal(b, &back); err != nil || len(back.Rows) != 3 || back.Rows[0].Ratio.Median != 3 || len(back.Means) != 1 {
		t.Errorf("%+v, %v", back, err)
	}
	md, err := os.ReadFile(c.md)
	if err != nil || !strings.Contains(string(md), "| throughput | SET |") {
		t.Errorf("%s, %v", md, err)
	}
	if !strings.Contains(out.String(), "throughput  SET") {
		t.Errorf("plain table missing:\n%s", out.String())
	}
}
