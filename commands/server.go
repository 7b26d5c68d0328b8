package commands

import (
	"bytes"
	"slices"
	"strings"
)

var serverCommands = []Spec{
	{Name: "INFO", Syntax: "[section [section ...]]", Arity: -1, Flags: Loading | Stale | Dangerous | Exclusive, Group: GroupServer,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Tells how the server is doing.",
		Tips:    []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"},
		History: [][2]string{{"7.0.0", "Several sections in a call."}}, Run: info},
	{Name: "TIME", Arity: 1, Flags: Loading | Stale | Fast, Group: GroupServer, Since: "2.6.0", Complexity: "O(1)",
		Summary: "Returns the time of the server.", Tips: []string{"nondeterministic_output"}, Run: timeCmd},
	{Name: "ROLE", Arity: 1, Flags: NoScript | Loading | Stale | Fast | Dangerous, Group: GroupServer, Category: "@admin", Since: "2.8.12", Complexity: "O(1)",
		Summary: "Returns the role of the server in replication.", Run: role},
	{Name: "LOLWUT", Syntax: "[VERSION version [number [number ...]]]", Arity: -1, Flags: ReadOnly | Fast, Group: GroupServer, Since: "5.0.0", Complexity: "O(1)",
		Summary: "Draws something, and says who is there.", Run: lolwut},
	{Name: "SHUTDOWN", Syntax: "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]", Arity: -1, Flags: Admin | NoScript | Loading | Stale | NoMulti | AllowBusy,
		Group: GroupServer, Since: "1.0.0", Complexity: "O(N) with the number of keys, if they are saved.", Summary: "Ends the server.",
		History: [][2]string{{"7.0.0", "NOW, FORCE and ABORT."}}, Endless: shutdownSaves, Run: shutdown},
}

func info(c *Call) error {
	sections := make([]string, 0, len(c.Args)-1)
	for _, a := range c.Args[1:] {
		sections = append(sections, strings.ToLower(string(a)))
	}
	var b bytes.Buffer
	c.Env.WriteInfo(&b, c.Tx, sections)
	c.Verbatim("txt", b.String())
	return nil
}

func timeCmd(c *Call) error {
	us := c.Env.Clock().NowUs()
	if c.within != nil {
		us = c.within.time(us)
	}
	c.Array(2)
	c.BulkInt(us / 1e6)
	c.BulkInt(us % 1e6)
	return nil
}

// role answers for a master without replicas.
func role(c *Call) error {
	c.Array(3)
	c.BulkString("master")
	c.Int(0)
	c.Array(0)
	return nil
}

// shutdownSaves reports whether the request may write files first, which takes its time.
func shutdownSaves(c *Call) bool {
	return !slices.ContainsFunc(c.Args[1:], func(a []byte) bool { return is(a, "NOSAVE") || is(a, "ABORT") })
}

func shutdown(c *Call) error {
	var save, nosave, now, force, abort bool
	for a := c.From(1); a.More(); {
		switch {
		case !save && a.Is("NOSAVE"):
			nosave = true
		case !nosave && a.Is("SAVE"):
			save = true
		case a.Is("NOW"):
			now = true
		case a.Is("FORCE"):
			force = true
		case a.Is("ABORT"):
			abort = true
		default:
			return ErrSyntax
		}
	}
	switch {
	case abort && (save || nosave || now || force):
		return ErrSyntax
	case abort:
		return ErrNoShutdown
	}
	return c.Env.Shutdown(c.Conn, ShutdownOptions{save, nosave, now, force})
}
