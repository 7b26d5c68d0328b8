package config

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func bytesOf(words ...string) [][]byte {
	out := make([][]byte, len(words))
	for i, w := range words {
		out[i] = []byte(w)
	}
	return out
}

func TestTableIsSound(t *testing.T) {
	c := New()
	for _, p := range Params() {
		if Lookup(strings.ToUpper(p.Name)) == nil {
			t.Errorf("%s is not found by name", p.Name)
		}
		if p.Kind == KindEnum && !slices.Contains(p.Values, p.Default) {
			t.Errorf("%s: default %q is none of its values", p.Name, p.Default)
		}
		got := c.Get([]byte(p.Name))
		if len(got) != 1 || got[0].Value != c.Text(p.Name) {
			t.Errorf("%s: Get = %v", p.Name, got)
		}
		if p.Name != "dir" && p.Default != c.Text(p.Name) {
			t.Errorf("%s: default %q is printed as %q", p.Name, p.Default, c.Text(p.Name))
		}
		// What CONFIG GET prints, CONFIG SET and a file take.
		if err := c.Override(p.Name, c.Text(p.Name)); err != nil {
			t.Errorf("%s does not take its own default: %v", p.Name, err)
		}
	}
	if got := c.Inert(); len(got) != 0 {
		t.Errorf("Inert of a new Config = %v", got)
	}
}

func TestNewDefaultsOf74(t *testing.T) {
	c := New()
	for name, want := range map[string]string{
		"set-max-listpack-entries": "128", "set-max-listpack-value": "64", "max-new-connections-per-cycle": "10",
		"locale-collate": "", "cluster-announce-human-nodename": "", "server-cpulist": "", "hide-user-data-from-log": "no",
		"bind": "127.0.0.1 -::1", "save": "3600 1 300 100 60 10000",
	} {
		if got := c.Text(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	err := c.Set(bytesOf("loglevel", "nothing", "maxmemory-samples", "65"), false)
	if err == nil || c.Text("loglevel") != "notice" {
		t.Errorf("samples of 65: err %v, loglevel %s", err, c.Text("loglevel"))
	}
}

func TestHandles(t *testing.T) {
	c := New()
	maxmemory, policy, lfu := c.Int("maxmemory"), c.Enum("maxmemory-policy"), c.Bool("latency-tracking")
	save, limits, notify := c.Save(), c.OutputLimits(), c.Notify()
	if err := c.Set(bytesOf("maxmemory", "2kb", "MAXMEMORY-policy", "AllKeys-LFU", "latency-tracking", "no", "save", "5 6 7 8",
		"client-output-buffer-limit", "pubsub 1k 2 3", "notify-keyspace-events", "KEA", "maxmemory-clients", "7%",
		"bind", "-::1 *", "latency-tracking-info-percentiles", "1 2.50"), false); err != nil {
		t.Fatal(err)
	}
	if maxmemory.Load() != 2048 || policy.Load() != "allkeys-lfu" || policy.Index() != 5 || lfu.Load() {
		t.Error(maxmemory.Load(), policy.Load(), policy.Index(), lfu.Load())
	}
	if got := save.Load(); !slices.Equal(got, []SavePoint{{5, 6}, {7, 8}}) {
		t.Error(got)
	}
	if got := limits.Load(); got.PubSub != (OutputLimit{1000, 2, 3}) || got.Replica.Hard != 256*mib {
		t.Error(got)
	}
	if notify.Load() != NotifyAll|NotifyKeyspace|NotifyKeyevent {
		t.Error(notify.Load())
	}
	if c.Int("maxmemory-clients").Load() != -7 || c.Text("maxmemory-clients") != "7%" {
		t.Error(c.Text("maxmemory-clients"))
	}
	if got := c.Bind().Load(); !slices.Equal(got, []string{"-::1", "*"}) {
		t.Error(got)
	}
	if got := c.Percentiles().Load(); !slices.Equal(got, []float64{1, 2.5}) {
		t.Error(got)
	}
	if err := c.Override("slaveof", "10.0.0.1 77"); err != nil || c.ReplicaOf().Load() != (HostPort{"10.0.0.1", 77}) {
		t.Error(err, c.ReplicaOf().Load())
	}
	if err := c.Override("replicaof", ""); err != nil || c.ReplicaOf().Load() != (HostPort{}) {
		t.Error(err, c.ReplicaOf().Load())
	}
	if n := testing.AllocsPerRun(100, func() { _, _, _ = maxmemory.Load(), policy.Load(), limits.Load() }); n != 0 {
		t.Errorf("%v allocations to read", n)
	}
}

func TestWrongHandlePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	New().Int("appendonly")
}

func TestSetIsAtomicAndRunsHooks(t *testing.T) {
	c := New()
	var ran []string
	c.OnChange("timeout", func() { ran = append(ran, "timeout="+c.Text("timeout")) })
	c.OnApply("port", func() error {
		ran = append(ran, "port="+c.Text("port"))
		if c.Text("port") == "7" {
			return errors.New("Unable to listen on this port. Check server logs.")
		}
		return nil
	})
	if err := c.Set(bytesOf("timeout", "3", "hz", "x"), false); err == nil || c.Text("timeout") != "0" || len(ran) != 0 {
		t.Fatal(err, c.Text("timeout"), ran)
	}
	err := c.Set(bytesOf("timeout", "3", "port", "7"), false)
	want := "CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs."
	if err == nil || err.Error() != want || c.Text("timeout") != "0" || c.Text("port") != "6379" {
		t.Fatal(err, c.Text("timeout"), c.Text("port"))
	}
	if got := strings.Join(ran, " "); got != "timeout=3 port=7 timeout=0 port=6379" {
		t.Fatal(got)
	}
	ran = nil
	if err := c.Set(bytesOf("timeout", "0", "port", "8", "timeout", "1"), false); err == nil {
		t.Fatal("duplicate accepted")
	}
	if err := c.Set(bytesOf("timeout", "0", "port", "8"), false); err != nil || strings.Join(ran, " ") != "port=8" {
		t.Fatal(err, ran)
	}
}

func TestProtected(t *testing.T) {
	c, dir := New(), t.TempDir()
	err := c.Set(bytesOf("dir", dir), false)
	if err == nil || !strings.HasSuffix(err.Error(), "can't set protected config") {
		t.Fatal(err)
	}
	if err := c.Set(bytesOf("dir", dir), true); err != nil || c.Text("dir") != dir {
		t.Fatal(err, c.Text("dir"))
	}
	err = c.Set(bytesOf("dir", "nosuch"), true)
	if err == nil || !strings.HasSuffix(err.Error(), " - No such file or directory") {
		t.Fatal(err)
	}
}

func TestParseMemory(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "1": 1, "1b": 1, "1k": 1000, "1kb": 1024, "2M": 2e6, "2mB": 2 << 20, "3g": 3e9, "3GB": 3 << 30,
		"":                    0,
		"9223372036854775807": maxInt64, "9223372036854775808": -1, "9223372036854775807b": maxInt64, "8589934592gb": -1,
		"8589934591gb": 8589934591 << 30, "-1": -1, "1x": -1, "1 kb": -1, " 1": -1, "1.5gb": -1, "1tb": -1, "+1": -1,
	} {
		got, ok := ParseMemory(in)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q = %d, want %d", in, got, want)
		}
	}
}

func TestConcurrentReadersSeeWholeValues(t *testing.T) {
	c := New()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 2000 {
			_ = c.Set(bytesOf("client-output-buffer-limit", []string{"normal 1 1 1", "normal 2 2 2"}[i%2]), false)
		}
	}()
	limits := c.OutputLimits()
	for {
		l := limits.Load().Normal
		if l.Hard != l.Soft || l.Soft != l.SoftSeconds {
			t.Fatal(l)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

func BenchmarkIntLoad(b *testing.B) {
	v := New().Int("maxmemory")
	var n int64
	for b.Loop() {
		n += v.Load()
	}
	_ = n
}
