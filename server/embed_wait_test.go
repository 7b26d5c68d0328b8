package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// later runs a command elsewhere; what it returns gives the text of reply and error.
func later(ctx context.Context, d interface {
	Do(context.Context, ...string) (Reply, error)
}, args ...string) func(t testing.TB) string {
	got := make(chan string, 1)
	go func() {
		r, err := d.Do(ctx, args...)
		if err != nil {
			got <- err.Error()
			return
		}
		got <- r.String()
	}()
	return func(t testing.TB) string {
		t.Helper()
		select {
		case s := <-got:
			return s
		case <-time.After(patience):
			t.Fatalf("%q is not answered", args)
			return ""
		}
	}
}

func open(t testing.TB, srv *Server) *Conn {
	t.Helper()
	c, err := srv.Conn()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestConnIsAClient(t *testing.T) {
	srv := openLocal(t)
	c := open(t, srv)
	do(t, c, "CLIENT", "SETNAME", "me")
	info := do(t, c, "CLIENT", "INFO").Text()
	for _, want := range []string{fmt.Sprintf("id=%d addr=local:0 laddr=local:0 fd=-1 name=me ", c.ID()), " user=default ", " resp=3 "} {
		if !strings.Contains(info, want) {
			t.Errorf("no %q in %s", want, info)
		}
	}
	// What changes the protocol of others does not change this.
	do(t, c, "HELLO", "2")
	do(t, c, "RESET")
	do(t, c, "HSET", "h", "f", "v")
	if r := do(t, c, "HGETALL", "h"); r.Kind() != KindMap {
		t.Errorf("%v", r.Kind())
	}
	// It is seen by MONITOR, SLOWLOG and the statistics.
	do(t, c, "CONFIG", "SET", "slowlog-log-slower-than", "0")
	do(t, c, "GET", "slow")
	do(t, c, "CONFIG", "SET", "slowlog-log-slower-than", "-1")
	if log := do(t, c, "SLOWLOG", "GET").String(); !strings.Contains(log, "[GET slow] local:0") {
		t.Error(log)
	}
	if s := do(t, c, "INFO", "commandstats").Text(); !strings.Contains(s, "cmdstat_get:calls=1,") {
		t.Error(s)
	}
}

func TestRefusals(t *testing.T) {
	srv := openLocal(t)
	c := open(t, srv)
	for name, use := range ofConnections {
		args := strings.Split(strings.ToLower(name), "|")
		_, err := srv.Do(t.Context(), append(args, "x", "y")...)
		if err == nil || !strings.Contains(err.Error(), "use "+use+" instead") {
			t.Errorf("Server.Do %s: %v", name, err)
		}
		_, err = c.Do(t.Context(), append(args, "x", "y", "z")...)
		if refused := err != nil && strings.Contains(err.Error(), " instead"); refused != (use != useConn) {
			t.Errorf("Conn.Do %s: %v", name, err)
		}
	}
	if _, err := srv.Do(t.Context()); err != errNoCommand {
		t.Error(err)
	}
	if _, err := srv.Do(t.Context(), "nonsense"); err == nil || err.(Error).Code() != "ERR" {
		t.Error(err)
	}
	// A new name changes nothing.
	c.Close()
	renamed, err := Open(Options{NoListen: true, Config: loaded(t, "rename-command select choose\n")})
	if err != nil {
		t.Fatal(err)
	}
	defer closeServer(t, renamed)
	if _, err := renamed.Do(t.Context(), "choose", "1"); err == nil || !strings.Contains(err.Error(), useConn) {
		t.Error(err)
	}
}

func TestDoIsTheDefaultUser(t *testing.T) {
	srv := openLocal(t, "requirepass", "secret")
	do(t, srv, "SET", "k", "v")
	nc, err := srv.Dial()
	if err != nil {
		t.Fatal(err)
	}
	cl := newClient(t, nc)
	cl.want("GET k", "-NOAUTH Authentication required.\r\n")
	cl.want("AUTH secret", "+OK\r\n")
	cl.want("GET k", "$1\r\nv\r\n")
	do(t, srv, "ACL", "SETUSER", "default", "-get")
	if _, err := srv.Do(t.Context(), "GET", "k"); err == nil || err.(Error).Code() != "NOPERM" {
		t.Error(err)
	}
	do(t, srv, "ACL", "SETUSER", "other", "on", ">pw", "+@all", "~*")
	c := open(t, srv)
	do(t, c, "AUTH", "other", "pw")
	do(t, c, "GET", "k")
}

func TestKilledConn(t *testing.T) {
	srv := openLocal(t)
	a, b := open(t, srv), open(t, srv)
	do(t, srv, "CLIENT", "KILL", "ID", fmt.Sprint(a.ID()))
	if _, err := a.Do(t.Context(), "PING"); err != ErrConnClosed {
		t.Error(err)
	}
	got := later(context.Background(), b, "BLPOP", "l", "0")
	awaitBlocked(t, srv, 1)
	do(t, srv, "CLIENT", "KILL", "ID", fmt.Sprint(b.ID()))
	if s := got(t); s != ErrConnClosed.Error() {
		t.Error(s)
	}
	// A call of Server.Do does not notice that idle connections are closed.
	for range 10 {
		do(t, srv, "CLIENT", "KILL", "TYPE", "normal")
		do(t, srv, "PING")
	}
	// A client may close itself.
	c := open(t, srv)
	if r := do(t, c, "QUIT"); r.Text() != "OK" {
		t.Error(r)
	}
	if _, err := c.Do(t.Context(), "PING"); err != ErrConnClosed {
		t.Error(err)
	}
	// Close ends a wait.
	d := open(t, srv)
	got = later(context.Background(), d, "BLPOP", "l", "0")
	awaitBlocked(t, srv, 1)
	d.Close()
	if s := got(t); s != ErrConnClosed.Error() {
		t.Error(s)
	}
	until(t, "nobody waits", func() bool {
		return strings.Contains(do(t, srv, "INFO", "clients").Text(), "blocked_clients:0")
	})
}

func TestMaxClientsWithin(t *testing.T) {
	srv := openLocal(t, "maxclients", "3")
	a, b, c := open(t, srv), open(t, srv), open(t, srv)
	for _, f := range []func() error{
		func() error { _, err := srv.Conn(); return err },
		func() error { _, err := srv.Dial(); return err },
		func() error { _, err := srv.Do(t.Context(), "PING"); return err },
	} {
		var e Error
		if err := f(); !errors.As(err, &e) || !strings.Contains(e.Error(), "max number of clients") {
			t.Error(err)
		}
	}
	a.Close()
	do(t, srv, "PING")
	_, _ = b, c
}

func TestPausedDo(t *testing.T) {
	srv := openLocal(t)
	admin := open(t, srv)
	do(t, admin, "CLIENT", "PAUSE", "100000", "WRITE")
	ctx, cancel := context.WithCancel(context.Background())
	gives := later(ctx, srv, "SET", "k", "given up")
	waits := later(context.Background(), srv, "SET", "j", "v")
	until(t, "both wait", func() bool {
		srv.pause.mu.RLock()
		defer srv.pause.mu.RUnlock()
		return len(srv.pause.mu.waiting) == 2
	})
	cancel()
	if s := gives(t); s != context.Canceled.Error() {
		t.Error(s)
	}
	do(t, admin, "CLIENT", "UNPAUSE")
	if s := waits(t); s != "OK" {
		t.Error(s)
	}
	if r := do(t, srv, "GET", "k"); !r.IsNull() {
		t.Errorf("a command that was given up has run: %v", r)
	}
}

const endless = "while true do end"

func TestDoWhileAScriptRuns(t *testing.T) {
	srv := openLocal(t, "busy-reply-threshold", "1")
	ctx, cancel := context.WithCancel(context.Background())
	c := open(t, srv)
	gives := later(ctx, c, "EVAL", endless, "0")
	until(t, "others are told", func() bool {
		_, err := srv.Do(t.Context(), "GET", "k")
		return err != nil && err.(Error).Code() == "BUSY"
	})
	cancel()
	if s := gives(t); s != context.Canceled.Error() {
		t.Error(s)
	}
	// The connection is not free before the script has ended.
	soon, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	if _, err := c.Do(soon, "PING"); err != context.DeadlineExceeded {
		t.Error(err)
	}
	cancel()
	until(t, "the script is killed", func() bool {
		_, err := srv.Do(t.Context(), "SCRIPT", "KILL")
		return err == nil || err.(Error).Code() == "NOTBUSY"
	})
	if r := do(t, c, "ECHO", "mine"); r.Text() != "mine" {
		t.Errorf("another's reply: %v", r)
	}
	// A wait can be given up although all is locked.
	waits, cancel := context.WithCancel(context.Background())
	got := later(waits, srv, "BLPOP", "l", "0")
	awaitBlocked(t, srv, 1)
	script := later(context.Background(), srv, "EVAL", endless, "0")
	until(t, "others are told", func() bool {
		_, err := srv.Do(t.Context(), "GET", "k")
		return err != nil && err.(Error).Code() == "BUSY"
	})
	cancel()
	if s := got(t); s != context.Canceled.Error() {
		t.Error(s)
	}
	do(t, srv, "SCRIPT", "KILL")
	script(t)
	do(t, srv, "RPUSH", "l", "x")
	if n := do(t, srv, "LLEN", "l").Text(); n != "1" {
		t.Errorf("%s elements", n)
	}
}

func TestDoWaitsForTheDisk(t *testing.T) {
	srv := openWith(t, Options{NoListen: true, Dir: t.TempDir()}, "appendonly", "yes", "appendfsync", "always")
	for i := range 50 {
		do(t, srv, "RPUSH", "l", fmt.Sprint(i))
		if l := srv.files.log.Load(); l.Synced() < l.Position() {
			t.Fatal("answered before it is on the disk")
		}
	}
}

func TestShutdownByDo(t *testing.T) {
	srv := openLocal(t)
	waits := later(context.Background(), srv, "BLPOP", "l", "0")
	awaitBlocked(t, srv, 1)
	c := open(t, srv)
	if _, err := srv.Do(t.Context(), "SHUTDOWN", "NOSAVE"); err != ErrClosed {
		t.Error(err)
	}
	if s := waits(t); s != ErrClosed.Error() {
		t.Error(s)
	}
	<-srv.Done()
	closeServer(t, srv)
	for _, f := range []func() error{
		func() error { _, err := srv.Do(t.Context(), "PING"); return err },
		func() error { _, err := c.Do(t.Context(), "PING"); return err },
		func() error { _, err := srv.Conn(); return err },
		func() error { _, err := srv.Dial(); return err },
		func() error { _, err := srv.DialContext(t.Context(), "tcp", "x"); return err },
		func() error { _, err := srv.Subscribe(t.Context(), "x"); return err },
	} {
		if err := f(); err != ErrClosed {
			t.Error(err)
		}
	}
}

// TestDoAllocates holds Do to allocating nothing but the reply.
func TestDoAllocates(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates")
	}
	srv := openLocal(t)
	ctx := t.Context()
	value := strings.Repeat("v", 100)
	c := open(t, srv)
	set, key, bytes := []byte("SET"), []byte("key"), []byte(value)
	for _, row := range []struct {
		name string
		want float64
		f    func()
	}{
		{"SET", 0, func() { srv.Do(ctx, "SET", "key", value) }},
		{"GET", 1, func() { srv.Do(ctx, "GET", "key") }},
		{"GET of nothing", 0, func() { srv.Do(ctx, "GET", "none") }},
		{"SET on a Conn", 0, func() { c.Do(ctx, "SET", "key", value) }},
		{"GET on a Conn", 1, func() { c.Do(ctx, "GET", "key") }},
		{"SET of bytes", 0, func() { srv.DoBytes(ctx, set, key, bytes) }},
		{"SET of bytes on a Conn", 0, func() { c.DoBytes(ctx, set, key, bytes) }},
	} {
		for range 100 {
			row.f()
		}
		if n := testing.AllocsPerRun(1000, row.f); n > row.want {
			t.Errorf("%s: %v allocations, not %v", row.name, n, row.want)
		}
	}
}
