package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

// openLocal opens a server without a port.
func openLocal(t testing.TB, s ...string) *Server {
	t.Helper()
	return openWith(t, Options{NoListen: true}, s...)
}

// do runs a command that must succeed.
func do(t testing.TB, d interface {
	Do(context.Context, ...string) (Reply, error)
}, args ...string) Reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := d.Do(ctx, args...)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return r
}

func TestDoReplies(t *testing.T) {
	srv := openLocal(t)
	for _, row := range []struct {
		args []string
		kind Kind
		want string
	}{
		{[]string{"SET", "k", "v"}, KindStatus, "OK"},
		{[]string{"GET", "k"}, KindString, "v"},
		{[]string{"GET", "none"}, KindNull, "(nil)"},
		{[]string{"INCR", "n"}, KindInt, "1"},
		{[]string{"RPUSH", "l", "a", "", "c"}, KindInt, "3"},
		{[]string{"LRANGE", "l", "0", "-1"}, KindArray, "[a  c]"},
		{[]string{"HSET", "h", "f", "1"}, KindInt, "1"},
		{[]string{"HGETALL", "h"}, KindMap, "{f:1}"},
		{[]string{"SADD", "s", "m"}, KindInt, "1"},
		{[]string{"SMEMBERS", "s"}, KindSet, "[m]"},
		{[]string{"ZADD", "z", "1.5", "m"}, KindInt, "1"},
		{[]string{"ZSCORE", "z", "m"}, KindFloat, "1.5"},
		{[]string{"DEBUG", "PROTOCOL", "TRUE"}, KindBool, "true"},
		{[]string{"DEBUG", "PROTOCOL", "BIGNUM"}, KindBigNumber, "1234567999999999999999999999999999999"},
		{[]string{"PING"}, KindStatus, "PONG"},
	} {
		r := do(t, srv, row.args...)
		if r.Kind() != row.kind || r.String() != row.want {
			t.Errorf("%q: %v %s, want %v %s", row.args, r.Kind(), r, row.kind, row.want)
		}
	}
	_, err := srv.Do(t.Context(), "LPUSH", "k", "x")
	var e Error
	if !errors.As(err, &e) || e.Code() != "WRONGTYPE" {
		t.Errorf("%v", err)
	}
}

func TestConnKeepsItsState(t *testing.T) {
	srv := openLocal(t)
	c, err := srv.Conn()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	do(t, c, "SELECT", "3")
	do(t, c, "SET", "k", "three")
	if r := do(t, srv, "EXISTS", "k"); r.Text() != "0" {
		t.Errorf("database 0 has it: %v", r)
	}
	do(t, c, "WATCH", "k")
	do(t, c, "MULTI")
	if r := do(t, c, "INCR", "k"); r.Text() != "QUEUED" {
		t.Errorf("%v", r)
	}
	do(t, c, "GET", "k")
	r := do(t, c, "EXEC").Array()
	if len(r) != 2 || r[0].Err() == nil || r[1].Text() != "three" {
		t.Errorf("%v", r)
	}
}

func TestBlockingDo(t *testing.T) {
	srv := openLocal(t)
	got := make(chan string)
	go func() {
		r, err := srv.Do(context.Background(), "BLPOP", "l", "0")
		got <- fmt.Sprint(r, err)
	}()
	awaitBlocked(t, srv, 1)
	do(t, srv, "RPUSH", "l", "x")
	if s := <-got; s != "[l x] <nil>" {
		t.Error(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, err := srv.Do(ctx, "BLPOP", "l", "0")
		got <- fmt.Sprint(err)
	}()
	awaitBlocked(t, srv, 1)
	cancel()
	if s := <-got; s != context.Canceled.Error() {
		t.Error(s)
	}
	do(t, srv, "RPUSH", "l", "y")
	if n := do(t, srv, "LLEN", "l").Text(); n != "1" {
		t.Errorf("%s elements are left", n)
	}
}

// awaitBlocked waits until n clients wait for keys.
func awaitBlocked(t testing.TB, srv *Server, n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		blocked := 0
		c := do(t, srv, "CLIENT", "LIST").Text()
		for i := range len(c) - 8 {
			if c[i:i+8] == "flags=b " {
				blocked++
			}
		}
		if blocked == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d clients wait, not %d", blocked, n)
		}
	}
}

func TestDial(t *testing.T) {
	srv := openLocal(t)
	nc, err := srv.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(nc, "PING\r\n"); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(nc).ReadString('\n')
	if line != "+PONG\r\n" {
		t.Fatal(line, err)
	}
}

func TestSubscription(t *testing.T) {
	srv := openLocal(t)
	p, err := srv.Subscribe(t.Context(), "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.PSubscribe(t.Context(), "c*"); err != nil {
		t.Fatal(err)
	}
	if err := p.SSubscribe(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	if err := p.Unsubscribe(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []string{"a", "b", "cc"} {
		do(t, srv, "PUBLISH", c, "to "+c)
	}
	do(t, srv, "SPUBLISH", "s", "to s")
	for _, want := range []Message{
		{Kind: "message", Channel: "a", Payload: "to a"},
		{Kind: "pmessage", Pattern: "c*", Channel: "cc", Payload: "to cc"},
		{Kind: "smessage", Channel: "s", Payload: "to s"},
	} {
		select {
		case m := <-p.Messages():
			if m != want {
				t.Errorf("%+v, want %+v", m, want)
			}
		case <-time.After(patience):
			t.Fatalf("%+v did not come", want)
		}
	}
	if err := p.Close(); err != nil || p.Err() != nil {
		t.Error(err, p.Err())
	}
	if _, open := <-p.Messages(); open {
		t.Error("the channel is open")
	}
	if err := p.Subscribe(t.Context(), "x"); err != ErrConnClosed {
		t.Error(err)
	}
}

func TestSubscriptionEnds(t *testing.T) {
	srv := openLocal(t)
	open := func() *Subscription {
		p, err := srv.Subscribe(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := open()
	do(t, srv, "CLIENT", "KILL", "TYPE", "pubsub")
	for range p.Messages() {
	}
	if p.Err() != ErrConnClosed {
		t.Error(p.Err())
	}
	// Who does not read is closed.
	do(t, srv, "CONFIG", "SET", "client-output-buffer-limit", "pubsub 200000 0 0")
	p = open()
	for range 1000 {
		do(t, srv, "PUBLISH", "a", fmt.Sprintf("%01000d", 1))
	}
	n := 0
	for range p.Messages() {
		n++
	}
	if p.Err() != ErrConnClosed || n == 1000 {
		t.Error(p.Err(), n)
	}
	p = open()
	closeServer(t, srv)
	for range p.Messages() {
	}
	if p.Err() != ErrClosed {
		t.Error(p.Err())
	}
}

// TestDoBytes: arguments of any bytes, which the caller may change as soon as the call is over; many of them, none, and empty ones.
func TestDoBytes(t *testing.T) {
	srv := openLocal(t)
	ctx := t.Context()
	c := open(t, srv)
	for name, do := range map[string]func(context.Context, ...[]byte) (Reply, error){"Server": srv.DoBytes, "Conn": c.DoBytes} {
		value := []byte("\x00\xff\r\n")
		if r, err := do(ctx, []byte("SET"), nil, value); err != nil || r.Text() != "OK" {
			t.Errorf("%s: %v, %v", name, r, err)
		}
		value[0] = 'x'
		if r, err := srv.Do(ctx, "GET", ""); err != nil || r.Text() != "\x00\xff\r\n" {
			t.Errorf("%s: %v, %v", name, r, err)
		}
		args := [][]byte{[]byte("DEL"), []byte("")}
		for i := range 3 * fewArgs {
			args = append(args, []byte{byte(i)})
		}
		if n, err := do(ctx, args...); err != nil || n.Text() != "1" {
			t.Errorf("%s: %v, %v", name, n, err)
		}
		if _, err := do(ctx); err != errNoCommand {
			t.Errorf("%s without a command: %v", name, err)
		}
	}
}
