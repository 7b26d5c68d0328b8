package server

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/vfs"
	"github.com/streampulse/pulse/server/log"
)

// fetch asks over HTTP, on a connection of its own.
func fetch(t testing.TB, url string) (status int, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	tr := &http.Transport{DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestMetrics scrapes a server.
func TestMetrics(t *testing.T) {
	srv := openServer(t, "metrics-addr", "127.0.0.1:0", "databases", "3", "latency-monitor-threshold", "1")
	c := dial(t, srv)
	c.do("SET k v EX 100")
	c.do("GET k")
	c.do("GET k")
	c.do("LPUSH k x")
	c.do("DEBUG SLEEP 0.01")
	base := "http://" + srv.MetricsAddr()
	status, text := fetch(t, base+"/metrics")
	if status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	for _, want := range []string{
		"redis_up 1", "redis_connected_clients 1", `redis_commands_total{cmd="get"} 2`, `redis_commands_failed_calls_total{cmd="lpush"} 1`,
		`redis_errors_total{err="WRONGTYPE"} 1`, `redis_db_keys{db="db0"} 1`, `redis_db_keys_expiring{db="db0"} 1`, `redis_db_keys{db="db2"} 0`,
		"redis_keyspace_hits_total 2", "redis_config_maxclients 10000", "redis_rdb_last_bgsave_status 1",
		`redis_latency_percentiles_usec_count{cmd="get"} 2`,
		"# TYPE redis_commands_processed_total counter", "# TYPE redis_memory_used_bytes gauge", `redis_version="7.4.1"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
	_, spike, _ := strings.Cut(text, `redis_latency_spike_duration_seconds{event_name="command"} `)
	spike, _, _ = strings.Cut(spike, "\n")
	if secs, err := strconv.ParseFloat(spike, 64); err != nil || secs < 0.01 || secs > patience.Seconds() {
		t.Errorf("a command that took 0.01 s or more took %q", spike)
	}
	if strings.Contains(text, `redis_db_keys{db="db3"}`) {
		t.Error("there is a fourth database")
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/": 200, "/nosuch": 404, "/debug/pprof/": 200,
		"/debug/pprof/nosuch": 404, "/debug/pprof/goroutine?debug=1": 200, "/debug/pprof/heap": 200, "/debug/pprof/profile?seconds=0.01": 200,
		"/debug/pprof/profile?seconds=x": 400, "/debug/pprof/profile?seconds=NaN": 400} {
		if got, body := fetch(t, base+path); got != want || body == "" {
			t.Errorf("%s: %d %q", path, got, body)
		}
	}
	resp, err := http.Post(base+"/metrics", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", resp.StatusCode)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// logged has the lines of a log, as many as there is room for.
type logged chan string

func (l logged) Write(b []byte) (int, error) {
	select {
	case l <- string(b):
	default:
	}
	return len(b), nil
}

// TestReadiness looks at /readyz while a server loads, and while it saves before it ends.
func TestReadiness(t *testing.T) {
	dir := t.TempDir()
	first := openWith(t, Options{Addr: "127.0.0.1:0", Dir: dir}, "dir", dir)
	c := dial(t, first)
	c.do("SET k v")
	c.do("SAVE")
	c.Close()
	closeServer(t, first)

	fs, gate, begun := vfs.NewFault(vfs.OS), make(chan struct{}), make(chan struct{})
	fs.Add(vfs.Rule{Ops: vfs.OpRead, Path: "*.rdb", Before: func(vfs.OpKind, string) {
		select {
		case <-begun:
		default:
			close(begun)
		}
		<-gate
	}})
	told := make(logged, 100)
	logger, err := log.New(log.Options{Writer: told})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Addr: "127.0.0.1:0", Dir: dir, MetricsAddr: "127.0.0.1:0", Config: configOf(t), fs: fs, Log: logger}
	opened := make(chan *Server, 1)
	go func() {
		srv, err := Open(o)
		if err != nil {
			t.Error(err)
		}
		opened <- srv
	}()
	select {
	case <-begun:
	case <-opened:
		t.Fatal("it has not read its file")
	}
	addr := ""
	for addr == "" {
		select {
		case line := <-told:
			_, addr, _ = strings.Cut(line, "Metrics are served on http://")
			addr, _, _ = strings.Cut(addr, "/")
		default:
			t.Fatal("the log does not say where metrics are served")
		}
	}
	if status, body := fetch(t, "http://"+addr+"/readyz"); status != 503 || !strings.Contains(body, "loaded") {
		t.Errorf("while it loads: %d %s", status, body)
	}
	if status, _ := fetch(t, "http://"+addr+"/healthz"); status != 200 {
		t.Errorf("alive while it loads: %d", status)
	}
	close(gate)
	srv := <-opened
	if srv == nil {
		t.FailNow()
	}
	if status, body := fetch(t, "http://"+addr+"/readyz"); status != 200 {
		t.Errorf("when it has loaded: %d %s", status, body)
	}
	srv.files.exiting.Store(true)
	if status, body := fetch(t, "http://"+addr+"/readyz"); status != 503 || !strings.Contains(body, "shutting down") {
		t.Errorf("while it saves: %d %s", status, body)
	}
	srv.files.exiting.Store(false)
	closeServer(t, srv)
}

// TestMetricsDuringScript scrapes while a script keeps everybody waiting.
func TestMetricsDuringScript(t *testing.T) {
	srv := openServer(t, "metrics-addr", "127.0.0.1:0", "busy-reply-threshold", "50")
	c := dial(t, srv)
	if _, err := c.Write([]byte(encode("EVAL", "while true do end", "0"))); err != nil {
		t.Fatal(err)
	}
	other := dial(t, srv)
	for deadline := time.Now().Add(patience); !strings.HasPrefix(other.do("GET k"), "-BUSY"); {
		if time.Now().After(deadline) {
			t.Fatal("the script is never too slow")
		}
	}
	if status, text := fetch(t, "http://"+srv.MetricsAddr()+"/metrics"); status != 200 || !strings.Contains(text, "redis_up 0\n") || strings.Contains(text, "redis_connected_clients") {
		t.Errorf("%d %s", status, text)
	}
	other.do("SCRIPT KILL")
	c.read() // the script has ended when it has answered, not when it is told to
	if status, text := fetch(t, "http://"+srv.MetricsAddr()+"/metrics"); status != 200 || !strings.Contains(text, "redis_up 1\n") {
		t.Errorf("%d %s", status, text)
	}
}

// TestMetricsOff sees that nothing is served, and that a taken address is an error.
func TestMetricsOff(t *testing.T) {
	srv := openServer(t)
	if got := srv.MetricsAddr(); got != "" {
		t.Errorf("metrics are served on %s", got)
	}
	if _, err := Open(Options{Addr: "127.0.0.1:0", MetricsAddr: srv.Addr()}); err == nil {
		t.Error("metrics are served where clients connect")
	}
}
