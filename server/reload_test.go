package server

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/streampulse/pulse/internal/oracle"
)

// fill makes keys of all types, large and small, in two databases, the same for each seed.
func fill(c *client, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	n := 0
	add := func(words ...string) {
		b.WriteString(encode(words...))
		n++
	}
	word := func() string {
		return []string{fmt.Sprint(r.IntN(1000) - 500), fmt.Sprintf("w%d", r.IntN(300)), "", strings.Repeat("\x00\xffz", r.IntN(40)), fmt.Sprint(r.NormFloat64())}[r.IntN(5)]
	}
	words := func(n int, first ...string) []string {
		for range n {
			first = append(first, word())
		}
		return first
	}
	for db := range 2 {
		add("SELECT", fmt.Sprint(db))
		for i := range 60 {
			size := 1 + r.IntN(6)
			if i%20 == 0 {
				size = 700
			}
			k := func(kind string) string { return fmt.Sprintf("%s:%d", kind, i) }
			add("SET", k("str"), word())
			add(words(size, "RPUSH", k("list"))...)
			add(words(size, "SADD", k("set"))...)
			add(words(2*size, "HSET", k("hash"))...)
			for j := range size {
				add("ZADD", k("zset"), fmt.Sprint(r.ExpFloat64()*float64(j-1)), word())
				add(words(2*(1+r.IntN(2)), "XADD", k("stream"), fmt.Sprintf("%d-%d", j+1, r.IntN(9)))...)
			}
			add("XDEL", k("stream"), "1-0", "2-1")
			add("XGROUP", "CREATE", k("stream"), "g", "0")
			add("XREADGROUP", "GROUP", "g", "c", "COUNT", "2", "STREAMS", k("stream"), ">")
			if i%3 == 0 {
				for _, kind := range []string{"str", "list", "stream"} {
					add("PEXPIREAT", k(kind), fmt.Sprint(4102444800000+r.IntN(1e6)))
				}
			}
		}
	}
	add("SELECT", "0")
	c.send(b.String())
	for range n {
		c.read()
	}
}

// TestDigestBeside compares DEBUG DIGEST with that of a redis-server that got the same commands, or the same file.
func TestDigestBeside(t *testing.T) {
	real := oracle.Start(t, "--enable-debug-command", "yes")
	to := dialAddr(t, "tcp", real.Addr())
	dir := t.TempDir()
	srv := openWith(t, Options{Addr: "127.0.0.1:0", Dir: dir})
	c := dial(t, srv)
	for seed := range uint64(5) {
		fill(c, seed)
		fill(to, seed)
		if got, want := c.do("DEBUG DIGEST"), to.do("DEBUG DIGEST"); got != want || got == "+"+strings.Repeat("0", 40)+"\r\n" {
			t.Fatalf("seed %d: %q, want %q", seed, got, want)
		}
		c.want("FLUSHALL", "+OK\r\n")
		to.want("FLUSHALL", "+OK\r\n")
	}
	fill(to, 9)
	want := to.do("DEBUG DIGEST")
	to.want("SAVE", "+OK\r\n")
	b, err := os.ReadFile(filepath.Join(real.Dir(), "dump.rdb"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "dump.rdb"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	c.want("DEBUG RELOAD NOSAVE", "+OK\r\n")
	c.want("DEBUG DIGEST", want)
}

// TestReload saves and reads back in all ways that DEBUG has.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	srv := openWith(t, Options{Addr: "127.0.0.1:0", Dir: dir}, "appendonly", "yes")
	c := dial(t, srv)
	fill(c, 1)
	c.want("HSET timed f v g w", ":2\r\n")
	c.want("HPEXPIREAT timed 4102444800000 FIELDS 1 f", "*1\r\n:1\r\n")
	c.doArgs("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
	all := c.do("DEBUG DIGEST")
	for _, line := range []string{"DEBUG RELOAD", "DEBUG LOADAOF", "DEBUG RELOAD NOSAVE", "DEBUG RELOAD MERGE NOFLUSH", "DEBUG RELOAD NOSAVE NOFLUSH MERGE", "DEBUG LOADAOF"} {
		c.want(line, "+OK\r\n")
		c.want("DEBUG DIGEST", all)
		c.want("FCALL f 0", ":1\r\n")
		c.want("HPEXPIRETIME timed FIELDS 2 f g", "*2\r\n:4102444800000\r\n:-1\r\n")
	}
	// What is read is put into the place of what there is, and what is new stays.
	c.want("SET str:0 other", "+OK\r\n")
	c.want("SET new x", "+OK\r\n")
	c.want("DEBUG RELOAD NOSAVE NOFLUSH MERGE", "+OK\r\n")
	c.want("DEL new", ":1\r\n")
	c.want("DEBUG DIGEST", all)
	// The log was told of neither: it is written anew.
	for srv.files.tick(); strings.Contains(c.do("INFO persistence"), "aof_rewrite_scheduled:1"); srv.files.tick() {
		runtime.Gosched() // another rewrite is under way
	}
	c.want("DEBUG LOADAOF", "+OK\r\n")
	c.want("DEBUG DIGEST", all)

	c.want("MULTI", "+OK\r\n")
	c.want("DEBUG RELOAD", "+QUEUED\r\n")
	c.want("DEBUG DIGEST", "+QUEUED\r\n")
	c.want("EXEC", "*2\r\n-ERR Command not allowed inside a transaction\r\n"+all)

	if err := os.Remove(filepath.Join(dir, "dump.rdb")); err != nil {
		t.Fatal(err)
	}
	c.want("DEBUG RELOAD NOSAVE", "-ERR Error trying to load the RDB dump, check server logs.\r\n")
	c.want("DEBUG DIGEST", all)
}

// TestReloadFails finds a server that ends, with its files as they were, when it cannot read them back.
func TestReloadFails(t *testing.T) {
	for _, line := range []string{"DEBUG LOADAOF", "DEBUG RELOAD NOSAVE", "DEBUG RELOAD NOSAVE NOFLUSH"} {
		t.Run(line, func(t *testing.T) {
			dir := t.TempDir()
			srv, err := Open(Options{Addr: "127.0.0.1:0", Dir: dir, Config: configOf(t, "appendonly", "yes", "appendfsync", "always", "save", "3600 1")})
			if err != nil {
				t.Fatal(err)
			}
			c := dial(t, srv)
			for i := range 4 {
				c.want(fmt.Sprintf("SET key%d value", i), "+OK\r\n")
			}
			c.want("SAVE", "+OK\r\n")
			name := filepath.Join(dir, "appendonlydir", "appendonly.aof.1.incr.aof")
			if strings.Contains(line, "RELOAD") {
				name = filepath.Join(dir, "dump.rdb")
			}
			b, err := os.ReadFile(name)
			if err != nil || len(b) < 50 {
				t.Fatal(err, len(b))
			}
			if !strings.Contains(line, "NOFLUSH") {
				b[len(b)/2] ^= 1
			}
			b = append(b[:len(b):len(b)], "*1\r\n"...) // and it goes on
			if err := os.WriteFile(name, b, 0o644); err != nil {
				t.Fatal(err)
			}
			if reply := c.do(line); !strings.HasPrefix(reply, "-ERR Error trying to load the ") && !strings.HasSuffix(reply, "(closed)") {
				t.Errorf("%q", reply)
			}
			<-srv.Done()
			closeServer(t, srv)
			left, err := os.ReadFile(name)
			// Closing the log may have added a note that all is on the disk.
			if err != nil || !strings.HasPrefix(string(left), string(b)) {
				t.Errorf("the file has changed: %v", err)
			}
		})
	}
}

// What FLUSHALL has taken away must not come back from the RDB file, also if the server is killed.
func TestFlushallSaves(t *testing.T) {
	dir := t.TempDir()
	c := dial(t, openWith(t, Options{Addr: "127.0.0.1:0", Dir: dir}, "save", "3600 1"))
	for i := range 100 {
		c.want(fmt.Sprint("SET k", i, " v"), "+OK\r\n")
	}
	c.want("SAVE", "+OK\r\n")
	c.want("FLUSHALL", "+OK\r\n")
	waitFor(t, "the empty file", func() bool {
		file, err := os.ReadFile(filepath.Join(dir, "dump.rdb"))
		return err == nil && !bytes.Contains(file, []byte("k99"))
	})
	c.untilInfo("rdb_changes_since_last_save:0")
}
