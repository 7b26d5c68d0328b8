package commands

import (
	"fmt"
	"strings"
	"testing"

	"github.com/streampulse/pulse/internal/resp"
)

// words splits a line as a configuration file would.
func zwords(t testing.TB, line string) [][]byte {
	t.Helper()
	args, err := resp.SplitArgs([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	return args
}

type zstep struct{ do, want string }

func ztable(t *testing.T, c *Conn, h *harness, steps []zstep) {
	t.Helper()
	for _, s := range steps {
		if got := h.do(c, s.do); got != s.want {
			t.Errorf("%s = %q, want %q", s.do, got, s.want)
		}
	}
}

// What the recorded transcripts cannot show because it is newer than their server.
func TestZSetNewerThanTheOracle(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	ztable(t, c, h, []zstep{
		{"ZADD z 1 a 0.1 b 3 c", ":3\r\n"},
		{"ZRANK z c WITHSCORE", "*2\r\n:2\r\n$1\r\n3\r\n"},
		{"ZREVRANK z b withscore", "*2\r\n:2\r\n$3\r\n0.1\r\n"},
		{"ZRANK z nosuch WITHSCORE", "*-1\r\n"},
		{"ZRANK nokey a WITHSCORE", "*-1\r\n"},
		{"ZRANK z a nosuch", "-ERR syntax error\r\n"},
		{"ZRANK z a WITHSCORE more", "-ERR wrong number of arguments for 'zrank' command\r\n"},
		{"BZPOPMIN nokey 1e20", "-ERR timeout is out of range\r\n"},
		{"ZSCORE z b", "$3\r\n0.1\r\n"},
	})
	ztable(t, h.conn(3), h, []zstep{
		{"ZRANK z b WITHSCORE", "*2\r\n:0\r\n,0.1\r\n"},
		{"ZRANK z nosuch WITHSCORE", "_\r\n"},
		{"ZSCORE z b", ",0.1\r\n"},
	})
}

// Rows 40, 41, 44 and 47 of the list of hostile requests.
func TestZSetHostileNumbers(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	ztable(t, c, h, []zstep{
		{"ZADD z nan a", "-ERR value is not a valid float\r\n"},
		{"ZADD z 1e400 a", "-ERR value is not a valid float\r\n"},
		{"EXISTS z", ":0\r\n"},
		{"ZINCRBY z +inf a", "$3\r\ninf\r\n"},
		{"ZINCRBY z -inf a", "-ERR resulting score is not a number (NaN)\r\n"},
		{"ZADD z XX INCR -inf a", "-ERR resulting score is not a number (NaN)\r\n"},
		{"ZSCORE z a", "$3\r\ninf\r\n"},
		{"ZADD y -inf a 0 b", ":2\r\n"},
		{"ZUNION 2 z y WITHSCORES", "*4\r\n$1\r\na\r\n$1\r\n0\r\n$1\r\nb\r\n$1\r\n0\r\n"},
		{"ZINTER 2 z y WITHSCORES", "*2\r\n$1\r\na\r\n$1\r\n0\r\n"},
		{"ZUNION 1 y WEIGHTS inf WITHSCORES", "*4\r\n$1\r\na\r\n$4\r\n-inf\r\n$1\r\nb\r\n$1\r\n0\r\n"},
		{"ZUNION 1 y WEIGHTS nan", "-ERR weight value is not a float\r\n"},
		{"ZRANDMEMBER y -9223372036854775808", "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n"},
		{"ZRANDMEMBER y -9223372036854775807 WITHSCORES", "-ERR value is out of range\r\n"},
		{"ZRANDMEMBER y -9223372036854775807", "-ERR value is out of range\r\n"},
		{"ZUNIONSTORE d 0 z", "-ERR at least 1 input key is needed for 'zunionstore' command\r\n"},
		{"ZUNIONSTORE d -1 z", "-ERR at least 1 input key is needed for 'zunionstore' command\r\n"},
		{"ZUNIONSTORE d 2147483648 z", "-ERR syntax error\r\n"},
		{"ZMPOP 2147483648 z MIN", "-ERR syntax error\r\n"},
		{"ZMPOP 1 z MIN COUNT 9223372036854775808", "-ERR count should be greater than 0\r\n"},
		{"ZINTERCARD 1 y LIMIT 9223372036854775807", ":2\r\n"},
		{"ZSCAN z 0 COUNT 0", "-ERR syntax error\r\n"},
		{"ZSCAN y 0 COUNT 9223372036854775807", "*2\r\n$1\r\n0\r\n*4\r\n$1\r\na\r\n$4\r\n-inf\r\n$1\r\nb\r\n$1\r\n0\r\n"},
		{"ZSCAN z abc", "-ERR invalid cursor\r\n"},
		{"ZRANGE y -9223372036854775808 9223372036854775807", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"},
		{"ZRANGE y -inf inf BYSCORE LIMIT 9223372036854775807 9223372036854775807", "*0\r\n"},
		{"ZRANGE y -inf inf BYSCORE LIMIT 1 9223372036854775807", "*1\r\n$1\r\nb\r\n"},
		{"ZREMRANGEBYRANK y 9223372036854775807 -9223372036854775808", ":0\r\n"},
		{"ZPOPMIN y 9223372036854775807", "*4\r\n$1\r\na\r\n$4\r\n-inf\r\n$1\r\nb\r\n$1\r\n0\r\n"},
		{"EXISTS y", ":0\r\n"},
	})
}

// Every form of range must give the same whichever representation holds the members.
func TestZSetRangesInBothEncodings(t *testing.T) {
	var want []string
	for i, limit := range []int{1000, 0} {
		h := newHarness(t)
		l := *h.store.Limits()
		l.ZSetMaxListpackEntries = limit
		h.store.SetLimits(l)
		c := h.conn(2)
		for k := range 30 {
			h.do(c, fmt.Sprintf("ZADD z %d m%02d", k/3, k))
			h.do(c, fmt.Sprintf("ZADD same 0 m%02d", k))
		}
		var got []string
		for _, q := range []string{
			"ZRANGE z 0 -1 WITHSCORES", "ZRANGE z 5 2", "ZRANGE z -3 100", "ZRANGE z 2 4 REV", "ZREVRANGE z 0 0 WITHSCORES",
			"ZRANGE z (2 5 BYSCORE LIMIT 2 3", "ZRANGE z 5 (2 BYSCORE REV LIMIT 2 3", "ZRANGE z 5 2 BYSCORE", "ZRANGE z (5 (5 BYSCORE",
			"ZRANGEBYSCORE z 9 +inf", "ZREVRANGEBYSCORE z 0 -inf LIMIT 1 -1", "ZRANGE same [m05 (m09 BYLEX", "ZRANGE same + [m25 BYLEX REV LIMIT 1 2",
			"ZLEXCOUNT same - (m10", "ZCOUNT z 3 (7", "ZRANK z m17", "ZREVRANK z m17", "ZSCORE z m29", "ZMSCORE z m00 nosuch",
			"ZRANGESTORE d z 3 6", "ZRANGE d 0 -1 WITHSCORES", "ZRANGESTORE d z 9 5 BYSCORE REV LIMIT 1 4", "ZRANGE d 0 -1 WITHSCORES",
			"ZREMRANGEBYSCORE z (1 3", "ZREMRANGEBYRANK z -2 -1", "ZREMRANGEBYLEX same [m03 [m07", "ZCARD same", "ZPOPMAX z 2", "ZPOPMIN z",
			"ZUNION 2 z same WEIGHTS 2 3 WITHSCORES", "ZINTER 2 z same AGGREGATE MAX WITHSCORES", "ZDIFF 2 same z WITHSCORES", "ZINTERCARD 2 z same LIMIT 7",
			"ZRANGE z 0 -1 WITHSCORES",
		} {
			got = append(got, q+" = "+h.do(c, q))
		}
		if i == 0 {
			want = got
			continue
		}
		for k := range got {
			if got[k] != want[k] {
				t.Errorf("skiplist: %q\nlistpack: %q", got[k], want[k])
			}
		}
	}
}

func TestZRandMember(t *testing.T) {
	for _, n := range []int{10, 300} {
		h := newHarness(t)
		c := h.conn(2)
		for k := range n {
			h.do(c, fmt.Sprintf("ZADD z %d m%d", k, k))
		}
		for _, count := range []int{1, 5, 9, n / 2, n, n + 1} {
			lines := strings.Split(h.do(c, fmt.Sprintf("ZRANDMEMBER z %d", count)), "\r\n")
			seen := map[string]bool{}
			for _, l := range lines {
				if strings.HasPrefix(l, "m") {
					seen[l] = true
				}
			}
			if want := min(count, n); len(seen) != want {
				t.Errorf("%d of %d: %d different members", count, n, len(seen))
			}
		}
		if got := h.do(c, "ZRANDMEMBER z -50 WITHSCORES"); !strings.HasPrefix(got, "*100\r\n") || strings.Count(got, "m") != 50 {
			t.Errorf("50 draws: %q", got)
		}
	}
}

func TestZSetBlocking(t *testing.T) {
	h := newHarness(t)
	a, b, w := h.conn(2), h.conn(3), h.conn(2)
	ztable(t, a, h, []zstep{{"BZPOPMIN q r 0", "(blocked)"}})
	ztable(t, b, h, []zstep{{"BZMPOP 0 2 r q MAX COUNT 2", "(blocked)"}})
	ztable(t, w, h, []zstep{{"ZADD q 1 a 2 b 3 c", ":3\r\n"}, {"EXISTS q", ":0\r\n"}})
	if got, want := h.arrived(a), "*3\r\n$1\r\nq\r\n$1\r\na\r\n$1\r\n1\r\n"; got != want {
		t.Errorf("first: %q, want %q", got, want)
	}
	if got, want := h.arrived(b), "*2\r\n$1\r\nq\r\n*2\r\n*2\r\n$1\r\nc\r\n,3\r\n*2\r\n$1\r\nb\r\n,2\r\n"; got != want {
		t.Errorf("second: %q, want %q", got, want)
	}
	ztable(t, a, h, []zstep{
		{"MULTI", "+OK\r\n"}, {"BZPOPMAX q 0", "+QUEUED\r\n"}, {"BZMPOP 0 1 q MIN", "+QUEUED\r\n"}, {"EXEC", "*2\r\n*-1\r\n*-1\r\n"},
		{"BZPOPMAX q 0", "(blocked)"},
	})
	// A value of another type does not wake a client.
	ztable(t, w, h, []zstep{{"SET q x", "+OK\r\n"}, {"DEL q", ":1\r\n"}, {"ZUNIONSTORE q 1 r", ":0\r\n"}})
	if got := h.arrived(a); got != "" {
		t.Errorf("woken by nothing: %q", got)
	}
	ztable(t, w, h, []zstep{{"ZADD r 5 x", ":1\r\n"}, {"ZRANGESTORE q r 0 -1", ":1\r\n"}})
	if got, want := h.arrived(a), "*3\r\n$1\r\nq\r\n$1\r\nx\r\n$1\r\n5\r\n"; got != want {
		t.Errorf("after ZRANGESTORE: %q, want %q", got, want)
	}
}

func TestZSetEncodingOfResults(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	for k := range 200 {
		h.do(c, fmt.Sprintf("ZADD big %d m%d", k, k))
	}
	ztable(t, c, h, []zstep{
		{"OBJECT ENCODING big", "$8\r\nskiplist\r\n"},
		{"ZRANGESTORE small big 0 9", ":10\r\n"},
		{"OBJECT ENCODING small", "$8\r\nlistpack\r\n"},
		{"ZUNIONSTORE all 2 big small", ":200\r\n"},
		{"OBJECT ENCODING all", "$8\r\nskiplist\r\n"},
		{"ZADD long 1 " + strings.Repeat("x", 65), ":1\r\n"},
		{"OBJECT ENCODING long", "$8\r\nskiplist\r\n"},
	})
}

func TestZSetHotPathsDoNotAllocate(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	for k := range 500 {
		h.do(c, fmt.Sprintf("ZADD large %d member:%d", k, k))
		h.do(c, fmt.Sprintf("ZADD small %d member:%d", k%50, k%50))
	}
	for _, lines := range [][]string{
		{"ZINCRBY large 1.5 member:7", "ZINCRBY large -1.5 member:7"},
		{"ZINCRBY large 300 member:8", "ZINCRBY large -300 member:8"},
		{"ZADD large 700 member:9", "ZADD large 9 member:9"},
		{"ZINCRBY small 20 member:7", "ZINCRBY small -20 member:7"},
		{"ZADD small 70 member:9 71 member:10", "ZADD small 9 member:9 10 member:10"},
		{"ZADD large 1 new", "ZREM large new"},
		{"ZSCORE large member:1"}, {"ZRANK large member:1"}, {"ZRANK small member:1"},
		{"ZRANGE large 10 20 WITHSCORES"}, {"ZREVRANGE small 0 9 WITHSCORES"}, {"ZRANGEBYSCORE large 10 20 LIMIT 2 3"}, {"ZCOUNT small 3 (7"},
	} {
		var requests [][][]byte
		for _, l := range lines {
			requests = append(requests, zwords(t, l))
		}
		if n := testing.AllocsPerRun(100, func() {
			for _, r := range requests {
				c.Out.Reset(c.Out.Bytes()[:0])
				h.table.Do(c, r)
			}
		}); n != 0 {
			t.Errorf("%q: %v allocations", lines, n)
		}
	}
}
