package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/certs"
)

// called makes a link to the program with another name.
func called(t *testing.T, name string) string {
	t.Helper()
	link := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(build(t), link); err != nil {
		t.Skip(err)
	}
	return link
}

// TestCalledRedisServer looks for the words that test suites and containers wait for.
func TestCalledRedisServer(t *testing.T) {
	path := called(t, "redis-server")
	out, err := exec.Command(path, "--version").Output()
	if err != nil || !regexp.MustCompile(`^Redis server v=7\.4\.1 sha=[0-9a-f]{8}:[01] malloc=\S+ bits=64 build=[0-9a-f]+\n$`).Match(out) {
		t.Errorf("%v, %q", err, out)
	}
	out, _ = exec.Command(path, "--help").CombinedOutput()
	if !strings.HasPrefix(string(out), "Usage: "+path+" [/path/to/redis.conf] [options] [-]\n") {
		t.Errorf("%q", out)
	}
	port := freePort(t)
	p := start(t, path, "port "+port+"\nsave \"\"\n", "-")
	p.ready("tcp", "127.0.0.1:"+port)
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{
		` \* oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n`,
		` \* Redis version=7\.4\.1, bits=64, commit=\d{8}, modified=[01], pid=\d+, just started\n`,
		` \* Configuration loaded\n`,
		` \* Running mode=standalone, port=` + port + `\.`,
		` \* Server initialized\n`,
		` \* Ready to accept connections tcp\n`,
		`Received SIGTERM scheduling shutdown\.\.\.\n`,
		`User requested shutdown\.\.\.\n`,
		` # Redis is now ready to exit, bye bye\.\.\.\n`,
	} {
		if !regexp.MustCompile(want).MatchString(p.out.String()) {
			t.Errorf("%s is missing:\n%s", want, p.out)
		}
	}
}

func TestAnswersAndEnds(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--test-memory", "100"}, 1, "There is no memory test"},
		{[]string{"--sentinel"}, 1, "There is no sentinel mode"},
		{[]string{"--port", "0"}, 1, "Configured to not listen anywhere, exiting."},
		{[]string{"--port", "0", "--tls-port", "1"}, 1, "No tls-cert-file configured!"},
	} {
		p := start(t, build(t), "", c.args...)
		if code := p.exit(); code != c.code || !strings.Contains(p.out.String(), c.says) {
			t.Errorf("%v: %d, %s", c.args, code, p.out)
		}
	}
	out, _ := exec.Command(build(t), "--check-system").CombinedOutput()
	if runtime.GOOS == "linux" && (!strings.Contains(string(out), "[open-files]...") || !strings.Contains(string(out), "[somaxconn]...")) {
		t.Errorf("--check-system: %q", out)
	}
}

// TestShutdownParameters ends servers by signals with the options of shutdown-on-*.
func TestShutdownParameters(t *testing.T) {
	for _, c := range []struct {
		sig   syscall.Signal
		args  []string
		saved bool
	}{
		{syscall.SIGTERM, []string{"--save", "3600 1"}, true},
		{syscall.SIGTERM, []string{"--save", "3600 1", "--shutdown-on-sigterm", "nosave"}, false},
		{syscall.SIGINT, []string{"--save", "3600 1", "--shutdown-on-sigterm", "nosave"}, true},
		{syscall.SIGINT, []string{"--save", "", "--shutdown-on-sigint", "save now force"}, true},
	} {
		port, pid := freePort(t), filepath.Join(t.TempDir(), "pid")
		p := start(t, build(t), "", append([]string{"--port", port, "--pidfile", pid}, c.args...)...)
		p.ready("tcp", "127.0.0.1:"+port)
		if reply := ask("tcp", "127.0.0.1:"+port, "SET k v"); reply != "+OK" {
			t.Fatal(reply)
		}
		if text, err := os.ReadFile(pid); err != nil || strings.TrimSpace(string(text)) != strconv.Itoa(p.cmd.Process.Pid) {
			t.Errorf("the pid file holds %q, %v", text, err)
		}
		_ = p.cmd.Process.Signal(c.sig)
		if code := p.exit(); code != 0 {
			t.Errorf("%v: exit code %d\n%s", c.args, code, p.out)
		}
		if _, err := os.Stat(filepath.Join(p.dir, "dump.rdb")); (err == nil) != c.saved {
			t.Errorf("%v %v: %v\n%s", c.sig, c.args, err, p.out)
		}
		if _, err := os.Stat(pid); err == nil {
			t.Error("the pid file remains")
		}
	}
}

// TestRefusesToEnd: a server that cannot save its data goes on when it is told to end, unless it is forced.
func TestRefusesToEnd(t *testing.T) {
	port := freePort(t)
	p := start(t, build(t), "", "--port", port, "--save", "3600 1", "--enable-protected-configs", "yes")
	addr := "127.0.0.1:" + port
	p.ready("tcp", addr)
	for line, want := range map[string]string{"SET k v": "+OK", "CONFIG SET shutdown-on-sigint force": "+OK"} {
		if reply := ask("tcp", addr, line); reply != want {
			t.Fatal(line, reply)
		}
	}
	// A directory in the place of the file that is to be written.
	if err := os.MkdirAll(filepath.Join(p.dir, "dump.rdb", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	eventually(t, p.out.String, func() bool {
		return strings.Contains(p.out.String(), "SIGTERM received but errors trying to shut down the server, check the logs for more information")
	})
	if reply := ask("tcp", addr, "PING"); reply != "+PONG" {
		t.Errorf("it does not go on: %q", reply)
	}
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.out)
	}
}

// TestSupervised has a service manager of the test told what happens.
func TestSupervised(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	receive := func() string {
		t.Helper()
		l.SetReadDeadline(time.Now().Add(patience))
		b := make([]byte, 1000)
		n, err := l.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	t.Setenv("NOTIFY_SOCKET", path)
	for _, mode := range []string{"systemd", "auto"} {
		port := freePort(t)
		p := start(t, build(t), "", "--port", port, "--supervised", mode)
		if got := receive(); got != "STATUS=Ready to accept connections\nREADY=1" {
			t.Errorf("%q", got)
		}
		if reply := ask("tcp", "127.0.0.1:"+port, "PING"); reply != "+PONG" {
			t.Errorf("it is not ready: %q", reply)
		}
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		if got := receive(); got != "STATUS=Shutting down\nSTOPPING=1" {
			t.Errorf("%q", got)
		}
		if code := p.exit(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
	t.Setenv("NOTIFY_SOCKET", "")
	port := freePort(t)
	p := start(t, build(t), "", "--port", port, "--supervised", "systemd")
	p.ready("tcp", "127.0.0.1:"+port)
	p.says("systemd supervision error: NOTIFY_SOCKET not found!")
}

// TestActivation hands a server its sockets: one of TCP, one of TCP for TLS, and a Unix one. A shell stands between, because
// the number of the process has to be known to it and to nobody else.
func TestActivation(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip(err)
	}
	a, err := certs.New("authority")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := a.Sign("server")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key, err := pair.Write(dir, "server")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	var files []*os.File
	var addrs []string
	for _, at := range [][2]string{{"tcp", "127.0.0.1:0"}, {"tcp", "127.0.0.1:0"}, {"unix", socket}} {
		l, err := net.Listen(at[0], at[1])
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		f, err := l.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files, addrs = append(files, f), append(addrs, l.Addr().String())
	}
	p := &process{t: t, cmd: exec.Command(sh, "-c", `LISTEN_PID=$$ exec "$@"`, "sh", build(t), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no"),
		dir: dir, out: &output{}, done: make(chan error, 1)}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr, p.cmd.ExtraFiles = dir, p.out, p.out, files
	p.cmd.Env = append(os.Environ(), "LISTEN_FDS=3", "LISTEN_FDNAMES=pulse.socket:tls:unix")
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	p.says("Ready to accept connections tls")
	for network, addr := range map[string]string{"tcp": addrs[0], "unix": socket} {
		if reply := ask(network, addr, "PING"); reply != "+PONG" {
			t.Errorf("%s: %q\n%s", network, reply, p.out)
		}
	}
	if reply := ask("tcp", addrs[0], "CONFIG GET port"); reply != "*2" {
		t.Error(reply)
	}
	if strings.Contains(p.out.String(), "Failed listening") {
		t.Errorf("it opens ports of its own: %s", p.out)
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.out)
	}
	if _, err := os.Stat(socket); err != nil {
		t.Errorf("the socket of the manager is gone: %v", err)
	}
}

// TestSignalsInTheWay sends signals that mean nothing, and closes what others write to.
func TestSignalsInTheWay(t *testing.T) {
	port := freePort(t)
	cmd := exec.Command(build(t), "--port", port, "--save", "3600 1")
	cmd.Dir = t.TempDir()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w // stdin is closed
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	r.Close() // whatever it logs is an error to it from now on
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	addr := "127.0.0.1:" + port
	eventually(t, func() string { return "it does not answer" }, func() bool { return ask("tcp", addr, "SET k v") == "+OK" })
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGPIPE} {
		_ = cmd.Process.Signal(sig)
		if reply := ask("tcp", addr, "PING"); reply != "+PONG" {
			t.Fatalf("%v: %q", sig, reply)
		}
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	if _, err := os.Stat(filepath.Join(cmd.Dir, "dump.rdb")); err != nil {
		t.Errorf("nothing was saved: %v", err)
	}
}

// TestUnreadReplies ends a server while a client owes it the reading of a hundred megabytes.
func TestUnreadReplies(t *testing.T) {
	port := freePort(t)
	addr := "127.0.0.1:" + port
	p := start(t, build(t), "", "--port", port, "--save", "3600 1")
	p.ready("tcp", addr)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "SETRANGE k 10485760 x\r\n%s", strings.Repeat("GET k\r\n", 10))
	eventually(t, p.out.String, func() bool { return ask("tcp", addr, "EXISTS k") == ":1" })
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if code := p.exit(); code != 0 { // it does not wait for the client for ever
		t.Errorf("exit code %d\n%s", code, p.out)
	}
	if fi, err := os.Stat(filepath.Join(p.dir, "dump.rdb")); err != nil || fi.Size() == 0 {
		t.Errorf("%v, %v", fi, err)
	}
}

// TestScore sets how soon the kernel ends the process.
func TestScore(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("of Linux")
	}
	port := freePort(t)
	p := start(t, build(t), "", "--port", port, "--oom-score-adj", "absolute", "--oom-score-adj-values", "600", "700", "800")
	p.ready("tcp", "127.0.0.1:"+port)
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", p.cmd.Process.Pid))
	if err != nil || strings.TrimSpace(string(text)) != "600" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestScoreIsGivenBack has others set the score of a process that leaves it alone, and wants theirs again afterwards.
func TestScoreIsGivenBack(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("of Linux")
	}
	port := freePort(t)
	addr := "127.0.0.1:" + port
	p := start(t, build(t), "", "--port", port)
	p.ready("tcp", addr)
	path := fmt.Sprintf("/proc/%d/oom_score_adj", p.cmd.Process.Pid)
	text, err := os.ReadFile(path)
	base, err2 := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	base = min(base, 900)
	for i, step := range []struct {
		others  int // what others set before, above base; 0 is nothing
		request string
		want    int
	}{
		{0, "CONFIG SET oom-score-adj-values \"10 20 30\" oom-score-adj yes", 10},
		{0, "CONFIG SET oom-score-adj-values \"15 20 30\"", 15},
		{0, "CONFIG SET oom-score-adj no", 0},
		{7, "CONFIG SET oom-score-adj-values \"1 1 1\"", 7},
		{8, "CONFIG SET oom-score-adj-values \"9 9 9\" oom-score-adj yes", 17},
		{0, "CONFIG SET oom-score-adj no", 8},
	} {
		if step.others != 0 || i == 0 {
			if err := os.WriteFile(path, strconv.AppendInt(nil, int64(base+step.others), 10), 0); err != nil {
				t.Skip(err)
			}
		}
		if got := ask("tcp", addr, step.request); got != "+OK" {
			t.Fatalf("%s: %s", step.request, got)
		}
		text, err := os.ReadFile(path)
		if got := strings.TrimSpace(string(text)); err != nil || got != strconv.Itoa(base+step.want) {
			t.Errorf("%s: %s, not %d, %v", step.request, got, base+step.want, err)
		}
	}
}
