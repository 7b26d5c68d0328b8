package commands

import (
	"fmt"

	"github.com/streampulse/pulse/store"
)

var memoryCommands = []Spec{
	{Name: "MEMORY", Arity: -2, Group: GroupServer, Since: "4.0.0", Complexity: "Depends on the subcommand.",
		Summary: "Commands about memory.", Sub: []Spec{
			{Name: "DOCTOR", Arity: 2, Flags: AllKeys, Since: "4.0.0", Complexity: "O(1)",
				Summary: "Says what is unusual about the use of memory.", Tips: memoryTips, Run: memoryDoctor},
			{Name: "MALLOC-STATS", Arity: 2, Since: "4.0.0", Complexity: "O(1)",
				Summary: "Returns what the allocator tells of itself.", Tips: memoryTips, Run: memoryMallocStats},
			{Name: "PURGE", Arity: 2, Since: "4.0.0", Complexity: "O(1); the work is done in the background.",
				Summary: "Gives memory that is free back to the system.",
				Tips:    []string{"request_policy:all_shards", "response_policy:all_succeeded"}, Run: memoryPurge},
			{Name: "STATS", Arity: 2, Flags: AllKeys, Since: "4.0.0", Complexity: "O(1)",
				Summary: "Tells what memory is used for.", Tips: memoryTips, Run: memoryStats},
			{Name: "USAGE", Syntax: "key [SAMPLES count]", Arity: -3, Keys: []KeySpec{At(2, RO)}, Flags: ReadOnly, Since: "4.0.0",
				Complexity: "O(1)", Summary: "Returns how many bytes a key takes with its value.", Run: memoryUsage},
			helpRow("4.0.0", 0),
		}},
}

var memoryTips = []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"}

// MemoryReport is what the process uses memory for, in bytes.
type MemoryReport struct {
	Used     int64 // what counts against maxmemory
	Peak     int64 // the most of that
	Startup  int64 // of Used, for the server itself
	Clients  int64 // of Used, for buffers of clients
	Overhead int64 // of Used, what is neither key nor value
	Keys     int64

	LogBuffer int64 // of the append-only file, not written yet; not in Used
	Scripts   int64 // texts of scripts; not in Used
	Functions int64 // texts of libraries; not in Used

	Allocated int64 // objects on the heap
	Active    int64 // the pages of these
	Resident  int64 // what the allocator has from the system
	RSS       int64 // what the system says the process has
}

// Dataset is the rest of Used: keys and values.
func (r *MemoryReport) Dataset() int64 { return r.Used - r.Overhead }

// DatasetShare is the share of the data in what came after the start, in percent.
func (r *MemoryReport) DatasetShare() float64 {
	return min(100, 100*ratio(max(r.Dataset(), 0), r.Used-r.Startup))
}

func ratio(a, b int64) float64 {
	if b <= 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// memoryUsage ignores the number of samples: every value knows its size.
func memoryUsage(c *Call) error {
	a := c.From(3)
	for a.More() {
		if !a.IsWith("SAMPLES", 1) {
			return ErrSyntax
		}
		if a.Int() < 0 {
			a.Fail(ErrSyntax)
		}
	}
	if a.Err() != nil {
		return a.Err()
	}
	f, ok := c.Tx.Facts(c.Args[2])
	if !ok {
		c.Null()
		return nil
	}
	c.Int(int64(f.Bytes))
	return nil
}

func memoryPurge(c *Call) error {
	c.Env.PurgeMemory()
	c.OK()
	return nil
}

func memoryMallocStats(c *Call) error {
	c.Verbatim("txt", c.Env.AllocatorReport())
	return nil
}

// memoryStats uses Redis's names. What Pulse has no equivalent of is 0.
func memoryStats(c *Call) error {
	r := c.Env.MemoryReport(c.Tx)
	var dbs []int
	var index int64
	for db := range c.Tx.Store().Databases() {
		if u := c.Tx.MemoryUse(db); u.Keys > 0 {
			dbs = append(dbs, db)
			index += u.Index
		}
	}
	c.Map(31 + len(dbs))
	field := func(name string, n int64) {
		c.BulkString(name)
		c.Int(n)
	}
	share := func(name string, f float64) {
		c.BulkString(name)
		c.Double(f)
	}
	field("peak.allocated", r.Peak)
	field("total.allocated", r.Used)
	field("startup.allocated", r.Startup)
	field("replication.backlog", 0)
	field("clients.slaves", 0)
	field("clients.normal", r.Clients)
	field("cluster.links", 0)
	field("aof.buffer", r.LogBuffer)
	field("lua.caches", r.Scripts)
	field("functions.caches", r.Functions)
	for _, db := range dbs {
		u := c.Tx.MemoryUse(db)
		c.BulkString(fmt.Sprintf("db.%d", db))
		c.Map(2)
		field("overhead.hashtable.main", u.Index)
		field("overhead.hashtable.expires", u.Deadlines)
	}
	field("overhead.db.hashtable.lut", index)
	field("overhead.db.hashtable.rehashing", 0)
	field("overhead.total", r.Overhead)
	field("db.dict.rehashing.count", 0)
	field("keys.count", r.Keys)
	perKey := int64(0)
	if r.Keys > 0 {
		perKey = max(r.Used-r.Startup, 0) / r.Keys
	}
	field("keys.bytes-per-key", perKey)
	field("dataset.bytes", r.Dataset())
	share("dataset.percentage", r.DatasetShare())
	share("peak.percentage", 100*ratio(r.Used, r.Peak))
	field("allocator.allocated", r.Allocated)
	field("allocator.active", r.Active)
	field("allocator.resident", r.Resident)
	field("allocator.muzzy", 0)
	share("allocator-fragmentation.ratio", ratio(r.Active, r.Allocated))
	field("allocator-fragmentation.bytes", r.Active-r.Allocated)
	share("allocator-rss.ratio", ratio(r.Resident, r.Active))
	field("allocator-rss.bytes", r.Resident-r.Active)
	share("rss-overhead.ratio", ratio(r.RSS, r.Resident))
	field("rss-overhead.bytes", r.RSS-r.Resident)
	share("fragmentation", ratio(r.RSS, r.Used))
	field("fragmentation.bytes", r.RSS-r.Used)
	return nil
}

// doctorMin is the use of memory below which nothing can be said, in bytes.
const doctorMin = 5 << 20

// memoryDoctor looks for what Redis's looks for: a peak long ago, pages held in vain, and clients that hold much.
func memoryDoctor(c *Call) error {
	r := c.Env.MemoryReport(c.Tx)
	c.Verbatim("txt", diagnose(&r, c.Tx.Store().Eviction().Limit))
	return nil
}

func diagnose(r *MemoryReport, limit int64) string {
	if r.Used < doctorMin {
		return "There is too little data to say anything about: less than 5 MiB are in use.\n"
	}
	text := ""
	say := func(is bool, what string, args ...any) {
		if is {
			text += " * " + fmt.Sprintf(what, args...) + "\n"
		}
	}
	say(r.Peak > r.Used+r.Used/2,
		"Peak: at its peak the server used %.1f times what it uses now. What was freed goes back to the system little by little; MEMORY PURGE returns it at once.",
		ratio(r.Peak, r.Used))
	say(ratio(r.RSS, r.Used) > 1.4 && r.RSS-r.Used > 10<<20,
		"Resident memory: the process takes %.1f times what its data does. Dead values wait for the collector, or the peak was high; MEMORY PURGE collects them.",
		ratio(r.RSS, r.Used))
	say(r.Clients > r.Used/4 && r.Clients > 1<<20,
		"Clients: their buffers take %d bytes. Somebody sends or asks for much, or does not read the replies: see CLIENT LIST.", r.Clients)
	say(limit > 0 && r.Used > limit, "Limit: %d bytes are used, maxmemory is %d.", r.Used, limit)
	if text == "" {
		return "Nothing is unusual about the use of memory.\n"
	}
	return "This is unusual about the use of memory:\n" + text
}

// objectFreq knows frequencies only while a policy asks for them.
func objectFreq(c *Call) error {
	f, ok := c.Tx.Facts(c.Args[2])
	switch {
	case !ok:
		c.Null()
	case !lfu(c.Tx):
		return ErrNoLFU
	default:
		c.Int(int64(f.Freq))
	}
	return nil
}

func objectIdletime(c *Call) error {
	f, ok := c.Tx.Facts(c.Args[2])
	switch {
	case !ok:
		c.Null()
	case lfu(c.Tx):
		return ErrLFU
	default:
		c.Int(f.Idle)
	}
	return nil
}

// lfu reports whether keys remember how often they are used, and not when.
func lfu(tx *store.Tx) bool { return tx.Store().CountsAccesses() }

// gateOOM lets keys go if more memory is used than maxmemory allows. If none can, it refuses commands that may need
// memory; inside MULTI all, because the queue needs some too, except those that end the transaction or start it over.
func gateOOM(c *Conn, k *Call) error {
	s := c.Tx.Store()
	c.crowded = false
	if !s.Crowded() || c.Env.Paused(true) { // CLIENT PAUSE: the data must not change
		return nil
	}
	ok := c.Tx.MakeRoom()
	c.Env.TellNow(c)
	if ready := c.Tx.Ready(); len(ready) > 0 {
		k.table.serve(c.Tx, ready)
	}
	if ok {
		return nil
	}
	c.crowded = true
	needs := k.Spec.Flags&DenyOOM != 0
	switch k.Spec.full {
	case "exec":
		needs = c.multi != nil && c.multi.denyOOM
	case "discard", "multi", "watch", "quit", "reset":
	default:
		needs = needs || c.InMulti()
	}
	if needs {
		return ErrOOM
	}
	return nil
}

// Crowded reports whether, when the present command of c began, too much memory was used and no key could go: then
// scripts must not run commands that may need memory.
func (c *Conn) Crowded() bool { return c.crowded }
