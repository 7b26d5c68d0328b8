package commands

import (
	"testing"
	"time"
)

// now of a fresh harness is 1_700_000_000_000.

func TestLifetimesAreChecked(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	bad := func(name string) string { return "-ERR invalid expire time in '" + name + "' command\r\n" }
	h.check(c,
		"SET k v", "+OK\r\n",
		// The largest lifetimes there are, per unit and base.
		"EXPIRE k 9223370336854775", ":1\r\n",
		"EXPIRE k 9223370336854776", bad("expire"),
		"PEXPIRE k 9223370336854775807", ":1\r\n",
		"PEXPIRE k 9223370336854775808", bad("pexpire"),
		"EXPIREAT k 9223372036854775", ":1\r\n",
		"EXPIREAT k 9223372036854776", bad("expireat"),
		"EXPIRE k -9223372036854776", bad("expire"),
		"PEXPIREAT k 9223372036854775807", ":1\r\n",
		"PEXPIRETIME k", ":9223372036854775806\r\n",
		"EXPIRETIME k", ":9223372036854776\r\n",
		"PTTL k", ":9223370336854775806\r\n",
		"TTL k", ":9223370336854776\r\n",
		"SET k v EX 9223370336854775", "+OK\r\n",
		"SET k v EX 9223370336854776", bad("set"),
		"SET k v PX 9223370336854775807", "+OK\r\n",
		"SET k v PX 9223370336854775808", bad("set"),
		"SET k v EXAT 9223372036854776", bad("set"),
		"SET k v EX 0", bad("set"),
		"SET k v PX -1", bad("set"),
		"SET k v EX 10000000000000000", bad("set"),
		"SETEX k 0 v", bad("setex"),
		"PSETEX k 9223372036854775807 v", bad("psetex"),
		"GETEX k EX 0", bad("getex"),
		"GETEX k PX 9223372036854775807", bad("getex"),
		"PEXPIRE k -9223372036854775808", ":1\r\n",
		"EXISTS k", ":0\r\n",
	)
}

func TestKeysGoAtTheirDeadline(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	h.check(c,
		"SET a v PX 100", "+OK\r\n",
		"SET b v EX 1", "+OK\r\n",
		"SET c v PXAT 1700000000100", "+OK\r\n",
		"SET d v PXAT 1699999999999", "+OK\r\n",
		"GET d", "$-1\r\n",
	)
	h.clock.Advance(99 * time.Millisecond)
	h.check(c, "EXISTS a b c", ":3\r\n", "PTTL a", ":1\r\n", "TTL a", ":0\r\n", "TTL b", ":1\r\n")
	h.clock.Advance(time.Millisecond)
	h.check(c, "EXISTS a b c", ":1\r\n", "TTL a", ":-2\r\n", "DBSIZE", ":1\r\n")
}

// TestDeadlineSpoilsWatch: time-outs of keys are changes for those who watch them.
func TestDeadlineSpoilsWatch(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	h.check(c, "SET a v PX 100", "+OK\r\n", "WATCH a", "+OK\r\n")
	h.clock.Advance(time.Second)
	h.check(c, "MULTI", "+OK\r\n", "SET b v", "+QUEUED\r\n", "EXEC", "*-1\r\n")
}

// TestIdleTime: reading a value renews the time of access, asking about the key does not.
func TestIdleTime(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	h.do(c, "SET k v EX 1000")
	for _, tc := range []struct {
		do      string
		touches bool
	}{
		{"EXISTS k", false}, {"TTL k", false}, {"PEXPIRETIME k", false}, {"TYPE k", false}, {"OBJECT ENCODING k", false},
		{"RENAMENX k k", false}, {"GET k", true}, {"TOUCH k", true}, {"STRLEN k", true}, {"GETRANGE k 0 0", true},
		{"MGET k", true}, {"APPEND k x", true}, {"GETEX k", true}, {"SET k v KEEPTTL", true},
	} {
		h.do(c, "GET k")
		h.clock.Advance(7 * time.Second)
		h.do(c, tc.do)
		want := ":7\r\n"
		if tc.touches {
			want = ":0\r\n"
		}
		if got := h.do(c, "OBJECT IDLETIME k"); got != want {
			t.Errorf("after %s the key is idle for %q, want %q", tc.do, got, want)
		}
	}
	c.NoTouch = true
	h.clock.Advance(5 * time.Second)
	h.check(c, "GET k", "$1\r\nv\r\n", "OBJECT IDLETIME k", ":5\r\n", "TOUCH k", ":1\r\n", "OBJECT IDLETIME k", ":0\r\n")
}
