package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/server"
)

// patience is for what must happen, on however busy a machine.
const patience = 30 * time.Second

// asProgram makes the test's program streampulse itself.
const asProgram = "STREAMPULSE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program is a streampulse that runs.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  chan string // lines
	url  string      // without a slash at the end; "" of a worker
	done chan error
}

var served = regexp.MustCompile(`url=(http://\S+)/`)

// start starts a streampulse and waits until it serves or works.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	p := launch(t, args...)
	p.ready()
	return p
}

// ready waits until it serves or works.
func (p *program) ready() {
	p.t.Helper()
	line := p.await(`"streampulse serves"`, `"streampulse works"`)
	if m := served.FindStringSubmatch(line); m != nil {
		p.url = m[1]
	}
}

// launch starts a streampulse.
func launch(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: exec.Command(os.Args[0], args...), log: make(chan string, 10_000), done: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), asProgram+"=1", "STREAMPULSE_REDIS=", "STREAMPULSE_DB=", "STREAMPULSE_BLOBS=")
	p.cmd.Dir = t.TempDir()
	out, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.log <- lines.Text()
		}
		close(p.log)
		p.done <- p.cmd.Wait()
	}()
	t.Cleanup(func() { p.kill() })
	return p
}

// await returns the next line of the log that has one of the words.
func (p *program) await(words ...string) string {
	p.t.Helper()
	var last []string
	for deadline := time.After(patience); ; {
		select {
		case line, ok := <-p.log:
			if !ok {
				p.t.Fatalf("it has ended, and said %q", last)
			}
			last = append(last, line)
			for _, w := range words {
				if strings.Contains(line, w) {
					return line
				}
			}
		case <-deadline:
			p.t.Fatalf("it does not say %q but %q", words, last)
		}
	}
}

// kill ends it without its being able to do anything about it.
func (p *program) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	for range p.log {
		continue
	}
}

// terminate asks it to end, and checks how it does.
func (p *program) terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	var last []string
	for line := range p.log {
		last = append(last, line)
	}
	if err := <-p.done; err != nil {
		p.t.Errorf("it ended with %v: %q", err, last)
	}
	p.done <- nil
}

func (p *program) do(method, path, kind, body string) (int, string) {
	p.t.Helper()
	req, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	req.Header.Set("X-Forwarded-For", fmt.Sprint("192.0.2.", asked.Add(1)%250)) // where it is believed, it keeps within the limit
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func (p *program) want(status int, method, path, kind, body string) string {
	p.t.Helper()
	got, reply := p.do(method, path, kind, body)
	if got != status {
		p.t.Fatalf("%s %s: %d %s", method, path, got, reply)
	}
	return reply
}

// upload returns the id of the job.
func (p *program) upload(user string, data []byte) string {
	p.t.Helper()
	var v struct{ Job string }
	if err := json.Unmarshal([]byte(p.want(202, "POST", "/avatar?user="+user, "image/png", string(data))), &v); err != nil {
		p.t.Fatal(err)
	}
	return v.Job
}

// asked counts requests.
var asked atomic.Int64

// states counts jobs by what rdb says of them.
func states(t *testing.T, rdb *redis.Client, prefix string, jobs []string) map[string]int {
	t.Helper()
	m := map[string]int{}
	for _, id := range jobs {
		m[rdb.HGet(context.Background(), prefix+"job:"+id, "state").Val()]++
	}
	return m
}

func picture(t *testing.T, side int) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			m.SetGray(x, y, color.Gray{Y: uint8(x ^ y)})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Three workers, each a process, are killed one after another with a job in hand; a fourth does what is left.
func TestKilledWorkersLoseNoTask(t *testing.T) {
	t.Parallel()
	addr := os.Getenv("REDIS_ADDR")
	if addr == "" {
		srv, err := server.Open(server.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := srv.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		addr = srv.Addr()
	}
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	defer rdb.Close()
	ctx := context.Background()
	prefix := fmt.Sprintf("streampulse-test:%d:", time.Now().UnixNano())
	common := []string{"--redis", addr, "--prefix", prefix, "--data", t.TempDir(), "--lease", "1s"}
	if dsn := os.Getenv("MYSQL_DSN"); dsn != "" {
		common = append(common, "--db", "mysql:"+dsn)
	}
	service := start(t, append(common, "--workers", "0", "--listen", "127.0.0.1:0")...)
	user := fmt.Sprint("u", time.Now().UnixNano())
	service.want(200, "PUT", "/users/"+user, "application/json", `{"name":"Ada"}`)
	data := picture(t, 1200)
	var jobs []string
	for range 6 {
		jobs = append(jobs, service.upload(user, data))
	}
	working := rdb.Subscribe(ctx, prefix+"live")
	defer working.Close()
	if _, err := working.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	news := working.Channel(redis.WithChannelSize(1000))
	for range 3 {
		w := start(t, append(common, "--worker", "--workers", "1")...)
		for deadline := time.After(patience); states(t, rdb, prefix, jobs)["working"] == 0; {
			select {
			case <-news: // a job has begun, or has ended
			case <-time.After(time.Second): // what a killed worker held comes back without news
			case <-deadline:
				t.Fatal("nobody works")
			}
		}
		w.kill()
		t.Logf("after a worker was killed: %v", states(t, rdb, prefix, jobs))
	}
	w := start(t, append(common, "--worker", "--workers", "2")...)
	for deadline := time.Now().Add(patience); states(t, rdb, prefix, jobs)["done"] < len(jobs); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%v", states(t, rdb, prefix, jobs))
		}
	}
	w.terminate()
	service.terminate()
}

// All in one process, which is terminated with work to do, and started again.
func TestEmbeddedLosesNoTask(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	args := []string{"--embedded", "--data", dir, "--listen", "127.0.0.1:0", "--workers", "1", "--trust-proxy", "127.0.0.0/8"}
	p := start(t, args...)
	p.want(200, "PUT", "/users/ada", "application/json", `{"name":"Ada"}`)
	p.want(200, "POST", "/posts/hello/like", "application/json", `{"user":"ada"}`)
	data := picture(t, 1000)
	var jobs []string
	for range 8 {
		jobs = append(jobs, p.upload("ada", data))
	}
	p.terminate()

	p = start(t, args...)
	for deadline := time.Now().Add(patience); len(jobs) > 0; {
		reply := p.want(200, "GET", "/jobs/"+jobs[0], "", "")
		switch {
		case strings.Contains(reply, `"done"`):
			jobs = jobs[1:]
		case strings.Contains(reply, `"failed"`):
			t.Fatal(reply)
		case time.Now().After(deadline):
			t.Fatalf("%d jobs are lost: %s", len(jobs), reply)
		default:
			time.Sleep(50 * time.Millisecond) // not to be past the limit of requests
		}
	}
	if reply := p.want(200, "GET", "/leaderboard", "", ""); !strings.Contains(reply, `"post":"hello","likes":1`) {
		t.Error(reply)
	}
	p.want(200, "GET", "/users/ada/avatar/256", "", "")
	p.terminate()
	left, err := filepath.Glob(filepath.Join(dir, "blobs", "uploads", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("uploads are left: %v %v", left, err)
	}
}

// Without a folder nothing is left behind.
func TestEmbeddedLeavesNothing(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	p := start(t, "--embedded", "--listen", "127.0.0.1:0")
	if status, reply := p.do("GET", "/healthz", "", ""); status != 200 {
		t.Errorf("%d %s", status, reply)
	}
	p.terminate()
	for _, dir := range []string{tmp, p.cmd.Dir} {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left in %s: %v %v", dir, left, err)
		}
	}
}

// It may start before its server does, but does not insist with one that refuses it.
func TestServerComesLater(t *testing.T) {
	// A port that nobody is given meanwhile: the kernel takes those for who asks for any from further above.
	var addr string
	for addr == "" {
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 10000+rand.IntN(20000)))
		if err == nil {
			addr = l.Addr().String()
			_ = l.Close()
		}
	}
	p := launch(t, "--redis", addr, "--listen", "127.0.0.1:0")
	p.await("the server is away")
	srv, err := server.Open(server.Options{Addr: addr})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close(context.Background())
	p.ready()
	if status, reply := p.do("GET", "/healthz", "", ""); status != 200 {
		t.Errorf("%d %s", status, reply)
	}
	p.terminate()
	var said strings.Builder
	none := func(string) string { return "" }
	code := run(t.Context(), []string{"--redis", "redis://nobody:secret@" + addr, "--data", t.TempDir()}, none, &said)
	if code != 1 || !strings.Contains(said.String(), "WRONGPASS") || strings.Contains(said.String(), "tried again") {
		t.Errorf("%d, and said %q", code, said.String())
	}
}

func TestArguments(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	none := func(string) string { return "" }
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		code int
		args []string
	}{
		"help":               {0, []string{"-h"}},
		"unknown":            {2, []string{"--nosuch"}},
		"a word":             {2, []string{"serve"}},
		"two servers":        {2, []string{"--embedded", "--redis", "127.0.0.1:1"}},
		"a worker alone":     {2, []string{"--embedded", "--worker"}},
		"no workers at all":  {2, []string{"--worker", "--workers", "0"}},
		"fewer than none":    {2, []string{"--workers", "-1"}},
		"no address":         {2, []string{"--embedded", "--listen", "8080"}},
		"no network":         {2, []string{"--embedded", "--trust-proxy", "everybody"}},
		"no server there":    {1, []string{"--redis", "127.0.0.1:1", "--data", dir}},
		"a URL of no server": {1, []string{"--redis", "http://:secret@x", "--data", dir}},
		"no folder":          {1, []string{"--embedded", "--data", file}},
		"no database":        {1, []string{"--embedded", "--db", "mysql:u:secret@tcp(127.0.0.1:1)/d"}},
		"no store":           {1, []string{"--embedded", "--blobs", "nosuch://x"}},
		"a braced prefix":    {1, []string{"--embedded", "--prefix", "{x}"}},
	} {
		t.Run(name, func(t *testing.T) {
			var said strings.Builder
			if code := run(ctx, c.args, none, &said); code != c.code || said.Len() == 0 {
				t.Errorf("%d, and said %q", code, said.String())
			}
			if strings.Contains(said.String(), "secret") {
				t.Errorf("it tells the password: %q", said.String())
			}
		})
	}
	if set, err := parse([]string{"--listen", "[::1]:80", "--trust-proxy", "10.1.2.3/8, ::1/128"}, none, io.Discard); err != nil ||
		len(set.trusted) != 2 || set.trusted[0].String() != "10.0.0.0/8" || len(set.hosts) == 0 {
		t.Errorf("%+v, %v", set, err)
	}
	if set, err := parse([]string{"--listen", ":80"}, none, io.Discard); err != nil || len(set.hosts) != 0 {
		t.Errorf("%+v, %v", set, err)
	}
}
