package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/streampulse/pulse/internal/vfs"
	"github.com/streampulse/pulse/persistence/aof"
	"github.com/streampulse/pulse/store/codec/crc64"
)

// emptyRDB is a file without keys; sum says whether with its checksum or with zeros in its place.
func emptyRDB(version int, body string, sum bool) string {
	b := fmt.Appendf(nil, "REDIS%04d%s\xff", version, body)
	if version < 5 {
		return string(b)
	}
	n := uint64(0)
	if sum {
		n = crc64.Update(0, b)
	}
	for i := range 8 {
		b = append(b, byte(n>>(8*i)))
	}
	return string(b)
}

// command is a command as it stands in an append-only file of Redis.
func command(words ...string) string {
	var args [][]byte
	for _, w := range words {
		args = append(args, []byte(w))
	}
	return string(aof.AppendCommand(nil, args...))
}

// TestStart starts servers on files of all sorts: they start with the data, or say what is in their way, and leave it as it
// is.
func TestStart(t *testing.T) {
	const manifest = "appendonlydir/appendonly.aof.manifest"
	key := "\x00\x01k\x01v"
	good := emptyRDB(10, "\xfe\x00"+key, true)
	logOn := settings{"appendonly", "yes"}
	for _, c := range []struct {
		name     string
		files    map[string]string // a name that ends in / is a directory
		settings settings
		ignore   bool
		fails    string // a part of the error, "" if it starts
		has      string // the value of k then
	}{
		{name: "nothing", has: "$-1\r\n"},
		{name: "an RDB file", files: map[string]string{"dump.rdb": good}, has: "$1\r\nv\r\n"},
		{name: "without a checksum", files: map[string]string{"dump.rdb": emptyRDB(10, "\xfe\x00"+key, false)}, has: "$1\r\nv\r\n"},
		{name: "of an old version", files: map[string]string{"dump.rdb": emptyRDB(3, "\xfe\x00"+key, false)}, has: "$1\r\nv\r\n"},
		{name: "of a newer version", files: map[string]string{"dump.rdb": emptyRDB(13, "", true)}, fails: "dump.rdb: rdb: at offset 5: Can't handle RDB format version 13"},
		{name: "no RDB file", files: map[string]string{"dump.rdb": "HELLO WORLD, HOW ARE YOU?"}, fails: "Wrong signature trying to load DB from file"},
		{name: "of no bytes", files: map[string]string{"dump.rdb": ""}, fails: "dump.rdb: rdb: at offset 0"},
		{name: "of zeros", files: map[string]string{"dump.rdb": "\x00\x00\x00\x00\x00\x00\x00\x00"}, fails: "dump.rdb: rdb: at offset 0"},
		{name: "cut off", files: map[string]string{"dump.rdb": good[:len(good)-9]}, fails: "the file ends"},
		{name: "a wrong checksum", files: map[string]string{"dump.rdb": strings.Replace(good, "v", "w", 1)}, fails: "Wrong RDB checksum"},
		{name: "a module's key", files: map[string]string{"dump.rdb": emptyRDB(10, "\xfe\x00\x07\x01k\x81\x05\x00\x00\x00\x00\x00\x00\x00\x00", true)}, fails: "contains module data I can't load: no matching module type 'BQAAAAAAA'"},
		{name: "a module's own", files: map[string]string{"dump.rdb": emptyRDB(10, "\xf7\x81\x05\x00\x00\x00\x00\x00\x00\x00\x02\x01\x00", true)}, fails: "contains AUX module data I can't load"},
		{name: "a directory", files: map[string]string{"dump.rdb/": ""}, fails: "dump.rdb is no regular file"},
		{name: "too many databases", files: map[string]string{"dump.rdb": emptyRDB(10, "\xfe\x10"+key, true)}, fails: "more than 16 databases"},

		{name: "a log beside an RDB file", files: map[string]string{"dump.rdb": good}, settings: logOn, fails: "--ignore-unread-data yes"},
		{name: "overridden", files: map[string]string{"dump.rdb": good}, settings: logOn, ignore: true, has: "$-1\r\n"},
		{name: "an empty manifest", files: map[string]string{manifest: "", "appendonlydir/appendonly.aof.1.incr.aof": command("SET", "k", "v")}, settings: logOn, fails: "(appendonly.aof.1.incr.aof) but no manifest that names them"},
		{name: "no manifest", files: map[string]string{"appendonlydir/appendonly.aof.1.incr.aof": command("SET", "k", "v")}, settings: logOn, fails: "no manifest that names them"},
		{name: "a missing file", files: map[string]string{manifest: "file appendonly.aof.1.incr.aof seq 1 type i\n"}, settings: logOn, fails: "the manifest names appendonly.aof.1.incr.aof, which does not exist"},
		{name: "a manifest that makes no sense", files: map[string]string{manifest: "file appendonly.aof.1.incr.aof seq x type i\n"}, settings: logOn, fails: "appendonly.aof.manifest, line 1"},
		{name: "a manifest that leads elsewhere", files: map[string]string{manifest: "file ../../x seq 1 type i\n"}, settings: logOn, fails: "without a path"},
		{name: "an old log", files: map[string]string{"appendonly.aof": command("SET", "k", "v")}, settings: logOn, has: "$1\r\nv\r\n"},
		{name: "an old log behind an RDB file", files: map[string]string{"appendonly.aof": good + command("APPEND", "k", "w")}, settings: logOn, has: "$2\r\nvw\r\n"},
		{name: "an old log of an RDB file", files: map[string]string{"appendonly.aof": good}, settings: logOn, has: "$1\r\nv\r\n"},
		{name: "a log cut off", files: map[string]string{"appendonly.aof": command("SET", "k", "v") + "*2\r\n$3"}, settings: logOn, has: "$1\r\nv\r\n"},
		{name: "and that is not wanted", files: map[string]string{"appendonly.aof": command("SET", "k", "v") + "*2\r\n$3"},
			settings: settings{"appendonly", "yes", "aof-load-truncated", "no"}, fails: "appendonly.aof is damaged at offset 27"},
		{name: "a log damaged within", files: map[string]string{"appendonly.aof": command("SET", "k", "v") + "oops" + command("SET", "k", "w")}, settings: logOn, fails: "appendonly.aof is damaged at offset 27"},
		{name: "a command that does not exist", files: map[string]string{"appendonly.aof": command("SET", "k", "v") + command("FOO", "bar")}, settings: logOn, fails: `the command "FOO bar": ERR unknown command`},
		{name: "a log that is a file where its directory should be", files: map[string]string{"appendonlydir": "x"}, settings: logOn, fails: "appendonlydir"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range c.files {
				path := filepath.Join(dir, filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if strings.HasSuffix(name, "/") {
					if err := os.Mkdir(path, 0o755); err != nil {
						t.Fatal(err)
					}
					continue
				}
				if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			srv, err := Open(Options{Addr: "127.0.0.1:0", Dir: dir, IgnoreUnread: c.ignore, Config: configOf(t, c.settings...)})
			if err == nil {
				defer closeServer(t, srv)
				if c.fails != "" {
					t.Fatal("it has started")
				}
				dial(t, srv).want("GET k", c.has)
				return
			}
			if c.fails == "" || !strings.Contains(err.Error(), c.fails) {
				t.Fatalf("%v, want %s", err, c.fails)
			}
			for name, content := range c.files {
				if strings.HasSuffix(name, "/") {
					continue
				}
				b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
				if moved := filepath.Join(dir, "appendonlydir", name); errors.Is(err, os.ErrNotExist) {
					b, err = os.ReadFile(moved) // an old log was taken in before it was read
				}
				if err != nil || string(b) != content {
					t.Errorf("%s was changed: %q %v", name, b, err)
				}
			}
			// The lock is free again.
			l, err := vfs.OS.Lock(dir)
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
		})
	}
}

// TestStartFIFO does not wait for somebody to write to it.
func TestStartFIFO(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "dump.rdb"), 0o644); err != nil {
		t.Skip(err)
	}
	if srv, err := Open(Options{Addr: "127.0.0.1:0", Dir: dir}); err == nil || !strings.Contains(err.Error(), "dump.rdb is no regular file") {
		t.Errorf("%v", err)
		if err == nil {
			srv.Close(context.Background())
		}
	}
}

// TestStartDenied finds directories and files that may not be read or written.
func TestStartDenied(t *testing.T) {
	for _, c := range []struct {
		name, fails string
		rule        vfs.Rule
		settings    settings
	}{
		{"the RDB file", "dump.rdb: permission denied", vfs.Rule{Ops: vfs.OpOpen, Path: "dump.rdb", Err: syscall.EACCES}, nil},
		{"what it is", "dump.rdb: permission denied", vfs.Rule{Ops: vfs.OpStat, Path: "dump.rdb", Err: syscall.EACCES}, nil},
		{"its content", "input/output error", vfs.Rule{Ops: vfs.OpRead, Path: "dump.rdb", Err: syscall.EIO}, nil},
		{"making a log", "appendonly.aof.1.incr.aof: read-only file system", vfs.Rule{Ops: vfs.OpCreate, Path: "appendonly.aof.*", Err: syscall.EROFS}, settings{"appendonly", "yes"}},
		{"its directory", "appendonlydir: permission denied", vfs.Rule{Ops: vfs.OpMkdir, Err: syscall.EACCES}, settings{"appendonly", "yes"}},
		{"its manifest", "manifest: no space left on device", vfs.Rule{Ops: vfs.OpWrite, Path: "*.manifest", Err: syscall.ENOSPC}, settings{"appendonly", "yes"}},
		{"the lock", "cannot be used: ", vfs.Rule{Ops: vfs.OpLock, Err: syscall.EROFS}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs := vfs.NewFault(vfs.OS)
			dir := t.TempDir()
			if c.settings == nil {
				if err := os.WriteFile(filepath.Join(dir, "dump.rdb"), []byte(emptyRDB(10, "\xfe\x00\x00\x01k\x01v", true)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			fs.Add(c.rule)
			srv, err := Open(Options{Addr: "127.0.0.1:0", Dir: dir, fs: fs, Config: configOf(t, c.settings...)})
			if err == nil {
				closeServer(t, srv)
			}
			if err == nil || !strings.Contains(err.Error(), c.fails) || !strings.Contains(err.Error(), dir) {
				t.Errorf("%v, want %s", err, c.fails)
			}
		})
	}
}

// TestTwoServers keeps the second one out, and says who has the directory.
func TestTwoServers(t *testing.T) {
	dir := t.TempDir()
	openWith(t, Options{Addr: "127.0.0.1:0", Dir: dir})
	_, err := Open(Options{Addr: "127.0.0.1:0", Dir: dir})
	if want := fmt.Sprintf("process %d", os.Getpid()); err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("%v, want %s", err, want)
	}
}
