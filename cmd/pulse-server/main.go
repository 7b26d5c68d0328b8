// Command pulse-server is the server as a process: it takes the place of redis-server.
//
//	pulse-server [/path/to/redis.conf | -] [--directive value ...]
//
// Its command line, its log and its exit codes are those of redis-server; called by that name it also uses its words. It
// ends on SIGINT and SIGTERM after answering what clients have sent; a second signal ends it at once.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"time"

	"github.com/streampulse/pulse/internal/systemd"
	"github.com/streampulse/pulse/server"
	"github.com/streampulse/pulse/server/config"
	"github.com/streampulse/pulse/server/log"
)

func main() { os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr)) }

// instance is a server, what it was started with, and those who watch over it.
type instance struct {
	identity
	cfg        *config.Config
	log        *log.Logger
	supervisor supervisor
	srv        *server.Server
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	id := identify(args[0])
	cfg, info, err := config.ParseArgs(args[1:], stdin)
	switch {
	case err != nil:
		fmt.Fprint(stderr, err)
		return 1
	case info.Version:
		fmt.Fprint(stdout, id.version())
		return 0
	case info.Help:
		fmt.Fprint(stderr, id.usage())
		return 1
	case info.CheckSystem:
		return checkSystem(stdout)
	case info.TestMemory:
		fmt.Fprintln(stderr, "There is no memory test in this program; memtest86 and memtester are made for that.")
		return 1
	case info.Sentinel:
		fmt.Fprintln(stderr, "There is no sentinel mode in this program.")
		return 1
	}
	if cfg.Bool("daemonize").Load() && os.Getenv(daemonMark) == "" {
		return daemonize(stderr)
	}
	if dir := cfg.Text("dir"); dir != "" {
		if err := os.Chdir(dir); err != nil {
			fmt.Fprintf(stderr, "Can't chdir to '%s': %v\n", dir, err)
			return 1
		}
	}
	syslog, err := openSyslog(cfg)
	if err != nil {
		fmt.Fprint(stderr, &config.LoadError{Reason: fmt.Sprintf("Can't reach syslog: %v", err)})
		return 1
	}
	logger, err := log.New(log.Options{File: cfg.Text("logfile"), Writer: stdout, Level: cfg.Enum("loglevel").Load(), Copy: syslog})
	if err != nil {
		fmt.Fprint(stderr, &config.LoadError{Reason: fmt.Sprintf("Can't open the log file: %v", err)})
		return 1
	}
	defer logger.Close()
	if f, ok := log.ParseFormat(cfg.Enum("log-format").Load()); ok {
		logger.SetFormat(f)
	}
	if path := cfg.Text("logfile"); path != "" {
		keepCrashes(path, logger)
	}
	p := &instance{identity: id, cfg: cfg, log: logger}
	return p.serve(len(args) > 1, stderr)
}

// keepCrashes has what the runtime says when it ends the process appended to the log file.
func keepCrashes(path string, logger *log.Logger) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		err = debug.SetCrashOutput(f, debug.CrashOptions{}) // which has a descriptor of its own
		_ = f.Close()
	}
	if err != nil {
		logger.Warningf("What the runtime says if the process crashes is not kept: %v", err)
	}
}

// serve is the life of the server; it returns the exit code.
func (p *instance) serve(configured bool, stderr io.Writer) int {
	signals := listenToSignals() // before anything is written that nobody may read
	p.supervisor = newSupervisor(p.cfg, p.log)
	p.announce(p.log, p.cfg, os.Getpid(), configured)
	if err := p.adjustOOM(); err != nil {
		return 1
	}
	o := server.Options{
		Config: p.cfg, Log: p.log, Dir: ".", IgnoreUnread: p.cfg.Bool("ignore-unread-data").Load(), TuneCollector: true,
		Crash: func() { os.Exit(1) },
	}
	if err := takeSockets(&o); err != nil {
		p.log.Warningf("%v", err)
		return 1
	}
	removePID := p.writePID()
	defer removePID()
	var err error
	var refused *config.LoadError
	p.srv, err = p.open(o, signals)
	switch {
	case errors.Is(err, server.ErrClosed):
		p.log.Warningf("Received shutdown while the data were being loaded, exiting now.")
		return 0
	case errors.As(err, &refused):
		fmt.Fprint(stderr, refused)
		return 1
	case err != nil:
		p.log.Warningf("%v", err)
		return 1
	}
	p.supervisor.ready()
	if !p.untilEnd(signals) {
		return 1
	}
	p.supervisor.stopping()
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(p.cfg.Int("shutdown-timeout").Load())*time.Second)
	defer cancel()
	hurried := make(chan struct{})
	go func() {
		if s := <-signals; isInterrupt(s) {
			close(hurried)
		}
		cancel()
	}()
	if err := p.srv.Close(ctx); err != nil {
		p.log.Warningf("Not everything ended in time: %v", err)
	}
	select {
	case <-hurried:
		p.log.Warningf("You insist... exiting now.")
		return 1
	default:
	}
	p.log.Warningf("%s is now ready to exit, bye bye...", p.product)
	return 0
}

// takeSockets uses the sockets that a service manager has opened, if there are any, instead of the ports of the configuration.
// One whose name begins with "tls" speaks TLS.
func takeSockets(o *server.Options) error {
	sockets, err := systemd.Listeners()
	if err != nil {
		return err
	}
	for _, s := range sockets {
		if len(s.Name) >= 3 && s.Name[:3] == "tls" {
			o.TLSListeners = append(o.TLSListeners, s.Listener)
		} else {
			o.Listeners = append(o.Listeners, s.Listener)
		}
		kind := "socket"
		if _, ok := s.Addr().(*net.TCPAddr); ok {
			kind = "port"
		}
		o.Log.Noticef("The service manager has opened the %s %s (%s)", kind, s.Addr(), s.Name)
	}
	return nil
}

// open opens the server. A signal while it loads its data ends that: nothing has changed, and the process is to go.
//
// When the data are loaded clients are served, a moment before Open returns, and what they have written must be saved: so a
// signal ends the process here only if Open takes longer than that moment.
func (p *instance) open(o server.Options, signals chan os.Signal) (*server.Server, error) {
	type result struct {
		srv *server.Server
		err error
	}
	opened := make(chan result, 1)
	go func() {
		srv, err := server.Open(o)
		opened <- result{srv, err}
	}()
	patience := time.NewTicker(loadNotice)
	defer patience.Stop()
	var asked os.Signal
	var moment <-chan time.Time
	for {
		select {
		case r := <-opened:
			if asked != nil {
				signals <- asked
			}
			return r.srv, r.err
		case s := <-signals:
			if asked == nil {
				asked, moment = s, time.After(lastMoment)
			}
		case <-moment:
			p.log.Warningf("Received %s scheduling shutdown...", nameOf(asked))
			return nil, server.ErrClosed
		case <-patience.C:
			p.supervisor.loading()
		}
	}
}

// lastMoment is how long Open may take to return after the first client was served.
const lastMoment = 500 * time.Millisecond

// writePID writes the pidfile, if one is wanted, and returns what removes it.
func (p *instance) writePID() (remove func()) {
	path := p.cfg.Text("pidfile")
	if path == "" && p.cfg.Bool("daemonize").Load() {
		path = "/var/run/redis.pid"
	}
	if path == "" {
		return func() {}
	}
	if err := os.WriteFile(path, fmt.Appendln(nil, os.Getpid()), 0o644); err != nil {
		p.log.Warningf("Failed to write PID file: %v", err)
		return func() {}
	}
	return func() {
		p.log.Noticef("Removing the pid file.")
		_ = os.Remove(path)
	}
}
