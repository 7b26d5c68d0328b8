package commands

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// hugeBatch makes one request that adds the members from i on.
func hugeBatch(kind string, i, n int) [][]byte {
	args := [][]byte{[]byte(kind), []byte("huge")}
	for j := i; j < i+n; j++ {
		m := fmt.Appendf(nil, "member:%d", j)
		switch kind {
		case "ZADD":
			args = append(args, fmt.Append(nil, j*7919%100_003), m)
		case "HSET":
			args = append(args, m, m)
		default:
			args = append(args, m)
		}
	}
	return args
}

// Whatever removes a value, large as it may be, takes no time: the memory is the collector's.
func TestRemovalOfHugeValues(t *testing.T) {
	const n, batch = 40_000, 10_000
	const limit = time.Millisecond // to free one by one takes several
	for _, kind := range []string{"SADD", "ZADD", "HSET", "RPUSH"} {
		h := newHarness(t)
		c := h.conn(2)
		for i := 0; i < n; i += batch {
			h.run(c, hugeBatch(kind, i, batch))
		}
		h.do(c, "SADD little a")
		for _, end := range []string{"DEL k", "UNLINK k", "SET k v", "PEXPIRE k 0", "RENAME little k", "COPY little k REPLACE",
			"SUNIONSTORE k little", "ZUNIONSTORE k 1 little", "GETDEL k", "GET k", "FLUSHDB", "FLUSHALL ASYNC"} {
			best := time.Hour // of as many as a busy machine needs for one that is not interrupted
			for try := 0; try < 100 && best > limit; try++ {
				h.do(c, "SADD little a")
				if strings.HasPrefix(end, "FLUSH") {
					h.do(c, "RENAME huge k")
				} else {
					h.do(c, "COPY huge k REPLACE")
				}
				if end == "GET k" {
					h.do(c, "PEXPIRE k 1")
					h.clock.Advance(time.Second)
				}
				start := time.Now()
				reply := h.do(c, end)
				best = min(best, time.Since(start))
				if reply[0] == '-' && !strings.HasPrefix(reply, "-WRONGTYPE") {
					t.Fatalf("%s: %s", end, reply)
				}
			}
			if best > limit {
				t.Errorf("%s after %s of %d members took %v", end, kind, n, best)
			}
		}
	}
}

// A long command holds the shards of its own keys only: commands on others run meanwhile.
func TestLongCommandsHoldTheirShardsOnly(t *testing.T) {
	const n, batch, others = 60_000, 10_000, 8
	h := newHarness(t)
	c := h.conn(2)
	for i := 0; i < n; i += batch {
		h.run(c, hugeBatch("SADD", i, batch))
	}
	h.do(c, "ZUNIONSTORE scored 1 huge")
	// meanwhile returns how many clients were served while a command ran.
	meanwhile := func(line string) int64 {
		var over atomic.Bool
		var served atomic.Int64 // clients that ran a command from its begin to its end
		var started, ended sync.WaitGroup
		for i := range others {
			conn := h.conn(2)
			conn.Tx, conn.Gate = h.store.NewTx(), h.store.NewGate()
			args := [][]byte{[]byte("INCR"), fmt.Appendf(nil, "counter%d", i)}
			started.Add(1)
			ended.Go(func() {
				h.run(conn, args)
				started.Done()
				for n := 0; !over.Load(); n++ {
					if h.run(conn, args); n == 3 && !over.Load() {
						served.Add(1)
					}
				}
			})
		}
		started.Wait()
		h.do(c, line)
		over.Store(true)
		ended.Wait()
		return served.Load()
	}
	for _, line := range []string{"SUNIONSTORE d huge huge", "ZUNIONSTORE d 2 huge scored", "ZINTERSTORE d 2 huge scored", "SINTERCARD 2 huge huge"} {
		// One may have the bad luck to share a shard, and all the processor to be another's; so it is tried some times.
		served := int64(0)
		for try := 0; try < 20 && served < others/2; try++ {
			served = max(served, meanwhile(line))
		}
		if served < others/2 {
			t.Errorf("%s: %d of %d clients were served meanwhile", line, served, others)
		}
	}
}
