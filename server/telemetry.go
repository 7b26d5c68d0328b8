package server

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/server/metrics"
)

// telemetry is what the server has for package metrics, if metrics-addr says where to serve it.
type telemetry struct {
	http   *metrics.Server // nil while it is off
	loaded atomic.Bool     // the data is there
	mu     sync.Mutex      // of lane
	lane   *lane           // INFO is written in it: those of clients are not held up by scrapes
}

// openTelemetry begins to serve metrics on addr, or else where the parameter metrics-addr says.
func (s *Server) openTelemetry(addr string) error {
	if addr == "" {
		addr = s.cfg.Text("metrics-addr")
	}
	if addr == "" {
		return nil
	}
	s.telemetry.lane = newLane(s)
	m, err := metrics.Open(addr, source{s})
	if err != nil {
		s.log.Warningf("Failed to listen for metrics on %s: %v", addr, err)
		return err
	}
	s.telemetry.http = m
	s.log.Noticef("Metrics are served on http://%s/metrics", m.Addr())
	return nil
}

func (t *telemetry) close() {
	if t.http != nil {
		t.http.Close()
	}
}

// MetricsAddr returns the address on which metrics are served, "" if they are not.
func (s *Server) MetricsAddr() string {
	if s.telemetry.http == nil {
		return ""
	}
	return s.telemetry.http.Addr()
}

// source implements metrics.Source.
type source struct{ s *Server }

// WriteAll writes INFO everything as a client would get it: between commands, with all shards locked.
func (m source) WriteAll(w io.Writer) error {
	s := m.s
	s.telemetry.mu.Lock()
	defer s.telemetry.mu.Unlock()
	l := s.telemetry.lane
	if !s.store.EnterUnlessBusy(l.gate) {
		return metrics.ErrBusy
	}
	defer l.gate.Leave()
	l.tx.BeginAt(0, s.clock.NowMs())
	l.tx.Exclusive(l.gate, func() { s.env().WriteInfo(w, l.tx, []string{"everything"}) })
	return nil
}

func (m source) Config(name string) string { return m.s.cfg.Text(name) }

func (m source) Slow() (length, last int64, took time.Duration) {
	if e := m.s.env().Slow(1); len(e) > 0 {
		last, took = e[0].ID, e[0].Took
	}
	return int64(m.s.env().SlowLen()), last, took
}

func (m source) Latest() (out []metrics.Event) {
	for _, e := range m.s.env().LatencyEvents() {
		out = append(out, metrics.Event{Name: e.Name, At: e.Last().At, Took: time.Duration(e.Last().Took) * time.Millisecond})
	}
	return out
}

var (
	errLoading  = errors.New("the data is being loaded")
	errStopping = errors.New("the server is shutting down")
)

func (m source) Ready() error {
	select {
	case <-m.s.stop:
		return errStopping
	default:
	}
	switch {
	case m.s.files.exiting.Load():
		return errStopping
	case !m.s.telemetry.loaded.Load():
		return errLoading
	}
	return nil
}
