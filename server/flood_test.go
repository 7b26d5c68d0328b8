package server

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestManyIdle: connections that send a byte now and then cost little, and nothing when they are gone.
func TestManyIdle(t *testing.T) {
	srv := openServer(t)
	other := dial(t, srv)
	pings := startPinger(t, srv)
	const n = 300
	memory, goroutines := heap(), runtime.NumGoroutine()
	conns := make([]net.Conn, n)
	for i := range conns {
		nc, err := net.DialTimeout("tcp", srv.Addr(), patience)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(6 * patience))
		conns[i] = nc
	}
	input := encode("INCR", "n")
	for at := range len(input) {
		if at == len(input)-1 {
			other.want("EXISTS n", ":0\r\n") // nothing is done before the last byte
			if each := (heap() - memory) / n; each > 8<<10 {
				t.Errorf("a connection with half a request takes %d bytes", each)
			}
		}
		for _, nc := range conns {
			if _, err := io.WriteString(nc, input[at:at+1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	sum := 0
	for _, nc := range conns {
		var number int
		if _, err := fmt.Fscanf(nc, ":%d\r\n", &number); err != nil {
			t.Fatal(err)
		}
		sum += number
	}
	if sum != n*(n+1)/2 {
		t.Errorf("the replies add up to %d", sum)
	}
	if each := (heap() - memory) / n; each > 8<<10 {
		t.Errorf("an idle connection takes %d bytes", each)
	}
	if more := runtime.NumGoroutine() - goroutines; more > n/10 {
		t.Errorf("%d connections take %d goroutines", n, more)
	}
	alive(t, other)
	// They go in all three ways: by a reset, in the middle of a request, and in order.
	for i, nc := range conns {
		switch i % 3 {
		case 0:
			_ = nc.(*net.TCPConn).SetLinger(0)
		case 1:
			_, _ = io.WriteString(nc, input[:5])
		}
		nc.Close()
		conns[i] = nil
	}
	waitFor(t, "all to be forgotten", func() bool { return srv.clients.count() == 2 })
	givenBack(t, memory, mib)
	pings.check(t)
}

// TestPasswordGuessing: whoever guesses passwords is told nothing, holds nobody up, and leaves nothing behind.
func TestPasswordGuessing(t *testing.T) {
	srv := openServer(t)
	pings, other := startPinger(t, srv), dial(t, srv) // they come before there is a password
	other.want("CONFIG SET requirepass sesame", "+OK\r\n")
	other.want("CONFIG RESETSTAT", "+OK\r\n")
	const (
		wrong   = "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
		noauth  = "-NOAUTH Authentication required.\r\n"
		clients = 8
		rounds  = 1000
	)
	var input, want strings.Builder
	for i := range rounds {
		for _, guess := range [][2]string{
			{encode("AUTH", fmt.Sprint(i)), wrong},
			{encode("AUTH", "default", "sesam"), wrong},
			{encode("AUTH", "default", "sesame\x00"), wrong},
			{encode("AUTH", "DEFAULT", "sesame"), wrong},
			{encode("AUTH", fmt.Sprintf("user%d", i), "sesame"), wrong},
			{encode("AUTH", "", ""), wrong},
			{encode("AUTH", "a", "b", "c"), "-ERR syntax error\r\n"},
			{encode("HELLO", "3", "AUTH", "nobody", "sesame"), wrong},
			{encode("GET", "k"), noauth},
		} {
			input.WriteString(guess[0])
			want.WriteString(guess[1])
		}
	}
	before := heap()
	var wg sync.WaitGroup
	for range clients {
		c := dial(t, srv)
		go c.send(input.String() + requests("AUTH default sesame", "ECHO in"))
		wg.Go(func() {
			c.expect(want.String() + "+OK\r\n" + bulk("in"))
		})
	}
	wg.Wait()
	pings.check(t)
	givenBack(t, before, 4*mib)
	if got := other.do("INFO errorstats"); !strings.Contains(got, fmt.Sprintf("errorstat_WRONGPASS:count=%d\r\n", 7*rounds*clients)) {
		t.Errorf("INFO errorstats = %.300q", got)
	}
	alive(t, other)
}

// TestLargeAlgebra combines large inputs while others use other keys. A command holds up the clients of its own event
// loop, so the others are here on a Unix socket, whose clients have none: they wait only for those who share a shard.
func TestLargeAlgebra(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	srv := openWith(t, Options{Addr: "127.0.0.1:0"}, "unixsocket", path)
	c, other := dial(t, srv), dial(t, srv)
	const n, step = 100_000, 10_000
	for i := 0; i < n; i += step {
		z, s1, s2 := []string{"ZADD", "z"}, []string{"SADD", "s1"}, []string{"SADD", "s2"}
		for j := i; j < i+step; j++ {
			here, there := fmt.Sprintf("m%d", j), fmt.Sprintf("m%d", j+n/2)
			z, s1, s2 = append(z, "1", here), append(s1, here), append(s2, there)
		}
		c.send(encode(z...) + encode(s1...) + encode(s2...))
		for range 3 {
			if got := c.read(); got != fmt.Sprintf(":%d\r\n", step) {
				t.Fatalf("got %q", got)
			}
		}
	}
	for _, row := range []struct {
		line string
		size int
	}{{"ZUNIONSTORE d 2 z s2", n + n/2}, {"ZINTERSTORE d 3 z s1 s2 WEIGHTS 1 2 3", n / 2}, {"SINTERSTORE d s1 s2", n / 2}} {
		// Everybody may have to wait for the machine, but hardly three times.
		for attempt := 1; ; attempt++ {
			stop := make(chan struct{})
			var wg sync.WaitGroup
			var worst [4]time.Duration
			for i := range worst { // some of the keys, but hardly all, may share a shard with the inputs
				asker := dialAddr(t, "unix", path)
				asker.want(fmt.Sprintf("SET k%d v", i), "+OK\r\n")
				wg.Go(func() {
					for {
						start := time.Now()
						asker.want(fmt.Sprintf("GET k%d", i), bulk("v"))
						worst[i] = max(worst[i], time.Since(start))
						select {
						case <-stop:
							return
						case <-time.After(time.Millisecond):
						}
					}
				})
			}
			start := time.Now()
			c.want(row.line, fmt.Sprintf(":%d\r\n", row.size))
			took := time.Since(start)
			close(stop)
			wg.Wait()
			least := slices.Min(worst[:])
			if least <= took/2+10*time.Millisecond {
				break
			}
			if attempt == 3 {
				t.Errorf("%s took %v, every other client waited %v", row.line, took, least)
				break
			}
		}
	}
	c.want("SINTERCARD 2 s1 s2", fmt.Sprintf(":%d\r\n", n/2))
	c.want("ZINTERCARD 2 z s2 LIMIT 7", ":7\r\n")
	other.want("SCARD d", fmt.Sprintf(":%d\r\n", n/2))
	alive(t, other)
}

// TestParallelScans has many clients walk while keys and elements come and go: what stays is seen by each.
func TestParallelScans(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	const n = 1000
	var load strings.Builder
	for i := range n {
		load.WriteString(requests(fmt.Sprintf("SET stay%d v", i), fmt.Sprintf("HSET {h} stay%d v", i),
			fmt.Sprintf("SADD {s} stay%d", i), fmt.Sprintf("ZADD {z} %d stay%d", i, i)))
	}
	c.send(load.String())
	for range 4 * n {
		if got := c.read(); got != "+OK\r\n" && got != ":1\r\n" {
			t.Fatalf("got %q", got)
		}
	}
	stop := make(chan struct{})
	var changes, walks sync.WaitGroup
	for who := range 2 {
		m := dial(t, srv)
		changes.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				// Two thousand of each come and go: tables grow and shrink.
				var b strings.Builder
				for j := range 100 {
					name := fmt.Sprintf("go%d:%d", who, i%20*100+j)
					if i/20%2 == 0 {
						b.WriteString(requests("SET "+name+" v", "HSET {h} "+name+" v", "SADD {s} "+name, "ZADD {z} 1 "+name))
					} else {
						b.WriteString(requests("DEL "+name, "HDEL {h} "+name, "SREM {s} "+name, "ZREM {z} "+name))
					}
				}
				m.send(b.String())
				for range 400 {
					m.read()
				}
			}
		})
	}
	pings := startPinger(t, srv)
	for i := range 24 {
		w := dial(t, srv)
		line, pairs := "SCAN %s COUNT 100", false
		switch i % 4 {
		case 1:
			line, pairs = "HSCAN {h} %s COUNT 100", true
		case 2:
			line = "SSCAN {s} %s COUNT 50"
		case 3:
			line, pairs = "ZSCAN {z} %s COUNT 200", true
		}
		walks.Go(func() {
			seen := map[string]bool{}
			for cursor, calls := "0", 0; calls == 0 || cursor != "0"; calls++ {
				if calls > 10*n {
					t.Errorf("%s does not end", line)
					return
				}
				parts := strings.Split(w.do(fmt.Sprintf(line, cursor)), "\r\n")
				if len(parts) < 4 || parts[0] != "*2" {
					t.Errorf("%s = %.200q", line, parts)
					return
				}
				cursor = parts[2]
				for at := 5; at < len(parts); at += 2 {
					seen[parts[at]] = true
					if pairs {
						at += 2
					}
				}
			}
			missed := 0
			for j := range n {
				if !seen[fmt.Sprintf("stay%d", j)] {
					missed++
				}
			}
			if missed > 0 {
				t.Errorf("%s missed %d of %d that stay", line, missed, n)
			}
		})
	}
	walks.Wait()
	close(stop)
	changes.Wait()
	pings.check(t)
	alive(t, c)
}

// TestLongTransaction queues very many commands. They are carried out at once, or forgotten.
func TestLongTransaction(t *testing.T) {
	srv := openServer(t)
	c, other := dial(t, srv), dial(t, srv)
	const n = 100_000
	queue := requests("MULTI") + strings.Repeat(requests("INCR n"), n)
	queued := "+OK\r\n" + strings.Repeat("+QUEUED\r\n", n)
	before := heap()
	pings := startPinger(t, srv)
	go c.send(queue + requests("MULTI", "SHUTDOWN NOSAVE", "EXEC", "EXEC"))
	c.expect(queued + "-ERR MULTI calls can not be nested\r\n-ERR Command not allowed inside a transaction\r\n" +
		"-EXECABORT Transaction discarded because of previous errors.\r\n-ERR EXEC without MULTI\r\n")
	go c.send(queue + requests("DISCARD"))
	c.expect(queued + "+OK\r\n")
	other.want("EXISTS n", ":0\r\n")
	go c.send(queue + requests("BLPOP q 0", "EXEC"))
	var results strings.Builder
	for i := range n {
		fmt.Fprintf(&results, ":%d\r\n", i+1)
	}
	c.expect(queued + fmt.Sprintf("+QUEUED\r\n*%d\r\n", n+1) + results.String() + "*-1\r\n")
	other.want("GET n", bulk(fmt.Sprint(n)))
	pings.check(t)
	givenBack(t, before, 8*mib)
	// Who goes leaves a queue that nobody carries out.
	gone := dial(t, srv)
	gone.send(requests("MULTI", "SET n gone", "SET n gone"))
	gone.read()
	gone.Close()
	waitFor(t, "the client to be forgotten", func() bool { return srv.clients.count() == 3 })
	other.want("GET n", bulk(fmt.Sprint(n)))
	alive(t, other)
}

// colliding makes n different words to which a hash function of 16 bits, or the low 16 bits of a wider one, gives the
// same value: words of blocks each of which leads the function from its first state back there.
func colliding(t testing.TB, n int, start uint16, step func(h uint16, c byte) uint16) []string {
	t.Helper()
	var blocks []string
	for i := range 1 << 24 {
		b := [3]byte{byte(i >> 16), byte(i >> 8), byte(i)}
		if step(step(step(start, b[0]), b[1]), b[2]) == start {
			if blocks = append(blocks, string(b[:])); len(blocks) == 8 {
				break
			}
		}
	}
	words := []string{""}
	for len(words) < n {
		var longer []string
		for _, w := range words {
			for _, b := range blocks {
				if longer = append(longer, w+b); len(longer) == n {
					break
				}
			}
			if len(longer) == n {
				break
			}
		}
		if len(longer) <= len(words) {
			t.Fatalf("only %d blocks", len(blocks))
		}
		words = longer
	}
	return words
}

// TestHashFlooding: names that collide in the hash functions everybody knows are as good as any others.
func TestHashFlooding(t *testing.T) {
	srv := openServer(t)
	c := dial(t, srv)
	const n = 30_000
	plain, tagged := make([]string, n), make([]string, n)
	for i := range n {
		plain[i], tagged[i] = fmt.Sprintf("%018d", i), fmt.Sprintf("{tag}%013d", i)
	}
	djb := func(h uint16, c byte) uint16 { return h*33 + uint16(c) }
	fnv := func(prime uint16) func(h uint16, c byte) uint16 {
		return func(h uint16, c byte) uint16 { return (h ^ uint16(c)) * prime }
	}
	names := map[string][]string{
		"DJB":         colliding(t, n, 5381, djb),
		"FNV-1a 32":   colliding(t, n, 0x9dc5, fnv(0x0193)),
		"FNV-1a 64":   colliding(t, n, 0x2325, fnv(0x01b3)),
		"one hashtag": tagged,
	}
	add := func(line, value string, words []string) time.Duration {
		t.Helper()
		var b strings.Builder
		const part = n / 10
		for i := 0; i < n; i += part {
			args := strings.Fields(line)
			for _, w := range words[i : i+part] {
				switch args[0] {
				case "ZADD":
					args = append(args, value, w)
				case "SADD":
					args = append(args, w)
				default:
					args = append(args, w, value)
				}
			}
			b.WriteString(encode(args...))
		}
		start := cpuTime()
		go c.send(b.String())
		for range 10 {
			if got := c.read(); got != fmt.Sprintf(":%d\r\n", part) && got != "+OK\r\n" {
				t.Fatalf("%s: %.100q", line, got)
			}
		}
		return cpuTime() - start
	}
	pings := startPinger(t, srv)
	for _, row := range []struct{ line, count, family string }{
		{"HSET k", "HLEN k", "FNV-1a 32"},
		{"SADD k", "SCARD k", "DJB"},
		{"ZADD k", "ZCARD k", "FNV-1a 64"},
		{"MSET", "DBSIZE", "FNV-1a 32"},
		{"MSET", "DBSIZE", "one hashtag"},
	} {
		// A slow machine may take its time over one run; colliding names would slow down every one.
		slow := 0
		for range 3 {
			usual := add(row.line, "1", plain)
			c.want(row.count, fmt.Sprintf(":%d\r\n", n))
			c.want("FLUSHALL", "+OK\r\n")
			took := add(row.line, "1", names[row.family])
			c.want(row.count, fmt.Sprintf(":%d\r\n", n))
			c.want("FLUSHALL", "+OK\r\n")
			if took <= 4*usual+200*time.Millisecond {
				break
			}
			t.Logf("%s with names that collide in %s takes %v, with others %v", row.line, row.family, took, usual)
			slow++
		}
		if slow == 3 {
			t.Errorf("%s is slow with names that collide in %s", row.line, row.family)
		}
	}
	pings.check(t)
}
