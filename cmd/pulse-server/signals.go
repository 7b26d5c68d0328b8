package main

import (
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/streampulse/pulse/commands"
)

// listenToSignals begins to catch those that end the process, and to ignore those that would.
func listenToSignals() chan os.Signal {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	return signals
}

func isInterrupt(s os.Signal) bool { return s == syscall.SIGINT }

func nameOf(s os.Signal) string {
	if isInterrupt(s) {
		return "SIGINT"
	}
	return "SIGTERM"
}

// untilEnd waits until a signal or a client has ended the server. It reports false if a second SIGINT came while the data
// were being saved: then the process is to go as it is.
func (p *instance) untilEnd(signals <-chan os.Signal) bool {
	for {
		var s os.Signal
		select {
		case s = <-signals:
		case <-p.srv.Done():
			return true
		}
		p.log.Warningf("Received %s scheduling shutdown...", nameOf(s))
		p.log.Warningf("User requested shutdown...")
		saved := make(chan error, 1)
		go func() { saved <- p.srv.PrepareExit(p.shutdownOptions(s)) }()
		var err error
		for waiting := true; waiting; {
			select {
			case err = <-saved:
				waiting = false
			case again := <-signals:
				if isInterrupt(again) {
					p.log.Warningf("You insist... exiting now.")
					return false
				}
			}
		}
		if err == nil {
			return true
		}
		p.log.Warningf("%s received but errors trying to shut down the server, check the logs for more information", nameOf(s))
	}
}

// shutdownOptions are those of shutdown-on-sigint and shutdown-on-sigterm.
func (p *instance) shutdownOptions(s os.Signal) (o commands.ShutdownOptions) {
	for _, word := range strings.Fields(p.cfg.Enum("shutdown-on-" + strings.ToLower(nameOf(s))).Load()) {
		switch word {
		case "save":
			o.Save = true
		case "nosave":
			o.NoSave = true
		case "now":
			o.Now = true
		case "force":
			o.Force = true
		}
	}
	return o
}
