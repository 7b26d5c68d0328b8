package server

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync/atomic"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/server/stats"
	"github.com/streampulse/pulse/store"
)

// What counts against maxmemory, and is used_memory, is what the store counts for keys and values, the buffers of
// clients, and a fixed charge for the server itself. What the Go runtime needs beyond that (garbage not collected yet,
// stacks, pages not given back) shows in the allocator's fields and in the resident set, as fragmentation does in Redis.

// startupMemory is that fixed charge in bytes, about that of Redis: so a limit of a few MiB means the same here.
const startupMemory = 1 << 20

// clientMemory is what a client takes beside its buffers, in bytes.
const clientMemory = 2048

// memoryWatch is what the server remembers about memory.
type memoryWatch struct {
	clients atomic.Int64 // bytes of buffers of all clients, and of what they have borrowed from the store
	peak    atomic.Int64 // of used memory
	purging atomic.Bool
	limit   clientLimit
}

// initMemory begins to count.
func (s *Server) initMemory() { s.store.AddOtherMemory(startupMemory) }

// holds changes by d what the buffers of clients take.
func (s *Server) holds(d int64) {
	s.memory.clients.Add(d)
	s.store.AddOtherMemory(d)
}

// weight is what the session takes in bytes while it holds that much input, beside output.
func (s *session) weight(input int) int {
	n := clientMemory + input + s.conn.QueuedBytes() + s.conn.WatchedBytes()
	if s.subs != nil {
		n += s.subs.Size()
	}
	if s.tracked != nil {
		n += s.tracked.Size()
	}
	return n
}

// account tells the server what the session takes now, holding that much input.
func (s *session) account(input int) { s.charge(int64(s.weight(input))) }

func (s *session) charge(n int64) {
	if n != s.charged {
		s.weigh(n - s.charged)
		s.charged = n
	}
}

// account tells the server how much output waits; mu is held. What is borrowed from the store counts as the client's, but not
// as used memory: that has it already.
func (t *stream) account() {
	if n := t.mu.pending; n != t.mu.charged {
		t.session.weigh(int64(n - t.mu.charged))
		t.mu.charged = n
	}
	if n := t.mu.lent; n != t.mu.spared {
		t.srv.store.AddOtherMemory(int64(t.mu.spared - n))
		t.mu.spared = n
	}
}

// usedMemory is used_memory; it also keeps the peak.
func (s *Server) usedMemory() int64 {
	used := s.store.UsedMemory()
	for {
		peak := s.memory.peak.Load()
		if used <= peak || s.memory.peak.CompareAndSwap(peak, used) {
			return used
		}
	}
}

// readEviction lets the store know the parameters of maxmemory, now and whenever they change.
func (s *Server) readEviction() {
	c := s.cfg
	apply := func() {
		o := store.Eviction{
			Limit:     c.Int("maxmemory").Load(),
			Policy:    store.Policy(c.Enum("maxmemory-policy").Index()),
			Samples:   int(c.Int("maxmemory-samples").Load()),
			Tenacity:  int(c.Int("maxmemory-eviction-tenacity").Load()),
			LFUFactor: c.Int("lfu-log-factor").Load(),
			LFUDecay:  c.Int("lfu-decay-time").Load(),
		}
		if o != s.store.Eviction() {
			s.store.SetEviction(o)
		}
		s.collector.plan()
	}
	apply()
	for _, name := range []string{"maxmemory-policy", "maxmemory-samples", "maxmemory-eviction-tenacity", "lfu-log-factor", "lfu-decay-time"} {
		c.OnChange(name, apply)
	}
	c.OnChange("maxmemory", func() {
		if limit, used := c.Int("maxmemory").Load(), s.usedMemory(); limit > 0 && limit < used {
			s.log.Warningf("WARNING: the new maxmemory value set via CONFIG SET (%d) is smaller than the current memory usage (%d). This will result in key eviction and/or the inability to accept new write commands depending on the maxmemory-policy.", limit, used)
		}
		apply()
	})
}

// MemoryReport implements commands.Insight.
func (s env) MemoryReport(tx *store.Tx) commands.MemoryReport {
	// What clients have borrowed is in the store, or counts beside it since it was deleted there.
	r := commands.MemoryReport{Startup: startupMemory, Clients: s.store.OtherMemory() - startupMemory}
	var data int64
	r.Overhead = r.Startup + r.Clients
	for db := range s.store.Databases() {
		u := tx.MemoryUse(db)
		data += u.Used()
		r.Overhead += u.Index + u.Deadlines
		r.Keys += u.Keys
	}
	s.usedMemory()
	// Not what the store has counted: that leaves a rest in each keyspace.
	r.Used = data + r.Startup + r.Clients
	r.Peak = max(s.memory.peak.Load(), r.Used)
	if l := s.files.log.Load(); l != nil {
		r.LogBuffer, _ = l.Pending()
	}
	sc := s.scriptMemory()
	r.Scripts, r.Functions = sc.texts, sc.code
	m := readMemory()
	r.Allocated, r.Active, r.Resident, r.RSS = m.allocated, m.active, m.resident, m.rss
	return r
}

// scriptUse is what scripts and functions take, in bytes, and how many there are. Nothing of it is in used_memory.
type scriptUse struct {
	vmEval, vmFunctions int64 // idle interpreters, by estimate
	texts, code         int64 // of scripts and of libraries, as they came
	scripts, functions  int
	libraries           int
}

func (s *Server) scriptMemory() (u scriptUse) {
	e := s.scripts.engine
	u.vmEval, u.vmFunctions = e.Memory()
	n, texts := e.Scripts()
	u.scripts, u.texts = n, int64(texts)
	for _, l := range e.Libraries() {
		u.libraries++
		u.functions += len(l.Functions)
		u.code += int64(len(l.Code))
	}
	return u
}

// PurgeMemory implements commands.Insight. One purge at a time is enough.
func (s env) PurgeMemory() {
	if !s.memory.purging.CompareAndSwap(false, true) {
		return
	}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		defer s.memory.purging.Store(false)
		debug.FreeOSMemory()
	}()
}

// AllocatorReport implements commands.Insight: the sizes the runtime measures.
func (s env) AllocatorReport() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Allocator of %s, in bytes and objects.\n", runtime.Version())
	for _, d := range metrics.All() {
		if !strings.HasPrefix(d.Name, "/memory/") && !strings.HasPrefix(d.Name, "/gc/") || d.Kind != metrics.KindUint64 {
			continue
		}
		v := []metrics.Sample{{Name: d.Name}}
		metrics.Read(v)
		fmt.Fprintf(&b, "%-48s %d\n", d.Name, v[0].Value.Uint64())
	}
	return b.String()
}

// processMemory is what runtime and system say of the process, in bytes.
type processMemory struct {
	allocated int64 // objects on the heap, live or not collected yet, and what the runtime needs for itself
	active    int64 // the spans of these
	resident  int64 // what the runtime has from the system and has not given back
	rss       int64
	system    int64 // what the machine has
}

func readMemory() (m processMemory) {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(samples)
	v := make([]int64, len(samples))
	for i, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			v[i] = int64(s.Value.Uint64())
		}
	}
	m.resident = v[2] - v[3]
	m.active = m.resident - v[4]
	m.allocated = m.active - v[1]
	m.rss = residentSet(m.resident)
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kb int64
		if _, err := fmt.Sscanf(string(b), "MemTotal: %d kB", &kb); err == nil {
			m.system = kb * 1024
		}
	}
	return m
}

func ratio(a, b int64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// memory writes the section of INFO.
func (r *infoReport) memory() {
	m, system := r.s.env().MemoryReport(r.tx), readMemory().system
	r.bytes("used_memory", m.Used)
	r.bytes("used_memory_rss", m.RSS)
	r.bytes("used_memory_peak", m.Peak)
	r.field("used_memory_peak_perc", fmt.Sprintf("%.2f%%", 100*ratio(m.Used, m.Peak)))
	r.field("used_memory_overhead", m.Overhead)
	r.field("used_memory_startup", m.Startup)
	r.field("used_memory_dataset", m.Dataset())
	r.field("used_memory_dataset_perc", fmt.Sprintf("%.2f%%", m.DatasetShare()))
	r.field("allocator_allocated", m.Allocated)
	r.field("allocator_active", m.Active)
	r.field("allocator_resident", m.Resident)
	r.zeros("allocator_muzzy")
	r.bytes("total_system_memory", system)
	sc := r.s.scriptMemory()
	r.field("used_memory_lua", sc.vmEval)
	r.field("used_memory_vm_eval", sc.vmEval)
	r.field("used_memory_lua_human", human(sc.vmEval))
	r.field("used_memory_scripts_eval", sc.texts)
	r.field("number_of_cached_scripts", sc.scripts)
	r.field("number_of_functions", sc.functions)
	r.field("number_of_libraries", sc.libraries)
	r.field("used_memory_vm_functions", sc.vmFunctions)
	r.bytes("used_memory_vm_total", sc.vmEval+sc.vmFunctions)
	r.field("used_memory_functions", sc.code)
	r.bytes("used_memory_scripts", sc.texts+sc.code)
	r.bytes("maxmemory", r.s.cfg.Int("maxmemory").Load())
	r.field("maxmemory_policy", r.s.cfg.Enum("maxmemory-policy").Load())
	r.field("allocator_frag_ratio", ratio(m.Active, m.Allocated))
	r.field("allocator_frag_bytes", m.Active-m.Allocated)
	r.field("allocator_rss_ratio", ratio(m.Resident, m.Active))
	r.field("allocator_rss_bytes", m.Resident-m.Active)
	r.field("rss_overhead_ratio", ratio(m.RSS, m.Resident))
	r.field("rss_overhead_bytes", m.RSS-m.Resident)
	r.field("mem_fragmentation_ratio", ratio(m.RSS, m.Used))
	r.field("mem_fragmentation_bytes", m.RSS-m.Used)
	// The buffer of the append-only file is not in used_memory, so there is nothing to leave out for eviction.
	r.zeros("mem_not_counted_for_evict", "mem_replication_backlog", "mem_total_replication_buffers", "mem_clients_slaves")
	r.field("mem_clients_normal", m.Clients)
	r.zeros("mem_cluster_links")
	r.field("mem_aof_buffer", m.LogBuffer)
	r.field("mem_allocator", runtime.Version())
	r.zeros("mem_overhead_db_hashtable_rehashing", "active_defrag_running", "lazyfree_pending_objects", "lazyfreed_objects")
}

// eviction writes the fields of INFO stats about eviction.
func (r *infoReport) eviction() {
	now, total := r.s.store.Exceeded()
	r.field("evicted_keys", r.s.store.Evicted())
	r.counter(stats.EvictedClients)
	r.field("evicted_scripts", r.s.scripts.engine.Evicted())
	r.field("total_eviction_exceeded_time", total.Milliseconds())
	r.field("current_eviction_exceeded_time", now.Milliseconds())
}
