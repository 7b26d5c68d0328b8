package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/streampulse/pulse/internal/oracle"
	"github.com/streampulse/pulse/internal/vfs"
	"github.com/streampulse/pulse/persistence/aof"
	"github.com/streampulse/pulse/server"
	"github.com/streampulse/pulse/server/config"
)

// with runs f with a connection to a server on dir, and closes the server.
func with(t *testing.T, dir string, f func(do func(line string) string), settings ...string) {
	t.Helper()
	cfg := config.New()
	for i := 0; i < len(settings); i += 2 {
		if err := cfg.Override(settings[i], settings[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	srv, err := server.Open(server.Options{Addr: "127.0.0.1:0", Dir: dir, Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close(context.Background())
	nc, err := net.Dial("tcp", srv.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	r := bufio.NewReader(nc)
	f(func(line string) string {
		if _, err := io.WriteString(nc, line+"\r\n"); err != nil {
			t.Fatal(err)
		}
		reply, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		var more int // lines of the reply
		switch reply[0] {
		case '$':
			more = 1
		case '*': // of numbers
			fmt.Sscan(reply[1:], &more)
		}
		for ; more > 0 && err == nil; more-- {
			reply, err = r.ReadString('\n')
		}
		if err != nil || reply[0] == '-' {
			t.Fatalf("%s: %q %v", line, reply, err)
		}
		return strings.TrimSpace(reply)
	})
}

// tool runs the command and returns what it printed.
func tool(t *testing.T, name, input string, args ...string) (out string, code int) {
	t.Helper()
	var b bytes.Buffer
	code = run(name, args, strings.NewReader(input), &b, &b)
	return b.String(), code
}

func expect(t *testing.T, code int, out string, wantCode int, parts ...string) {
	t.Helper()
	if code != wantCode {
		t.Errorf("exit code %d, want %d:\n%s", code, wantCode, out)
	}
	at := 0
	for _, p := range parts {
		i := strings.Index(out[at:], p)
		if i < 0 {
			t.Errorf("%q is missing, or out of order, in\n%s", p, out)
			return
		}
		at += i + len(p)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// logOf makes a directory with an append-only file of Pulse: a base of two keys and an increment of three commands.
func logOf(t *testing.T) (dir, manifest, increment string) {
	dir = t.TempDir()
	manifest = filepath.Join(dir, "appendonlydir", "appendonly.aof.manifest")
	with(t, dir, func(do func(string) string) {
		do("SET a 1")
		do("RPUSH l x y")
		do("BGREWRITEAOF")
		for !bytes.Contains(read(t, manifest), []byte("type b")) {
			runtime.Gosched()
		}
	}, "save", "", "appendonly", "yes")
	with(t, dir, func(do func(string) string) {
		for i := range 3 {
			do(fmt.Sprintf("SET key:%d value", i))
		}
	}, "save", "", "appendonly", "yes", "appendfsync", "always")
	list, err := filepath.Glob(filepath.Join(filepath.Dir(manifest), "*.incr.aof"))
	if err != nil || len(list) != 1 {
		t.Fatal(err, list)
	}
	return dir, manifest, list[0]
}

func TestLog(t *testing.T) {
	dir, manifest, increment := logOf(t)
	out, code := tool(t, "pulse-check", "", manifest)
	expect(t, code, out, 0, "Start checking Multi Part AOF", "Start to check BASE AOF (RDB format).", "Checking RDB file", "RDB preamble is OK",
		"is valid", "Start to check INCR files.", "AOF analyzed: filename="+filepath.Base(increment), "diff=0", "INCR AOF", "is valid", "All AOF files and manifest are valid")
	for _, args := range [][]string{{dir}, {filepath.Join(dir, "appendonlydir")}, {increment}, {manifest, increment}} {
		if out, code := tool(t, "pulse-check", "", args...); code != 0 {
			t.Errorf("%s: %s", args, out)
		}
	}
	whole := read(t, increment)

	// The end is cut off.
	write(t, increment, append(whole[:len(whole):len(whole)], "*2\r\n$6\r\nSELECT\r\n"...))
	out, code = tool(t, "pulse-check", "", dir)
	expect(t, code, out, 1, fmt.Sprintf("size=%d, ok_up_to=%d, ", len(whole)+16, len(whole)), "diff=16", "Use the --fix option")
	out, code = tool(t, "pulse-check", "n\n", "--fix", manifest)
	expect(t, code, out, 1, "This will shrink the AOF", "Continue? [y/N]: Aborting...")
	out, code = tool(t, "pulse-check", "", "--fix", manifest)
	expect(t, code, out, 1, "Aborting...")
	out, code = tool(t, "pulse-check", "y\n", "--fix", manifest)
	expect(t, code, out, 0, "Continue? [y/N]: Successfully truncated AOF", "All AOF files and manifest are valid")
	if b := read(t, increment); !bytes.Equal(b, whole) {
		t.Errorf("%d bytes remain", len(b))
	}
	saved, _ := filepath.Glob(increment + ".cut-*")
	if len(saved) != 1 || string(read(t, saved[0])) != "*2\r\n$6\r\nSELECT\r\n" {
		t.Errorf("%q", saved)
	}

	// A byte in the middle has changed: no server loads that.
	bad := bytes.Clone(whole)
	bad[bytes.Index(bad, []byte("key:0"))] ^= 1
	write(t, increment, bad)
	out, code = tool(t, "pulse-check", "", manifest)
	expect(t, code, out, 1, "does not agree with its checksum", "no server loads the file", "is not valid")
	out, code = tool(t, "pulse-check", "", "--fix", "--yes", manifest)
	expect(t, code, out, 0, "About 3 commands can still be read", "Successfully truncated")
	with(t, dir, func(do func(string) string) {
		if got := do("DBSIZE"); got != ":2" {
			t.Error(got)
		}
	}, "save", "", "appendonly", "yes")

	// A manifest with a file that is not there.
	write(t, increment, whole)
	if err := os.Rename(increment, increment+".away"); err != nil {
		t.Fatal(err)
	}
	out, code = tool(t, "pulse-check", "", manifest)
	expect(t, code, out, 1, "Cannot open file "+increment)
	write(t, manifest, []byte("file x type"))
	out, code = tool(t, "pulse-check", "", manifest)
	expect(t, code, out, 1, "line 1")
}

// TestLocked refuses to change what a server has open.
func TestLocked(t *testing.T) {
	dir, manifest, increment := logOf(t)
	with(t, dir, func(do func(string) string) {
		for _, name := range []string{manifest, increment, filepath.Join(dir, "dump.rdb")} {
			write(t, filepath.Join(dir, "dump.rdb"), nil)
			out, code := tool(t, "pulse-check", "", "--fix", "--yes", name)
			expect(t, code, out, 1, "cannot be changed: ", "in use")
		}
		if out, code := tool(t, "pulse-check", "", manifest); code != 0 {
			t.Error(out)
		}
		os.Remove(filepath.Join(dir, "dump.rdb"))
	}, "save", "", "appendonly", "yes")
}

// TestPlainLog checks files of Redis: one file, with an RDB file in front or without.
func TestPlainLog(t *testing.T) {
	dir := t.TempDir()
	dump := filepath.Join(dir, "dump.rdb")
	with(t, dir, func(do func(string) string) {
		do("SET a 1")
		do("SAVE")
	}, "save", "")
	set := string(aof.AppendCommand(nil, []byte("SET"), []byte("a"), []byte("1")))
	multi := "*1\r\n$5\r\nMULTI\r\n" + set
	exec := "*1\r\n$4\r\nEXEC\r\n"
	for i, c := range []struct {
		file string
		code int
		upTo int
		line int
		kept int // commands left by --fix
	}{
		{set + set, 0, 2 * len(set), 15, 2},
		{"#TS:1700000000\r\n" + set + multi + exec, 0, 16 + 2*len(set) + 29, 22, 2},
		{set + multi, 1, len(set), 8, 1},
		{set + set[:len(set)-1], 1, len(set), 8, 1},
		{set + "\x00\x00\x00\x00", 1, len(set), 8, 1},
		{set + "garbage" + set, 1, len(set), 8, 1},
		{"xx" + set, 1, 0, 1, 0},
		{set + exec, 1, len(set), 8, 1},
	} {
		for _, front := range []string{"", string(read(t, dump))} {
			if front != "" && i == 6 {
				continue // bytes behind an RDB file that are no commands
			}
			path := write(t, filepath.Join(t.TempDir(), "appendonly.aof"), []byte(front+c.file))
			out, code := tool(t, "pulse-check", "", path)
			expect(t, code, out, c.code, fmt.Sprintf("AOF analyzed: filename=appendonly.aof, size=%d, ok_up_to=%d, ok_up_to_line=%d, diff=%d",
				len(front)+len(c.file), len(front)+c.upTo, c.line, len(c.file)-c.upTo))
			out, code = tool(t, "redis-check-aof", "y\n", "--fix", path)
			expect(t, code, out, 0)
			if b := read(t, path); string(b) != front+c.file[:c.upTo] {
				t.Errorf("%d: %q", i, b)
			}
			a, err := aof.Analyze(vfs.OS, path, int64(len(front)))
			if err != nil || a.Damage != nil || a.Commands != int64(c.kept) {
				t.Errorf("%d: %+v %v", i, a, err)
			}
		}
	}
}

// TestUntil takes off what came after a time, of plain files and within frames.
func TestUntil(t *testing.T) {
	stamp := func(n int) string { return fmt.Sprintf("#TS:%d\r\n", n) }
	set := string(aof.AppendCommand(nil, []byte("SET"), []byte("a"), []byte("1")))
	file := stamp(100) + set + stamp(101) + set + "*1\r\n$5\r\nMULTI\r\n" + set + "*1\r\n$4\r\nEXEC\r\n" + stamp(105) + set
	path := filepath.Join(t.TempDir(), "appendonly.aof")
	for _, c := range []struct {
		until int
		code  int
		left  string
		said  string
	}{
		{99, 1, file, "has nothing before timestamp 99, aborting..."},
		{100, 0, stamp(100) + set, "Successfully truncated AOF appendonly.aof to timestamp 100"},
		{104, 0, file[:strings.Index(file, stamp(105))], "Successfully truncated"},
		{105, 0, file, "Truncate nothing in AOF appendonly.aof to timestamp 105"},
	} {
		write(t, path, []byte(file))
		out, code := tool(t, "pulse-check", "", "--truncate-to-timestamp", fmt.Sprint(c.until), path)
		expect(t, code, out, c.code, c.said)
		if b := read(t, path); string(b) != c.left {
			t.Errorf("%d: %q", c.until, b)
		}
	}

	_, _, increment := logOf(t)
	dir := filepath.Dir(filepath.Dir(increment))
	with(t, dir, func(do func(string) string) { do("SET later x") }, "save", "", "appendonly", "yes", "aof-timestamp-enabled", "yes")
	m := regexp.MustCompile(`#TS:(\d+)`).FindSubmatch(read(t, increment))
	if m == nil {
		t.Fatal("no time stamp")
	}
	out, code := tool(t, "pulse-check", "", "--truncate-to-timestamp", string(m[1]), increment)
	expect(t, code, out, 0, "Truncate nothing")
	var second int
	fmt.Sscan(string(m[1]), &second)
	out, code = tool(t, "pulse-check", "", "--truncate-to-timestamp", fmt.Sprint(second-1), increment)
	expect(t, code, out, 0, "Successfully truncated")
	with(t, dir, func(do func(string) string) {
		if got := do("EXISTS later") + do("EXISTS key:2"); got != ":0:1" {
			t.Error(got)
		}
	}, "save", "", "appendonly", "yes")
}

func TestDump(t *testing.T) {
	dir := t.TempDir()
	dump := filepath.Join(dir, "dump.rdb")
	with(t, dir, func(do func(string) string) {
		for i := range 20 {
			do(fmt.Sprintf("SET key:%d value:%d", i, i))
		}
		do("HSET timed f v")
		do("HPEXPIREAT timed 4102444800000 FIELDS 1 f")
		do("SET ex x PXAT 4102444800000")
		do("SAVE")
	}, "save", "")
	out, code := tool(t, "pulse-check", "", dump)
	expect(t, code, out, 0, "[offset 0] Checking RDB file dump.rdb", "AUX FIELD redis-ver = '7.4.1'", "Selecting DB ID 0", "Checksum OK",
		`\o/ RDB looks OK! \o/`, "[info] 22 keys read", "[info] 1 expires", "[info] 0 already expired")
	whole := read(t, dump)

	bad := bytes.Clone(whole)
	i := bytes.Index(bad, []byte("value:7"))
	bad[i] ^= 0x20
	write(t, dump, bad)
	out, code = tool(t, "redis-check-rdb", "", dump)
	expect(t, code, out, 1, "--- RDB ERROR DETECTED ---", "Wrong RDB checksum", "[info] 22 keys read")
	out, code = tool(t, "pulse-check", "", "--fix", dump)
	expect(t, code, out, 1, "Continue? [y/N]: Aborting...")
	out, code = tool(t, "pulse-check", "y\n", "--fix", dump)
	expect(t, code, out, 0, "Successfully wrote 22 keys to", "0 keys were left out")

	// Cut within the keys: what is in front of that can be read.
	write(t, dump, whole[:len(whole)*2/3])
	out, code = tool(t, "pulse-check", "", "--fix", "--yes", dump)
	expect(t, code, out, 0, "--- RDB ERROR DETECTED ---", "Successfully wrote ")
	list, _ := filepath.Glob(dump + ".repaired-*")
	if len(list) != 2 {
		t.Fatal(list)
	}
	for _, f := range list {
		if out, code := tool(t, "redis-check-rdb", "", f); code != 0 {
			t.Error(out)
		}
		if err := os.Rename(f, dump); err != nil {
			t.Fatal(err)
		}
		with(t, dir, func(do func(string) string) {
			if n := do("DBSIZE"); n == ":0" {
				t.Error(n)
			}
		}, "save", "")
	}

	for _, c := range []struct{ file, said string }{
		{"", "Unexpected"}, {"REDIS9999", "Can't handle RDB format version 9999"}, {"NOTANRDBFILE", "Wrong signature"},
		{string(whole) + "x", "behind the end"},
	} {
		write(t, dump, []byte(c.file))
		if out, code := tool(t, "pulse-check", "", dump); code != 1 || c.file != "" && !strings.Contains(out, c.said) {
			t.Errorf("%.20q: %d %s", c.file, code, out)
		}
	}
}

func TestArguments(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{{}, {"--foo"}, {"--fix"}, {"--truncate-to-timestamp", "x", "f"}, {"--truncate-to-timestamp"},
		{filepath.Join(dir, "none")}, {dir}, {write(t, filepath.Join(dir, "x.txt"), []byte("hello"))}, {"--fix", "--truncate-to-timestamp", "1", dir}} {
		if out, code := tool(t, "pulse-check", "", args...); code != 1 || out == "" {
			t.Errorf("%q: %d %q", args, code, out)
		}
	}
	out, code := tool(t, "pulse-check", "", "--help")
	expect(t, code, out, 0, "Usage: ")
}

// TestBeside prints what Redis's own tools print about the files of a redis-server.
func TestBeside(t *testing.T) {
	if _, err := exec.LookPath("redis-check-aof"); err != nil {
		t.Skip(err)
	}
	srv := oracle.Start(t, "--appendonly", "yes", "--aof-timestamp-enabled", "yes")
	nc, err := srv.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	lines := []string{"SET a 1", "MULTI", "SET b 2", "SET c 3", "EXEC", "EXPIRE a 1000", "XADD s 1-1 f v", "SAVE"}
	io.WriteString(nc, strings.Join(lines, "\r\n")+"\r\n")
	r := bufio.NewReader(nc)
	for range len(lines) + 3 {
		if _, err := r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	srv.Signal(os.Interrupt)
	<-srv.Exited()
	sub := filepath.Join(srv.Dir(), "appendonlydir")
	list, _ := filepath.Glob(filepath.Join(sub, "*.incr.aof"))
	if len(list) != 1 {
		t.Fatal(list)
	}
	cut := write(t, filepath.Join(t.TempDir(), "cut.aof"), append(read(t, list[0]), "*1\r\n$5\r\nMULTI\r\n"...))
	for _, c := range [][2]string{{"redis-check-rdb", filepath.Join(srv.Dir(), "dump.rdb")}, {"redis-check-aof", filepath.Join(sub, "appendonly.aof.manifest")},
		{"redis-check-aof", list[0]}, {"redis-check-aof", cut}} {
		b, err := exec.Command(c[0], c[1]).CombinedOutput()
		out, code := tool(t, c[0], "", c[1])
		if (err == nil) != (code == 0) {
			t.Errorf("%s: %v, but %d", c, err, code)
		}
		for line := range strings.Lines(string(b)) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "0x") {
				continue // what is wrong has words of its own
			}
			line, _, _ = strings.Cut(line, ", ok_up_to_line") // an editor's lines: Redis counts those it tried to read
			line = strings.Replace(line, "filename="+c[1], "filename="+filepath.Base(c[1]), 1)
			line = strings.Replace(line, c[1], filepath.Base(c[1]), 1)
			if !strings.Contains(out, line) {
				t.Errorf("%s: %q is missing in\n%s", c, line, out)
			}
		}
	}
}
