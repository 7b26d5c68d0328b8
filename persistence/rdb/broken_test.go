package rdb

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/streampulse/pulse/store/codec"
	"github.com/streampulse/pulse/store/codec/crc64"
)

var mutations = flag.Int("rdb.mutations", 1000, "how many files TestMutations damages")

// str writes a string of less than 64 bytes.
func str(s string) string { return string(rune(len(s))) + s }

// file frames what stands between the version and the end.
func file(version int, body string) []byte {
	b := fmt.Appendf(nil, "REDIS%04d%s\xff", version, body)
	if version >= sumVersion {
		b = binary.LittleEndian.AppendUint64(b, crc64.Update(0, b))
	}
	return b
}

// byHand are the payloads of DUMP that the codec's tests keep, of values in all encodings there have been.
func byHand(t testing.TB) (names []string, payloads [][]byte) {
	f, err := os.Open("../../store/codec/testdata/byhand.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		name, text, _ := strings.Cut(s.Text(), "\t")
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		names, payloads = append(names, name), append(payloads, b)
	}
	return names, payloads
}

// TestLegacy reads files of all versions with values in all encodings.
func TestLegacy(t *testing.T) {
	names, payloads := byHand(t)
	for version := 1; version <= MaxVersion; version++ {
		var body strings.Builder
		body.WriteString("\xfe\x00")
		for i, p := range payloads {
			if version >= 3 {
				body.WriteString("\xfc\x00\x01\x00\x00\x00\x01\x00\x00")
			} else {
				body.WriteString("\xfd\x00\x01\x00\x00")
			}
			fmt.Fprintf(&body, "%c%s%s", p[0], str(names[i]), p[1:len(p)-10])
		}
		c, res, err := load(t, file(version, body.String()))
		if err != nil {
			t.Fatal(version, err)
		}
		for i, p := range payloads {
			v, err := codec.Restore(p, &usual)
			if err != nil {
				t.Fatal(names[i], err)
			}
			at := int64(256_000)
			if version >= 3 {
				at = 1<<40 + 256
			}
			if got, want := c.keys["0/"+names[i]], entry(v, at, Meta{}); got != want {
				t.Errorf("version %d, %s: %s, want %s", version, names[i], got, want)
			}
		}
		if res.Version != version || res.Verified != (version >= sumVersion) || int(res.Keys) != len(names) {
			t.Errorf("%+v", res)
		}
	}
}

func TestOpcodes(t *testing.T) {
	var c contents
	o := c.options(0, usual)
	var sizes []string
	o.Resize = func(db int, keys, expires uint64) error {
		sizes = append(sizes, fmt.Sprint(db, keys, expires))
		return nil
	}
	res, err := Load(bytes.NewReader(file(11, "\xfa"+str("n")+"\xc0\x05"+
		"\xf5"+str("code")+
		"\xfe\x03\xfb\x02\x80\xff\xff\xff\xff"+
		"\xf4\x01\x02\x03"+ // of a cluster
		"\xfc\xff\xff\xff\xff\xff\xff\xff\xff\x00"+str("a")+str("1")+ // a deadline that is none
		"\xfd\x10\x00\x00\x00\xf8\x40\x80\x00"+str("b")+str("2")+
		"\xf9\x07\xfe\x05\x00\xc1\x00\x10"+str("3")+
		"\x04"+str("empty")+"\x00"+ // left out
		"\x00"+str("")+str("")+
		"\xfe\x03\x00"+str("c")+str("4"))), o)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"3/a": `string "1"`, "3/b": `string "2" until 16000 access 1 128`, "5/4096": `string "3" access 2 7`,
		"5/": `string ""`, "3/c": `string "4"`}
	if !maps.Equal(c.keys, want) {
		t.Errorf("%q, want %q", c.keys, want)
	}
	if !slices.Equal(sizes, []string{"3 2 4294967295"}) || !slices.Equal(c.aux, []string{"n=5"}) || !slices.Equal(c.functions, []string{"code"}) {
		t.Error(sizes, c.aux, c.functions)
	}
	if res.Keys != 5 || res.Expires != 1 || res.Empty != 1 || res.Functions != 1 {
		t.Errorf("%+v", res)
	}
}

func TestWrong(t *testing.T) {
	ok := "\x00" + str("k") + str("v")
	flipped := file(10, ok)
	flipped[len(flipped)-1] ^= 1
	id := uint64(3) // its version
	for i, c := range "ReJSON-RL" {
		id |= uint64(strings.IndexRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", c)) << (58 - 6*i)
	}
	module := "\x81" + string(binary.BigEndian.AppendUint64(nil, id))
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", nil, "rdb: at offset 0, reading the signature: the file ends"},
		{"half a signature", []byte("REDIS00"), "rdb: at offset 7, reading the signature: the file ends"},
		{"another signature", []byte("VALKEY080"), "rdb: at offset 0: Wrong signature trying to load DB from file"},
		{"a short text", []byte("hello"), "rdb: at offset 0: Wrong signature trying to load DB from file"},
		{"zeros", make([]byte, 100), "rdb: at offset 0: Wrong signature trying to load DB from file"},
		{"a version that is no number", []byte("REDIS00:0..."), "rdb: at offset 5: Wrong signature trying to load DB from file"},
		{"a newer version", file(13, ok), "rdb: at offset 5: Can't handle RDB format version 13"},
		{"version 0", file(0, ok), "rdb: at offset 5: Can't handle RDB format version 0"},
		{"no end", []byte("REDIS0010" + ok), "rdb: at offset 14, reading what is next: the file ends"},
		{"no checksum", file(10, ok)[:18], "rdb: at offset 18, reading the checksum: the file ends"},
		{"a name cut off", []byte("REDIS0010\x00\x05abc"), "rdb: at offset 14, reading the name of a key: the file ends"},
		{"a value cut off", []byte("REDIS0010" + ok + "\x04" + str("h") + "\x02\x01f"), `rdb: at offset 20, reading the value (type 4) of key "h": the file ends`},
		{"an aux field cut off", []byte("REDIS0010\xfa\x05abc"), "rdb: at offset 14, reading what follows opcode 250: the file ends"},
		{"a wrong checksum", flipped, fmt.Sprintf("rdb: at offset 15, reading the checksum: Wrong RDB checksum: expected %016x, got %016x",
			binary.LittleEndian.Uint64(flipped[15:]), crc64.Update(0, flipped[:15]))},
		{"bytes behind", append(file(10, ok), 0), "rdb: at offset 23: bytes behind the end of the data"},
		{"bytes behind, no checksum", append(file(4, ok), 0), "rdb: at offset 15: bytes behind the end of the data"},
		{"an unknown opcode", file(10, ok+"\xc8"), "rdb: at offset 14, reading what is next: neither a type nor an opcode: 200"},
		{"an unknown type", file(10, ok+"\x1a"+ok), "rdb: at offset 14, reading what is next: neither a type nor an opcode: 26"},
		{"a module", file(10, "\xf7"+module+"\x00"), "rdb: at offset 9, reading what follows opcode 247: The RDB file contains AUX module data I can't load: no matching module 'ReJSON-RL'"},
		{"a key of a module", file(10, "\x07"+str("m")+module+"\x00"), `rdb: at offset 12, reading the value (type 7) of key "m": The RDB file contains module data I can't load: no matching module type 'ReJSON-RL'`},
		{"a key of an old module", file(10, "\x06"+str("m")+module+"\x00"), `rdb: at offset 12, reading the value (type 6) of key "m": The RDB file contains module data I can't load: no matching module type 'ReJSON-RL'`},
		{"an old function", file(10, "\xf6"+str("code")), "rdb: at offset 9, reading what follows opcode 246: functions in the form of a release candidate of Redis 7.0"},
		{"database 16", file(10, "\xfe\x10"), "rdb: at offset 9, reading what follows opcode 254: Data file was created with a Redis server configured to handle more than 16 databases"},
		{"a key twice", file(10, ok+ok), `rdb: at offset 14 of key "k": 0/k comes twice`},
		{"a hash with a field twice", file(10, "\x04"+str("h")+"\x02"+str("f")+str("a")+str("f")+str("b")), `rdb: at offset 21, reading the value (type 4) of key "h": a field or member that comes twice`},
		{"a length of no form", file(10, "\x00\x82k"), "rdb: at offset 10, reading the name of a key: a length of no known form"},
		{"a string of no encoding", file(10, "\x00"+str("k")+"\xc4"), `rdb: at offset 12, reading the value (type 0) of key "k": a string of no known encoding`},
		{"a listpack of rubbish", file(10, "\x10"+str("k")+str("rubbish...")), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, workers := range []int{0, 2} {
				var got contents
				o := got.options(workers, usual)
				o.Databases = 16
				_, err := Load(bytes.NewReader(c.file), o)
				e := (*Error)(nil)
				if !errors.As(err, &e) {
					t.Fatalf("%v", err)
				}
				if c.want != "" && err.Error() != c.want {
					t.Errorf("%v\nwant %s", err, c.want)
				}
				if int(e.Offset) > len(c.file) {
					t.Errorf("offset %d of %d bytes", e.Offset, len(c.file))
				}
			}
		})
	}
}

// TestCut cuts files at every byte: all of them say that they end there.
func TestCut(t *testing.T) {
	for i, good := range [][]byte{
		gunzip(t, recording("usual")+".rdb.gz"),
		write(t, Config{Version: 12, Info: Info{Version: "7.4.1"}}, sample(rand.New(rand.NewPCG(8, 8)), 6, 7, 3), functionSource),
	} {
		for n := range good {
			var c contents
			r := NewReader(bytes.NewReader(good[:n]))
			if r.size = 64; n%3 == 0 {
				r.longest = 5
			}
			_, err := r.all(c.options((i+n)%2*2, usual))
			e := (*Error)(nil)
			if !errors.As(err, &e) || !errors.Is(err, io.ErrUnexpectedEOF) || e.Offset != int64(n) {
				t.Fatalf("cut at %d: %v", n, err)
			}
		}
	}
}

// TestClaims has lengths that are lies; nobody must believe them.
func TestClaims(t *testing.T) {
	huge := "\x81\x00\x00\x00\x01\x00\x00\x00\x00"
	for _, body := range []string{
		"\x00" + huge,
		"\x00" + str("k") + huge,
		"\x00" + str("k") + "\x81\xff\xff\xff\xff\xff\xff\xff\xff",
		"\x00" + str("k") + "\x80\x40\x00\x00\x00",
		"\x00" + str("k") + "\xc3\x05" + huge + "\x00a\xe0\x01\x00",
		"\x00" + str("k") + "\xc3" + huge + "\x05\x00a\xe0\x01\x00",
		"\x01" + str("k") + huge + str("a"),
		"\x02" + str("k") + huge + str("a"),
		"\x03" + str("k") + huge + str("a"),
		"\x04" + str("k") + huge + str("a"),
		"\x05" + str("k") + huge + str("a"),
		"\x0e" + str("k") + huge + str("a"),
		"\x12" + str("k") + huge + "\x01" + str("a"),
		"\x13" + str("k") + huge + str("a"),
		"\x18" + str("k") + "\x00\x00\x00\x00\x00\x00\x00\x00" + huge,
		"\xfa" + huge, "\xfa" + str("k") + huge, "\xf5" + huge,
		"\xfb" + huge + huge + "\x00" + str("k") + huge,
	} {
		for _, workers := range []int{0, 2} {
			var c contents
			var err error
			if n := allocated(func() { _, err = Load(bytes.NewReader(file(12, body)), c.options(workers, usual)) }); n > 4<<20 {
				t.Errorf("%.30q: %d bytes allocated", body, n)
			}
			if err == nil {
				t.Errorf("%.30q is accepted", body)
			}
		}
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// damage changes b somewhere.
func damage(r *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	for range 1 + r.IntN(3) {
		if len(b) == 0 {
			break
		}
		i := r.IntN(len(b))
		switch r.IntN(9) {
		case 0, 1, 2:
			b[i] ^= 1 << r.IntN(8)
		case 3:
			b[i] = []byte{0, 1, 0x3f, 0x40, 0x80, 0x81, 0xc3, 0xfe, 0xff}[r.IntN(9)]
		case 4:
			b = slices.Insert(b, i, byte(r.Uint32()))
		case 5:
			b = slices.Delete(b, i, min(len(b), i+1+r.IntN(8)))
		case 6:
			b = b[:i]
		case 7:
			clear(b[i:])
		case 8:
			j := r.IntN(len(b))
			n := min(r.IntN(64), len(b)-max(i, j))
			copy(b[i:i+n], b[j:j+n])
		}
	}
	return b
}

// TestMutations damages files. What is accepted although it has a checksum must say what it said before; what has been
// given a new one must be sound, whatever it says. Nothing takes much memory or time.
func TestMutations(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	var files [][]byte
	var all []map[string]string
	for _, name := range []string{"usual", "large", "lfu"} {
		files = append(files, gunzip(t, recording(name)+".rdb.gz"))
	}
	files = append(files, write(t, Config{Version: 12, Compress: true, Info: Info{Version: "7.4.1"}}, sample(r, 40, 7, 3), functionSource))
	for _, f := range files {
		c, _, err := load(t, f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c.keys)
	}
	accepted, resealed := 0, 0
	for i := range *mutations {
		which := r.IntN(len(files))
		bad := damage(r, files[which])
		seal := i%3 == 0 && len(bad) > 20
		if seal {
			n := len(bad) - footerSize
			binary.LittleEndian.PutUint64(bad[n:], crc64.Update(0, bad[:n]))
		}
		workers := i % 4 / 3 * 2
		rd := NewReader(bytes.NewReader(bad))
		if rd.size = 1000; i%5 == 0 {
			rd.longest = 50
		}
		var c contents
		var res Result
		var err error
		began := time.Now()
		if n := allocated(func() { res, err = rd.all(c.options(workers, usual)) }); n > 8<<20 {
			t.Errorf("%d: %d bytes allocated for %d", i, n, len(bad))
		}
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("%d: %v", i, d)
		}
		if e := (*Error)(nil); err != nil && (!errors.As(err, &e) || e.Offset < 0 || int(e.Offset) > len(bad)) {
			t.Fatalf("%d: %v", i, err)
		}
		switch {
		case err != nil:
		case seal:
			resealed++
		case !res.Verified && binary.LittleEndian.Uint64(bad[len(bad)-footerSize:]) != 0:
			t.Errorf("%d: accepted without a look at its checksum", i)
		case res.Verified || maps.Equal(c.keys, all[which]):
			accepted++
			if !maps.Equal(c.keys, all[which]) {
				t.Errorf("%d: silently wrong", i)
			}
		}
	}
	t.Logf("%d of %d accepted, and %d with a new checksum", accepted, *mutations, resealed)
}

// FuzzLoad reads files at once, and in small pieces with streams for every key: both agree. Without goroutines, whose
// coverage differs from run to run.
func FuzzLoad(f *testing.F) {
	for _, name := range []string{"usual", "large", "lfu", "empty"} {
		f.Add(gunzip(f, recording(name)+".rdb.gz"))
	}
	_, payloads := byHand(f)
	for _, p := range payloads {
		f.Add(file(12, string(p[:1])+str("k")+string(p[1:len(p)-10])))
	}
	f.Add(file(12, "\xfa"+str("n")+"\xc0\x05\xf5"+str("code")+"\xfe\x03\xfb\x02\x80\xff\xff\xff\xff\xf4\x01\x02\x03\xf9\x07\xf8\x40\x80\x00"+str("b")+str("2")))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c, d contents
		o := c.options(0, usual)
		o.NoChecksum = true
		res, err := Load(bytes.NewReader(b), o)
		p := d.options(0, tight)
		p.NoChecksum = true
		r := NewReader(&dribble{b: b, n: 7})
		r.size, r.longest = 40, 3
		other, otherErr := r.all(p)
		if (err == nil) != (otherErr == nil) {
			t.Fatalf("%v, streamed %v", err, otherErr)
		}
		if err == nil && (res != other || !maps.Equal(c.keys, d.keys)) {
			t.Fatalf("%+v %q, streamed %+v %q", res, c.keys, other, d.keys)
		}
	})
}
