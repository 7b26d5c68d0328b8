package commands

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/resp"
)

// brief writes a reply on one line: an error with its mark, other scalars as their text, [lists] and {maps}.
func brief(t *testing.T, reply string) string {
	t.Helper()
	if reply == "(blocked)" || reply == "" {
		return reply
	}
	v, err := resp.Decode(bufio.NewReader(strings.NewReader(reply)))
	if err != nil {
		t.Fatalf("%q: %v", reply, err)
	}
	return briefValue(v)
}

func briefValue(v resp.Value) string {
	var parts []string
	for _, e := range v.Elems {
		parts = append(parts, briefValue(e))
	}
	switch {
	case v.Null && v.Type == '*':
		return "nil*"
	case v.Null:
		return "nil"
	case v.Type == '*':
		return "[" + strings.Join(parts, " ") + "]"
	case v.Type == '%':
		return "{" + strings.Join(parts, " ") + "}"
	case v.Type == ':':
		return fmt.Sprint(v.Int)
	case v.Type == '-':
		return "-" + string(v.Str)
	}
	return string(v.Str)
}

// chat is converse with replies in brief. A line "(12ms)" lets time pass.
func chat(t *testing.T, h *harness, c *Conn, steps []exchange) {
	t.Helper()
	for _, s := range steps {
		if d, err := time.ParseDuration(strings.Trim(s.do, "()")); err == nil {
			h.clock.Advance(d)
			continue
		}
		if got := brief(t, h.do(c, s.do)); got != s.want {
			t.Errorf("%s = %s, want %s", s.do, got, s.want)
		}
	}
}

func TestGroupErrors(t *testing.T) {
	const badID = "-ERR Invalid stream ID specified as stream command argument"
	const notInt = "-ERR value is not an integer or out of range"
	const wrongType = "-WRONGTYPE Operation against a key holding the wrong kind of value"
	const syntax = "-ERR syntax error"
	const badCount = "-ERR COUNT must be > 0"
	const noKey = "-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically."
	const create = "-ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP."
	const setid = "-ERR unknown subcommand or wrong number of arguments for 'SETID'. Try XGROUP HELP."
	const info = "-ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP."
	const noGroup = "-NOGROUP No such consumer group 'nog' for key name 's'"
	h := newHarness(t)
	chat(t, h, h.conn(2), []exchange{
		{"XADD s 1-1 a 1", "1-1"},
		{"XADD s 2-1 a 1", "2-1"},
		{"XADD s 3-1 a 1", "3-1"},
		{"SET str x", "OK"},
		{"XGROUP CREATE s g 0", "OK"},
		{"XGROUP CREATE s g 0", "-BUSYGROUP Consumer Group name already exists"},
		{"XGROUP CREATE s g 0 MKSTREAM MKSTREAM", "-BUSYGROUP Consumer Group name already exists"},
		{"XGROUP CREATE s g 0 MKSTREAM MKSTREAM MKSTREAM MKSTREAM", create},
		{"XGROUP CREATE s g 0 FOO", create},
		{"XGROUP CREATE s g", "-ERR wrong number of arguments for 'xgroup|create' command"},
		{"XGROUP CREATE s g2 - MKSTREAM", badID},
		{"XGROUP CREATE s g2 +", badID},
		{"XGROUP CREATE s g2 1-2-3", badID},
		{"XGROUP CREATE s g2 18446744073709551616", badID},
		{`XGROUP CREATE s g2 "" ENTRIESREAD 1`, badID},
		{"XGROUP CREATE s g2 +7-007 ENTRIESREAD 0", "OK"},
		{"XGROUP CREATE s g3 18446744073709551615-18446744073709551615 ENTRIESREAD 9223372036854775807", "OK"},
		{"XGROUP CREATE s g4 $ entriesread -1", "OK"},
		{"XGROUP CREATE s g5 0 ENTRIESREAD -5", "-ERR value for ENTRIESREAD must be positive or -1"},
		{"XGROUP CREATE s g5 0 ENTRIESREAD x", notInt},
		{"XGROUP CREATE s g5 0 ENTRIESREAD", create},
		{"XGROUP CREATE nos g 0", noKey},
		{"XGROUP CREATE nos g x MKSTREAM", badID},
		{"XGROUP CREATE nos g 0 ENTRIESREAD 1", noKey},
		{"XGROUP CREATE str g x FOO", create},
		{"XGROUP CREATE str g x MKSTREAM", wrongType},
		{"EXISTS nos", "0"},
		{"XGROUP CREATE e g $ MKSTREAM", "OK"},
		{"XLEN e", "0"},
		{"TYPE e", "stream"},
		{"XGROUP DESTROY e g", "1"},
		{"TYPE e", "stream"},
		{"XGROUP SETID s g 0 ENTRIESREAD 1 ENTRIESREAD 2", setid},
		{"XGROUP SETID s nog 0 ENTRIESREAD 1 ENTRIESREAD 2", noGroup},
		{"XGROUP SETID s g 0 ENTRIESREAD", setid},
		{"XGROUP SETID s g 0 MKSTREAM", setid},
		{"XGROUP SETID s g 0 ENTRIESREAD -5", "-ERR value for ENTRIESREAD must be positive or -1"},
		{"XGROUP SETID s g x ENTRIESREAD 1", badID},
		{"XGROUP SETID s g3 -", "OK"},
		{"XGROUP SETID s g4 + ENTRIESREAD 7", "OK"},
		{"XGROUP SETID nos g 0", noKey},
		{"XGROUP SETID str g 0", wrongType},
		{"XINFO GROUPS s", "[[name g consumers 0 pending 0 last-delivered-id 0-0 entries-read nil lag 3] [name g2 consumers 0 pending 0 last-delivered-id 7-7 entries-read 0 lag 3] [name g3 consumers 0 pending 0 last-delivered-id 0-0 entries-read nil lag 3] [name g4 consumers 0 pending 0 last-delivered-id 18446744073709551615-18446744073709551615 entries-read 7 lag -4]]"},
		{"XGROUP SETID s g4 $", "OK"},
		{"XGROUP DESTROY nos g", noKey},
		{"XGROUP DESTROY s nog", "0"},
		{"XGROUP DESTROY str nog", wrongType},
		{"XGROUP DESTROY s g3", "1"},
		{"XGROUP DESTROY s g4", "1"},
		{"XGROUP DESTROY s g4", "0"},
		{"XGROUP DELCONSUMER s nog c", noGroup},
		{"XGROUP DELCONSUMER s g c", "0"},
		{"XGROUP CREATECONSUMER s nog c", noGroup},
		{"XGROUP CREATECONSUMER nos nog c", noKey},
		{"XGROUP CREATECONSUMER s g c", "1"},
		{"XGROUP CREATECONSUMER s g c", "0"},
		{"XREADGROUP GROUP g c STREAMS s >", "[[s [[1-1 [a 1]] [2-1 [a 1]] [3-1 [a 1]]]]]"},
		{"XGROUP DELCONSUMER s g c", "3"},
		{"XGROUP FOO s g", "-ERR unknown subcommand 'FOO'. Try XGROUP HELP."},
		{"XGROUP", "-ERR wrong number of arguments for 'xgroup' command"},
		{"XINFO STREAM nos", "-ERR no such key"},
		{"XINFO STREAM s FULL COUNT", info},
		{"XINFO STREAM s FULLX", info},
		{"XINFO STREAM s FULL COUNT x", notInt},
		{"XINFO STREAM s FULL COUNX 1", info},
		{"XINFO STREAM nos FULL COUNX 1", "-ERR no such key"},
		{"XINFO STREAM str FULL COUNX 1", wrongType},
		{"XINFO STREAM s FULL COUNT 1 x", info},
		{"XINFO CONSUMERS s nog", noGroup},
		{"XINFO CONSUMERS nos nog", "-ERR no such key"},
		{"XINFO CONSUMERS str g", wrongType},
		{"XINFO GROUPS nos", "-ERR no such key"},
		{"XINFO GROUPS str", wrongType},
		{"XACK s nog x", "0"},
		{"XACK nos nog x", "0"},
		{"XACK str nog x", wrongType},
		{"XACK s g x", badID},
		{"XACK s g 1-1 x", badID},
		{"XACK s g -", badID},
		{"XPENDING s g - +", syntax},
		{"XPENDING s g IDLE 5 - +", syntax},
		{"XPENDING s g IDLE x - + 10", notInt},
		{"XPENDING s g a b c", notInt},
		{"XPENDING s g a b 5", badID},
		{"XPENDING s g ( + 5", badID},
		{"XPENDING s g (- + 5", badID},
		{"XPENDING s g (18446744073709551615-18446744073709551615 + 5", "-ERR invalid start ID for the interval"},
		{"XPENDING s g - (0-0 5", "-ERR invalid end ID for the interval"},
		{"XPENDING s g IDLE 0 0 5 c1 x x", syntax},
		{"XPENDING s nog - + 5", "-NOGROUP No such key 's' or consumer group 'nog'"},
		{"XPENDING nos nog", "-NOGROUP No such key 'nos' or consumer group 'nog'"},
		{"XPENDING str g a b c", notInt},
		{"XPENDING str g - + 1", wrongType},
		{"XCLAIM s g c3 -5 FORCE", "[]"},
		{"XCLAIM s g c3 x 1-1", "-ERR Invalid min-idle-time argument for XCLAIM"},
		{"XCLAIM s g c3 0 1-1 FORCE 2-1", "-ERR Unrecognized XCLAIM option '2-1'"},
		{"XCLAIM s g c3 0 1-1 IDLE", "-ERR Unrecognized XCLAIM option 'IDLE'"},
		{"XCLAIM s g c3 0 1-1 IDLE x", "-ERR Invalid IDLE option argument for XCLAIM"},
		{"XCLAIM s g c3 0 1-1 TIME x", "-ERR Invalid TIME option argument for XCLAIM"},
		{"XCLAIM s g c3 0 1-1 RETRYCOUNT x", "-ERR Invalid RETRYCOUNT option argument for XCLAIM"},
		{"XCLAIM s g c3 0 1-1 LASTID x", badID},
		{"XCLAIM s g c3 0 + LASTID +", "-ERR Unrecognized XCLAIM option '+'"},
		{"XCLAIM nos g c3 0 + LASTID +", "-NOGROUP No such key 'nos' or consumer group 'g'"},
		{"XCLAIM s nog c3 x + LASTID +", "-NOGROUP No such key 's' or consumer group 'nog'"},
		{"XCLAIM str g c x x", wrongType},
		{"XAUTOCLAIM s g c 0 x", badID},
		{"XAUTOCLAIM s g c x x", "-ERR Invalid min-idle-time argument for XAUTOCLAIM"},
		{"XAUTOCLAIM s g c 0 (18446744073709551615-18446744073709551615", "-ERR invalid start ID for the interval"},
		{"XAUTOCLAIM s g c 0 0 COUNT 0", badCount},
		{"XAUTOCLAIM s g c 0 0 COUNT -1", badCount},
		{"XAUTOCLAIM s g c 0 0 COUNT x", badCount},
		{"XAUTOCLAIM s g c 0 0 COUNT", syntax},
		{"XAUTOCLAIM s g c 0 0 FOO", syntax},
		{"XAUTOCLAIM s g c 0 0 COUNT 1152921504606846976", badCount},
		{"XAUTOCLAIM s g c 0 0 COUNT 576460752303423488", badCount},
		{"XAUTOCLAIM s g c 0 0 COUNT 576460752303423487", "-ERR Insufficient memory, failed allocating transient memory, COUNT too high."},
		{"XAUTOCLAIM s nog c 0 0 COUNT 576460752303423487", "-NOGROUP No such key 's' or consumer group 'nog'"},
		{"XAUTOCLAIM nos nog c 0 0", "-NOGROUP No such key 'nos' or consumer group 'nog'"},
		{"XAUTOCLAIM str g c x x", "-ERR Invalid min-idle-time argument for XAUTOCLAIM"},
		{"XAUTOCLAIM str g c 1 0", wrongType},
		{"XAUTOCLAIM s g c 99999 +", "[0-0 [] []]"},
		{"XAUTOCLAIM s g c 99999 (-", badID},
	})
}

// TestPendingEntries tells what Redis 7.0 replies; times stand still.
func TestPendingEntries(t *testing.T) {
	h := newHarness(t)
	chat(t, h, h.conn(2), []exchange{
		{"XADD s 1-1 a 1", "1-1"},
		{"XADD s 2-1 a 1", "2-1"},
		{"XADD s 3-1 b 2 c 3", "3-1"},
		{"XADD s 4-1 a 1", "4-1"},
		{"XGROUP CREATE s g 0", "OK"},
		{"XPENDING s g", "[0 nil nil nil*]"},
		{"XREADGROUP GROUP g c1 COUNT 3 STREAMS s >", "[[s [[1-1 [a 1]] [2-1 [a 1]] [3-1 [b 2 c 3]]]]]"},
		{"XPENDING s g", "[3 1-1 3-1 [[c1 3]]]"},
		{"XPENDING s g - + 10", "[[1-1 c1 0 1] [2-1 c1 0 1] [3-1 c1 0 1]]"},
		{"XPENDING s g - + 10 c1 extra extra2", "[[1-1 c1 0 1] [2-1 c1 0 1] [3-1 c1 0 1]]"},
		{"XPENDING s g - + 0", "[]"},
		{"XPENDING s g - + -5", "[]"},
		{"XPENDING s g (1-1 (3-1 5", "[[2-1 c1 0 1]]"},
		{"XPENDING s g 2 2 5", "[[2-1 c1 0 1]]"},
		{"XPENDING s g - + 5 nocons", "[]"},
		{"XPENDING s g IDLE -5 - + 1", "[[1-1 c1 0 1]]"},
		{"XPENDING s g IDLE 0 - + 1 c1", "[[1-1 c1 0 1]]"},
		{"XPENDING s g IDLE 9223372036854775807 - + 1 c1", "[]"},
		{"XCLAIM s g c2 0 1-1", "[[1-1 [a 1]]]"},
		{"XCLAIM s g c2 0 1-1 JUSTID", "[1-1]"},
		{"XCLAIM s g c2 0 3-1 3-1 9-9 JUSTID RETRYCOUNT 0", "[3-1 3-1]"},
		{"XCLAIM s g c2 0 4-1", "[]"},
		{"XCLAIM s g c2 0 4-1 FORCE RETRYCOUNT -7", "[[4-1 [a 1]]]"},
		{"XCLAIM s g c2 0 4-1 FORCE", "[[4-1 [a 1]]]"},
		{"XCLAIM s g c2 0 7-7 FORCE", "[]"},
		{"XCLAIM s g c2 99999 2-1", "[]"},
		{"XCLAIM s g c2 -1 2-1 RETRYCOUNT 9223372036854775806", "[[2-1 [a 1]]]"},
		{"XCLAIM s g c1 0 2-1", "[[2-1 [a 1]]]"},
		{"XPENDING s g - + 10", "[[1-1 c2 0 2] [2-1 c1 0 9223372036854775807] [3-1 c2 0 0] [4-1 c2 0 3]]"},
		{"XPENDING s g", "[4 1-1 4-1 [[c1 1] [c2 3]]]"},
		{"XCLAIM s g c1 0 1-1 JUSTID LASTID 0-5", "[1-1]"},
		{"XINFO GROUPS s", "[[name g consumers 2 pending 4 last-delivered-id 3-1 entries-read 3 lag 1]]"},
		{"XCLAIM s g c1 0 1-1 JUSTID LASTID 9-9", "[1-1]"},
		{"XINFO GROUPS s", "[[name g consumers 2 pending 4 last-delivered-id 9-9 entries-read 3 lag 1]]"},
		{"XDEL s 2-1 3-1", "2"},
		{"XPENDING s g - + 10", "[[1-1 c1 0 2] [2-1 c1 0 9223372036854775807] [3-1 c2 0 0] [4-1 c2 0 3]]"},
		{"XCLAIM s g c3 0 2-1", "[]"},
		{"XPENDING s g - + 10", "[[1-1 c1 0 2] [3-1 c2 0 0] [4-1 c2 0 3]]"},
		{"XAUTOCLAIM s g c3 0 - COUNT 1", "[3-1 [[1-1 [a 1]]] []]"},
		{"XAUTOCLAIM s g c3 0 2 COUNT 1 JUSTID", "[4-1 [] [3-1]]"},
		{"XPENDING s g - + 10", "[[1-1 c3 0 3] [4-1 c2 0 3]]"},
		{"XAUTOCLAIM s g c3 0 (1-1 COUNT 1 JUSTID", "[0-0 [4-1] []]"},
		{"XAUTOCLAIM s g c3 0 0 JUSTID count 2", "[0-0 [1-1 4-1] []]"},
		{"XAUTOCLAIM s g c3 1 0", "[0-0 [] []]"},
		{"XAUTOCLAIM s g c3 -1 0 COUNT 1 COUNT 2", "[0-0 [[1-1 [a 1]] [4-1 [a 1]]] []]"},
		{"XPENDING s g - + 10", "[[1-1 c3 0 4] [4-1 c3 0 4]]"},
		{"XACK s g 1-1 1-1 4-1 7-7", "2"},
		{"XACK s g 1-1", "0"},
		{"XPENDING s g", "[0 nil nil nil*]"},
		{"XINFO GROUPS s", "[[name g consumers 3 pending 0 last-delivered-id 9-9 entries-read 3 lag 1]]"},
		{"XINFO STREAM s", "[length 2 radix-tree-keys 1 radix-tree-nodes 2 last-generated-id 4-1 max-deleted-entry-id 3-1 entries-added 4 recorded-first-entry-id 1-1 groups 1 first-entry [1-1 [a 1]] last-entry [4-1 [a 1]]]"},
		{"XDEL s 1-1 4-1", "2"},
		{"XINFO STREAM s", "[length 0 radix-tree-keys 0 radix-tree-nodes 1 last-generated-id 4-1 max-deleted-entry-id 4-1 entries-added 4 recorded-first-entry-id 0-0 groups 1 first-entry nil last-entry nil]"},
		{"XAUTOCLAIM s g c3 0 0", "[0-0 [] []]"},
	})
}

// TestIdleTimes shows what time does to pending entries and to consumers.
func TestIdleTimes(t *testing.T) {
	h := newHarness(t)
	chat(t, h, h.conn(3), []exchange{
		{"XADD s 1 a 1", "1-0"},
		{"XADD s 2 a 2", "2-0"},
		{"XGROUP CREATE s g 0", "OK"},
		{"XGROUP CREATECONSUMER s g idle", "1"},
		{"(100ms)", ""},
		{"XREADGROUP GROUP g a COUNT 1 STREAMS s >", "{s [[1-0 [a 1]]]}"},
		{"(10ms)", ""},
		{"XREADGROUP GROUP g b STREAMS s >", "{s [[2-0 [a 2]]]}"},
		{"XPENDING s g - + 5", "[[1-0 a 10 1] [2-0 b 0 1]]"},
		{"XPENDING s g IDLE 10 - + 5", "[[1-0 a 10 1]]"},
		{"XPENDING s g IDLE 11 - + 5", "[]"},
		{"XPENDING s g IDLE 0 - + 5 b", "[[2-0 b 0 1]]"},
		{"XINFO CONSUMERS s g", "[{name a pending 1 idle 10 inactive 10} {name b pending 1 idle 0 inactive 0} {name idle pending 0 idle 110 inactive -1}]"},
		{"(10ms)", ""},

		// To want an entry is to be seen, to get it is to be active.
		{"XCLAIM s g c 21 1-0", "[]"},
		{"XCLAIM s g c 20 1-0 2-0 JUSTID", "[1-0]"},
		{"(5ms)", ""},
		{"XAUTOCLAIM s g d 16 0", "[0-0 [] []]"},
		{"XREADGROUP GROUP g e STREAMS s >", "nil"},
		{"(5ms)", ""},
		{"XINFO CONSUMERS s g", "[{name a pending 0 idle 30 inactive 30} {name b pending 1 idle 20 inactive 20} {name c pending 1 idle 10 inactive 10} " +
			"{name d pending 0 idle 5 inactive -1} {name e pending 0 idle 5 inactive -1} {name idle pending 0 idle 130 inactive -1}]"},
		{"XAUTOCLAIM s g d 15 0 JUSTID", "[0-0 [2-0] []]"},
		{"XPENDING s g - + 5", "[[1-0 c 10 1] [2-0 d 0 1]]"},

		// Times of delivery are given in two ways. One that cannot be is now.
		{"XCLAIM s g c 0 1-0 JUSTID IDLE 77", "[1-0]"},
		{"XCLAIM s g c 0 2-0 JUSTID TIME 1700000000001", "[2-0]"},
		{"XPENDING s g - + 5", "[[1-0 c 77 1] [2-0 c 129 1]]"},
		{"XCLAIM s g c 0 1-0 JUSTID IDLE -9223372036854775808", "[1-0]"},
		{"XCLAIM s g c 0 2-0 JUSTID TIME -1", "[2-0]"},
		{"XPENDING s g - + 5", "[[1-0 c 0 1] [2-0 c 0 1]]"},
		{"XCLAIM s g c 0 1-0 JUSTID IDLE 9223372036854775807", "[1-0]"},
		{"XCLAIM s g c 0 2-0 JUSTID TIME 9223372036854775807", "[2-0]"},
		{"XPENDING s g - + 5", "[[1-0 c 0 1] [2-0 c 0 1]]"},
		{"XCLAIM s g c 0 1-0 JUSTID IDLE 0 TIME 0", "[1-0]"},
		{"XPENDING s g IDLE 1 - + 5", "[[1-0 c 1700000000130 1]]"},
		{"XCLAIM s g c 0 1-0 RETRYCOUNT 9223372036854775807", "[[1-0 [a 1]]]"},
		{"XCLAIM s g c 0 1-0", "[[1-0 [a 1]]]"},
		{"XPENDING s g - 1 1", "[[1-0 c 0 9223372036854775807]]"},
	})
}

// TestAutoclaimLooksAtTenTimesCount shows where a call that finds little to claim stops.
func TestAutoclaimLooksAtTenTimesCount(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	for i := 1; i <= 25; i++ {
		h.do(c, fmt.Sprintf("XADD s %d a 1", i))
	}
	chat(t, h, c, []exchange{
		{"XGROUP CREATE s g 0", "OK"},
		{"XREADGROUP GROUP g a NOACK COUNT 1 STREAMS s >", "[[s [[1-0 [a 1]]]]]"},
		{"XCLAIM s g a 0 1 25 FORCE JUSTID", "[1-0 25-0]"},
		{"(10ms)", ""},
	})
	h.do(c, "XREADGROUP GROUP g a STREAMS s >")
	chat(t, h, c, []exchange{
		{"XCLAIM s g a 0 1 25 FORCE JUSTID IDLE 10", "[1-0 25-0]"},
		{"XAUTOCLAIM s g b 10 0 COUNT 1", "[2-0 [[1-0 [a 1]]] []]"},
		{"XAUTOCLAIM s g b 10 2 COUNT 1", "[12-0 [] []]"},
		{"XAUTOCLAIM s g b 10 12 COUNT 1", "[22-0 [] []]"},
		{"XAUTOCLAIM s g b 10 22 COUNT 1", "[0-0 [[25-0 [a 1]]] []]"},
		{"XDEL s 3 4 5", "3"},
		{"XAUTOCLAIM s g b 10 0 COUNT 2 JUSTID", "[5-0 [] [3-0 4-0]]"},
		{"XAUTOCLAIM s g b 0 5 COUNT 2 JUSTID", "[7-0 [6-0] [5-0]]"},
	})
}

// TestStreamInFull shows both forms of XINFO STREAM in both protocols.
func TestStreamInFull(t *testing.T) {
	h := newHarness(t)
	c := h.conn(3)
	chat(t, h, c, []exchange{
		{"XGROUP CREATE s g 0 MKSTREAM", "OK"},
		{"XINFO STREAM s", "{length 0 radix-tree-keys 0 radix-tree-nodes 1 last-generated-id 0-0 max-deleted-entry-id 0-0 entries-added 0 recorded-first-entry-id 0-0 groups 1 first-entry nil last-entry nil}"},
		{"XINFO STREAM s FULL", "{length 0 radix-tree-keys 0 radix-tree-nodes 1 last-generated-id 0-0 max-deleted-entry-id 0-0 entries-added 0 recorded-first-entry-id 0-0 " +
			"entries [] groups [{name g last-delivered-id 0-0 entries-read nil lag 0 pel-count 0 pending [] consumers []}]}"},
		{"XADD s 1 a 1", "1-0"},
		{"XADD s 2 a 2", "2-0"},
		{"XADD s 3 a 3", "3-0"},
		{"XREADGROUP GROUP g c COUNT 2 STREAMS s >", "{s [[1-0 [a 1]] [2-0 [a 2]]]}"},
		{"XGROUP CREATECONSUMER s g d", "1"},
		{"XGROUP CREATE s h 0-5", "OK"},
		{"XINFO STREAM s", "{length 3 radix-tree-keys 1 radix-tree-nodes 2 last-generated-id 3-0 max-deleted-entry-id 0-0 entries-added 3 recorded-first-entry-id 1-0 groups 2 first-entry [1-0 [a 1]] last-entry [3-0 [a 3]]}"},
		{"XINFO STREAM s FULL COUNT 1", "{length 3 radix-tree-keys 1 radix-tree-nodes 2 last-generated-id 3-0 max-deleted-entry-id 0-0 entries-added 3 recorded-first-entry-id 1-0 " +
			"entries [[1-0 [a 1]]] groups [" +
			"{name g last-delivered-id 2-0 entries-read 2 lag 1 pel-count 2 pending [[1-0 c 1700000000000 1]] consumers [" +
			"{name c seen-time 1700000000000 active-time 1700000000000 pel-count 2 pending [[1-0 1700000000000 1]]} " +
			"{name d seen-time 1700000000000 active-time -1 pel-count 0 pending []}]} " +
			"{name h last-delivered-id 0-5 entries-read nil lag 3 pel-count 0 pending [] consumers []}]}"},
		{"XINFO GROUPS s", "[{name g consumers 2 pending 2 last-delivered-id 2-0 entries-read 2 lag 1} {name h consumers 0 pending 0 last-delivered-id 0-5 entries-read nil lag 3}]"},
	})
	for count, want := range map[string]int{"": 10, "COUNT 0": 12, "COUNT 5": 5, "COUNT -1": 10, "COUNT 9223372036854775807": 12} {
		h.do(c, "DEL s")
		for i := range 12 {
			h.do(c, fmt.Sprintf("XADD s %d a 1", i+1))
		}
		h.do(c, "XGROUP CREATE s g 0")
		h.do(c, "XREADGROUP GROUP g c STREAMS s >")
		v, err := resp.Decode(bufio.NewReader(strings.NewReader(h.do(c, "XINFO STREAM s FULL "+count))))
		if err != nil {
			t.Fatal(err)
		}
		group := v.Elems[17].Elems[0].Elems
		consumer := group[13].Elems[0].Elems
		for what, list := range map[string]resp.Value{"entries": v.Elems[15], "pending in the group": group[11], "pending for the consumer": consumer[9]} {
			if len(list.Elems) != want {
				t.Errorf("%q: %d %s, want %d", count, len(list.Elems), what, want)
			}
		}
	}
}

// TestGroupsAreNoNews shows that what groups know concerns neither WATCH nor those who wait for entries.
func TestGroupsAreNoNews(t *testing.T) {
	h := newHarness(t)
	c, watching, waiting := h.conn(2), h.conn(2), h.conn(2)
	chat(t, h, c, []exchange{
		{"XADD s 1 a 1", "1-0"},
		{"XADD s 2 a 1", "2-0"},
		{"XGROUP CREATE s g 0", "OK"},
		{"XREADGROUP GROUP g a STREAMS s >", "[[s [[1-0 [a 1]] [2-0 [a 1]]]]]"},
	})
	if got := h.do(waiting, "XREADGROUP GROUP g w BLOCK 0 STREAMS s >"); got != "(blocked)" {
		t.Fatal(got)
	}
	for _, do := range []string{
		"XCLAIM s g b 0 1", "XAUTOCLAIM s g c 0 0", "XACK s g 1", "XGROUP CREATE s h 0", "XGROUP CREATECONSUMER s h d",
		"XGROUP DELCONSUMER s h d", "XGROUP DESTROY s h", "XGROUP SETID s g 0", "XGROUP DESTROY s g",
	} {
		h.do(watching, "WATCH s")
		before := h.store.Dirty()
		if got := h.do(c, do); got[0] == '-' || h.store.Dirty() == before {
			t.Errorf("%s: %s, %d changes", do, got, h.store.Dirty()-before)
		}
		h.do(watching, "MULTI")
		if got := h.do(watching, "EXEC"); got != "*0\r\n" {
			t.Errorf("%s spoils a transaction: %q", do, got)
		}
		got, want := h.arrived(waiting), ""
		if do == "XGROUP DESTROY s g" {
			want = "-NOGROUP the consumer group this client was blocked on no longer exists\r\n"
		}
		if got != want {
			t.Errorf("%s brings %q to who waits, want %q", do, got, want)
		}
	}
}

// TestGroupEffects shows what replays changes of groups, and how many changes there are.
func TestGroupEffects(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	feed := &textFeed{}
	h.store.SetFeed(feed)
	for _, step := range []struct {
		do, fed string
		changes int64
	}{
		{"XGROUP CREATE s g $ MKSTREAM", "XGROUP CREATE s g $ MKSTREAM", 1},
		{"XGROUP CREATE s g $ MKSTREAM", "", 0},
		{"XADD s 1 a 1", "XADD s 1 a 1", 1},
		{"XADD s 2 a 1", "XADD s 2 a 1", 1},
		{"XADD s 3 a 1", "XADD s 3 a 1", 1},
		{"XCLAIM s g a 0 1", "XGROUP CREATECONSUMER s g a", 1},
		{"XCLAIM s g a 0 1", "", 0},
		{"XCLAIM s g a 0 9 FORCE LASTID 0-1", "XGROUP SETID s g 0-1 ENTRIESREAD -1", 1},
		{"XCLAIM s g a 0 1 2 FORCE LASTID 2", "XCLAIM s g a 0 1-0 TIME 1700000000000 RETRYCOUNT 2 FORCE JUSTID LASTID 2-0; " +
			"XCLAIM s g a 0 2-0 TIME 1700000000000 RETRYCOUNT 2 FORCE JUSTID LASTID 2-0", 2},
		{"XCLAIM s g b 0 1 JUSTID TIME 5", "XGROUP CREATECONSUMER s g b; XCLAIM s g b 0 1-0 TIME 5 RETRYCOUNT 2 FORCE JUSTID LASTID 2-0", 2},
		{"XDEL s 1", "XDEL s 1", 1},
		{"XCLAIM s g a 0 1 2 RETRYCOUNT 7", "XCLAIM s g b 0 1-0 TIME 5 RETRYCOUNT 2 FORCE JUSTID LASTID 2-0; " +
			"XCLAIM s g a 0 2-0 TIME 1700000000000 RETRYCOUNT 7 FORCE JUSTID LASTID 2-0", 2},
		{"XDEL s 2", "XDEL s 2", 1},
		{"XCLAIM s g a 0 3 FORCE JUSTID", "XCLAIM s g a 0 3-0 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 2-0", 1},
		{"XAUTOCLAIM s g c 1 0 COUNT 1", "XGROUP CREATECONSUMER s g c; XCLAIM s g a 0 2-0 TIME 1700000000000 RETRYCOUNT 7 FORCE JUSTID LASTID 2-0", 2},
		{"XAUTOCLAIM s g c 1 0", "", 0},
		{"XAUTOCLAIM s g c 0 0", "XCLAIM s g c 0 3-0 TIME 1700000000000 RETRYCOUNT 2 FORCE JUSTID LASTID 2-0", 1},
		{"XGROUP CREATECONSUMER s g d", "XGROUP CREATECONSUMER s g d", 1},
		{"XGROUP CREATECONSUMER s g d", "", 0},
		{"XGROUP DELCONSUMER s g d", "XGROUP DELCONSUMER s g d", 1},
		{"XGROUP DELCONSUMER s g d", "", 0},
		{"XACK s g 9", "", 0},
		{"XACK s g 3 9", "XACK s g 3 9", 1},
		{"XGROUP SETID s g 0", "XGROUP SETID s g 0", 1},
		{"XGROUP SETID s g 0", "XGROUP SETID s g 0", 1},
		{"XGROUP DESTROY s g", "XGROUP DESTROY s g", 1},
		{"XGROUP DESTROY s g", "", 0},
	} {
		before := h.store.Dirty()
		h.do(c, step.do)
		if got := feed.take(); got != step.fed {
			t.Errorf("%s: fed %q, want %q", step.do, got, step.fed)
		}
		if n := h.store.Dirty() - before; n != step.changes {
			t.Errorf("%s: %d changes, want %d", step.do, n, step.changes)
		}
	}
}

// TestLag shows how much of a stream a group has not read, where entries were deleted or trimmed.
func TestLag(t *testing.T) {
	const read2 = "XREADGROUP GROUP g c COUNT 2 STREAMS s >"
	for _, test := range []struct{ name, do, want string }{
		{"nothing was ever added", "XGROUP CREATE s g 0 MKSTREAM", "[0-0 nil 0]"},
		{"an id in the middle is not counted", "XGROUP CREATE s g 2", "[2-0 nil nil]"},
		{"the first id is", "XGROUP CREATE s g 1", "[1-0 nil 4]"},
		{"the last id is", "XGROUP CREATE s g $", "[5-0 nil 0]"},
		{"what comes behind the last id", "XGROUP CREATE s g 9", "[9-0 nil nil]"},
		{"two were read", "XGROUP CREATE s g 0|" + read2, "[2-0 2 3]"},
		{"a gap ahead", "XGROUP CREATE s g 0|" + read2 + "|XDEL s 3", "[2-0 2 nil]"},
		{"a gap behind", "XGROUP CREATE s g 0|" + read2 + "|XDEL s 1", "[2-0 2 3]"},
		{"all up to a gap ahead", "XGROUP CREATE s g 0|" + read2 + "|XDEL s 1 2 3", "[2-0 2 2]"},
		{"trimmed behind", "XGROUP CREATE s g 0|" + read2 + "|XTRIM s MAXLEN 4", "[2-0 2 3]"},
		{"trimmed ahead", "XGROUP CREATE s g 0|" + read2 + "|XTRIM s MAXLEN 1", "[2-0 2 1]"},
		{"trimmed to nothing", "XGROUP CREATE s g 0|" + read2 + "|XTRIM s MAXLEN 0", "[2-0 2 0]"},
		{"a gap read over", "XGROUP CREATE s g 0|" + read2 + "|XDEL s 3|" + read2, "[5-0 5 0]"},
		{"a count that was set", "XGROUP CREATE s g 0|XGROUP SETID s g 3 ENTRIESREAD 3", "[3-0 3 2]"},
		{"a count that was forgotten", "XGROUP CREATE s g 0|" + read2 + "|XGROUP SETID s g 3", "[3-0 nil nil]"},
	} {
		h := newHarness(t)
		c := h.conn(2)
		if !strings.Contains(test.do, "MKSTREAM") {
			for id := range 5 {
				h.do(c, fmt.Sprintf("XADD s %d a 1", id+1))
			}
		}
		for do := range strings.SplitSeq(test.do, "|") {
			h.do(c, do)
		}
		v, err := resp.Decode(bufio.NewReader(strings.NewReader(h.do(c, "XINFO GROUPS s"))))
		if err != nil {
			t.Fatal(err)
		}
		g := v.Elems[0].Elems
		if got := briefValue(resp.Value{Type: '*', Elems: []resp.Value{g[7], g[9], g[11]}}); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}
