package commands

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/stream"
)

func TestWaitingForStreams(t *testing.T) {
	const (
		gone    = "-UNBLOCKED the stream key no longer exists"
		noGroup = "-NOGROUP the consumer group this client was blocked on no longer exists"
	)
	for name, story := range map[string][]exchange{
		"everybody in order": {
			{"9 XGROUP CREATE x g $ MKSTREAM", "OK"}, {"9 XGROUP CREATE x h $", "OK"},
			{"1 XREAD BLOCK 0 STREAMS x $", "(blocked)"}, {"2 XREADGROUP GROUP g a BLOCK 0 STREAMS x >", "(blocked)"},
			{"3 XREADGROUP GROUP g b BLOCK 0 STREAMS x >", "(blocked)"}, {"4 XREADGROUP GROUP h c BLOCK 0 STREAMS x >", "(blocked)"},
			{"5 XREAD BLOCK 0 STREAMS x $", "(blocked)"}, {"6 XREAD BLOCK 0 STREAMS x 1-0", "(blocked)"},
			{"9 XADD x 1-0 f v", "1-0"},
			{"1 <", "[[x [[1-0 [f v]]]]]"}, {"2 <", "[[x [[1-0 [f v]]]]]"}, {"3 <", ""}, {"4 <", "[[x [[1-0 [f v]]]]]"},
			{"5 <", "[[x [[1-0 [f v]]]]]"}, {"6 <", ""},
			{"9 XADD x 2-0 f v", "2-0"}, {"3 <", "[[x [[2-0 [f v]]]]]"}, {"6 <", "[[x [[2-0 [f v]]]]]"},
			{"9 XPENDING x g - + 9", "[[1-0 a 0 1] [2-0 b 0 1]]"},
		},
		"$ is what was last when the wait began": {
			{"9 XADD x 5-0 f v", "5-0"}, {"1 XREAD BLOCK 0 STREAMS x y $ $", "(blocked)"}, {"9 DEL x", "1"},
			{"9 XADD x 5-0 f v", "5-0"}, {"1 <", ""}, {"9 MULTI", "OK"}, {"9 XADD x 6-0 f v", "QUEUED"}, {"9 XADD x 6-1 f v", "QUEUED"},
			{"9 XADD y 1-0 f v", "QUEUED"}, {"9 EXEC", "[6-0 6-1 1-0]"},
			{"1 <", "[[x [[6-0 [f v]] [6-1 [f v]]]] [y [[1-0 [f v]]]]]"},
		},
		"$ while entries are removed": {
			{"9 XADD x 5-0 f v", "5-0"}, {"9 XDEL x 5-0", "1"}, {"1 XREAD BLOCK 0 STREAMS x $", "(blocked)"},
			{"2 XREAD BLOCK 0 STREAMS x +", "(blocked)"}, {"3 XREAD BLOCK 0 STREAMS x 0", "(blocked)"},
			{"9 XADD x 6-0 f v", "6-0"}, {"1 <", "[[x [[6-0 [f v]]]]]"}, {"2 <", "[[x [[6-0 [f v]]]]]"}, {"3 <", "[[x [[6-0 [f v]]]]]"},
		},
		"gone again in the same transaction": {
			{"9 XGROUP CREATE x g $ MKSTREAM", "OK"}, {"1 XREAD BLOCK 0 STREAMS x $", "(blocked)"}, {"2 XREADGROUP GROUP g a BLOCK 0 STREAMS x >", "(blocked)"},
			{"9 MULTI", "OK"}, {"9 XADD x 1-0 f v", "QUEUED"}, {"9 XDEL x 1-0", "QUEUED"}, {"9 EXEC", "[1-0 1]"}, {"1 <", ""}, {"2 <", ""},
			{"9 XADD x 2-0 f v", "2-0"}, {"1 <", "[[x [[2-0 [f v]]]]]"}, {"2 <", "[[x [[2-0 [f v]]]]]"},
		},
		"the stream is deleted": {
			{"9 XGROUP CREATE x g $ MKSTREAM", "OK"}, {"1 XREAD BLOCK 0 STREAMS x $", "(blocked)"}, {"2 XREADGROUP GROUP g a BLOCK 0 STREAMS x >", "(blocked)"},
			{"9 DEL x", "1"}, {"1 <", ""}, {"2 <", gone}, {"9 XADD x 1-0 f v", "1-0"}, {"1 <", "[[x [[1-0 [f v]]]]]"},
		},
		"the stream is replaced": {
			{"9 XGROUP CREATE x g $ MKSTREAM", "OK"}, {"1 XREAD BLOCK 0 STREAMS x y $ $", "(blocked)"}, {"2 XREADGROUP GROUP g a BLOCK 0 STREAMS x >", "(blocked)"},
			{"9 SET x 1", "OK"}, {"1 <", ""}, {"2 <", gone}, {"9 XADD y 1-0 f v", "1-0"}, {"1 <", "[[y [[1-0 [f v]]]]]"},
		},
		"one of two streams goes": {
			{"9 XGROUP CREATE x g $ MKSTREAM", "OK"}, {"9 XGROUP CREATE y g $ MKSTREAM", "OK"},
			{"2 XREADGROUP GROUP g a BLOCK 0 STREAMS x y > >", "(blocked)"}, {"9 UNLINK y", "1"}, {"2 <", gone},
		},
		"the group goes": {
			{"9 XGROUP CREATE x g $ MKSTREAM", "OK"}, {"9 XGROUP CREATE x h $", "OK"}, {"1 XREADGROUP GROUP h a BLOCK 0 STREAMS x >", "(blocked)"},
			{"2 XREADGROUP GROUP g a BLOCK 0 STREAMS x >", "(blocked)"}, {"9 XGROUP DESTROY x g", "1"}, {"1 <", ""}, {"2 <", noGroup},
		},
		"the group goes and comes again": {
			{"9 XADD x 1-0 f v", "1-0"}, {"9 XGROUP CREATE x g $", "OK"}, {"2 XREADGROUP GROUP g a BLOCK 0 STREAMS x >", "(blocked)"},
			{"9 MULTI", "OK"}, {"9 XGROUP DESTROY x g", "QUEUED"}, {"9 XGROUP CREATE x g 0", "QUEUED"}, {"9 EXEC", "[1 OK]"},
			{"2 <", "[[x [[1-0 [f v]]]]]"},
		},
		"another stream takes the name": {
			{"9 XGROUP CREATE x g $ MKSTREAM", "OK"}, {"1 XREAD BLOCK 0 STREAMS x $", "(blocked)"}, {"2 XREADGROUP GROUP g a BLOCK 0 STREAMS x >", "(blocked)"},
			{"9 XADD y 7-0 f v", "7-0"}, {"9 RENAME y x", "OK"}, {"1 <", "[[x [[7-0 [f v]]]]]"}, {"2 <", noGroup},
		},
		"the database is emptied": {
			{"9 XGROUP CREATE x g $ MKSTREAM", "OK"}, {"1 XREAD BLOCK 0 STREAMS x $", "(blocked)"}, {"2 XREADGROUP GROUP g a BLOCK 0 STREAMS x >", "(blocked)"},
			{"9 FLUSHALL", "OK"}, {"1 <", ""}, {"2 <", gone},
		},
		"databases are exchanged": {
			{"9 XGROUP CREATE x g $ MKSTREAM", "OK"}, {"2 XREADGROUP GROUP g a BLOCK 0 STREAMS x >", "(blocked)"},
			{"9 in1 SET x v", "OK"}, {"9 SWAPDB 0 1", "OK"}, {"2 <", gone},
		},
		"nobody waits inside a transaction": {
			{"9 XGROUP CREATE x g $ MKSTREAM", "OK"}, {"1 MULTI", "OK"}, {"1 XREAD BLOCK 0 STREAMS x $", "QUEUED"},
			{"1 XREADGROUP GROUP g a BLOCK 0 STREAMS x >", "QUEUED"}, {"1 EXEC", "[nil* nil*]"},
		},
		"a stream twice": {
			{"9 XGROUP CREATE x g $ MKSTREAM", "OK"}, {"2 XREADGROUP GROUP g a COUNT 1 BLOCK 0 STREAMS x x > >", "(blocked)"},
			{"9 MULTI", "OK"}, {"9 XADD x 1-0 f v", "QUEUED"}, {"9 XADD x 2-0 f v", "QUEUED"}, {"9 EXEC", "[1-0 2-0]"},
			{"2 <", "[[x [[1-0 [f v]]]] [x [[2-0 [f v]]]]]"},
		},
		"the name of the group is the word for streams": {
			{"9 XGROUP CREATE x STREAMS $ MKSTREAM", "OK"}, {"2 XREADGROUP COUNT 9 GROUP STREAMS STREAMS BLOCK 0 STREAMS x >", "(blocked)"},
			{"9 XADD x 1-0 f v", "1-0"}, {"2 <", "[[x [[1-0 [f v]]]]]"},
		},
		"deliveries are counted up to a point": {
			{"9 XADD x 1-0 f v", "1-0"}, {"9 XGROUP CREATE x g 0", "OK"}, {"9 XCLAIM x g a 0 1-0 RETRYCOUNT 9223372036854775806 FORCE JUSTID", "[1-0]"},
			{"9 XREADGROUP GROUP g a STREAMS x 0", "[[x [[1-0 [f v]]]]]"}, {"9 XREADGROUP GROUP g a STREAMS x 0", "[[x [[1-0 [f v]]]]]"},
			{"9 XPENDING x g - + 9", "[[1-0 a 0 9223372036854775807]]"},
		},
		"history does not wait": {
			{"9 XGROUP CREATE x g $ MKSTREAM", "OK"}, {"2 XREADGROUP GROUP g a BLOCK 0 STREAMS x 0", "[[x []]]"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, newHarness(t), story, func(reply string) string { return brief(t, reply) })
		})
	}
}

func TestWaitingForStreamThatExpires(t *testing.T) {
	h := newHarness(t)
	c, other := h.conn(2), h.conn(2)
	h.do(other, "XGROUP CREATE x g $ MKSTREAM")
	h.do(c, "XREADGROUP GROUP g a BLOCK 0 STREAMS x >")
	h.do(other, "PEXPIRE x 10")
	h.store.SetActiveExpire(false)
	h.clock.Advance(11 * time.Millisecond)
	h.do(other, "EXISTS x")
	if got := h.arrived(c); got != "-UNBLOCKED the stream key no longer exists\r\n" {
		t.Errorf("after its stream expired: %q", got)
	}
}

func TestWaitingForStreamsTimesOut(t *testing.T) {
	for proto, want := range map[int]string{2: "*-1\r\n", 3: "_\r\n"} {
		h := newHarness(t)
		c, other := h.conn(proto), h.conn(2)
		h.do(other, "XGROUP CREATE x g $ MKSTREAM")
		for _, line := range []string{"XREAD BLOCK 100 STREAMS x $", "XREADGROUP GROUP g a BLOCK 100 STREAMS x >"} {
			h.do(c, line)
			h.clock.Advance(99 * time.Millisecond)
			if got := h.arrived(c); got != "" {
				t.Errorf("%s: %q arrived too early", line, got)
			}
			h.clock.Advance(time.Millisecond)
			if got := h.arrived(c); got != want {
				t.Errorf("%s in RESP%d: %q, want %q", line, proto, got, want)
			}
		}
		h.do(c, "XREADGROUP GROUP g a BLOCK 0 STREAMS x >")
		if !h.unblock(c, true) || h.arrived(c) != "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n" {
			t.Error("not unblocked")
		}
		if got := h.do(other, "XADD x 1-0 f v"); got != "$3\r\n1-0\r\n" || len(h.delivered) != 0 {
			t.Errorf("served after its time: %q", got)
		}
	}
}

// TestWaitingGetsSoMany adds more entries at once than who waited gets if it does not say how many it wants.
func TestWaitingGetsSoMany(t *testing.T) {
	h := newHarness(t)
	c, all, other := h.conn(2), h.conn(2), h.conn(2)
	h.do(c, "XREAD BLOCK 0 STREAMS x $")
	h.do(all, "XREAD COUNT 5000 BLOCK 0 STREAMS x $")
	h.do(other, "MULTI")
	for range blockedReadCount + 10 {
		h.do(other, "XADD x * f v")
	}
	h.do(other, "EXEC")
	if n := strings.Count(h.arrived(c), "$1\r\nf\r\n"); n != blockedReadCount {
		t.Errorf("%d entries, want %d", n, blockedReadCount)
	}
	if n := strings.Count(h.arrived(all), "$1\r\nf\r\n"); n != blockedReadCount+10 {
		t.Errorf("%d entries, want all", n)
	}
}

func TestStreamEntryTooLarge(t *testing.T) {
	big := make([]byte, stream.MaxEntry/4)
	if fitsEntry([][]byte{big, big, big, big, {0}}) {
		t.Error("an entry beyond the limit fits")
	}
	if !fitsEntry([][]byte{big, big, big, big}) {
		t.Error("an entry at the limit does not fit")
	}
}

func TestStreamEffects(t *testing.T) {
	h := newHarness(t)
	l := store.DefaultLimits()
	l.StreamNodeMaxEntries = 3
	h.store.SetLimits(l)
	c, waiting := h.conn(2), h.conn(2)
	feed := &textFeed{}
	h.store.SetFeed(feed)
	const now = "1700000000000"
	for _, step := range []struct{ do, fed string }{
		{"XADD x * f v", "XADD x " + now + "-0 f v"},
		{"XADD x * f v", "XADD x " + now + "-1 f v"},
		{"XADD x " + now + "-* f v", "XADD x " + now + "-2 f v"},
		{"XADD x 1700000000001 f v", "XADD x 1700000000001 f v"},
		{"XADD x 1 f v", ""},
		{"XADD nokey NOMKSTREAM * f v", ""},
		{"XADD x NOMKSTREAM MAXLEN ~ 1 LIMIT 2 LIMIT 100 1700000000002-* f v", "XADD x MAXLEN = 2 1700000000002-0 f v"},
		{"XADD x MAXLEN 2 1700000000003 f v", "XADD x MAXLEN 2 1700000000003 f v"},
		{"XADD x MAXLEN 2 1700000000004-* f v", "XADD x MAXLEN = 2 1700000000004-0 f v"},
		{"XADD x MINID ~ 1700000000001 DELREF 1700000000005 f v", "XADD x MINID = 1700000000003-0 DELREF 1700000000005-0 f v"},
		{"XTRIM x MAXLEN ~ 3", ""},
		{"XTRIM x MAXLEN 3", ""},
		{"XTRIM x MINID 1700000000004", "XTRIM x MINID = 1700000000004-0"},
		{"XTRIM x MAXLEN ~ 0 LIMIT 0", "XTRIM x MAXLEN = 0"},
		{"XADD x MINID ~ 1800000000000 1700000000005-1 f v", "XADD x MINID = 18446744073709551615-18446744073709551615 1700000000005-1 f v"},
		{"XADD x 1700000000006 f v", "XADD x 1700000000006 f v"},
		{"XGROUP CREATE x g 0", "XGROUP CREATE x g 0"},
		{"XREADGROUP GROUP g a STREAMS x 0", "XGROUP CREATECONSUMER x g a"},
		{"XREADGROUP GROUP g a STREAMS x >", "XCLAIM x g a 0 1700000000006-0 TIME " + now + " RETRYCOUNT 1 FORCE JUSTID LASTID 1700000000006-0; XGROUP SETID x g 1700000000006-0 ENTRIESREAD 10"},
		{"XREADGROUP GROUP g a STREAMS x >", ""},
		{"XREADGROUP GROUP g a STREAMS x 0", "XCLAIM x g a 0 1700000000006-0 TIME " + now + " RETRYCOUNT 2 FORCE JUSTID LASTID 1700000000006-0"},
		{"XTRIM x MAXLEN ~ 0 ACKED", ""},
		{"XDELEX x ACKED IDS 1 1700000000006-0", ""},
		{"XACKDEL x g ACKED IDS 1 1700000000006-0", "XACKDEL x g ACKED IDS 1 1700000000006-0"},
		{"XADD x 1700000000007 f v", "XADD x 1700000000007 f v"},
		{"XREADGROUP GROUP g b NOACK STREAMS x >", "XGROUP CREATECONSUMER x g b; XGROUP SETID x g 1700000000007-0 ENTRIESREAD 11"},
		{"XADD x 1700000000008 f v", "XADD x 1700000000008 f v"},
		{"XTRIM x MINID ~ 1700000000009 ACKED", "XTRIM x MAXLEN = 1 ACKED"},
		{"XADD x 1700000000009 f v", "XADD x 1700000000009 f v"},
		{"XTRIM x MINID 1700000000009 DELREF", "XTRIM x MINID = 1700000000009-0 DELREF"},
		{"XDEL x 1700000000009", "XDEL x 1700000000009"},
		{"XSETID x 1700000000010", "XSETID x 1700000000010"},
	} {
		reply := h.do(c, step.do)
		if got := feed.take(); got != step.fed {
			t.Errorf("%s fed %q, want %q; the reply was %q", step.do, got, step.fed, reply)
		}
	}
	h.do(waiting, "XREADGROUP GROUP g c BLOCK 0 STREAMS x >")
	if got, want := feed.take(), "XGROUP CREATECONSUMER x g c"; got != want {
		t.Errorf("a consumer that waits fed %q, want %q", got, want)
	}
	h.do(c, "XADD x 1700000000011 f v")
	if got := feed.take(); !strings.HasPrefix(got, "XADD x 1700000000011 f v | XCLAIM x g c 0 1700000000011-0 TIME ") {
		t.Errorf("an entry for who waited fed %q", got)
	}
}

// streamRequests makes requests at random that often mean something.
type streamRequests struct {
	r    *rand.Rand
	next int
}

func (q *streamRequests) pick(words ...string) string { return words[q.r.IntN(len(words))] }

func (q *streamRequests) key() string      { return q.pick("x", "y") }
func (q *streamRequests) group() string    { return q.pick("g", "h") }
func (q *streamRequests) consumer() string { return q.pick("a", "b", "c") }
func (q *streamRequests) id() string {
	return fmt.Sprintf("%d-%d", max(0, q.next-q.r.IntN(20)), q.r.IntN(3))
}

func (q *streamRequests) trim() string {
	s := q.pick("MAXLEN ", "MAXLEN ~ ", "MAXLEN = ") + fmt.Sprint(q.r.IntN(12))
	if q.r.IntN(2) == 0 {
		s = q.pick("MINID ", "MINID ~ ", "MINID = ") + q.id()
	}
	if strings.Contains(s, "~") && q.r.IntN(3) == 0 {
		s += fmt.Sprint(" LIMIT ", q.r.IntN(8))
	}
	return s + q.pick("", "", " KEEPREF", " DELREF", " ACKED")
}

func (q *streamRequests) ids() string {
	ids := make([]string, 1+q.r.IntN(4))
	for i := range ids {
		ids[i] = q.id()
	}
	return strings.Join(ids, " ")
}

func (q *streamRequests) counted() string {
	ids := q.ids()
	return fmt.Sprintf("%s IDS %d %s", q.pick("", "KEEPREF", "DELREF", "ACKED"), 1+strings.Count(ids, " "), ids)
}

func (q *streamRequests) make() string {
	k, g, c := q.key(), q.group(), q.consumer()
	switch q.r.IntN(24) {
	case 0, 1, 2, 3:
		q.next += q.r.IntN(2)
		return fmt.Sprintf("XADD %s %d-* f v g w", k, q.next)
	case 4, 5:
		q.next++
		return fmt.Sprintf("XADD %s %s %d-* %s v", k, q.trim(), q.next, q.pick("f", "e"))
	case 6:
		return fmt.Sprintf("XTRIM %s %s", k, q.trim())
	case 7, 8:
		return fmt.Sprintf("XDEL %s %s", k, q.ids())
	case 9:
		return fmt.Sprintf("XDELEX %s %s", k, q.counted())
	case 10:
		return fmt.Sprintf("XACKDEL %s %s %s", k, g, q.counted())
	case 11, 12, 13:
		return fmt.Sprintf("XREADGROUP GROUP %s %s COUNT %d STREAMS %s >", g, c, 1+q.r.IntN(4), k)
	case 14:
		return fmt.Sprintf("XREADGROUP GROUP %s %s %s STREAMS x y > >", g, c, q.pick("NOACK", "COUNT 1", "COUNT 2"))
	case 15:
		return fmt.Sprintf("XREADGROUP GROUP %s %s COUNT 3 STREAMS %s %s", g, c, k, q.id())
	case 16, 17:
		return fmt.Sprintf("XACK %s %s %s", k, g, q.ids())
	case 18:
		return fmt.Sprintf("XCLAIM %s %s %s %d %s %s", k, g, c, q.r.IntN(3), q.ids(), q.pick("", "FORCE", "JUSTID", "FORCE RETRYCOUNT 7", "IDLE 5 LASTID 3-0"))
	case 19:
		return fmt.Sprintf("XAUTOCLAIM %s %s %s %d - COUNT %d %s", k, g, c, q.r.IntN(3), 1+q.r.IntN(4), q.pick("", "JUSTID"))
	case 20:
		return q.pick(fmt.Sprintf("XGROUP CREATE %s %s %s MKSTREAM", k, g, q.pick("0", "$", q.id())), fmt.Sprintf("XGROUP SETID %s %s %s", k, g, q.id()))
	case 21:
		return fmt.Sprintf("XGROUP %s %s %s %s", q.pick("CREATECONSUMER", "DELCONSUMER"), k, g, c)
	case 22:
		return fmt.Sprintf("XSETID %s %d-5 ENTRIESADDED %d", k, q.next, q.r.IntN(90))
	}
	return q.pick(fmt.Sprintf("DEL %s", k), fmt.Sprintf("XGROUP DESTROY %s %s", k, g), "RENAME x y", "COPY x y REPLACE", "XREAD STREAMS x y 0 $")
}

// streamsOf describes all that is known of the streams but when consumers were seen.
func streamsOf(t *testing.T, h *harness) string {
	var b strings.Builder
	c := h.conn(2)
	for _, k := range []string{"x", "y"} {
		for _, line := range []string{"XINFO STREAM " + k, "XINFO GROUPS " + k, "XRANGE " + k + " - +",
			"XPENDING " + k + " g - + 1000", "XPENDING " + k + " h - + 1000"} {
			fmt.Fprintf(&b, "%s: %s\n", line, brief(t, h.do(c, line)))
		}
		h.tx.Begin(0)
		h.tx.LockKey([]byte(k))
		s, _ := h.tx.Stream([]byte(k), store.Read)
		if s != nil {
			if err := s.Check(); err != nil {
				fmt.Fprintf(&b, "%s: %v\n", k, err)
			}
		}
		for g := range s.Groups() {
			for c := range g.Consumers() {
				fmt.Fprintf(&b, "%s %s %s: %d\n", k, g.Name(), c.Name(), c.NumPending())
			}
		}
		h.tx.Unlock()
	}
	return b.String()
}

// TestStreamEffectsReplay runs requests at random, and then what they fed elsewhere: both must know the same.
func TestStreamEffectsReplay(t *testing.T) {
	for seed := range uint64(12) {
		q := &streamRequests{r: rand.New(rand.NewPCG(seed, 5))}
		l := store.DefaultLimits()
		l.StreamNodeMaxEntries = []int{1, 3, 100}[seed%3]
		live, again := newHarness(t), newHarness(t)
		live.store.SetLimits(l)
		again.store.SetLimits(l)
		feed := &textFeed{}
		live.store.SetFeed(feed)
		c, waiting, other := live.conn(2), live.conn(2), again.conn(2)
		var done []string
		for i := range 300 {
			line := q.make()
			if i%10 == 0 && !waiting.Blocked() {
				live.do(waiting, fmt.Sprintf("XREADGROUP GROUP %s %s BLOCK 3 STREAMS x >", q.group(), q.consumer()))
			}
			live.do(c, line)
			live.arrived(waiting)
			done = append(done, line)
			fed := feed.take()
			for _, unit := range strings.FieldsFunc(fed, func(r rune) bool { return r == ';' || r == '|' }) {
				if got := again.do(other, strings.TrimSpace(unit)); got[0] == '-' {
					t.Fatalf("seed %d: %s fed %s, which says %s", seed, line, unit, got)
				}
			}
			if i%7 == 0 {
				live.clock.Advance(time.Millisecond)
				live.arrived(waiting)
				again.clock.Advance(time.Millisecond)
			}
			if i%20 != 0 && i < 290 {
				continue
			}
			if want, got := streamsOf(t, live), streamsOf(t, again); got != want {
				t.Fatalf("seed %d, after\n%s\nfed %s:\n%s\nbut again\n%s", seed, strings.Join(done[max(0, len(done)-25):], "\n"), fed, want, got)
			}
		}
	}
}

// TestStreamRequestsNeverFail runs requests made of words of the language of streams in any order: nothing must break.
func TestStreamRequestsNeverFail(t *testing.T) {
	words := strings.Fields("x y s g h a b * $ > + - ( (5-0 0 1 5-5 5-* -5 -1 99999999999999999999 18446744073709551615 18446744073709551615-18446744073709551615 " +
		"9223372036854775807 MAXLEN MINID ~ = LIMIT NOMKSTREAM KEEPREF DELREF ACKED IDS COUNT BLOCK STREAMS STREAMS GROUP NOACK ENTRIESADDED MAXDELETEDID 0-0 f v")
	h := newHarness(t)
	c := h.conn(2)
	h.do(c, "SET s v")
	r := rand.New(rand.NewPCG(7, 7))
	for range 20_000 {
		row := &streamCommands[r.IntN(len(streamCommands))]
		args := [][]byte{[]byte(row.Name)}
		for range r.IntN(10) {
			args = append(args, []byte(words[r.IntN(len(words))]))
		}
		if r.IntN(4) == 0 {
			h.do(c, "XGROUP CREATE x g 0 MKSTREAM")
			h.do(c, "XADD x * f v")
		}
		if h.run(c, args) == "(blocked)" {
			h.unblock(c, false)
			h.arrived(c)
		}
	}
	for _, k := range []string{"x", "y"} {
		h.tx.Begin(0)
		h.tx.LockKey([]byte(k))
		if s, err := h.tx.Stream([]byte(k), store.Read); err == nil && s != nil {
			if err := s.Check(); err != nil {
				t.Error(err)
			}
		}
		h.tx.Unlock()
	}
}

func TestXreadgroupKeys(t *testing.T) {
	h := newHarness(t)
	for line, want := range map[string]string{
		"XREADGROUP GROUP g c STREAMS x y > >":                     "x y",
		"XREADGROUP COUNT 1 GROUP STREAMS c STREAMS x >":           "x",
		"XREADGROUP NOACK GROUP g STREAMS BLOCK 0 STREAMS x y 0 0": "x y",
		"XREAD COUNT 1 STREAMS x y 0 0":                            "x y",
	} {
		args := bytes.Fields([]byte(line))
		spec := h.table.Lookup(args[0])
		pos, whole := spec.Reach(args, nil)
		var keys []string
		for _, p := range pos {
			keys = append(keys, string(args[p.Pos]))
		}
		for _, k := range strings.Fields(want) {
			if !slices.Contains(keys, k) {
				t.Errorf("%s: the key %s is not among %q", line, k, keys)
			}
		}
		if !whole {
			t.Errorf("%s: not all keys are known", line)
		}
	}
}

func BenchmarkXadd(b *testing.B) {
	h := newHarness(b)
	c := h.conn(2)
	args := bytes.Fields([]byte("XADD x MAXLEN ~ 1000 * user 1234567 event login device android"))
	b.ReportAllocs()
	for b.Loop() {
		c.Out.Reset(c.Out.Bytes()[:0])
		h.gate.Enter()
		h.table.Do(c, args)
		h.gate.Leave()
	}
}

func BenchmarkXreadgroup(b *testing.B) {
	h := newHarness(b)
	c := h.conn(2)
	h.do(c, "XGROUP CREATE x g 0 MKSTREAM")
	add := bytes.Fields([]byte("XADD x MAXLEN ~ 1000 * user 1234567 event login device android"))
	read := bytes.Fields([]byte("XREADGROUP GROUP g c COUNT 1 STREAMS x >"))
	ack := bytes.Fields([]byte("XACK x g 0-0"))
	round := [][][]byte{add, read, ack}
	b.ReportAllocs()
	for b.Loop() {
		for i, args := range round {
			if i == 2 {
				reply := c.Out.Bytes()
				at := bytes.Index(reply, []byte("-0\r\n"))
				if at < 0 {
					at = bytes.IndexByte(reply, '-')
				}
				start := bytes.LastIndexByte(reply[:at], '\n') + 1
				end := at + bytes.IndexByte(reply[at:], '\r')
				args[3] = append(args[3][:0], reply[start:end]...)
			}
			c.Out.Reset(c.Out.Bytes()[:0])
			h.gate.Enter()
			h.table.Do(c, args)
			h.gate.Leave()
		}
	}
	if got := h.do(c, "XPENDING x g"); !strings.HasPrefix(got, "*4\r\n:0\r\n") {
		b.Errorf("some are pending: %q", got)
	}
}
