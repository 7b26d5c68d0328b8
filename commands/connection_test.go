package commands

import "testing"

// TestAuthentication walks a connection of a server with a password through its states.
func TestAuthentication(t *testing.T) {
	h := newHarness(t)
	h.password = true
	c := h.conn(2)
	c.Authenticated = false
	for _, step := range []struct{ do, want string }{
		{"GET k", "-NOAUTH Authentication required.\r\n"},
		{"PING", "-NOAUTH Authentication required.\r\n"},
		{"CLIENT ID", "-NOAUTH Authentication required.\r\n"},
		{"NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: \r\n"},
		{"GET", "-ERR wrong number of arguments for 'get' command\r\n"},
		{"HELLO 3", "-" + string(ErrHelloNoAuth) + "\r\n"},
		{"HELLO 9", "-NOPROTO unsupported protocol version\r\n"},
		{"RESET", "+RESET\r\n"},
		{"AUTH secret", "+OK\r\n"},
		{"GET k", "$-1\r\n"},
		{"RESET", "+RESET\r\n"},
		{"GET k", "-NOAUTH Authentication required.\r\n"},
		{"MULTI", "-NOAUTH Authentication required.\r\n"},
		{"AUTH default secret", "+OK\r\n"},
		{"MULTI", "+OK\r\n"},
		{"QUIT", "+OK\r\n"},
	} {
		if got := h.do(c, step.do); got != step.want {
			t.Errorf("%s = %q, want %q", step.do, got, step.want)
		}
	}
	if !c.Closing {
		t.Error("QUIT does not close")
	}
}

// TestSelectIsPerCommand checks that a refused SELECT inside a transaction leaves the database as it is.
func TestSelectIsPerCommand(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	for _, step := range []struct{ do, want string }{
		{"MULTI", "+OK\r\n"},
		{"SELECT 2", "+QUEUED\r\n"},
		{"SELECT 99", "+QUEUED\r\n"},
		{"SET k v", "+QUEUED\r\n"},
		{"EXEC", "*3\r\n+OK\r\n-ERR DB index is out of range\r\n+OK\r\n"},
		{"GET k", "$1\r\nv\r\n"},
		{"SELECT 0", "+OK\r\n"},
		{"GET k", "$-1\r\n"},
	} {
		if got := h.do(c, step.do); got != step.want {
			t.Errorf("%s = %q, want %q", step.do, got, step.want)
		}
	}
}

// TestPushesFollowTheReply checks where a message to oneself goes, also when the reply is an error or is held back.
func TestPushesFollowTheReply(t *testing.T) {
	h := newHarness(t)
	c := h.conn(3)
	for _, step := range []struct{ do, want string }{
		{"PING", "+PONG\r\n>m"},
		{"NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: \r\n>m"},
		{"CLIENT REPLY OFF", ">m"},
		{"PING", ">m"},
		{"CLIENT REPLY ON", "+OK\r\n>m"},
	} {
		c.PushOwn([]byte(">m"))
		if got := h.do(c, step.do); got != step.want {
			t.Errorf("%s = %q, want %q", step.do, got, step.want)
		}
	}
}

// TestClientFlags checks the letters of CLIENT LIST.
func TestClientFlags(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	if got := clientFlags(c); got != "N" {
		t.Errorf("fresh: %s", got)
	}
	h.do(c, "SET k v")
	h.do(c, "WATCH k")
	h.do(h.conn(2), "SET k w")
	h.do(c, "MULTI")
	c.NoEvict, c.NoTouch, c.Unix, c.Subs = true, true, true, 1
	if got := clientFlags(c); got != "PxdUeT" {
		t.Errorf("all at once: %s", got)
	}
}

func TestPublishDoesNotAllocate(t *testing.T) {
	h := newHarness(t)
	c := h.conn(3)
	args := [][]byte{[]byte("PUBLISH"), []byte("channel"), []byte("message")}
	if n := testing.AllocsPerRun(100, func() { h.run(c, args) }); n > 1 { // one is the harness's own
		t.Errorf("%v allocations", n)
	}
}
