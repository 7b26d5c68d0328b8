package server

import (
	"bufio"
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

	"github.com/streampulse/pulse/commands"
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
func (s env) WriteInfo(w io.Writer, tx *store.Tx, sections []string) {
	r := &infoReport{s: s.Server, tx: tx, w: bufio.NewWriter(w), snap: s.stats.Snapshot()}
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
		slices.Contains(sections, "all") ||
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
	r.field("pulse_version", s.env().Version())
	r.field("redis_git_sha1", "00000000")
	r.field("redis_git_dirty", 0)
	r.field("redis_build_id", strings.TrimPrefix(runtime.Version(), "go"))
	r.field("redis_mode", "standalone")
	r.field("os", systemName())
	r.field("arch_bits", strconv.IntSize)
	r.field("monotonic_clock", "go runtime")
	r.field("multiplexing_api", multiplexing())
	r.field("atomicvar_api", "go sync/atomic")
	r.field("go_version", runtime.Version())
	r.field("process_id", pid())
	r.field("process_supervised", s.cfg.Enum("supervised").Load())
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
	loops, _ := s.loops.threaded()
	r.field("io_threads_active", flag(loops > 1))
	r.listeners()
}

// listeners writes a line for each kind of socket, with its addresses.
func (r *infoReport) listeners() {
	n := 0
	for i, all := 0, r.s.listeners.list(); i < len(all); n++ {
		kind := all[i].kind
		fmt.Fprintf(r.w, "listener%d:name=%s", n, kind)
		port := ""
		for ; i < len(all) && all[i].kind == kind; i++ {
			bind := all[i].Addr().String()
			if host, p, err := net.SplitHostPort(bind); err == nil && kind != "unix" {
				bind, port = host, ",port="+p
			}
			r.w.WriteString(",bind=" + bind)
		}
		r.w.WriteString(port + "\r\n")
	}
}

// multiplexing names what the event loops wait with.
func multiplexing() string {
	switch runtime.GOOS {
	case "linux":
		return "epoll"
	case "darwin", "freebsd", "netbsd", "openbsd", "dragonfly":
		return "kqueue"
	}
	return "goroutines"
}

// clients tells of connections. The sizes of buffers are those of now, not the largest of the last seconds.
func (r *infoReport) clients() {
	var blocked, timed, subscribers, watching int
	var in, out int64
	r.s.env().EachClient(func(c *commands.Conn) {
		blocked += flag(c.Blocked() || c.Postponed)
		timed += flag(c.BlockedInTime())
		subscribers += flag(c.Subscriber())
		watching += flag(c.Watching() > 0)
		b := r.s.env().ClientBuffers(c)
		in, out = max(in, int64(b.Query)), max(out, int64(b.OutputList))
	})
	awaited, onNoKey := r.tx.Awaited(commands.WakesWithoutKey)
	r.field("connected_clients", r.s.clients.count())
	r.zeros("cluster_connections")
	r.field("maxclients", r.s.vars.maxClients.Load())
	r.field("client_recent_max_input_buffer", in)
	r.field("client_recent_max_output_buffer", out)
	r.field("blocked_clients", blocked)
	tracking, _, _, _ := r.s.tracking.Stats()
	r.field("tracking_clients", tracking)
	r.field("pubsub_clients", subscribers)
	r.field("watching_clients", watching)
	r.field("clients_in_timeout_table", timed)
	r.field("total_watched_keys", r.tx.Watched())
	r.field("total_blocking_keys", awaited)
	r.field("total_blocking_keys_on_nokey", onNoKey)
}
