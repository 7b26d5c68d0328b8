package load

import (
	"context"
	"strings"
	"testing"
	"time"
)

// What is laid in must be what the workloads read and what they trim.
func TestStreamWorkloadsDoTheirWork(t *testing.T) {
	p := server(t)
	ctx := context.Background()
	rdb := client(t, p.Addr)
	shape := StreamShape(0.005, 32)
	for _, w := range StreamWorkloads {
		if missing, err := Missing(ctx, p.Addr, w.Commands()...); err != nil || len(missing) > 0 {
			t.Fatalf("%s: redis-server does not know %q, %v", w.Name, missing, err)
		}
		if err := Flush(ctx, p.Addr); err != nil {
			t.Fatal(err)
		}
		if err := Lay(ctx, p.Addr, w.Data, shape); err != nil {
			t.Fatal(err)
		}
		const n = 15_000
		r, err := w.Run(ctx, p.Addr, shape, Options{Clients: 5, Pipeline: 16, Threads: 1, Requests: n})
		if err != nil || r.Requests < n || r.Nulls != 0 {
			t.Errorf("%s: %+v, %v", w.Name, r, err)
		}
		keys, err := rdb.Keys(ctx, "*").Result()
		if err != nil {
			t.Fatal(err)
		}
		var entries int64
		for _, key := range keys {
			k, err := rdb.XLen(ctx, key).Result()
			if err != nil {
				t.Fatal(err)
			}
			entries += k
		}
		switch w.Name {
		case "XADD":
			if len(keys) != 1 || entries != r.Requests {
				t.Errorf("%s: %d keys, %d entries", w.Name, len(keys), entries)
			}
		case "XADD_100_STREAMS":
			if len(keys) != manyStreams || entries != r.Requests {
				t.Errorf("%s: %d keys, %d entries", w.Name, len(keys), entries)
			}
		case "XADD_MAXLEN_10k":
			if len(keys) != 1 || entries < 10_000 || entries > 10_100 {
				t.Errorf("%s: %d keys, %d entries", w.Name, len(keys), entries)
			}
		case "XRANGE_100":
			if len(keys) != 1 || uint64(entries) != shape.Keys {
				t.Errorf("%s: %d keys, %d entries", w.Name, len(keys), entries)
			}
			tm := newTemplate(w.Command, 1, 5, shape)
			seen := map[string]bool{}
			for range 50 {
				request, _ := tm.Next()
				got, err := rdb.Do(ctx, words(request)...).Slice()
				if err != nil || len(got) != page {
					t.Fatalf("%s: %d entries, %v", w.Name, len(got), err)
				}
				e := got[0].([]any)
				if fields := e[1].([]any); len(fields) != 6 || len(fields[5].(string)) != 32 {
					t.Fatalf("%s: %v", w.Name, e)
				}
				seen[e[0].(string)] = true
			}
			if len(seen) < 40 {
				t.Errorf("%s: reads begin at %d places", w.Name, len(seen))
			}
		default:
			t.Errorf("%s is not checked", w.Name)
		}
	}
}

// Until everything has been read: each entry is acknowledged once, by one of the consumers.
func TestConsumeReadsAndAcknowledgesEverything(t *testing.T) {
	p := server(t)
	ctx := context.Background()
	rdb := client(t, p.Addr)
	if missing, err := Missing(ctx, p.Addr, ConsumeCommands...); err != nil || len(missing) > 0 {
		t.Fatalf("redis-server does not know %q, %v", missing, err)
	}
	shape := StreamShape(0.005, 32)
	if err := Lay(ctx, p.Addr, Log, shape); err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		r, err := Consume(ctx, p.Addr, 8, 1+round, time.Minute)
		if err != nil || uint64(r.Requests) != shape.Keys || r.Lat.Count() < r.Requests/consumeBatch {
			t.Fatalf("%d acknowledged of %d, %v", r.Requests, shape.Keys, err)
		}
		groups, err := rdb.XInfoGroups(ctx, logKey).Result()
		if err != nil || len(groups) != 1 || groups[0].Pending != 0 || groups[0].Lag != 0 || groups[0].Consumers != 8 {
			t.Errorf("%+v, %v", groups, err)
		}
	}
	// One that is stopped has acknowledged what it says, which may be nothing yet, and at most a batch for each consumer
	// is pending.
	r, err := Consume(ctx, p.Addr, 8, 1, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	groups, err := rdb.XInfoGroups(ctx, logKey).Result()
	if err != nil || len(groups) != 1 || groups[0].Pending > 8*consumeBatch || groups[0].EntriesRead != r.Requests+groups[0].Pending {
		t.Errorf("%d acknowledged, %+v, %v", r.Requests, groups, err)
	}
	if err := rdb.Del(ctx, logKey).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := Consume(ctx, p.Addr, 8, 1, time.Millisecond); err == nil {
		t.Error("a stream that is not there was read")
	}
}

// A server whose replies are not what they should be is not measured.
func TestConsumerTakesRepliesApart(t *testing.T) {
	const one = "*1\r\n*2\r\n$1\r\nk\r\n*2\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n*2\r\n$3\r\n2-1\r\n*4\r\n$1\r\nf\r\n$0\r\n\r\n$1\r\ng\r\n$2\r\n\r\n\r\n"
	for _, c := range []struct {
		name    string
		replies []string // to each batch
		acked   int64
		err     string
	}{
		{"everything", []string{one, ":2\r\n" + one, ":2\r\n*-1\r\n"}, 4, ""},
		{"nothing", []string{"*-1\r\n"}, 0, ""},
		{"too few acknowledged", []string{one, ":1\r\n*-1\r\n"}, 1, "acknowledged 1"},
		{"an error", []string{"-ERR x\r\n"}, 0, "not RESP"},
		{"another shape", []string{"*1\r\n*2\r\n$1\r\nk\r\n$1\r\nx\r\n"}, 0, "not RESP"},
		{"a part", []string{one[:40]}, 0, "not RESP"},
		{"too much", []string{one + "+OK\r\n"}, 0, "after the last"},
		{"huge", []string{"*1\r\n*2\r\n$99999999999999999999\r\n"}, 0, "not RESP"},
		{"negative", []string{"*1\r\n*2\r\n$-5\r\nx"}, 0, "not RESP"},
		{"an empty line", []string{"\r\n"}, 0, "not RESP"},
	} {
		k := newConsumer("k", "g", "c", 2)
		sent := 0
		for _, reply := range c.replies {
			if _, n := k.Next(); n == 0 {
				break
			}
			sent++
			for _, piece := range strings.SplitAfter(reply, "\n") {
				k.received([]byte(piece))
			}
		}
		if b, n := k.Next(); (n == 0) != (c.err != "" || strings.HasSuffix(c.replies[len(c.replies)-1], "*-1\r\n")) {
			t.Errorf("%s: goes on with %q", c.name, b)
		}
		if k.acked != c.acked || sent != len(c.replies) || (c.err == "") != (k.err == nil) || k.err != nil && !strings.Contains(k.err.Error(), c.err) {
			t.Errorf("%s: %d acknowledged, %v", c.name, k.acked, k.err)
		}
	}
}

func TestConsumerAcknowledgesWhatItWasHanded(t *testing.T) {
	k := newConsumer("k", "g", "c", 7)
	b, n := k.Next()
	first := string(b)
	if got := words(b); n != 1 || len(got) != 9 || got[0] != "XREADGROUP" || got[5] != "7" {
		t.Errorf("%q, %d requests", got, n)
	}
	k.received([]byte("*1\r\n*2\r\n$1\r\nk\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"))
	second, n := k.Next()
	if want := request("XACK", "k", "g", "1-1") + first; string(second) != want || n != 2 {
		t.Errorf("%q, want %q", second, want)
	}
}

func TestHandoffStream(t *testing.T) {
	p := server(t)
	ctx := context.Background()
	rdb := client(t, p.Addr)
	for range 2 {
		r, err := HandoffStream(ctx, p.Addr, 20*time.Millisecond)
		if err != nil || r.Requests < 1 || r.Lat.Count() != r.Requests || r.Lat.Quantile(0.5) <= 0 {
			t.Fatalf("%d hand-offs, %v", r.Requests, err)
		}
		pending, err := rdb.XPending(ctx, "handoff", logGroup).Result()
		if err != nil || pending.Count != 0 {
			t.Errorf("%+v, %v", pending, err)
		}
		n, err := rdb.XLen(ctx, "handoff").Result()
		if err != nil || n != r.Requests {
			t.Errorf("%d entries after %d hand-offs, %v", n, r.Requests, err)
		}
	}
}
