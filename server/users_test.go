package server

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/streampulse/pulse/server/config"
)

// openUsers opens a server whose configuration file has the given text; FILE in it is the path of a file of users with the
// content of users.
func openUsers(t *testing.T, text, users string) (*Server, string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "users.acl")
	if users != "" {
		if err := os.WriteFile(file, []byte(users), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := config.New()
	if err := c.Load([]byte(strings.ReplaceAll(text, "FILE", file))); err != nil {
		t.Fatal(err)
	}
	srv, err := Open(Options{Addr: "127.0.0.1:0", Config: c})
	if err == nil {
		t.Cleanup(func() { closeServer(t, srv) })
	}
	return srv, file, err
}

// TestUsersOfConfiguration starts servers that are told of users, in one place or another, rightly or not.
func TestUsersOfConfiguration(t *testing.T) {
	const def = "user default on nopass sanitize-payload ~* &* +@all"
	const foo = "user default on sanitize-payload #2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae "
	for _, c := range []struct{ name, text, users, fails, has string }{
		{name: "nobody", has: def},
		{name: "lines", text: "user a on >foo ~a +get\nuser b on (~x +get)",
			has: "user a on sanitize-payload #2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae ~a resetchannels -@all +get|user b on sanitize-payload resetchannels -@all (~x resetchannels -@all +get)|" + def},
		{name: "the default user begins with nothing", text: "user default on >foo", has: foo + "resetchannels -@all"},
		{name: "requirepass", text: "requirepass foo\nuser b", has: "user b off sanitize-payload resetchannels -@all|" + foo + "~* &* +@all"},
		{name: "requirepass and a line", text: "requirepass bar\nuser default on >foo ~* &* +@all", has: foo + "~* &* +@all"},
		{name: "channels", text: "user b\nacl-pubsub-default allchannels", has: "user b off sanitize-payload &* -@all|" + def},
		{name: "a file", text: "aclfile FILE", users: "user b on", has: "user b on sanitize-payload resetchannels -@all|" + def},
		{name: "a file makes requirepass void", text: "requirepass foo\naclfile FILE", users: "user b on", has: "user b on sanitize-payload resetchannels -@all|" + def},

		{name: "an unknown command", text: "user a +foo", fails: "Error in user declaration '+foo': Unknown command or category name in ACL"},
		{name: "a wrong rule", text: "user a %Q~b", fails: "at line 1\n>>> 'user a %Q~b'\nError in user declaration '%Q~b': Syntax error"},
		{name: "twice", text: "user a on\nuser a off", fails: "at line 2\n>>> 'user a off'\nError in user declaration 'a': Duplicate user found. A user can only be defined once in config files"},
		{name: "spaces", text: "user \"a b\" on", fails: "Spaces not allowed in ACL usernames"},
		{name: "an open selector", text: "user a (+get", fails: "Unmatched parenthesis"},
		{name: "both", text: "user a on\naclfile FILE", users: "user b on", fails: "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. "},
		{name: "a bad file", text: "aclfile FILE", users: "user b +foo\nbad", fails: "FILE:1: Error in applying operation '+foo': Unknown command or category name in ACL. FILE:2 should start with user keyword followed by the username. WARNING: ACL errors detected, no change to the previously active ACL rules was performed"},
		{name: "no file", text: "aclfile FILE", fails: "Aborting Redis startup because of ACL errors: Error loading ACLs, opening file 'FILE': No such file or directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv, file, err := openUsers(t, c.text, c.users)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(c.fails, "FILE", file)) {
					t.Fatal(err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(srv.users.UserLines(), "|"); got != c.has {
				t.Errorf("%s\nwant %s", got, c.has)
			}
		})
	}
}

// TestACLFile loads and saves users under clients that are connected: those whose user is the same go on.
func TestACLFile(t *testing.T) {
	srv, file, err := openUsers(t, "aclfile FILE", "user a on nopass ~* +@all\nuser b on nopass ~* +@all\nuser s on nopass ~* &* +@all\n")
	if err != nil {
		t.Fatal(err)
	}
	admin, a, b, s, q := dial(t, srv), dial(t, srv), dial(t, srv), dial(t, srv), dial(t, srv)
	a.want("AUTH a x", "+OK\r\n")
	b.want("AUTH b x", "+OK\r\n")
	s.want("AUTH s x", "+OK\r\n")
	s.want("SUBSCRIBE ch", "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n")
	q.want("AUTH s x", "+OK\r\n")
	admin.want("ACL LOAD", "+OK\r\n")
	a.want("GET k", "$-1\r\n")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("user a on nopass ~* +@all\nuser a off\n")
	if got := admin.do("ACL LOAD"); !strings.HasPrefix(got, "-ERR WARNING: Duplicate user 'a' found on line 2. WARNING: ACL errors") {
		t.Error(got)
	}
	b.want("GET k", "$-1\r\n")
	write("user a on nopass ~* +@all -get\nuser s on nopass ~* &other +@all\n")
	admin.want("ACL LOAD", "+OK\r\n")
	a.want("GET k", "-NOPERM User a has no permissions to run the 'get' command\r\n")
	for _, c := range []*client{b, s} {
		if got := c.readAll(); got != "" {
			t.Errorf("%q", got)
		}
	}
	q.want("PING", "+PONG\r\n")
	// Of one user who loads a file without itself the reply is still sent.
	write("user default on nopass ~* &* +@all\n")
	q.send(requests("ACL LOAD", "PING"))
	if got := q.readAll(); got != "+OK\r\n" {
		t.Errorf("%q", got)
	}
	admin.want("ACL SETUSER new on >foo %R~x (+get)", "+OK\r\n")
	admin.want("ACL SAVE", "+OK\r\n")
	text, err := os.ReadFile(file)
	want := "user default on nopass sanitize-payload ~* &* +@all\n" +
		"user new on sanitize-payload #2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae %R~x resetchannels -@all (resetchannels -@all +get)\n"
	if err != nil || string(text) != want {
		t.Errorf("%v %s", err, text)
	}
	if left, _ := filepath.Glob(file + "?*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestDeletedUser deletes users under their own feet.
func TestDeletedUser(t *testing.T) {
	srv := openServer(t)
	admin := dial(t, srv)
	me := func() *client {
		admin.want("ACL SETUSER me on nopass ~* &* +@all", "+OK\r\n")
		c := dial(t, srv)
		c.want("AUTH me x", "+OK\r\n")
		return c
	}
	c := me()
	c.send(requests("ACL DELUSER me", "PING"))
	if got := c.readAll(); got != ":1\r\n" {
		t.Errorf("%q", got)
	}
	c = me()
	c.send(requests("MULTI", "ACL DELUSER me", "GET k", "EXEC", "PING"))
	if got := c.readAll(); !strings.HasPrefix(got, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n-NOPERM ACLs rules changed") || strings.Count(got, "\r\n") != 6 {
		t.Errorf("%q", got)
	}
	c = me()
	c.do("HELLO 3")
	c.send(requests("SUBSCRIBE a", "ACL SETUSER me resetchannels", "PING"))
	if got := c.readAll(); !strings.HasSuffix(got, "+OK\r\n") {
		t.Errorf("%q", got)
	}
	alive(t, admin)
}

// TestACLLog compares what ACL LOG tells, and the counters.
func TestACLLog(t *testing.T) {
	srv := openServer(t)
	admin, c := dial(t, srv), dial(t, srv)
	admin.want("ACL SETUSER bob on >sec ~k* &ch* +@all -keys", "+OK\r\n")
	c.want("AUTH bob wrong", "-WRONGPASS invalid username-password pair or user is disabled.\r\n")
	c.do("HELLO 2 AUTH nobody wrong")
	c.want("AUTH bob sec", "+OK\r\n")
	c.do("KEYS *")
	c.do("GET secret")
	c.do("PUBLISH zz a")
	c.do("MULTI")
	c.do("GET secret")
	c.do("DISCARD")
	c.doArgs("EVAL", "return redis.pcall('get','secret')", "0")
	c.do("KEYS *")
	entry := regexp.MustCompile(`^\*20 count :(\d+) reason (\w+) context (\w+) object (\S+) username (\w+) age-seconds [\d.]+ client-info id=\d+ addr=127.0.0.1:\d+ .*user=(\w+) .*lib-ver= entry-id :(\d+) timestamp-created :\d{13} timestamp-last-updated :\d{13} $`)
	reply := admin.do("ACL LOG")
	reply = regexp.MustCompile(`\$\d+\r\n`).ReplaceAllString(reply, "")
	reply = strings.ReplaceAll(reply, "\r\n", " ")
	parts := strings.SplitAfter(reply, "*20 ")
	want := []string{
		"2 command toplevel keys bob bob 2", "1 key lua secret bob bob 6", "1 key multi secret bob bob 5", "1 channel toplevel zz bob bob 4",
		"1 key toplevel secret bob bob 3", "1 auth toplevel HELLO nobody default 1", "1 auth toplevel AUTH bob default 0",
	}
	if parts[0] != "*7 *20 " {
		t.Fatalf("%q", reply)
	}
	for i, p := range parts[1:] {
		m := entry.FindStringSubmatch("*20 " + strings.TrimSuffix(p, "*20 "))
		if m == nil || strings.Join(m[1:], " ") != want[i] {
			t.Errorf("%q\nis not %s", p, want[i])
		}
	}
	if got := admin.do("ACL LOG 2"); !strings.HasPrefix(got, "*2\r\n") {
		t.Errorf("%q", got)
	}
	admin.want("CONFIG SET acllog-max-len 3", "+OK\r\n")
	c.do("GET other")
	if got := admin.do("ACL LOG"); !strings.HasPrefix(got, "*3\r\n") {
		t.Errorf("%q", got)
	}
	info := admin.do("INFO stats")
	for _, line := range []string{"acl_access_denied_auth:2", "acl_access_denied_cmd:2", "acl_access_denied_key:4", "acl_access_denied_channel:1"} {
		if !strings.Contains(info, line+"\r\n") {
			t.Errorf("no %s in %s", line, info)
		}
	}
	admin.want("CONFIG RESETSTAT", "+OK\r\n")
	if info := admin.do("INFO stats"); !strings.Contains(info, "acl_access_denied_key:0\r\n") {
		t.Error(info)
	}
}

// TestLoginFlood tries passwords many times: the log stays short.
func TestLoginFlood(t *testing.T) {
	srv := openServer(t, "requirepass", "secret")
	c := dial(t, srv)
	var b strings.Builder
	for range 5000 {
		b.WriteString(requests("AUTH x", "AUTH u"+strings.Repeat("x", b.Len()%200)+" y"))
	}
	go c.send(b.String())
	for range 10000 {
		if got := c.read(); got != "-WRONGPASS invalid username-password pair or user is disabled.\r\n" {
			t.Fatalf("%q", got)
		}
	}
	c.want("AUTH secret", "+OK\r\n")
	if n := len(srv.users.DenialLog()); n > 128 {
		t.Errorf("%d lines", n)
	}
}

// TestReplayIsNobody starts a server again that keeps a log, with a default user who may do nothing: what was written is
// there all the same, transactions and scripts too.
func TestReplayIsNobody(t *testing.T) {
	for _, rules := range []string{"off", "on nopass +ping", "on >x ~other +get"} {
		dir := t.TempDir()
		open := func(s ...string) *Server {
			srv, err := Open(Options{Addr: "127.0.0.1:0", Dir: dir, Config: configOf(t, append(settings{"appendonly", "yes", "appendfsync", "no"}, s...)...)})
			if err != nil {
				t.Fatal(err)
			}
			return srv
		}
		srv := open()
		c := dial(t, srv)
		c.do("SET a 1")
		for _, line := range []string{"MULTI", "SET b 1", "INCR b", "EXEC"} {
			c.do(line)
		}
		c.doArgs("EVAL", "redis.call('set', KEYS[1], 1) redis.call('incr', KEYS[1]) return 1", "1", "s")
		closeServer(t, srv)

		file := filepath.Join(t.TempDir(), "users")
		if err := os.WriteFile(file, []byte("user default "+rules+"\nuser root on nopass ~* &* +@all\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		srv = open("aclfile", file)
		c = dial(t, srv)
		c.want("AUTH root x", "+OK\r\n")
		c.want("MGET a b s", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n2\r\n")
		if n := len(srv.users.DenialLog()); n > 0 {
			t.Errorf("%s: %d refusals while the log was read", rules, n)
		}
		closeServer(t, srv)
	}
}

// TestUsersRewritten checks that CONFIG REWRITE keeps users.
func TestUsersRewritten(t *testing.T) {
	srv, _, err := openUsers(t, "user a on nopass ~x\nuser b on", "")
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, srv)
	c.want("ACL DELUSER b", ":1\r\n")
	c.doArgs("ACL", "SETUSER", "d", "on", `~"q`, `&\`, "(+get", "~x)", "+select|1")
	text := srv.cfg.Rewritten([]byte("user a on nopass ~x\nuser b on\n"), false)
	again, _, err := openUsers(t, string(text), "")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(again.users.UserLines(), "\n"), strings.Join(srv.users.UserLines(), "\n"); got != want || !strings.Contains(want, "user d") {
		t.Errorf("%s\nbecame\n%s\nthrough\n%s", want, got, text)
	}
}

// TestProtectedModeAsksUsers: what protects is a password of the default user, wherever it came from.
func TestProtectedModeAsksUsers(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	far := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}
	if !srv.protects(far) {
		t.Error("a server without a password lets everybody in")
	}
	c.want("ACL SETUSER default >secret", "+OK\r\n")
	if srv.protects(far) {
		t.Error("a server with a password lets nobody in")
	}
}
