package server

import (
	"crypto/rand"
	"encoding/hex"
	"io"
	"time"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/server/log"
	"github.com/streampulse/pulse/store"
)

// env is the server as commands see it: those who embed the server see other methods.
type env struct{ *Server }

var _ commands.Env = env{}

func (s *Server) env() env { return env{s} }

// Clock implements commands.Env.
func (s env) Clock() clock.Clock { return s.clock }

// Store implements commands.Env.
func (s env) Store() *store.Store { return s.store }

// MaxBulk implements commands.Env.
func (s env) MaxBulk() int64 { return s.vars.maxBulk.Load() }

// Version implements commands.Insight.
func (s env) Version() string { return Version }

// ConfigResetStat implements commands.Config.
func (s env) ConfigResetStat() {
	s.stats.Reset()
	s.store.ResetStats()
	s.scripts.engine.ResetStats()
	if l := s.files.log.Load(); l != nil {
		l.ResetStats()
	}
	p := &s.files
	p.mu.Lock()
	p.mu.saved.count, p.mu.rewritten.count = 0, 0
	p.mu.Unlock()
}

// SleepForDebug implements commands.Env.
func (s env) SleepForDebug(d time.Duration) {
	select {
	case <-time.After(d):
	case <-s.stop:
	}
}

// ChangeReplicationID implements commands.Insight.
func (s env) ChangeReplicationID() {
	id := newRunID()
	s.replID.Store(&id)
}

func newRunID() string {
	b := make([]byte, 20)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func discard() *log.Logger {
	l, _ := log.New(log.Options{Writer: io.Discard, Level: "nothing"})
	return l
}
