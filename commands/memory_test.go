package commands

import (
	"fmt"
	"strings"
	"testing"

	"github.com/streampulse/pulse/store"
)

const oom = "-OOM command not allowed when used memory > 'maxmemory'.\r\n"

// limit sets maxmemory and the policy.
func (h *harness) limit(n int64, p store.Policy) {
	o := store.DefaultEviction()
	o.Limit, o.Policy = n, p
	h.store.SetEviction(o)
}

// TestOOM goes over the limit without a policy that would let keys go.
func TestOOM(t *testing.T) {
	h := newHarness(t)
	c, other := h.conn(2), h.conn(2)
	h.do(c, "SET k v")
	h.do(c, "SADD s a b")
	h.do(other, "MULTI")
	h.do(other, "SET k w")
	early := h.conn(2) // queued nothing that needs memory
	h.do(early, "MULTI")
	h.do(early, "GET k")
	h.limit(1, store.NoEviction)
	for _, step := range []struct {
		c        *Conn
		do, want string
	}{
		{c, "SET k w", oom},
		{c, "SET", "-ERR wrong number of arguments for 'set' command\r\n"},
		{c, "INCR n", oom},
		{c, "SINTERSTORE d s", oom},
		{c, "GET k", "$1\r\nv\r\n"},
		{c, "EXPIRE k 100", ":1\r\n"},
		{c, "DEL nokey", ":0\r\n"},
		{c, "MULTI", "+OK\r\n"},
		{c, "GET k", oom}, // the queue takes memory, too
		{c, "EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n"},
		{c, "MULTI", "+OK\r\n"},
		{c, "SET k w", oom},
		{c, "DISCARD", "+OK\r\n"},
		{other, "EXEC", "-EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.\r\n"},
		{other, "EXEC", "-ERR EXEC without MULTI\r\n"},
		{early, "EXEC", "*1\r\n$1\r\nv\r\n"},
	} {
		if got := h.do(step.c, step.do); got != step.want {
			t.Errorf("%s = %q, want %q", step.do, got, step.want)
		}
	}
	if !c.Crowded() {
		t.Error("the connection does not know")
	}
	h.limit(0, store.NoEviction)
	if got := h.do(c, "SET k w"); got != "+OK\r\n" || c.Crowded() {
		t.Errorf("without a limit: %q", got)
	}
}

// TestGateEvicts writes more than fits; a watch on a key that goes makes the transaction fail.
func TestGateEvicts(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	watcher := h.conn(2)
	h.do(watcher, "SET watched v")
	h.do(watcher, "WATCH watched")
	h.do(watcher, "MULTI")
	h.limit(100_000, store.AllKeysRandom)
	value := strings.Repeat("v", 100)
	n := 0
	for ; h.do(c, "GET watched") != "$-1\r\n"; n++ {
		if n > 200_000 {
			t.Fatal("the watched key is never evicted")
		}
		if got := h.do(c, fmt.Sprintf("SET key:%d %s", n, value)); got != "+OK\r\n" {
			t.Fatalf("write %d: %q", n, got)
		}
	}
	if got := h.do(watcher, "EXEC"); got != "*-1\r\n" {
		t.Errorf("EXEC = %q", got)
	}
	if h.store.Evicted() == 0 || h.store.UsedMemory() > 110_000 {
		t.Errorf("%d evicted, %d bytes used", h.store.Evicted(), h.store.UsedMemory())
	}
}

// TestFrequencyAndIdleTime switches the policy while there are keys.
func TestFrequencyAndIdleTime(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	for _, step := range []struct {
		policy   store.Policy
		do, want string
	}{
		{store.NoEviction, "SET k v", "+OK\r\n"},
		{store.NoEviction, "OBJECT IDLETIME k", ":0\r\n"},
		{store.NoEviction, "OBJECT FREQ k", "-" + string(ErrNoLFU) + "\r\n"},
		{store.NoEviction, "OBJECT FREQ nokey", "$-1\r\n"},
		{store.AllKeysLFU, "OBJECT IDLETIME k", "-" + string(ErrLFU) + "\r\n"},
		{store.VolatileLFU, "OBJECT IDLETIME nokey", "$-1\r\n"},
		{store.VolatileLFU, "SET new v", "+OK\r\n"},
		{store.VolatileLFU, "OBJECT FREQ new", ":5\r\n"},
		{store.VolatileLFU, "GET new", "$1\r\nv\r\n"},
		{store.VolatileLFU, "OBJECT FREQ new", ":6\r\n"},
		{store.VolatileLFU, "HSET h f v", ":1\r\n"},
		{store.VolatileLFU, "OBJECT FREQ h", ":5\r\n"},
		{store.VolatileLFU, "HSET h g v", ":1\r\n"},
		{store.VolatileLFU, "OBJECT FREQ h", ":6\r\n"},
		{store.VolatileLFU, "RENAME h i", "+OK\r\n"},
		{store.VolatileLRU, "OBJECT FREQ i", "-" + string(ErrNoLFU) + "\r\n"},
	} {
		h.limit(0, step.policy)
		if got := h.do(c, step.do); got != step.want {
			t.Errorf("%s = %q, want %q", step.do, got, step.want)
		}
	}
}

func TestMemoryUsage(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	number := func(line string) (n int) {
		reply := h.do(c, line)
		if _, err := fmt.Sscanf(reply, ":%d", &n); err != nil {
			t.Fatalf("%s = %q", line, reply)
		}
		return n
	}
	h.do(c, "SET small v")
	h.do(c, "SET large "+strings.Repeat("v", 5000))
	h.do(c, "RPUSH list "+strings.Repeat("element ", 2000))
	small, large, list := number("MEMORY USAGE small"), number("MEMORY USAGE large"), number("MEMORY USAGE list SAMPLES 0")
	if small < 10 || small > 100 || large < 5000 || large > 11000 || list < 16000 || list > 40000 {
		t.Errorf("%d, %d and %d bytes", small, large, list)
	}
}

func TestDiagnose(t *testing.T) {
	for _, row := range []struct {
		r     MemoryReport
		limit int64
		want  []string
	}{
		{MemoryReport{Used: 1 << 20, Peak: 1 << 30}, 0, []string{"too little data"}},
		{MemoryReport{Used: 50 << 20, Peak: 51 << 20, RSS: 60 << 20}, 0, []string{"Nothing is unusual"}},
		{MemoryReport{Used: 50 << 20, Peak: 100 << 20, RSS: 60 << 20}, 0, []string{"Peak: at its peak the server used 2.0 times"}},
		{MemoryReport{Used: 50 << 20, Peak: 50 << 20, RSS: 100 << 20, Clients: 20 << 20}, 40 << 20,
			[]string{"Resident memory: the process takes 2.0 times", "Clients: their buffers take 20971520 bytes", "Limit: 52428800 bytes are used, maxmemory is 41943040"}},
	} {
		text := diagnose(&row.r, row.limit)
		for _, want := range row.want {
			if !strings.Contains(text, want) {
				t.Errorf("%+v: %q does not say %q", row.r, text, want)
			}
		}
		if n := strings.Count(text, " * "); n != 0 && n != len(row.want) {
			t.Errorf("%q says more than %q", text, row.want)
		}
	}
}
