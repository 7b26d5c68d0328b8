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

// unsubscribeAll ends all subscriptions of c without a word to it.
func unsubscribeAll(c *Conn) {
	if !c.Subscriber() {
		return
	}
	for kind := range numSubKinds {
		for _, name := range c.Env.Subscriptions(c, kind) {
			c.Env.Unsubscribe(c, kind, []byte(name))
		}
	}
	c.Subs, c.PSubs, c.SSubs = 0, 0, 0
}
