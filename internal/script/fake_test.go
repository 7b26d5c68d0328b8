package script

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// fakeServer answers with whatever the request asks it to: SAY bytes sends the bytes, TELL n bytes sends them to the n-th
// connection that sent REGISTER, HANG counts as blocked, HANGUP closes. It keeps what it saw in seen.
type fakeServer struct {
	mu struct {
		sync.Mutex
		connected, blocked int
		registered         []net.Conn
		seen               []string
	}
	quirk func(args []string, proto int) (reply string, ok bool) // overrides
}

func (s *fakeServer) dial() (net.Conn, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return nil, err
	}
	far, err := l.Accept()
	if err != nil {
		return nil, err
	}
	go s.serve(far)
	return near, nil
}

func (s *fakeServer) serve(conn net.Conn) {
	s.mu.Lock()
	s.mu.connected++
	s.mu.Unlock()
	hung := false
	defer func() {
		conn.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.mu.connected--
		if hung {
			s.mu.blocked--
		}
	}()
	r := bufio.NewReader(conn)
	var queue [][]string
	inMulti, proto := false, 2
	for {
		request, err := readReply(r)
		if err != nil || len(request.Elems) == 0 {
			return
		}
		var args []string
		for _, e := range request.Elems {
			args = append(args, e.Text)
		}
		s.mu.Lock()
		s.mu.seen = append(s.mu.seen, strings.Join(args, " "))
		s.mu.Unlock()
		reply := ""
		switch {
		case args[0] == "HELLO" && args[1] == "3":
			proto, reply = 3, "%0\r\n"
		case args[0] == "QUIT":
			fmt.Fprint(conn, "+OK\r\n")
			return
		case args[0] == "MULTI":
			inMulti, queue, reply = true, nil, "+OK\r\n"
		case args[0] == "EXEC":
			inMulti = false
			reply = fmt.Sprintf("*%d\r\n", len(queue))
			for _, q := range queue {
				reply += s.answer(conn, q, proto, &hung)
			}
		case inMulti && args[0] == "REFUSE":
			queue, reply = nil, "-ERR refused\r\n"
		case inMulti:
			queue, reply = append(queue, args), "+QUEUED\r\n"
		case args[0] == "HANGUP":
			return
		default:
			reply = s.answer(conn, args, proto, &hung)
		}
		if _, err := conn.Write([]byte(reply)); err != nil {
			return
		}
	}
}

func (s *fakeServer) answer(conn net.Conn, args []string, proto int, hung *bool) string {
	if s.quirk != nil {
		if reply, ok := s.quirk(args, proto); ok {
			return reply
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch args[0] {
	case "SAY":
		return strings.Join(args[1:], "")
	case "FLUSHALL":
		s.mu.registered = nil
	case "REGISTER":
		s.mu.registered = append(s.mu.registered, conn)
	case "TELL":
		fmt.Fprint(s.mu.registered[args[1][0]-'1'], args[2])
	case "HANG":
		*hung = true
		s.mu.blocked++
		return ""
	case "INFO":
		text := fmt.Sprintf("# Clients\r\nconnected_clients:%d\r\nblocked_clients:%d\r\n", s.mu.connected, s.mu.blocked)
		return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text)
	}
	return "+OK\r\n"
}

func parse(t *testing.T, text string) *File {
	t.Helper()
	f, err := Parse(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	f.Name = "test"
	return f
}

func written(t *testing.T, f *File) string {
	t.Helper()
	var b strings.Builder
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
