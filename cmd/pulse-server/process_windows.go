package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/streampulse/pulse/server/config"
	"github.com/streampulse/pulse/server/log"
)

// daemonMark is set in the environment of a process in the background.
const daemonMark = "PULSE_DAEMON"

// daemonize has nothing to do it with.
func daemonize(stderr io.Writer) int {
	fmt.Fprintln(stderr, "daemonize: a Windows service manager such as sc.exe runs programs in the background")
	return 1
}

// stopSelf has no manager to tell.
func stopSelf() {}

func openSyslog(cfg *config.Config) (func(log.Level, string), error) {
	if cfg.Bool("syslog-enabled").Load() {
		return nil, errors.New("there is none on Windows")
	}
	return nil, nil
}
