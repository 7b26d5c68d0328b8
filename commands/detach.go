package commands

import (
	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/store"
)

// A request whose end cannot be foreseen (a script with a loop, or a transaction with such a script in it) does not run
// on the client's loop, whose other clients could not be told that the server is busy then. It runs in a lane of its
// own; the client is suspended until its reply is delivered, and all of its Conn belongs to that lane meanwhile.

// Lane is what it takes to run a command away from a loop.
type Lane struct {
	Gate  *store.Gate
	Tx    *store.Tx
	Meter Meter
}

// detach hands the request to a lane. mode is the reply mode it came in.
func (t *Table) detach(c *Conn, k *Call, mode replyMode) {
	spec, args, proto, found := k.Spec, cloneArgs(k.Args), k.Proto(), k.found
	c.Env.Detach(c, func(l Lane) []byte {
		var w resp.Writer
		w.SetProto(proto)
		c.Gate, c.Tx, c.Meter = l.Gate, l.Tx, l.Meter
		c.BeginBatch()
		call := Call{Writer: &w, Tx: l.Tx, Spec: spec, Args: args, Conn: c, Env: c.Env, table: t, found: found}
		_ = t.run(c, &call) // the error is in the reply
		if mode != replyOn {
			w.Truncate(0)
		}
		c.endCaching(spec)
		w.Raw(c.after)
		c.after = c.after[:0]
		return w.Bytes()
	})
}

// foreseeable reports whether a request runs on its client's loop.
func (k *Call) foreseeable() bool { return k.Spec.Endless == nil || !k.Spec.Endless(k) }
