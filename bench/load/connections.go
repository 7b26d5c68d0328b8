package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// connectionKeys is how many keys the requests of Connections and Unread ask for.
const connectionKeys = 10_000

// spareConnections are places for clients that are not counted: those that ask the server about itself.
const spareConnections = 64

// ConnectionsOptions say how many clients there are.
type ConnectionsOptions struct {
	Idle   int           // clients that connect and then do nothing
	Active OpenOptions   // of those that ask beside them; Keys is not looked at
	Rest   time.Duration // before a resident size is read
}

// ConnectionsResult is what Connections has measured. Sizes are resident bytes of the server per idle connection, above those before; zero
// for a server whose process is not known.
type ConnectionsResult struct {
	PerSecond float64     // connections that were taken up
	Silent    float64     // nothing has been sent on a connection
	Used      float64     // one request has been answered on each
	Active    *OpenResult // of the active ones, while the idle ones are there
}

// Connections opens o.Idle connections to the server at addr, which is process pid of this machine (0: of another one), has one request answered on each,
// and then runs the active clients beside them. The server's maxclients is raised if need be; what the server holds is deleted.
func Connections(ctx context.Context, addr string, pid int, o ConnectionsOptions) (r *ConnectionsResult, err error) {
	if o.Idle < 1 {
		return nil, errors.New("connections: needs idle ones")
	}
	// An active connection has two descriptors here: the runtime's and that of the driver.
	if err := descriptors(o.Idle + 2*o.Active.Clients + spareConnections); err != nil {
		return nil, err
	}
	if err := prepareConnections(ctx, addr, o.Idle+o.Active.Clients); err != nil {
		return nil, err
	}
	r = &ConnectionsResult{}
	before, err := rested(ctx, pid, o.Rest)
	if err != nil {
		return nil, err
	}
	idle := make([]net.Conn, 0, o.Idle)
	defer func() { hangUp(idle) }()
	begin := time.Now()
	var dialer net.Dialer
	for range o.Idle {
		c, err := dialer.DialContext(ctx, network(addr), addr)
		if err != nil {
			return nil, fmt.Errorf("connections: after %d: %w", len(idle), err)
		}
		idle = append(idle, c)
	}
	// Connections are taken up in order: who asks last is answered when all are.
	if err := prepareConnections(ctx, addr, 0); err != nil {
		return nil, err
	}
	r.PerSecond = float64(o.Idle) / time.Since(begin).Seconds()
	per := func() (float64, error) {
		now, err := rested(ctx, pid, o.Rest)
		return float64(now-before) / float64(o.Idle), err
	}
	if r.Silent, err = per(); err != nil {
		return nil, err
	}
	if err := pingAll(idle); err != nil {
		return nil, err
	}
	if r.Used, err = per(); err != nil {
		return nil, err
	}
	active := o.Active
	active.Keys = connectionKeys
	r.Active, err = OpenLoop(ctx, addr, active)
	return r, err
}

// prepareConnections empties the server, lays in what is asked for, and makes room for so many clients; for none, it only has the server
// answer.
func prepareConnections(ctx context.Context, addr string, clients int) error {
	a, err := dialAdmin(ctx, addr)
	if err != nil || clients == 0 {
		if err == nil {
			a.Close()
		}
		return err
	}
	defer a.Close()
	if err := a.rdb.ConfigSet(ctx, "maxclients", fmt.Sprint(clients+spareConnections)).Err(); err != nil {
		return fmt.Errorf("connections: the server does not take %d: %w", clients, err)
	}
	if err := a.rdb.FlushAll(ctx).Err(); err != nil {
		return fmt.Errorf("connections: %w", err)
	}
	return Lay(ctx, addr, Strings, NewShape(connectionKeys, 32, 0))
}

// rested is the resident size of a process after a rest; 0 for process 0.
func rested(ctx context.Context, pid int, pause time.Duration) (int64, error) {
	if pid == 0 {
		return 0, nil
	}
	if err := rest(ctx, pause); err != nil {
		return 0, err
	}
	now, _, err := RSS(pid)
	return now, err
}

// pingAll has one request answered on each connection.
func pingAll(conns []net.Conn) error {
	reply := make([]byte, len("+PONG\r\n"))
	for _, c := range conns {
		_ = c.SetDeadline(time.Now().Add(stallAfter))
		if _, err := io.WriteString(c, "*1\r\n$4\r\nPING\r\n"); err != nil {
			return fmt.Errorf("connections: %w", err)
		}
	}
	for _, c := range conns {
		if _, err := io.ReadFull(c, reply); err != nil || string(reply) != "+PONG\r\n" {
			return fmt.Errorf("connections: PING answered %q: %w", reply, errors.Join(err, errors.New("not PONG")))
		}
	}
	return nil
}

// hangUp closes connections by a reset, so that their ports are free at once.
func hangUp(conns []net.Conn) {
	for _, c := range conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
}
