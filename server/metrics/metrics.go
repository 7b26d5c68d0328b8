// Package metrics serves what a monitoring system asks for, over HTTP: /metrics for Prometheus, /healthz and /readyz for
// whoever starts and stops processes, and /debug/pprof/ for developers.
//
// Contract: the numbers are those of INFO; the package reads its text (collector.go) and names them as redis_exporter does
// (names.go), so dashboards and alerts made for that need no change, and INFO and /metrics cannot disagree. The package
// knows a server through Source only. Nothing here authenticates: the address is for the loopback interface or a network of
// operators. Open starts one goroutine, and HTTP one for each connection; Close ends all. Nothing is registered in
// http.DefaultServeMux or in Prometheus's default registry: a process may have any number of servers.
package metrics

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Source is the server. Its methods are called concurrently.
type Source interface {
	// WriteAll writes the reply to INFO everything. The error says why it cannot be had now.
	WriteAll(w io.Writer) error
	// Config is the value of a parameter, "" if there is none.
	Config(name string) string
	// Slow is the slow log: entries kept, the number of the last, and how long that took.
	Slow() (length, last int64, took time.Duration)
	// Latest lists the latest events of LATENCY.
	Latest() []Event
	// Ready is nil once the data is loaded, until the server is told to end; then it says what it is doing.
	Ready() error
}

// Event is the latest of one kind of LATENCY's events.
type Event struct {
	Name string
	At   int64 // Unix seconds
	Took time.Duration
}

// Server serves one Source.
type Server struct {
	listener net.Listener
	http     http.Server
	done     chan struct{}
}

const (
	// headerTime is how long a client may take for its request, idleTime between two.
	headerTime = 10 * time.Second
	idleTime   = 2 * time.Minute
	// maxScrapes is how many requests to /metrics are worked on at a time.
	maxScrapes = 2
	maxHeader  = 16 << 10
)

// Open listens on the TCP address and serves until Close. An empty host means every interface, as Go has it.
func Open(addr string, s Source) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	m := &Server{listener: l, done: make(chan struct{})}
	m.http = http.Server{Handler: Handler(s), ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader}
	// What takes long (a profile, a trace) ends with the server.
	base, cancel := context.WithCancel(context.Background())
	m.http.BaseContext = func(net.Listener) context.Context { return base }
	m.http.RegisterOnShutdown(cancel)
	go func() {
		defer close(m.done)
		defer cancel()
		_ = m.http.Serve(l) // it ends when it is closed
	}()
	return m, nil
}

// Addr is the address it listens on.
func (m *Server) Addr() string { return m.listener.Addr().String() }

// Close ends it: requests under way have a second, then their connections are closed.
func (m *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := m.http.Shutdown(ctx); err != nil {
		_ = m.http.Close()
	}
	<-m.done
}

// Handler answers for s without a listener of its own, for programs that have one.
func Handler(s Source) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(&collector{source: s}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	// Scripts make up names of errors, and two of them may look the same as labels: that must not cost the other metrics.
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, ErrorHandling: promhttp.ContinueOnError}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { say(w, s.Ready()) })
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "/metrics\n/healthz\n/readyz\n/debug/pprof/\n")
	})
	profiles(mux)
	return mux
}

// say answers 200 ok, or 503 and what is wrong.
func say(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	text := "ok\n"
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		text = err.Error() + "\n"
	}
	_, _ = io.WriteString(w, text)
}

// ErrBusy is what WriteAll returns while a script that takes too long keeps everybody waiting.
var ErrBusy = errors.New("a script takes too long")
