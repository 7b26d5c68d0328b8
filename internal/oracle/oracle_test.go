package oracle

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func ask(t *testing.T, s *Server, inline string) string {
	t.Helper()
	conn, err := s.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(conn, "%s\r\n", inline)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func TestStart(t *testing.T) {
	s := Start(t, "--maxclients", "77")
	if got := ask(t, s, "PING"); got != "+PONG" {
		t.Errorf("PING: %s", got)
	}
	if got := ask(t, s, "DEBUG JMAP"); strings.Contains(got, "not allowed") {
		t.Errorf("DEBUG is not enabled: %s", got)
	}
	if !strings.HasPrefix(s.Addr(), "127.0.0.1:") || !strings.HasSuffix(s.Addr(), fmt.Sprint(":", s.Port())) {
		t.Errorf("Addr %s, Port %d", s.Addr(), s.Port())
	}
	if !strings.Contains(s.Log(), "Ready to accept connections") {
		t.Errorf("log: %q", s.Log())
	}
	dir := s.Dir()
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory outlives Close: %v", err)
	}
	if conn, err := s.Dial(); err == nil {
		conn.Close()
		t.Error("server outlives Close")
	}
}

func TestSignalAndWait(t *testing.T) {
	s := Start(t)
	if err := s.Wait(time.Millisecond); err == nil {
		t.Fatal("Wait reported the end of a running server")
	}
	if err := s.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(30 * time.Second); err != nil {
		t.Errorf("orderly shutdown: %v", err)
	}
	<-s.Exited()
}

func TestPasswordCountsAsReady(t *testing.T) {
	s := Start(t, "--requirepass", "x")
	if got := ask(t, s, "PING"); !strings.HasPrefix(got, "-NOAUTH") {
		t.Errorf("PING: %s", got)
	}
}

func TestLaunchReportsWhyAServerDidNotStart(t *testing.T) {
	if _, err := Path(); err != nil {
		t.Skip(err)
	}
	s, err := Launch("--no-such-option", "1")
	if err == nil {
		s.Close()
		t.Fatal("a wrong option was accepted")
	}
	if !strings.Contains(err.Error(), "no-such-option") {
		t.Errorf("error does not show the server's log: %v", err)
	}
}

func TestPathFollowsEnvironment(t *testing.T) {
	t.Setenv("PULSE_ORACLE", filepath.Join(t.TempDir(), "missing"))
	if _, err := Path(); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("a wrong PULSE_ORACLE must be an error of its own, got %v", err)
	}
	t.Setenv("PULSE_ORACLE", "")
	t.Setenv("PATH", t.TempDir())
	if _, err := Path(); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}
