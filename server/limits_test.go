package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/streampulse/pulse/commands"
)

func TestLimitsBeforeAuthentication(t *testing.T) {
	noauth := "-NOAUTH Authentication required.\r\n"
	wrongpass := "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
	rows := []exchange{
		{name: "many arguments", send: "*11\r\n", want: protocolError("unauthenticated multibulk length")},
		{name: "ten arguments", send: encode(strings.Fields("MGET b c d e f g h i j")...), want: noauth + noauth},
		{name: "long argument", send: "*2\r\n$4\r\nAUTH\r\n$16385\r\n", want: protocolError("unauthenticated bulk length")},
		{name: "limits go with AUTH", send: requests("AUTH sesame") + encode("ECHO", strings.Repeat("x", 1<<15)),
			want: "+OK\r\n$32768\r\n" + strings.Repeat("x", 1<<15) + "\r\n"},
		{name: "wrong password", send: requests("AUTH open", "AUTH default open", "AUTH nobody sesame"), want: wrongpass + wrongpass + wrongpass + noauth},
		{name: "hello", send: requests("HELLO 3"), want: "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time\r\n" + noauth,
			differ: "Redis 7.0 words it otherwise"},
		{name: "hello with an unknown version", send: requests("HELLO 9"), want: "-NOPROTO unsupported protocol version\r\n" + noauth},
		{name: "hello with the wrong password", send: requests("HELLO 3 AUTH default open"), want: wrongpass + noauth},
		{name: "quit", send: requests("QUIT"), want: "+OK\r\n(closed)"},
	}
	// The PING that ends an exchange is refused, too: its reply is part of what is wanted.
	eachTarget(t, settings{"requirepass", "sesame"}, func(t *testing.T, to target) {
		other := to.dial(t)
		other.want("AUTH sesame", "+OK\r\n")
		for _, row := range rows {
			if to.oracle && row.differ != "" {
				continue
			}
			t.Run(row.name, func(t *testing.T) {
				c := to.dial(t)
				c.send(row.send)
				want, closes := strings.CutSuffix(row.want, "(closed)")
				if !closes {
					c.send(requests("PING"))
					if !strings.HasSuffix(want, noauth) {
						want += pong
					}
				}
				got := ""
				for len(got) < len(want) && !strings.HasSuffix(got, "(closed)") {
					got += c.read()
				}
				if closes {
					got += c.readAll()
				}
				if got != want {
					t.Errorf("got %.300q\nwant %.300q", got, want)
				}
				alive(t, other)
			})
		}
	})
}

func TestQueryBufferOfTheUnauthenticated(t *testing.T) {
	srv := openServer(t, "requirepass", "sesame")
	c := dial(t, srv)
	c.send("*10\r\n$4\r\nMGET\r\n")
	part := "$16384\r\n" + strings.Repeat("x", 16384) + "\r\n"
	for range 8 {
		c.send(part)
	}
	other := dial(t, srv)
	other.want("AUTH sesame", "+OK\r\n")
	alive(t, other)
	c.send(part)
	if got := c.read(); !strings.HasPrefix(got, "-NOAUTH") {
		t.Errorf("got %q", got)
	}
}

func TestQueryBufferLimit(t *testing.T) {
	srv := openServer(t, "client-query-buffer-limit", "1mb")
	other := dial(t, srv)
	t.Run("one request", func(t *testing.T) {
		c := dial(t, srv)
		c.send("*2\r\n$4\r\nECHO\r\n$3000000\r\n" + strings.Repeat("x", 2<<20))
		if got := c.readAll(); got != "" {
			t.Errorf("got %.100q", got)
		}
	})
	t.Run("queue of MULTI", func(t *testing.T) {
		c := dial(t, srv)
		c.want("MULTI", "+OK\r\n")
		set := encode("SET", "k", strings.Repeat("x", 10_000))
		go c.send(strings.Repeat(set, 200))
		if got := c.readAll(); len(got) > 150*len("+QUEUED\r\n") || !strings.HasPrefix(got, "+QUEUED\r\n") {
			t.Errorf("%d bytes: %.100q", len(got), got)
		}
	})
	t.Run("input behind a command that waits", func(t *testing.T) {
		c := dial(t, srv)
		c.send(requests("BLPOP q 0"))
		go c.send(strings.Repeat(requests("PING"), 200_000))
		if got := c.readAll(); got != "" {
			t.Errorf("got %.100q", got)
		}
	})
	alive(t, other)
}

func TestMaxClients(t *testing.T) {
	srv := openServer(t, "maxclients", "10")
	var served, refused int
	var all []*client
	for range 50 {
		all = append(all, dial(t, srv))
	}
	for _, c := range all {
		switch got := c.do("PING"); got {
		case pong:
			served++
		case "-ERR max number of clients reached\r\n", "(closed)":
			refused++ // reset, if the request came after the end
		default:
			t.Fatalf("got %q", got)
		}
	}
	if served != 10 || refused != 40 {
		t.Errorf("%d served, %d refused", served, refused)
	}
	// The text arrives if the client lets the server speak first.
	c := dial(t, srv)
	if got := c.readAll(); got != "-ERR max number of clients reached\r\n" {
		t.Errorf("got %q", got)
	}
	// A place is free again when a client leaves.
	for _, c := range all {
		c.Close()
	}
	for deadline := time.Now().Add(patience); ; {
		c := dial(t, srv)
		if c.do("PING") == pong {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no place becomes free")
		}
	}
}

func TestProtectedMode(t *testing.T) {
	srv := openServer(t)
	for _, row := range []struct {
		addr string
		want bool
	}{{"127.0.0.1", false}, {"127.8.9.1", false}, {"::1", false}, {"10.0.0.1", true}, {"192.168.1.1", true}, {"2001:db8::1", true}} {
		if got := srv.protects(&net.TCPAddr{IP: net.ParseIP(row.addr)}); got != row.want {
			t.Errorf("protected from %s: %v", row.addr, got)
		}
	}
	outside := net.ParseIP("10.0.0.1")
	c := dial(t, srv)
	c.want("CONFIG SET protected-mode no", "+OK\r\n")
	if srv.protects(&net.TCPAddr{IP: outside}) {
		t.Error("protected although switched off")
	}
	c.want("CONFIG SET protected-mode yes requirepass x", "+OK\r\n")
	if srv.protects(&net.TCPAddr{IP: outside}) {
		t.Error("protected although there is a password")
	}
}

func TestProtectedModeFromOutside(t *testing.T) {
	ip := outsideAddress()
	if ip == "" {
		t.Skip("this machine has no other address than loopback")
	}
	goroutines, files := runtime.NumGoroutine(), openFiles()
	srv, err := Open(Options{Addr: ip + ":0"})
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { closeServer(t, srv); settled(t, goroutines, files) })
	c := dial(t, srv)
	if got := c.readAll(); got != "-"+string(commands.ErrDenied)+"\r\n" || !strings.HasPrefix(got, "-DENIED Redis is running in protected mode") {
		t.Errorf("got %q", got)
	}
}

// outsideAddress is an address of this machine that is not a loopback address, "" if there is none.
func outsideAddress() string {
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return ""
}

// TestOutOfDescriptors runs itself in a process with few descriptors.
func TestOutOfDescriptors(t *testing.T) {
	if os.Getenv("PULSE_FEW_FILES") == "" {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(exe, "-test.run=^TestOutOfDescriptors$", "-test.v")
		cmd.Env = append(os.Environ(), "PULSE_FEW_FILES=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	const files = 64
	lim := unix.Rlimit{Cur: files, Max: files}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		t.Skip(err)
	}
	srv := openServer(t)
	first := dial(t, srv)
	first.want("CONFIG GET maxclients", fmt.Sprintf("*2\r\n$10\r\nmaxclients\r\n$2\r\n%d\r\n", files-fdReserve))
	// Both ends are in this process: the descriptors run out with about half as many connections.
	var held []*client
	for range files {
		nc, err := net.DialTimeout("tcp", srv.Addr(), time.Second)
		if err != nil {
			break
		}
		held = append(held, newClient(t, nc))
	}
	if len(held) < 10 {
		t.Fatalf("only %d connections", len(held))
	}
	before, began := cpuTime(), time.Now()
	time.Sleep(250 * time.Millisecond)
	spent := cpuTime() - before
	if took := time.Since(began); spent > took*3/5 {
		t.Errorf("used %v of processor time in %v while nothing can be accepted", spent, took)
	}
	alive(t, first)
	for _, c := range held {
		c.Close()
	}
	c := dial(t, srv)
	c.want("PING", pong)
}

func cpuTime() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	srv := openWith(t, Options{}, "port", "0", "unixsocket", path, "unixsocketperm", "700")
	if srv.Addr() != "" {
		t.Errorf("listens on %s", srv.Addr())
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", fi, err)
	}
	c, other := dialAddr(t, "unix", path), dialAddr(t, "unix", path)
	c.want("SET k v", "+OK\r\n")
	if got := c.do("CLIENT INFO"); !strings.Contains(got, "addr="+path+":0 ") || !strings.Contains(got, " flags=U ") {
		t.Errorf("CLIENT INFO = %q", got)
	}
	c.send(requests("BLPOP q 0"))
	other.send(strings.Repeat(requests("PING"), 1000) + requests("RPUSH q x"))
	for range 1000 {
		if got := other.read(); got != pong {
			t.Fatalf("PING = %q", got)
		}
	}
	if got := other.read(); got != ":1\r\n" {
		t.Errorf("RPUSH = %q", got)
	}
	if got := c.read(); got != "*2\r\n$1\r\nq\r\n$1\r\nx\r\n" {
		t.Errorf("BLPOP = %q", got)
	}
	c.want("QUIT", "+OK\r\n")
	if got := c.readAll(); got != "" {
		t.Errorf("after QUIT: %q", got)
	}
	closeServer(t, srv)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket remains: %v", err)
	}
}

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	goroutines, files := runtime.NumGoroutine(), openFiles()
	port := l.Addr().(*net.TCPAddr).Port
	srv, err := Open(Options{Config: configOf(t, "port", fmt.Sprint(port), "bind", "127.0.0.1")})
	if want := fmt.Sprintf("Failed listening on port %d (tcp), aborting.", port); err == nil || err.Error() != want {
		t.Errorf("%v, %v; want %q", srv, err, want)
	}
	settled(t, goroutines, files)
}

func TestManyServers(t *testing.T) {
	var all []*Server
	for i := range 3 {
		srv := openServer(t)
		cl := dial(t, srv)
		cl.want("DBSIZE", ":0\r\n")
		cl.want(fmt.Sprintf("SET k %d", i), "+OK\r\n")
		all = append(all, srv)
	}
	a, b, c := all[0], all[1], all[2]
	closeServer(t, b)
	dial(t, a).want("GET k", "$1\r\n0\r\n")
	dial(t, c).want("GET k", "$1\r\n2\r\n")
	if nc, err := net.Dial("tcp", b.Addr()); err == nil { // somebody else may have the port by now
		if got := newClient(t, nc).do("GET k"); got == bulk("1") {
			t.Error("a closed server still serves")
		}
	}
}

func TestCloseWithClients(t *testing.T) {
	srv := openServer(t)
	var all []*client
	for i := range 20 {
		c := dial(t, srv)
		switch i % 4 {
		case 0:
			c.want("PING", pong)
		case 1:
			c.send(requests("BLPOP q 0"))
		case 2:
			c.send(requests("SUBSCRIBE ch"))
			c.read()
		case 3:
			c.send("*3\r\n$3\r\nSET")
		}
		all = append(all, c)
	}
	start := time.Now()
	closeServer(t, srv)
	if took := time.Since(start); took > farewell*3/4 {
		t.Errorf("took %v: clients were left the time of those that go by themselves", took)
	}
	for _, c := range all {
		if got := c.readAll(); got != "" {
			t.Errorf("got %q", got)
		}
	}
	if err := srv.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestShutdown(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	c.send(requests("SHUTDOWN NOSAVE"))
	if got := c.readAll(); got != "" {
		t.Errorf("got %q", got)
	}
	select {
	case <-srv.Done():
	case <-time.After(patience):
		t.Error("Done is not closed")
	}
}

func TestIdleTimeout(t *testing.T) {
	srv := openServer(t, "timeout", "1")
	idle, waits, listens := dial(t, srv), dial(t, srv), dial(t, srv)
	waits.send(requests("BLPOP q 0"))
	listens.send(requests("SUBSCRIBE ch"))
	listens.read()
	start := time.Now()
	idle.send(requests("PING")) // on a busy machine it may have been idle for too long before
	if got := idle.read(); got != pong && got != "(closed)" {
		t.Fatalf("PING = %q", got)
	} else if got != pong {
		idle = dial(t, srv)
		start = time.Now()
		idle.want("PING", pong)
	}
	if got := idle.readAll(); got != "" {
		t.Errorf("got %q", got)
	}
	if took := time.Since(start); took < time.Second/2 {
		t.Errorf("closed after %v", took)
	}
	c := dial(t, srv)
	c.want("RPUSH q x", ":1\r\n")
	c.want("PUBLISH ch m", ":1\r\n")
	waits.read()
	if got := listens.read(); got != "*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$1\r\nm\r\n" {
		t.Errorf("got %q", got)
	}
}
