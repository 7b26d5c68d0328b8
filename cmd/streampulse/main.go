// Command streampulse is the StreamPulse platform: an HTTP service and its workers on a Redis-compatible server, a SQL database and a
// blob store.
//
// Contract: it runs until SIGINT or SIGTERM, ends what it has begun within about twenty seconds, and exits with 0 then; with 1 when it
// cannot start or go on, with 2 when its arguments are wrong. At the start it waits half a minute for a server or a database that cannot be
// reached. Tasks that were accepted are done, or still in the queue, when it
// has ended, however it has. With --embedded it is the server, too.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

const usage = `streampulse: the StreamPulse service.

  streampulse --embedded                          everything in one process, in a folder that is removed at the end
  streampulse --embedded --data DIR               the same, kept in DIR
  streampulse --redis ADDR                        the service and its workers on a server at host:port or redis://...
  streampulse --worker --redis ADDR               workers alone

What a password is part of is better given by STREAMPULSE_REDIS, STREAMPULSE_DB and STREAMPULSE_BLOBS than by flags.

`

// settings are what the command line says.
type settings struct {
	embedded, worker bool
	redis, listen    string
	db, blobs, data  string
	prefix           string
	workers          int
	lease            time.Duration
	trusted          []netip.Prefix
	hosts            []string
	verbose          bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, env func(string) string, stderr io.Writer) int {
	set, err := parse(args, env, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "streampulse: %v\n", err)
		return 2
	}
	level := slog.LevelInfo
	if set.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	redis.SetLogger(clientLog{log})
	if err := serve(ctx, set, log); err != nil {
		log.Error("streampulse ends", "err", err)
		return 1
	}
	log.Info("streampulse has ended")
	return 0
}

func parse(args []string, env func(string) string, stderr io.Writer) (*settings, error) {
	var set settings
	var trusted, hosts string
	f := flag.NewFlagSet("streampulse", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.BoolVar(&set.embedded, "embedded", false, "run the server in this process, too, on a free port of the loopback interface")
	f.StringVar(&set.redis, "redis", env("STREAMPULSE_REDIS"), "`address` of the server: host:port, or redis://user:password@host:port/0 (default 127.0.0.1:6379)")
	f.StringVar(&set.listen, "listen", "127.0.0.1:8080", "`address` to serve at")
	f.BoolVar(&set.worker, "worker", false, "run workers and no service")
	f.IntVar(&set.workers, "workers", 2, "how many jobs are done at a time in this process; 0 for none")
	f.StringVar(&set.data, "data", "", "`folder` of the database, of blobs and of the embedded server (default streampulse-data; with --embedded one that is removed at the end)")
	f.StringVar(&set.db, "db", env("STREAMPULSE_DB"), "`database`: sqlite:FILE or mysql:user:password@tcp(host:3306)/name (default a file in the data folder)")
	f.StringVar(&set.blobs, "blobs", env("STREAMPULSE_BLOBS"), "`store` of uploads and pictures: a folder, file:///..., mem:// or s3://bucket?region=... (default a folder in the data folder)")
	f.StringVar(&set.prefix, "prefix", "streampulse:", "`beginning` of all keys and channels")
	f.DurationVar(&set.lease, "lease", 15*time.Second, "`time` after which a worker that is not heard of is dead")
	f.StringVar(&trusted, "trust-proxy", "", "`networks` of proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8,::1/128")
	f.StringVar(&hosts, "hosts", "", "`names` that requests may be for (default localhost, 127.0.0.1 and ::1 when it listens on loopback, else any)")
	f.BoolVar(&set.verbose, "verbose", false, "log every request")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stderr, usage)
			f.SetOutput(stderr)
			f.PrintDefaults()
		}
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	switch {
	case set.embedded && set.redis != "":
		return nil, errors.New("--embedded is a server of its own: it does not go with --redis or STREAMPULSE_REDIS")
	case set.embedded && set.worker:
		return nil, errors.New("--worker needs the server that the service uses, not one of its own")
	case set.workers < 0 || set.workers > 64:
		return nil, errors.New("--workers is 0 to 64")
	case set.worker && set.workers == 0:
		return nil, errors.New("--worker with no workers does nothing")
	}
	if set.redis == "" {
		set.redis = "127.0.0.1:6379"
	}
	for text := range strings.SplitSeq(trusted, ",") {
		if text == "" {
			continue
		}
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("--trust-proxy: %q is not a network", text)
		}
		set.trusted = append(set.trusted, p.Masked())
	}
	host, _, err := net.SplitHostPort(set.listen)
	if err != nil {
		return nil, fmt.Errorf("--listen: %q is not an address", set.listen)
	}
	for text := range strings.SplitSeq(hosts, ",") {
		if text = strings.ToLower(strings.TrimSpace(text)); text != "" {
			set.hosts = append(set.hosts, text)
		}
	}
	if ip, err := netip.ParseAddr(host); len(set.hosts) == 0 && (host == "localhost" || err == nil && ip.IsLoopback()) {
		set.hosts = []string{"localhost", "127.0.0.1", "::1", host}
	}
	return &set, nil
}

// connect returns a client that gives up soon: a request is better refused than kept waiting.
func connect(addr string) (*redis.Client, error) {
	o := &redis.Options{Addr: addr}
	if strings.Contains(addr, "://") {
		var err error
		if o, err = redis.ParseURL(addr); err != nil {
			return nil, errors.New("--redis: not a URL of a server") // the error may quote the password
		}
	}
	o.ClientName = "streampulse"
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = time.Second, 3*time.Second, 3*time.Second
	o.MaxRetries, o.DialerRetries = 1, 1
	o.PoolSize = 100
	o.ContextTimeoutEnabled = true
	return redis.NewClient(o), nil
}

// clientLog is what the client tells beside the errors that it returns.
type clientLog struct{ log *slog.Logger }

func (l clientLog) Printf(_ context.Context, format string, args ...any) {
	l.log.Debug("client", "says", fmt.Sprintf(format, args...))
}
