//go:build unix

package main

import (
	"fmt"
	"io"
	"log/syslog"
	"os"
	"os/exec"
	"syscall"

	"github.com/streampulse/pulse/server/config"
	"github.com/streampulse/pulse/server/log"
)

// daemonMark is set in the environment of the process that daemonize starts.
const daemonMark = "PULSE_DAEMON"

// daemonize starts the program again in a session of its own, without a terminal. A Go process cannot fork itself.
func daemonize(stderr io.Writer) int {
	exe, err := os.Executable()
	if err != nil {
		fmt.Fprintln(stderr, "daemonize:", err)
		return 1
	}
	cmd := exec.Command(exe, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), daemonMark+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(stderr, "daemonize:", err)
		return 1
	}
	_ = cmd.Process.Release()
	return 0
}

// stopSelf stops the process, which tells upstart that it is ready.
func stopSelf() { _ = syscall.Kill(os.Getpid(), syscall.SIGSTOP) }

// facilities are the values of syslog-facility.
var facilities = map[string]syslog.Priority{
	"user": syslog.LOG_USER, "local0": syslog.LOG_LOCAL0, "local1": syslog.LOG_LOCAL1, "local2": syslog.LOG_LOCAL2,
	"local3": syslog.LOG_LOCAL3, "local4": syslog.LOG_LOCAL4, "local5": syslog.LOG_LOCAL5, "local6": syslog.LOG_LOCAL6,
	"local7": syslog.LOG_LOCAL7,
}

// openSyslog returns what sends messages to syslog, nil if that is not wanted. The connection is made with the first of
// them, so that a system without the service does not keep the server from starting.
func openSyslog(cfg *config.Config) (func(log.Level, string), error) {
	if !cfg.Bool("syslog-enabled").Load() {
		return nil, nil
	}
	facility, ident := facilities[cfg.Enum("syslog-facility").Load()], cfg.Text("syslog-ident")
	var w *syslog.Writer // of the logger's lock
	return func(level log.Level, message string) {
		if w == nil {
			var err error
			if w, err = syslog.New(facility|syslog.LOG_INFO, ident); err != nil {
				return
			}
		}
		switch level {
		case log.Debug:
			_ = w.Debug(message)
		case log.Verbose:
			_ = w.Info(message)
		case log.Notice:
			_ = w.Notice(message)
		default:
			_ = w.Warning(message)
		}
	}, nil
}
