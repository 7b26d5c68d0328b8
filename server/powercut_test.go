package server

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/streampulse/pulse/internal/vfs"
)

// saw says that a client was told, when so many operations on files were done, that round i of a key was there.
type saw struct {
	op, round int
	key       string
}

// TestPowerCutOfServer stops the machine under a server with appendfsync always, while clients write and read and the log
// is rewritten: what anybody was told is there, and transactions and scripts are whole or absent.
func TestPowerCutOfServer(t *testing.T) {
	const writers, rounds = 4, 12
	samples := 40
	if testing.Short() {
		samples = 10
	}
	d := newDisk(t)
	srv := d.open("appendonly", "yes", "appendfsync", "always")
	var mu sync.Mutex
	var told []saw
	tell := func(key string, round int) {
		op := d.mem.Count()
		mu.Lock()
		told = append(told, saw{op, round, key})
		mu.Unlock()
	}
	var wg sync.WaitGroup
	for w := range writers {
		c, r := dial(t, srv), dial(t, srv)
		done := make(chan struct{})
		wg.Add(2)
		go func() {
			defer wg.Done()
			defer close(done)
			for i := 1; i <= rounds; i++ {
				for _, step := range []struct {
					key string
					do  []string
				}{
					{"set", []string{fmt.Sprintf("SET set:%d %d", w, i)}},
					{"incr", []string{fmt.Sprintf("INCR incr:%d", w)}},
					{"list", []string{fmt.Sprintf("RPUSH list:%d %d", w, i)}},
					{"hash", []string{fmt.Sprintf("HSET hash:%d f %d pad %s", w, i, strings.Repeat("x", 700))}},
					{"multi", []string{"MULTI", fmt.Sprintf("SET multi:%d %d", w, i), fmt.Sprintf("SET twin:multi:%d %d", w, i), "EXEC"}},
				} {
					for _, line := range step.do {
						c.send(encode(strings.Fields(line)...))
					}
					for range step.do {
						if got := c.read(); got[0] == '-' {
							t.Errorf("%s: %q", step.key, got)
							return
						}
					}
					tell(fmt.Sprintf("%s:%d", step.key, w), i)
				}
				key := fmt.Sprintf("script:%d", w)
				c.doArgs("EVAL", "redis.call('SET', KEYS[1], ARGV[1]) redis.call('SET', KEYS[2], ARGV[1])", "2", key, "twin:"+key, strconv.Itoa(i))
				tell(key, i)
			}
		}()
		go func() { // a reader sees nothing that is gone later
			defer wg.Done()
			for {
				select {
				case <-done:
					return
				default:
				}
				for _, kind := range []string{"set", "incr", "multi", "script"} {
					key := fmt.Sprintf("%s:%d", kind, w)
					if lines := strings.Split(r.do("GET "+key), "\r\n"); len(lines) > 2 {
						n, _ := strconv.Atoi(lines[1])
						tell(key, n)
					}
				}
			}
		}()
	}
	c := dial(t, srv)
	for range 3 {
		c.want("BGREWRITEAOF", "+Background append only file rewriting started\r\n")
		c.untilInfo("aof_rewrite_in_progress:0")
	}
	wg.Wait()
	rng := rand.New(rand.NewPCG(5, 6))
	for range samples {
		cut := vfs.Cut{Op: rng.IntN(d.mem.Count() + 1), Kind: vfs.CutKind(rng.IntN(int(vfs.CutRandom) + 4)), Seed: rng.Uint64()}
		cut.Kind = min(cut.Kind, vfs.CutRandom)
		again := diskFrom(t, d.mem.CrashAt(cut))
		after := again.open("appendonly", "yes")
		c := dial(t, after)
		round := func(key string) int {
			var reply string
			switch kind, _, _ := strings.Cut(key, ":"); kind {
			case "list":
				n, _ := strconv.Atoi(strings.Trim(c.do("LLEN "+key), ":\r\n"))
				for i := range n {
					c.want(fmt.Sprintf("LINDEX %s %d", key, i), fmt.Sprintf("$%d\r\n%d\r\n", len(fmt.Sprint(i+1)), i+1))
				}
				return n
			case "hash":
				reply = c.do("HGET " + key + " f")
			default:
				reply = c.do("GET " + key)
			}
			lines := strings.Split(reply, "\r\n")
			if len(lines) < 3 {
				return 0
			}
			n, _ := strconv.Atoi(lines[1])
			return n
		}
		for _, s := range told {
			if s.op <= cut.Op && round(s.key) < s.round {
				t.Fatalf("%v: %s is %d, somebody was told of %d after operation %d", cut, s.key, round(s.key), s.round, s.op)
			}
		}
		for w := range writers {
			for _, key := range []string{fmt.Sprintf("multi:%d", w), fmt.Sprintf("script:%d", w)} {
				if a, b := round(key), round("twin:"+key); a != b {
					t.Fatalf("%v: %s is %d, its twin %d", cut, key, a, b)
				}
			}
		}
		closeServer(t, after)
	}
}

// TestPowerCutEverySecond: what was written last is synced although nothing follows.
func TestPowerCutEverySecond(t *testing.T) {
	d := newDisk(t)
	srv := d.open("appendonly", "yes")
	c := dial(t, srv)
	c.want("SET k v", "+OK\r\n")
	until(t, "an fsync", func() bool { l := srv.files.log.Load(); return l.Synced() == l.Position() })
	again := diskFrom(t, d.mem.CrashAt(vfs.Cut{Op: d.mem.Count(), Kind: vfs.CutLost}))
	dial(t, again.open("appendonly", "yes")).want("GET k", "$1\r\nv\r\n")
}

// TestPowerCutWhileSaving stops the machine at every step of SAVE and BGSAVE: the file is the old one or the new one.
func TestPowerCutWhileSaving(t *testing.T) {
	d := newDisk(t)
	srv := d.open()
	c := dial(t, srv)
	state := func(n int) {
		for i := range 20 {
			c.do(fmt.Sprintf("SET k%d %d", i, n))
		}
	}
	state(1)
	c.want("SAVE", "+OK\r\n")
	d.mem.Forget()
	first := d.mem.Count()
	state(2)
	c.want("SAVE", "+OK\r\n")
	second := d.mem.Count()
	state(3)
	c.want("BGSAVE", "+Background saving started\r\n")
	c.untilInfo("rdb_bgsave_in_progress:0")
	third := d.mem.Count()
	for cut, image := range d.mem.Crashes(7, 2) {
		after := diskFrom(t, image).open()
		a := dial(t, after)
		reply := a.do("GET k0")
		n, _ := strconv.Atoi(strings.Split(reply, "\r\n")[1])
		switch {
		case cut.Op == first && n != 1, cut.Op < second && n > 2, cut.Op == second && n != 2, cut.Op > second && n < 2, cut.Op == third && n != 3, n < 1:
			t.Fatalf("%v: the file of save %d", cut, n)
		}
		for i := range 20 {
			a.want(fmt.Sprintf("GET k%d", i), reply)
		}
		closeServer(t, after)
	}
}
