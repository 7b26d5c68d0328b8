package server

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/server/config"
)

// openForTest opens a server on a free port that ends with the test. directives are lines of a configuration file.
func openForTest(t *testing.T, directives string) *Server {
	t.Helper()
	cfg := config.New()
	if err := cfg.Load([]byte(directives)); err != nil {
		t.Fatal(err)
	}
	s, err := Open(Options{Addr: "127.0.0.1:0", Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// peer is a client of the test.
type peer struct {
	t  *testing.T
	nc net.Conn
	rd *bufio.Reader
}

func (s *Server) peer(t *testing.T) *peer {
	t.Helper()
	nc, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	_ = nc.SetDeadline(time.Now().Add(4 * patience))
	t.Cleanup(func() { nc.Close() })
	return &peer{t, nc, bufio.NewReader(nc)}
}

func (p *peer) send(line string) error {
	_, err := fmt.Fprintf(p.nc, "%s\r\n", line)
	return err
}

func (p *peer) read() (resp.Value, error) { return resp.Decode(p.rd) }

// do sends an inline command and returns its reply as text.
func (p *peer) do(line string) string {
	p.t.Helper()
	if err := p.send(line); err != nil {
		p.t.Fatal(err)
	}
	v, err := p.read()
	if err != nil {
		p.t.Fatalf("%s: %v", line, err)
	}
	return flat(v)
}

func flat(v resp.Value) string {
	if v.Type == ':' {
		return fmt.Sprint(v.Int)
	}
	parts := []string{}
	for _, e := range v.Elems {
		parts = append(parts, flat(e))
	}
	if v.Elems != nil {
		return strings.Join(parts, " ")
	}
	return string(v.Str)
}

var infoLine = regexp.MustCompile(`^(# [A-Z][A-Za-z]+|[a-zA-Z0-9_|.-]+:.*|)$`)

// TestInfo checks sections and the fields that clients rely on.
func TestInfo(t *testing.T) {
	s := openForTest(t, "")
	p := s.peer(t)
	p.do("SET k v")
	p.do("GET k")
	p.do("GET nokey")
	p.do("INCR")
	all := p.do("INFO everything")
	for i, line := range strings.Split(all, "\r\n") {
		if !infoLine.MatchString(line) {
			t.Errorf("line %d: %q", i+1, line)
		}
	}
	for _, want := range []string{
		"redis_version:7.4.1\r\n", "pulse_version:" + Version + "\r\n", "redis_mode:standalone\r\n", "connected_clients:1\r\n",
		"keyspace_hits:1\r\n", "keyspace_misses:1\r\n", "total_error_replies:1\r\n", "role:master\r\n",
		"cmdstat_get:calls=2,", "cmdstat_incr:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0\r\n",
		"errorstat_ERR:count=1\r\n", "latency_percentiles_usec_get:p50=", "cluster_enabled:0\r\n",
		"# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("INFO everything lacks %q", want)
		}
	}
	if _, port, _ := net.SplitHostPort(s.Addr()); !strings.Contains(all, "tcp_port:"+port+"\r\n") {
		t.Errorf("INFO everything lacks the port %s", port)
	}
	for _, test := range []struct{ request, has, hasNot string }{
		{"INFO", "# Errorstats", "# Commandstats"},
		{"INFO default", "# Modules", "# Latencystats"},
		{"INFO all", "# Commandstats", "# Sentinel"},
		{"INFO keyspace CPU", "used_cpu_user:", "# Server"},
		{"INFO nosuch", "", "#"},
	} {
		got := p.do(test.request)
		if !strings.Contains(got, test.has) || strings.Contains(got, test.hasNot) {
			t.Errorf("%s = %q", test.request, got)
		}
	}
	p.do("CONFIG RESETSTAT")
	if got := p.do("INFO commandstats errorstats"); strings.Contains(got, "get:") || strings.Contains(got, "errorstat_") {
		t.Errorf("after CONFIG RESETSTAT: %q", got)
	}
}

// TestDebugIsProtected checks the parameter that allows DEBUG.
func TestDebugIsProtected(t *testing.T) {
	for mode, want := range map[string]string{"no": "ERR DEBUG command not allowed.", "local": "12345", "yes": "12345"} {
		p := openForTest(t, "enable-debug-command "+mode).peer(t)
		if got := p.do("DEBUG PROTOCOL integer"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q", mode, got)
		}
	}
}

// TestOthersLookIn has clients publish and subscribe, come, go and be killed while others list them and ask for INFO: the
// steady subscriber gets every message of each publisher in order.
func TestOthersLookIn(t *testing.T) {
	s := openForTest(t, "io-threads 2")
	const publishers, each = 2, 120
	steady := s.peer(t)
	for _, line := range []string{"HELLO 3", "SUBSCRIBE a", "SUBSCRIBE b"} {
		steady.do(line)
	}
	var busy, watchers sync.WaitGroup
	stop := make(chan struct{})
	for i := range publishers {
		p := s.peer(t)
		busy.Go(func() {
			for n := range each {
				p.do(fmt.Sprintf("PUBLISH %c %d-%d", 'a'+n%2, i, n))
			}
		})
	}
	busy.Go(func() {
		for range 25 {
			p := s.peer(t)
			p.do("CLIENT SETNAME victim")
			p.do("SUBSCRIBE a")
			_ = p.send("PSUBSCRIBE [ab]")
			p.nc.Close()
		}
	})
	for _, line := range []string{"CLIENT LIST", "INFO everything", "CLIENT KILL TYPE replica", "PUBSUB CHANNELS", "CLIENT KILL MAXAGE 1000"} {
		p := s.peer(t)
		watchers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					p.do(line)
				}
			}
		})
	}
	var last [publishers]int
	for i := range last {
		last[i] = -1
	}
	for range publishers * each {
		v, err := steady.read()
		if err != nil {
			t.Fatal(err)
		}
		var i, n int
		if _, err := fmt.Sscanf(string(v.Elems[2].Str), "%d-%d", &i, &n); err != nil {
			t.Fatal(err)
		}
		if n != last[i]+1 {
			t.Fatalf("publisher %d: %d after %d", i, n, last[i])
		}
		last[i] = n
	}
	busy.Wait()
	close(stop)
	watchers.Wait()
	p := s.peer(t)
	for deadline := time.Now().Add(patience); ; {
		got := p.do("PUBSUB NUMSUB a") + " " + p.do("PUBSUB NUMPAT")
		if got == "a 1 0" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("subscriptions of clients that have gone are left: %s", got)
		}
		time.Sleep(time.Millisecond)
	}
}
