package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// unreadKey is what the clients of Unread ask for.
const unreadKey = "unread"

// UnreadOptions say who asks for how much.
type UnreadOptions struct {
	Clients  int           // who ask and never read
	Value    int           // bytes of the value that they ask for,
	Requests int           // so many times each, in one pipeline
	Others   OpenOptions   // those who ask for little, and read; Keys is not looked at
	Rest     time.Duration // before a resident size is read
}

// UnreadResult is what Unread has measured.
type UnreadResult struct {
	Calm   *OpenResult // of the others, before
	Asking *OpenResult // while those who do not read ask
	Beside *OpenResult // and while the unread replies wait, after that
	Grown  int64       // most bytes that the server's resident size has gained from then on; zero for a server whose process is not known
	Asked  int64       // bytes of all replies that nobody reads
	Alive  int         // clients that still have their connection at the end
}

// Unread measures what those who do not read their replies cost the server at addr, process pid of this machine (0: of another one), and
// the clients that do. What the server holds is deleted.
func Unread(ctx context.Context, addr string, pid int, o UnreadOptions) (*UnreadResult, error) {
	if o.Clients < 1 || o.Value < 1 || o.Requests < 1 {
		return nil, errors.New("unread: needs clients, a value and requests")
	}
	if err := descriptors(o.Clients + 2*o.Others.Clients + spareConnections); err != nil {
		return nil, err
	}
	if err := prepareConnections(ctx, addr, o.Clients+o.Others.Clients); err != nil {
		return nil, err
	}
	a, err := dialAdmin(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	if err := a.rdb.Set(ctx, unreadKey, strings.Repeat("x", o.Value), 0).Err(); err != nil {
		return nil, fmt.Errorf("unread: %w", err)
	}
	r := &UnreadResult{Asked: int64(o.Clients) * int64(o.Value) * int64(o.Requests)}
	others := o.Others
	others.Keys = connectionKeys
	if r.Calm, err = OpenLoop(ctx, addr, others); err != nil {
		return nil, err
	}
	before, err := rested(ctx, pid, o.Rest)
	if err != nil {
		return nil, err
	}
	if pid > 0 {
		if err := ForgetPeak(pid); err != nil {
			return nil, err
		}
	}
	var conns []net.Conn
	defer func() { hangUp(conns) }()
	pipeline := []byte(strings.Repeat(fmt.Sprintf("*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", len(unreadKey), unreadKey), o.Requests))
	// They ask while the others' clock runs: how their replies come about is part of what the others see.
	asked := make(chan error, 1)
	go func() {
		var dialer net.Dialer
		for range o.Clients {
			c, err := dialer.DialContext(ctx, network(addr), addr)
			if err != nil {
				asked <- fmt.Errorf("unread: %w", err)
				return
			}
			conns = append(conns, c)
			_ = c.SetWriteDeadline(time.Now().Add(stallAfter))
			if _, err := c.Write(pipeline); err != nil {
				asked <- fmt.Errorf("unread: %w", err)
				return
			}
		}
		asked <- nil
	}()
	r.Asking, err = OpenLoop(ctx, addr, others)
	if err := errors.Join(err, <-asked); err != nil {
		return nil, err
	}
	if r.Beside, err = OpenLoop(ctx, addr, others); err != nil {
		return nil, err
	}
	if pid > 0 {
		_, peak, err := RSS(pid)
		if err != nil {
			return nil, err
		}
		r.Grown = max(0, peak-before)
	}
	clients, err := a.rdb.Info(ctx, "clients").Result()
	if err != nil {
		return nil, fmt.Errorf("unread: %w", err)
	}
	for line := range strings.Lines(clients) {
		if v, ok := strings.CutPrefix(line, "connected_clients:"); ok {
			_, _ = fmt.Sscan(v, &r.Alive)
			r.Alive-- // the one that asks
		}
	}
	return r, nil
}
