package commands

import (
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/store"
)

// blockedCall is a command that waits for its keys. Whoever serves it runs it with what is here; the connection itself
// stays its loop's.
//
// It is served, or given back to its queues, under the locks of all its keys: so two servers never meet, and what is
// written while it is being served finds it waiting again. Time-out, CLIENT UNBLOCK and disconnection do not wait for
// locks but claim it, see store.Waiter.
type blockedCall struct {
	waiter store.Waiter
	table  *Table
	conn   *Conn
	spec   *Spec
	args   [][]byte
	db     int
	proto  int
	wait   *Wait
	timer  clock.Timer // set under the locks of the keys, if there are any, and the session's gate
	// end says what a revoked wait ends with; the first to set it wins.
	end     atomic.Int32
	account *Account // of the client

	// How the command went, for the statistics: written before the reply is delivered, read after.
	took    time.Duration
	failed  error
	refused bool // the client lost its right while it waited: it did not run
}

const (
	endNot = iota
	endTimeout
	endUnblocked // CLIENT UNBLOCK ERROR
	endGone      // the connection is closed
	endAwaited   // what Wait.Await waits for has happened
)

// waitsFor is the type of value that commands of a group wait for. They sleep on while the key holds another one, or
// nothing; commands of other groups look for themselves.
var waitsFor = map[Group]store.Kind{GroupList: store.List, GroupZSet: store.ZSet}

// maxWait is the longest time-out in milliseconds that a timer can express: 292 years. What is longer is for ever.
const maxWait = math.MaxInt64 / int64(time.Millisecond)

// enqueue makes the client wait for the keys of k, whose shards are locked.
func (t *Table) enqueue(c *Conn, k *Call) {
	args := k.Args
	if k.wait.Args != nil {
		args = k.wait.Args
	}
	b := &blockedCall{table: t, conn: c, spec: k.Spec, args: cloneArgs(args), db: k.Tx.DB(), proto: k.Proto(), wait: k.wait}
	b.waiter.Owner = b
	b.account = c.account
	for _, key := range k.wait.Keys {
		k.Tx.Enqueue(key, &b.waiter)
	}
	b.wait.Keys, b.wait.Args = nil, nil // they are the session's bytes
	c.blocked = b
	if ms := b.wait.Timeout; ms > 0 && ms <= maxWait {
		b.timer = c.Env.Clock().AfterFunc(time.Duration(ms)*time.Millisecond, b.timeOut)
	}
	if b.wait.Await != nil {
		b.wait.Await(func() { b.expire(endAwaited) }, func() bool { return b.end.Load() != endNot })
	}
}

// cloneArgs copies arguments into memory of their own.
func cloneArgs(args [][]byte) [][]byte {
	n := 0
	for _, a := range args {
		n += len(a)
	}
	mem := make([]byte, 0, n)
	out := make([][]byte, len(args))
	for i, a := range args {
		at := len(mem)
		mem = append(mem, a...)
		out[i] = mem[at:len(mem):len(mem)]
	}
	return out
}

// serveReady serves those who wait for keys that went without a command. It is called by goroutines of the store.
func (t *Table) serveReady(keys []store.Key) {
	t.aux.Lock()
	defer t.aux.Unlock()
	t.aux.gate.Enter()
	defer t.aux.gate.Leave()
	t.serve(t.aux.tx, keys)
}

// serve runs the commands of those who wait for the ready keys, in order of arrival for each key. tx is unlocked.
// What these commands write may make further keys ready: they come after these, in another round.
func (t *Table) serve(tx *store.Tx, ready []store.Key) {
	var queue []*store.Waiter
	for len(ready) > 0 {
		var next []store.Key
		for _, k := range distinct(ready) {
			key := []byte(k.Name)
			tx.Begin(k.DB)
			tx.LockKey(key)
			queue = tx.Waiters(key, queue[:0])
			tx.Unlock()
			for _, w := range queue {
				if !w.Owner.(*blockedCall).serve(tx, key, &next) {
					break
				}
			}
		}
		ready = next
	}
}

// distinct returns a copy of keys without repetitions: a transaction may write the same key many times.
func distinct(keys []store.Key) []store.Key {
	out := make([]store.Key, 0, min(len(keys), 16))
	if len(keys) <= 16 {
		for _, k := range keys {
			if !slices.Contains(out, k) {
				out = append(out, k)
			}
		}
		return out
	}
	seen := make(map[store.Key]bool, len(keys))
	for _, k := range keys {
		if !seen[k] {
			seen[k] = true
			out = append(out, k)
		}
	}
	return out
}

// serve tries to run the command now that key was written, and adds to next the keys it makes ready. It reports false if
// nobody else need try this key, because it is gone.
func (b *blockedCall) serve(tx *store.Tx, key []byte, next *[]store.Key) (more bool) {
	tx.Begin(b.db)
	tx.By = b.conn.ID
	for _, p := range must(b.spec.KeyPositions(b.args, nil)) {
		tx.Want(b.args[p.Pos])
	}
	tx.LockWanted()
	kind := waitsFor[b.spec.Group]
	if kind != store.None && !tx.Holds(key, kind) {
		more = tx.Has(key)
		tx.Unlock()
		return more
	}
	if !b.waiter.Claim() {
		tx.Unlock()
		return true
	}
	if err := b.refusal(); err != nil {
		b.failed, b.refused = err, true
		b.leave(tx)
		tx.Unlock()
		b.stopTimer()
		b.conn.Env.Deliver(tx, b.conn, encode(b.proto, func(w *resp.Writer) { w.Error(err.Error()) }))
		return true
	}
	var reply resp.Writer
	reply.SetProto(b.proto)
	call := Call{Writer: &reply, Tx: tx, Spec: b.spec, Args: b.args, Env: b.conn.Env, resumed: true}
	start := b.conn.Env.Clock().Mono()
	err := call.perform(0)
	if err == errBlocked {
		if b.waiter.Release() {
			tx.Unlock()
			return true
		}
		b.leave(tx)
		tx.Unlock()
		b.deliverEnd(tx)
		return true
	}
	b.took, b.failed = b.conn.Env.Clock().Mono()-start, err
	b.leave(tx)
	*next = append(*next, tx.Ready()...)
	tx.Unlock()
	b.stopTimer()
	b.conn.Env.Deliver(tx, b.conn, reply.Bytes())
	return true
}

func must(p []KeyPos, ok bool) []KeyPos {
	if !ok {
		panic("commands: a command that waits has keys that cannot be found")
	}
	return p
}

func (b *blockedCall) stopTimer() {
	if b.timer != nil {
		b.timer.Stop()
	}
}

// revoke asks for the end of the wait. claimed tells the caller that it must end the wait; otherwise the wait is over,
// or whoever serves it now will end it so if it cannot be served.
func (b *blockedCall) revoke(how int32) (claimed bool) {
	return b.end.CompareAndSwap(endNot, how) && b.waiter.Revoke()
}

// timeOut runs on a goroutine of the clock.
func (b *blockedCall) timeOut() { b.expire(endTimeout) }

// expire ends the wait in the one way or the other.
func (b *blockedCall) expire(how int32) {
	if !b.revoke(how) {
		return
	}
	t := b.table
	t.aux.Lock()
	defer t.aux.Unlock()
	t.aux.gate.Enter()
	defer t.aux.gate.Leave()
	b.finish(t.aux.tx)
}

// finish ends a wait that the caller has claimed and that was revoked. tx is unlocked.
func (b *blockedCall) finish(tx *store.Tx) {
	tx.Begin(b.db)
	tx.WantWaiter(&b.waiter)
	tx.LockWanted()
	b.leave(tx)
	tx.Unlock()
	b.deliverEnd(tx)
}

// leave takes the claimed wait out of its queues, whose shards are locked.
func (b *blockedCall) leave(tx *store.Tx) {
	tx.Dequeue(&b.waiter)
	b.waiter.Finish()
}

// deliverEnd tells the client why its wait is over, unless it is gone. The wait has left its queues.
func (b *blockedCall) deliverEnd(tx *store.Tx) {
	end := b.end.Load()
	if end != endTimeout { // or it has run; a wait without keys has no lock to read the timer under then
		b.stopTimer()
	}
	switch end {
	case endTimeout, endAwaited:
		b.conn.Env.Deliver(tx, b.conn, encode(b.proto, b.wait.OnTimeout))
	case endUnblocked:
		b.failed = ErrUnblocked
		b.conn.Env.Deliver(tx, b.conn, encode(b.proto, func(w *resp.Writer) { w.Error(string(ErrUnblocked)) }))
	}
}

// Answer writes the reply that the connection has waited for, unless CLIENT REPLY holds it back. The session calls it on
// its loop.
func (c *Conn) Answer(reply []byte) {
	if !c.unheard {
		c.Out.Raw(reply)
	}
	c.unheard = false
}

// Unblocked is called by the session, on its loop, when a delivered reply is being written. The command counts as called
// now.
func (c *Conn) Unblocked() {
	b := c.blocked
	if b == nil {
		return
	}
	c.blocked = nil
	c.Wrote = true // maybe
	if b.failed != nil {
		c.Meter.ErrorReply(b.failed.Error())
	}
	if b.refused {
		c.Meter.Rejected(b.spec.id)
		return
	}
	c.Meter.Command(b.spec.id, b.took, b.failed != nil)
	if b.took >= c.slow {
		c.noteSlow(b.spec, b.args, b.took, false)
	}
}

// Unblock ends the wait of c, as if its time were over or with an error; it reports whether c was waiting. It is called
// by commands that are Exclusive, with their tx.
func (c *Conn) Unblock(tx *store.Tx, withError bool) bool {
	b := c.blocked
	if b == nil || b.wait.Firm {
		return false
	}
	how := int32(endTimeout)
	if withError {
		how = endUnblocked
	}
	if !b.revoke(how) {
		return false
	}
	b.leave(tx)
	b.deliverEnd(tx)
	return true
}

// Forget lets go of everything the connection holds in the store and the broker: it is being closed. It is called on
// its loop, under its gate, but not inside a command.
func (t *Table) Forget(c *Conn) {
	if b := c.blocked; b != nil {
		if b.revoke(endGone) {
			b.finish(c.Tx)
		}
		c.blocked = nil
	}
	c.reset()
}
