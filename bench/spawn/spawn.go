// Package spawn starts a Redis-compatible server as a child process on a free loopback port and stops it again.
//
// Contract: a Process started is alive, has loaded its data and answers PING; it keeps nothing on disk outside the folder it was given;
// Stop ends that process by its id and waits for it. Start may be called concurrently; a Process is for one goroutine.
package spawn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	readyWithin = 15 * time.Second
	stopWithin  = 10 * time.Second
)

// Process is a running server.
type Process struct {
	Addr string // host:port
	PID  int
	// Took is the time from the start to the first answer to PING that did not say that data were being loaded.
	Took time.Duration

	cmd  *exec.Cmd
	done chan struct{} // closed when the process has been reaped
	log  string        // file that holds its output
}

// Have says whether program is a file or is found on PATH.
func Have(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// Start runs command (program and arguments) with options for a free port, no persistence and dir as working folder,
// and returns when it answers. The process outlives ctx, which bounds the start only.
//
// The port is found by binding and releasing it, so another process can take it in between; Start then tries anew.
func Start(ctx context.Context, dir string, command []string) (*Process, error) {
	return StartWith(ctx, dir, command)
}

// StartWith is Start with options that come after all others: what is said twice counts as said here.
func StartWith(ctx context.Context, dir string, command []string, options ...string) (*Process, error) {
	if len(command) == 0 {
		return nil, errors.New("spawn: empty command")
	}
	var err error
	for range 3 {
		var p *Process
		if p, err = start(ctx, dir, command, options); err == nil || ctx.Err() != nil {
			return p, err
		}
	}
	return nil, err
}

func start(ctx context.Context, dir string, command, options []string) (*Process, error) {
	port, err := freePort()
	if err != nil {
		return nil, fmt.Errorf("spawn: %w", err)
	}
	logPath := filepath.Join(dir, "server-"+strconv.Itoa(port)+".log")
	log, err := os.Create(logPath)
	if err != nil {
		return nil, fmt.Errorf("spawn: %w", err)
	}
	defer log.Close()
	args := append(command[1:len(command):len(command)],
		"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir)
	args = append(args, options...)
	cmd := exec.Command(command[0], args...)
	cmd.Stdout, cmd.Stderr = log, log
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("spawn: %w", err)
	}
	p := &Process{
		Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		PID:  cmd.Process.Pid,
		cmd:  cmd,
		done: make(chan struct{}),
		log:  logPath,
	}
	go func() {
		_ = cmd.Wait() // how it ended is of no interest; that it ended is
		close(p.done)
	}()
	if err := p.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	p.Took = time.Since(begin)
	return p, nil
}

// awaitReady returns when the process answers. It may load data for as long as it says so and ctx allows.
func (p *Process) awaitReady(ctx context.Context) error {
	patience := time.NewTimer(readyWithin)
	defer patience.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		switch ping(ctx, p.Addr) {
		case ready:
			select {
			case <-p.done: // someone else answered on that port
			default:
				return nil
			}
		case loading:
			patience.Reset(readyWithin)
		}
		select {
		case <-p.done:
			return fmt.Errorf("spawn: %s ended at once: %s", p.cmd.Path, p.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("spawn: %s at %s does not answer: %w: %s", p.cmd.Path, p.Addr, ctx.Err(), p.lastWords())
		case <-patience.C:
			return fmt.Errorf("spawn: %s at %s does not answer within %v: %s", p.cmd.Path, p.Addr, readyWithin, p.lastWords())
		case <-tick.C:
		}
	}
}

// Stop ends the process, by force when it does not go by itself, and returns once it is gone.
func (p *Process) Stop() error {
	for _, sig := range []os.Signal{syscall.SIGTERM, os.Kill} {
		if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("spawn: stop process %d: %w", p.PID, err)
		}
		select {
		case <-p.done:
			return nil
		case <-time.After(stopWithin):
		}
	}
	return fmt.Errorf("spawn: process %d does not end", p.PID)
}

// Alive says whether the process still runs, and what it said last when it does not.
func (p *Process) Alive() error {
	select {
	case <-p.done:
		return fmt.Errorf("spawn: process %d of %s has ended: %s", p.PID, p.cmd.Path, p.lastWords())
	default:
		return nil
	}
}

func (p *Process) lastWords() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(b[max(0, len(b)-2000):]))
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// state is what a server says of itself.
type state int

const (
	silent state = iota
	loading
	ready
)

func ping(ctx context.Context, addr string) state {
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return silent
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return silent
	}
	if _, err := c.Write([]byte("*1\r\n$4\r\nPING\r\n")); err != nil {
		return silent
	}
	var b [64]byte
	switch n, _ := c.Read(b[:]); {
	case string(b[:n]) == "+PONG\r\n":
		return ready
	case strings.HasPrefix(string(b[:n]), "-LOADING "):
		return loading
	}
	return silent
}
