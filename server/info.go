package server

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/server/pubsub"
	"github.com/streampulse/pulse/server/stats"
	"github.com/streampulse/pulse/store"
)

// infoSection is a chapter of INFO.
type infoSection struct {
	name, title string
	byDefault   bool
	write       func(r *infoReport)
}

// infoSections are in the order in which they are written.
var infoSections = []infoSection{
	{"server", "Server", true, (*infoReport).server},
	{"clients", "Clients", true, (*infoReport).clients},
	{"memory", "Memory", true, (*infoReport).memory},
	{"persistence", "Persistence", true, (*infoReport).persistence},
	{"stats", "Stats", true, (*infoReport).stats},
	{"replication", "Replication", true, (*infoReport).replication},
	{"cpu", "CPU", true, (*infoReport).cpu},
	{"modules", "Modules", true, func(*infoReport) {}},
	{"commandstats", "Commandstats", false, (*infoReport).commandstats},
	{"errorstats", "Errorstats", true, (*infoReport).errorstats},
	{"latencystats", "Latencystats", false, (*infoReport).latencystats},
	{"cluster", "Cluster", true, (*infoReport).cluster},
	{"keyspace", "Keyspace", true, (*infoReport).keyspace},
}

// infoReport is one INFO being written. Names and units of the fields are Redis's.
type infoReport struct {
	s    *Server
	tx   *store.Tx
	w    *bufio.Writer
	snap *stats.Snapshot
}

// WriteInfo implements commands.Insight.
func (s *Server) WriteInfo(w io.Writer, tx *store.Tx, sections []string) {
	r := &infoReport{s: s, tx: tx, w: bufio.NewWriter(w), snap: s.stats.Snapshot()}
	first := true
	for i := range infoSections {
		sec := &infoSections[i]
		if !sec.wanted(sections) {
			continue
		}
		if !first {
			r.w.WriteString("\r\n")
		}
		first = false
		r.w.WriteString("# " + sec.title + "\r\n")
		sec.write(r)
	}
	_ = r.w.Flush() // to memory
}

func (sec *infoSection) wanted(sections []string) bool {
	return slices.Contains(sections, sec.name) || slices.Contains(sections, "everything") ||
		sec.name != "modules" && slices.Contains(sections, "all") ||
		sec.byDefault && (len(sections) == 0 || slices.Contains(sections, "default"))
}

// field writes a line; a float64 gets two decimals.
func (r *infoReport) field(name string, value any) {
	switch v := value.(type) {
	case float64:
		fmt.Fprintf(r.w, "%s:%.2f\r\n", name, v)
	default:
		fmt.Fprintf(r.w, "%s:%v\r\n", name, v)
	}
}

// zeros writes fields that are 0 here, which monitoring expects all the same.
func (r *infoReport) zeros(names ...string) {
	for _, name := range names {
		r.field(name, 0)
	}
}

// bytes writes a size, and again for humans.
func (r *infoReport) bytes(name string, n int64) {
	r.field(name, n)
	r.field(name+"_human", human(n))
}

func human(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10) + "B"
	}
	f, unit := float64(n)/1024, 0
	for ; f >= 1024 && unit < 4; unit++ {
		f /= 1024
	}
	return strconv.FormatFloat(f, 'f', 2, 64) + "KMGTP"[unit:unit+1]
}

func (r *infoReport) uptime() time.Duration { return r.s.clock.Mono() - r.s.start }

func (r *infoReport) server() {
	s := r.s
	executable, _ := os.Executable()
	port := s.cfg.Int("port").Load()
	if _, p, err := net.SplitHostPort(s.Addr()); err == nil {
		if n, err := strconv.ParseInt(p, 10, 32); err == nil {
			port = n
		}
	}
	r.field("redis_version", commands.RedisVersion)
	r.field("pulse_version", s.Version())
	r.field("redis_git_sha1", "00000000")
	r.field("redis_git_dirty", 0)
	r.field("redis_build_id", strings.TrimPrefix(runtime.Version(), "go"))
	r.field("redis_mode", "standalone")
	r.field("os", systemName())
	r.field("arch_bits", strconv.IntSize)
	r.field("monotonic_clock", "go runtime")
	r.field("multiplexing_api", map[string]string{"linux": "epoll"}[runtime.GOOS])
	r.field("atomicvar_api", "go sync/atomic")
	r.field("go_version", runtime.Version())
	r.field("process_id", pid())
	r.field("process_supervised", "no")
	r.field("run_id", s.runID)
	r.field("tcp_port", port)
	r.field("server_time_usec", s.clock.NowUs())
	r.field("uptime_in_seconds", int64(r.uptime().Seconds()))
	r.field("uptime_in_days", int64(r.uptime().Hours()/24))
	r.field("hz", s.cfg.Int("hz").Load())
	r.field("configured_hz", s.cfg.Int("hz").Load())
	r.field("lru_clock", s.clock.NowMs()/1000&0xffffff)
	r.field("executable", filepath.ToSlash(executable))
	r.field("config_file", "")
	r.field("io_threads_active", s.cfg.Int("io-threads").Load())
}

func systemName() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return runtime.GOOS
	}
	text := func(b []byte) string { return string(b[:max(0, bytes.IndexByte(b, 0))]) }
	return text(u.Sysname[:]) + " " + text(u.Release[:]) + " " + text(u.Machine[:])
}

func (r *infoReport) clients() {
	var blocked, subscribers int
	var in, out int64
	r.s.EachClient(func(c *commands.Conn) {
		if c.Blocked() {
			blocked++
		}
		if c.Subscriber() {
			subscribers++
		}
		b := r.s.ClientBuffers(c)
		in, out = max(in, int64(b.Query)), max(out, int64(b.OutputList))
	})
	r.field("connected_clients", r.s.clients.count())
	r.zeros("cluster_connections")
	r.field("maxclients", r.s.vars.maxClients.Load())
	r.field("client_recent_max_input_buffer", in)
	r.field("client_recent_max_output_buffer", out)
	r.field("blocked_clients", blocked)
	r.zeros("tracking_clients")
	r.field("pubsub_clients", subscribers)
	r.zeros("watching_clients", "clients_in_timeout_table", "total_watched_keys", "total_blocking_keys", "total_blocking_keys_on_nokey")
}

// counter writes counters under their own names.
func (r *infoReport) counter(cs ...stats.Counter) {
	for _, c := range cs {
		r.field(c.Name(), r.snap.Counters[c])
	}
}

func (r *infoReport) stats() {
	rates := &r.snap.Rates
	r.counter(stats.Connections)
	r.field("total_commands_processed", r.snap.TotalCommands)
	r.field("instantaneous_ops_per_sec", rates.OpsPerSec)
	r.counter(stats.NetInput, stats.NetOutput, stats.NetReplInput, stats.NetReplOutput)
	r.field("instantaneous_input_kbps", rates.InputKbps)
	r.field("instantaneous_output_kbps", rates.OutputKbps)
	r.field("instantaneous_input_repl_kbps", rates.ReplInputKbps)
	r.field("instantaneous_output_repl_kbps", rates.ReplOutputKbps)
	r.counter(stats.RejectedConnections, stats.SyncFull, stats.SyncPartialOK, stats.SyncPartialErr)
	r.field(stats.ExpiredKeys.Name(), r.snap.Counters[stats.ExpiredKeys]+r.s.store.ExpiredActively())
	r.field(stats.ExpiredSubkeys.Name(), r.s.store.ExpiredFields())
	r.field("expired_stale_perc", 0.0)
	r.counter(stats.ExpireCycleTimeouts)
	r.zeros("expire_cycle_cpu_milliseconds")
	r.eviction()
	r.counter(stats.KeyspaceHits, stats.KeyspaceMisses)
	r.field("pubsub_channels", r.s.pubsub.Count(pubsub.Channel))
	r.field("pubsub_patterns", r.s.pubsub.Count(pubsub.Pattern))
	r.field("pubsubshard_channels", r.s.pubsub.Count(pubsub.Shard))
	r.zeros("latest_fork_usec")
	r.counter(stats.TotalForks)
	r.zeros("migrate_cached_sockets", "slave_expires_tracked_keys", "active_defrag_hits", "active_defrag_misses",
		"active_defrag_key_hits", "active_defrag_key_misses", "total_active_defrag_time", "current_active_defrag_time",
		"tracking_total_keys", "tracking_total_items", "tracking_total_prefixes")
	r.counter(stats.UnexpectedErrors, stats.ErrorReplies, stats.DumpSanitizations, stats.Reads, stats.Writes,
		stats.ThreadedReads, stats.ThreadedWrites, stats.QueryBufferKills, stats.OutputBufferKills)
	r.zeros("reply_buffer_shrinks", "reply_buffer_expands")
	r.counter(stats.LoopCycles, stats.LoopMicros, stats.LoopCommandMicros)
	r.field("instantaneous_eventloop_cycles_per_sec", rates.CyclesPerSec)
	r.field("instantaneous_eventloop_duration_usec", rates.CycleUsec)
	r.counter(stats.DeniedAuth, stats.DeniedCommand, stats.DeniedKey, stats.DeniedChannel)
}

// replication reports a master without replicas.
func (r *infoReport) replication() {
	r.field("role", "master")
	r.zeros("connected_slaves")
	r.field("master_failover_state", "no-failover")
	r.field("master_replid", *r.s.replID.Load())
	r.field("master_replid2", strings.Repeat("0", 40))
	r.zeros("master_repl_offset")
	r.field("second_repl_offset", -1)
	r.zeros("repl_backlog_active")
	r.field("repl_backlog_size", r.s.cfg.Int("repl-backlog-size").Load())
	r.zeros("repl_backlog_first_byte_offset", "repl_backlog_histlen")
}

func (r *infoReport) cpu() {
	for _, who := range []struct {
		who    int
		suffix string
	}{{unix.RUSAGE_SELF, ""}, {unix.RUSAGE_CHILDREN, "_children"}} {
		var u unix.Rusage
		_ = unix.Getrusage(who.who, &u) // cannot fail for these two
		seconds := func(t unix.Timeval) string { return fmt.Sprintf("%.6f", time.Duration(t.Nano()).Seconds()) }
		r.field("used_cpu_sys"+who.suffix, seconds(u.Stime))
		r.field("used_cpu_user"+who.suffix, seconds(u.Utime))
	}
}

func (r *infoReport) commandstats() {
	for id, c := range r.snap.Commands {
		if c.Seen() {
			fmt.Fprintf(r.w, "cmdstat_%s:calls=%d,usec=%d,usec_per_call=%.2f,rejected_calls=%d,failed_calls=%d\r\n",
				r.s.table.Spec(id).FullName(), c.Calls, c.Time.Microseconds(), c.UsecPerCall(), c.Rejected, c.Failed)
		}
	}
}

func (r *infoReport) errorstats() {
	for _, e := range r.s.stats.Errors() {
		fmt.Fprintf(r.w, "errorstat_%s:count=%d\r\n", e.Kind, e.Count)
	}
}

func (r *infoReport) latencystats() {
	if !r.s.stats.Tracking() {
		return
	}
	percentiles := r.s.cfg.Percentiles().Load()
	for id := range r.snap.Commands {
		l := r.s.stats.Latency(id)
		if l == nil || l.Count() == 0 || len(percentiles) == 0 {
			continue
		}
		var parts []string
		for _, p := range percentiles {
			parts = append(parts, fmt.Sprintf("p%s=%.3f", strconv.FormatFloat(p, 'f', -1, 64), float64(l.Percentile(p))/1e3))
		}
		r.field("latency_percentiles_usec_"+r.s.table.Spec(id).FullName(), strings.Join(parts, ","))
	}
}

func (r *infoReport) cluster() { r.zeros("cluster_enabled") }

func (r *infoReport) keyspace() {
	for db := range r.s.store.Databases() {
		if z := r.tx.Size(db); z.Keys > 0 {
			fmt.Fprintf(r.w, "db%d:keys=%d,expires=%d,avg_ttl=%d,subexpiry=%d\r\n", db, z.Keys, z.Volatile, z.AvgTTL, z.Fields)
		}
	}
}
