package commands

import (
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/store"
)

// blockedCall is a command that waits for its keys. Whoever serves it runs it with what is here; the connection itself
// stays its loop's.
type blockedCall struct {
	waiter store.Waiter
	table  *Table
	conn   *Conn
	spec   *Spec
	args   [][]byte
	db     int
	proto  int
	wait   *Wait
	timer  clock.Timer
	// end says what a revoked wait ends with; the first to set it wins.
	end atomic.Int32
}

const (
	endNot = iota
	endTimeout
	endUnblocked // CLIENT UNBLOCK ERROR
	endGone      // the connection is closed
)

// enqueue makes the client wait for the keys of k, whose shards are locked.
func (t *Table) enqueue(c *Conn, k *Call) {
	b := &blockedCall{table: t, conn: c, spec: k.Spec, args: cloneArgs(k.Args), db: k.Tx.DB(), proto: k.Proto(), wait: k.wait}
	b.waiter.Owner = b
	for _, key := range k.wait.Keys {
		k.Tx.Enqueue(key, &b.waiter)
	}
	b.wait.Keys = nil
	c.blocked = b
	if b.wait.Timeout > 0 {
		b.timer = c.Env.Clock().AfterFunc(time.Duration(b.wait.Timeout)*time.Millisecond, b.timeOut)
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

// serve runs the commands of those who wait for the ready keys, in order of arrival for each key. tx is unlocked.
// What these commands write may make further keys ready.
func (t *Table) serve(env Env, tx *store.Tx, ready []store.Key) {
	var queue []*store.Waiter
	for i := 0; i < len(ready); i++ {
		key := []byte(ready[i].Name)
		tx.Begin(ready[i].DB)
		tx.LockKey(key)
		queue = tx.Waiters(key, queue[:0])
		tx.Unlock()
		for _, w := range queue {
			served, gone := t.serveOne(env, tx, w, key, &ready)
			if !served && gone {
				break
			}
		}
	}
}

// serveOne tries to run the command of w. gone reports that the key does not exist any more: nobody else need try.
func (t *Table) serveOne(env Env, tx *store.Tx, w *store.Waiter, key []byte, ready *[]store.Key) (served, gone bool) {
	if !w.Claim() {
		return false, false
	}
	b := w.Owner.(*blockedCall)
	tx.Begin(b.db)
	for _, p := range must(b.spec.KeyPositions(b.args, nil)) {
		tx.Want(b.args[p.Pos])
	}
	tx.LockWanted()
	var reply resp.Writer
	reply.SetProto(b.proto)
	call := Call{Writer: &reply, Tx: tx, Spec: b.spec, Args: b.args, Env: env}
	err := call.perform(0)
	if err != errBlocked {
		tx.Dequeue(w)
		w.Finish()
		*ready = append(*ready, tx.Ready()...)
		tx.Unlock()
		b.stopTimer()
		env.Deliver(b.conn, reply.Bytes())
		return true, false
	}
	gone = !tx.Has(key)
	tx.Unlock()
	if !w.Release() {
		b.finish(tx)
	}
	return false, gone
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

// revoke asks for the end of the wait. claimed tells the caller that it must call finish; otherwise the wait is over, or
// whoever serves it now will end it so if it cannot be served.
func (b *blockedCall) revoke(how int32) (claimed bool) {
	return b.end.CompareAndSwap(endNot, how) && b.waiter.Revoke()
}

// timeOut runs on a goroutine of the clock.
func (b *blockedCall) timeOut() {
	if !b.revoke(endTimeout) {
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
	tx.Dequeue(&b.waiter)
	b.waiter.Finish()
	tx.Unlock()
	b.stopTimer()
	switch b.end.Load() {
	case endTimeout:
		b.conn.Env.Deliver(b.conn, encode(b.proto, b.wait.OnTimeout))
	case endUnblocked:
		b.conn.Env.Deliver(b.conn, encode(b.proto, func(w *resp.Writer) { w.Error(string(ErrUnblocked)) }))
	}
}

// Unblocked is called by the session when a delivered reply is being written.
func (c *Conn) Unblocked() { c.blocked = nil }

// Unblock ends the wait of c, as if its time were over or with an error; it reports whether c was waiting. It is called
// by commands that are Exclusive, with their tx.
func (c *Conn) Unblock(tx *store.Tx, withError bool) bool {
	if c.blocked == nil {
		return false
	}
	how := int32(endTimeout)
	if withError {
		how = endUnblocked
	}
	if !c.blocked.revoke(how) {
		return false
	}
	c.blocked.finish(tx)
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
