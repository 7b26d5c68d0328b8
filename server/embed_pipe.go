package server

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// A pipe is a connection within the process, buffered in both directions: a writer goes on at once until pipeRoom bytes wait to
// be read, as with a socket, where net.Pipe makes it wait for the reader of each piece. Whoever closes an end lets the other read what
// was written before.

// pipeRoom is how many bytes may wait in one direction.
const pipeRoom = 64 << 10

// keepPipe is the largest empty buffer that a direction keeps.
const keepPipe = 4 << 10

// newPipe returns the two ends of a connection.
func newPipe() (a, b *pipeEnd) {
	x, y := newChannel(), newChannel()
	return &pipeEnd{in: x, out: y}, &pipeEnd{in: y, out: x}
}

// pipeEnd is one end. Its methods may be called concurrently.
type pipeEnd struct{ in, out *channel }

var _ net.Conn = (*pipeEnd)(nil)

// localAddr is the address of everything within the process. It looks like a host and a port to those who take it apart.
type localAddr struct{}

const localName = "local:0"

// Network implements net.Addr.
func (localAddr) Network() string { return "local" }

// String implements net.Addr.
func (localAddr) String() string { return localName }

// Read implements net.Conn.
func (e *pipeEnd) Read(p []byte) (int, error) { return e.in.read(p) }

// Write implements net.Conn.
func (e *pipeEnd) Write(p []byte) (int, error) { return e.out.write(p) }

// Close implements net.Conn.
func (e *pipeEnd) Close() error {
	e.in.close(true)
	e.out.close(false)
	return nil
}

// LocalAddr implements net.Conn.
func (e *pipeEnd) LocalAddr() net.Addr { return localAddr{} }

// RemoteAddr implements net.Conn.
func (e *pipeEnd) RemoteAddr() net.Addr { return localAddr{} }

// SetDeadline implements net.Conn.
func (e *pipeEnd) SetDeadline(t time.Time) error {
	if err := e.SetReadDeadline(t); err != nil {
		return err
	}
	return e.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (e *pipeEnd) SetReadDeadline(t time.Time) error { return e.in.setDeadline(true, t) }

// SetWriteDeadline implements net.Conn.
func (e *pipeEnd) SetWriteDeadline(t time.Time) error { return e.out.setDeadline(false, t) }

// channel is one direction.
type channel struct {
	mu       sync.Mutex
	readable sync.Cond // something came, or an end
	writable sync.Cond // room came, or an end
	buf      []byte    // what waits is buf[at:]
	at       int
	// shut tells which ends are closed; late whose deadline has passed; timer what will say so. Index 1 is the reader's.
	shut, late [2]bool
	timer      [2]*time.Timer
}

func newChannel() *channel {
	c := &channel{}
	c.readable.L, c.writable.L = &c.mu, &c.mu
	return c
}

func (c *channel) read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.shut[1]:
			return 0, net.ErrClosed
		case c.late[1]:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case c.at < len(c.buf):
			n := copy(p, c.buf[c.at:])
			if c.at += n; c.at == len(c.buf) {
				c.buf, c.at = c.buf[:0], 0
				if cap(c.buf) > keepPipe {
					c.buf = nil
				}
			}
			c.writable.Broadcast()
			return n, nil
		case c.shut[0]:
			return 0, io.EOF
		}
		c.readable.Wait()
	}
}

func (c *channel) write(p []byte) (done int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch room := pipeRoom - (len(c.buf) - c.at); {
		case c.shut[0]:
			return done, net.ErrClosed
		case c.shut[1]:
			return done, io.ErrClosedPipe
		case c.late[0]:
			return done, os.ErrDeadlineExceeded
		case len(p) == 0:
			return done, nil
		case room > 0:
			n := min(room, len(p))
			if c.at > 0 && len(c.buf)+n > cap(c.buf) {
				c.buf = c.buf[:copy(c.buf, c.buf[c.at:])]
				c.at = 0
			}
			c.buf = append(c.buf, p[:n]...)
			p, done = p[n:], done+n
			c.readable.Broadcast()
			continue
		}
		c.writable.Wait()
	}
}

func (c *channel) close(reader bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := side(reader)
	c.shut[i] = true
	if c.timer[i] != nil {
		c.timer[i].Stop()
	}
	if reader {
		c.buf, c.at = nil, 0
	}
	c.readable.Broadcast()
	c.writable.Broadcast()
}

func side(reader bool) int {
	if reader {
		return 1
	}
	return 0
}

func (c *channel) setDeadline(reader bool, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := side(reader)
	if c.shut[i] {
		return net.ErrClosed
	}
	if c.timer[i] != nil {
		c.timer[i].Stop()
		c.timer[i] = nil
	}
	c.late[i] = false
	if t.IsZero() {
		return nil
	}
	d := time.Until(t)
	if d <= 0 {
		c.pass(i)
		return nil
	}
	var timer *time.Timer
	timer = time.AfterFunc(d, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.timer[i] == timer { // or another deadline holds by now
			c.pass(i)
		}
	})
	c.timer[i] = timer
	return nil
}

// pass notes that a deadline is over.
func (c *channel) pass(i int) {
	c.late[i] = true
	c.readable.Broadcast()
	c.writable.Broadcast()
}
