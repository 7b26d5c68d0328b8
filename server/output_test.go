package server

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streampulse/pulse/store"
)

type countedLoan struct{ returned int }

func (l *countedLoan) Return() { l.returned++ }

// TestOutput adds, takes and drops at random.
func TestOutput(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var o output
		var want []byte
		var loans []*countedLoan
		for range 30 {
			switch rnd.IntN(4) {
			case 0:
				b := bytes.Repeat([]byte{byte(rnd.IntN(256))}, rnd.IntN(50))
				o.append(b)
				want = append(want, b...)
				clear(b) // it is not o's
			case 1:
				b := bytes.Repeat([]byte{byte(rnd.IntN(256))}, 1+rnd.IntN(50))
				l := new(countedLoan)
				loans = append(loans, l)
				o.parts = append(o.parts, part{b, l})
				o.bytes += len(b)
				o.lent += len(b)
				want = append(want, b...)
			default:
				var vec [3][]byte
				got := bytes.Join(o.next(vec[:], 1+rnd.IntN(100)), nil)
				if !bytes.HasPrefix(want, got) {
					t.Fatalf("%q are not the first of %q", got, want)
				}
				n := rnd.IntN(len(got) + 1)
				o.sent(n)
				want = want[n:]
			}
			if o.bytes != len(want) {
				t.Fatalf("%d bytes, want %d", o.bytes, len(want))
			}
		}
		if rnd.IntN(2) == 0 {
			o.sent(o.bytes)
		}
		if o.drop(); o.bytes != 0 || o.lent != 0 {
			t.Fatalf("%d bytes, %d of them lent, are left of nothing", o.bytes, o.lent)
		}
		for _, l := range loans {
			if l.returned != 1 {
				t.Fatalf("a loan was returned %d times", l.returned)
			}
		}
	}
}

// lentValue is well above what is lent, and fits the share of a loop.
const lentValue = 3 * store.LendMin

func valueOf(c byte) string { return strings.Repeat(string(rune(c)), lentValue) }

// TestLentReplies asks for large values in all ways, on all kinds of connections.
func TestLentReplies(t *testing.T) {
	path := t.TempDir() + "/s"
	srv := openServer(t, "unixsocket", path)
	for name, c := range map[string]*client{"tcp": dial(t, srv), "unix": dialAddr(t, "unix", path)} {
		t.Run(name, func(t *testing.T) {
			a, b := valueOf('a'), valueOf('b')
			c.want("FLUSHALL", "+OK\r\n")
			for _, args := range [][]string{{"SET", "a", a}, {"SET", "b", b}, {"SET", "n", "12"}} {
				if got := c.doArgs(args...); got != "+OK\r\n" {
					t.Fatal(got)
				}
			}
			c.doArgs("HSET", "h", "f", a, "n", "7")
			for _, row := range []struct{ line, want string }{
				{"GET a", bulk(a)},
				{"MGET a n b none a", "*5\r\n" + bulk(a) + bulk("12") + bulk(b) + "$-1\r\n" + bulk(a)},
				{"GETRANGE a 1 -1", bulk(a[1:])},
				{"GETRANGE a 0 9", bulk(a[:10])},
				{"GETEX a PERSIST", bulk(a)},
				{"HGET h f", bulk(a)},
				{"HMGET h n f x", "*3\r\n" + bulk("7") + bulk(a) + "$-1\r\n"},
				{"EVAL return{redis.call('GET',KEYS[1]),1} 1 a", "*2\r\n" + bulk(a) + ":1\r\n"},
				{"SET a x GET", bulk(a)},
				{"GET a", bulk("x")},
				{"GETDEL b", bulk(b)},
				{"GET b", "$-1\r\n"},
			} {
				if got := c.do(row.line); got != row.want {
					t.Errorf("%s: %d bytes, want %d: %.60q", row.line, len(got), len(row.want), got)
				}
			}
			if got := c.do("HVALS h"); len(got) != len("*2\r\n"+bulk("7")+bulk(a)) || !strings.Contains(got, bulk(a)) {
				t.Errorf("HVALS: %d bytes", len(got))
			}
			if got := c.do("HGETALL h"); !strings.Contains(got, bulk("f")+bulk(a)) || !strings.Contains(got, bulk("n")+bulk("7")) {
				t.Errorf("HGETALL: %d bytes", len(got))
			}
			// What follows in the same batch does not show in replies that were made before.
			c.doArgs("SET", "a", a)
			c.send(requests("GET a", "MULTI", "GET a", "SETRANGE a 5 zzz", "GET a", "APPEND a end", "GET a", "DEL a", "EXEC", "PING"))
			z := a[:5] + "zzz" + a[8:]
			c.expect(bulk(a) + "+OK\r\n" + strings.Repeat("+QUEUED\r\n", 6) + "*6\r\n" +
				bulk(a) + fmt.Sprintf(":%d\r\n", len(a)) + bulk(z) + fmt.Sprintf(":%d\r\n", len(a)+3) + bulk(z+"end") + ":1\r\n" + pong)
			// Replies that are taken back borrow nothing for long.
			c.doArgs("SET", "a", a)
			c.send(requests("CLIENT REPLY OFF", "GET a", "CLIENT REPLY ON", "CLIENT REPLY SKIP", "GET a", "PING"))
			c.expect("+OK\r\n" + pong)
			c.want("SET a 1 GET EX 0", "-ERR invalid expire time in 'set' command\r\n")
			c.want("FLUSHALL", "+OK\r\n")
			waitFor(t, "nothing to be borrowed any more", func() bool { return srv.store.OtherMemory() < startupMemory+2*clientMemory+512<<10 })
		})
	}
}

// TestLentRepliesKept: with appendfsync always replies wait for the disk, and large values may be overwritten meanwhile.
func TestLentRepliesKept(t *testing.T) {
	srv := openWith(t, Options{Addr: "127.0.0.1:0", Dir: t.TempDir()}, "appendonly", "yes", "appendfsync", "always")
	c := dial(t, srv)
	a, b := valueOf('a'), valueOf('b')
	c.send(encode("SET", "k", a) + encode("GET", "k") + encode("SET", "k", b) + requests("GET k", "SETRANGE k 0 x", "GET k"))
	c.expect("+OK\r\n" + bulk(a) + "+OK\r\n" + bulk(b) + fmt.Sprintf(":%d\r\n", len(b)) + bulk("x"+b[1:]))
}

// TestUnreadLoans has many clients ask for one large value and read nothing.
func TestUnreadLoans(t *testing.T) {
	srv := openServer(t)
	other := dial(t, srv)
	const size, clients = 20 * mib, 30
	other.doArgs("SET", "big", strings.Repeat("x", size))
	used, before := srv.usedMemory(), heap()
	var all []*client
	for range clients {
		c := dial(t, srv)
		c.narrow()
		c.send(strings.Repeat(requests("GET big"), 10))
		all = append(all, c)
	}
	stuck := func() bool {
		for _, c := range all {
			if c.unsent(srv) < size/2 {
				return false
			}
		}
		return true
	}
	waitFor(t, "the replies to wait", stuck)
	if grown := heap() - before; grown > size {
		t.Errorf("the replies that nobody reads take %d MiB", grown/mib)
	}
	if grown := srv.usedMemory() - used; grown > 8*mib {
		t.Errorf("used memory has grown by %d MiB", grown/mib)
	}
	if got := other.do("CLIENT LIST"); strings.Count(got, " oll=1 ") < clients {
		t.Errorf("CLIENT LIST does not show %d clients with output:\n%.1000s", clients, got)
	}
	alive(t, other)
	// The value goes; what clients wait for remains, and counts once.
	other.want("DEL big", ":1\r\n")
	if now := srv.usedMemory(); now < used-mib || now > used+8*mib {
		t.Errorf("%d MiB are used when the value has gone, %d before", now/mib, used/mib)
	}
	want := "$" + fmt.Sprint(size) + "\r\n" + strings.Repeat("x", size) + "\r\n$-1\r\n"
	all[0].expect(want)
	for i, c := range all {
		if i%2 == 0 {
			c.Close()
		}
	}
	other.want("CONFIG SET maxmemory-clients 10mb", "+OK\r\n")
	waitFor(t, "the clients to go", func() bool { return srv.clients.count() <= 2 })
	waitFor(t, "the memory to be free", func() bool { return srv.usedMemory() < used-size+mib })
	if grown := heap() - before; grown > 0 {
		t.Errorf("%d KiB are held for nobody", grown>>10)
	}
}

// TestLentLimit: what is borrowed counts for the limit of a client.
func TestLentLimit(t *testing.T) {
	srv := openServer(t, "client-output-buffer-limit", "normal 4mb 0 0")
	other := dial(t, srv)
	other.doArgs("SET", "big", strings.Repeat("x", 20*mib))
	base := srv.store.OtherMemory()
	c := dial(t, srv)
	c.narrow()
	c.want("PING", pong) // or it might be waited for before it is there
	c.send(requests("PING", "GET big"))
	waitFor(t, "the client to be closed", func() bool { return srv.clients.count() == 1 })
	other.want("DEL big", ":1\r\n")
	waitFor(t, "the loan to be returned", func() bool { return srv.store.OtherMemory() < base+mib })
}

// TestLentWhileChanged reads values that change all the time: each reply is one value.
func TestLentWhileChanged(t *testing.T) {
	srv := openServer(t)
	const size = 2 * mib // more than a loop sends
	w := dial(t, srv)
	w.doArgs("SET", "k", strings.Repeat("a", size))
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		c := dial(t, srv)
		wg.Go(func() {
			c.SetDeadline(time.Now().Add(6 * patience))
			header := fmt.Sprintf("$%d\r\n", size)
			buf := make([]byte, len(header)+size+2)
			for n := 0; n < 3 || !closed(done); n++ {
				if _, err := io.WriteString(c.Conn, requests("GET k", "GET k")); err != nil {
					t.Error(err)
					return
				}
				for range 2 {
					if _, err := io.ReadFull(c.r, buf); err != nil || string(buf[:len(header)]) != header {
						t.Errorf("%v: %.20q", err, buf)
						return
					}
					value := buf[len(header) : len(header)+size]
					if bytes.Count(value, value[:1]) != size {
						t.Error("a reply is made of two values")
						return
					}
				}
			}
		})
	}
	for i := range 12 {
		v := strings.Repeat(string(rune('a'+i%26)), size)
		if i%2 == 0 {
			w.want("SETRANGE k 0 "+v, fmt.Sprintf(":%d\r\n", size))
		} else {
			w.doArgs("SET", "k", v)
		}
	}
	close(done)
	wg.Wait()
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
