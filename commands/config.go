package commands

var configCommands = []Spec{
	{Name: "CONFIG", Arity: -2, Group: GroupServer, Since: "2.0.0", Complexity: "Depends on the subcommand.",
		Summary: "Commands about the server's parameters.", Sub: []Spec{
			{Name: "GET", Syntax: "parameter [parameter ...]", Arity: -3, Flags: Admin | NoScript | Loading | Stale, Since: "2.0.0",
				Complexity: "O(N) with the number of parameters.", Summary: "Returns the parameters whose names match patterns.",
				History: [][2]string{{"7.0.0", "Several patterns in a call."}}, Run: configGet},
			{Name: "SET", Syntax: "parameter value [parameter value ...]", Arity: -4, Flags: Admin | NoScript | Loading | Stale, Since: "2.0.0",
				Complexity: "O(N) with the number of parameters.", Summary: "Changes parameters, all or none.",
				Tips:    []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
				History: [][2]string{{"7.0.0", "Several parameters in a call."}}, Run: configSet},
			{Name: "RESETSTAT", Arity: 2, Flags: Admin | NoScript | Loading | Stale, Since: "2.0.0", Complexity: "O(1)",
				Summary: "Sets the statistics of INFO to zero.", Tips: []string{"request_policy:all_nodes", "response_policy:all_succeeded"}, Run: configResetstat},
			{Name: "REWRITE", Arity: 2, Flags: Admin | NoScript | Loading | Stale, Since: "2.8.0", Complexity: "O(1)",
				Summary: "Writes the parameters into the configuration file.", Tips: []string{"request_policy:all_nodes", "response_policy:all_succeeded"}, Run: configRewrite},
			helpRow("5.0.0", 0),
		}},
}

func configGet(c *Call) error {
	m, n := c.Defer(), 0
	c.Env.ConfigGet(c.Args[2:], func(name, value string) {
		c.BulkString(name)
		c.BulkString(value)
		n++
	})
	c.EndMap(m, n)
	return nil
}

func configSet(c *Call) error {
	pairs := c.Args[2:]
	if len(pairs)%2 != 0 {
		return ErrSyntax
	}
	if err := c.Env.ConfigSet(pairs, c.Conn.local()); err != nil {
		return err
	}
	c.Conn.attend()
	c.OK()
	return nil
}

func configResetstat(c *Call) error {
	c.Env.ConfigResetStat()
	c.OK()
	return nil
}

func configRewrite(c *Call) error {
	if err := c.Env.ConfigRewrite(false); err != nil {
		return err
	}
	c.OK()
	return nil
}
