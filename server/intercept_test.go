package server

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streampulse/pulse/server/log"
)

// hooked opens a server whose hook is f.
func hooked(t *testing.T, f func(r *Request) Verdict) *Server {
	return openWith(t, Options{Addr: "127.0.0.1:0", Intercept: f})
}

func TestInterceptVerdicts(t *testing.T) {
	srv := hooked(t, func(r *Request) Verdict {
		switch {
		case r.Name == "get":
			return Verdict{Err: "LOADING not\r\nyet"}
		case r.Name == "config|get":
			return Verdict{Reply: []byte("*0\r\n")}
		case r.Name == "MYOWN":
			return Verdict{Reply: []byte(":42\r\n")}
		case r.Name == "del":
			return Verdict{Drop: true}
		case r.Name == "exec" && len(r.Keys()) == 0 && r.DB() == 3:
			return Verdict{Err: "ERR no"}
		}
		return Verdict{}
	})
	c := dial(t, srv)
	for _, step := range [][2]string{
		{"SET k v", "+OK\r\n"},
		{"GET k", "-LOADING not  yet\r\n"},
		{"GET", "-LOADING not  yet\r\n"},
		{"CONFIG GET save", "*0\r\n"},
		{"MYOWN x", ":42\r\n"},
		{"OTHER x", "-ERR unknown command 'OTHER', with args beginning with: 'x' \r\n"},
		{"MULTI", "+OK\r\n"},
		{"MYOWN x", ":42\r\n"},
		{"INCR n", "+QUEUED\r\n"},
		{"GET k", "-LOADING not  yet\r\n"},
		{"EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n"},
		{"EVAL return(redis.call('get','k')) 0", "$1\r\nv\r\n"},
		{"SELECT 3", "+OK\r\n"},
		{"MULTI", "+OK\r\n"},
		{"EXEC", "-EXECABORT Transaction discarded because of: no\r\n"},
		{"CLIENT REPLY SKIP", ""},
	} {
		if step[1] == "" {
			c.send(requests(step[0]))
			continue
		}
		c.want(step[0], step[1])
	}
	c.send(requests("GET k", "PING", "DEL k", "PING"))
	if got := c.readAll(); got != "+PONG\r\n" {
		t.Errorf("until the connection was dropped: %q", got)
	}
	dial(t, srv).want("EXISTS k", ":1\r\n")
	ctx := t.Context()
	if _, err := srv.Do(ctx, "GET", "k"); err != Error("LOADING not  yet") {
		t.Errorf("Do: %v", err)
	}
	if _, err := srv.Do(ctx, "DEL", "k"); err != ErrConnClosed {
		t.Errorf("Do of what is dropped: %v", err)
	}
	if r, err := srv.Do(ctx, "MYOWN"); err != nil || r.String() != "42" {
		t.Errorf("Do of what is answered: %v, %v", r, err)
	}
}

func TestInterceptSees(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	srv := hooked(t, func(r *Request) Verdict {
		mu.Lock()
		defer mu.Unlock()
		if r.Name != "client|setname" && r.Name != "select" {
			seen = append(seen, r.Name+" "+string(bytes.Join(r.Keys(), []byte(",")))+" of "+r.User()+" "+r.ClientName()+map[bool]string{true: " local"}[r.Local])
		}
		if r.InMulti() != (r.Name == "incr") || r.Client == 0 || r.Addr() == "" || r.Protocol() != map[bool]int{false: 2, true: 3}[r.Local] {
			return Verdict{Err: "ERR wrong"}
		}
		return Verdict{}
	})
	c := dial(t, srv)
	c.want("CLIENT SETNAME me", "+OK\r\n")
	c.want("mSET a 1 b 2", "+OK\r\n")
	c.want("MULTI", "+OK\r\n")
	c.want("INCR a", "+QUEUED\r\n")
	c.send(requests("DISCARD"))
	c.expect("-ERR wrong\r\n")
	if _, err := srv.Do(t.Context(), "MSET", "a"); err == nil {
		t.Error("no error")
	}
	mu.Lock()
	defer mu.Unlock()
	want := []string{"mset a,b of default me", "multi  of default me", "incr a of default me", "discard  of default me", "mset a of default  local"}
	if !slices.Equal(seen, want) {
		t.Errorf("seen: %q\nwant: %q", seen, want)
	}
}

func TestInterceptDelays(t *testing.T) {
	release := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	srv := hooked(t, func(r *Request) Verdict {
		if r.Name == "get" {
			if r.Local {
				cancel()
			}
			return Verdict{Delay: time.Hour, Release: release, Err: "ERR late"}
		}
		if r.Name == "strlen" {
			return Verdict{Delay: time.Millisecond}
		}
		return Verdict{}
	})
	c, other := dial(t, srv), dial(t, srv)
	c.send(requests("SET k v", "GET k", "STRLEN k"))
	c.expect("+OK\r\n")
	other.want("STRLEN k", ":1\r\n") // nobody else waits
	conn, err := srv.Conn()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Do(ctx, "GET", "k"); err != context.Canceled {
		t.Errorf("a delayed request that is cancelled: %v", err)
	}
	if r, err := conn.Do(t.Context(), "EXISTS", "k"); err != nil || r.String() != "1" {
		t.Errorf("after that: %v, %v", r, err)
	}
	gone := dial(t, srv)
	gone.send(requests("GET k"))
	gone.Close()
	close(release)
	c.expect("-ERR late\r\n:1\r\n")
}

// A request that waits does not keep the server from closing.
func TestInterceptDelayAndClose(t *testing.T) {
	asked := make(chan bool, 1)
	srv := hooked(t, func(r *Request) Verdict { asked <- true; return Verdict{Delay: time.Hour} })
	c := dial(t, srv)
	c.send(requests("PING"))
	<-asked
	closeServer(t, srv)
	if got := c.readAll(); got != "" && got != "+PONG\r\n" {
		t.Errorf("at the end: %q", got)
	}
}

func TestInterceptPanics(t *testing.T) {
	var out bytes.Buffer
	var mu sync.Mutex
	logger, err := log.New(log.Options{Writer: writer(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return out.Write(b)
	}), Level: "notice"})
	if err != nil {
		t.Fatal(err)
	}
	srv := openWith(t, Options{Addr: "127.0.0.1:0", Log: logger, Intercept: func(r *Request) Verdict {
		if r.Name == "get" {
			panic(errors.New("oh dear"))
		}
		return Verdict{}
	}})
	c := dial(t, srv)
	c.want("GET k", "-ERR the hook that intercepts commands has panicked\r\n")
	c.want("SET k v", "+OK\r\n")
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(out.String(), "Options.Intercept panicked: oh dear") {
		t.Errorf("logged: %q", out.String())
	}
}

type writer func(b []byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }
