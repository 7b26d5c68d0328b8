package commands

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/store"
)

// TestWaiting tells short stories: "2 BLPOP x 0" is client 2 saying so, "2 < reply" is what arrives for it meanwhile,
// "(blocked)" is no reply yet.
func TestWaiting(t *testing.T) {
	for name, story := range map[string][]exchange{
		"first come, first served": {
			{"1 BLPOP q 0", "(blocked)"}, {"2 BLPOP q 0", "(blocked)"}, {"3 BRPOP q 0", "(blocked)"},
			{"9 RPUSH q a b", ":2\r\n"},
			{"1 <", "*2\r\n$1\r\nq\r\n$1\r\na\r\n"}, {"2 <", "*2\r\n$1\r\nq\r\n$1\r\nb\r\n"}, {"3 <", ""},
			{"9 LPUSH q c d", ":2\r\n"}, {"3 <", "*2\r\n$1\r\nq\r\n$1\r\nc\r\n"}, {"9 LLEN q", ":1\r\n"},
		},
		"the order of arguments decides": {
			{"1 BLPOP a b c 0", "(blocked)"}, {"9 MULTI", "+OK\r\n"}, {"9 LPUSH c 3", "+QUEUED\r\n"}, {"9 LPUSH b 2", "+QUEUED\r\n"},
			{"9 EXEC", "*2\r\n:1\r\n:1\r\n"}, {"1 <", "*2\r\n$1\r\nb\r\n$1\r\n2\r\n"}, {"9 LLEN c", ":1\r\n"},
		},
		"the same key twice": {
			{"1 BLPOP a a 0", "(blocked)"}, {"9 LPUSH a 1 2", ":2\r\n"}, {"1 <", "*2\r\n$1\r\na\r\n$1\r\n2\r\n"}, {"9 LLEN a", ":1\r\n"},
		},
		"chain": {
			{"1 BLPOP y 0", "(blocked)"}, {"2 BLMOVE x y LEFT RIGHT 0", "(blocked)"}, {"3 BRPOPLPUSH w x 0", "(blocked)"},
			{"9 LPUSH w e", ":1\r\n"}, {"3 <", "$1\r\ne\r\n"}, {"2 <", "$1\r\ne\r\n"}, {"1 <", "*2\r\n$1\r\ny\r\n$1\r\ne\r\n"},
			{"9 LLEN y", ":0\r\n"},
		},
		"ring": {
			{"1 BLMOVE x x LEFT RIGHT 0", "(blocked)"}, {"2 BLMOVE x x LEFT RIGHT 0", "(blocked)"},
			{"9 RPUSH x a b", ":2\r\n"}, {"1 <", "$1\r\na\r\n"}, {"2 <", "$1\r\nb\r\n"},
		},
		"a wrong type is slept through": {
			{"1 BLPOP k 0", "(blocked)"}, {"9 SET k x", "+OK\r\n"}, {"1 <", ""}, {"9 DEL k", ":1\r\n"}, {"9 RPUSH k v", ":1\r\n"},
			{"1 <", "*2\r\n$1\r\nk\r\n$1\r\nv\r\n"},
		},
		"a destination of the wrong type": {
			{"1 BLMOVE a d LEFT LEFT 0", "(blocked)"}, {"9 SET d x", "+OK\r\n"}, {"9 RPUSH a v", ":1\r\n"},
			{"1 <", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"}, {"9 LLEN a", ":1\r\n"},
		},
		"gone again in the same transaction": {
			{"1 BLPOP k 0", "(blocked)"}, {"9 MULTI", "+OK\r\n"}, {"9 RPUSH k v", "+QUEUED\r\n"}, {"9 DEL k", "+QUEUED\r\n"},
			{"9 EXEC", "*2\r\n:1\r\n:1\r\n"}, {"1 <", ""}, {"9 RPUSH k w", ":1\r\n"}, {"1 <", "*2\r\n$1\r\nk\r\n$1\r\nw\r\n"},
		},
		"a transaction ends first": {
			{"1 BLPOP k 0", "(blocked)"}, {"9 MULTI", "+OK\r\n"}, {"9 LPUSH k a", "+QUEUED\r\n"}, {"9 LPUSH k b", "+QUEUED\r\n"},
			{"9 LLEN k", "+QUEUED\r\n"}, {"9 EXEC", "*3\r\n:1\r\n:2\r\n:2\r\n"}, {"1 <", "*2\r\n$1\r\nk\r\n$1\r\nb\r\n"},
		},
		"no waiting inside a transaction": {
			{"1 MULTI", "+OK\r\n"}, {"1 BLPOP k 0", "+QUEUED\r\n"}, {"1 BLMOVE k l LEFT LEFT 0", "+QUEUED\r\n"}, {"1 BLMPOP 0 1 k LEFT", "+QUEUED\r\n"},
			{"1 EXEC", "*3\r\n*-1\r\n$-1\r\n*-1\r\n"},
		},
		"renamed and copied to": {
			{"1 BLPOP k 0", "(blocked)"}, {"2 BLPOP k 0", "(blocked)"}, {"9 RPUSH other a", ":1\r\n"},
			{"9 RENAME other k", "+OK\r\n"}, {"1 <", "*2\r\n$1\r\nk\r\n$1\r\na\r\n"}, {"9 RPUSH other b", ":1\r\n"},
			{"9 COPY other k", ":1\r\n"}, {"2 <", "*2\r\n$1\r\nk\r\n$1\r\nb\r\n"}, {"9 LLEN other", ":1\r\n"},
		},
		"several elements": {
			{"1 BLMPOP 0 2 a b RIGHT COUNT 2", "(blocked)"}, {"9 RPUSH b 1 2 3", ":3\r\n"},
			{"1 <", "*2\r\n$1\r\nb\r\n*2\r\n$1\r\n3\r\n$1\r\n2\r\n"}, {"9 LLEN b", ":1\r\n"},
		},
		"databases apart": {
			{"1 BLPOP k 0", "(blocked)"}, {"9 in5 RPUSH k v", ":1\r\n"}, {"1 <", ""}, {"9 in0 RPUSH k w", ":1\r\n"},
			{"1 <", "*2\r\n$1\r\nk\r\n$1\r\nw\r\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, newHarness(t), story, func(reply string) string { return reply })
		})
	}
}

// tell acts a story; show says in what form replies are written in it.
func tell(t *testing.T, h *harness, story []exchange, show func(reply string) string) {
	t.Helper()
	conns := map[byte]*Conn{}
	for _, s := range story {
		id, line := s.do[0], s.do[2:]
		if conns[id] == nil {
			conns[id] = h.conn(2)
		}
		c := conns[id]
		if strings.HasPrefix(line, "in") {
			c.DB = int(line[2] - '0')
			line = line[4:]
		}
		var got string
		if line == "<" {
			got = show(h.arrived(c))
		} else {
			got = show(h.do(c, line))
		}
		if got != s.want {
			t.Fatalf("%s = %q, want %q", s.do, got, s.want)
		}
	}
}

func TestWaitingTimesOut(t *testing.T) {
	for _, c := range []struct {
		do, want2, want3 string
		after            time.Duration
	}{
		{"BLPOP a b 0.1", "*-1\r\n", "_\r\n", 100 * time.Millisecond},
		{"BLPOP a 0.0001", "*-1\r\n", "_\r\n", time.Millisecond},
		{"BLMPOP 2 1 a LEFT", "*-1\r\n", "_\r\n", 2 * time.Second},
		{"BLMOVE a b LEFT LEFT 1", "*-1\r\n", "_\r\n", time.Second},
		{"BRPOPLPUSH a b 1", "*-1\r\n", "_\r\n", time.Second},
	} {
		for proto, want := range map[int]string{2: c.want2, 3: c.want3} {
			h := newHarness(t)
			conn, other := h.conn(proto), h.conn(2)
			h.do(conn, c.do)
			h.clock.Advance(c.after - time.Nanosecond)
			if got := h.arrived(conn); got != "" {
				t.Errorf("%s: %q arrived too early", c.do, got)
			}
			h.clock.Advance(time.Nanosecond)
			if got := h.arrived(conn); got != want {
				t.Errorf("%s in RESP%d: %q, want %q", c.do, proto, got, want)
			}
			h.do(other, "RPUSH a x")
			if got := h.do(other, "LLEN a"); got != ":1\r\n" || h.arrived(conn) != "" {
				t.Errorf("%s: served after its time", c.do)
			}
		}
	}
}

func TestWaitingForEver(t *testing.T) {
	h := newHarness(t)
	for _, timeout := range []string{"0", "-0.0001", "9000000000000", "9000000000000000"} {
		c := h.conn(2)
		if got := h.do(c, "BLPOP a "+timeout); got != "(blocked)" {
			t.Errorf("a time-out of %s: %q", timeout, got)
		}
	}
	if n := h.clock.Pending(); n != 0 {
		t.Errorf("%d timers run", n)
	}
	h.clock.Advance(100 * 365 * 24 * time.Hour)
	if len(h.delivered) != 0 {
		t.Error("a time-out came")
	}
}

func TestServedStopsTimer(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	before := h.clock.Pending()
	h.do(c, "BLPOP a 10")
	h.do(h.conn(2), "RPUSH a x")
	if h.arrived(c) == "" || h.clock.Pending() != before {
		t.Error("the timer of a served wait still runs")
	}
}

// unblock is what CLIENT UNBLOCK does.
func (h *harness) unblock(c *Conn, withError bool) (was bool) {
	h.gate.Enter()
	defer h.gate.Leave()
	h.tx.Begin(0)
	h.tx.Exclusive(h.gate, func() { was = c.Unblock(h.tx, withError) })
	return was
}

func TestUnblock(t *testing.T) {
	h := newHarness(t)
	c, other := h.conn(2), h.conn(2)
	for _, s := range []struct {
		withError bool
		want      string
	}{
		{true, "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"},
		{false, "*-1\r\n"},
	} {
		if h.unblock(c, s.withError) {
			t.Error("a client that does not wait was unblocked")
		}
		h.do(c, "BLPOP a b 5")
		if !h.unblock(c, s.withError) {
			t.Error("a client that waits was not unblocked")
		}
		if h.unblock(c, s.withError) {
			t.Error("a client was unblocked twice")
		}
		if got := h.arrived(c); got != s.want {
			t.Errorf("unblocked: %q, want %q", got, s.want)
		}
		// All shards must be free, and nobody must be waiting.
		h.tx.Begin(0)
		h.tx.LockAll()
		h.tx.Unlock()
		h.do(other, "RPUSH a x")
		if got := h.do(other, "LPOP a"); got != "$1\r\nx\r\n" {
			t.Errorf("an element went to a client that no longer waits: %q", got)
		}
	}
}

// TestUnblockInsideTransaction writes a key and unblocks a client in one exclusive transaction: whoever waits for the
// key must still be served.
func TestUnblockInsideTransaction(t *testing.T) {
	h := newHarness(t)
	a, b := h.conn(2), h.conn(2)
	h.do(a, "BLPOP a 0")
	h.do(b, "BLPOP b 0")
	h.gate.Enter()
	defer h.gate.Leave()
	h.tx.Begin(0)
	var ready []store.Key
	h.tx.Exclusive(h.gate, func() {
		l, _ := h.tx.List([]byte("b"), store.Create)
		l.PushOne([]byte("v"), true, -2)
		h.tx.Settle([]byte("b"), l, 1)
		a.Unblock(h.tx, false)
		ready = h.tx.Ready()
	})
	h.table.serve(h.tx, ready)
	if got := h.arrived(b); got != "*2\r\n$1\r\nb\r\n$1\r\nv\r\n" {
		t.Errorf("the client that waits for the key got %q", got)
	}
}

func TestForgetWaiting(t *testing.T) {
	h := newHarness(t)
	c, other := h.conn(2), h.conn(2)
	h.do(c, "BLPOP a b 5")
	before := h.clock.Pending()
	h.gate.Enter()
	h.table.Forget(c)
	h.gate.Leave()
	if c.Blocked() || h.clock.Pending() != before-1 {
		t.Error("a closed connection still waits")
	}
	h.do(other, "RPUSH b x")
	if got := h.do(other, "LLEN b"); got != ":1\r\n" || len(h.delivered) != 0 {
		t.Errorf("an element went to a closed connection: %s left", got)
	}
}

// crowd runs clients on loops of their own.
type crowd struct {
	*harness
	boxes sync.Map // *Conn -> chan []byte
}

func (d *crowd) Deliver(_ *store.Tx, c *Conn, reply []byte) {
	box, _ := d.boxes.Load(c)
	box.(chan []byte) <- reply
}

// loop is one goroutine with a connection, its gate and its Tx.
type loop struct {
	d    *crowd
	gate *store.Gate
	tx   *store.Tx
	c    *Conn
	box  chan []byte
}

var crowdIDs atomic.Int64

func (d *crowd) loop() *loop {
	l := &loop{d: d, gate: d.store.NewGate(), tx: d.store.NewTx()}
	l.connect()
	return l
}

func (l *loop) connect() {
	l.c = &Conn{ID: crowdIDs.Add(1), Env: l.d, Gate: l.gate, Tx: l.tx, Meter: noMeter{}, Authenticated: true, User: "default"}
	l.box = make(chan []byte, 2)
	l.d.boxes.Store(l.c, l.box)
}

// do runs one command; blocked tells that the reply will come through the box.
func (l *loop) do(line string) (reply string, blocked bool) {
	args, err := resp.SplitArgs([]byte(line))
	if err != nil {
		panic(err)
	}
	l.gate.Enter()
	defer l.gate.Leave()
	l.c.Out.Reset(nil)
	if l.d.table.Do(l.c, args) == Suspended {
		return "", true
	}
	return string(l.c.Out.Bytes()), false
}

func (l *loop) unblocked() {
	l.gate.Enter()
	defer l.gate.Leave()
	l.c.Unblocked()
}

// element is the last bulk string of a reply, a number, or -1 for none.
func element(reply string) int {
	lines := strings.Split(strings.TrimSuffix(reply, "\r\n"), "\r\n")
	n, err := strconv.Atoi(lines[len(lines)-1])
	if err != nil {
		return -1
	}
	return n
}

// TestNoWakeUpIsLost lets consumers wait for ever for several keys at once until each has had its share.
func TestNoWakeUpIsLost(t *testing.T) {
	const producers, consumers, share = 3, 6, 250
	d := &crowd{harness: newHarness(t)}
	var wg sync.WaitGroup
	var got [producers * 1000]atomic.Int32
	for i := range consumers {
		l := d.loop()
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for range share {
				keys := []string{"a", "b", "c", "d"}
				r.Shuffle(4, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
				reply, blocked := l.do("BLPOP " + strings.Join(keys, " ") + " 0")
				if blocked {
					reply = string(<-l.box)
					l.unblocked()
				}
				got[element(reply)].Add(1)
			}
		})
	}
	mover := d.loop() // moves what comes to x into d
	wg.Go(func() {
		for range producers * 100 {
			if _, blocked := mover.do("BLMOVE x d LEFT RIGHT 0"); blocked {
				<-mover.box
				mover.unblocked()
			}
		}
	})
	for i := range producers {
		l := d.loop()
		wg.Go(func() {
			for n := range share * consumers / producers {
				key := string("abcd"[n%4])
				if n%5 == 0 {
					key = "x"
				}
				if n%7 == 0 {
					l.do("MULTI")
					l.do("PING")
				}
				l.do(fmt.Sprintf("LPUSH %s %d", key, i*1000+n))
				if n%7 == 0 {
					l.do("EXEC")
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("somebody waits although there is an element")
	}
	for i := range producers {
		for n := range share * consumers / producers {
			if k := got[i*1000+n].Load(); k != 1 {
				t.Fatalf("element %d came %d times", i*1000+n, k)
			}
		}
	}
}

// TestEndsMeet lets time-outs, disconnections and CLIENT UNBLOCK meet service: nothing is lost and nothing comes twice.
func TestEndsMeet(t *testing.T) {
	const producers, consumers, each = 3, 6, 600
	d := &crowd{harness: newHarness(t)}
	var got [producers * each]atomic.Int32
	take := func(reply string) {
		if n := element(reply); n >= 0 {
			got[n].Add(1)
		}
	}
	var producing, consuming, rest sync.WaitGroup
	var stop, quiet atomic.Bool
	var current [consumers]atomic.Pointer[Conn]
	for i := range consumers {
		l := d.loop()
		current[i].Store(l.c)
		consuming.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 2))
			for !stop.Load() {
				current[i].Store(l.c)
				line := fmt.Sprintf("BLPOP k%d k%d 0.00%d", r.IntN(4), r.IntN(4), 1+r.IntN(9))
				if r.IntN(4) == 0 {
					line = fmt.Sprintf("BLMOVE k%d k%d LEFT RIGHT 0.005", r.IntN(4), r.IntN(4))
				}
				moves := line[2] == 'M'
				reply, blocked := l.do(line)
				if blocked && r.IntN(8) == 0 {
					l.gate.Enter()
					d.table.Forget(l.c)
					l.gate.Leave()
					if moves {
						d.boxes.Store(l.c, make(chan []byte, 2)) // what arrives stays in its list
					}
					l.connect()
					continue
				}
				if blocked {
					reply = string(<-l.box)
					l.unblocked()
				}
				if !moves {
					take(reply)
				}
			}
			l.gate.Enter()
			d.table.Forget(l.c)
			l.gate.Leave()
		})
	}
	for i := range producers {
		l := d.loop()
		producing.Go(func() {
			for n := range each {
				l.do(fmt.Sprintf("RPUSH k%d %d", n%4, i*each+n))
				if n%50 == 0 {
					time.Sleep(time.Millisecond) // let the lists run empty
				}
			}
		})
	}
	rest.Go(func() {
		for !quiet.Load() {
			d.clock.Advance(time.Millisecond)
			time.Sleep(20 * time.Microsecond)
		}
	})
	rest.Go(func() {
		gate, tx := d.store.NewGate(), d.store.NewTx()
		for i := 0; !quiet.Load(); i++ {
			gate.Enter()
			tx.Begin(0)
			tx.Exclusive(gate, func() { current[i%consumers].Load().Unblock(tx, i%2 == 0) })
			gate.Leave()
			time.Sleep(200 * time.Microsecond)
		}
	})
	producing.Wait()
	stop.Store(true)
	consuming.Wait()
	quiet.Store(true)
	rest.Wait()
	d.boxes.Range(func(_, box any) bool {
		for len(box.(chan []byte)) > 0 {
			take(string(<-box.(chan []byte)))
		}
		return true
	})
	l := d.loop()
	for k := range 4 {
		for {
			reply, _ := l.do(fmt.Sprintf("LPOP k%d", k))
			if element(reply) < 0 {
				break
			}
			take(reply)
		}
	}
	for n := range got {
		if k := got[n].Load(); k != 1 {
			t.Fatalf("element %d came %d times", n, k)
		}
	}
}
