package commands

import (
	"fmt"
	"math/rand/v2"
	"strconv"
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

// fieldsModel is a naive hash with deadlines and the commands of this file on it.
type fieldsModel struct {
	now    int64
	values map[string]string
	at     map[string]int64 // of fields that have a deadline
}

func (m *fieldsModel) expire() {
	for f, at := range m.at {
		if at <= m.now {
			m.remove(f)
		}
	}
}

func (m *fieldsModel) remove(f string) bool {
	_, ok := m.values[f]
	delete(m.values, f)
	delete(m.at, f)
	return ok
}

func (m *fieldsModel) set(f, v string) { m.values[f] = v }

// deadline gives f the deadline at, if cond allows, and returns what HEXPIRE replies.
func (m *fieldsModel) deadline(f, cond string, at int64) int {
	old, timed := m.at[f]
	switch _, ok := m.values[f]; {
	case !ok:
		return -2
	case cond == "NX" && timed, cond == "XX" && !timed, cond == "GT" && (!timed || at <= old), cond == "LT" && timed && at >= old:
		return 0
	case at <= m.now:
		m.remove(f)
		return 2
	}
	m.at[f] = at
	return 1
}

func (m *fieldsModel) get(f string) string {
	if v, ok := m.values[f]; ok {
		return bulk(v)
	}
	return "$-1\r\n"
}

// TestFieldsAgainstModel sends random commands about one hash while time goes by.
func TestFieldsAgainstModel(t *testing.T) {
	bothHashForms(t, func(t *testing.T, h *harness, _ string) {
		c, r := h.conn(2), rand.New(rand.NewPCG(7, 8))
		m := fieldsModel{now: 1_700_000_000_000, values: map[string]string{}, at: map[string]int64{}}
		pick := func(from ...string) string { return from[r.IntN(len(from))] }
		for step := range 6000 {
			f, g, v := fmt.Sprint("f", r.IntN(12)), fmt.Sprint("g", r.IntN(12)), fmt.Sprint(r.IntN(1000))
			ms := r.Int64N(60)
			at := m.now + ms
			cond := pick("NX", "XX", "GT", "LT", "")
			life := "PX " + fmt.Sprint(ms)
			if r.IntN(2) == 0 {
				life = "PXAT " + fmt.Sprint(at)
			}
			var do, want string
			switch r.IntN(10) {
			case 0:
				do, want = fmt.Sprintf("HSET h %s %s %s %s", f, v, g, v), ""
				m.remove(f)
				m.remove(g)
				m.set(f, v)
				m.set(g, v)
			case 1, 2:
				do = fmt.Sprintf("HPEXPIRE h %d %s FIELDS 2 %s %s", ms, cond, f, g)
				if r.IntN(2) == 0 {
					do = fmt.Sprintf("HPEXPIREAT h %d %s FIELDS 2 %s %s", at, cond, f, g)
				}
				want = fmt.Sprintf("*2\r\n:%d\r\n:%d\r\n", m.deadline(f, cond, at), m.deadline(g, cond, at))
			case 3:
				do = fmt.Sprintf("HPERSIST h FIELDS 1 %s", f)
				want = "*1\r\n:-2\r\n"
				if _, timed := m.at[f]; timed {
					want = "*1\r\n:1\r\n"
				} else if _, ok := m.values[f]; ok {
					want = "*1\r\n:-1\r\n"
				}
				delete(m.at, f)
			case 4:
				do = fmt.Sprintf("HGETEX h %s FIELDS 2 %s %s", life, f, g)
				want = "*2\r\n" + m.get(f)
				m.deadline(f, "", at)
				want += m.get(g)
				m.deadline(g, "", at)
			case 5:
				do = fmt.Sprintf("HGETDEL h FIELDS 2 %s %s", f, f)
				want = "*2\r\n" + m.get(f) + "$-1\r\n"
				m.remove(f)
			case 6:
				keep := pick("KEEPTTL", "", life)
				if cond = pick("FNX", "FXX", ""); r.IntN(2) == 0 {
					do = fmt.Sprintf("HSETEX h %s %s FIELDS 2 %s %s %s %s", cond, keep, f, v, g, v)
				} else {
					do = fmt.Sprintf("HSETEX h %s %s FIELDS 2 %s %s %s %s", keep, cond, f, v, g, v)
				}
				_, hasF := m.values[f]
				_, hasG := m.values[g]
				if want = ":0\r\n"; cond == "FNX" && (hasF || hasG) || cond == "FXX" && !(hasF && hasG) {
					break
				}
				want = ":1\r\n"
				for _, f := range []string{f, g} {
					if keep != "KEEPTTL" {
						delete(m.at, f)
					}
					if m.set(f, v); keep == life {
						m.deadline(f, "", at)
					}
				}
			case 7:
				do = fmt.Sprintf("HINCRBY h %s 1", f)
				n, _ := strconv.Atoi(m.values[f])
				m.set(f, fmt.Sprint(n+1))
				want = fmt.Sprintf(":%d\r\n", n+1)
			case 8:
				do, want = fmt.Sprintf("HDEL h %s", f), ":0\r\n"
				if m.remove(f) {
					want = ":1\r\n"
				}
			case 9:
				h.clock.Advance(time.Duration(ms/4) * time.Millisecond)
				m.now += ms / 4
				m.expire()
				do, want = "HLEN h", fmt.Sprintf(":%d\r\n", len(m.values))
			}
			if got := h.do(c, do); got != want && want != "" {
				t.Fatalf("step %d: %s = %q, want %q", step, do, got, want)
			}
			left := "-2"
			if at, timed := m.at[f]; timed {
				left = fmt.Sprint(at - m.now)
			} else if _, ok := m.values[f]; ok {
				left = "-1"
			}
			exists := 0
			if len(m.values) > 0 {
				exists = 1
			}
			h.check(c,
				"HPTTL h FIELDS 1 "+f, "*1\r\n:"+left+"\r\n", "HGET h "+f, m.get(f),
				"HLEN h", fmt.Sprintf(":%d\r\n", len(m.values)), "EXISTS h", fmt.Sprintf(":%d\r\n", exists))
			if t.Failed() {
				t.Fatalf("after step %d: %s", step, do)
			}
		}
	})
}
