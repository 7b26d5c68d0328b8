package server

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/streampulse/pulse/server/config"
	"github.com/streampulse/pulse/server/log"
)

// freePort is a port that nobody listens on at the moment, below those that the system gives to whoever wants any.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", 10_000+rand.IntN(20_000)))
		if err != nil {
			continue
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		return port
	}
	t.Fatal("no port is free")
	return ""
}

func TestPortAndBindFollowConfigSet(t *testing.T) {
	port, other := freePort(t), freePort(t)
	srv := openWith(t, Options{}, "bind", "127.0.0.1", "port", port)
	c := dialAddr(t, "tcp", "127.0.0.1:"+port)
	c.want("CONFIG SET port "+other, "+OK\r\n")
	c.want("PING", "+PONG\r\n") // who is connected stays
	dialAddr(t, "tcp", "127.0.0.1:"+other).want("PING", "+PONG\r\n")
	if nc, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
		nc.Close()
		t.Error("the former port is still open")
	}

	// An address that includes the one in use, and back.
	if got := c.doArgs("CONFIG", "SET", "bind", "*"); got != "+OK\r\n" {
		t.Fatal(got)
	}
	dialAddr(t, "tcp", "127.0.0.1:"+other).want("PING", "+PONG\r\n")
	if got := c.doArgs("CONFIG", "SET", "bind", "127.0.0.1 -192.0.2.1"); got != "+OK\r\n" {
		t.Fatal(got)
	}
	dialAddr(t, "tcp", "127.0.0.1:"+other).want("PING", "+PONG\r\n")

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, busy, _ := net.SplitHostPort(taken.Addr().String())
	c.want("CONFIG SET timeout 7 Port "+busy+" maxmemory 5mb",
		"-ERR CONFIG SET failed (possibly related to argument 'Port') - Unable to listen on this port. Check server logs.\r\n")
	if got := c.doArgs("CONFIG", "SET", "maxmemory", "6mb", "bind", "192.0.2.1 127.0.0.1"); got !=
		"-ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified addresses.\r\n" {
		t.Error(got)
	}
	c.want("CONFIG GET port", "*2\r\n$4\r\nport\r\n$"+itoa(len(other))+"\r\n"+other+"\r\n")
	c.want("CONFIG GET timeout", "*2\r\n$7\r\ntimeout\r\n$1\r\n0\r\n")
	c.want("CONFIG GET maxmemory", "*2\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n")
	dialAddr(t, "tcp", "127.0.0.1:"+other).want("PING", "+PONG\r\n")

	c.want("CONFIG SET port 0", "+OK\r\n")
	if srv.Addr() != "" {
		t.Error("it still listens on ", srv.Addr())
	}
	c.want("CONFIG SET port "+other, "+OK\r\n")
	dialAddr(t, "tcp", "127.0.0.1:"+other).want("PING", "+PONG\r\n")
}

func itoa(n int) string { return strconv.Itoa(n) }

func TestMaxclientsBeyondTheSystem(t *testing.T) {
	if descriptors() > 1<<31 {
		t.Skip("the system has no limit")
	}
	c := dial(t, openServer(t))
	want := "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system is not able to handle the specified number of clients, try with "
	if got := c.do("CONFIG SET maxclients 4294967295"); !strings.HasPrefix(got, want) {
		t.Error(got)
	}
	c.want("CONFIG SET maxclients 100", "+OK\r\n")
}

func TestConfigRewriteOfAServer(t *testing.T) {
	c := dial(t, openServer(t))
	c.want("CONFIG REWRITE", "-ERR The server is running without a config file\r\n")

	file := filepath.Join(t.TempDir(), "x.conf")
	if err := os.WriteFile(file, []byte("# mine\ntimeout 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.ParseArgs([]string{file, "--save", ""}, nil)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := Open(Options{Addr: "127.0.0.1:0", Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	defer closeServer(t, srv)
	c = dial(t, srv)
	c.want("CONFIG SET timeout 6 maxmemory 3mb", "+OK\r\n")
	c.want("CONFIG REWRITE", "+OK\r\n")
	text, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(text), "# mine\ntimeout 6\n") || !strings.Contains(string(text), "\nmaxmemory 3mb\n") {
		t.Errorf("%v\n%s", err, text)
	}
	if err := os.RemoveAll(filepath.Dir(file)); err != nil {
		t.Fatal(err)
	}
	c.want("CONFIG REWRITE", "-ERR Rewriting config file: No such file or directory\r\n")
}

func TestProtectedParameters(t *testing.T) {
	refused := "-ERR CONFIG SET failed (possibly related to argument 'dbfilename') - can't set protected config\r\n"
	for mode, want := range map[string]string{"no": refused, "local": "+OK\r\n", "yes": "+OK\r\n"} {
		c := dial(t, openServer(t, "enable-protected-configs", mode))
		c.want("CONFIG SET dbfilename x.rdb", want)
		c.want("CONFIG SET enable-protected-configs yes",
			"-ERR CONFIG SET failed (possibly related to argument 'enable-protected-configs') - can't set immutable config\r\n")
	}
}

func TestDebugMustBeAllowed(t *testing.T) {
	for mode, want := range map[string]string{"no": "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local " +
		"connection, otherwise you need to set this option in the configuration file, and then restart the server.\r\n", "local": "+OK\r\n"} {
		c := dial(t, openServer(t, "enable-debug-command", mode))
		c.want("DEBUG SLEEP 0", want)
	}
}

// loaded is a Config of the lines of a file.
func loaded(t *testing.T, text string) *config.Config {
	t.Helper()
	c := config.New()
	if err := c.Load([]byte("save \"\"\n" + text)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRenameCommand(t *testing.T) {
	dir := t.TempDir()
	text := "appendonly yes\nrename-command set put\nrename-command del \"\"\nrename-command expire del\nrename-command config MyConf\n"
	open := func() *Server {
		srv, err := Open(Options{Addr: "127.0.0.1:0", Dir: dir, Config: loaded(t, text)})
		if err != nil {
			t.Fatal(err)
		}
		return srv
	}
	srv := open()
	c := dial(t, srv)
	c.want("SET a 1", "-ERR unknown command 'SET', with args beginning with: 'a' '1' \r\n")
	c.want("PUT a 1", "+OK\r\n")
	c.want("put", "-ERR wrong number of arguments for 'set' command\r\n")
	c.want("PUT gone 1 PX 1", "+OK\r\n")
	c.want("del a 1000", ":1\r\n")
	c.want("UNLINK b", ":0\r\n")
	c.want("GETDEL nosuch", "$-1\r\n")
	c.want("CONFIG GET hz", "-ERR unknown command 'CONFIG', with args beginning with: 'GET' 'hz' \r\n")
	c.want("MYCONF GET hz", "*2\r\n$2\r\nhz\r\n$2\r\n10\r\n")
	c.want("myconf nosuch", "-ERR unknown subcommand 'nosuch'. Try MYCONF HELP.\r\n")
	c.want("COMMAND INFO set", "*1\r\n$-1\r\n")
	c.want("COMMAND GETKEYS put k v", "*1\r\n$1\r\nk\r\n")
	c.want("COMMAND GETKEYS set k v", "-ERR Invalid command specified\r\n")
	if got := c.doArgs("EVAL", "return redis.call('put', KEYS[1], 'x')", "1", "b"); got != "+OK\r\n" {
		t.Error(got)
	}
	if got := c.doArgs("EVAL", "return redis.pcall('set', KEYS[1], 'x')", "1", "b"); !strings.HasPrefix(got, "-ERR Unknown Redis command called from script") {
		t.Error(got)
	}
	closeServer(t, srv)

	srv = open() // what the log holds does not depend on the names that clients know
	c = dial(t, srv)
	c.want("GET a", "$1\r\n1\r\n")
	if left, _ := strconv.Atoi(strings.Trim(c.do("TTL a"), ":\r\n")); left < 900 || left > 1000 {
		t.Errorf("%d seconds are left", left)
	}
	c.want("GET b", "$1\r\nx\r\n")
	closeServer(t, srv)
	text = "appendonly yes\n"
	srv = open()
	dial(t, srv).want("GET a", "$1\r\n1\r\n")
	closeServer(t, srv)
}

func TestDirectivesThatEndTheStart(t *testing.T) {
	for line, want := range map[string]string{
		"rename-command nosuch x":  "No such command in rename-command",
		"rename-command get SET":   "Target command name already exists",
		"loadmodule /lib/m.so a b": "This server does not load modules",
		"search.timeout 5":         "This server does not load modules",
	} {
		srv, err := Open(Options{Config: loaded(t, line), Addr: "127.0.0.1:0"})
		var load *config.LoadError
		if err == nil {
			closeServer(t, srv)
		}
		if !errors.As(err, &load) || load.Reason != want || load.Text != line || load.Line != 2 {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// lines collects a log.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), s)
}

func TestInertParametersSaySoOnce(t *testing.T) {
	var out lines
	logger, err := log.New(log.Options{Writer: &out, Level: "notice"})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := Open(Options{Addr: "127.0.0.1:0", Log: logger, Config: loaded(t, "activerehashing no\n")})
	if err != nil {
		t.Fatal(err)
	}
	defer closeServer(t, srv)
	c := dial(t, srv)
	c.want("CONFIG SET activerehashing yes dynamic-hz no", "+OK\r\n")
	c.want("CONFIG SET activerehashing no dynamic-hz yes", "+OK\r\n")
	for _, name := range []string{"activerehashing", "dynamic-hz"} {
		if n := out.count("'" + name + "' has no effect"); n != 1 {
			t.Errorf("%s: said %d times", name, n)
		}
	}
	if n := out.count("has no effect"); n != 2 {
		t.Errorf("%d warnings", n)
	}
}

func TestResetStat(t *testing.T) {
	srv := openWith(t, Options{Addr: "127.0.0.1:0", Dir: t.TempDir()}, "appendonly", "yes")
	c := dial(t, srv)
	c.want("SET k v", "+OK\r\n")
	c.want("SAVE", "+OK\r\n")
	c.want("GET k", "$1\r\nv\r\n")
	c.want("GET nokey", "$-1\r\n")
	c.do("NOSUCH")
	c.do("BGREWRITEAOF")
	counts := []string{"rdb_saves:1", "aof_rewrites:1", "keyspace_hits:1", "keyspace_misses:1", "total_error_replies:1", "errorstat_ERR:count=1", "cmdstat_get:calls=2"}
	waitFor(t, "the log to be rewritten", func() bool { return strings.Contains(c.do("INFO everything"), "\naof_rewrites:1\r\n") })
	info := c.do("INFO everything")
	for _, line := range counts {
		if !strings.Contains(info, "\n"+line) {
			t.Errorf("before: no %s", line)
		}
	}
	c.want("CONFIG RESETSTAT", "+OK\r\n")
	info = c.do("INFO everything")
	for _, line := range counts {
		name, _, _ := strings.Cut(line, ":")
		if strings.Contains(info, "\n"+line) || !strings.HasSuffix(name, "_ERR") && !strings.HasPrefix(name, "cmdstat") && !strings.Contains(info, "\n"+name+":0\r\n") {
			t.Errorf("after: %s is not 0", name)
		}
	}
}
