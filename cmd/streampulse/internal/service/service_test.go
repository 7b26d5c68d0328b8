package service_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streampulse/pulse/cmd/streampulse/internal/service"
)

func TestSixtyRequestsAMinute(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, func(o *service.Options) { o.PerMinute = 0 })
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	live := p.events(ctx, "/leaderboard", "X-Forwarded-For: 198.51.100.1") // the first of sixty
	var mu sync.Mutex
	counts := map[int]int{}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			// A client that appends to the header has its own address appended by the proxy.
			r, err := p.try("GET", "/leaderboard", "", "X-Forwarded-For: 203.0.113."+strconv.Itoa(i)+", 198.51.100.1")
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			counts[r.status]++
			if r.status == http.StatusTooManyRequests {
				wait, err := strconv.Atoi(r.header.Get("Retry-After"))
				if err != nil || wait < 1 || wait > 60 || r.code() != "rate_limit" || r.header.Get("RateLimit-Remaining") != "0" {
					t.Errorf("%v %s", r.header, r.body)
				}
			} else if r.header.Get("RateLimit-Limit") != "60" {
				t.Errorf("%v", r.header)
			}
		})
	}
	wg.Wait()
	if counts[200] != 59 || counts[429] != 41 {
		t.Errorf("%v", counts)
	}
	for path, want := range map[string]int{"/nosuch": 429, "/users/a": 429, "/healthz": 200} {
		if r := p.do("GET", path, "", "X-Forwarded-For: 198.51.100.1"); r.status != want {
			t.Errorf("%s: %d", path, r.status)
		}
	}
	p.putUser("somebody") // from another address
	if r := p.like("post", "ann"); r.status != 200 {
		t.Errorf("%d", r.status)
	}
	await(t, live, `"post":"post"`) // the stream goes on
}

func TestWhoseRequestItIs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		trusted bool
		headers []string
		same    bool // as the request before, which had X-Forwarded-For: 192.0.2.1
	}{
		"behind a proxy, another client":  {true, []string{"X-Forwarded-For: 192.0.2.2"}, false},
		"behind a proxy, the same client": {true, []string{"X-Forwarded-For: 192.0.2.1"}, true},
		"what the client wrote there":     {true, []string{"X-Forwarded-For: 192.0.2.9, 192.0.2.1"}, true},
		"two headers":                     {true, []string{"X-Forwarded-For: 192.0.2.9", "X-Forwarded-For: 192.0.2.1"}, true},
		"two proxies":                     {true, []string{"X-Forwarded-For: 192.0.2.1, 127.0.0.5"}, true},
		"as IPv6":                         {true, []string{"X-Forwarded-For: ::ffff:192.0.2.1"}, true},
		"a proxy that nobody trusts":      {false, []string{"X-Forwarded-For: 192.0.2.2"}, true},
		"other headers":                   {false, []string{"X-Real-IP: 192.0.2.2", "Forwarded: for=192.0.2.2"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t, func(o *service.Options) {
				o.PerMinute = 1
				if !c.trusted {
					o.Trusted = nil
				}
			})
			if r := p.do("GET", "/leaderboard", "", "X-Forwarded-For: 192.0.2.1"); r.status != 200 {
				t.Fatalf("first: %d", r.status)
			}
			if r := p.do("GET", "/leaderboard", "", c.headers...); (r.status == 429) != c.same {
				t.Errorf("second: %d", r.status)
			}
		})
	}
	p := newPlatform(t, func(o *service.Options) { o.PerMinute = 1 })
	for i, want := range []int{200, 429, 200} {
		at := []string{"2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"}[i]
		if r := p.do("GET", "/leaderboard", "", "X-Forwarded-For: "+at); r.status != want {
			t.Errorf("%s: %d", at, r.status)
		}
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	if r := p.do("GET", "/users/ada", ""); r.status != 404 || r.code() != "not_found" {
		t.Errorf("before: %d %s", r.status, r.body)
	}
	const evil = `<script>alert("x")</script>`
	r := p.do("PUT", "/users/ada", `{"name":"Ada <b>","bio":"`+strings.ReplaceAll(evil, `"`, `\"`)+`\nline"}`, isJSON+"; charset=UTF-8")
	if r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	var u struct{ ID, Name, Bio, Avatar string }
	r = p.do("GET", "/users/ada", "", "Accept: */*")
	r.into(t, &u)
	if u.ID != "ada" || u.Name != "Ada <b>" || u.Bio != evil+"\nline" || u.Avatar != "" {
		t.Errorf("%+v", u)
	}
	if strings.Contains(r.body, "<script") {
		t.Error("JSON that a browser could take for HTML")
	}
	page := p.do("GET", "/users/ada", "", "Accept: text/html,application/xhtml+xml,*/*;q=0.8")
	if page.status != 200 || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") || strings.Contains(page.body, evil) ||
		strings.Contains(page.body, "Ada <b>") || !strings.Contains(page.body, "Ada &lt;b&gt;") {
		t.Errorf("%d, %d bytes", page.status, len(page.body))
	}
	if csp := page.header.Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'nonce-") {
		t.Errorf("%q", csp)
	}
	p.do("PUT", "/users/ada", `{"name":"Ada Lovelace","bio":""}`, isJSON)
	p.do("GET", "/users/ada", "").into(t, &u)
	if u.Name != "Ada Lovelace" || u.Bio != "" {
		t.Errorf("after the update: %+v", u)
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, func(o *service.Options) { o.Hosts = []string{"127.0.0.1", "pulse.example"} })
	p.putUser("ada")
	long := strings.Repeat("x", 65)
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		code               string
	}{
		"no such page":         {"GET", "/nosuch", "", nil, 404, "not_found"},
		"a file":               {"GET", "/users/ada/../../../etc/passwd", "", nil, 404, "not_found"},
		"another method":       {"DELETE", "/users/ada", "", nil, 405, "method"},
		"another method 2":     {"GET", "/avatar", "", nil, 405, "method"},
		"an id with a slash":   {"GET", "/users/a%2fb", "", nil, 400, "id"},
		"an id of dots":        {"GET", "/users/%2e%2e", "", nil, 400, "id"},
		"an id with a colon":   {"GET", "/users/avatar:ada", "", nil, 400, "id"},
		"an id with NUL":       {"GET", "/users/a%00", "", nil, 400, "id"},
		"an id that is long":   {"GET", "/users/" + long, "", nil, 400, "id"},
		"an id not in UTF-8":   {"GET", "/users/%ff", "", nil, 400, "id"},
		"an id in Cyrillic":    {"PUT", "/users/%D0%B0da", `{"name":"x"}`, []string{isJSON}, 400, "id"},
		"an id like a flag":    {"GET", "/users/--x", "", nil, 400, "id"},
		"a post that is none":  {"POST", "/posts/%7B%7D/like", `{"user":"ada"}`, []string{isJSON}, 400, "id"},
		"a liker who is none":  {"POST", "/posts/p/like", `{"user":"a b"}`, []string{isJSON}, 400, "id"},
		"no liker":             {"POST", "/posts/p/like", `{}`, []string{isJSON}, 400, "id"},
		"no type":              {"PUT", "/users/ada", `{"name":"x"}`, nil, 415, "media_type"},
		"a form":               {"POST", "/posts/p/like", `user=ada`, []string{"Content-Type: application/x-www-form-urlencoded"}, 415, "media_type"},
		"text":                 {"POST", "/posts/p/like", `{"user":"ada"}`, []string{"Content-Type: text/plain"}, 415, "media_type"},
		"another charset":      {"PUT", "/users/ada", `{"name":"x"}`, []string{isJSON + "; charset=latin1"}, 415, "media_type"},
		"compressed":           {"PUT", "/users/ada", `{"name":"x"}`, []string{isJSON, "Content-Encoding: gzip"}, 415, "content_encoding"},
		"not UTF-8":            {"PUT", "/users/ada", "{\"name\":\"\xff\"}", []string{isJSON}, 400, "encoding"},
		"half a surrogate":     {"PUT", "/users/ada", `{"name":"a\ud800"}`, []string{isJSON}, 400, "text"},
		"not JSON":             {"PUT", "/users/ada", `{"name":`, []string{isJSON}, 400, "json"},
		"nothing":              {"PUT", "/users/ada", ``, []string{isJSON}, 400, "json"},
		"null":                 {"PUT", "/users/ada", `null`, []string{isJSON}, 400, "json"},
		"a list":               {"PUT", "/users/ada", `[{"name":"x"}]`, []string{isJSON}, 400, "json"},
		"a number for a name":  {"PUT", "/users/ada", `{"name":1}`, []string{isJSON}, 400, "json"},
		"an unknown field":     {"PUT", "/users/ada", `{"name":"x","admin":true}`, []string{isJSON}, 400, "json"},
		"two values":           {"PUT", "/users/ada", `{"name":"x"}{"name":"y"}`, []string{isJSON}, 400, "json"},
		"something behind":     {"PUT", "/users/ada", `{"name":"x"} x`, []string{isJSON}, 400, "json"},
		"deep":                 {"PUT", "/users/ada", `{"name":` + strings.Repeat("[", 15_000), []string{isJSON}, 400, "json"},
		"large":                {"PUT", "/users/ada", `{"name":"` + strings.Repeat("x", 20_000), []string{isJSON}, 413, "size"},
		"no name":              {"PUT", "/users/ada", `{"bio":"x"}`, []string{isJSON}, 400, "text"},
		"a blank name":         {"PUT", "/users/ada", `{"name":"  "}`, []string{isJSON}, 400, "text"},
		"a long name":          {"PUT", "/users/ada", `{"name":"` + long + `"}`, []string{isJSON}, 400, "text"},
		"a long bio":           {"PUT", "/users/ada", `{"name":"x","bio":"` + strings.Repeat("é", 501) + `"}`, []string{isJSON}, 400, "text"},
		"a control":            {"PUT", "/users/ada", `{"name":"x\u0007"}`, []string{isJSON}, 400, "text"},
		"text turned around":   {"PUT", "/users/ada", `{"name":"x\u202e"}`, []string{isJSON}, 400, "text"},
		"n is no number":       {"GET", "/leaderboard?n=x", "", nil, 400, "n"},
		"n is large":           {"GET", "/leaderboard?n=101", "", nil, 400, "n"},
		"a job that is none":   {"GET", "/jobs/..%2f..", "", nil, 400, "id"},
		"an unknown job":       {"GET", "/jobs/" + strings.Repeat("0", 24), "", nil, 404, "not_found"},
		"an unknown size":      {"GET", "/users/ada/avatar/1000000", "", nil, 404, "not_found"},
		"no picture yet":       {"GET", "/users/ada/avatar/64", "", nil, 404, "not_found"},
		"another site":         {"POST", "/posts/p/like", `{"user":"ada"}`, []string{isJSON, "Origin: https://evil.example"}, 403, "cross_origin"},
		"another site, marked": {"PUT", "/users/ada", `{"name":"x"}`, []string{isJSON, "Sec-Fetch-Site: cross-site"}, 403, "cross_origin"},
		"another host":         {"GET", "/leaderboard", "", []string{"Host: evil.example"}, 421, "host"},
		"another host, a port": {"GET", "/healthz", "", []string{"Host: evil.example:80"}, 421, "host"},
	} {
		r := p.do(c.method, c.path, c.body, c.headers...)
		if r.status == http.StatusTemporaryRedirect || r.status == http.StatusMovedPermanently { // the mux has cleaned a path
			r = p.do(c.method, r.header.Get("Location"), c.body, c.headers...)
		}
		if r.status != c.status || r.code() != c.code {
			t.Errorf("%s: %d %s, want %d %s", name, r.status, r.body, c.status, c.code)
		}
		if r.header.Get("X-Content-Type-Options") != "nosniff" || c.status == 405 && r.header.Get("Allow") == "" {
			t.Errorf("%s: %v", name, r.header)
		}
	}
	if r := p.do("GET", "/", "", "Host: PULSE.example:8080"); r.status != 303 {
		t.Errorf("by its name: %d", r.status)
	}
	var u struct{ Name string }
	p.do("GET", "/users/ada", "").into(t, &u)
	if u.Name != "Name of ada" {
		t.Errorf("one of them came through: %+v", u)
	}
}

func TestLikesAreCountedAndRanked(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var watchers []<-chan event
	for range 5 {
		watchers = append(watchers, p.events(ctx, "/leaderboard"))
	}
	var wg sync.WaitGroup
	for post := range 12 {
		for user := range post + 1 {
			wg.Go(func() {
				for range 2 { // the second one is not counted
					if r, err := p.try("POST", fmt.Sprintf("/posts/p%d/like", post), fmt.Sprintf(`{"user":"u%d"}`, user), isJSON); err != nil || r.status != 200 {
						t.Errorf("%v %v", r, err)
					}
				}
			})
		}
	}
	wg.Wait()
	var b struct {
		Posts []struct {
			Rank, Likes int
			Post        string
		}
	}
	p.do("GET", "/leaderboard", "").into(t, &b)
	if len(b.Posts) != 10 {
		t.Fatalf("%+v", b)
	}
	for i, e := range b.Posts {
		if e.Rank != i+1 || e.Post != fmt.Sprint("p", 11-i) || e.Likes != 12-i {
			t.Errorf("%+v", e)
		}
	}
	p.do("GET", "/leaderboard?n=3", "").into(t, &b)
	if len(b.Posts) != 3 {
		t.Errorf("%+v", b)
	}
	last := `{"posts":[{"rank":1,"post":"p11","likes":12},{"rank":2,"post":"p10","likes":11}`
	for _, w := range watchers {
		await(t, w, last)
	}
	// What is on the board without having come through the service is text as well.
	if err := p.rdb.ZAdd(ctx, "{"+p.prefix+"posts}:likes", zOf("<img src=x onerror=alert(1)>", 100)).Err(); err != nil {
		t.Fatal(err)
	}
	page := p.do("GET", "/leaderboard", "", "Accept: text/html")
	if strings.Contains(page.body, "<img src=x") || !strings.Contains(page.body, "&lt;img src=x") {
		t.Error("a name on the page is not escaped")
	}
}

// Streams end with the service, requests under way are finished, and what they have pushed is there for the next one.
func TestShutdown(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.putUser("ada")
	live := p.events(context.Background(), "/leaderboard")
	await(t, live, "posts")
	slow := p.slowUpload("ada")
	slow.begin(t)
	p.end()
	for e := range live { // until it is closed
		_ = e
	}
	if r := slow.finish(t); r.status != http.StatusAccepted {
		t.Errorf("an upload that was under way: %d %s", r.status, r.body)
	}
	select {
	case err := <-p.ended:
		p.ended <- err
	case <-time.After(patience):
		t.Fatal("the service does not end")
	}
	if _, err := p.try("GET", "/healthz", ""); err == nil {
		t.Error("it still listens")
	}
	if n := p.rdb.LLen(context.Background(), "{"+p.prefix+"avatars}:wait").Val(); n != 1 {
		t.Errorf("%d tasks wait", n)
	}
}

// A client that is slow is cut off, but one that listens is not.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	const limit = 300 * time.Millisecond
	p := newPlatform(t, func(o *service.Options) { o.ReadTimeout = limit })
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	live := p.events(ctx, "/leaderboard")
	await(t, live, "posts")
	began := time.Now()
	slow := p.slowUpload("ada")
	slow.begin(t)
	if status := slow.wait(t); status == http.StatusAccepted || time.Since(began) < limit/2 {
		t.Errorf("%d after %v", status, time.Since(began))
	}
	for time.Since(began) < 3*limit {
		time.Sleep(limit / 3)
	}
	p.like("still", "ann")
	await(t, live, "still")
}

func TestStreamsOfOneAddress(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for range 10 {
		p.events(ctx, "/leaderboard", "X-Forwarded-For: 192.0.2.7")
	}
	if r := p.do("GET", "/leaderboard", "", "Accept: text/event-stream", "X-Forwarded-For: 192.0.2.7"); r.status != 429 || r.code() != "streams" {
		t.Errorf("%d %s", r.status, r.body)
	}
	p.events(ctx, "/leaderboard", "X-Forwarded-For: 192.0.2.8")
}
