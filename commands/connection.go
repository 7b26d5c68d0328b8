package commands

var connectionCommands = []Spec{
	{Name: "PING", Syntax: "[message]", Arity: -1, Flags: Fast, Group: GroupConnection,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Answers, with the message if there is one.", Run: ping},
	{Name: "CLIENT", Arity: -2, Flags: NoScript, Group: GroupConnection, Since: "2.4.0", Complexity: "Depends on the subcommand.", Summary: "Commands about connections.", Sub: []Spec{
		{Name: "ID", Arity: 2, Flags: NoScript | Loading | Stale, Since: "5.0.0", Complexity: "O(1)", Summary: "Returns the number of the connection.", Run: clientID},
	}},
}

func ping(c *Call) error {
	switch {
	case len(c.Args) > 2:
		return errArity(c.Spec)
	case c.Conn.subscribed():
		c.Array(2)
		c.BulkString("pong")
		if len(c.Args) == 2 {
			c.Bulk(c.Args[1])
		} else {
			c.BulkString("")
		}
	case len(c.Args) == 2:
		c.Bulk(c.Args[1])
	default:
		c.Simple("PONG")
	}
	return nil
}

func clientID(c *Call) error {
	c.Int(c.Conn.ID)
	return nil
}

// unsubscribeAll ends all subscriptions of c.
func unsubscribeAll(c *Conn) {
	if c.Subs+c.PSubs == 0 {
		return
	}
	for _, pattern := range []bool{false, true} {
		for _, name := range c.Env.Subscriptions(c, pattern) {
			c.Env.Unsubscribe(c, []byte(name), pattern)
		}
	}
}
