package service_test

import (
	"bufio"
	"fmt"
	"image/color"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func zOf(member string, score float64) redis.Z { return redis.Z{Member: member, Score: score} }

// slowUpload is an upload that comes in two halves.
type slowUpload struct {
	conn net.Conn
	in   *bufio.Reader
	user string
	data []byte
	host string
}

func (p *platform) slowUpload(user string) *slowUpload {
	p.t.Helper()
	host := strings.TrimPrefix(p.url, "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	return &slowUpload{conn: conn, in: bufio.NewReader(conn), user: user, host: host, data: picture(p.t, 40, color.Black)}
}

// begin sends the first half, and returns when the handler reads the body: it asks for it then.
func (u *slowUpload) begin(t *testing.T) {
	t.Helper()
	_, err := fmt.Fprintf(u.conn, "POST /avatar?user=%s HTTP/1.1\r\nHost: %s\r\nContent-Type: image/png\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		u.user, u.host, len(u.data))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if line, err := u.in.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" && line != "\r\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	if _, err := u.conn.Write(u.data[:len(u.data)/2]); err != nil {
		t.Fatal(err)
	}
}

func (u *slowUpload) finish(t *testing.T) reply {
	t.Helper()
	if _, err := u.conn.Write(u.data[len(u.data)/2:]); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(u.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(b)}
}

// wait returns what is answered without the second half: a status, or 0 when the connection is closed.
func (u *slowUpload) wait(t *testing.T) int {
	t.Helper()
	res, err := http.ReadResponse(u.in, nil)
	if err != nil {
		if e, ok := err.(net.Error); ok && e.Timeout() {
			t.Fatal("a slow client is waited for")
		}
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}
