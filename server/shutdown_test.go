package server

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/vfs"
)

// opening is a server that is being opened.
type opening struct {
	srv *Server
	err error
}

// openSlowly opens a server whose files are read when release is called; c is connected to it meanwhile.
func openSlowly(t *testing.T, dir string, rule vfs.Rule, s ...string) (c *client, release func(), opened chan opening) {
	t.Helper()
	fs := vfs.NewFault(vfs.OS)
	held, gate := make(chan struct{}), make(chan struct{})
	rule.Times = 1
	rule.Before = func(vfs.OpKind, string) { close(held); <-gate }
	fs.Add(rule)
	path := filepath.Join(dir, "s")
	o := Options{Addr: "127.0.0.1:0", Dir: dir, fs: fs, Config: configOf(t, append([]string{"unixsocket", path}, s...)...)}
	opened = make(chan opening, 1)
	go func() {
		srv, err := Open(o)
		opened <- opening{srv, err}
	}()
	select {
	case <-held:
	case o := <-opened:
		t.Fatalf("it did not read: %v", o.err)
	case <-time.After(patience):
		t.Fatal("it does not read")
	}
	nc, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, nc), func() { close(gate) }, opened
}

// TestLoading finds out what clients are told while the data are being read.
func TestLoading(t *testing.T) {
	const loading = "-LOADING Redis is loading the dataset in memory\r\n"
	for _, aof := range []bool{false, true} {
		dir, s, file, content := t.TempDir(), settings{}, "dump.rdb", emptyRDB(10, "\xfe\x00\x00\x01k\x01v", true)
		if aof {
			s, file, content = settings{"appendonly", "yes"}, "appendonly.aof", command("SET", "k", "v")
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		c, release, opened := openSlowly(t, dir, vfs.Rule{Ops: vfs.OpRead, Path: file}, s...)
		for _, line := range []string{"PING", "GET k", "SET k x", "DEL k", "EVAL return 0", "BGSAVE", "SAVE", "BGREWRITEAOF", "DBSIZE", "FLUSHALL", "KEYS *", "DEBUG RELOAD", "DEBUG LOADAOF", "DEBUG DIGEST", "DEBUG POPULATE 5"} {
			if reply := c.do(line); reply != loading && line != "EVAL return 0" {
				t.Errorf("%s: %q", line, reply)
			}
		}
		c.want("SELECT 1", "+OK\r\n")
		c.want("SELECT 0", "+OK\r\n")
		if reply := c.do("LASTSAVE"); reply[0] != ':' {
			t.Error(reply)
		}
		info := c.do("INFO persistence")
		for _, field := range []string{"loading:1", "loading_start_time:1", "loading_total_bytes:", "loading_rdb_used_mem:0", "loading_loaded_bytes:0", "loading_loaded_perc:0.00", "loading_eta_seconds:"} {
			if !strings.Contains(info, "\r\n"+field) {
				t.Errorf("%s is missing in %s", field, info)
			}
		}
		release()
		o := <-opened
		if o.err != nil {
			t.Fatal(o.err)
		}
		c.want("GET k", "$1\r\nv\r\n")
		if info := c.do("INFO persistence"); !strings.Contains(info, "\r\nloading:0") || strings.Contains(info, "loading_start_time") {
			t.Error(info)
		}
		closeServer(t, o.srv)
	}
}

// TestShutdownWhileLoading ends a server that loads; its files stay as they are.
func TestShutdownWhileLoading(t *testing.T) {
	for _, line := range []string{"SHUTDOWN", "SHUTDOWN NOSAVE", "SHUTDOWN SAVE"} {
		for _, file := range []string{"dump.rdb", "appendonly.aof"} {
			dir, s, content := t.TempDir(), settings{"save", "1 1"}, emptyRDB(10, "\xfe\x00\x00\x01k\x01v", true)
			if file == "appendonly.aof" {
				s, content = append(s, "appendonly", "yes"), command("SET", "k", "v")
			}
			if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
			c, release, opened := openSlowly(t, dir, vfs.Rule{Ops: vfs.OpRead, Path: file}, s...)
			c.send(encode(strings.Fields(line)...))
			for !strings.HasSuffix(c.read(), "(closed)") {
			}
			release()
			if o := <-opened; !errors.Is(o.err, ErrClosed) {
				t.Errorf("%s, %s: %v", line, file, o.err)
			}
			list, _ := filepath.Glob(filepath.Join(dir, "*.rdb"))
			if file == "dump.rdb" {
				if b, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(b) != content {
					t.Errorf("%s: %v %q", line, err, b)
				}
			} else if len(list) != 0 {
				t.Errorf("%s: %q", line, list)
			}
		}
	}
}

// TestShutdownSaves ends servers in all ways, with disks that work and that do not.
func TestShutdownSaves(t *testing.T) {
	const refused = "-ERR Errors trying to SHUTDOWN. Check logs.\r\n"
	points, none := settings{"save", "3600 1"}, settings{}
	full := vfs.Rule{Ops: vfs.OpWrite, Path: "temp-*.rdb", Err: syscall.ENOSPC}
	stuck := vfs.Rule{Ops: vfs.OpRename, Path: "dump.rdb", Err: syscall.EIO}
	for _, c := range []struct {
		line    string
		s       settings
		rule    vfs.Rule
		refused bool
		saved   bool
	}{
		{"SHUTDOWN", none, vfs.Rule{}, false, false},
		{"SHUTDOWN", points, vfs.Rule{}, false, true},
		{"SHUTDOWN NOSAVE", points, vfs.Rule{}, false, false},
		{"SHUTDOWN SAVE", none, vfs.Rule{}, false, true},
		{"shutdown save now", none, vfs.Rule{}, false, true},
		{"SHUTDOWN", points, full, true, false},
		{"SHUTDOWN SAVE", none, full, true, false},
		{"SHUTDOWN SAVE", none, stuck, true, false},
		{"SHUTDOWN NOSAVE", points, full, false, false},
		{"SHUTDOWN FORCE", points, full, false, false},
		{"SHUTDOWN SAVE FORCE", none, stuck, false, false},
		{"SHUTDOWN", none, full, false, false},
	} {
		fs := vfs.NewFault(vfs.OS)
		dir := t.TempDir()
		srv, err := Open(Options{Addr: "127.0.0.1:0", Dir: dir, fs: fs, Config: configOf(t, c.s...)})
		if err != nil {
			t.Fatal(err)
		}
		if c.rule.Ops != 0 {
			fs.Add(c.rule)
		}
		k := dial(t, srv)
		k.want("SET k v", "+OK\r\n")
		k.want("SHUTDOWN ABORT", "-ERR No shutdown in progress.\r\n")
		if c.refused {
			k.want(c.line, refused)
			// It goes on, and takes writes.
			k.want("APPEND k w", ":2\r\n")
			fs.Heal()
			k.send(encode(strings.Fields(c.line)...))
		} else {
			k.send(encode(strings.Fields(c.line)...))
		}
		if reply := k.read(); reply != "(closed)" {
			t.Errorf("%s %v: %q", c.line, c.s, reply)
		}
		select {
		case <-srv.Done():
		case <-time.After(patience):
			t.Fatalf("%s: it does not end", c.line)
		}
		closeServer(t, srv)
		want := ""
		switch {
		case c.refused:
			want = "$2\r\nvw\r\n"
		case c.saved:
			want = "$1\r\nv\r\n"
		}
		if _, err := os.Stat(filepath.Join(dir, "dump.rdb")); (err == nil) != (want != "") {
			t.Errorf("%s %v: %v", c.line, c.s, err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "temp-*")); len(left) > 0 {
			t.Errorf("%s %v: %q", c.line, c.s, left)
		}
		if want != "" {
			again := openWith(t, Options{Addr: "127.0.0.1:0", Dir: dir})
			dial(t, again).want("GET k", want)
			closeServer(t, again)
		}
	}
}

// TestShutdownWhileWriting ends servers while they save or rewrite, which gives way.
func TestShutdownWhileWriting(t *testing.T) {
	for _, c := range []struct {
		line, path string
		s          settings
	}{
		{"BGSAVE", "temp-*.rdb", settings{"save", "3600 1"}},
		{"BGREWRITEAOF", "temp-rewriteaof-*", settings{"appendonly", "yes", "save", "3600 1"}},
		{"BGREWRITEAOF", "temp-rewriteaof-*", settings{"appendonly", "yes"}},
	} {
		fs := vfs.NewFault(vfs.OS)
		dir := t.TempDir()
		srv, err := Open(Options{Addr: "127.0.0.1:0", Dir: dir, fs: fs, Config: configOf(t, c.s...)})
		if err != nil {
			t.Fatal(err)
		}
		held, gate := make(chan struct{}), make(chan struct{})
		fs.Add(vfs.Rule{Ops: vfs.OpCreate, Path: c.path, Times: 1, Before: func(vfs.OpKind, string) { close(held); <-gate }})
		k := dial(t, srv)
		k.want("SET k v", "+OK\r\n")
		if reply := k.do(c.line); reply[0] != '+' {
			t.Fatal(reply)
		}
		<-held
		busy := map[string]string{"BGSAVE": "-ERR Background save already in progress\r\n", "SAVE": "-ERR Background save already in progress\r\n",
			"BGSAVE SCHEDULE": "-ERR Background save already in progress\r\n", "BGREWRITEAOF": "+Background append only file rewriting scheduled\r\n"}
		if c.line == "BGREWRITEAOF" {
			other := "-ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.\r\n"
			busy = map[string]string{"BGREWRITEAOF": "-ERR Background append only file rewriting already in progress\r\n", "BGSAVE": other, "BGSAVE SCHEDULE": "+Background saving scheduled\r\n"}
		}
		for line, reply := range busy {
			k.want(line, reply)
		}
		k.want("BGSAVE FOO", "-ERR syntax error\r\n")
		k.want("APPEND k w", ":2\r\n")
		time.AfterFunc(20*time.Millisecond, func() { close(gate) })
		k.send(encode("SHUTDOWN"))
		if reply := k.read(); reply != "(closed)" {
			t.Errorf("%s: %q", c.line, reply)
		}
		closeServer(t, srv)
		if left, _ := filepath.Glob(filepath.Join(dir, "temp-*")); len(left) > 0 {
			t.Errorf("%s: %q", c.line, left)
		}
		again := openWith(t, Options{Addr: "127.0.0.1:0", Dir: dir}, c.s...)
		dial(t, again).want("GET k", "$2\r\nvw\r\n")
		closeServer(t, again)
	}
}

// TestMovedFile writes the RDB file where CONFIG SET has it.
func TestMovedFile(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	srv := openWith(t, Options{Addr: "127.0.0.1:0", Dir: first}, "enable-protected-configs", "yes")
	c := dial(t, srv)
	has := func(path string, want bool) {
		t.Helper()
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	c.want("SET k v", "+OK\r\n")
	c.want("CONFIG SET dbfilename other.rdb", "+OK\r\n")
	c.want("SAVE", "+OK\r\n")
	has(filepath.Join(first, "other.rdb"), true)
	has(filepath.Join(first, "dump.rdb"), false)
	c.want("CONFIG SET dir "+second, "+OK\r\n")
	c.want("SAVE", "+OK\r\n")
	has(filepath.Join(second, "other.rdb"), true)
	c.want("DEBUG RELOAD NOSAVE", "+OK\r\n")
	if _, err := vfs.OS.Lock(second); err == nil {
		t.Error("the directory is not locked")
	}
	if reply := c.do("CONFIG SET dir " + filepath.Join(first, "none")); !strings.HasPrefix(reply, "-ERR CONFIG SET failed") {
		t.Error(reply)
	}
	c.want("CONFIG SET dir "+first, "+OK\r\n")
	l, err := vfs.OS.Lock(second)
	if err != nil {
		t.Fatal(err)
	}
	if reply := c.do("CONFIG SET dir " + second); !strings.HasPrefix(reply, "-ERR CONFIG SET failed") || !strings.Contains(reply, "in use") {
		t.Error(reply)
	}
	l.Close()
	c.want("SAVE", "+OK\r\n")
	c.want("GET k", "$1\r\nv\r\n")
}
