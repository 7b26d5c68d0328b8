package commands

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// bothHashForms runs f where hashes with deadlines are small, and where they are tables.
func bothHashForms(t *testing.T, f func(t *testing.T, h *harness, encoding string)) {
	for _, encoding := range []string{"listpackex", "hashtable"} {
		t.Run(encoding, func(t *testing.T) {
			h := newHarness(t)
			lim := *h.store.Limits()
			if encoding == "hashtable" {
				lim.HashMaxListpackEntries = 0
			}
			h.store.SetLimits(lim)
			f(t, h, encoding)
		})
	}
}

// TestFieldsGoAtTheirDeadline: nobody touches the hash between its deadlines.
func TestFieldsGoAtTheirDeadline(t *testing.T) {
	bothHashForms(t, func(t *testing.T, h *harness, encoding string) {
		c := h.conn(2)
		h.check(c,
			"HSET h a 1 b 2 c 3 d 4", ":4\r\n",
			"HPEXPIRE h 100 FIELDS 2 a b", "*2\r\n:1\r\n:1\r\n",
			"HEXPIRE h 2 FIELDS 1 c", "*1\r\n:1\r\n",
			"HPTTL h FIELDS 4 a c d e", "*4\r\n:100\r\n:2000\r\n:-1\r\n:-2\r\n",
			"OBJECT ENCODING h", bulk(encoding),
		)
		h.clock.Advance(99 * time.Millisecond)
		h.check(c, "HLEN h", ":4\r\n", "HPTTL h FIELDS 1 a", "*1\r\n:1\r\n", "HTTL h FIELDS 1 a", "*1\r\n:1\r\n")
		h.clock.Advance(time.Millisecond)
		if n := h.store.ExpiredFields(); n != 2 {
			t.Errorf("%d fields went before anybody looked, want 2", n)
		}
		h.check(c, "HLEN h", ":2\r\n", "HMGET h a b c", "*3\r\n$-1\r\n$-1\r\n$1\r\n3\r\n", "HTTL h FIELDS 1 c", "*1\r\n:2\r\n")
		h.clock.Advance(time.Hour)
		h.check(c, "HGETALL h", "*2\r\n$1\r\nd\r\n$1\r\n4\r\n", "HPEXPIRE h 5 FIELDS 1 d", "*1\r\n:1\r\n")
		h.clock.Advance(5 * time.Millisecond)
		h.check(c, "DBSIZE", ":0\r\n")
	})
}

// TestFieldsGoWhenTouched: with the expirer off, no command sees a field that is due, nor a key with only such fields.
func TestFieldsGoWhenTouched(t *testing.T) {
	bothHashForms(t, func(t *testing.T, h *harness, _ string) {
		h.store.SetActiveExpire(false)
		c := h.conn(3)
		for _, tc := range []struct{ do, want string }{
			{"HLEN h", ":1\r\n"}, {"HGETALL h", "%1\r\n$1\r\nz\r\n$1\r\n9\r\n"}, {"HKEYS h", "*1\r\n$1\r\nz\r\n"},
			{"HVALS h", "*1\r\n$1\r\n9\r\n"}, {"HGET h a", "_\r\n"}, {"HEXISTS h a", ":0\r\n"}, {"HSTRLEN h a", ":0\r\n"},
			{"HRANDFIELD h -2", "*2\r\n$1\r\nz\r\n$1\r\nz\r\n"}, {"HRANDFIELD h 9", "*1\r\n$1\r\nz\r\n"},
			{"HSCAN h 0", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\nz\r\n$1\r\n9\r\n"}, {"HSCAN h 0 NOVALUES", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nz\r\n"},
			{"HDEL h a", ":0\r\n"}, {"HSETNX h a 5", ":1\r\n"}, {"HINCRBY h a 5", ":5\r\n"}, {"HINCRBYFLOAT h a 5", "$1\r\n5\r\n"},
			{"HSET h a 5", ":1\r\n"}, {"HPTTL h FIELDS 2 a z", "*2\r\n:-2\r\n:-1\r\n"}, {"HPERSIST h FIELDS 1 a", "*1\r\n:-2\r\n"},
			{"HGETDEL h FIELDS 1 a", "*1\r\n_\r\n"}, {"HGETEX h PERSIST FIELDS 1 a", "*1\r\n_\r\n"}, {"HSETEX h FXX FIELDS 1 a 1", ":0\r\n"},
			{"HEXPIRE h 1 FIELDS 1 a", "*1\r\n:-2\r\n"}, {"OBJECT ENCODING h", ""},
		} {
			h.do(c, "FLUSHALL")
			h.do(c, "HSET h a 1 b 2 z 9")
			h.do(c, "HPEXPIRE h 10 FIELDS 2 a b")
			h.clock.Advance(10 * time.Millisecond)
			if got := h.do(c, tc.do); got != tc.want && tc.want != "" {
				t.Errorf("%s = %q, want %q", tc.do, got, tc.want)
			}
			want := ":1\r\n"
			if strings.HasSuffix(tc.do, " a 5") { // sets the field anew
				want = ":2\r\n"
			}
			if got := h.do(c, "HLEN h"); got != want {
				t.Errorf("after %s HLEN = %q, want %q", tc.do, got, want)
			}
		}
		for _, tc := range []struct{ do, want string }{
			{"EXISTS h", ":0\r\n"}, {"TYPE h", "+none\r\n"}, {"TTL h", ":-2\r\n"}, {"DEL h", ":0\r\n"}, {"HLEN h", ":0\r\n"},
			{"RENAME h g", "-ERR no such key\r\n"}, {"COPY h g", ":0\r\n"}, {"SET h v NX", "+OK\r\n"}, {"RANDOMKEY", "_\r\n"},
			{"LPUSH h x", ":1\r\n"}, {"PERSIST h", ":0\r\n"}, {"OBJECT ENCODING h", "_\r\n"},
		} {
			h.do(c, "FLUSHALL")
			h.do(c, "HSET h a 1 b 2")
			h.do(c, "HPEXPIRE h 10 FIELDS 2 a b")
			h.clock.Advance(10 * time.Millisecond)
			if got := h.do(c, tc.do); got != tc.want {
				t.Errorf("%s = %q, want %q", tc.do, got, tc.want)
			}
		}
	})
}

// TestFieldDeadlinesTravel: with the key to another name or database, and to a copy.
func TestFieldDeadlinesTravel(t *testing.T) {
	bothHashForms(t, func(t *testing.T, h *harness, _ string) {
		c := h.conn(2)
		for _, tc := range []struct{ do, at string }{
			{"RENAME h g", "g"}, {"COPY h g", "g"}, {"COPY h g DB 1", "g1"}, {"MOVE h 1", "h1"}, {"SWAPDB 0 1", "h1"},
			{"PEXPIRE h 5000", "h"}, {"PERSIST h", "h"}, {"RENAME s h", ""}, {"SET h v", ""}, {"DEL h", ""},
			{"FLUSHDB", ""}, {"HDEL h a b", ""}, {"HSET h a 9", "-"}, {"HGETDEL h FIELDS 1 a", "-"},
		} {
			h.do(c, "FLUSHALL")
			h.do(c, "SET s v")
			h.do(c, "HSET h a 1 b 2")
			h.do(c, "HPEXPIRE h 100 FIELDS 1 a")
			if got := h.do(c, tc.do); got[0] == '-' {
				t.Fatalf("%s = %q", tc.do, got)
			}
			before := h.store.ExpiredFields()
			h.clock.Advance(100 * time.Millisecond)
			want := int64(1)
			switch {
			case strings.HasPrefix(tc.do, "COPY"):
				want = 2
			case tc.at == "" || tc.at == "-":
				want = 0
			}
			if got := h.store.ExpiredFields() - before; got != want {
				t.Errorf("after %s %d fields went at the deadline, want %d", tc.do, got, want)
			}
			if key, db := strings.TrimSuffix(tc.at, "1"), len(tc.at)-1; want > 0 {
				h.do(c, fmt.Sprint("SELECT ", db))
				if got := h.do(c, "HKEYS "+key); got != "*1\r\n$1\r\nb\r\n" {
					t.Errorf("after %s the fields left are %q", tc.do, got)
				}
				h.do(c, "SELECT 0")
			}
		}
	})
}

func TestFieldTimesAreChecked(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	bad := func(name string) string { return "-ERR invalid expire time in '" + name + "' command\r\n" }
	const notInt, negative = "-ERR value is not an integer or out of range\r\n", "-ERR invalid expire time, must be >= 0\r\n"
	h.check(c,
		"HSET h f v", ":1\r\n",
		// 2^46-1 is 70368744177663; now is 1700000000000.
		"HPEXPIREAT h 70368744177663 FIELDS 1 f", "*1\r\n:1\r\n",
		"HPEXPIRETIME h FIELDS 1 f", "*1\r\n:70368744177663\r\n",
		"HEXPIRETIME h FIELDS 1 f", "*1\r\n:70368744178\r\n",
		"HPEXPIREAT h 70368744177664 FIELDS 1 f", bad("hpexpireat"),
		"HEXPIREAT h 70368744177 FIELDS 1 f", "*1\r\n:1\r\n",
		"HEXPIREAT h 70368744178 FIELDS 1 f", bad("hexpireat"),
		"HPEXPIRE h 68668744177663 FIELDS 1 f", "*1\r\n:1\r\n",
		"HPEXPIRE h 68668744177664 FIELDS 1 f", bad("hpexpire"),
		"HEXPIRE h 68668744177 FIELDS 1 f", "*1\r\n:1\r\n",
		"HEXPIRE h 68668744178 FIELDS 1 f", bad("hexpire"),
		"HEXPIRE h 9223372036854775807 FIELDS 1 f", bad("hexpire"),
		"HEXPIRE h 9223372036854775808 FIELDS 1 f", notInt,
		"HEXPIRE h -1 FIELDS 1 f", negative,
		"HPEXPIREAT h -9223372036854775808 FIELDS 1 f", negative,
		"HGETEX h EX 68668744178 FIELDS 1 f", bad("hgetex"),
		"HGETEX h PX x FIELDS 1 f", notInt,
		"HGETEX h PXAT -1 FIELDS 1 f", negative,
		"HSETEX h EXAT 70368744178 FIELDS 1 f v", bad("hsetex"),
		"HSETEX h EX x FIELDS 1 f v", notInt,
		"HSETEX h PX -1 FIELDS 1 f v", negative,
		"HTTL h FIELDS 1 f", "*1\r\n:68668744177\r\n",
		"HEXPIRE h 1 FIELDS 2147483648 f", "-ERR The `numfields` parameter must match the number of arguments\r\n",
		"HEXPIRE h 1 FIELDS 9223372036854775808 f", "-ERR Parameter `numFields` should be greater than 0\r\n",
		"HSETEX h FIELDS 2147483648 f v", "-ERR invalid number of fields\r\n",
		"HGETEX h EX 5 FIELDS", "-ERR Number of fields must be a positive integer\r\n",
		"HSETEX h FNX EX 5 KEEPTTL", "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified\r\n",
	)
}

// TestFieldDeadlineSpoilsWatch: fields that go are changes for those who watch their key.
func TestFieldDeadlineSpoilsWatch(t *testing.T) {
	for _, active := range []bool{true, false} {
		h := newHarness(t)
		h.store.SetActiveExpire(active)
		c := h.conn(2)
		h.check(c, "HSET h a 1 b 2", ":2\r\n", "HPEXPIRE h 100 FIELDS 1 a", "*1\r\n:1\r\n", "WATCH h", "+OK\r\n")
		h.clock.Advance(time.Second)
		h.check(c, "MULTI", "+OK\r\n", "SET b v", "+QUEUED\r\n", "EXEC", "*-1\r\n")
	}
}

// TestTimeStandsStillForFields: within a transaction a field is not lost between two commands.
func TestTimeStandsStillForFields(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	h.check(c, "MULTI", "+OK\r\n",
		"HSETEX h PX 1 FIELDS 1 f v", "+QUEUED\r\n", "HGETEX h PXAT 1700000000000 FIELDS 1 f", "+QUEUED\r\n", "EXISTS h", "+QUEUED\r\n",
		"EXEC", "*3\r\n:1\r\n*1\r\n$1\r\nv\r\n:0\r\n")
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }
