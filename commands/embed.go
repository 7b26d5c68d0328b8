package commands

import "github.com/streampulse/pulse/store"

// Named returns the row of a request, that of the subcommand if it has one; nil if there is none.
func (t *Table) Named(args []string) *Spec {
	s := t.Lookup([]byte(args[0]))
	if s != nil && s.sub.n > 0 && len(args) > 1 {
		return s.sub.find([]byte(args[1]))
	}
	return s
}

// Cancel asks for the end of the wait of c, whose owner calls it. If it returns nil, the client is being answered; otherwise what it
// returns has to be called inside a gate, with an unlocked tx, and the client is told ErrUnblocked then. Nothing is taken for
// it any more in the meantime.
func (c *Conn) Cancel() func(tx *store.Tx) {
	b := c.blocked
	if b == nil || !b.revoke(endUnblocked) {
		return nil
	}
	return b.finish
}
