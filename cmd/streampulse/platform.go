package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/profile/sqldb"
	"github.com/streampulse/pulse/cmd/streampulse/internal/blobs"
	"github.com/streampulse/pulse/cmd/streampulse/internal/service"
	"github.com/streampulse/pulse/cmd/streampulse/internal/worker"
	"github.com/streampulse/pulse/server"
	"github.com/streampulse/pulse/server/config"
)

const (
	startTimeout = 30 * time.Second
	retryPause   = 200 * time.Millisecond
)

// platform is all that a process has open. What was opened last is closed first.
type platform struct {
	log     *slog.Logger
	redis   *redis.Client
	db      *sqldb.DB
	blobs   *blobs.Store
	closing []func() error
}

// serve runs what the settings say until ctx ends. Then requests come to their end before workers, and workers before what both
// stand on.
func serve(ctx context.Context, set *settings, log *slog.Logger) (err error) {
	p := &platform{log: log}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.open(ctx, set); err != nil {
		return err
	}
	var working sync.WaitGroup
	defer working.Wait()
	wctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	if set.workers > 0 {
		w, err := worker.New(worker.Options{
			Redis: p.redis, Prefix: set.prefix, Profiles: p.db, Blobs: p.blobs, Log: log, Lease: set.lease,
		})
		if err != nil {
			return err
		}
		working.Go(func() {
			if err := w.Run(wctx, set.workers); err != nil {
				log.Warn("workers leave: what they held is done again by others", "err", err)
			}
		})
	}
	if set.worker {
		log.Info("streampulse works", "server", p.redis.Options().Addr, "workers", set.workers)
		<-ctx.Done()
		return nil
	}
	s, err := service.New(service.Options{
		Redis: p.redis, Prefix: set.prefix, Profiles: p.db, Blobs: p.blobs, Log: log,
		Trusted: set.trusted, Hosts: set.hosts, Lease: set.lease,
	})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", set.listen)
	if err != nil {
		return err
	}
	log.Info("streampulse serves", "url", "http://"+l.Addr().String()+"/", "server", p.redis.Options().Addr, "workers", set.workers)
	return s.Serve(ctx, l)
}

// open opens what the process needs. What it has opened close closes, after an error, too.
func (p *platform) open(ctx context.Context, set *settings) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	data := set.data
	if data == "" && set.embedded {
		dir, err := os.MkdirTemp("", "streampulse-")
		if err != nil {
			return err
		}
		p.closing = append(p.closing, func() error { return os.RemoveAll(dir) })
		data = dir
	}
	if data == "" {
		data = "streampulse-data"
	}
	if set.embedded || set.db == "" || set.blobs == "" {
		if err := os.MkdirAll(data, 0o750); err != nil {
			return err
		}
	}
	addr := set.redis
	if set.embedded {
		srv, err := embed(filepath.Join(data, "server"))
		if err != nil {
			return err
		}
		p.closing = append(p.closing, func() error {
			ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
			defer cancel()
			return srv.Close(ctx)
		})
		addr = srv.Addr()
	}
	var err error
	if p.redis, err = connect(addr); err != nil {
		return err
	}
	p.closing = append(p.closing, p.redis.Close)
	err = p.reach(ctx, "the server", func() error { return p.redis.Ping(ctx).Err() })
	if err != nil {
		return fmt.Errorf("the server at %s: %w", p.redis.Options().Addr, err)
	}
	db := set.db
	if db == "" {
		db = "sqlite:" + filepath.Join(data, "streampulse.db")
	}
	err = p.reach(ctx, "the database", func() (err error) {
		p.db, err = sqldb.Open(ctx, db)
		return err
	})
	if err != nil {
		return err
	}
	p.closing = append(p.closing, p.db.Close)
	where := set.blobs
	if where == "" {
		where = filepath.Join(data, "blobs")
	}
	// The credentials of S3 may be asked of the network later, so the context must not be one that ends.
	if p.blobs, err = blobs.Open(context.WithoutCancel(ctx), where); err != nil {
		return err
	}
	p.closing = append(p.closing, p.blobs.Close)
	return nil
}

// reach tries until ctx ends: what the process needs may start at the same time. What answers that it will not is not tried again.
func (p *platform) reach(ctx context.Context, what string, try func() error) error {
	for first := true; ; first = false {
		err := try()
		if err == nil || !away(err) {
			return err
		}
		if first {
			p.log.Warn(what+" is away: it is tried again", "err", err)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryPause):
		}
	}
}

// away reports whether an error is that of something that may come up yet.
func away(err error) bool {
	var unreachable net.Error
	return errors.As(err, &unreachable) || errors.Is(err, driver.ErrBadConn) || redis.HasErrorPrefix(err, "LOADING")
}

func (p *platform) close() error {
	var errs []error
	for i := len(p.closing) - 1; i >= 0; i-- {
		errs = append(errs, p.closing[i]())
	}
	return errors.Join(errs...)
}

// embed opens a server that keeps everything it has acknowledged in dir: a queue must not end with the process.
func embed(dir string) (*server.Server, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	cfg := config.New()
	for _, kv := range [][2]string{{"appendonly", "yes"}, {"appendfsync", "everysec"}, {"save", ""}} {
		if err := cfg.Override(kv[0], kv[1]); err != nil {
			return nil, err
		}
	}
	srv, err := server.Open(server.Options{Addr: "127.0.0.1:0", Config: cfg, Dir: dir})
	if err != nil {
		return nil, fmt.Errorf("the embedded server: %w", err)
	}
	return srv, nil
}
