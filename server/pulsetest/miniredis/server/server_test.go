package server_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streampulse/pulse/server/pulsetest/miniredis/proto"
	"github.com/streampulse/pulse/server/pulsetest/miniredis/server"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

func open(t *testing.T) (*server.Server, *proto.Client) {
	t.Helper()
	s, err := server.NewServer("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	c, err := proto.Dial(s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return s, c
}

func expect(t *testing.T, c *proto.Client, want string, args ...string) {
	t.Helper()
	if got, err := c.Do(args...); got != want || err != nil {
		t.Errorf("%q: got %q, %v, want %q", args, got, err, want)
	}
}

// TestReplies has a server without a Pulse write replies of all types in both protocols.
func TestReplies(t *testing.T) {
	s, c := open(t)
	replies := map[string]func(p *server.Peer){
		"OK": (*server.Peer).WriteOK, "NULL": (*server.Peer).WriteNull,
		"INT":     func(p *server.Peer) { p.WriteInt(-7) },
		"BULK":    func(p *server.Peer) { p.WriteBulk("a\r\nb") },
		"ERROR":   func(p *server.Peer) { p.WriteError("ERR no") },
		"FLOAT":   func(p *server.Peer) { p.WriteFloat(1.5) },
		"STRINGS": func(p *server.Peer) { p.WriteStrings([]string{"a", ""}) },
		"RAW":     func(p *server.Peer) { p.WriteRaw(":1\r\n") },
		"MAP": func(p *server.Peer) {
			p.Block(func(w *server.Writer) {
				w.WriteMapLen(1)
				w.WriteBulk("k")
				w.WriteSetLen(1)
				w.WriteInt(1)
			})
		},
		"PUSH": func(p *server.Peer) { p.WritePushLen(0) },
		"SWITCH": func(p *server.Peer) {
			three := true
			p.SwitchResp3 = &three
			p.WriteNull() // in the protocol that it came in
		},
	}
	for name, f := range replies {
		if err := s.Register(name, func(p *server.Peer, _ string, _ []string) { f(p) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range [][3]string{
		{"OK", "+OK\r\n", "+OK\r\n"}, {"NULL", proto.Nil, proto.NilResp3}, {"int", ":-7\r\n", ":-7\r\n"},
		{"BULK", "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n"}, {"ERROR", "-ERR no\r\n", "-ERR no\r\n"},
		{"FLOAT", "$3\r\n1.5\r\n", ",1.5\r\n"}, {"STRINGS", proto.Strings("a", ""), proto.Strings("a", "")},
		{"RAW", ":1\r\n", ":1\r\n"}, {"PUSH", "*0\r\n", ">0\r\n"},
		{"MAP", "*2\r\n$1\r\nk\r\n*1\r\n:1\r\n", "%1\r\n$1\r\nk\r\n~1\r\n:1\r\n"},
	} {
		expect(t, c, row[1], row[0])
		other, err := proto.Dial(s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		expect(t, other, proto.Nil, "SWITCH")
		expect(t, other, row[2], row[0])
		_ = other.Close()
	}
	expect(t, c, "-ERR unknown command `NONE`, with args beginning with: `a`, `b c`, \r\n", "none", "a", "b c")
	if n := s.TotalCommands(); n != 30 {
		t.Errorf("%d commands", n)
	}
	if n := s.TotalConnections(); n != 11 {
		t.Errorf("%d connections", n)
	}
}

func TestPeer(t *testing.T) {
	s, c := open(t)
	gone := make(chan string, 2)
	_ = s.Register("HELLO", func(p *server.Peer, cmd string, args []string) {
		p.Ctx = args
		p.OnDisconnect(func() { gone <- fmt.Sprint(p.Ctx, p.Closed()) })
		p.WriteOK()
	})
	_ = s.Register("BYE", func(p *server.Peer, _ string, _ []string) {
		p.WriteOK()
		p.Close()
	})
	var later *server.Peer
	_ = s.Register("LATER", func(p *server.Peer, _ string, _ []string) { later = p; p.WriteOK() })
	_ = s.Register("BOOM", func(*server.Peer, string, []string) { panic("boom") })
	expect(t, c, "+OK\r\n", "HELLO", "you")
	expect(t, c, "+OK\r\n", "LATER")
	later.WriteInt(5)
	later.Flush()
	if b, err := c.Read(); b != ":5\r\n" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	kicked, err := proto.Dial(s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer kicked.Close()
	first := later
	expect(t, kicked, "+OK\r\n", "LATER")
	if later == first {
		t.Fatal("two connections have one Peer")
	}
	later.Close()
	if _, err := kicked.Read(); err == nil {
		t.Error("Close outside of a command has not closed the connection")
	}
	if b, _ := c.Do("BOOM"); !strings.Contains(b, "boom") {
		t.Errorf("%q", b)
	}
	expect(t, c, "+OK\r\n", "BYE")
	if _, err := c.Read(); err != io.EOF {
		t.Errorf("after Close: %v", err)
	}
	select {
	case what := <-gone:
		if what != "[you] true" {
			t.Error(what)
		}
	case <-time.After(patience):
		t.Error("OnDisconnect was not called")
	}
	other, err := proto.Dial(s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	expect(t, other, "+OK\r\n", "HELLO", "me")
	s.Close()
	if what := <-gone; what != "[me] true" {
		t.Error(what)
	}
	if n := s.ClientsLen(); n != 0 {
		t.Errorf("%d clients", n)
	}
}

// TestRequests sends requests in pieces, in one, inline, and what is none.
func TestRequests(t *testing.T) {
	s := server.NewServerConn()
	defer s.Close()
	_ = s.Register("ECHO", func(p *server.Peer, _ string, args []string) { p.WriteBulk(strings.Join(args, "|")) })
	for _, size := range []int{1, 7, 4096, 1 << 20} {
		big := strings.Repeat("x", 2000*min(size, 100))
		testRequests(t, s, size, big)
	}
}

func testRequests(t *testing.T, s *server.Server, size int, big string) {
	t.Helper()
	input := "*2\r\n$4\r\necho\r\n$1\r\na\r\n\r\necho b 'c d'\r\n*2\r\n$4\r\nECHO\r\n" + proto.String(big) + "*1\r\nX\r\n"
	want := proto.String("a") + proto.String("b|c d") + proto.String(big) + "-ERR Protocol error: expected '$', got 'X'\r\n"
	ours, theirs := net.Pipe()
	defer theirs.Close()
	s.ServeConn(ours)
	go func() {
		for rest := input; rest != ""; {
			n := min(size, len(rest))
			if _, err := io.WriteString(theirs, rest[:n]); err != nil {
				return
			}
			rest = rest[n:]
		}
	}()
	_ = theirs.SetReadDeadline(time.Now().Add(patience))
	got := make([]byte, len(want))
	if _, err := io.ReadFull(theirs, got); err != nil || string(got) != want {
		t.Errorf("in pieces of %d: %v, %q ... %q", size, err, got[:40], got[len(got)-60:])
	}
}

func TestDispatch(t *testing.T) {
	s := server.NewServerConn()
	defer s.Close()
	_ = s.Register("HI", func(p *server.Peer, cmd string, args []string) { p.WriteInline(cmd + strings.Join(args, ",")) })
	var b bytes.Buffer
	p := server.NewPeer(bufio.NewWriter(&b))
	s.Dispatch(p, nil)
	s.Dispatch(p, []string{"hi", "a", "b"})
	s.Refuse("ERR refused")
	s.Dispatch(p, []string{"hi"})
	p.Flush()
	if got := b.String(); got != "+HIa,b\r\n-ERR refused\r\n" {
		t.Errorf("%q", got)
	}
}

func TestParseReply(t *testing.T) {
	for _, row := range []struct {
		bytes string
		want  any
		err   error
	}{
		{"+x\r\n", server.Simple("x"), nil},
		{":5\r\n", 5, nil},
		{"$1\r\na\r\n", "a", nil},
		{"$-1\r\n", nil, nil},
		{"*2\r\n:1\r\n$1\r\na\r\n", []any{1, "a"}, nil},
		{"%2\r\n+a\r\n,1.5\r\n*0\r\n#t\r\n", map[any]any{server.Simple("a"): 1.5, "[]": true}, nil},
		{"-ERR x\r\n", nil, errors.New("ERR x")},
		{"", nil, io.EOF},
		{":4", nil, io.EOF},
		{"?\r\n", nil, server.ErrProtocol},
	} {
		got, err := server.ParseReply(bufio.NewReader(strings.NewReader(row.bytes)))
		if !reflect.DeepEqual(got, row.want) || fmt.Sprint(err) != fmt.Sprint(row.err) {
			t.Errorf("%q: got %#v, %v", row.bytes, got, err)
		}
	}
}

// TestCloseWhileClientsWork closes a server that is busy: nobody hangs.
func TestCloseWhileClientsWork(t *testing.T) {
	s, _ := open(t)
	_ = s.Register("PING", func(p *server.Peer, _ string, _ []string) { p.WriteOK() })
	var all sync.WaitGroup
	first := make(chan struct{}, 8)
	for range 8 {
		all.Go(func() {
			c, err := proto.Dial(s.Addr().String())
			if err != nil {
				return
			}
			defer c.Close()
			for n := 0; ; n++ {
				if _, err := c.Do("PING"); err != nil {
					return
				}
				if n == 0 {
					first <- struct{}{}
				}
			}
		})
	}
	<-first
	s.Close()
	all.Wait()
	s.Close()
}
