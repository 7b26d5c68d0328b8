package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// The files of --results.
const (
	resultsJSON = "latest.json"
	resultsHTML = "latest.html"
	resultsNote = "README.md"
)

// write prints the table and writes the files asked for.
func (r *report) write(c *config, stdout io.Writer) error {
	r.Means = r.means()
	table := r.plain
	if c.md == "-" {
		table = r.markdown
	}
	if _, err := io.WriteString(stdout, table()); err != nil {
		return err
	}
	// Whatever fails, the rest is written: a run takes long.
	var errs []error
	put := func(name string, b []byte, err error) {
		if err == nil {
			err = os.WriteFile(name, b, 0o644)
		}
		errs = append(errs, err)
	}
	if c.md != "" && c.md != "-" {
		put(c.md, []byte(r.markdown()), nil)
	}
	if c.json != "" {
		b, err := r.json()
		put(c.json, b, err)
	}
	if c.html != "" {
		b, err := r.html()
		put(c.html, b, err)
	}
	if c.results != "" {
		if err := os.MkdirAll(c.results, 0o755); err != nil {
			return errors.Join(append(errs, err)...)
		}
		b, err := r.json()
		put(filepath.Join(c.results, resultsJSON), b, err)
		b, err = r.html()
		put(filepath.Join(c.results, resultsHTML), b, err)
		put(filepath.Join(c.results, resultsNote), []byte(r.readme()), nil)
	}
	return errors.Join(errs...)
}

func (r *report) json() ([]byte, error) {
	b, err := json.MarshalIndent(r, "", "  ")
	return append(b, '\n'), err
}

// readme is what stands beside the files of --results.
func (r *report) readme() string {
	var b strings.Builder
	b.WriteString("# The last report\n\n")
	fmt.Fprintf(&b, "[%s](%s) has the charts and opens from disk, [%s](%s) has every round. `make report` writes this folder anew.\n\n", resultsHTML, resultsHTML, resultsJSON, resultsJSON)
	b.WriteString("| | |\n|---|---|\n")
	for _, l := range r.notes() {
		v := strings.NewReplacer("|", `\|`, "\n", " ").Replace(l[1])
		if l[0] == "command" {
			v = "`" + v + "`"
		}
		fmt.Fprintf(&b, "| %s | %s |\n", l[0], v)
	}
	b.WriteString("\n" + r.markdown())
	return b.String()
}

const (
	maxReport = 64 << 20 // bytes
	maxRows   = 10_000
)

// readReport reads what json wrote. Figures that no measurement gives are refused, so that charts need not expect them.
func readReport(file string) (*report, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxReport+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxReport {
		return nil, fmt.Errorf("%s: longer than %d bytes", file, maxReport)
	}
	r := &report{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

func (r *report) check() error {
	if len(r.Rows) == 0 || len(r.Rows) > maxRows {
		return fmt.Errorf("not a report: %d rows", len(r.Rows))
	}
	if len(r.Servers) < 1 || len(r.Servers) > 2 {
		return fmt.Errorf("not a report: %d servers", len(r.Servers))
	}
	for _, row := range r.Rows {
		if len(row.Sides) != len(r.Servers) {
			return fmt.Errorf("row %s %s: %d servers of %d", row.Suite, row.Name, len(row.Sides), len(r.Servers))
		}
		for _, s := range row.Sides {
			for _, f := range figures {
				if v := *f(&s.Median); !(v >= 0 && v <= math.MaxFloat64/1e6) {
					return fmt.Errorf("row %s %s: figure %v", row.Suite, row.Name, v)
				}
			}
		}
		for _, q := range []*Ratio{row.Ratio, row.CPURatio, row.RSSRatio} {
			if q != nil && len(r.Servers) < 2 {
				return fmt.Errorf("row %s %s: a ratio of one server", row.Suite, row.Name)
			}
			if q != nil && !(q.Min > 0 && q.Min <= q.Median && q.Median <= q.Max && q.Max < 1e12 && q.Min > 1e-12) {
				return fmt.Errorf("row %s %s: ratio %v, from %v to %v", row.Suite, row.Name, q.Median, q.Min, q.Max)
			}
		}
	}
	return nil
}
