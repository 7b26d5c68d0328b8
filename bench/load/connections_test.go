package load

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestConnections(t *testing.T) {
	onLinux(t)
	p := server(t)
	o := ConnectionsOptions{Idle: 200, Active: OpenOptions{Clients: 10, Rate: 2000, Duration: 50 * time.Millisecond}, Rest: 50 * time.Millisecond}
	r, err := Connections(t.Context(), p.Addr, p.PID, o)
	if err != nil {
		t.Fatal(err)
	}
	if r.PerSecond <= 0 || r.Silent <= 0 || r.Used < r.Silent/2 || r.Active.Requests != 100 || r.Active.Nulls != 0 {
		t.Errorf("%+v", r)
	}
	// Of a server elsewhere the sizes are not known.
	if r, err = Connections(t.Context(), p.Addr, 0, o); err != nil || r.Silent != 0 || r.Used != 0 || r.Active.Requests != 100 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := Connections(t.Context(), p.Addr, 0, ConnectionsOptions{}); err == nil {
		t.Error("no connections pass")
	}
}

func TestUnread(t *testing.T) {
	onLinux(t)
	p := server(t)
	o := UnreadOptions{Clients: 5, Value: 4 << 20, Requests: 3, Others: OpenOptions{Clients: 4, Rate: 2000, Duration: 100 * time.Millisecond}, Rest: 50 * time.Millisecond}
	r, err := Unread(t.Context(), p.Addr, p.PID, o)
	if err != nil {
		t.Fatal(err)
	}
	// redis-server keeps what nobody reads.
	if r.Asked != 60<<20 || r.Alive != 5 || r.Grown < 20<<20 || r.Calm.Requests != 200 || r.Beside.Requests != 200 {
		t.Errorf("%+v", r)
	}
	if _, err := Unread(t.Context(), p.Addr, 0, UnreadOptions{}); err == nil {
		t.Error("nobody passes")
	}
}

func TestDescriptors(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no limit is known there")
	}
	if err := descriptors(10); err != nil {
		t.Error(err)
	}
	if err := descriptors(1 << 40); err == nil || !strings.Contains(err.Error(), "ulimit -n") {
		t.Error(err)
	}
}
