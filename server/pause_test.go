package server

import (
	"strings"
	"testing"
)

// A pause of writes holds up scripts that might write, and those only: what declares that it does not goes on, also within
// a transaction, as does the end of a transaction that is thrown away.
func TestPauseOfScripts(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	wants := func(c *client, reply string, args ...string) {
		t.Helper()
		if got := c.doArgs(args...); got != reply {
			t.Errorf("%q: %q, want %q", args, got, reply)
		}
	}
	wants(c, "$1\r\nl\r\n", "FUNCTION", "LOAD", "#!lua name=l\nredis.register_function{function_name='reads',callback=function() return 7 end,flags={'no-writes'}}\n"+
		"redis.register_function('mayWrite',function() return 7 end)")
	const reads, writes = "#!lua flags=no-writes\nreturn 7", "#!lua\nreturn 7"
	digest := func(script string) string { return strings.Fields(c.doArgs("SCRIPT", "LOAD", script))[1] }
	readsSHA, writesSHA := digest(reads), digest(writes)
	c.want("CLIENT PAUSE 3600000 WRITE", "+OK\r\n")
	for _, row := range []struct {
		args  []string
		waits bool
	}{
		{[]string{"EVAL", reads, "0"}, false},
		{[]string{"EVAL", "#!lua flags=no-writes\nreturn 7 -- not seen before", "0"}, false},
		{[]string{"EVAL_RO", "return 7", "0"}, false},
		{[]string{"EVALSHA", readsSHA, "0"}, false},
		{[]string{"FCALL", "reads", "0"}, false},
		{[]string{"FCALL_RO", "reads", "0"}, false},
		{[]string{"EVAL", writes, "0"}, true},
		{[]string{"EVAL", "return 7", "0"}, true},
		{[]string{"EVALSHA", writesSHA, "0"}, true},
		{[]string{"FCALL", "mayWrite", "0"}, true},
	} {
		w := dial(t, srv)
		w.send(encode(row.args...))
		if row.waits {
			blocked(t, c, 1)
			w.silent()
		} else if got := w.read(); got != ":7\r\n" {
			t.Errorf("%q: %q", row.args, got)
		}
		w.Close()
		blocked(t, c, 0)
	}
	w := dial(t, srv)
	w.want("MULTI", "+OK\r\n")
	wants(w, "+QUEUED\r\n", "EVAL", reads, "0")
	wants(w, "+QUEUED\r\n", "FCALL", "reads", "0")
	w.want("EXEC", "*2\r\n:7\r\n:7\r\n")
	c.want("CLIENT UNPAUSE", "+OK\r\n")
	w.want("MULTI", "+OK\r\n")
	w.want("SET k v", "+QUEUED\r\n")
	c.want("CLIENT PAUSE 3600000 WRITE", "+OK\r\n")
	w.want("DISCARD", "+OK\r\n")
	c.want("CLIENT UNPAUSE", "+OK\r\n")
	w.want("MULTI", "+OK\r\n")
	wants(w, "+QUEUED\r\n", "EVAL", writes, "0")
	c.want("CLIENT PAUSE 3600000 WRITE", "+OK\r\n")
	w.send(requests("EXEC"))
	blocked(t, c, 1)
	w.silent()
	c.want("CLIENT UNPAUSE", "+OK\r\n")
	if got := w.read(); got != "*1\r\n:7\r\n" {
		t.Errorf("%q", got)
	}
}
