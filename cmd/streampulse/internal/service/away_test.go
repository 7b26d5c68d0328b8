package service_test

import (
	"context"
	"testing"
	"time"

	"github.com/streampulse/pulse/cmd/streampulse/internal/service"
	"github.com/streampulse/pulse/server"
	"github.com/streampulse/pulse/server/config"
)

// isAway checks that a reply says to come again.
func isAway(t *testing.T, what string, r reply) {
	t.Helper()
	if r.status != 503 || r.header.Get("Retry-After") == "" {
		t.Errorf("%s: %d %v %s", what, r.status, r.header, r.body)
	}
}

// eventually asks until the answer is 200.
func (p *platform) eventually(method, path, body string, headers ...string) reply {
	p.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		r, err := p.try(method, path, body, headers...)
		if err == nil && r.status == 200 {
			return r
		}
		if time.Now().After(end) {
			p.t.Fatalf("%s %s: %+v, %v", method, path, r, err)
		}
	}
}

func TestTheServerIsAway(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.putUser("ada")
	p.work(1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	live := p.events(ctx, "/leaderboard")
	p.like("before", "ann")
	await(t, live, "before")
	waits := p.upload("ada", picture(t, 30, red))

	p.server.pull()
	isAway(t, "leaderboard", p.do("GET", "/leaderboard", ""))
	isAway(t, "page", p.do("GET", "/leaderboard", "", "Accept: text/html"))
	isAway(t, "like", p.like("meanwhile", "ann"))
	isAway(t, "user", p.do("GET", "/users/ada", ""))
	isAway(t, "avatar", p.do("POST", "/avatar?user=ada", string(picture(t, 30, red)), "Content-Type: image/png"))
	isAway(t, "nothing", p.do("GET", "/nosuch", ""))
	for r := p.do("GET", "/healthz", ""); ; r = p.do("GET", "/healthz", "") {
		if r.status == 503 { // what was found out before is good for a second
			isAway(t, "health", r)
			break
		}
		time.Sleep(20 * time.Millisecond)
	}

	p.server.plug()
	p.eventually("GET", "/leaderboard", "")
	p.eventually("GET", "/healthz", "")
	p.like("after", "ann")
	await(t, live, "after")
	if j := p.awaitJob(waits); j.State != "done" {
		t.Errorf("%+v", j)
	}
	if j := p.awaitJob(p.upload("ada", picture(t, 30, blue))); j.State != "done" {
		t.Errorf("%+v", j)
	}
}

func TestTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.putUser("ada")
	p.putUser("bob")
	p.do("GET", "/users/bob", "") // is in the cache now, with having no picture
	job := p.upload("ada", picture(t, 30, red))

	p.databaseAway(true)
	isAway(t, "write", p.do("PUT", "/users/ada", `{"name":"x"}`, isJSON))
	isAway(t, "read", p.do("GET", "/users/nobody", ""))
	if r := p.do("GET", "/users/bob", ""); r.status != 200 {
		t.Errorf("what is in the cache: %d %s", r.status, r.body)
	}
	if r := p.like("p", "ann"); r.status != 200 {
		t.Errorf("what needs no database: %d", r.status)
	}
	p.work(1)
	for end := time.Now().Add(patience); p.rdb.ZCard(context.Background(), "{"+p.prefix+"avatars}:later").Val() == 0; {
		if time.Now().After(end) {
			t.Fatal("the job was not put off")
		}
		time.Sleep(10 * time.Millisecond)
	}

	p.databaseAway(false)
	p.eventually("PUT", "/users/ada", `{"name":"Ada"}`, isJSON)
	if j := p.awaitJob(job); j.State != "done" {
		t.Errorf("%+v", j)
	}
	if c := p.avatarColor("ada"); !near(c, red) {
		t.Errorf("%v", c)
	}
}

// A server that keeps its data is stopped and started again: nothing that was answered is gone, nor is what waits.
func TestTheServerRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func(addr string) *server.Server {
		t.Helper()
		for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
			cfg := config.New()
			for _, kv := range [][2]string{{"appendonly", "yes"}, {"save", ""}} {
				if err := cfg.Override(kv[0], kv[1]); err != nil {
					t.Fatal(err)
				}
			}
			srv, err := server.Open(server.Options{Addr: addr, Config: cfg, Dir: dir})
			if err == nil {
				return srv
			}
			if time.Now().After(end) {
				t.Fatal(err)
			}
		}
	}
	stop := func(srv *server.Server) {
		t.Helper()
		if err := srv.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	srv := open("")
	addr := srv.Addr()
	t.Cleanup(func() { stop(srv) })
	p := newPlatformOn(t, addr) // the server at REDIS_ADDR is not the test's to stop
	p.putUser("ada")
	if r := p.like("kept", "ann"); r.status != 200 {
		t.Fatal(r)
	}
	job := p.upload("ada", picture(t, 30, red))
	stop(srv)
	isAway(t, "stopped", p.do("GET", "/leaderboard", ""))
	srv = open(addr)
	p.eventually("GET", "/leaderboard", "")
	p.work(1)
	if j := p.awaitJob(job); j.State != "done" {
		t.Errorf("%+v", j)
	}
	var like struct{ Counted bool }
	p.like("kept", "ann").into(t, &like)
	if like.Counted {
		t.Error("a like was forgotten")
	}
}

// Jobs whose workers fail too often, or die, end as failed and leave nothing behind.
func TestJobsThatAreGivenUp(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, func(o *service.Options) { o.Lease = 100 * time.Millisecond })
	p.putUser("ada")
	job := p.upload("ada", picture(t, 30, red))
	ctx := context.Background()
	wait := "{" + p.prefix + "avatars}:wait"
	task, err := p.rdb.LPop(ctx, wait).Result()
	if err != nil {
		t.Fatal(err)
	}
	// As if a worker had died over its fifth try.
	if err := p.rdb.LPush(ctx, "{"+p.prefix+"avatars}:held:dead", "4"+task[1:]).Err(); err != nil {
		t.Fatal(err)
	}
	if err := p.rdb.ZAdd(ctx, "{"+p.prefix+"avatars}:workers", zOf("dead", 1)).Err(); err != nil {
		t.Fatal(err)
	}
	p.work(1)
	if j := p.awaitJob(job); j.State != "failed" || j.Error == "" {
		t.Errorf("%+v", j)
	}
	for end := time.Now().Add(patience); len(p.files()) > 0 || p.rdb.LLen(ctx, "{"+p.prefix+"avatars}:dead").Val() > 0; {
		if time.Now().After(end) {
			t.Fatalf("left behind: %v", p.files())
		}
		time.Sleep(10 * time.Millisecond)
	}
}
