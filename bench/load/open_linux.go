package load

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// timerEvent marks the timer among the events of connections.
const timerEvent = -1

// driveSchedule sends what is due from the calling goroutine, woken by a kernel timer: the runtime's timers are rounded to
// milliseconds when nothing else goes on.
func driveSchedule(ctx context.Context, lanes []*openLane, plan openPlan, r *OpenResult) error {
	plain := make([]*lane, len(lanes))
	for i := range lanes {
		plain[i] = &lanes[i].lane
	}
	d, err := newDriver(plain)
	if err != nil {
		return err
	}
	defer d.close()
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("load: timer: %w", err)
	}
	defer unix.Close(timer)
	every := unix.NsecToTimespec(int64(openTick))
	if err := unix.TimerfdSettime(timer, 0, &unix.ItimerSpec{Interval: every, Value: every}, nil); err != nil {
		return fmt.Errorf("load: timer: %w", err)
	}
	if err := unix.EpollCtl(d.ep, unix.EPOLL_CTL_ADD, timer, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: timerEvent}); err != nil {
		return fmt.Errorf("load: epoll: %w", err)
	}
	o := &openDriver{driver: d, lanes: lanes, plan: plan, r: r, timer: timer}
	return o.run(ctx)
}

// openDriver keeps to a plan.
type openDriver struct {
	*driver
	lanes []*openLane
	plan  openPlan
	r     *OpenResult
	timer int
	tick  int // ticks done
	sent  int // requests put on their way
}

func (o *openDriver) run(ctx context.Context) error {
	events := make([]unix.EpollEvent, 128)
	answered, last := int64(0), time.Now()
	for o.tick < o.plan.ticks || o.r.Requests < int64(o.sent) {
		n, err := unix.EpollWait(o.ep, events, pollStep)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("load: epoll: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := o.sendDue(); err != nil {
			return err
		}
		for _, ev := range events[:max(n, 0)] {
			if err := o.serve(ev); err != nil {
				return err
			}
		}
		if o.r.Requests > answered || o.r.Requests == int64(o.sent) {
			answered, last = o.r.Requests, time.Now()
		} else if time.Since(last) > stallAfter {
			return fmt.Errorf("load: no reply for %v while %d are owed", stallAfter, int64(o.sent)-answered)
		}
	}
	return nil
}

// sendDue sends the requests of all ticks that are past, on one connection after the other.
func (o *openDriver) sendDue() error {
	select {
	case <-o.plan.until:
		o.plan.ticks = o.tick
	default:
	}
	for o.tick < o.plan.ticks {
		at, now := o.plan.at(o.tick+1), time.Now()
		if now.Before(at) {
			return nil
		}
		o.tick++
		for due := o.plan.due(o.tick); o.sent < due; o.sent++ {
			i := o.sent % len(o.lanes)
			o.lanes[i].request(at)
			o.r.Late.Record(now.Sub(at), 1)
			if err := o.write(i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *openDriver) serve(ev unix.EpollEvent) error {
	if ev.Fd == timerEvent {
		var expired [8]byte
		_, _ = unix.Read(o.timer, expired[:]) // only to be woken again
		return nil
	}
	i := int(ev.Fd)
	l := o.lanes[i]
	if ev.Events&unix.EPOLLOUT != 0 && len(l.out) > 0 {
		if err := o.write(i); err != nil {
			return err
		}
	}
	if ev.Events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) == 0 {
		return nil
	}
	n, err := unix.Read(o.fds[i], o.buf)
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return nil
	case err != nil:
		return fmt.Errorf("load: read: %w", err)
	case n == 0:
		return fmt.Errorf("load: the server closed a connection with %d replies owed", l.pending)
	}
	return l.received(o.buf[:n], o.r)
}
