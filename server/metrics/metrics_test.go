package metrics

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// fake is a server that says what it is told to.
type fake struct {
	info  string
	err   error
	ready error
}

func (f *fake) WriteAll(w io.Writer) error {
	_, _ = io.WriteString(w, f.info)
	return f.err
}
func (f *fake) Config(name string) string {
	return map[string]string{"databases": "2", "maxclients": "10000", "io-threads": "4", "maxmemory": "0"}[name]
}
func (f *fake) Slow() (int64, int64, time.Duration) { return 3, 17, 1500 * time.Millisecond }
func (f *fake) Latest() []Event {
	return []Event{{Name: "command", At: 1700000000, Took: 20 * time.Millisecond}}
}
func (f *fake) Ready() error { return f.ready }

func get(t *testing.T, f *fake, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(f).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Code, w.Body.String()
}

const sample = "# Server\r\nredis_version:7.4.1\r\nos:x \"y\"\\\r\nserver_time_usec:1700000100500000\r\nuptime_in_seconds:100\r\nexecutable:C:/x:y\r\n\r\n" +
	"# Memory\r\nused_memory:1024\r\nused_memory_human:1.00K\r\n\r\n# Persistence\r\nrdb_last_bgsave_status:err\r\naof_last_write_status:ok\r\n\r\n" +
	"# Stats\r\nlatest_fork_usec:2500\r\nnew_field:1\r\nexpired_stale_perc:0.50\r\n\r\n" +
	"# Commandstats\r\ncmdstat_config|get:calls=2,usec=3000000,usec_per_call=1.50,rejected_calls=1,failed_calls=5\r\n\r\n" +
	"# Errorstats\r\nerrorstat_WRONG\xff:count=7\r\n\r\n# Latencystats\r\nlatency_percentiles_usec_config|get:p50=1.003,p99.9=2.007\r\n\r\n" +
	"# Keyspace\r\ndb1:keys=5,expires=2,avg_ttl=1500,subexpiry=0\r\n"

// TestText compares what a sample of INFO becomes, apart from the metrics of the Go process.
func TestText(t *testing.T) {
	status, body := get(t, &fake{info: sample}, "/metrics")
	var got []string
	for l := range strings.SplitSeq(body, "\n") {
		if strings.HasPrefix(l, "redis_") {
			got = append(got, l)
		}
	}
	want, err := os.ReadFile("testdata/sample.txt")
	if err != nil {
		t.Fatal(err)
	}
	if g := strings.Join(got, "\n") + "\n"; g != string(want) || status != 200 {
		t.Errorf("%d\n%s", status, g)
	}
	if !strings.Contains(body, "go_goroutines ") {
		t.Error("nothing is said of the process")
	}
}

// TestDown is a server that cannot be asked.
func TestDown(t *testing.T) {
	_, body := get(t, &fake{info: sample, err: ErrBusy}, "/metrics")
	if !strings.Contains(body, "redis_up 0\n") || strings.Contains(body, "redis_memory") {
		t.Error(body)
	}
	for _, f := range []*fake{{}, {ready: errors.New("loading")}} {
		status, body := get(t, f, "/readyz")
		if (status == http.StatusOK) != (f.ready == nil) || f.ready != nil && body != "loading\n" {
			t.Errorf("%v: %d %q", f.ready, status, body)
		}
		if status, _ := get(t, f, "/healthz"); status != http.StatusOK {
			t.Errorf("not healthy: %d", status)
		}
	}
}

// TestTable looks for rows that say the same.
func TestTable(t *testing.T) {
	fields, names := map[string]bool{}, map[string]bool{}
	for _, m := range table {
		name := m.name
		if name == "" {
			name = m.field
		}
		if fields[m.field] || names[name] {
			t.Errorf("%s and redis_%s are there twice", m.field, name)
		}
		fields[m.field], names[name] = true, true
	}
}

// TestExporterNames looks for every name of redis_exporter, as recorded, with its type.
func TestExporterNames(t *testing.T) {
	f, err := os.Open("testdata/exporter-1.45.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	kinds := map[string]string{}
	for _, m := range table {
		name := m.name
		if name == "" {
			name = m.field
		}
		kinds["redis_"+name] = map[bool]string{true: "counter", false: "gauge"}[m.kind == counter]
	}
	_, body := get(t, &fake{info: sample}, "/metrics")
	for l := range strings.SplitSeq(body, "\n") {
		if w := strings.Fields(l); len(w) == 4 && w[1] == "TYPE" {
			kinds[w[2]] = w[3]
		}
	}
	for r := bufio.NewScanner(f); r.Scan(); {
		w := strings.Fields(r.Text())
		if len(w) != 2 || w[0] == ";" || leftOut[w[0]] != "" {
			continue
		}
		if got := kinds[w[0]]; got != w[1] {
			t.Errorf("%s is %q, redis_exporter has a %s", w[0], got, w[1])
		}
	}
}

// leftOut are the metrics of redis_exporter that Pulse does not have, with the reason.
var leftOut = map[string]string{
	"redis_cpu_sys_main_thread_seconds_total":            "no thread is the main one",
	"redis_cpu_user_main_thread_seconds_total":           "likewise",
	"redis_db_keys_cached":                               "a field of another product's INFO",
	"redis_last_key_groups_scrape_duration_milliseconds": "of the exporter, not of the server",
	"redis_target_scrape_request_errors_total":           "likewise",
	"redis_exporter_build_info":                          "likewise",
	"redis_exporter_last_scrape_connect_time_seconds":    "likewise",
	"redis_exporter_last_scrape_duration_seconds":        "likewise",
	"redis_exporter_last_scrape_error":                   "likewise",
	"redis_exporter_scrape_duration_seconds":             "likewise",
	"redis_exporter_scrapes_total":                       "likewise",
}

// TestClose ends a server with a client that records a profile.
func TestClose(t *testing.T) {
	m, err := Open("127.0.0.1:0", &fake{info: sample})
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() {
		for {
			r, err := http.Get("http://" + m.Addr() + "/debug/pprof/trace?seconds=300")
			if err == nil {
				_, err = io.Copy(io.Discard, r.Body)
				r.Body.Close()
				if r.StatusCode == http.StatusInternalServerError {
					continue // one of the short traces below was there first
				}
			}
			result <- err
			return
		}
	}()
	for { // until the trace has begun: then another cannot
		r, err := http.Get("http://" + m.Addr() + "/debug/pprof/trace?seconds=0.001")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode == http.StatusInternalServerError {
			break
		}
	}
	m.Close()
	select {
	case <-result: // whole or broken off
	case <-time.After(10 * time.Second):
		t.Error("the trace goes on")
	}
	if _, err := http.Get("http://" + m.Addr() + "/healthz"); err == nil {
		t.Error("it is still there")
	}
	if _, err := Open("nonsense", &fake{}); err == nil {
		t.Error("no such address")
	}
}

// FuzzInfo reads any text.
func FuzzInfo(f *testing.F) {
	f.Add(sample)
	f.Add("# Errorstats\r\nerrorstat_\xff:count=1\r\nerrorstat_\xfe:count=1")
	f.Add("# Commandstats\r\ncmdstat_:calls=NaN\r\n# Keyspace\r\ndb0:keys=-1,expires=x\r\n# Errorstats\r\nerrorstat_\x00:count=1")
	f.Fuzz(func(t *testing.T, info string) {
		r := prometheus.NewRegistry()
		r.MustRegister(&collector{source: &fake{info: info}})
		families, _ := r.Gather() // errors are of metrics that are there twice
		up := false
		for _, f := range families {
			up = up || f.GetName() == "redis_up"
		}
		if !up {
			t.Errorf("%q: %v", info, families)
		}
	})
}
