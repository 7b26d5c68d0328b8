package stats

// Counter names a number that only grows until Reset.
type Counter uint8

// The counters of INFO stats and of its neighbours. Gauges, such as the number of subscribed channels, belong to whoever
// holds the things; total_commands_processed follows from the commands. LoopNanos counts nanoseconds, INFO tells microseconds.
const (
	Connections Counter = iota
	RejectedConnections
	NetInput
	NetOutput
	NetReplInput
	NetReplOutput
	SyncFull
	SyncPartialOK
	SyncPartialErr
	ExpiredKeys
	ExpireCycleTimeouts
	EvictedClients
	KeyspaceHits
	KeyspaceMisses
	TotalForks
	UnexpectedErrors
	ErrorReplies
	Reads
	Writes
	QueryBufferKills
	OutputBufferKills
	LoopCycles
	LoopNanos
	DeniedAuth
	DeniedCommand
	DeniedKey
	DeniedChannel

	// NumCounters is how many there are.
	NumCounters
)

var counterNames = [NumCounters]string{
	Connections:         "total_connections_received",
	RejectedConnections: "rejected_connections",
	NetInput:            "total_net_input_bytes",
	NetOutput:           "total_net_output_bytes",
	NetReplInput:        "total_net_repl_input_bytes",
	NetReplOutput:       "total_net_repl_output_bytes",
	SyncFull:            "sync_full",
	SyncPartialOK:       "sync_partial_ok",
	SyncPartialErr:      "sync_partial_err",
	ExpiredKeys:         "expired_keys",
	ExpireCycleTimeouts: "expired_time_cap_reached_count",
	EvictedClients:      "evicted_clients",
	KeyspaceHits:        "keyspace_hits",
	KeyspaceMisses:      "keyspace_misses",
	TotalForks:          "total_forks",
	UnexpectedErrors:    "unexpected_error_replies",
	ErrorReplies:        "total_error_replies",
	Reads:               "total_reads_processed",
	Writes:              "total_writes_processed",
	QueryBufferKills:    "client_query_buffer_limit_disconnections",
	OutputBufferKills:   "client_output_buffer_limit_disconnections",
	LoopCycles:          "eventloop_cycles",
	LoopNanos:           "eventloop_duration_sum",
	DeniedAuth:          "acl_access_denied_auth",
	DeniedCommand:       "acl_access_denied_cmd",
	DeniedKey:           "acl_access_denied_key",
	DeniedChannel:       "acl_access_denied_channel",
}

// Name is the counter's field in INFO.
func (c Counter) Name() string { return counterNames[c] }
