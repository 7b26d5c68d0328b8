package commands

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"
)

// consumerTimes are what of a consumer is not told to a feed: replaying sees it at another time.
var consumerTimes = regexp.MustCompile(`(seen|active)-time -?\d+`)

// TestStreamsAreReplayed runs random commands on streams and what they feed on a second server, later: streams with their
// groups and pending entries are the same there.
func TestStreamsAreReplayed(t *testing.T) {
	for seed := range uint64(8) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		h, replica := newHarness(t), newHarness(t)
		feed := &textFeed{}
		h.store.SetFeed(feed)
		h.clock.SetWall(time.UnixMilli(1)) // so that * makes small ids
		replica.clock.SetWall(time.UnixMilli(1).Add(time.Hour))
		c, r := h.conn(3), replica.conn(3)
		var log []string
		for n := range 400 {
			do := randomStreamCommand(rnd, int(h.clock.NowMs()))
			h.do(c, do)
			h.clock.Advance(time.Duration(rnd.IntN(3)) * time.Millisecond)
			fed := feed.take()
			log = append(log, do+"  ->  "+fed)
			for _, unit := range strings.Split(fed, " | ") {
				for _, step := range strings.Split(unit, "; ") {
					if step == "" {
						continue
					}
					if reply := replica.do(r, step); reply[0] == '-' {
						t.Fatalf("seed %d: %s: %s", seed, step, reply)
					}
				}
			}
			if n%4 != 0 {
				continue
			}
			const look = "XINFO STREAM s FULL COUNT 0"
			got := consumerTimes.ReplaceAllString(brief(t, replica.do(r, look)), "")
			want := consumerTimes.ReplaceAllString(brief(t, h.do(c, look)), "")
			if got != want {
				t.Fatalf("seed %d: the replay has\n%s, want\n%s, after\n%s", seed, got, want, strings.Join(log[max(0, len(log)-8):], "\n"))
			}
		}
	}
}

func randomStreamCommand(rnd *rand.Rand, now int) string {
	id := func() string { return fmt.Sprint(max(1, now-rnd.IntN(20)), "-", rnd.IntN(2)) }
	ids := func() string { return strings.Repeat(id()+" ", 1+rnd.IntN(2)) + id() }
	group := func() string { return []string{"g", "h"}[rnd.IntN(2)] }
	consumer := func() string { return []string{"a", "b", "c"}[rnd.IntN(3)] }
	maybe := func(s string) string {
		if rnd.IntN(3) == 0 {
			return s
		}
		return ""
	}
	refs := func() string { return []string{"", " KEEPREF", " DELREF", " ACKED"}[rnd.IntN(4)] }
	switch rnd.IntN(20) {
	case 0, 1, 2:
		return "XADD s * f v"
	case 3:
		return fmt.Sprintf("XADD s%s MAXLEN ~ 3 * f v", refs())
	case 4:
		return fmt.Sprintf("XADD s NOMKSTREAM %s f v", id())
	case 5:
		return "XDEL s " + ids()
	case 6:
		return fmt.Sprintf("XTRIM s %s%s", []string{"MAXLEN 5", "MAXLEN ~ 2 LIMIT 2", "MINID " + id()}[rnd.IntN(3)], refs())
	case 7:
		return fmt.Sprintf("XDELEX s%s IDS 2 %s %s", refs(), id(), id())
	case 8:
		return fmt.Sprintf("XACKDEL s %s%s IDS 2 %s %s", group(), refs(), id(), id())
	case 9, 10:
		return fmt.Sprintf("XGROUP CREATE s %s %s%s", group(), []string{"$", "0", id()}[rnd.IntN(3)], maybe(" MKSTREAM"))
	case 11:
		return fmt.Sprintf("XGROUP SETID s %s %s%s", group(), []string{"$", "0", id()}[rnd.IntN(3)], maybe(" ENTRIESREAD 2"))
	case 12:
		return fmt.Sprintf("XGROUP %s s %s %s", []string{"CREATECONSUMER", "DELCONSUMER"}[rnd.IntN(2)], group(), consumer())
	case 13, 14, 15:
		return fmt.Sprintf("XREADGROUP GROUP %s %s COUNT %d%s STREAMS s >", group(), consumer(), 1+rnd.IntN(3), maybe(" NOACK"))
	case 16:
		return fmt.Sprintf("XREADGROUP GROUP %s %s STREAMS s 0", group(), consumer())
	case 17:
		return fmt.Sprintf("XCLAIM s %s %s %d %s%s%s%s%s", group(), consumer(), rnd.IntN(5), ids(),
			maybe(" FORCE"), maybe(" JUSTID"), maybe(" LASTID "+id()), maybe(fmt.Sprint(" IDLE ", rnd.IntN(9))))
	case 18:
		return fmt.Sprintf("XAUTOCLAIM s %s %s %d 0 COUNT %d%s", group(), consumer(), rnd.IntN(5), 1+rnd.IntN(3), maybe(" JUSTID"))
	}
	if rnd.IntN(10) == 0 {
		return "XGROUP DESTROY s " + group()
	}
	return fmt.Sprintf("XACK s %s %s", group(), ids())
}
