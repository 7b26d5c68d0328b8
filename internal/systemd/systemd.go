// Package systemd talks to a service manager: it tells it how the service is (sd_notify), and takes over sockets that the
// manager has opened for it (socket activation).
//
// Contract: nothing happens unless the environment says that there is a manager. Notify may be called concurrently.
// Listeners is to be called once, before anything else opens descriptors of its own by number.
package systemd

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// Supervised tells that a manager wants to be notified.
func Supervised() bool { return os.Getenv("NOTIFY_SOCKET") != "" }

// Notify sends lines such as READY=1 to the manager. Without one it returns false.
func Notify(lines ...string) (sent bool, err error) {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return false, nil
	}
	// A name that begins with @ is in the abstract namespace; package net knows that, too.
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return false, fmt.Errorf("systemd: %w", err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(strings.Join(lines, "\n"))); err != nil {
		return false, fmt.Errorf("systemd: %w", err)
	}
	return true, nil
}

// Socket is one that the manager has opened.
type Socket struct {
	net.Listener
	// Name is what the manager calls it: FileDescriptorName= of the unit, by default the unit's own name.
	Name string
}

// firstSocket is the number of the first descriptor that is handed over.
const firstSocket = 3

// maxSockets bounds what the environment may claim.
const maxSockets = 1024

// Listeners takes over the sockets. Without a manager that has any for this process there are none. Descriptors that are
// no listening sockets are an error; those taken over until then are closed.
func Listeners() ([]Socket, error) {
	pid, count := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(name) // not meant for processes that this one starts
	}
	if count == "" || pid != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > maxSockets {
		return nil, fmt.Errorf("systemd: LISTEN_FDS=%s makes no sense", count)
	}
	var all []Socket
	for i := range n {
		name := ""
		if i < len(names) {
			name = names[i]
		}
		f := os.NewFile(uintptr(firstSocket+i), name)
		l, err := net.FileListener(f) // has a descriptor of its own, which children do not inherit
		_ = f.Close()
		if err != nil {
			for _, s := range all {
				_ = s.Close()
			}
			return nil, fmt.Errorf("systemd: descriptor %d (%s) is no socket to listen on: %w", firstSocket+i, name, err)
		}
		if u, ok := l.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false) // the manager goes on with it
		}
		all = append(all, Socket{l, name})
	}
	return all, nil
}
