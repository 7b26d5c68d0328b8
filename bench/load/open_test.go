package load

import (
	"bytes"
	"context"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

func onLinux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("open loops need epoll")
	}
}

func TestPlan(t *testing.T) {
	second := int(time.Second / openTick)
	for _, rate := range []int{1, 7, 3999, 20_000, maxRate} {
		p := openPlan{rate: rate}
		if p.due(0) != 0 || p.due(second) != rate || p.due(10*second) != 10*rate {
			t.Errorf("%d per second: %d, then %d, then %d", rate, p.due(0), p.due(second), p.due(10*second))
		}
	}
}

func TestOpenLoopSendsWhatIsDue(t *testing.T) {
	onLinux(t)
	f := newFakeServer(t, "$3\r\nabc\r\n")
	r, err := OpenLoop(context.Background(), f.addr, OpenOptions{Clients: 3, Rate: 10_000, Duration: 50 * time.Millisecond, Keys: 100})
	if err != nil {
		t.Fatal(err)
	}
	if _, n := f.taken(); r.Requests != 500 || n != 500 || r.Lat.Count() != 500 || r.Late.Count() != 500 || r.Elapsed < 50*time.Millisecond {
		t.Errorf("%d replies, %d requests, %d latencies in %v", r.Requests, n, r.Lat.Count(), r.Elapsed)
	}
}

// A stall is charged to all that was due meanwhile, which a closed loop would not have sent.
func TestOpenLoopDoesNotWait(t *testing.T) {
	onLinux(t)
	const stall = 60 * time.Millisecond
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		var s Scanner
		buf := make([]byte, 4096)
		for first := true; ; first = false {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			if first { // the plan has begun, so the stall outlasts it
				time.Sleep(stall)
			}
			k, err := s.Count(buf[:n])
			if err != nil {
				return
			}
			if _, err := c.Write(bytes.Repeat([]byte("+OK\r\n"), k)); err != nil {
				return
			}
		}
	}()
	r, err := OpenLoop(context.Background(), ln.Addr().String(), OpenOptions{Clients: 1, Rate: 20_000, Duration: stall, Keys: 10})
	if err != nil {
		t.Fatal(err)
	}
	if median := r.Lat.Quantile(0.5); r.Requests != 1200 || median < stall/4 || r.Lat.Quantile(1) < stall/2 {
		t.Errorf("%d requests, median %v, longest %v", r.Requests, median, r.Lat.Quantile(1))
	}
}

func TestOpenLoopReportsFailures(t *testing.T) {
	onLinux(t)
	// One request, so that two replies are one too many however late the server reads.
	good := OpenOptions{Clients: 1, Rate: 500, Duration: 2 * time.Millisecond, Keys: 1}
	for reply, want := range map[string]string{"-ERR no\r\n": "ERR no", "HTTP/1.1\r\n": "not RESP", "+OK\r\n+OK\r\n": "more than requests"} {
		if _, err := OpenLoop(context.Background(), newFakeServer(t, reply).addr, good); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("reply %q: %v", reply, err)
		}
	}
	for _, bad := range []OpenOptions{{Rate: 1, Duration: time.Second}, {Clients: 1, Duration: time.Second}, {Clients: 1, Rate: 1}, {Clients: 1, Rate: maxRate + 1, Duration: time.Second}} {
		if _, err := OpenLoop(context.Background(), "127.0.0.1:1", bad); err == nil || !strings.Contains(err.Error(), "open loop needs") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	stop := time.AfterFunc(10*time.Millisecond, cancel)
	defer stop.Stop()
	if _, err := OpenLoop(ctx, newFakeServer(t, "").addr, good); err == nil {
		t.Error("a silent server and a cancelled context give no error")
	}
}
