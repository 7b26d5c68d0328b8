package script

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// Dial opens a connection to the server under test.
type Dial func() (net.Conn, error)

// client is one connection. A goroutine decodes what comes, so that waiting for a reply can be given up and taken up again
// without losing bytes.
type client struct {
	conn    net.Conn
	proto   int // what the connection speaks, which decides how nulls look
	replies chan Reply
	done    chan struct{} // closed by close: the decoder need not deliver any more

	inMulti  bool // between MULTI and EXEC
	watching bool // WATCH is in force
	mute     bool // CLIENT REPLY OFF is in force
	muteNext bool // CLIENT REPLY SKIP was the request before
	subs     map[string]bool
}

func newClient(conn net.Conn) *client {
	c := &client{conn: conn, proto: 2, replies: make(chan Reply, 256), done: make(chan struct{}), subs: map[string]bool{}}
	go c.decode()
	return c
}

// decode delivers replies until the stream ends, last of all a Closed whose text says why.
func (c *client) decode() {
	r := bufio.NewReader(c.conn)
	for {
		reply, err := readReply(r)
		if err != nil {
			reply = Reply{Kind: AnyKind, Text: "(not RESP: " + err.Error() + ")"}
			if isHangUp(err) {
				reply = Reply{Kind: Closed, Text: err.Error()}
			}
		}
		select {
		case c.replies <- reply:
		case <-c.done:
			return
		}
		if err != nil {
			return
		}
	}
}

// await returns the next reply; false if none has come within d.
func (c *client) await(d time.Duration) (Reply, bool) {
	select {
	case r := <-c.replies:
		return normal(r, c.proto), true
	default:
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case r := <-c.replies:
		return normal(r, c.proto), true
	case <-timer.C:
		return Reply{}, false
	}
}

// pending reports whether a reply has come that nobody has asked for.
func (c *client) pending() bool { return len(c.replies) > 0 }

// write sends bytes. That the server has hung up is found by the reading side, which knows more.
func (c *client) write(b []byte, timeout time.Duration) error {
	c.conn.SetWriteDeadline(time.Now().Add(timeout))
	_, err := c.conn.Write(b)
	if err != nil && !isTimeout(err) {
		return nil
	}
	return err
}

// isHangUp tells the end of a connection from bytes that are no reply.
func isHangUp(err error) bool {
	var n net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) || errors.As(err, &n)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

func (c *client) close() {
	select {
	case <-c.done:
	default:
		close(c.done)
		c.conn.Close()
	}
}

// encode writes a request the way clients do.
func encode(args ...string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b
}

// observe keeps track of what a command did to the state of the connection.
func (c *client) observe(args []string, replies []Reply) {
	if len(args) == 0 || len(replies) == 0 {
		return
	}
	last := replies[len(replies)-1]
	if last.Kind == Error || last.Kind.outcome() {
		if name := strings.ToUpper(args[0]); name == "EXEC" && !strings.Contains(last.Text, "without MULTI") {
			c.inMulti, c.watching = false, false
		}
		return
	}
	switch strings.ToUpper(args[0]) {
	case "MULTI":
		c.inMulti = true
	case "EXEC", "DISCARD":
		c.inMulti, c.watching = false, false
	case "WATCH":
		c.watching = true
	case "UNWATCH":
		c.watching = c.watching && c.inMulti
	case "RESET":
		c.proto, c.inMulti, c.watching = 2, false, false
		clear(c.subs)
	case "HELLO":
		if len(args) > 1 && (args[1] == "2" || args[1] == "3") {
			c.proto = int(args[1][0] - '0')
		}
	case "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE":
		for _, r := range replies {
			if name, ok := subscription(r); ok {
				c.subs[kindOfSubscription(args[0])+name] = true
			}
		}
	case "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE":
		for _, r := range replies {
			if name, ok := subscription(r); ok {
				delete(c.subs, kindOfSubscription(args[0])+name)
			}
		}
	}
}

// subscription is the channel or pattern that a reply to a subscribing command is about.
func subscription(r Reply) (string, bool) {
	if (r.Kind != Array && r.Kind != Push) || len(r.Elems) != 3 {
		return "", false
	}
	return r.Elems[1].Text, !r.Elems[1].Null
}

// kindOfSubscription keeps channels, patterns and shard channels of the same name apart.
func kindOfSubscription(command string) string {
	return strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(command), "SUBSCRIBE"), "UN") + ":"
}

// control is a connection of the runner's own, by which it empties the server and looks at its counters.
type control struct {
	conn net.Conn
	r    *bufio.Reader
}

// do sends a command and returns its reply.
func (c *control) do(timeout time.Duration, args ...string) (Reply, error) {
	c.conn.SetDeadline(time.Now().Add(timeout))
	if _, err := c.conn.Write(encode(args...)); err != nil {
		return Reply{}, err
	}
	return readReply(c.r)
}

// counters are the figures of INFO clients that the runner waits for.
type counters struct {
	connected, blocked int
}

// counters asks the server; ok is false if it does not tell in time, as when it is paused. An unanswered question would
// spoil the next one, so the connection is given up then.
func (c *control) counters(timeout time.Duration) (n counters, ok bool) {
	r, err := c.do(timeout, "INFO", "clients")
	if err != nil {
		c.close()
		return n, false
	}
	found := 0
	for line := range strings.Lines(r.Text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		v, err := strconv.Atoi(value)
		switch {
		case err != nil:
		case name == "connected_clients":
			n.connected = v
			found++
		case name == "blocked_clients":
			n.blocked = v
			found++
		}
	}
	return n, found == 2
}

func (c *control) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}
