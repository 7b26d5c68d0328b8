// Command pulse-server is the server as a process: it takes the place of redis-server.
//
//	pulse-server [/path/to/redis.conf | -] [--directive value ...]
//
// Its command line, its log and its exit codes are those of redis-server. It ends on SIGINT and SIGTERM after answering
// what clients have sent; a second signal ends it at once.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/server"
	"github.com/streampulse/pulse/server/config"
	"github.com/streampulse/pulse/server/log"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

const usage = `Usage: pulse-server [/path/to/redis.conf] [options] [-]
       pulse-server - (read config from stdin)
       pulse-server -v or --version
       pulse-server -h or --help

Examples:
       pulse-server (run the server with default conf)
       echo 'maxmemory 128mb' | pulse-server -
       pulse-server /etc/redis/6379.conf
       pulse-server --port 7777
       pulse-server /etc/myredis.conf --loglevel verbose -
       pulse-server /etc/myredis.conf --loglevel verbose
`

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	cfg, info, err := config.ParseArgs(args, stdin)
	switch {
	case err != nil:
		fmt.Fprint(stderr, err)
		return 1
	case info.Version:
		fmt.Fprintf(stdout, "Pulse server v=%s pulse=%s sha=00000000:0 malloc=go bits=64 build=%s\n", commands.RedisVersion, server.Version, runtime.Version())
		return 0
	case info.Help:
		fmt.Fprint(stderr, usage)
		return 1
	case info.CheckSystem:
		return 0
	case info.TestMemory, info.Sentinel:
		fmt.Fprintln(stderr, "pulse-server has neither a memory test nor a sentinel mode.")
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
	logger, err := log.New(log.Options{File: cfg.Text("logfile"), Writer: stdout, Level: cfg.Enum("loglevel").Load()})
	if err != nil {
		fmt.Fprint(stderr, &config.LoadError{Reason: fmt.Sprintf("Can't open the log file: %v", err)})
		return 1
	}
	defer logger.Close()
	logger.Noticef("oO0OoO0OoO0Oo Pulse is starting oO0OoO0OoO0Oo")
	logger.Noticef("Pulse version=%s, compatible with Redis version=%s, bits=64, pid=%d, just started", server.Version, commands.RedisVersion, os.Getpid())
	if len(args) == 0 {
		logger.Warningf("Warning: no config file specified, using the default config. In order to specify a config file use pulse-server /path/to/redis.conf")
	} else {
		logger.Noticef("Configuration loaded")
	}
	logger.SetRole(log.Master)
	logger.Noticef("Running mode=standalone, port=%d. PID: %d", cfg.Int("port").Load(), os.Getpid())

	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	o := server.Options{Config: cfg, Log: logger, Dir: ".", IgnoreUnread: cfg.Bool("ignore-unread-data").Load(), TuneCollector: true}
	srv, err := open(o, signals)
	switch {
	case errors.Is(err, server.ErrClosed):
		logger.Warningf("Received shutdown while the data were being loaded, exiting now.")
		return 0
	case err != nil:
		logger.Warningf("%v", err)
		return 1
	}
	removePID := writePID(cfg, logger)
	defer removePID()
	for ended := false; !ended; {
		select {
		case s := <-signals:
			name := "SIGINT"
			if s == syscall.SIGTERM {
				name = "SIGTERM"
			}
			logger.Warningf("Received %s scheduling shutdown...", name)
			if err := srv.PrepareExit(); err != nil {
				logger.Warningf("%s received but errors trying to shut down the server, check the logs for more information", name)
				continue
			}
			ended = true
		case <-srv.Done():
			ended = true
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(cfg.Int("shutdown-timeout").Load())*time.Second)
	defer cancel()
	go func() {
		<-signals
		cancel()
	}()
	if err := srv.Close(ctx); err != nil {
		logger.Warningf("Not everything ended in time: %v", err)
	}
	logger.Warningf("Pulse is now ready to exit, bye bye...")
	return 0
}

// open opens the server. A signal while it loads its data ends that: nothing has changed, and the process is to go.
func open(o server.Options, signals <-chan os.Signal) (*server.Server, error) {
	type result struct {
		srv *server.Server
		err error
	}
	opened := make(chan result, 1)
	go func() {
		srv, err := server.Open(o)
		opened <- result{srv, err}
	}()
	select {
	case r := <-opened:
		return r.srv, r.err
	case <-signals:
		return nil, server.ErrClosed
	}
}

// writePID writes the pidfile, if one is wanted, and returns what removes it.
func writePID(cfg *config.Config, logger *log.Logger) (remove func()) {
	path := cfg.Text("pidfile")
	if path == "" && cfg.Bool("daemonize").Load() {
		path = "/var/run/redis.pid"
	}
	if path == "" {
		return func() {}
	}
	if err := os.WriteFile(path, fmt.Appendln(nil, os.Getpid()), 0o644); err != nil {
		logger.Warningf("Failed to write PID file: %v", err)
		return func() {}
	}
	return func() { _ = os.Remove(path) }
}
