package crash

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/streampulse/pulse/internal/oracle"
	"github.com/streampulse/pulse/server/internal/image"
)

// Options say what is to be killed, and how often.
type Options struct {
	Binary string
	Dir    string // of the data; it is used again after each kill
	Args   []string
	Cycles int
	Seed   uint64
	// Load is about how long writers work until the server is killed.
	Load time.Duration
	// Log takes progress, nil drops it.
	Log func(format string, a ...any)
}

// Report is what became of the data.
type Report struct {
	Cycles       int
	Acknowledged int64 // operations
	Lost         int64 // of these
	Half         int   // times that an operation was there in part, or something that was never so
	Doubled      int   // times that more was there than had been sent, or what had gone was back
	Rewrites     int   // that were begun, each a BGREWRITEAOF
	Saves        int   // each a BGSAVE
	Findings     []string
}

func (r Report) String() string {
	return fmt.Sprintf("%d kills, %d operations acknowledged, %d of them lost, %d times half an operation, %d times doubled; %d rewrites and %d saves were under way",
		r.Cycles, r.Acknowledged, r.Lost, r.Half, r.Doubled, r.Rewrites, r.Saves)
}

// verdict is what a check finds wrong.
type verdict struct {
	lost    int64
	half    bool
	doubled bool
	text    string
}

// writer is one client, or two that belong together. Its methods are called by one goroutine at a time.
type writer interface {
	name() string
	// run works until the connection breaks.
	run(c *client, rng *rand.Rand)
	// check compares what is there with what was acknowledged, and goes on from what is there.
	check(c *image.Conn) (verdict, error)
	// reset deletes all and begins anew.
	reset(c *image.Conn) error
	acknowledged() int64
}

// maxFindings is how many are written down.
const maxFindings = 50

// Kill runs the cycles. The error says that the run itself failed, or that the server did not start again.
func Kill(o Options) (r Report, err error) {
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	rng := rand.New(rand.NewPCG(o.Seed, 1))
	writers := allWriters()
	s, err := o.start()
	if err != nil {
		return r, err
	}
	defer func() { s.Close() }()
	for r.Cycles < o.Cycles {
		if err := o.cycle(s, writers, rng, &r); err != nil {
			return r, err
		}
		r.Cycles++
		if rng.IntN(4) == 0 {
			if err := o.killEarly(time.Duration(rng.IntN(30)) * time.Millisecond); err != nil {
				return r, err
			}
		}
		if s, err = o.start(); err != nil {
			return r, fmt.Errorf("after kill %d: %w", r.Cycles, err)
		}
		if err := checkAll(s, writers, rng, &r); err != nil {
			return r, fmt.Errorf("after kill %d: %w", r.Cycles, err)
		}
	}
	r.Acknowledged = 0
	for _, w := range writers {
		r.Acknowledged += w.acknowledged()
		o.Log("%s: %d", w.name(), w.acknowledged())
	}
	return r, nil
}

func (o *Options) start() (*oracle.Server, error) {
	return oracle.LaunchBinary(o.Binary, slices.Concat([]string{"--dir", o.Dir, "--appendonly", "yes"}, o.Args)...)
}

// killEarly starts the server and kills it while it is still loading, or hardly done.
func (o *Options) killEarly(after time.Duration) error {
	cmd := exec.Command(o.Binary, slices.Concat([]string{"--port", "0", "--save", "", "--dir", o.Dir, "--appendonly", "yes"}, o.Args)...)
	if err := cmd.Start(); err != nil {
		return err
	}
	time.Sleep(after)
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
	return nil
}

// cycle has the writers work, and kills the server.
func (o *Options) cycle(s *oracle.Server, writers []writer, rng *rand.Rand, r *Report) error {
	var wg sync.WaitGroup
	var first atomic.Pointer[string]
	for _, w := range writers {
		c := &client{dial: s.Dial, failed: &first}
		seed := rng.Uint64()
		wg.Go(func() { w.run(c, rand.New(rand.NewPCG(seed, 2))) })
	}
	done := make(chan struct{})
	wg.Go(func() { disturb(s, r.Cycles, rand.New(rand.NewPCG(o.Seed, uint64(r.Cycles))), done, r) })
	time.Sleep(o.Load/2 + time.Duration(rng.Int64N(int64(o.Load))))
	err := s.Signal(syscall.SIGKILL)
	<-s.Exited()
	close(done)
	wg.Wait()
	s.Close()
	if text := first.Load(); text != nil {
		return fmt.Errorf("a writer was told %s", *text)
	}
	return err
}

// disturb has snapshots under way in two of three cycles.
func disturb(s *oracle.Server, cycle int, rng *rand.Rand, done <-chan struct{}, r *Report) {
	if cycle%3 == 0 {
		return
	}
	nc, err := s.Dial()
	if err != nil {
		return
	}
	defer nc.Close()
	c := image.NewConn(nc)
	for {
		select {
		case <-done:
			return
		case <-time.After(time.Duration(rng.IntN(60)) * time.Millisecond):
		}
		name, count := "BGREWRITEAOF", &r.Rewrites
		if cycle%3 == 2 && rng.IntN(2) == 0 {
			name, count = "BGSAVE", &r.Saves
		}
		v, err := c.Do(name)
		if err == nil {
			*count++
		} else if v.Type != '-' {
			return // an error reply tells that something is under way already
		}
	}
}

func checkAll(s *oracle.Server, writers []writer, rng *rand.Rand, r *Report) error {
	nc, err := s.Dial()
	if err != nil {
		return err
	}
	defer nc.Close()
	c := image.NewConn(nc)
	for _, w := range writers {
		v, err := w.check(c)
		if err != nil {
			return fmt.Errorf("%s: %w", w.name(), err)
		}
		r.Lost += v.lost
		if v.half {
			r.Half++
		}
		if v.doubled {
			r.Doubled++
		}
		if v.text != "" && len(r.Findings) < maxFindings {
			r.Findings = append(r.Findings, fmt.Sprintf("kill %d, %s: %s", r.Cycles, w.name(), v.text))
		}
		if v.text != "" || rng.IntN(4) == 0 {
			if err := w.reset(c); err != nil {
				return fmt.Errorf("%s: %w", w.name(), err)
			}
		}
	}
	return nil
}

// client is what a writer reaches the server with.
type client struct {
	dial   func() (net.Conn, error)
	failed *atomic.Pointer[string] // an error reply, which no writer expects
}

func (c *client) open() (*image.Conn, error) {
	nc, err := c.dial()
	if err != nil {
		return nil, err
	}
	return image.NewConn(nc), nil
}

// fail notes an error reply.
func (c *client) fail(text []byte) {
	s := string(text)
	c.failed.CompareAndSwap(nil, &s)
}
