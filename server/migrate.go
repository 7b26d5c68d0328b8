package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/clock"
)

// MIGRATE's way to other servers. Connections are kept for a while, because keys tend to move in crowds.

// couriers are connections to other servers.
type couriers struct {
	mu struct {
		sync.Mutex
		idle   []*courier // the one used last at the end
		busy   map[*courier]struct{}
		sweep  clock.Timer
		closed bool
	}
}

// courier is a connection, of one user at a time.
type courier struct {
	as string // address and credentials
	nc net.Conn
	rd *bufio.Reader
	db int64 // selected there, if picked is set
	// picked tells that db is known.
	picked bool
	used   bool // it comes from the idle ones: the other end may have closed it long ago
	since  time.Duration
}

const (
	// keepCourier is how long an idle connection is kept, maxCouriers how many.
	keepCourier = 10 * time.Second
	maxCouriers = 64
	// maxShippedReply bounds the line that another server answers with.
	maxShippedReply = 4 << 10
)

var (
	errShipConnect = commands.Error("IOERR error or timeout connecting to the client")
	errShipWrite   = commands.Error("IOERR error or timeout writing to target instance")
	errShipRead    = commands.Error("IOERR error or timeout reading to target instance")
)

// count is the number of connections kept.
func (cs *couriers) count() int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.mu.idle)
}

// get returns an idle connection, or makes one.
func (cs *couriers) get(sh *commands.Shipment, timeout time.Duration) (*courier, error) {
	addr := net.JoinHostPort(sh.Host, sh.Port)
	as := addr
	if sh.Auth { // nobody inherits what another may do
		as = strings.Join([]string{addr, string(sh.User), string(sh.Password)}, "\x00")
	}
	cs.mu.Lock()
	if i := slices.IndexFunc(cs.mu.idle, func(c *courier) bool { return c.as == as }); i >= 0 {
		c := cs.mu.idle[i]
		cs.mu.idle = slices.Delete(cs.mu.idle, i, i+1)
		c.used = true
		cs.mark(c)
		cs.mu.Unlock()
		return c, nil
	}
	cs.mu.Unlock()
	nc, err := (&net.Dialer{Timeout: timeout}).DialContext(context.Background(), "tcp", addr)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, errShipWrite
	case err != nil:
		return nil, errShipConnect
	}
	c := &courier{as: as, nc: nc, rd: bufio.NewReaderSize(nc, maxShippedReply)}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.mu.closed {
		_ = nc.Close()
		return nil, errShipConnect
	}
	cs.mark(c)
	return c, nil
}

// mark notes that c is in use. mu is held.
func (cs *couriers) mark(c *courier) {
	if cs.mu.busy == nil {
		cs.mu.busy = make(map[*courier]struct{})
	}
	cs.mu.busy[c] = struct{}{}
}

// put takes a connection back; one that is broken is closed.
func (cs *couriers) put(c *courier, clk clock.Clock, broken bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.mu.busy, c)
	if broken || cs.mu.closed {
		_ = c.nc.Close()
		return
	}
	c.since = clk.Mono()
	if len(cs.mu.idle) >= maxCouriers {
		_ = cs.mu.idle[0].nc.Close()
		cs.mu.idle = slices.Delete(cs.mu.idle, 0, 1)
	}
	cs.mu.idle = append(cs.mu.idle, c)
	cs.arm(clk)
}

// arm sees to it that idle connections are closed in time. mu is held.
func (cs *couriers) arm(clk clock.Clock) {
	if cs.mu.sweep != nil || len(cs.mu.idle) == 0 || cs.mu.closed {
		return
	}
	cs.mu.sweep = clk.AfterFunc(keepCourier, func() {
		cs.mu.Lock()
		defer cs.mu.Unlock()
		cs.mu.sweep = nil
		now := clk.Mono()
		cs.mu.idle = slices.DeleteFunc(cs.mu.idle, func(c *courier) bool {
			old := now-c.since >= keepCourier
			if old {
				_ = c.nc.Close()
			}
			return old
		})
		cs.arm(clk)
	})
}

// close ends what is under way, and what comes.
func (cs *couriers) close() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.mu.closed = true
	if cs.mu.sweep != nil {
		cs.mu.sweep.Stop()
	}
	for _, c := range cs.mu.idle {
		_ = c.nc.Close()
	}
	cs.mu.idle = nil
	for c := range cs.mu.busy {
		_ = c.nc.Close()
	}
}

// ShipAside implements commands.Carrier.
func (s env) ShipAside(f func()) bool {
	if !s.detached.begin() {
		return false
	}
	go func() {
		defer s.detached.mu.running.Done()
		f()
	}()
	return true
}

// Ship implements commands.Carrier. A connection that turns out to have been closed while it was idle is replaced, once.
func (s env) Ship(sh *commands.Shipment) (taken []bool, err error) {
	timeout := time.Duration(sh.Timeout) * time.Millisecond
	for {
		taken = make([]bool, len(sh.Values))
		c, err := s.couriers.get(sh, timeout)
		if err != nil {
			return taken, err
		}
		heard, err := c.ship(sh, timeout, taken)
		_, told := err.(toldError)
		s.couriers.put(c, s.Clock(), err != nil && !told)
		if err == nil || told || !c.used || heard || errors.Is(err, os.ErrDeadlineExceeded) {
			return taken, shipped(err)
		}
	}
}

// shipped is what a client is told of the outcome.
func shipped(err error) error {
	var told toldError
	var wrote writeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &told):
		return commands.Error("ERR Target instance replied with error: " + string(told))
	case errors.As(err, &wrote):
		return errShipWrite
	}
	return errShipRead
}

// toldError is an error reply of the other server, writeError a request that it could not be sent.
type (
	toldError  string
	writeError struct{ error }
)

func (e toldError) Error() string  { return string(e) }
func (e writeError) Unwrap() error { return e.error }

// ship sends the values and notes which of them were taken; heard tells that there was a reply.
func (c *courier) ship(sh *commands.Shipment, timeout time.Duration, taken []bool) (heard bool, err error) {
	picks := !c.picked || c.db != sh.DB || sh.Auth
	if err := c.send(sh, timeout, picks); err != nil {
		return false, writeError{err}
	}
	var first error
	reply := func() (ok bool, err error) {
		_ = c.nc.SetReadDeadline(time.Now().Add(timeout))
		line, err := c.rd.ReadSlice('\n')
		if err != nil {
			return false, err
		}
		heard = true
		switch text := strings.TrimRight(string(line), "\r\n"); {
		case strings.HasPrefix(text, "+"), strings.HasPrefix(text, ":"):
			return true, nil
		case strings.HasPrefix(text, "-"):
			if first == nil {
				first = toldError(text[1:])
			}
			return false, nil
		}
		return false, io.ErrUnexpectedEOF
	}
	ready := true
	for _, asked := range []bool{sh.Auth, picks} {
		if !asked {
			continue
		}
		ok, err := reply()
		if err != nil {
			return heard, err
		}
		ready = ready && ok
	}
	c.picked, c.db = ready, sh.DB
	for i := range sh.Values {
		ok, err := reply()
		if err != nil {
			return heard, err
		}
		taken[i] = ok && ready
	}
	return heard, first
}

// send writes the requests.
func (c *courier) send(sh *commands.Shipment, timeout time.Duration, picks bool) error {
	w := bufio.NewWriterSize(deadlineWriter{c.nc, timeout}, 64<<10)
	if sh.Auth {
		if sh.User != nil {
			writeRequest(w, []byte("AUTH"), sh.User, sh.Password)
		} else {
			writeRequest(w, []byte("AUTH"), sh.Password)
		}
	}
	if picks {
		writeRequest(w, []byte("SELECT"), strconv.AppendInt(nil, sh.DB, 10))
	}
	for _, v := range sh.Values {
		args := [][]byte{[]byte("RESTORE"), v.Key, strconv.AppendInt(nil, v.TTL, 10), v.Payload, []byte("REPLACE")}
		if !sh.Replace {
			args = args[:4]
		}
		writeRequest(w, args...)
	}
	return w.Flush()
}

// writeRequest writes one request; the Writer keeps an error.
func writeRequest(w *bufio.Writer, args ...[]byte) {
	_, _ = w.WriteString("*" + strconv.Itoa(len(args)) + "\r\n")
	for _, a := range args {
		_, _ = w.WriteString("$" + strconv.Itoa(len(a)) + "\r\n")
		_, _ = w.Write(a)
		_, _ = w.WriteString("\r\n")
	}
}

// deadlineWriter gives each piece of at most 64 KiB the same time.
type deadlineWriter struct {
	nc      net.Conn
	timeout time.Duration
}

func (d deadlineWriter) Write(b []byte) (done int, err error) {
	for len(b) > 0 && err == nil {
		_ = d.nc.SetWriteDeadline(time.Now().Add(d.timeout))
		var n int
		n, err = d.nc.Write(b[:min(len(b), 64<<10)])
		done += n
		b = b[n:]
	}
	return done, err
}
