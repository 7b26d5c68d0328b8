package server

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/streampulse/pulse/server/log"
)

// TestManyUnreadReplies: many clients each ask for many megabytes and read nothing. What waits for them is bounded, and others
// hardly notice. How the latency of others compares with what it is without them is what suite unread of pulse-bench tells; here it is bounded.
func TestManyUnreadReplies(t *testing.T) {
	srv := openServer(t)
	other := dial(t, srv)
	const clients, size, each = 50, 4 * mib, 10
	big := strings.Repeat("x", size)
	if got := other.doArgs("SET", "big", big); got != "+OK\r\n" {
		t.Fatal(got)
	}
	pings := startPinger(t, srv)
	before := heap()
	pipeline := strings.Repeat(requests("GET big"), each)
	var all []*client
	for range clients {
		c := dial(t, srv)
		c.send(pipeline)
		all = append(all, c)
	}
	for _, c := range all {
		waitFor(t, "its replies to wait", func() bool { return c.unsent(srv) > streamBacklog })
	}
	// Two gigabytes are asked for. One reply to each client may have been made and wait.
	if grown := heap() - before; grown > clients*(size+2*mib) {
		t.Errorf("what nobody reads takes %d MiB", grown/mib)
	}
	alive(t, other)
	// One that reads after all gets everything.
	for i := range each {
		if got := all[clients/2].read(); len(got) != len(bulk(big)) || !strings.HasSuffix(got, "x\r\n") {
			t.Fatalf("reply %d: %d bytes", i, len(got))
		}
	}
	all[clients/2].want("PING", pong)
	pings.check(t)
	for _, c := range all {
		c.Close()
	}
	waitFor(t, "all to be forgotten", func() bool { return srv.clients.count() == 2 })
	givenBack(t, before, 16*mib)
}

// TestManyUnfinishedHandshakes: two thousand who begin a handshake, or do not even that, and stay. Others are served meanwhile, and at the deadline all are
// gone, with all that they took.
func TestManyUnfinishedHandshakes(t *testing.T) {
	const clients = 2000
	if n := descriptors(); n < 2*clients+200 {
		t.Skipf("both ends of %d connections are in this process, which may have %d files open", clients, n)
	}
	f := newTLSFiles(t)
	srv := f.open(Options{handshake: 2 * time.Second}, "io-threads", "1") // more loops would have descriptors of their own
	plain := dial(t, srv)
	p := startPinger(t, srv)
	// serve does a handshake and a request. On a busy machine a handshake may take longer than it may; one of several does not.
	serve := func() (c *client) {
		waitFor(t, "a handshake", func() bool {
			nc, err := (&tls.Dialer{NetDialer: &net.Dialer{Timeout: patience}, Config: f.config(true)}).Dial("tcp", srv.TLSAddr())
			if err != nil {
				return false
			}
			c = newClient(t, nc)
			if c.do("PING") == pong {
				return true
			}
			c.Close()
			return false
		})
		return c
	}
	serve() // and it stays, so all before it have been taken up
	goroutines, files := runtime.NumGoroutine(), openFiles()
	hello := "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
	var all []net.Conn
	served := 0
	for i := range clients {
		nc, err := net.DialTimeout("tcp", srv.TLSAddr(), patience)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		all = append(all, nc)
		if i%2 == 0 {
			io.WriteString(nc, hello[:1+i/2%len(hello)])
		}
		if i%200 == 199 {
			serve().Close()
			served++
		}
	}
	if got := plain.do("INFO clients"); !strings.Contains(got, "connected_clients:") || strings.Contains(got, fmt.Sprintf("connected_clients:%d", clients)) {
		t.Errorf("%q", got)
	}
	p.check(t)
	for i, nc := range all {
		nc.SetReadDeadline(time.Now().Add(patience))
		_, err := io.Copy(io.Discard, nc)
		if n, ok := err.(net.Error); ok && n.Timeout() {
			t.Fatalf("handshake %d stays, after %d were served meanwhile", i, served)
		}
		nc.Close()
	}
	settled(t, goroutines, files)
	serve()
}

// fewFiles is what the server of TestFewDescriptors may have open.
const fewFiles = 96

// TestFewDescriptors runs a server with few descriptors in another process, and has more clients come than it can serve. Those it serves can still
// have it write and rewrite its files, because some descriptors are none of the clients'.
func TestFewDescriptors(t *testing.T) {
	if dir := os.Getenv("PULSE_FEW_FILES_DIR"); dir != "" {
		serveWithFewFiles(t, dir)
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command(exe, "-test.run=^TestFewDescriptors$")
	cmd.Env = append(os.Environ(), "PULSE_FEW_FILES_DIR="+dir)
	cmd.Stderr = os.Stderr
	end, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var plain, encrypted string
	for plain == "" && lines.Scan() {
		_, _ = fmt.Sscanf(lines.Text(), "serving %s %s", &plain, &encrypted)
	}
	defer func() {
		end.Close()
		for lines.Scan() {
			t.Log(lines.Text())
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	}()
	if plain == "" {
		t.Fatal("the server does not start")
	}
	admin := dialAddr(t, "tcp", plain)
	admin.want("SET k v", "+OK\r\n")
	admin.want("CONFIG GET maxclients", fmt.Sprintf("*2\r\n$10\r\nmaxclients\r\n$2\r\n%d\r\n", fewFiles-fdReserve))
	// Handshakes that are not finished hold descriptors, too, and clients come first.
	var held []net.Conn
	for range 2 * fewFiles {
		nc, err := net.DialTimeout("tcp", encrypted, patience)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		held = append(held, nc)
	}
	var served []*client
	refused := 0
	for range 2 * fewFiles {
		c := dialAddr(t, "tcp", plain)
		switch got := c.do("PING"); got {
		case pong:
			served = append(served, c)
		case "-ERR max number of clients reached\r\n", "(closed)":
			refused++
		default:
			t.Fatalf("got %q", got)
		}
	}
	if len(served) != fewFiles-fdReserve-1 || refused == 0 {
		t.Errorf("%d served, %d refused", len(served), refused)
	}
	// Files can be opened all the same.
	admin.want("SAVE", "+OK\r\n")
	admin.want("CONFIG SET appendonly yes", "+OK\r\n")
	for _, row := range []struct{ line, status string }{
		{"BGREWRITEAOF", "aof_last_bgrewrite_status:ok\r\n"},
		{"BGSAVE", "rdb_last_bgsave_status:ok\r\n"},
		{"BGREWRITEAOF", "aof_last_bgrewrite_status:ok\r\n"},
	} {
		idle := func() bool {
			info := admin.do("INFO persistence")
			return !strings.Contains(info, "in_progress:1") && !strings.Contains(info, "aof_rewrite_scheduled:1")
		}
		waitFor(t, "what was begun to end", idle)
		if got := admin.do(row.line); !strings.HasPrefix(got, "+Background ") {
			t.Errorf("%s = %q", row.line, got)
		}
		waitFor(t, row.line+" to end", idle)
		if got := admin.do("INFO persistence"); !strings.Contains(got, row.status) {
			t.Errorf("after %s: %s", row.line, got)
		}
	}
	admin.want("SET k w", "+OK\r\n")
	for _, name := range []string{"dump.rdb", "appendonlydir"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if got := admin.do("INFO persistence"); !strings.Contains(got, "aof_last_write_status:ok\r\n") {
		t.Errorf("%s", got)
	}
	// Processor time while all is full, by the server's own account.
	spent := func() (sum float64) {
		for line := range strings.Lines(admin.do("INFO cpu")) {
			for _, name := range []string{"used_cpu_sys:", "used_cpu_user:"} {
				var v float64
				if rest, ok := strings.CutPrefix(line, name); ok {
					_, _ = fmt.Sscan(rest, &v)
				}
				sum += v
			}
		}
		return sum
	}
	start, began := spent(), time.Now()
	time.Sleep(250 * time.Millisecond)
	used := spent() - start
	if took := time.Since(began).Seconds(); used > 0.8*took {
		t.Errorf("used %.3f s of processor time in %.3f s with nothing to do", used, took)
	}
	// Service resumes.
	for _, c := range append(slices.Collect(closers(served)), held...) {
		c.Close()
	}
	waitFor(t, "a place", func() bool {
		c := dialAddr(t, "tcp", plain)
		defer c.Close()
		return c.do("GET k") == bulk("w")
	})
}

func closers(cs []*client) func(func(net.Conn) bool) {
	return func(yield func(net.Conn) bool) {
		for _, c := range cs {
			if !yield(c.Conn) {
				return
			}
		}
	}
}

// serveWithFewFiles is the process of the server: it serves until its standard input ends.
func serveWithFewFiles(t *testing.T, dir string) {
	lim := unix.Rlimit{Cur: fewFiles, Max: fewFiles}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	f := newTLSFiles(t)
	logger, err := log.New(log.Options{Writer: os.Stderr, Level: "notice"})
	if err != nil {
		t.Fatal(err)
	}
	srv := f.open(Options{Dir: dir, Log: logger})
	fmt.Printf("serving %s %s\n", srv.Addr(), srv.TLSAddr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}
