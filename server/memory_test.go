package server

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// infoFields asks for a section of INFO.
func infoFields(t testing.TB, c *client, section string) map[string]string {
	t.Helper()
	fields := map[string]string{}
	for _, line := range strings.Split(c.doArgs("INFO", section), "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

func infoNumber(t testing.TB, c *client, section, name string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(infoFields(t, c, section)[name], 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestMaxMemory fills a server over its limit, with a limit relative to what it uses, as Redis's own tests do.
func TestMaxMemory(t *testing.T) {
	for _, policy := range []string{"allkeys-random", "allkeys-lru", "allkeys-lfu", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"} {
		t.Run(policy, func(t *testing.T) {
			srv := openServer(t)
			c := dial(t, srv)
			limit := infoNumber(t, c, "memory", "used_memory") + 100<<10
			c.doArgs("CONFIG", "SET", "maxmemory", fmt.Sprint(limit))
			c.doArgs("CONFIG", "SET", "maxmemory-policy", policy)
			c.doArgs("CONFIG", "SET", "maxmemory-eviction-tenacity", "100")
			n := 0
			for ; infoNumber(t, c, "memory", "used_memory")+4096 < limit; n += 10 {
				for i := range 10 {
					c.doArgs("SETEX", fmt.Sprintf("key:%d", n+i), "10000", "x")
				}
			}
			for i := range n {
				if got := c.doArgs("SETEX", fmt.Sprintf("more:%d", i), "10000", "x"); !strings.Contains(got, "OK") {
					t.Fatal(got)
				}
			}
			if used := infoNumber(t, c, "memory", "used_memory"); used >= limit+4096 {
				t.Errorf("%d bytes are used, the limit is %d", used, limit)
			}
			if evicted := infoNumber(t, c, "stats", "evicted_keys"); evicted < int64(n)/2 || evicted > int64(n)*3/2 {
				t.Errorf("%d keys evicted of %d and %d", evicted, n, n)
			}
			if total := infoNumber(t, c, "stats", "current_eviction_exceeded_time"); total != 0 {
				t.Errorf("the limit has been exceeded for %d ms", total)
			}
			c.doArgs("CONFIG", "SET", "maxmemory", "0") // or the next commands evict again
			c.doArgs("CONFIG", "RESETSTAT")
			if evicted := infoNumber(t, c, "stats", "evicted_keys"); evicted != 0 {
				t.Errorf("after RESETSTAT %d keys are evicted", evicted)
			}
		})
	}
}

// TestClientsCount looks at what buffers add to used memory, while clients hold much and afterwards.
func TestClientsCount(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	c.do("PING") // a client counts from the end of its first batch
	base := infoNumber(t, c, "memory", "mem_clients_normal")
	if base < clientMemory || base > 100<<10 {
		t.Errorf("one client takes %d bytes", base)
	}
	// Half a request of 4 MiB, and a transaction of 1 MiB.
	half, queue := dial(t, srv), dial(t, srv)
	if _, err := half.Write([]byte("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4194304\r\n" + strings.Repeat("x", 2<<20))); err != nil {
		t.Fatal(err)
	}
	queue.do("MULTI")
	queue.doArgs("SET", "k", strings.Repeat("y", 1<<20))
	wait := func(what string, ok func(n int64) bool) {
		t.Helper()
		for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			n := infoNumber(t, c, "memory", "mem_clients_normal")
			if ok(n) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d bytes", what, n)
			}
		}
	}
	wait("while they hold much", func(n int64) bool { return n > base+3<<20 && n < base+8<<20 })
	f := infoFields(t, c, "memory") // at once: what they have sent may still be coming in
	used, err := strconv.ParseInt(f["used_memory"], 10, 64)
	clients, err2 := strconv.ParseInt(f["mem_clients_normal"], 10, 64)
	if err != nil || err2 != nil || used < clients {
		t.Errorf("%d bytes are used, clients hold %d: %v %v", used, clients, err, err2)
	}
	half.Close()
	queue.Close()
	wait("when they have gone", func(n int64) bool { return n < base+64<<10 })
}

// TestMemoryInfo looks for every field that Redis has, and at how they hang together.
func TestMemoryInfo(t *testing.T) {
	srv := openServer(t, "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru")
	c := dial(t, srv)
	for i := range 1000 {
		c.doArgs("SET", fmt.Sprint("key:", i), strings.Repeat("v", 100), "EX", "1000")
	}
	f := infoFields(t, c, "memory")
	for _, name := range strings.Fields(`used_memory used_memory_human used_memory_rss used_memory_rss_human used_memory_peak
		used_memory_peak_human used_memory_peak_perc used_memory_overhead used_memory_startup used_memory_dataset
		used_memory_dataset_perc allocator_allocated allocator_active allocator_resident allocator_muzzy total_system_memory
		total_system_memory_human used_memory_lua used_memory_vm_eval used_memory_lua_human used_memory_scripts_eval
		number_of_cached_scripts number_of_functions number_of_libraries used_memory_vm_functions used_memory_vm_total
		used_memory_vm_total_human used_memory_functions used_memory_scripts used_memory_scripts_human maxmemory
		maxmemory_human maxmemory_policy allocator_frag_ratio allocator_frag_bytes allocator_rss_ratio allocator_rss_bytes
		rss_overhead_ratio rss_overhead_bytes mem_fragmentation_ratio mem_fragmentation_bytes mem_not_counted_for_evict
		mem_replication_backlog mem_total_replication_buffers mem_clients_slaves mem_clients_normal mem_cluster_links
		mem_aof_buffer mem_allocator active_defrag_running lazyfree_pending_objects lazyfreed_objects`) {
		if _, ok := f[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
	number := func(name string) int64 {
		n, err := strconv.ParseInt(f[name], 10, 64)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return n
	}
	used, overhead, dataset := number("used_memory"), number("used_memory_overhead"), number("used_memory_dataset")
	switch {
	case overhead+dataset != used, dataset < 100_000, dataset > 300_000, overhead < startupMemory:
		t.Errorf("%d bytes are %d and %d", used, overhead, dataset)
	case number("used_memory_peak") < used, number("used_memory_rss") < 1<<20:
		t.Errorf("peak %s, resident %s, used %d", f["used_memory_peak"], f["used_memory_rss"], used)
	case f["maxmemory_policy"] != "allkeys-lru" || f["maxmemory_human"] != "100.00M":
		t.Errorf("limit %s, %s", f["maxmemory_human"], f["maxmemory_policy"])
	}
	c.do("FLUSHALL")
	if now := infoNumber(t, c, "memory", "used_memory_dataset"); now != 0 {
		t.Errorf("an empty server's data takes %d bytes", now)
	}
}
