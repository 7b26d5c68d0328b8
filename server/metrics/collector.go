package metrics

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// collector turns INFO into metrics, each time it is asked. If INFO cannot be had, redis_up is 0 and alone.
type collector struct{ source Source }

// Describe implements prometheus.Collector. What there is follows from INFO, so nothing is said beforehand.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	out := output{to}
	var text bytes.Buffer
	if err := c.source.WriteAll(&text); err != nil {
		out.send("up", "Information about the Redis instance", gauge, 0)
		return
	}
	out.send("up", "Information about the Redis instance", gauge, 1)
	out.info(parse(text.String()))
	databases, _ := strconv.Atoi(c.source.Config("databases"))
	out.databases(parse(text.String()), databases)
	for _, name := range configGauges {
		if v, err := strconv.ParseFloat(c.source.Config(name), 64); err == nil {
			out.named("config_"+strings.ReplaceAll(name, "-", "_"), gauge, v)
		}
	}
	length, last, took := c.source.Slow()
	out.send("slowlog_length", "Total slowlog", gauge, float64(length))
	out.send("slowlog_last_id", "Last id of slowlog", gauge, float64(last))
	out.send("last_slow_execution_duration_seconds", "The amount of time needed for last slow execution, in seconds", gauge, took.Seconds())
	for _, e := range c.source.Latest() {
		out.send("latency_spike_last", "When the latency spike last occurred", gauge, float64(e.At), "event_name", e.Name)
		out.send("latency_spike_duration_seconds", "Length of the last latency spike in seconds", gauge, e.Took.Seconds(), "event_name", e.Name)
	}
}

// line is a line of INFO.
type line struct{ section, name, value string }

// parse takes INFO apart.
func parse(text string) (lines []line) {
	section := ""
	for l := range strings.SplitSeq(text, "\r\n") {
		if title, ok := strings.CutPrefix(l, "# "); ok {
			section = title
		} else if name, value, ok := strings.Cut(l, ":"); ok {
			lines = append(lines, line{section, name, value})
		}
	}
	return lines
}

// tableByField is table for looking up.
var tableByField = func() map[string]metric {
	m := make(map[string]metric, len(table))
	for _, t := range table {
		m[t.field] = t
	}
	return m
}()

type output struct{ to chan<- prometheus.Metric }

// send sends a metric with labels, given as names and values in turn.
func (o output) send(name, help string, kind prometheus.ValueType, v float64, labels ...string) {
	var names, values []string
	for i := 0; i < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, strings.ToValidUTF8(labels[i+1], "\uFFFD"))
	}
	o.to <- prometheus.MustNewConstMetric(prometheus.NewDesc("redis_"+name, help, names, nil), kind, v, values...)
}

// named sends a metric whose name says it all.
func (o output) named(name string, kind prometheus.ValueType, v float64) {
	o.send(name, name+" metric", kind, v)
}

func (o output) info(lines []line) {
	fields := make(map[string]string, len(lines))
	percentiles := map[string]string{}
	for _, l := range lines {
		fields[l.name] = l.value
		if cmd, ok := strings.CutPrefix(l.name, "latency_percentiles_usec_"); ok {
			percentiles[cmd] = l.value
		}
	}
	for _, l := range lines {
		switch t, known := tableByField[l.name]; {
		case l.section == "Commandstats":
			o.command(strings.TrimPrefix(l.name, "cmdstat_"), l.value, percentiles)
		case l.section == "Errorstats":
			if n, ok := pairs(l.value)["count"]; ok {
				o.send("errors_total", "Total number of errors per error type", counter, n, "err", strings.TrimPrefix(l.name, "errorstat_"))
			}
		case known:
			if v, ok := number(l.value); ok {
				if t.scale != 0 {
					v *= t.scale
				}
				name := t.name
				if name == "" {
					name = t.field
				}
				o.named(name, t.kind, v)
			}
		}
	}
	var labels []string
	for _, name := range infoLabels {
		labels = append(labels, name, fields[name])
	}
	o.send("instance_info", "Information about the Redis instance", gauge, 1, labels...)
	now, err1 := strconv.ParseFloat(fields["server_time_usec"], 64)
	up, err2 := strconv.ParseFloat(fields["uptime_in_seconds"], 64)
	if err1 == nil && err2 == nil {
		o.send("start_time_seconds", "Start time of the Redis instance since unix epoch in seconds.", gauge, float64(int64(now/1e6-up)))
	}
}

// number reads a value; ok and err are how INFO says 1 and 0.
func number(s string) (float64, bool) {
	switch s {
	case "ok", "up":
		return 1, true
	case "err", "fail", "down":
		return 0, true
	}
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	return v, err == nil
}

// pairs reads name=number,name=number.
func pairs(s string) map[string]float64 {
	m := map[string]float64{}
	for p := range strings.SplitSeq(s, ",") {
		if name, value, ok := strings.Cut(p, "="); ok {
			if v, err := strconv.ParseFloat(value, 64); err == nil {
				m[name] = v
			}
		}
	}
	return m
}

// command sends what INFO commandstats and latencystats say of one command.
func (o output) command(cmd, value string, percentiles map[string]string) {
	p := pairs(value)
	o.send("commands_total", "Total number of calls per command", counter, p["calls"], "cmd", cmd)
	o.send("commands_duration_seconds_total", "Total amount of time in seconds spent per command", counter, p["usec"]/1e6, "cmd", cmd)
	o.send("commands_rejected_calls_total", "Total number of errors within command execution per command", counter, p["rejected_calls"], "cmd", cmd)
	o.send("commands_failed_calls_total", "Total number of errors prior command execution per command", counter, p["failed_calls"], "cmd", cmd)
	quantiles := map[float64]float64{}
	for name, v := range pairs(percentiles[cmd]) {
		if q, err := strconv.ParseFloat(strings.TrimPrefix(name, "p"), 64); err == nil {
			quantiles[q] = v
		}
	}
	if len(quantiles) > 0 {
		d := prometheus.NewDesc("redis_latency_percentiles_usec", "A summary of latency percentile distribution per command", []string{"cmd"}, nil)
		o.to <- prometheus.MustNewConstSummary(d, uint64(p["calls"]), p["usec"], quantiles, cmd)
	}
}

// databases tells of all databases, of empty ones too: a series that comes and goes is hard to watch.
func (o output) databases(lines []line, n int) {
	keyspace := map[string]map[string]float64{}
	for _, l := range lines {
		if l.section == "Keyspace" {
			keyspace[l.name] = pairs(l.value)
		}
	}
	for i := range n {
		db := fmt.Sprintf("db%d", i)
		p, used := keyspace[db]
		if !used && i >= maxEmpty {
			continue
		}
		o.send("db_keys", "Total number of keys by DB", gauge, p["keys"], "db", db)
		o.send("db_keys_expiring", "Total number of expiring keys by DB", gauge, p["expires"], "db", db)
		if used {
			o.send("db_avg_ttl_seconds", "Avg TTL in seconds", gauge, p["avg_ttl"]/1000, "db", db)
		}
	}
}

// maxEmpty bounds the number of empty databases that are told of.
const maxEmpty = 64
