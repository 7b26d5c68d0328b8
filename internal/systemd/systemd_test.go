package systemd

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// child is set in the environment of the process that TestListeners starts.
const child = "PULSE_TEST_SYSTEMD"

func TestNotify(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if sent, err := Notify("READY=1"); sent || err != nil || Supervised() {
		t.Errorf("%v, %v", sent, err)
	}
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	if sent, err := Notify("READY=1", "STATUS=fine"); !sent || err != nil || !Supervised() {
		t.Errorf("%v, %v", sent, err)
	}
	l.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, 100)
	if n, err := l.Read(b); err != nil || string(b[:n]) != "READY=1\nSTATUS=fine" {
		t.Errorf("%q, %v", b[:n], err)
	}
	t.Setenv("NOTIFY_SOCKET", path+"x")
	if sent, err := Notify("READY=1"); sent || err == nil {
		t.Errorf("%v, %v", sent, err)
	}
}

// TestListeners hands sockets to a process, which is this program again and says what it got.
func TestListeners(t *testing.T) {
	if os.Getenv(child) != "" {
		os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid())) // which a parent cannot know
		all, err := Listeners()
		if err != nil {
			os.Stdout.WriteString("error: " + err.Error() + "\n")
			os.Exit(0)
		}
		for _, s := range all {
			os.Stdout.WriteString(s.Name + " " + s.Addr().Network() + "\n")
		}
		if os.Getenv("LISTEN_FDS") != "" {
			os.Stdout.WriteString("the environment is still there\n")
		}
		os.Exit(0)
	}
	if exe, err := os.Executable(); err != nil || exe == "" {
		t.Skip(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	unix, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Skip(err)
	}
	defer unix.Close()
	file := func(l net.Listener) *os.File {
		f, err := l.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	none, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer none.Close()
	for _, c := range []struct {
		files []*os.File
		fds   string
		want  string
	}{
		{[]*os.File{file(tcp), file(unix)}, "2", "redis.socket tcp\ntls unix\n"},
		{[]*os.File{file(tcp), none}, "2", "error: systemd: descriptor 4 (tls) is no socket to listen on"},
		{nil, "-1", "error: systemd: LISTEN_FDS=-1 makes no sense"},
		{nil, "100000", "error: systemd: LISTEN_FDS=100000 makes no sense"},
		{nil, "0", ""},
	} {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestListeners$")
		cmd.Env = append(os.Environ(), child+"=1", "LISTEN_FDS="+c.fds, "LISTEN_FDNAMES=redis.socket:tls")
		cmd.ExtraFiles = c.files
		out, err := cmd.Output()
		if err != nil || !strings.HasPrefix(string(out), c.want) || c.want == "" && len(out) > 0 {
			t.Errorf("%s: %v, %q", c.fds, err, out)
		}
	}
	// Those of another process are none of ours.
	t.Setenv("LISTEN_PID", "1")
	t.Setenv("LISTEN_FDS", "1")
	if all, err := Listeners(); err != nil || len(all) > 0 {
		t.Errorf("%v, %v", all, err)
	}
}
