package main

import (
	"os"
	"time"

	"github.com/streampulse/pulse/internal/systemd"
	"github.com/streampulse/pulse/server/config"
	"github.com/streampulse/pulse/server/log"
)

// supervisor is a service manager that wants to know how the server is.
type supervisor struct {
	log    *log.Logger
	notify bool
}

// loadNotice is how often a manager is told that the data are still being loaded, and loadMore what it is asked to wait for.
const (
	loadNotice = 5 * time.Second
	loadMore   = "EXTEND_TIMEOUT_USEC=30000000"
)

// newSupervisor finds out, from the parameter supervised and the environment, whether there is one.
func newSupervisor(cfg *config.Config, logger *log.Logger) supervisor {
	mode, upstart := cfg.Enum("supervised").Load(), os.Getenv("UPSTART_JOB") != ""
	switch {
	case mode == "systemd" && !systemd.Supervised():
		logger.Warningf("systemd supervision error: NOTIFY_SOCKET not found!")
	case (mode == "systemd" || mode == "auto") && systemd.Supervised():
		logger.Noticef("Supervised by systemd. Please make sure you set appropriate values for TimeoutStartSec and TimeoutStopSec in your service unit.")
		return supervisor{logger, true}
	case mode == "upstart" && !upstart:
		logger.Warningf("upstart supervision requested, but UPSTART_JOB not found!")
	case (mode == "upstart" || mode == "auto") && upstart:
		logger.Noticef("supervised by upstart, will stop to signal readiness")
		stopSelf()
		_ = os.Unsetenv("UPSTART_JOB")
	}
	return supervisor{logger, false}
}

func (s supervisor) tell(lines ...string) {
	if !s.notify {
		return
	}
	if _, err := systemd.Notify(lines...); err != nil {
		s.log.Warningf("systemd supervision error: %v", err)
	}
}

func (s supervisor) loading() { s.tell("STATUS=Loading the data", loadMore) }

func (s supervisor) ready() { s.tell("STATUS=Ready to accept connections", "READY=1") }

func (s supervisor) stopping() { s.tell("STATUS=Shutting down", "STOPPING=1") }
