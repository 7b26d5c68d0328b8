package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pollStep is how often a thread without events looks at its context, in milliseconds.
const pollStep = 100

// driveLanes serves all lanes from the calling goroutine with one epoll instance. The runtime's poller is left out: waking
// a goroutine per reply would cost the client more than the server spends on the request.
func driveLanes(ctx context.Context, lanes []*lane, deadline time.Time, r *Result) error {
	d, err := newDriver(lanes)
	if err != nil {
		return err
	}
	defer d.close()
	d.deadline, d.r = deadline, r
	for i := range lanes {
		if err := d.start(i); err != nil {
			return err
		}
	}
	return d.run(ctx)
}

// driver is one thread's share of a load.
type driver struct {
	ep       int
	fds      []int
	files    []*os.File
	lanes    []*lane
	deadline time.Time
	r        *Result
	buf      []byte // shared by all lanes: nothing of it is kept between reads
	busy     int    // lanes with replies owed
}

// newDriver watches all lanes for input. The caller closes it.
func newDriver(lanes []*lane) (*driver, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("load: epoll: %w", err)
	}
	d := &driver{ep: ep, lanes: lanes, buf: make([]byte, 64<<10)}
	for i, l := range lanes {
		if err := d.watch(i, l); err != nil {
			d.close()
			return nil, err
		}
	}
	return d, nil
}

func (d *driver) watch(i int, l *lane) error {
	f, err := fileOf(l)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	d.files = append(d.files, f)
	fd := int(f.Fd())
	d.fds = append(d.fds, fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
	if err := unix.EpollCtl(d.ep, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("load: epoll: %w", err)
	}
	return nil
}

func (d *driver) close() {
	for _, f := range d.files {
		_ = f.Close()
	}
	_ = unix.Close(d.ep)
}

func (d *driver) run(ctx context.Context) error {
	events := make([]unix.EpollEvent, 128)
	last := time.Now()
	for d.busy > 0 {
		n, err := unix.EpollWait(d.ep, events, pollStep)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("load: epoll: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if n <= 0 {
			if time.Since(last) > stallAfter {
				return fmt.Errorf("load: no reply for %v while %d connections wait", stallAfter, d.busy)
			}
			continue
		}
		last = time.Now()
		for _, ev := range events[:n] {
			if err := d.serve(int(ev.Fd), ev.Events); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *driver) serve(i int, events uint32) error {
	l := d.lanes[i]
	if events&unix.EPOLLOUT != 0 && len(l.out) > 0 {
		if err := d.write(i); err != nil {
			return err
		}
	}
	if events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) == 0 {
		return nil
	}
	n, err := unix.Read(d.fds[i], d.buf)
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return nil
	case err != nil:
		return fmt.Errorf("load: read: %w", err)
	case n == 0:
		return fmt.Errorf("load: the server closed a connection with %d replies owed (%s)", l.pending, l.scan.FirstErr)
	}
	if err := l.received(d.buf[:n], d.r); err != nil {
		return err
	}
	if l.pending > 0 {
		return nil
	}
	d.busy--
	return d.start(i)
}

// start sends lane i's next batch, if there is one.
func (d *driver) start(i int) error {
	if !d.lanes[i].refill(d.deadline) {
		return nil
	}
	d.busy++
	return d.write(i)
}

// write sends what the socket takes; the rest waits for EPOLLOUT.
func (d *driver) write(i int) error {
	l := d.lanes[i]
	armed := l.waitsForRoom
	for len(l.out) > 0 {
		n, err := unix.Write(d.fds[i], l.out)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if errors.Is(err, syscall.EAGAIN) {
			break
		}
		if err != nil {
			return fmt.Errorf("load: write: %w", err)
		}
		l.out = l.out[n:]
	}
	l.waitsForRoom = len(l.out) > 0
	if l.waitsForRoom == armed {
		return nil
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
	if l.waitsForRoom {
		ev.Events |= unix.EPOLLOUT
	}
	if err := unix.EpollCtl(d.ep, unix.EPOLL_CTL_MOD, d.fds[i], &ev); err != nil {
		return fmt.Errorf("load: epoll: %w", err)
	}
	return nil
}

// fileOf returns a second descriptor of the lane's socket, which the runtime's poller does not know.
func fileOf(l *lane) (*os.File, error) {
	c, ok := l.conn.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, fmt.Errorf("connection of type %T has no file", l.conn)
	}
	return c.File()
}
