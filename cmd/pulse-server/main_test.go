package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const patience = 30 * time.Second

var binary struct {
	sync.Once
	dir, path string
	err       error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if binary.dir != "" {
		os.RemoveAll(binary.dir)
	}
	os.Exit(code)
}

// build compiles the command once for all tests.
func build(t *testing.T) string {
	t.Helper()
	binary.Do(func() {
		if binary.dir, binary.err = os.MkdirTemp("", "pulse-server-"); binary.err != nil {
			return
		}
		binary.path = filepath.Join(binary.dir, "pulse-server")
		if out, err := exec.Command("go", "build", "-o", binary.path, ".").CombinedOutput(); err != nil {
			binary.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return binary.path
}

// process is a server that runs.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	addr string
	dir  string
	out  *output
	done chan error
}

// output collects what a process writes.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// freePort returns a port that nobody listens on, below those that the kernel gives to whoever asks for any.
func freePort(t *testing.T) string {
	t.Helper()
	for {
		port := strconv.Itoa(10000 + rand.IntN(20000))
		l, err := net.Listen("tcp", ":"+port)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		return port
	}
}

// start runs the program at path in a folder of its own; it is killed when the test ends.
func start(t *testing.T, path, stdin string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(path, args...), dir: t.TempDir(), out: &output{}, done: make(chan error, 1)}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = p.dir, p.out, p.out
	p.cmd.Stdin = strings.NewReader(stdin)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

// eventually waits until f returns true.
func eventually(t *testing.T, what func() string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long: %s", what())
		}
	}
}

// ask sends a line to a server and returns the first line of the reply, "" if it cannot be reached.
func ask(network, addr, line string) string {
	c, err := net.DialTimeout(network, addr, time.Second)
	if err != nil {
		return ""
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(c, "%s\r\n", line)
	reply, _ := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(reply)
}

func (p *process) ready(network, addr string) {
	p.t.Helper()
	eventually(p.t, p.out.String, func() bool { return ask(network, addr, "PING") == "+PONG" })
}

// says waits until the process has said something: what it writes is under way for a while.
func (p *process) says(what string) {
	p.t.Helper()
	eventually(p.t, p.out.String, func() bool { return strings.Contains(p.out.String(), what) })
}

// exit waits for the end of the process and returns its code.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("the process does not end:\n%s", p.out)
		return -1
	}
}

func TestVersionAndHelp(t *testing.T) {
	path := build(t)
	for _, flag := range []string{"-v", "--version"} {
		out, err := exec.Command(path, flag).Output()
		if err != nil || !regexp.MustCompile(`^Pulse server v=7\.4\.1 .*sha=\S+ malloc=\S+ bits=64 build=[0-9a-f]{16}\n$`).Match(out) {
			t.Errorf("%s: %v, %q", flag, err, out)
		}
	}
	out, err := exec.Command(path, "--help").CombinedOutput()
	if e, ok := err.(*exec.ExitError); !ok || e.ExitCode() != 1 || !strings.Contains(string(out), "Usage: ") {
		t.Errorf("--help: %v, %q", err, out)
	}
	out, err = exec.Command(path, "--nosuch", "x").CombinedOutput()
	if e, ok := err.(*exec.ExitError); !ok || e.ExitCode() != 1 || !strings.Contains(string(out), "FATAL CONFIG FILE ERROR") || !strings.Contains(string(out), "Bad directive or wrong number of arguments") {
		t.Errorf("--nosuch: %v, %q", err, out)
	}
}

func TestLogAndSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			port := freePort(t)
			p := start(t, build(t), "", "--port", port)
			p.ready("tcp", "127.0.0.1:"+port)
			p.says("Ready to accept connections")
			log := p.out.String()
			at := 0
			for _, want := range []string{" PID: " + fmt.Sprint(p.cmd.Process.Pid), "Server initialized", "Ready to accept connections"} {
				i := strings.Index(log[at:], want)
				if i < 0 {
					t.Fatalf("%q is missing, or in the wrong place:\n%s", want, log)
				}
				at += i
			}
			line := regexp.MustCompile(`(?m)^\d+:M \d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3} [*#] Ready to accept connections`)
			if !line.MatchString(log) {
				t.Errorf("a line of the log looks different:\n%s", log)
			}
			// A signal that means something to others only.
			_ = p.cmd.Process.Signal(syscall.SIGHUP)
			if got := ask("tcp", "127.0.0.1:"+port, "PING"); got != "+PONG" {
				t.Errorf("after SIGHUP: %q", got)
			}
			c, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = p.cmd.Process.Signal(sig)
			if code := p.exit(); code != 0 {
				t.Errorf("exit code %d\n%s", code, p.out)
			}
			if out := p.out.String(); !strings.Contains(out, "scheduling shutdown...") || !strings.Contains(out, "bye bye...") {
				t.Errorf("log:\n%s", out)
			}
		})
	}
}

func TestShutdownCommand(t *testing.T) {
	port := freePort(t)
	p := start(t, build(t), "", "--port", port)
	p.ready("tcp", "127.0.0.1:"+port)
	if got := ask("tcp", "127.0.0.1:"+port, "SHUTDOWN NOSAVE"); got != "" {
		t.Errorf("got %q", got)
	}
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.out)
	}
}

func TestConfiguration(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "redis.conf")
	if err := os.WriteFile(conf, []byte("# a comment\nmaxclients 77\ntimeout 30\nloglevel warning\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, stdin string
		args        []string
		want        map[string]string
	}{
		{"file", "", []string{conf}, map[string]string{"maxclients": "77", "timeout": "30"}},
		{"options over file", "", []string{conf, "--timeout", "40"}, map[string]string{"maxclients": "77", "timeout": "40"}},
		{"stdin", "maxclients 88\n", []string{"-"}, map[string]string{"maxclients": "88"}},
		{"all three", "hz 50\n", []string{conf, "--timeout", "40", "-"}, map[string]string{"maxclients": "77", "timeout": "40", "hz": "50"}},
		{"options", "", []string{"--databases", "3", "--save", "", "--appendonly", "no"}, map[string]string{"databases": "3", "save": ""}},
	} {
		t.Run(row.name, func(t *testing.T) {
			port := freePort(t)
			args := row.args
			last := len(args)
			if args[last-1] == "-" {
				last--
			}
			args = append(append(append([]string(nil), args[:last]...), "--port", port), args[last:]...)
			p := start(t, build(t), row.stdin, args...)
			p.ready("tcp", "127.0.0.1:"+port)
			for name, want := range row.want {
				c, err := net.Dial("tcp", "127.0.0.1:"+port)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(c, "CONFIG GET %s\r\nQUIT\r\n", name)
				got, _ := io.ReadAll(c)
				c.Close()
				if end := fmt.Sprintf("$%d\r\n%s\r\n+OK\r\n", len(want), want); !strings.HasSuffix(string(got), end) {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestUnixSocketOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	p := start(t, build(t), "", "--port", "0", "--unixsocket", path, "--unixsocketperm", "600")
	p.ready("unix", path)
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi, err)
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket remains")
	}
}

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	p := start(t, build(t), "", "--port", port, "--bind", "127.0.0.1")
	if code := p.exit(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"Could not create server TCP listening socket 127.0.0.1:" + port + ": bind: address already in use", "Failed listening on port " + port} {
		if !strings.Contains(strings.ToLower(p.out.String()), strings.ToLower(want)) {
			t.Errorf("%q is missing:\n%s", want, p.out)
		}
	}
}

// TestDaemon also checks that the program may be called redis-server, and its files.
func TestDaemon(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "redis-server")
	if err := os.Symlink(build(t), link); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	logFile, pidFile := filepath.Join(dir, "log"), filepath.Join(dir, "pid")
	p := start(t, link, "", "--port", port, "--daemonize", "yes", "--logfile", logFile, "--pidfile", pidFile, "--dir", dir)
	if code := p.exit(); code != 0 {
		t.Fatalf("exit code %d\n%s", code, p.out)
	}
	addr := "127.0.0.1:" + port
	eventually(t, func() string { return "the daemon does not answer" }, func() bool { return ask("tcp", addr, "PING") == "+PONG" })
	pid := 0
	eventually(t, func() string { return "no pid file" }, func() bool {
		b, _ := os.ReadFile(pidFile)
		_, err := fmt.Sscan(string(b), &pid)
		return err == nil
	})
	daemon, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = daemon.Kill() })
	if got := ask("tcp", addr, "DBSIZE"); got != ":0" {
		t.Errorf("DBSIZE = %q", got)
	}
	_ = daemon.Signal(syscall.SIGTERM)
	read := func() string { b, _ := os.ReadFile(logFile); return string(b) }
	eventually(t, read, func() bool { return strings.Contains(read(), "bye bye...") })
	eventually(t, func() string { return "the pid file remains" }, func() bool { _, err := os.Stat(pidFile); return err != nil })
	if log := read(); !strings.Contains(log, fmt.Sprintf(" PID: %d", pid)) || !strings.Contains(log, "Ready to accept connections") {
		t.Errorf("log:\n%s", log)
	}
}
