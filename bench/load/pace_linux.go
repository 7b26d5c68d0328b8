package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// kernelTimer keeps to its times within microseconds; the runtime rounds its own timers to milliseconds when nothing else goes on.
type kernelTimer struct {
	f    *os.File
	fd   int
	stop func() bool
	buf  [8]byte
}

func newTimer(ctx context.Context) (timer, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("load: timer: %w", err)
	}
	t := &kernelTimer{f: os.NewFile(uintptr(fd), "timer"), fd: fd}
	t.stop = context.AfterFunc(ctx, func() { _ = t.f.SetReadDeadline(time.Unix(1, 0)) })
	return t, nil
}

func (t *kernelTimer) Now() time.Time { return time.Now() }

func (t *kernelTimer) Until(ctx context.Context, at time.Time) error {
	left := time.Until(at)
	if left <= 0 {
		return ctx.Err()
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(left))}
	if err := unix.TimerfdSettime(t.fd, 0, &spec, nil); err != nil {
		return fmt.Errorf("load: timer: %w", err)
	}
	if _, err := t.f.Read(t.buf[:]); err != nil {
		return errors.Join(ctx.Err(), fmt.Errorf("load: timer: %w", err))
	}
	return nil
}

func (t *kernelTimer) Close() error {
	t.stop()
	return t.f.Close()
}
