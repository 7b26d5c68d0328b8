// Package oracle starts real servers for tests and programs to measure behaviour against.
//
// Contract: the oracle is the redis-server that PULSE_ORACLE names or, without that variable, the first on PATH. Every
// server started here listens on loopback only, on a free port of its own, keeps its files in a temporary directory of its
// own and writes no snapshot and no log of changes unless the arguments ask for it. It dies with Close, by its process id;
// on Linux it also dies with the process that started it, so an aborted test run leaves nothing behind.
//
// All functions and methods may be called concurrently.
package oracle

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ErrNotFound is returned by Path and Launch when there is no redis-server on this machine.
var ErrNotFound = errors.New("oracle: no redis-server on PATH, and PULSE_ORACLE does not name one")

// readyTimeout bounds the time from starting a server to its first answer.
const readyTimeout = 15 * time.Second

// startAttempts is how often a start is repeated when another process takes the chosen port first.
const startAttempts = 5

// Server is a running server process.
type Server struct {
	addr   string
	root   string // temporary directory of this server: log and data
	binary string
	pid    int
	proc   *os.Process

	exited  chan struct{} // closed once the process is gone
	exitErr error         // how it went; valid after exited is closed

	closeOnce sync.Once
}

// Path is the oracle's executable, or ErrNotFound.
func Path() (string, error) {
	if name := os.Getenv("PULSE_ORACLE"); name != "" {
		path, err := exec.LookPath(name)
		if err != nil {
			return "", fmt.Errorf("oracle: PULSE_ORACLE: %w", err)
		}
		return path, nil
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return "", ErrNotFound
	}
	return path, nil
}

// Start runs the oracle for the duration of a test. It skips the test when there is no oracle on this machine and fails it
// when the oracle does not start. The arguments are redis-server's ("--maxmemory", "1mb") and win over the defaults.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	path, err := Path()
	if errors.Is(err, ErrNotFound) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return start(t, path, redisArgs(args))
}

// StartBinary runs another server with redis-server's command line, such as pulse-server, for the duration of a test.
func StartBinary(t testing.TB, path string, args ...string) *Server {
	t.Helper()
	return start(t, path, args)
}

func start(t testing.TB, path string, args []string) *Server {
	t.Helper()
	s, err := LaunchBinary(path, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Launch runs the oracle until Close. It returns once the server answers.
func Launch(args ...string) (*Server, error) {
	path, err := Path()
	if err != nil {
		return nil, err
	}
	return LaunchBinary(path, redisArgs(args)...)
}

// redisArgs puts what only the oracle is asked for before the caller's arguments.
func redisArgs(args []string) []string {
	return append([]string{"--enable-debug-command", "yes"}, args...)
}

// LaunchBinary is Launch for another server that understands redis-server's command line.
func LaunchBinary(path string, args ...string) (*Server, error) {
	var err error
	for range startAttempts {
		var s *Server
		s, err = launch(path, args)
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, errPortTaken) {
			break
		}
	}
	return nil, err
}

// errPortTaken says that the port was free when it was chosen and no longer when the server came.
var errPortTaken = errors.New("port taken by another process")

func launch(path string, args []string) (*Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	root, err := os.MkdirTemp("", "oracle-")
	if err != nil {
		return nil, err
	}
	s := &Server{
		addr:   net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		root:   root,
		binary: path,
		exited: make(chan struct{}),
	}
	if err := s.spawn(port, args); err != nil {
		os.RemoveAll(root)
		return nil, fmt.Errorf("oracle: %s: %w", path, err)
	}
	if err := s.waitReady(); err != nil {
		log := s.Log()
		s.Close()
		if strings.Contains(log, "ddress already in use") {
			err = errPortTaken
		}
		return nil, fmt.Errorf("oracle: %s: %w; its log:\n%s", path, err, tail(log, 2000))
	}
	return s, nil
}

// spawn starts the process and the goroutine that waits for its end.
func (s *Server) spawn(port int, args []string) error {
	data := filepath.Join(s.root, "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(s.root, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	base := []string{
		"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", data,
		"--save", "", "--appendonly", "no", "--daemonize", "no",
	}
	cmd := exec.Command(s.binary, append(base, args...)...)
	cmd.Dir = data
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = dieWithParent()

	// The kernel's parent-death signal is tied to the thread that started the child, so that thread must live as long.
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			s.pid, s.proc = cmd.Process.Pid, cmd.Process
		}
		started <- err
		if err == nil {
			s.exitErr = cmd.Wait()
			close(s.exited)
		}
	}()
	return <-started
}

// freePort asks the kernel for a loopback port that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// waitReady returns once this very process answers: a connection alone could have been accepted by another owner of the
// port, and a server that is still loading refuses to work.
func (s *Server) waitReady() error {
	deadline := time.Now().Add(readyTimeout)
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		err := s.probe()
		if err == nil || errors.Is(err, errPortTaken) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not ready after %v: %w", readyTimeout, err)
		}
		select {
		case <-s.exited:
			return fmt.Errorf("ended before it answered: %w", s.ended())
		case <-time.After(wait):
		}
	}
}

func (s *Server) ended() error {
	if s.exitErr != nil {
		return s.exitErr
	}
	return errors.New("exit status 0")
}

// probe asks for PING and INFO server. Where a password is set the refusal counts as an answer.
func (s *Server) probe() error {
	conn, err := s.Dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := io.WriteString(conn, "PING\r\nINFO server\r\n"); err != nil {
		return err
	}
	r := bufio.NewReader(conn)
	line, err := r.ReadString('\n')
	if err != nil {
		return err
	}
	if strings.HasPrefix(line, "-LOADING") {
		return errors.New(strings.TrimSpace(line))
	}
	if !strings.HasPrefix(line, "+PONG") {
		return nil
	}
	header, err := r.ReadString('\n')
	if err != nil || !strings.HasPrefix(header, "$") {
		return err
	}
	size, err := strconv.Atoi(strings.TrimSpace(header[1:]))
	if err != nil || size < 0 {
		return fmt.Errorf("INFO server was answered with %q", header)
	}
	info, err := io.ReadAll(io.LimitReader(r, int64(size)))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(info)) {
		if pid, ok := strings.CutPrefix(line, "process_id:"); ok && strings.TrimSpace(pid) != strconv.Itoa(s.pid) {
			return errPortTaken
		}
	}
	return nil
}

func tail(s string, n int) string {
	if len(s) > n {
		return "..." + s[len(s)-n:]
	}
	return s
}

// Addr is the server's "host:port".
func (s *Server) Addr() string { return s.addr }

// Port is the server's port.
func (s *Server) Port() int {
	_, port, _ := net.SplitHostPort(s.addr)
	n, _ := strconv.Atoi(port)
	return n
}

// Dial opens a connection. It has the shape that package script asks for.
func (s *Server) Dial() (net.Conn, error) { return net.DialTimeout("tcp", s.addr, 5*time.Second) }

// Dir is the default working directory of the server; Close removes it.
func (s *Server) Dir() string { return filepath.Join(s.root, "data") }

// Log is what the server has written to its standard output and error so far.
func (s *Server) Log() string {
	b, err := os.ReadFile(filepath.Join(s.root, "log"))
	if err != nil {
		return ""
	}
	return string(b)
}

// Signal sends a signal to the server, for tests of orderly shutdown and of crashes.
func (s *Server) Signal(sig os.Signal) error { return s.proc.Signal(sig) }

// Exited is closed once the process has ended.
func (s *Server) Exited() <-chan struct{} { return s.exited }

// Wait waits for the process to end by itself and returns how it ended: nil for exit status 0. It gives up after d.
func (s *Server) Wait(d time.Duration) error {
	select {
	case <-s.exited:
		return s.exitErr
	case <-time.After(d):
		return fmt.Errorf("oracle: %s still runs after %v", s.binary, d)
	}
}

// Close kills the server without ceremony, waits for its end and removes its directory. It may be called more than once.
func (s *Server) Close() error {
	var err error
	s.closeOnce.Do(func() {
		// A stopped process (SIGSTOP) is killed all the same; one that has ended already reports an error that is no news.
		s.proc.Signal(syscall.SIGKILL)
		<-s.exited
		err = os.RemoveAll(s.root)
	})
	return err
}
