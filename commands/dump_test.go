package commands

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/invariants"
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/codec"
	"github.com/streampulse/pulse/store/codec/crc64"
)

// dumpSum gives a body of a payload its version and checksum.
func dumpSum(body []byte, version int) []byte {
	b := binary.LittleEndian.AppendUint16(slices.Clip(body), uint16(version))
	return binary.LittleEndian.AppendUint64(b, crc64.Update(0, b))
}

// dumpBodies are payloads without version and checksum, by what they are: those recorded from Redis 7.0 and those put
// together by hand.
func dumpBodies(t testing.TB) (bodies [][]byte) {
	for _, name := range []string{"redis70.txt", "byhand.txt"} {
		b, err := os.ReadFile(filepath.Join("..", "store", "codec", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
			_, text, _ := strings.Cut(s.Text(), "\t")
			payload, err := hex.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, payload[:len(payload)-10])
		}
	}
	return bodies
}

// dumpValue looks at the value of k past the commands.
func (h *harness) dumpValue(f func(v codec.Value, found bool)) {
	tx := h.tx
	tx.Begin(0)
	tx.BeginCommand()
	tx.LockKey([]byte("k"))
	defer tx.Unlock()
	f(tx.Value([]byte("k")))
}

// dumpMutate changes a body in one to three places.
func dumpMutate(r *rand.Rand, body []byte, all [][]byte) []byte {
	b := slices.Clone(body)
	for range 1 + r.IntN(3) {
		i := r.IntN(len(b) + 1)
		switch r.IntN(8) {
		case 0:
			b = slices.Insert(b, i, byte(r.Uint32()))
		case 1:
			b = slices.Insert(b, i, b[min(i, len(b)-1):min(i+r.IntN(9), len(b))]...)
		case 2:
			if len(b) > 4 {
				b = slices.Delete(b, min(i, len(b)-1), min(i+1+r.IntN(3), len(b)))
			}
		case 3:
			other := all[r.IntN(len(all))]
			b = append(b[:max(i, 1)], other[r.IntN(len(other)):]...)
		case 4:
			b[0] = byte(r.IntN(26))
		case 5:
			b[min(i, len(b)-1)] = [...]byte{0, 1, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xc0, 0xc3, 0xf0, 0xfd, 0xfe, 0xff}[r.IntN(13)]
		default:
			b[min(i, len(b)-1)] ^= 1 << r.IntN(8)
		}
	}
	return b
}

// dumpUses are commands on a key of each type; ? stands for an argument drawn at random, # for an id, @ for a group or a
// consumer.
var dumpUses = map[store.Kind][]string{
	store.String: {"APPEND k ?", "GETRANGE k 0 -1", "SETRANGE k 3 ?", "INCR k", "STRLEN k", "GET k", "INCRBYFLOAT k 0.5"},
	store.List: {"LPUSH k ? ?", "RPUSH k ?", "LPOP k", "RPOP k", "LSET k 0 ?", "LSET k -1 ?", "LINSERT k BEFORE ? ?", "LREM k -1 ?", "LREM k 0 ?",
		"LRANGE k 0 -1", "LINDEX k 3", "LPOS k ?", "LMOVE k k LEFT RIGHT", "LTRIM k 0 50", "LLEN k"},
	store.Set: {"SADD k ? ?", "SREM k ?", "SISMEMBER k ?", "SMEMBERS k", "SRANDMEMBER k 3", "SPOP k", "SCARD k", "SSCAN k 0", "SUNIONSTORE k k k", "SINTER k k"},
	store.ZSet: {"ZADD k 1.5 ?", "ZADD k GT CH 7 ?", "ZINCRBY k 1 ?", "ZREM k ?", "ZRANK k ?", "ZSCORE k ?", "ZRANGE k 0 -1 WITHSCORES", "ZRANGEBYSCORE k -inf 2",
		"ZRANGEBYLEX k - +", "ZPOPMIN k", "ZPOPMAX k", "ZCOUNT k 0 5", "ZREMRANGEBYRANK k 3 3", "ZRANDMEMBER k 2", "ZSCAN k 0", "ZCARD k"},
	store.Hash: {"HSET k ? ?", "HSET k ? ? ? ?", "HDEL k ?", "HGET k ?", "HGETALL k", "HINCRBY k ? 1", "HRANDFIELD k 2", "HSCAN k 0", "HLEN k", "HSETNX k ? ?", "HSTRLEN k ?",
		"HPEXPIRE k 100 FIELDS 1 ?", "HPEXPIRE k 0 FIELDS 1 ?", "HPTTL k FIELDS 1 ?", "HPERSIST k FIELDS 1 ?", "HGETDEL k FIELDS 1 ?"},
	store.Stream: {"XADD k * f ?", "XADD k # f ? ? ?", "XADD k MAXLEN 5 # f ?", "XADD k MAXLEN ~ 5 # f ?", "XDEL k # #", "XTRIM k MAXLEN 7", "XTRIM k MINID #", "XTRIM k MINID ~ #",
		"XLEN k", "XRANGE k - +", "XRANGE k # +", "XREVRANGE k # -", "XREAD COUNT 3 STREAMS k #", "XREADGROUP GROUP @ @ COUNT 3 STREAMS k >", "XREADGROUP GROUP @ @ STREAMS k >",
		"XREADGROUP GROUP @ @ STREAMS k #", "XREADGROUP GROUP @ @ NOACK COUNT 1 STREAMS k >", "XACK k @ # #", "XPENDING k @", "XPENDING k @ - + 10", "XPENDING k @ # + 10 @",
		"XCLAIM k @ @ 0 # #", "XCLAIM k @ @ 0 # RETRYCOUNT 3 FORCE JUSTID TIME 1000", "XAUTOCLAIM k @ @ 0 # COUNT 5", "XGROUP CREATE k @ #", "XGROUP CREATE k @ $ ENTRIESREAD 3",
		"XGROUP SETID k @ #", "XGROUP CREATECONSUMER k @ @", "XGROUP DELCONSUMER k @ @", "XGROUP DESTROY k late", "XSETID k #", "XSETID k # ENTRIESADDED 100 MAXDELETEDID #", "XINFO STREAM k FULL", "XINFO GROUPS k", "XINFO CONSUMERS k @"},
}

var dumpArgs = func() (all [][]byte) {
	for _, s := range []string{"a", "b", "c", "f", "v", "", "1", "5", "-1", "300", "9223372036854775807", "01", strings.Repeat("x", 70), strings.Repeat("y", 400)} {
		all = append(all, []byte(s))
	}
	return all
}()

// dumpPlan is dumpUses taken apart.
var dumpPlan = func() map[store.Kind][][][]byte {
	plan := map[store.Kind][][][]byte{}
	for kind, lines := range dumpUses {
		for _, line := range lines {
			plan[kind] = append(plan[kind], bytes.Fields([]byte(line)))
		}
	}
	return plan
}()

// dumpDraw returns a command on k, which is of the given kind.
func dumpDraw(r *rand.Rand, kind store.Kind) [][]byte {
	plan := dumpPlan[kind]
	args := slices.Clone(plan[r.IntN(len(plan))])
	for i := range args {
		switch string(args[i]) {
		case "?":
			args[i] = dumpArgs[r.IntN(len(dumpArgs))]
		case "#":
			args[i] = dumpStreamIDs[r.IntN(len(dumpStreamIDs))]
		case "@":
			args[i] = dumpStreamNames[r.IntN(len(dumpStreamNames))]
		}
	}
	return args
}

func (h *harness) dumpUse(c *Conn, r *rand.Rand, kind store.Kind, n int) {
	for range n {
		h.run(c, dumpDraw(r, kind))
	}
}

// TestRestoreMutated damages payloads in many ways: what is refused changes nothing, and what is accepted is a value like
// any other.
func TestRestoreMutated(t *testing.T) {
	t.Parallel()
	n := 200_000
	switch {
	case testing.Short():
		n = 5_000
	case invariants.Enabled:
		n = 20_000 // everything takes its time then
	}
	h := newHarness(t)
	c := h.conn(2)
	r := rand.New(rand.NewPCG(27, 28))
	bodies := dumpBodies(t)
	key, zero, replace := []byte("k"), []byte("0"), []byte("REPLACE")
	old := [][]byte{[]byte("SET"), key, []byte("old")}
	h.run(c, old)
	accepted := map[store.Kind]int{}
	for range n {
		body := dumpMutate(r, bodies[r.IntN(len(bodies))], bodies)
		payload := dumpSum(body, 10+r.IntN(3))
		switch reply := h.run(c, [][]byte{[]byte("RESTORE"), key, zero, payload, replace}); reply {
		case "-ERR Bad data format\r\n":
			h.dumpValue(func(v codec.Value, found bool) {
				if !found || string(v.Text) != "old" || v.Object != nil {
					t.Fatalf("the old value is gone after the refusal of %x", payload)
				}
			})
			continue
		case "+OK\r\n":
		default:
			t.Fatalf("%q to %x", reply, payload)
		}
		var kind store.Kind
		h.dumpValue(func(v codec.Value, found bool) {
			if err := dumpCheck(v); !found && !dumpTimed(body) || err != nil {
				t.Fatalf("%v after %x", err, payload)
			}
			kind = h.tx.Kind(key)
		})
		if kind == store.None {
			h.run(c, old)
			continue // the time of all its fields has come
		}
		accepted[kind]++
		if kind == store.Integer {
			kind = store.String
		}
		h.dumpUse(c, r, kind, 100)
		if dumped := h.run(c, [][]byte{[]byte("DUMP"), key}); dumped[0] != '$' {
			t.Fatalf("DUMP replies %q", dumped)
		}
		h.dumpValue(func(v codec.Value, found bool) {
			if err := dumpCheck(v); err != nil {
				t.Fatalf("%v after commands on %x", err, payload)
			}
		})
		h.run(c, old)
	}
	t.Log(accepted)
	for kind := store.String; kind <= store.Stream; kind++ {
		if accepted[kind] == 0 {
			t.Errorf("no mutated %v was accepted: too much is broken to tell anything", kind)
		}
	}
}

// dumpTimed reports whether body is a hash whose fields have deadlines.
func dumpTimed(body []byte) bool { return body[0] >= 22 && body[0] <= 25 }

// dumpCheck verifies the invariants of a value.
func dumpCheck(v codec.Value) error {
	o, ok := v.Object.(interface {
		Check() error
		Len() int
		Encoding() string
	})
	switch {
	case !ok:
		return nil
	case o.Len() == 0 && o.Encoding() != "stream":
		return fmt.Errorf("an empty value")
	}
	return o.Check()
}

// TestRestoreBombs offers payloads that claim to be large, and looks at what is allocated.
func TestRestoreBombs(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	count := "\x81\x10\x00\x00\x00\x00\x00\x00\x00" // 2^60
	for name, body := range map[string]string{
		"a string of 4 GB":                  "\x00\x80\xff\xff\xff\xffx",
		"a string of 2^60":                  "\x00" + count + "x",
		"4 GB out of 100 bytes":             "\x00\xc3\x40\x64\x80\xff\xff\xff\xff\x00a" + strings.Repeat("\xe0\xff\x00", 32) + "\x01a",
		"elements":                          "\x01" + count + "\x01a",
		"members":                           "\x02" + count + "\x01a",
		"scores":                            "\x05" + count + "\x01a\x00\x00\x00\x00\x00\x00\x00\x00",
		"fields":                            "\x04" + count + "\x01a\x01b",
		"nodes":                             "\x12" + count + "\x01\x01a",
		"an intset":                         "\x0b\x0a\x02\x00\x00\x00\xff\xff\xff\xff\x01\x00",
		"a listpack":                        "\x10\x09\xff\xff\xff\xff\xff\xff\x01\x01\xff",
		"nodes of a stream":                 "\x13" + count + "\x10" + strings.Repeat("\x00", 16) + "\x01a",
		"4 GB for a node of a stream":       "\x13\x01\x10" + strings.Repeat("\x00", 16) + "\xc3\x03\x80\xff\xff\xff\xff\x00a\x20",
		"groups":                            "\x13\x00\x00\x00\x00\x00\x00\x00\x00\x00" + count + "\x01g",
		"pending entries":                   "\x13\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01g\x00\x00\x00" + count + strings.Repeat("\x01", 25),
		"consumers":                         "\x13\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01g\x00\x00\x00\x00" + count + "\x01c",
		"as many fields as there are bytes": "\x04\x80\x00\x0f\x00\x00" + strings.Repeat("\x00", 0xf0000),
	} {
		payload := dumpSum([]byte(body), 10)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		reply := h.run(c, [][]byte{[]byte("RESTORE"), []byte("k"), []byte("0"), payload})
		runtime.ReadMemStats(&after)
		if reply != "-ERR Bad data format\r\n" {
			t.Errorf("%s: %q", name, reply)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > uint64(4*len(payload)+256<<10) {
			t.Errorf("%s: %d bytes allocated for a payload of %d", name, used, len(payload))
		}
	}
}

func TestRestoreFollowsLimits(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	for _, step := range []struct{ fill, small, large string }{
		{"RPUSH k a b c", "listpack", "quicklist"},
		{"SADD k 1 2 3", "intset", "hashtable"},
		{"SADD k a b c", "listpack", "hashtable"},
		{"ZADD k 1 a 2 b 3 c", "listpack", "skiplist"},
		{"HSET k a 1 b 2 c 3", "listpack", "hashtable"},
	} {
		usual := *h.store.Limits()
		tight := usual
		tight.ListMaxListpackSize, tight.SetMaxIntsetEntries, tight.SetMaxListpackEntries = 2, 2, 2
		tight.ZSetMaxListpackEntries, tight.HashMaxListpackEntries = 2, 2
		h.do(c, step.fill)
		h.store.SetLimits(tight)
		h.dumpThere(c, step.large)
		h.store.SetLimits(usual)
		h.dumpThere(c, step.small)
		h.do(c, "DEL k")
	}
}

// dumpThere restores what k holds over k and looks at the encoding.
func (h *harness) dumpThere(c *Conn, want string) {
	h.t.Helper()
	var payload []byte
	h.dumpValue(func(v codec.Value, _ bool) { payload = codec.AppendDump(nil, v, true) })
	if got := h.run(c, [][]byte{[]byte("RESTORE"), []byte("k"), []byte("0"), payload, []byte("REPLACE")}); got != "+OK\r\n" {
		h.t.Error(got)
	}
	if got := h.do(c, "OBJECT ENCODING k"); !strings.Contains(got, want) {
		h.t.Errorf("%q, want %s", got, want)
	}
}

func TestRestoreDeadlines(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	now := h.clock.NowMs()
	payload := codec.AppendDump(nil, codec.Value{Text: []byte("x")}, false)
	for _, step := range []struct{ ttl, option, want, at string }{
		{"5", "", "+OK\r\n", fmt.Sprint(now + 5)},
		{fmt.Sprint(now + 7), "ABSTTL", "+OK\r\n", fmt.Sprint(now + 7)},
		{fmt.Sprint(now), "ABSTTL", "+OK\r\n", "-2"},
		{"9223372036854775807", "ABSTTL", "+OK\r\n", "9223372036854775806"},
		{"9223372036854775807", "", "-ERR invalid expire time in 'restore' command\r\n", "-2"},
		{"0", "ABSTTL", "+OK\r\n", "-1"},
	} {
		h.do(c, "DEL k")
		args := [][]byte{[]byte("RESTORE"), []byte("k"), []byte(step.ttl), payload}
		if step.option != "" {
			args = append(args, []byte(step.option))
		}
		if got := h.run(c, args); got != step.want {
			t.Errorf("%s %s: %q", step.ttl, step.option, got)
		}
		if got := h.do(c, "PEXPIRETIME k"); got != ":"+step.at+"\r\n" {
			t.Errorf("%s %s: deadline %q, want %s", step.ttl, step.option, got, step.at)
		}
	}
}

func TestRestoreFieldDeadlines(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	h.do(c, "HSET k a 1 b 2 c 3")
	h.do(c, "HPEXPIRE k 100 FIELDS 1 a")
	h.do(c, "HPEXPIRE k 200 FIELDS 1 b")
	var payload []byte
	h.dumpValue(func(v codec.Value, _ bool) { payload = codec.AppendDump(nil, v, true) })
	for _, step := range []struct {
		after time.Duration
		want  string
	}{
		{50 * time.Millisecond, "*3\r\n:50\r\n:150\r\n:-1\r\n"},
		{60 * time.Millisecond, "*3\r\n:-2\r\n:90\r\n:-1\r\n"},
		{100 * time.Millisecond, "*3\r\n:-2\r\n:-2\r\n:-1\r\n"},
	} {
		h.clock.Advance(step.after)
		if got := h.run(c, [][]byte{[]byte("RESTORE"), []byte("n"), []byte("0"), payload, []byte("REPLACE")}); got != "+OK\r\n" {
			t.Fatal(got)
		}
		if got := h.do(c, "HPTTL n FIELDS 3 a b c"); got != step.want {
			t.Errorf("%q, want %q", got, step.want)
		}
	}
	// With all its fields due the hash is gone at once.
	h.do(c, "DEL k")
	h.do(c, "HSET k a 1")
	h.do(c, "HPEXPIRE k 100 FIELDS 1 a")
	h.dumpValue(func(v codec.Value, _ bool) { payload = codec.AppendDump(nil, v, true) })
	h.clock.Advance(time.Second)
	for _, ttl := range []string{"0", "5000"} {
		if got := h.run(c, [][]byte{[]byte("RESTORE"), []byte("n"), []byte(ttl), payload, []byte("REPLACE")}); got != "+OK\r\n" {
			t.Fatal(got)
		}
		if got := h.do(c, "EXISTS n"); got != ":0\r\n" {
			t.Errorf("%q", got)
		}
	}
}

func TestDumpCompresses(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	h.do(c, "SETRANGE k 999 x")
	lim := *h.store.Limits()
	for compress, most := range map[bool]int{true: 60, false: 1100} {
		lim.CompressTexts = compress
		h.store.SetLimits(lim)
		if got := len(h.do(c, "DUMP k")); got > most || got < most/2 {
			t.Errorf("rdbcompression %v: a reply of %d bytes", compress, got)
		}
	}
}
