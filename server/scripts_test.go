package server

import (
	"strings"
	"sync"
	"testing"

	"github.com/streampulse/pulse/server/scripting"
)

const notBusy = "-NOTBUSY No scripts in execution right now.\r\n"

// busyScript starts a script that does not end, from a client of its own, and returns once the server says that it is busy.
func busyScript(t *testing.T, srv *Server, request string) (runs, other *client) {
	t.Helper()
	runs, other = dial(t, srv), dial(t, srv)
	other.want("PING", pong)
	runs.send(request + "\r\n")
	for !srv.store.Busy() {
		other.do("PING")
	}
	return runs, other
}

// ask sends an inline request, in which words may be quoted, and returns the reply.
func ask(c *client, line string) string {
	c.send(line + "\r\n")
	return c.read()
}

func TestScriptKill(t *testing.T) {
	for name, script := range map[string]string{
		"loop":       `while true do end`,
		"pcall":      `while true do pcall(function() while true do end end) end`,
		"coroutine":  `coroutine.wrap(function() while true do end end)()`,
		"rep":        `while true do string.rep('x', 1000000) end`,
		"gsub":       `while true do string.gsub(string.rep('x', 100000), 'x', 'y') end`,
		"sort":       `table.sort({1,2,3,4,5}, function() while true do end end)`,
		"calls":      `while true do redis.call('GET', 'k') end`,
		"tail calls": `local function f() return f() end return f()`,
	} {
		t.Run(name, func(t *testing.T) {
			srv := openServer(t, "busy-reply-threshold", "20")
			runs, other := busyScript(t, srv, `EVAL "`+script+`" 0`)
			other.want("GET k", "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n")
			other.want("FUNCTION KILL", "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n")
			other.want("SCRIPT KILL", "+OK\r\n")
			if got := runs.read(); !strings.HasPrefix(got, "-ERR Error running script") && !strings.Contains(got, "Script killed by user with SCRIPT KILL") {
				t.Errorf("the script's reply is %q", got)
			}
			for _, c := range []*client{runs, other} {
				c.want("PING", pong)
				c.want("SCRIPT KILL", notBusy)
			}
		})
	}
}

// TestScriptThatWrote: it cannot be killed, but the server can be ended.
func TestScriptThatWrote(t *testing.T) {
	srv := openServer(t, "busy-reply-threshold", "20")
	runs, other := busyScript(t, srv, `EVAL "redis.call('SET', 'k', 'v') while true do end" 0`)
	if got := other.do("SCRIPT KILL"); !strings.HasPrefix(got, "-UNKILLABLE Sorry the script already executed write commands") {
		t.Errorf("SCRIPT KILL: %q", got)
	}
	runs.Close()
	other.send("SHUTDOWN NOSAVE\r\n")
	<-srv.Done()
}

// TestScriptInTransaction: an EXEC with an endless script keeps nobody from being told.
func TestScriptInTransaction(t *testing.T) {
	srv := openServer(t, "busy-reply-threshold", "20")
	runs, other := dial(t, srv), dial(t, srv)
	runs.want("MULTI", "+OK\r\n")
	runs.want("INCR n", "+QUEUED\r\n")
	runs.send("EVAL 'while true do end' 0\r\n")
	runs.expect("+QUEUED\r\n")
	runs.send("EXEC\r\nPING\r\n")
	for !srv.store.Busy() {
		other.do("PING")
	}
	other.want("SCRIPT KILL", "+OK\r\n")
	if got := runs.read(); !strings.HasPrefix(got, "*2\r\n:1\r\n-ERR ") {
		t.Errorf("EXEC: %q", got)
	}
	runs.expect(pong)
}

// TestClientLeavesItsScript: what it held is let go of once the script has ended.
func TestClientLeavesItsScript(t *testing.T) {
	srv := openServer(t, "busy-reply-threshold", "20")
	runs, other := busyScript(t, srv, `EVAL "while true do end" 0`)
	runs.Close()
	other.want("GET k", "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n")
	other.want("SCRIPT KILL", "+OK\r\n")
	for srv.clients.count() != 1 {
		other.do("PING")
	}
	other.want("PING", pong)
}

// TestScriptWakesWaiters: those who wait for keys that a script writes are served when it has ended.
func TestScriptWakesWaiters(t *testing.T) {
	srv := openServer(t)
	waits, runs := dial(t, srv), dial(t, srv)
	waits.send("BLPOP q 0\r\n")
	blocked(t, runs, 1)
	if got := ask(runs, `EVAL "local q = 'q' redis.call('RPUSH', q, 'a') redis.call('RPUSH', q, 'b') return redis.call('LLEN', q)" 0`); got != ":2\r\n" {
		t.Errorf("EVAL: %q", got)
	}
	waits.expect("*2\r\n$1\r\nq\r\n$1\r\na\r\n")
	runs.want("LLEN q", ":1\r\n")
}

// TestScriptsAreAtomic: increments by many clients in scripts of every kind, with declared keys and without.
func TestScriptsAreAtomic(t *testing.T) {
	srv := openServer(t)
	scripts := []string{
		`EVAL "local n = tonumber(redis.call('GET', KEYS[1]) or 0) redis.call('SET', KEYS[1], n + 1) return n" 1 n`,
		`EVAL "local n = tonumber(redis.call('GET', ARGV[1]) or 0) redis.call('SET', ARGV[1], n + 1) return n" 0 n`,
		`EVAL "local i = 0 while i < 1 do i = i + 1 local n = tonumber(redis.call('GET', ARGV[1]) or 0) redis.call('SET', ARGV[1], n + 1) end" 0 n`,
		`INCR n`,
	}
	var wg sync.WaitGroup
	const each = 100
	for _, s := range scripts {
		for range 2 {
			c := dial(t, srv)
			wg.Go(func() {
				for range each {
					if got := ask(c, s); strings.HasPrefix(got, "-") {
						t.Errorf("%s: %q", s, got)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	dial(t, srv).want("GET n", "$3\r\n800\r\n")
}

// TestFunctionRestoreIsAllOrNothing: a library that does not load leaves those that are there alone.
func TestFunctionRestoreIsAllOrNothing(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	load := func(name, function string) string {
		return c.doArgs("FUNCTION", "LOAD", "#!lua name="+name+"\nredis.register_function('"+function+"', function() return '"+name+"' end)")
	}
	load("one", "f")
	load("two", "g")
	dump := c.doArgs("FUNCTION", "DUMP")
	payload := dump[strings.Index(dump, "\r\n")+2 : len(dump)-2]
	if got := c.doArgs("FUNCTION", "RESTORE", payload); got != "-ERR Library one already exists\r\n" {
		t.Errorf("RESTORE over what is there: %q", got)
	}
	c.doArgs("FUNCTION", "DELETE", "one")
	load("three", "f") // takes the name of a function of one
	if got := c.doArgs("FUNCTION", "RESTORE", payload, "REPLACE"); got != "-ERR Function f already exists\r\n" {
		t.Errorf("RESTORE REPLACE: %q", got)
	}
	for function, library := range map[string]string{"f": "three", "g": "two"} {
		if got := c.doArgs("FCALL", function, "0"); !strings.Contains(got, library) {
			t.Errorf("FCALL %s: %q, want it to be that of %s", function, got, library)
		}
	}
	c.want("FUNCTION RESTORE x", "-ERR DUMP payload version or checksum are wrong\r\n")
	if got := c.doArgs("FUNCTION", "RESTORE", payload, "FLUSH"); got != "+OK\r\n" {
		t.Errorf("RESTORE FLUSH: %q", got)
	}
	if got := c.doArgs("FCALL", "f", "0"); !strings.Contains(got, "one") {
		t.Errorf("FCALL f after RESTORE FLUSH: %q", got)
	}
}

// TestScriptLoadedInItsTransaction: what is not known when EXEC chooses its locks runs with all of them.
func TestScriptLoadedInItsTransaction(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	const text = "local out = {} for i = 1, 100 do out[i] = redis.call('SET', 'key:' .. i, i) end return #out"
	for _, line := range []string{"MULTI", `SCRIPT LOAD "` + text + `"`, "EVALSHA " + scripting.SHA1(text) + " 0", "GET key:7"} {
		ask(c, line)
	}
	if got := c.do("EXEC"); !strings.HasSuffix(got, ":100\r\n$1\r\n7\r\n") {
		t.Errorf("EXEC: %q", got)
	}
	ask(c, "SCRIPT FLUSH")
	for _, line := range []string{"MULTI", "EVALSHA " + scripting.SHA1(text) + " 0"} {
		ask(c, line)
	}
	if got := c.do("EXEC"); !strings.HasPrefix(got, "*1\r\n-NOSCRIPT") {
		t.Errorf("EXEC: %q", got)
	}
}
