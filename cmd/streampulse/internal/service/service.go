// Package service is StreamPulse over HTTP: profiles, likes and their ranking, pictures of users.
//
// Contract: every request passes the limiter before anything is read or looked up, all but /healthz. A request is answered with what it asked
// for or with an error that says in JSON what is wrong: 4xx is about the request; 503 with Retry-After says that the server, the database
// or the blob store is away for now, and that the same request may be repeated. Nothing that a request contains is believed before it is
// checked: ids, sizes, encodings, media types, the host it was sent to, the origin it comes from. When Serve's context ends, requests
// under way are finished and live streams are closed. A Service may be used by any number of goroutines, and any number of processes may serve
// the same platform.
//
// How: the patterns of bench/, each for what it is for: ratelimit.SlidingLog by address, profile.Cache over a SQL database,
// leaderboard.Likes, taskqueue.Reliable by way of package jobs, broadcast for whatever is live.
//
// When the server is away the limiter cannot decide, and requests are refused with 503 rather than let through: a service without
// its server could do little with them, and an outage must not be the time when anybody may ask the database anything.
//
// There is no authentication: a request says who its user is. Whatever stands in front of the service has to see to that.
package service

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/leaderboard"
	"github.com/streampulse/pulse/bench/profile"
	"github.com/streampulse/pulse/bench/ratelimit"
	"github.com/streampulse/pulse/bench/taskqueue"
	"github.com/streampulse/pulse/cmd/streampulse/internal/blobs"
	"github.com/streampulse/pulse/cmd/streampulse/internal/jobs"
)

const (
	perMinute = 60

	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second // of a whole request, an upload included
	replyTimeout      = 10 * time.Second // of a reply, when the request has been read; live streams have a limit for each event
	idleTimeout       = time.Minute
	maxHeader         = 16 << 10
	askTimeout        = 8 * time.Second // of everything that a request has the server and the database do
	lastRequests      = 10 * time.Second
)

// Options are those of a Service. The first five must be given.
type Options struct {
	Redis    *redis.Client
	Prefix   string // of keys and channels, without braces
	Profiles profile.Source
	Blobs    *blobs.Store
	Log      *slog.Logger

	PerMinute int            // requests of an address; 0: 60
	Trusted   []netip.Prefix // of proxies whose X-Forwarded-For is believed
	Hosts     []string       // that requests may be for, without ports; empty: any
	Lease     time.Duration  // of the workers

	ReadTimeout time.Duration // of a whole request, an upload included; 0: 30 s
}

// Service answers requests.
type Service struct {
	o        Options
	limiter  ratelimit.Limiter
	profiles *profile.Cache
	likes    *leaderboard.Likes
	jobs     *jobs.Jobs
	channel  string
	hub      *hub
	board    *board
	streams  streams
	health   health
	mux      *http.ServeMux
	origins  *http.CrossOriginProtection
	ending   chan struct{} // closed when live streams shall end
	end      sync.Once
}

// New returns a Service. What is live comes to life with Serve or Live.
func New(o Options) (*Service, error) {
	if o.PerMinute == 0 {
		o.PerMinute = perMinute
	}
	if o.ReadTimeout == 0 {
		o.ReadTimeout = readTimeout
	}
	s := &Service{
		o: o, channel: jobs.Channel(o.Prefix), hub: newHub(), board: &board{},
		mux: http.NewServeMux(), origins: http.NewCrossOriginProtection(), ending: make(chan struct{}),
	}
	var err error
	if s.limiter, err = ratelimit.NewSlidingLog(o.Redis, o.Prefix+"limit:", o.PerMinute, time.Minute); err != nil {
		return nil, err
	}
	if s.profiles, err = profile.New(o.Redis, o.Profiles, o.Prefix+"profile:", profile.Options{}); err != nil {
		return nil, err
	}
	if s.likes, err = leaderboard.NewLikes(o.Redis, o.Prefix+"posts"); err != nil {
		return nil, err
	}
	if s.jobs, err = jobs.New(o.Redis, o.Prefix, taskqueue.Options{Lease: o.Lease}); err != nil {
		return nil, err
	}
	s.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/leaderboard", http.StatusSeeOther)
	})
	for pattern, h := range map[string]handler{
		"GET /users/{id}":               s.getUser,
		"PUT /users/{id}":               s.putUser,
		"GET /users/{id}/avatar/{side}": s.getAvatar,
		"POST /posts/{id}/like":         s.postLike,
		"GET /leaderboard":              s.getLeaderboard,
		"POST /avatar":                  s.postAvatar,
		"GET /jobs/{id}":                s.getJob,
	} {
		s.mux.Handle(pattern, s.answer(h))
	}
	return s, nil
}

// Handler answers everything.
func (s *Service) Handler() http.Handler {
	return s.logged(s.headed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fail := s.checkHost(r); fail != nil {
			fail.write(w)
			return
		}
		if r.URL.Path == "/healthz" {
			s.getHealth(w, r)
			return
		}
		if !s.admit(w, r) {
			return
		}
		if err := s.origins.Check(r); err != nil {
			refuse(http.StatusForbidden, "cross_origin", "a page of another origin may not do that").write(w)
			return
		}
		s.route(w, r)
	})))
}

// route is the mux, with errors in JSON.
func (s *Service) route(w http.ResponseWriter, r *http.Request) {
	h, pattern := s.mux.Handler(r)
	if pattern != "" {
		s.mux.ServeHTTP(w, r)
		return
	}
	verdict := verdict{header: http.Header{}}
	h.ServeHTTP(&verdict, r)
	if verdict.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", verdict.header.Get("Allow"))
		refuse(verdict.status, "method", "only %s here", verdict.header.Get("Allow")).write(w)
		return
	}
	refuse(http.StatusNotFound, "not_found", "there is nothing of that name").write(w)
}

// verdict is what the mux would have replied.
type verdict struct {
	header http.Header
	status int
}

func (v *verdict) Header() http.Header         { return v.header }
func (v *verdict) WriteHeader(status int)      { v.status = status }
func (v *verdict) Write(p []byte) (int, error) { return len(p), nil }

// Live keeps what is live alive until ctx ends.
func (s *Service) Live(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { s.hub.run(ctx, s.o.Redis, s.channel, s.o.Log) })
	both.Go(func() { s.keepBoard(ctx) })
	both.Wait()
}

// EndStreams ends all live streams, and those that would begin.
func (s *Service) EndStreams() { s.end.Do(func() { close(s.ending) }) }

// Serve answers what comes to l until ctx ends. Then it stops accepting, ends live streams, and gives requests that are under way ten
// seconds.
func (s *Service) Serve(ctx context.Context, l net.Listener) error {
	live, rest := context.WithCancel(context.WithoutCancel(ctx))
	var alive sync.WaitGroup
	alive.Go(func() { s.Live(live) })
	defer alive.Wait()
	defer rest()

	srv := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: min(readHeaderTimeout, s.o.ReadTimeout),
		ReadTimeout:       s.o.ReadTimeout,
		WriteTimeout:      s.o.ReadTimeout + replyTimeout, // it begins with the request
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, s.EndStreams)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastRequests)
	defer cancel()
	if err := srv.Shutdown(last); err != nil {
		return errors.Join(err, srv.Close())
	}
	return nil
}
