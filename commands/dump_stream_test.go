package commands

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/streampulse/pulse/internal/invariants"
	"github.com/streampulse/pulse/internal/oracle"
	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/codec"
)

// dumpStream makes k a stream by n random commands that ask has done, and returns its payload.
func dumpStream(r *rand.Rand, n int, ask func(args [][]byte) resp.Value) []byte {
	words := func(line string) [][]byte { return bytes.Fields([]byte(line)) }
	ask(words("DEL k"))
	for i := range 2 + r.IntN(30) { // or hardly any XADD would be accepted
		ask(words(fmt.Sprintf("XADD k %d-%d f %d g x%d", 1+i/5, 1+i%5, r.IntN(1000), r.IntN(10))))
	}
	ask(words("XGROUP CREATE k g 0"))
	for range n {
		ask(dumpDraw(r, store.Stream))
	}
	return ask(words("DUMP k")).Str
}

// dumpBodiesOfStreams are payloads without version and checksum: those of dumpBodies that are of streams, and larger ones.
func dumpBodiesOfStreams(t testing.TB, h *harness, c *Conn, r *rand.Rand) [][]byte {
	bodies := slices.DeleteFunc(dumpBodies(t), func(b []byte) bool { return b[0] != 15 && b[0] != 19 && b[0] != 21 })
	if len(bodies) < 10 {
		t.Fatalf("%d streams", len(bodies))
	}
	for range 10 {
		payload := dumpStream(r, 40, func(args [][]byte) resp.Value { return h.decoded(c, args) })
		if len(payload) > 10 {
			bodies = append(bodies, payload[:len(payload)-10])
		}
	}
	return bodies
}

// decoded runs one command and takes its reply apart.
func (h *harness) decoded(c *Conn, args [][]byte) resp.Value {
	h.t.Helper()
	reply := h.run(c, args)
	v, err := resp.Decode(bufio.NewReader(strings.NewReader(reply)))
	if err != nil {
		h.t.Fatalf("%q: %q: %v", args, reply, err)
	}
	return v
}

// TestRestoreMutatedStreams is TestRestoreMutated for streams, which have more in them that must agree. Mostly numbers are
// changed where they keep their size, for what is cut or moved is refused anyway.
func TestRestoreMutatedStreams(t *testing.T) {
	t.Parallel()
	n := 20_000
	if testing.Short() || invariants.Enabled {
		n = 2_000
	}
	h := newHarness(t)
	c := h.conn(2)
	r := rand.New(rand.NewPCG(43, 19))
	bodies := dumpBodiesOfStreams(t, h, c, r)
	key := []byte("k")
	old := [][]byte{[]byte("SET"), key, []byte("old")}
	h.run(c, old)
	accepted, refused := 0, 0
	for range n {
		body := slices.Clone(bodies[r.IntN(len(bodies))])
		if r.IntN(3) == 0 {
			body = dumpMutate(r, body, bodies)
		} else {
			for range 1 + r.IntN(2) {
				i := 1 + r.IntN(len(body)-1)
				body[i] = byte([...]int{int(body[i]) + 1, int(body[i]) - 1, r.IntN(4), int(body[i]) ^ 1<<r.IntN(8)}[r.IntN(4)])
			}
		}
		payload := dumpSum(body, 10)
		switch reply := h.run(c, [][]byte{[]byte("RESTORE"), key, []byte("0"), payload, []byte("REPLACE")}); reply {
		case "-ERR Bad data format\r\n":
			refused++
			continue
		case "+OK\r\n":
		default:
			t.Fatalf("%q to %x", reply, payload)
		}
		check := func(when string) {
			h.dumpValue(func(v codec.Value, found bool) {
				if err := dumpCheck(v); err != nil {
					t.Fatalf("%v %s %x", err, when, payload)
				}
			})
		}
		check("after")
		if h.run(c, [][]byte{[]byte("TYPE"), key}) == "+stream\r\n" {
			accepted++
			h.dumpUse(c, r, store.Stream, 100)
			check("after commands on")
			if dumped := h.run(c, [][]byte{[]byte("DUMP"), key}); dumped[0] != '$' {
				t.Fatalf("DUMP replies %q", dumped)
			}
		}
		h.run(c, old)
	}
	t.Logf("%d accepted, %d refused", accepted, refused)
	if accepted < n/50 || refused < n/50 {
		t.Errorf("%d were accepted and %d refused: one of both tells nothing", accepted, refused)
	}
}

// dumpInfo is the text of a reply to XINFO STREAM FULL, without what is not in a payload: when consumers were active,
// which Redis 7.0 does not know, the lag, which it reckons otherwise than later versions, and the nodes of a tree.
func dumpInfo(v resp.Value) string {
	if v.Type != '*' {
		return fmt.Sprintf("%+v", v)
	}
	var parts []string
	for i := 0; i < len(v.Elems); i++ {
		switch string(v.Elems[i].Str) {
		case "active-time", "lag", "radix-tree-nodes":
			i++
			continue
		}
		parts = append(parts, dumpInfo(v.Elems[i]))
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// TestExchangeStreams makes streams by commands on both sides and moves them to the other.
func TestExchangeStreams(t *testing.T) {
	real, err := oracle.Start(t, "--sanitize-dump-payload", "yes", "--stream-node-max-entries", "5", "--rdbcompression", "no").Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer real.Close()
	in := bufio.NewReader(real)
	there := func(args [][]byte) resp.Value {
		t.Helper()
		request := fmt.Appendf(nil, "*%d\r\n", len(args))
		for _, a := range args {
			request = fmt.Appendf(request, "$%d\r\n%s\r\n", len(a), a)
		}
		real.Write(request)
		v, err := resp.Decode(in)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	h := newHarness(t)
	lim := store.DefaultLimits()
	lim.StreamNodeMaxEntries, lim.CompressTexts = 5, false
	h.store.SetLimits(lim)
	c := h.conn(2)
	here := func(args [][]byte) resp.Value { t.Helper(); return h.decoded(c, args) }
	r := rand.New(rand.NewPCG(7, 0))
	info := bytes.Fields([]byte("XINFO STREAM k FULL COUNT 0"))
	for i := range 120 {
		from, to := here, there
		if i%2 == 0 {
			from, to = there, here
		}
		payload := dumpStream(r, 5+r.IntN(60), from)
		if len(payload) == 0 {
			continue // some commands delete it
		}
		if v := to([][]byte{[]byte("RESTORE"), []byte("k"), []byte("0"), payload, []byte("REPLACE")}); string(v.Str) != "OK" {
			t.Fatalf("%d: %s to %x", i, v.Str, payload)
		}
		if a, b := dumpInfo(from(info)), dumpInfo(to(info)); a != b {
			t.Fatalf("%d: a stream\n%s\nbecomes\n%s", i, a, b)
		}
		if back := to([][]byte{[]byte("DUMP"), []byte("k")}).Str; !bytes.Equal(back, payload) {
			t.Fatalf("%d: %x\nbecomes\n%x", i, payload, back)
		}
	}
}

// TestStreamPutBack lowers the last id below entries that are deleted: what comes next is in order all the same, and what
// is dumped comes back.
func TestStreamPutBack(t *testing.T) {
	for _, limit := range []int{1, 2, 100} {
		for _, lines := range [][]string{
			{"XADD k 1-1 f v", "XADD k 5-5 f v", "XDEL k 5-5"},
			{"XADD k 1-1 f v", "XADD k 2-1 f v", "XADD k 5-5 f v g w", "XADD k 6-6 f v", "XDEL k 2-1 5-5 6-6"},
			{"XADD k 5-5 f v", "XDEL k 5-5"},
			{"XADD k 1-1 f v", "XADD k 5-5 f v", "XADD k 6-6 f v", "XDEL k 6-6", "XTRIM k MINID 6-6"},
			{"XADD k 1-1 f v", "XADD k 2-2 f v", "XADD k 5-5 f v", "XADD k 6-6 f v", "XDEL k 5-5 6-6", "XTRIM k MINID 2-2"},
		} {
			h := newHarness(t)
			lim := store.DefaultLimits()
			lim.StreamNodeMaxEntries = limit
			h.store.SetLimits(lim)
			c := h.conn(2)
			lines = append(slices.Clone(lines), "XSETID k 6-6 ENTRIESADDED 9 MAXDELETEDID 0-1", "XSETID k 2-2", "XADD k 3-3 f w", "XADD k 5-5 f w", "XDEL k 3-3")
			for _, line := range lines {
				if reply := h.do(c, line); reply[0] == '-' {
					t.Fatalf("%s: %s", line, reply)
				}
				h.dumpValue(func(v codec.Value, found bool) {
					if err := dumpCheck(v); err != nil || !found {
						t.Fatalf("%v after %s of %q", err, line, lines)
					}
				})
				payload := h.decoded(c, bytes.Fields([]byte("DUMP k"))).Str
				if got := h.run(c, [][]byte{[]byte("RESTORE"), []byte("k2"), []byte("0"), payload, []byte("REPLACE")}); got != "+OK\r\n" {
					t.Fatalf("%s after %s of %q", got, line, lines)
				}
			}
		}
	}
}

// TestStreamKeys looks at a restored stream with the commands on keys.
func TestStreamKeys(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	for i := range 500 {
		h.do(c, fmt.Sprintf("XADD k %d-1 f value%d", i+1, i))
	}
	h.do(c, "XGROUP CREATE k g 0")
	small := h.decoded(c, bytes.Fields([]byte("MEMORY USAGE k"))).Int
	h.do(c, "XREADGROUP GROUP g c COUNT 400 STREAMS k >")
	usage := h.decoded(c, bytes.Fields([]byte("MEMORY USAGE k"))).Int
	if small < 500*10 || small > 500*40 || usage < small+400*16 || usage > small+400*120 {
		t.Errorf("MEMORY USAGE is %d, with pending entries %d", small, usage)
	}
	payload := h.decoded(c, bytes.Fields([]byte("DUMP k"))).Str
	if got := h.run(c, [][]byte{[]byte("RESTORE"), []byte("k2"), []byte("0"), payload, []byte("IDLETIME"), []byte("1000")}); got != "+OK\r\n" {
		t.Fatal(got)
	}
	if got := h.decoded(c, bytes.Fields([]byte("MEMORY USAGE k2"))).Int; got < usage*3/4 || got > usage*5/4 {
		t.Errorf("MEMORY USAGE is %d, of what was restored %d", usage, got)
	}
	converse(t, h, c, []exchange{ // XLEN, which ends the idle time, comes last
		{"OBJECT IDLETIME k2", ":1000\r\n"}, {"OBJECT ENCODING k2", "$6\r\nstream\r\n"}, {"TYPE k2", "+stream\r\n"},
		{"OBJECT REFCOUNT k2", ":1\r\n"}, {"XLEN k2", ":500\r\n"},
	})
	// A stream without entries is a key; so it is restored as one.
	h.do(c, "XTRIM k MAXLEN 0")
	h.do(c, "XGROUP DESTROY k g")
	payload = h.decoded(c, bytes.Fields([]byte("DUMP k"))).Str
	if got := h.run(c, [][]byte{[]byte("RESTORE"), []byte("k3"), []byte("0"), payload}); got != "+OK\r\n" {
		t.Fatal(got)
	}
	if got := h.do(c, "EXISTS k3") + h.do(c, "XLEN k3") + h.do(c, "XADD k3 500-1 f v"); !strings.HasPrefix(got, ":1\r\n:0\r\n-ERR The ID specified") {
		t.Errorf("%q", got)
	}
}

// dumpStreamIDs are arguments of commands on streams: some that are in the streams of dumpBodies, and the ends.
var dumpStreamIDs = [][]byte{[]byte("0"), []byte("0-1"), []byte("1-1"), []byte("1-2"), []byte("1-3"), []byte("2-2"), []byte("3-4"), []byte("4"), []byte("5-5"),
	[]byte("70000-0"), []byte("70000-1"), []byte("18446744073709551614-18446744073709551615"), []byte("18446744073709551615-18446744073709551615")}

var dumpStreamNames = [][]byte{[]byte("g"), []byte("g"), []byte("all"), []byte("12"), {}, []byte("late")}
