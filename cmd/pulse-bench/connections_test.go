package main

import (
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/streampulse/pulse/bench/spawn"
)

func TestConnectionSuites(t *testing.T) {
	if !spawn.Have("redis-server") || runtime.GOOS != "linux" {
		t.Skip("needs redis-server on PATH, epoll and /proc")
	}
	if testing.Short() {
		t.Skip("servers rest before they are weighed")
	}
	var out strings.Builder
	args := "--spawn --server-a redis-server --suite connections,unread --scale 0.02 --rounds 1 --duration 50ms --idle 300 --active 10 --active-rate 1000"
	if err := run(t.Context(), strings.Fields(args), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, row := range connectionRows {
		if !strings.Contains(out.String(), "connections  "+row.name+" ") {
			t.Errorf("no row %q", row.name)
		}
	}
	for _, row := range unreadRows {
		if !strings.Contains(out.String(), row.name+" ") {
			t.Errorf("no row %q", row.name)
		}
	}
	if strings.Contains(out.String(), "Not measured") || strings.Contains(out.String(), "null replies") {
		t.Error(out.String())
	}
}
