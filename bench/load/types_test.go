package load

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// words takes one encoded request apart.
func words(request []byte) []any {
	var out []any
	lines := strings.Split(string(request), "\r\n")
	for i := 2; i < len(lines); i += 2 {
		out = append(out, lines[i])
	}
	return out
}

func client(t *testing.T, addr string) *redis.Client {
	t.Helper()
	c, err := dialAdmin(context.Background(), addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.rdb
}

func TestHoldingsAreWholeRequests(t *testing.T) {
	for _, h := range Holdings {
		h = h.Scale(0.0003)
		requests := 0
		for _, src := range h.sources(3) {
			var s Scanner
			for {
				b, n := src.Next()
				if n == 0 {
					break
				}
				k, err := s.Count(b)
				if err != nil || k != n {
					t.Fatalf("%s: a batch of %d holds %d requests, %v", h.ID, n, k, err)
				}
				requests += n
			}
		}
		want := int(h.Keys * ((h.Each + h.atOnce() - 1) / h.atOnce()))
		if h.ttl {
			want *= 2
		}
		if requests != want {
			t.Errorf("%s: %d requests, want %d", h.ID, requests, want)
		}
	}
}

func TestScaledHoldings(t *testing.T) {
	for _, c := range []struct {
		id    string
		scale float64
		name  string
		units uint64
	}{
		{"hashes", 1, "1M hashes of 8 fields", 8_000_000},
		{"hashes", 0.05, "50k hashes of 8 fields", 400_000},
		{"list", 0.5, "1 list of 2.5M strings", 2_500_000},
		{"set", 0.00001, "1 set of 1k strings", minElements},
		{"zsets", 0.00001, "100 sorted sets of 20", minKeys * 20},
		{"sessions", 1.25, "1.25M sessions with a TTL", 1_250_000},
	} {
		h, ok := FindHolding(c.id)
		if !ok {
			t.Fatalf("no holding %s", c.id)
		}
		if h = h.Scale(c.scale); h.Name() != c.name || h.Units() != c.units {
			t.Errorf("%s at %v: %q, %d units", c.id, c.scale, h.Name(), h.Units())
		}
	}
}

// Every element must arrive and none twice: the server's own counts say so, for every key.
func TestHoldingsArrive(t *testing.T) {
	p := server(t)
	ctx := context.Background()
	rdb := client(t, p.Addr)
	for _, h := range Holdings {
		h = h.Scale(0.0003)
		if err := Flush(ctx, p.Addr); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Fill(ctx, p.Addr); err != nil {
			t.Fatal(err)
		}
		if n, err := Size(ctx, p.Addr); err != nil || n != h.Keys {
			t.Errorf("%s: %d keys, %v; want %d", h.ID, n, err, h.Keys)
		}
		pipe := rdb.Pipeline()
		counts := make([]*redis.Cmd, h.Keys)
		for i := range counts {
			counts[i] = pipe.Do(ctx, h.Count, h.Key(uint64(i)))
		}
		if _, err := pipe.Exec(ctx); err != nil {
			t.Fatal(err)
		}
		for i, c := range counts {
			if n, _ := c.Uint64(); n+h.slack() < h.Each || n > h.Each+h.slack() {
				t.Errorf("%s: %s holds %d, want %d", h.ID, h.Key(uint64(i)), n, h.Each)
			}
		}
		if err := rdb.Del(ctx, h.Key(h.Keys-1)).Err(); err != nil {
			t.Fatal(err)
		}
		if h.check(ctx, p.Addr) == nil {
			t.Errorf("%s: check passes without the last key", h.ID)
		}
	}
}

func TestWeigh(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no /proc")
	}
	p := server(t)
	h, _ := FindHolding("set")
	h = h.Scale(0.01)
	// 19 bytes in a table of pointers: tens of bytes a member, not thousands.
	w, err := h.Weigh(context.Background(), p.Addr, p.PID, 30*time.Millisecond)
	if err != nil || w.Loaded < 19 || w.Loaded > 1000 || w.Collected < 19 || w.Collected > 1000 || w.Peak < w.Collected || w.LoadTime <= 0 {
		t.Errorf("%+v, %v", w, err)
	}
	if _, err := h.Weigh(context.Background(), p.Addr, 0, 0); err == nil {
		t.Error("a server without a process can be weighed")
	}
}

func TestMissing(t *testing.T) {
	p := server(t)
	got, err := Missing(context.Background(), p.Addr, "GET", "NOSUCH", "MEMORY PURGE", "MEMORY NOSUCH")
	if err != nil || strings.Join(got, ",") != "NOSUCH,MEMORY NOSUCH" {
		t.Errorf("%q, %v", got, err)
	}
	if err := Purge(context.Background(), p.Addr); err != nil {
		t.Error(err)
	}
}

// What is laid in must be what the workloads read: they find everything, and as much of it as they say.
func TestTypeWorkloadsFindWhatWasLaid(t *testing.T) {
	p := server(t)
	ctx := context.Background()
	rdb := client(t, p.Addr)
	shape := TypeShape(0.01, 32)
	laid := Dataset("")
	for _, w := range TypeWorkloads {
		if missing, err := Missing(ctx, p.Addr, w.Commands()...); err != nil || len(missing) > 0 {
			t.Fatalf("%s: redis-server does not know %q, %v", w.Name, missing, err)
		}
		if w.Data != laid {
			if err := Flush(ctx, p.Addr); err != nil {
				t.Fatal(err)
			}
			if err := Lay(ctx, p.Addr, w.Data, shape); err != nil {
				t.Fatal(err)
			}
			laid = w.Data
		}
		r, err := w.Run(ctx, p.Addr, shape, Options{Clients: 2, Pipeline: 4, Threads: 1, Requests: 40})
		if err != nil || r.Requests != 40 || r.Nulls != 0 {
			t.Errorf("%s: %+v, %v", w.Name, r, err)
		}
		tm := newTemplate(w.Command, 1, 5, shape)
		ask := func() *redis.Cmd {
			request, _ := tm.Next()
			return rdb.Do(ctx, words(request)...)
		}
		switch w.Name {
		case "ZRANGE_100", "LRANGE_100":
			for range 50 {
				if got, err := ask().Slice(); err != nil || len(got) != page {
					t.Fatalf("%s: %d elements, %v", w.Name, len(got), err)
				}
			}
		case "SINTER_10k":
			if got, err := ask().Slice(); err != nil || len(got) != smallGroup/10 {
				t.Errorf("%s: %d members, %v", w.Name, len(got), err)
			}
			if n, err := rdb.SCard(ctx, "group").Result(); err != nil || n != smallGroup {
				t.Errorf("%s: small set of %d, %v", w.Name, n, err)
			}
		case "BITCOUNT_1M":
			if n, err := ask().Int(); err != nil || n < 2*bitsLength || n > 6*bitsLength {
				t.Errorf("%s: %d bits, %v", w.Name, n, err)
			}
		case "BITOP_AND_1M":
			if n, err := ask().Int(); err != nil || n != bitsLength {
				t.Errorf("%s: %d bytes, %v", w.Name, n, err)
			}
		case "PFCOUNT":
			if n, err := ask().Int(); err != nil || n < countedEach*9/10 || n > countedEach*11/10 {
				t.Errorf("%s: %d, %v", w.Name, n, err)
			}
		case "GEOSEARCH_50":
			if n, err := rdb.ZCard(ctx, "geo").Uint64(); err != nil || n != shape.Keys {
				t.Errorf("%s: %d points, %v", w.Name, n, err)
			}
			found := 0
			for range 200 {
				got, err := ask().Slice()
				if err != nil {
					t.Fatal(err)
				}
				found += len(got)
			}
			if mean := float64(found) / 200; mean < 0.8*nearbyPoints || mean > 1.1*nearbyPoints {
				t.Errorf("%s: %.1f points on average", w.Name, mean)
			}
		}
	}
}

func TestPagesAreEquallyWideRanks(t *testing.T) {
	for _, n := range []uint64{1000, 1001, 9_999, 10_000, 10_050, 10_100, 10_101, 20_000, 999_999, 1_000_000, 1_000_099, 5_000_000} {
		low, bound, width := pageRanks(n)
		last := low + bound - 1 + page - 1
		if bound < 1 || bound > n || last >= n || decimals(low) != width || decimals(last) != width {
			t.Errorf("%d: from %d, %d of them, last rank %d, %d wide", n, low, bound, last, width)
		}
	}
}

func decimals(v uint64) int {
	n := 1
	for ; v >= 10; v /= 10 {
		n++
	}
	return n
}

func TestLaysNothingUnknown(t *testing.T) {
	if err := Lay(context.Background(), "127.0.0.1:1", "nonsense", Shape{}); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("%v", err)
	}
}
