package server

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// infoLeftOut are the fields of Redis 7.4 that Pulse does not have, with the reason.
var infoLeftOut = map[string]string{
	"gcc_version":               "there is no C in it; go_version stands in its place",
	"used_cpu_sys_main_thread":  "no thread is the main one: the runtime moves goroutines between all",
	"used_cpu_user_main_thread": "likewise",
}

// infoOwn are the fields that Redis does not have.
var infoOwn = []string{"pulse_version", "go_version"}

// infoZero are the fields that are always 0, or a constant, with the reason. All others are measured.
var infoZero = map[string]string{
	"async_loading":                       "no replica loads beside the data it serves",
	"current_cow_peak":                    "there is no child process, and a snapshot copies nothing on write that would be counted",
	"current_cow_size":                    "likewise",
	"current_cow_size_age":                "likewise",
	"rdb_last_cow_size":                   "likewise",
	"aof_last_cow_size":                   "likewise",
	"latest_fork_usec":                    "nothing forks",
	"total_forks":                         "likewise",
	"module_fork_in_progress":             "there are no modules",
	"module_fork_last_cow_size":           "likewise",
	"allocator_muzzy":                     "Go's allocator has no such pages",
	"active_defrag_running":               "the log of values is always being compacted, little by little",
	"active_defrag_hits":                  "likewise",
	"active_defrag_misses":                "likewise",
	"active_defrag_key_hits":              "likewise",
	"active_defrag_key_misses":            "likewise",
	"total_active_defrag_time":            "likewise",
	"current_active_defrag_time":          "likewise",
	"lazyfree_pending_objects":            "what is unlinked is the collector's, at once",
	"lazyfreed_objects":                   "likewise",
	"expired_stale_perc":                  "no key stays beyond its deadline, so there is nothing to estimate",
	"expired_time_cap_reached_count":      "the expirer has no time cap",
	"mem_not_counted_for_evict":           "what Redis leaves out for eviction is not in used_memory in the first place",
	"mem_overhead_db_hashtable_rehashing": "the table splits segment by segment",
	"reply_buffer_shrinks":                "clients have no reply buffer of their own: a loop lends one",
	"reply_buffer_expands":                "likewise",
	"aof_pending_rewrite":                 "a rewrite begins at once or is scheduled",
	"aof_pending_bio_fsync":               "the log syncs on a goroutine, which has no queue",
	"unexpected_error_replies":            "an error while the log is replayed ends the start",
}

func namesOfInfo(text string) (names []string) {
	for _, line := range strings.Split(text, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		if name != "" && !regexp.MustCompile(`^(cmdstat|errorstat|latency_percentiles_usec)_|^db\d`).MatchString(name) {
			names = append(names, name)
		}
	}
	return names
}

// TestInfoFields compares names and their order with those of Redis.
func TestInfoFields(t *testing.T) {
	f, err := os.Open("testdata/info-7.4.1.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var want []string
	for r := bufio.NewScanner(f); r.Scan(); {
		if line := r.Text(); !strings.HasPrefix(line, ";") && infoLeftOut[line] == "" {
			want = append(want, line)
		}
	}
	srv := openWith(t, Options{Addr: "127.0.0.1:0", Dir: t.TempDir()}, "appendonly", "yes")
	c := dial(t, srv)
	var got []string
	for _, name := range namesOfInfo(strings.TrimLeft(bulkText(t, c.doArgs("INFO", "everything")), "\r\n")) {
		if !slices.Contains(infoOwn, name) {
			got = append(got, name)
		}
	}
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("field %d is %s, Redis has %s", i, g, w)
		}
	}
	for name := range infoZero {
		if !slices.Contains(want, name) {
			t.Errorf("infoZero tells of %s, which does not exist", name)
		}
	}
}

// bulkText is the text of a bulk or verbatim reply.
func bulkText(t testing.TB, reply string) string {
	t.Helper()
	head, text, ok := strings.Cut(reply, "\r\n")
	if !ok || head == "" || head[0] != '$' {
		t.Fatalf("%q is no bulk string", reply)
	}
	return strings.TrimSuffix(text, "\r\n")
}

// TestInfoSections asks for sections in every way.
func TestInfoSections(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	c.do("GET k")
	every := "Server Clients Memory Persistence Stats Replication CPU Modules Commandstats Errorstats Latencystats Cluster Keyspace"
	usual := "Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Keyspace"
	for request, want := range map[string]string{
		"INFO":                         usual,
		"INFO default":                 usual,
		"INFO DEFAULT commandstats":    "Server Clients Memory Persistence Stats Replication CPU Modules Commandstats Errorstats Cluster Keyspace",
		"INFO all":                     every,
		"INFO Everything":              every,
		"INFO nosuch":                  "",
		"INFO nosuch CPU nosuch":       "CPU",
		"INFO keyspace server":         "Server Keyspace",
		"INFO latencystats ERRORSTATS": "Errorstats Latencystats",
		"INFO cluster cluster cluster": "Cluster",
	} {
		text := bulkText(t, c.do(request))
		var titles []string
		for _, m := range regexp.MustCompile(`(?m)^# (\w+)\r$`).FindAllStringSubmatch(text+"\r\n", -1) {
			titles = append(titles, m[1])
		}
		if got := strings.Join(titles, " "); got != want {
			t.Errorf("%s: %s, want %s", request, got, want)
		}
		if strings.Count(text, "\r\n\r\n")+strings.Count(text, "# ")-strings.Count(text, "\n# ") < min(1, len(titles)) {
			t.Errorf("%s: sections are not set apart:\n%s", request, text)
		}
	}
}

// delta is by how much fields of INFO have changed.
func delta(before, after map[string]string, name string) float64 {
	a, _ := strconv.ParseFloat(before[name], 64)
	b, _ := strconv.ParseFloat(after[name], 64)
	return b - a
}

// TestInfoCounts puts known loads on a server and looks at what the counters say.
func TestInfoCounts(t *testing.T) {
	srv := openServer(t)
	c, other := dial(t, srv), dial(t, srv)
	other.do("PING")
	c.do("SET there v")
	for _, row := range []struct {
		load string // requests, separated by ;
		want string // fields and by how much they change
	}{
		{"GET there;GET nokey;MGET there nokey there", "keyspace_hits +3 keyspace_misses +2 total_commands_processed +4"},
		{"NOSUCH;GET;LPUSH there x", "total_error_replies +3 total_commands_processed +2"},
		{"SET short v PX 1;DEBUG SLEEP 0.005;GET short", "expired_keys +1"},
		{"HSET hash f v;HPEXPIRE hash 1 FIELDS 1 f;DEBUG SLEEP 0.01;HLEN hash", "expired_subkeys +1"},
		{"SUBSCRIBE a;UNSUBSCRIBE", "pubsub_channels +0 pubsub_clients +0"},
		{"PING;PING;PING", "total_reads_processed +4 total_writes_processed +4 eventloop_cycles +4"},
		{"EVAL return(1) 0;EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0", "total_error_replies +1 number_of_cached_scripts +1"},
		{"RESTORE r 0 x", "dump_payload_sanitizations +1 total_error_replies +1"},
		{"EVAL return(redis.call('nosuch')) 0", "total_error_replies +1"},
		{"EVAL return(redis.pcall('get','there','x')) 0", "total_error_replies +1"},
		{"EVAL return(redis.error_reply('MY_OWN')) 0", "total_error_replies +1"},
		{"EVAL return({1,{err='MY_OWN_'}}) 0", "total_error_replies +1"},
		{"EVAL error('x') 0", "total_error_replies +1"},
		{"EVAL redis.pcall('lpush','there','x')return(1) 0", "total_error_replies +1"},
		{"WATCH a b;WATCH b", "watching_clients +1 total_watched_keys +2"},
		{"UNWATCH", "watching_clients -1 total_watched_keys -2"},
		{"MULTI;GET there;LPUSH there x;EXEC", "total_error_replies +1 keyspace_hits +1 total_commands_processed +5"},
		{"MULTI;NOSUCH;EXEC", "total_error_replies +2"},
		{"DEBUG SLEEP 0.01", "total_net_input_bytes +67"},
	} {
		before := infoEverything(t, c)
		for _, request := range strings.Split(row.load, ";") {
			c.do(request)
		}
		after := infoEverything(t, c)
		for strings.Contains(row.want, "eventloop") && c.stream(srv) != nil { // on a busy machine it may have left its loop
			c = dial(t, srv)
			c.do("PING")
			before = infoEverything(t, c)
			for _, request := range strings.Split(row.load, ";") {
				c.do(request)
			}
			after = infoEverything(t, c)
		}
		words := strings.Fields(row.want)
		for i := 0; i < len(words); i += 2 {
			want, _ := strconv.ParseFloat(words[i+1], 64)
			if got := delta(before, after, words[i]); got != want {
				t.Errorf("%s: %s changes by %v, want %v", row.load, words[i], got, want)
			}
		}
	}
	for _, test := range []struct{ name, want string }{
		{"cmdstat_get", `^calls=\d+,usec=\d+,usec_per_call=[\d.]+,rejected_calls=2,failed_calls=0$`},
		{"cmdstat_lpush", `^calls=3,usec=\d+,usec_per_call=[\d.]+,rejected_calls=0,failed_calls=3$`},
		{"cmdstat_evalsha", `^calls=1,usec=\d+,usec_per_call=[\d.]+,rejected_calls=0,failed_calls=1$`},
		{"cmdstat_eval", `^calls=7,usec=\d+,usec_per_call=[\d.]+,rejected_calls=0,failed_calls=5$`},
		{"errorstat_WRONGTYPE", `^count=3$`},
		{"errorstat_NOSCRIPT", `^count=1$`},
		{"errorstat_EXECABORT", `^count=1$`},
		{"latency_percentiles_usec_debug", `^p50=\d+\.\d{3},p99=\d{4,}\.\d{3},p99\.9=\d{4,}\.\d{3}$`},
	} {
		if got := infoEverything(t, c)[test.name]; !regexp.MustCompile(test.want).MatchString(got) {
			t.Errorf("%s is %q, want %s", test.name, got, test.want)
		}
	}
	c.do("CONFIG RESETSTAT")
	f := infoEverything(t, c)
	for _, name := range strings.Fields(`keyspace_hits keyspace_misses total_error_replies expired_keys expired_subkeys
		dump_payload_sanitizations evicted_keys evicted_scripts instantaneous_ops_per_sec expire_cycle_cpu_milliseconds`) {
		if f[name] != "0" {
			t.Errorf("after RESETSTAT %s is %s", name, f[name])
		}
	}
	for name := range f {
		if strings.HasPrefix(name, "cmdstat_") && name != "cmdstat_config|resetstat" || strings.HasPrefix(name, "errorstat_") {
			t.Errorf("after RESETSTAT there is %s", name)
		}
	}
}

func infoEverything(t testing.TB, c *client) map[string]string { return infoFields(t, c, "everything") }

// TestInfoGauges looks at what clients do while they do it.
func TestInfoGauges(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	c.do("XGROUP CREATE stream g $ MKSTREAM")
	send := func(request string) {
		t.Helper()
		if _, err := dial(t, srv).Write([]byte(requests(request))); err != nil {
			t.Fatal(err)
		}
	}
	send("BLPOP a b 0")
	send("BLPOP b 1000")
	send("XREADGROUP GROUP g me BLOCK 0 STREAMS stream >")
	send("SUBSCRIBE x y")
	send("PSUBSCRIBE p*")
	send("SSUBSCRIBE s")
	want := map[string]string{
		"connected_clients": "7", "blocked_clients": "3", "clients_in_timeout_table": "1", "total_blocking_keys": "3",
		"total_blocking_keys_on_nokey": "1", "pubsub_clients": "3", "pubsub_channels": "2", "pubsub_patterns": "1",
		"pubsubshard_channels": "1",
	}
	var wrong string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		wrong = ""
		for name, f := range want {
			if got := infoEverything(t, c)[name]; got != f {
				wrong += fmt.Sprintf("%s is %s, want %s; ", name, got, f)
			}
		}
		if wrong == "" {
			return
		}
	}
	t.Error(wrong)
}

// TestInfoRates waits for the samples of a steady load.
func TestInfoRates(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	value := strings.Repeat("v", 1000)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		for range 100 {
			c.doArgs("SET", "k", value)
			c.do("GET k")
		}
		f := infoFields(t, c, "stats")
		ok := true
		for _, name := range strings.Fields(`instantaneous_ops_per_sec instantaneous_input_kbps instantaneous_output_kbps
			instantaneous_eventloop_cycles_per_sec`) {
			n, err := strconv.ParseFloat(f[name], 64)
			ok = ok && err == nil && n > 1
		}
		if ok {
			return
		}
	}
	t.Errorf("the rates stay at 0: %v", infoFields(t, c, "stats"))
}

// TestErrorKindsAreBounded makes up more kinds of errors than are told apart.
func TestErrorKindsAreBounded(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	for i := range 200 {
		c.doArgs("EVAL", "return redis.error_reply(ARGV[1])", "0", fmt.Sprintf("KIND%d x", i))
	}
	if got := bulkText(t, c.do("INFO errorstats")); got != "# Errorstats\r\nerrorstat_ERRORSTATS_DISABLED:count=1" && got != "# Errorstats\r\nerrorstat_ERRORSTATS_DISABLED:count=1\r\n" {
		t.Errorf("%q", got)
	}
	if n := infoNumber(t, c, "stats", "total_error_replies"); n != 200 {
		t.Errorf("%d error replies", n)
	}
	c.do("CONFIG RESETSTAT")
	c.do("NOSUCH")
	if got := infoFields(t, c, "errorstats")["errorstat_ERR"]; got != "count=1" {
		t.Errorf("after RESETSTAT: %q", got)
	}
}
