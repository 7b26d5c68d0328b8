package config

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/internal/oracle"
)

// setCases are run against this package and a real server: the errors and all values afterwards must agree.
var setCases = []string{
	"nosuch|1", "maxclients|abc", "maxclients|0", "maxclients|10000000000", "maxclients|99999999999999999999999",
	"maxclients|-1", "maxclients| 100", "maxclients|", "maxclients|010", "maxclients|+10", "maxclients|0xa", "maxclients|500",
	"maxmemory|abc", "maxmemory|-1", "maxmemory|1x", "maxmemory|100mB", "maxmemory|200M", "maxmemory|1.5gb", "maxmemory|10%",
	"maxmemory|", "maxmemory|b", "maxmemory|10K", "maxmemory|0",
	"maxmemory-clients|5%", "maxmemory-clients|101%", "maxmemory-clients|-5%", "maxmemory-clients|x%", "maxmemory-clients|zz",
	"maxmemory-clients|%", "maxmemory-clients|1.5%", "maxmemory-clients| 5%", "maxmemory-clients|100%", "maxmemory-clients|0%",
	"maxmemory-clients|1gb", "maxmemory-clients|0",
	"activerehashing|maybe", "activerehashing|NO", "activerehashing|", "lazyfree-lazy-expire|YES",
	"maxmemory-policy|foo", "maxmemory-policy|ALLKEYS-LRU", "maxmemory-policy|noeviction allkeys-lru", "maxmemory-policy|",
	"databases|3", "appendfilename|x", "logfile|x", "unixsocket|x", "unixsocketperm|777", "replicaof|1 2", "slaveof|1 2",
	"server_cpulist|0", "aclfile|x", "enable-debug-command|yes", "enable-protected-configs|yes",
	"dir|/tmp", "dbfilename|a/b", "timeout|1|timeout|2", "timeout|1|nosuch|2", "timeout|1|databases|2", "databases|2|nosuch|2",
	"databases|2|dir|2", "timeout|1|timeout|2|databases|2", "timeout|1|databases|2|timeout|2", "timeout|abc|hz|xx",
	"timeout|7|hz|20|TCP-keepalive|9", "lua-time-limit|100|busy-reply-threshold|200", "hz|0", "hz|1000", "hz|10",
	"save|900 1 300", "save|900 0", "save|0 1", "save|-1 1", "save|900 1   300 10", "save|x y", "save|3600 -1", "save| ",
	"save|3600 01 5 6", "save|", "save|3600 1 300 100",
	"client-output-buffer-limit|normal 1 2", "client-output-buffer-limit|foo 1 2 3", "client-output-buffer-limit|master 1 2 3",
	"client-output-buffer-limit|normal a b c", "client-output-buffer-limit|normal 1 1 -1",
	"client-output-buffer-limit|normal 1 1 1x", "client-output-buffer-limit|normal  1 2 3",
	"client-output-buffer-limit|normal -1 1 9", "client-output-buffer-limit|",
	"client-output-buffer-limit|pubsub 1mb 2kb 3 REPLICA 1m 2k 3",
	"notify-keyspace-events|KEAQ", "notify-keyspace-events|KEA", "notify-keyspace-events|Kg$lshzxedtmn",
	"notify-keyspace-events|AKEmn", "notify-keyspace-events|EKxehg$", "notify-keyspace-events|ndmtzslK",
	"notify-keyspace-events|n", "notify-keyspace-events|K E", "notify-keyspace-events|A", "notify-keyspace-events|",
	"oom-score-adj-values|1 2", "oom-score-adj-values|1 2 9999", "oom-score-adj-values|3 2 1", "oom-score-adj-values|a 2 1",
	"oom-score-adj-values| 1 2 3", "oom-score-adj-values|", "oom-score-adj|foo",
	"latency-tracking-info-percentiles|50 101", "latency-tracking-info-percentiles|50 99.99 x",
	"latency-tracking-info-percentiles|50.0 99.990", "latency-tracking-info-percentiles|0 100 33.333333333",
	"latency-tracking-info-percentiles|1e1 inf", "latency-tracking-info-percentiles|",
	"proc-title-template|{foo}", "proc-title-template|{title} {port", "proc-title-template|", "proc-title-template|x{port}",
	"replica-priority|-1", "slave-priority|5", "list-max-listpack-size|-6", "list-compress-depth|-1",
	"hash-max-ziplist-entries|513", "hash-max-listpack-entries|-1", "hll-sparse-max-bytes|1kb", "timeout|1kb",
	"loglevel|foo", "loglevel|nothing", "loglevel|DEBUG", "port|abc", "port|70000",
	"shutdown-on-sigterm|nosave force", "shutdown-on-sigterm|save nosave", "shutdown-on-sigterm|zz", "shutdown-on-sigterm|",
	"shutdown-on-sigterm|default nosave", "shutdown-on-sigterm|force  now", "shutdown-on-sigterm|Force Now",
	"active-defrag-threshold-lower|5000", "active-defrag-cycle-min|0", "repl-backlog-size|0", "repl-backlog-size|1",
	"client-query-buffer-limit|1", "proto-max-bulk-len|1", "stream-node-max-bytes|-1", "slowlog-log-slower-than|-2",
	"slowlog-max-len|-1", "acl-pubsub-default|foo", "acl-pubsub-default|allchannels", "cluster-announce-hostname|a_b",
	"cluster-announce-hostname|a.b-c", "cluster-announce-hostname|" + strings.Repeat("a", 256), "cluster-announce-port|70000",
	"tracking-table-max-keys|-1", "lfu-log-factor|-1", "list-max-ziplist-size|99999999999", "timeout|2147483648",
	"maxmemory-samples|0", "maxmemory-eviction-tenacity|101", "active-expire-effort|11", "repl-timeout|0",
	"appendfsync|foo", "appendfsync|ALWAYS", "tls-auth-clients|foo", "sanitize-dump-payload|foo", "repl-diskless-load|foo",
	"cluster-preferred-endpoint-type|foo", "propagation-error-behavior|foo", "user|x", "include|x", "loadmodule|x",
	"rename-command|x", "masterauth|secret", "masterauth|", "slave-announced|no", "bind-source-addr|x",
}

// newer differ from the older oracle because the compatibility level changed them.
var newer = map[string]bool{"maxmemory-samples|0": true, "loglevel|foo": true, "loglevel|nothing": true}

func TestSetAgainstOracle(t *testing.T) {
	srv := oracle.Start(t)
	client := redis.NewClient(&redis.Options{Addr: srv.Addr(), Protocol: 2, DisableIdentity: true})
	defer client.Close()
	ctx := context.Background()
	oldOracle = isOld(t, client)
	all, err := client.ConfigGet(ctx, "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	c := New()
	for _, nv := range c.Get([]byte("*")) {
		if _, ok := all[nv.Name]; !ok && !own[nv.Name] && !(oldOracle && (since74[nv.Name] || strings.HasSuffix(nv.Name, "-cpulist"))) {
			t.Errorf("the oracle has no parameter %s", nv.Name)
		}
	}
	for name, text := range all {
		if p := Lookup(name); p == nil {
			t.Errorf("no parameter %s", name)
		} else if p.Name == name && oracleDefault(name) && p.Default != text {
			t.Errorf("%s: default %q, the oracle has %q", name, p.Default, text)
		}
		if err := c.Override(name, text); err != nil {
			t.Errorf("%s does not take %q: %v", name, text, err)
		}
	}
	for _, tc := range setCases {
		if oldOracle && newer[tc] {
			continue
		}
		words := strings.Split(tc, "|")
		req := []any{"CONFIG", "SET"}
		for _, w := range words {
			req = append(req, w)
		}
		want, got := "OK", "OK"
		if err := client.Do(ctx, req...).Err(); err != nil {
			want = strings.TrimPrefix(err.Error(), "ERR ")
		}
		if err := c.Set(bytesOf(words...), false); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("CONFIG SET %q:\n got %s\nwant %s", words, got, want)
			continue
		}
		for i := 0; i < len(words); i += 2 {
			compareGet(t, client, c, words[i])
		}
	}
	for _, pats := range []string{"*", "hash-*", "SAVE slave-p* *priority", "rdb[cC]*", "hz hz h[y-z]", "slaveof", "nosuch",
		"*-delay", "use-exit-on-panic", "ma[^s]*", "?z", "hash-max-ziplist-entries", `h\z`, "[h]z",
		"hz HZ", "HZ h?", "h? hz hZ", "slave-priority SLAVE-PRIORITY replica-priority *-priority", "hash-max-*entries hash-max-ziplist-entries"} {
		compareGet(t, client, c, strings.Fields(pats)...)
	}
}

// oracleDefault tells which of the oracle's values are defaults of its own: it was started with some options.
func oracleDefault(name string) bool {
	switch name {
	case "bind", "port", "dir", "save", "appendonly", "io-threads", "logfile", "unixsocket", "daemonize", "pidfile",
		"enable-debug-command":
		return false
	}
	return true
}

func compareGet(t *testing.T, client *redis.Client, c *Config, patterns ...string) {
	t.Helper()
	req := []any{"CONFIG", "GET"}
	for _, p := range patterns {
		req = append(req, p)
	}
	flat, err := client.Do(context.Background(), req...).StringSlice()
	if err != nil {
		t.Fatal(err)
	}
	skip := func(name string) bool {
		name = strings.ToLower(name)
		return oldOracle && (since74[name] || name == "aof-disable-auto-gc" || strings.Contains(name, "cpulist")) || own[name]
	}
	var want, got []string // pairs, because a name may come twice; their order is drawn by the oracle
	for i := 0; i < len(flat); i += 2 {
		if !skip(flat[i]) {
			want = append(want, flat[i]+" "+flat[i+1])
		}
	}
	for _, nv := range c.Get(bytesOf(patterns...)...) {
		if !skip(nv.Name) {
			got = append(got, nv.Name+" "+nv.Value)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("CONFIG GET %q: %q is not there", patterns, line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("CONFIG GET %q: %q is missing", patterns, line)
		}
	}
	if len(got) != len(want) {
		t.Errorf("CONFIG GET %q: %d parameters, want %d", patterns, len(got), len(want))
	}
}

// oldOracle tells that the server under comparison is older than the compatibility level.
var oldOracle bool

// since74 are parameters that the oracle is too old to know.
var since74 = map[string]bool{
	"set-max-listpack-entries": true, "set-max-listpack-value": true, "locale-collate": true, "hide-user-data-from-log": true,
	"cluster-ping-interval": true, "max-new-connections-per-cycle": true, "max-new-tls-connections-per-cycle": true, "cluster-announce-human-nodename": true,
}

// TestBadFilesAgainstOracle feeds each refused file to a real server and compares what it prints.
func TestBadFilesAgainstOracle(t *testing.T) {
	path, err := oracle.Path()
	if errors.Is(err, oracle.ErrNotFound) {
		t.Skip(err)
	}
	for _, tc := range badFiles {
		// A server that liked the file would stay up; it must find nothing to listen on then.
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		file := write(t, t.TempDir(), "t.conf", tc.text)
		cmd := exec.CommandContext(ctx, path, file, "--port", "0")
		cmd.Dir = t.TempDir()
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		_ = cmd.Run()
		cancel()
		got := "nil"
		if _, _, err := ParseArgs([]string{file, "--port", "0"}, nil); err != nil {
			got = err.Error()
		}
		if want := replaceVersion(stderr.String()); got != want {
			t.Errorf("%q:\n got %s\nwant %s", tc.text, got, want)
		}
	}
}

func replaceVersion(s string) string {
	_, after, ok := strings.Cut(s, "(Redis ")
	version, _, _ := strings.Cut(after, ")")
	if !ok {
		return s
	}
	return strings.Replace(s, version, compatVersion, 1)
}

// isOld tells whether the oracle is older than the compatibility level.
func isOld(t *testing.T, client *redis.Client) bool {
	t.Helper()
	info, err := client.Do(context.Background(), "INFO", "server").Text()
	if err != nil {
		t.Fatal(err)
	}
	return !strings.Contains(info, "redis_version:7.4.")
}
