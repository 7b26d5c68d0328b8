package server

import (
	"strings"
	"testing"
)

// lastCommand is what CLIENT LIST says was the last command of the client with that name.
func lastCommand(t *testing.T, look *client, name string) string {
	t.Helper()
	for _, line := range strings.Split(look.do("CLIENT LIST"), "\n") {
		if strings.Contains(line, " name="+name+" ") {
			_, rest, _ := strings.Cut(line, " cmd=")
			cmd, _, _ := strings.Cut(rest, " ")
			return cmd
		}
	}
	t.Fatalf("no client %s", name)
	return ""
}

// TestLastCommand: what was refused, or queued, is the last command as well, and what does not exist is none.
func TestLastCommand(t *testing.T) {
	srv := openServer(t)
	c, look := dial(t, srv), dial(t, srv)
	c.do("CLIENT SETNAME c")
	for _, step := range [][2]string{
		{"GET k", "get"},
		{"SET k", "set"},
		{"NOSUCH k", "NULL"},
		{"PING", "ping"},
		{"CLIENT NOSUCH", "NULL"},
		{"CLIENT", "client"},
		{"MULTI", "multi"},
		{"INCR k", "incr"},
		{"EXEC", "exec"},
		{"SUBSCRIBE ch", "subscribe"},
		{"GET k", "get"},
	} {
		c.do(step[0])
		if got := lastCommand(t, look, "c"); got != step[1] {
			t.Errorf("after %s: cmd=%s, not %s", step[0], got, step[1])
		}
	}
	if stats := look.do("INFO commandstats"); !strings.Contains(stats, "cmdstat_client:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,") {
		t.Errorf("CLIENT NOSUCH counts as a call of CLIENT:\n%s", stats)
	}
}

// TestDeniedLine: the line of the client in ACL LOG names the command that was refused.
func TestDeniedLine(t *testing.T) {
	srv := openServer(t)
	c, look := dial(t, srv), dial(t, srv)
	look.want("ACL SETUSER a on nopass +set ~*", "+OK\r\n")
	c.want("AUTH a x", "+OK\r\n")
	if got := c.do("GET k"); !strings.HasPrefix(got, "-NOPERM") {
		t.Fatal(got)
	}
	if got := look.do("ACL LOG"); !strings.Contains(got, " cmd=get user=a ") {
		t.Errorf("%q", got)
	}
}

// TestDeniedWhileWaiting: a command that may not go on when its turn comes counts as refused, not as called.
func TestDeniedWhileWaiting(t *testing.T) {
	srv := openServer(t)
	c, look := dial(t, srv), dial(t, srv)
	look.want("ACL SETUSER a on nopass +@all ~*", "+OK\r\n")
	c.want("AUTH a x", "+OK\r\n")
	c.send(requests("BLPOP q 0"))
	blocked(t, look, 1)
	look.want("ACL SETUSER a resetkeys", "+OK\r\n")
	look.want("LPUSH q x", ":1\r\n")
	if got := c.read(); !strings.HasPrefix(got, "-NOPERM") {
		t.Fatal(got)
	}
	const want = "cmdstat_blpop:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0\r\n"
	if got := look.do("INFO commandstats"); !strings.Contains(got, want) {
		t.Errorf("%s", got)
	}
	look.want("LLEN q", ":1\r\n")
}

// TestNothingAfterTheOrderToClose: who may not listen any more is told nothing that was published afterwards.
func TestNothingAfterTheOrderToClose(t *testing.T) {
	srv := openServer(t)
	look := dial(t, srv)
	for range 20 {
		c := dial(t, srv)
		look.want("ACL SETUSER a reset on nopass +@all &ch", "+OK\r\n")
		c.want("AUTH a x", "+OK\r\n")
		c.do("SUBSCRIBE ch")
		look.send(requests("ACL SETUSER a resetchannels", "PUBLISH ch m"))
		look.read()
		look.read()
		if got := c.readAll(); got != "" {
			t.Fatalf("%q", got)
		}
	}
}

// TestCommandList: without a filter, too, the list has what the containers contain.
func TestCommandList(t *testing.T) {
	names := dial(t, openServer(t)).do("COMMAND LIST")
	for _, want := range []string{"\r\nget\r\n", "\r\nclient\r\n", "\r\nclient|list\r\n", "\r\nscript|load\r\n"} {
		if !strings.Contains(names, want) {
			t.Errorf("it lacks %q", want)
		}
	}
}

// TestReplyOnBehindSkip: CLIENT REPLY ON is answered though it is the command that was to be skipped.
func TestReplyOnBehindSkip(t *testing.T) {
	c := dial(t, openServer(t))
	c.send(requests("CLIENT REPLY SKIP", "CLIENT REPLY ON", "CLIENT REPLY SKIP", "PING", "ECHO x"))
	c.expect("+OK\r\n$1\r\nx\r\n")
}
