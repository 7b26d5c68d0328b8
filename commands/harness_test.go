package commands

import (
	"io"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/store"
)

// harness runs commands through the dispatcher without a server, at a time the test moves.
type harness struct {
	Env   // what no test here asks for
	t     testing.TB
	table *Table
	clock *clock.Fake
	store *store.Store
	gate  *store.Gate
	tx    *store.Tx
	ids   int64
	conns []*Conn

	password bool // one is set
	refuse   error

	delivered map[*Conn][]byte // what Deliver brought
}

func newHarness(t testing.TB) *harness {
	h := &harness{t: t, clock: clock.NewFake(time.UnixMilli(1_700_000_000_000)), delivered: map[*Conn][]byte{}}
	h.store = store.New(store.Options{Clock: h.clock, Seed: 1})
	h.table = New(h.store)
	h.gate, h.tx = h.store.NewGate(), h.store.NewTx()
	t.Cleanup(h.store.Close)
	return h
}

// conn opens a connection that speaks the given version of the protocol.
func (h *harness) conn(proto int) *Conn {
	h.ids++
	c := &Conn{ID: h.ids, Env: h, Gate: h.gate, Tx: h.tx, Meter: noMeter{}, Authenticated: true, User: "default"}
	c.Out.SetProto(proto)
	h.conns = append(h.conns, c)
	return c
}

// do runs one command, its words split as in a configuration file, and returns the raw reply.
func (h *harness) do(c *Conn, line string) string {
	h.t.Helper()
	args, err := resp.SplitArgs([]byte(line))
	if err != nil {
		h.t.Fatal(err)
	}
	return h.run(c, args)
}

func (h *harness) run(c *Conn, args [][]byte) string {
	c.Out.Reset(c.Out.Bytes()[:0])
	c.BeginBatch()
	h.gate.Enter()
	defer h.gate.Leave()
	if h.table.Do(c, args) == Suspended {
		return "(blocked)"
	}
	return string(c.Out.Bytes())
}

// arrived returns what was delivered to a connection that was blocked, "" if nothing was.
func (h *harness) arrived(c *Conn) string {
	b := h.delivered[c]
	delete(h.delivered, c)
	if b != nil {
		c.Unblocked()
	}
	return string(b)
}

func (h *harness) Clock() clock.Clock                         { return h.clock }
func (h *harness) Store() *store.Store                        { return h.store }
func (h *harness) Deliver(_ *store.Tx, c *Conn, reply []byte) { h.delivered[c] = reply }
func (h *harness) MaxBulk() int64                             { return 512 << 20 }
func (h *harness) Users() Users                               { return someUsers{h: h} }
func (h *harness) ConfigRewrite(bool) error {
	return Error("ERR The server is running without a config file")
}
func (h *harness) ConfigGet(_ [][]byte, f func(name, v string)) { f("maxmemory", "0") }
func (h *harness) ConfigSet([][]byte, bool) error               { return nil }
func (h *harness) ConfigResetStat()                             {}
func (h *harness) EachClient(f func(*Conn)) {
	for _, c := range h.conns {
		f(c)
	}
}
func (h *harness) CloseClient(c *Conn)                        { c.Closing = true }
func (h *harness) Pause(int64, bool)                          {}
func (h *harness) Paused(bool) bool                           { return false }
func (h *harness) ClientBuffers(*Conn) Buffers                { return Buffers{} }
func (h *harness) Subscribe(*Conn, SubKind, []byte) bool      { return true }
func (h *harness) Unsubscribe(*Conn, SubKind, []byte) bool    { return true }
func (h *harness) Subscriptions(*Conn, SubKind) []string      { return nil }
func (h *harness) Publish(*Conn, SubKind, []byte, []byte) int { return 0 }
func (h *harness) Channels(SubKind, []byte) []string          { return nil }
func (h *harness) Subscribers(SubKind, []byte) int            { return 0 }
func (h *harness) Patterns() int                              { return 0 }
func (h *harness) WriteInfo(io.Writer, *store.Tx, []string)   {}
func (h *harness) MemoryReport(*store.Tx) MemoryReport        { return MemoryReport{Used: 1 << 20} }
func (h *harness) PurgeMemory()                               {}
func (h *harness) ChangeReplicationID()                       {}
func (h *harness) LatencyEvents() []LatencyEvent              { return nil }
func (h *harness) LatencyReset([][]byte) int                  { return 0 }
func (h *harness) LatencyHistogram(int, func(usec, count int64)) int64 {
	return 0
}
func (h *harness) AllocatorReport() string { return "test" }
func (h *harness) Version() string         { return "test" }
func (h *harness) Detach(c *Conn, f func(l Lane) []byte) {
	h.Deliver(nil, c, f(Lane{Gate: c.Gate, Tx: c.Tx, Meter: c.Meter}))
}
func (h *harness) Scripts() Scripts                      { return nil }
func (*harness) ErrBusy() error                          { return ErrBusyScript }
func (h *harness) SleepForDebug(d time.Duration)         { h.clock.Advance(d) }
func (h *harness) Shutdown(*Conn, ShutdownOptions) error { return nil }
func (h *harness) Save(Lane) error                       { return nil }
func (h *harness) BackgroundSave(bool) (string, error)   { return "Background saving started", nil }
func (h *harness) RewriteLog() (string, error)           { return "", ErrRewriting }
func (h *harness) DiskMark(*Conn) DiskMark               { return nil }
func (h *harness) Ship(*Shipment) ([]bool, error)        { return nil, ErrMigrateClosing }
func (h *harness) ShipAside(func()) bool                 { return false }
func (h *harness) Flushed()                              {}
func (h *harness) LastSave() int64                       { return 0 }
func (h *harness) WriteRefused() error                   { return h.refuse }
func (h *harness) Loading() bool                         { return false }
func (h *harness) Reload(Lane, Reload) error             { return nil }

type noMeter struct{}

func (noMeter) Command(int, time.Duration, bool) {}
func (noMeter) Rejected(int)                     {}
func (noMeter) ErrorReply(string)                {}
func (noMeter) Lookups(int64, int64, int64)      {}

func TestStringsInAndOut(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	for _, step := range []struct{ do, want string }{
		{"SET k 10", "+OK\r\n"},
		{"INCR k", ":11\r\n"},
		{"get k", "$2\r\n11\r\n"},
		{"GET", "-ERR wrong number of arguments for 'get' command\r\n"},
		{"MULTI", "+OK\r\n"},
		{"INCR k", "+QUEUED\r\n"},
		{"DEL k nokey", "+QUEUED\r\n"},
		{"EXEC", "*2\r\n:12\r\n:1\r\n"},
		{"nosuch a b", "-ERR unknown command 'nosuch', with args beginning with: 'a' 'b' \r\n"},
	} {
		if got := h.do(c, step.do); got != step.want {
			t.Errorf("%s = %q, want %q", step.do, got, step.want)
		}
	}
}
