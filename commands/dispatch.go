package commands

import (
	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/store"
)

// Outcome says how a session goes on after a request.
type Outcome uint8

const (
	Done      Outcome = iota // the reply, if any, is in Out
	Suspended                // no reply yet: stop reading input until Deliver
	Postponed                // nothing was done: offer the same request again once the pause is over
)

// Do runs one request of c; args is not empty and its bytes are the session's to reuse afterwards. Replies go to c.Out.
// It is called on the loop of c, under its gate.
func (t *Table) Do(c *Conn, args [][]byte) Outcome {
	w := &c.Out
	mark := w.Len()
	k := &c.call
	k.Writer, k.Tx, k.Args, k.Conn, k.Env = w, c.Tx, args, c, c.Env
	k.table, k.atomic, k.wait, k.pushes, k.failed, k.found = t, false, nil, false, false, foundScript{}
	mode := c.reply
	if mode == replySkipNext {
		c.reply = replyOn
	}
	spec, err := t.resolve(c, args)
	k.Spec, c.LastCmd = spec, spec
	if c.Intercept != nil {
		if e := c.Intercept(spec, args); e != nil {
			err = e
		}
	}
	if err == nil {
		for _, g := range gates {
			if err = g(c, k); err != nil {
				break
			}
		}
		mark = w.Len() // gates may have sent pushes
	}
	switch {
	case err == nil && !k.foreseeable():
		t.detach(c, k, mode)
		return Suspended
	case err == nil:
		err = t.run(c, k)
	case err == errQueued:
		w.Simple("QUEUED")
		err = nil
	case err == errPostponed:
		c.reply = mode // CLIENT REPLY SKIP is for the request that comes again
		return Postponed
	case err == Answered:
		err = nil
	default:
		t.reject(c, spec, err)
	}
	if mode != replyOn && (mode != replyOff || c.reply != replyOn) && !k.pushes {
		w.Truncate(mark)
	}
	if c.Tracking.caching {
		c.endCaching(spec)
	}
	if len(c.after) > 0 {
		w.Raw(c.after)
		c.after = c.after[:0]
	}
	if err == errBlocked {
		c.unheard = mode != replyOn
		return Suspended
	}
	return Done
}

// reject replies with the error of a request that did not run; inside MULTI it spoils the transaction.
func (t *Table) reject(c *Conn, spec *Spec, err error) {
	if spec != nil {
		c.Meter.Rejected(spec.id)
	}
	c.spoil()
	if spec != nil && spec.full == "exec" {
		c.discard()
		c.Tx.BeginAt(c.DB, c.now())
		c.unwatch(c.Tx)
		err = errExecRefused(err)
	}
	c.Meter.ErrorReply(err.Error())
	c.Out.Error(err.Error())
}

// run executes a request that passed the gates, outside of a transaction.
func (t *Table) run(c *Conn, k *Call) error {
	spec, tx := k.Spec, k.Tx
	c.Tied = c.Tied || spec.tied
	tx.NoTouch, tx.By = c.NoTouch, c.ID
	tx.BeginAt(c.DB, c.now())
	mark := k.Len()
	var err error
	switch {
	case spec.firstKey != 0:
		tx.LockKey(k.Args[spec.firstKey])
	case spec.Flags&Exclusive != 0:
		tx.Exclusive(c.Gate, func() { err = k.perform(mark) })
		t.finish(c, k, err)
		return err
	case spec.Flags&AllKeys != 0:
		tx.LockAll()
	case len(spec.Keys) != 0 && spec.Flags&OwnLocks == 0:
		t.lockKeys(c, tx, spec, k.Args)
	}
	err = k.perform(mark)
	if err == errBlocked {
		t.enqueue(c, k)
	}
	if spec.Flags&OwnLocks == 0 {
		tx.Unlock()
	}
	t.finish(c, k, err)
	return err
}

// lockKeys locks the shards of all keys of a request, or everything if it may touch others than those it names. Arguments
// that do not fit the row lead to an error in the handler, which may look at any key before.
func (t *Table) lockKeys(c *Conn, tx *store.Tx, spec *Spec, args [][]byte) {
	var whole bool
	if c.keys, whole = spec.Reach(args, c.keys[:0]); !whole {
		tx.LockAll()
		return
	}
	for _, p := range c.keys {
		tx.Want(args[p.Pos])
	}
	tx.LockWanted()
}

// perform calls the handler. After an error other than errBlocked the reply is that error.
func (k *Call) perform(mark int) error {
	k.Tx.BeginCommand()
	k.Tx.ReadsOnly = k.Spec.Flags&(ReadOnly|MayReplicate) == ReadOnly
	k.db, k.told = k.Tx.DB(), false
	changes := k.Tx.Changes()
	err := k.Spec.Run(k)
	if k.Tx.Changes() != changes {
		k.feed()
		if k.Conn != nil {
			k.Conn.Wrote = true
		}
	}
	if k.Conn != nil && k.Conn.Tracking.reads && k.Spec.Flags&(ReadOnly|OwnLocks) == ReadOnly {
		k.trackRead()
	}
	if err != nil && err != errBlocked {
		k.Truncate(mark)
		k.Error(err.Error())
	}
	if k.Conn != nil && k.Conn.monitored && k.Spec.Flags&(SkipMonitor|Admin) == 0 {
		k.show()
	}
	return err
}

// finish does what follows a command when its shards are free again: whoever waited for its keys is served before its
// reply leaves, and it is counted.
func (t *Table) finish(c *Conn, k *Call, err error) {
	tx := k.Tx
	if tx.Hits|tx.Misses|tx.Expired != 0 {
		c.Meter.Lookups(tx.Hits, tx.Misses, tx.Expired)
		tx.Hits, tx.Misses, tx.Expired = 0, 0, 0
	}
	failed := err != nil && err != errBlocked
	if failed {
		c.Meter.ErrorReply(err.Error())
	}
	if err != errBlocked {
		d := c.lap()
		c.Meter.Command(k.Spec.id, d, failed || k.failed)
		if d >= c.slow {
			c.noteSlow(k.Spec, k.Args, d, false)
		}
	}
	if ready := tx.Ready(); len(ready) > 0 {
		t.serve(tx, ready)
	}
}

// encode makes the bytes of one reply outside of a connection.
func encode(proto int, f func(w *resp.Writer)) []byte {
	var w resp.Writer
	w.SetProto(proto)
	f(&w)
	return w.Bytes()
}
