package codec

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/oracle"
	"github.com/streampulse/pulse/internal/resp"
)

// str writes a string of less than 64 bytes.
func str(s string) string { return string(rune(len(s))) + s }

// blob writes a string of less than 16 KiB.
func blob(s string) string { return string([]byte{0x40 | byte(len(s)>>8), byte(len(s))}) + s }

// zl puts a ziplist together of entries without the size of the entry before.
func zl(entries ...string) string {
	body, before, last := "", 0, ziplistHead
	for _, e := range entries {
		last = ziplistHead + len(body)
		if before < 0xfe {
			body += string([]byte{byte(before)})
			before = 1 + len(e)
		} else {
			body += string(binary.LittleEndian.AppendUint32([]byte{0xfe}, uint32(before)))
			before = 5 + len(e)
		}
		body += e
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(ziplistHead+len(body)+1))
	b = binary.LittleEndian.AppendUint32(b, uint32(last))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(entries)))
	return string(b) + body + "\xff"
}

func zstr(s string) string {
	if len(s) < 64 {
		return str(s)
	}
	return blob(s) // the form is the same
}

// lp puts a listpack together of short entries, given without the length behind them.
func lp(entries ...string) string {
	body := ""
	for _, e := range entries {
		body += e + string([]byte{byte(len(e))})
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(6+len(body)+1))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(entries)))
	return string(b) + body + "\xff"
}

func lstr(s string) string { return string([]byte{0x80 | byte(len(s))}) + s }

func double(bits uint64) string { return string(binary.LittleEndian.AppendUint64(nil, bits)) }

var ziplistInts = zl("\xf1", "\xfd", "\xfe\x80", "\xc0\x00\x80", "\xf0\x00\x00\x80", "\xd0\x00\x00\x00\x80", "\xe0\x00\x00\x00\x00\x00\x00\x00\x80", "\xf0\xff\xff\x7f", "\xfe\x7f")

const ziplistIntTexts = `"0" "12" "-128" "-32768" "-8388608" "-2147483648" "-9223372036854775808" "8388607" "127"`

// byHand are values in all encodings, put together from the description of the format.
var byHand = []struct {
	name string
	t    Type
	body string
	want string
}{
	{"text", typeString, str("hello"), `string "hello"`},
	{"empty text", typeString, str(""), `string ""`},
	{"14-bit length", typeString, blob("hello"), `string "hello"`},
	{"32-bit length", typeString, "\x80\x00\x00\x00\x02hi", `string "hi"`},
	{"64-bit length", typeString, "\x81\x00\x00\x00\x00\x00\x00\x00\x02hi", `string "hi"`},
	{"8-bit integer", typeString, "\xc0\xfe", `string "-2"`},
	{"16-bit integer", typeString, "\xc1\x00\x80", `string "-32768"`},
	{"32-bit integer", typeString, "\xc2\x00\x00\x00\x80", `string "-2147483648"`},
	{"compressed", typeString, "\xc3\x05\x0b\x00a\xe0\x01\x00", `string "aaaaaaaaaaa"`},

	{"list", typeList, "\x03" + str("a") + "\xc0\x05" + str("a"), `list "a" "5" "a"`},
	{"list ziplist", typeListZip, blob(zl(zstr("a"), zstr(""), "\xf3")), `list "a" "" "2"`},
	{"list ziplist of integers", typeListZip, blob(ziplistInts), "list " + ziplistIntTexts},
	{"list ziplist with long entries", typeListZip, blob(zl(zstr(strings.Repeat("x", 300)), "\x80\x00\x00\x00\x02hi", zstr("z"))),
		`list "` + strings.Repeat("x", 300) + `" "hi" "z"`},
	{"quicklist", typeQuick, "\x02" + blob(zl(zstr("a"), zstr("b"))) + blob(zl(zstr("c"))), `list "a" "b" "c"`},
	{"quicklist with an empty node", typeQuick, "\x02" + blob(zl()) + blob(zl(zstr("c"))), `list "c"`},
	{"quicklist 2", typeQuick2, "\x03\x02" + blob(lp(lstr("a"), "\x05")) + "\x01" + str("plain") + "\x02" + blob(lp(lstr("z"))), `list "a" "5" "plain" "z"`},

	{"set", typeSet, "\x03" + str("a") + "\xc0\x05" + str("b"), `set "5" "a" "b"`},
	{"set of integers", typeSet, "\x02\xc0\x05\xc0\x07", `set "5" "7"`},
	{"16-bit intset", typeIntset, blob("\x02\x00\x00\x00\x02\x00\x00\x00\xfe\xff\x05\x00"), `set "-2" "5"`},
	{"64-bit intset", typeIntset, blob("\x08\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00"), `set "4294967296"`},

	{"zset", typeZSet, "\x05" + str("a") + "\x031.5" + str("b") + "\xfe" + str("c") + "\xff" + str("d") + "\x02-3" + str("e") + "\x051e-07",
		`zset "c"=-Inf "d"=-3 "e"=1e-07 "a"=1.5 "b"=+Inf`},
	{"zset 2", typeZSet2, "\x02" + str("a") + double(0x3ff8000000000000) + str("b") + double(0xfff0000000000000), `zset "b"=-Inf "a"=1.5`},
	{"zset ziplist", typeZSetZip, blob(zl(zstr("a"), zstr("1.5"), "\xf2", "\xf4", zstr("c"), zstr("inf"))), `zset "a"=1.5 "1"=3 "c"=+Inf`},
	{"zset ziplist out of order", typeZSetZip, blob(zl(zstr("a"), "\xf5", zstr("b"), "\xf2")), `zset "b"=1 "a"=4`},
	{"zset listpack", typeZSetPack, blob(lp(lstr("a"), lstr("1.5"), lstr("b"), "\x02")), `zset "a"=1.5 "b"=2`},
	{"zset listpack out of order", typeZSetPack, blob(lp(lstr("a"), "\x05", lstr("b"), "\x02")), `zset "b"=2 "a"=5`},

	{"hash", typeHash, "\x02" + str("f") + str("v") + "\xc0\x01\xc0\x02", `hash "1"="2" "f"="v"`},
	{"hash ziplist", typeHashZip, blob(zl(zstr("f"), zstr("v"), "\xf2", "\xf3")), `hash "1"="2" "f"="v"`},
	{"hash listpack", typeHashPack, blob(lp(lstr("f"), lstr("v"), "\x01", "\xdf\xff")), `hash "1"="-1" "f"="v"`},
	{"zipmap", typeZipmap, blob("\x02\x01f\x02\x00vw\x03fgh\x01\x02x..\xff"), `hash "f"="vw" "fgh"="x"`},
	{"zipmap with long texts", typeZipmap, blob("\x01\xfe\x2c\x01\x00\x00" + strings.Repeat("f", 300) + "\xfe\xfe\x00\x00\x00\x00" + strings.Repeat("v", 254) + "\xff"),
		`hash "` + strings.Repeat("f", 300) + `"="` + strings.Repeat("v", 254) + `"`},

	{"stream", typeStream, "\x01" + streamNode(1, 1) + "\x02\x01\x02\x01" + str("g") + "\x01\x02\x01" + rawID(1, 1) + double(1000) + "\x03\x01" +
		str("c") + double(2000) + "\x01" + rawID(1, 1),
		`stream 1-1{"f"="v"} 1-2{"f"="w"} last 1-2 deleted 0-0 added 2 group "g" last 1-2 read 2 consumer "c" seen 2000 pending 1-1@1000*3`},
	{"stream without entries", typeStream, "\x00\x00\x05\x05\x01" + str("g") + "\x05\x05\x00\x00", `stream last 5-5 deleted 0-0 added 0 group "g" last 5-5 read 0`},
}

// newer are encodings that Redis 7.0 does not know.
var newer = []struct {
	name string
	t    Type
	body string
	want string
}{
	{"set listpack", typeSetPack, blob(lp(lstr("a"), "\x05", lstr("b"))), `set "5" "a" "b"`},
	{"stream that knows when consumers were active", typeStream3, "\x01" + streamNode(1, 1) + "\x02\x01\x02\x01\x01\x00\x00\x02\x01" + str("g") + "\x01\x01\x01\x00\x02" +
		str("c") + double(2000) + double(1<<64-1) + "\x00" + str("d") + double(2000) + double(1500) + "\x00",
		`stream 1-1{"f"="v"} 1-2{"f"="w"} last 1-2 deleted 0-0 added 2 group "g" last 1-1 read 1 consumer "c" seen 2000 consumer "d" seen 2000`},
	{"hash with deadlines", typeHashTTL, double(1_700_000_000_000) + "\x03\x01" + str("a") + str("1") + "\x00" + str("b") + str("2") + "\x40\x65" + str("c") + str("3"),
		`hash "a"="1"@1700000000000 "b"="2" "c"="3"@1700000000100`},
	{"hash of a release candidate", typeHashTTL0, "\x02\x81\x00\x00\x01\x8b\xcf\xe5\x68\x00" + str("a") + str("1") + "\x00" + str("b") + str("2"),
		`hash "a"="1"@1700000000000 "b"="2"`},
	{"listpack with deadlines", typeHashTTLPack, double(1_700_000_000_000) + blob(lp(lstr("a"), lstr("1"), "\xf4\x00\x68\xe5\xcf\x8b\x01\x00\x00", lstr("b"), "\x02", "\x00")),
		`hash "a"="1"@1700000000000 "b"="2"`},
	{"listpack of a release candidate", typeHashTTLPack0, blob(lp(lstr("a"), lstr("1"), "\x05", lstr("b"), "\x02", "\x00")), `hash "a"="1"@5 "b"="2"`},
	{"hash that might have deadlines", typeHashTTL, double(1<<48) + "\x01\x00" + str("a") + str("1"), `hash "a"="1"`},
	{"zipmap that does not count", typeZipmap, blob("\xfe\x01f\x01\x00v\xff"), `hash "f"="v"`},
	{"ziplist that does not count", typeListZip, blob(strings.Replace(zl(zstr("a"), zstr("b")), "\x02\x00\x00\x01a", "\xff\xff\x00\x01a", 1)), `list "a" "b"`},
}

func TestByHand(t *testing.T) {
	for _, c := range slices.Concat(byHand, newer) {
		for _, lim := range []*Limits{&usual, &tight, &wide} {
			v, err := Restore(seal(c.t, []byte(c.body)), lim)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				break
			}
			if got := describe(v); got != c.want {
				t.Errorf("%s: %s, want %s", c.name, got, c.want)
			}
			if err := check(v); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		for n := range len(c.body) {
			if _, err := Restore(seal(c.t, []byte(c.body[:n])), &usual); err == nil {
				t.Errorf("%s passes cut off at %d of %d", c.name, n, len(c.body))
			}
		}
	}
}

// TestHostile are values that must not be.
func TestHostile(t *testing.T) {
	nan := double(0x7ff8000000000001)
	for _, c := range []struct {
		name string
		t    Type
		body string
	}{
		{"a string of 4 GB", typeString, "\x80\xff\xff\xff\xffabc"},
		{"a string of 2^63 bytes", typeString, "\x81\x80\x00\x00\x00\x00\x00\x00\x00abc"},
		{"a string of 2^64-1 bytes", typeString, "\x81\xff\xff\xff\xff\xff\xff\xff\xffabc"},
		{"an encoding that is none", typeString, "\xc4\x00"},
		{"a length that is none", typeString, "\x82\x00"},
		{"4 GB out of 3 bytes", typeString, "\xc3\x03\x80\xff\xff\xff\xff\x00a\x20"},
		{"compressed bytes of 2^62", typeString, "\xc3\x81\x40\x00\x00\x00\x00\x00\x00\x00\x05\x00a"},
		{"a wrong size of a compressed string", typeString, "\xc3\x05\x0c\x00a\xe0\x01\x00"},
		{"a compressed length in a length", typeString, "\xc3\xc3\x0c\x00a\xe0\x01\x00"},

		{"2^60 elements", typeList, "\x81\x10\x00\x00\x00\x00\x00\x00\x00" + str("a")},
		{"no elements", typeList, "\x00"},
		{"an encoding for a count", typeList, "\xc0" + str("a")},
		{"2^60 nodes", typeQuick2, "\x81\x10\x00\x00\x00\x00\x00\x00\x00\x01" + str("a")},
		{"a node of kind 3", typeQuick2, "\x01\x03" + str("a")},
		{"empty nodes", typeQuick2, "\x01\x02" + blob(lp())},
		{"a node cut off", typeQuick2, "\x01\x02" + blob(lp(lstr("abc"))[:8])},
		{"an empty ziplist", typeListZip, blob(zl())},

		{"2^60 members", typeSet, "\x81\x10\x00\x00\x00\x00\x00\x00\x00" + str("a")},
		{"a member twice", typeSet, "\x02" + str("a") + str("a")},
		{"an integer twice", typeSet, "\x02\xc0\x05\xc1\x05\x00"},
		{"an integer twice, behind a text", typeSet, "\x03\xc0\x05" + str("a") + str("5")},
		{"an intset out of order", typeIntset, blob("\x02\x00\x00\x00\x02\x00\x00\x00\x05\x00\x02\x00")},
		{"an intset with a member twice", typeIntset, blob("\x02\x00\x00\x00\x02\x00\x00\x00\x05\x00\x05\x00")},
		{"an intset that claims more", typeIntset, blob("\x02\x00\x00\x00\xff\xff\xff\xff\x05\x00\x06\x00")},
		{"an intset whose bytes overflow", typeIntset, blob("\x08\x00\x00\x00\x01\x00\x00\x20\x05\x00\x06\x00\x07\x00\x08\x00")},
		{"an intset of width 3", typeIntset, blob("\x03\x00\x00\x00\x01\x00\x00\x00\x05\x00\x06")},
		{"an empty intset", typeIntset, blob("\x02\x00\x00\x00\x00\x00\x00\x00")},
		{"a member twice in a listpack", typeSetPack, blob(lp(lstr("a"), lstr("b"), lstr("a")))},
		{"an integer and its text in a listpack", typeSetPack, blob(lp("\x05", lstr("5")))},
		{"an empty listpack of members", typeSetPack, blob(lp())},

		{"a score NaN", typeZSet2, "\x01" + str("a") + nan},
		{"a score nan as a byte", typeZSet, "\x01" + str("a") + "\xfd"},
		{"a score nan as a text", typeZSet, "\x01" + str("a") + "\x03nan"},
		{"a score that is no number", typeZSet, "\x01" + str("a") + "\x03one"},
		{"a scored member twice", typeZSet2, "\x02" + str("a") + double(0) + str("a") + double(1<<62)},
		{"nan in a listpack", typeZSetPack, blob(lp(lstr("a"), lstr("nan")))},
		{"a text as score in a listpack", typeZSetPack, blob(lp(lstr("a"), lstr("one")))},
		{"a scored member twice in a listpack", typeZSetPack, blob(lp(lstr("a"), "\x01", lstr("a"), "\x02"))},
		{"a member without score in a listpack", typeZSetPack, blob(lp(lstr("a"), "\x01", lstr("b")))},
		{"nan in a ziplist", typeZSetZip, blob(zl(zstr("a"), zstr("nan")))},
		{"a member without score in a ziplist", typeZSetZip, blob(zl(zstr("a"), "\xf2", zstr("b")))},
		{"a scored member twice in a ziplist", typeZSetZip, blob(zl(zstr("a"), "\xf2", zstr("a"), "\xf3"))},
		{"an empty sorted set", typeZSetPack, blob(lp())},

		{"2^60 fields", typeHash, "\x81\x10\x00\x00\x00\x00\x00\x00\x00" + str("a") + str("a")},
		{"a field with a deadline twice", typeHashTTL, double(5) + "\x02\x01" + str("a") + str("1") + "\x02" + str("a") + str("2")},
		{"a deadline beyond the last", typeHashTTL, double(1<<48-1) + "\x01\x02" + str("a") + str("1")},
		{"a deadline that overflows", typeHashTTL, double(1<<64-1) + "\x01\x02" + str("a") + str("1")},
		{"a negative deadline", typeHashTTLPack0, blob(lp(lstr("a"), lstr("1"), "\xdf\xff"))},
		{"a text for a deadline", typeHashTTLPack0, blob(lp(lstr("a"), lstr("1"), lstr("5x")))},
		{"a field without a deadline", typeHashTTLPack0, blob(lp(lstr("a"), lstr("1"), "\x05", lstr("b"), lstr("2")))},
		{"a field with a deadline twice in a listpack", typeHashTTLPack, double(5) + blob(lp(lstr("a"), lstr("1"), "\x05", lstr("a"), lstr("2"), "\x00"))},
		{"a field twice", typeHash, "\x02" + str("a") + str("1") + str("a") + str("2")},
		{"a field twice in a listpack", typeHashPack, blob(lp(lstr("a"), "\x01", lstr("a"), "\x02"))},
		{"a field without value in a listpack", typeHashPack, blob(lp(lstr("a"), "\x01", lstr("b")))},
		{"a field twice in a ziplist", typeHashZip, blob(zl(zstr("a"), "\xf2", zstr("a"), "\xf3"))},
		{"a field without value in a ziplist", typeHashZip, blob(zl(zstr("a"), "\xf2", zstr("b")))},
		{"a field twice in a zipmap", typeZipmap, blob("\x02\x01f\x01\x00v\x01f\x01\x00w\xff")},
		{"a field without value in a zipmap", typeZipmap, blob("\x01\x01f\xff")},
		{"free bytes that are not there", typeZipmap, blob("\x01\x01f\x01\x09v\xff")},
		{"a zipmap that counts wrong", typeZipmap, blob("\x02\x01f\x01\x00v\xff")},
		{"a field of 4 GB in a zipmap", typeZipmap, blob("\x01\xfe\xff\xff\xff\xfff\x01\x00v\xff")},
		{"an empty zipmap", typeZipmap, blob("\x00\xff")},
		{"one byte for a zipmap", typeZipmap, blob("\xff")},

		{"a module", 7, "\x00"}, {"an old module", 6, "\x00"},
		{"a type that was never", 8, str("a")}, {"a type of the future", 26, str("a")}, {"an opcode", 255, "\x00"},
	} {
		for _, lim := range []*Limits{&usual, &tight, &wide} {
			if v, err := Restore(seal(c.t, []byte(c.body)), lim); err == nil {
				t.Errorf("%s passes as %s", c.name, describe(v))
			} else if err == ErrPayload {
				t.Fatal("the frame is wrong")
			}
		}
	}
}

// TestCorruptZiplist changes every byte of a ziplist to every value: what is accepted must still be read in bounds, and the
// header, the sizes and the end must be right.
func TestCorruptZiplist(t *testing.T) {
	good := zl(zstr("abc"), "\xc0\x34\x12", zstr(strings.Repeat("y", 70)), "\xf5")
	for i := range good {
		for b := range 256 {
			bad := []byte(good)
			bad[i] = byte(b)
			n := 0
			err := eachOfZiplist(bad, func([]byte) error { n++; return nil })
			if err == nil && string(bad) != good && i < ziplistHead && (i < 8 || b != 0xff) {
				t.Fatalf("byte %d may be %#x", i, b)
			}
			if err == nil && n != 4 {
				t.Fatalf("byte %d as %#x: %d entries", i, b, n)
			}
		}
	}
}

// client is a connection to a real server.
type client struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func dial(t *testing.T, args ...string) *client {
	conn, err := oracle.Start(t, args...).Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	return &client{t, conn, bufio.NewReader(conn)}
}

func (c *client) do(args ...string) resp.Value {
	c.t.Helper()
	req := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		req = fmt.Appendf(req, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := c.conn.Write(req); err != nil {
		c.t.Fatal(err)
	}
	v, err := resp.Decode(c.r)
	if err != nil {
		c.t.Fatalf("%.80q: %v", args, err)
	}
	return v
}

// must fails the test if the reply is an error.
func (c *client) must(args ...string) resp.Value {
	c.t.Helper()
	v := c.do(args...)
	if v.Type == '-' {
		c.t.Fatalf("%.80q: %s", args, v.Str)
	}
	return v
}

// TestByHandAgainstOracle proves that the values by hand are what they seem: a real server reads the same from them.
func TestByHandAgainstOracle(t *testing.T) {
	c := dial(t, "--sanitize-dump-payload", "yes")
	for _, h := range byHand {
		c.must("RESTORE", "k", "0", string(seal(h.t, []byte(h.body))), "REPLACE")
		v, err := Restore(c.must("DUMP", "k").Str, &usual)
		if err != nil || describe(v) != h.want {
			t.Errorf("%s: %v, %s, want %s", h.name, err, describe(v), h.want)
		}
	}
}
