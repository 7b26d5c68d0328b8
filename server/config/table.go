package config

import (
	"math"
	"runtime"
	"slices"
)

const (
	maxInt32  = math.MaxInt32
	maxUint32 = math.MaxUint32
	maxInt64  = math.MaxInt64
	mib       = 1 << 20
)

// params is every parameter of the compatibility level, grouped as an administrator thinks of them.
var params = slices.Concat(networkParams, generalParams, clientParams, memoryParams, encodingParams, persistenceParams,
	observeParams, replicationParams, clusterParams, tlsParams)

var networkParams = []Param{
	special("bind", "127.0.0.1 -::1", parseBind, Multi),
	integer("port", 6379, 0, 65535, 0),
	boolean("protected-mode", true, 0),
	integer("tcp-backlog", 511, 0, maxInt32, Immutable),
	integer("tcp-keepalive", 300, 0, maxInt32, 0),
	text("unixsocket", "", Immutable|EmptyIsNone),
	octal("unixsocketperm", 0, 0o777, Immutable),
	text("bind-source-addr", "", Inert|EmptyIsNone),
	integer("socket-mark-id", 0, 0, maxUint32, Immutable|Inert),
	integer("max-new-connections-per-cycle", 10, 1, 1000, Inert),
	integer("max-new-tls-connections-per-cycle", 1, 1, 1000, Inert),
	integer("io-threads", int64(min(runtime.NumCPU(), 128)), 1, 128, Immutable),
	boolean("io-threads-do-reads", false, Immutable|Inert),
}

var generalParams = []Param{
	integer("databases", 16, 1, maxInt32, Immutable),
	special("dir", ".", parseDir, Protected),
	boolean("daemonize", false, Immutable),
	enum("supervised", "no", Immutable, "upstart", "systemd", "auto", "no"),
	text("pidfile", "", Immutable|EmptyIsNone),
	boolean("always-show-logo", false, Immutable|Inert),
	boolean("set-proc-title", true, Immutable|Inert),
	text("proc-title-template", "{title} {listen-addr} {server-mode}", Inert).checked(checkTitleTemplate),
	text("locale-collate", "", Inert),
	integer("hz", 10, 0, maxInt32, 0).normalized(func(n int64) int64 { return min(max(n, 1), 500) }),
	boolean("dynamic-hz", true, Inert),
	integer("shutdown-timeout", 10, 0, maxInt32, 0),
	flags("shutdown-on-sigint", shutdownFlags...),
	flags("shutdown-on-sigterm", shutdownFlags...),
	text("ignore-warnings", "", Inert),
	boolean("disable-thp", true, Immutable|Inert),
	enum("oom-score-adj", "no", 0, "no", "yes", "relative", "absolute").normalized(sameAsYes),
	special("oom-score-adj-values", "0 200 800", parseOOMValues, Multi),
	text("server-cpulist", "", Immutable|Inert|EmptyIsNone).alias("server_cpulist"),
	text("bio-cpulist", "", Immutable|Inert|EmptyIsNone).alias("bio_cpulist"),
	text("aof-rewrite-cpulist", "", Immutable|Inert|EmptyIsNone).alias("aof_rewrite_cpulist"),
	text("bgsave-cpulist", "", Immutable|Inert|EmptyIsNone).alias("bgsave_cpulist"),
	enum("enable-protected-configs", "no", Immutable, "no", "yes", "local"),
	enum("enable-debug-command", "no", Immutable, "no", "yes", "local"),
	enum("enable-module-command", "no", Immutable|Inert, "no", "yes", "local"),
	integer("watchdog-period", 0, 0, maxInt32, Hidden|Inert),
	boolean("use-exit-on-panic", false, Hidden|Inert),
	integer("busy-reply-threshold", 5000, 0, maxInt64, 0).alias("lua-time-limit"),
}

var clientParams = []Param{
	integer("maxclients", 10000, 1, maxUint32, 0),
	integer("timeout", 0, 0, maxInt32, 0),
	memory("client-query-buffer-limit", 1024*mib, mib, maxInt64, 0),
	special("client-output-buffer-limit", "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
		parseOutputLimits, Multi),
	memory("proto-max-bulk-len", 512*mib, mib, maxInt64, 0),
	percentMemory("maxmemory-clients", 0),
	text("requirepass", "", Sensitive|EmptyIsNone),
	text("aclfile", "", Immutable),
	enum("acl-pubsub-default", "resetchannels", 0, "allchannels", "resetchannels"),
	integer("acllog-max-len", 128, 0, maxInt64, 0),
	integer("tracking-table-max-keys", 1000000, 0, maxInt64, 0),
}

var memoryParams = []Param{
	memory("maxmemory", 0, 0, maxInt64, 0),
	enum("maxmemory-policy", "noeviction", 0, "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
		"allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction"),
	integer("maxmemory-samples", 5, 1, 64, 0),
	integer("maxmemory-eviction-tenacity", 10, 0, 100, 0),
	integer("lfu-log-factor", 10, 0, maxInt32, 0),
	integer("lfu-decay-time", 1, 0, maxInt32, 0),
	integer("active-expire-effort", 1, 1, 10, Inert),
	boolean("activerehashing", true, Inert),
	boolean("lazyfree-lazy-eviction", false, 0),
	boolean("lazyfree-lazy-expire", false, 0),
	boolean("lazyfree-lazy-server-del", false, 0),
	boolean("lazyfree-lazy-user-del", false, 0),
	boolean("lazyfree-lazy-user-flush", false, 0),
	boolean("jemalloc-bg-thread", true, Inert),
	boolean("activedefrag", false, Inert).checked(checkActiveDefrag),
	memory("active-defrag-ignore-bytes", 100*mib, 1, maxInt64, Inert),
	integer("active-defrag-threshold-lower", 10, 0, 1000, Inert),
	integer("active-defrag-threshold-upper", 100, 0, 1000, Inert),
	integer("active-defrag-cycle-min", 1, 1, 99, Inert),
	integer("active-defrag-cycle-max", 25, 1, 99, Inert),
	integer("active-defrag-max-scan-fields", 1000, 1, maxInt64, Inert),
}

var encodingParams = []Param{
	integer("hash-max-listpack-entries", 512, 0, maxInt64, 0).alias("hash-max-ziplist-entries"),
	memory("hash-max-listpack-value", 64, 0, maxInt64, 0).alias("hash-max-ziplist-value"),
	integer("list-max-listpack-size", -2, math.MinInt32, maxInt32, 0).alias("list-max-ziplist-size"),
	integer("list-compress-depth", 0, 0, maxInt32, Inert),
	integer("set-max-intset-entries", 512, 0, maxInt64, 0),
	integer("set-max-listpack-entries", 128, 0, maxInt64, 0),
	integer("set-max-listpack-value", 64, 0, maxInt64, 0),
	integer("zset-max-listpack-entries", 128, 0, maxInt64, 0).alias("zset-max-ziplist-entries"),
	memory("zset-max-listpack-value", 64, 0, maxInt64, 0).alias("zset-max-ziplist-value"),
	memory("hll-sparse-max-bytes", 3000, 0, maxInt64, 0),
	memory("stream-node-max-bytes", 4096, 0, maxInt64, 0),
	integer("stream-node-max-entries", 100, 0, maxInt64, 0),
}

var persistenceParams = []Param{
	special("save", "3600 1 300 100 60 10000", parseSave, Multi),
	boolean("stop-writes-on-bgsave-error", true, 0),
	boolean("rdbcompression", true, 0),
	boolean("rdbchecksum", true, Immutable),
	text("dbfilename", "dump.rdb", Protected).checked(checkFileName("dbfilename", "filename", true)),
	boolean("rdb-del-sync-files", false, Inert),
	boolean("rdb-save-incremental-fsync", true, 0),
	integer("rdb-key-save-delay", 0, math.MinInt32, maxInt32, Hidden|Inert),
	integer("key-load-delay", 0, math.MinInt32, maxInt32, Hidden|Inert),
	integer("loading-process-events-interval-bytes", 2*mib, 1024, maxInt32, Hidden|Inert),
	enum("sanitize-dump-payload", "no", Inert, "no", "yes", "clients"),
	boolean("appendonly", false, 0),
	text("appendfilename", "appendonly.aof", Immutable).checked(checkFileName("appendfilename", "filename", false)),
	text("appenddirname", "appendonlydir", Immutable).checked(checkFileName("appenddirname", "dirname", false)),
	enum("appendfsync", "everysec", 0, "everysec", "always", "no"),
	boolean("no-appendfsync-on-rewrite", false, 0),
	integer("auto-aof-rewrite-percentage", 100, 0, maxInt32, 0),
	memory("auto-aof-rewrite-min-size", 64*mib, 0, maxInt64, 0),
	boolean("aof-load-truncated", true, 0),
	boolean("aof-use-rdb-preamble", true, 0),
	boolean("aof-timestamp-enabled", false, 0),
	boolean("aof-rewrite-incremental-fsync", true, Inert),
	boolean("aof-disable-auto-gc", false, Hidden|Inert),
	boolean("ignore-unread-data", false, Immutable|Hidden),
}

var observeParams = []Param{
	enum("loglevel", "notice", 0, "debug", "verbose", "notice", "warning", "nothing"),
	text("logfile", "", Immutable),
	boolean("syslog-enabled", false, Immutable),
	text("syslog-ident", "redis", Immutable),
	enum("syslog-facility", "local0", Immutable, "user", "local0", "local1", "local2", "local3", "local4", "local5",
		"local6", "local7"),
	boolean("crash-log-enabled", true, 0),
	boolean("crash-memcheck-enabled", true, Inert),
	boolean("hide-user-data-from-log", false, 0),
	integer("slowlog-log-slower-than", 10000, -1, maxInt64, 0),
	integer("slowlog-max-len", 128, 0, maxInt64, 0),
	integer("latency-monitor-threshold", 0, 0, maxInt64, 0),
	enum("log-format", "legacy", Hidden, "legacy", "logfmt", "json"),
	text("metrics-addr", "", Immutable|Hidden).checked(checkAddr),
	boolean("latency-tracking", true, 0),
	special("latency-tracking-info-percentiles", "50 99 99.9", parsePercentiles, Multi),
	special("notify-keyspace-events", "", parseNotify, 0),
}

var shutdownFlags = []string{"default", "save", "nosave", "now", "force"}

// sameAsYes makes relative, the third value of oom-score-adj, the yes that it means.
func sameAsYes(n int64) int64 {
	if n == 2 {
		return 1
	}
	return n
}
