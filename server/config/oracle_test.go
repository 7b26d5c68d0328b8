package config

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os/exec"
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
	all, err := client.ConfigGet(ctx, "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	c := New()
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
		if newer[tc] {
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
		"*-delay", "use-exit-on-panic", "ma[^s]*", "?z", "hash-max-ziplist-entries", `h\z`, "[h]z"} {
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
	want := map[string]string{}
	for i := 0; i < len(flat); i += 2 {
		if Lookup(flat[i]) != nil && !strings.Contains(flat[i], "_cpulist") && flat[i] != "aof-disable-auto-gc" {
			want[flat[i]] = flat[i+1]
		}
	}
	got := map[string]string{}
	for _, nv := range c.Get(bytesOf(patterns...)...) {
		got[nv.Name] = nv.Value
	}
	maps.DeleteFunc(got, func(name, _ string) bool {
		return since74[strings.ToLower(name)] || strings.Contains(name, "cpulist")
	})
	if !maps.Equal(got, want) {
		for name := range maps.Keys(got) {
			if w, ok := want[name]; !ok || w != got[name] {
				t.Errorf("CONFIG GET %q: %s is %q here, %q there (%v)", patterns, name, got[name], w, ok)
			}
		}
		for name := range maps.Keys(want) {
			if _, ok := got[name]; !ok {
				t.Errorf("CONFIG GET %q: %s is missing", patterns, name)
			}
		}
	}
}

// since74 are parameters that the oracle is too old to know.
var since74 = map[string]bool{
	"set-max-listpack-entries": true, "set-max-listpack-value": true, "locale-collate": true, "hide-user-data-from-log": true,
	"max-new-connections-per-cycle": true, "max-new-tls-connections-per-cycle": true, "cluster-announce-human-nodename": true,
}

// TestBadFilesAgainstOracle feeds each refused file to a real server and compares what it prints.
func TestBadFilesAgainstOracle(t *testing.T) {
	path, err := oracle.Path()
	if errors.Is(err, oracle.ErrNotFound) {
		t.Skip(err)
	}
	for _, tc := range badFiles {
		// A server that liked the file would stay up; it must find nothing to listen on then.
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
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
