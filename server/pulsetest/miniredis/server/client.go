package server

import (
	"bytes"
	"crypto/rand"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/streampulse/pulse/internal/resp"
)

// client reads the requests of a connection on a goroutine of its own.
type client struct {
	srv  *Server
	nc   net.Conn
	line *line // to the backend; nil without one
	peer *Peer
}

func newClient(s *Server, nc net.Conn) *client {
	c := &client{srv: s, nc: nc}
	c.peer = &Peer{client: c}
	c.peer.send = c.write
	if s.backend != nil {
		c.line = newLine(c, nc)
		c.peer.send = c.line.reply
	}
	return c
}

// write sends b, where there is no backend that does.
func (c *client) write(b []byte) error {
	_, err := c.nc.Write(b)
	return err
}

// abort ends the connection from outside.
func (c *client) abort() {
	if c.line != nil {
		c.line.end()
	}
	_ = c.nc.Close()
}

// keepIn is the largest buffer that is kept for the next request.
const keepIn = 64 << 10

func (c *client) run() {
	defer c.srv.wg.Done()
	defer c.gone()
	var rd resp.Reader
	limits := resp.Limits{Authenticated: true}
	in, at := make([]byte, 0, 4<<10), 0
	for {
		args, n, err := rd.Next(in[at:], &limits)
		if err != nil {
			c.broken(err, in[at:])
			return
		}
		if n > 0 {
			if len(args) > 0 && !c.request(in[at:at+n], args) {
				return
			}
			at += n
			continue
		}
		in = append(in[:0], in[at:]...)
		at = 0
		switch {
		case len(in) == cap(in):
			in = append(make([]byte, 0, 2*cap(in)), in...)
		case len(in) == 0 && cap(in) > keepIn:
			in = make([]byte, 0, 4<<10)
		}
		if n, err = c.nc.Read(in[len(in):cap(in)]); n == 0 && err != nil {
			return
		}
		in = in[:len(in)+n]
	}
}

// request has a request answered; it reports false if the connection is to end.
func (c *client) request(raw []byte, args [][]byte) bool {
	s, p := c.srv, c.peer
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = string(a)
	}
	if c.line != nil && s.hook.Load() == nil && s.refusal.Load() == nil && s.registered(strings.ToUpper(words[0])) == nil {
		s.dispatch(p, words, raw) // nobody but the backend cares
		return !c.line.ended()
	}
	if c.settle(); c.line != nil && c.line.ended() {
		return false
	}
	p.mu.Lock()
	p.busy = true
	p.mu.Unlock()
	s.dispatch(p, words, raw)
	p.mu.Lock()
	p.busy = false
	if p.SwitchResp3 != nil {
		p.Resp3, p.SwitchResp3 = *p.SwitchResp3, nil
	}
	p.flush()
	closing := p.closing
	p.mu.Unlock()
	return !closing
}

// settle waits until all requests that the backend was given are answered.
func (c *client) settle() {
	if c.line != nil {
		c.line.settle()
	}
}

// broken answers what is no request.
func (c *client) broken(err error, rest []byte) {
	if c.line != nil {
		c.line.feed(rest) // it knows what to say
		return
	}
	c.peer.WriteError("ERR Protocol error: " + err.Error())
	c.peer.Flush()
}

// gone ends the connection when all is read. The backend closes it when it has answered.
func (c *client) gone() {
	if c.line != nil {
		c.line.end()
		c.line.closed.Wait()
	} else {
		_ = c.nc.Close()
	}
	c.srv.mu.Lock()
	delete(c.srv.mu.clients, c)
	c.srv.mu.Unlock()
	c.peer.disconnected()
}

// line is a connection as the backend sees it: what it reads are the client's requests that it is to answer, and what it
// writes goes to the client. Among the requests are some of the line's own, which it answers itself (it is a server.Front of
// Pulse): so what others write to the client stands in its order among the replies of the backend.
type line struct {
	net.Conn
	token  string // the name of the line's own requests
	client *client
	closed sync.WaitGroup // until the backend has closed it

	mu struct {
		sync.Mutex
		moved  sync.Cond
		in     []byte // to be read by the backend
		open   bool   // requests may come
		done   bool   // the backend has closed it
		behind bool   // requests were fed since all were last known to be answered
		timer  *time.Timer
		asked  int               // requests of its own
		own    map[string]answer // what they are answered with
	}
}

// answer is that of a request of the line's own.
type answer struct {
	raw  []byte
	seen func() // called with mu held; may be nil
}

// maxAhead bounds what waits to be read by the backend.
const maxAhead = 1 << 20

func newLine(c *client, nc net.Conn) *line {
	l := &line{Conn: nc, client: c, token: "\x00" + rand.Text()}
	l.mu.own = map[string]answer{}
	l.mu.moved.L = &l.mu
	l.mu.open = true
	l.closed.Add(1)
	return l
}

// feed gives the backend requests.
func (l *line) feed(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.mu.in) > maxAhead && l.mu.open {
		l.mu.moved.Wait()
	}
	if !l.mu.open {
		return
	}
	l.mu.in = append(l.mu.in, b...)
	l.mu.behind = true
	l.mu.moved.Broadcast()
}

// settle waits until the backend has come to the end of what it was fed, or the line ends.
func (l *line) settle() {
	l.mu.Lock()
	behind := l.mu.behind
	l.mu.Unlock()
	if !behind {
		return
	}
	reached := false
	l.ask(answer{nil, func() {
		reached = true
		l.mu.moved.Broadcast()
	}})
	l.mu.Lock()
	defer l.mu.Unlock()
	for !reached && l.mu.open {
		l.mu.moved.Wait()
	}
	l.mu.behind = false
}

// reply sends b to the client when all that the backend was fed is answered.
func (l *line) reply(b []byte) error {
	l.ask(answer{bytes.Clone(b), nil})
	return nil
}

// ask feeds a request that a is the answer to.
func (l *line) ask(a answer) {
	l.mu.Lock()
	l.mu.asked++
	id := strconv.Itoa(l.mu.asked)
	l.mu.own[id] = a
	l.mu.Unlock()
	l.feed(resp.AppendRequest(nil, l.token, id))
}

// Answer implements server.Front of Pulse.
func (l *line) Answer(args [][]byte) (raw []byte, ok bool) {
	if len(args) != 2 || string(args[0]) != l.token {
		return nil, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.mu.own[string(args[1])]
	delete(l.mu.own, string(args[1]))
	if a.seen != nil {
		a.seen()
	}
	return a.raw, true
}

// end tells the backend that no more requests come.
func (l *line) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.open = false
	l.mu.moved.Broadcast()
}

func (l *line) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.mu.open
}

// Read implements net.Conn.
func (l *line) Read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.mu.in) == 0 && l.mu.open {
		l.mu.moved.Wait()
	}
	if len(l.mu.in) == 0 {
		return 0, net.ErrClosed
	}
	n := copy(b, l.mu.in)
	l.mu.in = l.mu.in[:copy(l.mu.in, l.mu.in[n:])]
	l.mu.moved.Broadcast()
	return n, nil
}

// SetDeadline implements net.Conn. A backend sets one when the connection is to end.
func (l *line) SetDeadline(t time.Time) error {
	_ = l.SetReadDeadline(t)
	return l.Conn.SetDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (l *line) SetReadDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.timer != nil {
		l.mu.timer.Stop()
	}
	if !t.IsZero() && !l.mu.done {
		l.mu.timer = time.AfterFunc(time.Until(t), l.end)
	}
	return nil
}

// Close implements net.Conn.
func (l *line) Close() error {
	l.mu.Lock()
	done := l.mu.done
	l.mu.done, l.mu.open = true, false
	if l.mu.timer != nil {
		l.mu.timer.Stop()
	}
	l.mu.moved.Broadcast()
	l.mu.Unlock()
	if done {
		return net.ErrClosed
	}
	defer l.closed.Done()
	return l.Conn.Close()
}
