package load

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/streampulse/pulse/bench/spawn"
)

// server starts a redis-server for the test.
func server(t *testing.T) *spawn.Process {
	t.Helper()
	if !spawn.Have("redis-server") {
		t.Skip("no redis-server on PATH")
	}
	p, err := spawn.Start(t.Context(), t.TempDir(), []string{"redis-server"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestDescribeFlushAndLay(t *testing.T) {
	p := server(t)
	ctx := context.Background()
	s, err := Describe(ctx, p.Addr)
	if err != nil || s.PID != p.PID || s.Version == "redis " {
		t.Errorf("%+v, %v; want process %d", s, err, p.PID)
	}
	shape := NewShape(500, 10, 20_000)
	for d, want := range map[Dataset]uint64{Strings: 500, Lists: popLists, Lists100: 5, Empty: 0} {
		if err := Flush(ctx, p.Addr); err != nil {
			t.Fatal(err)
		}
		if err := Lay(ctx, p.Addr, d, shape); err != nil {
			t.Fatal(err)
		}
		if n, err := Size(ctx, p.Addr); err != nil || n != want {
			t.Errorf("%s: %d keys, %v; want %d", d, n, err, want)
		}
	}
}

// What is laid in must be what the workload then reads: a null reply would mean that it measures misses.
func TestReadersFindWhatWasLaid(t *testing.T) {
	p := server(t)
	ctx := context.Background()
	shape := NewShape(500, 10, 100_000)
	for _, name := range []string{"GET", "MGET_10", "LRANGE_100", "LPOP"} {
		w, ok := Find(name)
		if !ok {
			t.Fatalf("no workload %s", name)
		}
		if err := Flush(ctx, p.Addr); err != nil {
			t.Fatal(err)
		}
		if err := Lay(ctx, p.Addr, w.Data, shape); err != nil {
			t.Fatal(err)
		}
		// 10 000 pops over 1000 lists of 100: no list runs dry.
		r, err := w.Run(ctx, p.Addr, shape, Options{Clients: 5, Pipeline: 10, Threads: 2, Requests: 10_000})
		if err != nil || r.Requests != 10_000 || r.Nulls != 0 {
			t.Errorf("%s: %+v requests, %v", name, r, err)
		}
	}
}

func TestHandoff(t *testing.T) {
	p := server(t)
	r, err := Handoff(context.Background(), p.Addr, 20*time.Millisecond)
	if err != nil || r.Requests < 1 || r.Lat.Count() != r.Requests || r.Lat.Quantile(0.5) <= 0 {
		t.Errorf("%d hand-offs, %v", r.Requests, err)
	}
}

func TestOverwriteReplacesEveryKey(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no /proc")
	}
	p := server(t)
	ctx := context.Background()
	const keys = 2000
	for pass := range uint64(3) {
		if _, err := overwrite(ctx, p.Addr, keys, pass); err != nil {
			t.Fatal(err)
		}
		if n, err := Size(ctx, p.Addr); err != nil || n != keys {
			t.Errorf("pass %d: %d keys, %v", pass, n, err)
		}
		a, err := dialAdmin(ctx, p.Addr)
		if err != nil {
			t.Fatal(err)
		}
		lengths := map[int64]int{}
		for i := range uint64(keys) {
			key := []byte("key:000000000000")
			putDigits(key[4:], i)
			n, err := a.rdb.StrLen(ctx, string(key)).Result()
			if err != nil {
				t.Fatal(err)
			}
			lengths[n]++
		}
		a.Close()
		if pass == 0 && lengths[32] != keys {
			t.Errorf("after the load: lengths %v", lengths)
		}
		for n := range lengths {
			if pass > 0 && (n < overwriteMin || n > overwriteMax || len(lengths) < 35) {
				t.Fatalf("pass %d: lengths %v", pass, lengths)
			}
		}
	}
	if now, peak, err := RSS(p.PID); err != nil || now <= 0 || peak < now {
		t.Errorf("RSS %d, peak %d, %v", now, peak, err)
	}
}

func TestExpiryLag(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for deadlines")
	}
	p := server(t)
	r, err := ExpiryLag(context.Background(), p.Addr, 200, 100*time.Millisecond)
	if err != nil || r.Lag.Count() != 200 || r.LeftOver != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if n, err := Size(context.Background(), p.Addr); err != nil || n != 0 {
		t.Errorf("%d keys left, %v", n, err)
	}
}

func TestPatternsRun(t *testing.T) {
	p := server(t)
	ctx := context.Background()
	for _, pat := range Patterns {
		if err := Flush(ctx, p.Addr); err != nil {
			t.Fatal(err)
		}
		run, err := PreparePattern(ctx, p.Addr, pat.Sized(Sizes{Users: 1000}), 4)
		if err != nil {
			t.Errorf("%s: %v", pat.Name, err)
			continue
		}
		for _, pace := range []Pace{{Duration: 40 * time.Millisecond}, {Duration: 40 * time.Millisecond, Rate: 200}} {
			r, err := run.Run(pace)
			for err == nil && r.Requests == 0 && pace.Rate > 0 && pace.Duration < 10*time.Second { // a busy machine drops what is late
				pace.Duration *= 2
				r, err = run.Run(pace)
			}
			if err != nil || r.Requests < 1 || r.Lat.Count() != r.Requests+r.Dropped || pace.Rate > 0 && r.Lat.Count() != pace.total() {
				t.Errorf("%s: %d requests, %d dropped, %v", pat.Name, r.Requests, r.Dropped, err)
			}
		}
		if err := run.Close(); err != nil {
			t.Error(err)
		}
	}
}
