package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/internal/vfs"
)

// TestLatencyOfDisk has a slow disk noted under the names that Redis has.
func TestLatencyOfDisk(t *testing.T) {
	fs := vfs.NewFault(vfs.OS)
	srv := openWith(t, Options{Addr: "127.0.0.1:0", Dir: t.TempDir(), fs: fs}, "appendonly", "yes", "appendfsync", "always", "latency-monitor-threshold", "5")
	c := dial(t, srv)
	c.want("SET a 1", "+OK\r\n")
	c.do("LATENCY RESET")
	slow := func(vfs.OpKind, string) { time.Sleep(8 * time.Millisecond) }
	fs.Add(vfs.Rule{Ops: vfs.OpWrite | vfs.OpSyncData, Path: "*.incr.aof", Before: slow})
	c.want("SET a 2", "+OK\r\n")
	fs.Heal()
	latest := c.do("LATENCY LATEST")
	for _, event := range []string{"aof-write", "aof-write-alone", "aof-fsync-always"} {
		if !strings.Contains(latest, fmt.Sprintf("\r\n$%d\r\n%s\r\n", len(event), event)) {
			t.Errorf("%s is missing in %q", event, latest)
		}
	}
	if advice := c.do("LATENCY DOCTOR"); !strings.Contains(advice, "aof-fsync-always: ") || !strings.Contains(advice, " latency spikes") || !strings.Contains(advice, "appendfsync everysec") {
		t.Error(advice)
	}
}

// TestLatencySamples keeps the longest of a second, 160 seconds, and the worst of all.
func TestLatencySamples(t *testing.T) {
	clk := clock.NewFake(time.Unix(1_700_000_000, 0))
	srv := openWith(t, Options{Addr: "127.0.0.1:0", Clock: clk}, "latency-monitor-threshold", "10")
	took := func(ms int) { srv.took("x", time.Duration(ms)*time.Millisecond) }
	took(9)
	if len(srv.env().LatencyEvents()) != 0 {
		t.Error("noted below the threshold")
	}
	took(900)
	for range 200 {
		took(10)
		took(30)
		took(20)
		clk.Advance(time.Second)
	}
	e := srv.env().LatencyEvents()[0]
	if len(e.Samples) != latencySamples || e.Worst != 900 || e.Last().Took != 30 || e.Last().At != 1_700_000_199 || e.Samples[0].At != 1_700_000_040 {
		t.Errorf("%d samples, worst %d, last %+v, first %+v", len(e.Samples), e.Worst, e.Last(), e.Samples[0])
	}
	if n := srv.env().LatencyReset([][]byte{[]byte("y"), []byte("x")}); n != 1 || len(srv.env().LatencyEvents()) != 0 {
		t.Error(n)
	}
	if err := srv.cfg.Override("latency-monitor-threshold", "0"); err != nil {
		t.Fatal(err)
	}
	took(5000)
	if len(srv.env().LatencyEvents()) != 0 {
		t.Error("noted although nothing is to be")
	}
}
