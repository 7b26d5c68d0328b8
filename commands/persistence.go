package commands

var persistenceCommands = []Spec{
	{Name: "SAVE", Arity: 1, Flags: Admin | NoScript | NoAsyncLoading | NoMulti, Group: GroupServer, Since: "1.0.0",
		Complexity: "O(N) with the number of keys.", Summary: "Writes all data into the RDB file and waits for that; others go on meanwhile.",
		Endless: func(*Call) bool { return true }, Run: save},
	{Name: "BGSAVE", Syntax: "[SCHEDULE]", Arity: -1, Flags: Admin | NoScript | NoAsyncLoading, Group: GroupServer, Since: "1.0.0",
		Complexity: "O(1)", Summary: "Begins to write all data into the RDB file.", History: [][2]string{{"3.2.2", "Added the `SCHEDULE` option."}}, Run: bgsave},
	{Name: "BGREWRITEAOF", Arity: 1, Flags: Admin | NoScript | NoAsyncLoading, Group: GroupServer, Since: "1.0.0",
		Complexity: "O(1)", Summary: "Begins to write the append-only file anew, from the data.", Run: bgrewriteaof},
	{Name: "LASTSAVE", Arity: 1, Flags: Loading | Stale | Fast | Dangerous, Group: GroupServer, Category: "@admin", Since: "1.0.0",
		Complexity: "O(1)", Summary: "Returns the Unix time of the last successful save.", Tips: []string{"nondeterministic_output"}, Run: lastsave},
}

// Persistence is what is kept in files.
type Persistence interface {
	// Save writes the RDB file and waits for it. The caller is in a lane of its own.
	Save(l Lane) error
	// BackgroundSave begins to write it, or does so later (schedule) if the files are being written already.
	BackgroundSave(schedule bool) (status string, err error)
	// RewriteLog begins to rewrite the append-only file, or does so later.
	RewriteLog() (status string, err error)
	// Flushed has the RDB file written anew, in the background, if save points ask for files: what FLUSHALL has taken away
	// must not come back from the one there is.
	Flushed()
	// LastSave returns the time of the last successful save in Unix seconds.
	LastSave() int64
	// WriteRefused returns why nothing may be written: what is acknowledged could not be kept. nil if it may.
	WriteRefused() error
	// DiskMark is behind everything that c has written so far.
	DiskMark(c *Conn) DiskMark
	// Loading reports whether the data are being read from files.
	Loading() bool
	// Reload writes all data into files and reads them back (DEBUG RELOAD, DEBUG LOADAOF).
	Reload(l Lane, how Reload) error
}

// Reload says where data are read back from.
type Reload struct {
	AOF     bool
	NoSave  bool // they are not written before
	NoFlush bool // nor dropped
	Merge   bool // keys that are there already are replaced, instead of being an error
}

func save(c *Call) error {
	if err := c.Env.Save(c.lane()); err != nil {
		return err
	}
	c.OK()
	return nil
}

// lane is the lane that a detached request has.
func (c *Call) lane() Lane { return Lane{Gate: c.Conn.Gate, Tx: c.Tx, Meter: c.Conn.Meter} }

func bgsave(c *Call) error {
	a := c.From(1)
	schedule := a.Is("SCHEDULE")
	if a.More() {
		return ErrSyntax
	}
	return c.status(c.Env.BackgroundSave(schedule))
}

func bgrewriteaof(c *Call) error { return c.status(c.Env.RewriteLog()) }

func (c *Call) status(text string, err error) error {
	if err == nil {
		c.Simple(text)
	}
	return err
}

func lastsave(c *Call) error {
	c.Int(c.Env.LastSave())
	return nil
}

// gateLoading refuses what needs the data while they are being read.
func gateLoading(c *Conn, k *Call) error {
	if k.Spec.Flags&Loading != 0 || !c.Env.Loading() {
		return nil
	}
	return ErrLoading
}

// gateDisk refuses to write while what is written could not be kept; PING is refused, too, so that whoever looks after
// the server learns of it.
func gateDisk(c *Conn, k *Call) error {
	if k.Spec.Flags&Write != 0 || k.Spec.full == "ping" || k.Spec.full == "exec" && c.multi.mayWrite() {
		return c.Env.WriteRefused()
	}
	return nil
}

// Replay runs a request that was run before: no gate stands in its way, nothing expires, and nobody is told. The error is
// that of the reply. c serves nobody else.
func (t *Table) Replay(c *Conn, args [][]byte) error {
	w := &c.Out
	w.Reset(w.Bytes()[:0])
	k := &c.call
	k.Writer, k.Tx, k.Args, k.Conn, k.Env = w, c.Tx, args, c, c.Env
	k.table, k.atomic, k.wait, k.found = t, false, nil, foundScript{}
	spec, err := t.resolve(c, args)
	if err != nil {
		return err
	}
	k.Spec = spec
	if err := gateArity(c, k); err != nil {
		return err
	}
	c.Tx.Replaying = true
	err = t.run(c, k)
	if err == errBlocked {
		c.blocked = nil
		return Error("ERR a command that waits")
	}
	return err
}
