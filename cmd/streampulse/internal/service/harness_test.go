package service_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/profile"
	"github.com/streampulse/pulse/bench/profile/sqldb"
	"github.com/streampulse/pulse/cmd/streampulse/internal/blobs"
	"github.com/streampulse/pulse/cmd/streampulse/internal/service"
	"github.com/streampulse/pulse/cmd/streampulse/internal/worker"
	"github.com/streampulse/pulse/server"
)

// quiet keeps the clients' own logs out of what a test says: in these tests servers are away on purpose.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}
func (quiet) Print(...any)                           {}

func TestMain(m *testing.M) {
	redis.SetLogger(quiet{})
	if err := mysql.SetLogger(quiet{}); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// patience is for what must happen, on however busy a machine.
const patience = 30 * time.Second

// serverAddr is the server at REDIS_ADDR, else one of the test's own.
func serverAddr(t *testing.T) string {
	t.Helper()
	if addr := os.Getenv("REDIS_ADDR"); addr != "" {
		return addr
	}
	srv, err := server.Open(server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return srv.Addr()
}

// cable is a connection to a server that can be pulled out and put in again.
type cable struct {
	t        *testing.T
	to, Addr string

	mu    sync.Mutex
	l     net.Listener
	conns map[net.Conn]bool
	all   sync.WaitGroup
}

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	c := &cable{t: t, to: to, Addr: "127.0.0.1:0", conns: map[net.Conn]bool{}}
	c.plug()
	t.Cleanup(func() { c.pull(); c.all.Wait() })
	return c
}

func (c *cable) plug() {
	c.t.Helper()
	var l net.Listener
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		var err error
		if l, err = net.Listen("tcp", c.Addr); err == nil {
			break
		}
		if time.Now().After(end) {
			c.t.Fatal(err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.l, c.Addr = l, l.Addr().String()
	c.all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", c.to)
			if err != nil {
				_ = in.Close()
				continue
			}
			c.mu.Lock()
			c.conns[in], c.conns[out] = true, true
			if c.l != l { // it has been pulled meanwhile
				_, _ = in.Close(), out.Close()
			}
			c.mu.Unlock()
			for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
				c.all.Go(func() {
					_, _ = io.Copy(way[0], way[1])
					_, _ = way[0].Close(), way[1].Close()
				})
			}
		}
	})
}

func (c *cable) pull() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.l == nil {
		return
	}
	_ = c.l.Close()
	c.l = nil
	for conn := range c.conns {
		_ = conn.Close()
	}
	clear(c.conns)
}

// gate is a database that can be away, and that others use at the same time under other ids.
type gate struct {
	profile.Source
	prefix string
	away   atomic.Bool
}

var errAway = fmt.Errorf("the database is away")

func (g *gate) Load(ctx context.Context, id string) (profile.Profile, error) {
	if g.away.Load() {
		return nil, errAway
	}
	return g.Source.Load(ctx, g.prefix+id)
}

func (g *gate) Save(ctx context.Context, id string, p profile.Profile) error {
	if g.away.Load() {
		return errAway
	}
	return g.Source.Save(ctx, g.prefix+id, p)
}

// platform is a service that listens, on a server and a database that can be away.
type platform struct {
	t      *testing.T
	url    string
	rdb    *redis.Client // past the cable
	prefix string
	server *cable
	db     *gate
	mysql  *cable // nil with SQLite
	blobs  string
	s      *service.Service
	o      service.Options
	client *http.Client
	end    context.CancelFunc // of the service
	ended  chan error
}

var proxies = netip.MustParsePrefix("127.0.0.0/8")

func newPlatform(t *testing.T, change ...func(*service.Options)) *platform {
	t.Helper()
	return newPlatformOn(t, serverAddr(t), change...)
}

func newPlatformOn(t *testing.T, addr string, change ...func(*service.Options)) *platform {
	t.Helper()
	var id [6]byte
	_, _ = rand.Read(id[:])
	p := &platform{
		t: t, prefix: fmt.Sprintf("streampulse-test:%x:", id), server: newCable(t, addr), rdb: redis.NewClient(&redis.Options{Addr: addr}),
		blobs: filepath.Join(t.TempDir(), "blobs"), client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}, ended: make(chan error, 1),
		db: &gate{},
	}
	p.db.prefix = p.prefix
	p.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(func() { _ = p.rdb.Close() })
	p.openDatabase()
	store, err := blobs.Open(context.Background(), p.blobs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	through := redis.NewClient(&redis.Options{
		Addr: p.server.Addr, DialTimeout: time.Second, ReadTimeout: 5 * time.Second, MaxRetries: 1, PoolSize: 50, ContextTimeoutEnabled: true,
		DialerRetries: 1,
	})
	t.Cleanup(func() { _ = through.Close() })
	p.o = service.Options{
		Redis: through, Prefix: p.prefix, Profiles: p.db, Blobs: store, Log: slog.New(slog.DiscardHandler),
		PerMinute: 100_000, Trusted: []netip.Prefix{proxies}, Lease: time.Second,
	}
	for _, f := range change {
		f(&p.o)
	}
	if p.s, err = service.New(p.o); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.url = "http://" + l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	p.end = cancel
	go func() { p.ended <- p.s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		p.client.CloseIdleConnections()
		select {
		case err := <-p.ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("the service does not end")
		}
	})
	return p
}

func (p *platform) openDatabase() {
	p.t.Helper()
	name := "sqlite:" + filepath.Join(p.t.TempDir(), "p.db")
	if dsn := os.Getenv("MYSQL_DSN"); dsn != "" {
		cfg, err := mysql.ParseDSN(dsn)
		if err != nil {
			p.t.Fatal("MYSQL_DSN is no data source name")
		}
		p.mysql = newCable(p.t, cfg.Addr)
		cfg.Net, cfg.Addr = "tcp", p.mysql.Addr
		name = "mysql:" + cfg.FormatDSN()
	}
	db, err := sqldb.Open(context.Background(), name)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = db.Close() })
	p.db.Source = db
}

// databaseAway takes the database away: its connections, or with SQLite its answers.
func (p *platform) databaseAway(away bool) {
	switch {
	case p.mysql == nil:
		p.db.away.Store(away)
	case away:
		p.mysql.pull()
	default:
		p.mysql.plug()
	}
}

// work runs workers until the test ends.
func (p *platform) work(n int) (stop func()) {
	p.t.Helper()
	w, err := worker.New(worker.Options{
		Redis: p.o.Redis, Prefix: p.prefix, Profiles: p.o.Profiles, Blobs: p.o.Blobs, Log: p.o.Log, Lease: p.o.Lease,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx, n) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			p.t.Error(err)
		}
	})
	p.t.Cleanup(stop)
	return stop
}

// reply is what came of a request.
type reply struct {
	status int
	header http.Header
	body   string
}

// code is that of an error.
func (r reply) code() string {
	var e struct {
		Error struct{ Code, Message string }
	}
	if json.Unmarshal([]byte(r.body), &e) != nil || e.Error.Message == "" {
		return "no error in JSON: " + r.body
	}
	return e.Error.Code
}

func (r reply) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), v); err != nil {
		t.Fatalf("%d %q: %v", r.status, r.body, err)
	}
}

// do sends a request with headers given as "Name: value".
func (p *platform) do(method, path, body string, headers ...string) reply {
	p.t.Helper()
	r, err := p.try(method, path, body, headers...)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

func (p *platform) try(method, path, body string, headers ...string) (reply, error) {
	req, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
		}
		req.Header.Add(name, value)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(b)}, err
}

const isJSON = "Content-Type: application/json"

func (p *platform) putUser(id string) {
	p.t.Helper()
	if r := p.do("PUT", "/users/"+id, `{"name":"Name of `+id+`"}`, isJSON); r.status != 200 {
		p.t.Fatalf("%d %s", r.status, r.body)
	}
}

func (p *platform) like(post, user string) reply {
	p.t.Helper()
	return p.do("POST", "/posts/"+post+"/like", `{"user":"`+user+`"}`, isJSON)
}

// upload sends an image, and returns the id of the job.
func (p *platform) upload(user string, data []byte) string {
	p.t.Helper()
	r := p.do("POST", "/avatar?user="+user, string(data), "Content-Type: image/png")
	var v struct{ Job string }
	if r.status != http.StatusAccepted {
		p.t.Fatalf("%d %s", r.status, r.body)
	}
	r.into(p.t, &v)
	if r.header.Get("Location") != "/jobs/"+v.Job {
		p.t.Errorf("Location %q", r.header.Get("Location"))
	}
	return v.Job
}

type job struct{ ID, User, State, Error, Avatar string }

// awaitJob follows a job to its end.
func (p *platform) awaitJob(id string) job {
	p.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		var j job
		r, err := p.try("GET", "/jobs/"+id, "")
		if err == nil && r.status == 200 {
			r.into(p.t, &j)
			if j.State == "done" || j.State == "failed" {
				return j
			}
		}
		if time.Now().After(end) {
			p.t.Fatalf("job %s: %v, %+v", id, err, r)
		}
	}
}

// event is one that was sent.
type event struct{ name, data string }

// events follows a stream; the channel is closed with it.
func (p *platform) events(ctx context.Context, path string, headers ...string) <-chan event {
	p.t.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", p.url+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	c := http.Client{Transport: p.client.Transport} // without its time limit
	res, err := c.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		b, _ := io.ReadAll(res.Body)
		p.t.Fatalf("stream: %d %s", res.StatusCode, b)
	}
	ch := make(chan event, 100)
	go func() {
		defer close(ch)
		defer res.Body.Close()
		var e event
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch {
			case name == "event":
				e.name = value
			case name == "data":
				e.data = value
			case name == "" && e.name != "":
				ch <- e
				e = event{}
			}
		}
	}()
	return ch
}

// await waits for an event that contains text.
func await(t *testing.T, events <-chan event, text string) {
	t.Helper()
	var last event
	for deadline := time.After(patience); ; {
		select {
		case e, ok := <-events:
			if !ok {
				t.Fatalf("the stream ended without %q; last %+v", text, last)
			}
			if last = e; strings.Contains(e.data, text) {
				return
			}
		case <-deadline:
			t.Fatalf("no event has %q; last %+v", text, last)
		}
	}
}

// picture is a PNG of one colour.
func picture(t *testing.T, side int, c color.Color) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			m.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
