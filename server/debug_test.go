package server

import (
	"strings"
	"testing"
)

// TestDebugThatWouldEndTheOracle has the subcommands that no transcript can be recorded of: they end a redis-server, start
// it again, or keep it for minutes.
func TestDebugThatWouldEndTheOracle(t *testing.T) {
	c := dial(t, openServer(t))
	absent := func(name string) string {
		return "-ERR DEBUG " + name + " is about the inside of Redis, which this server does not share\r\n"
	}
	for _, row := range []struct{ request, reply string }{
		{"DEBUG RESTART", "-ERR failed to restart the server. Check server logs.\r\n"},
		{"DEBUG CRASH-AND-RECOVER 5", "-ERR failed to restart the server. Check server logs.\r\n"},
		{"DEBUG CONFIG-REWRITE-FORCE-ALL", "-ERR The server is running without a config file\r\n"},
		{"DEBUG STRINGMATCH-TEST", "+OK\r\n"},
		{"DEBUG AOF-FLUSH-SLEEP 1", absent("AOF-FLUSH-SLEEP")},
		{"DEBUG REPLICATE aof PING", absent("REPLICATE")},
		{"DEBUG SET-SKIP-CHECKSUM-VALIDATION 1", absent("SET-SKIP-CHECKSUM-VALIDATION")},
	} {
		c.want(row.request, row.reply)
	}
	help := c.do("DEBUG HELP")
	for _, name := range []string{"SEGFAULT", "PANIC", "ASSERT", "OOM", "HTSTATS", "LISTPACK", "SLEEP", "POPULATE", "HELP"} {
		if !strings.Contains(help, "+"+name) {
			t.Errorf("DEBUG HELP says nothing of %s", name)
		}
	}
}
