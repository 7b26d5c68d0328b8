package commands

import (
	"bufio"
	"fmt"
	"strings"
	"testing"

	"github.com/streampulse/pulse/internal/resp"
)

// scanOnce sends one SCAN and returns the next cursor and the keys.
func (h *harness) scanOnce(c *Conn, line string) (cursor string, keys []string) {
	h.t.Helper()
	reply := h.do(c, line)
	parts := strings.Split(reply, "\r\n")
	if parts[0] != "*2" {
		h.t.Fatalf("%s = %q", line, reply)
	}
	cursor = parts[2]
	for i := 5; i < len(parts); i += 2 {
		keys = append(keys, parts[i])
	}
	return cursor, keys
}

// TestScanSeesWhatStays walks while keys come and go: what is there throughout is seen, exactly once.
func TestScanSeesWhatStays(t *testing.T) {
	for _, count := range []int{1, 10, 1000} {
		h := newHarness(t)
		c := h.conn(2)
		for i := range 1000 {
			h.do(c, fmt.Sprintf("SET stay:%d v", i))
		}
		for i := range 1000 {
			h.do(c, fmt.Sprintf("SET go:%d v", i))
		}
		seen := map[string]int{}
		cursor, step := "0", 0
		for {
			var keys []string
			cursor, keys = h.scanOnce(c, fmt.Sprintf("SCAN %s COUNT %d", cursor, count))
			for _, k := range keys {
				seen[k]++
			}
			if cursor == "0" {
				break
			}
			for range 3 {
				h.do(c, fmt.Sprintf("DEL go:%d", step))
				h.do(c, fmt.Sprintf("SET new:%d v", step))
				step++
			}
		}
		for i := range 1000 {
			if n := seen[fmt.Sprintf("stay:%d", i)]; n != 1 {
				t.Errorf("COUNT %d: stay:%d was seen %d times", count, i, n)
			}
		}
	}
}

func TestScanArguments(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	h.do(c, "SET k v")
	for _, cursor := range []string{"abc", "-1", "1.5", " 0", "18446744073709551616", "99999999999999999999999"} {
		if got := h.do(c, fmt.Sprintf("SCAN %q", cursor)); got != "-ERR invalid cursor\r\n" {
			t.Errorf("SCAN %q = %q", cursor, got)
		}
	}
	const none = "*2\r\n$1\r\n0\r\n*0\r\n"
	h.check(c,
		// A cursor from another life ends the walk or goes on somewhere.
		"SCAN 18446744073709551615", none,
		"SCAN 281474976710655", none,
		"SCAN 0 COUNT 9223372036854775807", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n",
		"SCAN 0 TYPE nosuch", none,
		"SCAN 0 TYPE STRING", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n",
		"SCAN 0 MATCH x*", none,
		"SCAN 0 COUNT 0", "-ERR syntax error\r\n",
		"SCAN 0 COUNT -9223372036854775808", "-ERR syntax error\r\n",
		"SCAN 0 COUNT x", "-ERR value is not an integer or out of range\r\n",
		"SCAN 0 COUNT", "-ERR syntax error\r\n",
	)
}

// TestHostilePatterns: patterns that send a recursive matcher into the night.
func TestHostilePatterns(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	h.run(c, [][]byte{[]byte("SET"), []byte(strings.Repeat("a", 50_000)), []byte("v")})
	for _, p := range []string{
		strings.Repeat("a*", 20) + "b", strings.Repeat("*?", 50_000), "[", "[z-a]b", `a\`, strings.Repeat("*a", 25_000) + "b",
	} {
		if got := h.run(c, [][]byte{[]byte("KEYS"), []byte(p)}); got != "*0\r\n" && len(got) < 50_000 {
			t.Errorf("KEYS %.20q = %.40q", p, got)
		}
		got := h.run(c, [][]byte{[]byte("SCAN"), []byte("0"), []byte("MATCH"), []byte(p)})
		if _, err := resp.Decode(bufio.NewReader(strings.NewReader(got))); err != nil {
			t.Errorf("SCAN 0 MATCH %.20q = %.40q: %v", p, got, err)
		}
	}
}

func TestDatabaseNumbers(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	const dbRange, same = "-ERR DB index is out of range\r\n", "-ERR source and destination objects are the same\r\n"
	h.check(c,
		"SET k v", "+OK\r\n",
		"SWAPDB 44 55", dbRange,
		"SWAPDB 0 16", dbRange,
		"SWAPDB -1 0", dbRange,
		"SWAPDB x 0", "-ERR invalid first DB index\r\n",
		"SWAPDB 0 4294967296", "-ERR invalid second DB index\r\n",
		"MOVE k 0", same,
		"MOVE k 16", dbRange,
		"MOVE k -1", dbRange,
		"MOVE k 4294967296", "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n",
		"COPY k k", same,
		"COPY k k DB 0", same,
		"COPY k k DB 16", dbRange,
		"COPY k k DB 15", ":1\r\n",
		"SWAPDB 0 15", "+OK\r\n",
		"DBSIZE", ":1\r\n",
		"MOVE k 15", ":0\r\n",
		"MOVE k 3", ":1\r\n",
		"DBSIZE", ":0\r\n",
	)
}

// TestRandomKeyReachesAll draws until every key was seen.
func TestRandomKeyReachesAll(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	for i := range 50 {
		h.do(c, fmt.Sprintf("SET key:%d v", i))
	}
	seen := map[string]bool{}
	for range 2000 {
		seen[h.do(c, "RANDOMKEY")] = true
	}
	if len(seen) != 50 {
		t.Errorf("%d of 50 keys were drawn", len(seen))
	}
}
