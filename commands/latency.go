package commands

import (
	"fmt"
	"strings"

	"github.com/streampulse/pulse/internal/num"
)

var latencyCommands = []Spec{
	{Name: "LATENCY", Arity: -2, Group: GroupServer, Since: "2.8.13", Complexity: "Depends on the subcommand.",
		Summary: "Commands about what has kept clients waiting.", Sub: []Spec{
			{Name: "DOCTOR", Arity: 2, Flags: latencyFlags, Since: "2.8.13", Complexity: "O(1)",
				Summary: "Says what the events mean, and what helps.", Tips: latencyTips, Run: latencyDoctor},
			{Name: "GRAPH", Syntax: "event", Arity: 3, Flags: latencyFlags, Since: "2.8.13", Complexity: "O(1)",
				Summary: "Draws the samples of an event.", Tips: latencyTips, Run: latencyGraph},
			{Name: "HISTOGRAM", Syntax: "[command [command ...]]", Arity: -2, Flags: latencyFlags, Since: "7.0.0",
				Complexity: "O(N) with the number of commands told about.", Summary: "Returns how the times of commands are distributed.",
				Tips: latencyTips, Run: latencyHistogram},
			{Name: "HISTORY", Syntax: "event", Arity: 3, Flags: latencyFlags, Since: "2.8.13", Complexity: "O(1)",
				Summary: "Returns the samples of an event.", Tips: latencyTips, Run: latencyHistory},
			{Name: "LATEST", Arity: 2, Flags: latencyFlags, Since: "2.8.13", Complexity: "O(1)",
				Summary: "Returns the last sample of each event.", Tips: latencyTips, Run: latencyLatest},
			{Name: "RESET", Syntax: "[event [event ...]]", Arity: -2, Flags: latencyFlags, Since: "2.8.13", Complexity: "O(1)",
				Summary: "Forgets events.", Tips: []string{"request_policy:all_nodes", "response_policy:agg_sum"}, Run: latencyReset},
			helpRow("2.8.13", 0),
		}},
}

const latencyFlags = Admin | NoScript | Loading | Stale

var latencyTips = []string{"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"}

// LatencyEvent is one kind of what keeps clients waiting longer than latency-monitor-threshold.
type LatencyEvent struct {
	Name    string
	Worst   int64           // ms
	Samples []LatencySample // the oldest first, one for each second in which there was any; never empty
}

// LatencySample is the longest wait of a second.
type LatencySample struct{ At, Took int64 } // Unix seconds, ms

// Last is the latest sample.
func (e *LatencyEvent) Last() LatencySample { return e.Samples[len(e.Samples)-1] }

// Latency is what has kept clients waiting.
type Latency interface {
	// LatencyEvents lists the events by name.
	LatencyEvents() []LatencyEvent
	// LatencyReset forgets the named events, or all, and returns how many there were of these.
	LatencyReset(names [][]byte) int
	// LatencyHistogram calls step with cumulative counts of the calls of a command, ascending, and returns how many there
	// were. With none it calls nothing.
	LatencyHistogram(id int, step func(usec, count int64)) int64
}

func (c *Call) latencyEvent(name []byte) (LatencyEvent, bool) {
	for _, e := range c.Env.LatencyEvents() {
		if e.Name == string(name) {
			return e, true
		}
	}
	return LatencyEvent{}, false
}

func latencyLatest(c *Call) error {
	events := c.Env.LatencyEvents()
	c.Array(len(events))
	for i := range events {
		e := &events[i]
		c.Array(4)
		c.BulkString(e.Name)
		c.Int(e.Last().At)
		c.Int(e.Last().Took)
		c.Int(e.Worst)
	}
	return nil
}

func latencyHistory(c *Call) error {
	e, _ := c.latencyEvent(c.Args[2])
	c.Array(len(e.Samples))
	for _, s := range e.Samples {
		c.Array(2)
		c.Int(s.At)
		c.Int(s.Took)
	}
	return nil
}

func latencyReset(c *Call) error {
	c.Int(int64(c.Env.LatencyReset(c.Args[2:])))
	return nil
}

func latencyHistogram(c *Call) error {
	m, n := c.Defer(), 0
	tell := func(s *Spec) {
		var steps [][2]int64
		calls := c.Env.LatencyHistogram(s.id, func(usec, count int64) { steps = append(steps, [2]int64{usec, count}) })
		if calls == 0 {
			return
		}
		n++
		c.BulkString(s.full)
		c.Map(2)
		c.BulkString("calls")
		c.Int(calls)
		c.BulkString("histogram_usec")
		c.Map(len(steps))
		for _, st := range steps {
			c.Int(st[0])
			c.Int(st[1])
		}
	}
	if len(c.Args) == 2 {
		for _, s := range c.table.all {
			tell(s)
		}
	}
	for _, name := range c.Args[2:] {
		container, sub, _ := strings.Cut(string(name), "|")
		s := c.table.Lookup([]byte(container))
		if s != nil && sub != "" {
			s = s.sub.find([]byte(sub))
		}
		if s == nil {
			continue
		}
		tell(s)
		for i := range s.Sub {
			tell(&s.Sub[i])
		}
	}
	c.EndMap(m, n)
	return nil
}

// latencyGraph draws as Redis does: a column for each sample, four rows of three levels, and below it how long ago it was.
func latencyGraph(c *Call) error {
	e, ok := c.latencyEvent(c.Args[2])
	if !ok {
		return errNoSamples(c.Args[2])
	}
	low, high := e.Samples[0].Took, e.Samples[0].Took
	for _, s := range e.Samples {
		low, high = min(low, s.Took), max(high, s.Took)
	}
	const columns = 80
	var b strings.Builder
	fmt.Fprintf(&b, "%s - high %d ms, low %d ms (all time high %d ms)\n%s\n", e.Name, high, low, e.Worst, strings.Repeat("-", columns))
	now := c.Env.Clock().NowMs() / 1000
	for samples := e.Samples; len(samples) > 0; {
		n := min(columns, len(samples))
		drawSamples(&b, samples[:n], low, high, now)
		samples = samples[n:]
	}
	c.Verbatim("txt", b.String())
	return nil
}

func drawSamples(b *strings.Builder, samples []LatencySample, low, high, now int64) {
	const rows, levels = 4, "_o#"
	for row := range rows {
		for _, s := range samples {
			step := min((s.Took-low)*rows*int64(len(levels))/max(high-low, 1), rows*int64(len(levels))-1)
			switch at := step - int64((rows-row-1)*len(levels)); {
			case at < 0:
				b.WriteByte(' ')
			case at >= int64(len(levels)):
				b.WriteByte('|')
			default:
				b.WriteByte(levels[at])
			}
		}
		b.WriteByte('\n')
	}
	b.WriteString(strings.Repeat(" ", len(samples)) + "\n")
	var labels []string
	longest := 0
	for _, s := range samples {
		l := ago(now - s.At)
		labels = append(labels, l)
		longest = max(longest, len(l))
	}
	for i := range longest {
		for _, l := range labels {
			if i < len(l) {
				b.WriteByte(l[i])
			} else {
				b.WriteByte(' ')
			}
		}
		b.WriteByte('\n')
	}
}

// ago writes a number of seconds in its largest unit.
func ago(seconds int64) string {
	switch {
	case seconds < 60:
		return fmt.Sprintf("%ds", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%dm", seconds/60)
	case seconds < 24*3600:
		return fmt.Sprintf("%dh", seconds/3600)
	}
	return fmt.Sprintf("%dd", seconds/(24*3600))
}

// latencyAdvice is what helps, by the beginning of an event's name.
var latencyAdvice = []struct{ event, text string }{
	{"aof-fsync-always", "The disk takes long to make writes durable. With 'appendfsync everysec' clients do not wait for it, at the price of the last second in a power cut."},
	{"aof-write", "The system takes long to accept writes to the append-only file: another process keeps the disk busy, or it is too slow. 'no-appendfsync-on-rewrite yes' helps while the file is being rewritten."},
	{"rdb-snapshot-pause", "A write waited for a large value to be kept for a snapshot first. Spread very large values over several keys."},
	{"command", "Commands took long: look at INFO commandstats and LATENCY HISTOGRAM for which, and ask for less at once (SCAN instead of KEYS, ranges instead of whole values)."},
	{"fast-command", "Commands that are always short took long: the machine has too little processor time for this server, or swaps."},
}

func latencyDoctor(c *Call) error {
	var b strings.Builder
	threshold := int64(0)
	c.Env.ConfigGet([][]byte{[]byte("latency-monitor-threshold")}, func(_, value string) { threshold, _ = num.ParseInt([]byte(value)) })
	events := c.Env.LatencyEvents()
	switch {
	case threshold == 0 && len(events) == 0:
		b.WriteString("Nothing is watched: CONFIG SET latency-monitor-threshold <milliseconds> has everything noted that takes longer.\n")
	case len(events) == 0:
		fmt.Fprintf(&b, "Nothing has taken %d ms or longer since the server began, or since LATENCY RESET.\n", threshold)
	}
	for i := range events {
		e := &events[i]
		sum, away := int64(0), int64(0)
		for _, s := range e.Samples {
			sum += s.Took
		}
		n := int64(len(e.Samples))
		mean := sum / n
		for _, s := range e.Samples {
			away += max(s.Took-mean, mean-s.Took)
		}
		period := float64(max(e.Last().At-e.Samples[0].At, 1)) / float64(n)
		fmt.Fprintf(&b, "%d. %s: %d latency spikes (average %dms, mean deviation %dms, period %.2f sec). Worst all time event %dms.\n",
			i+1, e.Name, n, mean, away/n, period, e.Worst)
		for _, a := range latencyAdvice {
			if strings.HasPrefix(e.Name, a.event) {
				b.WriteString("   " + a.text + "\n")
				break
			}
		}
	}
	c.Verbatim("txt", b.String())
	return nil
}
