package commands

import "math"

// Servers here do not replicate yet. What they have of it is the copy of the data that tools for backups ask for, which
// pose as a replica that wants the RDB file and nothing after it (redis-cli --rdb).
var replicationCommands = []Spec{
	{Name: "REPLICAOF", Syntax: "<host port | NO ONE>", Arity: 3, Flags: Admin | NoScript | NoAsyncLoading | Stale, Group: GroupServer, Since: "5.0.0",
		Complexity: "O(1)", Summary: "Makes the server a master, which it is. It cannot be a replica yet.", Run: replicaof},
	{Name: "SLAVEOF", Syntax: "<host port | NO ONE>", Arity: 3, Flags: Admin | NoScript | NoAsyncLoading | Stale, Group: GroupServer, Since: "1.0.0",
		Deprecated: "5.0.0", ReplacedBy: "`REPLICAOF`", Complexity: "O(1)", Summary: "The old name of REPLICAOF.", Run: replicaof},
	{Name: "REPLCONF", Arity: -1, Flags: Admin | NoScript | Loading | Stale | AllowBusy | SysCmd, Group: GroupServer, Since: "3.0.0",
		Complexity: "O(1)", Summary: "Tells what a replica is like, before SYNC.", Run: replconf},
	{Name: "SYNC", Arity: 1, Flags: Admin | NoScript | NoAsyncLoading | NoMulti | SysCmd, Group: GroupServer, Since: "1.0.0",
		Complexity: "O(N) with the number of keys.", Summary: "Sends the data as an RDB file, after REPLCONF RDB-ONLY 1.", Run: replicate},
	{Name: "PSYNC", Syntax: "replicationid offset", Arity: -3, Flags: Admin | NoScript | NoAsyncLoading | NoMulti | SysCmd, Group: GroupServer, Since: "2.8.0",
		Complexity: "O(N) with the number of keys.", Summary: "Sends the data as an RDB file, after REPLCONF RDB-ONLY 1.", Run: psync},
	{Name: "FAILOVER", Syntax: "[TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]", Arity: -1, Flags: Admin | NoScript | Stale, Group: GroupServer, Since: "6.2.0",
		Complexity: "O(1)", Summary: "Makes a replica the master, if there were one.", Run: failover},
}

// Export is what a client that poses as a replica wants.
type Export struct {
	Wanted              bool // the RDB file and nothing after it: the only kind there is
	NoKeys, NoFunctions bool // not in it
	EOF                 bool // the client could do with a file whose size is not told before
}

// Replicas is the sending of data to other servers.
type Replicas interface {
	// Export sends c the data as they are soon after, once its replies have been sent: "$", the size and a line end, then
	// an RDB file. Then the connection is closed. header is sent first.
	Export(c *Conn, e Export, header string) error
	// ReplicationID names the history of the data.
	ReplicationID() string
}

func replicaof(c *Call) error {
	if is(c.Args[1], "NO") && is(c.Args[2], "ONE") {
		c.OK()
		return nil
	}
	a := c.From(2)
	port := a.IntErr(ErrMasterPort)
	if a.Err() != nil {
		return a.Err()
	}
	if port < 0 || port > math.MaxUint16 {
		return ErrMasterPort
	}
	return ErrNoReplica
}

func replconf(c *Call) error {
	if len(c.Args)%2 == 0 {
		return ErrSyntax
	}
	e := c.Conn.export
	for a := c.From(1); a.More(); {
		switch name := a.Next(); {
		case is(name, "rdb-only"):
			v := a.Int()
			if a.Err() != nil {
				return a.Err()
			}
			e.Wanted = v == 1
		case is(name, "rdb-filter-only"):
			what := a.Next()
			if len(what) > 0 && !is(what, "functions") {
				return errExportFilter(what)
			}
			e.NoKeys, e.NoFunctions = true, len(what) == 0
		case is(name, "listening-port"):
			if a.Int(); a.Err() != nil {
				return a.Err()
			}
		case is(name, "ip-address"):
			a.Next()
		case is(name, "capa"):
			if is(a.Next(), "eof") {
				e.EOF = true
			}
		case is(name, "ack"), is(name, "getack"):
			return nil // of replicas and masters: not answered
		default:
			return errReplconf(name)
		}
	}
	c.Conn.export = e
	c.OK()
	return nil
}

func replicate(c *Call) error { return c.export("") }

// check is the condition Redis makes because it sends a part of the data straight from memory.
func (e Export) check() error {
	if (e.NoKeys || e.NoFunctions) && !e.EOF {
		return ErrFilterEOF
	}
	return nil
}

func psync(c *Call) error {
	if err := c.Conn.export.check(); err != nil {
		return err
	}
	a := c.From(2)
	if a.Int(); a.Err() != nil {
		return a.Err()
	}
	return c.export("+FULLRESYNC " + c.Env.ReplicationID() + " 0\r\n")
}

func (c *Call) export(header string) error {
	if err := c.Conn.export.check(); err != nil {
		return err
	}
	if !c.Conn.export.Wanted {
		return ErrNoReplicas
	}
	err := c.Env.Export(c.Conn, c.Conn.export, header)
	c.Conn.replica = err == nil
	return err
}

func failover(c *Call) error {
	var to, within, force, abort bool
	for a := c.From(1); a.More(); {
		switch {
		case !to && a.IsWith("TO", 2):
			to = true
			a.Next()
			a.Int()
		case !within && a.IsWith("TIMEOUT", 1):
			within = true
			if ms := a.Int(); a.Err() == nil && ms <= 0 {
				return ErrFailoverTimeout
			}
		case !force && a.Is("FORCE"):
			force = true
		case len(c.Args) == 2 && a.Is("ABORT"):
			abort = true
		default:
			return ErrSyntax
		}
		if a.Err() != nil {
			return a.Err()
		}
	}
	if abort {
		return ErrNoFailover
	}
	return ErrFailoverReplicas
}
