package load

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeServer answers every complete request with reply, in chunks that do not respect reply borders, and records what it got.
type fakeServer struct {
	addr string

	mu struct {
		sync.Mutex
		got []*bytes.Buffer // one for each connection
		n   int             // complete requests
	}
}

// taken returns what has arrived since the last call, and how many requests that was.
func (f *fakeServer) taken() (string, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var got strings.Builder
	for _, b := range f.mu.got {
		got.WriteString(b.String())
		b.Reset()
	}
	n := f.mu.n
	f.mu.n = 0
	return got.String(), n
}

func newFakeServer(t *testing.T, reply string) *fakeServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeServer{addr: ln.Addr().String()}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { f.serve(c, reply) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return f
}

func (f *fakeServer) serve(c net.Conn, reply string) {
	defer c.Close()
	var s Scanner // a request is an array of bulk strings, which a reply can be too
	buf := make([]byte, 1000)
	mine := &bytes.Buffer{}
	f.mu.Lock()
	f.mu.got = append(f.mu.got, mine)
	f.mu.Unlock()
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		k, err := s.Count(buf[:n])
		if err != nil {
			return
		}
		f.mu.Lock()
		mine.Write(buf[:n])
		f.mu.n += k
		f.mu.Unlock()
		out := strings.Repeat(reply, k)
		for len(out) > 0 {
			m := min(len(out), 700)
			if _, err := c.Write([]byte(out[:m])); err != nil {
				return
			}
			out = out[m:]
		}
	}
}

func TestDriveCountsEveryRequest(t *testing.T) {
	f := newFakeServer(t, "*2\r\n$3\r\nabc\r\n$-1\r\n")
	for _, threads := range []int{1, 3, 50} {
		const total = 5000
		srcs := fills(total, 10, 64, func(dst []byte, i uint64) []byte {
			dst = append(dst, "*2\r\n$3\r\nGET\r\n"...)
			return appendNumbered(dst, "key:", i)
		})
		r, err := Drive(context.Background(), f.addr, srcs, threads, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, n := f.taken()
		if r.Requests != total || n != total || r.Lat.Count() != total || r.Nulls != total {
			t.Errorf("%d threads: %d replies, %d requests arrived, %d latencies, %d nulls", threads, r.Requests, n, r.Lat.Count(), r.Nulls)
		}
		sent := map[string]int{}
		for _, line := range strings.Split(got, "\r\n") {
			sent[line]++
		}
		for i := range uint64(total) {
			key := []byte("key:000000000000")
			putDigits(key[4:], i)
			if n := sent[string(key)]; n != 1 {
				t.Errorf("%d threads: %s was sent %d times", threads, key, n)
			}
		}
	}
}

// A batch larger than the socket's buffers must be written while replies are read.
func TestDriveBigBatch(t *testing.T) {
	f := newFakeServer(t, "+OK\r\n")
	value := bytes.Repeat([]byte("x"), 100<<10)
	srcs := fills(100, 1, 100, func(dst []byte, _ uint64) []byte {
		dst = append(dst, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n"...)
		return appendBulk(dst, value)
	})
	r, err := Drive(context.Background(), f.addr, srcs, 1, 0)
	if err != nil || r.Requests != 100 {
		t.Fatalf("%+v, %v", r.Requests, err)
	}
}

func TestDriveStopsAtTheDeadline(t *testing.T) {
	f := newFakeServer(t, "+OK\r\n")
	w, _ := Find("set")
	r, err := w.Run(context.Background(), f.addr, NewShape(1000, 10, 0), Options{Clients: 4, Pipeline: 8, Threads: 1, Duration: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests == 0 || r.Requests%8 != 0 || r.Elapsed < 50*time.Millisecond || r.Elapsed > time.Minute {
		t.Errorf("%d requests in %v", r.Requests, r.Elapsed)
	}
}

func TestRunSendsTheRequestsAskedFor(t *testing.T) {
	f := newFakeServer(t, "+OK\r\n")
	w, _ := Find("GET")
	r, err := w.Run(context.Background(), f.addr, NewShape(1000, 10, 0), Options{Clients: 3, Pipeline: 1, Threads: 1, Requests: 100})
	if err != nil || r.Requests != 100 {
		t.Errorf("%v, %v", r, err)
	}
}

func TestDriveReportsFailures(t *testing.T) {
	w, _ := Find("GET")
	for reply, want := range map[string]string{
		"-ERR no\r\n":      "ERR no",
		"HTTP/1.1\r\n":     "not RESP",
		"+OK\r\n+OK\r\n":   "more than requests",
		"+OK\r\n-LATE\r\n": "", // either complaint will do
	} {
		f := newFakeServer(t, reply)
		_, err := w.Run(context.Background(), f.addr, NewShape(10, 1, 0), Options{Clients: 1, Pipeline: 1, Threads: 1, Requests: 3})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("reply %q: %v", reply, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	silent := newFakeServer(t, "")
	stop := time.AfterFunc(20*time.Millisecond, cancel)
	defer stop.Stop()
	if _, err := w.Run(ctx, silent.addr, NewShape(10, 1, 0), Options{Clients: 1, Pipeline: 1, Threads: 1, Requests: 1}); err == nil {
		t.Error("a silent server and a cancelled context give no error")
	}
}

func TestTemplatesAreRequestsWithFreshNumbers(t *testing.T) {
	for _, w := range Workloads {
		tm := newTemplate(w.Command, 5, 3, NewShape(1000, 32, 0))
		first, n := tm.Next()
		kept := bytes.Clone(first)
		var s Scanner
		if k, err := s.Count(first); err != nil || k != 5 || n != 5 {
			t.Errorf("%s: %d requests, %v: %q", w.Name, k, err, first)
		}
		if second, _ := tm.Next(); bytes.Equal(kept, second) {
			t.Errorf("%s: the second batch is the first one", w.Name)
		}
		if bytes.Contains(kept, []byte("%")) {
			t.Errorf("%s: unfilled place in %q", w.Name, kept)
		}
		if allocs := testing.AllocsPerRun(100, func() { tm.Next() }); allocs != 0 {
			t.Errorf("%s: %v allocations a batch", w.Name, allocs)
		}
	}
}

func TestScatterIsAPermutation(t *testing.T) {
	for _, n := range []uint64{1, 2, 10, 1000, 65536} {
		seen := make(map[uint64]bool)
		for i := range n {
			seen[scatter(i, n)] = true
		}
		if uint64(len(seen)) != n {
			t.Errorf("%d of %d numbers come up", len(seen), n)
		}
	}
}
