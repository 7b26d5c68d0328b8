package rdb

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/oracle"
	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/store/codec"
)

var recordFiles = flag.Bool("record", false, "record testdata from a redis-server")

// client is a connection to a real server.
type client struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
	s    *oracle.Server
}

func dial(t *testing.T, args ...string) *client {
	s := oracle.Start(t, args...)
	conn, err := s.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	return &client{t, conn, bufio.NewReader(conn), s}
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
		c.t.Fatalf("%.80q: %v\n%s", args, err, c.s.Log())
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

// run runs commands, one a line, words between spaces; $x stands for 100 bytes, "" for none.
func (c *client) run(commands string) {
	c.t.Helper()
	for line := range strings.SplitSeq(strings.TrimSpace(commands), "\n") {
		args := strings.Fields(line)
		if len(args) == 0 {
			continue
		}
		for i := range args {
			args[i] = strings.ReplaceAll(strings.Trim(args[i], `"`), "$x", strings.Repeat("x", 100))
		}
		c.must(args...)
	}
}

// state writes out all keys of the first databases: of each the database, name, deadline and payload of DUMP.
func (c *client) state() (lines []string) {
	c.t.Helper()
	for db := range 16 {
		c.must("SELECT", strconv.Itoa(db))
		for _, k := range c.must("KEYS", "*").Elems {
			name := string(k.Str)
			at := c.must("PEXPIRETIME", name).Int
			lines = append(lines, fmt.Sprintf("%d\t%x\t%d\t%x", db, name, at, c.must("DUMP", name).Str))
		}
	}
	return lines
}

// save has the server write its file and returns that.
func (c *client) save() []byte {
	c.t.Helper()
	c.must("SAVE")
	b, err := os.ReadFile(filepath.Join(c.s.Dir(), "dump.rdb"))
	if err != nil {
		c.t.Fatal(err)
	}
	return b
}

// expect compares what was loaded with the state of a server.
func expect(t *testing.T, c *contents, state []string) {
	t.Helper()
	for _, line := range state {
		parts := strings.Split(line, "\t")
		name, _ := hex.DecodeString(parts[1])
		dump, _ := hex.DecodeString(parts[3])
		v, err := codec.Restore(dump, &usual)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		at, _ := strconv.ParseInt(parts[2], 10, 64)
		if at == -1 {
			at = Forever
		}
		got, _, _ := strings.Cut(c.keys[parts[0]+"/"+string(name)], " access ")
		if want := entry(v, at, Meta{}); got != want {
			t.Errorf("%s is\n%.300s\nwant\n%.300s", name, got, want)
		}
	}
	if len(state) != len(c.keys) {
		t.Errorf("%d keys, want %d", len(c.keys), len(state))
	}
}

// recordings are files that Redis 7.0 was asked for: parameters of the server, and commands.
var recordings = []struct {
	name, args, commands string
	access               Access
}{
	{"usual", "", everything, Unrecorded},
	{"large", "--hash-max-listpack-entries 1 --zset-max-listpack-entries 1 --set-max-intset-entries 1 --list-max-listpack-size 2 --stream-node-max-entries 2", everything, Unrecorded},
	{"plain", "--rdbcompression no --rdbchecksum no", everything, Unrecorded},
	{"lru", "--maxmemory 1gb --maxmemory-policy allkeys-lru", everything, Idle},
	{"lfu", "--maxmemory 1gb --maxmemory-policy allkeys-lfu", everything, Frequency},
	{"empty", "", "PING", Unrecorded},
}

const everything = `
SET int8 100
SET int16 -30000
SET int32 2147483647
SET int64 -9223372036854775808
SET text hello
SET empty ""
SET long $x$x
SET 12345 key
SET $x key
SETRANGE zeros 20000 x
SET volatile v PXAT 4000000000123
RPUSH list a 1 -1 300 70000 10000000000 $x
RPUSH rows a b c d e f g $x
SADD ints 1 2 3
SADD ints32 1 70000
SADD ints64 1 10000000000
SADD set a b c 1 2 $x
PEXPIREAT set 4000000000456
ZADD zset 1 a 1.5 b -inf c inf d 1e20 e 0.1 $x
HSET hash f v "" 1 12 "" g $x
XADD stream 1-1 f v
XADD stream 1-2 f v g w
XADD stream 5-0 f v
XADD stream 6-0 other v
XADD stream 7-0 f v
XDEL stream 1-2
XGROUP CREATE stream g1 0
XGROUP CREATE stream g2 5-0 ENTRIESREAD 3
XREADGROUP GROUP g1 alice COUNT 2 STREAMS stream >
XREADGROUP GROUP g1 bob COUNT 1 STREAMS stream >
XGROUP CREATECONSUMER stream g2 idle
XADD gone 1-1 f v
XDEL gone 1-1
SELECT 3
SET int8 other
SELECT 15
SET last 1 EXAT 4000000000
`

const functionSource = "#!lua name=lib\nredis.register_function('f', function() return 1 end)"

func recording(name string) string { return filepath.Join("testdata", "redis70-"+name) }

// TestRecord writes testdata, if asked to.
func TestRecord(t *testing.T) {
	if !*recordFiles {
		t.Skip("run with -record to record testdata")
	}
	for _, r := range recordings {
		c := dial(t, strings.Fields(r.args)...)
		c.run(r.commands)
		if r.name != "empty" {
			c.must("FUNCTION", "LOAD", functionSource)
		}
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		z.Write(c.save())
		z.Close()
		if err := os.WriteFile(recording(r.name)+".rdb.gz", out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		out.Reset()
		z.Reset(&out)
		fmt.Fprintln(z, strings.Join(c.state(), "\n"))
		z.Close()
		if err := os.WriteFile(recording(r.name)+".txt.gz", out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func gunzip(t testing.TB, name string) []byte {
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRecorded reads files of Redis 7.0.
func TestRecorded(t *testing.T) {
	for _, r := range recordings {
		t.Run(r.name, func(t *testing.T) {
			file := gunzip(t, recording(r.name)+".rdb.gz")
			var state []string
			if text := strings.TrimSpace(string(gunzip(t, recording(r.name)+".txt.gz"))); text != "" {
				state = strings.Split(text, "\n")
			}
			c, res, err := load(t, file)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, c, state)
			if r.name != "empty" && (len(c.functions) != 1 || c.functions[0] != functionSource) {
				t.Errorf("functions %q", c.functions)
			}
			if res.Version != 10 || res.Verified == (r.name == "plain") || len(c.aux) != 5 || c.aux[0] != "redis-ver=7.0.15" {
				t.Errorf("%+v %q", res, c.aux)
			}
			for k, text := range c.keys {
				if has := strings.Contains(text, fmt.Sprintf(" access %d ", r.access)); has != (r.access != Unrecorded) {
					t.Errorf("%s: %.200s", k, text)
				}
			}
		})
	}
}

// TestExchange gives a file to a real server, which must find the same keys in it, and takes one back.
func TestExchange(t *testing.T) {
	if _, err := oracle.Path(); err != nil {
		t.Skip(err)
	}
	r := rand.New(rand.NewPCG(5, 5))
	for i, policy := range []string{"noeviction", "allkeys-lfu"} {
		keys := sample(r, 400, 6, 4)
		file := write(t, Config{Compress: i == 0, NoChecksum: i == 1, Info: Info{Version: "7.4.1", Created: 1_700_000_000, UsedMemory: 1000},
			Sizes: []Size{{DB: 2, Keys: 200, Expires: 50}}}, keys, functionSource)
		dir := t.TempDir()
		name := filepath.Join(dir, "ours.rdb")
		if err := os.WriteFile(name, file, 0o644); err != nil {
			t.Fatal(err)
		}
		if tool, err := exec.LookPath("redis-check-rdb"); err == nil {
			out, err := exec.Command(tool, name).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "RDB looks OK") || !strings.Contains(string(out), "[info] 400 keys read") {
				t.Errorf("%v\n%s", err, out)
			}
		}
		c := dial(t, "--dir", dir, "--dbfilename", "ours.rdb", "--maxmemory-policy", policy, "--sanitize-dump-payload", "yes")
		for _, k := range keys {
			if i == 1 && k.m.Access == Frequency {
				c.must("SELECT", strconv.Itoa(k.db))
				// It falls by one for each minute.
				if got := c.must("OBJECT", "FREQ", k.name).Int; got != int64(k.m.Used) && got != int64(k.m.Used)-1 {
					t.Errorf("%s was used %d, in the file %d", k.name, got, k.m.Used)
				}
			}
		}
		var ours contents
		if _, err := Load(bytes.NewReader(file), ours.options(2, usual)); err != nil {
			t.Fatal(err)
		}
		expect(t, &ours, c.state())
		if list := c.must("FUNCTION", "LIST").Elems; len(list) != 1 {
			t.Errorf("%d libraries", len(list))
		}
		c.must("SAVE")
		theirs, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		back, _, err := load(t, theirs)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, back, c.state())
	}
}
