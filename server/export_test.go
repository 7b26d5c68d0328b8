package server

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// exported asks for the data as redis-cli --rdb does, and returns the file.
func exported(t *testing.T, srv *Server, lines ...string) []byte {
	t.Helper()
	c := dial(t, srv)
	for _, line := range lines {
		c.want(line, "+OK\r\n")
	}
	c.send("SYNC\r\n")
	head, file, ok := strings.Cut(strings.TrimLeft(c.readAll(), "\n"), "\r\n") // an empty line: it is still being written
	if !ok || head != "$"+strconv.Itoa(len(file)) {
		t.Fatalf("%.40q and %d bytes", head, len(file))
	}
	return []byte(file)
}

// fillStrings writes n large strings that do not compress.
func fillStrings(c *client, n int) {
	random := rand.NewChaCha8([32]byte{})
	value := make([]byte, 200<<10)
	for i := range n {
		random.Read(value)
		if got := c.doArgs("SET", fmt.Sprint("big:", i), string(value)); got != "+OK\r\n" {
			c.t.Fatal(got)
		}
	}
}

// What SYNC sends is a file that another server loads the same data from.
func TestExport(t *testing.T) {
	dir := t.TempDir()
	srv := openWith(t, Options{Addr: "127.0.0.1:0", Dir: dir})
	c := dial(t, srv)
	fillStrings(c, 100)
	c.want("RPUSH l a b c", ":3\r\n")
	if got := c.doArgs("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)"); got != "$3\r\nlib\r\n" {
		t.Fatal(got)
	}
	for _, kind := range []struct {
		name         string
		lines        []string
		keys, digest string
	}{
		{"everything", []string{"REPLCONF rdb-only 1", "REPLCONF capa eof"}, ":101\r\n", c.do("DEBUG DIGEST")},
		{"functions", []string{"REPLCONF rdb-only 1", "REPLCONF rdb-filter-only functions", "REPLCONF capa eof"}, ":0\r\n", "+" + strings.Repeat("0", 40) + "\r\n"},
	} {
		t.Run(kind.name, func(t *testing.T) {
			copied := t.TempDir()
			if err := os.WriteFile(filepath.Join(copied, "dump.rdb"), exported(t, srv, kind.lines...), 0o600); err != nil {
				t.Fatal(err)
			}
			other := dial(t, openWith(t, Options{Addr: "127.0.0.1:0", Dir: copied}))
			other.want("DBSIZE", kind.keys)
			other.want("DEBUG DIGEST", kind.digest)
			other.want("FCALL f 0", ":1\r\n")
		})
	}
	noTemporary(t, dir)
}

// What is not there yet is refused, by its name.
func TestNoReplicas(t *testing.T) {
	srv := openWith(t, Options{Addr: "127.0.0.1:0", Dir: t.TempDir()})
	c := dial(t, srv)
	const noReplicas = "-ERR Pulse has no replicas yet; it sends its data after REPLCONF RDB-ONLY 1 alone, as redis-cli --rdb asks for them\r\n"
	for line, want := range map[string]string{
		"SYNC":                  noReplicas,
		"PSYNC ? -1":            noReplicas,
		"REPLICAOF 127.0.0.1 1": "-ERR Pulse cannot be a replica yet\r\n",
		"SLAVEOF 127.0.0.1 1":   "-ERR Pulse cannot be a replica yet\r\n",
	} {
		c.want(line, want)
	}
	c.want("REPLCONF rdb-only 1", "+OK\r\n")
	c.send("PSYNC ? -1\r\n")
	if got := c.readAll(); !strings.HasPrefix(got, "+FULLRESYNC "+srv.env().ReplicationID()+" 0\r\n") || !strings.Contains(got, "REDIS0010") {
		t.Errorf("%.100q", got)
	}
	memory := dial(t, openServer(t))
	memory.want("REPLCONF rdb-only 1", "+OK\r\n")
	memory.want("SYNC", "-ERR The server keeps no files: it was opened without a directory\r\n")
}

// A client that goes away, or is killed, while it is sent the data leaves nothing behind, and hinders nobody.
func TestExportBrokenOff(t *testing.T) {
	dir := t.TempDir()
	srv := openWith(t, Options{Addr: "127.0.0.1:0", Dir: dir})
	c := dial(t, srv)
	fillStrings(c, 100)
	for _, end := range []string{"closes", "killed"} {
		slow := dial(t, srv)
		slow.narrow()
		id := slow.id()
		slow.want("REPLCONF rdb-only 1", "+OK\r\n")
		slow.send("SYNC\r\n")
		slow.SetReadDeadline(time.Now().Add(patience))
		if b, err := slow.r.ReadByte(); err != nil || b != '$' && b != '\n' {
			t.Fatalf("%q, %v", b, err)
		}
		c.want("SET x y", "+OK\r\n") // while the other is being served
		if end == "closes" {
			slow.Close()
		} else {
			c.want("CLIENT KILL ID "+id, ":1\r\n")
		}
		waitFor(t, "the client to be gone", func() bool { return srv.clients.count() == 1 })
		noTemporary(t, dir)
	}
}

// noTemporary waits until there are no temporary files.
func noTemporary(t *testing.T, dir string) {
	t.Helper()
	var found []string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if found, _ = filepath.Glob(filepath.Join(dir, "temp-*")); len(found) == 0 {
			return
		}
	}
	t.Errorf("left behind: %q", found)
}
