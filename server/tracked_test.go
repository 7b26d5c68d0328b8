package server

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// cacheClient keeps what it reads until it is told that it has changed.
type cacheClient struct {
	*client
	cache map[string]int64 // by key: the version it holds
	push  int              // messages so far
}

// reply returns the next reply; pushes before it are obeyed.
func (c *cacheClient) reply() string {
	c.t.Helper()
	for {
		r := c.read()
		if !strings.HasPrefix(r, ">") {
			return r
		}
		c.obey(r)
	}
}

func (c *cacheClient) obey(push string) {
	c.push++
	f := strings.Split(push, "\r\n")
	switch {
	case len(f) > 2 && f[2] == "invalidate" && f[3] == "_":
		clear(c.cache)
	case len(f) > 3 && f[2] == "invalidate":
		for i := 5; i < len(f); i += 2 {
			delete(c.cache, f[i])
		}
	default:
		c.t.Errorf("unexpected push %q", push)
	}
}

// value is what a reply to GET holds; ok is false if that is nothing.
func value(reply string) (n int64, ok bool) {
	f := strings.Split(reply, "\r\n")
	if len(f) < 2 || !strings.HasPrefix(f[0], "$") {
		return 0, false
	}
	n, err := strconv.ParseInt(f[1], 10, 64)
	return n, err == nil
}

// fetches are ways to read a key and have it tracked.
var fetches = []struct {
	name, on string
	requests func(key string) string
	last     func(replies []string) string // the one with the value
	replies  int
}{
	{"default", "CLIENT TRACKING on", func(k string) string { return requests("GET " + k) }, last, 1},
	{"noloop", "CLIENT TRACKING on NOLOOP", func(k string) string { return requests("GET " + k) }, last, 1},
	{"broadcast", "CLIENT TRACKING on BCAST PREFIX k", func(k string) string { return requests("GET " + k) }, last, 1},
	{"optin", "CLIENT TRACKING on OPTIN", func(k string) string { return requests("CLIENT CACHING YES", "GET "+k) }, last, 2},
	{"transaction", "CLIENT TRACKING on OPTIN", func(k string) string {
		return requests("CLIENT CACHING YES", "MULTI", "PTTL "+k, "GET "+k, "EXEC")
	}, func(replies []string) string {
		_, after, _ := strings.Cut(replies[4], "$") // behind the number
		return "$" + after
	}, 5},
	{"script", "CLIENT TRACKING on", func(k string) string {
		return encode("EVAL", "return redis.call('get', KEYS[1])", "1", k)
	}, last, 1},
	{"endless script", "CLIENT TRACKING on", func(k string) string {
		return encode("EVAL", "local i = 0 while i < 10 do i = i + 1 end return redis.call('get', KEYS[1])", "1", k)
	}, last, 1},
}

func last(replies []string) string { return replies[len(replies)-1] }

// TestTrackedCaches has clients of all modes keep caches of keys that others write, delete and flush, and checks that what is
// in a cache is never older than what somebody has been told that it has been replaced.
func TestTrackedCaches(t *testing.T) {
	const keys, writers, rounds = 6, 3, 300
	srv := openServer(t)
	var floor, issued, written [keys]atomic.Int64 // versions below are gone; the last one begun; the last one done
	raise := func(k int, n int64) {
		for old := floor[k].Load(); old < n && !floor[k].CompareAndSwap(old, n); old = floor[k].Load() {
		}
	}
	stop := make(chan struct{})
	var readers, others sync.WaitGroup
	for w := range writers {
		c := dial(t, srv)
		rnd := rand.New(rand.NewPCG(3, uint64(w)))
		others.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				k := w + writers*rnd.IntN(keys/writers)
				key := fmt.Sprint("k", k)
				n := issued[k].Add(1)
				switch rnd.IntN(40) {
				case 0:
					var before [keys]int64
					for i := range before {
						before[i] = written[i].Load()
					}
					c.do("FLUSHDB")
					for i := range before {
						raise(i, before[i]+1)
					}
				case 1, 2:
					c.do("DEL " + key)
				case 3:
					c.do(fmt.Sprintf("SET %s %d PX %d", key, n, 1+rnd.IntN(20)))
				case 4:
					c.doArgs("EVAL", "return redis.call('set', KEYS[1], ARGV[1])", "1", key, fmt.Sprint(n))
				case 5:
					c.do("MULTI")
					c.do(fmt.Sprintf("SET %s %d", key, n))
					c.do("EXEC")
				default:
					c.do(fmt.Sprintf("SET %s %d", key, n))
				}
				written[k].Store(n)
				raise(k, n)
			}
		})
	}
	for i, f := range fetches {
		c := &cacheClient{client: dial(t, srv), cache: map[string]int64{}}
		rnd := rand.New(rand.NewPCG(4, uint64(i)))
		readers.Go(func() {
			c.do("HELLO 3")
			c.do(f.on)
			hits := 0
			deadline := time.Now().Add(patience)
			// On a busy machine it may take a while until a writer's turn comes.
			for n := 0; n < rounds || c.push == 0 && time.Now().Before(deadline); n++ {
				k := rnd.IntN(keys)
				key := fmt.Sprint("k", k)
				if _, ok := c.cache[key]; !ok {
					c.send(f.requests(key))
					var replies []string
					for range f.replies {
						replies = append(replies, c.reply())
					}
					if n, ok := value(f.last(replies)); ok {
						c.cache[key] = n
					}
					continue
				}
				gone := floor[k].Load()
				c.send(requests("PING"))
				if r := c.reply(); r != "+PONG\r\n" {
					t.Errorf("%s: %q", f.name, r)
				}
				if n, ok := c.cache[key]; ok {
					if hits++; n < gone {
						t.Errorf("%s: the cache holds version %d of %s after somebody was told that it is %d", f.name, n, key, gone)
					}
				}
			}
			if c.push == 0 {
				t.Errorf("%s: not a single message", f.name)
			}
		})
	}
	readers.Wait()
	close(stop)
	others.Wait()
}

// TestTrackedRedirection has messages follow a connection that moves, and end with it.
func TestTrackedRedirection(t *testing.T) {
	srv := openServer(t)
	a, b, w := dial(t, srv), dial(t, srv), dial(t, srv)
	b.do("SUBSCRIBE __redis__:invalidate")
	id := srv.clients.get(2)
	if id == nil {
		t.Fatal("there is no second client")
	}
	a.want("CLIENT TRACKING on REDIRECT 2", "+OK\r\n")
	a.do("GET k")
	w.do("SET k 1")
	if got, want := b.read(), "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\nk\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	b.Close()
	waitFor(t, "the client to be forgotten", func() bool { return srv.clients.get(2) == nil })
	a.do("GET k")
	w.do("SET k 1")
	waitFor(t, "the flag", func() bool { return strings.Contains(a.do("CLIENT TRACKINGINFO"), "broken_redirect") })
}

// TestTrackedEvictions: keys that go because memory is short, or because the table is full, are told of.
func TestTrackedEvictions(t *testing.T) {
	srv := openServer(t, "tracking-table-max-keys", "50")
	c := &cacheClient{client: dial(t, srv), cache: map[string]int64{}}
	c.do("HELLO 3")
	c.do("CLIENT TRACKING on")
	for i := range 200 {
		c.send(requests(fmt.Sprint("GET k", i)))
		c.reply()
		c.cache[fmt.Sprint("k", i)] = 1
	}
	c.send(requests("PING"))
	c.reply()
	if n := len(c.cache); n != 50 {
		t.Errorf("%d keys are in the cache, 50 are tracked", n)
	}
	w := dial(t, srv)
	if info := w.do("INFO stats"); !strings.Contains(info, "tracking_total_keys:50\r\ntracking_total_items:50\r\n") {
		t.Error(info)
	}
	w.do("CONFIG SET maxmemory-policy allkeys-random")
	w.do("FLUSHALL")
	for i := range 20 {
		w.doArgs("SET", fmt.Sprint("big", i), strings.Repeat("x", 64<<10))
		c.send(requests(fmt.Sprint("STRLEN big", i)))
		c.reply()
		c.cache[fmt.Sprint("big", i)] = 1
	}
	w.do("CONFIG SET maxmemory 1800000")
	deadline := time.Now().Add(patience)
	for {
		left := strings.Trim(w.do("DBSIZE"), ":\r\n")
		c.send(requests("PING"))
		c.reply()
		n := 0
		for k := range c.cache {
			if strings.HasPrefix(k, "big") {
				n++
			}
		}
		if left != "20" && fmt.Sprint(n) == left {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s keys are left, %d in the cache", left, n)
		}
	}
}

// TestTrackedSlowReader: what is told to a client that never reads costs others nothing, and an end by the limit of its output.
func TestTrackedSlowReader(t *testing.T) {
	srv := openServer(t, "client-output-buffer-limit", "normal 1mb 0 0")
	slow, w := dial(t, srv), dial(t, srv)
	slow.narrow()
	slow.do("HELLO 3")
	slow.do("CLIENT TRACKING on BCAST")
	key := "SET " + strings.Repeat("k", 4096) + " "
	waitFor(t, "the client to be closed", func() bool {
		for i := range 100 {
			w.want(key+strconv.Itoa(i), "+OK\r\n")
		}
		return srv.clients.get(1) == nil
	})
	alive(t, w)
}
