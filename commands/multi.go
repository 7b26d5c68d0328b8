package commands

import "github.com/streampulse/pulse/store"

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

// multi is a transaction being queued.
type multi struct {
	active  bool
	spoiled bool // a command was refused: EXEC will fail
	writes  bool // some queued command may write
	denyOOM bool // some queued command may need memory
	bytes   int
	queue   []queued
}

type queued struct {
	spec *Spec
	args [][]byte
}

func (m *multi) add(s *Spec, args [][]byte, writes bool) {
	q := queued{s, cloneArgs(args)}
	for _, a := range q.args {
		m.bytes += len(a) + 24
	}
	m.denyOOM = m.denyOOM || s.Flags&DenyOOM != 0
	m.writes = m.writes || writes
	m.queue = append(m.queue, q)
}

func multiCmd(c *Call) error {
	if c.Conn.multi.active {
		return ErrMultiNested
	}
	c.Conn.multi = multi{active: true}
	c.OK()
	return nil
}

func discard(c *Call) error {
	if !c.Conn.multi.active {
		return ErrDiscardNoMulti
	}
	c.Conn.multi = multi{}
	c.Conn.unwatch(c.Tx)
	c.OK()
	return nil
}

func watch(c *Call) error {
	if c.Conn.multi.active {
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
	c.multi = multi{}
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
	if !conn.multi.active {
		return ErrExecNoMulti
	}
	m := &conn.running
	*m, conn.multi = conn.multi, multi{}
	defer func() { *m = multi{} }()
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
		for _, q := range m.queue {
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
func (m *multi) scope(c *Call) (f Flags) {
	for _, q := range m.queue {
		if q.spec.Flags&Exclusive != 0 || q.spec.Scope != nil && q.spec.Scope(q.call(c)) != 0 {
			return Exclusive
		}
		if _, whole := q.spec.Reach(q.args, nil); !whole || q.spec.Flags&AllKeys != 0 {
			f = AllKeys
		}
	}
	return f
}

// call is the command as the handler of EXEC runs it.
func (q *queued) call(c *Call) *Call {
	return &Call{Writer: c.Writer, Tx: c.Tx, Spec: q.spec, Args: q.args, Conn: c.Conn, Env: c.Env, table: c.table, atomic: true}
}

// execEndless reports whether the end of a queued command cannot be foreseen.
func execEndless(c *Call) bool {
	for i := range c.Conn.multi.queue {
		q := &c.Conn.multi.queue[i]
		if q.spec.Endless != nil && q.spec.Endless(q.call(c)) {
			return true
		}
	}
	return false
}

func (c *Conn) execQueue(k *Call, m *multi) {
	if k.Tx.Unwatch(&c.watch) {
		k.NullArray()
		return
	}
	k.Array(len(m.queue))
	for _, q := range m.queue {
		// The commands run as one: the clock stands, waiters are served after the last.
		call := Call{Writer: k.Writer, Tx: k.Tx, Spec: q.spec, Args: q.args, Conn: c, Env: k.Env, table: k.table, atomic: true}
		k.Tx.Select(c.DB)
		err := c.recheck(&call)
		if err == nil {
			err = call.perform(k.Len())
		} else {
			k.Error(err.Error())
		}
		if err != nil {
			c.Meter.ErrorReply(err.Error())
		}
		d := c.lap()
		c.Meter.Command(q.spec.id, d, err != nil || call.failed)
		if d >= c.slow {
			c.noteSlow(q.spec, q.args, d, false)
		}
	}
}
