package load

import (
	"testing"
	"time"
)

func TestParseProc(t *testing.T) {
	stat := "42 (a) b (c)) S 1 42 42 0 -1 4194560 1 2 3 4 150 25 0 0 20 0 4 0 100 0 0"
	if d, err := parseStat([]byte(stat)); err != nil || d != 1750*time.Millisecond {
		t.Errorf("CPU time %v, %v", d, err)
	}
	status := "Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t    1024 kB\nThreads:\t5\n"
	if n, err := parseStatus([]byte(status), "VmRSS:"); err != nil || n != 1<<20 {
		t.Errorf("VmRSS %d, %v", n, err)
	}
	if n, err := parseStatus([]byte(status), "VmHWM:"); err != nil || n != 2<<20 {
		t.Errorf("VmHWM %d, %v", n, err)
	}
	for _, bad := range []string{"", "1 (x", "1 (x) S 1 2", "1 (x) S 1 2 3 4 5 6 7 8 9 10 a b 13"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("stat %q passed", bad)
		}
	}
	for _, bad := range []string{"", "VmRSS:\n", "VmRSS: 5 MB\n", "VmRSS: x kB\n"} {
		if _, err := parseStatus([]byte(bad), "VmRSS:"); err == nil {
			t.Errorf("status %q passed", bad)
		}
	}
}
