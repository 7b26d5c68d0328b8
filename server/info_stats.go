package server

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/streampulse/pulse/server/pubsub"
	"github.com/streampulse/pulse/server/stats"
)

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
	r.field("expired_subkeys", r.s.store.ExpiredFields())
	r.field(stats.ExpiredKeys.Name(), r.snap.Counters[stats.ExpiredKeys]+r.s.store.ExpiredActively())
	r.field("expired_stale_perc", 0.0)
	r.counter(stats.ExpireCycleTimeouts)
	r.field("expire_cycle_cpu_milliseconds", r.s.store.ExpiryTime().Milliseconds())
	r.eviction()
	r.counter(stats.KeyspaceHits, stats.KeyspaceMisses)
	r.field("pubsub_channels", r.s.pubsub.Count(pubsub.Channel))
	r.field("pubsub_patterns", r.s.pubsub.Count(pubsub.Pattern))
	r.field("pubsubshard_channels", r.s.pubsub.Count(pubsub.Shard))
	r.zeros("latest_fork_usec")
	r.counter(stats.TotalForks)
	r.field("migrate_cached_sockets", r.s.couriers.count())
	r.zeros("slave_expires_tracked_keys", "active_defrag_hits", "active_defrag_misses",
		"active_defrag_key_hits", "active_defrag_key_misses", "total_active_defrag_time", "current_active_defrag_time")
	_, keys, items, prefixes := r.s.tracking.Stats()
	r.field("tracking_total_keys", keys)
	r.field("tracking_total_items", items)
	r.field("tracking_total_prefixes", prefixes)
	r.counter(stats.UnexpectedErrors, stats.ErrorReplies)
	r.field("dump_payload_sanitizations", r.s.store.Payloads())
	r.counter(stats.Reads, stats.Writes)
	_, io := r.s.loops.threaded()
	r.field("io_threaded_reads_processed", io.reads)
	r.field("io_threaded_writes_processed", io.writes)
	r.counter(stats.QueryBufferKills, stats.OutputBufferKills)
	r.zeros("reply_buffer_shrinks", "reply_buffer_expands")
	r.counter(stats.LoopCycles)
	r.field(stats.LoopNanos.Name(), r.snap.Counters[stats.LoopNanos]/1000)
	r.field("eventloop_duration_cmd_sum", r.snap.TotalTime.Microseconds())
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
	own, children := processorTimes()
	for _, t := range []struct {
		used   cpuTimes
		suffix string
	}{{own, ""}, {children, "_children"}} {
		r.field("used_cpu_sys"+t.suffix, fmt.Sprintf("%.6f", t.used.system.Seconds()))
		r.field("used_cpu_user"+t.suffix, fmt.Sprintf("%.6f", t.used.user.Seconds()))
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

// ioCount is what event loops have done.
type ioCount struct{ reads, writes int64 }

// threaded tells how many event loops there are, and what those did that are not the first.
func (ls *loops) threaded() (n int, io ioCount) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for i, l := range ls.mu.all {
		if i > 0 {
			io.reads += l.lane.stats.Count(stats.Reads)
			io.writes += l.lane.stats.Count(stats.Writes)
		}
	}
	return len(ls.mu.all), io
}

// tooManyErrors says in the log that kinds of errors are not told apart any more.
func (s *Server) tooManyErrors() {
	s.log.Noticef("Errorstats stopped adding new errors because the number of errors reached the limit, may be misuse of lua error_reply, please check INFO ERRORSTATS, this can be re-enabled via CONFIG RESETSTAT.")
}

type cpuTimes struct{ user, system time.Duration }
