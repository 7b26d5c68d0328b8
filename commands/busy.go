package commands

// DoBusy is Do while an exclusive operation takes so long that nobody should wait for it (store.Busy): the request does
// not run, unless it is one of those that end the operation or that touch nothing but the client itself. It is called
// on the loop of c, outside of any gate.
func (t *Table) DoBusy(c *Conn, args [][]byte) {
	k := &c.call
	k.Writer, k.Tx, k.Args, k.Conn, k.Env = &c.Out, c.Tx, args, c, c.Env
	k.table, k.atomic, k.wait, k.pushes = t, false, nil, false
	spec, err := t.resolve(c, args)
	k.Spec, c.LastCmd = spec, spec
	if err == nil {
		err = gateArity(c, k)
	}
	if err == nil {
		err = gateAuth(c, k)
	}
	if err == nil && !c.runsBusy(spec) {
		err = c.Env.ErrBusy()
	}
	if err == nil {
		_ = t.run(c, k) // the error is in the reply
		return
	}
	if spec != nil {
		c.Meter.Rejected(spec.id)
		if spec.full == "exec" {
			c.discard() // what is watched stays so: its shards are locked
			err = errExecRefused(err)
		}
	}
	c.spoil()
	c.Meter.ErrorReply(err.Error())
	c.Out.Error(err.Error())
}

// runsBusy reports whether a command may run while all shards are locked by another.
func (c *Conn) runsBusy(s *Spec) bool {
	const locks = Exclusive | AllKeys
	return s.Flags&AllowBusy != 0 && s.Flags&locks == 0 && len(s.Keys) == 0 && (s.Flags&OwnLocks == 0 || c.watch.Empty())
}
