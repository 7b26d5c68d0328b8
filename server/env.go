package server

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"io"
	"time"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/server/log"
	"github.com/streampulse/pulse/store"
)

var _ commands.Env = (*Server)(nil)

// Clock implements commands.Env.
func (s *Server) Clock() clock.Clock { return s.clock }

// Store implements commands.Env.
func (s *Server) Store() *store.Store { return s.store }

// MaxBulk implements commands.Env.
func (s *Server) MaxBulk() int64 { return s.vars.maxBulk.Load() }

// Version implements commands.Insight.
func (s *Server) Version() string { return Version }

// CheckPassword implements commands.Env: the only user is "default", whose password is requirepass. Its time does not
// depend on where the passwords differ.
func (s *Server) CheckPassword(user, password []byte) error {
	want := s.vars.requirePass.Load()
	same := subtle.ConstantTimeCompare([]byte(want), password) == 1
	if string(user) != "default" || want != "" && !same {
		return commands.ErrWrongPass
	}
	return nil
}

// PasswordSet reports whether clients must authenticate.
func (s *Server) PasswordSet() bool { return s.vars.requirePass.Load() != "" }

// ConfigResetStat implements commands.Config.
func (s *Server) ConfigResetStat() {
	s.stats.Reset()
	s.store.ResetStats()
	s.scripts.engine.ResetStats()
	if l := s.files.log.Load(); l != nil {
		l.ResetStats()
	}
}

// SleepForDebug implements commands.Env.
func (s *Server) SleepForDebug(d time.Duration) {
	select {
	case <-time.After(d):
	case <-s.stop:
	}
}

// ChangeReplicationID implements commands.Insight.
func (s *Server) ChangeReplicationID() {
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
