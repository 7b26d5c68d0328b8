package commands

import (
	"sync"

	"github.com/streampulse/pulse/store"
)

var transactionCommands = []Spec{
	{Name: "MULTI", Arity: 1, Flags: NoScript | Loading | Stale | Fast | AllowBusy, Group: GroupTransaction,
		Since: "1.2.0", Complexity: "O(1)", Summary: "Begins a transaction.", Run: multiCmd},
	{Name: "EXEC", Arity: 1, Flags: NoScript | Loading | Stale | SkipSlowlog | OwnLocks, Group: GroupTransaction,
		Since: "1.2.0", Complexity: "What the queued commands cost.", Summary: "Runs the commands of the transaction.", Endless: execEndless, Run: exec},
	{Name: "DISCARD", Arity: 1, Flags: NoScript | Loading | Stale | Fast | AllowBusy | OwnLocks, Group: GroupTransaction,
		Since: "2.0.0", Complexity: "O(N) with the number of queued commands.", Summary: "Throws the transaction away.", Run: discard},
	{Name: "WATCH", Syntax: "key [key ...]", Arity: -2, Keys: []KeySpec{Range(1, -1, 1, RO)},
		Flags: NoScript | Loading | Stale | Fast | AllowBusy, Group: GroupTransaction,
		Since: "2.2.0", Complexity: "O(1) per key.", Summary: "Makes the next transaction depend on keys staying as they are.", Run: watch},
	{Name: "UNWATCH", Arity: 1, Flags: NoScript | Loading | Stale | Fast | AllowBusy | OwnLocks, Group: GroupTransaction,
		Since: "2.2.0", Complexity: "O(1)", Summary: "Forgets all watched keys.", Run: unwatch},
}

// transaction is what a client has queued since MULTI. Its memory is that of earlier ones.
type transaction struct {
	spoiled bool // a command was refused: EXEC will fail
	writes  bool // some queued command may write
	denyOOM bool // some queued command may need memory
	bytes   int
	queue   []queued
	args    [][]byte // arguments of the queue, the latest
	text    []byte   // and their bytes
	call    Call     // of the command of the queue that runs
}

type queued struct {
	spec *Spec
	args [][]byte
}

var transactions = sync.Pool{New: func() any { return new(transaction) }}

const (
	// keepQueue and keepText bound the arguments and the bytes of a transaction whose memory is used again.
	keepQueue = 1 << 10
	keepText  = 16 << 10
)

// release gives up the memory of m, which may be nil.
func (m *transaction) release() {
	if m == nil || cap(m.args) > keepQueue || cap(m.queue) > keepQueue || cap(m.text) > keepText {
		return
	}
	clear(m.queue)
	clear(m.args)
	*m = transaction{queue: m.queue[:0], args: m.args[:0], text: m.text[:0]}
	transactions.Put(m)
}

// room returns s, or an empty slice where s has no room for n more. Those who refer to s keep it; nothing is copied, as append would.
func room[T any](s []T, n, least, most int) []T {
	if n <= cap(s)-len(s) {
		return s
	}
	return make([]T, 0, max(n, least, min(2*cap(s), most)))
}

func (m *transaction) add(s *Spec, args [][]byte, writes bool) {
	n := 0
	for _, a := range args {
		n += len(a)
	}
	m.text, m.args = room(m.text, n, 256, keepText), room(m.args, len(args), 16, keepQueue)
	m.bytes += n + 24*len(args)
	first := len(m.args)
	for _, a := range args {
		at := len(m.text)
		m.text = append(m.text, a...)
		m.args = append(m.args, m.text[at:len(m.text):len(m.text)])
	}
	m.denyOOM = m.denyOOM || s.Flags&DenyOOM != 0
	m.writes = m.writes || writes
	m.queue = append(m.queue, queued{s, m.args[first:len(m.args):len(m.args)]})
}

// mayWrite reports whether some queued command may; m may be nil.
func (m *transaction) mayWrite() bool { return m != nil && m.writes }

// spoil makes EXEC fail, if the client has begun a transaction.
func (c *Conn) spoil() {
	if c.multi != nil {
		c.multi.spoiled = true
	}
}

// discard ends the transaction that the client has begun, if any.
func (c *Conn) discard() {
	c.multi.release()
	c.multi = nil
}

func multiCmd(c *Call) error {
	if c.Conn.InMulti() {
		return ErrMultiNested
	}
	c.Conn.multi = transactions.Get().(*transaction)
	c.OK()
	return nil
}

func discard(c *Call) error {
	if !c.Conn.InMulti() {
		return ErrDiscardNoMulti
	}
	c.Conn.discard()
	c.Conn.unwatch(c.Tx)
	c.OK()
	return nil
}

func watch(c *Call) error {
	if c.Conn.InMulti() {
		return ErrWatchInMulti
	}
	for _, key := range c.Args[1:] {
		c.Tx.WatchKey(key, &c.Conn.watch)
	}
	c.OK()
	return nil
}

func unwatch(c *Call) error {
	// Inside a transaction the watch was settled when EXEC began.
	if !c.atomic {
		c.Conn.unwatch(c.Tx)
	}
	c.OK()
	return nil
}

// unwatch empties the watch of c, which holds no locks.
func (c *Conn) unwatch(tx *store.Tx) {
	if c.watch.Empty() {
		return
	}
	tx.WantWatched(&c.watch)
	tx.LockWanted()
	tx.Unwatch(&c.watch)
	tx.Unlock()
}

// reset gives up transaction, watch and subscriptions.
func (c *Conn) reset() {
	c.discard()
	c.Tx.BeginAt(c.DB, c.now())
	c.unwatch(c.Tx)
	c.untrack()
	unsubscribeAll(c)
	if c.Monitor {
		c.Monitor = false
		c.Env.RemoveMonitor(c)
	}
}

// exec runs the queue under the locks of all its keys and of all watched keys, so that nothing can come between the
// look at the watch and the last command.
func exec(c *Call) error {
	conn, tx := c.Conn, c.Tx
	if !conn.InMulti() {
		return ErrExecNoMulti
	}
	m := conn.multi
	conn.running, conn.multi = m, nil
	defer func() {
		conn.running = nil
		m.release()
	}()
	if m.spoiled {
		conn.unwatch(tx)
		return ErrExecAbort
	}
	switch m.scope(c) {
	case Exclusive:
		tx.Exclusive(conn.Gate, func() { conn.execQueue(c, m) })
		return nil
	case AllKeys:
		tx.LockAll()
	default:
		for i := range m.queue {
			q := &m.queue[i]
			if at := q.spec.firstKey; at != 0 {
				tx.Want(q.args[at])
				continue
			}
			pos, _ := q.spec.KeyPositions(q.args, conn.keys[:0])
			conn.keys = pos
			for _, p := range pos {
				tx.Want(q.args[p.Pos])
			}
		}
		tx.WantWatched(&conn.watch)
		tx.LockWanted()
	}
	conn.execQueue(c, m)
	tx.Unlock()
	return nil
}

// scope returns Exclusive or AllKeys if some command needs that much, else 0.
func (m *transaction) scope(c *Call) (f Flags) {
	for i := range m.queue {
		q := &m.queue[i]
		if q.spec.Flags&Exclusive != 0 || q.spec.Scope != nil && q.spec.Scope(m.prepare(c, q)) != 0 {
			return Exclusive
		}
		if q.spec.Flags&AllKeys != 0 {
			f = AllKeys
		}
		if f == AllKeys || q.spec.firstKey != 0 {
			continue
		}
		var whole bool
		if c.Conn.keys, whole = q.spec.Reach(q.args, c.Conn.keys[:0]); !whole {
			f = AllKeys
		}
	}
	return f
}

// prepare makes m.call the command as c, the handler of EXEC, runs it.
func (m *transaction) prepare(c *Call, q *queued) *Call {
	m.call = Call{Writer: c.Writer, Tx: c.Tx, Spec: q.spec, Args: q.args, Conn: c.Conn, Env: c.Env, table: c.table, atomic: true, effect: m.call.effect[:0]}
	return &m.call
}

// execEndless reports whether the end of a queued command cannot be foreseen.
func execEndless(c *Call) bool {
	m := c.Conn.multi
	if m == nil {
		return false
	}
	for i := range m.queue {
		q := &m.queue[i]
		if q.spec.Endless != nil && q.spec.Endless(m.prepare(c, q)) {
			return true
		}
	}
	return false
}

func (c *Conn) execQueue(k *Call, m *transaction) {
	if k.Tx.Unwatch(&c.watch) {
		k.NullArray()
		return
	}
	k.Array(len(m.queue))
	for i := range m.queue {
		// The commands run as one: the clock stands, waiters are served after the last.
		call := m.prepare(k, &m.queue[i])
		k.Tx.Select(c.DB)
		err := c.recheck(call)
		if err == nil {
			err = call.perform(k.Len())
		} else {
			k.Error(err.Error())
		}
		if err != nil {
			c.Meter.ErrorReply(err.Error())
		}
		d := c.lap()
		c.Meter.Command(call.Spec.id, d, err != nil || call.failed)
		if d >= c.slow {
			c.noteSlow(call.Spec, call.Args, d, false)
		}
	}
}
