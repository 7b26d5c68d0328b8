package server

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/streampulse/pulse/internal/oracle"
	"github.com/streampulse/pulse/internal/vfs"
)

// plainLog is an increment as Redis writes it, and where its last transaction begins.
func plainLog() (log string, last int) {
	log = requests("SELECT 0", "SET a 1", "MULTI", "SET b 1", "SET c 1", "EXEC", "SET d 1")
	return log + requests("MULTI", "SET b 2", "SET c 2", "EXEC"), len(log)
}

const incrName, manifestName = "appendonly.aof.1.incr.aof", "appendonly.aof.manifest"

const manifestText = "file " + incrName + " seq 1 type i\n"

// TestTornTransaction cuts a log at every byte of its last transaction: what is written after the start is there after
// the next one.
func TestTornTransaction(t *testing.T) {
	plain, from := plainLog()
	for cut := from; cut <= len(plain); cut++ {
		d := newDisk(t)
		put := func(name, text string) {
			f, err := d.mem.Create("data/appendonlydir/" + name)
			if err != nil {
				t.Fatal(err)
			}
			f.Write([]byte(text))
			f.Sync()
			f.Close()
		}
		if err := d.mem.MkdirAll("data/appendonlydir", 0o755); err != nil {
			t.Fatal(err)
		}
		put(incrName, plain[:cut])
		put(manifestName, manifestText)
		for _, dir := range []string{"data/appendonlydir", "data"} {
			if err := d.mem.SyncDir(dir); err != nil {
				t.Fatal(err)
			}
		}
		tornTransaction(t, cut == len(plain), func(f func(c *client)) {
			srv := d.open("appendonly", "yes", "appendfsync", "always")
			f(dial(t, srv))
			image := d.mem.CrashAt(vfs.Cut{Op: d.mem.Count(), Kind: vfs.CutLost})
			closeServer(t, srv)
			d = diskFrom(t, image)
		}, func(what string) { t.Fatalf("cut at %d of %d: %s", cut, len(plain), what) })
	}
}

// tornTransaction starts a server three times, with writes in between, and reports what is not as it should be.
func tornTransaction(t *testing.T, whole bool, session func(func(c *client)), report func(string)) {
	want := "$1\r\n1\r\n"
	if whole {
		want = "$1\r\n2\r\n"
	}
	check := func(c *client) {
		for _, key := range []string{"a", "d"} {
			if got := c.do("GET " + key); got != "$1\r\n1\r\n" {
				report("GET " + key + " = " + got)
			}
		}
		for _, key := range []string{"b", "c"} {
			if got := c.do("GET " + key); got != want {
				report("GET " + key + " = " + got)
			}
		}
	}
	session(func(c *client) {
		check(c)
		c.want("SET new 1", "+OK\r\n")
		c.want("MULTI", "+OK\r\n")
		c.want("SET newer 1", "+QUEUED\r\n")
		c.want("EXEC", "*1\r\n+OK\r\n")
	})
	for range 2 {
		session(func(c *client) {
			check(c)
			for _, key := range []string{"new", "newer"} {
				if got := c.do("GET " + key); got != "$1\r\n1\r\n" {
					report("acknowledged, and lost: " + key)
				}
			}
		})
	}
}

// TestTornTransactionOfRedis does the same to a redis-server, at some bytes, and logs what it loses.
func TestTornTransactionOfRedis(t *testing.T) {
	if _, err := oracle.Path(); err != nil {
		t.Skip(err)
	}
	plain, from := plainLog()
	cuts, lost, first := 0, 0, ""
	step := 23
	if testing.Short() {
		step = 61
	}
	for cut := from + 2; cut < len(plain); cut += step {
		dir := t.TempDir()
		files := filepath.Join(dir, "appendonlydir")
		if err := os.Mkdir(files, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{incrName: plain[:cut], manifestName: manifestText} {
			if err := os.WriteFile(filepath.Join(files, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		cuts++
		failed := ""
		tornTransaction(t, false, func(f func(c *client)) {
			if failed != "" {
				return
			}
			srv, err := oracle.Launch("--dir", dir, "--appendonly", "yes", "--appendfsync", "always")
			if err != nil {
				failed = "it does not start: " + err.Error()
				return
			}
			defer srv.Close()
			nc, err := net.Dial("tcp", srv.Addr())
			if err != nil {
				t.Fatal(err)
			}
			f(newClient(t, nc))
			nc.Close()
		}, func(what string) { failed = what })
		if failed != "" {
			lost++
			if first == "" {
				first = strings.ReplaceAll(failed, "\r\n", " ")
			}
		}
	}
	t.Logf("redis-server: after %d of %d cuts acknowledged writes were lost; the first: %s", lost, cuts, first)
}
